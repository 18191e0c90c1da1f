//! Parquet, Snappy-compressed, with the Arrow schema embedded so that types come back as they
//! were.

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::properties::WriterProperties;
use arrow::datatypes::SchemaRef;

use super::Sink;
use super::output::Output;
use crate::batch::Batch;
use crate::error::{Error, Result};

/// A Parquet file.
pub struct ParquetSink {
    writer: ArrowWriter<Output>,
    path: String,
}

impl ParquetSink {
    /// Opens `path` (`-`: standard output).
    ///
    /// # Errors
    /// When it cannot be written, or a column has a type that Parquet lacks.
    pub fn create(path: &str, schema: &SchemaRef) -> Result<Self> {
        let output = Output::create(path)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let path = output.path().display().to_string();
        match ArrowWriter::try_new(output, schema.clone(), Some(properties)) {
            Ok(writer) => Ok(Self { writer, path }),
            Err(error) => Err(cannot_write(&path, &error)),
        }
    }
}

impl Sink for ParquetSink {
    fn write(&mut self, batch: &Batch) -> Result<()> {
        self.writer.write(&batch.rows).map_err(|error| cannot_write(&self.path, &error))
    }

    fn commit(self: Box<Self>) -> Result<()> {
        let Self { writer, path } = *self;
        writer.into_inner().map_err(|error| cannot_write(&path, &error))?.commit()
    }
}

fn cannot_write(path: &str, error: &::parquet::errors::ParquetError) -> Error {
    Error::run(format!("cannot write {path}: {error}")).advise("check the disk and the path")
}
