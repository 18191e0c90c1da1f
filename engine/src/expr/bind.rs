//! Binding: columns looked up, types decided, conversions inserted, constants folded.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, NullArray,
    RecordBatch, RecordBatchOptions, StringArray,
};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Schema};

use super::alike::comparison_sides;
use super::cast::{Class, common_type, convert, decimal_of_scale};
use super::names::column_index;
use super::program::{self, Program};
use super::{BinaryOp, Expr, Literal, UnaryOp};
use crate::error::{Error, Result};

/// How deep an expression may nest: evaluation recurses.
const DEPTH_MAX: usize = 256;

/// An expression that knows its columns and types; made by [`Expr::bind`].
#[derive(Debug, Clone)]
pub struct BoundExpr {
    pub(super) root: Node,
    pub(super) text: String,
    /// Computes the same faster, where there is anything to compute.
    pub(super) program: Option<Arc<Program>>,
}

/// A step of evaluation and what it gives.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) step: Step,
    pub(super) data_type: DataType,
    /// Whether a value can make it fail: then rows that are not asked for must not be computed.
    pub(super) can_fail: bool,
}

/// One kernel; its operands already have the types that it needs.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Column { index: usize, name: String },
    Constant(ArrayRef),
    Convert(Box<Node>),
    Not(Box<Node>),
    IsNull(Box<Node>),
    IsNotNull(Box<Node>),
    Neg { input: Box<Node>, text: Arc<str> },
    Abs { input: Box<Node>, text: Arc<str> },
    Ln(Box<Node>),
    Sqrt(Box<Node>),
    Arithmetic { op: BinaryOp, left: Box<Node>, right: Box<Node>, text: Arc<str> },
    Compare { op: BinaryOp, left: Box<Node>, right: Box<Node> },
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Extreme { op: BinaryOp, left: Box<Node>, right: Box<Node> },
    Coalesce(Box<Node>, Box<Node>),
    When { condition: Box<Node>, then: Box<Node>, otherwise: Box<Node> },
}

impl Expr {
    /// Looks the columns up in `schema` and decides all types.
    ///
    /// # Errors
    /// When a column does not exist (with names that look like it), when an operator cannot work
    /// on the types that it gets (with both types), or when a constant part cannot be computed.
    pub fn bind(&self, schema: &Schema) -> Result<BoundExpr> {
        let root = Binder { schema }.bind(self, DEPTH_MAX)?;
        let program = program::of_one(&root, schema.fields().len());
        Ok(BoundExpr { root, text: self.to_string(), program })
    }
}

impl BoundExpr {
    /// Type of the result.
    pub fn data_type(&self) -> &DataType {
        &self.root.data_type
    }

    /// The expression as text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the expression is a column as it stands, and which.
    pub(super) fn as_column(&self) -> Option<usize> {
        match self.root.step {
            Step::Column { index, .. } => Some(index),
            _ => None,
        }
    }
}

impl Node {
    pub(super) fn is_constant(&self) -> bool {
        matches!(self.step, Step::Constant(_))
    }

    pub(super) fn class(&self) -> Class {
        Class::of(&self.data_type)
    }
}

struct Binder<'a> {
    schema: &'a Schema,
}

impl Binder<'_> {
    fn bind(&self, expr: &Expr, depth_left: usize) -> Result<Node> {
        let Some(depth_left) = depth_left.checked_sub(1) else {
            return Err(Error::usage(format!("an expression nests deeper than {DEPTH_MAX}")));
        };
        match expr {
            Expr::Column(name) => {
                let index = column_index(self.schema, name)?;
                let data_type = self.schema.field(index).data_type().clone();
                let step = Step::Column { index, name: name.clone() };
                Ok(Node { step, data_type, can_fail: false })
            }
            Expr::Literal(literal) => constant(literal),
            Expr::Unary { op, input } => {
                fold(bind_unary(expr, *op, self.bind(input, depth_left)?)?)
            }
            Expr::Binary { op, left, right } => {
                let (left, right) = (self.bind(left, depth_left)?, self.bind(right, depth_left)?);
                fold(bind_binary(expr, *op, left, right)?)
            }
            Expr::When { condition, then, otherwise } => fold(bind_when(
                expr,
                self.bind(condition, depth_left)?,
                self.bind(then, depth_left)?,
                self.bind(otherwise, depth_left)?,
            )?),
        }
    }
}

fn constant(literal: &Literal) -> Result<Node> {
    let array: ArrayRef = match literal {
        Literal::Null => Arc::new(NullArray::new(1)),
        Literal::Bool(value) => Arc::new(BooleanArray::from(vec![*value])),
        Literal::Int(value) => Arc::new(Int64Array::from(vec![*value])),
        Literal::Float(value) => Arc::new(Float64Array::from(vec![*value])),
        Literal::Text(value) => Arc::new(StringArray::from(vec![value.as_str()])),
        Literal::Decimal { unscaled, scale } => {
            let digits = Decimal128Array::from(vec![*unscaled]);
            let valid = digits.validate_decimal_precision(DECIMAL128_MAX_PRECISION);
            let array = valid
                .and_then(|()| digits.with_precision_and_scale(DECIMAL128_MAX_PRECISION, *scale));
            Arc::new(array.map_err(|error| {
                Error::usage(format!("{unscaled} / 10^{scale} is no decimal: {error}"))
            })?)
        }
    };
    Ok(constant_node(array))
}

pub(super) fn constant_node(array: ArrayRef) -> Node {
    Node { data_type: array.data_type().clone(), step: Step::Constant(array), can_fail: false }
}

/// Computes a step whose operands are all constant, once.
fn fold(node: Node) -> Result<Node> {
    let operands = node.step.operands();
    // A cast of what is a float already leaves the column itself, which has no operands.
    if operands.is_empty() || !operands.iter().all(|operand| operand.is_constant()) {
        return Ok(node);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let no_columns = Arc::new(Schema::empty());
    let one_row = RecordBatch::try_new_with_options(no_columns, vec![], &options)?;
    Ok(constant_node(node.value(&one_row)?.array))
}

impl Step {
    /// The steps that this one reads.
    pub(super) fn operands(&self) -> Vec<&Node> {
        match self {
            Self::Column { .. } | Self::Constant(_) => vec![],
            Self::Convert(input)
            | Self::Not(input)
            | Self::IsNull(input)
            | Self::IsNotNull(input)
            | Self::Neg { input, .. }
            | Self::Abs { input, .. }
            | Self::Ln(input)
            | Self::Sqrt(input) => vec![input],
            Self::And(left, right)
            | Self::Or(left, right)
            | Self::Coalesce(left, right)
            | Self::Arithmetic { left, right, .. }
            | Self::Compare { left, right, .. }
            | Self::Extreme { left, right, .. } => vec![left, right],
            Self::When { condition, then, otherwise } => vec![condition, then, otherwise],
        }
    }

    /// Makes a node of it that fails only where an operand does.
    fn gives(self, data_type: DataType) -> Node {
        let can_fail = self.operands().iter().any(|operand| operand.can_fail);
        Node { step: self, data_type, can_fail }
    }

    /// Makes a node of it that can fail by itself, if `own` holds.
    fn gives_or_fails(self, data_type: DataType, own: bool) -> Node {
        let mut node = self.gives(data_type);
        node.can_fail |= own;
        node
    }
}

/// Inserts a conversion where the type differs; converts constants at once.
pub(super) fn coerce(node: Node, to: &DataType) -> Result<Node> {
    if node.data_type == *to {
        return Ok(node);
    }
    if let Step::Constant(array) = &node.step {
        return Ok(constant_node(convert(array, to)?));
    }
    let widens = *to == DataType::Float64 || node.class() == Class::Null;
    let exact = *to == DataType::Int64 && node.class() == Class::Int;
    Ok(Step::Convert(Box::new(node)).gives_or_fails(to.clone(), !widens && !exact))
}

fn bind_unary(expr: &Expr, op: UnaryOp, input: Node) -> Result<Node> {
    let class = input.class();
    let wrong = |wanted: &str, input: &Node| {
        let (op, got) = (op.text(), &input.data_type);
        Error::usage(format!("`{op}` needs {wanted}, but gets {got} in `{expr}`"))
    };
    match op {
        UnaryOp::Not if matches!(class, Class::Bool | Class::Null) => {
            let input = coerce(input, &DataType::Boolean)?;
            Ok(Step::Not(Box::new(input)).gives(DataType::Boolean))
        }
        UnaryOp::Not => Err(wrong("a boolean", &input)),
        UnaryOp::IsNull => Ok(Step::IsNull(Box::new(input)).gives(DataType::Boolean)),
        UnaryOp::IsNotNull => Ok(Step::IsNotNull(Box::new(input)).gives(DataType::Boolean)),
        UnaryOp::CastF64 if class == Class::Bool => coerce(input, &DataType::Float64),
        _ if !class.is_number() => Err(wrong("a number", &input)),
        UnaryOp::CastF64 | UnaryOp::Ln | UnaryOp::Sqrt => {
            let input = coerce(input, &DataType::Float64)?;
            Ok(match op {
                UnaryOp::Ln => Step::Ln(Box::new(input)).gives(DataType::Float64),
                UnaryOp::Sqrt => Step::Sqrt(Box::new(input)).gives(DataType::Float64),
                _ => input,
            })
        }
        UnaryOp::Neg | UnaryOp::Abs => {
            let to = match class {
                Class::Decimal(scale) => decimal_of_scale(scale),
                Class::Float => DataType::Float64,
                _ => DataType::Int64,
            };
            let input = Box::new(coerce(input, &to)?);
            let text = expr.to_string().into();
            let step = match op {
                UnaryOp::Neg => Step::Neg { input, text },
                _ => Step::Abs { input, text },
            };
            let own = to != DataType::Float64;
            Ok(step.gives_or_fails(to, own))
        }
    }
}

fn bind_binary(expr: &Expr, op: BinaryOp, left: Node, right: Node) -> Result<Node> {
    match op {
        BinaryOp::And | BinaryOp::Or => bind_logic(expr, op, left, right),
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div => {
            bind_arithmetic(expr, op, left, right)
        }
        BinaryOp::Min | BinaryOp::Max | BinaryOp::Coalesce => {
            let Some(to) = common_type(&left.data_type, &right.data_type) else {
                return Err(mismatch(expr, "combine", &left, &right));
            };
            if op != BinaryOp::Coalesce && Class::of(&to) == Class::Other {
                return Err(mismatch(expr, "compare", &left, &right));
            }
            let (left, right) = (Box::new(coerce(left, &to)?), Box::new(coerce(right, &to)?));
            Ok(match op {
                BinaryOp::Coalesce => Step::Coalesce(left, right).gives(to),
                _ => Step::Extreme { op, left, right }.gives(to),
            })
        }
        _ => bind_compare(expr, op, left, right),
    }
}

pub(super) fn mismatch(expr: &Expr, verb: &str, left: &Node, right: &Node) -> Error {
    let (left, right) = (&left.data_type, &right.data_type);
    Error::usage(format!("cannot {verb} {left} and {right} in `{expr}`"))
}

fn bind_logic(expr: &Expr, op: BinaryOp, left: Node, right: Node) -> Result<Node> {
    let logical = |node: &Node| matches!(node.class(), Class::Bool | Class::Null);
    if !(logical(&left) && logical(&right)) {
        return Err(mismatch(expr, &format!("use `{}` on", op.text()), &left, &right)
            .advise("both sides must be conditions; compare numbers with something first"));
    }
    let left = Box::new(coerce(left, &DataType::Boolean)?);
    let right = Box::new(coerce(right, &DataType::Boolean)?);
    Ok(match op {
        BinaryOp::And => Step::And(left, right),
        _ => Step::Or(left, right),
    }
    .gives(DataType::Boolean))
}

fn bind_arithmetic(expr: &Expr, op: BinaryOp, left: Node, right: Node) -> Result<Node> {
    let (a, b) = (left.class(), right.class());
    if !(a.is_number() && b.is_number()) {
        return Err(mismatch(expr, "compute with", &left, &right));
    }
    if a == Class::Time && b == Class::Time && left.data_type != right.data_type {
        return Err(mismatch(expr, "compute with", &left, &right)
            .advise("times must have the same unit; convert one where it is read"));
    }
    let exact = matches!(op, BinaryOp::Add | BinaryOp::Sub);
    let to = match (a, b) {
        (Class::Decimal(x), Class::Decimal(y)) if exact => decimal_of_scale(x.max(y)),
        (Class::Decimal(_) | Class::Float, _) | (_, Class::Decimal(_) | Class::Float) => {
            DataType::Float64
        }
        _ => DataType::Int64,
    };
    let (left, right) = (Box::new(coerce(left, &to)?), Box::new(coerce(right, &to)?));
    let text = expr.to_string().into();
    let own = to != DataType::Float64;
    Ok(Step::Arithmetic { op, left, right, text }.gives_or_fails(to, own))
}

fn bind_compare(expr: &Expr, op: BinaryOp, left: Node, right: Node) -> Result<Node> {
    let (left, right) = comparison_sides(expr, left, right)?;
    let (left, right) = (Box::new(left), Box::new(right));
    Ok(Step::Compare { op, left, right }.gives(DataType::Boolean))
}

fn bind_when(expr: &Expr, condition: Node, then: Node, otherwise: Node) -> Result<Node> {
    if !matches!(condition.class(), Class::Bool | Class::Null) {
        let got = &condition.data_type;
        return Err(Error::usage(format!("`when` needs a condition, but gets {got} in `{expr}`")));
    }
    let Some(to) = common_type(&then.data_type, &otherwise.data_type) else {
        return Err(mismatch(expr, "choose between", &then, &otherwise));
    };
    let step = Step::When {
        condition: Box::new(coerce(condition, &DataType::Boolean)?),
        then: Box::new(coerce(then, &to)?),
        otherwise: Box::new(coerce(otherwise, &to)?),
    };
    Ok(step.gives(to))
}
