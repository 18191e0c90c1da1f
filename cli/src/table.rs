//! A file as a whole, in memory: for commands that look at all rows at once.
//!
//! A row that cannot be read is an error here: were it left out, those behind it would move up.

use std::path::Path;

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema};
use pelton::decode::{self, ColumnRequest, DecodeOptions, Format, format_of};
use pelton::source::SourceOptions;
use pelton::{Error, Result};

use crate::args::FormatArg;
use crate::replay::format;
use crate::window::text;

/// Rows of a batch while reading.
const BATCH_ROWS: usize = 65_536;

/// A file that is to be read.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// Where it is; `-` is standard input.
    pub path: &'a Path,
    /// Its format, where that is said.
    pub format: Option<FormatArg>,
    /// Of CSV: the field separator.
    pub delimiter: Option<char>,
}

impl Source<'_> {
    /// What errors call it.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn format(&self, path: &str) -> Option<Format> {
        self.format.map(format).or_else(|| format_of(path))
    }

    fn options(&self) -> Result<DecodeOptions> {
        let mut options = DecodeOptions { batch_rows: BATCH_ROWS, ..DecodeOptions::default() };
        if let Some(delimiter) = self.delimiter {
            let byte = u8::try_from(delimiter).ok().filter(u8::is_ascii);
            options.delimiter = byte.ok_or_else(|| {
                Error::usage(format!("--delimiter {delimiter:?} is not one byte of ASCII"))
            })?;
        }
        Ok(options)
    }

    /// The columns that there are, and their types; standard input cannot be looked at twice.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn fields(&self) -> Result<Vec<Field>> {
        let path = text(self.path)?;
        let source = SourceOptions::default();
        let decoder = decode::open(&path, self.format(&path), &self.options()?, &source)?;
        Ok(decoder.schema().fields().iter().map(|field| field.as_ref().clone()).collect())
    }

    /// These columns of all rows, in this order. Those of `numbers` are read as floats from text,
    /// whatever the first rows hold.
    ///
    /// # Errors
    /// When it cannot be read, a column is not there, or a row is none.
    pub fn read(&self, columns: &[&str], numbers: &[&str]) -> Result<RecordBatch> {
        let path = text(self.path)?;
        let format = self.format(&path);
        let is_text = matches!(format, Some(Format::Csv | Format::NdJson));
        let request = |name: &&str| ColumnRequest {
            name: (*name).to_owned(),
            data_type: (is_text && numbers.contains(name)).then_some(DataType::Float64),
            required: true,
        };
        let mut options = self.options()?;
        options.columns = Some(columns.iter().map(request).collect());
        let mut decoder = decode::open(&path, format, &options, &SourceOptions::default())?;
        let mut batches = Vec::new();
        while let Some(decoded) = decoder.next_batch()? {
            if let Some(bad) = decoded.rejects.first() {
                let column =
                    bad.column.as_ref().map_or(String::new(), |c| format!(", column `{c}`"));
                let what = format!("{}: line {}{column}: {}", self.name(), bad.line, bad.reason);
                return Err(Error::run(what).advise("mend the row, or take it out"));
            }
            batches.push(decoded.rows);
        }
        let schema = batches.first().map_or_else(|| decoder.schema(), RecordBatch::schema);
        concat_batches(&schema, &batches)
            .map_err(|error| Error::run(format!("{}: {error}", self.name())))
    }
}

/// Whether a column holds numbers.
pub fn is_numeric(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// A column as floats; nulls are NaN.
///
/// # Errors
/// When it holds no numbers.
pub fn floats(rows: &RecordBatch, name: &str, of: &Source<'_>) -> Result<Vec<f64>> {
    let column = rows
        .column_by_name(name)
        .filter(|column| is_numeric(column.data_type()) || *column.data_type() == DataType::Null)
        .ok_or_else(|| {
            let what = format!("{}: column `{name}` holds no numbers", of.name());
            Error::usage(what).advise("name a column of numbers")
        })?;
    float_values(column).map_err(|error| Error::run(format!("{}: `{name}`: {error}", of.name())))
}

/// Numbers as floats; nulls are NaN.
///
/// # Errors
/// Arrow's, for other types.
pub fn float_values(column: &ArrayRef) -> std::result::Result<Vec<f64>, arrow::error::ArrowError> {
    let cast = cast(column, &DataType::Float64)?;
    let values = cast.as_any().downcast_ref::<Float64Array>();
    Ok(values.map_or_else(Vec::new, |values| {
        values.iter().map(|value| value.unwrap_or(f64::NAN)).collect()
    }))
}

/// A batch of named columns.
///
/// # Errors
/// When they differ in length, which is a mistake of the caller.
pub fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let field = |(name, column): &(&str, ArrayRef)| {
        Field::new(*name, column.data_type().clone(), column.is_nullable())
    };
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(schema.into(), columns).map_err(|error| Error::run(error.to_string()))
}

/// The first name that occurs twice.
pub fn twice<'a>(names: &[&'a str]) -> Option<&'a str> {
    let again = |at: &usize| names[..*at].contains(&names[*at]);
    (0..names.len()).find(again).map(|at| names[at])
}
