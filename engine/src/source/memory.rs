//! Bytes that are already in memory, as a source: for tests, for embedding, and for inputs
//! that must be read by offset but cannot be (standard input, compressed files).

use std::time::Instant;

use bytes::Bytes;

use super::{Block, BlockReader, RandomReader};
use crate::error::{Error, Result};

/// Gives out bytes in blocks of a chosen size.
#[derive(Debug, Clone)]
pub struct MemoryBlocks {
    name: String,
    bytes: Bytes,
    read: usize,
    block_bytes: usize,
}

impl MemoryBlocks {
    /// `bytes` in blocks of `block_bytes` (at least 1).
    pub fn new(name: impl Into<String>, bytes: impl Into<Bytes>, block_bytes: usize) -> Self {
        Self { name: name.into(), bytes: bytes.into(), read: 0, block_bytes: block_bytes.max(1) }
    }
}

impl BlockReader for MemoryBlocks {
    fn next_block(&mut self) -> Result<Option<Block>> {
        let len = self.block_bytes.min(self.bytes.len() - self.read);
        if len == 0 {
            return Ok(None);
        }
        let bytes = self.bytes.slice(self.read..self.read + len);
        self.read += len;
        Ok(Some(Block { bytes, read_at: Instant::now() }))
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.read as u64, Some(self.bytes.len() as u64))
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Gives out ranges of bytes; never copies.
#[derive(Debug, Clone)]
pub struct MemoryRandom {
    name: String,
    bytes: Bytes,
}

impl MemoryRandom {
    /// `bytes` by offset.
    pub fn new(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

impl RandomReader for MemoryRandom {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        check_range(&self.name, self.len(), offset, len)?;
        let start = offset as usize;
        Ok(self.bytes.slice(start..start + len))
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// An error unless `len` bytes from `offset` lie within `size`.
pub(super) fn check_range(name: &str, size: u64, offset: u64, len: usize) -> Result<()> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= size => Ok(()),
        _ => Err(Error::run(format!(
            "needs {len} bytes from byte {offset} on, but the input has {size} bytes"
        ))
        .at(name)
        .advise("the file is truncated or damaged; make or copy it again")),
    }
}
