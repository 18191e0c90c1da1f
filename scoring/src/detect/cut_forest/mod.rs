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
//! All trees share one ring of points; a tree is two arrays, and nothing is allocated once the
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

/// The method and its state.
#[derive(Debug, Clone)]
pub struct CutForest {
    dimensions: usize,
    /// Rows that make a point.
    shingle: usize,
    window: usize,
    threshold: f64,
    trees: Vec<(Tree, Random)>,
    /// The points of the window by slot.
    points: Vec<f64>,
    /// Slot of the next point.
    next: usize,
    filled: usize,
    /// The last rows, oldest first.
    point: Vec<f64>,
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
        let window = window.max(2);
        let width = dimensions * shingle;
        let grow =
            |index: usize| (Tree::new(window, width), Random::new(mix(seed ^ mix(index as u64))));
        Self {
            dimensions,
            shingle,
            window,
            threshold: 7.0,
            trees: (0..trees.max(1)).map(grow).collect(),
            points: vec![0.0; window * width],
            next: 0,
            filled: 0,
            point: Vec::with_capacity(width),
            peaks: Peaks::default(),
        }
    }

    /// Puts the newest point into all trees, the oldest out; its mean displacement.
    fn displace(&mut self) -> f64 {
        let (width, slot) = (self.point.len(), self.next);
        if self.filled == self.window {
            self.trees.iter_mut().for_each(|(tree, _)| tree.remove(slot, &self.points));
        } else {
            self.filled += 1;
        }
        self.points[slot * width..(slot + 1) * width].copy_from_slice(&self.point);
        self.next = (slot + 1) % self.window;
        let mut sum = 0.0;
        for (tree, random) in &mut self.trees {
            tree.insert(slot, &self.points, random);
            sum += tree.displacement(slot);
        }
        sum / self.trees.len() as f64
    }
}

impl Stream for CutForest {
    fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// A row with a missing value is missing.
    fn push(&mut self, _time_us: i64, row: &[f64]) -> Score {
        let usable = row.len() == self.dimensions && row.iter().all(|value| is_usable(*value));
        if !usable {
            return Score::MISSING;
        }
        if self.point.len() == self.dimensions * self.shingle {
            self.point.drain(..self.dimensions);
        }
        self.point.extend_from_slice(row);
        if self.point.len() < self.dimensions * self.shingle {
            return Score::WARMING_UP;
        }
        let displacement = self.displace();
        if self.filled < self.window.min(64) {
            return Score::WARMING_UP;
        }
        calibrate(&mut self.peaks, displacement, self.threshold)
    }

    fn bytes(&self) -> usize {
        let trees = self.trees.iter().map(|(tree, _)| tree.heap_bytes()).sum::<usize>();
        size_of::<Self>()
            + self.trees.capacity() * size_of::<(Tree, Random)>()
            + trees
            + (self.points.capacity() + self.point.capacity()) * size_of::<f64>()
            + self.peaks.heap_bytes()
    }
}
