//! Nowhere: rows are counted, checksummed and forgotten.
//!
//! For benchmarks that should pay for making the rows but not for writing them. The checksum is
//! taken column by column over all rows so far, so that it depends on the values and their order
//! and not on how they were cut into batches:
//!
//! ```text
//!  s = value of row r  xor  r · ODD
//!  column sum = Σ value, halves swapped  +  lower half of s · upper half of s
//!  checksum = fold over the columns
//! ```
//!
//! A value is its bits as one 64-bit word (wider ones are folded, text is hashed), a null a word
//! of its own. Against accidents, not against malice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::types::*;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::Sink;
use super::ndjson::NdJsonEncoder;
use crate::batch::Batch;
use crate::error::Result;

/// What a [`BlackholeSink`] has swallowed so far; can be read while it runs.
#[derive(Debug, Default)]
pub struct Swallowed {
    rows: AtomicU64,
    bytes: AtomicU64,
    checksum: AtomicU64,
}

impl Swallowed {
    /// Rows.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes of the columns' values: those of their types, a boolean as one.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Checksum of the rows in their order.
    pub fn checksum(&self) -> u64 {
        self.checksum.load(Ordering::Relaxed)
    }
}

/// Counts rows and forgets them.
#[derive(Debug)]
pub struct BlackholeSink {
    /// Rows so far.
    rows: u64,
    /// One a column.
    sums: Vec<u64>,
    swallowed: Arc<Swallowed>,
}

impl BlackholeSink {
    /// A sink of rows with this schema, and the counts that it keeps.
    pub fn new(schema: &SchemaRef) -> (Self, Arc<Swallowed>) {
        let swallowed = Arc::new(Swallowed::default());
        let sums = vec![0; schema.fields().len()];
        (Self { rows: 0, sums, swallowed: swallowed.clone() }, swallowed)
    }
}

impl Sink for BlackholeSink {
    fn write(&mut self, batch: &Batch) -> Result<()> {
        let mut bytes = 0;
        for (sum, column) in self.sums.iter_mut().zip(batch.rows.columns()) {
            let (added, size) = column_sum(column, self.rows)?;
            *sum = sum.wrapping_add(added);
            bytes += size;
        }
        self.rows += batch.len() as u64;
        let fold = |all: u64, sum: &u64| mix(all.rotate_left(29) ^ sum);
        let swallowed = &*self.swallowed;
        swallowed.rows.store(self.rows, Ordering::Relaxed);
        swallowed.bytes.fetch_add(bytes, Ordering::Relaxed);
        swallowed.checksum.store(self.sums.iter().fold(self.rows, fold), Ordering::Relaxed);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// 2^64 divided by the golden ratio, which is odd.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Stands for a null.
const NULL: u64 = 0xa5a5_5a5a_c3c3_3c3c;

#[inline]
fn mix(word: u64) -> u64 {
    (word ^ (word >> 32)).wrapping_mul(ODD)
}

/// The sum over the words of a column whose first row has this number.
fn words(words: impl Iterator<Item = u64>, first: u64) -> u64 {
    let mut salt = first.wrapping_mul(ODD);
    words.fold(0, |sum: u64, word| {
        // Both halves multiplied, as XXH3 does: the compiler has vectors for 32 × 32 bits.
        let salted = word ^ salt;
        salt = salt.wrapping_add(ODD);
        sum.wrapping_add(word.rotate_left(32)).wrapping_add((salted & 0xffff_ffff) * (salted >> 32))
    })
}

/// The sum over a column, and the bytes of its values.
fn column_sum(column: &ArrayRef, first: u64) -> Result<(u64, u64)> {
    let nulls = column.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    macro_rules! primitive {
        ($type:ty, $word:expr) => {{
            let values = column.as_primitive::<$type>().values();
            let of = |value: &<$type as ArrowPrimitiveType>::Native| -> u64 { $word(*value) };
            let sum = match &nulls {
                None => words(values.iter().map(of), first),
                Some(nulls) => words(
                    values.iter().zip(nulls.iter()).map(|(v, set)| if set { of(v) } else { NULL }),
                    first,
                ),
            };
            Ok((sum, values.inner().len() as u64))
        }};
    }
    let texts = |texts: &mut dyn Iterator<Item = Option<&[u8]>>| {
        let mut bytes = 0;
        let each = texts.map(|text| {
            bytes += text.map_or(0, <[u8]>::len) as u64;
            text.map_or(NULL, hash)
        });
        let sum = words(each, first);
        Ok((sum, bytes))
    };
    use DataType::{Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64};
    match column.data_type() {
        Int8 => primitive!(Int8Type, |v| v as u64),
        Int16 => primitive!(Int16Type, |v| v as u64),
        Int32 => primitive!(Int32Type, |v| v as u64),
        Int64 => primitive!(Int64Type, |v| v as u64),
        DataType::UInt8 => primitive!(UInt8Type, u64::from),
        DataType::UInt16 => primitive!(UInt16Type, u64::from),
        DataType::UInt32 => primitive!(UInt32Type, u64::from),
        DataType::UInt64 => primitive!(UInt64Type, |v| v),
        Float32 => primitive!(Float32Type, |v: f32| u64::from(v.to_bits())),
        Float64 => primitive!(Float64Type, f64::to_bits),
        Date32 => primitive!(Date32Type, |v| v as u64),
        Decimal128(..) => primitive!(Decimal128Type, |v: i128| {
            (v as u64) ^ ((v >> 64) as u64).wrapping_mul(ODD)
        }),
        DataType::Timestamp(..) | DataType::Date64 | DataType::Duration(_) => {
            column_sum(&cast(column, &Int64)?, first)
        }
        DataType::Utf8 => {
            texts(&mut column.as_string::<i32>().iter().map(|text| text.map(str::as_bytes)))
        }
        DataType::LargeUtf8 => {
            texts(&mut column.as_string::<i64>().iter().map(|text| text.map(str::as_bytes)))
        }
        DataType::Boolean => {
            let values = column.as_boolean();
            let sum = words(values.iter().map(|v| v.map_or(NULL, u64::from)), first);
            Ok((sum, values.len() as u64))
        }
        DataType::Dictionary(_, values) => column_sum(&cast(column, values)?, first),
        _ => lines_sum(column, first),
    }
}

/// The sum over values of any other type, each as the text that NDJSON has for it.
fn lines_sum(column: &ArrayRef, first: u64) -> Result<(u64, u64)> {
    let field = Field::new("value", column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let mut text = Vec::new();
    let rows = RecordBatch::try_new(schema.clone(), vec![column.clone()])?;
    NdJsonEncoder::new(&schema).encode(&rows, &mut text)?;
    let lines = text.split_inclusive(|&byte| byte == b'\n');
    Ok((words(lines.map(hash), first), text.len() as u64))
}

/// Eight bytes at a time, the same on every machine.
fn hash(bytes: &[u8]) -> u64 {
    let fold = |sum: u64, word: u64| mix(sum.rotate_left(29) ^ word);
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(bytes.len() as u64, |sum, w| fold(sum, u64::from_le_bytes(*w)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    fold(sum, u64::from_le_bytes(last))
}
