//! Eight fields at once with AVX-512: the work that does not depend on where a field lies
//! (masks, checks, digits to numbers, scaling) is done once for all of them.
//!
//! Four windows of 16 bytes fill a register, so two registers hold eight fields, and a 64-bit
//! mask has 16 bits for each of four fields. The bit of a field's last byte is the top one of
//! its 16; that makes most questions one operation on the mask:
//!
//! ```text
//! bytes      … , - 3 8 . 5 0 | next field      (the field ends where its window ends)
//! field      0 0 1 1 1 1 1 1
//! first      0 0 1 0 0 0 0 0   field & !(field << 1), within each 16 bits
//! minus      0 0 1 0 0 0 0 0   '-' compared, & first
//! point      0 0 0 0 0 1 0 0   '.' compared, & field
//! digits     0 0 0 1 1 0 1 1   field ^ minus ^ point: all of them must be digits
//! before     1 1 1 1 1 1 0 0   (point << 1) - 1: what moves by one to close the gap
//! ```
//!
//! Fields that are not all of that plain kind are left to the path for one field, all eight.

use std::arch::x86_64::*;

use super::DecimalPlan;

/// The top bit of each field.
const LAST: u64 = 0x8000_8000_8000_8000;
/// The lowest bit of each field.
const LOWEST: u64 = 0x0001_0001_0001_0001;

/// The windows of eight fields: four in each register.
pub(super) struct Eight {
    low: __m512i,
    high: __m512i,
    /// Which bytes belong to the fields of `low` and `high`.
    fields: [u64; 2],
}

/// Digits of eight fields, joined.
struct Joined {
    values: __m512i,
    /// Which of them are negative.
    negative: __mmask8,
}

/// Loads eight fields; each comes as the position before its start and its end, low and high
/// half of a word. `None` where one is longer than 16 bytes or its window leaves the text.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn load(text: &[u8], spans: &[u64; 8]) -> Option<Eight> {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = spans.map(|span| span as i64);
    let both = _mm512_set_epi64(s7, s6, s5, s4, s3, s2, s1, s0);
    let ends = _mm512_srli_epi64::<32>(both);
    let before = _mm512_and_si512(both, _mm512_set1_epi64(0xffff_ffff));
    let lens = _mm512_sub_epi64(_mm512_sub_epi64(ends, before), _mm512_set1_epi64(1));
    let sixteen = _mm512_set1_epi64(16);
    // Unsigned: a span that ends before it starts is long.
    let long = _mm512_cmpgt_epu64_mask(lens, sixteen);
    let outside = _mm512_cmplt_epu64_mask(ends, sixteen)
        | _mm512_cmpgt_epu64_mask(ends, _mm512_set1_epi64(text.len() as i64));
    if long | outside != 0 {
        return None;
    }
    let shifts = _mm512_sub_epi64(sixteen, lens);
    let fields = _mm512_cvtepi64_epi16(_mm512_sllv_epi64(_mm512_set1_epi64(0xffff), shifts));
    let window = |span: u64| {
        // SAFETY: every end was just found to be at least 16 and at most the text's length.
        unsafe { _mm_loadu_si128(text.as_ptr().add((span >> 32) as usize - 16).cast()) }
    };
    let four = |spans: &[u64]| {
        let first = _mm512_castsi128_si512(window(spans[0]));
        let first = _mm512_inserti32x4::<1>(first, window(spans[1]));
        let first = _mm512_inserti32x4::<2>(first, window(spans[2]));
        _mm512_inserti32x4::<3>(first, window(spans[3]))
    };
    Some(Eight {
        low: four(&spans[..4]),
        high: four(&spans[4..]),
        fields: [_mm_cvtsi128_si64(fields) as u64, _mm_extract_epi64::<1>(fields) as u64],
    })
}

/// Where a byte stands in the windows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn find(eight: &Eight, byte: u8) -> [u64; 2] {
    let byte = _mm512_set1_epi8(byte as i8);
    [_mm512_cmpeq_epi8_mask(eight.low, byte), _mm512_cmpeq_epi8_mask(eight.high, byte)]
}

/// The minus signs that start fields.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn signs(eight: &Eight) -> [u64; 2] {
    let [low, high] = find(eight, b'-');
    let first = |field: u64| field & !(field << 1 & !LOWEST);
    [low & first(eight.fields[0]), high & first(eight.fields[1])]
}

/// Eight masks of 16 bits as a vector.
#[inline]
#[target_feature(enable = "sse4.1")]
fn lanes(masks: [u64; 2]) -> __m128i {
    _mm_set_epi64x(masks[1] as i64, masks[0] as i64)
}

/// The digits of a register where `wanted` is set, zero elsewhere; `None` where one is none.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn digits(bytes: __m512i, wanted: u64) -> (__m512i, u64) {
    let digits = _mm512_maskz_sub_epi8(wanted, bytes, _mm512_set1_epi8(b'0' as i8));
    (digits, _mm512_cmpgt_epu8_mask(digits, _mm512_set1_epi8(9)))
}

/// Digits to eight integers: as for one field, and the last step for all.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn join(low: __m512i, high: __m512i) -> __m512i {
    let (tens, hundreds) = (_mm512_set1_epi16(0x010a), _mm512_set1_epi32(0x0001_0064));
    let low = _mm512_madd_epi16(_mm512_maddubs_epi16(low, tens), hundreds);
    let high = _mm512_madd_epi16(_mm512_maddubs_epi16(high, tens), hundreds);
    let fours = _mm512_packus_epi32(low, high);
    let eights = _mm512_madd_epi16(fours, _mm512_set1_epi32(0x0001_2710));
    let values = _mm512_add_epi64(
        _mm512_mul_epu32(eights, _mm512_set1_epi64(100_000_000)),
        _mm512_srli_epi64::<32>(eights),
    );
    // Packing left them as 0 4 1 5 2 6 3 7.
    _mm512_permutexvar_epi64(_mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0), values)
}

/// Eight integers.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn integers(eight: &Eight) -> Option<__m512i> {
    let minus = signs(eight);
    let wanted = [eight.fields[0] ^ minus[0], eight.fields[1] ^ minus[1]];
    let (low, wrong_low) = digits(eight.low, wanted[0]);
    let (high, wrong_high) = digits(eight.high, wanted[1]);
    // A field without digits lacks its last bit: it is empty or a lone minus.
    if wanted[0] & wanted[1] & LAST != LAST || wrong_low | wrong_high != 0 {
        return None;
    }
    let signs = lanes(minus);
    Some(signed(Joined { values: join(low, high), negative: _mm_test_epi16_mask(signs, signs) }))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn signed(joined: Joined) -> __m512i {
    let Joined { values, negative } = joined;
    _mm512_mask_sub_epi64(values, negative, _mm512_setzero_si512(), values)
}

/// Eight numbers with a point in each; also, for each, an index into tables of 16: the place of
/// its point in the window plus 15, modulo 16.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl")]
fn pointed(eight: &Eight) -> Option<(Joined, __m512i)> {
    let minus = signs(eight);
    let [low, high] = find(eight, b'.');
    let points = [low & eight.fields[0], high & eight.fields[1]];
    let places = lanes(points);
    // One point in each, none of them last: eight in all, and each field has one.
    let one_each = _mm_test_epi16_mask(places, places) == 0xff
        && points[0].count_ones() + points[1].count_ones() == 8
        && (points[0] | points[1]) & LAST == 0;
    let wanted = |i: usize| eight.fields[i] ^ minus[i] ^ points[i];
    let (low, wrong_low) = digits(eight.low, wanted(0));
    let (high, wrong_high) = digits(eight.high, wanted(1));
    if !one_each || wrong_low | wrong_high != 0 {
        return None;
    }
    let before = |i: usize| (points[i] << 1).wrapping_sub(LOWEST);
    let low = _mm512_mask_mov_epi8(low, before(0), _mm512_bslli_epi128::<1>(low));
    let high = _mm512_mask_mov_epi8(high, before(1), _mm512_bslli_epi128::<1>(high));
    // A point is a power of two, so its place is the exponent of the float, 1023 more.
    let powers = _mm512_cvtepi64_pd(_mm512_cvtepu16_epi64(places));
    let index = _mm512_srli_epi64::<52>(_mm512_castpd_si512(powers));
    let signs = lanes(minus);
    let joined = Joined { values: join(low, high), negative: _mm_test_epi16_mask(signs, signs) };
    Some((joined, index))
}

/// Ten to the digits behind the point, by [`pointed`]'s index.
static POWERS: [f64; 16] =
    [1e14, 1e13, 1e12, 1e11, 1e10, 1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1e0, 1e15];

/// Eight floats. At most 15 digits are below 2⁵³: both are exact, one division rounds once.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn floats(eight: &Eight) -> Option<__m512d> {
    let (Joined { values, negative }, index) = pointed(eight)?;
    // SAFETY: the table holds 16 floats, eight for each load.
    let (first, second) =
        unsafe { (_mm512_loadu_pd(POWERS.as_ptr()), _mm512_loadu_pd(POWERS.as_ptr().add(8))) };
    let powers = _mm512_permutex2var_pd(first, index, second);
    let floats = _mm512_div_pd(_mm512_cvtepi64_pd(values), powers);
    Some(_mm512_mask_xor_pd(floats, negative, floats, _mm512_set1_pd(-0.0)))
}

/// Eight decimals of a plan, in 64 bits.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn decimals(eight: &Eight, plan: &DecimalPlan) -> Option<__m512i> {
    let (joined, index) = pointed(eight)?;
    let look_up = |table: &[u64; 17]| {
        // SAFETY: the table holds 17 words, eight for each load.
        let (first, second) = unsafe {
            (
                _mm512_loadu_si512(table.as_ptr().cast()),
                _mm512_loadu_si512(table.as_ptr().add(8).cast()),
            )
        };
        _mm512_permutex2var_epi64(first, _mm512_add_epi64(index, _mm512_set1_epi64(1)), second)
    };
    if _mm512_cmpgt_epu64_mask(joined.values, look_up(&plan.largest)) != 0 {
        return None;
    }
    let values = _mm512_mullo_epi64(joined.values, look_up(&plan.factor));
    Some(signed(Joined { values, ..joined }))
}
