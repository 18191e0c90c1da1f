//! Which core owns a key: rows to shards by a fixed hash of the key's *values*.
//!
//! The hash is part of what a run means only in that equal keys must meet: it sees values, not
//! encodings, so that a card is on one shard whether it comes as text, as large text or as a
//! dictionary code, and an integer whether it comes in 32 bits or in 64. Null is a value; −0 is
//! +0 and all NaN are one. No column at all is one key, on shard 0.
//!
//! Definition, with `fold(a, b)` the xor of the two halves of the 128-bit product a·b:
//!
//! ```text
//! word(v)  = integers, dates, times, booleans: as i64;   f32 and f64: bits of the f64;
//!            decimals: low ⊕ fold(high ⊕ S, M);          text: length, then 8 bytes a fold
//! hash     = S, then for each column  hash = fold(hash ⊕ word, M)
//! shard    = (hash >> 32) · shards >> 32
//! ```
//!
//! It must not be the hash of the key index's table: else the keys of one shard would crowd
//! into one part of its table. S and M differ from that one's.

use arrow::array::types::*;
use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};

use crate::error::{Error, Result};
use crate::state::keys::{canonical_f64, folded_multiply};

#[cfg(test)]
mod tests;

const S: u64 = 0x4528_21e6_38d0_1377;
/// An odd number with as many ones as zeros, no pattern (digits of π again).
const M: u64 = 0xbe54_66cf_34e9_0c6d;
/// What null hashes as.
const NULL_WORD: u64 = 0x1319_8a2e_0370_7344;

/// Rows whose hashes are held at once: they stay in L1.
const CHUNK: usize = 512;

/// Most shards that there can be.
pub const SHARDS_MAX: u32 = 1 << 16;

/// Writes the shard of each row's key to `out` (cleared first). `rows` is the number of rows,
/// which the columns cannot tell where there is none.
///
/// # Errors
/// When a column's type cannot be a key.
#[cfg(test)]
fn shard_of(columns: &[ArrayRef], rows: usize, shards: u32, out: &mut Vec<u16>) -> Result<()> {
    out.clear();
    out.reserve(rows);
    for_each_chunk(columns, rows, |_, hashes| {
        out.extend(hashes.iter().map(|&hash| shard(hash, shards) as u16));
    })
}

/// Writes the indices of the rows whose key belongs to `own`, one of `shards`, to `out` (cleared
/// first), increasing.
///
/// # Errors
/// When a column's type cannot be a key.
pub fn select(
    columns: &[ArrayRef],
    rows: usize,
    shards: u32,
    own: u32,
    out: &mut Vec<u32>,
) -> Result<()> {
    out.clear();
    out.resize(rows, 0);
    let mut selected = 0;
    for_each_chunk(columns, rows, |first, hashes| {
        for (i, &hash) in hashes.iter().enumerate() {
            // Always written, kept where it is ours: no branch to mispredict.
            out[selected] = (first + i) as u32;
            selected += usize::from(shard(hash, shards) == own);
        }
    })?;
    out.truncate(selected);
    Ok(())
}

#[inline]
fn shard(hash: u64, shards: u32) -> u32 {
    debug_assert!(shards > 0 && shards <= SHARDS_MAX);
    (((hash >> 32) * u64::from(shards)) >> 32) as u32
}

/// Calls `take` with the first row and the hashes of each chunk of rows.
fn for_each_chunk(
    columns: &[ArrayRef],
    rows: usize,
    mut take: impl FnMut(usize, &[u64]),
) -> Result<()> {
    let columns: Vec<Words> = columns.iter().map(|c| Words::new(c, rows)).collect::<Result<_>>()?;
    let start = if columns.is_empty() { 0 } else { S };
    let mut hashes = [0; CHUNK];
    for first in (0..rows).step_by(CHUNK) {
        let hashes = &mut hashes[..CHUNK.min(rows - first)];
        hashes.fill(start);
        for column in &columns {
            column.add_to(first, hashes);
        }
        take(first, hashes);
    }
    Ok(())
}

/// A column as the words that are hashed.
struct Words {
    values: WordSource,
    nulls: Option<NullBuffer>,
}

enum WordSource {
    /// An array of an integer-like type, read in place.
    Array(ArrayRef),
    /// Words made before: text, decimals, floats, booleans.
    Ready(Vec<u64>),
    /// Words by dictionary code (a null code has any), and the words of the values.
    Coded(Vec<usize>, Vec<u64>),
}

impl Words {
    fn new(column: &ArrayRef, rows: usize) -> Result<Self> {
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        let values = match column.data_type() {
            DataType::Dictionary(..) => {
                let dictionary = column.as_any_dictionary();
                let values = dictionary.values();
                if values.len() > 64 + 2 * rows || values.is_empty() {
                    // More dictionary than rows: only the rows' own values are looked at.
                    let value_type = values.data_type().clone();
                    return Self::new(&arrow::compute::cast(column, &value_type)?, rows);
                }
                let inner = Self::new(values, values.len())?;
                let mut words = inner.values.to_words(values.len());
                if let Some(nulls) = inner.nulls {
                    for (i, word) in words.iter_mut().enumerate() {
                        if nulls.is_null(i) {
                            *word = NULL_WORD;
                        }
                    }
                }
                WordSource::Coded(dictionary.normalized_keys(), words)
            }
            DataType::Utf8 => WordSource::Ready(text_words(column.as_string::<i32>())),
            DataType::LargeUtf8 => WordSource::Ready(text_words(column.as_string::<i64>())),
            DataType::Utf8View => {
                let plain = arrow::compute::cast(column, &DataType::LargeUtf8)?;
                WordSource::Ready(text_words(plain.as_string::<i64>()))
            }
            DataType::Boolean => {
                WordSource::Ready(column.as_boolean().values().iter().map(u64::from).collect())
            }
            DataType::Float16 => {
                let values = column.as_primitive::<Float16Type>().values().iter();
                WordSource::Ready(values.map(|&v| float_word(v.to_f64())).collect())
            }
            DataType::Float32 => {
                let values = column.as_primitive::<Float32Type>().values().iter();
                WordSource::Ready(values.map(|&v| float_word(f64::from(v))).collect())
            }
            DataType::Float64 => {
                let values = column.as_primitive::<Float64Type>().values().iter();
                WordSource::Ready(values.map(|&v| float_word(v)).collect())
            }
            DataType::Decimal128(..) => {
                let values = column.as_primitive::<Decimal128Type>().values().iter();
                WordSource::Ready(values.map(|&v| decimal_word(v)).collect())
            }
            other if is_integer_like(other) => WordSource::Array(column.clone()),
            other => {
                return Err(Error::usage(format!("a column of type {other} cannot be a key"))
                    .advise("key by integers, booleans, floats, decimals, dates, times or text"));
            }
        };
        Ok(Self { values, nulls })
    }

    /// Folds the words of the rows from `first` on into their hashes.
    fn add_to(&self, first: usize, hashes: &mut [u64]) {
        let Some(nulls) = &self.nulls else {
            return self.values.for_each(first, hashes, |hash, word| *hash = fold(*hash, word));
        };
        let mut row = first;
        self.values.for_each(first, hashes, |hash, word| {
            *hash = fold(*hash, if nulls.is_null(row) { NULL_WORD } else { word });
            row += 1;
        });
    }
}

/// Calls `$call!(ArrowType)` for an integer-like type.
macro_rules! for_integer_type {
    ($data_type:expr, $call:ident, $other:expr) => {
        match $data_type {
            DataType::Int8 => $call!(Int8Type),
            DataType::Int16 => $call!(Int16Type),
            DataType::Int32 => $call!(Int32Type),
            DataType::Int64 => $call!(Int64Type),
            DataType::UInt8 => $call!(UInt8Type),
            DataType::UInt16 => $call!(UInt16Type),
            DataType::UInt32 => $call!(UInt32Type),
            DataType::UInt64 => $call!(UInt64Type),
            DataType::Date32 => $call!(Date32Type),
            DataType::Date64 => $call!(Date64Type),
            DataType::Timestamp(TimeUnit::Second, _) => $call!(TimestampSecondType),
            DataType::Timestamp(TimeUnit::Millisecond, _) => $call!(TimestampMillisecondType),
            DataType::Timestamp(TimeUnit::Microsecond, _) => $call!(TimestampMicrosecondType),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => $call!(TimestampNanosecondType),
            DataType::Time32(TimeUnit::Second) => $call!(Time32SecondType),
            DataType::Time32(_) => $call!(Time32MillisecondType),
            DataType::Time64(TimeUnit::Microsecond) => $call!(Time64MicrosecondType),
            DataType::Time64(_) => $call!(Time64NanosecondType),
            DataType::Duration(TimeUnit::Second) => $call!(DurationSecondType),
            DataType::Duration(TimeUnit::Millisecond) => $call!(DurationMillisecondType),
            DataType::Duration(TimeUnit::Microsecond) => $call!(DurationMicrosecondType),
            DataType::Duration(TimeUnit::Nanosecond) => $call!(DurationNanosecondType),
            DataType::Interval(IntervalUnit::YearMonth) => $call!(IntervalYearMonthType),
            DataType::Decimal32(..) => $call!(Decimal32Type),
            DataType::Decimal64(..) => $call!(Decimal64Type),
            _ => $other,
        }
    };
}

fn is_integer_like(data_type: &DataType) -> bool {
    macro_rules! yes {
        ($type:ty) => {
            true
        };
    }
    for_integer_type!(data_type, yes, false)
}

impl WordSource {
    #[inline]
    fn for_each(&self, first: usize, hashes: &mut [u64], mut take: impl FnMut(&mut u64, u64)) {
        match self {
            Self::Array(array) => {
                macro_rules! each {
                    ($type:ty) => {{
                        let values = &array.as_primitive::<$type>().values()[first..];
                        for (hash, &value) in hashes.iter_mut().zip(values) {
                            // Sign-extended: the same number is the same word in each width.
                            take(hash, value as i64 as u64);
                        }
                    }};
                }
                for_integer_type!(array.data_type(), each, ());
            }
            Self::Ready(words) => {
                hashes.iter_mut().zip(&words[first..]).for_each(|(hash, &word)| take(hash, word));
            }
            Self::Coded(codes, words) => {
                let codes = codes[first..].iter();
                hashes.iter_mut().zip(codes).for_each(|(hash, &code)| take(hash, words[code]));
            }
        }
    }

    /// All words, for the values of a dictionary.
    fn to_words(&self, len: usize) -> Vec<u64> {
        let mut words = vec![0; len];
        self.for_each(0, &mut words, |slot, word| *slot = word);
        words
    }
}

#[inline]
fn fold(hash: u64, word: u64) -> u64 {
    folded_multiply(hash ^ word, M)
}

fn float_word(value: f64) -> u64 {
    canonical_f64(value).to_bits()
}

fn decimal_word(value: i128) -> u64 {
    value as u64 ^ folded_multiply((value >> 64) as u64 ^ S, M)
}

fn text_words<O: OffsetSizeTrait>(array: &arrow::array::GenericStringArray<O>) -> Vec<u64> {
    (0..array.len()).map(|row| text_word(array.value(row).as_bytes())).collect()
}

fn text_word(text: &[u8]) -> u64 {
    let (words, rest) = text.as_chunks::<8>();
    let start = fold(S, text.len() as u64);
    let hash = words.iter().fold(start, |hash, &word| fold(hash, u64::from_le_bytes(word)));
    let tail = rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    fold(hash, tail)
}
