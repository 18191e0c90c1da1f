//! Distance to the nearest rows of a window, made conformal by past distances (Burnaev and
//! Ishimtsev, *Conformalized density- and distance-based anomaly detection in time-series data*,
//! arXiv:1608.04585, 2016: KNN-CAD; the left-to-right nearest-neighbour distance is also the
//! streaming matrix profile of Yeh et al., ICDM 2016, without its normalisation of each part).
//!
//! A single column is first cut into overlapping parts of `length` values, so that a *shape*
//! that was never seen is found; the parts that overlap the newest are left out, because a
//! shape always resembles itself shifted by one. Columns are scaled by their deviation so far.
//! The raw score is the mean distance to the `k` nearest of the last `window` rows;
//! [`super::tail`] gives its probability.

use super::tail::{Peaks, calibrate};
use super::{Score, Stream, ewma, is_usable};

/// The method and its state.
#[derive(Debug, Clone)]
pub struct Nearest {
    dimensions: usize,
    /// Rows that make one part.
    length: usize,
    window: usize,
    k: usize,
    threshold: f64,
    /// Each column's mean and deviation.
    columns: Vec<ewma::State>,
    /// The last `length` rows, the newest last.
    part: Vec<f64>,
    /// The last parts, a ring.
    parts: Vec<f64>,
    next_part: usize,
    peaks: Peaks,
    nearest: Vec<f64>,
}

impl Nearest {
    /// The 5 nearest of the last 512; single columns in parts of 8 values.
    #[must_use]
    pub fn new(dimensions: usize) -> Self {
        Self::with(dimensions, if dimensions == 1 { 8 } else { 1 }, 512, 5)
    }

    /// The `k` nearest of `window` parts of `length` rows.
    #[must_use]
    pub fn with(dimensions: usize, length: usize, window: usize, k: usize) -> Self {
        let (dimensions, length) = (dimensions.max(1), length.max(1));
        Self {
            dimensions,
            length,
            window: window.max(length + k + 1),
            k: k.max(1),
            threshold: 7.0,
            columns: vec![ewma::State::default(); dimensions],
            part: Vec::with_capacity(dimensions * length),
            parts: Vec::new(),
            next_part: 0,
            peaks: Peaks::default(),
            nearest: Vec::with_capacity(k + 2),
        }
    }

    fn width(&self) -> usize {
        self.dimensions * self.length
    }

    /// The mean distance from the newest part to the nearest that don't overlap it; `None` while
    /// there are fewer than 4k.
    fn distance(&mut self) -> Option<f64> {
        let width = self.width();
        let count = self.parts.len() / width;
        let overlapping = self.length - 1;
        if self.part.len() < width || count < overlapping + 4 * self.k {
            return None;
        }
        self.nearest.clear();
        for (index, other) in self.parts.chunks_exact(width).enumerate() {
            // The ring's newest part is just before `next_part`.
            let age = (self.next_part + count - 1 - index) % count;
            if age < overlapping {
                continue;
            }
            let mut squares = 0.0;
            for (value, other) in self.part.iter().zip(other) {
                squares += (value - other) * (value - other);
            }
            let last = self.nearest.last().copied().unwrap_or(f64::INFINITY);
            if self.nearest.len() < self.k || squares < last {
                let place = self.nearest.partition_point(|kept| *kept < squares);
                self.nearest.insert(place, squares);
                self.nearest.truncate(self.k);
            }
        }
        let sum: f64 = self.nearest.iter().map(|squares| squares.sqrt()).sum();
        Some(sum / self.nearest.len() as f64)
    }

    fn remember(&mut self) {
        let width = self.width();
        if self.parts.len() < self.window * width {
            self.parts.extend_from_slice(&self.part);
            self.next_part = (self.parts.len() / width) % self.window;
        } else {
            let at = self.next_part * width;
            self.parts[at..at + width].copy_from_slice(&self.part);
            self.next_part = (self.next_part + 1) % self.window;
        }
    }
}

impl Stream for Nearest {
    fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// A missing value counts as its column's mean; a row of nothing else is missing.
    fn push(&mut self, _time_us: i64, row: &[f64]) -> Score {
        if row.len() != self.dimensions || !row.iter().any(|value| is_usable(*value)) {
            return Score::MISSING;
        }
        if self.part.len() == self.width() {
            self.part.drain(..self.dimensions);
        }
        for (column, value) in self.columns.iter_mut().zip(row) {
            let finite = is_usable(*value);
            if finite {
                column.learn(*value, 0.002);
            }
            let deviation = if finite { column.deviation(*value).clamp(-1e6, 1e6) } else { 0.0 };
            self.part.push(deviation);
        }
        let distance = self.distance();
        if self.part.len() == self.width() {
            self.remember();
        }
        match distance {
            Some(distance) => calibrate(&mut self.peaks, distance, self.threshold),
            None => Score::WARMING_UP,
        }
    }

    fn bytes(&self) -> usize {
        let floats = self.part.capacity() + self.parts.capacity() + self.nearest.capacity();
        size_of::<Self>()
            + floats * size_of::<f64>()
            + self.columns.len() * size_of::<ewma::State>()
            + self.peaks.heap_bytes()
    }
}
