//! Partial aggregates of one pane into those of another, entry by entry.
//!
//! A running total takes the pane that enters and gives back the one that leaves; where both hold
//! an entry for every key, these are sums of whole arrays. [`positive_bits`] finds the keys that
//! have a row. Integers wrap in debug and release alike: who counts rows cannot overflow, sums of
//! 128 bits are checked by their owner.
//!
//! Every level gives the same bits: each entry is computed on its own, and a float sum takes one
//! addition here, whatever the level.

#[cfg(feature = "gpu")]
pub mod gpu;
mod sums;

pub use sums::{WINDOWS_SUMMED, WindowPanes, add_all_f64, sum_windows_f64};

use crate::columns::words;
use crate::simd::{Level, multiversion};

multiversion! {
    /// `to[i] += from[i]`, over the shorter of the two.
    pub fn add_u64(level; to: &mut [u64], from: &[u64]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = to.wrapping_add(*from);
        }
    }
}

multiversion! {
    /// `to[i] -= from[i]`, over the shorter of the two.
    pub fn subtract_u64(level; to: &mut [u64], from: &[u64]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = to.wrapping_sub(*from);
        }
    }
}

multiversion! {
    /// `to[i] += from[i]`, over the shorter of the two.
    pub fn add_f64(level; to: &mut [f64], from: &[f64]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to += *from;
        }
    }
}

multiversion! {
    /// `to[i] += from[i]` (wrapping), over the shorter of the two.
    pub fn add_i64(level; to: &mut [i64], from: &[i64]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = to.wrapping_add(*from);
        }
    }
}

multiversion! {
    /// `to[i] -= from[i]` (wrapping), over the shorter of the two.
    pub fn subtract_i64(level; to: &mut [i64], from: &[i64]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = to.wrapping_sub(*from);
        }
    }
}

multiversion! {
    /// `out[i] = sums[i] × up / (counts[i] × down)`, each operation rounded; a count of 0 is taken
    /// for 1. Over the shortest of the three.
    pub fn means_of_i64(
        level;
        sums: &[i64],
        counts: &[u64],
        up_down: (f64, f64),
        out: &mut [f64],
    ) {
        let (up, down) = up_down;
        for ((out, &sum), &count) in out.iter_mut().zip(sums).zip(counts) {
            *out = sum as f64 * up / (count.max(1) as f64 * down);
        }
    }
}

multiversion! {
    /// `out[i] = sums[i] / counts[i]`; a count of 0 is taken for 1, and any NaN becomes
    /// [`f64::NAN`]. Over the shortest of the three.
    pub fn means_of_f64(level; sums: &[f64], counts: &[u64], out: &mut [f64]) {
        for ((out, &sum), &count) in out.iter_mut().zip(sums).zip(counts) {
            let mean = sum / count.max(1) as f64;
            *out = if mean.is_nan() { f64::NAN } else { mean };
        }
    }
}

/// How many counts are above 0.
#[must_use]
pub fn positive(level: Level, counts: &[u64]) -> usize {
    let mut found = 0;
    count_positive(level, counts, &mut found);
    found as usize
}

multiversion! {
    fn count_positive(level; counts: &[u64], found: &mut u64) {
        *found = counts.iter().map(|&count| u64::from(count > 0)).sum();
    }
}

multiversion! {
    /// `to[i] = least of to[i] and from[i]`, over the shorter of the two.
    pub fn least_i64(level; to: &mut [i64], from: &[i64]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = (*to).min(*from);
        }
    }
}

/// Sets bit `i % 64` of word `i / 64` of `bits` where `counts[i]` is above 0, clears it elsewhere;
/// bits behind the last count are cleared.
///
/// # Panics
/// When `bits` has not as many words as the counts need.
pub fn positive_bits(level: Level, counts: &[u64], bits: &mut [u64]) {
    assert_eq!(bits.len(), words(counts.len()));
    gather_bits(level, counts, bits);
}

multiversion! {
    fn gather_bits(level; counts: &[u64], bits: &mut [u64]) {
        for (bits, counts) in bits.iter_mut().zip(counts.chunks(64)) {
            let mut word = 0;
            for (at, count) in counts.iter().enumerate() {
                word |= u64::from(*count > 0) << at;
            }
            *bits = word;
        }
    }
}
