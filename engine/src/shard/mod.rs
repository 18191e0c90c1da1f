//! Which core owns a key: rows to shards by a fixed hash of the key's *values*.
//!
//! The hash is part of what a run means only in that equal keys must meet: it sees values, not
//! encodings, so that a card is on one shard whether it comes as text, as large text or as a
//! dictionary code, and an integer whether it comes in 32 bits or in 64. Null is a value; −0 is
//! +0 and all NaN are one. No column at all is one key, on shard 0.
//!
//! The hash of words and of text is [`shard_hash`](pelton_kernels::shard_hash)'s; what a value's
//! word is, is decided here:
//!
//! ```text
//! word(v)  = integers, dates, times, booleans: as i64;   f16, f32 and f64: bits of the f64;
//!            decimals: both halves, one folded;          text, binary: a hash of the bytes
//!            intervals: their parts, as of decimals      Decimal256: a hash of its bytes
//! ```

use arrow::array::types::*;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use pelton_kernels::columns::words;
use pelton_kernels::shard_hash::{self, NULL_WORD, Offset, SEED};
use pelton_kernels::shard_scatter::{self, SHARDS_MAX};
use pelton_kernels::simd::{self, Level};

use crate::accel::Accelerator;
use crate::error::{Error, Result};
use crate::state::keys::{bytes_of, canonical_f64, day_time_bits, wide_of};

#[cfg(feature = "gpu")]
mod on_gpu;
#[cfg(test)]
mod tests;

/// Rows whose hashes are held at once: they stay in L1. A multiple of the bits of a word.
const CHUNK: usize = 512;

/// Writes the shard of each row's key to `out` (cleared first). `rows` is the number of rows,
/// which the columns cannot tell where there is none.
///
/// # Errors
/// When a column's type cannot be a key.
#[cfg(test)]
fn shard_of(columns: &[ArrayRef], rows: usize, shards: u32, out: &mut Vec<u16>) -> Result<()> {
    out.clear();
    out.resize(rows, 0);
    for_each_chunk(columns, rows, None, |level, first, hashes| {
        let ids = &mut out[first..first + hashes.len()];
        shard_scatter::shard_ids(level, hashes, shards, ids);
    })
}

/// Writes the indices of the rows whose key belongs to `own`, one of `shards`, to `out` (cleared
/// first), increasing. An accelerator hashes where everything is asked of it.
///
/// # Errors
/// When a column's type cannot be a key.
pub fn select(
    columns: &[ArrayRef],
    rows: usize,
    (own, shards): (u32, u32),
    accelerator: Option<&Accelerator>,
    out: &mut Vec<u32>,
) -> Result<()> {
    out.clear();
    debug_assert!(shards > 0 && shards <= SHARDS_MAX);
    for_each_chunk(columns, rows, accelerator, |level, first, hashes| {
        shard_scatter::shard_select(level, hashes, shards, own, first as u32, out);
    })
}

/// Calls `take` with the SIMD level, the first row and the hashes of each chunk of rows.
fn for_each_chunk(
    columns: &[ArrayRef],
    rows: usize,
    accelerator: Option<&Accelerator>,
    mut take: impl FnMut(Level, usize, &[u64]),
) -> Result<()> {
    let level = simd::level();
    #[cfg(feature = "gpu")]
    if let Some(hashes) = on_gpu::hashes(level, columns, rows, accelerator)? {
        let chunks = hashes.chunks(CHUNK).enumerate();
        chunks.for_each(|(chunk, hashes)| take(level, chunk * CHUNK, hashes));
        return Ok(());
    }
    #[cfg(not(feature = "gpu"))]
    debug_assert!(accelerator.is_none(), "there is no GPU");
    let columns: Vec<Words> =
        columns.iter().map(|c| Words::new(level, c, rows)).collect::<Result<_>>()?;
    let start = if columns.is_empty() { 0 } else { SEED };
    let mut hashes = [0; CHUNK];
    for first in (0..rows).step_by(CHUNK) {
        let hashes = &mut hashes[..CHUNK.min(rows - first)];
        hashes.fill(start);
        for column in &columns {
            column.add_to(level, first, hashes);
        }
        take(level, first, hashes);
    }
    Ok(())
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

#[cfg(feature = "gpu")]
use for_integer_type;

/// A column as the words that are hashed.
struct Words {
    values: WordSource,
    /// A bit for each row that is not null; `None`: none is.
    valid: Option<Vec<u64>>,
}

enum WordSource {
    /// An array of an integer-like type, read in place.
    Array(ArrayRef),
    /// Words made before: text, binary, decimals, floats, booleans, intervals.
    Ready(Vec<u64>),
    /// Words by dictionary code (a null code has any), and the words of the values.
    Coded(Vec<usize>, Vec<u64>),
}

impl Words {
    fn new(level: Level, column: &ArrayRef, rows: usize) -> Result<Self> {
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
        let valid = nulls.map(bits_of);
        let values = match column.data_type() {
            DataType::Dictionary(..) => {
                let dictionary = column.as_any_dictionary();
                let values = dictionary.values();
                if values.len() > 64 + 2 * rows || values.is_empty() {
                    // More dictionary than rows: only the rows' own values are looked at.
                    let value_type = values.data_type().clone();
                    return Self::new(level, &arrow::compute::cast(column, &value_type)?, rows);
                }
                let mut words = Self::new(level, values, values.len())?.values.to_words();
                for (i, word) in words.iter_mut().enumerate() {
                    if values.is_null(i) {
                        *word = NULL_WORD;
                    }
                }
                WordSource::Coded(dictionary.normalized_keys(), words)
            }
            DataType::Utf8 => {
                let text = column.as_string::<i32>();
                text_words(level, text.value_offsets(), text.value_data())
            }
            DataType::LargeUtf8 => {
                let text = column.as_string::<i64>();
                text_words(level, text.value_offsets(), text.value_data())
            }
            DataType::Utf8View => {
                let plain = arrow::compute::cast(column, &DataType::LargeUtf8)?;
                let text = plain.as_string::<i64>();
                text_words(level, text.value_offsets(), text.value_data())
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
            DataType::Decimal128(..) | DataType::Interval(IntervalUnit::MonthDayNano) => {
                let values = wide_of(column);
                let words = values.values().iter().map(|&v| shard_hash::wide_word(v));
                WordSource::Ready(words.collect())
            }
            DataType::Interval(IntervalUnit::DayTime) => {
                let values = column.as_primitive::<IntervalDayTimeType>().values().iter();
                WordSource::Ready(values.map(|&v| day_time_bits(v)).collect())
            }
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
            | DataType::Decimal256(..) => {
                let bytes = bytes_of(column)?;
                text_words(level, bytes.value_offsets(), bytes.value_data())
            }
            other if is_integer_like(other) => WordSource::Array(column.clone()),
            other => {
                return Err(Error::usage(format!("a column of type {other} cannot be a key"))
                    .advise(
                        "key by numbers, booleans, decimals, times, intervals, text or binary",
                    ));
            }
        };
        Ok(Self { values, valid })
    }

    /// Folds the words of the rows from `first` on, a multiple of 64, into their hashes.
    fn add_to(&self, level: Level, first: usize, hashes: &mut [u64]) {
        let len = hashes.len();
        let valid = self.valid.as_ref().map(|valid| &valid[first / 64..][..words(len)]);
        match &self.values {
            WordSource::Array(array) => {
                macro_rules! hash {
                    ($type:ty) => {{
                        let values = &array.as_primitive::<$type>().values()[first..][..len];
                        shard_hash::hash_integers(level, values, valid, hashes);
                    }};
                }
                for_integer_type!(array.data_type(), hash, ());
            }
            WordSource::Ready(words) => {
                shard_hash::hash_integers(level, &words[first..][..len], valid, hashes);
            }
            WordSource::Coded(codes, words) => {
                let mut chunk = [0; CHUNK];
                let codes = codes[first..][..len].iter();
                chunk.iter_mut().zip(codes).for_each(|(slot, &code)| *slot = words[code]);
                shard_hash::hash_integers(level, &chunk[..len], valid, hashes);
            }
        }
    }
}

/// A bit for each row that is not null.
fn bits_of(nulls: &NullBuffer) -> Vec<u64> {
    nulls.inner().bit_chunks().iter_padded().take(words(nulls.len())).collect()
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
    /// The words of the values of a dictionary, which are no codes themselves.
    fn to_words(&self) -> Vec<u64> {
        match self {
            Self::Array(array) => {
                macro_rules! words {
                    ($type:ty) => {{
                        let values = array.as_primitive::<$type>().values().iter();
                        // Sign-extended: the same number is the same word in each width.
                        values.map(|&value| value as i64 as u64).collect()
                    }};
                }
                for_integer_type!(array.data_type(), words, Vec::new())
            }
            Self::Ready(words) => words.clone(),
            Self::Coded(codes, words) => codes.iter().map(|&code| words[code]).collect(),
        }
    }
}

fn float_word(value: f64) -> u64 {
    canonical_f64(value).to_bits()
}

fn text_words<O: Offset>(level: Level, offsets: &[O], bytes: &[u8]) -> WordSource {
    let mut words = vec![0; offsets.len().saturating_sub(1)];
    shard_hash::hash_bytes(level, offsets, bytes, &mut words);
    WordSource::Ready(words)
}
