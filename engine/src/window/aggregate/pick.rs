//! Aggregates that pick the value of one row: first, last, least, greatest, and the value beside
//! the least or greatest.

use arrow::datatypes::DataType;

use super::{AggregateFunction, Row, Value};
use crate::batch::Position;
use crate::error::Result;

/// Where a row stands in time: the order of rows that does not depend on their arrival.
type Moment = (i64, Position);

/// The first or the last value by (time, position).
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) last: bool,
}

impl Edge {
    fn replaces(&self, known: &Option<(Moment, Value)>, moment: Moment) -> bool {
        known.as_ref().is_none_or(|(at, _)| if self.last { moment > *at } else { moment < *at })
    }
}

impl AggregateFunction for Edge {
    type State = Option<(Moment, Value)>;

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        Ok(inputs[0].clone())
    }

    fn empty(&self) -> Self::State {
        None
    }

    fn lift(&self, row: &Row<'_>) -> Result<Self::State> {
        Ok(Some(((row.time, row.position), row.values[0].to_value())))
    }

    fn add(&self, state: &mut Self::State, row: &Row<'_>) -> Result<()> {
        if self.replaces(state, (row.time, row.position)) {
            *state = self.lift(row)?;
        }
        Ok(())
    }

    fn combine(&self, state: &mut Self::State, later: &Self::State) -> Result<()> {
        if later.as_ref().is_some_and(|(moment, _)| self.replaces(state, *moment)) {
            state.clone_from(later);
        }
        Ok(())
    }

    fn lower(&self, state: &Self::State) -> Result<Option<Value>> {
        Ok(state.as_ref().map(|(_, value)| value.clone()))
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.as_ref().map_or(0, |(_, value)| value.heap_bytes())
    }
}

/// The least or greatest value, of what is no number (numbers have cells).
#[derive(Debug)]
pub(super) struct Extreme {
    pub(super) greatest: bool,
}

impl AggregateFunction for Extreme {
    type State = Option<Value>;

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        Ok(inputs[0].clone())
    }

    fn empty(&self) -> Self::State {
        None
    }

    fn lift(&self, row: &Row<'_>) -> Result<Self::State> {
        Ok(Some(row.values[0].to_value()))
    }

    fn add(&self, state: &mut Self::State, row: &Row<'_>) -> Result<()> {
        let value = row.values[0];
        let known = state.as_ref().and_then(Value::as_ref);
        if known.is_none_or(|known| if self.greatest { value > known } else { value < known }) {
            *state = Some(value.to_value());
        }
        Ok(())
    }

    fn combine(&self, state: &mut Self::State, later: &Self::State) -> Result<()> {
        if let Some(value) = later {
            let better = |known: &Value| if self.greatest { value > known } else { value < known };
            if state.as_ref().is_none_or(better) {
                *state = Some(value.clone());
            }
        }
        Ok(())
    }

    fn lower(&self, state: &Self::State) -> Result<Option<Value>> {
        Ok(state.clone())
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.as_ref().map_or(0, Value::heap_bytes)
    }
}

/// The first argument in the row in which the second is least or greatest.
#[derive(Debug)]
pub(super) struct ArgExtreme {
    pub(super) greatest: bool,
}

/// The value that is compared, when and where it was, and the value beside it.
#[derive(Debug, Clone)]
pub(super) struct Best {
    by: Value,
    moment: Moment,
    value: Value,
}

impl ArgExtreme {
    fn is_better(&self, candidate: &Best, known: &Best) -> bool {
        let order = candidate.by.cmp(&known.by);
        let order = if self.greatest { order.reverse() } else { order };
        order.then(candidate.moment.cmp(&known.moment)).is_lt()
    }
}

impl AggregateFunction for ArgExtreme {
    type State = Option<Best>;

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        Ok(inputs[0].clone())
    }

    fn empty(&self) -> Self::State {
        None
    }

    fn lift(&self, row: &Row<'_>) -> Result<Self::State> {
        let [value, by] = [row.values[0].to_value(), row.values[1].to_value()];
        Ok(Some(Best { by, moment: (row.time, row.position), value }))
    }

    fn combine(&self, state: &mut Self::State, later: &Self::State) -> Result<()> {
        if let Some(candidate) = later
            && state.as_ref().is_none_or(|known| self.is_better(candidate, known))
        {
            state.clone_from(later);
        }
        Ok(())
    }

    fn lower(&self, state: &Self::State) -> Result<Option<Value>> {
        Ok(state.as_ref().map(|best| best.value.clone()))
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.as_ref().map_or(0, |best| best.by.heap_bytes() + best.value.heap_bytes())
    }
}
