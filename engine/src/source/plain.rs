//! Files by plain reads: where io_uring is not allowed (many containers), not there (other
//! systems), or not wanted.
//!
//! A file is read up to the size that it had when it was opened: one that grows meanwhile
//! does not make the run endless, and one that shrinks is an error, because rows would be
//! missing without a word.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use super::buffer::Pool;
use super::file::{OpenedFile, SourceOptions, note_direct_refused, shrank};
use super::memory::check_range;
use super::{Block, BlockReader, RandomReader};
use crate::error::{Error, Result};

/// One read after the other.
pub(super) struct PlainBlocks {
    opened: OpenedFile,
    pool: Arc<Pool>,
    offset: u64,
    ended: bool,
}

impl PlainBlocks {
    pub(super) fn new(opened: OpenedFile, options: &SourceOptions) -> Self {
        let pool = Pool::new(options.block_bytes, options.depth);
        Self { opened, pool, offset: 0, ended: false }
    }

    /// Fills `into` (shorter at the end of the file) and says how much there is.
    fn fill(&mut self, into: &mut [u8], want: usize) -> Result<usize> {
        let mut filled = 0;
        while filled < want {
            // O_DIRECT wants whole, aligned blocks; the last one comes back short.
            let (file, to) = match &mut self.opened.direct {
                Some(direct) if filled == 0 => (direct, &mut *into),
                _ => (&mut self.opened.file, &mut into[filled..want]),
            };
            match file.read(to) {
                Ok(0) => return Err(shrank(&self.opened, self.offset + filled as u64)),
                Ok(len) => {
                    filled += len;
                    if filled < want && self.opened.direct.is_some() {
                        self.seek_plain(self.offset + filled as u64)?;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if self.opened.direct.is_some() && filled == 0 => {
                    note_direct_refused(&error);
                    self.opened.direct = None;
                    self.seek_plain(self.offset)?;
                }
                Err(error) => return Err(Error::io("read", &self.opened.path, &error)),
            }
        }
        Ok(want)
    }

    fn seek_plain(&mut self, offset: u64) -> Result<()> {
        let path = &self.opened.path;
        let sought = self.opened.file.seek(SeekFrom::Start(offset));
        sought.map(|_| ()).map_err(|error| Error::io("seek in", path, &error))
    }
}

impl BlockReader for PlainBlocks {
    fn next_block(&mut self) -> Result<Option<Block>> {
        let left = self.opened.bytes - self.offset;
        if left == 0 || self.ended {
            return Ok(None);
        }
        let mut buffer = self.pool.take();
        let into = buffer.as_mut_slice();
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        match self.fill(into, want) {
            Ok(len) => {
                let read_at = Instant::now();
                self.offset += len as u64;
                Ok(Some(Block { bytes: self.pool.freeze(buffer, len), read_at }))
            }
            Err(error) => {
                self.ended = true;
                Err(error)
            }
        }
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.offset, Some(self.opened.bytes))
    }

    fn name(&self) -> &str {
        &self.opened.name
    }
}

/// Seek and read, one caller at a time.
pub(super) struct PlainRandom {
    file: Mutex<File>,
    path: PathBuf,
    name: String,
    bytes: u64,
}

impl PlainRandom {
    pub(super) fn new(opened: OpenedFile) -> Self {
        let OpenedFile { file, path, name, bytes, .. } = opened;
        Self { file: Mutex::new(file), path, name, bytes }
    }
}

impl RandomReader for PlainRandom {
    fn len(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        check_range(&self.name, self.bytes, offset, len)?;
        // `read_to_end` into spare capacity: a zeroed vector would be written twice.
        let mut bytes = Vec::with_capacity(len);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| (&mut *file).take(len as u64).read_to_end(&mut bytes))
            .map_err(|error| Error::io("read", &self.path, &error))?;
        check_range(&self.name, offset + bytes.len() as u64, offset, len)?;
        Ok(Bytes::from(bytes))
    }

    fn name(&self) -> &str {
        &self.name
    }
}
