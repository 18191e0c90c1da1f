//! States of any kind, one an entry: what a table keeps for the aggregates that are no plain
//! cells.
//!
//! The table sees [`States`], of which there is one implementation, [`StateColumn`], for every
//! [`AggregateFunction`]; it asks the function once a row.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::column::Column;
use super::lower::value_array;
use super::{AggregateFunction, Row};
use crate::batch::{Batch, Position};
use crate::error::Result;
use crate::operator::Rows;

/// Most arguments that a function has.
pub(crate) const ARGUMENTS_MAX: usize = 4;

/// Where rows stand in their source.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Positions<'a> {
    /// As the batch says.
    Of(&'a Batch),
    /// As the batch says, row 0 being this row of it.
    From(&'a Batch, usize),
    /// By row.
    Listed(&'a [Position]),
}

/// Rows that are taken in: which rows of the columns, when they happened, where they stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowSet<'a> {
    pub(crate) rows: Rows<'a>,
    pub(crate) times: &'a [i64],
    pub(crate) positions: Positions<'a>,
}

impl RowSet<'_> {
    pub(crate) fn position(&self, row: usize) -> Position {
        match self.positions {
            Positions::Of(batch) => batch.position(row),
            Positions::From(batch, first) => batch.position(first + row),
            Positions::Listed(positions) => positions[row],
        }
    }
}

impl<'a> RowSet<'a> {
    /// Of rows that are all of their columns: those of the slices `from..until` of these.
    pub(crate) fn slice(&self, from: usize, until: usize) -> Self {
        debug_assert!(matches!(self.rows, Rows::All(_)));
        let positions = match self.positions {
            Positions::Of(batch) => Positions::From(batch, from),
            Positions::From(batch, first) => Positions::From(batch, first + from),
            Positions::Listed(positions) => Positions::Listed(&positions[from..until]),
        };
        Self { rows: Rows::All(until - from), times: &self.times[from..until], positions }
    }
}

/// States of one aggregate, one an entry.
pub(crate) trait States: fmt::Debug + Send {
    /// Adds or cuts entries; new ones are empty.
    fn resize(&mut self, len: usize);

    /// Makes an entry that of no row.
    fn reset(&mut self, at: usize);

    /// Takes rows in: row `rows.get(i)` into entry `entries[i]`.
    fn add_rows(&mut self, inputs: &[&Column], rows: &RowSet<'_>, entries: &[u32]) -> Result<()>;

    /// Joins entry `i` of `from` into entry `entries[i]`.
    fn combine(&mut self, from: &dyn States, entries: &[u32]) -> Result<()>;

    /// Undoes [`States::combine`] for the earliest rows; only where there is an inverse.
    fn subtract(&mut self, from: &dyn States, entries: &[u32]) -> Result<()>;

    /// Whether what was combined can be taken away.
    fn has_inverse(&self) -> bool;

    /// Appends entries of `from`.
    fn gather(&mut self, from: &dyn States, entries: &[u32]);

    /// As [`States::gather`], leaving those entries of `from` (each named once) empty: nothing
    /// is copied.
    fn take(&mut self, from: &mut dyn States, entries: &[u32]);

    /// The results, an entry a row.
    fn lower(&self, data_type: &DataType) -> Result<ArrayRef>;

    /// Bytes allocated.
    fn bytes(&self) -> usize;

    fn as_any(&self) -> &dyn Any;

    fn as_any_mut(&mut self) -> &mut dyn Any;
}

/// The states behind `from`, which is of the same kind.
pub(super) fn same_kind<S: States + 'static>(from: &mut dyn States) -> &mut S {
    from.as_any_mut().downcast_mut().expect(SAME_PLAN)
}

pub(super) const SAME_PLAN: &str = "tables of one plan have states of the same kinds";

/// An aggregate function whose kind of state is hidden.
pub trait UserFunction: fmt::Debug + Send + Sync {
    /// The type of the result; see [`AggregateFunction::output_type`].
    ///
    /// # Errors
    /// When the function cannot be computed of these types.
    fn result_type(&self, inputs: &[DataType]) -> Result<DataType>;

    #[doc(hidden)]
    fn states(self: Arc<Self>) -> StatesBox;
}

/// States of a hidden kind.
#[derive(Debug)]
pub struct StatesBox(pub(crate) Box<dyn States>);

impl<F: AggregateFunction> UserFunction for F {
    fn result_type(&self, inputs: &[DataType]) -> Result<DataType> {
        self.output_type(inputs)
    }

    fn states(self: Arc<Self>) -> StatesBox {
        StatesBox(Box::new(StateColumn { function: self, states: Vec::new() }))
    }
}

/// The states of a function.
struct StateColumn<F: AggregateFunction> {
    function: Arc<F>,
    states: Vec<F::State>,
}

impl<F: AggregateFunction> fmt::Debug for StateColumn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states of {:?}", self.states.len(), self.function)
    }
}

impl<F: AggregateFunction> StateColumn<F> {
    fn of(from: &dyn States) -> &Self {
        let same = from.as_any().downcast_ref::<Self>();
        same.expect(SAME_PLAN)
    }
}

impl<F: AggregateFunction> States for StateColumn<F> {
    fn resize(&mut self, len: usize) {
        self.states.resize_with(len, || self.function.empty());
    }

    fn reset(&mut self, at: usize) {
        self.states[at] = self.function.empty();
    }

    fn add_rows(&mut self, inputs: &[&Column], rows: &RowSet<'_>, entries: &[u32]) -> Result<()> {
        let mut values = [super::ValueRef::Bool(false); ARGUMENTS_MAX];
        let values = &mut values[..inputs.len()];
        'rows: for (i, &at) in entries.iter().enumerate() {
            let row = rows.rows.get(i);
            for (value, input) in values.iter_mut().zip(inputs) {
                let Some(found) = input.value(row) else { continue 'rows };
                *value = found;
            }
            let row = Row { values, time: rows.times[row], position: rows.position(row) };
            self.function.add(&mut self.states[at as usize], &row)?;
        }
        Ok(())
    }

    fn combine(&mut self, from: &dyn States, entries: &[u32]) -> Result<()> {
        for (state, &at) in Self::of(from).states.iter().zip(entries) {
            self.function.combine(&mut self.states[at as usize], state)?;
        }
        Ok(())
    }

    fn subtract(&mut self, from: &dyn States, entries: &[u32]) -> Result<()> {
        for (state, &at) in Self::of(from).states.iter().zip(entries) {
            self.function.invert(&mut self.states[at as usize], state)?;
        }
        Ok(())
    }

    fn has_inverse(&self) -> bool {
        self.function.has_inverse()
    }

    fn gather(&mut self, from: &dyn States, entries: &[u32]) {
        let from = &Self::of(from).states;
        self.states.extend(entries.iter().map(|&at| from[at as usize].clone()));
    }

    fn take(&mut self, from: &mut dyn States, entries: &[u32]) {
        let from = &mut same_kind::<Self>(from).states;
        let empty = || self.function.empty();
        let taken = entries.iter().map(|&at| std::mem::replace(&mut from[at as usize], empty()));
        self.states.extend(taken);
    }

    fn lower(&self, data_type: &DataType) -> Result<ArrayRef> {
        let values = self.states.iter().map(|state| self.function.lower(state));
        value_array(values.collect::<Result<Vec<_>>>()?, data_type)
    }

    fn bytes(&self) -> usize {
        let heap: usize = self.states.iter().map(|state| self.function.heap_bytes(state)).sum();
        self.states.capacity() * size_of::<F::State>() + heap
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
