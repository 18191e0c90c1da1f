//! One row at a time: all comparisons of a small tree as the bits of one word, then a walk that
//! reads bits.
//!
//! A tree of up to 64 nodes keeps for each node its view and code in bytes. With the row's codes
//! in two registers, one shuffle of bytes (`vpermi2b`) fetches what each node asks, and one
//! comparison gives a bit a node: whether it sends the row to the right. The walk then needs no
//! numbers any more: `node = child[2 × node + bit]`, where leaves have the numbers from 64 on
//! and lead to themselves. Four trees walk side by side, until all have come to a leaf.

use super::plan::SELECT_LEAVES_MAX;
use super::{Child, Trees};

/// Nodes of a tree that fit into one word.
const NODES_MAX: usize = 64;

/// Views that a row may have: two registers of bytes.
pub(super) const VIEWS_MAX: usize = 128;

/// Number of leaf 0.
const FIRST_LEAF: u8 = 64;

/// Trees that walk side by side.
#[cfg(target_arch = "x86_64")]
const TOGETHER: usize = 4;

/// A tree of up to 64 nodes.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct BitTree {
    /// The view that each node asks.
    pub views: [u8; NODES_MAX],
    /// The greatest code that it sends to the left.
    pub codes: [u8; NODES_MAX],
    /// Left and right child of each node, and of each leaf itself.
    pub children: [u8; 4 * NODES_MAX],
}

impl BitTree {
    /// A tree of the forest, where it is small enough and its views are.
    pub fn new(
        trees: &Trees,
        tree: usize,
        comparisons: &[super::plan::Comparison],
        views: usize,
    ) -> Option<Self> {
        let nodes = trees.nodes_of(tree);
        let leaves = trees.leaves_of(tree).len();
        if views > VIEWS_MAX || leaves > NODES_MAX || leaves > SELECT_LEAVES_MAX {
            return None;
        }
        let mut small = Self {
            views: [0; NODES_MAX],
            codes: [u8::MAX; NODES_MAX],
            children: std::array::from_fn(|at| (at / 2) as u8),
        };
        if nodes.is_empty() {
            // Node 0 sends every row to leaf 0.
            small.children[..2].fill(FIRST_LEAF);
        }
        let number = |child: Child| match child.get() {
            Ok(node) => node as u8,
            Err(leaf) => FIRST_LEAF + leaf as u8,
        };
        for (node, index) in nodes.enumerate() {
            let (view, code) = comparisons[index];
            (small.views[node], small.codes[node]) = (view as u8, code);
            small.children[2 * node] = number(trees.left[index]);
            small.children[2 * node + 1] = number(trees.right[index]);
        }
        Some(small)
    }
}

/// The leaf of a row in each tree.
///
/// `goes_right` gives a bit a node.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn walk(trees: &[BitTree], leaves: &mut [u32], goes_right: impl Fn(&BitTree) -> u64) {
    let (groups, rest) = trees.as_chunks::<TOGETHER>();
    let (out, out_rest) = leaves.as_chunks_mut::<TOGETHER>();
    for (group, out) in groups.iter().zip(out) {
        *out = walk_group(group, &goes_right);
    }
    for (tree, out) in rest.iter().zip(out_rest) {
        [*out] = walk_group(std::array::from_ref(tree), &goes_right);
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn walk_group<const N: usize>(
    trees: &[BitTree; N],
    goes_right: &impl Fn(&BitTree) -> u64,
) -> [u32; N] {
    let bits: [u64; N] = std::array::from_fn(|lane| goes_right(&trees[lane]));
    let mut at = [0_u8; N];
    loop {
        // Two steps between looks: most walks end after five or six.
        for _ in 0..2 {
            for lane in 0..N {
                // For leaves any bit will do.
                let bit = bits[lane] >> (at[lane] % 64) & 1;
                let child = 2 * usize::from(at[lane]) + bit as usize;
                at[lane] = trees[lane].children[child & 255];
            }
        }
        if at.iter().fold(u8::MAX, |all, at| all & at) >= FIRST_LEAF {
            return at.map(|at| u32::from(at - FIRST_LEAF));
        }
    }
}
