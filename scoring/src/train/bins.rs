//! Bins: each feature's values cut into at most 254 intervals that hold about as many rows each.
//!
//! ```text
//! values    1 1 1 2 2 5 7 7 9 …        bin 0: x ≤ 1.5   bin 1: x ≤ 3.5   …   last: the rest
//! a value that many rows share has a bin of its own; missing values have the bin after the last
//! ```
//!
//! Borders lie midway between neighbouring values, so that a threshold has no value on it.
//! Borders come from the rows to learn from alone: later rows must not leak into them.

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
    /// At most `bins_max` bins of these values, in any order; NaN is left out.
    #[must_use]
    pub fn of(values: impl Iterator<Item = f64>, bins_max: usize) -> Self {
        let mut sorted: Vec<f64> = values.filter(|value| !value.is_nan()).map(tame).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let range = sorted.first().copied().zip(sorted.last().copied());
        let distinct = runs(&sorted);
        let bins_max = bins_max.clamp(2, BINS_MAX);
        let mut upper = Vec::new();
        let (mut left, mut held) = (sorted.len(), 0);
        for (at, pair) in distinct.windows(2).enumerate() {
            let ((value, count), (next, _)) = (pair[0], pair[1]);
            held += count;
            // As many distinct values as bins that are left: each gets its own.
            let bins_left = bins_max - upper.len();
            let enough = held * bins_left >= left || distinct.len() - at <= bins_left;
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

/// Each value once, with the number of times that it stands there.
fn runs(sorted: &[f64]) -> Vec<(f64, usize)> {
    let mut runs: Vec<(f64, usize)> = Vec::new();
    for &value in sorted {
        match runs.last_mut() {
            Some((last, count)) if *last == value => *count += 1,
            _ => runs.push((value, 1)),
        }
    }
    runs
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
    /// Bins of `rows` of the columns.
    #[must_use]
    pub fn new(columns: &[&[f64]], rows: &[u32], bins_max: usize) -> Self {
        let value = |column: &[f64], row: &u32| column[*row as usize];
        let bins: Vec<Bins> = columns
            .iter()
            .map(|column| Bins::of(rows.iter().map(|row| value(column, row)), bins_max))
            .collect();
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
