//! A row at a time: what a filter is.

use std::mem::MaybeUninit;

/// Below so many set bits of a word, going from one to the next is faster than writing all 64
/// rows: a step is dearer, and its end is mispredicted once.
const FEW: u32 = 16;

/// Writes the kept values to the front of `out`; returns how many there are. `out` has room for
/// one more.
pub(super) fn filter<T: Copy>(mask: &[u64], values: &[T], out: &mut [MaybeUninit<T>]) -> usize {
    let mut kept = 0;
    for (word, values) in mask.iter().zip(values.chunks(64)) {
        kept += filter_word(*word, values, &mut out[kept..]);
    }
    kept
}

/// [`filter`] of the 64 rows of a word, or fewer.
#[inline(always)]
pub(super) fn filter_word<T: Copy>(word: u64, values: &[T], out: &mut [MaybeUninit<T>]) -> usize {
    let mut kept = 0;
    if word.count_ones() < FEW {
        let mut rest = word;
        while rest != 0 {
            out[kept].write(values[rest.trailing_zeros() as usize]);
            kept += 1;
            rest &= rest - 1;
        }
    } else {
        for (i, value) in values.iter().enumerate() {
            // Always written, kept where its bit is set.
            out[kept].write(*value);
            kept += (word >> i & 1) as usize;
        }
    }
    kept
}

/// Writes the numbers of the kept rows to the front of `out`; returns how many there are. `out`
/// has room for one more.
pub(super) fn rows(mask: &[u64], first_row: u32, out: &mut [MaybeUninit<u32>]) -> usize {
    let mut kept = 0;
    let mut first = first_row;
    for word in mask {
        let numbers: [u32; 64] = std::array::from_fn(|i| first.wrapping_add(i as u32));
        kept += filter_word(*word, &numbers, &mut out[kept..]);
        first = first.wrapping_add(64);
    }
    kept
}

/// The bits of `bits` where `mask` has one, next to each other from the lowest on: `pext`.
#[inline]
pub(super) fn extract(bits: u64, mask: u64) -> u64 {
    let (mut rest, mut out, mut at) = (mask, 0, 0);
    while rest != 0 {
        out |= (bits >> rest.trailing_zeros() & 1) << at;
        at += 1;
        rest &= rest - 1;
    }
    out
}

/// Appends what `extract` gives of each word to the `len` bits of `out`.
#[inline(always)]
pub(super) fn append_bits(
    mask: &[u64],
    bits: &[u64],
    out: &mut Vec<u64>,
    len: &mut usize,
    extract: impl Fn(u64, u64) -> u64,
) {
    for (mask, bits) in mask.iter().zip(bits) {
        let count = mask.count_ones() as usize;
        if count == 0 {
            continue;
        }
        let (word, shift) = (extract(*bits, *mask), *len % 64);
        match out.last_mut().filter(|_| shift > 0) {
            Some(last) => {
                *last |= word << shift;
                if shift + count > 64 {
                    out.push(word >> (64 - shift));
                }
            }
            None => out.push(word),
        }
        *len += count;
    }
}
