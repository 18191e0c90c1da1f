//! Evaluation: one columnar kernel a node, over all rows of a batch.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, UInt32Array,
    new_empty_array,
};
use arrow::compute::kernels::numeric;
use arrow::compute::{and_kleene, filter_record_batch, is_not_null, is_null, not, or_kleene, take};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use arrow::error::ArrowError;

use super::bind::{Node, Step};
use super::cast::convert;
use super::compare::{Value, choose, compare, extreme, without_nulls};
use super::{BinaryOp, BoundExpr};
use crate::error::{Error, Result};

impl BoundExpr {
    /// The expression's value for each row.
    ///
    /// # Errors
    /// When integers or decimals overflow or are divided by zero (the error names the part of
    /// the expression), or when the batch is not of the schema that the expression was bound to.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let quick = self.program.as_ref().and_then(|program| program.run(batch)?.pop());
        quick.map_or_else(|| self.evaluate_plain(batch), Ok)
    }

    /// As [`evaluate`](Self::evaluate), a node at a time: the specification of programs, and the
    /// way to an error that names the part of the expression.
    pub(super) fn evaluate_plain(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        if batch.num_rows() == 0 {
            // No row, no error: not even of what is computed from constants alone.
            return Ok(new_empty_array(self.data_type()));
        }
        self.root.column_of(batch).map_err(|error| error.at(format!("expression `{self}`")))
    }

    /// The condition's value for each row.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), and when the expression is no condition.
    pub fn evaluate_bool(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let array = self.evaluate(batch)?;
        array.as_boolean_opt().cloned().ok_or_else(|| {
            let got = array.data_type();
            Error::usage(format!("`{self}` is no condition: it gives {got}"))
                .advise("compare it with something, as in `x > 0`")
        })
    }
}

impl std::fmt::Display for BoundExpr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

/// One value for all rows becomes a column.
fn expand(value: Value, rows: usize) -> Result<ArrayRef> {
    if !value.is_scalar {
        return Ok(value.array);
    }
    let first = UInt32Array::from(vec![0; rows]);
    Ok(take(&value.array, &first, None)?)
}

impl Node {
    /// The value for each row.
    pub(super) fn column_of(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        expand(self.value(batch)?, batch.num_rows())
    }

    /// Runs the step and those that it reads.
    pub(super) fn value(&self, batch: &RecordBatch) -> Result<Value> {
        let column = |input: &Node| input.value(batch);
        let boolean = |input: &Node| -> Result<BooleanArray> {
            Ok(expand(input.value(batch)?, batch.num_rows())?.as_boolean().clone())
        };
        Ok(match &self.step {
            Step::Column { index, name } => self.column(batch, *index, name)?,
            Step::Constant(array) => Value { array: Arc::clone(array), is_scalar: true },
            Step::Convert(input) => {
                let Value { array, is_scalar } = column(input)?;
                Value { array: convert(&array, &self.data_type)?, is_scalar }
            }
            Step::Not(input) => Value::column(not(&boolean(input)?)?),
            Step::And(left, right) => Value::column(and_kleene(&boolean(left)?, &boolean(right)?)?),
            Step::Or(left, right) => Value::column(or_kleene(&boolean(left)?, &boolean(right)?)?),
            Step::IsNull(input) => unary(column(input)?, |array| Ok(Arc::new(is_null(array)?)))?,
            Step::IsNotNull(input) => {
                unary(column(input)?, |array| Ok(Arc::new(is_not_null(array)?)))?
            }
            Step::Neg { input, text } => {
                unary(column(input)?, |array| numeric::neg(array).map_err(|e| failed(e, text)))?
            }
            Step::Abs { input, text } => unary(column(input)?, |array| abs(array, text))?,
            Step::Ln(input) => unary(column(input)?, |array| Ok(map_f64(array, libm::log)))?,
            // The square root of a float is exactly rounded on every machine.
            Step::Sqrt(input) => unary(column(input)?, |array| Ok(map_f64(array, f64::sqrt)))?,
            Step::Arithmetic { op, left, right, text } => {
                arithmetic(*op, &column(left)?, &column(right)?, text)?
            }
            Step::Compare { op, left, right } => {
                let (left, right) = (column(left)?, column(right)?);
                let is_scalar = left.is_scalar && right.is_scalar;
                Value { array: Arc::new(compare(*op, &left, &right)?), is_scalar }
            }
            Step::Extreme { op, left, right } => {
                let (left, right) = (column(left)?, column(right)?);
                let is_scalar = left.is_scalar && right.is_scalar;
                Value { array: extreme(*op, &left, &right)?, is_scalar }
            }
            Step::Coalesce(left, right) => coalesce(batch, column(left)?, right)?,
            Step::When { condition, then, otherwise } => {
                when(batch, &boolean(condition)?, then, otherwise)?
            }
        })
    }

    fn column(&self, batch: &RecordBatch, index: usize, name: &str) -> Result<Value> {
        match batch.columns().get(index) {
            Some(array) if *array.data_type() == self.data_type => {
                Ok(Value { array: Arc::clone(array), is_scalar: false })
            }
            _ => Err(Error::usage(format!(
                "column `{name}` is not where it was when the expression was bound"
            ))
            .advise("bind the expression to the schema of the batches that it is to read")),
        }
    }
}

fn unary(input: Value, kernel: impl Fn(&dyn Array) -> Result<ArrayRef>) -> Result<Value> {
    Ok(Value { array: kernel(input.array.as_ref())?, is_scalar: input.is_scalar })
}

fn map_f64(array: &dyn Array, f: impl Fn(f64) -> f64) -> ArrayRef {
    let mapped: Float64Array = array.as_primitive::<Float64Type>().unary(f);
    Arc::new(mapped)
}

/// What went wrong in arithmetic, and in which part of the expression.
fn failed(error: ArrowError, text: &str) -> Error {
    match error {
        ArrowError::DivideByZero => Error::run(format!("integer division by zero in `{text}`"))
            .advise("guard it: when(divisor.ne(0)).then(..).otherwise(null())"),
        ArrowError::ArithmeticOverflow(_) => Error::run(format!("overflow in `{text}`"))
            .advise("cast an operand with cast_f64 if an inexact result will do"),
        other => Error::run(format!("cannot compute `{text}`: {other}")),
    }
}

fn abs(array: &dyn Array, text: &str) -> Result<ArrayRef> {
    let overflow = || ArrowError::ArithmeticOverflow(String::new());
    match array.data_type() {
        DataType::Float64 => Ok(map_f64(array, f64::abs)),
        DataType::Int64 => {
            let values: Int64Array = array
                .as_primitive::<Int64Type>()
                .try_unary(|value| value.checked_abs().ok_or_else(overflow))
                .map_err(|error| failed(error, text))?;
            Ok(Arc::new(values))
        }
        _ => {
            let decimals = array.as_primitive::<Decimal128Type>();
            let values: arrow::array::Decimal128Array = decimals
                .try_unary(|value| value.checked_abs().ok_or_else(overflow))
                .map_err(|error| failed(error, text))?;
            Ok(Arc::new(values.with_data_type(array.data_type().clone())))
        }
    }
}

fn arithmetic(op: BinaryOp, left: &Value, right: &Value, text: &str) -> Result<Value> {
    let array = match op {
        BinaryOp::Add => numeric::add(left, right),
        BinaryOp::Sub => numeric::sub(left, right),
        BinaryOp::Mul => numeric::mul(left, right),
        _ => numeric::div(left, right),
    }
    .map_err(|error| failed(error, text))?;
    if let DataType::Decimal128(precision, _) = array.data_type() {
        // Arrow checks for 128 bits, which hold some numbers of 39 digits.
        array
            .as_primitive::<Decimal128Type>()
            .validate_decimal_precision(*precision)
            .map_err(|_| failed(ArrowError::ArithmeticOverflow(String::new()), text))?;
    }
    Ok(Value { array, is_scalar: left.is_scalar && right.is_scalar })
}

fn coalesce(batch: &RecordBatch, left: Value, right: &Node) -> Result<Value> {
    if left.array.logical_null_count() == 0 {
        return Ok(left);
    }
    let left = Value { array: expand(left, batch.num_rows())?, is_scalar: false };
    let present = is_not_null(left.array.as_ref())?;
    let right = branch(batch, &not(&present)?, right)?;
    Ok(Value { array: choose(&present, &left, &right)?, is_scalar: false })
}

fn when(
    batch: &RecordBatch,
    condition: &BooleanArray,
    then: &Node,
    otherwise: &Node,
) -> Result<Value> {
    let holds = without_nulls(condition);
    let then = branch(batch, &holds, then)?;
    let otherwise = branch(batch, &not(&holds)?, otherwise)?;
    Ok(Value { array: choose(&holds, &then, &otherwise)?, is_scalar: false })
}

/// The value of a branch for the rows in the mask (no nulls in it). A branch that can fail is
/// computed for those rows alone; the others hold null.
fn branch(batch: &RecordBatch, mask: &BooleanArray, node: &Node) -> Result<Value> {
    if !node.can_fail || mask.true_count() == mask.len() {
        return node.value(batch);
    }
    let selected = filter_record_batch(batch, mask)?;
    let values = expand(node.value(&selected)?, selected.num_rows())?;
    let mut next = 0;
    let rows: UInt32Array = mask
        .values()
        .iter()
        .map(|taken| {
            taken.then(|| {
                next += 1;
                next - 1
            })
        })
        .collect();
    Ok(Value { array: take(&values, &rows, None)?, is_scalar: false })
}
