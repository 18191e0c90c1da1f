//! Bins: each feature's values cut into at most 254 intervals that weigh about the same each.
//!
//! ```text
//! values    1 1 1 2 2 5 7 7 9 …        bin 0: x ≤ 1.5   bin 1: x ≤ 3.5   …   last: the rest
//! a value that many rows share has a bin of its own; missing values have the bin after the last
//! ```
//!
//! **Of classes, both weigh the same**: where one row in a hundred is a fraud, bins of as many rows
//! each would have one or two for all amounts at which frauds are common, and no tree could tell
//! three times the usual amount from ten times. So a row of the rarer class weighs as much as
//! there are rows of the other for each of it: half of the bins lie where the rarer class does.
//! Numbers to be told are no classes: all rows weigh 1.
//!
//! Borders lie midway between neighbouring values, so that a threshold has no value on it.
//! Borders come from the rows to learn from alone: later rows must not leak into them.

use super::Labels;

/// Most bins of values that a feature may have; with the one for missing values they fit a byte.
pub const BINS_MAX: usize = 254;

/// Values beyond this, infinite ones as well, count as this: borders stay finite.
pub const VALUE_MAX: f64 = 1e300;

/// The bins of one feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// Largest value of each bin but the last; ascending, finite.
    upper: Vec<f64>,
    /// Smallest and largest value that was seen; `None` where all were missing.
    range: Option<(f64, f64)>,
}

/// ±∞ made finite, −0 made 0; NaN stays.
fn tame(value: f64) -> f64 {
    value.clamp(-VALUE_MAX, VALUE_MAX) + 0.0
}

impl Bins {
    /// At most `bins_max` bins of these values, each with what its row weighs, in any order; NaN
    /// is left out.
    #[must_use]
    pub fn of(values: impl Iterator<Item = (f64, u64)>, bins_max: usize) -> Self {
        let known = values.filter(|(value, _)| !value.is_nan());
        let mut sorted: Vec<(f64, u64)> = known.map(|(value, w)| (tame(value), w)).collect();
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let range = sorted.first().zip(sorted.last()).map(|(first, last)| (first.0, last.0));
        let distinct = runs(&sorted);
        let bins_max = bins_max.clamp(2, BINS_MAX);
        let mut upper = Vec::new();
        let (mut left, mut held) = (sorted.iter().map(|(_, w)| w).sum::<u64>(), 0);
        for (at, pair) in distinct.windows(2).enumerate() {
            let ((value, weight), (next, _)) = (pair[0], pair[1]);
            held += weight;
            // As many distinct values as bins that are left: each gets its own.
            let bins_left = bins_max - upper.len();
            let enough = held * bins_left as u64 >= left || distinct.len() - at <= bins_left;
            if enough && bins_left > 1 {
                upper.push(between(value, next));
                left -= held;
                held = 0;
            }
        }
        Self { upper, range }
    }

    /// Number of bins of values: the bin of missing values has this number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.upper.len() + 1
    }

    /// Whether there is nothing to split.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.range.is_none()
    }

    /// Bin of a value.
    #[must_use]
    pub fn bin(&self, value: f64) -> u8 {
        if value.is_nan() {
            return self.len() as u8;
        }
        // At most 254.
        self.upper.partition_point(|upper| *upper < value) as u8
    }

    /// The threshold of "this bin or one before": `x ≤ threshold`; after the last bin all numbers
    /// but +∞.
    #[must_use]
    pub fn threshold(&self, bin: usize) -> f64 {
        self.upper.get(bin).copied().unwrap_or(f64::MAX)
    }

    /// Smallest and largest value that was seen.
    #[must_use]
    pub fn range(&self) -> Option<(f64, f64)> {
        self.range
    }
}

/// Each value once, with what its rows weigh together.
fn runs(sorted: &[(f64, u64)]) -> Vec<(f64, u64)> {
    let mut runs: Vec<(f64, u64)> = Vec::new();
    for &(value, weight) in sorted {
        match runs.last_mut() {
            Some((last, held)) if *last == value => *held += weight,
            _ => runs.push((value, weight)),
        }
    }
    runs
}

/// What each of `rows` weighs when bins are made: of classes, both the same together.
fn weights(labels: Labels<'_>, rows: &[u32]) -> Vec<u64> {
    let Labels::Classes(labels) = labels else { return vec![1; rows.len()] };
    let of = |row: &u32| labels[*row as usize];
    let trues = rows.iter().filter(|row| of(row)).count();
    let falses = rows.len() - trues;
    let rarer = trues <= falses;
    let (few, many) = if rarer { (trues, falses) } else { (falses, trues) };
    let weight = (many / few.max(1)).max(1) as u64;
    rows.iter().map(|row| if of(row) == rarer { weight } else { 1 }).collect()
}

/// A number `a ≤ x < b`, midway where rounding allows.
fn between(a: f64, b: f64) -> f64 {
    let middle = a / 2.0 + b / 2.0;
    if a <= middle && middle < b { middle } else { a }
}

/// The bins of all features, and the bin of each row.
#[derive(Debug)]
pub struct Binned {
    /// By feature.
    pub bins: Vec<Bins>,
    /// By feature, then by row.
    pub columns: Vec<Vec<u8>>,
}

impl Binned {
    /// Bins of `rows` of the columns; where `labels` are of classes, both weigh the same.
    #[must_use]
    pub fn new(columns: &[&[f64]], labels: Labels<'_>, rows: &[u32], bins_max: usize) -> Self {
        let weights = weights(labels, rows);
        let one = |column: &&[f64]| {
            let values = rows.iter().map(|row| column[*row as usize]);
            Bins::of(values.zip(weights.iter().copied()), bins_max)
        };
        let bins: Vec<Bins> = columns.iter().map(one).collect();
        let columns = place(&bins, columns, rows);
        Self { bins, columns }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }
}

/// The bin of each of `rows`, by feature.
#[must_use]
pub fn place(bins: &[Bins], columns: &[&[f64]], rows: &[u32]) -> Vec<Vec<u8>> {
    let one = |(bins, column): (&Bins, &&[f64])| {
        rows.iter().map(|row| bins.bin(column[*row as usize])).collect()
    };
    bins.iter().zip(columns).map(one).collect()
}
