//! Running sums: 128-bit integers, and double-doubles for floats.
//!
//! A double-double (Dekker 1971; Knuth's two-sum) is an unevaluated sum `high + low` of two
//! f64 with |low| ≤ ½ ulp(high): about 106 bits. Subtracting what was added leaves errors of
//! 2⁻¹⁰⁶ of the largest value seen, far below the rounding of the f64 that is given out.

#[inline]
pub(super) fn load_i128(block: &[u64], at: usize) -> i128 {
    (u128::from(block[at]) | u128::from(block[at + 1]) << 64) as i128
}

#[inline]
pub(super) fn store_i128(block: &mut [u64], at: usize, value: i128) {
    block[at] = value as u64;
    block[at + 1] = (value >> 64) as u64;
}

/// `sum ± value²`, where it fits.
#[inline]
pub(super) fn add_square<const ADD: bool>(sum: i128, value: i64) -> Option<i128> {
    let square = i128::from(value) * i128::from(value);
    if ADD { sum.checked_add(square) } else { sum.checked_sub(square) }
}

/// `(p, e)` with `p + e = value²` exactly, unless it over- or underflows. `mul_add` is the IEEE
/// fused operation: the same bits on every machine, in hardware or not.
#[inline]
pub(super) fn two_square(value: f64) -> (f64, f64) {
    let square = value * value;
    let rest = if square.is_finite() { value.mul_add(value, -square) } else { 0.0 };
    (square, rest)
}

/// `high + low`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct DoubleDouble {
    pub high: f64,
    pub low: f64,
}

impl DoubleDouble {
    #[inline]
    pub(super) fn load(block: &[u64], at: usize) -> Self {
        Self { high: f64::from_bits(block[at]), low: f64::from_bits(block[at + 1]) }
    }

    #[inline]
    pub(super) fn store(self, block: &mut [u64], at: usize) {
        block[at] = self.high.to_bits();
        block[at + 1] = self.low.to_bits();
    }

    #[inline]
    #[must_use]
    pub(super) fn add(self, value: f64) -> Self {
        let sum = self.high + value;
        if !sum.is_finite() {
            return Self { high: sum, low: 0.0 };
        }
        let part = sum - self.high;
        let error = (self.high - (sum - part)) + (value - part);
        let error = error + self.low;
        let high = sum + error;
        Self { high, low: error - (high - sum) }
    }

    /// `self · count`, for counts below 2⁵³.
    #[must_use]
    pub(super) fn times(self, count: f64) -> Self {
        let product = self.high * count;
        let error = self.high.mul_add(count, -product) + self.low * count;
        let high = product + error;
        Self { high, low: error - (high - product) }
    }

    /// `self²`.
    #[must_use]
    pub(super) fn square(self) -> Self {
        let (product, rest) = two_square(self.high);
        let error = rest + 2.0 * self.high * self.low;
        let high = product + error;
        Self { high, low: error - (high - product) }
    }

    /// `self − other`.
    #[must_use]
    pub(super) fn minus(self, other: Self) -> Self {
        self.add(-other.high).add(-other.low)
    }

    pub(super) fn value(self) -> f64 {
        self.high + self.low
    }
}

/// How many NaN, +∞ and −∞ a window holds: they are counted, never summed, so that they leave
/// no trace when they leave. Two words: NaN | +∞ << 32, −∞.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NonFinite {
    nan: u32,
    positive: u32,
    negative: u32,
}

impl NonFinite {
    #[inline]
    pub(super) fn load(block: &[u64], at: usize) -> Self {
        Self {
            nan: block[at] as u32,
            positive: (block[at] >> 32) as u32,
            negative: block[at + 1] as u32,
        }
    }

    pub(super) fn store(self, block: &mut [u64], at: usize) {
        block[at] = u64::from(self.nan) | u64::from(self.positive) << 32;
        block[at + 1] = u64::from(self.negative);
    }

    #[must_use]
    pub(super) fn count(mut self, value: f64, add: bool) -> Self {
        let counter = if value.is_nan() {
            &mut self.nan
        } else if value > 0.0 {
            &mut self.positive
        } else {
            &mut self.negative
        };
        *counter = if add { counter.wrapping_add(1) } else { counter.wrapping_sub(1) };
        self
    }

    /// What the sum is because of them, if there are any.
    #[inline]
    pub(super) fn sum(self) -> Option<f64> {
        match (self.nan, self.positive, self.negative) {
            (0, 0, 0) => None,
            (0, _, 0) => Some(f64::INFINITY),
            (0, 0, _) => Some(f64::NEG_INFINITY),
            _ => Some(f64::NAN),
        }
    }
}
