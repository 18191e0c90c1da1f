//! Comparisons, and choosing between two columns row by row.
//!
//! Arrow's comparison kernels order floats by IEEE 754's totalOrder, in which −0 is below +0 and
//! NaNs differ by their sign. Streams want what SQL engines do: −0 equals +0, NaN equals itself
//! and is greatest. So floats are compared here; all other types by Arrow.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Datum, PrimitiveArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::kernels::{cmp, zip};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::datatypes::{UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use pelton_kernels::columns::{Comparison, Integer, words};

use super::BinaryOp;
use crate::error::Result;

/// A column, or one value that stands for a column of equal ones.
#[derive(Debug, Clone)]
pub(super) struct Value {
    /// The column, or an array of length 1.
    pub(super) array: ArrayRef,
    /// Whether it is one value for all rows.
    pub(super) is_scalar: bool,
}

impl Value {
    pub(super) fn column(array: impl Array + 'static) -> Self {
        Self { array: Arc::new(array), is_scalar: false }
    }

    /// Index that stands for row `row`.
    #[inline]
    fn index(&self, row: usize) -> usize {
        if self.is_scalar { 0 } else { row }
    }
}

impl Datum for Value {
    fn get(&self) -> (&dyn Array, bool) {
        (self.array.as_ref(), self.is_scalar)
    }
}

/// `left op right` for a comparison of two values of the same type.
pub(super) fn compare(op: BinaryOp, left: &Value, right: &Value) -> Result<BooleanArray> {
    if left.array.data_type() == &DataType::Float64 {
        return Ok(compare_f64(op, left, right));
    }
    if let Some(mask) = with_constant(op, left, right) {
        return Ok(mask);
    }
    Ok(match op {
        BinaryOp::Ne => cmp::neq(left, right),
        BinaryOp::Lt => cmp::lt(left, right),
        BinaryOp::Le => cmp::lt_eq(left, right),
        BinaryOp::Gt => cmp::gt(left, right),
        BinaryOp::Ge => cmp::gt_eq(left, right),
        _ => cmp::eq(left, right),
    }?)
}

/// A column of integers, dates or times against one value that is not null.
fn with_constant(op: BinaryOp, left: &Value, right: &Value) -> Option<BooleanArray> {
    let comparison = match op {
        BinaryOp::Eq => Comparison::Eq,
        BinaryOp::Ne => Comparison::Ne,
        BinaryOp::Lt => Comparison::Lt,
        BinaryOp::Le => Comparison::Le,
        BinaryOp::Gt => Comparison::Gt,
        BinaryOp::Ge => Comparison::Ge,
        _ => return None,
    };
    let is_constant = right.is_scalar && !left.is_scalar && right.array.is_valid(0);
    if !is_constant || left.array.data_type() != right.array.data_type() {
        return None;
    }
    macro_rules! compare {
        ($type:ty) => {{
            let column = left.array.as_primitive::<$type>();
            let constant = right.array.as_primitive::<$type>().value(0);
            let mut bits = vec![0; words(column.len())];
            Integer::compare_with(comparison, column.values(), constant, &mut bits);
            let bits = BooleanBuffer::new(Buffer::from_vec(bits), 0, column.len());
            Some(BooleanArray::new(bits, column.nulls().cloned()))
        }};
    }
    match left.array.data_type() {
        DataType::Int8 => compare!(Int8Type),
        DataType::Int16 => compare!(Int16Type),
        DataType::Int32 => compare!(Int32Type),
        DataType::Int64 => compare!(Int64Type),
        DataType::UInt8 => compare!(UInt8Type),
        DataType::UInt16 => compare!(UInt16Type),
        DataType::UInt32 => compare!(UInt32Type),
        DataType::UInt64 => compare!(UInt64Type),
        _ => None,
    }
}

#[inline]
fn equal(a: f64, b: f64) -> bool {
    // `|` and not `||`: no branches, so that the loop vectorises.
    (a == b) | (a.is_nan() & b.is_nan())
}

#[inline]
fn less(a: f64, b: f64) -> bool {
    (a < b) | (!a.is_nan() & b.is_nan())
}

fn compare_f64(op: BinaryOp, left: &Value, right: &Value) -> BooleanArray {
    match op {
        BinaryOp::Ne => map_f64(left, right, |a, b| !equal(a, b)),
        BinaryOp::Lt => map_f64(left, right, less),
        BinaryOp::Le => map_f64(left, right, |a, b| !less(b, a)),
        BinaryOp::Gt => map_f64(left, right, |a, b| less(b, a)),
        BinaryOp::Ge => map_f64(left, right, |a, b| !less(a, b)),
        _ => map_f64(left, right, equal),
    }
}

fn map_f64(left: &Value, right: &Value, test: impl Fn(f64, f64) -> bool) -> BooleanArray {
    let a = left.array.as_primitive::<Float64Type>();
    let b = right.array.as_primitive::<Float64Type>();
    match (left.is_scalar, right.is_scalar) {
        (true, false) if a.is_null(0) => BooleanArray::new_null(b.len()),
        (false, true) if b.is_null(0) => BooleanArray::new_null(a.len()),
        (true, false) => {
            let a = a.value(0);
            let bits = BooleanBuffer::collect_bool(b.len(), |row| test(a, b.values()[row]));
            BooleanArray::new(bits, b.nulls().cloned())
        }
        (false, true) => {
            let b = b.value(0);
            let bits = BooleanBuffer::collect_bool(a.len(), |row| test(a.values()[row], b));
            BooleanArray::new(bits, a.nulls().cloned())
        }
        _ => {
            let (x, y) = (&a.values()[..a.len()], &b.values()[..a.len()]);
            let bits = BooleanBuffer::collect_bool(a.len(), |row| test(x[row], y[row]));
            BooleanArray::new(bits, NullBuffer::union(a.nulls(), b.nulls()))
        }
    }
}

/// The mask with false for null.
pub(crate) fn without_nulls(mask: &BooleanArray) -> BooleanArray {
    match mask.nulls() {
        Some(nulls) => BooleanArray::new(mask.values() & nulls.inner(), None),
        None => mask.clone(),
    }
}

/// `then` where the mask is true, `otherwise` where it is false or null.
pub(super) fn choose(mask: &BooleanArray, then: &Value, otherwise: &Value) -> Result<ArrayRef> {
    match then.array.data_type() {
        DataType::Float64 => Ok(choose_primitive::<Float64Type>(mask, then, otherwise)),
        DataType::Int64 => Ok(choose_primitive::<Int64Type>(mask, then, otherwise)),
        _ => Ok(zip::zip(mask, then, otherwise)?),
    }
}

/// Arrow's `zip` copies runs; masks of rules have short ones, so plain selection is faster.
fn choose_primitive<T: ArrowPrimitiveType>(
    mask: &BooleanArray,
    then: &Value,
    otherwise: &Value,
) -> ArrayRef {
    let mask = without_nulls(mask);
    let (a, b) = (then.array.as_primitive::<T>(), otherwise.array.as_primitive::<T>());
    let (x, y) = (a.values(), b.values());
    let values = (0..mask.len())
        .map(|row| if mask.value(row) { x[then.index(row)] } else { y[otherwise.index(row)] })
        .collect();
    let nulls = (a.null_count() + b.null_count() > 0).then(|| {
        NullBuffer::new(BooleanBuffer::collect_bool(mask.len(), |row| {
            if mask.value(row) {
                a.is_valid(then.index(row))
            } else {
                b.is_valid(otherwise.index(row))
            }
        }))
    });
    Arc::new(PrimitiveArray::<T>::new(values, nulls))
}

/// The smaller or larger of two values; null where one is null.
pub(super) fn extreme(op: BinaryOp, left: &Value, right: &Value) -> Result<ArrayRef> {
    let test = if op == BinaryOp::Min { BinaryOp::Lt } else { BinaryOp::Gt };
    let left_wins = compare(test, left, right)?;
    let chosen = choose(&left_wins, left, right)?;
    match left_wins.nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            let either_null = BooleanArray::new(!nulls.inner(), None);
            Ok(nullif(&chosen, &either_null)?)
        }
        _ => Ok(chosen),
    }
}
