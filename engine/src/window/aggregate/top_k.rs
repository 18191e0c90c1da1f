//! The most frequent values: exactly, by counting each, and in bounded memory by space-saving
//! (Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data
//! streams", ICDT 2005), merged as in Agarwal et al., "Mergeable summaries" (PODS 2012).
//!
//! Space-saving keeps m counters. A value without one takes that of the least count, and takes
//! its count over: so a count may be too high, by at most the count that it took over (its
//! `error`), never too low, and no error is above n / m rows.

use std::cmp::Reverse;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{AggregateFunction, Row, Value, ValueRef};
use crate::error::Result;

/// Space-saving keeps so many counters for each value asked for: a count is too high by at most
/// n / (factor · k) rows.
pub const SPACE_SAVING_FACTOR: usize = 16;

/// A list of structs of the value and Int64 numbers.
fn list_of(value: &DataType, numbers: &[&str]) -> DataType {
    let mut fields = vec![Field::new("value", value.clone(), true)];
    fields.extend(numbers.iter().map(|name| Field::new(*name, DataType::Int64, true)));
    let item = DataType::Struct(Fields::from(fields));
    DataType::List(Arc::new(Field::new("item", item, true)))
}

/// The `k` most frequent values, of equal counts the lesser first.
#[derive(Debug)]
pub(super) struct TopK {
    pub(super) k: usize,
}

type Counts = HashMap<Value, u64, FixedState>;

fn count_up(counts: &mut Counts, value: ValueRef<'_>, n: u64) {
    match counts.get_mut(&value) {
        Some(count) => *count += n,
        None => {
            counts.insert(value.to_value().canonical(), n);
        }
    }
}

impl AggregateFunction for TopK {
    type State = Counts;

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        Ok(list_of(&inputs[0], &["count"]))
    }

    fn empty(&self) -> Counts {
        Counts::default()
    }

    fn lift(&self, row: &Row<'_>) -> Result<Counts> {
        super::lifted(self, row)
    }

    fn add(&self, state: &mut Counts, row: &Row<'_>) -> Result<()> {
        count_up(state, row.values[0], 1);
        Ok(())
    }

    fn combine(&self, state: &mut Counts, later: &Counts) -> Result<()> {
        let later = later.iter().filter_map(|(value, n)| Some((value.as_ref()?, *n)));
        later.for_each(|(value, n)| count_up(state, value, n));
        Ok(())
    }

    fn lower(&self, state: &Counts) -> Result<Option<Value>> {
        let mut all: Vec<_> = state.iter().map(|(value, count)| (Reverse(*count), value)).collect();
        all.sort_unstable();
        let record = |(Reverse(count), value): (Reverse<u64>, &Value)| {
            Value::Record(vec![value.clone(), Value::Int(count as i64)])
        };
        let top = all.into_iter().take(self.k).map(record).collect();
        Ok((!state.is_empty()).then_some(Value::List(top)))
    }

    fn heap_bytes(&self, state: &Counts) -> usize {
        state.allocation_size() + state.keys().map(Value::heap_bytes).sum::<usize>()
    }
}

/// The `k` most frequent values, approximately.
#[derive(Debug)]
pub(super) struct SpaceSaving {
    k: usize,
    /// Counters.
    capacity: usize,
}

/// A counter: how often its value came at most, and by how much that may be too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counter {
    count: u64,
    error: u64,
}

type Counters = HashMap<Value, Counter, FixedState>;

impl SpaceSaving {
    pub(super) fn new(k: usize) -> Self {
        Self { k, capacity: k * SPACE_SAVING_FACTOR }
    }

    /// How often a value without a counter may have come.
    fn unseen(&self, state: &Counters) -> u64 {
        if state.len() < self.capacity {
            return 0;
        }
        state.values().map(|counter| counter.count).min().unwrap_or(0)
    }
}

/// The counters, the greatest first, of equal ones the lesser value.
fn ranked(state: &Counters) -> Vec<(&Value, Counter)> {
    let mut all: Vec<_> = state.iter().map(|(value, counter)| (value, *counter)).collect();
    all.sort_unstable_by_key(|(value, counter)| (Reverse(counter.count), *value));
    all
}

impl AggregateFunction for SpaceSaving {
    type State = Counters;

    fn output_type(&self, inputs: &[DataType]) -> Result<DataType> {
        Ok(list_of(&inputs[0], &["count", "error"]))
    }

    fn empty(&self) -> Counters {
        Counters::default()
    }

    fn lift(&self, row: &Row<'_>) -> Result<Counters> {
        super::lifted(self, row)
    }

    fn add(&self, state: &mut Counters, row: &Row<'_>) -> Result<()> {
        if let Some(counter) = state.get_mut(&row.values[0]) {
            counter.count += 1;
            return Ok(());
        }
        let mut error = 0;
        if state.len() == self.capacity {
            // Of equal counts the greatest value goes: no hash decides.
            let least = state.iter().min_by_key(|(value, c)| (c.count, Reverse(*value)));
            if let Some((value, counter)) = least.map(|(value, c)| (value.clone(), *c)) {
                state.remove(&value);
                error = counter.count;
            }
        }
        let value = row.values[0].to_value().canonical();
        state.insert(value, Counter { count: error + 1, error });
        Ok(())
    }

    fn combine(&self, state: &mut Counters, later: &Counters) -> Result<()> {
        let (unseen, unseen_later) = (self.unseen(state), self.unseen(later));
        for (value, counter) in state.iter_mut() {
            let other = later.get(value);
            counter.count += other.map_or(unseen_later, |other| other.count);
            counter.error += other.map_or(unseen_later, |other| other.error);
        }
        for (value, counter) in later {
            if !state.contains_key(value) {
                let Counter { count, error } = counter;
                let counter = Counter { count: count + unseen, error: error + unseen };
                state.insert(value.clone(), counter);
            }
        }
        if state.len() > self.capacity {
            let kept = ranked(state).into_iter().take(self.capacity);
            *state = kept.map(|(value, counter)| (value.clone(), counter)).collect();
        }
        Ok(())
    }

    fn lower(&self, state: &Counters) -> Result<Option<Value>> {
        let record = |(value, counter): (&Value, Counter)| {
            let [count, error] = [counter.count, counter.error].map(|n| Value::Int(n as i64));
            Value::Record(vec![value.clone(), count, error])
        };
        let top = ranked(state).into_iter().take(self.k).map(record).collect();
        Ok((!state.is_empty()).then_some(Value::List(top)))
    }

    fn heap_bytes(&self, state: &Counters) -> usize {
        state.allocation_size() + state.keys().map(Value::heap_bytes).sum::<usize>()
    }
}
