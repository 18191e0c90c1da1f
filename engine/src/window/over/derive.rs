//! From what the state held after each row to the columns that the plan asks for.
//!
//! The row loop only copies running values ([`Raw`]); means, deviations and speeds are computed
//! a column at a time afterwards.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use pelton_kernels::geo_haversine;

use super::entries::{NO_PLACE, place_parts};
use super::layout::{AccumulatorKind, Layout};
use super::numbers::{DoubleDouble, NonFinite};
use super::raw::{CodeSource, Raw, Values};
use super::spec::{MeasureKind, Output, OverPlan};
use crate::error::{Error, Result};

impl Raw {
    /// The columns of the plan.
    pub(super) fn columns(
        &mut self,
        plan: &OverPlan,
        layout: &Layout,
        entries: &[u64],
        stride: usize,
    ) -> Result<Vec<ArrayRef>> {
        let current = Current { plan, layout, entries, stride };
        plan.outputs
            .iter()
            .map(|(name, output)| self.column(&current, name, *output))
            .collect()
    }

    fn column(&self, current: &Current<'_>, name: &str, output: Output) -> Result<ArrayRef> {
        Ok(match output {
            Output::Count { h } => integers(self.counts[h].clone()),
            Output::CountValid { h, m } => integers(self.valid(h, m)),
            Output::Sum { h, m } => self.sum(current, name, h, m)?,
            Output::Mean { h, m } => self.moments(current, h, m, false, Moment::Mean),
            Output::OwnMean { h, m } => self.moments(current, h, m, true, Moment::Mean),
            Output::StdDev { h, m } => self.moments(current, h, m, false, Moment::StdDev),
            Output::OwnStdDev { h, m } => self.moments(current, h, m, true, Moment::StdDev),
            Output::Distinct { h, c } => integers(self.code(h, c).distinct.clone()),
            Output::CountSame { h, c } => integers(self.code(h, c).same.clone()),
            Output::SincePrevious => self.since_previous(current),
            Output::DistanceKm => floats(self.distances(current)),
            Output::SpeedKmh => self.speeds(current),
        })
    }

    fn source(&self, h: usize, m: usize, kind: AccumulatorKind) -> Option<&Values> {
        self.sources
            .iter()
            .find(|s| (s.h, s.m, s.kind) == (h, m, kind))
            .map(|source| &source.values)
    }

    fn code(&self, h: usize, c: usize) -> &CodeSource {
        self.codes
            .iter()
            .find(|s| (s.h, s.c) == (h, c))
            .expect("every code output has its source: both come from the plan's outputs")
    }

    /// Rows of the window whose measure is not null.
    fn valid(&self, h: usize, m: usize) -> Vec<i64> {
        match self.source(h, m, AccumulatorKind::Nulls) {
            Some(Values::Counts(nulls)) => {
                self.counts[h].iter().zip(nulls).map(|(&n, &nulls)| n - nulls as i64).collect()
            }
            _ => self.counts[h].clone(),
        }
    }

    fn sum(&self, current: &Current<'_>, name: &str, h: usize, m: usize) -> Result<ArrayRef> {
        let valid = self.valid(h, m);
        let nulls = nulls_of(&valid);
        if let Some(Values::Counts(trues)) = self.source(h, m, AccumulatorKind::Trues) {
            let sums: Vec<i64> = trues.iter().map(|&n| n as i64).collect();
            return Ok(Arc::new(Int64Array::new(ScalarBuffer::from(sums), nulls)));
        }
        if let Some(Values::Floats(sums)) = self.source(h, m, AccumulatorKind::FloatSum) {
            let sums: Vec<f64> =
                sums.iter().map(|(sum, other)| other.sum().unwrap_or(sum.value())).collect();
            return Ok(Arc::new(Float64Array::new(ScalarBuffer::from(sums), nulls)));
        }
        let Some(Values::Integers(sums)) = self.source(h, m, AccumulatorKind::Sum) else {
            unreachable!("every summed measure has one of the three sums");
        };
        if let MeasureKind::Decimal(_, scale) = current.plan.measures[m].kind {
            let sums = Decimal128Array::new(ScalarBuffer::from(sums.clone()), nulls);
            return Ok(Arc::new(sums.with_precision_and_scale(38, scale)?));
        }
        let narrow: Option<Vec<i64>> = sums.iter().map(|&sum| i64::try_from(sum).ok()).collect();
        let narrow = narrow.ok_or_else(|| {
            Error::run(format!("{name} does not fit into 64 bits"))
                .advise("cast the column to a decimal or a float before it is summed")
        })?;
        Ok(Arc::new(Int64Array::new(ScalarBuffer::from(narrow), nulls)))
    }

    fn moments(
        &self,
        current: &Current<'_>,
        h: usize,
        m: usize,
        own: bool,
        moment: Moment,
    ) -> ArrayRef {
        let valid = self.valid(h, m);
        let own = own && current.plan.horizons[h].delay == 0;
        let scale = match current.plan.measures[m].kind {
            // Exact for the scales that money has: 10^22 is the last power an f64 holds.
            MeasureKind::Decimal(_, scale) => power_of_ten(scale),
            _ => 1.0,
        };
        let squares = match moment {
            Moment::Mean => None,
            Moment::StdDev => self
                .source(h, m, AccumulatorKind::SumOfSquares)
                .or_else(|| self.source(h, m, AccumulatorKind::FloatSumOfSquares)),
        };
        let sums = [AccumulatorKind::Sum, AccumulatorKind::FloatSum, AccumulatorKind::Trues]
            .into_iter()
            .find_map(|kind| self.source(h, m, kind));
        let mut values = Vec::with_capacity(valid.len());
        for (i, &n) in valid.iter().enumerate() {
            let without = if own { current.value(i, m) } else { None };
            let n = n - i64::from(without.is_some());
            values.push(match (sums, squares) {
                (Some(Values::Integers(sums)), squares) => {
                    let x = without.map_or(0, |bits| i128::from(bits as i64));
                    let squares = match squares {
                        Some(Values::Integers(squares)) => squares[i] - x * x,
                        _ => 0,
                    };
                    integer_moment(moment, n, sums[i] - x, squares).map(|v| v / scale)
                }
                (Some(Values::Counts(trues)), _) => {
                    let x = without.map_or(0, |bits| i128::from(bits));
                    let sum = i128::from(trues[i]) - x;
                    integer_moment(moment, n, sum, sum)
                }
                (Some(Values::Floats(sums)), squares) => {
                    let squares = match squares {
                        Some(Values::Floats(squares)) => squares[i].0,
                        _ => DoubleDouble::default(),
                    };
                    float_moment(moment, n, sums[i], squares, without.map(f64::from_bits))
                }
                (None, _) => None,
            });
        }
        floats(values)
    }

    fn since_previous(&self, current: &Current<'_>) -> ArrayRef {
        let units = current.plan.units_per_second as f64;
        floats(
            self.previous
                .iter()
                .enumerate()
                .map(|(i, p)| p.map(|p| current.time(i).wrapping_sub(p.time) as u64 as f64 / units))
                .collect(),
        )
    }

    fn distances(&self, current: &Current<'_>) -> Vec<Option<f64>> {
        let Some(word) = current.layout.place_word else {
            return vec![None; self.previous.len()];
        };
        let mut from = (Vec::new(), Vec::new());
        let mut to = (Vec::new(), Vec::new());
        let mut known = Vec::with_capacity(self.previous.len());
        for (i, previous) in self.previous.iter().enumerate() {
            let here = current.entry(i)[word];
            let there = previous.map_or(NO_PLACE, |p| p.place);
            known.push(here != NO_PLACE && there != NO_PLACE);
            let (a, b) = if known[i] { (place_parts(there), place_parts(here)) } else { ((0, 0), (0, 0)) };
            from.0.push(a.0);
            from.1.push(a.1);
            to.0.push(b.0);
            to.1.push(b.1);
        }
        let mut km = vec![0.0; known.len()];
        geo_haversine::distances_km(
            geo_haversine::Places { lat: &from.0, lon: &from.1 },
            geo_haversine::Places { lat: &to.0, lon: &to.1 },
            &mut km,
        );
        km.into_iter().zip(known).map(|(km, known)| known.then_some(km)).collect()
    }

    fn speeds(&self, current: &Current<'_>) -> ArrayRef {
        let units_per_hour = current.plan.units_per_second as f64 * 3600.0;
        let distances = self.distances(current);
        floats(
            distances
                .into_iter()
                .zip(&self.previous)
                .enumerate()
                .map(|(i, (km, previous))| {
                    let elapsed = current.time(i).wrapping_sub((*previous)?.time) as u64 as f64;
                    (elapsed > 0.0).then_some(km? / (elapsed / units_per_hour))
                })
                .collect(),
        )
    }
}

/// The rows themselves.
struct Current<'a> {
    plan: &'a OverPlan,
    layout: &'a Layout,
    entries: &'a [u64],
    stride: usize,
}

impl Current<'_> {
    #[inline]
    fn entry(&self, row: usize) -> &[u64] {
        &self.entries[row * self.stride..(row + 1) * self.stride]
    }

    fn time(&self, row: usize) -> i64 {
        self.entry(row)[0] as i64
    }

    /// The row's own value of a measure (integer or f64 bits, 0 or 1), unless it is null.
    fn value(&self, row: usize, measure: usize) -> Option<u64> {
        let entry = self.entry(row);
        let flags = self.layout.flags(entry);
        if flags >> measure & 1 == 1 {
            return None;
        }
        Some(match self.layout.measures[measure] {
            super::layout::Slot::Word(word) => entry[word],
            super::layout::Slot::Bit(bit) => u64::from(flags >> bit & 1),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Mean,
    StdDev,
}

/// Conversion that is one instruction for sums that fit into 64 bits.
#[inline]
fn to_f64(value: i128) -> f64 {
    i64::try_from(value).map_or(value as f64, |value| value as f64)
}

/// Mean, or √((n Σx² − (Σx)²) / (n (n − 1))), exact up to the last conversion.
#[inline]
fn integer_moment(moment: Moment, n: i64, sum: i128, squares: i128) -> Option<f64> {
    match moment {
        Moment::Mean => (n > 0).then(|| to_f64(sum) / n as f64),
        Moment::StdDev if n < 2 => None,
        Moment::StdDev => {
            let exact = squares
                .checked_mul(i128::from(n))
                .zip(sum.checked_mul(sum))
                .map(|(a, b)| to_f64(a - b));
            let spread = exact
                .unwrap_or_else(|| (squares as f64 * n as f64 - sum as f64 * sum as f64).max(0.0));
            Some((spread / (n as f64 * (n - 1) as f64)).sqrt())
        }
    }
}

fn float_moment(
    moment: Moment,
    n: i64,
    (mut sum, mut other): (DoubleDouble, NonFinite),
    mut squares: DoubleDouble,
    without: Option<f64>,
) -> Option<f64> {
    if n < 1 || (moment == Moment::StdDev && n < 2) {
        return None;
    }
    match without {
        Some(x) if x.is_finite() => {
            sum = sum.add(-x);
            let (square, rest) = super::numbers::two_square(x);
            squares = squares.add(-square).add(-rest);
        }
        Some(x) => other = other.count(x, false),
        None => {}
    }
    let n = n as f64;
    if let Some(non_finite) = other.sum() {
        return Some(if moment == Moment::Mean { non_finite } else { f64::NAN });
    }
    Some(match moment {
        Moment::Mean => sum.value() / n,
        Moment::StdDev => {
            let spread = squares.times(n).minus(sum.square()).value().max(0.0);
            (spread / (n * (n - 1.0))).sqrt()
        }
    })
}

fn power_of_ten(scale: i8) -> f64 {
    let power = (0..scale.unsigned_abs()).fold(1.0, |power, _| power * 10.0);
    if scale < 0 { 1.0 / power } else { power }
}

fn integers(values: Vec<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}

fn floats(values: Vec<Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from(values))
}

/// Null where there is no value.
fn nulls_of(valid: &[i64]) -> Option<NullBuffer> {
    valid.contains(&0).then(|| valid.iter().map(|&n| n > 0).collect())
}
