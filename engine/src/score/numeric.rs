//! Columns of any numeric type as floats, NaN where null: what models read.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Schema, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::bit_chunk_iterator::BitChunks;

use pelton_kernels::columns::select_f64;

use crate::error::{Error, Result};
use crate::expr::{column_index, decimal_as_f64, power_of_ten};

/// Index of the column, if a model can read it.
pub(super) fn check_numeric(schema: &Schema, name: &str) -> Result<usize> {
    let index = column_index(schema, name)?;
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
        .advise("give the model integers, floats, decimals or booleans"))
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
                    fill(floats, start, scratch, |value| value);
                }
                $(data_type if *data_type == $type::DATA_TYPE => {
                    fill(array.as_primitive::<$type>(), start, scratch, |value| value as f64);
                })*
                DataType::Decimal128(_, scale) => {
                    let divisor = power_of_ten(*scale);
                    let decimals = array.as_primitive::<Decimal128Type>();
                    fill(decimals, start, scratch, |value| decimal_as_f64(value, divisor));
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
        let mut known = [0.0; 64];
        let known = &mut known[..out.len()];
        known.copy_from_slice(out);
        select_f64(&[valid], known, &MISSING[..out.len()], out);
    }
}
