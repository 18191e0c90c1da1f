//! Where rows go: NDJSON, CSV, Parquet or Arrow files, a channel, or nowhere.
//!
//! A file is written beside its final name and renamed when the run has succeeded, so that a
//! failed run leaves what was there before.

mod arrow;
mod blackhole;
mod csv;
mod dead_letter;
mod json;
mod memory;
mod ndjson;
mod open;
mod output;
mod parquet;
#[cfg(test)]
mod tests;

use crate::batch::Batch;
use crate::error::Result;

pub use self::arrow::ArrowSink;
pub use self::blackhole::{BlackholeSink, Swallowed};
pub use self::csv::CsvSink;
pub use self::dead_letter::{DeadLetterSink, write_dead_letter};
pub use self::memory::MemorySink;
pub use self::ndjson::{NdJsonEncoder, NdJsonSink};
pub use self::open::open_sink;
pub use self::output::Output;
pub use self::parquet::ParquetSink;

/// Takes rows, in order.
pub trait Sink: Send {
    /// Takes a batch of rows.
    ///
    /// # Errors
    /// When they cannot be written (full disk).
    fn write(&mut self, batch: &Batch) -> Result<()>;

    /// Makes what was written final (flush, fsync where asked for, rename). Without it, dropping
    /// the sink leaves nothing under the final name.
    ///
    /// # Errors
    /// When the last bytes cannot be written or the file cannot get its name.
    fn commit(self: Box<Self>) -> Result<()>;
}
