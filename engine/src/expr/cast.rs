//! The types that expressions compute in, and the conversions between them.
//!
//! Columns come in many types; computation happens in few: Boolean, Int64, Float64, Decimal128,
//! text, and for comparisons alone UInt64 and times. [`Class`] sorts a column's type into one of
//! these families; [`convert`] moves values between them, exactly or with an error.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, PrimitiveArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Float64Type};
use pelton_kernels::columns::decimals_to_f64;

use crate::error::{Error, Result};

/// Families of types that compute alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The type of the literal null.
    Null,
    /// True or false.
    Bool,
    /// Integers that fit 64 bits with sign.
    Int,
    /// Integers up to 2^64 − 1.
    UInt64,
    /// Times and durations: integers with a unit.
    Time,
    /// Floats.
    Float,
    /// Decimal128 with this scale.
    Decimal(i8),
    /// Text, plain or in a dictionary.
    Text,
    /// A type that expressions hand through but cannot compute with.
    Other,
}

impl Class {
    pub(super) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Bool,
            DataType::UInt64 => Self::UInt64,
            data_type if data_type.is_integer() => Self::Int,
            DataType::Timestamp(..)
            | DataType::Date32
            | DataType::Date64
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Duration(_) => Self::Time,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Decimal128(_, scale) => Self::Decimal(*scale),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Dictionary(_, values) if Self::of(values) == Self::Text => Self::Text,
            _ => Self::Other,
        }
    }

    /// Whether arithmetic is defined on it.
    pub(super) fn is_number(self) -> bool {
        matches!(
            self,
            Self::Null | Self::Int | Self::UInt64 | Self::Time | Self::Float | Self::Decimal(_)
        )
    }
}

/// Decimals are computed with at the largest precision.
pub(super) fn decimal_of_scale(scale: i8) -> DataType {
    DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale)
}

/// The type in which values of two types can stand in one column without loss (`when`,
/// `coalesce`, `min`, `max`); `None`: there is none.
pub(super) fn common_type(left: &DataType, right: &DataType) -> Option<DataType> {
    use Class::{Bool, Decimal, Float, Int, Null, Text, UInt64};
    if left == right {
        return Some(left.clone());
    }
    match (Class::of(left), Class::of(right)) {
        (Null, _) => Some(right.clone()),
        (_, Null) => Some(left.clone()),
        (Bool, Bool) => Some(DataType::Boolean),
        (Text, Text) => Some(DataType::Utf8),
        (Int | UInt64, Int | UInt64) => Some(DataType::Int64),
        (Decimal(a), Decimal(b)) => Some(decimal_of_scale(a.max(b))),
        (Decimal(scale), Int | UInt64) | (Int | UInt64, Decimal(scale)) => {
            Some(decimal_of_scale(scale.max(0)))
        }
        (Float, other) | (other, Float) if matches!(other, Int | UInt64 | Float | Decimal(_)) => {
            Some(DataType::Float64)
        }
        _ => None,
    }
}

/// Converts an array to another type of the same meaning.
///
/// # Errors
/// When a value has no place in the new type.
pub(super) fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), to) {
        (DataType::Decimal128(..), DataType::Float64) => Ok(Arc::new(decimal_to_f64(array))),
        (DataType::Decimal128(_, from), DataType::Decimal128(precision, scale))
            if from == scale && *precision == DECIMAL128_MAX_PRECISION =>
        {
            let values = array.as_primitive::<Decimal128Type>().clone();
            Ok(Arc::new(values.with_precision_and_scale(*precision, *scale)?))
        }
        (from, _) => {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(array, to, &options).map_err(|error| {
                Error::run(format!("a value of type {from} has no place in {to}: {error}"))
            })
        }
    }
}

/// The nearest f64 of `unscaled / 10^scale` as the quotient of two floats: the very float that
/// the decimal's text would be read as, while both are exact (below 2^53 and up to 10^22).
fn decimal_to_f64(array: &ArrayRef) -> Float64Array {
    let decimals = array.as_primitive::<Decimal128Type>();
    let divisor = power_of_ten(decimals.scale());
    let mut values = vec![0.0; decimals.len()];
    decimals_to_f64(decimals.values(), divisor, &mut values);
    PrimitiveArray::<Float64Type>::new(values.into(), decimals.nulls().cloned())
}

/// 10^exponent as the nearest f64.
pub(crate) fn power_of_ten(exponent: i8) -> f64 {
    /// These are exact; with a whole number below 2^53 above them, a quotient is exactly rounded.
    const EXACT: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ];
    let exact = usize::try_from(exponent).ok().and_then(|exponent| EXACT.get(exponent));
    // Reading such a text cannot fail.
    exact.copied().unwrap_or_else(|| format!("1e{exponent}").parse().unwrap_or(f64::NAN))
}
