//! Parquet, by the Parquet crate, over our own reads.
//!
//! Only the column chunks that the plan needs are read, each through a window that moves ahead
//! of the pages being decoded: memory is bounded by columns × window whatever the size of a row
//! group, and a window is still in cache when its pages are decoded. Rows come in small batches
//! for the same reason: a batch that leaves the cache costs more than the decoding.
//!
//! Text that the plan wants as a dictionary is read as one, so that the file's own dictionary is
//! used and no text is hashed.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::reader::{ChunkReader, Length};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::{Buf, Bytes};

use super::columns::{Batches, Projection, guarded};
use super::{DecodeOptions, Decoded, Decoder};
use crate::error::{Error, Result};
use crate::source::RandomReader;

/// How a Parquet file begins and ends.
pub(super) const MAGIC: &[u8] = b"PAR1";
/// Magic, footer length, magic.
const BYTES_MIN: u64 = 12;
/// Bytes read ahead in a column chunk.
const WINDOW_BYTES: u64 = 1 << 20;
/// Batches of more rows fall out of the cache.
const READ_ROWS_MAX: usize = 8192;
/// Smaller ones are cut from a batch of this many rows.
const READ_ROWS_MIN: usize = 1024;

/// Decodes a Parquet file.
pub struct ParquetDecoder {
    name: String,
    pages: Pages,
    /// `None` once it has ended or failed.
    reader: Option<ParquetRecordBatchReader>,
    batches: Batches,
}

impl ParquetDecoder {
    /// Decodes the file that `input` reads.
    ///
    /// # Errors
    /// When it is no Parquet file, or its columns are not what the plan needs.
    pub fn new(input: Arc<dyn RandomReader>, options: &DecodeOptions) -> Result<Self> {
        let name = input.name().to_owned();
        check_ends(&name, &*input)?;
        guarded(&name.clone(), "Parquet", move || Self::open(name, input, options))
    }

    fn open(name: String, input: Arc<dyn RandomReader>, options: &DecodeOptions) -> Result<Self> {
        let footer = Pages(Arc::new(ReadAhead::new(input.clone(), Vec::new(), 0)));
        let metadata = ArrowReaderMetadata::load(&footer, ArrowReaderOptions::new())
            .map_err(|error| damaged(&name, &error))?;
        let requested = options.columns.as_deref();
        let mut projection = Projection::plan(&name, metadata.schema(), requested)?;
        let mut metadata = metadata;
        if let Some(hinted) = read_as_dictionaries(&metadata, &projection) {
            projection = Projection::plan(&name, hinted.schema(), requested)?;
            metadata = hinted;
        }
        let descriptor = metadata.parquet_schema();
        let mask = ProjectionMask::roots(descriptor, projection.sources());
        let chunks = chunks(metadata.metadata(), &mask);
        let columns = descriptor.num_columns();
        let pages = Pages(Arc::new(ReadAhead::new(input, chunks, columns)));
        let rows = if options.batch_rows < READ_ROWS_MIN {
            READ_ROWS_MIN
        } else {
            options.batch_rows.min(READ_ROWS_MAX)
        };
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(pages.clone(), metadata)
            .with_projection(mask)
            .with_batch_size(rows)
            .build()
            .map_err(|error| damaged(&name, &error))?;
        let batches = Batches::new(projection, options.batch_rows);
        Ok(Self { name, pages, reader: Some(reader), batches })
    }
}

impl Decoder for ParquetDecoder {
    fn schema(&self) -> SchemaRef {
        self.batches.schema()
    }

    fn next_batch(&mut self) -> Result<Option<Decoded>> {
        // Taken out, so that a reader that panicked is not used again.
        let Some(mut reader) = self.reader.take() else { return Ok(None) };
        let Self { name, pages, batches, .. } = self;
        let decoded = guarded(name, "Parquet", || {
            loop {
                if let Some(decoded) = batches.next()? {
                    return Ok(Some(decoded));
                }
                match reader.next() {
                    Some(Ok(rows)) => batches.refill(rows, pages.0.read_at()),
                    Some(Err(error)) => return Err(damaged(name, &error)),
                    None => return Ok(None),
                }
            }
        })?;
        if decoded.is_some() {
            self.reader = Some(reader);
        }
        Ok(decoded)
    }

    fn progress(&self) -> (u64, Option<u64>) {
        let ahead = &self.pages.0;
        // Where a page lies across the end of a window, its start is read twice.
        let read = ahead.bytes_read.load(Ordering::Relaxed).min(ahead.input.len());
        (read, Some(ahead.input.len()))
    }
}

/// The same file with its text columns as dictionaries where the plan wants them so; `None`
/// where there is nothing to gain or the crate refuses.
fn read_as_dictionaries(
    metadata: &ArrowReaderMetadata,
    projection: &Projection,
) -> Option<ArrowReaderMetadata> {
    let wanted = projection.schema();
    let mut hinted = false;
    let fields = metadata.schema().fields().iter().map(|field| {
        let to = wanted.field_with_name(field.name()).ok().map(Field::data_type);
        match (field.data_type(), to) {
            (
                DataType::Utf8 | DataType::LargeUtf8,
                Some(to @ DataType::Dictionary(key, values)),
            ) if **key == DataType::Int32 && **values == DataType::Utf8 => {
                hinted = true;
                Arc::new(field.as_ref().clone().with_data_type(to.clone()))
            }
            _ => field.clone(),
        }
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    if !hinted {
        return None;
    }
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    ArrowReaderMetadata::try_new(metadata.metadata().clone(), options).ok()
}

/// Where the projected column chunks lie, by offset.
fn chunks(metadata: &ParquetMetaData, mask: &ProjectionMask) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for group in metadata.row_groups() {
        for (column, chunk) in group.columns().iter().enumerate() {
            if mask.leaf_included(column) {
                let (start, len) = chunk.byte_range();
                chunks.push(Chunk { start, end: start.saturating_add(len), column });
            }
        }
    }
    chunks.sort_unstable_by_key(|chunk| chunk.start);
    chunks
}

/// Bytes of one column in one row group.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    start: u64,
    end: u64,
    column: usize,
}

/// The file, with a window for each column.
struct ReadAhead {
    input: Arc<dyn RandomReader>,
    chunks: Vec<Chunk>,
    windows: Mutex<Windows>,
    bytes_read: AtomicU64,
}

struct Windows {
    /// For each column: offset and bytes of what was read last.
    columns: Vec<(u64, Bytes)>,
    read_at: Instant,
}

impl ReadAhead {
    fn new(input: Arc<dyn RandomReader>, chunks: Vec<Chunk>, columns: usize) -> Self {
        let windows =
            Windows { columns: vec![(0, Bytes::new()); columns], read_at: Instant::now() };
        Self { input, chunks, windows: Mutex::new(windows), bytes_read: AtomicU64::new(0) }
    }

    fn read_at(&self) -> Instant {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner).read_at
    }

    /// At least `len` bytes from `start` on, and more where they are at hand.
    fn fetch(&self, start: u64, len: usize) -> Result<Bytes> {
        let after = self.chunks.partition_point(|chunk| chunk.start <= start);
        let chunk = after.checked_sub(1).map(|index| self.chunks[index]);
        let Some(chunk) = chunk.filter(|chunk| start < chunk.end) else {
            self.bytes_read.fetch_add(len as u64, Ordering::Relaxed);
            return self.input.read_at(start, len);
        };
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, bytes) = &windows.columns[chunk.column];
        let skip = start.checked_sub(*at).and_then(|skip| usize::try_from(skip).ok());
        if let Some(skip) = skip
            && skip.checked_add(len).is_some_and(|end| end <= bytes.len())
            && skip < bytes.len()
        {
            return Ok(bytes.slice(skip..));
        }
        let ahead = WINDOW_BYTES.min(chunk.end - start).min(self.input.len().saturating_sub(start));
        let bytes = self.input.read_at(start, len.max(ahead as usize))?;
        self.bytes_read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        windows.columns[chunk.column] = (start, bytes.clone());
        windows.read_at = Instant::now();
        Ok(bytes)
    }
}

/// What the Parquet crate reads from.
#[derive(Clone)]
struct Pages(Arc<ReadAhead>);

impl Length for Pages {
    fn len(&self) -> u64 {
        self.0.input.len()
    }
}

impl ChunkReader for Pages {
    type T = PageHeaders;

    fn get_read(&self, start: u64) -> ::parquet::errors::Result<PageHeaders> {
        Ok(PageHeaders { ahead: self.0.clone(), at: start, bytes: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, len: usize) -> ::parquet::errors::Result<Bytes> {
        match self.0.fetch(start, len) {
            Ok(mut bytes) => {
                bytes.truncate(len);
                Ok(bytes)
            }
            Err(error) => Err(ParquetError::External(Box::new(error))),
        }
    }
}

/// Reads on from an offset: the crate does not know how long a page header is.
struct PageHeaders {
    ahead: Arc<ReadAhead>,
    at: u64,
    bytes: Bytes,
}

impl Read for PageHeaders {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            let left = self.ahead.input.len().saturating_sub(self.at);
            let len = (left as usize).min(into.len());
            if len == 0 {
                return Ok(0);
            }
            self.bytes = self.ahead.fetch(self.at, len).map_err(io::Error::other)?;
        }
        let len = self.bytes.len().min(into.len());
        self.bytes.copy_to_slice(&mut into[..len]);
        self.at += len as u64;
        Ok(len)
    }
}

fn check_ends(name: &str, input: &dyn RandomReader) -> Result<()> {
    if input.is_empty() {
        return Err(Error::run("not a Parquet file: it is empty")
            .at(name)
            .advise("a Parquet file without rows still has a schema; write it again"));
    }
    let head = input.read_at(0, MAGIC.len().min(input.len() as usize))?;
    if head[..] != *MAGIC {
        return Err(Error::run("not a Parquet file: it does not begin with PAR1")
            .at(name)
            .advise("give its true format with --format"));
    }
    if input.len() < BYTES_MIN
        || input.read_at(input.len() - MAGIC.len() as u64, MAGIC.len())?[..] != *MAGIC
    {
        return Err(Error::run("truncated Parquet file: its end is missing")
            .at(name)
            .advise("make or copy the file again"));
    }
    Ok(())
}

fn damaged(name: &str, error: &dyn std::fmt::Display) -> Error {
    Error::run(format!("damaged Parquet file: {error}"))
        .at(name)
        .advise("make or copy the file again")
}
