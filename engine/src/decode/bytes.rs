//! Decoding bytes that are in memory already: tests, fuzzing, benches, and programs that hold
//! the text themselves.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::csv::CsvDecoder;
use super::ndjson::NdJsonDecoder;
use super::{DecodeOptions, Decoder, Format, IpcDecoder, ParquetDecoder};
use crate::error::Result;
use crate::source::MemoryRandom;
use crate::source::{Block, BlockReader};

/// Blocks of bytes in memory.
#[derive(Debug)]
pub struct MemoryReader {
    name: String,
    blocks: VecDeque<Bytes>,
    read: u64,
    size: u64,
}

impl MemoryReader {
    /// Reads `bytes` as one block.
    pub fn new(name: impl Into<String>, bytes: Bytes) -> Self {
        Self::from_blocks(name, [bytes])
    }

    /// Reads the blocks in order; empty ones are left out.
    pub fn from_blocks(name: impl Into<String>, blocks: impl IntoIterator<Item = Bytes>) -> Self {
        let blocks: VecDeque<_> = blocks.into_iter().filter(|block| !block.is_empty()).collect();
        let size = blocks.iter().map(|block| block.len() as u64).sum();
        Self { name: name.into(), blocks, read: 0, size }
    }

    /// Reads `bytes` in blocks of `block_bytes` (the last may be shorter), shared, not copied.
    pub fn split(name: impl Into<String>, bytes: &Bytes, block_bytes: usize) -> Self {
        let step = block_bytes.max(1);
        let cut = |start| bytes.slice(start..bytes.len().min(start + step));
        Self::from_blocks(name, (0..bytes.len()).step_by(step).map(cut))
    }
}

impl BlockReader for MemoryReader {
    fn next_block(&mut self) -> Result<Option<Block>> {
        Ok(self.blocks.pop_front().map(|bytes| {
            self.read += bytes.len() as u64;
            Block { bytes, read_at: Instant::now() }
        }))
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.read, Some(self.size))
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// A decoder of bytes in memory; `name` appears in messages and dead letters.
///
/// # Errors
/// When the bytes are not what the format says, or the options ask for columns that they do
/// not have.
pub fn open_bytes(
    format: Format,
    name: &str,
    bytes: Bytes,
    options: &DecodeOptions,
) -> Result<Box<dyn Decoder>> {
    Ok(match format {
        Format::Csv => {
            Box::new(CsvDecoder::new(Box::new(MemoryReader::new(name, bytes)), options)?)
        }
        Format::NdJson => {
            Box::new(NdJsonDecoder::new(Box::new(MemoryReader::new(name, bytes)), options)?)
        }
        Format::Parquet => {
            Box::new(ParquetDecoder::new(Arc::new(MemoryRandom::new(name, bytes)), options)?)
        }
        Format::Arrow => {
            Box::new(IpcDecoder::file(Arc::new(MemoryRandom::new(name, bytes)), options)?)
        }
    })
}
