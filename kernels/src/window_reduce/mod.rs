//! The values of one window to one number: sums, least and greatest.
//!
//! A sum of integers is exact: the halves of each value are added apart, in 64-bit lanes, and put
//! together in 128 bits, so that neither lanes nor order matter. The greatest is the least of the
//! values with all bits turned, which turns their order around: `flip` is 0 or −1.
//!
//! Each loop is a plain one over all values: the compiler keeps a dozen lanes of each number by
//! itself. An array of lanes it takes apart, and gathers its lanes one by one.
//!
//! Sums of floats are not here: they are added in the order of rows (`docs/NUMERICS.md`), one
//! after the other.

mod coded;
#[cfg(feature = "gpu")]
pub mod gpu;
mod grouped;

pub use coded::{Code, Slots, count_by_code};
pub use grouped::{Total, least_by_group, sum_by_group, sum_in_order};

use crate::simd::{Level, multiversion};

/// The exact sum; 0 of no value.
#[must_use]
pub fn sum_i64(level: Level, values: &[i64]) -> i128 {
    // A lane takes at most so many values, of 32 bits each: it cannot overflow.
    values.chunks(1 << 30).map(|chunk| sum_chunk(level, chunk)).sum()
}

fn sum_chunk(level: Level, values: &[i64]) -> i128 {
    let mut halves = (0, 0);
    add_halves(level, values, &mut halves);
    let (low, high) = halves;
    (i128::from(high) << 32) + i128::from(low)
}

multiversion! {
    /// Adds the lower halves (unsigned) and the upper halves (signed).
    fn add_halves(level; values: &[i64], halves: &mut (u64, i64)) {
        let (mut low, mut high) = *halves;
        for &value in values {
            low += (value as u64) & 0xffff_ffff;
            high += value >> 32;
        }
        *halves = (low, high);
    }
}

/// The least of `start` and of all `values` xor `flip`.
#[must_use]
pub fn least_i64(level: Level, values: &[i64], flip: i64, start: i64) -> i64 {
    let mut found = start;
    least(level, values, flip, &mut found);
    found
}

multiversion! {
    fn least(level; values: &[i64], flip: i64, found: &mut i64) {
        let mut least = *found;
        for &value in values {
            least = least.min(value ^ flip);
        }
        *found = least;
    }
}

/// What is asked of a column most, read once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The exact sum; 0 of no value.
    pub sum: i128,
    /// The least value; `i64::MAX` of none.
    pub least: i64,
    /// The greatest value; `i64::MIN` of none.
    pub greatest: i64,
}

/// Sum, least and greatest in one pass: what each of them alone costs where the values come from
/// memory.
#[must_use]
pub fn summary_i64(level: Level, values: &[i64]) -> Summary {
    let mut summary = Summary { sum: 0, least: i64::MAX, greatest: i64::MIN };
    for chunk in values.chunks(1 << 30) {
        let mut halves = (0, 0);
        summarize(level, chunk, &mut halves, &mut summary);
        summary.sum += (i128::from(halves.1) << 32) + i128::from(halves.0);
    }
    summary
}

multiversion! {
    fn summarize(level; values: &[i64], halves: &mut (u64, i64), summary: &mut Summary) {
        let (mut low, mut high) = *halves;
        let (mut least, mut greatest) = (summary.least, summary.greatest);
        for &value in values {
            low += (value as u64) & 0xffff_ffff;
            high += value >> 32;
            least = least.min(value);
            greatest = greatest.max(value);
        }
        *halves = (low, high);
        (summary.least, summary.greatest) = (least, greatest);
    }
}
