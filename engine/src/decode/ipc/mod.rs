//! Arrow IPC: files (a footer lists the batches) and streams (batches one after the other).
//!
//! The buffers of a batch are used where they were read to, without a copy, unless they are
//! compressed or badly aligned. Everything in the file is checked by the Arrow crate before it
//! is used; what it does not check and panics about is caught (`columns/guard.rs`), and sizes
//! that it would believe are checked before (`ipc/messages.rs`).

mod messages;

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{FileDecoder, StreamDecoder, read_footer_length};
use arrow::ipc::{Block as IpcBlock, root_as_footer};

use self::messages::{Messages, check_sizes};
use super::columns::{Batches, Projection, guarded};
use super::{DecodeOptions, Decoded, Decoder};
use crate::error::{Error, Result};
use crate::source::{BlockReader, RandomReader};

/// How an IPC file begins and ends.
pub(super) const MAGIC: &[u8] = b"ARROW1";
/// Footer length and magic.
const TRAILER_BYTES: usize = 10;

/// Decodes an Arrow IPC file or stream.
pub struct IpcDecoder {
    input: Input,
    name: String,
    batches: Batches,
    failed: bool,
}

enum Input {
    File(Box<FileInput>),
    Stream(Box<StreamInput>),
}

struct FileInput {
    reader: Arc<dyn RandomReader>,
    decoder: FileDecoder,
    blocks: Vec<IpcBlock>,
    next: usize,
    bytes_read: u64,
}

struct StreamInput {
    messages: Messages,
    decoder: StreamDecoder,
    /// A batch that came before anybody asked for one.
    ready: Option<RecordBatch>,
    /// Indices of the columns to keep.
    sources: Vec<usize>,
}

impl IpcDecoder {
    /// Decodes a file by its footer.
    ///
    /// # Errors
    /// When it is no Arrow IPC file, or its columns are not what the plan needs.
    pub fn file(reader: Arc<dyn RandomReader>, options: &DecodeOptions) -> Result<Self> {
        let name = reader.name().to_owned();
        check_ends(&name, &*reader)?;
        guarded(&name.clone(), "Arrow", move || Self::open_file(name, reader, options))
    }

    fn open_file(
        name: String,
        reader: Arc<dyn RandomReader>,
        options: &DecodeOptions,
    ) -> Result<Self> {
        let trailer_at = reader.len() - TRAILER_BYTES as u64;
        let trailer = reader.read_at(trailer_at, TRAILER_BYTES)?;
        let trailer: [u8; TRAILER_BYTES] = trailer[..].try_into().map_err(|_| truncated(&name))?;
        let len = read_footer_length(trailer).map_err(|error| damaged(&name, &error))?;
        let footer_at = trailer_at.checked_sub(len as u64).ok_or_else(|| truncated(&name))?;
        let footer = reader.read_at(footer_at, len)?;
        let footer = root_as_footer(&footer).map_err(|error| damaged(&name, &error))?;
        let schema = footer.schema().ok_or_else(|| damaged(&name, &"it has no schema"))?;
        if !schema.endianness().equals_to_target_endianness() {
            return Err(Error::run("the file has the byte order of another machine")
                .at(&*name)
                .advise("write it again on this kind of machine"));
        }
        let schema: SchemaRef = Arc::new(fb_to_schema(schema));
        let projection = Projection::plan(&name, &schema, options.columns.as_deref())?;
        let mut decoder = FileDecoder::new(schema.clone(), footer.version());
        let sources = projection.sources();
        if !sources.is_empty() {
            decoder = decoder.with_projection(sources);
        }
        let mut bytes_read = len as u64;
        for block in footer.dictionaries().iter().flatten() {
            let bytes = read_block(&name, &*reader, block)?;
            bytes_read += bytes.len() as u64;
            decoder.read_dictionary(block, &bytes).map_err(|error| damaged(&name, &error))?;
        }
        let blocks = footer.recordBatches().iter().flatten().copied().collect();
        let input = FileInput { reader, decoder, blocks, next: 0, bytes_read };
        let batches = Batches::new(projection, options.batch_rows);
        Ok(Self { input: Input::File(Box::new(input)), name, batches, failed: false })
    }

    /// Decodes a stream as it comes.
    ///
    /// # Errors
    /// When it is no Arrow IPC stream, or its columns are not what the plan needs.
    pub fn stream(blocks: Box<dyn BlockReader>, options: &DecodeOptions) -> Result<Self> {
        let name = blocks.name().to_owned();
        let mut input = StreamInput {
            messages: Messages::new(blocks),
            decoder: StreamDecoder::new(),
            ready: None,
            sources: Vec::new(),
        };
        let schema = guarded(&name, "Arrow", || input.schema(&name))?;
        let projection = Projection::plan(&name, &schema, options.columns.as_deref())?;
        input.sources = projection.sources();
        let batches = Batches::new(projection, options.batch_rows);
        Ok(Self { input: Input::Stream(Box::new(input)), name, batches, failed: false })
    }
}

impl FileInput {
    fn next(&mut self, name: &str) -> Result<Option<(RecordBatch, Instant)>> {
        while let Some(block) = self.blocks.get(self.next) {
            self.next += 1;
            let bytes = read_block(name, &*self.reader, block)?;
            self.bytes_read += bytes.len() as u64;
            let read_at = Instant::now();
            let rows = self.decoder.read_record_batch(block, &bytes);
            if let Some(rows) = rows.map_err(|error| damaged(name, &error))? {
                return Ok(Some((rows, read_at)));
            }
        }
        Ok(None)
    }
}

impl StreamInput {
    /// Reads on until the schema is known.
    fn schema(&mut self, name: &str) -> Result<SchemaRef> {
        while self.decoder.schema().is_none() {
            let decoded = match self.messages.next() {
                Ok(Some(mut message)) => self.decoder.decode(&mut message),
                Ok(None) if self.messages.progress().0 == 0 => return Err(is_empty(name)),
                Ok(None) => return Err(not_arrow(name, &"it ends before its schema")),
                Err(error) => return Err(error),
            };
            self.ready = decoded.map_err(|error| not_arrow(name, &error))?;
        }
        self.decoder.schema().ok_or_else(|| truncated(name))
    }

    fn next(&mut self, name: &str) -> Result<Option<(RecordBatch, Instant)>> {
        loop {
            if let Some(rows) = self.ready.take() {
                let rows = rows.project(&self.sources).map_err(|error| damaged(name, &error))?;
                return Ok(Some((rows, self.messages.read_at())));
            }
            let Some(mut message) = self.messages.next()? else { return Ok(None) };
            let decoded = self.decoder.decode(&mut message);
            self.ready = decoded.map_err(|error| damaged(name, &error))?;
        }
    }
}

impl Decoder for IpcDecoder {
    fn schema(&self) -> SchemaRef {
        self.batches.schema()
    }

    fn next_batch(&mut self) -> Result<Option<Decoded>> {
        if self.failed {
            return Ok(None);
        }
        let Self { input, name, batches, .. } = self;
        let result = guarded(name, "Arrow", || {
            loop {
                if let Some(decoded) = batches.next()? {
                    return Ok(Some(decoded));
                }
                let next = match input {
                    Input::File(input) => input.next(name)?,
                    Input::Stream(input) => input.next(name)?,
                };
                match next {
                    Some((rows, read_at)) => batches.refill(rows, read_at),
                    None => return Ok(None),
                }
            }
        });
        self.failed = result.is_err();
        result
    }

    fn progress(&self) -> (u64, Option<u64>) {
        match &self.input {
            Input::File(input) => (input.bytes_read, Some(input.reader.len())),
            Input::Stream(input) => input.messages.progress(),
        }
    }
}

/// The bytes of one message, after a look at whether they can be there.
fn read_block(name: &str, reader: &dyn RandomReader, block: &IpcBlock) -> Result<Buffer> {
    let offset = u64::try_from(block.offset());
    let metadata = usize::try_from(block.metaDataLength());
    let body = usize::try_from(block.bodyLength());
    match (offset, metadata, body) {
        (Ok(offset), Ok(metadata), Ok(body)) => {
            let len = metadata.checked_add(body).ok_or_else(|| truncated(name))?;
            let bytes = reader.read_at(offset, len)?;
            let (head, body) = bytes.split_at(metadata);
            check_sizes(name, messages::without_prefix(head), body)?;
            Ok(Buffer::from(bytes))
        }
        _ => Err(damaged(name, &"a batch has a negative place or length")),
    }
}

fn check_ends(name: &str, reader: &dyn RandomReader) -> Result<()> {
    if reader.is_empty() {
        return Err(is_empty(name));
    }
    let head = reader.read_at(0, MAGIC.len().min(reader.len() as usize))?;
    if head[..] != *MAGIC {
        return Err(not_arrow(name, &"it does not begin with ARROW1"));
    }
    let len = reader.len() as usize;
    if len < 2 * MAGIC.len() + TRAILER_BYTES
        || reader.read_at((len - MAGIC.len()) as u64, MAGIC.len())?[..] != *MAGIC
    {
        return Err(truncated(name));
    }
    Ok(())
}

fn is_empty(name: &str) -> Error {
    Error::run("not an Arrow file: it is empty")
        .at(name)
        .advise("an Arrow file without rows still has a schema; write it again")
}

fn not_arrow(name: &str, why: &dyn std::fmt::Display) -> Error {
    Error::run(format!("not an Arrow IPC file or stream: {why}"))
        .at(name)
        .advise("give its true format with --format")
}

fn truncated(name: &str) -> Error {
    Error::run("truncated Arrow data: its end is missing")
        .at(name)
        .advise("make or copy the file again")
}

fn damaged(name: &str, why: &dyn std::fmt::Display) -> Error {
    Error::run(format!("damaged Arrow data: {why}")).at(name).advise("make or copy the file again")
}
