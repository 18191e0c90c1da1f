//! Different values: how many there are, and any other aggregate of them (`sum(distinct x)`).
//!
//! Values are equal as keys are: NaN equals itself and −0 equals +0. The other aggregates see
//! the values in ascending order, so that float sums do not depend on the order of rows.

use std::any::Any;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::column::Column;
use super::function::Function;
use super::lower::value_array;
use super::plan::{Aggregate, AggregatePlan};
use super::states::{Positions, RowSet, SAME_PLAN, States, StatesBox, UserFunction, same_kind};
use super::table::Table;
use super::value::{Value, ValueRef};
use super::{AggregateFunction, Row};
use crate::batch::Position;
use crate::error::Result;
use crate::operator::Rows;

type Set = HashSet<Value, FixedState>;

fn insert(set: &mut Set, value: ValueRef<'_>) {
    if !set.contains(&value) {
        set.insert(value.to_value().canonical());
    }
}

fn set_bytes(set: &Set) -> usize {
    set.allocation_size() + set.iter().map(Value::heap_bytes).sum::<usize>()
}

/// The number of different values.
#[derive(Debug)]
pub(super) struct CountDistinct;

impl AggregateFunction for CountDistinct {
    type State = Set;

    fn output_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn empty(&self) -> Set {
        Set::default()
    }

    fn lift(&self, row: &Row<'_>) -> Result<Set> {
        super::lifted(self, row)
    }

    fn add(&self, state: &mut Set, row: &Row<'_>) -> Result<()> {
        insert(state, row.values[0]);
        Ok(())
    }

    fn combine(&self, state: &mut Set, later: &Set) -> Result<()> {
        later.iter().filter_map(Value::as_ref).for_each(|value| insert(state, value));
        Ok(())
    }

    fn lower(&self, state: &Set) -> Result<Option<Value>> {
        Ok(Some(Value::Int(state.len() as i64)))
    }

    fn heap_bytes(&self, state: &Set) -> usize {
        set_bytes(state)
    }
}

/// Another aggregate, of the different values.
#[derive(Debug, Clone)]
pub(super) struct Distinct {
    /// The aggregate over a column of the values.
    plan: Arc<AggregatePlan>,
    value_type: DataType,
}

impl Distinct {
    pub(super) fn new(
        function: &Function,
        types: &[DataType],
        unit: TimeUnit,
        name: &str,
    ) -> Result<Self> {
        let schema = Arc::new(Schema::new(vec![Field::new("value", types[0].clone(), false)]));
        let aggregate = Aggregate::new(function.clone(), ["value"], name);
        let plan = Arc::new(AggregatePlan::new(&[aggregate], &schema, unit)?);
        Ok(Self { plan, value_type: types[0].clone() })
    }
}

impl UserFunction for Distinct {
    fn result_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.plan.fields[0].data_type().clone())
    }

    fn states(self: Arc<Self>) -> StatesBox {
        StatesBox(Box::new(DistinctStates { of: self, sets: Vec::new() }))
    }
}

/// The different values of each entry.
#[derive(Debug)]
struct DistinctStates {
    of: Arc<Distinct>,
    sets: Vec<Set>,
}

impl DistinctStates {
    fn sets_of(from: &dyn States) -> &[Set] {
        let same = from.as_any().downcast_ref::<Self>();
        &same.expect(SAME_PLAN).sets
    }
}

impl States for DistinctStates {
    fn resize(&mut self, len: usize) {
        self.sets.resize_with(len, Set::default);
    }

    fn reset(&mut self, at: usize) {
        self.sets[at] = Set::default();
    }

    fn add_rows(&mut self, inputs: &[&Column], rows: &RowSet<'_>, entries: &[u32]) -> Result<()> {
        for (i, &at) in entries.iter().enumerate() {
            if let Some(value) = inputs[0].value(rows.rows.get(i)) {
                insert(&mut self.sets[at as usize], value);
            }
        }
        Ok(())
    }

    fn combine(&mut self, from: &dyn States, entries: &[u32]) -> Result<()> {
        for (set, &at) in Self::sets_of(from).iter().zip(entries) {
            CountDistinct.combine(&mut self.sets[at as usize], set)?;
        }
        Ok(())
    }

    fn subtract(&mut self, _: &dyn States, _: &[u32]) -> Result<()> {
        Ok(())
    }

    fn has_inverse(&self) -> bool {
        false
    }

    fn gather(&mut self, from: &dyn States, entries: &[u32]) {
        let from = Self::sets_of(from);
        self.sets.extend(entries.iter().map(|&at| from[at as usize].clone()));
    }

    fn take(&mut self, from: &mut dyn States, entries: &[u32]) {
        let from = &mut same_kind::<Self>(from).sets;
        self.sets.extend(entries.iter().map(|&at| std::mem::take(&mut from[at as usize])));
    }

    fn lower(&self, _: &DataType) -> Result<ArrayRef> {
        let mut values = Vec::new();
        let mut entries = Vec::new();
        for (entry, set) in self.sets.iter().enumerate() {
            let from = values.len();
            values.extend(set.iter().cloned().map(Some));
            values[from..].sort_unstable();
            entries.resize(values.len(), entry as u32);
        }
        let Distinct { plan, value_type } = &*self.of;
        let len = values.len();
        let columns = plan.read(&[value_array(values, value_type)?])?;
        let positions = |i| Position { partition: 0, offset: i as u64 };
        let positions: Vec<Position> = (0..len).map(positions).collect();
        let rows = RowSet {
            rows: Rows::All(len),
            times: &vec![0; len],
            positions: Positions::Listed(&positions),
        };
        let mut table = Table::new(plan);
        table.resize(self.sets.len());
        table.add_rows(&plan.lifts, &columns, &rows, &entries)?;
        Ok(table.lower(plan)?.remove(0))
    }

    fn bytes(&self) -> usize {
        self.sets.capacity() * size_of::<Set>() + self.sets.iter().map(set_bytes).sum::<usize>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
