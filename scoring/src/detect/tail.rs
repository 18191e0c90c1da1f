//! From any score to a tail probability, learned from the stream: peaks over a threshold.
//!
//! Above a high threshold t the excesses of nearly every distribution follow a generalised
//! Pareto law (Pickands, *Statistical inference using extreme order statistics*, Annals of
//! Statistics 3, 1975). Its exponential member (shape 0) has one parameter, the mean excess, so
//! it is stable from a handful of peaks on: P(score > s) = (k/n)·exp(−(s − t)/mean excess), with
//! t such that k of n scores lie above it. [`super::spot`] fits the shape as well.
//!
//! ```text
//!             t = the (k+1)-th largest
//!  n − k scores │ k = n/100 largest, at least 5      new score s
//!  ░░░░░░░░░░░░░│▒▒▒▒▒▒▒▒ ▒▒▒ ▒▒  ▒    ▒              ×
//!               └── mean excess ──┘
//! ```
//! Only the largest [`KEPT`] scores are kept. Where k would outgrow them, every second one is
//! dropped and n is halved: a sample of the same distribution, half as large.

use super::{Detector, Law, Memo, Score};

/// Largest scores that are kept: 1 KiB a key.
pub const KEPT: usize = 128;
/// The share of scores above the threshold. One in a hundred: NAB's score is flat from one in
/// fifty to one in a hundred (measured on the public half of the corpus).
pub const SHARE: f64 = 0.01;
/// Fewest scores above the threshold.
const PEAKS_MIN: usize = 5;
/// Scores before which nothing is judged.
pub const WARM_UP: u32 = 30;
/// The most evidence that one score can be: exp(−10⁶) is 0 anyway, and it stays finite.
const EVIDENCE_MAX: f64 = 1e6;

/// The largest scores of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Peaks {
    /// Ascending.
    largest: Vec<f64>,
    /// Scores seen, as a weight: halved with the sample.
    seen: f64,
}

impl Peaks {
    /// −ln of the probability of a score of at least `score`, by what was seen before; 0 below
    /// the threshold and while fewer than [`WARM_UP`] were seen.
    #[must_use]
    pub fn evidence(&self, score: f64) -> f64 {
        if self.is_warming_up() {
            return 0.0;
        }
        let count = self.largest.len();
        let peaks = ((self.seen * SHARE) as usize).max(PEAKS_MIN).min(count - 1);
        let threshold = self.largest[count - 1 - peaks];
        if score <= threshold || score.is_nan() {
            return 0.0;
        }
        let excesses = self.largest[count - peaks..].iter().map(|peak| peak - threshold);
        let mean = excesses.sum::<f64>() / peaks as f64 + f64::MIN_POSITIVE;
        let evidence = libm::log(self.seen / peaks as f64) + (score - threshold) / mean;
        evidence.min(EVIDENCE_MAX)
    }

    /// Takes a score in; NaN is left out.
    pub fn learn(&mut self, score: f64) {
        if score.is_nan() {
            return;
        }
        self.seen += 1.0;
        let full = self.largest.len() >= KEPT;
        if full && score <= self.largest[0] {
            return;
        }
        if self.largest.capacity() == 0 {
            self.largest.reserve_exact(KEPT + 1);
        }
        let place = self.largest.partition_point(|peak| *peak < score);
        self.largest.insert(place, score);
        if !full {
            return;
        }
        if self.seen * SHARE >= (KEPT - 1) as f64 {
            let mut keep = self.largest.len().is_multiple_of(2);
            self.largest.retain(|_| {
                keep = !keep;
                keep
            });
            self.seen /= 2.0;
        } else {
            self.largest.remove(0);
        }
    }

    /// Takes a score back that was learned, as if it had never come, if it is among the largest.
    pub fn unlearn(&mut self, score: f64) {
        if let Some(place) = self.largest.iter().position(|peak| *peak == score) {
            self.largest.remove(place);
            self.seen -= 1.0;
        }
    }

    /// Whether too few scores were seen to judge.
    #[must_use]
    pub fn is_warming_up(&self) -> bool {
        self.seen < f64::from(WARM_UP)
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.largest.capacity() * size_of::<f64>()
    }
}

/// A detector whose raw score is made a tail probability by its own past scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibrated<D> {
    /// The detector that scores.
    pub detector: D,
    /// −ln of the probability from which on a score is flagged.
    pub threshold: f64,
}

impl<D: Detector> Detector for Calibrated<D> {
    type State = (D::State, Peaks);

    fn state(&self) -> Self::State {
        (self.detector.state(), Peaks::default())
    }

    fn push(&self, state: &mut Self::State, time_us: i64, value: f64) -> Score {
        let score = self.detector.push(&mut state.0, time_us, value);
        if score == Score::MISSING || score.warming_up {
            return score;
        }
        calibrate(&mut state.1, score.raw, self.threshold)
    }

    fn bytes(&self, state: &Self::State) -> usize {
        self.detector.bytes(&state.0) + size_of::<Peaks>() + state.1.heap_bytes()
    }

    fn uses_labels(&self) -> bool {
        self.detector.uses_labels()
    }

    fn memo(&self, state: &Self::State) -> Option<Memo> {
        self.detector.memo(&state.0)
    }

    fn feedback(&self, state: &mut Self::State, memo: Memo, anomalous: bool) {
        self.detector.feedback(&mut state.0, memo, anomalous);
    }
}

/// The score of `raw` by the peaks so far, which then take it in.
pub(super) fn calibrate(peaks: &mut Peaks, raw: f64, threshold: f64) -> Score {
    let warming_up = peaks.is_warming_up();
    let evidence = peaks.evidence(raw);
    peaks.learn(raw);
    if warming_up {
        return Score::WARMING_UP;
    }
    Score::new(raw, Law::Evidence(evidence), evidence >= threshold)
}
