//! Writing recordings: CSV, NDJSON, Parquet and Arrow IPC files.
//!
//! A file is written beside its final name and renamed when it is complete, so that nobody
//! finds half a recording. The text writers are made for exactly the payments' columns: they
//! decide how fast a recording is generated.

mod output;
mod text;

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::str::FromStr;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use self::output::{Compressed, Output, Packing};
use self::text::Text;
use crate::error::{Error, Result};

/// Rows in each row group of a Parquet file.
const ROW_GROUP_ROWS: usize = 1 << 20;
const BUFFER_BYTES: usize = 1 << 20;

/// The formats in which recordings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    NdJson,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file.
    Arrow,
}

impl FileFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Csv, Self::NdJson, Self::Parquet, Self::Arrow];

    /// The name by which it is asked for, which is also the usual file ending.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::NdJson => "ndjson",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::NdJson)
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FileFormat {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::config("format", format!("\"{name}\" is none of {names}"))
        })
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Number of rows.
    pub rows: u64,
    /// Size of the file.
    pub bytes: u64,
}

/// Where the batches of a recording go.
trait Sink {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), String>;
    fn finish(self: Box<Self>) -> Result<(), String>;
}

/// Writes `batches`, all of which have the payments' `schema`.
pub(crate) fn write_batches(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>>,
    format: FileFormat,
    path: &Path,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Written> {
    let packing = Packing::of(path);
    if !format.is_text() && packing != Packing::None {
        return Err(Error::file(
            "write",
            path,
            format!("{format} is not compressed as a whole: leave out the ending .gz or .zst"),
        ));
    }
    let (output, file) = Output::create(path)?;
    let failed = |reason: String| Error::file("write", path, reason);
    let mut sink = open_sink(schema, format, packing, file).map_err(failed)?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        sink.write(&batch).map_err(failed)?;
        rows += batch.num_rows() as u64;
        if !progress(rows) {
            return Err(Error::Stopped);
        }
    }
    sink.finish().map_err(failed)?;
    let bytes = output.commit()?;
    Ok(Written { rows, bytes })
}

fn open_sink(
    schema: &SchemaRef,
    format: FileFormat,
    packing: Packing,
    file: File,
) -> Result<Box<dyn Sink>, String> {
    let buffered = BufWriter::with_capacity(BUFFER_BYTES, file);
    Ok(match format {
        FileFormat::Csv | FileFormat::NdJson => {
            let output = Compressed::new(packing, buffered).map_err(text_of)?;
            Box::new(Text::new(format == FileFormat::Csv, output))
        }
        FileFormat::Parquet => {
            let writer = ArrowWriter::try_new(buffered, schema.clone(), Some(parquet_properties()));
            Box::new(ParquetFile(writer.map_err(text_of)?))
        }
        FileFormat::Arrow => {
            Box::new(ArrowFile(FileWriter::try_new(buffered, schema).map_err(text_of)?))
        }
    })
}

fn text_of(error: impl fmt::Display) -> String {
    error.to_string()
}

/// Plain pages read fastest (a reader copies them); only the two text columns, with their few
/// values, are dictionaries.
fn parquet_properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by("pelton-datasets".to_string())
        .set_compression(Compression::UNCOMPRESSED)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_dictionary_enabled(false);
    for text in ["country", "fraud_kind"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(text), true);
    }
    properties.build()
}

struct ParquetFile<W: Write + Send>(ArrowWriter<W>);

impl<W: Write + Send> Sink for ParquetFile<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), String> {
        self.0.write(batch).map_err(text_of)
    }

    fn finish(self: Box<Self>) -> Result<(), String> {
        let mut file = self.0.into_inner().map_err(text_of)?;
        file.flush().map_err(text_of)
    }
}

struct ArrowFile<W: Write>(FileWriter<W>);

impl<W: Write> Sink for ArrowFile<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), String> {
        self.0.write(batch).map_err(text_of)
    }

    fn finish(mut self: Box<Self>) -> Result<(), String> {
        self.0.finish().map_err(text_of)?;
        self.0.into_inner().map_err(text_of)?.flush().map_err(text_of)
    }
}

impl<W: Write> Sink for Text<Compressed<W>> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), String> {
        self.write_batch(batch).map_err(text_of)
    }

    fn finish(self: Box<Self>) -> Result<(), String> {
        (*self).into_output().and_then(Compressed::finish).map_err(text_of)
    }
}
