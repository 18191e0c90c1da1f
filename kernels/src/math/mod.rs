//! Transcendental functions on columns, with the same bits on every machine.
//!
//! The standard library hands `exp` and `ln` to the platform, whose bits differ; the `libm` crate
//! is portable but branches, so that loops over it do not vectorise. The functions here use only
//! `+ − × ÷`, comparisons and bit operations, each exactly rounded by IEEE 754 on every machine,
//! and no fused multiply-add (Rust contracts none by itself). So one lane of AVX-512 computes
//! what plain scalar code computes, bit for bit, and `multiversion!` (`simd/dispatch.rs`) may compile a loop for
//! several SIMD levels without changing an answer.
//!
//! Accuracy is tested against `libm` (itself below 1 ulp): [`exp`] and [`ln_1p`] stay within
//! [`ULPS_MAX`].
//!
//! Polynomials interpolate at Chebyshev nodes (computed with 60 digits, coefficients rounded to
//! f64); beside each stands its largest relative error in exact arithmetic.

mod exp;
mod linear;
mod ln;
mod tail;
#[cfg(test)]
mod tests;

pub use exp::{exp, sigmoid, sigmoid_in_place};
pub use linear::{
    CONTRIBUTION_MAX, LinearTerm, MAGNITUDE_MAX, TABLE_LEN, Table, Transform, add_from_table,
    add_term,
};
pub use ln::ln_1p;
pub use tail::{exponential_tail, exponential_tails, normal_tail, normal_tails};

/// How far [`exp`] and [`ln_1p`] may be from the value of `libm`, in units in the last place.
pub const ULPS_MAX: u64 = 2;

/// How far [`normal_tail`] may be from the probability, as a part of it, where that is no
/// subnormal number.
pub const TAIL_ERROR_MAX: f64 = 2e-15;

/// A polynomial in `x`, lowest power first: even and odd powers each by Horner's rule in x², so
/// that two chains of half the length run at once.
#[inline(always)]
pub(crate) fn polynomial<const N: usize>(x: f64, coefficients: &[f64; N]) -> f64 {
    let square = x * x;
    let chain = |last: usize| {
        let mut sum = coefficients[last];
        let mut power = last;
        while power > 1 {
            power -= 2;
            sum = sum * square + coefficients[power];
        }
        sum
    };
    let (high, low) = (chain(N - 1), chain(N - 2));
    if N.is_multiple_of(2) { high * x + low } else { high + low * x }
}
