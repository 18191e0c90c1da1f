//! The random numbers of the tree detectors: SplitMix64 (Steele, Lea, Flood, *Fast splittable
//! pseudorandom number generators*, OOPSLA 2014). Eight bytes of state, the same numbers on every
//! machine, and [`mix`] gives the n-th number of a sequence without the ones before: a tree's
//! node can have its own number without a stored tree.

/// The increment of the sequence, 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A random number for each input: the finaliser of SplitMix64.
#[inline]
#[must_use]
pub fn mix(input: u64) -> u64 {
    let z = input.wrapping_add(STEP);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A sequence of random numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
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

    /// [`unit`](Self::unit), which is drawn only where `taken`, else the next call gives the same
    /// number again: a draw without a branch.
    #[inline(always)]
    pub(super) fn unit_if(&mut self, taken: bool) -> f64 {
        let bits = mix(self.0);
        self.0 = self.0.wrapping_add(if taken { STEP } else { 0 });
        (bits >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// The next number below `limit`, which must not be 0 (multiply and shift: bias below 2⁻³²
    /// for limits below 2³²).
    #[inline]
    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.bits()) * limit as u128) >> 64) as usize
    }
}
