//! The values of one window to one number: sums, least and greatest.
//!
//! A sum of integers is exact: the halves of each value are added apart, in 64-bit lanes, and put
//! together in 128 bits, so that neither lanes nor order matter. The greatest is the least of the
//! values with all bits turned, which turns their order around: `flip` is 0 or −1.
//!
//! Sums of floats are not here: they are added in the order of rows (`docs/NUMERICS.md`), one
//! after the other.

#[cfg(feature = "gpu")]
pub mod gpu;
mod grouped;

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

/// Lanes of the accumulators: so many that the latency of an operation doesn't matter.
const LANES: usize = 32;

multiversion! {
    /// Adds the lower halves (unsigned) and the upper halves (signed).
    fn add_halves(level; values: &[i64], halves: &mut (u64, i64)) {
        let (mut low, mut high) = ([0u64; LANES], [0i64; LANES]);
        let (blocks, rest) = values.as_chunks::<LANES>();
        for block in blocks {
            for lane in 0..LANES {
                low[lane] += (block[lane] as u64) & 0xffff_ffff;
                high[lane] += block[lane] >> 32;
            }
        }
        for (lane, value) in rest.iter().enumerate() {
            low[lane] += (*value as u64) & 0xffff_ffff;
            high[lane] += value >> 32;
        }
        halves.0 += low.iter().sum::<u64>();
        halves.1 += high.iter().sum::<i64>();
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
        let mut lanes = [*found; LANES];
        let (blocks, rest) = values.as_chunks::<LANES>();
        for block in blocks {
            for lane in 0..LANES {
                lanes[lane] = lanes[lane].min(block[lane] ^ flip);
            }
        }
        let rest = rest.iter().map(|value| value ^ flip);
        *found = lanes.iter().copied().chain(rest).fold(*found, i64::min);
    }
}
