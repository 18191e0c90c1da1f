//! Detectors that learn from the stream: no training run, no label needed, one small state a key.
//!
//! ```text
//! value ─▶ method (shared by all keys) + state (one a key) ─▶ Score { raw, law, flag, warming_up }
//!                                                                 └─ tail(): how rare, 0 … 1
//! ```
//! Each file is one method with its paper at the top. A method implements [`Detector`]: its
//! parameters are shared, its state is a small plain value, so that [`Keyed`] keeps millions of
//! them in one array. Methods on several columns, and single series, are a [`Stream`].
//!
//! | question | methods |
//! |---|---|
//! | is this value far from its level? | [`windowed_gaussian`], [`ewma`], [`hampel`], [`novelty`] |
//! | … from its season? | [`holt_winters`] |
//! | has the level moved? | [`cusum`], [`page_hinkley`], [`change_point`], [`control_chart`] |
//! | is it beyond what the tail allows? | [`spot`] |
//! | is there a signal at all? | [`signal`] |
//! | is this row unlike the others? | [`half_space_trees`], [`cut_forest`], [`isolation_forest`], [`nearest`], [`correlation`] |
//! | anything, without a parameter | [`auto`] |
//!
//! # Contract
//! * **Deterministic**: the same rows give the same bits on every machine; random choices come
//!   from a seed, transcendental functions from `libm`.
//! * **Missing values** (NaN, ±∞ and magnitudes beyond [`LARGEST`]) are no observation: the score is [`Score::MISSING`], and the
//!   state is as before, but for [`signal`], whose subject they are.
//! * **Warming up**: until a method has seen enough it says so, and flags nothing.
//! * **No look ahead**: a score depends on this value and those before it.
//! * **Not a panic** on any input.

pub mod auto;
pub mod batch;
pub mod change_point;
pub mod control_chart;
pub mod correlation;
pub mod cusum;
pub mod cut_forest;
pub mod ewma;
pub mod half_space_trees;
pub mod hampel;
pub mod holt_winters;
pub mod isolation_forest;
pub mod keyed;
pub mod nearest;
pub mod novelty;
pub mod page_hinkley;
pub mod random;
pub mod rarity;
pub mod signal;
pub mod spot;
pub mod stream;
pub mod tail;
pub mod windowed_gaussian;

#[cfg(test)]
mod tests;

pub use batch::{KeyedRows, Marks, Scores, Word};
pub use keyed::{KeyedStream, keyed_by_name};
pub use stream::{Keyed, METHODS, Single, Stream, by_name};

/// The largest magnitude that is taken for an observation: sums of squares stay finite.
pub const LARGEST: f64 = 1e150;

/// How a raw score turns into a tail probability. It is worked out only when asked for, because
/// it takes an exponential or more, and most scores are looked at by their flag alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Law {
    /// The score is a standardised deviation; under the method's model it is normal.
    Normal,
    /// −ln of the probability is `rate` times the score.
    Exponential {
        /// 1 where the score is −ln of the probability itself.
        rate: f64,
    },
    /// −ln of the probability is known, from past scores ([`tail`]); 0 where the score is not
    /// among the largest, about which nothing is said.
    Evidence(f64),
    /// The probability is known.
    Known(f64),
    /// The method has no law for its score; wrap it in [`tail::Calibrated`] to get one.
    Unknown,
}

/// What a detector says about one value or row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The method's own measure, larger is stranger; never NaN.
    pub raw: f64,
    /// How to get a probability from it.
    pub law: Law,
    /// Whether the method calls this an anomaly.
    pub flag: bool,
    /// Whether the method has seen too little to judge; then `flag` is false.
    pub warming_up: bool,
}

impl Score {
    /// The score of a value that is missing.
    pub const MISSING: Self =
        Self { raw: 0.0, law: Law::Known(1.0), flag: false, warming_up: false };
    /// The score while too little has been seen.
    pub const WARMING_UP: Self =
        Self { raw: 0.0, law: Law::Known(1.0), flag: false, warming_up: true };

    /// A score under `law`, of a method that has seen enough. A `raw` that is NaN becomes 0.
    #[must_use]
    pub fn new(raw: f64, law: Law, flag: bool) -> Self {
        let raw = if raw.is_nan() { 0.0 } else { raw };
        Self { raw, law, flag, warming_up: false }
    }

    /// The probability, by the method's model, of a score at least as large as this one: 1 is
    /// ordinary, 1e-6 is once in a million. NaN where the method has no law ([`Law::Unknown`]).
    #[must_use]
    pub fn tail(&self) -> f64 {
        self.law.tail(self.raw)
    }
}

/// Whether `value` is an observation: finite, and small enough that its square is.
#[inline]
#[must_use]
pub fn is_usable(value: f64) -> bool {
    value.abs() <= LARGEST
}

/// `value`, or 0 where it is negative.
#[inline(always)]
fn positive(value: f64) -> f64 {
    // `f64::max` looks for NaN, which takes three more steps.
    if value > 0.0 { value } else { 0.0 }
}

/// What a method must remember of a row, to be told later whether it was an anomaly.
pub type Memo = [f64; 2];

/// A method on one value at a time: parameters here, what it learns in a state for each key.
pub trait Detector {
    /// What is remembered of one key.
    type State: Clone;

    /// The state of a key that was never seen.
    fn state(&self) -> Self::State;

    /// Scores `value` at `time_us` (microseconds since 1970; only methods that say so look at
    /// it), then learns from it.
    fn push(&self, state: &mut Self::State, time_us: i64, value: f64) -> Score;

    /// The law of all scores, where it is one: then many are made probabilities at once. A score
    /// of 0, as that of a missing value is, has probability 1 under it.
    #[inline]
    fn law(&self) -> Option<Law> {
        None
    }

    /// Whether the score of a missing value has the law too; else its probability is NaN.
    #[inline]
    fn missing_has_law(&self) -> bool {
        true
    }

    /// Scores the rows of `word`, as many as `raw` is long (at most 64), as [`push`](Self::push)
    /// does: for methods that have a [`law`](Self::law) and know a faster way.
    #[inline]
    fn push_word(&self, states: &mut [Self::State], word: Word<'_>, raw: &mut [f64]) -> Marks
    where
        Self: Sized,
    {
        batch::score_word(self, states, word, raw, |_, _| ())
    }

    /// Bytes that one key's state takes, with what it holds on the heap.
    fn bytes(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }

    /// Whether the method has a use for labels.
    fn uses_labels(&self) -> bool {
        false
    }

    /// What must be remembered of the latest row, so that the method can be told later whether it
    /// was an anomaly; `None` where it has no use for that.
    fn memo(&self, _state: &Self::State) -> Option<Memo> {
        None
    }

    /// Tells the method whether the row that `memo` is of was an anomaly. A row is told of once.
    fn feedback(&self, _state: &mut Self::State, _memo: Memo, _anomalous: bool) {}
}
