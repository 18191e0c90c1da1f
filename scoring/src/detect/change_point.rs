//! Bayesian online change point (Adams and MacKay, *Bayesian online changepoint detection*,
//! arXiv:0710.3742, 2007): the probability of every length r of the current run, each with the
//! normal-gamma posterior of its own values.
//!
//! ```text
//! grow:   P(r + 1) ∝ P(r)·(1 − h)·p(x | run r)         h = 1/expected run
//! change: P(0)     ∝ Σ P(r)·h·p(x | prior)
//! ```
//! p(x | run) is Student's t. Runs with a probability below 1e-5 are dropped and at most
//! [`RUNS_KEPT`] are kept (the oldest ones merge), so that a value costs some tens of runs.
//! The prior is centred on the first `warm_up` values, with the variance of their differences.
//!
//! The raw score is the probability that the run is no longer than `recent` values while the
//! run before it was longer: "the level or spread has changed within the last few values".

use super::{Detector, Law, Score, is_usable};

/// Runs that are kept.
pub const RUNS_KEPT: usize = 64;
/// Runs less probable than this are dropped.
const PROBABILITY_MIN: f64 = 1e-5;
const TAU: f64 = std::f64::consts::TAU;

/// The method's parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// Expected values between two changes.
    pub expected_run: f64,
    /// A change within this many values counts.
    pub recent: u32,
    /// Probability from which on it is flagged.
    pub threshold: f64,
    /// Values that the prior is learned from.
    pub warm_up: u32,
}

impl Default for ChangePoint {
    fn default() -> Self {
        Self { expected_run: 500.0, recent: 10, threshold: 0.9, warm_up: 50 }
    }
}

/// One hypothesis: how long the run is, and the posterior of its mean and precision.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    length: u32,
    probability: f64,
    mean: f64,
    /// Pseudo-observations of the mean (κ) and of the precision (2α).
    kappa: f64,
    alpha: f64,
    beta: f64,
    /// ln Γ(α + ½) − ln Γ(α), kept up by recurrence so that no value takes a gamma function.
    ln_gamma_ratio: f64,
}

impl Run {
    /// The Student density of `value`.
    fn density(&self, value: f64) -> f64 {
        let spread = self.beta * (self.kappa + 1.0) / (self.alpha * self.kappa);
        let nu = 2.0 * self.alpha;
        let distance = value - self.mean;
        let inner = libm::log1p(distance * distance / (spread * nu));
        let ln = self.ln_gamma_ratio
            - 0.5 * libm::log(nu * 0.5 * TAU * spread)
            - (self.alpha + 0.5) * inner;
        libm::exp(ln)
    }

    /// The run with one value more.
    fn grown(&self, value: f64) -> Self {
        let distance = value - self.mean;
        Self {
            length: self.length.saturating_add(1),
            mean: self.mean + distance / (self.kappa + 1.0),
            kappa: self.kappa + 1.0,
            beta: self.beta + self.kappa * distance * distance / (2.0 * (self.kappa + 1.0)),
            // Γ(α+1)/Γ(α+½) = α Γ(α)/Γ(α+½).
            ln_gamma_ratio: libm::log(self.alpha) - self.ln_gamma_ratio,
            alpha: self.alpha + 0.5,
            ..*self
        }
    }
}

/// What is remembered of a series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    runs: Vec<Run>,
    seen: u32,
    mean: f64,
    /// Mean squared difference of neighbours, halved: the variance within a run.
    variance: f64,
    previous: f64,
    /// The most probable run before the latest change was flagged.
    alarmed: bool,
}

impl State {
    fn prior(&self) -> Run {
        let floor = (self.mean * self.mean * 1e-18).max(f64::MIN_POSITIVE);
        let variance = self.variance.max(floor);
        Run {
            length: 0,
            probability: 1.0,
            mean: self.mean,
            // A new level may be several deviations away.
            kappa: 0.05,
            alpha: 1.0,
            beta: variance,
            // ln Γ(3/2) − ln Γ(1) = ln(√π / 2).
            ln_gamma_ratio: -0.120_782_237_635_245_2,
        }
    }

    fn learn_prior(&mut self, value: f64) {
        let count = f64::from(self.seen);
        self.mean += (value - self.mean) / count;
        if self.seen > 1 {
            let step = value - self.previous;
            self.variance += (0.5 * step * step - self.variance) / (count - 1.0);
        }
    }

    /// One value: all runs grow, or a new one begins. Nothing changes where no run gives the
    /// value a density that a number can hold.
    fn advance(&mut self, value: f64, hazard: f64) {
        let mut begin = self.prior();
        let mut total = 0.0;
        let mut grown = Vec::with_capacity(self.runs.len() + 1);
        let change = begin.density(value) * hazard;
        for run in &self.runs {
            let probability = run.probability * run.density(value) * (1.0 - hazard);
            total += probability;
            grown.push(Run { probability, ..run.grown(value) });
        }
        total += change;
        if !(total > 0.0 && total.is_finite()) {
            begin = Run { probability: 1.0, ..begin.grown(value) };
            self.runs.clear();
            self.runs.push(begin);
            return;
        }
        grown.push(Run { probability: change, ..begin.grown(value) });
        grown.iter_mut().for_each(|run| run.probability /= total);
        grown.retain(|run| run.probability > PROBABILITY_MIN);
        while grown.len() > RUNS_KEPT {
            let oldest = grown.remove(0);
            grown[0].probability += oldest.probability;
        }
        if !grown.is_empty() {
            self.runs = grown;
        }
    }
}

impl Detector for ChangePoint {
    type State = State;

    fn state(&self) -> State {
        State::default()
    }

    fn push(&self, state: &mut State, _time_us: i64, value: f64) -> Score {
        if !is_usable(value) {
            return Score::MISSING;
        }
        state.seen = state.seen.saturating_add(1);
        let warm_up = self.warm_up.max(4);
        if state.seen <= warm_up {
            state.learn_prior(value);
            state.previous = value;
            if state.seen == warm_up {
                let prior = state.prior();
                // The values of the warm-up are the first run.
                let count = f64::from(warm_up);
                let first = Run { length: warm_up, kappa: count, ..prior };
                state.runs.push(Run {
                    alpha: 2.0,
                    beta: 2.0 * prior.beta,
                    ln_gamma_ratio: 0.284_682_870_472_919_2,
                    ..first
                });
            }
            return Score::WARMING_UP;
        }
        state.previous = value;
        state.advance(value, 1.0 / self.expected_run.max(2.0));
        let recent = state.runs.iter().filter(|run| run.length <= self.recent);
        let raw = recent.map(|run| run.probability).sum::<f64>().min(1.0);
        let above = raw >= self.threshold;
        let flag = above && !state.alarmed;
        state.alarmed = above;
        Score::new(raw, Law::Known(1.0 - raw), flag)
    }

    fn bytes(&self, state: &State) -> usize {
        size_of::<State>() + state.runs.capacity() * size_of::<Run>()
    }
}
