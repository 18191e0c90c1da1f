//! Where bytes come from: files through io_uring (registered buffers, several reads in
//! flight, optionally O_DIRECT), plain reads where io_uring is not to be had, and standard
//! input; gzip and zstd are undone here, so that decoders see plain bytes.

mod buffer;
mod compress;
mod file;
pub mod memory;
mod plain;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(target_os = "linux")]
mod uring;

use std::time::Instant;

use bytes::Bytes;

use crate::error::Result;

pub use compress::Compression;
pub use file::{
    Io, SourceOptions, base_name, io_in_use, open_blocks, open_random, read_all, uring_available,
};
pub use memory::{MemoryBlocks, MemoryRandom};

/// A block of bytes and when it came.
#[derive(Debug, Clone)]
pub struct Block {
    /// The bytes. Never empty.
    pub bytes: Bytes,
    /// When the read that brought them ended.
    pub read_at: Instant,
}

/// Bytes in order, a block at a time: what text decoders and IPC streams read.
pub trait BlockReader: Send {
    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// When the input cannot be read or its compression is broken.
    fn next_block(&mut self) -> Result<Option<Block>>;

    /// Bytes read from the underlying input so far, and its size where known.
    fn progress(&self) -> (u64, Option<u64>);

    /// The input's name without its folders, for messages and dead letters.
    fn name(&self) -> &str;
}

/// Bytes by offset: what Parquet and Arrow IPC files read.
pub trait RandomReader: Send + Sync {
    /// Size in bytes.
    fn len(&self) -> u64;

    /// Whether the input holds no byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exactly `len` bytes from `offset` on.
    ///
    /// # Errors
    /// When they cannot be read, or the input ends before.
    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes>;

    /// The input's name without its folders.
    fn name(&self) -> &str;
}
