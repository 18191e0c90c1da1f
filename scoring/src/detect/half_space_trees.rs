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
//!
//! Column ranges are those of the first window, widened by the paper's random work range.
//! The raw score is −ln of the mean mass; [`super::tail`] makes it a probability.

use super::random::{Random, mix};
use super::tail::{Peaks, calibrate};
use super::{Score, Stream, is_usable};

/// The paper's constants.
pub const TREES: usize = 25;
/// Levels below the root.
pub const DEPTH: u32 = 15;
/// Rows in a window.
pub const WINDOW: usize = 250;

/// Trees that are walked side by side.
const SIDE_BY_SIDE: usize = 13;

/// A node that a row may reach.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    /// Middle of the range; NaN in a last node, so that no row goes up from it.
    middle: f64,
    column: u32,
    /// Index of the lower child, the upper one follows; its own in a last node, so that a walk
    /// that has ended stays where it is while others go on.
    child: u32,
}

/// What of the trees the reference window can reach: the nodes of all of them.
#[derive(Debug, Clone, Default, PartialEq)]
struct Reach {
    nodes: Vec<Node>,
    /// By node: the score mass·2^level of a last one.
    masses: Vec<f64>,
    roots: Vec<u32>,
    /// By group of trees: the deepest level.
    levels: Vec<u32>,
}

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
    /// Room for building: the window by columns, and row numbers.
    columns: Vec<f64>,
    order: Vec<u16>,
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
            columns: Vec::new(),
            order: Vec::new(),
        }
    }

    /// The mean over the trees of mass·2^level, the paper's score; `None` before a window ended.
    #[must_use]
    pub fn mass(&self, row: &[f64]) -> Option<f64> {
        if self.reach.roots.is_empty() || row.len() != self.dimensions {
            return None;
        }
        Some(self.reach.sum(row) / self.count as f64)
    }

    /// The window has ended: its rows become the reference.
    fn renew(&mut self) {
        if self.ranges.is_empty() {
            self.draw_ranges();
        }
        let count = self.rows.len() / self.dimensions;
        self.columns.clear();
        for column in 0..self.dimensions {
            self.columns.extend(self.rows.iter().skip(column).step_by(self.dimensions));
        }
        let mut order = std::mem::take(&mut self.order);
        order.resize(2 * count, 0);
        let (rows, above) = order.split_at_mut(count);
        let reach = &mut self.reach;
        reach.nodes.clear();
        reach.masses.clear();
        reach.roots.clear();
        reach.levels.clear();
        for (index, ranges) in self.ranges.iter_mut().enumerate() {
            rows.iter_mut().zip(0..).for_each(|(row, number)| *row = number);
            let mut builder = Builder {
                columns: &self.columns,
                window: count,
                dimensions: self.dimensions,
                depth: self.depth,
                size_limit: self.size_limit,
                seed: tree_seed(self.seed, index),
                ranges,
                reach,
                above,
                deepest: 0,
            };
            let root = builder.add_two();
            builder.build(root, 1, 0, rows);
            let deepest = builder.deepest;
            reach.roots.push(root as u32);
            match reach.levels.last_mut() {
                Some(levels) if index % SIDE_BY_SIDE != 0 => *levels = deepest.max(*levels),
                _ => reach.levels.push(deepest),
            }
        }
        self.order = order;
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

impl Reach {
    /// The sum over the trees of mass·2^level where `row` ends. Trees are walked in groups, a
    /// level at a time: the walks don't wait for each other's loads, and the number of steps
    /// depends on the group alone, so that no branch is guessed wrong.
    #[inline]
    fn sum(&self, row: &[f64]) -> f64 {
        let mut sum = 0.0;
        for (roots, levels) in self.roots.chunks(SIDE_BY_SIDE).zip(&self.levels) {
            let mut at = [0_u32; SIDE_BY_SIDE];
            at[..roots.len()].copy_from_slice(roots);
            for _ in 0..*levels {
                for at in &mut at {
                    let node = self.nodes[*at as usize];
                    *at = node.child + u32::from(row[node.column as usize] >= node.middle);
                }
            }
            sum += at[..roots.len()].iter().map(|at| self.masses[*at as usize]).sum::<f64>();
        }
        sum
    }
}

/// Builds the part of a tree that can be reached.
struct Builder<'a> {
    /// The window by columns.
    columns: &'a [f64],
    window: usize,
    dimensions: usize,
    depth: u32,
    size_limit: usize,
    seed: u64,
    ranges: &'a mut [(f64, f64)],
    reach: &'a mut Reach,
    /// Room for the rows of an upper half.
    above: &'a mut [u16],
    deepest: u32,
}

impl Builder<'_> {
    /// Room for two nodes; the index of the first.
    fn add_two(&mut self) -> usize {
        let index = self.reach.nodes.len();
        let blank = Node { middle: f64::NAN, column: 0, child: 0 };
        self.reach.nodes.extend([blank, blank]);
        self.reach.masses.extend([0.0, 0.0]);
        index
    }

    /// Builds the node at `index`, whose rows are `order`.
    fn build(&mut self, index: usize, place: u64, level: u32, order: &mut [u16]) {
        if order.len() <= self.size_limit || level == self.depth {
            self.deepest = self.deepest.max(level);
            self.reach.masses[index] = order.len() as f64 * (1_u64 << level) as f64;
            self.reach.nodes[index] = Node { middle: f64::NAN, column: 0, child: index as u32 };
            return;
        }
        let column = column_of(self.seed, place, self.dimensions);
        let range = self.ranges[column];
        let middle = 0.5 * (range.0 + range.1);
        // Both halves are written without a branch: which one a row takes can't be guessed.
        let (mut lower, mut upper) = (0, 0);
        let values = &self.columns[column * self.window..][..self.window];
        let scratch = &mut self.above[..order.len()];
        for at in 0..order.len() {
            let row = order[at];
            let is_upper = values[usize::from(row)] >= middle;
            order[lower] = row;
            scratch[upper] = row;
            lower += usize::from(!is_upper);
            upper += usize::from(is_upper);
        }
        order[lower..].copy_from_slice(&self.above[..upper]);
        let child = self.add_two();
        self.reach.nodes[index] = Node { middle, column: column as u32, child: child as u32 };
        let (below, above) = order.split_at_mut(lower);
        self.ranges[column] = (range.0, middle);
        self.build(child, 2 * place, level + 1, below);
        self.ranges[column] = (middle, range.1);
        self.build(child + 1, 2 * place + 1, level + 1, above);
        self.ranges[column] = range;
    }
}

impl Stream for HalfSpaceTrees {
    fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// A missing value goes to the lower half; a row of nothing else is missing.
    fn push(&mut self, _time_us: i64, row: &[f64]) -> Score {
        if row.len() != self.dimensions || !row.iter().any(|value| is_usable(*value)) {
            return Score::MISSING;
        }
        let mass = self.mass(row);
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

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.reach.nodes.capacity() * (size_of::<Node>() + size_of::<f64>())
            + self.ranges.len() * self.dimensions * size_of::<(f64, f64)>()
            + (self.rows.capacity() + self.columns.capacity()) * size_of::<f64>()
            + self.order.capacity() * size_of::<u16>()
            + self.peaks.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's way: a mass for each of 2^(depth+1) places, counted row by row.
    fn plain_mass(trees: &HalfSpaceTrees, index: usize, window: &[f64], row: &[f64]) -> f64 {
        let seed = tree_seed(trees.seed, index);
        let path = |row: &[f64]| {
            let mut ranges = trees.ranges[index].clone();
            let mut places = vec![1_u64];
            for _ in 0..trees.depth {
                let place = *places.last().unwrap();
                let column = column_of(seed, place, trees.dimensions);
                let range = ranges[column];
                let middle = 0.5 * (range.0 + range.1);
                let upper = row[column] >= middle;
                ranges[column] = if upper { (middle, range.1) } else { (range.0, middle) };
                places.push(2 * place + u64::from(upper));
            }
            places
        };
        let mut masses = std::collections::HashMap::new();
        for row in window.chunks(trees.dimensions) {
            path(row).into_iter().for_each(|place| *masses.entry(place).or_insert(0_usize) += 1);
        }
        for (level, place) in path(row).into_iter().enumerate() {
            let mass = masses.get(&place).copied().unwrap_or(0);
            if mass <= trees.size_limit || level as u32 == trees.depth {
                return mass as f64 * (1_u64 << level) as f64;
            }
        }
        unreachable!("the last level returns")
    }

    #[test]
    fn masses_equal_the_papers() {
        for (dimensions, depth, window) in [(1, 15, 250), (3, 15, 250), (5, 6, 40), (2, 3, 20)] {
            let mut random = Random::new(7);
            let mut trees = HalfSpaceTrees::with(dimensions, 7, depth, window, 3);
            let mut row = || -> Vec<f64> {
                (0..dimensions).map(|_| random.unit() + random.unit() + 0.1).collect()
            };
            let mut last = Vec::new();
            for _ in 0..3 {
                last = (0..window).flat_map(|_| row()).collect();
                last.chunks(dimensions).for_each(|row| {
                    trees.push(0, row);
                });
            }
            for mut probe in (0..100).map(|_| row()) {
                probe[0] *= 3.0;
                let plain = (0..7).map(|tree| plain_mass(&trees, tree, &last, &probe)).sum::<f64>();
                assert_eq!(trees.mass(&probe), Some(plain / 7.0));
            }
        }
    }
}
