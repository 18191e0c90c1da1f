//! Numbers of values in bins of equal width.

use arrow::datatypes::{DataType, Field};
use std::sync::Arc;

use super::lower::power_of_ten;
use super::moments::number;
use super::{AggregateFunction, Row, Value};
use crate::error::Result;

/// Counts below, in, and from the end of the bins on.
#[derive(Debug)]
pub(super) struct Histogram {
    low: f64,
    high: f64,
    bins: usize,
}

/// Rows counted, and the counts (empty before the first row).
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    rows: u64,
    counts: Vec<i64>,
}

impl Histogram {
    pub(super) fn new(low: f64, high: f64, bins: usize, scale: i8) -> Self {
        // Decimals are compared in units of their last place.
        let power = power_of_ten(scale);
        let scaled = |bound: f64| if scale < 0 { bound / power } else { bound * power };
        Self { low: scaled(low), high: scaled(high), bins }
    }

    /// Index of the count of a value.
    fn bin(&self, value: f64) -> usize {
        if value < self.low {
            return 0;
        }
        if value < self.high {
            let share = (value - self.low) / (self.high - self.low);
            return 1 + ((share * self.bins as f64) as usize).min(self.bins - 1);
        }
        // NaN too, which is greatest.
        self.bins + 1
    }
}

impl AggregateFunction for Histogram {
    type State = Counts;

    fn output_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new("item", DataType::Int64, true))))
    }

    fn empty(&self) -> Counts {
        Counts::default()
    }

    fn lift(&self, row: &Row<'_>) -> Result<Counts> {
        super::lifted(self, row)
    }

    fn add(&self, state: &mut Counts, row: &Row<'_>) -> Result<()> {
        state.rows += 1;
        state.counts.resize(self.bins + 2, 0);
        state.counts[self.bin(number(row, 0))] += 1;
        Ok(())
    }

    fn combine(&self, state: &mut Counts, later: &Counts) -> Result<()> {
        state.rows += later.rows;
        state.counts.resize(state.counts.len().max(later.counts.len()), 0);
        state.counts.iter_mut().zip(&later.counts).for_each(|(a, b)| *a += b);
        Ok(())
    }

    fn has_inverse(&self) -> bool {
        true
    }

    fn invert(&self, state: &mut Counts, earliest: &Counts) -> Result<()> {
        state.rows -= earliest.rows;
        state.counts.iter_mut().zip(&earliest.counts).for_each(|(a, b)| *a -= b);
        Ok(())
    }

    fn lower(&self, state: &Counts) -> Result<Option<Value>> {
        let counts = state.counts.iter().map(|&count| Value::Int(count));
        Ok((state.rows > 0).then(|| Value::List(counts.collect())))
    }

    fn heap_bytes(&self, state: &Counts) -> usize {
        state.counts.capacity() * 8
    }
}
