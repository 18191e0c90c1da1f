//! From what the state held after each row to the columns that the plan asks for.
//!
//! The row loop only copies running values ([`Raw`]); means, deviations and speeds are computed
//! a column at a time afterwards.

use std::borrow::Cow;
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
        plan.outputs.iter().map(|(name, output)| self.column(&current, name, *output)).collect()
    }

    fn column(&self, current: &Current<'_>, name: &str, output: Output) -> Result<ArrayRef> {
        Ok(match output {
            Output::Count { h } => integers(self.counts[h].clone()),
            Output::CountValid { h, m } => integers(self.valid(h, m).into_owned()),
            Output::Sum { h, m } => self.sum(current, name, h, m)?,
            Output::Mean { h, m } => self.moments(current, h, m, false, Moment::Mean),
            Output::OwnMean { h, m } => self.moments(current, h, m, true, Moment::Mean),
            Output::StdDev { h, m } => self.moments(current, h, m, false, Moment::StdDev),
            Output::OwnStdDev { h, m } => self.moments(current, h, m, true, Moment::StdDev),
            Output::Distinct { h, c } => integers(self.code(h, c).distinct.clone()),
            Output::CountSame { h, c } => integers(self.code(h, c).same.clone()),
            Output::SincePrevious => self.since_previous(current),
            Output::DistanceKm => self.distance_column(current),
            Output::SpeedKmh => self.speed_column(current),
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
    fn valid(&self, h: usize, m: usize) -> Cow<'_, [i64]> {
        match self.source(h, m, AccumulatorKind::Nulls) {
            Some(Values::Counts(nulls)) if nulls.iter().any(|&n| n > 0) => {
                self.counts[h].iter().zip(nulls).map(|(&n, &nulls)| n - nulls as i64).collect()
            }
            _ => Cow::Borrowed(&self.counts[h]),
        }
    }

    fn sum(&self, current: &Current<'_>, name: &str, h: usize, m: usize) -> Result<ArrayRef> {
        let valid = self.valid(h, m);
        let nulls = nulls_below(&valid, 1);
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
        let own = own && current.plan.horizons[h].delay == 0;
        let mut n = self.valid(h, m);
        let mut without: Vec<Option<u64>> = Vec::new();
        if own {
            without.extend((0..n.len()).map(|i| current.value(i, m, self.has_nulls)));
            n = n.iter().zip(&without).map(|(n, x)| n - i64::from(x.is_some())).collect();
        }
        let source = |kind| self.source(h, m, kind);
        let least = if moment == Moment::Mean { 1 } else { 2 };
        let values = if let Some(Values::Floats(sums)) = source(AccumulatorKind::FloatSum) {
            let squares = match source(AccumulatorKind::FloatSumOfSquares) {
                Some(Values::Floats(squares)) if moment == Moment::StdDev => squares.as_slice(),
                _ => &[],
            };
            let square = |i: usize| squares.get(i).map_or(DoubleDouble::default(), |s| s.0);
            let x = |i: usize| without.get(i).copied().flatten().map(f64::from_bits);
            let moments = n.iter().enumerate();
            moments.map(|(i, &n)| float_moment(moment, n, sums[i], square(i), x(i))).collect()
        } else if let Some(Values::Counts(trues)) = source(AccumulatorKind::Trues) {
            let x = |i: usize| without.get(i).copied().flatten().unwrap_or(0);
            let sums: Vec<i128> =
                trues.iter().enumerate().map(|(i, &n)| i128::from(n - x(i))).collect();
            integer_moments(moment, &n, &sums, &sums, 1.0)
        } else {
            let scale = match current.plan.measures[m].kind {
                // Exact for the scales that money has: 10^22 is the last power an f64 holds.
                MeasureKind::Decimal(_, scale) => power_of_ten(scale),
                _ => 1.0,
            };
            let x = |i: usize| without.get(i).copied().flatten().unwrap_or(0) as i64;
            let sums = integers_without(source(AccumulatorKind::Sum), own, |i| i128::from(x(i)));
            let squares = match moment {
                Moment::Mean => Cow::Borrowed(&[][..]),
                Moment::StdDev => {
                    let squares = source(AccumulatorKind::SumOfSquares);
                    integers_without(squares, own, |i| i128::from(x(i)) * i128::from(x(i)))
                }
            };
            integer_moments(moment, &n, &sums, &squares, scale)
        };
        Arc::new(Float64Array::new(ScalarBuffer::from(values), nulls_below(&n, least)))
    }

    fn since_previous(&self, current: &Current<'_>) -> ArrayRef {
        let units = current.plan.units_per_second as f64;
        let seconds = self
            .previous
            .iter()
            .enumerate()
            .map(|(i, previous)| previous.map_or(0.0, |p| current.elapsed(i, p.time) / units));
        let known = NullBuffer::from_iter(self.previous.iter().map(Option::is_some));
        Arc::new(Float64Array::new(seconds.collect(), Some(known)))
    }

    /// Distances, computed once a batch for all outputs that need them, and where they are known.
    fn distances(&self, current: &Current<'_>) -> (Vec<f64>, Vec<bool>) {
        let rows = self.previous.len();
        let Some(word) = current.layout.place_word else {
            return (vec![0.0; rows], vec![false; rows]);
        };
        let (mut from_lat, mut from_lon) = (vec![0; rows], vec![0; rows]);
        let (mut to_lat, mut to_lon) = (vec![0; rows], vec![0; rows]);
        let mut known = vec![false; rows];
        for (i, previous) in self.previous.iter().enumerate() {
            let here = current.entry(i)[word];
            let there = previous.map_or(NO_PLACE, |p| p.place);
            if here != NO_PLACE && there != NO_PLACE {
                known[i] = true;
                (from_lat[i], from_lon[i]) = place_parts(there);
                (to_lat[i], to_lon[i]) = place_parts(here);
            }
        }
        let mut km = vec![0.0; rows];
        geo_haversine::distances_km(
            geo_haversine::Places { lat: &from_lat, lon: &from_lon },
            geo_haversine::Places { lat: &to_lat, lon: &to_lon },
            &mut km,
        );
        (km, known)
    }

    fn distance_column(&self, current: &Current<'_>) -> ArrayRef {
        let (km, known) = self.distances(current);
        Arc::new(Float64Array::new(ScalarBuffer::from(km), Some(NullBuffer::from(known))))
    }

    fn speed_column(&self, current: &Current<'_>) -> ArrayRef {
        let units_per_hour = current.plan.units_per_second as f64 * 3600.0;
        let (mut values, mut known) = self.distances(current);
        for (i, previous) in self.previous.iter().enumerate() {
            let elapsed = previous.map_or(0.0, |p| current.elapsed(i, p.time));
            known[i] &= elapsed > 0.0;
            values[i] = if known[i] { values[i] / (elapsed / units_per_hour) } else { 0.0 };
        }
        Arc::new(Float64Array::new(ScalarBuffer::from(values), Some(NullBuffer::from(known))))
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

    /// Units of time since an earlier row.
    fn elapsed(&self, row: usize, since: i64) -> f64 {
        (self.entry(row)[0] as i64).wrapping_sub(since) as u64 as f64
    }

    /// The row's own value of a measure (integer or f64 bits, 0 or 1), unless it is null.
    #[inline]
    fn value(&self, row: usize, measure: usize, has_nulls: bool) -> Option<u64> {
        let entry = self.entry(row);
        let flags = self.layout.flags(entry);
        if has_nulls && flags >> measure & 1 == 1 {
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
#[inline(always)]
fn to_f64(value: i128) -> f64 {
    match i64::try_from(value) {
        Ok(value) => value as f64,
        Err(_) => wide_to_f64(value),
    }
}

#[cold]
fn wide_to_f64(value: i128) -> f64 {
    value as f64
}

/// The running sums, less the row's own share where it is not to count.
fn integers_without<'a>(
    values: Option<&'a Values>,
    own: bool,
    share: impl Fn(usize) -> i128,
) -> Cow<'a, [i128]> {
    let Some(Values::Integers(values)) = values else {
        unreachable!("every mean and deviation has its sums: both come from the plan's outputs");
    };
    if !own {
        return Cow::Borrowed(values);
    }
    values.iter().enumerate().map(|(i, value)| value - share(i)).collect()
}

/// Means, or √((n Σx² − (Σx)²) / (n (n − 1))), exact up to the last conversions; anything where
/// n is too small.
fn integer_moments(
    moment: Moment,
    n: &[i64],
    sums: &[i128],
    squares: &[i128],
    scale: f64,
) -> Vec<f64> {
    let rows = n.iter().zip(sums);
    match moment {
        Moment::Mean => {
            // Sums of 64 bits in one pass; the pass is thrown away where one is wider.
            let mut fits = true;
            let means = rows.clone().map(|(&n, &sum)| {
                let narrow = sum as i64;
                fits &= i128::from(narrow) == sum;
                narrow as f64 / (n as f64 * scale)
            });
            let means: Vec<f64> = means.collect();
            if fits {
                return means;
            }
            rows.map(|(&n, &sum)| to_f64(sum) / (n as f64 * scale)).collect()
        }
        Moment::StdDev => rows
            .zip(squares)
            .map(|((&n, &sum), &squares)| deviation(n, sum, squares) / scale)
            .collect(),
    }
}

fn deviation(n: i64, sum: i128, squares: i128) -> f64 {
    let exact =
        squares.checked_mul(i128::from(n)).zip(sum.checked_mul(sum)).map(|(a, b)| to_f64(a - b));
    let spread =
        exact.unwrap_or_else(|| (squares as f64 * n as f64 - sum as f64 * sum as f64).max(0.0));
    (spread / (n as f64 * (n - 1) as f64)).sqrt()
}

fn float_moment(
    moment: Moment,
    n: i64,
    (mut sum, mut other): (DoubleDouble, NonFinite),
    mut squares: DoubleDouble,
    without: Option<f64>,
) -> f64 {
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
        return if moment == Moment::Mean { non_finite } else { f64::NAN };
    }
    match moment {
        Moment::Mean => sum.value() / n,
        Moment::StdDev => {
            let spread = squares.times(n).minus(sum.square()).value().max(0.0);
            (spread / (n * (n - 1.0))).sqrt()
        }
    }
}

fn power_of_ten(scale: i8) -> f64 {
    let power = (0..scale.unsigned_abs()).fold(1.0, |power, _| power * 10.0);
    if scale < 0 { 1.0 / power } else { power }
}

fn integers(values: Vec<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}

/// Null where there are fewer than `least` values.
fn nulls_below(n: &[i64], least: i64) -> Option<NullBuffer> {
    n.iter().any(|&n| n < least).then(|| n.iter().map(|&n| n >= least).collect())
}
