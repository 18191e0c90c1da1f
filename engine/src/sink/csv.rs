//! Comma-separated values, RFC 4180: a header, LF line ends, quotes where they are needed.
//! A null is an empty field and an empty text is `""`, so that they can be told apart.

use arrow::datatypes::SchemaRef;

use super::Sink;
use super::json::{Column, write_csv_text};
use super::output::Output;
use crate::batch::Batch;
use crate::error::Result;

const FLUSH_BYTES: usize = 256 << 10;

/// A CSV file.
#[derive(Debug)]
pub struct CsvSink {
    output: Output,
    schema: SchemaRef,
    delimiter: u8,
    bytes: Vec<u8>,
}

impl CsvSink {
    /// Opens `path` (`-`: standard output) and writes the header.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &str, schema: &SchemaRef, delimiter: u8) -> Result<Self> {
        let mut bytes = Vec::new();
        for (index, field) in schema.fields().iter().enumerate() {
            if index > 0 {
                bytes.push(delimiter);
            }
            write_csv_text(field.name().as_bytes(), delimiter, &mut bytes);
        }
        bytes.push(b'\n');
        Ok(Self { output: Output::create(path)?, schema: schema.clone(), delimiter, bytes })
    }

    fn flush(&mut self) -> Result<()> {
        self.output.put(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }
}

impl Sink for CsvSink {
    fn write(&mut self, batch: &Batch) -> Result<()> {
        let columns = batch.rows.columns().iter().zip(self.schema.fields());
        let columns: Vec<Column<'_>> = columns
            .map(|(array, field)| Column::new(array.as_ref(), field))
            .collect::<Result<_>>()?;
        for row in 0..batch.len() {
            let start = self.bytes.len();
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    self.bytes.push(self.delimiter);
                }
                column.write_csv(row, self.delimiter, &mut self.bytes);
            }
            if self.bytes.len() == start && columns.len() == 1 {
                // A single null would be a blank line, and a blank line is no row.
                self.bytes.extend_from_slice(b"\"\"");
            }
            self.bytes.push(b'\n');
        }
        if self.bytes.len() >= FLUSH_BYTES || self.output.is_stream() {
            self.flush()?;
        }
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        self.flush()?;
        self.output.commit()
    }
}
