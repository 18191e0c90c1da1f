//! The hash that decides which shard owns a key: columns of keys to one `u64` a row.
//!
//! It is fixed forever, and the same on every platform and level: rows of one key meet on one
//! shard only as long as everybody computes the same number, and a snapshot that was cut by it
//! must be found again. It sees *values*, not encodings: an integer has one hash in 32 bits and
//! in 64.
//!
//! Definition ([`scalar`] spells it out), with `fold(a, b)` the xor of the two halves of the
//! 128-bit product a·b:
//!
//! ```text
//! word(v)  = integers: as i64, sign-extended;      null: NULL_WORD
//!            byte strings: fold(SEED ⊕ length), then a fold for each 8 bytes (little endian),
//!            then one for the 0 to 7 bytes left, above them zeros
//! hash     = SEED, then for each column  hash = fold(hash ⊕ word, FACTOR)
//! ```
//!
//! The folded multiply is that of wyhash and foldhash. Its two constants are digits of π and of
//! no other table of the engine: were they those of a key index, the keys of one shard would
//! crowd into one part of its table.
//!
//! # How it is fast
//! Sixty-four bits times sixty-four is one scalar instruction, but four 32-bit multiplications
//! and a dozen other steps in a vector, which only 512 bits pay for: `avx512` takes eight rows at
//! once; for byte strings it gathers eight bytes of each of eight strings, without a branch on
//! their lengths but for the longest (3 ns a string against 10). With AVX2 the scalar loop runs:
//! compiled for it (`mulx`), it was no faster.

#[cfg(feature = "gpu")]
pub mod gpu;
pub mod scalar;
#[cfg(target_arch = "x86_64")]
mod simd;
#[cfg(test)]
mod tests;

pub use scalar::{bytes_word, fold, wide_word};

use crate::columns::words;
use crate::simd::Level;

/// What a hash starts from.
pub const SEED: u64 = 0x4528_21e6_38d0_1377;
/// The multiplier: an odd number with as many ones as zeros, no pattern.
pub const FACTOR: u64 = 0xbe54_66cf_34e9_0c6d;
/// What null hashes as.
pub const NULL_WORD: u64 = 0x1319_8a2e_0370_7344;

/// An integer that is part of a key. Implemented for the integers of up to 64 bits.
pub trait KeyInteger: Copy + sealed::Lanes {
    /// The number in 64 bits, sign-extended: the same for each width that can hold it.
    fn word(self) -> u64;
}

/// Where a byte string starts and ends. Implemented for `i32` and `i64`, as Arrow has them.
pub trait Offset: Copy + sealed::Lanes {
    /// As an index; what is negative becomes too large for any slice.
    fn index(self) -> usize;
}

mod sealed {
    /// Eight values as eight 64-bit lanes.
    pub trait Lanes: Copy {
        /// # Safety
        /// The processor has AVX-512 F; eight values may be read at `values`.
        #[cfg(target_arch = "x86_64")]
        unsafe fn load(values: *const Self) -> std::arch::x86_64::__m512i;
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        // With vectors in `simd`.
        #[cfg(not(target_arch = "x86_64"))]
        impl sealed::Lanes for $type {}

        impl KeyInteger for $type {
            #[inline(always)]
            fn word(self) -> u64 {
                self as i64 as u64
            }
        }
    )*};
}
integers!(i8, i16, i32, i64, u8, u16, u32, u64);

impl Offset for i32 {
    #[inline(always)]
    fn index(self) -> usize {
        self as usize
    }
}

impl Offset for i64 {
    #[inline(always)]
    fn index(self) -> usize {
        usize::try_from(self).unwrap_or(usize::MAX)
    }
}

/// Folds a column of integers into the hashes of its rows: `hashes[i] = fold(hashes[i] ⊕ word)`.
/// A row whose bit in `valid` is not set is null; with `None` none is.
///
/// # Contract
/// `hashes` is as long as `values`, and `valid` holds a bit for each (asserted).
///
/// ```
/// use pelton_kernels::{shard_hash::{SEED, hash_integers}, simd::Level};
/// let (mut narrow, mut wide) = ([SEED; 3], [SEED; 3]);
/// hash_integers(Level::Scalar, &[-3_i16, 0, 7], Some(&[0b101]), &mut narrow);
/// hash_integers(Level::best(), &[-3_i64, 5, 7], Some(&[0b101]), &mut wide);
/// assert_eq!(narrow, wide);
/// ```
pub fn hash_integers<T: KeyInteger>(
    level: Level,
    values: &[T],
    valid: Option<&[u64]>,
    hashes: &mut [u64],
) {
    assert_eq!(values.len(), hashes.len());
    assert!(valid.is_none_or(|valid| valid.len() == words(values.len())));
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { simd::integers_avx512(values, valid, hashes) }
        }
        _ => scalar::integers(values, valid, hashes),
    }
}

/// The word of each byte string: string `i` is `bytes[offsets[i]..offsets[i + 1]]`. Fold them
/// into hashes with [`hash_integers`].
///
/// # Contract
/// There is one offset more than there are `out` (asserted), unless both are empty.
///
/// # Panics
/// When an offset lies outside of the bytes, or before the one in front of it.
pub fn hash_bytes<O: Offset>(level: Level, offsets: &[O], bytes: &[u8], out: &mut [u64]) {
    assert_eq!(offsets.len().saturating_sub(1), out.len());
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { simd::bytes_avx512(offsets, bytes, out) }
        }
        _ => scalar::byte_strings(offsets, bytes, out),
    }
}
