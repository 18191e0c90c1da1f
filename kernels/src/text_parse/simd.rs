//! Columns of numbers with 128-bit vectors: one load a field, no branch on its content.
//!
//! The two levels differ in how bytes outside of the digits become zeros (AVX2 loads a mask
//! from a table, AVX-512 masks the subtraction itself), and AVX-512 takes eight fields at once
//! where all of them are plain (the `eight` module).

use std::arch::x86_64::{
    __m128i, __m512i, _mm_and_si128, _mm_cmpeq_epi8, _mm_cmpgt_epu8_mask, _mm_cvtsi128_si64,
    _mm_loadu_si128, _mm_madd_epi16, _mm_maddubs_epi16, _mm_maskz_sub_epi8, _mm_min_epu8,
    _mm_movemask_epi8, _mm_packus_epi32, _mm_set1_epi8, _mm_set1_epi16, _mm_set1_epi32,
    _mm_shuffle_epi8, _mm_sub_epi8, _mm512_storeu_pd, _mm512_storeu_si512,
};

use super::{DecimalPlan, Spans, eight};

/// Bytes of a field that is parsed at once.
const WIDTH: usize = 16;

/// `KEEP[n..n + 16]` keeps the last `n` bytes.
static KEEP: [u8; 2 * WIDTH] = {
    let mut keep = [0; 2 * WIDTH];
    let mut i = WIDTH;
    while i < 2 * WIDTH {
        keep[i] = 0xff;
        i += 1;
    }
    keep
};

/// `SQUEEZE[at]` moves the bytes before `at` by one, onto the point at `at`; `SQUEEZE[16]`
/// moves nothing.
static SQUEEZE: [[u8; WIDTH]; WIDTH + 1] = {
    let mut all = [[0; WIDTH]; WIDTH + 1];
    let mut at = 0;
    while at <= WIDTH {
        let mut j = 0;
        while j < WIDTH {
            all[at][j] = if at == WIDTH || j > at {
                j as u8
            } else if j == 0 {
                0x80
            } else {
                j as u8 - 1
            };
            j += 1;
        }
        at += 1;
    }
    all
};

/// `POWERS[at]`: ten to the number of digits behind a point at `at`.
static POWERS: [f64; WIDTH + 1] =
    [1e15, 1e14, 1e13, 1e12, 1e11, 1e10, 1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1e0, 1e0];

/// Digits of a field, and what stood between them.
struct Number {
    /// The digits as one integer.
    value: u64,
    /// Whether a minus stood before them.
    negative: bool,
    /// Where in the 16 bytes the point is; 16: nowhere.
    point: usize,
}

#[inline(always)]
fn load(bytes: &[u8; WIDTH]) -> __m128i {
    // SAFETY: SSE2 belongs to x86-64; 16 bytes are there and no alignment is asked for.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// The 16 bytes that end where the field ends, and its length.
#[inline(always)]
fn window(text: &[u8], (start, end): (usize, usize)) -> Option<(&[u8; WIDTH], u32)> {
    let len = end.wrapping_sub(start);
    if len > WIDTH {
        return None;
    }
    let bytes = text.get(end.wrapping_sub(WIDTH)..end)?.first_chunk()?;
    Some((bytes, len as u32))
}

/// Sixteen digits (as numbers, not characters) to one integer.
#[inline]
#[target_feature(enable = "avx2")]
fn join(digits: __m128i) -> u64 {
    // Numbers are added from neighbours: tens and ones, then hundreds, then ten thousands.
    let pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010a));
    let fours = _mm_madd_epi16(pairs, _mm_set1_epi32(0x0001_0064));
    let packed = _mm_packus_epi32(fours, fours);
    let eights = _mm_madd_epi16(packed, _mm_set1_epi32(0x0001_2710));
    let both = _mm_cvtsi128_si64(eights) as u64;
    (both & 0xffff_ffff) * 100_000_000 + (both >> 32)
}

/// A sign, digits, and where `POINT` is set one point.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn number_avx2<const POINT: bool>(window: &[u8; WIDTH], len: u32) -> Option<Number> {
    let bytes = load(window);
    let field = field_bits(len);
    let minus = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'-' as i8))) as u32;
    let minus = minus & field & field.wrapping_neg();
    let point = if POINT {
        _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'.' as i8))) as u32 & field
    } else {
        0
    };
    let digits = _mm_sub_epi8(bytes, _mm_set1_epi8(b'0' as i8));
    let are = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
    let wanted = field ^ minus ^ point;
    let one_point = point & point.wrapping_sub(1) == 0;
    if wanted == 0 || _mm_movemask_epi8(are) as u32 & wanted != wanted || !one_point {
        return None;
    }
    let at = (point | 0x1_0000).trailing_zeros() as usize;
    let digits = if POINT { _mm_shuffle_epi8(digits, load(&SQUEEZE[at])) } else { digits };
    let keep = KEEP[wanted.count_ones() as usize..].first_chunk()?;
    let value = join(_mm_and_si128(digits, load(keep)));
    Some(Number { value, negative: minus != 0, point: at })
}

/// The bits of the last `len` bytes of the window.
#[inline(always)]
fn field_bits(len: u32) -> u32 {
    (0xffffu32 << (16 - len)) & 0xffff
}

/// As [`number_avx2`], with masked instructions.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl")]
fn number_avx512<const POINT: bool>(window: &[u8; WIDTH], len: u32) -> Option<Number> {
    let bytes = load(window);
    let field = field_bits(len);
    let minus = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'-' as i8))) as u32;
    let minus = minus & field & field.wrapping_neg();
    let point = if POINT {
        _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'.' as i8))) as u32 & field
    } else {
        0
    };
    let wanted = field ^ minus ^ point;
    let digits = _mm_maskz_sub_epi8(wanted as u16, bytes, _mm_set1_epi8(b'0' as i8));
    let wrong = _mm_cmpgt_epu8_mask(digits, _mm_set1_epi8(9));
    if wanted == 0 || wrong != 0 || point & point.wrapping_sub(1) != 0 {
        return None;
    }
    let at = (point | 0x1_0000).trailing_zeros() as usize;
    let digits = if POINT { _mm_shuffle_epi8(digits, load(&SQUEEZE[at])) } else { digits };
    Some(Number { value: join(digits), negative: minus != 0, point: at })
}

#[inline(always)]
fn signed(value: u64, negative: bool) -> i64 {
    let flip = -i64::from(negative);
    (value as i64 ^ flip) - flip
}

#[inline(always)]
fn float(number: &Number) -> Option<f64> {
    // Both the digits and the power are exact, so that one division rounds once.
    if number.value > 1 << 53 {
        return None;
    }
    let magnitude = number.value as i64 as f64 / POWERS[number.point];
    Some(f64::from_bits(magnitude.to_bits() | u64::from(number.negative) << 63))
}

#[inline(always)]
fn decimal(number: &Number, plan: &DecimalPlan) -> Option<i128> {
    if number.value > plan.largest[number.point] {
        return None;
    }
    Some(i128::from(signed(number.value * plan.factor[number.point], number.negative)))
}

/// One column loop for each type and level: they differ in the two calls alone.
macro_rules! columns {
    ($number:ident, $features:literal, $i64s:ident, $f64s:ident, $decimals:ident) => {
        /// A column of integers.
        #[target_feature(enable = $features)]
        pub(super) fn $i64s<S: Spans>(
            text: &[u8],
            spans: &S,
            out: &mut [i64],
            exceptions: &mut Vec<u32>,
        ) {
            for (i, slot) in out.iter_mut().enumerate() {
                let number = match window(text, spans.span(i)) {
                    Some((bytes, len)) => $number::<false>(bytes, len),
                    None => None,
                };
                *slot = match number {
                    Some(number) => signed(number.value, number.negative),
                    None => exception(exceptions, i),
                };
            }
        }

        /// A column of floats.
        #[target_feature(enable = $features)]
        pub(super) fn $f64s<S: Spans>(
            text: &[u8],
            spans: &S,
            out: &mut [f64],
            exceptions: &mut Vec<u32>,
        ) {
            for (i, slot) in out.iter_mut().enumerate() {
                let number = match window(text, spans.span(i)) {
                    Some((bytes, len)) => $number::<true>(bytes, len),
                    None => None,
                };
                *slot = match number.as_ref().and_then(float) {
                    Some(value) => value,
                    None => exception(exceptions, i),
                };
            }
        }

        /// A column of decimals.
        #[target_feature(enable = $features)]
        pub(super) fn $decimals<S: Spans>(
            text: &[u8],
            spans: &S,
            plan: &DecimalPlan,
            out: &mut [i128],
            exceptions: &mut Vec<u32>,
        ) {
            for (i, slot) in out.iter_mut().enumerate() {
                let number = match window(text, spans.span(i)) {
                    Some((bytes, len)) => $number::<true>(bytes, len),
                    None => None,
                };
                *slot = match number.as_ref().and_then(|number| decimal(number, plan)) {
                    Some(value) => value,
                    None => exception(exceptions, i),
                };
            }
        }
    };
}

columns!(number_avx2, "avx2,bmi1,bmi2,lzcnt,popcnt", i64s_avx2, f64s_avx2, decimals_avx2);
/// The column loop of AVX-512: eight fields at once where all of them are plain.
macro_rules! columns_of_eight {
    ($name:ident, $value:ty, ($($extra:ident: $type:ty),*), $eight:expr, $store:expr, $one:expr) => {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl")]
        pub(super) fn $name<S: Spans>(
            text: &[u8],
            spans: &S,
            $($extra: $type,)*
            out: &mut [$value],
            exceptions: &mut Vec<u32>,
        ) {
            let (groups, rest) = out.as_chunks_mut::<8>();
            let single = 8 * groups.len();
            for (group, slots) in groups.iter_mut().enumerate() {
                let first = 8 * group;
                let packed = std::array::from_fn(|i| spans.packed(first + i));
                let values = match eight::load(text, &packed) {
                    Some(fields) => $eight(&fields),
                    None => None,
                };
                if let Some(values) = values {
                    $store(slots, values);
                    continue;
                }
                for (i, slot) in slots.iter_mut().enumerate() {
                    *slot = match $one(text, spans.span(first + i)) {
                        Some(value) => value,
                        None => exception(exceptions, first + i),
                    };
                }
            }
            for (i, slot) in rest.iter_mut().enumerate() {
                *slot = match $one(text, spans.span(single + i)) {
                    Some(value) => value,
                    None => exception(exceptions, single + i),
                };
            }
        }
    };
}

columns_of_eight!(
    i64s_avx512,
    i64,
    (),
    |fields| eight::integers(fields),
    |slots: &mut [i64; 8], values| store_i64s(slots, values),
    |text, span| {
        let (bytes, len) = window(text, span)?;
        let number = number_avx512::<false>(bytes, len)?;
        Some(signed(number.value, number.negative))
    }
);
columns_of_eight!(
    f64s_avx512,
    f64,
    (),
    |fields| eight::floats(fields),
    |slots: &mut [f64; 8], values| {
        // SAFETY: eight slots of 64 bits are the 64 bytes that are stored.
        unsafe { _mm512_storeu_pd(slots.as_mut_ptr(), values) }
    },
    |text, span| {
        let (bytes, len) = window(text, span)?;
        float(&number_avx512::<true>(bytes, len)?)
    }
);
columns_of_eight!(
    decimals_avx512,
    i128,
    (plan: &DecimalPlan),
    |fields| eight::decimals(fields, plan),
    |slots: &mut [i128; 8], values| {
        let mut narrow = [0; 8];
        store_i64s(&mut narrow, values);
        for (slot, value) in slots.iter_mut().zip(narrow) {
            *slot = i128::from(value);
        }
    },
    |text, span| {
        let (bytes, len) = window(text, span)?;
        decimal(&number_avx512::<true>(bytes, len)?, plan)
    }
);

#[inline]
#[target_feature(enable = "avx512f")]
fn store_i64s(slots: &mut [i64; 8], values: __m512i) {
    // SAFETY: eight slots of 64 bits are the 64 bytes that are stored.
    unsafe { _mm512_storeu_si512(slots.as_mut_ptr().cast(), values) }
}

#[cold]
#[inline(never)]
fn exception<T: Default>(exceptions: &mut Vec<u32>, i: usize) -> T {
    exceptions.push(i as u32);
    T::default()
}
