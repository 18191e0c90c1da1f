//! Comparisons of codes with vectors of x86-64.

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_cmpgt_epi16, _mm256_loadu_si256, _mm256_movemask_epi8,
    _mm256_packs_epi16, _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm512_cmpge_epi16_mask,
    _mm512_loadu_si512, _mm512_set1_epi16,
};

use super::Words;

#[inline]
#[target_feature(enable = "avx512f")]
fn load512(codes: &[i16; 32]) -> __m512i {
    // SAFETY: 32 codes are the 64 bytes that are read.
    unsafe { _mm512_loadu_si512(codes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load256(codes: &[i16; 16]) -> __m256i {
    // SAFETY: 16 codes are the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) }
}

/// [`super::part`].
#[target_feature(enable = "avx512f,avx512bw,popcnt,bmi1,bmi2")]
pub(super) fn part_avx512(words: Words<'_>, bound: i16) -> usize {
    let bound = _mm512_set1_epi16(bound);
    words.part(|codes| {
        let (halves, _) = codes.as_chunks();
        let low = _mm512_cmpge_epi16_mask(load512(&halves[0]), bound);
        let high = _mm512_cmpge_epi16_mask(load512(&halves[1]), bound);
        u64::from(low) | u64::from(high) << 32
    })
}

/// [`super::part`].
#[target_feature(enable = "avx2,popcnt,bmi1,bmi2")]
pub(super) fn part_avx2(words: Words<'_>, bound: i16) -> usize {
    let bound = _mm256_set1_epi16(bound);
    words.part(|codes| {
        let (quarters, _) = codes.as_chunks();
        let below = |quarter: usize| _mm256_cmpgt_epi16(bound, load256(&quarters[quarter]));
        let half = |from: usize| {
            // Bytes of two quarters, of which the packing took turns by eight.
            let packed = _mm256_packs_epi16(below(from), below(from + 1));
            let bytes = _mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
            u64::from(_mm256_movemask_epi8(bytes) as u32)
        };
        !(half(0) | half(2) << 32)
    })
}
