//! The definition: every point, in the order of their numbers, against a sorted list.

use super::{Metric, Neighbours, Rows};

/// The order's score: the least is nearest.
#[must_use]
pub fn rank(metric: Metric, point: &[f32], query: &[f32]) -> f64 {
    let pairs = point.iter().zip(query).map(|(p, q)| (f64::from(*p), f64::from(*q)));
    match metric {
        Metric::SquaredDistance => pairs.fold(0.0, |sum, (p, q)| sum + (q - p) * (q - p)),
        Metric::Product => -pairs.fold(0.0, |sum, (p, q)| sum + q * p),
    }
}

/// The nearest so far, sorted by rank and number.
#[derive(Debug, Clone)]
pub struct List {
    k: usize,
    entries: Vec<(f64, u32)>,
}

impl List {
    /// Room for `k`.
    #[must_use]
    pub fn new(k: usize) -> Self {
        Self { k, entries: Vec::with_capacity(k + 1) }
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Whether it holds `k`.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.entries.len() == self.k
    }

    /// The rank of the last.
    #[must_use]
    pub fn worst(&self) -> Option<f64> {
        self.entries.last().map(|entry| entry.0)
    }

    /// Sees a point; NaN is no rank.
    pub fn see(&mut self, rank: f64, number: u32) {
        let before = |entry: &(f64, u32)| entry.0 < rank || (entry.0 == rank && entry.1 < number);
        if rank.is_nan() || (self.is_full() && self.entries.last().is_none_or(before)) {
            return;
        }
        let at = self.entries.partition_point(before);
        self.entries.insert(at, (rank, number));
        self.entries.truncate(self.k);
    }

    /// Writes the slots of a query.
    pub fn write(&self, metric: Metric, all: &mut Neighbours, query: usize) {
        for (slot, (rank, number)) in self.entries.iter().enumerate() {
            let at = query * self.k + slot;
            all.numbers[at] = *number;
            all.scores[at] = match metric {
                Metric::SquaredDistance => *rank,
                Metric::Product => -rank,
            };
        }
    }
}

/// The nearest points of one query.
pub fn nearest_of(metric: Metric, points: Rows<'_>, query: &[f32], list: &mut List) {
    list.clear();
    for (number, point) in points.values.chunks_exact(points.dimensions).enumerate() {
        list.see(rank(metric, point, query), number as u32);
    }
}
