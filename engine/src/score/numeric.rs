//! Columns of any numeric type as floats, NaN where null: what models read.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Schema, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::bit_chunk_iterator::BitChunks;

use pelton_kernels::columns::{decimals_to_f64, select_f64};

use crate::error::{Error, Result};
use crate::expr::{column_index, power_of_ten};

/// Index of the column, if a model can read it.
pub(super) fn check_numeric(schema: &Schema, name: &str) -> Result<usize> {
    let index = column_index(schema, name)?;
    if schema.fields()[index + 1..].iter().any(|field| field.name() == name) {
        return Err(Error::usage(format!("there are two columns `{name}`: which one is meant?"))
            .advise("give one of them another name before the model reads it"));
    }
    let data_type = schema.field(index).data_type();
    let numeric = data_type.is_integer()
        || matches!(
            data_type,
            DataType::Boolean
                | DataType::Float32
                | DataType::Float64
                | DataType::Decimal128(..)
                | DataType::Null
        );
    if numeric {
        return Ok(index);
    }
    Err(Error::usage(format!("column `{name}` is {data_type}, which a model cannot weigh"))
        .advise("give the model integers, floats, decimals or booleans (categories as numbers)"))
}

/// The values of rows `start..start + length` as floats, NaN where null. Floats without nulls are
/// lent out as they are; everything else is converted into `scratch`, which is as long.
///
/// `array` has a type that [`check_numeric`] accepts; another one reads as missing.
pub(super) fn floats<'a>(array: &'a ArrayRef, start: usize, scratch: &'a mut [f64]) -> &'a [f64] {
    let length = scratch.len();
    macro_rules! cast {
        ($($type:ident)*) => {
            match array.data_type() {
                DataType::Float64 => {
                    let floats = array.as_primitive::<Float64Type>();
                    if floats.null_count() == 0 {
                        return &floats.values()[start..start + length];
                    }
                    present_or_missing(floats, start, scratch);
                }
                $(data_type if *data_type == $type::DATA_TYPE => {
                    fill(array.as_primitive::<$type>(), start, scratch, |value| value as f64);
                })*
                DataType::Decimal128(_, scale) => {
                    let divisor = power_of_ten(*scale);
                    let decimals = array.as_primitive::<Decimal128Type>();
                    decimals_to_f64(&decimals.values()[start..start + length], divisor, scratch);
                    mark_missing(decimals, start, scratch);
                }
                DataType::Boolean => fill_bools(array.as_boolean(), start, scratch),
                _ => scratch.fill(f64::NAN),
            }
        };
    }
    cast!(Int8Type Int16Type Int32Type Int64Type UInt8Type UInt16Type UInt32Type UInt64Type
          Float32Type);
    scratch
}

/// The value of one row, as [`floats`] gives it.
pub(super) fn float(array: &ArrayRef, row: usize) -> f64 {
    match array.data_type() {
        DataType::Float64 if array.is_valid(row) => array.as_primitive::<Float64Type>().value(row),
        DataType::Int64 if array.is_valid(row) => {
            array.as_primitive::<Int64Type>().value(row) as f64
        }
        DataType::Float64 | DataType::Int64 => f64::NAN,
        _ => floats(array, row, &mut [0.0])[0],
    }
}

/// Rows `start..start + length` of a column of integers, if none of it is null.
pub(super) fn counts(array: &ArrayRef, start: usize, length: usize) -> Option<&[i64]> {
    let integers = array.as_primitive_opt::<Int64Type>()?;
    (integers.null_count() == 0).then(|| &integers.values()[start..start + length])
}

fn fill<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    start: usize,
    out: &mut [f64],
    convert: impl Fn(T::Native) -> f64,
) {
    let values = &array.values()[start..start + out.len()];
    for (out, value) in out.iter_mut().zip(values) {
        *out = convert(*value);
    }
    mark_missing(array, start, out);
}

fn fill_bools(array: &BooleanArray, start: usize, out: &mut [f64]) {
    for (row, out) in out.iter_mut().enumerate() {
        *out = f64::from(u8::from(array.value(start + row)));
    }
    mark_missing(array, start, out);
}

/// Floats with nulls among them.
fn present_or_missing(array: &PrimitiveArray<Float64Type>, start: usize, out: &mut [f64]) {
    let values = &array.values()[start..start + out.len()];
    let Some(nulls) = array.nulls() else { return out.copy_from_slice(values) };
    let valid = BitChunks::new(nulls.validity(), nulls.offset() + start, out.len());
    for ((out, values), valid) in out.chunks_mut(64).zip(values.chunks(64)).zip(valid.iter_padded())
    {
        match valid {
            u64::MAX => out.copy_from_slice(values),
            _ => select_f64(&[valid], values, &MISSING[..out.len()], out),
        }
    }
}

const MISSING: [f64; 64] = [f64::NAN; 64];

/// Nulls become NaN, 64 rows a step; where none is null that costs nothing.
fn mark_missing(array: &dyn Array, start: usize, out: &mut [f64]) {
    let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return;
    };
    let valid = BitChunks::new(nulls.validity(), nulls.offset() + start, out.len());
    for (out, valid) in out.chunks_mut(64).zip(valid.iter_padded()) {
        if valid == u64::MAX {
            continue;
        }
        for (row, out) in out.iter_mut().enumerate() {
            if valid >> row & 1 == 0 {
                *out = f64::NAN;
            }
        }
    }
}
