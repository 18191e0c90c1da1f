//! gzip and zstd, undone on the way: a [`BlockReader`] around a [`BlockReader`].
//!
//! Files of several gzip members or zstd frames (what `cat a.gz b.gz` makes) are read to the
//! last one. Broken or truncated compression ends the run: what came before is delivered, and
//! then an error names the byte of the compressed file at which it stopped making sense.

use std::io::{self, BufRead, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, Bytes};
use flate2::bufread::MultiGzDecoder;

use super::buffer::Pool;
use super::{Block, BlockReader};
use crate::error::{Error, Result};

/// How an input is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// gzip (RFC 1952), one or more members.
    Gzip,
    /// Zstandard (RFC 8878), one or more frames.
    Zstd,
}

impl Compression {
    /// By the file's ending: `.gz`, `.zst`, `.zstd`.
    pub fn of(path: &str) -> Option<Self> {
        match Path::new(path).extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "gz" => Some(Self::Gzip),
            "zst" | "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// `inner`'s bytes, decompressed.
pub(super) fn decompress(
    inner: Box<dyn BlockReader>,
    compression: Compression,
    block_bytes: usize,
) -> Result<Box<dyn BlockReader>> {
    let name = inner.name().to_owned();
    let inflow = Inflow::new(inner);
    let codec = match compression {
        Compression::Gzip => Codec::Gzip(Box::new(MultiGzDecoder::new(inflow))),
        Compression::Zstd => Codec::Zstd(
            zstd::Decoder::with_buffer(inflow)
                .map_err(|error| Error::run(format!("cannot set up zstd: {error}")).at(&*name))?,
        ),
    };
    let pool = Pool::new(block_bytes, 8);
    Ok(Box::new(Decompressed { codec, compression, name, pool, failed: None, ended: false }))
}

/// The compressed blocks as the `BufRead` that the codecs want; nothing is copied.
struct Inflow {
    inner: Box<dyn BlockReader>,
    block: Bytes,
    consumed: u64,
    read_at: Instant,
    /// The source's own error, which must not be told as one of the compression.
    error: Option<Error>,
}

impl Inflow {
    fn new(inner: Box<dyn BlockReader>) -> Self {
        Self { inner, block: Bytes::new(), consumed: 0, read_at: Instant::now(), error: None }
    }
}

impl BufRead for Inflow {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.block.is_empty() {
            match self.inner.next_block() {
                Ok(Some(block)) => {
                    self.block = block.bytes;
                    self.read_at = block.read_at;
                }
                Ok(None) => {}
                Err(error) => {
                    self.error = Some(error);
                    return Err(io::Error::other("the input cannot be read"));
                }
            }
        }
        Ok(&self.block)
    }

    fn consume(&mut self, len: usize) {
        self.block.advance(len);
        self.consumed += len as u64;
    }
}

impl Read for Inflow {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let len = available.len().min(into.len());
        into[..len].copy_from_slice(&available[..len]);
        self.consume(len);
        Ok(len)
    }
}

enum Codec {
    Gzip(Box<MultiGzDecoder<Inflow>>),
    Zstd(zstd::Decoder<'static, Inflow>),
}

impl Codec {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(into),
            Self::Zstd(decoder) => decoder.read(into),
        }
    }

    fn inflow(&self) -> &Inflow {
        match self {
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
        }
    }
}

struct Decompressed {
    codec: Codec,
    compression: Compression,
    name: String,
    pool: Arc<Pool>,
    /// Told after the bytes before it, and again at each further call.
    failed: Option<Error>,
    ended: bool,
}

impl Decompressed {
    fn error(&self, error: &io::Error) -> Error {
        let inflow = self.codec.inflow();
        if let Some(source) = &inflow.error {
            return source.clone();
        }
        let (kind, at) = (self.compression.name(), inflow.consumed);
        let what = if at == 0 && error.kind() == ErrorKind::UnexpectedEof {
            format!("not a {kind} file: it is empty")
        } else if error.kind() == ErrorKind::UnexpectedEof {
            format!("truncated {kind} data: the file ends in the middle, at byte {at}")
        } else {
            format!("broken {kind} data near byte {at}: {error}")
        };
        Error::run(what).at(&*self.name).advise("make or copy the file again")
    }
}

impl BlockReader for Decompressed {
    fn next_block(&mut self) -> Result<Option<Block>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.ended {
            return Ok(None);
        }
        let mut buffer = self.pool.take();
        let into = buffer.as_mut_slice();
        let mut filled = 0;
        while filled < into.len() {
            match self.codec.read(&mut into[filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(len) => filled += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = Some(self.error(&error));
                    break;
                }
            }
        }
        // zstd takes no bytes at all for an empty stream; gzip does not.
        if self.ended && self.codec.inflow().consumed == 0 {
            self.failed = Some(self.error(&ErrorKind::UnexpectedEof.into()));
        }
        if filled > 0 {
            let read_at = self.codec.inflow().read_at;
            return Ok(Some(Block { bytes: self.pool.freeze(buffer, filled), read_at }));
        }
        self.failed.clone().map_or(Ok(None), Err)
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.codec.inflow().inner.progress()
    }

    fn name(&self) -> &str {
        &self.name
    }
}
