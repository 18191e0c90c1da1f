//! Scores of forests: for each row, the sum of the leaves that it comes to, tree by tree.
//!
//! * [`Trees`] is the forest as arrays; [`scalar`] is the definition: walk each tree.
//! * [`Plan`] is the forest made ready for speed; [`score_columns`] scores many rows at a time.
//!
//! # Codes
//! All trees together ask a feature only against some sorted thresholds `t₀ < t₁ < …`. So each
//! value is looked up once (a search tree with 16 numbers a block, two blocks for up to 256
//! thresholds) and becomes its **code**: how many thresholds are below it. Then
//!
//! ```text
//! x ≤ tⱼ   ⇔   code(x) ≤ j
//! ```
//!
//! exactly, whatever the type of the numbers, and a byte holds the code. What a library does with
//! missing values is settled here too: a node reads a **view** of its feature, and a missing
//! value has code 255 (right of every threshold) in one view and 0 in another, as the node's
//! default direction wants. A set of categories is a view with the codes 0 and 1. More than 255
//! thresholds are cut into views of 255 each, where codes below and above are clamped. So the
//! loops over trees know one comparison of bytes, and nothing else.
//!
//! # Layouts
//! * [`Layout::Select`], up to 256 leaves: for a block of 128 rows, every node selects between
//!   what its children selected, leaves first:
//!
//!   ```text
//!   value(leaf l) = l      value(node) = code ≤ j ? value(left) : value(right)
//!   ```
//!
//!   A node costs one comparison and one blend of bytes for 64 rows: no branch, no gather, no
//!   dependence on the data. The root's value is the leaf of each row. This is QuickScorer's
//!   idea (C. Lucchese et al., SIGIR 2015: ask every node, in any order, rather than walk) with
//!   leaf numbers in bytes instead of leaf masks in words: its masks need an AND of 8 bytes a row
//!   and node, a blend of leaf numbers 1 byte.
//! * [`Layout::Walk`], larger trees: nodes breadth first, both children side by side, so that a
//!   step is `next = first_child + (code > j)`; a leaf leads to itself. Sixteen rows walk at a
//!   time, without branches on the data (N. Asadi, J. Lin, A. de Vries, "Runtime optimizations
//!   for tree-based machine learning models", TKDE 2014).
//!
//! A few rows at a time walk in either case, one by one: eight trees side by side, or with
//! AVX-512 and up to 64 nodes by all comparisons at once (the `bits` module).
//!
//! Then the leaves of each tree are added to the sums, tree by tree: the same additions in the
//! same order as in the definition, hence the same bits on every level.

mod bits;
mod block;
mod codes;
#[cfg(feature = "gpu")]
pub mod gpu;
mod plan;
pub mod scalar;
#[cfg(target_arch = "x86_64")]
mod simd;
#[cfg(test)]
pub(crate) mod tests;
mod trees;

pub use block::{Scratch, score_columns, score_row};
pub use plan::{Layout, Plan};
pub use trees::{
    Child, DEPTH_MAX, Fault, Missing, NODES_MAX, Rule, Sum, Trees, ZERO_MAX, below_f32, below_f64,
    not_above_f32,
};

/// Rows that are scored at a time: two 512-bit vectors of bytes.
pub const BLOCK_ROWS: usize = 128;

/// One byte for each row of a block.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Block([u8; BLOCK_ROWS]);
