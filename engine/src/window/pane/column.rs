//! The columns that aggregates read, in one of three shapes: 64-bit integers, 128-bit integers,
//! floats of 64 bits.

use arrow::array::types::*;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, TimeUnit};

use crate::error::{Error, Result};

/// The values of a column of one batch.
#[derive(Debug)]
pub(super) enum Values {
    /// Integers up to 64 bits, dates, timestamps.
    Int(ScalarBuffer<i64>),
    /// UInt64 and decimals.
    Wide(ScalarBuffer<i128>),
    /// Floats.
    Float(ScalarBuffer<f64>),
    /// Only its nulls are of use.
    Opaque,
}

/// A column of one batch.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) values: Values,
    /// `None`: no null.
    pub(super) nulls: Option<NullBuffer>,
}

impl Column {
    /// `plain_type` is the type without its dictionary.
    pub(super) fn read(array: &ArrayRef, plain_type: &DataType) -> Result<Self> {
        if matches!(array.data_type(), DataType::Dictionary(..)) && is_numeric(plain_type) {
            let plain = arrow::compute::cast(array, plain_type)?;
            return Self::read(&plain, plain_type);
        }
        if is_numeric(plain_type) && array.data_type() != plain_type {
            return Err(Error::run(format!(
                "an aggregated column was of type {plain_type}, but is now of type {}",
                array.data_type()
            )));
        }
        // Logical: of a dictionary, also the codes of a null value.
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        Ok(Self { values: values(array), nulls })
    }
}

fn is_numeric(data_type: &DataType) -> bool {
    use DataType::{Date32, Date64, Decimal128, Float32, Float64, Timestamp};
    matches!(data_type, Float32 | Float64 | Decimal128(..) | Timestamp(..) | Date32 | Date64)
        || data_type.is_integer()
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
        DataType::Decimal128(..) => {
            Values::Wide(array.as_primitive::<Decimal128Type>().values().clone())
        }
        DataType::Float32 => widened!(Float, f64, Float32Type),
        DataType::Float64 => Values::Float(array.as_primitive::<Float64Type>().values().clone()),
        _ => Values::Opaque,
    }
}
