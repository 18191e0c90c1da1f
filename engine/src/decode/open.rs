//! A decoder by the name of the input, or by what it begins with.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use super::{DecodeOptions, Decoder, Format, IpcDecoder, ParquetDecoder, ipc, parquet};
use crate::error::{Error, Result};
use crate::source::MemoryRandom;
use crate::source::{
    Block, BlockReader, Compression, RandomReader, SourceOptions, base_name, open_blocks,
    open_random, read_all,
};

/// Opens `path` (`-`: standard input) in `format`, or in what its ending says (a `.gz` or
/// `.zst` behind it is undone), or in what its first bytes say.
///
/// # Errors
/// When it cannot be read, its format cannot be told, it is not what its format says, or it
/// lacks a column that the plan needs.
pub fn open(
    path: &str,
    format: Option<Format>,
    decode: &DecodeOptions,
    source: &SourceOptions,
) -> Result<Box<dyn Decoder>> {
    let format = format.or_else(|| format_of(path));
    if format == Some(Format::Parquet) {
        return Ok(Box::new(ParquetDecoder::new(open_random(path, source)?, decode)?));
    }
    let mut blocks = Peeked::new(open_blocks(path, source)?);
    if let Some(format @ (Format::Csv | Format::NdJson)) = format {
        return open_text(path, Box::new(blocks), format, decode);
    }
    let head = blocks.peek(8)?;
    let found = if head.starts_with(parquet::MAGIC) {
        Some(Format::Parquet)
    } else if head.starts_with(ipc::MAGIC) || head.starts_with(&[0xff; 4]) {
        Some(Format::Arrow)
    } else if head.trim_ascii_start().starts_with(b"{") {
        Some(Format::NdJson)
    } else {
        None
    };
    match (format, found) {
        (Some(Format::Arrow), _) | (None, Some(Format::Arrow)) => {
            if head.starts_with(ipc::MAGIC) {
                let reader = by_offset(path, Box::new(blocks), source)?;
                Ok(Box::new(IpcDecoder::file(reader, decode)?))
            } else {
                Ok(Box::new(IpcDecoder::stream(Box::new(blocks), decode)?))
            }
        }
        (None, Some(Format::Parquet)) => {
            let reader = by_offset(path, Box::new(blocks), source)?;
            Ok(Box::new(ParquetDecoder::new(reader, decode)?))
        }
        (None, Some(format)) => open_text(path, Box::new(blocks), format, decode),
        _ => Err(Error::run("cannot tell the format by the name or the first bytes")
            .at(base_name(path))
            .advise("give --format csv, ndjson, parquet or arrow")),
    }
}

/// The format that a path's ending stands for; a compression's ending behind it is ignored.
pub fn format_of(path: &str) -> Option<Format> {
    match ending(path).as_str() {
        "csv" | "tsv" => Some(Format::Csv),
        "ndjson" | "jsonl" | "json" => Some(Format::NdJson),
        "parquet" => Some(Format::Parquet),
        "arrow" | "ipc" | "feather" => Some(Format::Arrow),
        _ => None,
    }
}

fn ending(path: &str) -> String {
    let path = Path::new(path);
    let bare = match path.to_str().and_then(Compression::of) {
        Some(_) => Path::new(path.file_stem().unwrap_or_default()),
        None => path,
    };
    bare.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase()
}

/// Text: CSV and NDJSON. `.tsv` means tabs.
fn open_text(
    path: &str,
    blocks: Box<dyn BlockReader>,
    format: Format,
    decode: &DecodeOptions,
) -> Result<Box<dyn Decoder>> {
    let mut decode = decode.clone();
    if ending(path) == "tsv" && decode.delimiter == b',' {
        decode.delimiter = b'\t';
    }
    Ok(match format {
        Format::NdJson => Box::new(super::ndjson::NdJsonDecoder::new(blocks, &decode)?),
        _ => Box::new(super::csv::CsvDecoder::new(blocks, &decode)?),
    })
}

/// The input by offset: opened again where that is possible, otherwise read into memory.
fn by_offset(
    path: &str,
    mut blocks: Box<dyn BlockReader>,
    source: &SourceOptions,
) -> Result<Arc<dyn RandomReader>> {
    let again = path != "-"
        && Compression::of(path).is_none()
        && std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if again {
        return open_random(path, source);
    }
    let name = blocks.name().to_owned();
    Ok(Arc::new(MemoryRandom::new(name, read_all(&mut *blocks)?)))
}

/// Blocks of which the first ones have been looked at already.
struct Peeked {
    inner: Box<dyn BlockReader>,
    seen: VecDeque<Block>,
}

impl Peeked {
    fn new(inner: Box<dyn BlockReader>) -> Self {
        Self { inner, seen: VecDeque::new() }
    }

    /// The first bytes: at least `len`, unless the input ends before.
    fn peek(&mut self, len: usize) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        while head.len() < len {
            let Some(block) = self.inner.next_block()? else { break };
            head.extend_from_slice(&block.bytes[..block.bytes.len().min(64)]);
            self.seen.push_back(block);
        }
        Ok(head)
    }
}

impl BlockReader for Peeked {
    fn next_block(&mut self) -> Result<Option<Block>> {
        match self.seen.pop_front() {
            Some(block) => Ok(Some(block)),
            None => self.inner.next_block(),
        }
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.inner.progress()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }
}
