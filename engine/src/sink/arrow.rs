//! Arrow IPC files, uncompressed, so that they can be read without a copy.
//!
//! Dictionary columns are written as plain ones: a file may hold one dictionary a column, and
//! batches from different blocks have each their own.

use std::io::BufWriter;
use std::sync::Arc;

use ::arrow::array::RecordBatch;
use ::arrow::compute::cast;
use ::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use ::arrow::error::ArrowError;
use ::arrow::ipc::writer::FileWriter;

use super::Sink;
use super::output::Output;
use crate::batch::Batch;
use crate::error::{Error, Result};

/// An Arrow IPC file.
pub struct ArrowSink {
    writer: FileWriter<BufWriter<Output>>,
    schema: SchemaRef,
    path: String,
}

impl ArrowSink {
    /// Opens `path` (`-`: standard output).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &str, schema: &SchemaRef) -> Result<Self> {
        let output = Output::create(path)?;
        let path = output.path().display().to_string();
        let fields = schema.fields().iter().map(|field| match field.data_type() {
            DataType::Dictionary(_, values) => Arc::new(
                Field::new(field.name(), values.as_ref().clone(), field.is_nullable())
                    .with_metadata(field.metadata().clone()),
            ),
            _ => field.clone(),
        });
        let fields: Vec<Arc<Field>> = fields.collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        let writer = FileWriter::try_new(BufWriter::with_capacity(256 << 10, output), &schema)
            .map_err(|error| cannot_write(&path, &error))?;
        Ok(Self { writer, schema, path })
    }

    fn plain(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = rows.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(column.clone())
            } else {
                cast(column, field.data_type())
            }
        });
        let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
        let options =
            ::arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }
}

impl Sink for ArrowSink {
    fn write(&mut self, batch: &Batch) -> Result<()> {
        let written = self.plain(&batch.rows).and_then(|rows| self.writer.write(&rows));
        written.map_err(|error| cannot_write(&self.path, &error))
    }

    fn commit(self: Box<Self>) -> Result<()> {
        let Self { writer, path, .. } = *self;
        let buffered = writer.into_inner().map_err(|error| cannot_write(&path, &error))?;
        let output = buffered
            .into_inner()
            .map_err(|error| cannot_write(&path, &ArrowError::from(error.into_error())))?;
        output.commit()
    }
}

fn cannot_write(path: &str, error: &ArrowError) -> Error {
    Error::run(format!("cannot write {path}: {error}")).advise("check the disk and the path")
}
