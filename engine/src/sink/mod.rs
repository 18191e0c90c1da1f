//! Where rows go: NDJSON, CSV, Parquet or Arrow files, a channel, or nowhere.
//!
//! A file is written beside its final name and renamed when the run has succeeded, so that a
//! failed run leaves what was there before.

use crate::batch::Batch;
use crate::error::Result;

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
