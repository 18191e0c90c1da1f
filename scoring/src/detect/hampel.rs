//! Hampel filter: the value against the median of the last few, in median absolute deviations
//! (Hampel, *The influence curve and its role in robust estimation*, JASA 69, 1974; Davies and
//! Gather, *The identification of multiple outliers*, JASA 88, 1993). Outliers move neither
//! median nor deviation while they are fewer than half, so a spike does not hide the next one.
//!
//! The window is kept twice: in order of arrival, and sorted. A value is inserted in
//! O(log w) comparisons and one move of at most w numbers; the deviation is found from the sorted
//! window in O(log w), as the rank at which the two runs of distances (below and above the
//! median) merge. Nothing is allocated after the first value.

use super::{Detector, Law, Score, is_usable};

/// σ of a normal law is this times its median absolute deviation, 1/Q⁻¹(¼).
const SIGMA_A_DEVIATION: f64 = 1.482_602_218_505_602;

/// The method's parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hampel {
    /// Values in the window, at least 3.
    pub window: usize,
    /// Robust deviations from which on a value is flagged.
    pub threshold: f64,
}

impl Default for Hampel {
    fn default() -> Self {
        Self { window: 101, threshold: 6.0 }
    }
}

/// What is remembered of a key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    sorted: Vec<f64>,
    /// The same values as they came; `oldest` is the next to be replaced.
    ring: Vec<f64>,
    oldest: usize,
}

impl State {
    /// Puts `value` in, the oldest value of a full window out.
    fn slide(&mut self, value: f64, window: usize) {
        let to = self.sorted.partition_point(|v| v.total_cmp(&value).is_lt());
        if self.ring.len() < window {
            if self.ring.is_empty() {
                self.ring.reserve_exact(window);
                self.sorted.reserve_exact(window);
            }
            self.ring.push(value);
            self.sorted.insert(to, value);
            return;
        }
        let gone = std::mem::replace(&mut self.ring[self.oldest], value);
        self.oldest = if self.oldest + 1 == self.ring.len() { 0 } else { self.oldest + 1 };
        let from = self.sorted.partition_point(|v| v.total_cmp(&gone).is_lt());
        if from < to {
            self.sorted.copy_within(from + 1..to, from);
            self.sorted[to - 1] = value;
        } else {
            self.sorted.copy_within(to..from, to + 1);
            self.sorted[to] = value;
        }
    }

    /// The lower median, and the lower median of the distances from it.
    fn median_and_deviation(&self) -> (f64, f64) {
        let sorted = &self.sorted;
        let middle = (sorted.len() - 1) / 2;
        let median = sorted[middle];
        // The `middle + 1` smallest distances are those of a run of neighbours that holds the
        // median: find its start, the least with sorted[end] no further than sorted[start − 1].
        let (mut low, mut high) = (0, middle);
        let last = sorted.len() - 1;
        while low < high {
            let start = low + (high - low) / 2;
            let end = start + middle;
            if end >= last || sorted[end + 1] - median >= median - sorted[start] {
                high = start;
            } else {
                low = start + 1;
            }
        }
        let deviation = (median - sorted[low]).max(sorted[low + middle] - median);
        (median, deviation)
    }
}

impl Detector for Hampel {
    type State = State;

    fn state(&self) -> State {
        State::default()
    }

    fn push(&self, state: &mut State, _time_us: i64, value: f64) -> Score {
        if !is_usable(value) {
            return Score::MISSING;
        }
        let window = self.window.max(3);
        let score = if state.sorted.len() < window.min(31) {
            Score::WARMING_UP
        } else {
            let (median, deviation) = state.median_and_deviation();
            let distance = (value - median).abs();
            // More than half of the values are equal: judge by the spread of all.
            let spread = if deviation > 0.0 {
                deviation * SIGMA_A_DEVIATION
            } else {
                let (low, high) = (state.sorted[0], state.sorted[state.sorted.len() - 1]);
                ((high - low) / 4.0).max(median.abs() * 1e-9 + f64::MIN_POSITIVE)
            };
            let raw = (distance / spread).min(f64::MAX);
            Score::new(raw, Law::Normal, raw >= self.threshold)
        };
        state.slide(value, window);
        score
    }

    fn bytes(&self, state: &State) -> usize {
        size_of::<State>() + (state.sorted.capacity() + state.ring.capacity()) * size_of::<f64>()
    }
}
