//! SPOT and DSPOT: a threshold that a value exceeds with a probability that is chosen, and that
//! the stream itself sets (Siffer, Fouque, Termier, Largouët, *Anomaly detection in streams with
//! extreme value theory*, KDD 2017).
//!
//! The first `training` values give a high threshold t, their excesses a generalised Pareto law
//! with shape γ and scale σ. P(x > z) = (peaks/n)·(1 + γ(z − t)/σ)^(−1/γ); z_q is where this is
//! q. A value beyond z_q is flagged and not learned from; one between t and z_q is a new peak
//! and the law is fitted again. DSPOT takes the difference from the mean of the last values.
//! Both tails are watched. **Labels** set right what the paper decides by the flag: a flagged value
//! that was no anomaly is learned from after all, and a peak that was one is taken out again. The newest [`PEAKS_KEPT`] peaks are kept, so that state and cost
//! stay bounded.
//!
//! **Fit.** Grimshaw (*Computing maximum likelihood estimates for the generalized Pareto
//! distribution*, Technometrics 35, 1993) reduces the likelihood to one variable, x = γ/σ, for
//! which γ = mean ln(1 + x·excess): [`fit_likelihood`] searches it over a fixed grid and then by
//! golden section, which cannot fail to converge. [`fit_moments`] needs two sums (Hosking and
//! Wallis, 1987); it is the starting point, and the answer where the likelihood has no maximum.

use std::collections::VecDeque;

use super::{Detector, Law, Memo, Score, is_usable};

/// Peaks of each tail that are kept.
pub const PEAKS_KEPT: usize = 200;

/// A generalised Pareto law of excesses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pareto {
    /// γ: 0 is exponential, positive heavy-tailed, negative bounded.
    pub shape: f64,
    /// σ, positive.
    pub scale: f64,
}

impl Pareto {
    /// −ln P(excess > `excess`), for `excess` ≥ 0; infinite beyond a bounded tail.
    #[must_use]
    pub fn evidence(&self, excess: f64) -> f64 {
        let scaled = excess / self.scale;
        if self.shape.abs() < 1e-8 {
            return scaled;
        }
        let inner = self.shape * scaled;
        if inner <= -1.0 { f64::INFINITY } else { libm::log1p(inner) / self.shape }
    }

    /// The excess that is exceeded with probability exp(−`evidence`).
    #[must_use]
    pub fn quantile(&self, evidence: f64) -> f64 {
        if self.shape.abs() < 1e-8 {
            return self.scale * evidence;
        }
        self.scale * libm::expm1(self.shape * evidence) / self.shape
    }
}

/// The law by the first two moments; shapes are kept within ±½, where the moments exist.
#[must_use]
pub fn fit_moments(excesses: &[f64]) -> Pareto {
    let count = excesses.len().max(1) as f64;
    let mean = (excesses.iter().sum::<f64>() / count).max(f64::MIN_POSITIVE);
    let variance = excesses.iter().map(|e| (e - mean) * (e - mean)).sum::<f64>() / count;
    let ratio = if variance > 0.0 { mean * mean / variance } else { 1.0 };
    let shape = (0.5 * (1.0 - ratio)).clamp(-0.5, 0.5);
    Pareto { shape, scale: (mean * (1.0 - shape)).max(f64::MIN_POSITIVE) }
}

/// The law of the largest likelihood, found in one variable.
#[must_use]
pub fn fit_likelihood(excesses: &[f64]) -> Pareto {
    let start = fit_moments(excesses);
    let largest = excesses.iter().copied().fold(0.0, f64::max);
    let mean = excesses.iter().sum::<f64>() / excesses.len().max(1) as f64;
    if excesses.len() < 10 || !(largest > 0.0 && largest.is_finite() && mean > 0.0) {
        return start;
    }
    let shape_at =
        |x: f64| excesses.iter().map(|e| libm::log1p(x * e)).sum::<f64>() / excesses.len() as f64;
    // The mean log likelihood: −ln σ − γ − 1, with σ = γ/x.
    let likelihood = |x: f64| {
        let shape = shape_at(x);
        let scale = shape / x;
        if scale > 0.0 && shape > -0.5 {
            -libm::log(scale) - shape - 1.0
        } else {
            f64::NEG_INFINITY
        }
    };
    // x from just inside of the bound −1/largest to 8/mean, denser near zero.
    let (low, high) = (-0.95 / largest, 8.0 / mean);
    let point =
        |step: f64| if step < 0.0 { -low * step * step.abs() } else { high * step * step * step };
    let steps = (-8..=16)
        .filter(|step| *step != 0)
        .map(|step| if step < 0 { f64::from(step) / 8.0 } else { f64::from(step) / 16.0 });
    let exponential = (-libm::log(mean) - 1.0, 0.0);
    let best = steps.fold(exponential, |best, step| {
        let at = likelihood(point(step));
        if at > best.0 { (at, step) } else { best }
    });
    if best.1 == 0.0 {
        return Pareto { shape: 0.0, scale: mean };
    }
    let x = golden(best.1 - 0.1, best.1 + 0.1, |step| {
        let x = point(step.clamp(-1.0, 1.0));
        if x == 0.0 { exponential.0 } else { likelihood(x) }
    });
    let x = point(x.clamp(-1.0, 1.0));
    if x == 0.0 || likelihood(x) < exponential.0 {
        return Pareto { shape: 0.0, scale: mean };
    }
    let shape = shape_at(x);
    Pareto { shape, scale: shape / x }
}

/// The maximum of `f` between two points, by golden section, to a thousandth of their distance.
fn golden(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut a, mut b) = (high - RATIO * (high - low), low + RATIO * (high - low));
    let (mut at_a, mut at_b) = (f(a), f(b));
    for _ in 0..16 {
        if at_a > at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - RATIO * (high - low);
            at_a = f(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + RATIO * (high - low);
            at_b = f(b);
        }
    }
    0.5 * (low + high)
}

/// How the law is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// By moments: two sums.
    Moments,
    /// By likelihood, as the paper does.
    Likelihood,
}

/// The method's parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// A value is flagged where its probability is below this.
    pub risk: f64,
    /// The share of training values below the threshold t.
    pub level: f64,
    /// Values that the first law is learned from.
    pub training: usize,
    /// Values whose mean is the drift (DSPOT); 0 for none (SPOT).
    pub depth: usize,
    /// How the law is fitted.
    pub fit: Fit,
}

impl Default for Spot {
    /// SPOT with a risk of 1e-4 after 500 values.
    fn default() -> Self {
        Self { risk: 1e-4, level: 0.98, training: 500, depth: 0, fit: Fit::Likelihood }
    }
}

impl Spot {
    /// DSPOT: the same on the distance from the mean of the last 20 values.
    #[must_use]
    pub fn drifting() -> Self {
        Self { depth: 20, ..Self::default() }
    }

    fn law(&self, peaks: &VecDeque<f64>) -> Pareto {
        let (front, back) = peaks.as_slices();
        let joined;
        let excesses = if back.is_empty() {
            front
        } else {
            joined = [front, back].concat();
            &joined
        };
        match self.fit {
            Fit::Moments => fit_moments(excesses),
            Fit::Likelihood => fit_likelihood(excesses),
        }
    }
}

/// One tail: threshold, peaks and law of the values times `sign`.
#[derive(Debug, Clone, PartialEq)]
struct Tail {
    threshold: f64,
    peaks: VecDeque<f64>,
    /// Peaks ever seen: the numerator of their share.
    peaks_seen: f64,
    law: Pareto,
    limit: f64,
}

impl Tail {
    /// A tail from training values in ascending order.
    fn new(spot: &Spot, ascending: &[f64]) -> Self {
        let last = ascending.len() - 1;
        let threshold = ascending[((last as f64 * spot.level.clamp(0.0, 1.0)) as usize).min(last)];
        let mut peaks: VecDeque<f64> = VecDeque::with_capacity(PEAKS_KEPT + 1);
        peaks.extend(ascending.iter().filter(|v| **v > threshold).map(|v| v - threshold));
        while peaks.len() > PEAKS_KEPT {
            peaks.pop_front();
        }
        let peaks_seen = (peaks.len() as f64).max(1.0);
        let law = spot.law(&peaks);
        let mut tail = Self { threshold, peaks, peaks_seen, law, limit: 0.0 };
        tail.set_limit(spot, ascending.len() as f64);
        tail
    }

    fn set_limit(&mut self, spot: &Spot, seen: f64) {
        let evidence = libm::log(self.peaks_seen / (seen * spot.risk)).max(0.0);
        self.limit = self.threshold + self.law.quantile(evidence);
    }

    /// −ln P of a value of at least `value`; 0 up to the threshold. Learns a peak.
    fn push(&mut self, spot: &Spot, value: f64, seen: f64) -> (f64, bool) {
        if value <= self.threshold {
            return (0.0, false);
        }
        let excess = value - self.threshold;
        let evidence = libm::log(seen / self.peaks_seen) + self.law.evidence(excess);
        let flag = value > self.limit;
        if !flag {
            self.learn(spot, excess, seen);
        }
        (evidence.clamp(0.0, 1e6), flag)
    }

    /// Takes a peak in.
    fn learn(&mut self, spot: &Spot, excess: f64, seen: f64) {
        self.peaks_seen += 1.0;
        self.peaks.push_back(excess);
        if self.peaks.len() > PEAKS_KEPT {
            self.peaks.pop_front();
        }
        self.law = spot.law(&self.peaks);
        self.set_limit(spot, seen);
    }

    /// Takes a peak out that was no normal value, if it is still kept.
    fn unlearn(&mut self, spot: &Spot, excess: f64, seen: f64) {
        // The newest one: a label is mostly of a row not long ago.
        let Some(place) = self.peaks.iter().rposition(|peak| *peak == excess) else { return };
        if self.peaks.len() > 1 {
            self.peaks.remove(place);
            self.peaks_seen -= 1.0;
            self.law = spot.law(&self.peaks);
            self.set_limit(spot, seen);
        }
    }
}

/// What is remembered of a series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    training: Vec<f64>,
    tails: Option<[Tail; 2]>,
    seen: f64,
    /// The last values, for the drift.
    last: VecDeque<f64>,
    /// The latest row's excess, positive in the upper tail, negative in the lower one, and whether
    /// it was learned from.
    latest: Option<(f64, bool)>,
}

impl State {
    fn train(&mut self, spot: &Spot) {
        let mut values = std::mem::take(&mut self.training);
        values.sort_by(f64::total_cmp);
        let high = Tail::new(spot, &values);
        values.iter_mut().for_each(|value| *value = -*value);
        values.reverse();
        self.seen = values.len() as f64;
        self.tails = Some([high, Tail::new(spot, &values)]);
    }

    /// The distance from the mean of the last values, `None` while they are too few.
    fn distance(&self, value: f64, depth: usize) -> Option<f64> {
        match depth {
            0 => Some(value),
            _ if self.last.len() < depth => None,
            _ => Some(value - self.last.iter().sum::<f64>() / depth as f64),
        }
    }

    fn follow(&mut self, value: f64, depth: usize) {
        if depth > 0 {
            self.last.push_back(value);
            if self.last.len() > depth {
                self.last.pop_front();
            }
        }
    }
}

impl Detector for Spot {
    type State = State;

    fn state(&self) -> State {
        State::default()
    }

    fn push(&self, state: &mut State, _time_us: i64, value: f64) -> Score {
        state.latest = None;
        if !is_usable(value) {
            return Score::MISSING;
        }
        let Some(distance) = state.distance(value, self.depth).filter(|d| d.is_finite()) else {
            state.follow(value, self.depth);
            return Score::WARMING_UP;
        };
        let Some(tails) = &mut state.tails else {
            state.training.push(distance);
            if state.training.len() >= self.training.max(50) {
                state.train(self);
            }
            state.follow(value, self.depth);
            return Score::WARMING_UP;
        };
        state.seen += 1.0;
        let (up, is_high) = tails[0].push(self, distance, state.seen);
        let (down, is_low) = tails[1].push(self, -distance, state.seen);
        let flag = is_high || is_low;
        if distance > tails[0].threshold {
            state.latest = Some((distance - tails[0].threshold, !is_high));
        } else if -distance > tails[1].threshold {
            state.latest = Some((distance + tails[1].threshold, !is_low));
        }
        if !flag {
            state.follow(value, self.depth);
        }
        Score::new(up.max(down), Law::Exponential { rate: 1.0 }, flag)
    }

    fn uses_labels(&self) -> bool {
        true
    }

    /// A peak: by which it exceeds the threshold, and whether it was learned from.
    fn memo(&self, state: &State) -> Option<Memo> {
        state.latest.map(|(excess, learned)| [excess, f64::from(u8::from(learned))])
    }

    /// A flagged value that was no anomaly is a peak after all; a peak that was one is none.
    fn feedback(&self, state: &mut State, [excess, learned]: Memo, anomalous: bool) {
        let (seen, learned) = (state.seen, learned != 0.0);
        let Some(tails) = &mut state.tails else { return };
        let tail = &mut tails[usize::from(excess < 0.0)];
        match (learned, anomalous) {
            (true, true) => tail.unlearn(self, excess.abs(), seen),
            (false, false) => tail.learn(self, excess.abs(), seen),
            _ => {}
        }
    }

    fn bytes(&self, state: &State) -> usize {
        let peaks = state.tails.iter().flatten().map(|tail| tail.peaks.capacity()).sum::<usize>();
        let floats = state.training.capacity() + state.last.capacity() + peaks;
        size_of::<State>() + floats * size_of::<f64>()
    }
}
