//! Exponentially weighted mean by time: Σ x·2^(−age/h) / Σ 2^(−age/h), with the age of a row
//! counted from the last row of the window (it cancels out, but keeps the weights near 1). So it
//! does not matter in which order rows come, but for rounding.

use arrow::datatypes::DataType;

use super::moments::{number, unscaled};
use super::{AggregateFunction, Row, Value};
use crate::error::Result;

/// The mean with weights that halve with each half-life.
#[derive(Debug)]
pub(super) struct Ewma {
    half_life: f64,
    scale: i8,
}

/// Weighted sum and weights, as of the time `latest`; no weight: no row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weighted {
    latest: i64,
    sum: f64,
    weight: f64,
}

impl Ewma {
    pub(super) fn new(half_life: i64, scale: i8) -> Self {
        Self { half_life: half_life as f64, scale }
    }

    /// What a weight shrinks to in the time from `earlier` to `later`.
    fn decay(&self, earlier: i64, later: i64) -> f64 {
        let age = (i128::from(later) - i128::from(earlier)) as f64;
        if age == 0.0 { 1.0 } else { libm::exp2(-age / self.half_life) }
    }
}

impl AggregateFunction for Ewma {
    type State = Weighted;

    fn output_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn empty(&self) -> Weighted {
        Weighted::default()
    }

    fn lift(&self, row: &Row<'_>) -> Result<Weighted> {
        Ok(Weighted { latest: row.time, sum: number(row, 0), weight: 1.0 })
    }

    fn combine(&self, state: &mut Weighted, later: &Weighted) -> Result<()> {
        if state.weight == 0.0 || later.weight == 0.0 {
            if state.weight == 0.0 {
                *state = *later;
            }
            return Ok(());
        }
        let latest = state.latest.max(later.latest);
        let (a, b) = (self.decay(state.latest, latest), self.decay(later.latest, latest));
        // A weight of 0 takes an infinite value out, rather than making it NaN.
        let part = |sum: f64, decay: f64| if decay == 0.0 { 0.0 } else { sum * decay };
        *state = Weighted {
            latest,
            sum: part(state.sum, a) + part(later.sum, b),
            weight: state.weight * a + later.weight * b,
        };
        Ok(())
    }

    fn lower(&self, state: &Weighted) -> Result<Option<Value>> {
        let mean = || Value::float(unscaled(state.sum / state.weight, self.scale));
        Ok((state.weight > 0.0).then(mean))
    }
}
