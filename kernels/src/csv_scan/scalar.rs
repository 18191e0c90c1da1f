//! The scan in plain Rust: eight bytes at a time in a 64-bit word.

use super::{CHUNK, ChunkOps, Masks};

/// The level that every machine has.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl ChunkOps for Portable {
    #[inline(always)]
    fn masks(self, chunk: &[u8; CHUNK], delimiter: u8) -> Masks {
        Masks {
            delimiters: equal(chunk, delimiter),
            line_feeds: equal(chunk, b'\n'),
            quotes: equal(chunk, b'"'),
        }
    }

    #[inline(always)]
    fn carriage_returns(self, chunk: &[u8; CHUNK]) -> u64 {
        equal(chunk, b'\r')
    }

    #[inline(always)]
    fn prefix_xor(self, bits: u64) -> u64 {
        let mut sum = bits;
        for shift in [1, 2, 4, 8, 16, 32] {
            sum ^= sum << shift;
        }
        sum
    }

    #[inline(always)]
    fn positions(self, bits: u64, base: u32, out: &mut [u32; CHUNK]) {
        positions(bits, base, out);
    }
}

/// Bit `i` is set where `chunk[i] == byte`.
#[inline(always)]
fn equal(chunk: &[u8; CHUNK], byte: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let pattern = u64::from_ne_bytes([byte; 8]);
    let (words, _) = chunk.as_chunks::<8>();
    let mut mask = 0;
    for (i, word) in words.iter().enumerate() {
        let difference = u64::from_le_bytes(*word) ^ pattern;
        // The top bit of each byte that is zero, exactly ("Hacker's Delight", 6-1) …
        let zeros = !(((difference & LOW) + LOW) | difference | LOW);
        // … gathered into one byte.
        let bits = (zeros >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (8 * i);
    }
    mask
}

/// Eight positions a round: the number of rounds is easy to foresee, that of positions is not.
#[inline(always)]
pub(super) fn positions(mut bits: u64, base: u32, out: &mut [u32; CHUNK]) {
    let (groups, _) = out.as_chunks_mut::<8>();
    for group in groups {
        for slot in group {
            *slot = base.wrapping_add(bits.trailing_zeros());
            bits &= bits.wrapping_sub(1);
        }
        if bits == 0 {
            return;
        }
    }
}
