//! What stands before the rows: the names of the columns, and the types of those that come
//! without.

use arrow::datatypes::DataType;
use pelton_kernels::csv_scan::CsvIndex;

use super::field::CsvDialect;
use super::record::{Reading, Record, trim_cr};
use crate::decode::DecodeOptions;
use crate::decode::infer::{BYTES_LOOKED_AT, Guess, ROWS_LOOKED_AT};
use crate::decode::text::{ColumnPlan, Dialect, Field, Segments, Wanted, resolve};
use crate::error::{Error, Result};

/// The columns of an input.
pub(super) struct Header {
    /// Names of all of them.
    pub names: Vec<String>,
    /// Those that are read.
    pub plans: Vec<ColumnPlan>,
}

/// Reads the header and infers the types that are not given. Leaves the segments at the first
/// row.
pub(super) fn read(
    segments: &mut Segments,
    dialect: &CsvDialect,
    options: &DecodeOptions,
) -> Result<Header> {
    let mut index = CsvIndex::new();
    let Some(next) = first_record(segments, options.delimiter, &mut index)? else {
        return empty(segments.name(), options);
    };
    let names = names(segments, dialect, options, &index)?;
    if options.header {
        segments.advance(next);
    }
    let wanted = resolve(segments.name(), &names, options)?;
    let plans = plan(segments, dialect, options.delimiter, wanted, names.len())?;
    Ok(Header { names, plans })
}

/// An input without any record has the columns that are asked for, and no row.
fn empty(file: &str, options: &DecodeOptions) -> Result<Header> {
    let requests = options.columns.as_deref().unwrap_or_default();
    let names: Vec<_> = requests.iter().map(|request| request.name.clone()).collect();
    let plans = resolve(file, &names, options)?.into_iter().map(|column| ColumnPlan {
        inferred: column.data_type.is_none(),
        data_type: column.data_type.unwrap_or(DataType::Utf8),
        name: column.name,
        index: column.index,
    });
    Ok(Header { plans: plans.collect(), names })
}

/// Finds the first record past blank lines; its separators are in `index`. Gives where the
/// next starts.
fn first_record(
    segments: &mut Segments,
    delimiter: u8,
    index: &mut CsvIndex,
) -> Result<Option<usize>> {
    loop {
        let at = segments.at();
        let reading = reading(segments, delimiter);
        if at == reading.text.len() {
            if !segments.more()? {
                return Ok(None);
            }
            continue;
        }
        index.start_at(at);
        let wrong = match reading.record(at, index) {
            Record::Row { next } => return Ok(Some(next)),
            Record::Blank { next } => {
                segments.advance(next);
                continue;
            }
            Record::Incomplete => {
                segments.more()?;
                continue;
            }
            Record::Bad { why, .. } => why,
            Record::TooLong => "it goes on and on without a line end",
        };
        return Err(Error::run(format!("the first record cannot be read: {wrong}"))
            .at(format!("{}, line 1", segments.name()))
            .advise("is this a CSV file? The delimiter can be given"));
    }
}

fn reading(segments: &Segments, delimiter: u8) -> Reading<'_> {
    Reading {
        text: segments.text(),
        ended: segments.is_ended(),
        delimiter,
        limits: segments.limits(),
    }
}

/// The names in the first record, or c0, c1, … where it is a row.
fn names(
    segments: &Segments,
    dialect: &CsvDialect,
    options: &DecodeOptions,
    index: &CsvIndex,
) -> Result<Vec<String>> {
    let count = index.separator_count() - 1;
    if !options.header {
        return Ok((0..count).map(|i| format!("c{i}")).collect());
    }
    let mut scratch = vec![];
    (0..count)
        .map(|i| {
            let (start, end) = field(segments.text(), index, i);
            let raw = &segments.text()[start..end];
            let name = match dialect.read(raw, &mut scratch) {
                Field::Text(name) => name,
                _ => raw,
            };
            match std::str::from_utf8(name) {
                Ok(name) if !name.contains('\0') => Ok(name.to_owned()),
                _ => Err(Error::run("the header is no text: this is no CSV file")
                    .at(segments.name())
                    .advise("give the file's format, or the right file")),
            }
        })
        .collect()
}

/// Where field `i` of the one record of an index lies.
fn field(text: &[u8], index: &CsvIndex, i: usize) -> (usize, usize) {
    let separators = index.separators();
    let (start, end) = (separators[i].wrapping_add(1) as usize, separators[i + 1] as usize);
    let last = i + 2 == separators.len();
    (start, if last { trim_cr(text, start, end) } else { end })
}

/// The types: those given, and for the others what the first rows look like.
fn plan(
    segments: &mut Segments,
    dialect: &CsvDialect,
    delimiter: u8,
    wanted: Vec<Wanted>,
    fields: usize,
) -> Result<Vec<ColumnPlan>> {
    let mut guesses: Vec<_> = wanted.iter().map(|_| Guess::default()).collect();
    if wanted.iter().any(|column| column.data_type.is_none()) {
        look_at_rows(segments, dialect, delimiter, &wanted, fields, &mut guesses)?;
    }
    let plans = wanted.into_iter().zip(guesses).map(|(column, guess)| ColumnPlan {
        inferred: column.data_type.is_none(),
        data_type: column.data_type.unwrap_or_else(|| guess.data_type()),
        name: column.name,
        index: column.index,
    });
    Ok(plans.collect())
}

/// Shows the guesses the first rows, without moving past them. Which rows these are depends on
/// the text alone, not on its blocks.
fn look_at_rows(
    segments: &mut Segments,
    dialect: &CsvDialect,
    delimiter: u8,
    wanted: &[Wanted],
    fields: usize,
    guesses: &mut [Guess],
) -> Result<()> {
    let (mut looked, mut rows) = (0, 0);
    let mut index = CsvIndex::new();
    let mut scratch = vec![];
    while rows < ROWS_LOOKED_AT && looked < BYTES_LOOKED_AT {
        let at = segments.at() + looked;
        if at == segments.text().len() {
            if !segments.more()? {
                return Ok(());
            }
            continue;
        }
        index.start_at(at);
        let reading = reading(segments, delimiter);
        match reading.record(at, &mut index) {
            Record::Row { next } => {
                rows += 1;
                looked = next - segments.at();
                if index.separator_count() - 1 != fields {
                    continue;
                }
                for (column, guess) in wanted.iter().zip(&mut *guesses) {
                    let (start, end) = field(reading.text, &index, column.index);
                    let raw = &reading.text[start..end];
                    if let Field::Text(value) = dialect.read(raw, &mut scratch) {
                        guess.look_at(value);
                    }
                }
            }
            Record::Blank { next } | Record::Bad { next, .. } => looked = next - segments.at(),
            Record::TooLong => return Ok(()),
            Record::Incomplete => {
                segments.more()?;
            }
        }
    }
    Ok(())
}
