//! Exact quantiles: all values are kept and put in order at the end, so the order in which they
//! came does not matter. Between two values the answer lies in proportion (PERCENTILE_CONT).

use arrow::datatypes::DataType;

use super::moments::{number, unscaled};
use super::value::float_order;
use super::{AggregateFunction, Row, Value};
use crate::error::Result;

/// The quantile `q` of numbers.
#[derive(Debug)]
pub(super) struct Quantile {
    pub(super) q: f64,
    pub(super) scale: i8,
}

impl AggregateFunction for Quantile {
    type State = Vec<f64>;

    fn output_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn empty(&self) -> Vec<f64> {
        Vec::new()
    }

    fn lift(&self, row: &Row<'_>) -> Result<Vec<f64>> {
        super::lifted(self, row)
    }

    fn add(&self, state: &mut Vec<f64>, row: &Row<'_>) -> Result<()> {
        state.push(number(row, 0));
        Ok(())
    }

    fn combine(&self, state: &mut Vec<f64>, later: &Vec<f64>) -> Result<()> {
        state.extend_from_slice(later);
        Ok(())
    }

    fn lower(&self, state: &Vec<f64>) -> Result<Option<Value>> {
        if state.is_empty() {
            return Ok(None);
        }
        let mut values = state.clone();
        let rank = self.q * (values.len() - 1) as f64;
        let (below, share) = (rank as usize, rank - rank.floor());
        let order = |value: &f64| float_order(*value);
        let (_, low, above) = values.select_nth_unstable_by_key(below, order);
        // −0 and +0 are equal, and which of them is picked would depend on the order.
        let low = *low + 0.0;
        let high = above.iter().copied().min_by_key(order).map_or(low, |high| high + 0.0);
        let result = if share == 0.0 || low == high {
            low
        } else if (high - low).is_finite() {
            low + (high - low) * share
        } else {
            // Infinite, or too far apart for their difference.
            low * (1.0 - share) + high * share
        };
        Ok(Some(Value::float(unscaled(result, self.scale))))
    }

    fn heap_bytes(&self, state: &Vec<f64>) -> usize {
        state.capacity() * 8
    }
}
