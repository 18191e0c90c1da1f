//! Approximate quantiles in little memory: DDSketch (Masson, Rim, Lee, "DDSketch: a fast and
//! fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019).
//!
//! Bucket i counts the values in (γ^(i−1), γ^i] with γ = (1 + α) / (1 − α); any value of a bucket
//! is within α of 2γ^i / (γ + 1). Counts add up whatever the order, so the answer depends on the
//! values alone. Buckets are never collapsed: from the least normal float to the greatest there
//! are about 71,000 of each sign, and a real column fills some hundreds.

use arrow::datatypes::DataType;

use super::moments::{number, unscaled};
use super::{AggregateFunction, Row, Value};
use crate::error::Result;

/// Largest relative error of an approximate quantile: of the value at rank ⌊q·(n − 1)⌋, counted
/// from 0. Values below the least normal float (2.2e-308) count as 0.
pub const APPROX_QUANTILE_ERROR: f64 = 0.01;

/// The quantile `q`, approximately.
#[derive(Debug)]
pub(super) struct ApproxQuantile {
    q: f64,
    scale: i8,
    gamma: f64,
    gamma_ln: f64,
}

/// Counts by bucket.
#[derive(Debug, Clone, Default)]
pub(super) struct Sketch {
    n: u64,
    /// Bucket and count, by bucket, of the magnitudes of negative values.
    negative: Vec<(i32, u64)>,
    zeros: u64,
    positive: Vec<(i32, u64)>,
    infinite: [u64; 2],
    /// The rest is NaN, which is greatest.
    not_nan: u64,
    /// Bounds of the finite values: the answer lies between them.
    low: f64,
    high: f64,
}

impl ApproxQuantile {
    pub(super) fn new(q: f64, scale: i8) -> Self {
        let gamma = (1.0 + APPROX_QUANTILE_ERROR) / (1.0 - APPROX_QUANTILE_ERROR);
        Self { q, scale, gamma, gamma_ln: libm::log(gamma) }
    }

    fn bucket(&self, magnitude: f64) -> i32 {
        (libm::log(magnitude) / self.gamma_ln).ceil() as i32
    }

    fn magnitude(&self, bucket: i32) -> f64 {
        // γ^(i−1) is below some value of the bucket, so it does not overflow.
        let below = libm::pow(self.gamma, f64::from(bucket - 1));
        (below * (2.0 * self.gamma / (self.gamma + 1.0))).min(f64::MAX)
    }

    /// The value at a rank among those that are not NaN.
    fn at(&self, state: &Sketch, rank: u64) -> f64 {
        let mut left = rank;
        let mut passes = |count: u64| {
            let passed = left >= count;
            left = if passed { left - count } else { left };
            passed
        };
        if !passes(state.infinite[0]) {
            return f64::NEG_INFINITY;
        }
        for &(bucket, count) in state.negative.iter().rev() {
            if !passes(count) {
                return -self.magnitude(bucket);
            }
        }
        if !passes(state.zeros) {
            return 0.0;
        }
        for &(bucket, count) in &state.positive {
            if !passes(count) {
                return self.magnitude(bucket);
            }
        }
        f64::INFINITY
    }
}

fn count_in(buckets: &mut Vec<(i32, u64)>, bucket: i32, count: u64) {
    match buckets.binary_search_by_key(&bucket, |known| known.0) {
        Ok(at) => buckets[at].1 += count,
        Err(at) => buckets.insert(at, (bucket, count)),
    }
}

impl AggregateFunction for ApproxQuantile {
    type State = Sketch;

    fn output_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn empty(&self) -> Sketch {
        Sketch { low: f64::INFINITY, high: f64::NEG_INFINITY, ..Sketch::default() }
    }

    fn lift(&self, row: &Row<'_>) -> Result<Sketch> {
        super::lifted(self, row)
    }

    fn add(&self, state: &mut Sketch, row: &Row<'_>) -> Result<()> {
        let value = number(row, 0);
        state.n += 1;
        if value.is_nan() {
            return Ok(());
        }
        state.not_nan += 1;
        if value.is_infinite() {
            state.infinite[usize::from(value > 0.0)] += 1;
            return Ok(());
        }
        state.low = state.low.min(value);
        state.high = state.high.max(value);
        if value.abs() < f64::MIN_POSITIVE {
            state.zeros += 1;
        } else if value > 0.0 {
            count_in(&mut state.positive, self.bucket(value), 1);
        } else {
            count_in(&mut state.negative, self.bucket(-value), 1);
        }
        Ok(())
    }

    fn combine(&self, state: &mut Sketch, later: &Sketch) -> Result<()> {
        state.n += later.n;
        state.not_nan += later.not_nan;
        state.zeros += later.zeros;
        state.infinite[0] += later.infinite[0];
        state.infinite[1] += later.infinite[1];
        state.low = state.low.min(later.low);
        state.high = state.high.max(later.high);
        later.positive.iter().for_each(|&(b, n)| count_in(&mut state.positive, b, n));
        later.negative.iter().for_each(|&(b, n)| count_in(&mut state.negative, b, n));
        Ok(())
    }

    fn lower(&self, state: &Sketch) -> Result<Option<Value>> {
        if state.n == 0 {
            return Ok(None);
        }
        let rank = (self.q * (state.n - 1) as f64) as u64;
        if rank >= state.not_nan {
            return Ok(Some(Value::float(f64::NAN)));
        }
        let value = self.at(state, rank);
        // A bucket's middle may lie beyond the values that are in it.
        let value = if value.is_finite() { value.max(state.low).min(state.high) } else { value };
        Ok(Some(Value::float(unscaled(value, self.scale) + 0.0)))
    }

    fn heap_bytes(&self, state: &Sketch) -> usize {
        (state.positive.capacity() + state.negative.capacity()) * size_of::<(i32, u64)>()
    }
}
