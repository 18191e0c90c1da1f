//! A table of numbers, read whole: any format that the engine reads.

use std::path::Path;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use pelton::decode::{ColumnRequest, DecodeOptions, Format, format_of};
use pelton::source::SourceOptions;
use pelton::{Error, Result};

/// A table in memory.
pub(super) struct Table {
    rows: RecordBatch,
    path: String,
}

impl Table {
    /// Reads a file; a CSV whose first line has more `;` than `,` is parted by them.
    ///
    /// # Errors
    /// When it cannot be read, or a row of it cannot.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let mut options = DecodeOptions { batch_rows: 1 << 16, ..DecodeOptions::default() };
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) {
            let text = super::read_text(path)?;
            let first = text.lines().next().unwrap_or_default();
            if first.matches(';').count() > first.matches(',').count() {
                options.delimiter = b';';
            }
        }
        let open = |options: &DecodeOptions| {
            pelton::decode::open(&name, None, options, &SourceOptions::default())
        };
        let mut decoder = open(&options)?;
        if matches!(format_of(&name), Some(Format::Csv | Format::NdJson)) {
            // A column may begin with whole numbers and go on with others.
            let schema = decoder.schema();
            let request = |field: &FieldRef| ColumnRequest {
                name: field.name().clone(),
                data_type: field.data_type().is_integer().then_some(DataType::Float64),
                required: true,
            };
            options.columns = Some(schema.fields().iter().map(request).collect());
            decoder = open(&options)?;
        }
        let mut batches = Vec::new();
        while let Some(decoded) = decoder.next_batch()? {
            if let Some(letter) = decoded.rejects.first() {
                return Err(Error::run(letter.reason.clone())
                    .at(format!("{}, line {}", letter.file, letter.line))
                    .advise("a benchmark needs every row: mend the file"));
            }
            batches.push(decoded.rows);
        }
        Ok(Self { rows: concat_batches(&decoder.schema(), &batches)?, path: name })
    }

    /// Names of the columns.
    pub(super) fn columns(&self) -> Vec<String> {
        self.rows.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Names of the columns of numbers.
    pub(super) fn numbers(&self) -> Vec<String> {
        let schema = self.rows.schema();
        let numbers = schema.fields().iter().filter(|field| {
            let of = field.data_type();
            of.is_integer() || of.is_floating() || *of == DataType::Boolean
        });
        numbers.map(|field| field.name().clone()).collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.rows.column_by_name(name).is_some()
    }

    fn column(&self, name: &str) -> Result<&ArrayRef> {
        self.rows.column_by_name(name).ok_or_else(|| {
            Error::run(format!("there is no column {name}"))
                .at(self.path.clone())
                .advise(format!("its columns are: {}", self.columns().join(", ")))
        })
    }

    /// A column of numbers, NaN where null.
    pub(super) fn floats(&self, name: &str) -> Result<Vec<f64>> {
        let column = cast(self.column(name)?, &DataType::Float64)?;
        let column = column.as_primitive::<Float64Type>();
        Ok(column.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    }

    /// A column as text, empty where null.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>> {
        let column = cast(self.column(name)?, &DataType::Utf8)?;
        Ok(column.as_string::<i32>().iter().map(|v| v.unwrap_or_default().to_owned()).collect())
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// The rows of each value of a column, in the order in which values first come; without such
    /// a column all rows, called `name`.
    pub(super) fn groups(&self, column: &str, name: &str) -> Result<Vec<(String, Vec<usize>)>> {
        if !self.has(column) {
            return Ok(vec![(name.to_owned(), (0..self.len()).collect())]);
        }
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        for (row, value) in self.texts(column)?.into_iter().enumerate() {
            match groups.iter_mut().rfind(|(known, _)| *known == value) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((value, vec![row])),
            }
        }
        Ok(groups)
    }
}
