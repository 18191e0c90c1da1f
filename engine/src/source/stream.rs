//! Bytes that come in order and cannot be sought: standard input, named pipes, and the files
//! of a kernel file system that do not know their size.
//!
//! A block is what one read brought. Nothing waits for a block to fill, so a row that arrives
//! alone leaves alone.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::Instant;

use super::buffer::Pool;
use super::{Block, BlockReader};
use crate::error::{Error, Result};

/// Reads whatever `R` gives.
pub(super) struct StreamBlocks<R> {
    input: R,
    name: String,
    pool: Arc<Pool>,
    bytes_read: u64,
    ended: bool,
}

impl<R: Read + Send> StreamBlocks<R> {
    pub(super) fn new(input: R, name: String, block_bytes: usize, kept_max: usize) -> Self {
        let pool = Pool::new(block_bytes, kept_max);
        Self { input, name, pool, bytes_read: 0, ended: false }
    }
}

impl<R: Read + Send> BlockReader for StreamBlocks<R> {
    fn next_block(&mut self) -> Result<Option<Block>> {
        if self.ended {
            return Ok(None);
        }
        let mut buffer = self.pool.take();
        let len = loop {
            match self.input.read(buffer.as_mut_slice()) {
                Ok(len) => break len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    return Err(Error::run(format!(
                        "cannot read on after byte {}: {error}",
                        self.bytes_read
                    ))
                    .at(&*self.name));
                }
            }
        };
        let read_at = Instant::now();
        if len == 0 {
            self.ended = true;
            return Ok(None);
        }
        self.bytes_read += len as u64;
        Ok(Some(Block { bytes: self.pool.freeze(buffer, len), read_at }))
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.bytes_read, None)
    }

    fn name(&self) -> &str {
        &self.name
    }
}
