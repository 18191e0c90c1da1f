//! The natural logarithm of 1 + x.
//!
//! u = 1 + x rounds; what it loses, c = x − (u − 1), is added back as c / u (a
//! rough quotient will do, which saves a division). Then
//! `ln u = k · ln 2 + ln m` with √½ ≤ m < √2, and with f = m − 1, s = f / (2 + f):
//! ln m = 2 atanh s = f − s · (f − R), R = s²(2/3 + 2/5 s² + …), |s| ≤ 0.172.

use super::exp::{LN_2_HIGH, LN_2_LOW};
use super::polynomial;

/// Bits of √½: the mantissas from here to √2 are reduced to the same exponent.
const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
const ONE_BITS: u64 = 0x3ff0_0000_0000_0000;
const EXPONENT_BITS: u64 = 0x7ff0_0000_0000_0000;
/// The exponent of 2^k subtracted from it is that of 2 · 2^−k, a number for every k of a float.
const TWICE_BIAS: u64 = 2047 << 52;
const MANTISSA_BITS: u64 = 0x000f_ffff_ffff_ffff;
/// 2^52: an integer below it, put in the mantissa, is that float less 2^52.
const TWO_52_BITS: u64 = 0x4330_0000_0000_0000;
const TWO_52: f64 = 4_503_599_627_370_496.0;

/// (2 atanh(s) / s − 2) / s² in powers of s²; relative error of ln m 4.3e-18.
const ATANH: [f64; 7] = [
    0.666_666_666_666_667,
    0.399_999_999_998_988_9,
    0.285_714_286_262_538_36,
    0.222_222_110_893_794_96,
    0.181_828_924_325_368_7,
    0.153_316_117_220_550_08,
    0.146_178_071_534_173_25,
];

/// ln(1 + x), accurate for small x too. −∞ at −1, NaN below and of NaN.
#[inline(always)]
pub fn ln_1p(x: f64) -> f64 {
    let ln = ln_1p_regular(x);
    // The cases that the bits cannot know; each a select, no branch.
    let ln = if x > f64::MAX { f64::INFINITY } else { ln };
    let ln = if x == 0.0 { x } else { ln };
    let ln = if x == -1.0 { f64::NEG_INFINITY } else { ln };
    if x >= -1.0 { ln } else { f64::NAN }
}

/// [`ln_1p`] of what is above −1 and finite, but for the sign of a zero; else of no meaning.
#[inline(always)]
pub(super) fn ln_1p_regular(x: f64) -> f64 {
    let u = 1.0 + x;
    // The rounding error of u: exact by whichever of the two is larger.
    let lost = if x < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let shifted = u.to_bits().wrapping_add(ONE_BITS - SQRT_HALF_BITS);
    let k = f64::from_bits(TWO_52_BITS | (shifted >> 52)) - (TWO_52 + 1023.0);
    let m = f64::from_bits((shifted & MANTISSA_BITS).wrapping_add(SQRT_HALF_BITS));
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    // lost / u to half a percent, which is enough of a rounding error: 1 / m = (1 − s) / (1 + s).
    let inverse_m = (1.0 - s) * (1.0 - s * (1.0 - s));
    let inverse_power = f64::from_bits(TWICE_BIAS.wrapping_sub(shifted & EXPONENT_BITS));
    let low = k * LN_2_LOW + lost * inverse_m * (0.5 * inverse_power);
    k * LN_2_HIGH + (f - (s * (f - z * polynomial(z, &ATANH)) - low))
}
