//! Batches of rows of many keys: columns in, columns out.
//!
//! ```text
//!  keys   3 0 3 7 …┐                 ┌─ raw          0.3 1.2 …
//!  values x x x x …┼─▶ states by key ┼─ probability  of all raw scores at once, by their law
//!  times  t t t t …┘                 └─ flags, warming up, missing: a bit a row
//! ```
//! A row of a cheap method takes a few nanoseconds, of which a call, an enum in memory and an
//! exponential would be the larger part. So the loop over rows is compiled with the method inside
//! of it ([`score_values`]), marks are gathered 64 rows a word, and probabilities are computed
//! from the column of raw scores afterwards, several a step
//! ([`pelton_kernels::math::normal_tails`]).
//!
//! # Contract
//! What a batch gives is what [`Detector::push`] and [`Score::tail`] give row by row, to the bit,
//! wherever batches are cut.

use pelton_kernels::math::{exponential_tails, normal_tails};
use pelton_kernels::prefetch::prefetch_read;

use super::{Detector, Law, Score, is_usable};

/// How many rows ahead a key's state is asked for.
const AHEAD: usize = 12;

/// Rows of a batch, column by column; all slices have one length.
#[derive(Debug, Clone, Copy)]
pub struct KeyedRows<'a> {
    /// Dense ids of the rows' keys.
    pub keys: &'a [u32],
    /// Event times in microseconds since 1970.
    pub times_us: &'a [i64],
    /// The watched values; missing ones are NaN.
    pub columns: &'a [&'a [f64]],
}

impl KeyedRows<'_> {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// # Panics
    /// When the slices have different lengths.
    pub(super) fn check(&self) {
        let rows = self.len();
        let same = self.columns.iter().all(|column| column.len() == rows);
        assert!(self.times_us.len() == rows && same, "a key, a time and a value each row");
    }
}

/// What a detector says about the rows of a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// [`Score::raw`].
    pub raw: Vec<f64>,
    /// [`Score::tail`]; NaN where the method has no law.
    pub probability: Vec<f64>,
    /// [`Score::flag`]: bit i % 64 of word i / 64.
    pub flags: Vec<u64>,
    /// [`Score::warming_up`], likewise.
    pub warming_up: Vec<u64>,
    /// Rows that were no observation, likewise.
    pub missing: Vec<u64>,
    /// By watched column, what it contributed; empty where that was not asked for.
    pub contributions: Vec<Vec<f64>>,
}

/// Marks of up to 64 rows, a bit each; as in [`Scores`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// Flagged.
    pub flags: u64,
    /// Too little was seen before.
    pub warming_up: u64,
    /// No observation.
    pub missing: u64,
}

/// Up to 64 rows of one value each.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    rows: KeyedRows<'a>,
    values: &'a [f64],
    from: usize,
}

impl Word<'_> {
    /// The key of a row some way behind row `at`.
    #[inline(always)]
    pub(super) fn ahead(&self, at: usize) -> Option<usize> {
        self.rows.keys.get(self.from + at + AHEAD).map(|key| *key as usize)
    }

    /// Key, time and value of row `at`, whose key's state was asked for a while ago.
    #[inline(always)]
    pub(super) fn row<S>(&self, at: usize, states: &[S]) -> (usize, i64, f64) {
        let row = self.from + at;
        if let Some(ahead) = self.ahead(at) {
            prefetch_read(states, ahead);
        }
        (self.rows.keys[row] as usize, self.rows.times_us[row], self.values[row])
    }
}

impl Scores {
    /// Room for `rows` rows, with `contributions` columns of contributions.
    #[must_use]
    pub fn with_capacity(rows: usize, contributions: usize) -> Self {
        let words = rows.div_ceil(64);
        Self {
            raw: Vec::with_capacity(rows),
            probability: Vec::with_capacity(rows),
            flags: Vec::with_capacity(words),
            warming_up: Vec::with_capacity(words),
            missing: Vec::with_capacity(words),
            contributions: vec![Vec::with_capacity(rows); contributions],
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Appends the score of one row; `complete`: none of its values is missing.
    pub fn push(&mut self, score: &Score, complete: bool) {
        let bit = self.raw.len() % 64;
        if bit == 0 {
            self.flags.push(0);
            self.warming_up.push(0);
            self.missing.push(0);
        }
        let word = self.flags.len() - 1;
        self.flags[word] |= u64::from(score.flag) << bit;
        self.warming_up[word] |= u64::from(score.warming_up) << bit;
        let missing = !complete && *score == Score::MISSING;
        self.missing[word] |= u64::from(missing) << bit;
        self.raw.push(score.raw);
        self.probability.push(score.tail());
    }
}

/// Appends to `scores`, which are empty or of a multiple of 64 rows, those of one method on one
/// value. `states` has one for each key.
///
/// # Panics
/// When the slices have different lengths, there is not one column, or a key has no state.
pub fn score_values<D: Detector>(
    method: &D,
    states: &mut [D::State],
    rows: KeyedRows<'_>,
    scores: &mut Scores,
) {
    rows.check();
    assert_eq!(rows.columns.len(), 1, "a method on one value");
    let values = rows.columns[0];
    debug_assert!(scores.len().is_multiple_of(64), "whole words");
    let first = scores.len();
    scores.raw.resize(first + rows.len(), 0.0);
    scores.probability.resize(first + rows.len(), 1.0);
    let law = method.law();
    for from in (0..rows.len()).step_by(64) {
        let to = (from + 64).min(rows.len());
        let raw = &mut scores.raw[first + from..first + to];
        let word = Word { rows, values, from };
        let marks = match law {
            // The law is the same for all: probabilities come later.
            Some(_) => method.push_word(states, word, raw),
            None => {
                let tails = &mut scores.probability[first + from..first + to];
                score_word(method, states, word, raw, |at, score| tails[at] = score.tail())
            }
        };
        scores.flags.push(marks.flags);
        scores.warming_up.push(marks.warming_up);
        scores.missing.push(marks.missing);
    }
    if let Some(law) = law {
        law.tails(&scores.raw[first..], &mut scores.probability[first..]);
        if !method.missing_has_law() {
            for (probability, value) in scores.probability[first..].iter_mut().zip(values) {
                *probability = if is_usable(*value) { *probability } else { f64::NAN };
            }
        }
    }
}

/// Scores as many rows of `word` as `raw` is long (at most 64), one by one.
#[inline(always)]
pub(super) fn score_word<D: Detector>(
    method: &D,
    states: &mut [D::State],
    word: Word<'_>,
    raw: &mut [f64],
    mut seen: impl FnMut(usize, &Score),
) -> Marks {
    let mut marks = Marks::default();
    for (at, raw) in raw.iter_mut().enumerate() {
        let (key, time_us, value) = word.row(at, states);
        let score = method.push(&mut states[key], time_us, value);
        *raw = score.raw;
        marks.flags |= u64::from(score.flag) << at;
        marks.warming_up |= u64::from(score.warming_up) << at;
        let missing = !is_usable(value) && score == Score::MISSING;
        marks.missing |= u64::from(missing) << at;
        seen(at, &score);
    }
    marks
}

/// What comes of a row before its score is worked out.
pub(super) enum Step {
    /// No observation.
    Missing,
    /// An observation that no score can be given for.
    Unscored,
    /// Too little was seen before.
    WarmingUp,
    /// The score is `distance` in deviations.
    Judged {
        /// From what was expected.
        distance: f64,
        /// What was expected, or the mean of the distances.
        mean: f64,
        /// Of the distances.
        variance: f64,
    },
}

impl Step {
    /// The score, of a row by itself.
    #[inline(always)]
    pub(super) fn score(self, threshold: f64) -> Score {
        match self {
            Self::Missing | Self::Unscored => Score::MISSING,
            Self::WarmingUp => Score::WARMING_UP,
            Self::Judged { distance, mean, variance } => {
                let raw = deviation(distance, mean, variance);
                Score::new(raw, Law::Normal, raw >= threshold)
            }
        }
    }
}

/// [`ewma::State::deviation`](super::ewma::State::deviation) without its sign.
#[inline(always)]
pub(super) fn deviation(distance: f64, mean: f64, variance: f64) -> f64 {
    // The floor keeps a constant series from calling rounding an event.
    let floor = mean.abs() * 1e-9 + f64::MIN_POSITIVE;
    let spread = variance.sqrt();
    let spread = if spread > floor { spread } else { floor };
    let deviation = distance.abs() / spread;
    if deviation > f64::MAX { f64::MAX } else { deviation }
}

/// Scores the rows of `word` by distances in deviations: first each row's state learns, one after
/// the other; then roots and quotients are taken, several at a time. `ask_for` prefetches what of a
/// state does not lie in its first cache line.
#[inline(always)]
pub(super) fn deviation_word<S>(
    states: &mut [S],
    word: Word<'_>,
    raw: &mut [f64],
    threshold: f64,
    ask_for: impl Fn(&S),
    mut step: impl FnMut(&mut S, f64) -> Step,
) -> Marks {
    let mut marks = Marks::default();
    let mut judged = 0_u64;
    let [mut distances, mut means, mut variances] = [[0.0; 64]; 3];
    for at in 0..raw.len().min(64) {
        if let Some(state) = word.ahead(at).and_then(|key| states.get(key)) {
            ask_for(state);
        }
        let (key, _, value) = word.row(at, states);
        match step(&mut states[key], value) {
            Step::Missing => marks.missing |= 1 << at,
            Step::Unscored => {}
            Step::WarmingUp => marks.warming_up |= 1 << at,
            Step::Judged { distance, mean, variance } => {
                (distances[at], means[at], variances[at]) = (distance, mean, variance);
                judged |= 1 << at;
            }
        }
    }
    let columns = distances.iter().zip(&means).zip(&variances);
    for (raw, ((distance, mean), variance)) in raw.iter_mut().zip(columns) {
        *raw = deviation(*distance, *mean, *variance);
    }
    for (at, raw) in raw.iter().enumerate() {
        marks.flags |= u64::from(*raw >= threshold) << at;
    }
    marks.flags &= judged;
    marks
}

impl Law {
    /// The probability of `raw` under this law.
    #[inline]
    #[must_use]
    pub fn tail(self, raw: f64) -> f64 {
        use pelton_kernels::math::{exponential_tail, normal_tail};
        match self {
            Self::Normal => normal_tail(raw),
            Self::Exponential { rate } => exponential_tail(rate * raw),
            Self::Evidence(evidence) => exponential_tail(evidence),
            Self::Known(probability) => probability,
            Self::Unknown => f64::NAN,
        }
    }

    /// The probabilities of raw scores under this law.
    pub fn tails(self, raw: &[f64], out: &mut [f64]) {
        match self {
            Self::Normal => normal_tails(raw, out),
            Self::Exponential { rate } => exponential_tails(rate, raw, out),
            _ => out.iter_mut().zip(raw).for_each(|(out, raw)| *out = self.tail(*raw)),
        }
    }
}
