//! Isolation forest over a sliding window: how few random cuts set this row apart? (Liu, Ting,
//! Zhou, *Isolation forest*, ICDM 2008; over windows, Ding and Fei, *An anomaly detection
//! approach based on isolation forest algorithm for streaming data using sliding window*, 2013.)
//!
//! A tree is grown on 256 rows drawn from the last 1,024: a random column, a random cut between
//! its extremes, down to single rows or ⌈log₂ 256⌉ levels. The score is 2^(−h/c), h the mean
//! level at which a row ends (plus the expected rest below a level that was cut off), c that of
//! an average row. Instead of growing the forest anew when a window ends, one tree is regrown,
//! the oldest, every few rows: the forest follows the stream evenly, and no row waits.

use super::random::Random;
use super::tail::{Peaks, calibrate};
use super::{Score, Stream, is_usable};

/// Trees.
pub const TREES: usize = 100;
/// Rows a tree is grown on.
pub const SAMPLE: usize = 256;
/// Rows that are remembered.
pub const WINDOW: usize = 1_024;
const DEPTH: u32 = 8;

/// The mean level at which a row ends in a tree of `count` rows, 2H(n − 1) − 2(n − 1)/n.
fn mean_level(count: usize) -> f64 {
    match count {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let n = count as f64;
            // Euler's constant; H(i) is about ln i + γ.
            2.0 * (libm::log(n - 1.0) + 0.577_215_664_901_532_9) - 2.0 * (n - 1.0) / n
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    /// Where to cut; in a last node, the level at which rows end.
    value: f64,
    column: u32,
    /// Index of the lower child, the upper one follows; 0 in a last node.
    child: u32,
}

/// The method and its state.
#[derive(Debug, Clone)]
pub struct IsolationForest {
    dimensions: usize,
    threshold: f64,
    random: Random,
    /// The last rows, a ring.
    rows: Vec<f64>,
    next_row: usize,
    seen: u64,
    trees: Vec<Vec<Node>>,
    oldest: usize,
    peaks: Peaks,
    order: Vec<u32>,
}

impl IsolationForest {
    /// 100 trees of 256 rows out of the last 1,024.
    #[must_use]
    pub fn new(dimensions: usize) -> Self {
        Self::with_seed(dimensions, 1)
    }

    /// The same with other random choices.
    #[must_use]
    pub fn with_seed(dimensions: usize, seed: u64) -> Self {
        Self {
            dimensions: dimensions.max(1),
            threshold: 6.0,
            random: Random::new(seed),
            rows: Vec::new(),
            next_row: 0,
            seen: 0,
            trees: Vec::new(),
            oldest: 0,
            peaks: Peaks::default(),
            order: Vec::new(),
        }
    }

    /// The isolation score of a row, from 0 to 1 (about ½ is average); `None` before the forest
    /// is grown.
    #[must_use]
    pub fn isolation(&self, row: &[f64]) -> Option<f64> {
        if self.trees.len() < TREES || row.len() != self.dimensions {
            return None;
        }
        let levels: f64 = self.trees.iter().map(|tree| level(tree, row)).sum();
        Some(libm::exp2(-levels / (self.trees.len() as f64 * mean_level(SAMPLE))))
    }

    fn remember(&mut self, row: &[f64]) {
        if self.rows.len() < WINDOW * self.dimensions {
            self.rows.extend_from_slice(row);
            return;
        }
        let at = self.next_row * self.dimensions;
        self.rows[at..at + self.dimensions].copy_from_slice(row);
        self.next_row = (self.next_row + 1) % WINDOW;
    }

    fn grow_one(&mut self) {
        let count = self.rows.len() / self.dimensions;
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        order.extend((0..SAMPLE).map(|_| self.random.below(count) as u32));
        let mut tree = if self.trees.len() < TREES {
            Vec::with_capacity(2 * SAMPLE)
        } else {
            std::mem::take(&mut self.trees[self.oldest])
        };
        tree.clear();
        tree.push(Node { value: 0.0, column: 0, child: 0 });
        self.grow(&mut tree, 0, 0, &mut order);
        if self.trees.len() < TREES {
            self.trees.push(tree);
        } else {
            self.trees[self.oldest] = tree;
            self.oldest = (self.oldest + 1) % TREES;
        }
        self.order = order;
    }

    /// Grows the node at `index` on the rows of `order`.
    fn grow(&mut self, tree: &mut Vec<Node>, index: usize, depth: u32, order: &mut [u32]) {
        let end = f64::from(depth) + mean_level(order.len());
        tree[index] = Node { value: end, column: 0, child: 0 };
        if depth == DEPTH || order.len() < 2 {
            return;
        }
        // A few tries for a column that varies here.
        for _ in 0..4 {
            let column = self.random.below(self.dimensions);
            let values =
                order.iter().map(|&row| self.rows[row as usize * self.dimensions + column]);
            let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
            let cut = low + self.random.unit() * (high - low);
            if !(high > low && cut.is_finite()) {
                continue;
            }
            let mut lower = 0;
            for at in 0..order.len() {
                let value = self.rows[order[at] as usize * self.dimensions + column];
                if value <= cut {
                    order.swap(lower, at);
                    lower += 1;
                }
            }
            let child = tree.len();
            tree[index] = Node { value: cut, column: column as u32, child: child as u32 };
            let blank = Node { value: 0.0, column: 0, child: 0 };
            tree.extend([blank, blank]);
            let (below, above) = order.split_at_mut(lower);
            self.grow(tree, child, depth + 1, below);
            self.grow(tree, child + 1, depth + 1, above);
            return;
        }
    }
}

/// The level at which `row` ends.
#[inline]
fn level(tree: &[Node], row: &[f64]) -> f64 {
    let mut node = tree[0];
    while node.child != 0 {
        let upper = row[node.column as usize] > node.value;
        node = tree[node.child as usize + usize::from(upper)];
    }
    node.value
}

impl Stream for IsolationForest {
    fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// A row with a missing value is scored (it goes below each cut of that column) but not
    /// remembered.
    fn push(&mut self, _time_us: i64, row: &[f64]) -> Score {
        if row.len() != self.dimensions || !row.iter().any(|value| is_usable(*value)) {
            return Score::MISSING;
        }
        let isolation = self.isolation(row);
        if row.iter().all(|value| is_usable(*value)) {
            self.seen += 1;
            self.remember(row);
            let first = self.seen == SAMPLE as u64;
            let step = (WINDOW / TREES) as u64;
            let trees = if first { TREES } else { usize::from(self.seen.is_multiple_of(step)) };
            if self.seen >= SAMPLE as u64 {
                (0..trees).for_each(|_| self.grow_one());
            }
        }
        match isolation {
            Some(isolation) => calibrate(&mut self.peaks, isolation, self.threshold),
            None => Score::WARMING_UP,
        }
    }

    fn bytes(&self) -> usize {
        let nodes = self.trees.iter().map(Vec::capacity).sum::<usize>();
        size_of::<Self>()
            + nodes * size_of::<Node>()
            + self.rows.capacity() * size_of::<f64>()
            + self.order.capacity() * size_of::<u32>()
            + self.peaks.heap_bytes()
    }
}
