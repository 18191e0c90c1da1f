//! Text in segments: blocks as they come, with the records that straddle two of them joined.
//!
//! A decoder reads [`Segments::text`] from [`Segments::at`] on, moves `at` past each record,
//! and calls [`Segments::more`] when no further record is complete. Then what is left over (the
//! carry) is joined with the *head* of the next block in a small buffer; once the decoder has
//! got past the carry, the rest of that block is read in place:
//!
//! ```text
//! block 1 ….........carry|
//!                   carry|head   joined: about 32 KiB are copied
//!                         |head|rest of block 2, in place from where the records of "head" end
//! ```
//!
//! So a batch lies in one text that it shares with the source's block, and hardly a byte is
//! copied.

use std::time::Instant;

use bytes::Bytes;

use super::Limits;
use crate::error::Result;
use crate::source::{Block, BlockReader};

/// Bytes of a block that are copied behind a carry: enough to fill a batch of some hundred
/// rows, small enough to cost nothing beside decoding a block.
const HEAD_BYTES: usize = 32 << 10;

/// Larger blocks are cut, so that positions fit into 32 bits.
const SEGMENT_BYTES_MAX: usize = 64 << 20;

/// A text in segments.
pub(crate) struct Segments {
    reader: Box<dyn BlockReader>,
    name: String,
    limits: Limits,

    text: Bytes,
    at: usize,
    byte_offset: u64,
    line: u64,
    /// Line feeds among the first `.0` bytes of the text: `.1`, counted for the next segment.
    counted: (usize, u64),
    /// The same, as far as rejects have been placed.
    placed: (usize, u64),

    /// A block whose head was joined to a carry, and where in the text that head starts.
    waiting: Option<(Bytes, usize)>,
    /// What is left of a block that was too large.
    uncut: Option<Bytes>,
    read_at: Instant,
    ended: bool,
    skipping: bool,
}

impl Segments {
    /// The text of a reader, past a byte order mark; its first line is there, if it has one.
    pub fn open(reader: Box<dyn BlockReader>, limits: Limits) -> Result<Self> {
        let name = reader.name().to_owned();
        let mut segments = Self {
            reader,
            name,
            limits,
            text: Bytes::new(),
            at: 0,
            byte_offset: 0,
            line: 1,
            counted: (0, 0),
            placed: (0, 0),
            waiting: None,
            uncut: None,
            read_at: Instant::now(),
            ended: false,
            skipping: false,
        };
        while segments.text.len() <= limits.record_bytes_max
            && memchr::memchr(b'\n', &segments.text).is_none()
            && segments.more()?
        {}
        if segments.text.starts_with(b"\xef\xbb\xbf") {
            segments.at = 3;
        }
        Ok(segments)
    }

    /// The input's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bounds of fields and records.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The text at hand.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// Where the next record starts in it.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Moves to the start of another record, forward.
    pub fn advance(&mut self, at: usize) {
        debug_assert!(self.at <= at && at <= self.text.len());
        self.at = at;
    }

    /// As [`Self::advance`], where it is known how many line feeds are passed.
    pub fn advance_lines(&mut self, at: usize, lines: u64) {
        if self.counted.0 == self.at {
            self.counted = (at, self.counted.1 + lines);
        }
        self.advance(at);
    }

    /// Whether the text goes on to the end of the input: no call of [`Self::more`] will help.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Offset in the input of the text's first byte, and its line.
    pub fn origin(&self) -> (u64, u64) {
        (self.byte_offset, self.line)
    }

    /// When the last block was read.
    pub fn read_at(&self) -> Instant {
        self.read_at
    }

    /// Progress of the reader.
    pub fn progress(&self) -> (u64, Option<u64>) {
        self.reader.progress()
    }

    /// The line of a byte of the text. Fast where calls come in the order of the text.
    pub fn line_of(&mut self, position: usize) -> u64 {
        if position < self.placed.0 {
            self.placed = (0, 0);
        }
        let (at, lines) = self.placed;
        self.placed = (position, lines + count_lines(&self.text[at..position]));
        self.line + self.placed.1
    }

    /// Moves past the end of the line that `at` is in, however far that is.
    pub fn skip_line(&mut self) {
        match memchr::memchr(b'\n', &self.text[self.at..]) {
            Some(end) => self.at += end + 1,
            None => {
                self.at = self.text.len();
                self.skipping = !self.ended;
            }
        }
    }

    /// Replaces the text by what is left of it and what comes next. `false` at the end of the
    /// input: what is left is final.
    pub fn more(&mut self) -> Result<bool> {
        loop {
            let got = self.join_next()?;
            if !self.skipping {
                return Ok(got);
            }
            self.skip_here();
            if !got || !self.skipping {
                return Ok(got);
            }
        }
    }

    fn skip_here(&mut self) {
        self.skipping = false;
        self.skip_line();
    }

    fn join_next(&mut self) -> Result<bool> {
        if let Some((block, head_at)) = self.waiting.take() {
            if self.at >= head_at {
                let rest = block.slice(self.at - head_at..);
                if !rest.is_empty() {
                    self.replace(rest);
                    return Ok(true);
                }
            } else {
                let mut joined = self.text[self.at..].to_vec();
                joined.extend_from_slice(&block[self.text.len() - head_at..]);
                self.replace(joined.into());
                return Ok(true);
            }
        }
        if self.at == self.text.len() {
            return Ok(match self.next_block()? {
                Some(block) => {
                    self.replace(block);
                    true
                }
                None => false,
            });
        }
        self.join_carry()
    }

    /// Joins the carry with blocks until one brings a line end: before that no record ends.
    fn join_carry(&mut self) -> Result<bool> {
        let mut carry = self.text[self.at..].to_vec();
        let known = carry.len();
        while let Some(block) = self.next_block()? {
            let head_at = carry.len();
            let Some(end) = memchr::memchr(b'\n', &block) else {
                carry.extend_from_slice(&block);
                if carry.len() - known > self.limits.record_bytes_max {
                    break;
                }
                continue;
            };
            let head = block.len().min(HEAD_BYTES.max(end + 1));
            carry.extend_from_slice(&block[..head]);
            self.replace(carry.into());
            if head < block.len() {
                self.waiting = Some((block, head_at));
            }
            return Ok(true);
        }
        // The last block may have brought text without a line end.
        let grew = carry.len() > known;
        self.replace(carry.into());
        Ok(grew || !self.ended)
    }

    fn next_block(&mut self) -> Result<Option<Bytes>> {
        let block = match self.uncut.take() {
            Some(bytes) => bytes,
            None if self.ended => return Ok(None),
            None => match self.reader.next_block()? {
                Some(Block { bytes, read_at }) => {
                    self.read_at = read_at;
                    bytes
                }
                None => {
                    self.ended = true;
                    return Ok(None);
                }
            },
        };
        if block.len() > SEGMENT_BYTES_MAX {
            self.uncut = Some(block.slice(SEGMENT_BYTES_MAX..));
            return Ok(Some(block.slice(..SEGMENT_BYTES_MAX)));
        }
        Ok(Some(block))
    }

    /// Makes `text`, which starts where `at` was, the text at hand.
    fn replace(&mut self, text: Bytes) {
        // Lines may have been counted beyond a record that is read again: never by the caller's
        // contract, but a wrong line number must not come from it.
        let (at, lines) = if self.counted.0 <= self.at { self.counted } else { (0, 0) };
        self.line += lines + count_lines(&self.text[at..self.at]);
        self.byte_offset += self.at as u64;
        self.text = text;
        self.at = 0;
        self.counted = (0, 0);
        self.placed = (0, 0);
    }
}

fn count_lines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}
