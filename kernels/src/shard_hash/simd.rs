//! Eight rows at once: the folded multiply out of 32-bit multiplications.

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_loadl_epi64, _mm_loadu_si128, _mm256_loadu_si256,
    _mm512_add_epi64, _mm512_and_si512, _mm512_cmpge_epu64_mask, _mm512_cmple_epu64_mask,
    _mm512_cvtepi8_epi64, _mm512_cvtepi16_epi64, _mm512_cvtepi32_epi64, _mm512_cvtepu8_epi64,
    _mm512_cvtepu16_epi64, _mm512_cvtepu32_epi64, _mm512_loadu_si512, _mm512_mask_add_epi64,
    _mm512_mask_i64gather_epi64, _mm512_mask_mov_epi64, _mm512_mask_sub_epi64, _mm512_mul_epu32,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_slli_epi64, _mm512_sllv_epi64,
    _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi64, _mm512_ternarylogic_epi64,
    _mm512_test_epi64_mask, _mm512_xor_si512,
};

use super::sealed::Lanes;
use super::{FACTOR, KeyInteger, NULL_WORD, Offset, SEED, scalar};

/// Rows taken at once.
const LANES: usize = 8;

/// `value` as eight equal lanes.
macro_rules! all {
    ($value:expr) => {
        _mm512_set1_epi64($value as i64)
    };
}

/// [`scalar::fold`] of each lane.
///
/// With `a = (a₁, a₀)` and the factor `(f₁, f₀)` in halves of 32 bits, the product's halves come
/// from the four products of halves; no sum below exceeds 64 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold(hash: __m512i, word: __m512i) -> __m512i {
    let (low_half, factor_high) = (all!(0xffff_ffff_u64), all!(FACTOR >> 32));
    let factor = all!(FACTOR);
    let a = _mm512_xor_si512(hash, word);
    let a_high = _mm512_srli_epi64::<32>(a);
    let low = _mm512_mul_epu32(a, factor);
    let cross = _mm512_add_epi64(_mm512_mul_epu32(a_high, factor), _mm512_srli_epi64::<32>(low));
    let middle =
        _mm512_add_epi64(_mm512_mul_epu32(a, factor_high), _mm512_and_si512(cross, low_half));
    let high = _mm512_add_epi64(
        _mm512_mul_epu32(a_high, factor_high),
        _mm512_add_epi64(_mm512_srli_epi64::<32>(cross), _mm512_srli_epi64::<32>(middle)),
    );
    // high ⊕ (middle << 32) ⊕ (low & low_half); the latter two have no bit in common.
    let product = _mm512_xor_si512(high, _mm512_slli_epi64::<32>(middle));
    _mm512_ternarylogic_epi64::<{ 0xf0 ^ (0xcc & 0xaa) }>(product, low, low_half)
}

/// The loop of integers with AVX-512.
#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2"
)]
pub(super) fn integers_avx512<T: KeyInteger>(
    values: &[T],
    valid: Option<&[u64]>,
    hashes: &mut [u64],
) {
    let null = all!(NULL_WORD);
    let (groups, rest) = hashes.as_chunks_mut::<LANES>();
    for (group, hashes) in groups.iter_mut().enumerate() {
        let row = group * LANES;
        let address = hashes.as_mut_ptr();
        // SAFETY: `values` is as long as `hashes`, of which eight are here; AVX-512 F is there.
        let (hash, mut word) =
            unsafe { (_mm512_loadu_si512(address.cast()), T::load(values[row..].as_ptr())) };
        if let Some(valid) = valid {
            let known = (valid[row / 64] >> (row % 64)) as u8;
            word = _mm512_mask_mov_epi64(null, known, word);
        }
        // SAFETY: eight hashes are written, which `hashes` has.
        unsafe { _mm512_storeu_si512(address.cast(), fold(hash, word)) }
    }
    // A row of the rest has the bit that it had: groups of eight divide a word.
    let from = values.len() - rest.len();
    let last = valid.and_then(|valid| valid.last()).map(|word| [word >> (from % 64)]);
    scalar::integers(&values[from..], last.as_ref().map(|word| &word[..]), rest);
}

/// The loop of byte strings with AVX-512: lanes leave the loop at their last eight bytes, and all
/// take their tails together. Strings within eight bytes of the end of the text are left to the
/// scalar loop, so that no gather reads behind it.
#[target_feature(
    enable = "avx2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2"
)]
pub(super) fn bytes_avx512<O: Offset>(offsets: &[O], bytes: &[u8], out: &mut [u64]) {
    let (groups, rest) = out.as_chunks_mut::<LANES>();
    let from = groups.len() * LANES;
    // The last place at which eight bytes may be loaded. Where there is none, no string passes.
    let last = all!(bytes.len().saturating_sub(LANES));
    let is_long = bytes.len() >= LANES;
    let eight = all!(8);
    for (group, out) in groups.iter_mut().enumerate() {
        let spans = &offsets[group * LANES..=group * LANES + LANES];
        // SAFETY: there are nine offsets; AVX-512 F is there.
        let (start, end) = unsafe { (O::load(spans.as_ptr()), O::load(spans[1..].as_ptr())) };
        let inside = _mm512_cmple_epu64_mask(start, end) & _mm512_cmple_epu64_mask(end, last);
        if inside != 0xff || !is_long {
            scalar::byte_strings(spans, bytes, out);
            continue;
        }
        let mut left = _mm512_sub_epi64(end, start);
        let mut hash = fold(all!(SEED), left);
        let mut at = start;
        loop {
            let full = _mm512_cmpge_epu64_mask(left, eight);
            if full == 0 {
                break;
            }
            // SAFETY: `at` is at most `end`, and eight bytes may be loaded from there.
            let word = unsafe {
                _mm512_mask_i64gather_epi64::<1>(
                    _mm512_setzero_si512(),
                    full,
                    at,
                    bytes.as_ptr().cast(),
                )
            };
            hash = _mm512_mask_mov_epi64(hash, full, fold(hash, word));
            at = _mm512_mask_add_epi64(at, full, at, eight);
            left = _mm512_mask_sub_epi64(left, full, left, eight);
        }
        let some = _mm512_test_epi64_mask(left, left);
        // SAFETY: as above.
        let tail = unsafe {
            _mm512_mask_i64gather_epi64::<1>(
                _mm512_setzero_si512(),
                some,
                at,
                bytes.as_ptr().cast(),
            )
        };
        let above = _mm512_sllv_epi64(all!(1), _mm512_slli_epi64::<3>(left));
        let tail = _mm512_and_si512(tail, _mm512_sub_epi64(above, all!(1)));
        // SAFETY: eight words are written, which `out` has.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), fold(hash, tail)) }
    }
    if !rest.is_empty() {
        scalar::byte_strings(&offsets[from..], bytes, rest);
    }
}

macro_rules! lanes {
    ($($type:ty: $load:ident as $vector:ty, $extend:ident;)*) => {$(
        impl Lanes for $type {
            #[inline(always)]
            unsafe fn load(values: *const Self) -> __m512i {
                // SAFETY: the caller has AVX-512 F and eight values.
                unsafe { $extend($load(values.cast::<$vector>())) }
            }
        }
    )*};
}

lanes! {
    i8: _mm_loadl_epi64 as __m128i, _mm512_cvtepi8_epi64;
    u8: _mm_loadl_epi64 as __m128i, _mm512_cvtepu8_epi64;
    i16: _mm_loadu_si128 as __m128i, _mm512_cvtepi16_epi64;
    u16: _mm_loadu_si128 as __m128i, _mm512_cvtepu16_epi64;
    i32: _mm256_loadu_si256 as __m256i, _mm512_cvtepi32_epi64;
    u32: _mm256_loadu_si256 as __m256i, _mm512_cvtepu32_epi64;
    i64: _mm512_loadu_si512 as __m512i, same;
    u64: _mm512_loadu_si512 as __m512i, same;
}

/// Sixty-four bits need no extension.
#[inline(always)]
fn same(lanes: __m512i) -> __m512i {
    lanes
}
