//! One JSON object a row, one row a line; the forms of the values are in `json.rs`.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::Sink;
use super::json::{Column, prefixes, write_object};
use super::output::Output;
use crate::batch::Batch;
use crate::error::Result;

/// Bytes gathered before they are written.
const FLUSH_BYTES: usize = 256 << 10;

/// Rows to NDJSON bytes.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow::array::{Int64Array, RecordBatch, StringArray};
/// let rows = RecordBatch::try_from_iter([
///     ("n", Arc::new(Int64Array::from(vec![Some(1), None])) as _),
///     ("s", Arc::new(StringArray::from(vec!["a", "b\n"])) as _),
/// ])?;
/// let mut out = Vec::new();
/// pelton::sink::NdJsonEncoder::new(&rows.schema()).encode(&rows, &mut out)?;
/// assert_eq!(out, b"{\"n\":1,\"s\":\"a\"}\n{\"n\":null,\"s\":\"b\\n\"}\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct NdJsonEncoder {
    schema: SchemaRef,
    prefixes: Vec<Vec<u8>>,
}

impl NdJsonEncoder {
    /// An encoder of rows with this schema.
    pub fn new(schema: &SchemaRef) -> Self {
        let names = schema.fields().iter().map(|field| field.name().as_str());
        Self { schema: schema.clone(), prefixes: prefixes(names) }
    }

    /// Appends all rows to `out`.
    ///
    /// # Errors
    /// When a column has a type that has no text form.
    pub fn encode(&self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        debug_assert_eq!(rows.num_columns(), self.prefixes.len(), "another schema");
        let fields = self.schema.fields().iter();
        let columns = rows.columns().iter().zip(fields);
        let columns: Vec<Column<'_>> = columns
            .map(|(array, field)| Column::new(array.as_ref(), field))
            .collect::<Result<_>>()?;
        for row in 0..rows.num_rows() {
            write_object(&columns, &self.prefixes, row, out);
            out.push(b'\n');
        }
        Ok(())
    }
}

/// An NDJSON file.
#[derive(Debug)]
pub struct NdJsonSink {
    output: Output,
    encoder: NdJsonEncoder,
    bytes: Vec<u8>,
}

impl NdJsonSink {
    /// Opens `path` (`-`: standard output).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &str, schema: &SchemaRef) -> Result<Self> {
        let encoder = NdJsonEncoder::new(schema);
        Ok(Self { output: Output::create(path)?, encoder, bytes: Vec::new() })
    }

    fn flush(&mut self) -> Result<()> {
        self.output.put(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }
}

impl Sink for NdJsonSink {
    fn write(&mut self, batch: &Batch) -> Result<()> {
        self.encoder.encode(&batch.rows, &mut self.bytes)?;
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
