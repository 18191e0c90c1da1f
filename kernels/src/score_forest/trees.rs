//! A forest as arrays: what every layout is made from, and the check that it is a forest.
//!
//! Each tree has inner nodes and leaves of its own, numbered from 0; the trees' nodes and leaves
//! lie one after the other in shared arrays (`node_offsets`, `leaf_offsets`). Node 0 of a tree is
//! its root; a tree without inner nodes is its leaf 0.
//!
//! # One comparison for all libraries
//! A numeric node sends `x ≤ threshold` to the left. Libraries that ask `x < t`, or that round
//! `x` to `f32` first, are brought to this form exactly, by another threshold ([`below_f64`],
//! [`below_f32`], [`not_above_f32`]): rounding is monotone, so the values that go left are still
//! all those up to some largest `f64`.

use std::fmt;

/// Levels of nodes that a tree may have: deeper ones are no model but an attack on the stack.
pub const DEPTH_MAX: usize = 1024;

/// Leaves of a tree that fit the 31 bits of a [`Child`].
pub const NODES_MAX: usize = 1 << 31;

/// Values as near to zero as this are zero to [`Missing::ZeroOrNan`] (LightGBM's `kZeroThreshold`,
/// which is an `f32`).
pub const ZERO_MAX: f64 = 1e-35_f32 as f64;

/// Where a node leads: to an inner node or to a leaf of the same tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child(u32);

impl Child {
    const LEAF: u32 = 1 << 31;

    /// To inner node `index` of the tree (below 2³¹).
    #[must_use]
    pub fn node(index: u32) -> Self {
        debug_assert!(index < Self::LEAF);
        Self(index & !Self::LEAF)
    }

    /// To leaf `index` of the tree (below 2³¹).
    #[must_use]
    pub fn leaf(index: u32) -> Self {
        debug_assert!(index < Self::LEAF);
        Self(index | Self::LEAF)
    }

    /// The inner node, or the leaf as an error.
    ///
    /// # Errors
    /// Where it is a leaf: the leaf's number.
    #[inline]
    pub fn get(self) -> Result<usize, usize> {
        let index = (self.0 & !Self::LEAF) as usize;
        if self.0 & Self::LEAF == 0 { Ok(index) } else { Err(index) }
    }
}

/// Which values count as missing at a numeric node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Missing {
    /// None: NaN is compared as if it were 0.
    Never,
    /// NaN.
    Nan,
    /// NaN, and what is within [`ZERO_MAX`] of zero.
    ZeroOrNan,
}

/// How a node decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// `x ≤ threshold` goes left; a missing value goes where it is told.
    Numeric {
        /// What counts as missing.
        missing: Missing,
        /// Whether a missing value goes left.
        default_left: bool,
    },
    /// `x`, cut to an integer, is looked for in a set of categories.
    Set {
        /// Index into [`Trees::sets`].
        set: u32,
        /// Whether members go left; others, negative and huge values go to the other side.
        members_left: bool,
        /// Whether NaN goes left.
        default_left: bool,
        /// Whether values between −1 and 0 are category 0 (as C's conversion cuts them), or no
        /// category.
        cuts_negative: bool,
    },
}

/// In which precision leaves are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sum {
    /// Each addition rounds to `f64`.
    #[default]
    F64,
    /// Each addition rounds to `f32`; leaves and initial values are `f32` numbers.
    F32,
}

/// A forest. Build it by pushing whole trees, then [`Trees::check`] it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trees {
    /// Number of features that a row has.
    pub features: usize,
    /// Number of sums that a row gets (1, or one a class).
    pub outputs: usize,
    /// Values a leaf: 1 (added to the tree's output), or `outputs` (one for each).
    pub leaf_width: usize,
    /// Precision of the sums.
    pub sum: Sum,
    /// Whether categories are rounded to `f32` before they are looked up.
    pub f32_features: bool,
    /// For each tree the output that its leaves add to.
    pub output: Vec<u32>,
    /// Where each tree's inner nodes start, and where the last one's end.
    pub node_offsets: Vec<u32>,
    /// Where each tree's leaves start, and where the last one's end.
    pub leaf_offsets: Vec<u32>,
    /// Inner nodes: the feature that each looks at.
    pub feature: Vec<u32>,
    /// Inner nodes: the threshold of numeric ones.
    pub threshold: Vec<f64>,
    /// Inner nodes: how each decides.
    pub rule: Vec<Rule>,
    /// Inner nodes: where each leads.
    pub left: Vec<Child>,
    /// Inner nodes: where each leads otherwise.
    pub right: Vec<Child>,
    /// Leaves: `leaf_width` values each.
    pub leaf: Vec<f64>,
    /// Sets of categories: bit `c % 64` of word `c / 64` is set for member `c`.
    pub sets: Vec<Vec<u64>>,
}

/// What keeps arrays from being a forest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The tree, from 0.
    pub tree: usize,
    /// Its inner node, where it is one.
    pub node: Option<usize>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tree {}", self.tree)?;
        if let Some(node) = self.node {
            write!(f, ", node {node}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl Trees {
    /// Bytes that the arrays hold.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let nodes = size_of::<(u32, f64, Rule, Child, Child)>();
        self.feature.len() * nodes
            + size_of_val(&*self.leaf)
            + size_of_val(&*self.output)
            + size_of_val(&*self.node_offsets)
            + size_of_val(&*self.leaf_offsets)
            + self.sets.iter().map(|set| size_of_val(&**set)).sum::<usize>()
    }

    /// No tree yet, for rows of `features` and `outputs` sums, with one value a leaf.
    #[must_use]
    pub fn new(features: usize, outputs: usize) -> Self {
        Self {
            features,
            outputs,
            leaf_width: 1,
            node_offsets: vec![0],
            leaf_offsets: vec![0],
            ..Self::default()
        }
    }

    /// Number of trees.
    #[must_use]
    pub fn len(&self) -> usize {
        self.output.len()
    }

    /// Whether there is no tree.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.output.is_empty()
    }

    /// Ends the tree whose nodes and leaves have been pushed: it adds to `output`.
    pub fn end_tree(&mut self, output: u32) {
        self.output.push(output);
        self.node_offsets.push(self.feature.len() as u32);
        self.leaf_offsets.push((self.leaf.len() / self.leaf_width.max(1)) as u32);
    }

    /// The inner nodes of a tree, as a range of the shared arrays.
    #[must_use]
    pub fn nodes_of(&self, tree: usize) -> std::ops::Range<usize> {
        self.node_offsets[tree] as usize..self.node_offsets[tree + 1] as usize
    }

    /// The leaves of a tree, as a range of leaf numbers of the forest.
    #[must_use]
    pub fn leaves_of(&self, tree: usize) -> std::ops::Range<usize> {
        self.leaf_offsets[tree] as usize..self.leaf_offsets[tree + 1] as usize
    }

    /// Checks that this is a forest: every index in range, each node and leaf reached exactly
    /// once (so no cycle), every number finite, no tree deeper than [`DEPTH_MAX`].
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn check(&self) -> Result<(), Fault> {
        let fault = |what: &str| Fault { tree: 0, node: None, what: what.to_owned() };
        let (nodes, trees) = (self.feature.len(), self.len());
        let leaves = self.leaf.len() / self.leaf_width.max(1);
        if self.outputs == 0 || (self.leaf_width != 1 && self.leaf_width != self.outputs) {
            return Err(fault("a leaf has one value, or one for each output"));
        }
        if self.leaf.len() != leaves * self.leaf_width || nodes.max(leaves) >= NODES_MAX {
            return Err(fault("the array of leaves is cut"));
        }
        let columns = [self.threshold.len(), self.rule.len(), self.left.len(), self.right.len()];
        if columns.iter().any(|&len| len != nodes) {
            return Err(fault("the arrays of nodes differ in length"));
        }
        for (offsets, len) in [(&self.node_offsets, nodes), (&self.leaf_offsets, leaves)] {
            let whole = offsets.len() == trees + 1
                && offsets.first() == Some(&0)
                && offsets.last().map(|&end| end as usize) == Some(len)
                && offsets.is_sorted();
            if !whole {
                return Err(fault("the trees don't divide the arrays"));
            }
        }
        (0..trees).try_for_each(|tree| self.check_tree(tree))
    }

    fn check_tree(&self, tree: usize) -> Result<(), Fault> {
        let fault = |node, what: String| Err(Fault { tree, node, what });
        if self.output[tree] as usize >= self.outputs {
            return fault(
                None,
                format!("it adds to output {} of {}", self.output[tree], self.outputs),
            );
        }
        let (nodes, leaves) = (self.nodes_of(tree), self.leaves_of(tree));
        for (node, index) in nodes.clone().enumerate() {
            if self.feature[index] as usize >= self.features {
                let what = format!("feature {} of {}", self.feature[index], self.features);
                return fault(Some(node), what);
            }
            let known = match self.rule[index] {
                Rule::Numeric { .. } => self.threshold[index].is_finite(),
                Rule::Set { set, .. } => (set as usize) < self.sets.len(),
            };
            if !known {
                return fault(Some(node), format!("threshold {}", self.threshold[index]));
            }
        }
        let width = self.leaf_width;
        let values = &self.leaf[leaves.start * width..leaves.end * width];
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return fault(None, format!("leaf {} has the value {}", at / width, values[at]));
        }
        self.check_shape(tree, nodes.start, nodes.len(), leaves.len())
    }

    /// Walks the tree: each node and each leaf once.
    fn check_shape(
        &self,
        tree: usize,
        first: usize,
        nodes: usize,
        leaves: usize,
    ) -> Result<(), Fault> {
        let fault = |node, what: String| Err(Fault { tree, node, what });
        let mut node_seen = vec![false; nodes];
        let mut leaf_seen = vec![false; leaves];
        let root = if nodes == 0 { Child::leaf(0) } else { Child::node(0) };
        let mut open = vec![(root, None, 0_usize)];
        while let Some((child, from, depth)) = open.pop() {
            if depth > DEPTH_MAX {
                return fault(from, format!("deeper than {DEPTH_MAX} levels"));
            }
            let (kind, at, seen) = match child.get() {
                Ok(node) => ("node", node, node_seen.get_mut(node)),
                Err(leaf) => ("leaf", leaf, leaf_seen.get_mut(leaf)),
            };
            match seen {
                None => return fault(from, format!("it leads to {kind} {at}, which is not there")),
                Some(true) => {
                    return fault(
                        from,
                        format!(
                            "it leads to {kind} {at}, which has been reached before: a cycle or two parents"
                        ),
                    );
                }
                Some(seen) => *seen = true,
            }
            if let Ok(node) = child.get() {
                open.push((self.right[first + node], Some(node), depth + 1));
                open.push((self.left[first + node], Some(node), depth + 1));
            }
        }
        for (kind, seen) in [("node", node_seen), ("leaf", leaf_seen)] {
            if let Some(at) = seen.iter().position(|seen| !seen) {
                return fault(None, format!("{kind} {at} is reached from nowhere"));
            }
        }
        Ok(())
    }
}

/// The largest `f64` below `threshold`: `x < threshold` holds where `x ≤` it does.
#[must_use]
pub fn below_f64(threshold: f64) -> f64 {
    threshold.next_down()
}

/// The largest `f64` that is below `threshold` once it is rounded to `f32` (to nearest, ties to
/// even): `(x as f32) < threshold` holds where `x ≤` it does. `threshold` is finite.
#[must_use]
pub fn below_f32(threshold: f32) -> f64 {
    // What rounds to either neighbour meets halfway. Past the largest f32 the grid goes on to
    // 2^128, from where on values round to infinity.
    const BEYOND: f64 = 340_282_366_920_938_463_463_374_607_431_768_211_456.0;
    let lower = match threshold.next_down() {
        lower if lower.is_finite() => f64::from(lower),
        _ => -BEYOND,
    };
    let middle = f64::midpoint(lower, f64::from(threshold));
    if (middle as f32) < threshold { middle } else { middle.next_down() }
}

/// The largest `f64` that is at most `threshold` once it is rounded to `f32`. `threshold` is
/// finite.
#[must_use]
pub fn not_above_f32(threshold: f32) -> f64 {
    // x ≤ t is not (t < x) is not (−x < −t).
    -below_f32(-threshold).next_up()
}
