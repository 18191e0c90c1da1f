//! Curves of series of any length in bounded memory: buckets of time with the least and the
//! greatest value, which double in length whenever there are too many.
//!
//! ```text
//!  rows      ·  ·· · ·   ···  ·  ··          a bucket a row at first
//!  buckets  ├──┼──┼──┼──┼──┼──┤              BUCKETS_MAX: neighbours are joined
//! ```
//! What a bucket holds does not depend on how rows were cut into batches. A joined bucket of 1,000
//! over a page is a pixel wide, so nothing is lost that could be seen.

use pelton_scoring::detect::is_usable;

use super::watch::Seen;

/// Buckets of a series, at most.
const BUCKETS_MAX: usize = 2_048;
/// Series of which a curve is kept: those that come first.
pub(super) const SERIES_MAX: usize = 512;

/// What a bucket of rows held.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    /// Times of its first and last row, in microseconds.
    pub(super) first_us: i64,
    pub(super) last_us: i64,
    /// Least and greatest of each value; infinite the wrong way round where there was none.
    pub(super) values: Vec<(f64, f64)>,
    pub(super) score: f64,
}

impl Bucket {
    pub(super) fn join(&mut self, other: &Self) {
        self.last_us = self.last_us.max(other.last_us);
        for (own, other) in self.values.iter_mut().zip(&other.values) {
            *own = (own.0.min(other.0), own.1.max(other.1));
        }
        self.score = self.score.max(other.score);
    }
}

/// A series.
#[derive(Debug, Clone, Default)]
pub(super) struct Curve {
    pub(super) buckets: Vec<Bucket>,
    /// Rows of a bucket; doubled when there are too many buckets.
    rows_each: u64,
    /// Rows in the last bucket.
    rows_last: u64,
    /// Strangest score.
    pub(super) peak: f64,
    pub(super) flags: u64,
}

/// The curves of the first series.
#[derive(Debug, Default)]
pub(super) struct Curves {
    pub(super) curves: Vec<Curve>,
}

impl Curves {
    pub(super) fn see(&mut self, row: &Seen<'_>, time_us: i64) {
        if row.key >= SERIES_MAX {
            return;
        }
        if row.key >= self.curves.len() {
            self.curves.resize_with(row.key + 1, Curve::default);
        }
        self.curves[row.key].see(row, time_us);
    }
}

impl Curve {
    fn see(&mut self, row: &Seen<'_>, time_us: i64) {
        let score = row.score.unwrap_or(0.0);
        self.peak = self.peak.max(score);
        self.flags += u64::from(row.flag);
        let value = |value: &f64| match is_usable(*value) {
            true => (*value, *value),
            false => (f64::INFINITY, f64::NEG_INFINITY),
        };
        let values = row.values.iter().map(value).collect();
        let own = Bucket { first_us: time_us, last_us: time_us, values, score };
        if let Some(last) = self.buckets.last_mut().filter(|_| self.rows_last < self.rows_each) {
            last.join(&own);
            self.rows_last += 1;
            return;
        }
        if self.buckets.len() >= BUCKETS_MAX {
            let pairs = self.buckets.chunks(2);
            self.buckets = pairs
                .map(|pair| {
                    let mut joined = pair[0].clone();
                    pair[1..].iter().for_each(|other| joined.join(other));
                    joined
                })
                .collect();
            self.rows_each *= 2;
        }
        self.rows_each = self.rows_each.max(1);
        self.buckets.push(own);
        self.rows_last = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_bounded_and_hold_every_extreme() {
        let mut curves = Curves::default();
        for i in 0..100_000_i64 {
            let value = if i == 77_777 { 500.0 } else { (i % 10) as f64 };
            let row = Seen {
                key: 0,
                time: i,
                values: &[value],
                contributions: &[],
                score: Some(value / 10.0),
                probability: None,
                flag: value > 100.0,
                alert: false,
                incident: None,
                label: None,
            };
            curves.see(&row, i);
        }
        let curve = &curves.curves[0];
        assert!((1_000..=BUCKETS_MAX).contains(&curve.buckets.len()), "{}", curve.buckets.len());
        assert_eq!(curve.buckets.iter().map(|b| b.values[0].1).fold(0.0, f64::max), 500.0);
        assert_eq!((curve.peak, curve.flags), (50.0, 1));
        let times = curve.buckets.windows(2).all(|pair| pair[0].last_us < pair[1].first_us);
        assert!(times && curve.buckets.last().unwrap().last_us == 99_999);
    }
}
