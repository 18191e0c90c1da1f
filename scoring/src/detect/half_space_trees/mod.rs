//! Half-space trees: how much mass is where this row falls? (Tan, Ting, Liu, *Fast anomaly
//! detection for streaming data*, IJCAI 2011.)
//!
//! A tree halves the work range of a random column at each node, down to `depth` levels: its
//! shape is fixed before any row is seen. The rows of one window give each node its mass; a row
//! of the next window goes down until a node holds at most `size_limit` rows, and scores
//! mass·2^level. Little mass low in the tree is normal; little mass high up is strange.
//!
//! # Layout
//! The paper keeps 2^16 nodes a tree with two masses each: 25 trees are 13 MB, and a row costs
//! 375 cache misses, as much to count its mass as to be scored. But a node below one with
//! little mass is never looked at. So what the window's rows are to the trees is kept instead,
//! and when it ends the part of each tree that can be reached is built from it: at most some tens
//! of nodes. The column of a node is [`super::random::mix`] of the tree and the node's place, as
//! if the whole tree were stored. The scores are the paper's to the last bit; tests compare with
//! it. One column asks a table of all trees' steps ([`steps`]); with several, rows are codes of 15
//! bits, and go down the trees 128 at a time ([`coded`]); few or single ones walk.
//!
//! Column ranges are those of the first window, widened by the paper's random work range.
//! The raw score is −ln of the mean mass; [`super::tail`] makes it a probability.

mod coded;
mod steps;
#[cfg(test)]
mod tests;

use pelton_kernels::score_halves::{BITS, BLOCK_ROWS};

use self::coded::Coded;
use self::steps::Steps;
use super::random::{Random, mix};
use super::tail::{Peaks, calibrate};
use super::{Score, Stream, is_usable};

/// The paper's constants.
pub const TREES: usize = 25;
/// Levels below the root.
pub const DEPTH: u32 = 15;
/// Rows in a window.
pub const WINDOW: usize = 250;

/// Rows from which on a block is asked together rather than one by one.
const TOGETHER_MIN: usize = 9;

/// How trees are grown.
#[derive(Debug, Clone, Copy)]
struct Ways {
    depth: u32,
    /// A node of at most so many rows is a last one.
    size_limit: usize,
    seed: u64,
}

impl Ways {
    /// Whether a node of `count` rows is a last one.
    #[inline]
    fn ends_at(&self, count: usize, level: u32) -> bool {
        count <= self.size_limit || level == self.depth
    }

    /// What a row is given that ends in a node of `count` rows.
    #[inline]
    fn mass(count: usize, level: u32) -> f64 {
        count as f64 * (1_u64 << level) as f64
    }
}

/// What the trees are, once their ranges are known.
#[derive(Debug, Clone)]
enum Trees {
    /// The first window fills.
    None,
    /// Of one column.
    Steps(Steps),
    /// Of several.
    Coded(Coded),
}

/// The method and its state.
#[derive(Debug, Clone)]
pub struct HalfSpaceTrees {
    dimensions: usize,
    window: usize,
    ways: Ways,
    threshold: f64,
    count: usize,
    trees: Trees,
    /// Rows of the window that fills.
    filled: usize,
    /// The rows of the first window.
    first: Vec<f64>,
    peaks: Peaks,
}

impl HalfSpaceTrees {
    /// 25 trees of 15 levels over windows of 250 rows.
    #[must_use]
    pub fn new(dimensions: usize) -> Self {
        Self::with(dimensions, TREES, DEPTH, WINDOW, 1)
    }

    /// `count` trees (at most 65,536) of `depth` levels (at most 15) over windows of `window` rows.
    #[must_use]
    pub fn with(dimensions: usize, count: usize, depth: u32, window: usize, seed: u64) -> Self {
        Self {
            dimensions: dimensions.clamp(1, usize::from(u16::MAX)),
            window: window.clamp(2, usize::from(u16::MAX)),
            ways: Ways { depth: depth.min(BITS), size_limit: window / 10, seed },
            threshold: 7.0,
            count: count.clamp(1, 1 << 16),
            trees: Trees::None,
            filled: 0,
            first: Vec::new(),
            peaks: Peaks::default(),
        }
    }

    /// The mean over the trees of mass·2^level, the paper's score; `None` before a window ended.
    #[must_use]
    pub fn mass(&self, row: &[f64]) -> Option<f64> {
        if row.len() != self.dimensions {
            return None;
        }
        let sum = match &self.trees {
            Trees::None => return None,
            Trees::Steps(steps) => steps.sum(row[0]),
            Trees::Coded(coded) => coded.sum(row),
        };
        Some(sum / self.count as f64)
    }

    /// A row has been remembered; the last one of a window makes it the reference.
    #[inline]
    fn count_row(&mut self) {
        self.filled += 1;
        if self.filled == self.window {
            self.filled = 0;
            self.renew();
        }
    }

    /// The window has ended: its rows become the reference.
    fn renew(&mut self) {
        if let Trees::None = self.trees {
            let first = std::mem::take(&mut self.first);
            let ranges = self.draw_ranges(&first);
            if self.dimensions == 1 {
                let mut steps = Steps::new(ranges);
                first.iter().for_each(|value| steps.take(*value));
                self.trees = Trees::Steps(steps);
            } else {
                let mut coded = Coded::new(&ranges, self.dimensions, self.window);
                let rows = first.chunks_exact(self.dimensions).enumerate();
                rows.for_each(|(at, row)| coded.take(at, row));
                self.trees = Trees::Coded(coded);
            }
        }
        match &mut self.trees {
            Trees::None => {}
            Trees::Steps(steps) => steps.renew(&self.ways),
            Trees::Coded(coded) => coded.renew(&self.ways),
        }
    }

    /// The trees' work ranges by tree and column, from those of the first window.
    fn draw_ranges(&self, rows: &[f64]) -> Vec<(f64, f64)> {
        let mut seen = vec![(f64::INFINITY, f64::NEG_INFINITY); self.dimensions];
        for row in rows.chunks_exact(self.dimensions) {
            for ((low, high), value) in seen.iter_mut().zip(row).filter(|(_, v)| is_usable(**v)) {
                (*low, *high) = (low.min(*value), high.max(*value));
            }
        }
        let mut random = Random::new(self.ways.seed);
        let mut ranges = Vec::with_capacity(self.count * self.dimensions);
        for _ in 0..self.count {
            ranges.extend(seen.iter().map(|&(low, high)| {
                let width = if high > low { high - low } else { 1.0 };
                let low = if low.is_finite() { low } else { 0.0 };
                let middle = random.unit();
                let reach = 2.0 * middle.max(1.0 - middle);
                (low + (middle - reach) * width, low + (middle + reach) * width)
            }));
        }
        ranges
    }
}

/// The seed of a tree's nodes.
fn tree_seed(seed: u64, tree: usize) -> u64 {
    mix(seed ^ mix(tree as u64))
}

/// The column that the node at `place` (1 is the root, 2·place and 2·place + 1 its children)
/// halves.
fn column_of(seed: u64, place: u64, dimensions: usize) -> usize {
    ((u128::from(mix(seed ^ place)) * dimensions as u128) >> 64) as usize
}

impl HalfSpaceTrees {
    /// Whether the row is an observation.
    fn is_row(&self, row: &[f64]) -> bool {
        row.len() == self.dimensions && row.iter().any(|value| is_usable(*value))
    }

    /// Calibrates the score of a row whose trees add up to `sum`.
    #[inline]
    fn score(&mut self, sum: f64) -> Score {
        let mass = sum / self.count as f64;
        calibrate(&mut self.peaks, -libm::log(mass + 0.5), self.threshold)
    }

    /// Scores some of the first of `rows`: a block, or less where the window ends, or only one.
    /// How many.
    fn push_some(&mut self, rows: &[f64], scores: &mut [Score]) -> usize {
        let width = self.dimensions;
        let most = scores.len().min(BLOCK_ROWS).min(self.window - self.filled);
        let Trees::Coded(coded) = &mut self.trees else {
            scores[0] = self.push(0, &rows[..width]);
            return 1;
        };
        if most < TOGETHER_MIN {
            scores[0] = self.push(0, &rows[..width]);
            return 1;
        }
        let (mut places, mut count) = ([0_u8; BLOCK_ROWS], 0);
        for (at, row) in rows.chunks_exact(width).take(most).enumerate() {
            if row.iter().any(|value| is_usable(*value)) {
                coded.put(count, row);
                places[count] = at as u8;
                count += 1;
            } else {
                scores[at] = Score::MISSING;
            }
        }
        let sums = coded.take_block(self.filled);
        for (place, sum) in places[..count].iter().zip(sums) {
            scores[*place as usize] = self.score(sum);
            self.count_row();
        }
        most
    }
}

impl Stream for HalfSpaceTrees {
    fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// A missing value goes to the lower half; a row of nothing else is missing.
    fn push(&mut self, _time_us: i64, row: &[f64]) -> Score {
        if !self.is_row(row) {
            return Score::MISSING;
        }
        let sum = match &mut self.trees {
            Trees::None => {
                if self.first.capacity() == 0 {
                    self.first.reserve_exact(self.window * self.dimensions);
                }
                self.first.extend_from_slice(row);
                self.count_row();
                return Score::WARMING_UP;
            }
            Trees::Steps(steps) => {
                steps.take(row[0]);
                steps.sum(row[0])
            }
            Trees::Coded(coded) => {
                coded.take(self.filled, row);
                coded.sum_of(self.filled)
            }
        };
        let score = self.score(sum);
        self.count_row();
        score
    }

    fn push_batch(&mut self, times_us: &[i64], rows: &[f64], scores: &mut [Score]) {
        let width = self.dimensions;
        assert!(times_us.len() == scores.len() && rows.len() == width * scores.len());
        let mut from = 0;
        while from < scores.len() {
            from += self.push_some(&rows[from * width..], &mut scores[from..]);
        }
    }

    fn bytes(&self) -> usize {
        let trees = match &self.trees {
            Trees::None => 0,
            Trees::Steps(steps) => steps.heap_bytes(),
            Trees::Coded(coded) => coded.heap_bytes(),
        };
        size_of::<Self>()
            + trees
            + self.first.capacity() * size_of::<f64>()
            + self.peaks.heap_bytes()
    }
}
