//! The random numbers of the tree detectors: SplitMix64 (Steele, Lea, Flood, *Fast splittable
//! pseudorandom number generators*, OOPSLA 2014). Eight bytes of state, the same numbers on every
//! machine, and [`mix`] gives the n-th number of a sequence without the ones before: a tree's
//! node can have its own number without a stored tree.

use pelton_kernels::score_cuts::STEP;
pub use pelton_kernels::score_cuts::mix;

/// A sequence of random numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of what comes next.
    pub(super) fn state(&self) -> u64 {
        self.0
    }

    /// The next 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let bits = mix(self.0);
        self.0 = self.0.wrapping_add(STEP);
        bits
    }

    /// The next number of 0 ≤ x < 1, with 53 random bits.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// The next number below `limit`, which must not be 0 (multiply and shift: bias below 2⁻³²
    /// for limits below 2³²).
    #[inline]
    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.bits()) * limit as u128) >> 64) as usize
    }
}
