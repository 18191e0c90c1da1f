//! The recordings: opened with the columns that the windows read, of the types that they have.
//!
//! In text a time with a unit is an integer, whatever the first rows hold; without one it must
//! be written as a date and time. A text without rows says nothing of its types, and is no error.

use std::path::Path;

use arrow::datatypes::{DataType, TimeUnit};
use pelton::decode::{DecodeOptions, Format, format_of};
use pelton::pipeline::{File, Opened};
use pelton::source::{Io, SourceOptions};
use pelton::{Error, Result};

use super::aggregates::Guessed;
use super::text;
use crate::args::{IoArg, WindowArgs};
use crate::replay::format;

/// Opens a recording. The first of `columns` is the time column; `optional` ones are read where
/// they are there.
pub(super) fn open(
    args: &WindowArgs,
    path: &Path,
    unit: Option<TimeUnit>,
    columns: &[Guessed],
    optional: &[String],
) -> Result<Opened> {
    let path = text(path)?;
    let of = args.format.map(format).or_else(|| format_of(&path));
    let is_text = matches!(of, Some(Format::Csv | Format::NdJson));
    let time = unit.filter(|_| is_text).map(|_| DataType::Int64);
    let empty = is_text && path != "-" && is_empty(args, &path, of)?;
    let mut file = described(args, &path)?;
    for (i, (column, guess)) in columns.iter().enumerate() {
        let known = match i {
            0 if empty => time.clone().or(Some(DATE_AND_TIME)),
            0 => time.clone(),
            _ => guess.clone().filter(|_| empty),
        };
        file = match known {
            Some(data_type) => file.column(column, data_type),
            None => file.column_as_it_is(column),
        };
    }
    for column in optional {
        file = file.optional_column_as_it_is(column);
    }
    file.open()
}

const DATE_AND_TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// The file as the options describe it.
fn described(args: &WindowArgs, path: &str) -> Result<File> {
    let mut file = match args.format {
        Some(of) => File::of(format(of), path),
        None => File::any(path),
    };
    if let Some(delimiter) = args.delimiter {
        file = file.delimiter(byte(delimiter)?);
    }
    if let Some(null) = &args.null {
        file = file.null(null);
    }
    Ok(file.header(!args.no_header).source(source(args)).batch_rows(args.batch_rows as usize))
}

fn byte(delimiter: char) -> Result<u8> {
    u8::try_from(delimiter)
        .ok()
        .filter(u8::is_ascii)
        .ok_or_else(|| Error::usage(format!("--delimiter {delimiter:?} is not one byte of ASCII")))
}

fn source(args: &WindowArgs) -> SourceOptions {
    let io = match args.io {
        IoArg::Auto => Io::Auto,
        IoArg::Uring => Io::Uring,
        IoArg::Plain => Io::Plain,
    };
    SourceOptions { io, ..SourceOptions::default() }
}

/// Whether a text holds no row, good or bad.
fn is_empty(args: &WindowArgs, path: &str, format: Option<Format>) -> Result<bool> {
    let mut decode = DecodeOptions { header: !args.no_header, ..DecodeOptions::default() };
    if let Some(delimiter) = args.delimiter {
        decode.delimiter = byte(delimiter)?;
    }
    decode.columns = Some(Vec::new());
    let mut decoder = pelton::decode::open(path, format, &decode, &source(args))?;
    while let Some(decoded) = decoder.next_batch()? {
        if decoded.rows.num_rows() > 0 || !decoded.rejects.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
