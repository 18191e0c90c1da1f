//! The tree.

use super::{STEP, mix};
use crate::prefetch::prefetch_read;

/// "No node": the parent of the root, a slot that holds no point.
pub const NONE: u16 = u16::MAX;

/// Smallest values, negated; largest values.
type Sides<const W: usize> = [[f32; W]; 2];

/// A leaf or a branch, with the box of what is below. Aligned, so that no vector of a box lies in
/// two cache lines.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(32))]
struct Node<const W: usize> {
    sides: Sides<W>,
    /// Where a branch cuts: left is at most this.
    cut: f32,
    /// The width of the box, all columns together.
    span: f32,
    /// Points below.
    count: f32,
    /// The left child, and above it the right one.
    children: u32,
    column: u16,
    parent: u16,
}

impl<const W: usize> Node<W> {
    #[inline(always)]
    fn leaf(sides: Sides<W>) -> Self {
        Self {
            sides,
            cut: 0.0,
            span: 0.0,
            count: 1.0,
            children: NO_CHILDREN,
            column: 0,
            parent: NONE,
        }
    }

    #[inline(always)]
    fn left(&self) -> u16 {
        self.children as u16
    }

    #[inline(always)]
    fn right(&self) -> u16 {
        (self.children >> 16) as u16
    }
}

const NO_CHILDREN: u32 = children(NONE, NONE);

#[inline(always)]
const fn children(left: u16, right: u16) -> u32 {
    left as u32 | (right as u32) << 16
}

/// A tree over the points of a ring, of `W` (4 or 8) values each.
#[derive(Debug, Clone)]
pub struct CutTree<const W: usize> {
    slots: usize,
    root: u16,
    /// State of its random numbers.
    random: u64,
    /// Leaves by slot, then branches.
    nodes: Vec<Node<W>>,
    free: Vec<u16>,
    /// The leaf that holds each slot's point.
    leaf_of: Vec<u16>,
}

/// The sides of the box that is one point.
#[inline(always)]
fn sides_of<const W: usize>(point: &[f32; W]) -> Sides<W> {
    [point.map(|value| -value), *point]
}

/// The box of both.
#[inline(always)]
fn join<const W: usize>(a: &Sides<W>, b: &Sides<W>) -> Sides<W> {
    let mut joined = *b;
    for side in 0..2 {
        for at in 0..W {
            let (a, b) = (a[side][at], b[side][at]);
            joined[side][at] = if a > b { a } else { b };
        }
    }
    joined
}

/// The width of a box, added up as the plain tree does.
#[inline(always)]
fn span<const W: usize>([low, high]: &Sides<W>) -> f32 {
    let mut sums = [0.0_f32; 4];
    for lane in 0..4 {
        // Widths are not −0, so that nothing is lost by not adding the first one to 0.
        sums[lane] = high[lane] + low[lane];
    }
    for from in (4..W).step_by(4) {
        for lane in 0..4 {
            sums[lane] += high[from + lane] + low[from + lane];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// What a box grows by, column by column.
#[inline(always)]
fn growth<const W: usize>(from: &Sides<W>, to: &Sides<W>) -> [f32; W] {
    std::array::from_fn(|at| (to[0][at] - from[0][at]) + (to[1][at] - from[1][at]))
}

#[inline(always)]
fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The next number of 0 ≤ x < 1, with 53 random bits, which is drawn only where `taken`, else the
/// next call gives the same number again: a draw without a branch.
#[inline(always)]
fn unit_if(random: &mut u64, taken: bool) -> f64 {
    let bits = mix(*random);
    *random = random.wrapping_add(if taken { STEP } else { 0 });
    (bits >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// A cut between a box and a point.
struct Cut {
    column: usize,
    value: f32,
    point_is_left: bool,
}

/// The cut at `position`, which lies in what the point adds to the box (the added parts of all
/// columns one after the other).
#[inline(always)]
fn separate<const W: usize>(
    sides: &Sides<W>,
    point: &[f32; W],
    added: &[f32; W],
    position: f32,
) -> Cut {
    // What is left of the position before each column.
    let mut left = [position; W];
    let mut column = 0;
    for at in 1..W {
        left[at] = left[at - 1] - added[at - 1];
        column += usize::from(left[at] >= 0.0);
    }
    let (low, high, value) = (-sides[0][column], sides[1][column], point[column]);
    let point_is_left = value < low;
    let (from, to) = if point_is_left { (value, low) } else { (high, value) };
    // Rounding may carry the cut onto what must be right of it.
    let cut = from + left[column];
    Cut { column, value: if cut < to { cut } else { from }, point_is_left }
}

impl<const W: usize> CutTree<W> {
    /// A tree for `slots` slots (at most 32,767), whose random numbers are those of a seed.
    #[must_use]
    pub fn new(slots: usize, seed: u64) -> Self {
        Self {
            slots,
            root: NONE,
            random: seed,
            nodes: vec![Node::leaf([[0.0; W]; 2]); 2 * slots],
            free: (slots as u16..2 * slots as u16).rev().collect(),
            leaf_of: vec![NONE; slots],
        }
    }

    /// Bytes that it keeps beside itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node<W>>()
            + (self.free.capacity() + self.leaf_of.capacity()) * size_of::<u16>()
    }

    /// Number of nodes, taken and free.
    #[inline(always)]
    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Asks for some nodes to be brought into the cache.
    #[inline(always)]
    pub(super) fn ask_for(&self, nodes: std::ops::Range<usize>) {
        nodes.for_each(|node| prefetch_read(&self.nodes, node));
    }

    /// Puts the point of `slot` (which holds none) in; its collusive displacement.
    #[inline(always)]
    pub(super) fn insert(&mut self, slot: usize, points: &[f32]) -> f32 {
        let mut point = [0.0; W];
        point.copy_from_slice(&points[slot * W..][..W]);
        let own = sides_of(&point);
        let leaf = slot as u16;
        self.nodes[slot] = Node::leaf(own);
        self.leaf_of[slot] = leaf;
        if self.root == NONE {
            self.root = leaf;
            return 0.0;
        }
        let (nodes, mut random) = (self.nodes.as_mut_slice(), self.random);
        let (mut at, mut above, mut largest) = (self.root, 0.0_f32, 0.0_f32);
        let (wide, wide_span, position) = loop {
            let node = &mut nodes[at as usize];
            let count = node.count;
            // The ratio at the parent, with the point below it.
            let ratio = (above - count) / (count + 1.0);
            let wide = join(&own, &node.sides);
            let wide_span = span(&wide);
            let grows = wide_span > node.span;
            // Where the point adds nothing, the position is behind all that it adds.
            let nowhere = if grows { 0.0 } else { f32::MAX };
            let position = unit_if(&mut random, grows) as f32 * wide_span + nowhere;
            let added = growth(&node.sides, &wide);
            let left = added.iter().fold(position, |left, added| left - added);
            largest = max(largest, ratio);
            above = count;
            if left < 0.0 {
                break (wide, wide_span, position);
            }
            node.count = count + 1.0;
            if (at as usize) < self.slots {
                // The same point, or one that is the same in rounding.
                self.leaf_of[slot] = at;
                self.random = random;
                return largest;
            }
            (node.sides, node.span) = (wide, wide_span);
            let is_right = point[node.column as usize % W] > node.cut;
            at = (node.children >> (16 * u32::from(is_right))) as u16;
        };
        let sides = &nodes[at as usize].sides;
        let cut = separate(sides, &point, &growth(sides, &wide), position);
        self.random = random;
        self.split(at, leaf, &cut, (wide, wide_span));
        max(largest, above)
    }

    /// A new branch in the place of `node`, with `leaf` as its sibling and the box of both.
    #[inline(always)]
    fn split(&mut self, node: u16, leaf: u16, cut: &Cut, (sides, span): (Sides<W>, f32)) {
        // A tree of n leaves has n − 1 branches, and there are as many as slots.
        let Some(branch) = self.free.pop() else { return };
        let Node { parent, count, .. } = self.nodes[node as usize];
        let (left, right) = if cut.point_is_left { (leaf, node) } else { (node, leaf) };
        self.nodes[branch as usize] = Node {
            sides,
            cut: cut.value,
            span,
            count: count + 1.0,
            children: children(left, right),
            column: cut.column as u16,
            parent,
        };
        self.nodes[node as usize].parent = branch;
        self.nodes[leaf as usize].parent = branch;
        self.put_below(parent, node, branch);
    }

    /// `new` takes the place of `old` below `parent`.
    #[inline(always)]
    fn put_below(&mut self, parent: u16, old: u16, new: u16) {
        if parent == NONE {
            self.root = new;
            return;
        }
        let parent = &mut self.nodes[parent as usize];
        // Which of the two it is can't be guessed.
        let shift = 16 * u32::from(parent.left() != old);
        parent.children = parent.children & !(0xFFFF << shift) | u32::from(new) << shift;
    }

    /// Takes the point of `slot` out, where it holds one.
    pub fn remove(&mut self, slot: usize) {
        self.take_out(slot);
    }

    #[inline(always)]
    pub(super) fn take_out(&mut self, slot: usize) {
        let leaf = std::mem::replace(&mut self.leaf_of[slot], NONE);
        if leaf == NONE {
            return;
        }
        if self.nodes[leaf as usize].count > 1.0 {
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
        let branch = &self.nodes[parent as usize];
        let (left, right, above) = (branch.left(), branch.right(), branch.parent);
        let sibling = if left == leaf { right } else { left };
        self.nodes[sibling as usize].parent = above;
        self.put_below(above, parent, sibling);
        self.free.push(parent);
        let mut at = above;
        while at != NONE && self.shrink(at) {
            at = self.nodes[at as usize].parent;
        }
        self.count_down(above);
    }

    /// One point fewer below `at` and what is above it.
    #[inline(always)]
    fn count_down(&mut self, mut at: u16) {
        let nodes = self.nodes.as_mut_slice();
        while at != NONE {
            let node = &mut nodes[at as usize];
            node.count -= 1.0;
            at = node.parent;
        }
    }

    /// The leaf of a slot that is given up goes to another slot with the same point.
    #[cold]
    fn hand_over(&mut self, leaf: u16) {
        let Some(heir) = self.leaf_of.iter().position(|of| *of == leaf) else { return };
        let heir = heir as u16;
        self.nodes[heir as usize] = self.nodes[leaf as usize];
        let parent = self.nodes[leaf as usize].parent;
        self.put_below(parent, leaf, heir);
        self.leaf_of.iter_mut().filter(|of| **of == leaf).for_each(|of| *of = heir);
    }

    /// Renews the box of `branch` from its children; whether it became smaller. Where it did not,
    /// those above it don't either.
    #[inline(always)]
    fn shrink(&mut self, branch: u16) -> bool {
        let nodes = self.nodes.as_mut_slice();
        let (left, right) = (nodes[branch as usize].left(), nodes[branch as usize].right());
        let sides = join(&nodes[left as usize].sides, &nodes[right as usize].sides);
        let node = &mut nodes[branch as usize];
        let mut differs = false;
        for (new, old) in sides.as_flattened().iter().zip(node.sides.as_flattened()) {
            differs |= new != old;
        }
        if differs {
            (node.sides, node.span) = (sides, span(&sides));
        }
        differs
    }

    /// Count and box (smallest values, then largest) of the leaf of a slot and of what is above
    /// it, leaves without a box; empty where the slot holds no point.
    #[must_use]
    pub fn path(&self, slot: usize) -> Vec<(u16, Vec<f32>)> {
        let mut path = Vec::new();
        let mut at = self.leaf_of[slot];
        while at != NONE {
            let node = &self.nodes[at as usize];
            let [low, high] = &node.sides;
            let values = low.iter().map(|low| -low).chain(high.iter().copied());
            let is_branch = at as usize >= self.slots;
            path.push((node.count as u16, if is_branch { values.collect() } else { Vec::new() }));
            at = node.parent;
        }
        path
    }
}
