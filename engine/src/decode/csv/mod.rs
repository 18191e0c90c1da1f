//! CSV to columns.
//!
//! Text is taken in windows of some ten kilobytes, so that all of the work on one happens in
//! the first cache:
//!
//! 1. `pelton_kernels::csv_scan` finds every separator of the window,
//! 2. records with the right number of fields are picked, others are rejected,
//! 3. each column that the plan reads parses its fields of the picked records.
//!
//! Where quotes stand in places that only a state machine understands, or a record is so long
//! that a field of it may be too long, step 1 is done record by record (the `record` module);
//! steps 2 and 3 stay the same.
//!
//! # Meaning
//! Header unless told otherwise; LF or CRLF; RFC 4180 quotes; a blank line is no row; a last
//! line without line end is a row. An empty unquoted field is null; `""` is an empty text, and
//! null in a column of another type. Spaces belong to fields. Columns that the plan does not
//! read are checked for nothing but their number.

mod field;
mod header;
#[cfg(test)]
mod plain;
mod record;
#[cfg(test)]
mod tests;

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use pelton_kernels::csv_scan::{CsvIndex, csv_scan};
use pelton_kernels::simd::{self, Level};
use pelton_kernels::text_parse::ColumnSpans;

use self::field::{CsvDialect, LastColumn};
use self::header::Header;
use self::record::{Reading, Record, trim_cr};
use super::text::{Limits, Rows, Segments};
use super::{DecodeOptions, Decoded, Decoder};
use crate::error::{Error, Result};
use crate::source::BlockReader;

/// Bytes scanned and parsed together: text, index and columns of a window fit into 48 KiB of
/// first-level cache.
const WINDOW_BYTES: usize = 16 << 10;

/// Decodes CSV.
pub struct CsvDecoder {
    // Set once.
    names: Vec<String>,
    delimiter: u8,
    dialect: CsvDialect,
    limits: Limits,
    /// Input column of each column that is read.
    wanted: Vec<usize>,

    // What is read and made.
    segments: Segments,
    rows: Rows,

    // Where the window at hand stands.
    index: CsvIndex,
    /// The next of the window's records.
    cursor: usize,
    /// Index of the separator before it.
    base: u32,
    /// Records that start before this byte are read by the state machine.
    plain_to: usize,
    /// Bases of the records that were picked.
    picked: Vec<u32>,
}

impl CsvDecoder {
    /// Reads the header and, where types are to be inferred, the first rows.
    ///
    /// # Errors
    /// When the input cannot be read or is no CSV, lacks a required column, has two of a name
    /// that is asked for, or the options contradict themselves.
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
        if matches!(options.delimiter, b'"' | b'\r' | b'\n') {
            return Err(Error::usage("a quote or line end cannot separate fields")
                .advise("use another delimiter: , ; | or a tab"));
        }
        let limits = Limits::new(options.field_bytes_max);
        let dialect = CsvDialect::new(options.null.as_deref());
        let mut segments = Segments::open(reader, limits)?;
        let Header { names, plans } = header::read(&mut segments, &dialect, options)?;
        Ok(Self {
            names,
            delimiter: options.delimiter,
            dialect,
            limits,
            wanted: plans.iter().map(|plan| plan.index).collect(),
            segments,
            rows: Rows::new(plans, options.batch_rows, level),
            index: CsvIndex::new(),
            cursor: 0,
            base: 0,
            plain_to: 0,
            picked: vec![],
        })
    }

    /// Takes some rows of the text at hand. `false`: no further record is complete.
    fn fill(&mut self, text: &Bytes) -> bool {
        if self.cursor < self.index.record_ends().len() {
            self.take_scanned(text);
            return true;
        }
        if self.segments.at() == text.len() {
            return false;
        }
        if self.segments.at() < self.plain_to {
            return self.take_plain(text);
        }
        self.scan(text)
    }

    /// Indexes the next window, or says that a state machine has to read it.
    fn scan(&mut self, text: &Bytes) -> bool {
        let at = self.segments.at();
        let mut size = WINDOW_BYTES;
        loop {
            let to = text.len().min(at + size);
            csv_scan(self.rows.level(), text, at, to, self.delimiter, &mut self.index);
            (self.cursor, self.base) = (0, 0);
            let found = self.index.record_ends().len();
            if !self.index.is_regular() {
                self.plain_to = to;
            } else if found > 0 {
                return true;
            } else if to - at > self.limits.field_bytes_max {
                self.plain_to = at + 1;
            } else if to < text.len() {
                size *= 2;
                continue;
            } else if self.segments.is_ended() {
                self.plain_to = to;
            } else {
                return false;
            }
            self.index.start_at(at);
            return true;
        }
    }

    /// Picks records of the scanned window and parses them.
    fn take_scanned(&mut self, text: &Bytes) {
        self.picked.clear();
        let first = self.cursor;
        if !self.pick_all(text) {
            self.pick_each(text);
        }
        let at = self.index.separators()[self.base as usize].wrapping_add(1) as usize;
        if self.index.has_quotes() {
            self.segments.advance(at);
        } else {
            self.segments.advance_lines(at, (self.cursor - first) as u64);
        }
        self.parse(text);
        if self.segments.at() < self.plain_to {
            self.index.start_at(at);
            self.cursor = 0;
        }
    }

    /// Picks all records of the window that there is room for, if each has the right number of
    /// fields and none is long: no branch on any of them. Otherwise picks none.
    fn pick_all(&mut self, text: &[u8]) -> bool {
        let fields = self.names.len() as u32;
        if fields < 2 {
            // A blank line has one field, too.
            return false;
        }
        let longest = u32::try_from(self.limits.field_bytes_max).unwrap_or(u32::MAX);
        let separators = self.index.separators();
        let record_ends = &self.index.record_ends()[self.cursor..];
        let record_ends = &record_ends[..record_ends.len().min(self.rows.room())];
        let n = record_ends.len();
        self.picked.resize(n, 0);
        let (starts, ends) = self.rows.push_many(n);
        let (mut base, mut irregular) = (self.base, false);
        let slots = self.picked.iter_mut().zip(starts).zip(ends);
        for (((picked, row_start), row_end), end_index) in slots.zip(record_ends) {
            let start = separators[base as usize].wrapping_add(1);
            let end = separators[*end_index as usize];
            let cr = text.get(end.wrapping_sub(1) as usize) == Some(&b'\r');
            irregular |= (end_index - base != fields) | (end.wrapping_sub(start) > longest);
            (*picked, *row_start, *row_end) = (base, start, end.wrapping_sub(u32::from(cr)));
            base = *end_index;
        }
        if irregular {
            self.rows.pop_many(n);
            self.picked.clear();
            return false;
        }
        self.base = base;
        self.cursor += n;
        true
    }

    /// Picks or rejects record by record.
    fn pick_each(&mut self, text: &[u8]) {
        let separators = self.index.separators();
        let record_ends = self.index.record_ends();
        let (fields, longest) = (self.names.len() as u32, self.limits.field_bytes_max);
        let mut room = self.rows.room();
        while self.cursor < record_ends.len() && room > 0 {
            let end_index = record_ends[self.cursor];
            let start = separators[self.base as usize].wrapping_add(1) as usize;
            let end = separators[end_index as usize] as usize;
            let found = end_index - self.base;
            let trimmed = trim_cr(text, start, end);
            if end - start > longest {
                // Its fields must be looked at; what follows it is scanned again.
                self.plain_to = start + 1;
                break;
            }
            if found == fields && (found > 1 || trimmed > start) {
                self.rows.push(start, trimmed);
                self.picked.push(self.base);
                room -= 1;
            } else if found > 1 || trimmed > start {
                self.rows.reject(start, trimmed, None, count_reason(found, fields));
                room -= 1;
            }
            self.base = end_index;
            self.cursor += 1;
        }
    }

    /// Reads records with the state machine and parses them.
    fn take_plain(&mut self, text: &Bytes) -> bool {
        let reading = Reading {
            text,
            ended: self.segments.is_ended(),
            delimiter: self.delimiter,
            limits: self.limits,
        };
        self.picked.clear();
        self.index.start_at(0);
        let mut complete = true;
        let mut at = self.segments.at();
        while at < self.plain_to && at < text.len() && self.rows.room() > 0 && complete {
            self.index.push(at.wrapping_sub(1));
            let base = self.index.separator_count() - 1;
            match reading.record(at, &mut self.index) {
                Record::Row { next } => {
                    self.take_record(text, at, base);
                    at = next;
                }
                Record::Blank { next } => at = next,
                Record::Bad { end, next, column, why } => {
                    let name = self.names.get(column).map(String::as_str);
                    self.rows.reject(at, end, name, why.to_owned());
                    at = next;
                }
                Record::TooLong => {
                    let end = at + self.limits.record_bytes_max;
                    let reason = format!("a record of more than {} bytes", end - at);
                    self.rows.reject(at, end, None, reason);
                    self.segments.advance(end);
                    self.segments.skip_line();
                    at = self.segments.at();
                }
                Record::Incomplete => complete = false,
            }
        }
        self.segments.advance(at);
        self.parse(text);
        complete
    }

    /// Takes or rejects the record at `start` whose separators follow index `base`.
    fn take_record(&mut self, text: &[u8], start: usize, base: usize) {
        let separators = &self.index.separators()[base..];
        let fields = separators.len() - 1;
        let end = trim_cr(text, start, separators[fields] as usize);
        let longest = self.limits.field_bytes_max;
        if fields != self.names.len() {
            let reason = count_reason(fields as u32, self.names.len() as u32);
            return self.rows.reject(start, end, None, reason);
        }
        for (column, pair) in separators.windows(2).enumerate() {
            let from = pair[0].wrapping_add(1) as usize;
            let to = if column + 1 == fields { end.max(from) } else { pair[1] as usize };
            let quotes = if text[from..].first() == Some(&b'"') { 2 } else { 0 };
            if to - from > longest + quotes {
                let reason = format!("a field of more than {longest} bytes");
                return self.rows.reject(start, end, Some(&self.names[column]), reason);
            }
        }
        self.rows.push(start, end);
        self.picked.push(base as u32);
    }

    /// Parses the columns of the picked records.
    fn parse(&mut self, text: &Bytes) {
        let (separators, rows) = (self.index.separators(), &self.picked[..]);
        for (place, column) in self.wanted.iter().enumerate() {
            let spans = ColumnSpans { separators, rows, column: *column };
            if column + 1 == self.names.len() {
                let spans = LastColumn { text, spans };
                self.rows.append_column(place, text, &self.dialect, &spans);
            } else {
                self.rows.append_column(place, text, &self.dialect, &spans);
            }
        }
        self.rows.appended();
    }
}

fn count_reason(found: u32, expected: u32) -> String {
    let s = if found == 1 { "" } else { "s" };
    format!("{found} field{s} where {expected} are expected")
}

impl Decoder for CsvDecoder {
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
            self.plain_to = 0;
            self.cursor = 0;
            self.index.start_at(0);
            if !self.segments.more()? && self.segments.at() == self.segments.text().len() {
                return Ok(None);
            }
        }
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.segments.progress()
    }
}
