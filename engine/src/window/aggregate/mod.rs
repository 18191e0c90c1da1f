//! What is computed over the rows of a window: the built-in aggregates and the trait for those
//! of one's own.
//!
//! Every aggregate has three parts (Tangwongsan, Hirzel, Schneider, "General incremental
//! sliding-window aggregation", VLDB 2015): *lift* makes a row a partial result, *combine* joins
//! two of them, *lower* makes the answer. Where partial results can be taken away again there is
//! an *inverse*, and a hopping window need not combine its panes anew.
//!
//! ```text
//!  columns of a batch ──▶ lift, combine ──▶ a state an entry (key × pane, key × session, …)
//!   column.rs (filters)    cells.rs: count, sum, avg, min, max of numbers: plain arrays
//!                          states.rs: everything else, a state an entry
//!                                              │ combine entries (panes into windows)
//!  columns of the output ◀── lower.rs ◀────────┘ table.rs holds all states of all entries
//! ```
//!
//! **Order.** Within a pane rows come by position, and panes are combined oldest first. What
//! depends on order beyond rounding (`first`, `last`, `list`) goes by
//! (time, position). So no answer depends on batches, shards or the order of arrival.
//!
//! **Nulls** are skipped: a row in which an argument is null is no row to the aggregate. Of no
//! row at all a count is 0 and everything else is null.

mod cells;
mod column;
#[cfg(feature = "gpu")]
mod device;
mod function;
mod lower;
mod lowered;
mod plan;
mod states;
mod sums;
mod table;
mod value;

mod bits;
mod distinct;
mod ewma;
mod hash;
mod histogram;
mod hyperloglog;
mod list;
mod moments;
mod pick;
mod quantile;
mod sketch;
mod top_k;

#[cfg(test)]
mod tests;

use std::fmt;

use arrow::datatypes::DataType;

pub(crate) use cells::Entries;
pub(crate) use column::{Column, Values};
#[cfg(feature = "gpu")]
pub(crate) use device::Device;
pub use function::{Function, Spread};
pub use hyperloglog::APPROX_DISTINCT_ERROR;
pub(crate) use lower::{int_array, nearest, time_array, wide_array};
pub(crate) use lowered::{Lowered, Picked};
pub use plan::Aggregate;
#[cfg(feature = "gpu")]
pub(crate) use plan::Lift;
pub(crate) use plan::{AggregatePlan, Lower, find, plain};
pub use sketch::APPROX_QUANTILE_ERROR;
pub use states::UserFunction;
pub(crate) use states::{Positions, RowSet};
pub(crate) use table::{Table, WindowSums};
pub use top_k::SPACE_SAVING_FACTOR;
pub use value::{Float, Value, ValueRef};
pub(crate) use value::{float_of_order, float_order};

use crate::batch::Position;
use crate::error::Result;

/// A row as an aggregate function sees it: no argument is null.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The arguments.
    pub values: &'a [ValueRef<'a>],
    /// Event time, in the unit of the time column.
    pub time: i64,
    /// Where the row stands in the input.
    pub position: Position,
}

/// An aggregate function.
///
/// # Contract
/// [`combine`](AggregateFunction::combine) is associative, and the empty state changes nothing.
/// It need not be commutative: within a pane rows come by position, and panes are combined
/// oldest first.
///
/// ```
/// use arrow::datatypes::DataType;
/// use pelton::Result;
/// use pelton::window::aggregate::{AggregateFunction, Row, Value};
///
/// /// Product of floats.
/// #[derive(Debug)]
/// struct Product;
///
/// impl AggregateFunction for Product {
///     type State = Option<f64>;
///
///     fn output_type(&self, _: &[DataType]) -> Result<DataType> {
///         Ok(DataType::Float64)
///     }
///
///     fn empty(&self) -> Option<f64> {
///         None
///     }
///
///     fn lift(&self, row: &Row<'_>) -> Result<Option<f64>> {
///         Ok(row.values[0].as_f64())
///     }
///
///     fn combine(&self, state: &mut Option<f64>, later: &Option<f64>) -> Result<()> {
///         if let Some(later) = later {
///             *state = Some(state.unwrap_or(1.0) * later);
///         }
///         Ok(())
///     }
///
///     fn lower(&self, state: &Option<f64>) -> Result<Option<Value>> {
///         Ok(state.map(Value::float))
///     }
/// }
/// ```
pub trait AggregateFunction: fmt::Debug + Send + Sync + 'static {
    /// What is kept of the rows.
    type State: Clone + Send + 'static;

    /// The type of the result, from the types of the arguments (without their dictionaries).
    ///
    /// # Errors
    /// When the function cannot be computed of these types.
    fn output_type(&self, inputs: &[DataType]) -> Result<DataType>;

    /// The state of no row.
    fn empty(&self) -> Self::State;

    /// The state of one row.
    ///
    /// # Errors
    /// When the row cannot be aggregated.
    fn lift(&self, row: &Row<'_>) -> Result<Self::State>;

    /// Joins the state of later rows into that of earlier ones.
    ///
    /// # Errors
    /// When the result cannot be held (overflow).
    fn combine(&self, state: &mut Self::State, later: &Self::State) -> Result<()>;

    /// The result; `None` is null.
    ///
    /// # Errors
    /// When the result cannot be given.
    fn lower(&self, state: &Self::State) -> Result<Option<Value>>;

    /// Adds one row: the same as combining with its lift, and often cheaper.
    ///
    /// # Errors
    /// As [`AggregateFunction::lift`] and [`AggregateFunction::combine`].
    fn add(&self, state: &mut Self::State, row: &Row<'_>) -> Result<()> {
        let lifted = self.lift(row)?;
        self.combine(state, &lifted)
    }

    /// Whether [`AggregateFunction::invert`] is there, and exact.
    fn has_inverse(&self) -> bool {
        false
    }

    /// Takes the state of the earliest rows away again, exactly.
    ///
    /// # Errors
    /// When the result cannot be held.
    fn invert(&self, _state: &mut Self::State, _earliest: &Self::State) -> Result<()> {
        Ok(())
    }

    /// Bytes that a state holds beside itself.
    fn heap_bytes(&self, _state: &Self::State) -> usize {
        0
    }
}

/// The lift of a function that would rather add.
fn lifted<F: AggregateFunction>(function: &F, row: &Row<'_>) -> Result<F::State> {
    let mut state = function.empty();
    function.add(&mut state, row)?;
    Ok(state)
}
