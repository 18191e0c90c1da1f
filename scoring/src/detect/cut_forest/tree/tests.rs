//! The invariant, the displacement, and trees of fixed width against the plain one.

use super::*;
use proptest::prelude::*;

/// Counts, boxes and sides of all nodes, from the points themselves.
fn check(tree: &Tree, points: &[f32]) {
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
            assert_eq!(low[column], values.clone().fold(f32::INFINITY, f32::min));
            assert_eq!(high[column], values.fold(f32::NEG_INFINITY, f32::max));
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
        values in proptest::collection::vec(0_u8..4, 160), width in 1_usize..3,
        window in 2_usize..9, seed in 0_u64..1_000,
    ) {
        let width = width * 4;
        let mut tree = Tree::new(window, width);
        let mut points = vec![0.0; window * width];
        let mut random = Random::new(seed);
        for (index, point) in values.chunks_exact(width).enumerate() {
            let slot = index % window;
            tree.remove(slot, &points);
            check(&tree, &points);
            for (to, from) in points[slot * width..].iter_mut().zip(point) {
                *to = f32::from(*from);
            }
            tree.insert(slot, &points, &mut random);
            check(&tree, &points);
        }
    }
}

use super::super::Grow;
use pelton_kernels::score_cuts::{CutTree, Turn};

proptest! {
    #[test]
    fn trees_of_fixed_width_are_the_same(
        values in proptest::collection::vec(
            prop_oneof![3 => -3_i32..4, 1 => Just(1_000), 1 => -100_000..100_000], 800),
        window in 2_usize..40, seed in 0_u64..1_000, scale in 0.001_f32..10.0,
        lost in proptest::collection::vec(0_usize..40, 0..20),
    ) {
        same_trees::<4>(&values, (window, seed), scale, &lost);
        same_trees::<8>(&values, (window, seed), scale, &lost);
    }
}

fn same_trees<const W: usize>(
    values: &[i32],
    (window, seed): (usize, u64),
    scale: f32,
    lost: &[usize],
) where
    CutTree<W>: Grow,
{
    let (mut plain, mut fixed) = (Tree::new(window, W), CutTree::<W>::new(window, seed));
    let mut points = vec![0.0; window * W];
    let mut random = Random::new(seed);
    for (index, point) in values.chunks_exact(W).enumerate() {
        let slot = index % window;
        plain.remove(slot, &points);
        fixed.remove(slot);
        for (to, from) in points[slot * W..].iter_mut().zip(point) {
            *to = *from as f32 * scale;
        }
        let displacement = plain.insert(slot, &points, &mut random);
        let (turn, mut sum) = (Turn { slot, ..Turn::default() }, [0.0]);
        fixed.take_turns(None, &points, &[turn], &mut sum);
        assert_eq!(sum[0], f64::from(displacement));
        // Some points leave before their time.
        if let Some(early) = lost.get(index).filter(|slot| **slot < window) {
            plain.remove(*early, &points);
            fixed.remove(*early);
        }
        for slot in 0..window {
            assert_eq!(fixed.path(slot), plain.path(slot));
        }
    }
    check(&plain, &points);
}

impl Tree {
    /// Count and box of a leaf and of what is above it.
    fn path(&self, slot: usize) -> Vec<(u16, Vec<f32>)> {
        let mut path = Vec::new();
        let mut node = self.leaf_of[slot];
        while node != NONE {
            let (count, parent) =
                (self.nodes[node as usize].count, self.nodes[node as usize].parent);
            let values = match (node as usize).checked_sub(self.window) {
                Some(_) => {
                    let at = self.box_at(node);
                    self.boxes[at..at + 2 * self.width].to_vec()
                }
                None => Vec::new(),
            };
            path.push((count, values));
            node = parent;
        }
        path
    }
}

/// The definition: over the ancestors, points beside over points below.
fn displacement_of_definition(tree: &Tree, slot: usize) -> f32 {
    let (mut node, mut largest) = (tree.leaf_of[slot], 0.0_f32);
    loop {
        let Node { parent, count, .. } = tree.nodes[node as usize];
        if parent == NONE {
            return largest;
        }
        let beside = f32::from(tree.nodes[parent as usize].count - count);
        largest = largest.max(beside / f32::from(count));
        node = parent;
    }
}

#[test]
fn insertion_returns_the_displacement() {
    let mut random = Random::new(1);
    let mut points: Vec<f32> = (0..80).map(|_| random.below(30) as f32).collect();
    points[76] = 1e6;
    let mut tree = Tree::new(20, 4);
    for slot in 0..20 {
        let displacement = tree.insert(slot, &points, &mut random);
        assert_eq!(displacement, displacement_of_definition(&tree, slot));
    }
    assert_eq!(displacement_of_definition(&tree, 19), 19.0);
}
