//! Cut trees of the robust random cut forest (Guha et al. 2016, algorithms 1 and 2), for points
//! whose number of values (4 or 8) is known when this is compiled.
//!
//! To insert a point, each node from the root on draws a cut over its box widened by the point;
//! one that sets the point apart makes it the node's sibling, else the way goes down by the node's
//! own cut. To remove one, its sibling takes the place of their branch, and boxes that the point
//! held open shrink. The detector's plain tree is the definition
//! (`scoring/src/detect/cut_forest/tree.rs`, which has the layout of indices too); this one is the
//! same draw for draw and bit for bit.
//!
//! What a plain tree waits for is branches that nobody can guess: does the point lie in the box,
//! is a cut drawn in what it adds, in which column, is a child a leaf? Here
//!
//! * a leaf has a box as well, its point twice, so that leaves and branches are looked at alike;
//! * a box is its smallest values, **negated**, and its largest: to widen it, to join two, and what
//!   was added, are one operation each over both halves;
//! * one number of the sequence is worked out at each node, and taken only where one is needed;
//! * whether the position `at` lies in what the point adds (d₀, d₁, … in the columns) is one sign:
//!   `at − d₀ − d₁ − …` is negative exactly where some `at − … − dᵢ₋₁ < dᵢ`, because a difference
//!   is negative exactly where its terms say so, and stays it; the column is how many are not;
//! * a node remembers the width of its box, and both children in one word, so that the way down
//!   waits for no second load.
//!
//! # Contract
//! A slot that a turn fills holds no point; `points` holds a point a slot, and what was inserted is
//! there unchanged. Values are finite, and small enough that widths are.

#[cfg(test)]
mod tests;
mod tree;

pub use tree::{CutTree, NONE};

use crate::simd::multiversion;

/// The increment of SplitMix64's sequence, 2⁶⁴ divided by the golden ratio.
pub const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A random number for each input: the finaliser of SplitMix64 (Steele, Lea, Flood, *Fast
/// splittable pseudorandom number generators*, OOPSLA 2014).
#[inline(always)]
#[must_use]
pub fn mix(input: u64) -> u64 {
    let z = input.wrapping_add(STEP);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A point that comes in, and what leaves for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turn {
    /// The slot that is filled.
    pub slot: usize,
    /// The slot of the point that leaves first.
    pub leaves: Option<usize>,
    /// The point leaves again at once: it is known to be an anomaly.
    pub told: bool,
}

multiversion! {
    /// Has a tree take points of four values; adds their collusive displacements to `sums`, a
    /// place a turn. `next` is brought into the cache meanwhile.
    ///
    /// # Panics
    /// When a slot is out of range.
    pub fn take_turns_of_4(
        tree: &mut CutTree<4>,
        next: Option<&CutTree<4>>,
        points: &[f32],
        turns: &[Turn],
        sums: &mut [f64],
    ) {
        take_turns(tree, next, points, turns, sums);
    }
}

multiversion! {
    /// As [`take_turns_of_4`], of eight values.
    ///
    /// # Panics
    /// When a slot is out of range.
    pub fn take_turns_of_8(
        tree: &mut CutTree<8>,
        next: Option<&CutTree<8>>,
        points: &[f32],
        turns: &[Turn],
        sums: &mut [f64],
    ) {
        take_turns(tree, next, points, turns, sums);
    }
}

#[inline(always)]
fn take_turns<const W: usize>(
    tree: &mut CutTree<W>,
    next: Option<&CutTree<W>>,
    points: &[f32],
    turns: &[Turn],
    sums: &mut [f64],
) {
    // Nodes of the next tree that are asked for at each turn.
    let step = next.map_or(0, |next| next.nodes().div_ceil(turns.len().max(1)));
    for (index, (turn, sum)) in turns.iter().zip(sums).enumerate() {
        if let Some(next) = next {
            next.ask_for(index * step..(index + 1) * step);
        }
        if let Some(slot) = turn.leaves {
            tree.take_out(slot);
        }
        *sum += f64::from(tree.insert(turn.slot, points));
        if turn.told {
            tree.take_out(turn.slot);
        }
    }
}
