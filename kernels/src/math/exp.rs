//! The exponential function and the logistic one.
//!
//! `exp(x) = 2^k · exp(r)` with k = round(x / ln 2) and |r| ≤ ln 2 / 2 (Cody and Waite: ln 2 in
//! two parts, so that `k · high` is exact), exp(r) by a polynomial. 2^k is applied in two factors,
//! so that results below the normal range are right too.

use super::polynomial;
use crate::simd::multiversion;

const LOG2_E: f64 = std::f64::consts::LOG2_E;
/// ln 2, its last 11 bits zero: times any k it is exact.
pub(super) const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fefa_3800);
/// ln 2 − [`LN_2_HIGH`].
pub(super) const LN_2_LOW: f64 = 5.497_923_018_708_371e-14;
/// 1.5 · 2^52: adding it rounds to an integer, which then stands in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// Beyond these the result is infinite or 0.
const X_MAX: f64 = 710.0;
const X_MIN: f64 = -746.0;

/// (exp(r) − 1 − r) / r² for |r| ≤ ln 2 / 2; relative error of exp 1.7e-17.
const EXP: [f64; 10] = [
    0.500_000_000_000_000_1,
    0.166_666_666_666_666_69,
    0.041_666_666_666_623_824,
    0.008_333_333_333_330_039,
    0.001_388_888_891_736_708_1,
    0.000_198_412_698_631_715_57,
    2.480_152_105_786_820_4e-5,
    2.755_726_827_690_569_6e-6,
    2.762_020_159_103_154_7e-7,
    2.510_047_250_569_499_6e-8,
];

/// 2^k, where k stands in the low bits of `k + ROUND`.
#[inline(always)]
fn power_of_two(rounded: f64) -> f64 {
    f64::from_bits((rounded.to_bits() << 52).wrapping_add(1023 << 52))
}

/// e^x. Infinite above 709.78, 0 below −745.13; NaN of NaN.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    // Comparisons with NaN are false, so that NaN goes through.
    let x = if x > X_MAX { X_MAX } else { x };
    let x = if x < X_MIN { X_MIN } else { x };
    let k = (x * LOG2_E + ROUND) - ROUND;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let exp_r = 1.0 + (r + r * r * polynomial(r, &EXP));
    let half = k * 0.5 + ROUND;
    let rest = (k - (half - ROUND)) + ROUND;
    exp_r * power_of_two(half) * power_of_two(rest)
}

/// 1 / (1 + e^−z): a probability from log-odds.
#[inline(always)]
pub fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + exp(-z))
}

multiversion! {
    /// Replaces log-odds by probabilities.
    pub fn sigmoid_in_place(values: &mut [f64]) {
        for value in values {
            *value = sigmoid(*value);
        }
    }
}
