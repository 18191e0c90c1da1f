//! All values, by (time, position).

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

use super::{AggregateFunction, Row, Value};
use crate::batch::Position;
use crate::error::Result;

/// The values as a list.
#[derive(Debug)]
pub(super) struct List;

impl AggregateFunction for List {
    type State = Vec<(i64, Position, Value)>;

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new("item", inputs[0].clone(), true))))
    }

    fn empty(&self) -> Self::State {
        Vec::new()
    }

    fn lift(&self, row: &Row<'_>) -> Result<Self::State> {
        super::lifted(self, row)
    }

    fn add(&self, state: &mut Self::State, row: &Row<'_>) -> Result<()> {
        state.push((row.time, row.position, row.values[0].to_value()));
        Ok(())
    }

    fn combine(&self, state: &mut Self::State, later: &Self::State) -> Result<()> {
        state.extend_from_slice(later);
        Ok(())
    }

    fn lower(&self, state: &Self::State) -> Result<Option<Value>> {
        let mut rows: Vec<_> = state.iter().collect();
        rows.sort_by_key(|(time, position, _)| (*time, *position));
        let values = rows.into_iter().map(|(.., value)| value.clone());
        Ok((!state.is_empty()).then(|| Value::List(values.collect())))
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        let texts: usize = state.iter().map(|(.., value)| value.heap_bytes()).sum();
        state.capacity() * size_of::<(i64, Position, Value)>() + texts
    }
}
