//! A hash of values that is the same on every machine and in every version: approximate answers
//! depend on it.

use super::value::ValueRef;
use crate::state::keys::{canonical_f64, folded_multiply};

/// Odd, with as many ones as zeros and no pattern (digits of π).
const M: u64 = 0xa409_3822_299f_31d1;

/// 64 bits of which each depends on all of the value. Equal values have equal hashes.
pub(super) fn hash64(value: ValueRef<'_>) -> u64 {
    match value {
        ValueRef::Bool(value) => finish(u64::from(value)),
        ValueRef::Int(value) => finish(value as u64),
        ValueRef::Wide(value) => finish(finish(value as u64) ^ (value >> 64) as u64),
        ValueRef::Float(value) => finish(canonical_f64(value.0).to_bits()),
        ValueRef::Text(text) => {
            let (words, rest) = text.as_bytes().as_chunks::<8>();
            let fold = |hash: u64, word: u64| folded_multiply(hash ^ word, M).wrapping_add(word);
            let start = text.len() as u64;
            let hash = words.iter().fold(start, |hash, &word| fold(hash, u64::from_le_bytes(word)));
            let tail = rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
            finish(fold(hash, tail))
        }
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): each bit in changes half of
/// the bits out.
fn finish(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
