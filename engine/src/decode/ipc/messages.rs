//! The messages of an Arrow IPC stream, one at a time, and a look at the sizes in them.
//!
//! ```text
//! FF FF FF FF │ metadata length, u32 │ metadata (flatbuffer) │ body (its length is in the metadata)
//! ```
//! Streams before Arrow 0.15 lack the first four bytes. A length of 0 ends the stream.
//!
//! Compressed buffers begin with their uncompressed size, and the Arrow crate allocates that
//! much before it looks further: one flipped bit and the process asks for a petabyte, which
//! aborts it. So sizes that compression cannot reach are refused here. For the same reason a
//! message grows with the bytes that come and not to the length that it claims.

use std::time::Instant;

use arrow::buffer::Buffer;
use arrow::ipc::root_as_message;
use bytes::{Buf, Bytes, BytesMut};

use super::{damaged, not_arrow, truncated};
use crate::error::{Error, Result};
use crate::source::BlockReader;

const CONTINUATION: [u8; 4] = [0xff; 4];
/// No buffer of a batch is larger than this when decompressed.
const BUFFER_BYTES_MAX: u64 = 1 << 32;
/// zstd writes 128 KiB of the same byte in 4 bytes.
const RATIO_MAX: u64 = 1 << 15;
/// Whatever the ratio, this much is harmless.
const HARMLESS_BYTES: u64 = 1 << 26;

/// Cuts a stream into messages.
pub(super) struct Messages {
    blocks: Box<dyn BlockReader>,
    /// What is left of the last block.
    rest: Bytes,
    read_at: Instant,
    /// Whether a whole message has been seen: then this is Arrow, whatever comes.
    begun: bool,
    ended: bool,
}

impl Messages {
    pub(super) fn new(blocks: Box<dyn BlockReader>) -> Self {
        Self { blocks, rest: Bytes::new(), read_at: Instant::now(), begun: false, ended: false }
    }

    /// When the last block was read.
    pub(super) fn read_at(&self) -> Instant {
        self.read_at
    }

    pub(super) fn progress(&self) -> (u64, Option<u64>) {
        self.blocks.progress()
    }

    /// The next message, prefix and body included; `None` at the end of the stream.
    pub(super) fn next(&mut self) -> Result<Option<Buffer>> {
        let mut message = Message::default();
        if self.ended || !self.extend(&mut message, 4)? {
            return Ok(None);
        }
        if message.bytes()[..4] == CONTINUATION {
            self.extend_or_say(&mut message, 4)?;
        }
        let prefix = message.len();
        let length = message.bytes()[prefix - 4..].try_into().map(u32::from_le_bytes);
        let length = length.unwrap_or_default() as usize;
        if length == 0 {
            self.ended = true;
            return Ok(None);
        }
        self.extend_or_say(&mut message, length)?;
        let name = self.blocks.name().to_owned();
        let metadata = root_as_message(&message.bytes()[prefix..]).map_err(|error| {
            let why = format!("a message is unreadable: {error}");
            if self.begun { damaged(&name, &why) } else { not_arrow(&name, &why) }
        })?;
        let body = usize::try_from(metadata.bodyLength())
            .map_err(|_| damaged(&name, &"a message has a negative length"))?;
        self.extend_or_say(&mut message, body)?;
        let bytes = message.freeze();
        let (head, body) = bytes.split_at(prefix + length);
        check_sizes(&name, &head[prefix..], body)?;
        self.begun = true;
        Ok(Some(Buffer::from(bytes)))
    }

    /// The stream ends within a message.
    fn cut(&self) -> Error {
        let name = self.blocks.name();
        if self.begun { truncated(name) } else { not_arrow(name, &"it ends before its schema") }
    }

    fn extend_or_say(&mut self, message: &mut Message, len: usize) -> Result<()> {
        match self.extend(message, len)? {
            true => Ok(()),
            false => Err(self.cut()),
        }
    }

    /// Adds `len` bytes to the message; `false` where the stream ends before the first byte.
    fn extend(&mut self, message: &mut Message, len: usize) -> Result<bool> {
        let mut missing = len;
        while missing > 0 {
            if self.rest.is_empty() {
                match self.blocks.next_block()? {
                    Some(block) => {
                        self.rest = block.bytes;
                        self.read_at = block.read_at;
                    }
                    None if missing == len && message.len() == 0 => return Ok(false),
                    None => return Err(self.cut()),
                }
            }
            let len = missing.min(self.rest.len());
            message.add(&self.rest, len);
            self.rest.advance(len);
            missing -= len;
        }
        Ok(true)
    }
}

/// A message as it grows: a view of one block as long as it lies in one, a copy afterwards.
#[derive(Default)]
struct Message {
    /// The block from the message's first byte on, and how much of it belongs to it.
    view: Bytes,
    viewed: usize,
    copied: Option<BytesMut>,
}

impl Message {
    fn len(&self) -> usize {
        self.copied.as_ref().map_or(self.viewed, BytesMut::len)
    }

    fn bytes(&self) -> &[u8] {
        match &self.copied {
            Some(copied) => copied,
            None => &self.view[..self.viewed],
        }
    }

    /// Adds the first `len` bytes of `from`.
    fn add(&mut self, from: &Bytes, len: usize) {
        if self.copied.is_none() {
            if self.viewed == 0 {
                self.view = from.clone();
                self.viewed = len;
                return;
            }
            // The next bytes of the same block?
            let follows = self.view.len() - self.viewed == from.len()
                && std::ptr::eq(self.view[self.viewed..].as_ptr(), from.as_ptr());
            if follows {
                self.viewed += len;
                return;
            }
        }
        let copied = self.copied.get_or_insert_with(|| BytesMut::from(&self.view[..self.viewed]));
        copied.extend_from_slice(&from[..len]);
    }

    fn freeze(self) -> Bytes {
        match self.copied {
            Some(copied) => copied.freeze(),
            None => self.view.slice(..self.viewed),
        }
    }
}

/// A message's metadata without the marker and length before it.
pub(super) fn without_prefix(head: &[u8]) -> &[u8] {
    let prefix = if head.starts_with(&CONTINUATION) { 8 } else { 4 };
    head.get(prefix..).unwrap_or_default()
}

/// An error if a compressed buffer claims a size that it cannot have.
pub(super) fn check_sizes(name: &str, metadata: &[u8], body: &[u8]) -> Result<()> {
    let message = root_as_message(metadata)
        .map_err(|error| damaged(name, &format!("a message is unreadable: {error}")))?;
    let dictionary = message.header_as_dictionary_batch().and_then(|batch| batch.data());
    let Some(batch) = message.header_as_record_batch().or(dictionary) else { return Ok(()) };
    if batch.compression().is_none() {
        return Ok(());
    }
    for buffer in batch.buffers().iter().flatten() {
        let bytes = usize::try_from(buffer.offset()).ok().and_then(|start| body.get(start..));
        let Some(size) = bytes.and_then(|bytes| bytes.first_chunk::<8>()) else { continue };
        // −1 marks a buffer that is not compressed; other negative sizes are refused later.
        let Ok(size) = u64::try_from(i64::from_le_bytes(*size)) else { continue };
        let compressed = u64::try_from(buffer.length()).unwrap_or_default();
        let possible = compressed.saturating_mul(RATIO_MAX).max(HARMLESS_BYTES);
        if size > possible.min(BUFFER_BYTES_MAX) && compressed > 0 {
            return Err(damaged(name, &format!("{compressed} bytes cannot hold {size} bytes")));
        }
    }
    Ok(())
}
