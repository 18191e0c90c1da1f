//! Bytes to columns: CSV, NDJSON, Parquet and Arrow IPC behind one trait.
//!
//! A decoder pulls bytes from its source and gives out Arrow batches of the columns that the
//! plan reads, at most `batch_rows` rows each, and the rows that it had to reject, as
//! [`DeadLetter`]s. Text decoders also say which bytes each row came from, so that a later
//! stage that rejects a row (an implausible time) can still show it.

pub mod bytes;
mod columns;
pub mod csv;
mod infer;
mod ipc;
pub mod ndjson;
mod open;
mod parquet;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::time::Instant;

use ::bytes::Bytes;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};

pub use self::bytes::{MemoryReader, open_bytes};
pub use self::csv::CsvDecoder;
pub use self::ndjson::NdJsonDecoder;
use crate::error::Result;

pub use self::ipc::IpcDecoder;
pub use self::open::{format_of, open};
pub use self::parquet::ParquetDecoder;

/// The formats that Pelton reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values, RFC 4180.
    Csv,
    /// One JSON object a line.
    NdJson,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Arrow,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "csv",
            Self::NdJson => "ndjson",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        })
    }
}

/// A column that the plan reads.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnRequest {
    /// Name in the input.
    pub name: String,
    /// The type that the plan needs; `None`: the input's own (text formats infer it).
    pub data_type: Option<DataType>,
    /// Whether a missing column ends the run. An optional one that is missing is left out.
    pub required: bool,
}

/// How to decode.
#[derive(Debug, Clone)]
pub struct DecodeOptions {
    /// The columns that the plan reads, in the order in which the batches have them; `None`:
    /// all that the input has.
    pub columns: Option<Vec<ColumnRequest>>,
    /// Largest number of rows in a batch.
    pub batch_rows: usize,
    /// CSV only: the field separator.
    pub delimiter: u8,
    /// CSV only: the text that means null, besides the empty unquoted field.
    pub null: Option<String>,
    /// CSV only: whether the first record names the columns (otherwise c0, c1, …).
    pub header: bool,
    /// Text formats: longest field in bytes; a longer one rejects its row.
    pub field_bytes_max: usize,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            columns: None,
            batch_rows: 4096,
            delimiter: b',',
            null: None,
            header: true,
            field_bytes_max: 1 << 20,
        }
    }
}

/// A row that could not be used, with all that a person needs to find it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The input as the user named it (base name only, so that outputs hold no path).
    pub file: String,
    /// Line (text formats, from 1) or row (from 1).
    pub line: u64,
    /// Byte offset of the row in the (uncompressed) input; 0 where the format has none.
    pub byte_offset: u64,
    /// The column, where one is to blame.
    pub column: Option<String>,
    /// Why.
    pub reason: String,
    /// The row's bytes, without the line end.
    pub raw: Bytes,
}

/// The text that a batch was decoded from.
#[derive(Debug, Clone)]
pub struct TextOrigin {
    /// The block of text; rows point into it.
    pub text: Bytes,
    /// Byte offset of `text` in the (uncompressed) input.
    pub byte_offset: u64,
    /// Line number of the first byte of `text`, from 1.
    pub line: u64,
    /// Where each row of the batch starts in `text`.
    pub starts: Vec<u32>,
    /// Where each row of the batch ends in `text` (its line end not included).
    pub ends: Vec<u32>,
}

/// What one call of [`Decoder::next_batch`] gives.
#[derive(Debug)]
pub struct Decoded {
    /// Accepted rows; may be empty where every row of a block was rejected.
    pub rows: RecordBatch,
    /// Where they came from, for text formats.
    pub origin: Option<TextOrigin>,
    /// Rejected rows, in the order of the input.
    pub rejects: Vec<DeadLetter>,
    /// When the (last) block that held the rows was read.
    pub read_at: Instant,
}

/// Bytes to columns.
pub trait Decoder: Send {
    /// Schema of the batches, known once the decoder exists.
    fn schema(&self) -> SchemaRef;

    /// The next batch; `None` at the end of the input.
    ///
    /// # Errors
    /// When the input cannot be read or is not what its format says. A bad *row* is no error:
    /// it comes back in [`Decoded::rejects`].
    fn next_batch(&mut self) -> Result<Option<Decoded>>;

    /// Bytes of the input read so far (compressed size where it is compressed) and in all,
    /// where known: for progress only.
    fn progress(&self) -> (u64, Option<u64>);
}
