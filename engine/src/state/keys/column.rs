//! One column's values to dense ids, whatever its type.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::types::*;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray};
use arrow::array::{LargeStringArray, PrimitiveArray, StringArray};
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};

use super::NO_ID;
use super::integer::IntegerKeys;
use super::shapes::{
    bytes_array, bytes_of, day_time_bits, day_time_of, is_bytes, is_wide, wide_array, wide_of,
};
use super::text::TextKeys;
use super::wide::WideKeys;
use crate::error::{Error, Result};
use crate::operator::Rows;

/// What null is among the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// A key like another.
    AreKeys,
    /// No key: [`NO_ID`] stands for it.
    AreReserved,
}

/// One column's values to dense ids, and back.
#[derive(Debug)]
pub(crate) struct ColumnKeys {
    /// The type that rows come in.
    input: DataType,
    /// The type that values go back in.
    output: DataType,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Integer(IntegerKeys),
    Text(TextKeys),
    Wide(WideKeys),
}

/// Calls `$call!(ArrowType, to_key, from_key)` for the integer-like `$data_type`: `to_key` turns
/// a native value into 64 bits, `from_key` undoes it.
macro_rules! for_integer_like {
    ($data_type:expr, $call:ident, $other:expr) => {
        match $data_type {
            DataType::Int8 => $call!(Int8Type, |v| v as i64 as u64, |k| k as i8),
            DataType::Int16 => $call!(Int16Type, |v| v as i64 as u64, |k| k as i16),
            DataType::Int32 => $call!(Int32Type, |v| v as i64 as u64, |k| k as i32),
            DataType::Int64 => $call!(Int64Type, |v| v as u64, |k| k as i64),
            DataType::UInt8 => $call!(UInt8Type, u64::from, |k| k as u8),
            DataType::UInt16 => $call!(UInt16Type, u64::from, |k| k as u16),
            DataType::UInt32 => $call!(UInt32Type, u64::from, |k| k as u32),
            DataType::UInt64 => $call!(UInt64Type, |v| v, |k| k),
            DataType::Float16 => {
                $call!(Float16Type, |v| u64::from(canonical_f32(v.to_f32()).to_bits()), |k| {
                    <Float16Type as ArrowPrimitiveType>::Native::from_f32(f32::from_bits(k as u32))
                })
            }
            DataType::Interval(IntervalUnit::YearMonth) => {
                $call!(IntervalYearMonthType, |v| v as i64 as u64, |k| k as i32)
            }
            DataType::Interval(IntervalUnit::DayTime) => {
                $call!(IntervalDayTimeType, day_time_bits, day_time_of)
            }
            DataType::Float32 => {
                $call!(Float32Type, |v| u64::from(canonical_f32(v).to_bits()), |k| f32::from_bits(
                    k as u32
                ))
            }
            DataType::Float64 => {
                $call!(Float64Type, |v| canonical_f64(v).to_bits(), f64::from_bits)
            }
            DataType::Date32 => $call!(Date32Type, |v| v as i64 as u64, |k| k as i32),
            DataType::Date64 => $call!(Date64Type, |v| v as u64, |k| k as i64),
            DataType::Timestamp(TimeUnit::Second, _) => {
                $call!(TimestampSecondType, |v| v as u64, |k| k as i64)
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                $call!(TimestampMillisecondType, |v| v as u64, |k| k as i64)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                $call!(TimestampMicrosecondType, |v| v as u64, |k| k as i64)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                $call!(TimestampNanosecondType, |v| v as u64, |k| k as i64)
            }
            DataType::Time32(TimeUnit::Second) => {
                $call!(Time32SecondType, |v| v as i64 as u64, |k| k as i32)
            }
            DataType::Time32(_) => {
                $call!(Time32MillisecondType, |v| v as i64 as u64, |k| k as i32)
            }
            DataType::Time64(TimeUnit::Microsecond) => {
                $call!(Time64MicrosecondType, |v| v as u64, |k| k as i64)
            }
            DataType::Time64(_) => {
                $call!(Time64NanosecondType, |v| v as u64, |k| k as i64)
            }
            DataType::Duration(TimeUnit::Second) => {
                $call!(DurationSecondType, |v| v as u64, |k| k as i64)
            }
            DataType::Duration(TimeUnit::Millisecond) => {
                $call!(DurationMillisecondType, |v| v as u64, |k| k as i64)
            }
            DataType::Duration(TimeUnit::Microsecond) => {
                $call!(DurationMicrosecondType, |v| v as u64, |k| k as i64)
            }
            DataType::Duration(TimeUnit::Nanosecond) => {
                $call!(DurationNanosecondType, |v| v as u64, |k| k as i64)
            }
            DataType::Decimal32(..) => {
                $call!(Decimal32Type, |v| v as i64 as u64, |k| k as i32)
            }
            DataType::Decimal64(..) => $call!(Decimal64Type, |v| v as u64, |k| k as i64),
            _ => $other,
        }
    };
}

impl ColumnKeys {
    /// No value known yet.
    ///
    /// # Errors
    /// When values of `data_type` cannot be keys.
    pub(crate) fn new(data_type: &DataType, nulls: Nulls) -> Result<Self> {
        let output = match data_type {
            DataType::Dictionary(_, value) => value.as_ref(),
            other => other,
        };
        macro_rules! integer {
            ($type:ty, $to:expr, $from:expr) => {
                Some(())
            };
        }
        let is_integer = output == &DataType::Boolean
            || for_integer_like!(output, integer, None::<()>).is_some();
        let values = if is_integer {
            Values::Integer(match nulls {
                Nulls::AreKeys => IntegerKeys::default(),
                Nulls::AreReserved => IntegerKeys::with_reserved_null(),
            })
        } else if is_text(output) || is_bytes(output) {
            Values::Text(TextKeys::new(nulls))
        } else if is_wide(output) {
            Values::Wide(WideKeys::new(nulls))
        } else {
            return Err(Error::usage(format!("a column of type {data_type} cannot be a key"))
                .advise("key by numbers, booleans, decimals, times, intervals, text or binary"));
        };
        Ok(Self { input: data_type.clone(), output: output.clone(), values })
    }

    /// The type that rows come in.
    pub(crate) fn input_type(&self) -> &DataType {
        &self.input
    }

    /// Rows come in this type, whose values are those of the type so far.
    pub(crate) fn set_input(&mut self, input: DataType) {
        self.input = input;
    }

    /// The type of [`ColumnKeys::values`].
    pub(crate) fn output_type(&self) -> &DataType {
        &self.output
    }

    /// Number of ids given.
    pub(crate) fn len(&self) -> usize {
        match &self.values {
            Values::Integer(keys) => keys.len(),
            Values::Text(keys) => keys.len(),
            Values::Wide(keys) => keys.len(),
        }
    }

    /// Bytes allocated.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.values {
            Values::Integer(keys) => keys.bytes(),
            Values::Text(keys) => keys.memory_bytes(),
            Values::Wide(keys) => keys.bytes(),
        }
    }

    /// Writes the id of each row's value to `out` (cleared first).
    ///
    /// # Errors
    /// When the column's type is not the one declared, or there are too many values.
    pub(crate) fn ids(
        &mut self,
        column: &ArrayRef,
        rows: Rows<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        out.clear();
        let keys = match &mut self.values {
            Values::Text(keys) if is_text_encoded(column.data_type()) => {
                return keys.ids(column, rows, out);
            }
            _ if column.data_type() != &self.input => {
                return Err(Error::run(format!(
                    "a key column was of type {}, but is now of type {}",
                    self.input,
                    column.data_type()
                )));
            }
            Values::Integer(keys) => keys,
            Values::Wide(keys) => {
                return keys.ids(&wide_of(&plain(column, &self.output)?), rows, out);
            }
            Values::Text(keys) => {
                let bytes = bytes_of(&plain(column, &self.output)?)?;
                return keys.plain_ids(&bytes, rows, out);
            }
        };
        let plain = plain(column, &self.output)?;
        if let Some(flags) = plain.as_boolean_opt() {
            let values: Vec<u64> = flags.values().iter().map(u64::from).collect();
            return keys.ids(&values, |v| v, flags.nulls(), rows, out);
        }
        macro_rules! ids {
            ($type:ty, $to:expr, $from:expr) => {{
                let array = plain.as_primitive::<$type>();
                keys.ids(array.values(), $to, array.nulls(), rows, out)
            }};
        }
        for_integer_like!(&self.output, ids, Ok(()))
    }

    /// The values of `ids`, a row an id; [`NO_ID`] gives null.
    ///
    /// # Errors
    /// When their text exceeds what an array can hold.
    pub(crate) fn values(&self, ids: &[u32]) -> Result<ArrayRef> {
        let keys = match &self.values {
            Values::Integer(keys) => keys,
            Values::Text(keys) if is_bytes(&self.output) => {
                return bytes_array(ids.iter().map(|&id| keys.bytes(id)), &self.output);
            }
            Values::Text(keys) => return text_array(keys, ids, &self.output),
            Values::Wide(keys) => {
                return Ok(wide_array(ids.iter().map(|&id| keys.value(id)), &self.output));
            }
        };
        let key = |&id: &u32| (id != NO_ID && !keys.is_null(id)).then(|| keys.key(id));
        if self.output == DataType::Boolean {
            let array: BooleanArray = ids.iter().map(|id| key(id).map(|k| k != 0)).collect();
            return Ok(Arc::new(array));
        }
        let has_null = ids.iter().any(|&id| id == NO_ID || keys.is_null(id));
        macro_rules! array {
            ($type:ty, $to:expr, $from:expr) => {{
                let array: PrimitiveArray<$type> = native_array(ids, key, $from, has_null);
                Ok(Arc::new(array.with_data_type(self.output.clone())) as ArrayRef)
            }};
        }
        for_integer_like!(
            &self.output,
            array,
            Err(Error::run(format!("a key column of type {} cannot be given back", self.output)))
        )
    }
}

impl ColumnKeys {
    /// The values of these ids, where they are plain numbers without null.
    pub(crate) fn values_between(&self, ids: Range<usize>) -> Option<ArrayRef> {
        let Values::Integer(keys) = &self.values else { return None };
        let keys = keys.between(ids)?;
        macro_rules! array {
            ($type:ty, $to:expr, $from:expr) => {{
                let values = keys.iter().map(|&key| ($from)(key));
                let array = PrimitiveArray::<$type>::from_iter_values(values);
                Some(Arc::new(array.with_data_type(self.output.clone())) as ArrayRef)
            }};
        }
        for_integer_like!(&self.output, array, None)
    }
}

fn native_array<T: ArrowPrimitiveType>(
    ids: &[u32],
    key: impl Fn(&u32) -> Option<u64>,
    from: impl Fn(u64) -> T::Native,
    has_null: bool,
) -> PrimitiveArray<T> {
    if has_null {
        return ids.iter().map(|id| key(id).map(&from)).collect();
    }
    PrimitiveArray::from_iter_values(ids.iter().map(|id| from(key(id).unwrap_or_default())))
}

fn text_array(keys: &TextKeys, ids: &[u32], output: &DataType) -> Result<ArrayRef> {
    let texts = || ids.iter().map(|&id| keys.value(id));
    if output == &DataType::Utf8 {
        let bytes: usize = texts().flatten().map(str::len).sum();
        if i32::try_from(bytes).is_err() {
            return Err(Error::run("the text of one key column of one output exceeds 2 GiB")
                .advise("read the column as LargeUtf8, or use shorter windows"));
        }
        return Ok(Arc::new(texts().collect::<StringArray>()));
    }
    let large: ArrayRef = Arc::new(texts().collect::<LargeStringArray>());
    if output == &DataType::LargeUtf8 {
        return Ok(large);
    }
    Ok(arrow::compute::cast(&large, output)?)
}

/// The column without its dictionary.
fn plain(column: &ArrayRef, value_type: &DataType) -> Result<ArrayRef> {
    if column.data_type() == value_type {
        return Ok(Arc::clone(column));
    }
    Ok(arrow::compute::cast(column, value_type)?)
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_text_encoded(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_text(value),
        other => is_text(other),
    }
}

/// The one value that stands for all that equal `value` as a key.
#[inline]
pub(crate) fn canonical_f64(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

/// The one value that stands for all that equal `value` as a key.
#[inline]
pub(crate) fn canonical_f32(value: f32) -> f32 {
    if value.is_nan() { f32::NAN } else { value + 0.0 }
}
