//! EWMA residual: the value against an exponentially weighted mean, in exponentially weighted
//! deviations. The mean and variance recursions are those of Finch, *Incremental calculation of
//! weighted mean and variance* (2009), §9; the chart goes back to Roberts, *Control chart tests
//! based on geometric moving averages* (Technometrics 1, 1959).
//!
//! With d = x − mean: mean ← mean + α d, variance ← (1 − α)(variance + α d²). Until 1/α values
//! are in, the weight is 1/n, so that the first values are averaged plainly.
//!
//! A state of 24 bytes, a division and a square root a value.

use super::batch::{Step, deviation, deviation_word};
use super::{Detector, Law, Marks, Score, Word, is_usable};

/// The method's parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ewma {
    /// Weight of the newest value, 0 < α ≤ 1: about 2/α values are remembered.
    pub alpha: f64,
    /// Deviations from which on a value is flagged.
    pub threshold: f64,
    /// Values before which nothing is flagged.
    pub warm_up: u32,
}

impl Default for Ewma {
    /// About 100 values, four deviations and a half.
    fn default() -> Self {
        Self { alpha: 0.02, threshold: 4.5, warm_up: 50 }
    }
}

/// What is remembered of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct State {
    mean: f64,
    variance: f64,
    seen: u32,
}

impl State {
    /// The standardised distance of `value` from the mean; 0 from itself, also without spread.
    #[inline]
    pub(super) fn deviation(&self, value: f64) -> f64 {
        let distance = value - self.mean;
        deviation(distance, self.mean, self.variance).copysign(distance)
    }

    /// What the deviation of a `distance` from the mean is made of.
    #[inline(always)]
    pub(super) fn judged(&self, distance: f64) -> Step {
        Step::Judged { distance, mean: self.mean, variance: self.variance }
    }

    /// The mean.
    #[inline(always)]
    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    /// Takes `value` in with weight α, or 1/n while n is small.
    #[inline]
    pub(super) fn learn(&mut self, value: f64, alpha: f64) {
        self.seen = self.seen.saturating_add(1);
        let weight =
            if f64::from(self.seen) * alpha < 1.0 { 1.0 / f64::from(self.seen) } else { alpha };
        let distance = value - self.mean;
        let moved = self.mean + weight * distance;
        let variance = (1.0 - weight) * (self.variance + weight * distance * distance);
        if moved.is_finite() && variance.is_finite() {
            (self.mean, self.variance) = (moved, variance);
        }
    }

    /// How many values were taken in.
    #[inline]
    pub(super) fn seen(&self) -> u32 {
        self.seen
    }
}

impl Ewma {
    #[inline(always)]
    fn step(&self, state: &mut State, value: f64) -> Step {
        if !is_usable(value) {
            return Step::Missing;
        }
        let step = match state.seen < self.warm_up.max(2) {
            true => Step::WarmingUp,
            false => state.judged(value - state.mean),
        };
        state.learn(value, self.alpha);
        step
    }
}

impl Detector for Ewma {
    type State = State;

    fn state(&self) -> State {
        State::default()
    }

    #[inline]
    fn law(&self) -> Option<Law> {
        Some(Law::Normal)
    }

    #[inline]
    fn push(&self, state: &mut State, _time_us: i64, value: f64) -> Score {
        self.step(state, value).score(self.threshold)
    }

    #[inline]
    fn push_word(&self, states: &mut [State], word: Word<'_>, raw: &mut [f64]) -> Marks {
        let step = |state: &mut State, value| self.step(state, value);
        deviation_word(states, word, raw, self.threshold, |_| (), step)
    }
}
