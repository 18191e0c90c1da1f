//! Novelty: how far is the value from the nearest one ever seen? The distance to the nearest
//! neighbour in one dimension (Ramaswamy, Rastogi, Shim, *Efficient algorithms for mining
//! outliers from large data sets*, SIGMOD 2000), which finds new levels, spikes and values in a
//! gap between two usual levels alike, and knows no mean that an outlier could move.
//!
//! Conformal in spirit (Laxhammar and Falkman 2011; Burnaev and Ishimtsev's KNN-CAD, 2016): the
//! distance has no scale of its own, [`super::tail`] judges it by the distances before it. What
//! was seen once is not new the next time, so that an anomaly is told once, at its beginning.
//!
//! The values seen are kept as an ε-net, sorted: a value within ε of one that is kept is not
//! kept, and where the net outgrows [`KEPT`] values ε grows. The smallest and largest value are
//! always kept. On NAB 128 values are as good as all (measured on the public half).

use super::tail::{Peaks, calibrate};
use super::{Detector, Score, is_usable};

/// Values in a net: 2 KiB a key.
pub const KEPT: usize = 256;

/// Representatives of all values seen, ascending.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Net {
    values: Vec<f64>,
    epsilon: f64,
}

impl Net {
    /// The distance from `value` to the nearest representative; 0 before there is one.
    #[must_use]
    pub fn distance(&self, value: f64) -> f64 {
        let place = self.values.partition_point(|kept| *kept < value);
        let above = self.values.get(place).map(|kept| kept - value);
        let below = place.checked_sub(1).map(|before| value - self.values[before]);
        match (above, below) {
            (Some(above), Some(below)) => above.min(below),
            (Some(one), None) | (None, Some(one)) => one.min(f64::MAX),
            (None, None) => 0.0,
        }
    }

    /// Takes a finite value in.
    pub fn learn(&mut self, value: f64) {
        if self.values.capacity() == 0 {
            self.values.reserve_exact(KEPT + 1);
        }
        let place = self.values.partition_point(|kept| *kept < value);
        let known = self.values.get(place) == Some(&value);
        let inside = place > 0 && place < self.values.len();
        if known || (inside && self.distance(value) <= self.epsilon) {
            return;
        }
        self.values.insert(place, value);
        if self.values.len() > KEPT {
            self.thin();
        }
    }

    /// Widens ε until a quarter of the net is free.
    fn thin(&mut self) {
        let (first, last) = (self.values[0], self.values[self.values.len() - 1]);
        let least = ((last - first) / (4 * KEPT) as f64).max(f64::MIN_POSITIVE);
        self.epsilon = (self.epsilon * 1.5).max(least);
        loop {
            let (epsilon, mut previous) = (self.epsilon, f64::NEG_INFINITY);
            self.values.pop();
            self.values.retain(|&value| {
                let keep = value - previous > epsilon;
                previous = if keep { value } else { previous };
                keep
            });
            self.values.push(last);
            if self.values.len() <= KEPT * 3 / 4 {
                return;
            }
            self.epsilon *= 1.5;
        }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.values.capacity() * size_of::<f64>()
    }
}

/// Novelty and its tail: one view on a series, of several that [`super::auto`] takes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    net: Net,
    peaks: Peaks,
}

impl View {
    /// −ln of the probability of a value as new as this one, and its distance from those before;
    /// then takes it in.
    pub fn look(&mut self, value: f64) -> (f64, f64) {
        if !is_usable(value) {
            return (0.0, 0.0);
        }
        let distance = self.net.distance(value);
        let evidence = self.peaks.evidence(distance);
        self.peaks.learn(distance);
        self.net.learn(value);
        (evidence, distance)
    }

    /// Whether too few values were seen to judge.
    #[must_use]
    pub fn is_warming_up(&self) -> bool {
        self.peaks.is_warming_up()
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.net.heap_bytes() + self.peaks.heap_bytes()
    }
}

/// The method's parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Novelty {
    /// −ln of the probability from which on a value is flagged.
    pub threshold: f64,
}

impl Default for Novelty {
    /// About once in a thousand values.
    fn default() -> Self {
        Self { threshold: 7.0 }
    }
}

impl Detector for Novelty {
    type State = View;

    fn state(&self) -> View {
        View::default()
    }

    fn push(&self, state: &mut View, _time_us: i64, value: f64) -> Score {
        if !is_usable(value) {
            return Score::MISSING;
        }
        let distance = state.net.distance(value);
        state.net.learn(value);
        calibrate(&mut state.peaks, distance, self.threshold)
    }

    fn bytes(&self, state: &View) -> usize {
        size_of::<View>() + state.heap_bytes()
    }
}
