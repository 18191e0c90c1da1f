//! Recycled read buffers, aligned for O_DIRECT.
//!
//! A fresh allocation of a block faults in page by page, which costs more than the copy out of
//! the page cache. So a block that a decoder has let go comes back: [`Pool::freeze`] hands a
//! filled buffer out as [`Bytes`] without a copy, and dropping the last handle on these bytes
//! puts the buffer back. The last one back is the first one out, because it is still in cache.
//!
//! Invariant: a buffer is owned by exactly one of the free list, a read in flight, or the
//! `Bytes` made of it. No unsafe is needed: the alignment comes from a few bytes more.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

/// What O_DIRECT asks of addresses, offsets and lengths; no known device asks for more.
pub(super) const ALIGN_BYTES: usize = 4096;

/// Memory for one block.
#[derive(Debug)]
pub(super) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    bytes: usize,
    /// Index among the ring's registered buffers.
    pub(super) registered: Option<u16>,
}

impl Buffer {
    fn new(bytes: usize, registered: Option<u16>) -> Self {
        let memory = vec![0u8; bytes + ALIGN_BYTES];
        // `align_offset` may refuse (only under interpreters): then O_DIRECT is refused by the
        // system call, and buffered reads take over.
        let start = memory.as_ptr().align_offset(ALIGN_BYTES);
        let start = if start > ALIGN_BYTES { 0 } else { start };
        Self { memory, start, bytes, registered }
    }

    /// All of the block's memory.
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.bytes]
    }

    fn filled(&self, len: usize) -> &[u8] {
        &self.memory[self.start..self.start + len]
    }
}

/// Buffers of one size that come back.
#[derive(Debug)]
pub(super) struct Pool {
    free: Mutex<Vec<Buffer>>,
    /// Size of each buffer.
    bytes: usize,
    /// Most buffers kept while nobody uses them (registered ones are always kept).
    kept_max: usize,
}

impl Pool {
    /// An empty pool: buffers are made when asked for.
    pub(super) fn new(bytes: usize, kept_max: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(Vec::new()), bytes, kept_max })
    }

    /// A pool whose first `count` buffers carry the indices 0 to `count` − 1.
    #[cfg(target_os = "linux")]
    pub(super) fn with_registered(bytes: usize, count: u16) -> Arc<Self> {
        let free = (0..count).rev().map(|index| Buffer::new(bytes, Some(index))).collect();
        Arc::new(Self { free: Mutex::new(free), bytes, kept_max: usize::from(count) })
    }

    /// Calls `each` with the memory of every free buffer, in the order of their indices.
    #[cfg(target_os = "linux")]
    pub(super) fn for_each_registered(&self, mut each: impl FnMut(&mut [u8])) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        for buffer in free.iter_mut().rev() {
            each(buffer.as_mut_slice());
        }
    }

    /// Forgets the indices: the ring did not take the buffers.
    #[cfg(target_os = "linux")]
    pub(super) fn unregister(&self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        for buffer in free.iter_mut() {
            buffer.registered = None;
        }
    }

    /// A buffer; a new one where all are in use.
    pub(super) fn take(&self) -> Buffer {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Buffer::new(self.bytes, None))
    }

    /// Takes a buffer back.
    pub(super) fn put(&self, buffer: Buffer) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.registered.is_some() || free.len() < self.kept_max {
            free.push(buffer);
        }
    }

    /// The first `len` bytes of `buffer`. Small answers (a trickle on a pipe) are copied, so
    /// that they do not hold a whole block.
    pub(super) fn freeze(self: &Arc<Self>, buffer: Buffer, len: usize) -> Bytes {
        if len < self.bytes / 8 {
            let bytes = Bytes::copy_from_slice(buffer.filled(len));
            self.put(buffer);
            return bytes;
        }
        let pool = Arc::downgrade(self);
        Bytes::from_owner(Lent { buffer: Some(buffer), len, pool })
    }
}

/// A filled buffer on loan; comes back when dropped, if the pool still exists.
struct Lent {
    buffer: Option<Buffer>,
    len: usize,
    pool: Weak<Pool>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_ref().map_or(&[], |buffer| buffer.filled(self.len))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(pool), Some(buffer)) = (self.pool.upgrade(), self.buffer.take()) {
            pool.put(buffer);
        }
    }
}
