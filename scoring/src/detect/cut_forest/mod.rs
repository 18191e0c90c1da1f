//! Robust random cut forest: how much would the model of all other rows shrink if this row had
//! never come? (Guha, Mishra, Roy, Schrijvers, *Robust random cut forest based anomaly detection
//! on streams*, ICML 2016.)
//!
//! Each of the trees holds the last [`WINDOW`] rows; a row comes in and the oldest goes out
//! exactly as if the tree had been grown on what is left ([`tree`] has the algorithms). The score
//! is the collusive displacement: over the row's ancestors, the largest ratio of the rows beside
//! them to the rows below, averaged over the trees. So a small crowd of like outliers does not
//! hide itself, and columns that do not matter do no harm.
//!
//! A single column is cut into overlapping parts of 4 values first ("shingles"), as the paper
//! does for series. [`super::tail`] makes the displacement a probability.
//!
//! All trees share one ring of points, which has room for [`TOGETHER`] more than the window, so
//! that a batch's points are all there when the trees take them in turn; a tree is some arrays, and nothing is allocated once the
//! window is full.

mod tree;

use super::random::{Random, mix};
use super::tail::{Peaks, calibrate};
use super::{Score, Stream, is_usable};
use tree::Tree;

/// Trees.
pub const TREES: usize = 100;
/// Rows that a tree holds.
pub const WINDOW: usize = 256;

/// Points that one tree takes before the next tree's turn: its nodes stay in the first cache.
const TOGETHER: usize = 64;

/// The method and its state.
#[derive(Debug, Clone)]
pub struct CutForest {
    dimensions: usize,
    /// Rows that make a point.
    shingle: usize,
    window: usize,
    threshold: f64,
    trees: Vec<(Tree, Random)>,
    /// Values of a point, padded to a multiple of 4 by zeros.
    width: usize,
    /// The first row, which values are differences from.
    origin: Vec<f64>,
    /// The points of the window by slot.
    points: Vec<f32>,
    /// Slot of the next point.
    next: usize,
    filled: usize,
    /// The last rows, oldest first.
    point: Vec<f32>,
    peaks: Peaks,
}

impl CutForest {
    /// 100 trees of 256 rows; single columns in shingles of 4.
    #[must_use]
    pub fn new(dimensions: usize) -> Self {
        Self::with(dimensions, if dimensions == 1 { 4 } else { 1 }, TREES, WINDOW, 1)
    }

    /// `trees` trees of `window` points (at least 2), each of `shingle` rows.
    #[must_use]
    pub fn with(dimensions: usize, shingle: usize, trees: usize, window: usize, seed: u64) -> Self {
        let (dimensions, shingle) = (dimensions.max(1), shingle.max(1));
        let window = window.clamp(2, tree::WINDOW_MAX);
        let width = (dimensions * shingle).next_multiple_of(4);
        let grow = |index: usize| {
            (Tree::new(window + TOGETHER, width), Random::new(mix(seed ^ mix(index as u64))))
        };
        Self {
            dimensions,
            shingle,
            window,
            threshold: 7.0,
            trees: (0..trees.max(1)).map(grow).collect(),
            width,
            origin: Vec::new(),
            points: vec![0.0; (window + TOGETHER) * width],
            next: 0,
            filled: 0,
            point: Vec::with_capacity(width),
            peaks: Peaks::default(),
        }
    }

    /// Slots of the ring.
    fn slots(&self) -> usize {
        self.window + TOGETHER
    }

    /// Takes a row into the point; `false` where it is missing.
    fn take(&mut self, row: &[f64]) -> bool {
        if row.len() != self.dimensions || !row.iter().all(|value| is_usable(*value)) {
            return false;
        }
        if self.point.len() == self.dimensions * self.shingle {
            self.point.drain(..self.dimensions);
        }
        if self.origin.is_empty() {
            self.origin.extend_from_slice(row);
        }
        // Widths of a box are added up: keep them finite.
        let shifted = row.iter().zip(&self.origin).map(|(value, origin)| value - origin);
        self.point.extend(shifted.map(|value| value.clamp(-1e30, 1e30) as f32));
        true
    }

    /// Whether the point is whole.
    fn is_whole(&self) -> bool {
        self.point.len() == self.dimensions * self.shingle
    }

    /// Takes at most [`TOGETHER`] rows.
    fn push_some(&mut self, rows: &[f64], scores: &mut [Score]) {
        let (first, mut count) = (self.next, 0);
        for (row, score) in rows.chunks_exact(self.dimensions).zip(scores.iter_mut()) {
            *score = Score::MISSING;
            if !self.take(row) {
                continue;
            }
            *score = Score::WARMING_UP;
            if self.is_whole() {
                let slot = (first + count) % self.slots();
                self.points[slot * self.width..][..self.point.len()].copy_from_slice(&self.point);
                // A score to be; below every displacement.
                score.raw = -1.0;
                count += 1;
            }
        }
        let mut sums = [0.0_f64; TOGETHER];
        let (slots, window) = (self.slots(), self.window);
        let full_after = window - self.filled;
        for (tree, random) in &mut self.trees {
            for (index, sum) in sums[..count].iter_mut().enumerate() {
                let slot = (first + index) % slots;
                if index >= full_after {
                    tree.remove((slot + slots - window) % slots, &self.points);
                }
                *sum += f64::from(tree.insert(slot, &self.points, random));
            }
        }
        self.next = (first + count) % slots;
        let waiting = scores.iter_mut().filter(|score| score.raw < 0.0);
        for (score, sum) in waiting.zip(sums) {
            self.filled = (self.filled + 1).min(window);
            *score = if self.filled < window.min(64) {
                Score::WARMING_UP
            } else {
                let displacement = sum / self.trees.len() as f64;
                calibrate(&mut self.peaks, displacement, self.threshold)
            };
        }
    }
}

impl Stream for CutForest {
    fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// A row with a missing value is missing.
    fn push(&mut self, _time_us: i64, row: &[f64]) -> Score {
        let mut score = [Score::MISSING];
        if row.len() == self.dimensions {
            self.push_some(row, &mut score);
        }
        score[0]
    }

    fn push_batch(&mut self, times_us: &[i64], rows: &[f64], scores: &mut [Score]) {
        let width = self.dimensions;
        assert!(times_us.len() == scores.len() && rows.len() == width * scores.len());
        for (rows, scores) in rows.chunks(TOGETHER * width).zip(scores.chunks_mut(TOGETHER)) {
            self.push_some(rows, scores);
        }
    }

    fn bytes(&self) -> usize {
        let trees = self.trees.iter().map(|(tree, _)| tree.heap_bytes()).sum::<usize>();
        size_of::<Self>()
            + self.trees.capacity() * size_of::<(Tree, Random)>()
            + trees
            + (self.points.capacity() + self.point.capacity()) * size_of::<f32>()
            + self.origin.capacity() * size_of::<f64>()
            + self.peaks.heap_bytes()
    }
}
