//! One row at a time: all comparisons of a small tree at once, then the path by jumping pointers.
//!
//! A tree of up to 64 nodes keeps for each node its view and code in bytes. With the row's codes
//! in registers, one shuffle of bytes fetches what each node asks, and one comparison gives a bit
//! a node: whether it sends the row to the right. The bits blend two vectors of children into
//! `next`, the node that follows each node; where a leaf follows, a node follows itself. Then
//!
//! ```text
//! next = next[next]          one shuffle: two steps, four, eight, …
//! ```
//!
//! until the steps are as many as the tree is deep: `next[0]` is the last node on the row's path,
//! and its bit tells which of its leaves. There is no branch, and nothing waits for memory but
//! the first load of each tree, so that trees overlap. (Walking by the same bits, `node = child[2
//! × node + bit]`, four trees side by side, took three times as long: it waits for each child.)

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
    /// The node on the left of each, or itself where a leaf is there.
    pub left: [u8; NODES_MAX],
    /// The same on the right.
    pub right: [u8; NODES_MAX],
    /// The leaves on the left and on the right of each node, where they are leaves.
    pub leaves: [u8; 2 * NODES_MAX],
}

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
        let itself = std::array::from_fn(|node| node as u8);
        // As it stands this is a tree of one leaf, 0.
        let mut small = Self {
            views: [0; NODES_MAX],
            codes: [u8::MAX; NODES_MAX],
            left: itself,
            right: itself,
            leaves: [0; 2 * NODES_MAX],
        };
        for (node, index) in nodes.enumerate() {
            let (view, code) = comparisons[index];
            (small.views[node], small.codes[node]) = (view as u8, code);
            small.lead(node, 0, trees.left[index]);
            small.lead(node, 1, trees.right[index]);
        }
        Some(small)
    }

    fn lead(&mut self, node: usize, side: usize, child: Child) {
        let next = if side == 0 { &mut self.left } else { &mut self.right };
        match child.get() {
            Ok(child) => next[node] = child as u8,
            Err(leaf) => self.leaves[2 * node + side] = leaf as u8,
        }
    }
}

/// How often `next` is applied to itself for trees of this depth: 2ⁿ steps are enough for all
/// nodes of a path but the first.
pub(super) fn doublings(depth: usize) -> u32 {
    depth.saturating_sub(1).next_power_of_two().trailing_zeros()
}
