//! The rows that a mask keeps: values, row numbers, bits.
//!
//! ```text
//! mask      1 0 0 1 1 0 1 0
//! values    a b c d e f g h   →   a d e g
//! ```
//!
//! A mask is words of 64 bits, bit `i % 64` of word `i / 64` for row `i`, as everywhere in this
//! crate. Values are moved, never looked at: NaN payloads and −0 pass as they are.
//!
//! # How it is fast
//! A word of no row is skipped, one of all rows copied. In between,
//! * `avx512` compresses a vector by its bits (`vpcompress`), into a register and then to memory:
//!   compressing straight to memory is half as fast;
//! * `avx2` takes eight rows by a table of 256 permutations, four for values of 64 bits;
//! * `scalar` writes every row and moves on where it is kept, without a branch to mispredict;
//!   where few bits are set it goes from one to the next.
//!
//! A whole vector is stored where fewer values are kept: so room for one vector more is kept
//! behind the values, and never seen.

#[cfg(feature = "gpu")]
pub mod gpu;
pub mod scalar;
#[cfg(target_arch = "x86_64")]
mod simd;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
pub(crate) use simd::positions_avx2;

use std::mem::MaybeUninit;

use crate::columns::words;
use crate::simd::Level;

/// Values behind the kept ones that a store may touch.
const SLACK: usize = 64;

/// A value that is moved as its bytes. Implemented for the numbers of 1, 2, 4, 8 and 16 bytes.
pub trait Value: Copy + sealed::Plain {}

mod sealed {
    /// A value without padding.
    pub trait Plain {}
}

macro_rules! values {
    ($($type:ty),*) => {$(
        impl Value for $type {}
        impl sealed::Plain for $type {}
    )*};
}
values!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f32, f64);

/// Number of rows that a mask keeps.
#[must_use]
pub fn kept(mask: &[u64]) -> usize {
    mask.iter().map(|word| word.count_ones() as usize).sum()
}

fn check_mask(mask: &[u64], rows: usize) {
    assert_eq!(mask.len(), words(rows));
    let behind = if rows.is_multiple_of(64) { 0 } else { u64::MAX << (rows % 64) };
    assert!(mask.last().is_none_or(|last| last & behind == 0), "bits behind the last row");
}

/// Appends to `out` the values whose bit is set.
///
/// # Contract
/// `mask` holds a bit for each value and none behind the last (asserted).
///
/// ```
/// use pelton_kernels::{batch_filter::batch_filter, simd::Level};
/// let mut kept = vec![];
/// batch_filter(Level::best(), &[0b1101], &[1.5, f64::NAN, -0.0, 2.5], &mut kept);
/// assert_eq!(kept, [1.5, -0.0, 2.5]);
/// ```
pub fn batch_filter<T: Value>(level: Level, mask: &[u64], values: &[T], out: &mut Vec<T>) {
    check_mask(mask, values.len());
    append(kept(mask), out, |spare| match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { simd::filter_avx512(mask, values, spare) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if level.is_available() => {
            // SAFETY: as above.
            unsafe { simd::filter_avx2(mask, values, spare) }
        }
        _ => scalar::filter(mask, values, spare),
    });
}

/// Appends to `out` the numbers of the rows whose bit is set; row `i` has the number
/// `first_row + i` (wrapping).
///
/// # Contract
/// Bits behind the last row are 0: with them there would be more rows.
pub fn filter_rows(level: Level, mask: &[u64], first_row: u32, out: &mut Vec<u32>) {
    append(kept(mask), out, |spare| match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { simd::rows_avx512(mask, first_row, spare) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if level.is_available() => {
            // SAFETY: as above.
            unsafe { simd::rows_avx2(mask, first_row, spare) }
        }
        _ => scalar::rows(mask, first_row, spare),
    });
}

/// Lets `fill` write `count` values behind those of `out`, and as many again as [`SLACK`] that
/// nobody sees.
fn append<T: Copy>(
    count: usize,
    out: &mut Vec<T>,
    fill: impl FnOnce(&mut [MaybeUninit<T>]) -> usize,
) {
    out.reserve(count + SLACK);
    let written = fill(&mut out.spare_capacity_mut()[..count + SLACK]);
    assert_eq!(written, count);
    // SAFETY: `fill` says how many values it has written, from the first spare slot on, and they
    // are the ones that the mask has bits for.
    unsafe { out.set_len(out.len() + count) }
}

/// Appends to `out` the bits whose mask bit is set. `len` is the number of bits that `out` holds,
/// counted on; bits behind them are 0.
///
/// # Contract
/// `mask` and `bits` have as many words, and `out` the words of `len` bits (asserted).
///
/// ```
/// use pelton_kernels::{batch_filter::filter_bits, simd::Level};
/// let (mut out, mut len) = (vec![0b1], 1);
/// filter_bits(Level::best(), &[0b1101], &[0b1010], &mut out, &mut len);
/// assert_eq!((out, len), (vec![0b1001], 4)); // 1, then 0, 0, 1
/// ```
pub fn filter_bits(level: Level, mask: &[u64], bits: &[u64], out: &mut Vec<u64>, len: &mut usize) {
    assert!(mask.len() == bits.len() && out.len() == words(*len));
    out.reserve(mask.len() + 1);
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { simd::bits_bmi2(mask, bits, out, len) }
        }
        _ => scalar::append_bits(mask, bits, out, len, scalar::extract),
    }
}
