//! NDJSON to columns: one JSON object a line, its top-level members are the columns.
//!
//! A line is scanned once: the grammar is checked, and where the members that the plan reads
//! lie is noted. Then each column parses its values, as for CSV. Members mostly come in the
//! same order on every line, so a name is compared with the one that stood there on the line
//! before, and looked up only when it differs.
//!
//! # Meaning
//! A member that is not there is null, as is `null`; of two members of one name the last
//! counts; members that the plan does not read are skipped, whatever they hold. A number is
//! read from its literal text (never through a float); a string is read as if its text stood
//! there (`"38.50"` is a fine decimal); a text column takes numbers, booleans, objects and
//! arrays as they are written. Lines of nothing but spaces are no rows. Types that are not
//! given are inferred as for CSV, strings being times or text.

mod field;
mod object;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use pelton_kernels::simd::{self, Level};
use pelton_kernels::text_parse::ExplicitSpans;

use self::field::{JsonDialect, unescape};
use super::text::{ColumnPlan, Limits, Rows, Segments};
use super::{DecodeOptions, Decoded, Decoder};
use crate::error::Result;
use crate::source::BlockReader;

/// Lines scanned before their columns are parsed: few enough for the first cache.
const LINES: usize = 256;

/// Decodes NDJSON.
pub struct NdJsonDecoder {
    limits: Limits,
    segments: Segments,
    rows: Rows,
    members: Members,
}

impl NdJsonDecoder {
    /// Reads the first line, and more of them where types are to be inferred or a column that
    /// is asked for is not in it.
    ///
    /// # Errors
    /// When the input cannot be read or is no NDJSON, or a required column is in none of the
    /// first lines.
    pub fn new(reader: Box<dyn BlockReader>, options: &DecodeOptions) -> Result<Self> {
        Self::with_level(reader, options, simd::level())
    }

    /// As [`Self::new`], with kernels of a given level.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_level(
        reader: Box<dyn BlockReader>,
        options: &DecodeOptions,
        level: Level,
    ) -> Result<Self> {
        let limits = Limits::new(options.field_bytes_max);
        let mut segments = Segments::open(reader, limits)?;
        let plans = schema::read(&mut segments, options)?;
        let members = Members::new(&plans);
        let rows = Rows::new(plans, options.batch_rows, level);
        Ok(Self { limits, segments, rows, members })
    }

    /// Takes some lines of the text at hand. `false`: no further line is complete.
    fn fill(&mut self, text: &Bytes) -> bool {
        let from = self.segments.at();
        let (mut at, mut lines, mut taken) = (from, 0, 0);
        let most = self.rows.room().min(LINES);
        while taken < most && at < text.len() {
            let Some((end, next)) = line_end(text, at, self.segments.is_ended()) else { break };
            let line_feed = usize::from(text[next - 1] == b'\n');
            if next - line_feed - at > self.limits.record_bytes_max {
                break;
            }
            lines += 1;
            taken += usize::from(self.take_line(text, at, end));
            at = next;
        }
        self.segments.advance_lines(at, lines);
        self.parse(text);
        if text.len() - at > self.limits.record_bytes_max && taken < most {
            self.reject_endless(at);
        }
        self.segments.at() > from
    }

    /// Rejects a line that goes on beyond the bound of records.
    fn reject_endless(&mut self, start: usize) {
        let text = self.segments.text();
        let bound = start + self.limits.record_bytes_max;
        if memchr::memchr(b'\n', &text[start..=bound.min(text.len() - 1)]).is_some() {
            return;
        }
        let reason = format!("a line of more than {} bytes", self.limits.record_bytes_max);
        self.rows.reject(start, bound, None, reason);
        self.segments.skip_line();
    }

    /// Takes or rejects a line; `false` where it is blank.
    fn take_line(&mut self, text: &[u8], start: usize, end: usize) -> bool {
        let line = &text[start..end];
        if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            return false;
        }
        self.members.start_line();
        let members = &mut self.members;
        let scanned = object::members(line, |number, name, value| {
            members.note(number, name, start + value.start, start + value.end);
        });
        let longest = self.limits.field_bytes_max;
        if let Err(object::Wrong { at, what }) = scanned {
            let reason = format!("not a JSON object: {what} at byte {} of the line", at + 1);
            self.rows.reject(start, end, None, reason);
        } else if let Some(column) = self.members.longer_than(text, longest) {
            let reason = format!("a field of more than {longest} bytes");
            self.rows.reject(start, end, Some(&self.members.names[column]), reason);
        } else {
            self.rows.push(start, end);
            self.members.keep_line();
        }
        true
    }

    /// Parses the columns of the lines that were taken.
    fn parse(&mut self, text: &Bytes) {
        for (place, values) in self.members.values.iter_mut().enumerate() {
            let spans = ExplicitSpans { starts: &values.starts, ends: &values.ends };
            self.rows.append_column(place, text, &JsonDialect, &spans);
            values.starts.clear();
            values.ends.clear();
        }
        self.rows.appended();
    }
}

/// Where the line at `at` ends (without CR LF) and the next starts.
fn line_end(text: &[u8], at: usize, ended: bool) -> Option<(usize, usize)> {
    let (end, next) = match memchr::memchr(b'\n', &text[at..]) {
        Some(len) => (at + len, at + len + 1),
        None if ended => (text.len(), text.len()),
        None => return None,
    };
    let cr = end > at && text[end - 1] == b'\r';
    Some((end - usize::from(cr), next))
}

/// Where the values of one column lie in the text.
#[derive(Default)]
struct Values {
    starts: Vec<u32>,
    ends: Vec<u32>,
}

/// The members that the plan reads.
struct Members {
    names: Vec<String>,
    by_name: HashMap<Vec<u8>, Vec<usize>>,
    /// The name that stood at each number lately, and the columns that read it.
    lately: Vec<(Vec<u8>, Vec<usize>)>,
    /// Of the line at hand: where each column's value lies; (0, 0): nowhere.
    line: Vec<(usize, usize)>,
    /// Of the lines taken: the same, by column.
    values: Vec<Values>,
    scratch: Vec<u8>,
}

impl Members {
    fn new(plans: &[ColumnPlan]) -> Self {
        let names: Vec<_> = plans.iter().map(|plan| plan.name.clone()).collect();
        let mut by_name: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (place, name) in names.iter().enumerate() {
            by_name.entry(name.clone().into_bytes()).or_default().push(place);
        }
        Self {
            line: vec![(0, 0); names.len()],
            values: names.iter().map(|_| Values::default()).collect(),
            names,
            by_name,
            lately: vec![],
            scratch: vec![],
        }
    }

    fn start_line(&mut self) {
        self.line.fill((0, 0));
    }

    /// Notes a member; a later one of the same name takes its place.
    #[inline(always)]
    fn note(&mut self, number: usize, name: &[u8], start: usize, end: usize) {
        if self.lately.get(number).is_none_or(|(known, _)| known != name) {
            self.learn(number, name);
        }
        if let Some((_, columns)) = self.lately.get(number) {
            for column in columns {
                self.line[*column] = (start, end);
            }
        } else {
            for column in self.columns(name) {
                self.line[column] = (start, end);
            }
        }
    }

    /// Remembers the name of a member's place. Objects of very many members are not remembered
    /// beyond the first.
    #[cold]
    fn learn(&mut self, number: usize, name: &[u8]) {
        const REMEMBERED: usize = 256;
        if number >= REMEMBERED {
            return;
        }
        let columns = self.columns(name);
        if number >= self.lately.len() {
            self.lately.resize(number + 1, Default::default());
        }
        self.lately[number] = (name.to_vec(), columns);
    }

    fn columns(&mut self, name: &[u8]) -> Vec<usize> {
        let name = unescape(name, &mut self.scratch).unwrap_or(name);
        self.by_name.get(name).cloned().unwrap_or_default()
    }

    /// A column whose value is too long. Quotes do not count.
    fn longer_than(&self, text: &[u8], bytes_max: usize) -> Option<usize> {
        self.line.iter().position(|(start, end)| {
            let quotes = if text.get(*start) == Some(&b'"') { 2 } else { 0 };
            end - start > bytes_max.saturating_add(quotes)
        })
    }

    fn keep_line(&mut self) {
        for (values, (start, end)) in self.values.iter_mut().zip(&self.line) {
            values.starts.push(*start as u32);
            values.ends.push(*end as u32);
        }
    }
}

impl Decoder for NdJsonDecoder {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    fn next_batch(&mut self) -> Result<Option<Decoded>> {
        loop {
            let text = self.segments.text().clone();
            self.rows.reserve(text.len() - self.segments.at());
            while self.rows.room() > 0 && self.fill(&text) {}
            if !self.rows.is_empty() {
                return self.rows.finish(&mut self.segments).map(Some);
            }
            if !self.segments.more()? && self.segments.at() == self.segments.text().len() {
                return Ok(None);
            }
        }
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.segments.progress()
    }
}
