//! Nowhere: rows are written as NDJSON in memory, counted, checksummed and forgotten.
//!
//! For benchmarks that should pay for making the output but not for the disk. The checksum is
//! taken row by row, so that it depends on the rows and their order and not on the batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::SchemaRef;

use super::Sink;
use super::ndjson::NdJsonEncoder;
use crate::batch::Batch;
use crate::error::Result;

/// What a [`BlackholeSink`] has swallowed so far; can be read while it runs.
#[derive(Debug, Default)]
pub struct Swallowed {
    rows: AtomicU64,
    bytes: AtomicU64,
    checksum: AtomicU64,
}

impl Swallowed {
    /// Rows.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes of NDJSON that a file would hold.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Checksum of the rows in their order.
    pub fn checksum(&self) -> u64 {
        self.checksum.load(Ordering::Relaxed)
    }
}

/// Counts rows and forgets them.
#[derive(Debug)]
pub struct BlackholeSink {
    encoder: NdJsonEncoder,
    bytes: Vec<u8>,
    checksum: u64,
    swallowed: Arc<Swallowed>,
}

impl BlackholeSink {
    /// A sink of rows with this schema, and the counts that it keeps.
    pub fn new(schema: &SchemaRef) -> (Self, Arc<Swallowed>) {
        let swallowed = Arc::new(Swallowed::default());
        let encoder = NdJsonEncoder::new(schema);
        let sink = Self { encoder, bytes: Vec::new(), checksum: 0, swallowed: swallowed.clone() };
        (sink, swallowed)
    }
}

impl Sink for BlackholeSink {
    fn write(&mut self, batch: &Batch) -> Result<()> {
        self.bytes.clear();
        self.encoder.encode(&batch.rows, &mut self.bytes)?;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &self.bytes) {
            self.checksum = mix(self.checksum, &self.bytes[start..end]);
            start = end + 1;
        }
        let Swallowed { rows, bytes, checksum } = &*self.swallowed;
        rows.fetch_add(batch.len() as u64, Ordering::Relaxed);
        bytes.fetch_add(self.bytes.len() as u64, Ordering::Relaxed);
        checksum.store(self.checksum, Ordering::Relaxed);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// Folds a line into the checksum, eight bytes at a time: multiply by an odd constant (the
/// golden ratio in 64 bits) and rotate. Against accidents, not against malice.
fn mix(checksum: u64, line: &[u8]) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |sum: u64, word: u64| ((sum ^ word).wrapping_mul(GOLDEN)).rotate_left(29);
    let (words, rest) = line.as_chunks::<8>();
    let sum = words.iter().fold(checksum, |sum, word| fold(sum, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    fold(fold(sum, u64::from_le_bytes(last)), line.len() as u64)
}
