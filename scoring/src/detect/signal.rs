//! Is there a signal at all? A sensor that froze repeats one value; one that died sends nothing,
//! or NaN. Neither is far from the mean, so no other method sees it.
//!
//! * **Constant**: a run of equal values much longer than any before. How long a run may be is
//!   learned: runs are geometric with the share of repeats seen so far, so a run of r has
//!   probability shareʳ, raw score −r ln(share). A series that is constant by nature has a share
//!   near 1 and is never flagged.
//! * **Missing**: NaN or ±∞ several times in a row, or a gap in time much longer than the usual
//!   step. The first row after a gap carries the flag: a detector hears of time only from rows.

use super::{Detector, Law, Score, is_usable};

/// The method's parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// −ln of the probability from which on a run of equal values is flagged.
    pub threshold: f64,
    /// Missing values in a row from which on they are flagged.
    pub missing_rows: u32,
    /// A gap this many usual steps long is flagged.
    pub gap_steps: f64,
    /// Values before which nothing is flagged.
    pub warm_up: u32,
}

impl Default for Signal {
    fn default() -> Self {
        Self { threshold: 18.0, missing_rows: 3, gap_steps: 10.0, warm_up: 50 }
    }
}

/// What is remembered of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct State {
    previous: f64,
    last_us: i64,
    /// The usual step in time, exponentially weighted.
    step_us: f64,
    /// −ln of the share of repeats; renewed when a run ends, so that no value takes a logarithm.
    surprise_a_repeat: f64,
    seen: u32,
    repeats: u32,
    run: u32,
    missing: u32,
}

impl State {
    /// The raw score of the gap before `time_us`; learns the step.
    #[inline]
    fn gap(&mut self, time_us: i64, limit_steps: f64) -> bool {
        let step = time_us.saturating_sub(self.last_us) as f64;
        self.last_us = time_us;
        if self.seen == 0 || step <= 0.0 {
            return false;
        }
        let usual = self.step_us;
        let flag = usual > 0.0 && step > limit_steps * usual;
        // A gap is no step: it moves the usual one no more than twice its length would.
        let taken = if usual > 0.0 { step.min(2.0 * usual) } else { step };
        self.step_us += (taken - usual) * if self.seen < 20 { 0.3 } else { 0.02 };
        flag
    }

    /// Takes a value in; returns −ln of the probability of the run that it ends or continues.
    #[inline]
    fn repeat(&mut self, value: f64) -> f64 {
        self.seen = self.seen.saturating_add(1);
        if value == self.previous && self.seen > 1 {
            self.run = self.run.saturating_add(1);
            return f64::from(self.run) * self.surprise_a_repeat;
        }
        self.previous = value;
        if self.run > 0 || self.seen.is_multiple_of(64) {
            self.repeats = self.repeats.saturating_add(self.run);
            self.run = 0;
            // One repeat more than seen: a first one is no proof.
            let share = (f64::from(self.repeats) + 1.0) / (f64::from(self.seen) + 2.0);
            self.surprise_a_repeat = -libm::log(share.min(1.0));
        }
        0.0
    }
}

impl Detector for Signal {
    type State = State;

    fn state(&self) -> State {
        // Half of the values repeating is what is believed before anything is seen.
        State { surprise_a_repeat: std::f64::consts::LN_2, ..State::default() }
    }

    #[inline]
    fn law(&self) -> Option<Law> {
        Some(Law::Exponential { rate: 1.0 })
    }

    /// How long values are missing has no law.
    #[inline]
    fn missing_has_law(&self) -> bool {
        false
    }

    #[inline]
    fn push(&self, state: &mut State, time_us: i64, value: f64) -> Score {
        let gap = state.gap(time_us, self.gap_steps);
        let warming_up = state.seen < self.warm_up;
        if !is_usable(value) {
            state.missing = state.missing.saturating_add(1);
            let flag = !warming_up && (gap || state.missing >= self.missing_rows);
            return Score { raw: f64::from(state.missing), law: Law::Unknown, flag, warming_up };
        }
        state.missing = 0;
        let raw = state.repeat(value);
        if warming_up {
            return Score::WARMING_UP;
        }
        Score::new(raw, Law::Exponential { rate: 1.0 }, gap || raw >= self.threshold)
    }
}
