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
//! little mass is never looked at. So the rows of the window are kept instead, and when it ends
//! the part of each tree that can be reached is built from them: at most some tens of nodes.
//! The column of a node is [`super::random::mix`] of the tree and the node's place, as if the
//! whole tree were stored. The scores are the paper's to the last bit; tests compare with it.
//! [`build`] has how trees are built from sorted columns and sets of rows, and three ways to look
//! a row up, all with the same sums: one column asks a table of all trees' steps, rows of several
//! columns go down the trees 32 at a time ([`pelton_kernels::score_halves`]), single ones walk.
//!
//! Column ranges are those of the first window, widened by the paper's random work range.
//! The raw score is −ln of the mean mass; [`super::tail`] makes it a probability.

mod build;
#[cfg(test)]
mod tests;

use pelton_kernels::score_halves::{BLOCK_ROWS, Block};

use self::build::{Ranks, Reach, Ways};
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
const TOGETHER_MIN: usize = 6;

/// The method and its state.
#[derive(Debug, Clone)]
pub struct HalfSpaceTrees {
    dimensions: usize,
    depth: u32,
    window: usize,
    size_limit: usize,
    seed: u64,
    threshold: f64,
    count: usize,
    /// By tree, the work range of each column.
    ranges: Vec<Vec<(f64, f64)>>,
    reach: Reach,
    /// The rows of the window that fills.
    rows: Vec<f64>,
    peaks: Peaks,
    /// Room for building.
    ranks: Ranks,
    /// Room for a block of rows by columns, and for what its nodes select.
    columns: Vec<Block>,
    values: Vec<Block>,
}

impl HalfSpaceTrees {
    /// 25 trees of 15 levels over windows of 250 rows.
    #[must_use]
    pub fn new(dimensions: usize) -> Self {
        Self::with(dimensions, TREES, DEPTH, WINDOW, 1)
    }

    /// `count` trees of `depth` levels (at most 40) over windows of `window` rows.
    #[must_use]
    pub fn with(dimensions: usize, count: usize, depth: u32, window: usize, seed: u64) -> Self {
        Self {
            dimensions: dimensions.max(1),
            depth: depth.min(40),
            window: window.clamp(2, usize::from(u16::MAX)),
            size_limit: window / 10,
            seed,
            threshold: 7.0,
            count: count.max(1),
            ranges: Vec::new(),
            reach: Reach::default(),
            rows: Vec::new(),
            peaks: Peaks::default(),
            ranks: Ranks::default(),
            columns: Vec::new(),
            values: Vec::new(),
        }
    }

    /// The mean over the trees of mass·2^level, the paper's score; `None` before a window ended.
    #[must_use]
    pub fn mass(&self, row: &[f64]) -> Option<f64> {
        if self.reach.is_empty() || row.len() != self.dimensions {
            return None;
        }
        Some(self.reach.sum(row) / self.count as f64)
    }

    /// The window has ended: its rows become the reference.
    fn renew(&mut self) {
        if self.ranges.is_empty() {
            self.draw_ranges();
        }
        let ways = Ways { depth: self.depth, size_limit: self.size_limit, seed: self.seed };
        self.ranks.sort(&self.rows, self.dimensions);
        self.reach.build(&ways, &mut self.ranges, &self.ranks);
        self.rows.clear();
    }

    /// The trees' work ranges, from the ranges of the first window.
    fn draw_ranges(&mut self) {
        let mut seen = vec![(f64::INFINITY, f64::NEG_INFINITY); self.dimensions];
        for row in self.rows.chunks_exact(self.dimensions) {
            for ((low, high), value) in seen.iter_mut().zip(row).filter(|(_, v)| is_usable(**v)) {
                (*low, *high) = (low.min(*value), high.max(*value));
            }
        }
        let mut random = Random::new(self.seed);
        for _ in 0..self.count {
            let ranges = seen.iter().map(|&(low, high)| {
                let width = if high > low { high - low } else { 1.0 };
                let low = if low.is_finite() { low } else { 0.0 };
                let middle = random.unit();
                let reach = 2.0 * middle.max(1.0 - middle);
                (low + (middle - reach) * width, low + (middle + reach) * width)
            });
            self.ranges.push(ranges.collect());
        }
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

    /// Scores a row that comes to `mass`, and remembers it.
    #[inline]
    fn take(&mut self, row: &[f64], mass: Option<f64>) -> Score {
        if self.rows.capacity() == 0 {
            self.rows.reserve_exact(self.window * self.dimensions);
        }
        self.rows.extend_from_slice(row);
        if self.rows.len() >= self.window * self.dimensions {
            self.renew();
        }
        match mass {
            Some(mass) => calibrate(&mut self.peaks, -libm::log(mass + 0.5), self.threshold),
            None => Score::WARMING_UP,
        }
    }

    /// Scores up to [`BLOCK_ROWS`] rows, among which no window ends but with the last.
    fn push_block(&mut self, rows: &[f64], scores: &mut [Score]) {
        self.columns.resize(self.dimensions, [0.0; BLOCK_ROWS]);
        for (at, row) in rows.chunks_exact(self.dimensions).enumerate() {
            for (column, value) in self.columns.iter_mut().zip(row) {
                column[at] = *value;
            }
        }
        let sums = self.reach.sums(&self.columns, &mut self.values);
        let rows = rows.chunks_exact(self.dimensions);
        for ((row, score), sum) in rows.zip(scores).zip(&sums) {
            *score = match self.is_row(row) {
                true => self.take(row, Some(sum / self.count as f64)),
                false => Score::MISSING,
            };
        }
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
        let mass = self.mass(row);
        self.take(row, mass)
    }

    fn push_batch(&mut self, times_us: &[i64], rows: &[f64], scores: &mut [Score]) {
        let width = self.dimensions;
        assert!(times_us.len() == scores.len() && rows.len() == width * scores.len());
        let mut from = 0;
        while from < scores.len() {
            let left = self.window - self.rows.len() / width;
            let together = (scores.len() - from).min(BLOCK_ROWS).min(left);
            let to = from + together;
            if together >= TOGETHER_MIN && !self.reach.is_empty() && !self.reach.has_table() {
                self.push_block(&rows[from * width..to * width], &mut scores[from..to]);
            } else {
                for at in from..to {
                    scores[at] = self.push(times_us[at], &rows[at * width..][..width]);
                }
            }
            from = to;
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.reach.heap_bytes()
            + self.ranks.heap_bytes()
            + self.ranges.len() * self.dimensions * size_of::<(f64, f64)>()
            + self.rows.capacity() * size_of::<f64>()
            + (self.columns.capacity() + self.values.capacity()) * size_of::<Block>()
            + self.peaks.heap_bytes()
    }
}
