//! Sums over half-space trees: for each row, the sum of the masses that it comes to, tree by tree.
//!
//! A node asks whether a column is at least its middle; a last one has a mass. Rows come in blocks
//! of [`BLOCK_ROWS`], and each node selects between what its children selected, children first:
//!
//! ```text
//! value(last node) = its mass      value(node) = x ≥ middle ? value(child + 1) : value(child)
//! ```
//! No branch, no gather, nothing depends on the data: the question is asked of all rows of the
//! block, though most of them do not come by. A walk asks less, but waits for each answer, and
//! trees of some tens of nodes, which are new after each 250 rows, are not worth being made ready
//! as [`score_forest`](crate::score_forest) makes its own.
//!
//! # Contract
//! The children of node i are nodes `child` and `child + 1`, both above i. A missing value (NaN)
//! is below each middle. Sums are those of [`scalar`], to the bit.

pub mod scalar;
#[cfg(test)]
pub(crate) mod tests;

use crate::simd::multiversion;

/// Rows that are summed at a time.
pub const BLOCK_ROWS: usize = 32;

/// A node of a tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Half {
    /// A value of at least this goes to the upper child; NaN in a last node.
    pub middle: f64,
    /// Which value is asked for.
    pub column: u32,
    /// Index of the lower child, the upper one follows; its own in a last node.
    pub child: u32,
}

/// One value for each row of a block.
pub type Block = [f64; BLOCK_ROWS];

multiversion! {
    /// Adds to `sums` the masses that the rows come to in one tree, whose nodes are
    /// `nodes[first..]` and whose root is the first of them. `columns` are those of the rows;
    /// `values` is room for as many blocks as there are nodes in the tree.
    ///
    /// # Panics
    /// When an index is out of range.
    pub fn add_masses(
        nodes: &[Half],
        masses: &[f64],
        first: usize,
        columns: &[Block],
        values: &mut [Block],
        sums: &mut Block,
    ) {
        for (at, (node, mass)) in nodes.iter().zip(masses).enumerate().rev() {
            let child = node.child as usize - first;
            if child <= at {
                values[at] = [*mass; BLOCK_ROWS];
                continue;
            }
            let (own, below) = values.split_at_mut(child);
            let (lower, upper, own) = (&below[0], &below[1], &mut own[at]);
            let column = &columns[node.column as usize];
            for row in 0..BLOCK_ROWS {
                own[row] = if column[row] >= node.middle { upper[row] } else { lower[row] };
            }
        }
        for (sum, value) in sums.iter_mut().zip(&values[0]) {
            *sum += value;
        }
    }
}
