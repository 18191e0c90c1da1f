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
//! **Labels.** A tree can give any point up, not only the oldest (the paper's deletion), so a point
//! that ends with a row that was an anomaly leaves the model when that is told, with those behind
//! it that overlap the row, and its displacement leaves the tail: the next one like it is as
//! strange as the first.
//!
//! All trees share one ring of points, which has room for [`TOGETHER`] more than the window, so
//! that a batch's points are all there when the trees take them in turn; a tree is some arrays, and
//! nothing is allocated once the window is full.

mod tree;

use pelton_kernels::score_cuts::{CutTree, Turn, take_turns_of_4, take_turns_of_8};

use super::random::{Random, mix};
use super::tail::{Peaks, calibrate};
use super::{Memo, Score, Stream, is_usable};
use tree::Tree;

/// Trees.
pub const TREES: usize = 100;
/// Rows that a tree holds.
pub const WINDOW: usize = 256;

/// Points that one tree takes before the next tree's turn: its nodes stay in the first cache.
const TOGETHER: usize = 64;

/// A tree, whatever the width of its points, with its random numbers.
trait Grow {
    /// Takes the points in turn; adds up their displacements.
    fn take_turns(&mut self, next: Option<&Self>, points: &[f32], turns: &[Turn], sums: &mut [f64]);
    fn remove(&mut self, slot: usize, points: &[f32]);
    fn heap_bytes(&self) -> usize;
}

macro_rules! grow {
    ($($width:literal by $take_turns:ident),*) => {$(
        impl Grow for CutTree<$width> {
            fn take_turns(
                &mut self,
                next: Option<&Self>,
                points: &[f32],
                turns: &[Turn],
                sums: &mut [f64],
            ) {
                $take_turns(self, next, points, turns, sums);
            }

            fn remove(&mut self, slot: usize, _points: &[f32]) {
                Self::remove(self, slot);
            }

            fn heap_bytes(&self) -> usize {
                Self::heap_bytes(self)
            }
        }
    )*};
}
grow!(4 by take_turns_of_4, 8 by take_turns_of_8);

impl Grow for (Tree, Random) {
    fn take_turns(
        &mut self,
        next: Option<&Self>,
        points: &[f32],
        turns: &[Turn],
        sums: &mut [f64],
    ) {
        let (tree, random) = self;
        for (index, (turn, sum)) in turns.iter().zip(sums).enumerate() {
            if let Some((next, _)) = next {
                next.ask_for(index, turns.len());
            }
            if let Some(slot) = turn.leaves {
                tree.remove(slot, points);
            }
            *sum += f64::from(tree.insert(turn.slot, points, random));
            if turn.told {
                tree.remove(turn.slot, points);
            }
        }
    }

    fn remove(&mut self, slot: usize, points: &[f32]) {
        self.0.remove(slot, points);
    }

    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

/// The trees.
#[derive(Debug, Clone)]
enum Trees {
    Four(Vec<CutTree<4>>),
    Eight(Vec<CutTree<8>>),
    Any(Vec<(Tree, Random)>),
}

/// Does something with trees of each kind.
macro_rules! each {
    ($trees:expr, $of_kind:ident => $what:expr) => {
        match $trees {
            Trees::Four($of_kind) => $what,
            Trees::Eight($of_kind) => $what,
            Trees::Any($of_kind) => $what,
        }
    };
}

/// Has each tree take the points. All trees together are larger than a core's own cache, so that
/// the next tree is asked for while one has its turn.
fn take_turns<T: Grow>(trees: &mut [T], points: &[f32], turns: &[Turn], sums: &mut [f64]) {
    for at in 0..trees.len() {
        let (done, next) = trees.split_at_mut(at + 1);
        let Some(tree) = done.last_mut() else { return };
        let next = next.first().filter(|_| turns.len() >= TOGETHER / 2);
        tree.take_turns(next, points, turns, sums);
    }
}

/// The method and its state.
#[derive(Debug, Clone)]
pub struct CutForest {
    dimensions: usize,
    /// Rows that make a point.
    shingle: usize,
    window: usize,
    threshold: f64,
    trees: Trees,
    count: usize,
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
    /// Points that ever came.
    points_seen: u64,
    /// Points before this one overlap a row that is known to be an anomaly.
    told_until: u64,
    /// The latest row's point, from 1, and its displacement.
    latest: Option<(u64, f64)>,
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
        let count = trees.max(1);
        let (slots, randoms) = (window + TOGETHER, random_of_trees(seed, count));
        let trees = match width {
            4 => Trees::Four(randoms.map(|own| CutTree::new(slots, own.state())).collect()),
            8 => Trees::Eight(randoms.map(|own| CutTree::new(slots, own.state())).collect()),
            _ => Trees::Any(randoms.map(|random| (Tree::new(slots, width), random)).collect()),
        };
        Self {
            dimensions,
            shingle,
            window,
            threshold: 7.0,
            trees,
            count,
            width,
            origin: Vec::new(),
            points: vec![0.0; (window + TOGETHER) * width],
            next: 0,
            filled: 0,
            point: Vec::with_capacity(width),
            peaks: Peaks::default(),
            points_seen: 0,
            told_until: 0,
            latest: None,
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
        let told = self.told_until.saturating_sub(self.points_seen) as usize;
        let mut turns = [Turn::default(); TOGETHER];
        for (index, turn) in turns[..count].iter_mut().enumerate() {
            let slot = (first + index) % slots;
            let full = self.filled + index >= window;
            let leaves = full.then(|| (slot + slots - window) % slots);
            *turn = Turn { slot, leaves, told: index < told };
        }
        let turns = &turns[..count];
        each!(&mut self.trees, trees => take_turns(trees, &self.points, turns, &mut sums));
        self.next = (first + count) % slots;
        self.latest = None;
        let last_waits = scores.last().is_some_and(|score| score.raw < 0.0);
        let waiting = scores.iter_mut().filter(|score| score.raw < 0.0);
        for (score, sum) in waiting.zip(sums) {
            self.filled = (self.filled + 1).min(window);
            self.points_seen += 1;
            let displacement = sum / self.count as f64;
            let warming_up = self.filled < window.min(64);
            *score = if warming_up {
                Score::WARMING_UP
            } else {
                calibrate(&mut self.peaks, displacement, self.threshold)
            };
            self.latest = (last_waits && !warming_up).then_some((self.points_seen, displacement));
        }
    }
}

/// The random numbers of each tree.
fn random_of_trees(seed: u64, trees: usize) -> impl Iterator<Item = Random> {
    (0..trees).map(move |index| Random::new(mix(seed ^ mix(index as u64))))
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
        let trees = each!(&self.trees, trees => bytes_of(trees));
        size_of::<Self>()
            + trees
            + (self.points.capacity() + self.point.capacity()) * size_of::<f32>()
            + self.origin.capacity() * size_of::<f64>()
            + self.peaks.heap_bytes()
    }

    fn uses_labels(&self) -> bool {
        true
    }

    /// The number of the point that ends with the row, and its displacement.
    fn memo(&self) -> Option<Memo> {
        self.latest.map(|(number, displacement)| [number as f64, displacement])
    }

    /// Points that hold an anomaly leave the trees, and the first one's displacement the tail.
    fn feedback(&mut self, [number, displacement]: Memo, anomalous: bool) {
        if !anomalous {
            return;
        }
        self.peaks.unlearn(displacement);
        let number = number as u64;
        // The points that overlap the row: its own and the `shingle − 1` behind it.
        let end = number + self.shingle as u64;
        self.told_until = self.told_until.max(end - 1);
        for number in number..end.min(self.points_seen + 1) {
            let age = self.points_seen - number;
            if age < self.filled as u64 {
                let slots = self.slots();
                let slot = (self.next + slots - 1 - age as usize) % slots;
                let points = &self.points;
                each!(&mut self.trees, trees => {
                    trees.iter_mut().for_each(|tree| Grow::remove(tree, slot, points));
                });
            }
        }
    }
}

fn bytes_of<T: Grow>(trees: &Vec<T>) -> usize {
    trees.capacity() * size_of::<T>() + trees.iter().map(Grow::heap_bytes).sum::<usize>()
}
