//! The columns of an NDJSON input, which has no header: what its first lines hold.
//!
//! One line is enough where every column comes with its type and is in it, so that a live
//! input is not held up. Otherwise up to a thousand lines are looked at; which ones depends on
//! the text alone.

use std::collections::HashMap;

use arrow::datatypes::DataType;

use super::field::{JsonDialect, unescape};
use super::{line_end, object};
use crate::decode::DecodeOptions;
use crate::decode::infer::{BYTES_LOOKED_AT, Guess, ROWS_LOOKED_AT};
use crate::decode::text::{ColumnPlan, Dialect, Field, Segments, resolve};
use crate::error::{Error, Result};

/// What the first lines hold.
#[derive(Default)]
struct Seen {
    names: Vec<String>,
    by_name: HashMap<String, usize>,
    guesses: Vec<Guess>,
    objects: usize,
    lines: usize,
    first_wrong: Option<String>,
}

/// Finds out the columns, without moving past a row.
pub(super) fn read(segments: &mut Segments, options: &DecodeOptions) -> Result<Vec<ColumnPlan>> {
    let mut seen = Seen::default();
    look_at_lines(segments, &mut seen, |seen| enough(seen, options))?;
    if seen.objects == 0 {
        if let Some(what) = seen.first_wrong {
            return Err(Error::run(format!("none of the first lines is a JSON object: {what}"))
                .at(segments.name())
                .advise("is this an NDJSON file, with one object a line?"));
        }
        // No row at all: the columns are those that are asked for.
        let requests = options.columns.iter().flatten();
        seen.names = requests.map(|request| request.name.clone()).collect();
        seen.guesses = seen.names.iter().map(|_| Guess::default()).collect();
    }
    let wanted = resolve(segments.name(), &seen.names, options)?;
    let plans = wanted.into_iter().map(|column| ColumnPlan {
        inferred: column.data_type.is_none(),
        data_type: column.data_type.unwrap_or_else(|| seen.guesses[column.index].data_type()),
        index: column.index,
        name: column.name,
    });
    Ok(plans.collect())
}

/// Whether no further line is needed.
fn enough(seen: &Seen, options: &DecodeOptions) -> bool {
    seen.objects > 0
        && options.columns.as_ref().is_some_and(|requests| {
            requests.iter().all(|request| {
                request.data_type.as_ref().is_some_and(|t| *t != DataType::Null)
                    && seen.by_name.contains_key(&request.name)
            })
        })
}

fn look_at_lines(
    segments: &mut Segments,
    seen: &mut Seen,
    enough: impl Fn(&Seen) -> bool,
) -> Result<()> {
    let mut looked = 0;
    while seen.lines < ROWS_LOOKED_AT && looked < BYTES_LOOKED_AT && !enough(seen) {
        let at = segments.at() + looked;
        let text = segments.text().clone();
        if at < text.len()
            && let Some((end, next)) = line_end(&text, at, segments.is_ended())
        {
            if end - at > segments.limits().record_bytes_max {
                return Ok(());
            }
            seen.look_at(&text[at..end]);
            looked = next - segments.at();
            continue;
        }
        if text.len() - at > segments.limits().record_bytes_max {
            return Ok(());
        }
        if !segments.more()? && segments.at() + looked == segments.text().len() {
            return Ok(());
        }
    }
    Ok(())
}

impl Seen {
    fn look_at(&mut self, line: &[u8]) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        self.lines += 1;
        // A line that turns out to be wrong further on must not leave a column behind.
        let mut found = vec![];
        let scanned = object::members(line, |_, name, value| found.push((name.to_vec(), value)));
        if let Err(object::Wrong { what, .. }) = scanned {
            self.first_wrong.get_or_insert_with(|| what.to_owned());
            return;
        }
        self.objects += 1;
        for (name, value) in found {
            self.look_at_member(&name, &line[value]);
        }
    }

    fn look_at_member(&mut self, name: &[u8], value: &[u8]) {
        let mut scratch = vec![];
        let Some(name) = unescape(name, &mut scratch) else { return };
        let Ok(name) = std::str::from_utf8(name) else { return };
        let place = match self.by_name.get(name) {
            Some(place) => *place,
            None => {
                self.names.push(name.to_owned());
                self.guesses.push(Guess::default());
                self.by_name.insert(name.to_owned(), self.names.len() - 1);
                self.names.len() - 1
            }
        };
        match JsonDialect.read(value, &mut vec![]) {
            Field::Text(text) if value.starts_with(b"\"") => self.guesses[place].look_at_text(text),
            Field::Text(text) => self.guesses[place].look_at(text),
            Field::Nested(text) => self.guesses[place].look_at_text(text),
            Field::Null | Field::Wrong(_) => {}
        }
    }
}
