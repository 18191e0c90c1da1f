//! How rare is this, among all that the series has shown? A probability that holds what it says.
//!
//! Four quantiles of a strangeness are tracked, those that it exceeds with probability ½, ⅒, 1 %
//! and 1 ‰. Each moves after every row, by the row alone:
//!
//! ```text
//! q ← q + η (1 − α)   where the row exceeded q        1 ┤╲
//! q ← q − η α         where it did not                ½ ┤─●╲
//!                                                     ⅒ ┤──┼─●──╲
//! up and down cancel only where a share α of        1 % ┤──┼─┼────●────╲
//! the rows exceeds q                                    └──q─q────q──────▶ strangeness
//! ```
//! So the share of rows beyond a tracked quantile is α up to (range + η) / (η · rows), whatever the
//! series does: no law is assumed, no independence, and a drift is followed (Gibbs and Candès,
//! *Adaptive conformal inference under distribution shift*, NeurIPS 2021; as quantile tracking
//! Angelopoulos, Candès and Tibshirani, *Conformal PID control for time series prediction*, NeurIPS
//! 2023). A row's probability is read off before the row moves them: −ln p is linear between two
//! quantiles, and goes on beyond the last one as it did before it.
//!
//! Strangeness is ln(1 + distance in units of the usual one), so that one step η fits every series.
//! A row that is not strange at all (0, a value that was seen before) never exceeds anything.

use std::f64::consts::{LN_2, LN_10};

use pelton_kernels::math::{exp, ln_1p};

/// The probabilities whose quantiles are tracked.
const ALPHAS: [f64; 4] = [0.5, 0.1, 0.01, 0.001];
/// −ln of them.
const EVIDENCE: [f64; 4] = [LN_2, LN_10, 2.0 * LN_10, 3.0 * LN_10];
/// How far a quantile moves: it forgets over some hundreds of exceedances.
const STEP: f64 = 0.05;
/// While few rows were seen, it moves so much more, over their number.
const STEP_FIRST: f64 = 20.0;
/// Weight of the newest distance in the usual one.
const WEIGHT: f64 = 0.01;

/// The usual size of a distance: its exponentially weighted mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usual {
    mean: f64,
    seen: u32,
}

impl Usual {
    /// `distance` in units of those before it; then takes it in. 0 as long as none was above 0.
    #[inline]
    pub fn ratio(&mut self, distance: f64) -> f64 {
        let ratio = if self.mean > 0.0 { distance / self.mean } else { 0.0 };
        self.seen = self.seen.saturating_add(1);
        let weight = WEIGHT.max(1.0 / f64::from(self.seen));
        let mean = self.mean + weight * (distance - self.mean);
        self.mean = if mean.is_finite() { mean } else { self.mean };
        ratio.min(f64::MAX)
    }
}

/// Tracked quantiles of a strangeness.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rarity {
    quantiles: [f64; 4],
    seen: f64,
}

impl Rarity {
    /// The probability of a distance (in usual ones, at least 0) as large as this one, by the rows
    /// before it; then takes it in.
    #[inline]
    pub fn tail(&mut self, ratio: f64) -> f64 {
        let strangeness = ln_1p(ratio);
        let tail = exp(-self.evidence(strangeness));
        self.learn(strangeness);
        tail
    }

    /// −ln of the probability.
    fn evidence(&self, strangeness: f64) -> f64 {
        if strangeness <= 0.0 {
            return 0.0;
        }
        let (mut from, mut below) = (0.0, 0.0);
        let mut slope = 1.0;
        for (quantile, evidence) in self.quantiles.iter().zip(EVIDENCE) {
            // Quantiles move by themselves: one may have passed the next.
            let to = quantile.max(from);
            let width = to - from;
            if strangeness <= to {
                return below + (evidence - below) * ((strangeness - from) / width);
            }
            if width > 0.0 {
                slope = (evidence - below) / width;
            }
            (from, below) = (to, evidence);
        }
        below + slope.min(SLOPE_MAX) * (strangeness - from)
    }

    fn learn(&mut self, strangeness: f64) {
        self.seen += 1.0;
        let step = STEP.max(STEP_FIRST / (self.seen + 2.0 * STEP_FIRST));
        for (quantile, alpha) in self.quantiles.iter_mut().zip(ALPHAS) {
            let exceeds = strangeness > *quantile;
            *quantile += step * if exceeds { 1.0 - alpha } else { -alpha };
            // Nothing is below 0, where rows that are not strange at all are.
            *quantile = quantile.max(0.0);
        }
    }
}

/// Beyond the last quantile −ln p grows at most so fast: an outlier is not impossible because two
/// quantiles are close together.
const SLOPE_MAX: f64 = 10.0;
