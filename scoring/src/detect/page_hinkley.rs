//! Page-Hinkley: the sum of deviations from the running mean against its own extreme (Page 1954;
//! Hinkley, *Inference about the change-point from cumulative sum tests*, Biometrika 58, 1971;
//! as a drift detector, Gama et al., *A survey on concept drift adaptation*, 2014, §3.2).
//!
//! Up: m ← m + z − δ, alarm where m − min(m) > λ; down the mirror image. Only the differences
//! are kept, which is the same and does not grow: high = m − min(m). Unlike [`super::cusum`] the
//! mean keeps averaging all values since the last alarm, so a slow drift is found as well.

use super::{Detector, Law, Score, is_usable, positive};

/// The method's parameters, in standard deviations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageHinkley {
    /// Change that is tolerated, δ.
    pub tolerance: f64,
    /// Alarm limit λ.
    pub threshold: f64,
    /// Values before which nothing is flagged.
    pub warm_up: u32,
}

impl Default for PageHinkley {
    fn default() -> Self {
        Self { tolerance: 0.25, threshold: 25.0, warm_up: 50 }
    }
}

/// What is remembered of a key since its last alarm.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct State {
    mean: f64,
    /// Sum of squared distances from the mean.
    squares: f64,
    high: f64,
    low: f64,
    seen: u32,
}

impl Detector for PageHinkley {
    type State = State;

    fn state(&self) -> State {
        State::default()
    }

    #[inline]
    fn law(&self) -> Option<Law> {
        Some(Law::Exponential { rate: 2.0 * self.tolerance })
    }

    #[inline]
    fn push(&self, state: &mut State, _time_us: i64, value: f64) -> Score {
        if !is_usable(value) {
            return Score::MISSING;
        }
        state.seen = state.seen.saturating_add(1);
        let count = f64::from(state.seen);
        let distance = value - state.mean;
        let mean = state.mean + distance / count;
        let squares = state.squares + distance * (value - mean);
        if !(mean.is_finite() && squares.is_finite()) {
            return Score::MISSING;
        }
        let before = state.squares / (count - 1.0).max(1.0);
        (state.mean, state.squares) = (mean, squares);
        if state.seen <= self.warm_up.max(2) {
            return Score::WARMING_UP;
        }
        let spread = before.sqrt().max(mean.abs() * 1e-9 + f64::MIN_POSITIVE);
        let z = (distance / spread).clamp(-8.0, 8.0);
        state.high = positive(state.high + z - self.tolerance);
        state.low = positive(state.low - z - self.tolerance);
        let raw = if state.high > state.low { state.high } else { state.low };
        let flag = raw > self.threshold;
        if flag {
            *state = State::default();
        }
        Score::new(raw, Law::Exponential { rate: 2.0 * self.tolerance }, flag)
    }
}
