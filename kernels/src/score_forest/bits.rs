//! One row at a time: all comparisons of a small tree at once, then the path by jumping pointers.
//!
//! A tree of up to 64 nodes keeps for each node its view and code in bytes. With the row's codes
//! in registers, one shuffle of bytes fetches what each node asks, and one comparison gives a bit
//! a node: whether it sends the row to the right. The bits blend two vectors of children into
//! `next`, what follows each node: another node (its highest bit set) or a leaf. Then
//!
//! ```text
//! next = next[next] where it is a node     one shuffle: two steps, four, eight, …
//! ```
//!
//! until the steps are as many as the tree is deep: `next[0]` is the row's leaf. There is no
//! branch, and nothing waits for memory but the four loads of each tree, 256 bytes side by side,
//! so that trees overlap. Where there is one sum, it is added up in a register in the same loop.
//! (Walking by the same bits, `node = child[2 × node + bit]`, four trees side by side, took three
//! times as long: it waits for each child. Leaves in a table of their own, looked up by the path's
//! last node and its bit, and added in a second loop, took half as long again.)

use super::{Child, Trees};

/// Nodes of a tree that fit into one vector of bytes.
pub(super) const NODES_MAX: usize = 64;

/// Views that a row may have: two vectors of bytes.
pub(super) const VIEWS_MAX: usize = 128;

/// A tree of up to 64 nodes.
#[derive(Debug, Clone)]
#[repr(align(64))]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only AVX-512 reads it"))]
pub(super) struct BitTree {
    /// The view that each node asks.
    pub views: [u8; NODES_MAX],
    /// The greatest code that it sends to the left.
    pub codes: [u8; NODES_MAX],
    /// What is on the left of each: a node and [`NODE`], or a leaf.
    pub left: [u8; NODES_MAX],
    /// The same on the right.
    pub right: [u8; NODES_MAX],
}

/// The bit of a child that is a node.
const NODE: u8 = 1 << 7;

impl BitTree {
    /// A tree of the forest, where it is small enough and its views are few enough.
    pub fn new(
        trees: &Trees,
        tree: usize,
        comparisons: &[super::plan::Comparison],
        views: usize,
    ) -> Option<Self> {
        let nodes = trees.nodes_of(tree);
        if views > VIEWS_MAX || nodes.len() > NODES_MAX {
            return None;
        }
        // As it stands this is a tree of one leaf, 0.
        let mut small = Self {
            views: [0; NODES_MAX],
            codes: [u8::MAX; NODES_MAX],
            left: [0; NODES_MAX],
            right: [0; NODES_MAX],
        };
        for (node, index) in nodes.enumerate() {
            let (view, code) = comparisons[index];
            (small.views[node], small.codes[node]) = (view as u8, code);
            small.left[node] = byte_of(trees.left[index]);
            small.right[node] = byte_of(trees.right[index]);
        }
        Some(small)
    }
}

/// A tree of 64 nodes has 65 leaves.
fn byte_of(child: Child) -> u8 {
    match child.get() {
        Ok(node) => node as u8 | NODE,
        Err(leaf) => leaf as u8,
    }
}

/// How often `next` is applied to itself for trees of this depth: 2ⁿ steps are enough to come from
/// the root to a leaf.
pub(super) fn doublings(depth: usize) -> u32 {
    depth.next_power_of_two().trailing_zeros()
}
