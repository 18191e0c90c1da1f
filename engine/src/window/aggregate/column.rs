//! A column of one batch, in one of the few shapes that aggregates are computed on: narrow
//! types are widened once a batch, so that the loops behind exist once a shape.
//!
//! A filter of an aggregate (`sum(x)` of the rows where a condition holds) makes the other rows'
//! values null, which every aggregate skips: no loop knows of filters.

use arrow::array::types::*;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, LargeStringArray, StringArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, TimeUnit};
use pelton_kernels::prefetch::prefetch_range;

use super::plan::Class;
use super::value::{Float, ValueRef};
use crate::error::{Error, Result};

/// The values of a column of one batch.
#[derive(Debug)]
pub(crate) enum Values {
    /// Integers and decimals up to 64 bits, dates, times, durations; booleans as 0 and 1.
    Int(ScalarBuffer<i64>),
    /// UInt64 and decimals of 128 bits.
    Wide(ScalarBuffer<i128>),
    /// Floats.
    Float(ScalarBuffer<f64>),
    /// Text.
    Text(StringArray),
    LargeText(LargeStringArray),
    /// Only its nulls are of use.
    Opaque,
}

/// A column of one batch.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) values: Values,
    /// `None`: no null.
    pub(crate) nulls: Option<NullBuffer>,
    is_bool: bool,
}

impl Column {
    /// `plain_type` is the type without its dictionary.
    pub(crate) fn read(array: &ArrayRef, plain_type: &DataType) -> Result<Self> {
        if has_values(plain_type) {
            let coded = matches!(array.data_type(), DataType::Dictionary(..));
            if coded || array.data_type() == &DataType::Utf8View {
                let view = plain_type == &DataType::Utf8View;
                let target = if view { &DataType::LargeUtf8 } else { plain_type };
                return Self::of(&arrow::compute::cast(array, target)?);
            }
            if array.data_type() != plain_type {
                return Err(Error::run(format!(
                    "an aggregated column was of type {plain_type}, but is now of type {}",
                    array.data_type()
                )));
            }
        }
        Self::of(array)
    }

    fn of(array: &ArrayRef) -> Result<Self> {
        // Logical: of a dictionary, also the codes of a null value.
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let is_bool = array.data_type() == &DataType::Boolean;
        Ok(Self { values: values(array), nulls, is_bool })
    }

    /// The rows `from..until`.
    pub(crate) fn slice(&self, from: usize, until: usize) -> Self {
        let len = until - from;
        let values = match &self.values {
            Values::Int(values) => Values::Int(values.slice(from, len)),
            Values::Wide(values) => Values::Wide(values.slice(from, len)),
            Values::Float(values) => Values::Float(values.slice(from, len)),
            Values::Text(values) => Values::Text(values.slice(from, len)),
            Values::LargeText(values) => Values::LargeText(values.slice(from, len)),
            Values::Opaque => Values::Opaque,
        };
        let nulls = self.nulls.as_ref().map(|nulls| nulls.slice(from, len));
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        Self { values, nulls, is_bool: self.is_bool }
    }

    /// Asks for the values of the rows `from..until`, as far as there are any, to be brought into
    /// the cache.
    pub(crate) fn prefetch(&self, from: usize, until: usize) {
        match &self.values {
            Values::Int(values) => prefetch_range(values, from..until),
            Values::Wide(values) => prefetch_range(values, from..until),
            Values::Float(values) => prefetch_range(values, from..until),
            Values::Text(_) | Values::LargeText(_) | Values::Opaque => {}
        }
    }

    /// A column of so many rows that has only the filter's rows.
    pub(crate) fn rows_of(filter: &BooleanArray) -> Self {
        let column = Self { values: Values::Opaque, nulls: None, is_bool: false };
        column.filtered(filter)
    }

    /// The column with null where the filter is not true. The filter has no null.
    pub(crate) fn filtered(mut self, filter: &BooleanArray) -> Self {
        let kept = NullBuffer::new(filter.values().clone());
        self.nulls = NullBuffer::union(self.nulls.as_ref(), Some(&kept));
        self
    }

    /// The value of a row; `None` where it is null.
    #[inline]
    pub(crate) fn value(&self, row: usize) -> Option<ValueRef<'_>> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        Some(match &self.values {
            Values::Int(values) if self.is_bool => ValueRef::Bool(values[row] != 0),
            Values::Int(values) => ValueRef::Int(values[row]),
            Values::Wide(values) => ValueRef::Wide(values[row]),
            Values::Float(values) => ValueRef::Float(Float(values[row])),
            Values::Text(values) => ValueRef::Text(values.value(row)),
            Values::LargeText(values) => ValueRef::Text(values.value(row)),
            Values::Opaque => ValueRef::Bool(true),
        })
    }
}

/// Whether values of the type can be read one by one (all types can be counted).
pub(crate) fn has_values(data_type: &DataType) -> bool {
    Class::of(data_type) != Class::Other
}

fn values(array: &ArrayRef) -> Values {
    macro_rules! own {
        ($type:ty) => {
            Values::Int(array.as_primitive::<$type>().values().clone())
        };
    }
    macro_rules! widened {
        ($shape:ident, $to:ty, $type:ty) => {
            Values::$shape(
                array.as_primitive::<$type>().values().iter().map(|&v| <$to>::from(v)).collect(),
            )
        };
    }
    match array.data_type() {
        DataType::Int8 => widened!(Int, i64, Int8Type),
        DataType::Int16 => widened!(Int, i64, Int16Type),
        DataType::Int32 => widened!(Int, i64, Int32Type),
        DataType::Int64 => own!(Int64Type),
        DataType::UInt8 => widened!(Int, i64, UInt8Type),
        DataType::UInt16 => widened!(Int, i64, UInt16Type),
        DataType::UInt32 => widened!(Int, i64, UInt32Type),
        DataType::UInt64 => widened!(Wide, i128, UInt64Type),
        DataType::Date32 => widened!(Int, i64, Date32Type),
        DataType::Date64 => own!(Date64Type),
        DataType::Timestamp(TimeUnit::Second, _) => own!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => own!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => own!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => own!(TimestampNanosecondType),
        DataType::Time32(TimeUnit::Second) => widened!(Int, i64, Time32SecondType),
        DataType::Time32(_) => widened!(Int, i64, Time32MillisecondType),
        DataType::Time64(TimeUnit::Microsecond) => own!(Time64MicrosecondType),
        DataType::Time64(_) => own!(Time64NanosecondType),
        DataType::Duration(TimeUnit::Second) => own!(DurationSecondType),
        DataType::Duration(TimeUnit::Millisecond) => own!(DurationMillisecondType),
        DataType::Duration(TimeUnit::Microsecond) => own!(DurationMicrosecondType),
        DataType::Duration(TimeUnit::Nanosecond) => own!(DurationNanosecondType),
        DataType::Decimal32(..) => widened!(Int, i64, Decimal32Type),
        DataType::Decimal64(..) => own!(Decimal64Type),
        DataType::Decimal128(..) => {
            Values::Wide(array.as_primitive::<Decimal128Type>().values().clone())
        }
        DataType::Float16 => {
            let halves = array.as_primitive::<Float16Type>().values();
            Values::Float(halves.iter().map(|half| half.to_f64()).collect())
        }
        DataType::Float32 => widened!(Float, f64, Float32Type),
        DataType::Float64 => Values::Float(array.as_primitive::<Float64Type>().values().clone()),
        DataType::Boolean => {
            Values::Int(array.as_boolean().values().iter().map(i64::from).collect())
        }
        DataType::Utf8 => Values::Text(array.as_string::<i32>().clone()),
        DataType::LargeUtf8 => Values::LargeText(array.as_string::<i64>().clone()),
        _ => Values::Opaque,
    }
}
