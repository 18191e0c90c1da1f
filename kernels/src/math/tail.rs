//! Tail probabilities: how rare a standardised deviation or an exponential score is.
//!
//! P(|Z| ≥ z) = erfc(z / √2) of a normal Z. erfc falls like exp(−z²/2) / z, so that this is taken
//! out first and a polynomial has only the smooth rest to follow (Shepherd and Laframboise,
//! *Chebyshev approximation of (1 + 2x) exp(x²) erfc x in 0 ≤ x < ∞*, Mathematics of Computation
//! 36, 1981, who map 0 … ∞ to −1 … 1 in the same way):
//!
//! ```text
//! P = exp(−z²/2) · R(t) / (1 + 5/4 z),   t = (z − 5) / (z + 5)
//! ```
//! z² has more digits than a float: z = h + l with h of 26 bits, so that h² is exact, and
//! exp(−z²/2) = exp(−h²/2) · exp(−l (z + h) / 2), the second one by its first terms. One division
//! serves both quotients.

use super::{exp, polynomial};
use crate::simd::multiversion;

/// Nothing is left of the probability from here on.
const Z_MAX: f64 = 40.0;
/// The upper 26 bits of a float's mantissa.
const HIGH_BITS: u64 = !((1 << 27) - 1);

/// R(t) for z of 0 to 40; relative error 1.2e-16.
const REST: [f64; 22] = [
    1.115_329_922_137_591_2,
    -0.157_151_926_953_016_97,
    0.019_541_515_121_926_346,
    0.065_447_819_595_171_79,
    -0.089_930_283_558_833_31,
    0.073_049_358_351_957_65,
    -0.042_421_723_761_800_33,
    0.017_494_423_865_110_614,
    -0.004_299_956_434_012_186,
    -4.765_959_161_918_07e-5,
    0.000_486_050_317_199_436_1,
    -0.000_134_498_637_028_498_5,
    -2.806_688_980_703_071e-5,
    2.328_091_753_328_279_5e-5,
    1.718_485_284_693_404_5e-7,
    -3.381_316_104_123_041e-6,
    2.666_979_774_911_977_3e-7,
    4.965_417_606_033_407e-7,
    -4.829_816_833_433_163e-8,
    -6.779_479_846_131_467e-8,
    3.287_177_981_520_077_5e-9,
    5.488_813_117_328_381e-9,
];

/// The probability that a normal value is at least `z` deviations from its mean, on either side;
/// the sign of `z` has no meaning. 1 at 0, 0 from 38.6 on; NaN of NaN.
#[inline(always)]
pub fn normal_tail(z: f64) -> f64 {
    let z = z.abs();
    let z = if z > Z_MAX { Z_MAX } else { z };
    let high = f64::from_bits(z.to_bits() & HIGH_BITS);
    let low = -0.5 * ((z - high) * (z + high));
    // |low| < 4e-5: the next term is below 1e-18.
    let exp_low = 1.0 + (low + low * low * (0.5 + low * (1.0 / 6.0)));
    let (above, below) = (z + 5.0, 1.0 + 1.25 * z);
    let inverse = 1.0 / (above * below);
    let rest = polynomial((z - 5.0) * (below * inverse), &REST) * (above * inverse);
    let tail = exp(-0.5 * (high * high)) * (exp_low * rest);
    let tail = if tail > 1.0 { 1.0 } else { tail };
    if z == 0.0 { 1.0 } else { tail }
}

/// e^−x, 1 of what is negative; NaN of NaN.
#[inline(always)]
pub fn exponential_tail(x: f64) -> f64 {
    exp(if x < 0.0 { 0.0 } else { -x })
}

multiversion! {
    /// [`normal_tail`] of each.
    pub fn normal_tails(values: &[f64], out: &mut [f64]) {
        for (out, value) in out.iter_mut().zip(values) {
            *out = normal_tail(*value);
        }
    }
}

multiversion! {
    /// [`exponential_tail`] of `rate` times each.
    pub fn exponential_tails(rate: f64, values: &[f64], out: &mut [f64]) {
        for (out, value) in out.iter_mut().zip(values) {
            *out = exponential_tail(rate * *value);
        }
    }
}
