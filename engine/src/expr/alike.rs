//! Comparisons of values of different types: in which type the two sides meet.

use arrow::datatypes::DataType;

use super::Expr;
use super::bind::{Node, Step, coerce, constant_node, mismatch};
use super::cast::{Class, convert, decimal_of_scale};
use crate::error::Result;

/// Gives both sides the type in which they compare exactly (as floats where one is a float).
pub(super) fn comparison_sides(expr: &Expr, left: Node, right: Node) -> Result<(Node, Node)> {
    use Class::{Bool, Decimal, Float, Int, Null, Text, Time, UInt64};
    let both = |left: Node, right: Node, to: &DataType| -> Result<(Node, Node)> {
        Ok((coerce(left, to)?, coerce(right, to)?))
    };
    let (a, b) = (left.class(), right.class());
    match (a, b) {
        (Null, Null) => both(left, right, &DataType::Int64),
        (Null, _) => {
            let to = comparable_type(&right.data_type);
            both(left, right, &to)
        }
        (_, Null) => {
            let to = comparable_type(&left.data_type);
            both(left, right, &to)
        }
        (Bool, Bool) => Ok((left, right)),
        (Text, Text) => text_alike(left, right),
        (Time, Time) if left.data_type == right.data_type => Ok((left, right)),
        (Int | UInt64, Int | UInt64) if left.data_type == right.data_type => Ok((left, right)),
        (Time | Int, Time | Int) if a != Time || b != Time => int_alike(left, right),
        (Int | UInt64, Int | UInt64) => int_alike(left, right),
        (Float, Int | UInt64 | Float | Decimal(_)) | (Int | UInt64 | Decimal(_), Float) => {
            both(left, right, &DataType::Float64)
        }
        (Decimal(x), Decimal(y)) => both(left, right, &decimal_of_scale(x.max(y))),
        (Decimal(scale), Int | UInt64) | (Int | UInt64, Decimal(scale)) => {
            both(left, right, &decimal_of_scale(scale.max(0)))
        }
        _ => Err(mismatch(expr, "compare", &left, &right)),
    }
}

/// The type in which values of one type compare among themselves.
fn comparable_type(data_type: &DataType) -> DataType {
    match Class::of(data_type) {
        Class::Float => DataType::Float64,
        Class::Text => DataType::Utf8,
        _ => data_type.clone(),
    }
}

/// Integers of different types. A constant takes the column's type where its value fits, so that
/// the column needs no conversion; 64 bits with and without sign meet as decimals.
fn int_alike(left: Node, right: Node) -> Result<(Node, Node)> {
    let fits = |constant: &Node, to: &DataType| match &constant.step {
        Step::Constant(array) => convert(array, to).ok(),
        _ => None,
    };
    if let Some(array) = fits(&right, &left.data_type) {
        return Ok((left, constant_node(array)));
    }
    if let Some(array) = fits(&left, &right.data_type) {
        return Ok((constant_node(array), right));
    }
    let unsigned = left.class() == Class::UInt64 || right.class() == Class::UInt64;
    let to = if unsigned { DataType::Decimal128(20, 0) } else { DataType::Int64 };
    Ok((coerce(left, &to)?, coerce(right, &to)?))
}

/// Text in different layouts. A constant takes the column's; a dictionary stays one beside plain
/// text of its values' type, Arrow compares its values once.
fn text_alike(left: Node, right: Node) -> Result<(Node, Node)> {
    let values = |data_type: &DataType| match data_type {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        plain => plain.clone(),
    };
    let (left_values, right_values) = (values(&left.data_type), values(&right.data_type));
    if right.is_constant() {
        return Ok((left, coerce(right, &left_values)?));
    }
    if left.is_constant() {
        return Ok((coerce(left, &right_values)?, right));
    }
    if left_values == right_values {
        return Ok((left, right));
    }
    Ok((coerce(left, &DataType::Utf8)?, coerce(right, &DataType::Utf8)?))
}
