//! From what the state held after each row to the columns that the plan asks for: means,
//! deviations and speeds, a column at a time.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use pelton_kernels::geo_haversine;

use super::entries::{Entries, NO_PLACE, place_parts};
use super::layout::{AccumulatorKind, HorizonLayout, Layout};
use super::numbers::{DoubleDouble, NonFinite};
use super::raw::Raw;
use super::spec::{MeasureKind, Output, OverPlan};
use crate::error::{Error, Result};
use crate::packing::{Packing, Words};

/// A batch whose rows have gone through the state.
pub(super) struct Derive<'a> {
    plan: &'a OverPlan,
    layout: &'a Layout,
    entries: &'a Entries,
    raw: &'a Raw,
    /// Computed for the first of the columns that need them.
    distances_km: OnceCell<Vec<f64>>,
}

/// The running values of a measure in a horizon, less the row's own share where asked for.
enum Sums<'a> {
    /// As the bits of i64.
    Narrow(Cow<'a, [u64]>),
    Wide(Vec<i128>),
    Floats(Vec<(DoubleDouble, NonFinite)>),
}

impl<'a> Derive<'a> {
    pub(super) fn new(
        plan: &'a OverPlan,
        layout: &'a Layout,
        entries: &'a Entries,
        raw: &'a Raw,
    ) -> Self {
        Self { plan, layout, entries, raw, distances_km: OnceCell::new() }
    }

    /// The columns of the plan.
    pub(super) fn columns(&self) -> Result<Vec<ArrayRef>> {
        let mut out = Packing::new(self.raw.rows(), self.plan.outputs.len());
        for (name, output) in &self.plan.outputs {
            self.output(name, *output, &mut out)?;
        }
        Ok(out.finish())
    }

    fn output(&self, name: &str, output: Output, out: &mut Packing) -> Result<()> {
        match output {
            Output::Count { h } => integers(self.rows_of(h), out),
            Output::CountValid { h, m } => integers(&self.valid(h, m), out),
            Output::Sum { h, m } => self.sum(name, h, m, out)?,
            Output::Mean { h, m } => self.mean(h, m, false, out),
            Output::OwnMean { h, m } => self.mean(h, m, true, out),
            Output::StdDev { h, m } => self.std_dev(h, m, false, out),
            Output::OwnStdDev { h, m } => self.std_dev(h, m, true, out),
            Output::Distinct { h, c } => integers(self.code_column(h, c, false), out),
            Output::CountSame { h, c } => integers(self.code_column(h, c, true), out),
            Output::SincePrevious => self.since_previous(out),
            Output::DistanceKm => out.without_nan(self.distances().iter().copied()),
            Output::SpeedKmh => self.speed(out),
        }
        Ok(())
    }

    fn horizon(&self, h: usize) -> &HorizonLayout {
        &self.layout.horizons[h]
    }

    fn rows_of(&self, h: usize) -> &[u64] {
        self.raw.column(self.horizon(h).rows_column)
    }

    fn code_column(&self, h: usize, c: usize, same: bool) -> &[u64] {
        let read = self.layout.code_reads.iter().find(|read| (read.h, read.c) == (h, c));
        let read = read.expect("the layout has a column for each code output of the plan");
        self.raw.column(if same { read.same.unwrap_or(read.distinct) } else { read.distinct })
    }

    /// First column of an accumulator.
    fn accumulator(&self, h: usize, m: usize, kind: AccumulatorKind) -> Option<usize> {
        let horizon = self.horizon(h);
        let all = horizon.accumulators.iter().chain(&horizon.null_counts);
        all.into_iter().find(|a| (a.measure as usize, a.kind) == (m, kind)).map(|a| a.column)
    }

    /// Rows of the window whose measure is not null.
    fn valid(&self, h: usize, m: usize) -> Cow<'_, [u64]> {
        let rows = self.rows_of(h);
        match self.accumulator(h, m, AccumulatorKind::Nulls) {
            Some(column) if self.raw.has_nulls => {
                let nulls = self.raw.column(column);
                rows.iter().zip(nulls).map(|(&n, &nulls)| n - nulls).collect()
            }
            _ => Cow::Borrowed(rows),
        }
    }

    /// As `valid`, without the row itself where it is in the window.
    fn valid_others(&self, h: usize, m: usize) -> Vec<u64> {
        let valid = self.valid(h, m);
        if !self.entries.has_nulls {
            return valid.iter().map(|&n| n - 1).collect();
        }
        let own = self.entries.flags.iter().map(|flags| u64::from(flags >> m & 1 == 0));
        valid.iter().zip(own).map(|(&n, own)| n - own).collect()
    }

    /// The rows' own values of a measure that is no boolean.
    fn values(&self, m: usize) -> &[u64] {
        let word = self.layout.word_of(m);
        self.entries.word(word.expect("every measure but booleans has a word in the entry"))
    }

    /// The row's own value of a measure: an integer or the bits of a float, 0 for null.
    fn own_bits(&self, m: usize) -> Cow<'_, [u64]> {
        match self.layout.bits.iter().find(|(measure, _)| *measure == m) {
            None => Cow::Borrowed(self.values(m)),
            Some(&(_, bit)) => {
                self.entries.flags.iter().map(|flags| u64::from(flags >> bit & 1)).collect()
            }
        }
    }

    /// Whether the own row is to be taken out: it is not in a window that ended before.
    fn takes_own_out(&self, h: usize, own: bool) -> bool {
        own && self.horizon(h).delay == 0
    }

    fn sums(&self, h: usize, m: usize, without_own: bool) -> Sums<'_> {
        if let Some(read) = self.horizon(h).sums.iter().find(|read| read.sum.measure == m) {
            if self.layout.wide {
                return Sums::Wide(self.wide_column(read.column, m, without_own, |x| x));
            }
            return self.narrow(self.raw.column(read.column), m, without_own);
        }
        if let Some(column) = self.accumulator(h, m, AccumulatorKind::Trues) {
            return self.narrow(self.raw.column(column), m, without_own);
        }
        let column = self.accumulator(h, m, AccumulatorKind::FloatSum);
        let column = column.expect("every summed measure has one of the three sums");
        let mut sums = self.doubles(column);
        let [a, b] = [2, 3].map(|word| self.raw.column(column + word));
        for (i, (_, other)) in sums.iter_mut().enumerate() {
            *other = NonFinite::load(&[a[i], b[i]], 0);
        }
        if without_own {
            let own = self.values(m);
            for (i, (sum, other)) in sums.iter_mut().enumerate() {
                let is_null = self.entries.flags[i] >> m & 1 == 1;
                match f64::from_bits(own[i]) {
                    _ if is_null => {}
                    x if x.is_finite() => *sum = sum.add(-x),
                    x => *other = other.count(x, false),
                }
            }
        }
        Sums::Floats(sums)
    }

    fn narrow<'s>(&'s self, sums: &'s [u64], m: usize, without_own: bool) -> Sums<'s> {
        if without_own {
            let own = self.own_bits(m);
            let others = sums.iter().zip(own.iter()).map(|(&sum, &x)| sum.wrapping_sub(x));
            return Sums::Narrow(others.collect());
        }
        Sums::Narrow(Cow::Borrowed(sums))
    }

    /// A column of two words, less `share` of the row's own value.
    fn wide_column(
        &self,
        column: usize,
        m: usize,
        without_own: bool,
        share: impl Fn(i128) -> i128,
    ) -> Vec<i128> {
        let halves = self.raw.column(column).iter().zip(self.raw.column(column + 1));
        let sums = halves.map(|(&low, &high)| (u128::from(low) | u128::from(high) << 64) as i128);
        if !without_own {
            return sums.collect();
        }
        let own = self.own_bits(m);
        sums.zip(own.iter()).map(|(sum, &x)| sum - share(i128::from(x as i64))).collect()
    }

    /// A column of double-doubles.
    fn doubles(&self, column: usize) -> Vec<(DoubleDouble, NonFinite)> {
        let words = self.raw.column(column).iter().zip(self.raw.column(column + 1));
        let double = |(&a, &b)| (DoubleDouble::load(&[a, b], 0), NonFinite::default());
        words.map(double).collect()
    }

    fn sum(&self, name: &str, h: usize, m: usize, out: &mut Packing) -> Result<()> {
        let valid = self.valid(h, m);
        let sums = self.sums(h, m, false);
        if let MeasureKind::Decimal(_, scale) = self.plan.measures[m].kind {
            let sums: ScalarBuffer<i128> = match sums {
                Sums::Narrow(sums) => sums.iter().map(|&sum| i128::from(sum as i64)).collect(),
                Sums::Wide(sums) => sums.into(),
                Sums::Floats(_) => unreachable!("decimals are summed as integers"),
            };
            let sums = Decimal128Array::new(sums, nulls_below(&valid, 1));
            out.ready(Arc::new(sums.with_precision_and_scale(38, scale)?));
            return Ok(());
        }
        let enough = enough(&valid, 1);
        match sums {
            Sums::Floats(sums) => {
                let sums = sums.iter().map(|(sum, other)| other.sum().unwrap_or(sum.value()));
                out.values(Words::Float64, sums.map(f64::to_bits), enough);
            }
            Sums::Narrow(sums) => out.values(Words::Int64, sums.iter().copied(), enough),
            Sums::Wide(sums) => {
                let sums: Option<Vec<i64>> =
                    sums.iter().map(|&sum| i64::try_from(sum).ok()).collect();
                let sums = sums.ok_or_else(|| {
                    Error::run(format!("{name} does not fit into 64 bits"))
                        .advise("cast the column to a decimal or a float before it is summed")
                })?;
                out.values(Words::Int64, sums.iter().map(|&sum| sum as u64), enough);
            }
        }
        Ok(())
    }

    /// What an unscaled value is divided by. Exact for the scales that money has: 10^22 is the
    /// last power that an f64 holds.
    fn scale(&self, m: usize) -> f64 {
        match self.plan.measures[m].kind {
            MeasureKind::Decimal(_, scale) => power_of_ten(scale),
            _ => 1.0,
        }
    }

    /// Number of values, of the others or of all.
    fn counted(&self, h: usize, m: usize, without_own: bool) -> Cow<'_, [u64]> {
        if without_own { self.valid_others(h, m).into() } else { self.valid(h, m) }
    }

    fn mean(&self, h: usize, m: usize, own: bool, out: &mut Packing) {
        let without_own = self.takes_own_out(h, own);
        let n = self.counted(h, m, without_own);
        let scale = self.scale(m);
        let counted = n.iter().map(|&n| n as i64 as f64);
        match self.sums(h, m, without_own) {
            Sums::Narrow(sums) => floats(
                counted.zip(sums.iter()).map(|(n, &sum)| sum as i64 as f64 / (n * scale)),
                (&n, 1),
                out,
            ),
            Sums::Wide(sums) => {
                floats(counted.zip(sums).map(|(n, sum)| to_f64(sum) / (n * scale)), (&n, 1), out);
            }
            Sums::Floats(sums) => {
                let mean = |(n, (sum, other)): (f64, (DoubleDouble, NonFinite))| {
                    other.sum().unwrap_or_else(|| sum.value() / n)
                };
                floats(counted.zip(sums).map(mean), (&n, 1), out);
            }
        }
    }

    fn std_dev(&self, h: usize, m: usize, own: bool, out: &mut Packing) {
        let without_own = self.takes_own_out(h, own);
        let n = self.counted(h, m, without_own);
        let scale = self.scale(m);
        let squares = || {
            let column = self.accumulator(h, m, AccumulatorKind::SumOfSquares);
            let column = column.expect("every deviation has its squares: both come from the plan");
            self.wide_column(column, m, without_own, |x| x * x)
        };
        match self.sums(h, m, without_own) {
            Sums::Floats(sums) => {
                let deviations = self.float_deviations(h, m, &n, &sums, without_own);
                floats(deviations.into_iter(), (&n, 2), out);
            }
            // Squares of 0 and 1 are themselves.
            Sums::Narrow(sums) if self.plan.measures[m].kind == MeasureKind::Boolean => {
                let sums = sums.iter().map(|&sum| i128::from(sum as i64));
                let rows = n.iter().zip(sums);
                floats(rows.map(|(&n, sum)| deviation(n, sum, sum)), (&n, 2), out);
            }
            Sums::Narrow(sums) => {
                let sums = sums.iter().map(|&sum| i128::from(sum as i64));
                let rows = n.iter().zip(sums).zip(squares());
                floats(rows.map(|((&n, sum), sq)| deviation(n, sum, sq) / scale), (&n, 2), out);
            }
            Sums::Wide(sums) => {
                let rows = n.iter().zip(sums).zip(squares());
                floats(rows.map(|((&n, sum), sq)| deviation(n, sum, sq) / scale), (&n, 2), out);
            }
        }
    }

    fn float_deviations(
        &self,
        h: usize,
        m: usize,
        n: &[u64],
        sums: &[(DoubleDouble, NonFinite)],
        without_own: bool,
    ) -> Vec<f64> {
        let column = self.accumulator(h, m, AccumulatorKind::FloatSumOfSquares);
        let column = column.expect("every deviation has its squares: both come from the plan");
        let mut squares = self.doubles(column);
        if without_own {
            for ((square, _), &x) in squares.iter_mut().zip(self.values(m)) {
                let x = f64::from_bits(x);
                if x.is_finite() {
                    let (product, rest) = super::numbers::two_square(x);
                    *square = square.add(-product).add(-rest);
                }
            }
        }
        let rows = n.iter().zip(sums).zip(&squares);
        rows.map(|((&n, &(sum, other)), &(squares, _))| {
            if other.sum().is_some() {
                return f64::NAN;
            }
            let n = n as f64;
            let spread = squares.times(n).minus(sum.square()).value().max(0.0);
            (spread / (n * (n - 1.0))).sqrt()
        })
        .collect()
    }

    /// Units of time since the key's row before; NaN where none is.
    fn elapsed(&self) -> impl Iterator<Item = f64> {
        let column = self.layout.elapsed_column;
        let column = column.expect("the layout has it wherever the plan looks at the row before");
        self.raw.column(column).iter().map(|&bits| f64::from_bits(bits))
    }

    fn since_previous(&self, out: &mut Packing) {
        let units = self.plan.units_per_second as f64;
        out.without_nan(self.elapsed().map(|elapsed| elapsed / units));
    }

    /// Distances to the place before, and NaN where one of the two is unknown.
    fn distances(&self) -> &[f64] {
        self.distances_km.get_or_init(|| self.measure_distances())
    }

    fn measure_distances(&self) -> Vec<f64> {
        let rows = self.raw.rows();
        let Some(column) = self.layout.place_column else {
            return vec![f64::NAN; rows];
        };
        let place = self.layout.place_word.expect("a place before comes with the place itself");
        let (here, there) = (self.entries.word(place), self.raw.column(column));
        // What is unknown is put at 0, 0 on its way through the kernel.
        let known = |place: u64| if place == NO_PLACE { (0, 0) } else { place_parts(place) };
        let parts = |places: &[u64]| -> (Vec<i32>, Vec<i32>) {
            places.iter().map(|&place| known(place)).unzip()
        };
        let ((from_lat, from_lon), (to_lat, to_lon)) = (parts(there), parts(here));
        let mut km = vec![0.0; rows];
        geo_haversine::distances_km(
            geo_haversine::Places { lat: &from_lat, lon: &from_lon },
            geo_haversine::Places { lat: &to_lat, lon: &to_lon },
            &mut km,
        );
        for ((km, &here), &there) in km.iter_mut().zip(here).zip(there) {
            if here == NO_PLACE || there == NO_PLACE {
                *km = f64::NAN;
            }
        }
        km
    }

    fn speed(&self, out: &mut Packing) {
        let units_per_hour = self.plan.units_per_second as f64 * 3600.0;
        let speed = |(km, elapsed): (f64, f64)| {
            if elapsed > 0.0 { km / (elapsed / units_per_hour) } else { f64::NAN }
        };
        out.without_nan(self.distances().iter().copied().zip(self.elapsed()).map(speed));
    }
}

/// Conversion that is one instruction for sums that fit into 64 bits.
#[inline(always)]
pub(super) fn to_f64(value: i128) -> f64 {
    match i64::try_from(value) {
        Ok(value) => value as f64,
        Err(_) => wide_to_f64(value),
    }
}

#[cold]
fn wide_to_f64(value: i128) -> f64 {
    value as f64
}

/// √((n Σx² − (Σx)²) / (n (n − 1))), exact up to the last conversions; anything where n is too
/// small.
fn deviation(n: u64, sum: i128, squares: i128) -> f64 {
    let counted = n as f64;
    (exact_spread(n, sum, squares) / (counted * (counted - 1.0))).sqrt()
}

/// n Σx² − (Σx)², exact up to the last conversion.
#[inline(always)]
pub(super) fn exact_spread(n: u64, sum: i128, squares: i128) -> f64 {
    let counted = n as f64;
    match (i64::try_from(sum), u64::try_from(squares)) {
        // What nearly all sums are: products that fit without a look.
        (Ok(sum), Ok(squares)) if n <= u64::from(u32::MAX) => {
            let product = u128::from(squares) * u128::from(n);
            to_f64(product as i128 - i128::from(sum) * i128::from(sum))
        }
        _ => {
            let products = squares.checked_mul(i128::from(n)).zip(sum.checked_mul(sum));
            products.map_or_else(
                || (squares as f64 * counted - sum as f64 * sum as f64).max(0.0),
                |(a, b)| to_f64(a - b),
            )
        }
    }
}

pub(super) fn power_of_ten(scale: i8) -> f64 {
    let power = (0..scale.unsigned_abs()).fold(1.0, |power, _| power * 10.0);
    if scale < 0 { 1.0 / power } else { power }
}

fn integers(values: &[u64], out: &mut Packing) {
    out.values(Words::Int64, values.iter().copied(), None::<fn(usize) -> bool>);
}

/// Floats, null where there are fewer than `least` of `n` values.
fn floats(values: impl Iterator<Item = f64>, (n, least): (&[u64], u64), out: &mut Packing) {
    out.values(Words::Float64, values.map(f64::to_bits), enough(n, least));
}

/// Whether a row has `least` values or more; `None`: each has.
fn enough(n: &[u64], least: u64) -> Option<impl Fn(usize) -> bool> {
    // The difference's sign bit: a loop without branches that the compiler can make wide.
    let below = n.iter().fold(0, |below, &n| below | n.wrapping_sub(least)) >> 63;
    (below == 1).then_some(move |row: usize| n[row] >= least)
}

/// Null where there are fewer than `least` values.
fn nulls_below(n: &[u64], least: u64) -> Option<NullBuffer> {
    enough(n, least).map(|enough| BooleanBuffer::collect_bool(n.len(), enough).into())
}
