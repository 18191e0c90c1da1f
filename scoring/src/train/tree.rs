//! One tree, grown leaf by leaf: of all leaves, the one whose best split gains most is split
//! next. With the same number of leaves this fits better than growing by level, and it is held
//! back by the number of leaves, the rows and the curvature that each must keep.
//!
//! ```text
//! gain = G_L² ⁄ (H_L + λ) + G_R² ⁄ (H_R + λ) − G² ⁄ (H + λ)      leaf = −shrinkage · G ⁄ (H + λ)
//! ```
//!
//! G and H: sums of gradients and curvatures of a leaf's rows. Each border of each feature is
//! tried with the missing values on either side; where a leaf has none, they will go with the
//! more rows. Of equal gains the first feature and the lowest border win, so that trees are the
//! same whoever grows them.

use super::bins::Binned;
use super::histogram::{Cell, Derivatives, Histogram, STRIDE, UNIT, fill, subtract, total};

/// What holds a tree back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TreeLimits {
    /// Most leaves.
    pub leaves: usize,
    /// Fewest rows of a leaf.
    pub rows_min: usize,
    /// Least sum of curvatures of a leaf.
    pub weight_min: f64,
    /// λ.
    pub l2: f64,
    /// Least gain of a split.
    pub gain_min: f64,
}

/// An inner node of a tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// Number of the feature.
    pub feature: u32,
    /// Last bin that goes left.
    pub bin: u8,
    /// Values up to this go left.
    pub threshold: f64,
    /// Whether missing values go left.
    pub default_left: bool,
    /// Where it goes from here: a node, or −1 − number of the leaf.
    pub left: i32,
    /// As `left`.
    pub right: i32,
    /// What the split gains.
    pub gain: f64,
    /// What it would say were it a leaf.
    pub value: f64,
    /// Sum of its rows' curvatures.
    pub weight: f64,
    /// Number of its rows.
    pub rows: u64,
}

/// A leaf of a tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leaf {
    /// What it adds to the score.
    pub value: f64,
    /// Sum of its rows' curvatures.
    pub weight: f64,
    /// Number of its rows.
    pub rows: u64,
}

/// A tree; node 0 is the root, and without nodes leaf 0 is all there is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tree {
    /// Inner nodes.
    pub nodes: Vec<Node>,
    /// Leaves, one more than nodes.
    pub leaves: Vec<Leaf>,
}

impl Tree {
    /// The leaf of a row whose bins `bin` gives by feature; `missing` is the number of the bin of
    /// missing values of each feature.
    pub fn leaf_of(&self, missing: &[u8], bin: impl Fn(usize) -> u8) -> usize {
        let mut at = if self.nodes.is_empty() { -1 } else { 0 };
        while at >= 0 {
            let node = &self.nodes[at as usize];
            let bin = bin(node.feature as usize);
            at = if goes_left(bin, node.bin, missing[node.feature as usize], node.default_left) {
                node.left
            } else {
                node.right
            };
        }
        (-1 - at) as usize
    }

    /// Adds to what all leaves and nodes say.
    pub fn shift(&mut self, by: f64) {
        self.leaves.iter_mut().for_each(|leaf| leaf.value += by);
        self.nodes.iter_mut().for_each(|node| node.value += by);
    }

    /// Multiplies what all leaves and nodes say.
    pub fn scale(&mut self, by: f64) {
        self.leaves.iter_mut().for_each(|leaf| leaf.value *= by);
        self.nodes.iter_mut().for_each(|node| node.value *= by);
    }
}

fn goes_left(bin: u8, last_left: u8, missing: u8, default_left: bool) -> bool {
    if bin == missing { default_left } else { bin <= last_left }
}

/// The best split of a leaf.
#[derive(Debug, Clone, Copy)]
struct Split {
    gain: f64,
    feature: usize,
    bin: u8,
    default_left: bool,
    left: Cell,
}

/// A leaf that may still be split.
struct Growing {
    /// Its part of the row numbers.
    rows: std::ops::Range<usize>,
    histogram: Histogram,
    sum: Cell,
    best: Option<Split>,
    /// The node above, and whether this is its left side.
    parent: Option<(usize, bool)>,
}

/// Everything that stays the same while a tree grows.
pub struct Ground<'a> {
    /// The rows' bins.
    pub binned: &'a Binned,
    /// The rows' derivatives.
    pub derivatives: &'a [Derivatives],
    /// Features that this tree may use.
    pub wanted: &'a [bool],
    /// What holds it back.
    pub limits: TreeLimits,
    /// Threads that count.
    pub threads: usize,
}

/// Grows a tree on these rows, whose order it changes. Leaves say −G ⁄ (H + λ): the caller
/// shrinks them.
#[must_use]
pub fn grow(ground: &Ground<'_>, rows: &mut [u32]) -> Tree {
    let mut histogram = Histogram::new();
    let count = |rows: &[u32], out: &mut Histogram| {
        fill(ground.binned, ground.derivatives, rows, ground.wanted, ground.threads, out);
    };
    count(rows, &mut histogram);
    let sum = total(ground.derivatives, rows);
    let best = best_split(ground, &histogram, sum);
    let mut growing = vec![Growing { rows: 0..rows.len(), histogram, sum, best, parent: None }];
    let mut nodes: Vec<Node> = Vec::new();
    let mut scratch = Vec::new();
    while growing.len() < ground.limits.leaves {
        let Some((at, split)) = most_gaining(&growing) else { break };
        let leaf = &mut growing[at];
        let range = leaf.rows.clone();
        let middle = range.start + part(ground, &split, &mut rows[range.clone()], &mut scratch);
        let (number, right_leaf) = (nodes.len(), nodes.len() + 1);
        let parent = leaf.parent.replace((number, true));
        nodes.push(node(ground, &split, leaf.sum, at, right_leaf));
        if let Some((above, is_left)) = parent {
            let side = if is_left { &mut nodes[above].left } else { &mut nodes[above].right };
            *side = number as i32;
        }
        let right_sum = leaf.sum.less(split.left);
        let mut other = Growing {
            rows: middle..range.end,
            histogram: Histogram::new(),
            sum: right_sum,
            best: None,
            parent: Some((number, false)),
        };
        leaf.rows = range.start..middle;
        leaf.sum = split.left;
        // Only the smaller side is counted.
        if leaf.rows.len() <= other.rows.len() {
            std::mem::swap(&mut leaf.histogram, &mut other.histogram);
            count(&rows[leaf.rows.clone()], &mut leaf.histogram);
            subtract(&mut other.histogram, &leaf.histogram);
        } else {
            count(&rows[other.rows.clone()], &mut other.histogram);
            subtract(&mut leaf.histogram, &other.histogram);
        }
        for side in [leaf, &mut other] {
            side.best = best_split(ground, &side.histogram, side.sum);
        }
        growing.push(other);
    }
    let leaves = growing.iter().map(|leaf| finished(leaf.sum, ground.limits.l2)).collect();
    Tree { nodes, leaves }
}

fn finished(sum: Cell, l2: f64) -> Leaf {
    Leaf { value: output(sum, l2), weight: sum.weight(), rows: sum.rows as u64 }
}

fn node(ground: &Ground<'_>, split: &Split, sum: Cell, left: usize, right: usize) -> Node {
    Node {
        feature: split.feature as u32,
        bin: split.bin,
        threshold: ground.binned.bins[split.feature].threshold(usize::from(split.bin)),
        default_left: split.default_left,
        left: -1 - left as i32,
        right: -1 - right as i32,
        gain: split.gain,
        value: output(sum, ground.limits.l2),
        weight: sum.weight(),
        rows: sum.rows as u64,
    }
}

/// The leaf that gains most; of equal ones the first.
fn most_gaining(growing: &[Growing]) -> Option<(usize, Split)> {
    let mut most: Option<(usize, Split)> = None;
    for (at, leaf) in growing.iter().enumerate() {
        if let Some(split) = leaf.best
            && most.is_none_or(|(_, best)| split.gain > best.gain)
        {
            most = Some((at, split));
        }
    }
    most
}

/// Puts the rows that go left before those that go right, both in their order; gives how many
/// go left.
fn part(ground: &Ground<'_>, split: &Split, rows: &mut [u32], scratch: &mut Vec<u32>) -> usize {
    let column = &ground.binned.columns[split.feature];
    let missing = ground.binned.bins[split.feature].len() as u8;
    scratch.clear();
    let mut left = 0;
    for at in 0..rows.len() {
        let row = rows[at];
        if goes_left(column[row as usize], split.bin, missing, split.default_left) {
            rows[left] = row;
            left += 1;
        } else {
            scratch.push(row);
        }
    }
    rows[left..].copy_from_slice(scratch);
    left
}

fn output(sum: Cell, l2: f64) -> f64 {
    let divisor = sum.weight() + l2;
    if divisor > 0.0 { -(sum.gradient as f64 * UNIT) / divisor } else { 0.0 }
}

fn strength(sum: Cell, l2: f64) -> f64 {
    let divisor = sum.weight() + l2;
    let gradient = sum.gradient as f64 * UNIT;
    if divisor > 0.0 { gradient * gradient / divisor } else { 0.0 }
}

fn best_split(ground: &Ground<'_>, histogram: &Histogram, sum: Cell) -> Option<Split> {
    let limits = &ground.limits;
    if sum.rows < 2 * limits.rows_min as i64 {
        return None;
    }
    let mut best = None;
    let whole = strength(sum, limits.l2);
    for (feature, cells) in histogram.chunks(STRIDE).enumerate() {
        if ground.wanted[feature] {
            let bins = ground.binned.bins[feature].len();
            try_feature(limits, feature, &cells[..=bins], (sum, whole), &mut best);
        }
    }
    best
}

/// All borders of a feature; the last of `cells` is that of the missing values.
fn try_feature(
    limits: &TreeLimits,
    feature: usize,
    cells: &[Cell],
    (sum, whole): (Cell, f64),
    best: &mut Option<Split>,
) {
    let Some((missing, cells)) = cells.split_last() else { return };
    let fits = |cell: Cell| {
        cell.rows >= (limits.rows_min.max(1)) as i64 && cell.weight() >= limits.weight_min
    };
    let mut valued = Cell::default();
    for (bin, cell) in cells.iter().enumerate() {
        valued = valued.plus(*cell);
        // The border after the last value parts what is missing from what is not.
        let is_last = bin + 1 == cells.len();
        let sides: &[bool] = match (missing.rows > 0, is_last) {
            _ if cell.rows == 0 && !is_last => &[],
            (true, true) | (false, false) => &[false],
            (true, false) => &[false, true],
            (false, true) => &[],
        };
        for &missing_left in sides {
            let left = if missing_left { valued.plus(*missing) } else { valued };
            let right = sum.less(left);
            if !fits(left) || !fits(right) {
                continue;
            }
            let gain = strength(left, limits.l2) + strength(right, limits.l2) - whole;
            let least = best.map_or(limits.gain_min, |best| best.gain);
            if gain > least {
                let default_left =
                    if missing.rows == 0 { left.rows >= right.rows } else { missing_left };
                *best = Some(Split { gain, feature, bin: bin as u8, default_left, left });
            }
        }
    }
}
