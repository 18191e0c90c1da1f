//! Types that are looked up as the values of another: what has no hot loop of its own takes the
//! one of text (its bytes) or of decimals (128 bits). A copy of the column a batch is the price.
//!
//! | type | looked up as |
//! |---|---|
//! | binary, of any encoding | bytes |
//! | Decimal256 | 32 bytes, the least first |
//! | Interval(MonthDayNano) | 128 bits: months, days, nanoseconds |
//! | Interval(DayTime) | 64 bits: days, milliseconds |
//!
//! Intervals are equal by their parts: a month is no number of days, and 24 hours are no day.

use std::sync::Arc;

use arrow::array::types::{
    Decimal128Type, Decimal256Type, IntervalDayTime, IntervalMonthDayNano, IntervalMonthDayNanoType,
};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array};
use arrow::array::{FixedSizeBinaryArray, IntervalMonthDayNanoArray, LargeBinaryArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalUnit, i256};

use crate::error::{Error, Result};

/// Whether values are looked up by their bytes, and are no text.
pub(super) fn is_bytes(data_type: &DataType) -> bool {
    use DataType::*;
    matches!(data_type, Binary | LargeBinary | BinaryView | FixedSizeBinary(_) | Decimal256(..))
}

/// Whether values are looked up as 128 bits.
pub(super) fn is_wide(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(..) | DataType::Interval(IntervalUnit::MonthDayNano))
}

/// The bytes of a column for which [`is_bytes`] holds.
///
/// # Errors
/// When it is of another type.
pub(crate) fn bytes_of(column: &ArrayRef) -> Result<LargeBinaryArray> {
    if let DataType::Decimal256(..) = column.data_type() {
        let values = column.as_primitive::<Decimal256Type>();
        return Ok(values.iter().map(|value| value.map(i256::to_le_bytes)).collect());
    }
    Ok(cast(column, &DataType::LargeBinary)?.as_binary::<i64>().clone())
}

/// Undoes [`bytes_of`].
///
/// # Errors
/// When the bytes exceed what an array of the type can hold.
pub(super) fn bytes_array<'a>(
    values: impl Iterator<Item = Option<&'a [u8]>> + Clone,
    output: &DataType,
) -> Result<ArrayRef> {
    match output {
        DataType::Decimal256(..) => {
            let number = |bytes: &[u8]| i256::from_le_bytes(bytes.try_into().unwrap_or_default());
            let array: Decimal256Array = values.map(|bytes| bytes.map(number)).collect();
            Ok(Arc::new(array.with_data_type(output.clone())))
        }
        DataType::FixedSizeBinary(width) => {
            Ok(Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, *width)?))
        }
        DataType::Binary => {
            let bytes: usize = values.clone().flatten().map(<[u8]>::len).sum();
            if i32::try_from(bytes).is_err() {
                return Err(Error::run("the bytes of one key column of one output exceed 2 GiB")
                    .advise("read the column as LargeBinary, or use shorter windows"));
            }
            Ok(cast(&values.collect::<LargeBinaryArray>(), output)?)
        }
        _ => Ok(cast(&values.collect::<LargeBinaryArray>(), output)?),
    }
}

/// The values of a column for which [`is_wide`] holds, as 128 bits each.
pub(crate) fn wide_of(column: &ArrayRef) -> Decimal128Array {
    match column.data_type() {
        DataType::Decimal128(..) => column.as_primitive::<Decimal128Type>().clone(),
        _ => column.as_primitive::<IntervalMonthDayNanoType>().unary(|value| {
            let high = i128::from(value.months) << 96 | i128::from(value.days as u32) << 64;
            high | i128::from(value.nanoseconds as u64)
        }),
    }
}

/// Undoes [`wide_of`].
pub(super) fn wide_array(
    values: impl Iterator<Item = Option<i128>>,
    output: &DataType,
) -> ArrayRef {
    if let DataType::Decimal128(..) = output {
        let array: Decimal128Array = values.collect();
        return Arc::new(array.with_data_type(output.clone()));
    }
    let interval = |bits: i128| {
        IntervalMonthDayNano::new((bits >> 96) as i32, (bits >> 64) as i32, bits as i64)
    };
    Arc::new(values.map(|bits| bits.map(interval)).collect::<IntervalMonthDayNanoArray>())
}

/// Days and milliseconds as one word.
#[inline]
pub(crate) fn day_time_bits(value: IntervalDayTime) -> u64 {
    u64::from(value.days as u32) << 32 | u64::from(value.milliseconds as u32)
}

/// Undoes [`day_time_bits`].
#[inline]
pub(super) fn day_time_of(bits: u64) -> IntervalDayTime {
    IntervalDayTime::new((bits >> 32) as i32, bits as i32)
}
