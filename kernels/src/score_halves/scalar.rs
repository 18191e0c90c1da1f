//! The definitions: a value is halved to its code, a row walks down each tree, a set is parted
//! row by row.

use super::{BITS, Half, WORD_ROWS};

/// The way of `value` through the halvings of `low` to `high`: a bit each, the first one highest.
#[must_use]
pub fn code(value: f64, mut low: f64, mut high: f64) -> i16 {
    let mut code = 0;
    for _ in 0..BITS {
        let middle = 0.5 * (low + high);
        let upper = value >= middle;
        code = 2 * code + i16::from(upper);
        (low, high) = if upper { (middle, high) } else { (low, middle) };
    }
    code
}

/// The mass of the leaf of a tree that a row comes to, whose code of a column is
/// `code(column)`.
///
/// # Panics
/// When an index is out of range.
#[must_use]
#[inline]
pub fn mass(nodes: &[Half], masses: &[f64], code: impl Fn(usize) -> i16) -> f64 {
    let mut at = 0;
    loop {
        let Half { bound, column, child } = nodes[at];
        if child as usize == at {
            return masses[column as usize];
        }
        at = child as usize + usize::from(code(column as usize) >= bound);
    }
}

/// The rows of a set below and from `bound` on, and the number of the latter.
#[must_use]
pub fn part(codes: &[i16], bound: i16, own: &[u64]) -> (Vec<u64>, Vec<u64>, usize) {
    let (mut lower, mut upper) = (vec![0; own.len()], vec![0; own.len()]);
    let mut count = 0;
    for (row, code) in codes.iter().enumerate() {
        let (word, bit) = (row / WORD_ROWS, 1 << (row % WORD_ROWS));
        let (to, one) = if *code < bound { (&mut lower, 0) } else { (&mut upper, 1) };
        to[word] |= own[word] & bit;
        count += if own[word] & bit == 0 { 0 } else { one };
    }
    (lower, upper, count)
}
