//! Any, all, and bitwise and, or, exclusive or.

use arrow::datatypes::DataType;

use super::{AggregateFunction, Row, Value, ValueRef};
use crate::error::Result;

/// Whether a boolean is true in any row, or in all.
#[derive(Debug)]
pub(super) struct Truth {
    pub(super) all: bool,
}

impl AggregateFunction for Truth {
    type State = Option<bool>;

    fn output_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn empty(&self) -> Option<bool> {
        None
    }

    fn lift(&self, row: &Row<'_>) -> Result<Option<bool>> {
        Ok(Some(row.values[0] == ValueRef::Bool(true)))
    }

    fn combine(&self, state: &mut Option<bool>, later: &Option<bool>) -> Result<()> {
        *state = match (*state, *later) {
            (Some(a), Some(b)) => Some(if self.all { a && b } else { a || b }),
            (a, b) => a.or(b),
        };
        Ok(())
    }

    fn lower(&self, state: &Option<bool>) -> Result<Option<Value>> {
        Ok(state.map(Value::Bool))
    }
}

/// What is done to the bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BitOp {
    And,
    Or,
    Xor,
}

/// Integers, bit by bit.
#[derive(Debug)]
pub(super) struct Bits {
    pub(super) op: BitOp,
}

/// Number of rows, and their bits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BitState {
    rows: u64,
    bits: i128,
    /// The column is UInt64.
    wide: bool,
}

impl AggregateFunction for Bits {
    type State = BitState;

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        Ok(inputs[0].clone())
    }

    fn empty(&self) -> BitState {
        BitState::default()
    }

    fn lift(&self, row: &Row<'_>) -> Result<BitState> {
        Ok(match row.values[0] {
            ValueRef::Wide(value) => BitState { rows: 1, bits: value, wide: true },
            ValueRef::Int(value) => BitState { rows: 1, bits: value.into(), wide: false },
            _ => BitState::default(),
        })
    }

    fn combine(&self, state: &mut BitState, later: &BitState) -> Result<()> {
        if state.rows == 0 || later.rows == 0 {
            if state.rows == 0 {
                *state = *later;
            }
            return Ok(());
        }
        state.rows += later.rows;
        match self.op {
            BitOp::And => state.bits &= later.bits,
            BitOp::Or => state.bits |= later.bits,
            BitOp::Xor => state.bits ^= later.bits,
        }
        Ok(())
    }

    fn has_inverse(&self) -> bool {
        self.op == BitOp::Xor
    }

    fn invert(&self, state: &mut BitState, earliest: &BitState) -> Result<()> {
        state.rows -= earliest.rows;
        state.bits ^= earliest.bits;
        Ok(())
    }

    fn lower(&self, state: &BitState) -> Result<Option<Value>> {
        let value =
            if state.wide { Value::Wide(state.bits) } else { Value::Int(state.bits as i64) };
        Ok((state.rows > 0).then_some(value))
    }
}
