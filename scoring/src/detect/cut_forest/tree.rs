//! One robust random cut tree: insertion and deletion of points (Guha et al. 2016, algorithms 1
//! and 2), so that its distribution is that of a tree grown on the points that it holds.
//!
//! ```text
//! node 0 … window − 1: leaf of that slot       node window + b: branch b, with its box
//! ```
//! A branch keeps the cut (column, value: left is ≤), its number of points and the bounding box
//! of what is below. To insert, at each node from the root a cut is drawn at random over the
//! box widened by the point, a column with probability in proportion to its width; if it sets
//! the point apart from the box, the point becomes the node's sibling, else we go down by the
//! node's own cut. Only a cut in what the point adds to the box sets it apart: so the draw is whether
//! there is one and where in the added parts, and inside the box nothing is drawn. To delete, the leaf's sibling takes the place of their branch, and boxes that
//! the point touched shrink.
//!
//! This is the definition, and what points of more than 8 values take; [`pelton_kernels::score_cuts`]
//! does the same, faster, for those of 4 and 8.
//!
//! Values are f32 differences from the stream's first row, indices 16 bits, so that a hundred
//! trees lie in a core's own cache. Widths are padded to fours, which add no width.
//!
//! # Invariant
//! Equal points share a leaf, which counts them; a branch's box has a positive width, its count
//! is the sum of its children's.

use pelton_kernels::prefetch::prefetch_read;
use pelton_kernels::score_cuts::NONE;

use super::Random;

/// Most slots: branches and leaves share 16 bits.
pub(super) const WINDOW_MAX: usize = 32_000;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    cut: f32,
    column: u16,
    parent: u16,
    left: u16,
    right: u16,
    count: u16,
}

const BLANK: Node = Node { cut: 0.0, column: 0, parent: NONE, left: NONE, right: NONE, count: 0 };

/// A tree over the points of a ring.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    window: usize,
    /// Values of a point, a multiple of 4.
    width: usize,
    root: u16,
    nodes: Vec<Node>,
    /// By branch: smallest values, then largest.
    boxes: Vec<f32>,
    free: Vec<u16>,
    /// The leaf that holds each slot's point.
    leaf_of: Vec<u16>,
}

/// The widths of a box and of the box widened by a point.
#[inline]
fn spans(low: &[f32], high: &[f32], point: &[f32]) -> (f32, f32) {
    let (mut own, mut wide) = ([0.0_f32; 4], [0.0_f32; 4]);
    let fours = low.chunks_exact(4).zip(high.chunks_exact(4)).zip(point.chunks_exact(4));
    for ((low, high), point) in fours {
        for lane in 0..4 {
            let (from, to, value) = (low[lane], high[lane], point[lane]);
            own[lane] += to - from;
            let (from, to) =
                (if value < from { value } else { from }, if value > to { value } else { to });
            wide[lane] += to - from;
        }
    }
    ((own[0] + own[1]) + (own[2] + own[3]), (wide[0] + wide[1]) + (wide[2] + wide[3]))
}

impl Tree {
    /// A tree for `window` slots (at most [`WINDOW_MAX`]) of points of `width` values.
    pub(super) fn new(window: usize, width: usize) -> Self {
        Self {
            window,
            width,
            root: NONE,
            nodes: vec![BLANK; 2 * window],
            boxes: vec![0.0; 2 * width * window],
            free: (window as u16..2 * window as u16).rev().collect(),
            leaf_of: vec![NONE; window],
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.boxes.capacity() * size_of::<f32>()
            + (self.free.capacity() + self.leaf_of.capacity()) * size_of::<u16>()
    }

    /// Asks for the `part`-th of `parts` parts of the tree to be brought into the cache.
    pub(super) fn ask_for(&self, part: usize, parts: usize) {
        let step = self.boxes.len().div_ceil(parts);
        for value in (part * step..(part + 1) * step).step_by(16) {
            prefetch_read(&self.boxes, value);
        }
    }

    /// Where a branch's box lies in `boxes`.
    #[inline]
    fn box_at(&self, branch: u16) -> usize {
        (branch as usize - self.window) * 2 * self.width
    }

    /// Smallest and largest values below `node`.
    #[inline]
    fn bounds<'a>(&'a self, node: u16, points: &'a [f32]) -> (&'a [f32], &'a [f32]) {
        if (node as usize) < self.window {
            let at = node as usize * self.width;
            let point = &points[at..at + self.width];
            (point, point)
        } else {
            let at = self.box_at(node);
            self.boxes[at..at + 2 * self.width].split_at(self.width)
        }
    }

    /// Puts the point of `slot` (which holds none) in; its collusive displacement.
    pub(super) fn insert(&mut self, slot: usize, points: &[f32], random: &mut Random) -> f32 {
        let at = slot * self.width;
        let point = &points[at..at + self.width];
        let leaf = slot as u16;
        self.nodes[slot] = Node { count: 1, ..BLANK };
        self.leaf_of[slot] = leaf;
        if self.root == NONE {
            self.root = leaf;
            return 0.0;
        }
        let (mut node, mut above, mut largest) = (self.root, 0.0_f32, 0.0_f32);
        loop {
            let (low, high) = self.bounds(node, points);
            let (own, wide) = spans(low, high, point);
            let before = f32::from(self.nodes[node as usize].count);
            // The ratio at the parent, with the point below it.
            let ratio = (above - before) / (before + 1.0);
            if wide > own {
                let at = random.unit() as f32 * wide;
                if let Some(cut) = separate(low, high, point, at) {
                    // The new branch is the node with the point; the point's own ratio follows.
                    self.split(node, leaf, cut, points);
                    return largest.max(ratio).max(before);
                }
            }
            largest = largest.max(ratio);
            self.nodes[node as usize].count += 1;
            if (node as usize) < self.window {
                // The same point, or one that is the same in rounding.
                self.leaf_of[slot] = node;
                return largest;
            }
            self.widen(node, point);
            let branch = &self.nodes[node as usize];
            above = before;
            let left = point[branch.column as usize] <= branch.cut;
            node = if left { branch.left } else { branch.right };
        }
    }

    /// The box of `branch` takes `point` in.
    #[inline]
    fn widen(&mut self, branch: u16, point: &[f32]) {
        let at = self.box_at(branch);
        let (low, high) = self.boxes[at..at + 2 * self.width].split_at_mut(self.width);
        for ((low, high), value) in low.iter_mut().zip(high).zip(point) {
            *low = low.min(*value);
            *high = high.max(*value);
        }
    }

    /// A new branch in the place of `node`, with `leaf` as its sibling.
    fn split(&mut self, node: u16, leaf: u16, cut: (usize, f32, bool), points: &[f32]) {
        let (column, cut, leaf_is_left) = cut;
        // A tree of n leaves has n − 1 branches, and there are as many as slots.
        let Some(branch) = self.free.pop() else { return };
        let to = self.box_at(branch);
        if (node as usize) < self.window {
            let at = node as usize * self.width;
            for half in [to, to + self.width] {
                self.boxes[half..half + self.width].copy_from_slice(&points[at..at + self.width]);
            }
        } else {
            let at = self.box_at(node);
            self.boxes.copy_within(at..at + 2 * self.width, to);
        }
        let at = leaf as usize * self.width;
        self.widen(branch, &points[at..at + self.width]);
        let parent = self.nodes[node as usize].parent;
        let (left, right) = if leaf_is_left { (leaf, node) } else { (node, leaf) };
        let count = self.nodes[node as usize].count + 1;
        self.nodes[branch as usize] =
            Node { cut, column: column as u16, parent, left, right, count };
        self.nodes[node as usize].parent = branch;
        self.nodes[leaf as usize].parent = branch;
        self.put_below(parent, node, branch);
    }

    /// `new` takes the place of `old` below `parent`.
    #[inline]
    fn put_below(&mut self, parent: u16, old: u16, new: u16) {
        if parent == NONE {
            self.root = new;
        } else if self.nodes[parent as usize].left == old {
            self.nodes[parent as usize].left = new;
        } else {
            self.nodes[parent as usize].right = new;
        }
    }

    /// Takes the point of `slot` out; `points` still holds it.
    pub(super) fn remove(&mut self, slot: usize, points: &[f32]) {
        let leaf = std::mem::replace(&mut self.leaf_of[slot], NONE);
        if leaf == NONE {
            return;
        }
        if self.nodes[leaf as usize].count > 1 {
            let mut node = leaf;
            while node != NONE {
                self.nodes[node as usize].count -= 1;
                node = self.nodes[node as usize].parent;
            }
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
        let at = slot * self.width;
        let point = &points[at..at + self.width];
        let mut touched = true;
        let mut node = above;
        while node != NONE {
            self.nodes[node as usize].count -= 1;
            touched = touched && self.shrink(node, point, points);
            node = self.nodes[node as usize].parent;
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
    fn shrink(&mut self, branch: u16, point: &[f32], points: &[f32]) -> bool {
        let at = self.box_at(branch);
        let (low, high) = self.boxes[at..at + 2 * self.width].split_at(self.width);
        let mut touched = false;
        for ((low, high), value) in low.iter().zip(high).zip(point) {
            touched |= low < high && (value <= low || value >= high);
        }
        if !touched {
            return false;
        }
        let Node { left, right, .. } = self.nodes[branch as usize];
        for from in (0..self.width).step_by(4) {
            let (a, b) = (self.bounds(left, points), self.bounds(right, points));
            let (mut low, mut high) = ([0.0_f32; 4], [0.0_f32; 4]);
            let (a, b) = (
                (&a.0[from..from + 4], &a.1[from..from + 4]),
                (&b.0[from..from + 4], &b.1[from..from + 4]),
            );
            for lane in 0..4 {
                low[lane] = if a.0[lane] < b.0[lane] { a.0[lane] } else { b.0[lane] };
                high[lane] = if a.1[lane] > b.1[lane] { a.1[lane] } else { b.1[lane] };
            }
            self.boxes[at + from..at + from + 4].copy_from_slice(&low);
            self.boxes[at + self.width + from..at + self.width + from + 4].copy_from_slice(&high);
        }
        true
    }
}

/// Whether the random position `at`, 0 ≤ at < widened width, lies in what the point adds to the
/// box (the added parts of all columns first), and the cut there: column, value, and whether
/// the point is left of it.
#[inline]
fn separate(low: &[f32], high: &[f32], point: &[f32], mut at: f32) -> Option<(usize, f32, bool)> {
    for (column, value) in point.iter().enumerate() {
        let (below, above) = (low[column] - value, value - high[column]);
        if below > 0.0 {
            if at < below {
                // Rounding may carry the cut onto the box, which must be right of it.
                let cut = value + at;
                return Some((column, if cut < low[column] { cut } else { *value }, true));
            }
            at -= below;
        } else if above > 0.0 {
            if at < above {
                let cut = high[column] + at;
                return Some((column, if cut < *value { cut } else { high[column] }, false));
            }
            at -= above;
        }
    }
    None
}

#[cfg(test)]
mod tests;
