//! What every hash is: one value at a time, and the plain loops over them.

use super::{FACTOR, KeyInteger, NULL_WORD, Offset, SEED};

/// Takes a word into a hash: both halves of the 128-bit product, folded.
#[inline(always)]
#[must_use]
pub fn fold(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word) * u128::from(FACTOR);
    product as u64 ^ (product >> 64) as u64
}

/// The word of a number of 128 bits: a decimal by its unscaled value.
#[inline]
#[must_use]
pub fn wide_word(value: i128) -> u64 {
    value as u64 ^ fold(SEED, (value >> 64) as u64)
}

/// The word of a byte string.
///
/// ```
/// use pelton_kernels::shard_hash::{FACTOR, SEED, bytes_word, fold};
/// let (start, word) = (fold(SEED, 2), u64::from_le_bytes(*b"DE\0\0\0\0\0\0"));
/// assert_eq!(bytes_word(b"DE"), fold(start, word));
/// ```
#[inline]
#[must_use]
pub fn bytes_word(text: &[u8]) -> u64 {
    let (eights, rest) = text.as_chunks::<8>();
    let start = fold(SEED, text.len() as u64);
    let hash = eights.iter().fold(start, |hash, eight| fold(hash, u64::from_le_bytes(*eight)));
    let tail = rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    fold(hash, tail)
}

/// [`bytes_word`] of a part of a longer text: what is left at its end is loaded with what stands
/// behind it, where eight bytes do, and masked.
#[inline(always)]
fn part_word(bytes: &[u8], start: usize, end: usize) -> u64 {
    let rest = (end - start) % 8;
    let tail_at = end - rest;
    let Some(tail) = bytes.get(tail_at..).and_then(|tail| tail.first_chunk::<8>()) else {
        return bytes_word(&bytes[start..end]);
    };
    let tail = u64::from_le_bytes(*tail) & ((1 << (8 * rest)) - 1);
    let (eights, _) = bytes[start..tail_at].as_chunks::<8>();
    let hash = fold(SEED, (end - start) as u64);
    fold(eights.iter().fold(hash, |hash, eight| fold(hash, u64::from_le_bytes(*eight))), tail)
}

/// The loop of [`hash_integers`](super::hash_integers).
#[inline(always)]
pub(super) fn integers<T: KeyInteger>(values: &[T], valid: Option<&[u64]>, hashes: &mut [u64]) {
    let Some(valid) = valid else {
        for (hash, value) in hashes.iter_mut().zip(values) {
            *hash = fold(*hash, value.word());
        }
        return;
    };
    for ((hashes, values), valid) in hashes.chunks_mut(64).zip(values.chunks(64)).zip(valid) {
        for (i, (hash, value)) in hashes.iter_mut().zip(values).enumerate() {
            let word = if valid >> i & 1 == 1 { value.word() } else { NULL_WORD };
            *hash = fold(*hash, word);
        }
    }
}

/// The loop of [`hash_bytes`](super::hash_bytes).
#[inline(always)]
pub(super) fn byte_strings<O: Offset>(offsets: &[O], bytes: &[u8], out: &mut [u64]) {
    for (slot, span) in out.iter_mut().zip(offsets.windows(2)) {
        let (start, end) = (span[0].index(), span[1].index());
        assert!(start <= end && end <= bytes.len(), "offsets {start} and {end} are no string");
        *slot = part_word(bytes, start, end);
    }
}
