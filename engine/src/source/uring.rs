//! Files through io_uring: several reads in flight into registered buffers, delivered in order.
//!
//! ```text
//!            submit                         kernel                     deliver
//! offset ─▶ [k+3][k+2][k+1][k] ─▶ reads complete in any order ─▶ k, then k+1, then …
//! ```
//! Depth pays where the device has latency: the device works while the decoder does. Out of
//! the page cache a read completes inside the submission and costs what `read` costs.
//!
//! # Ownership
//! While the kernel may write into a buffer, the [`Buffer`] sits in the queue of reads in
//! flight and nothing else touches it; it is turned into `Bytes` only after its completion has
//! been seen. A reader that is dropped first waits for its reads in flight ([`Ring::drain`]).
//! That is what every `SAFETY` comment below leans on.
//!
//! # Odd answers
//! Short reads are continued; EINTR and EAGAIN are submitted again; a file system that refuses
//! O_DIRECT is read through the page cache; a file that shrinks is an error, and one that
//! grows is read up to the size that it had when it was opened.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use io_uring::{IoUring, Probe, opcode, squeue, types};

use super::buffer::{ALIGN_BYTES, Buffer, Pool};
use super::file::{OpenedFile, SourceOptions, note_direct_refused, shrank};
use super::memory::check_range;
use super::{Block, BlockReader, RandomReader};
use crate::error::{Error, Result};

/// Whether this process may use io_uring; tried once.
pub(super) fn available() -> std::result::Result<(), String> {
    static TRIED: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    TRIED.get_or_init(try_out).clone()
}

fn try_out() -> std::result::Result<(), String> {
    let ring = IoUring::new(2).map_err(|error| match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            format!("the system forbids it: {error}; containers often do")
        }
        Some(libc::ENOSYS) => format!("this kernel has none: {error}"),
        _ => error.to_string(),
    })?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(|error| error.to_string())?;
    let needed = [opcode::Read::CODE, opcode::ReadFixed::CODE];
    if needed.iter().all(|&code| probe.is_supported(code)) {
        Ok(())
    } else {
        Err("this kernel's io_uring cannot read files".to_owned())
    }
}

/// A ring and the number of reads that the kernel has not answered yet.
pub(super) struct Ring {
    ring: IoUring,
    in_flight: usize,
}

impl Ring {
    /// A ring with room for `options.depth` reads.
    pub(super) fn new(options: &SourceOptions) -> io::Result<Self> {
        let entries = (options.depth as u32).next_power_of_two();
        Ok(Self { ring: IoUring::new(entries)?, in_flight: 0 })
    }

    /// Registers the pool's buffers; `false` where the system has no room for them (they must
    /// be locked in memory), which costs a little speed and nothing else.
    fn register(&self, pool: &Pool) -> bool {
        let mut areas = Vec::new();
        pool.for_each_registered(|memory| {
            areas.push(libc::iovec { iov_base: memory.as_mut_ptr().cast(), iov_len: memory.len() });
        });
        // SAFETY: the areas are the pool's live buffers, each of the length given. Should a
        // buffer be freed while the ring exists, the kernel still holds its pages, and no read
        // into it is submitted any more, because a read needs the `Buffer` itself.
        unsafe { self.ring.submitter().register_buffers(&areas) }.is_ok()
    }

    /// Queues one read; it is submitted by the next [`Self::submit`] or [`Self::wait`].
    ///
    /// # Safety
    /// The memory that `entry` names must stay valid and unused until its completion has been
    /// taken or [`Self::drain`] has returned.
    unsafe fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: as the caller promises.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.ring.submit()?;
        }
        self.in_flight += 1;
        Ok(())
    }

    /// Hands what is queued to the kernel. A busy kernel takes it later, with [`Self::wait`].
    fn submit(&self) -> io::Result<()> {
        match self.ring.submit() {
            Ok(_) => Ok(()),
            Err(error) if is_passing(error.raw_os_error()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Submits, and waits until at least one completion is there.
    fn wait(&mut self) -> io::Result<()> {
        loop {
            if !self.ring.completion().is_empty() {
                return self.submit();
            }
            match self.ring.submit_and_wait(1) {
                Ok(_) => return Ok(()),
                Err(error) if is_passing(error.raw_os_error()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next completion that is already there: its token and its result.
    fn completed(&mut self) -> Option<(u64, i32)> {
        let entry = self.ring.completion().next()?;
        self.in_flight -= 1;
        Some((entry.user_data(), entry.result()))
    }

    /// Waits until the kernel has let go of all memory; `false` if it cannot be known.
    fn drain(&mut self) -> bool {
        while self.in_flight > 0 {
            if self.wait().is_err() {
                return false;
            }
            while self.completed().is_some() {}
        }
        true
    }
}

/// Errors that mean "ask again".
fn is_passing(errno: Option<i32>) -> bool {
    matches!(errno, Some(libc::EINTR | libc::EAGAIN | libc::EBUSY))
}

/// One block on its way.
struct Read {
    offset: u64,
    /// Bytes that the block has in the file.
    want: usize,
    filled: usize,
    buffer: Buffer,
    done: bool,
}

/// A file in order, several blocks ahead.
pub(super) struct UringBlocks {
    ring: Ring,
    opened: OpenedFile,
    pool: Arc<Pool>,
    block_bytes: usize,
    depth: usize,
    /// Reads in the order of the file; the token of `queue[i]` is `first + i`.
    queue: VecDeque<Read>,
    first: u64,
    /// Offset of the next block to ask for.
    next_offset: u64,
    delivered: u64,
    failed: Option<Error>,
}

impl UringBlocks {
    pub(super) fn new(opened: OpenedFile, ring: Ring, options: &SourceOptions) -> Self {
        let blocks = opened.bytes.div_ceil(options.block_bytes as u64);
        // As many again as are in flight, for the blocks that the decoder holds.
        let count = (2 * options.depth as u64).min(blocks) as u16;
        let pool = Pool::with_registered(options.block_bytes, count);
        if !ring.register(&pool) {
            pool.unregister();
        }
        Self {
            ring,
            opened,
            pool,
            block_bytes: options.block_bytes,
            depth: options.depth,
            queue: VecDeque::with_capacity(options.depth),
            first: 0,
            next_offset: 0,
            delivered: 0,
            failed: None,
        }
    }

    /// Asks for blocks until `depth` of them are on their way.
    fn fill(&mut self) -> Result<()> {
        let before = self.queue.len();
        while self.queue.len() < self.depth && self.next_offset < self.opened.bytes {
            let offset = self.next_offset;
            let left = self.opened.bytes - offset;
            let want = left.min(self.block_bytes as u64) as usize;
            let buffer = self.pool.take();
            self.queue.push_back(Read { offset, want, filled: 0, buffer, done: false });
            self.next_offset += want as u64;
            self.ask(self.queue.len() - 1)?;
        }
        if self.queue.len() > before {
            self.ring.submit().map_err(|error| self.io_error(&error))?;
        }
        Ok(())
    }

    /// Queues the (rest of the) read at `index` of the queue.
    fn ask(&mut self, index: usize) -> Result<()> {
        let read = &mut self.queue[index];
        let (file, len) = match &self.opened.direct {
            // O_DIRECT reads whole sectors; the last one comes back short.
            Some(direct) => (direct, (read.want - read.filled).next_multiple_of(ALIGN_BYTES)),
            None => (&self.opened.file, read.want - read.filled),
        };
        let fd = types::Fd(file.as_raw_fd());
        let registered = read.buffer.registered;
        let memory = read.buffer.as_mut_slice()[read.filled..].as_mut_ptr();
        let (len, offset) = (len as u32, read.offset + read.filled as u64);
        let entry = match registered {
            Some(buffer) => opcode::ReadFixed::new(fd, memory, len, buffer).offset(offset).build(),
            None => opcode::Read::new(fd, memory, len).offset(offset).build(),
        };
        let entry = entry.user_data(self.first + index as u64);
        // SAFETY: `memory` points into the buffer that stays in `queue` until its completion
        // has been seen, or until `drop` has drained the ring; moving the `Buffer` does not
        // move its heap memory. `len` fits: `want` is at most the block, whose size is a
        // multiple of the sector, and under O_DIRECT `filled` is such a multiple too.
        unsafe { self.ring.push(&entry) }.map_err(|error| self.io_error(&error))
    }

    /// Takes note of one answer of the kernel.
    fn on_completion(&mut self, token: u64, result: i32) -> Result<()> {
        let index = (token - self.first) as usize;
        let direct = self.opened.direct.is_some();
        let read = &mut self.queue[index];
        if result < 0 {
            if is_passing(Some(-result)) {
                return self.ask(index);
            }
            let error = io::Error::from_raw_os_error(-result);
            if direct && matches!(-result, libc::EINVAL | libc::EOPNOTSUPP) {
                note_direct_refused(&error);
                self.opened.direct = None;
                return self.ask(index);
            }
            if matches!(-result, libc::EINVAL | libc::EOPNOTSUPP) && read.filled == 0 {
                // Asked before the file system's refusal was known, or refused by this file
                // system's io_uring: a plain read gives the answer or the true error.
                return self.finish_plainly(index);
            }
            return Err(self.io_error(&error));
        }
        if result == 0 {
            let end = read.offset + read.filled as u64;
            return Err(shrank(&self.opened, end));
        }
        read.filled = (read.filled + result as usize).min(read.want);
        if read.filled == read.want {
            read.done = true;
            Ok(())
        } else if direct && !read.filled.is_multiple_of(ALIGN_BYTES) {
            self.finish_plainly(index)
        } else {
            self.ask(index)
        }
    }

    /// Reads the rest of a block through the page cache.
    fn finish_plainly(&mut self, index: usize) -> Result<()> {
        let read = &mut self.queue[index];
        let offset = read.offset + read.filled as u64;
        let (filled, want) = (read.filled, read.want);
        let rest = &mut read.buffer.as_mut_slice()[filled..want];
        match self.opened.file.read_exact_at(rest, offset) {
            Ok(()) => {
                read.filled = want;
                read.done = true;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(shrank(&self.opened, offset))
            }
            Err(error) => Err(self.io_error(&error)),
        }
    }

    /// The next block in the order of the file.
    fn next_in_order(&mut self) -> Result<Option<Block>> {
        self.fill()?;
        loop {
            match self.queue.front() {
                None => return Ok(None),
                Some(read) if read.done => break,
                Some(_) => self.ring.wait().map_err(|error| self.io_error(&error))?,
            }
            while let Some((token, result)) = self.ring.completed() {
                self.on_completion(token, result)?;
            }
        }
        let Some(read) = self.queue.pop_front() else { return Ok(None) };
        let read_at = Instant::now();
        self.first += 1;
        self.delivered += read.want as u64;
        Ok(Some(Block { bytes: self.pool.freeze(read.buffer, read.want), read_at }))
    }

    fn io_error(&self, error: &io::Error) -> Error {
        Error::io("read", &self.opened.path, error)
    }
}

impl BlockReader for UringBlocks {
    fn next_block(&mut self) -> Result<Option<Block>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let block = self.next_in_order();
        if let Err(error) = &block {
            self.failed = Some(error.clone());
        }
        block
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.delivered, Some(self.opened.bytes))
    }

    fn name(&self) -> &str {
        &self.opened.name
    }
}

impl Drop for UringBlocks {
    fn drop(&mut self) {
        if !self.ring.drain() {
            // The kernel may still write: better to lose this memory than to free it.
            std::mem::forget(std::mem::take(&mut self.queue));
        }
    }
}

/// A file by offset: large ranges in pieces, several in flight.
pub(super) struct UringRandom {
    opened: OpenedFile,
    ring: Mutex<Ring>,
    piece_bytes: usize,
    depth: usize,
}

impl UringRandom {
    pub(super) fn new(opened: OpenedFile, ring: Ring, options: &SourceOptions) -> Self {
        let (piece_bytes, depth) = (options.block_bytes, options.depth);
        Self { opened, ring: Mutex::new(ring), piece_bytes, depth }
    }

    /// Fills `into` from `offset` on; `false` if the ring is of no use for it.
    fn fill(&self, into: &mut [std::mem::MaybeUninit<u8>], offset: u64) -> io::Result<bool> {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.fill_with(&mut ring, into, offset);
        if !ring.drain() {
            // The caller frees this memory next, and the kernel may still write to it.
            std::process::abort();
        }
        result
    }

    fn fill_with(
        &self,
        ring: &mut Ring,
        into: &mut [std::mem::MaybeUninit<u8>],
        offset: u64,
    ) -> io::Result<bool> {
        let fd = types::Fd(self.opened.file.as_raw_fd());
        let mut filled: Vec<usize> = vec![0; into.len().div_ceil(self.piece_bytes)];
        let memory = into.as_mut_ptr().cast::<u8>();
        let (mut asked, mut done) = (0, 0);
        let mut again: Vec<usize> = Vec::new();
        while done < filled.len() {
            while ring.in_flight < self.depth {
                let piece = match again.pop() {
                    Some(piece) => piece,
                    None if asked < filled.len() => {
                        asked += 1;
                        asked - 1
                    }
                    None => break,
                };
                let start = piece * self.piece_bytes + filled[piece];
                let end = into.len().min((piece + 1) * self.piece_bytes);
                // `start` is below the length of `into`, so this stays within it.
                let entry = opcode::Read::new(fd, memory.wrapping_add(start), (end - start) as u32)
                    .offset(offset + start as u64)
                    .build()
                    .user_data(piece as u64);
                // SAFETY: the range lies within `into`, which is borrowed until `fill` has
                // drained the ring; pieces do not overlap, and each is asked for once at a time.
                unsafe { ring.push(&entry) }?;
            }
            ring.wait()?;
            while let Some((token, result)) = ring.completed() {
                let piece = token as usize;
                let want = self.piece_bytes.min(into.len() - piece * self.piece_bytes);
                match result {
                    0 => return Ok(false),
                    1.. => {
                        filled[piece] += result as usize;
                        if filled[piece] == want {
                            done += 1;
                        } else {
                            again.push(piece);
                        }
                    }
                    _ if is_passing(Some(-result)) => again.push(piece),
                    _ if matches!(-result, libc::EINVAL | libc::EOPNOTSUPP) => return Ok(false),
                    _ => return Err(io::Error::from_raw_os_error(-result)),
                }
            }
        }
        Ok(true)
    }

    /// One plain read; also tells what is wrong where the ring gave up.
    fn read_plainly(&self, offset: u64, len: usize) -> Result<Bytes> {
        let mut bytes = vec![0; len];
        match self.opened.file.read_exact_at(&mut bytes, offset) {
            Ok(()) => Ok(Bytes::from(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let now = self.opened.file.metadata().map_or(0, |metadata| metadata.len());
                Err(shrank(&self.opened, now))
            }
            Err(error) => Err(Error::io("read", &self.opened.path, &error)),
        }
    }
}

impl RandomReader for UringRandom {
    fn len(&self) -> u64 {
        self.opened.bytes
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        check_range(&self.opened.name, self.opened.bytes, offset, len)?;
        if len < 32 << 10 {
            // Footers and headers: nothing to overlap.
            return self.read_plainly(offset, len);
        }
        let mut bytes = Vec::with_capacity(len);
        let filled = self.fill(&mut bytes.spare_capacity_mut()[..len], offset);
        match filled.map_err(|error| Error::io("read", &self.opened.path, &error))? {
            true => {
                // SAFETY: `fill` returned true, so the kernel has written each of the `len`
                // bytes: every piece was filled from its start to its end.
                unsafe { bytes.set_len(len) };
                Ok(Bytes::from(bytes))
            }
            false => self.read_plainly(offset, len),
        }
    }

    fn name(&self) -> &str {
        &self.opened.name
    }
}
