//! CUSUM: small deviations that add up (Page, *Continuous inspection schemes*, Biometrika 41,
//! 1954). On standardised values z: high ← max(0, high + z − k), low ← max(0, low − z − k); an
//! alarm where either exceeds h, after which both begin anew. With k = ½ and h = 5 a shift of one
//! deviation is found after about 10 values, and a false alarm comes about every 470 values of
//! each side under the normal law (Montgomery, *Statistical Quality Control*, table 9.4).
//!
//! Mean and deviation are learned from the first `warm_up` values and then slowly followed, with
//! values clipped to ±4 deviations, so that one outlier is not taken for a shift.

use super::{Detector, Law, Score, ewma, is_usable, positive};

/// The method's parameters, in standard deviations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cusum {
    /// Slack k: half of the shift that matters.
    pub slack: f64,
    /// Alarm limit h.
    pub threshold: f64,
    /// Weight of the newest value in mean and deviation after warming up.
    pub alpha: f64,
    /// Values from which mean and deviation are first learned.
    pub warm_up: u32,
}

impl Default for Cusum {
    fn default() -> Self {
        Self { slack: 0.5, threshold: 8.0, alpha: 0.002, warm_up: 100 }
    }
}

/// What is remembered of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct State {
    normal: ewma::State,
    high: f64,
    low: f64,
}

impl Detector for Cusum {
    type State = State;

    fn state(&self) -> State {
        State::default()
    }

    #[inline]
    fn law(&self) -> Option<Law> {
        Some(Law::Exponential { rate: 2.0 * self.slack })
    }

    #[inline]
    fn push(&self, state: &mut State, _time_us: i64, value: f64) -> Score {
        if !is_usable(value) {
            return Score::MISSING;
        }
        if state.normal.seen() < self.warm_up.max(2) {
            state.normal.learn(value, self.alpha);
            return Score::WARMING_UP;
        }
        let z = state.normal.deviation(value).clamp(-4.0, 4.0);
        state.high = positive(state.high + z - self.slack);
        state.low = positive(state.low - z - self.slack);
        let raw = if state.high > state.low { state.high } else { state.low };
        let flag = raw >= self.threshold;
        if flag {
            (state.high, state.low) = (0.0, 0.0);
            // What was a shift is the new level: learn it afresh.
            state.normal = ewma::State::default();
        }
        state.normal.learn(value, self.alpha);
        // The stationary law of a CUSUM is exponential with rate 2k in units of the deviation
        // (Siegmund, Sequential Analysis, 1985, ch. II).
        Score::new(raw, Law::Exponential { rate: 2.0 * self.slack }, flag)
    }
}
