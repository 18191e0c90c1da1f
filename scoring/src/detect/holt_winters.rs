//! Holt-Winters residual: the value against level + trend + season, each exponentially smoothed
//! (Winters, *Forecasting sales by exponentially weighted moving averages*, Management Science
//! 6, 1960; confidence bands after Brutlag, *Aberrant behavior detection in time series for
//! network monitoring*, LISA 2000).
//!
//! ```text
//! expected = level + trend + season[phase]          residual = x − expected
//! level  ← α (x − season) + (1 − α)(level + trend)
//! trend  ← β (level − level before) + (1 − β) trend
//! season ← γ (x − level) + (1 − γ) season
//! ```
//! The additive form, with seasons as f32 in the key's state: 24 of them by default (a day of
//! hours), chosen at compile time so that no push allocates. `SEASON = 1` is Holt's method.
//! The residual is standardised by its own exponentially weighted deviation.

use pelton_kernels::prefetch::prefetch_read;

use super::batch::{Step, deviation_word};
use super::{Detector, Law, Marks, Score, Word, ewma, is_usable};

/// The method's parameters; `SEASON` values make a season.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HoltWinters<const SEASON: usize = 24> {
    /// Weight of the newest value in the level.
    pub alpha: f64,
    /// … of the newest step in the trend.
    pub beta: f64,
    /// … of the newest value in its phase.
    pub gamma: f64,
    /// Weight of the newest residual in their deviation.
    pub spread: f64,
    /// Deviations from which on a value is flagged.
    pub threshold: f64,
}

impl<const SEASON: usize> Default for HoltWinters<SEASON> {
    fn default() -> Self {
        Self { alpha: 0.1, beta: 0.002, gamma: 0.1, spread: 0.02, threshold: 4.5 }
    }
}

/// What is remembered of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State<const SEASON: usize> {
    level: f64,
    trend: f64,
    residual: ewma::State,
    phase: u32,
    seen: u32,
    season: [f32; SEASON],
}

impl<const SEASON: usize> HoltWinters<SEASON> {
    #[inline(always)]
    fn step(&self, state: &mut State<SEASON>, value: f64) -> Step {
        let Some(season) = state.season.get_mut(state.phase as usize) else {
            return Step::Missing;
        };
        state.phase = if state.phase as usize + 1 == SEASON { 0 } else { state.phase + 1 };
        if !is_usable(value) {
            return Step::Missing;
        }
        if state.seen == 0 {
            state.level = value;
        }
        let first_round = (state.seen as usize) < SEASON;
        state.seen = state.seen.saturating_add(1);
        let phase = f64::from(*season);
        let before = state.level + state.trend;
        let residual = value - before - phase;
        let level = before + self.alpha * residual;
        let trend = state.trend + self.beta * (level - state.level - state.trend);
        if !(level.is_finite() && trend.is_finite()) {
            return Step::Unscored;
        }
        // In the first round a phase is what was seen of it; afterwards it is smoothed.
        let gamma = if first_round { 1.0 } else { self.gamma };
        (state.level, state.trend) = (level, trend);
        *season = (phase + gamma * (value - level - phase)) as f32;
        let step = match state.seen as usize <= 2 * SEASON.max(25) {
            true => Step::WarmingUp,
            false => state.residual.judged(residual - state.residual.mean()),
        };
        if !first_round {
            state.residual.learn(residual, self.spread);
        }
        step
    }
}

impl<const SEASON: usize> Detector for HoltWinters<SEASON> {
    type State = State<SEASON>;

    fn state(&self) -> Self::State {
        State {
            level: 0.0,
            trend: 0.0,
            residual: ewma::State::default(),
            phase: 0,
            seen: 0,
            season: [0.0; SEASON],
        }
    }

    #[inline]
    fn law(&self) -> Option<Law> {
        Some(Law::Normal)
    }

    /// A missing value still moves the phase on: seasons count rows.
    #[inline]
    fn push(&self, state: &mut Self::State, _time_us: i64, value: f64) -> Score {
        self.step(state, value).score(self.threshold)
    }

    #[inline]
    fn push_word(&self, states: &mut [Self::State], word: Word<'_>, raw: &mut [f64]) -> Marks {
        let step = |state: &mut Self::State, value| self.step(state, value);
        // A state of 24 seasons lies in three cache lines.
        let ask_for = |state: &Self::State| {
            prefetch_read(&state.season, 4.min(SEASON.saturating_sub(1)));
            prefetch_read(&state.season, SEASON.saturating_sub(1));
        };
        deviation_word(states, word, raw, self.threshold, ask_for, step)
    }
}
