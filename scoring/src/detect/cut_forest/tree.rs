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
//! node's own cut. To delete, the leaf's sibling takes the place of their branch, and boxes that
//! the point touched shrink.
//!
//! # Invariant
//! Equal points share a leaf, which counts them; a branch's box has a positive width, its count
//! is the sum of its children's.

use super::Random;

/// "No node": the parent of the root, a slot that holds no point.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    cut: f64,
    column: u32,
    parent: u32,
    left: u32,
    right: u32,
    count: u32,
}

const BLANK: Node = Node { cut: 0.0, column: 0, parent: NONE, left: NONE, right: NONE, count: 0 };

/// A tree over the points of a ring.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    window: usize,
    width: usize,
    root: u32,
    nodes: Vec<Node>,
    /// By branch: smallest values, then largest.
    boxes: Vec<f64>,
    free: Vec<u32>,
    /// The leaf that holds each slot's point.
    leaf_of: Vec<u32>,
}

impl Tree {
    /// A tree for `window` slots of points of `width` values.
    pub(super) fn new(window: usize, width: usize) -> Self {
        Self {
            window,
            width,
            root: NONE,
            nodes: vec![BLANK; 2 * window],
            boxes: vec![0.0; 2 * width * window],
            free: (window as u32..2 * window as u32).rev().collect(),
            leaf_of: vec![NONE; window],
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.boxes.capacity() * size_of::<f64>()
            + (self.free.capacity() + self.leaf_of.capacity()) * size_of::<u32>()
    }

    /// Where a branch's box lies in `boxes`.
    #[inline]
    fn box_at(&self, branch: u32) -> usize {
        (branch as usize - self.window) * 2 * self.width
    }

    /// Smallest and largest values below `node`.
    #[inline]
    fn bounds<'a>(&'a self, node: u32, points: &'a [f64]) -> (&'a [f64], &'a [f64]) {
        if (node as usize) < self.window {
            let at = node as usize * self.width;
            let point = &points[at..at + self.width];
            (point, point)
        } else {
            let at = self.box_at(node);
            self.boxes[at..at + 2 * self.width].split_at(self.width)
        }
    }

    /// Puts the point of `slot` (which holds none) in.
    pub(super) fn insert(&mut self, slot: usize, points: &[f64], random: &mut Random) {
        let at = slot * self.width;
        let point = &points[at..at + self.width];
        let leaf = slot as u32;
        self.nodes[slot] = Node { count: 1, ..BLANK };
        self.leaf_of[slot] = leaf;
        if self.root == NONE {
            self.root = leaf;
            return;
        }
        let mut node = self.root;
        loop {
            let (low, high) = self.bounds(node, points);
            let mut span = 0.0;
            for ((low, high), value) in low.iter().zip(high).zip(point) {
                span += high.max(*value) - low.min(*value);
            }
            let is_leaf = (node as usize) < self.window;
            if is_leaf && span == 0.0 {
                self.leaf_of[slot] = node;
                self.nodes[node as usize].count += 1;
                return;
            }
            if let Some((column, cut, left)) = separate(low, high, point, random.unit() * span) {
                self.split(node, leaf, (column, cut, left), points);
                return;
            }
            if is_leaf {
                // Only where widths are lost in rounding: take it for the same point.
                self.leaf_of[slot] = node;
                self.nodes[node as usize].count += 1;
                return;
            }
            self.widen(node, point);
            let branch = &mut self.nodes[node as usize];
            branch.count += 1;
            let left = point[branch.column as usize] <= branch.cut;
            node = if left { branch.left } else { branch.right };
        }
    }

    /// The box of `branch` takes `point` in.
    #[inline]
    fn widen(&mut self, branch: u32, point: &[f64]) {
        let at = self.box_at(branch);
        let (low, high) = self.boxes[at..at + 2 * self.width].split_at_mut(self.width);
        for ((low, high), value) in low.iter_mut().zip(high).zip(point) {
            *low = low.min(*value);
            *high = high.max(*value);
        }
    }

    /// A new branch in the place of `node`, with `leaf` as its sibling.
    fn split(&mut self, node: u32, leaf: u32, cut: (usize, f64, bool), points: &[f64]) {
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
            Node { cut, column: column as u32, parent, left, right, count };
        self.nodes[node as usize].parent = branch;
        self.nodes[leaf as usize].parent = branch;
        self.put_below(parent, node, branch);
    }

    /// `new` takes the place of `old` below `parent`.
    #[inline]
    fn put_below(&mut self, parent: u32, old: u32, new: u32) {
        if parent == NONE {
            self.root = new;
        } else if self.nodes[parent as usize].left == old {
            self.nodes[parent as usize].left = new;
        } else {
            self.nodes[parent as usize].right = new;
        }
    }

    /// Takes the point of `slot` out; `points` still holds it.
    pub(super) fn remove(&mut self, slot: usize, points: &[f64]) {
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
    fn hand_over(&mut self, leaf: u32) {
        let Some(heir) = self.leaf_of.iter().position(|of| *of == leaf) else { return };
        let heir = heir as u32;
        self.nodes[heir as usize] = self.nodes[leaf as usize];
        let parent = self.nodes[leaf as usize].parent;
        self.put_below(parent, leaf, heir);
        self.leaf_of.iter_mut().filter(|of| **of == leaf).for_each(|of| *of = heir);
    }

    /// Renews the box of `branch` from its children where `point` lay on its border; whether it
    /// did.
    fn shrink(&mut self, branch: u32, point: &[f64], points: &[f64]) -> bool {
        let at = self.box_at(branch);
        let (low, high) = self.boxes[at..at + 2 * self.width].split_at(self.width);
        let inside = |((low, high), value): ((&f64, &f64), &f64)| low < value && value < high;
        if low.iter().zip(high).zip(point).all(inside) {
            return false;
        }
        let Node { left, right, .. } = self.nodes[branch as usize];
        for column in 0..self.width {
            let (a, b) = (self.bounds(left, points), self.bounds(right, points));
            let (low, high) = (a.0[column].min(b.0[column]), a.1[column].max(b.1[column]));
            self.boxes[at + column] = low;
            self.boxes[at + self.width + column] = high;
        }
        true
    }

    /// The collusive displacement of the point of `slot`.
    pub(super) fn displacement(&self, slot: usize) -> f64 {
        let mut node = self.leaf_of[slot];
        let mut largest = 0.0_f64;
        while node != NONE {
            let Node { parent, count, .. } = self.nodes[node as usize];
            if parent != NONE {
                let beside = self.nodes[parent as usize].count - count;
                largest = largest.max(f64::from(beside) / f64::from(count));
            }
            node = parent;
        }
        largest
    }
}

/// The random cut at `at` along the widths of the box widened by the point, laid end to end:
/// column, value, and whether the point is left of it; `None` where it goes through the box.
#[inline]
fn separate(low: &[f64], high: &[f64], point: &[f64], mut at: f64) -> Option<(usize, f64, bool)> {
    let last = point.len() - 1;
    for (column, value) in point.iter().enumerate() {
        let (from, to) = (low[column].min(*value), high[column].max(*value));
        let width = to - from;
        if at >= width && column < last {
            at -= width;
            continue;
        }
        // Rounding may carry the cut onto the upper end, which nothing is right of.
        let cut = if from + at < to { from + at } else { from };
        return if *value <= cut && cut < low[column] {
            Some((column, cut, true))
        } else if high[column] <= cut && cut < *value {
            Some((column, cut, false))
        } else {
            None
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Counts, boxes and sides of all nodes, from the points themselves.
    fn check(tree: &Tree, points: &[f64]) {
        let width = tree.width;
        let mut stack = if tree.root == NONE { vec![] } else { vec![(tree.root, NONE)] };
        let mut total = 0;
        while let Some((node, parent)) = stack.pop() {
            let one = tree.nodes[node as usize];
            assert_eq!(one.parent, parent);
            let below: Vec<usize> = (0..tree.window)
                .filter(|slot| {
                    let mut at = tree.leaf_of[*slot];
                    while at != NONE && at != node {
                        at = tree.nodes[at as usize].parent;
                    }
                    at == node
                })
                .collect();
            assert_eq!(one.count as usize, below.len(), "points below a node");
            let (low, high) = tree.bounds(node, points);
            for column in 0..width {
                let values = below.iter().map(|slot| points[slot * width + column]);
                assert_eq!(low[column], values.clone().fold(f64::INFINITY, f64::min));
                assert_eq!(high[column], values.fold(f64::NEG_INFINITY, f64::max));
            }
            if (node as usize) >= tree.window {
                let left = tree.bounds(one.left, points).1[one.column as usize];
                let right = tree.bounds(one.right, points).0[one.column as usize];
                assert!(left <= one.cut && one.cut < right, "{left} {} {right}", one.cut);
                stack.push((one.left, node));
                stack.push((one.right, node));
            } else {
                total += one.count;
            }
        }
        assert_eq!(total as usize, tree.leaf_of.iter().filter(|of| **of != NONE).count());
    }

    proptest! {
        #[test]
        fn the_invariant_holds_after_each_insertion_and_removal(
            values in proptest::collection::vec(0_u8..9, 60), width in 1_usize..4,
            window in 2_usize..9, seed in 0_u64..1_000,
        ) {
            let mut tree = Tree::new(window, width);
            let mut points = vec![0.0; window * width];
            let mut random = Random::new(seed);
            for (index, point) in values.chunks_exact(width).enumerate() {
                let slot = index % window;
                tree.remove(slot, &points);
                check(&tree, &points);
                for (to, from) in points[slot * width..].iter_mut().zip(point) {
                    *to = f64::from(*from);
                }
                tree.insert(slot, &points, &mut random);
                check(&tree, &points);
            }
        }
    }

    #[test]
    fn a_point_far_away_displaces_all_others() {
        let points: Vec<f64> = (0..20).map(|i| if i == 19 { 1e6 } else { f64::from(i) }).collect();
        let mut tree = Tree::new(20, 1);
        let mut random = Random::new(1);
        (0..20).for_each(|slot| tree.insert(slot, &points, &mut random));
        assert_eq!(tree.displacement(19), 19.0);
        assert!(tree.displacement(3) <= 19.0);
    }
}
