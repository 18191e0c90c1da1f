//! When payments happen: the recording is cut into hours, and hours that hold many rows into
//! shorter slices, so that one slice of rows is all that is ever held. Each slice gets its
//! share of the rows by the customers' rhythm and the day of the week; shares are rounded on
//! their running sum, so that they add up exactly.

use super::config::{HOUR_US, Sizes};

/// Payments by day of the week relative to the mean, in 1/1000, from Thursday (the day of the
/// first) on.
const WEEK: [u64; 7] = [980, 1_100, 1_180, 860, 930, 960, 990];
/// Slices hold about this many rows at most: a few MiB, and fast to sort.
const SLICE_ROWS: u128 = 1 << 16;
const SLICES_MAX: u128 = 3_600;

/// The slices of a recording, in order.
#[derive(Debug)]
pub(crate) struct Slices {
    span_us: i64,
    rows: u64,
    /// Sum of the weights of all earlier hours, for each hour and the end.
    before: Vec<u64>,
    slices_an_hour: u64,
    next: u64,
}

/// A slice of time and the number of rows due in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) from_us: i64,
    pub(crate) until_us: i64,
    pub(crate) rows: u64,
    pub(crate) last: bool,
}

impl Slices {
    /// Slices for `rows` payments; `hour_shares`: share of payments by hour of the day.
    pub(crate) fn new(sizes: &Sizes, rows: u64, hour_shares: &[f64; 24]) -> Self {
        let mut before = vec![0u64];
        let hours = (sizes.span_us + HOUR_US - 1) / HOUR_US;
        for hour in 0..hours {
            let length_s = (sizes.span_us - hour * HOUR_US).min(HOUR_US) / 1_000_000;
            let share = (hour_shares[(hour % 24) as usize] * 1e6) as u64 + 1;
            let weight = share * WEEK[(hour / 24 % 7) as usize] * length_s as u64;
            before.push(before[before.len() - 1] + weight);
        }
        let total = u128::from(before[before.len() - 1]).max(1);
        let most = before.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        let rows_an_hour = u128::from(most) * u128::from(rows) / total;
        let slices_an_hour = (rows_an_hour / SLICE_ROWS + 1).min(SLICES_MAX) as u64;
        Self { span_us: sizes.span_us, rows, before, slices_an_hour, next: 0 }
    }

    /// Rows due before slice `index`.
    fn due(&self, index: u64) -> u64 {
        let parts = u128::from(self.slices_an_hour);
        let (hour, part) = (index / self.slices_an_hour, index % self.slices_an_hour);
        let total = u128::from(self.before[self.before.len() - 1]) * parts;
        let Some(next) = self.before.get(hour as usize + 1) else { return self.rows };
        let start = self.before[hour as usize];
        let passed = u128::from(start) * parts + u128::from(next - start) * u128::from(part);
        (u128::from(self.rows) * passed / total) as u64
    }

    /// Start of slice `index` in µs.
    fn start_us(&self, index: u64) -> i64 {
        let (hour, part) = (index / self.slices_an_hour, index % self.slices_an_hour);
        let hour_us = hour as i64 * HOUR_US;
        let length_us = (self.span_us - hour_us).clamp(0, HOUR_US);
        hour_us.min(self.span_us)
            + (length_us as i128 * i128::from(part) / i128::from(self.slices_an_hour)) as i64
    }
}

impl Iterator for Slices {
    type Item = Slice;

    fn next(&mut self) -> Option<Slice> {
        let count = (self.before.len() as u64 - 1) * self.slices_an_hour;
        if self.next >= count {
            return None;
        }
        let index = self.next;
        self.next += 1;
        Some(Slice {
            from_us: self.start_us(index),
            until_us: self.start_us(index + 1),
            rows: self.due(index + 1) - self.due(index),
            last: index + 1 == count,
        })
    }
}

#[cfg(test)]
mod tests;
