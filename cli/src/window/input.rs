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
use crate::args::{FormatArg, IoArg, WindowArgs};
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
    let reading = Reading::from(args);
    let is_text = reading.is_text(&path);
    let time = unit.filter(|_| is_text).map(|_| DataType::Int64);
    let empty = is_text && path != "-" && reading.is_empty(&path)?;
    let mut file = reading.file(&path)?;
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

pub(crate) const DATE_AND_TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// How the options say that files are read.
pub(crate) struct Reading<'a> {
    /// What is said of the format.
    pub(crate) format: Option<FormatArg>,
    /// Of CSV.
    pub(crate) delimiter: Option<char>,
    /// Of CSV: text that means null.
    pub(crate) null: Option<&'a str>,
    /// Of CSV.
    pub(crate) no_header: bool,
    /// How bytes are read.
    pub(crate) io: IoArg,
    /// Largest number of rows in a batch.
    pub(crate) batch_rows: u32,
}

impl<'a> From<&'a WindowArgs> for Reading<'a> {
    fn from(args: &'a WindowArgs) -> Self {
        Self {
            format: args.format,
            delimiter: args.delimiter,
            null: args.null.as_deref(),
            no_header: args.no_header,
            io: args.io,
            batch_rows: args.batch_rows,
        }
    }
}

impl Reading<'_> {
    /// Whether the file is text, whose types are inferred.
    pub(crate) fn is_text(&self, path: &str) -> bool {
        let of = self.format.map(format).or_else(|| format_of(path));
        matches!(of, Some(Format::Csv | Format::NdJson))
    }

    /// The file as the options describe it.
    pub(crate) fn file(&self, path: &str) -> Result<File> {
        let mut file = match self.format {
            Some(of) => File::of(format(of), path),
            None => File::any(path),
        };
        if let Some(delimiter) = self.delimiter {
            file = file.delimiter(byte(delimiter)?);
        }
        if let Some(null) = self.null {
            file = file.null(null);
        }
        Ok(file.header(!self.no_header).source(self.source()).batch_rows(self.batch_rows as usize))
    }

    fn source(&self) -> SourceOptions {
        let io = match self.io {
            IoArg::Auto => Io::Auto,
            IoArg::Uring => Io::Uring,
            IoArg::Plain => Io::Plain,
        };
        SourceOptions { io, ..SourceOptions::default() }
    }

    /// Whether a text holds no row, good or bad.
    pub(crate) fn is_empty(&self, path: &str) -> Result<bool> {
        let mut decode = DecodeOptions { header: !self.no_header, ..DecodeOptions::default() };
        if let Some(delimiter) = self.delimiter {
            decode.delimiter = byte(delimiter)?;
        }
        decode.columns = Some(Vec::new());
        let of = self.format.map(format).or_else(|| format_of(path));
        let mut decoder = pelton::decode::open(path, of, &decode, &self.source())?;
        while let Some(decoded) = decoder.next_batch()? {
            if decoded.rows.num_rows() > 0 || !decoded.rejects.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn byte(delimiter: char) -> Result<u8> {
    u8::try_from(delimiter)
        .ok()
        .filter(u8::is_ascii)
        .ok_or_else(|| Error::usage(format!("--delimiter {delimiter:?} is not one byte of ASCII")))
}
