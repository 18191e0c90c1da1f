//! Isolation forests: how far a row comes before random cuts have set it apart (F. T. Liu,
//! K. M. Ting, Z.-H. Zhou, "Isolation Forest", ICDM 2008).
//!
//! A tree cuts one column at a time; a row ends at a level, plus what a tree that was not cut off
//! there would have taken on average. The score is 2^(−mean level / c), near 1 for a row that ends
//! early.
//!
//! # Levels are integers
//! A level is held in units of 2⁻³² ([`LEVEL_ONE`]), so that the sum over trees is exact: it may be
//! taken in any order, by any number of threads, and has the same bits. What is rounded is a
//! level, when it comes in, by at most 2⁻³³; so a mean level lies within [`LEVEL_TOLERANCE`] of
//! the one of sums in `f64`, and a score as well (its slope is below 1 wherever c ≥ 1). The power
//! of two is taken once a row, by [`score`].
//!
//! # Missing values
//! NaN goes to the side that its node names. Both zeros are one; infinities are compared.

#[cfg(feature = "gpu")]
pub mod gpu;
pub mod scalar;
mod simd;
#[cfg(test)]
mod tests;

use crate::score_forest::{Child, Missing, Rule, Trees};

pub use simd::Ready;

/// Units of a level of 1.
pub const LEVEL_ONE: f64 = 4_294_967_296.0;

/// How far a mean level may lie from the mean of levels in `f64`: half a unit, and what `f64` sums
/// of thousands of levels lose themselves.
pub const LEVEL_TOLERANCE: f64 = 2.4e-10;

/// The greatest level of an end: with [`TREES_MAX`] of them a sum still fits 64 bits.
pub const LEVEL_MAX: f64 = 4096.0;

/// Trees of a forest.
pub const TREES_MAX: usize = 1 << 19;

/// A node: a cut, or an end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// Where a cut is: what is above goes up. In an end, the level.
    pub value: f64,
    /// The column that is cut.
    pub column: u32,
    /// The lower child, counted from the tree's root; the upper one follows it. 0 in an end.
    pub child: u32,
    /// Whether NaN goes up.
    pub nan_up: bool,
}

impl Node {
    /// An end at a level.
    #[must_use]
    pub fn end(level: f64) -> Self {
        Self { value: level, column: 0, child: 0, nan_up: false }
    }
}

/// An isolation forest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forest {
    columns: usize,
    nodes: Vec<Node>,
    /// What each end stands for, in units of 2⁻³²; 0 for cuts.
    levels: Vec<u64>,
    roots: Vec<u32>,
}

/// A level in units of 2⁻³², to nearest.
#[must_use]
pub fn level_units(level: f64) -> u64 {
    // Exact: a product with a power of two, and numbers below 2^45.
    (level * LEVEL_ONE).round() as u64
}

impl Forest {
    /// No tree yet, for rows of so many columns.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Adds a tree, its root first.
    ///
    /// # Errors
    /// Where it is no tree: nothing in it, a child that does not come after its parent or is not
    /// there, a column that rows don't have, a cut that is NaN, a level that is negative or above
    /// [`LEVEL_MAX`], or more than [`TREES_MAX`] trees.
    pub fn push(&mut self, tree: &[Node]) -> Result<(), String> {
        if tree.is_empty() || self.roots.len() == TREES_MAX {
            return Err(format!("a tree of {} nodes, tree {}", tree.len(), self.roots.len()));
        }
        for (at, node) in tree.iter().enumerate() {
            let child = node.child as usize;
            let sound = if child == 0 {
                (0.0..=LEVEL_MAX).contains(&node.value)
            } else {
                child > at
                    && child + 1 < tree.len()
                    && (node.column as usize) < self.columns
                    && !node.value.is_nan()
            };
            if !sound {
                return Err(format!("node {at} of tree {} is {node:?}", self.roots.len()));
            }
        }
        let root = u32::try_from(self.nodes.len() + tree.len())
            .map_err(|_| "more than 2^32 nodes".to_owned())?
            - tree.len() as u32;
        self.roots.push(root);
        self.nodes.extend_from_slice(tree);
        let levels = tree.iter().map(|n| if n.child == 0 { level_units(n.value) } else { 0 });
        self.levels.extend(levels);
        Ok(())
    }

    /// The forest that `trees` are, where their leaves hold levels and their nodes compare
    /// numbers: as the ONNX reader makes them.
    ///
    /// # Errors
    /// Where they are something else.
    pub fn from_trees(trees: &Trees) -> Result<Self, String> {
        trees.check().map_err(|fault| fault.to_string())?;
        if trees.outputs != 1 {
            return Err(format!("{} outputs", trees.outputs));
        }
        let mut forest = Self::new(trees.features);
        for tree in 0..trees.len() {
            forest.push(&renumbered(trees, tree)?)?;
        }
        Ok(forest)
    }

    /// Columns of a row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of trees.
    #[must_use]
    pub fn trees(&self) -> usize {
        self.roots.len()
    }
}

/// A tree breadth first, siblings side by side.
fn renumbered(trees: &Trees, tree: usize) -> Result<Vec<Node>, String> {
    let (first_node, first_leaf) = (trees.nodes_of(tree).start, trees.leaves_of(tree).start);
    let root = if trees.nodes_of(tree).is_empty() { Child::leaf(0) } else { Child::node(0) };
    let mut order = vec![root];
    let mut nodes = Vec::new();
    while let Some(child) = order.get(nodes.len()) {
        let node = match child.get() {
            Err(leaf) => Node::end(trees.leaf[first_leaf + leaf]),
            Ok(node) => {
                let at = first_node + node;
                let Rule::Numeric { missing, default_left } = trees.rule[at] else {
                    return Err("a node that asks for categories".to_owned());
                };
                let nan_up = match missing {
                    // Compared as if it were 0.
                    Missing::Never => trees.threshold[at] < 0.0,
                    Missing::Nan => !default_left,
                    Missing::ZeroOrNan => return Err("zeros that are missing".to_owned()),
                };
                let child = order.len() as u32;
                order.extend([trees.left[at], trees.right[at]]);
                Node { value: trees.threshold[at], column: trees.feature[at], child, nan_up }
            }
        };
        nodes.push(node);
    }
    Ok(nodes)
}

/// The score of a row from the sum of its levels: 2^(−mean ÷ `mean_level`), where that is the level
/// at which an average row ends. NaN for no trees.
#[must_use]
pub fn score(sum: u64, trees: usize, mean_level: f64) -> f64 {
    libm::exp2(-mean(sum, trees) / mean_level)
}

/// The mean level from a sum over so many trees.
#[must_use]
pub fn mean(sum: u64, trees: usize) -> f64 {
    sum as f64 / LEVEL_ONE / trees as f64
}

/// The sums of levels of rows, a column a slice, by the definition; [`Ready`] is faster where there
/// are many.
///
/// # Panics
/// When there are not as many columns as the forest has, or they differ in length from `out`.
pub fn level_sums(forest: &Forest, columns: &[&[f64]], out: &mut [u64]) {
    check(forest, columns, out);
    let mut row = vec![0.0; columns.len()];
    for (at, out) in out.iter_mut().enumerate() {
        for (value, column) in row.iter_mut().zip(columns) {
            *value = column[at];
        }
        *out = scalar::level_sum(forest, &row);
    }
}

fn check(forest: &Forest, columns: &[&[f64]], out: &[u64]) {
    assert_eq!(columns.len(), forest.columns);
    assert!(columns.iter().all(|column| column.len() == out.len()), "columns differ in length");
}
