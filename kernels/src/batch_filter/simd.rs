//! A vector of values compressed by its bits of the mask.

use std::arch::x86_64::{
    __m256i, _mm_add_epi16, _mm_cvtepu8_epi16, _mm_cvtsi64_si128, _mm_loadl_epi64, _mm_loadu_si128,
    _mm_mullo_epi16, _mm_set1_epi16, _mm_shuffle_epi8, _mm_storel_epi64, _mm_storeu_si128,
    _mm256_add_epi32, _mm256_cvtepu8_epi32, _mm256_loadu_si256, _mm256_permutevar8x32_epi32,
    _mm256_set1_epi32, _mm256_storeu_si256, _mm512_add_epi32, _mm512_maskz_compress_epi8,
    _mm512_maskz_compress_epi16, _mm512_maskz_compress_epi32, _mm512_maskz_compress_epi64,
    _mm512_maskz_loadu_epi8, _mm512_maskz_loadu_epi16, _mm512_maskz_loadu_epi32,
    _mm512_maskz_loadu_epi64, _mm512_set1_epi32, _mm512_setr_epi32, _mm512_storeu_si512, _pdep_u64,
    _pext_u64,
};
use std::mem::MaybeUninit;

use super::scalar;

/// Byte `k` of entry `m` is the position of the `k`-th set bit of `m`, lowest first (0 behind the
/// last).
static POSITIONS: [u64; 256] = {
    let mut table = [0; 256];
    let mut m = 0;
    while m < 256 {
        let (mut bit, mut at) = (0, 0);
        while bit < 8 {
            if m >> bit & 1 == 1 {
                table[m] |= (bit as u64) << (8 * at);
                at += 1;
            }
            bit += 1;
        }
        m += 1;
    }
    table
};

/// The positions of the set bits as eight 32-bit lanes: a permutation that compresses.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn positions_avx2(mask: u8) -> __m256i {
    _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(POSITIONS[usize::from(mask)] as i64))
}

/// Runs `$store` for each group of `$lanes` rows that has a kept one, with the group's bits, the
/// address of its first value, and the address where the next kept value goes.
macro_rules! each_group {
    (
        $mask:expr, $values:expr, $out:expr, $type:ty, $lanes:literal,
        |$bits:ident, $from:ident, $to:ident| $store:block
    ) => {{
        let (values, out) = ($values.as_ptr().cast::<$type>(), $out.as_mut_ptr().cast::<$type>());
        let bits_of_group = if $lanes == 64 { !0 } else { (1_u64 << ($lanes % 64)) - 1 };
        let mut kept = 0;
        for (w, &word) in $mask.iter().enumerate() {
            let mut rest = word;
            let mut row = w * 64;
            while rest != 0 {
                let $bits = rest & bits_of_group;
                let ($from, $to) = (values.wrapping_add(row), out.wrapping_add(kept));
                // SAFETY: `$type` is as large as a value. With AVX-512 loads are masked by bits
                // that are set for values only; with AVX2 groups lie within whole words of
                // values. Behind the kept values there is room for 64 more, a vector of any width.
                unsafe { $store }
                kept += $bits.count_ones() as usize;
                rest = if $lanes == 64 { 0 } else { rest >> ($lanes % 64) };
                row += $lanes;
            }
        }
        kept
    }};
}

/// The filter with AVX-512: at most 64 bytes a group are loaded (only where a bit is set), and a
/// whole vector is stored.
///
/// `out` has room for the kept values and [`super::SLACK`] more; `mask` has no bit behind the
/// last value (both asserted by the callers).
#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2"
)]
pub(super) fn filter_avx512<T: Copy>(
    mask: &[u64],
    values: &[T],
    out: &mut [MaybeUninit<T>],
) -> usize {
    // A pair of 64-bit lanes makes a value of 16 bytes.
    match size_of::<T>() {
        1 => each_group!(mask, values, out, i8, 64, |bits, from, to| {
            let packed = _mm512_maskz_compress_epi8(bits, _mm512_maskz_loadu_epi8(bits, from));
            _mm512_storeu_si512(to.cast(), packed);
        }),
        2 => each_group!(mask, values, out, i16, 32, |bits, from, to| {
            let bits = bits as u32;
            let packed = _mm512_maskz_compress_epi16(bits, _mm512_maskz_loadu_epi16(bits, from));
            _mm512_storeu_si512(to.cast(), packed);
        }),
        4 => each_group!(mask, values, out, i32, 16, |bits, from, to| {
            let bits = bits as u16;
            let packed = _mm512_maskz_compress_epi32(bits, _mm512_maskz_loadu_epi32(bits, from));
            _mm512_storeu_si512(to.cast(), packed);
        }),
        8 => each_group!(mask, values, out, i64, 8, |bits, from, to| {
            let bits = bits as u8;
            let packed = _mm512_maskz_compress_epi64(bits, _mm512_maskz_loadu_epi64(bits, from));
            _mm512_storeu_si512(to.cast(), packed);
        }),
        16 => each_group!(mask, values, out, i128, 4, |bits, from, to| {
            let bits = (_pdep_u64(bits, 0x55) * 3) as u8;
            let pairs = _mm512_maskz_loadu_epi64(bits, from.cast());
            _mm512_storeu_si512(to.cast(), _mm512_maskz_compress_epi64(bits, pairs));
        }),
        _ => scalar::filter(mask, values, out),
    }
}

/// The filter with AVX2: whole words of rows by table, those behind the last one by one.
///
/// `out` as in [`filter_avx512`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
pub(super) fn filter_avx2<T: Copy>(
    mask: &[u64],
    values: &[T],
    out: &mut [MaybeUninit<T>],
) -> usize {
    let whole = values.len() / 64;
    let (mask, last) = mask.split_at(whole);
    let kept = match size_of::<T>() {
        1 => each_group!(mask, values, out, i8, 8, |bits, from, to| {
            let order = _mm_cvtsi64_si128(POSITIONS[bits as usize] as i64);
            let packed = _mm_shuffle_epi8(_mm_loadl_epi64(from.cast()), order);
            _mm_storel_epi64(to.cast(), packed);
        }),
        2 => each_group!(mask, values, out, i16, 8, |bits, from, to| {
            // Value p is bytes 2p and 2p + 1.
            let order = _mm_cvtepu8_epi16(_mm_cvtsi64_si128(POSITIONS[bits as usize] as i64));
            let order = _mm_mullo_epi16(order, _mm_set1_epi16(0x0202));
            let order = _mm_add_epi16(order, _mm_set1_epi16(0x0100));
            _mm_storeu_si128(to.cast(), _mm_shuffle_epi8(_mm_loadu_si128(from.cast()), order));
        }),
        4 => each_group!(mask, values, out, i32, 8, |bits, from, to| {
            let eight = _mm256_loadu_si256(from.cast());
            let packed = _mm256_permutevar8x32_epi32(eight, positions_avx2(bits as u8));
            _mm256_storeu_si256(to.cast(), packed);
        }),
        8 => each_group!(mask, values, out, i64, 4, |bits, from, to| {
            // A value is two lanes of 32 bits, so its bit is two.
            let pairs = (_pdep_u64(bits, 0x55) * 3) as u8;
            let four = _mm256_loadu_si256(from.cast());
            let packed = _mm256_permutevar8x32_epi32(four, positions_avx2(pairs));
            _mm256_storeu_si256(to.cast(), packed);
        }),
        16 => each_group!(mask, values, out, i128, 2, |bits, from, to| {
            let second = _mm_loadu_si128(from.cast::<i128>().add(1).cast());
            let first = _mm_loadu_si128(from.cast());
            // The second lands on the first where only it is kept.
            _mm_storeu_si128(to.cast(), first);
            _mm_storeu_si128(to.add((bits & 1) as usize).cast(), second);
        }),
        _ => scalar::filter(mask, values, out),
    };
    kept + scalar::filter(last, &values[whole * 64..], &mut out[kept..])
}

/// Row numbers with AVX-512. `out` as in [`filter_avx512`].
#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2"
)]
pub(super) fn rows_avx512(mask: &[u64], first_row: u32, out: &mut [MaybeUninit<u32>]) -> usize {
    let counting = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let mut kept = 0;
    let mut first = first_row;
    for &word in mask {
        let (mut rest, mut row) = (word, first);
        while rest != 0 {
            let bits = rest as u16;
            let numbers = _mm512_add_epi32(counting, _mm512_set1_epi32(row as i32));
            let packed = _mm512_maskz_compress_epi32(bits, numbers);
            // SAFETY: behind the kept rows there is room for 64 more.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(kept).cast(), packed) }
            kept += bits.count_ones() as usize;
            rest >>= 16;
            row = row.wrapping_add(16);
        }
        first = first.wrapping_add(64);
    }
    kept
}

/// Row numbers with AVX2. `out` as in [`filter_avx512`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
pub(super) fn rows_avx2(mask: &[u64], first_row: u32, out: &mut [MaybeUninit<u32>]) -> usize {
    let mut kept = 0;
    let mut first = first_row;
    for &word in mask {
        let (mut rest, mut row) = (word, first);
        while rest != 0 {
            let bits = rest as u8;
            let packed = _mm256_add_epi32(positions_avx2(bits), _mm256_set1_epi32(row as i32));
            // SAFETY: behind the kept rows there is room for 64 more.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().add(kept).cast(), packed) }
            kept += bits.count_ones() as usize;
            rest >>= 8;
            row = row.wrapping_add(8);
        }
        first = first.wrapping_add(64);
    }
    kept
}

/// Bits with `pext`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
pub(super) fn bits_bmi2(mask: &[u64], bits: &[u64], out: &mut Vec<u64>, len: &mut usize) {
    scalar::append_bits(mask, bits, out, len, |bits, mask| _pext_u64(bits, mask));
}
