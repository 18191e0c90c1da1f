//! Windowed Gaussian: how improbable is the value under a normal law with the mean and deviation
//! of the last few thousand values? NAB's baseline (`windowedGaussian_detector.py` of
//! numenta/NAB), and the same numbers: the raw score is 1 − Q(|x − mean| / deviation).
//!
//! Mean and deviation are refreshed with each value while the window fills, then every
//! `step` values; the deviation is the population's. A test compares with NAB's published scores.
//!
//! A window of 6,400 is 52 KB a key: a method for comparison, not for a million keys.

use std::collections::VecDeque;

use super::{Detector, Law, Score, is_usable};

/// The method's parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowedGaussian {
    /// Values in the window.
    pub window: usize,
    /// After how many values a full window moves on.
    pub step: usize,
    /// Raw scores of at least this are flagged.
    pub threshold: f64,
}

impl Default for WindowedGaussian {
    /// NAB's window and step; flagged from 4.5 deviations on.
    fn default() -> Self {
        Self { window: 6_400, step: 100, threshold: 0.999_996_6 }
    }
}

/// What is remembered of a series.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The window, then the values that wait for the next step.
    values: VecDeque<f64>,
    /// How many of `values` are in the window.
    inside: usize,
    mean: f64,
    deviation: f64,
    /// Sum of squared distances from the mean while the window fills.
    squares: f64,
}

impl State {
    /// One more value in a window that fills (Welford).
    fn grow(&mut self, value: f64) {
        self.values.push_back(value);
        self.inside += 1;
        let distance = value - self.mean;
        self.mean += distance / self.inside as f64;
        self.squares += distance * (value - self.mean);
        self.deviation = floored(self.squares / self.inside as f64);
    }

    /// The window moves on by `step` values: mean and deviation anew, in two passes.
    fn advance(&mut self, step: usize) {
        self.values.drain(..step);
        let count = self.inside as f64;
        self.mean = self.values.iter().sum::<f64>() / count;
        let squares: f64 = self.values.iter().map(|v| (v - self.mean) * (v - self.mean)).sum();
        self.deviation = floored(squares / count);
    }
}

/// The deviation of a variance; a constant series has a tiny one.
fn floored(variance: f64) -> f64 {
    let deviation = variance.max(0.0).sqrt();
    if deviation > 0.0 { deviation } else { 1e-6 }
}

impl Detector for WindowedGaussian {
    type State = State;

    fn state(&self) -> State {
        State::default()
    }

    fn push(&self, state: &mut State, _time_us: i64, value: f64) -> Score {
        if !is_usable(value) {
            return Score::MISSING;
        }
        let score = if state.inside == 0 {
            Score::WARMING_UP
        } else {
            let z = (value - state.mean).abs() / state.deviation;
            let half = 0.5 * libm::erfc(z * std::f64::consts::FRAC_1_SQRT_2);
            let raw = 1.0 - half;
            let known = Score::new(raw, Law::Known(2.0 * half), raw >= self.threshold);
            // A normal law of fewer values is no law; the raw score is NAB's all the same.
            let warming_up = state.inside < 30.min(self.window);
            Score { warming_up, flag: known.flag && !warming_up, ..known }
        };
        if state.inside < self.window.max(1) {
            state.grow(value);
        } else {
            state.values.push_back(value);
            let step = self.step.clamp(1, self.window.max(1));
            if state.values.len() >= state.inside + step {
                state.advance(step);
            }
        }
        score
    }

    fn bytes(&self, state: &State) -> usize {
        size_of::<State>() + state.values.capacity() * size_of::<f64>()
    }
}
