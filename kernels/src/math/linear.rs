//! Terms of a linear model, added up a column at a time.
//!
//! A term's contribution is `(transform(clamp(x)) − mean) · factor`. What is missing (NaN: callers
//! put it where a column is null; or a magnitude beyond [`MAGNITUDE_MAX`], infinities included)
//! counts as the term's `missing` in place of the transformed value. Every contribution is finite
//! and at most [`CONTRIBUTION_MAX`] in size, so that no sum is ever NaN.

use super::ln::ln_1p_regular;
use super::ln_1p;
use crate::simd::multiversion;

/// A transformed value beyond this counts as missing.
pub const MAGNITUDE_MAX: f64 = 1e150;

/// A contribution is cut off here: a probability is 0 or 1 far before.
pub const CONTRIBUTION_MAX: f64 = 1e6;

/// What a feature goes through before it is weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    /// The value itself.
    Identity,
    /// √x; values below 0 count as 0.
    Sqrt,
    /// ln(1 + x); values below 0 count as 0.
    Log1p,
    /// sign(x) · ln(1 + |x|).
    SignedLog1p,
}

impl Transform {
    /// The transformed value.
    #[inline(always)]
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            // Square roots are exactly rounded on every machine.
            Self::Sqrt => at_least_zero(x).sqrt(),
            Self::Log1p => ln_1p(at_least_zero(x)),
            Self::SignedLog1p => ln_1p(x.abs()).copysign(x),
        }
    }
}

/// max(x, 0) that keeps NaN.
#[inline(always)]
fn at_least_zero(x: f64) -> f64 {
    if x < 0.0 { 0.0 } else { x }
}

/// One term of a linear model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearTerm {
    /// What happens to the value first, after the clamp.
    pub transform: Transform,
    /// Smaller values count as this; −∞ for no bound.
    pub lo: f64,
    /// Larger values count as this; +∞ for no bound.
    pub hi: f64,
    /// Subtracted from the transformed value.
    pub mean: f64,
    /// Weight over scale.
    pub factor: f64,
    /// Stands for the transformed value where there is none.
    pub missing: f64,
}

impl LinearTerm {
    /// The contribution of one value: what [`add_term`] adds for it, to the bit.
    #[inline(always)]
    pub fn contribution(&self, x: f64) -> f64 {
        self.weigh(x, |x| self.transform.apply(x))
    }

    #[inline(always)]
    fn weigh(&self, x: f64, transform: impl Fn(f64) -> f64) -> f64 {
        // Comparisons with NaN are false, so that NaN goes through to `missing`.
        let x = if x < self.lo { self.lo } else { x };
        let x = if x > self.hi { self.hi } else { x };
        let transformed = transform(x);
        let present = transformed.abs() <= MAGNITUDE_MAX;
        let transformed = if present { transformed } else { self.missing };
        let contribution = (transformed - self.mean) * self.factor;
        let contribution =
            if contribution > CONTRIBUTION_MAX { CONTRIBUTION_MAX } else { contribution };
        if contribution < -CONTRIBUTION_MAX { -CONTRIBUTION_MAX } else { contribution }
    }
}

impl LinearTerm {
    /// Whether the transform is a logarithm of what is never below 0 nor so large that anything
    /// of [`weigh`](Self::weigh) but `missing` could have to step in. The sign of a zero is lost
    /// on the short way, so that something must be subtracted from it.
    fn is_plain_log1p(&self) -> bool {
        /// Far below [`CONTRIBUTION_MAX`], whatever is rounded on the way.
        const FAR_BELOW: f64 = CONTRIBUTION_MAX / 2.0;
        let largest = ln_1p(self.hi).max(self.missing.abs()) + self.mean.abs();
        self.transform == Transform::Log1p
            && self.lo >= 0.0
            && self.hi <= 1e15
            && self.lo <= self.hi
            && self.mean != 0.0
            && largest * self.factor.abs() < FAR_BELOW
    }

    /// [`contribution`](Self::contribution) for terms that are plain: the same bits.
    #[inline(always)]
    fn weigh_plain_log1p(&self, x: f64) -> f64 {
        let x = if x < self.lo { self.lo } else { x };
        let x = if x > self.hi { self.hi } else { x };
        let ln = ln_1p_regular(x);
        ((if x.is_nan() { self.missing } else { ln }) - self.mean) * self.factor
    }
}

/// Contributions of the integers from 0 on; see [`add_from_table`].
pub type Table = [f64; TABLE_LEN];

/// How many integers a [`Table`] holds. Counts are small: those of the fraud model fit.
pub const TABLE_LEN: usize = 512;

/// Adds a term's contributions for integers that have been computed once. `false`, and nothing
/// is added: a value is not in the table.
///
/// # Contract
/// `sums` is as long as `values` (asserted).
#[must_use]
pub fn add_from_table(values: &[i64], table: &Table, sums: &mut [f64]) -> bool {
    assert_eq!(values.len(), sums.len());
    // The length is a power of two, and negative integers are large ones.
    if values.iter().fold(0, |bits, value| bits | *value as u64) >= TABLE_LEN as u64 {
        return false;
    }
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += table[*value as usize % TABLE_LEN];
    }
    true
}

/// Adds a term's contributions to the sums.
///
/// # Contract
/// `sums` is as long as `values` (asserted). `mean`, `factor` and `missing` are finite and no
/// larger than [`MAGNITUDE_MAX`] (debug-asserted).
pub fn add_term(values: &[f64], term: &LinearTerm, sums: &mut [f64]) {
    assert_eq!(values.len(), sums.len());
    debug_assert!(term.mean.abs() <= MAGNITUDE_MAX && term.factor.abs() <= MAGNITUDE_MAX);
    debug_assert!(term.missing.abs() <= MAGNITUDE_MAX);
    // The transform is chosen once a column, so that each loop is free of branches.
    match term.transform {
        Transform::Identity => add_identity(values, term, sums),
        Transform::Sqrt => add_sqrt(values, term, sums),
        Transform::Log1p if term.is_plain_log1p() => add_plain_log1p(values, term, sums),
        Transform::Log1p => add_log1p(values, term, sums),
        Transform::SignedLog1p => add_signed_log1p(values, term, sums),
    }
}

macro_rules! add_terms {
    ($($name:ident: $transform:ident;)*) => {$(
        multiversion! {
            fn $name(values: &[f64], term: &LinearTerm, sums: &mut [f64]) {
                let term = *term;
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += term.weigh(*value, |x| Transform::$transform.apply(x));
                }
            }
        }
    )*};
}

multiversion! {
    fn add_plain_log1p(values: &[f64], term: &LinearTerm, sums: &mut [f64]) {
        let term = *term;
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += term.weigh_plain_log1p(*value);
        }
    }
}

add_terms! {
    add_identity: Identity;
    add_sqrt: Sqrt;
    add_log1p: Log1p;
    add_signed_log1p: SignedLog1p;
}
