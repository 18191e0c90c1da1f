//! A cut tree whose points have a number of values that is known when this is compiled: the same
//! as [`super::tree`] does, draw for draw and bit for bit, without its branches.
//!
//! What a plain tree waits for is branches that nobody can guess: does the point lie in the box,
//! is a cut drawn in what it adds, in which column, is a child a leaf? Here
//!
//! * a leaf has a box as well, its point twice, so that leaves and branches are looked at alike;
//! * one number of the sequence is worked out at each node, and taken only where one is needed;
//! * whether the position `at` lies in what the point adds (d₀, d₁, … in the columns) is one sign:
//!   `at − d₀ − d₁ − …` is negative exactly where some `at − … − dᵢ₋₁ < dᵢ`, because a difference
//!   is negative exactly where its terms say so, and stays it;
//! * a node remembers the width of its box.
//!
//! So a level costs some 60 instructions and no guess, but for the one that the way ends here.

use pelton_kernels::prefetch::prefetch_read;

use super::super::random::Random;
use super::tree::{NONE, separate};

/// A leaf or a branch, with the box of what is below. Aligned, so that no four values lie in two
/// cache lines; a node of 4 values is a line.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(16))]
struct Node<const W: usize> {
    low: [f32; W],
    high: [f32; W],
    /// Where a branch cuts: left is at most this.
    cut: f32,
    /// The width of the box, all columns together.
    span: f32,
    column: u16,
    count: u16,
    parent: u16,
    left: u16,
    right: u16,
}

impl<const W: usize> Node<W> {
    fn leaf(point: [f32; W]) -> Self {
        Self {
            low: point,
            high: point,
            cut: 0.0,
            span: 0.0,
            column: 0,
            count: 1,
            parent: NONE,
            left: NONE,
            right: NONE,
        }
    }
}

/// A tree over the points of a ring, of `W` (4 or 8) values each.
#[derive(Debug, Clone)]
pub(super) struct Fixed<const W: usize> {
    window: usize,
    root: u16,
    /// Leaves by slot, then branches.
    nodes: Vec<Node<W>>,
    free: Vec<u16>,
    /// The leaf that holds each slot's point.
    leaf_of: Vec<u16>,
}

/// The point of a slot.
#[inline(always)]
fn point_at<const W: usize>(points: &[f32], slot: usize) -> [f32; W] {
    let mut point = [0.0; W];
    point.copy_from_slice(&points[slot * W..][..W]);
    point
}

/// The width of a box, added up as the plain tree does.
#[inline(always)]
fn span<const W: usize>(low: &[f32; W], high: &[f32; W]) -> f32 {
    let mut sums = [0.0_f32; 4];
    for from in (0..W).step_by(4) {
        for lane in 0..4 {
            sums[lane] += high[from + lane] - low[from + lane];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

#[inline(always)]
fn least<const W: usize>(a: &[f32; W], b: &[f32; W]) -> [f32; W] {
    std::array::from_fn(|at| if a[at] < b[at] { a[at] } else { b[at] })
}

#[inline(always)]
fn largest_of<const W: usize>(a: &[f32; W], b: &[f32; W]) -> [f32; W] {
    std::array::from_fn(|at| if a[at] > b[at] { a[at] } else { b[at] })
}

#[inline(always)]
fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

impl<const W: usize> Fixed<W> {
    /// A tree for `window` slots.
    pub(super) fn new(window: usize) -> Self {
        Self {
            window,
            root: NONE,
            nodes: vec![Node::leaf([0.0; W]); 2 * window],
            free: (window as u16..2 * window as u16).rev().collect(),
            leaf_of: vec![NONE; window],
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node<W>>()
            + (self.free.capacity() + self.leaf_of.capacity()) * size_of::<u16>()
    }

    /// Asks for the `part`-th of `parts` parts of the tree to be brought into the cache.
    #[inline(always)]
    pub(super) fn ask_for(&self, part: usize, parts: usize) {
        let step = self.nodes.len().div_ceil(parts);
        for node in part * step..(part + 1) * step {
            prefetch_read(&self.nodes, node);
        }
    }

    /// Puts the point of `slot` (which holds none) in; its collusive displacement.
    pub(super) fn insert(&mut self, slot: usize, points: &[f32], random: &mut Random) -> f32 {
        let point = point_at::<W>(points, slot);
        let leaf = slot as u16;
        self.nodes[slot] = Node::leaf(point);
        self.leaf_of[slot] = leaf;
        if self.root == NONE {
            self.root = leaf;
            return 0.0;
        }
        let (mut at, mut above, mut largest) = (self.root, 0.0_f32, 0.0_f32);
        loop {
            let node = &mut self.nodes[at as usize];
            let before = f32::from(node.count);
            // The ratio at the parent, with the point below it.
            let ratio = (above - before) / (before + 1.0);
            let (low, high) = (least(&point, &node.low), largest_of(&point, &node.high));
            let wide = span(&low, &high);
            let grows = wide > node.span;
            // Where the point adds nothing, the position is behind all that it adds.
            let nowhere = if grows { 0.0 } else { f32::MAX };
            let position = random.unit_if(grows) as f32 * wide + nowhere;
            // What of the position is left behind all that the point adds.
            let mut left = position;
            for column in 0..W {
                left -= (node.low[column] - low[column]) + (high[column] - node.high[column]);
            }
            largest = max(largest, ratio);
            if left < 0.0 {
                let cut = separate(&node.low, &node.high, &point, position);
                self.split(at, leaf, cut, (low, high, wide));
                return max(largest, before);
            }
            node.count += 1;
            if (at as usize) < self.window {
                // The same point, or one that is the same in rounding.
                self.leaf_of[slot] = at;
                return largest;
            }
            (node.low, node.high, node.span) = (low, high, wide);
            above = before;
            // One of the two places below; both are in the node.
            let is_left = point[node.column as usize % W] <= node.cut;
            at = if is_left { node.left } else { node.right };
        }
    }

    /// A new branch in the place of `node`, with `leaf` as its sibling and the box of both.
    fn split(
        &mut self,
        node: u16,
        leaf: u16,
        cut: Option<(usize, f32, bool)>,
        (low, high, span): ([f32; W], [f32; W], f32),
    ) {
        // The sign said that there is a cut; a tree of n leaves has n − 1 branches, and there are
        // as many as slots.
        let (Some((column, cut, leaf_is_left)), Some(branch)) = (cut, self.free.pop()) else {
            return;
        };
        let Node { parent, count, .. } = self.nodes[node as usize];
        let (left, right) = if leaf_is_left { (leaf, node) } else { (node, leaf) };
        let (column, count) = (column as u16, count + 1);
        self.nodes[branch as usize] =
            Node { low, high, cut, span, column, count, parent, left, right };
        self.nodes[node as usize].parent = branch;
        self.nodes[leaf as usize].parent = branch;
        self.put_below(parent, node, branch);
    }

    /// `new` takes the place of `old` below `parent`.
    #[inline]
    fn put_below(&mut self, parent: u16, old: u16, new: u16) {
        if parent == NONE {
            self.root = new;
            return;
        }
        let parent = &mut self.nodes[parent as usize];
        let is_left = parent.left == old;
        parent.left = if is_left { new } else { parent.left };
        parent.right = if is_left { parent.right } else { new };
    }

    /// Takes the point of `slot` out; `points` still holds it.
    pub(super) fn remove(&mut self, slot: usize, points: &[f32]) {
        let leaf = std::mem::replace(&mut self.leaf_of[slot], NONE);
        if leaf == NONE {
            return;
        }
        if self.nodes[leaf as usize].count > 1 {
            self.count_down(leaf);
            if leaf as usize == slot {
                self.hand_over(leaf);
            }
            return;
        }
        let parent = self.nodes[leaf as usize].parent;
        if parent == NONE {
            self.root = NONE;
            return;
        }
        let Node { left, right, parent: above, .. } = self.nodes[parent as usize];
        let sibling = if left == leaf { right } else { left };
        self.nodes[sibling as usize].parent = above;
        self.put_below(above, parent, sibling);
        self.free.push(parent);
        let point = point_at::<W>(points, slot);
        let mut at = above;
        while at != NONE && self.shrink(at, &point) {
            let node = &mut self.nodes[at as usize];
            node.count -= 1;
            at = node.parent;
        }
        self.count_down(at);
    }

    /// One point fewer below `at` and what is above it.
    #[inline]
    fn count_down(&mut self, mut at: u16) {
        while at != NONE {
            let node = &mut self.nodes[at as usize];
            node.count -= 1;
            at = node.parent;
        }
    }

    /// The leaf of a slot that is given up goes to another slot with the same point.
    fn hand_over(&mut self, leaf: u16) {
        let Some(heir) = self.leaf_of.iter().position(|of| *of == leaf) else { return };
        let heir = heir as u16;
        self.nodes[heir as usize] = self.nodes[leaf as usize];
        let parent = self.nodes[leaf as usize].parent;
        self.put_below(parent, leaf, heir);
        self.leaf_of.iter_mut().filter(|of| **of == leaf).for_each(|of| *of = heir);
    }

    /// Renews the box of `branch` from its children where `point` lay on its border; whether it
    /// did. A column without width holds one value, which the others still have.
    #[inline(always)]
    fn shrink(&mut self, branch: u16, point: &[f32; W]) -> bool {
        let Node { low, high, left, right, .. } = self.nodes[branch as usize];
        let mut touched = false;
        for at in 0..W {
            touched |= (low[at] < high[at]) & ((point[at] <= low[at]) | (point[at] >= high[at]));
        }
        if !touched {
            return false;
        }
        let (a, b) = (&self.nodes[left as usize], &self.nodes[right as usize]);
        let (low, high) = (least(&a.low, &b.low), largest_of(&a.high, &b.high));
        let node = &mut self.nodes[branch as usize];
        (node.low, node.high, node.span) = (low, high, span(&low, &high));
        true
    }
}

#[cfg(test)]
impl<const W: usize> Fixed<W> {
    /// Count and box of a leaf and of what is above it.
    pub(super) fn path(&self, slot: usize) -> Vec<(u16, Vec<f32>)> {
        let mut path = Vec::new();
        let mut at = self.leaf_of[slot];
        while at != NONE {
            let node = &self.nodes[at as usize];
            let is_branch = at as usize >= self.window;
            let values = [node.low, node.high].concat();
            path.push((node.count, if is_branch { values } else { Vec::new() }));
            assert_eq!(node.span, span(&node.low, &node.high));
            at = node.parent;
        }
        path
    }
}
