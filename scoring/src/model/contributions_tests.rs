//! Exact contributions against the definition of Shapley values: all subsets of the features.

use proptest::prelude::*;

use pelton_kernels::score_forest::{Child, Missing, Rule, Trees, scalar};

use super::contributions::{Method, of_forest};
use super::forest::{Covers, Forest, ForestParts};
use super::link::Link;

const FEATURES: usize = 5;

/// Relative to the largest contribution: both are `f64`, in other orders.
const TOLERANCE: f64 = 1e-12;

/// A tree that grows at a random leaf, and the covers of its nodes and leaves.
fn grow(
    trees: &mut Trees,
    covers: &mut Covers,
    splits: &[(usize, usize, i32, bool)],
    weights: &[u32],
) {
    let (first, first_leaf) = (trees.feature.len(), covers.leaf.len());
    let mut places: Vec<Option<(usize, bool)>> = vec![None];
    for (node, (leaf, feature, threshold, default_left)) in splits.iter().enumerate() {
        let split = leaf % places.len();
        trees.feature.push(*feature as u32);
        trees.threshold.push(f64::from(*threshold));
        trees.rule.push(Rule::Numeric { missing: Missing::Nan, default_left: *default_left });
        trees.left.push(Child::leaf(split as u32));
        trees.right.push(Child::leaf(places.len() as u32));
        if let Some((parent, is_left)) = places[split] {
            let side = if is_left { &mut trees.left } else { &mut trees.right };
            side[first + parent] = Child::node(node as u32);
        }
        places[split] = Some((node, true));
        places.push(Some((node, false)));
    }
    for weight in &weights[..places.len()] {
        trees.leaf.push(f64::from(weight % 7) - 3.0);
        covers.leaf.push(f64::from(weight % 5));
    }
    let below = |child: Child, covers: &Covers| match child.get() {
        Ok(node) => covers.node[first + node],
        Err(leaf) => covers.leaf[first_leaf + leaf],
    };
    covers.node.resize(first + splits.len(), 0.0);
    for node in (first..first + splits.len()).rev() {
        let sum = below(trees.left[node], covers) + below(trees.right[node], covers);
        covers.node[node] = sum;
    }
    trees.end_tree(0);
}

/// What the forest says on average of a row of which only the features in `known` are known.
fn value_of(forest: &Forest, row: &[f64], known: usize) -> f64 {
    let (trees, covers) = (forest.trees(), forest.covers());
    let mut sum = 0.0;
    for tree in 0..trees.len() {
        let (first, first_leaf) = (trees.nodes_of(tree).start, trees.leaves_of(tree).start);
        let root = if trees.nodes_of(tree).is_empty() { Child::leaf(0) } else { Child::node(0) };
        let mut open = vec![(root, 1.0)];
        while let Some((child, weight)) = open.pop() {
            let node = match child.get() {
                Ok(node) => first + node,
                Err(leaf) => {
                    sum += weight * trees.leaf[first_leaf + leaf];
                    continue;
                }
            };
            let feature = trees.feature[node] as usize;
            let goes_left = scalar::goes_left(trees, node, row[feature]);
            for (child, is_taken) in
                [(trees.left[node], goes_left), (trees.right[node], !goes_left)]
            {
                let cover = match child.get() {
                    Ok(node) => covers.node[first + node],
                    Err(leaf) => covers.leaf[first_leaf + leaf],
                };
                let share = match (known >> feature & 1 == 1, covers.node[node] > 0.0) {
                    (true, _) => f64::from(u8::from(is_taken)),
                    (false, true) => cover / covers.node[node],
                    (false, false) => 0.5,
                };
                open.push((child, weight * share));
            }
        }
    }
    sum
}

/// φᵢ = Σ over subsets S without i of |S|! (n − |S| − 1)! / n! × (v(S ∪ i) − v(S)).
fn by_definition(forest: &Forest, row: &[f64]) -> Vec<f64> {
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    let values: Vec<f64> = (0..1 << FEATURES).map(|known| value_of(forest, row, known)).collect();
    let mut out = vec![0.0; FEATURES + 1];
    for (feature, out) in out[..FEATURES].iter_mut().enumerate() {
        for known in (0..1_usize << FEATURES).filter(|known| known >> feature & 1 == 0) {
            let size = known.count_ones() as usize;
            let weight = factorial(size) * factorial(FEATURES - size - 1) / factorial(FEATURES);
            *out += weight * (values[known | 1 << feature] - values[known]);
        }
    }
    out[FEATURES] = values[0];
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn contributions_are_shapley_values(
        forest in prop::collection::vec(
            prop::collection::vec((0..64_usize, 0..FEATURES, -2..3_i32, any::<bool>()), 0..14),
            1..4,
        ),
        weights in prop::collection::vec(0..1000_u32, 16),
        row in prop::collection::vec(
            prop_oneof![(-3..4_i32).prop_map(f64::from), Just(f64::NAN)],
            FEATURES,
        ),
    ) {
        let mut trees = Trees::new(FEATURES, 1);
        let mut covers = Covers { known: true, ..Covers::default() };
        for splits in &forest {
            grow(&mut trees, &mut covers, splits, &weights);
        }
        let parts =
            ForestParts { trees, covers, initial: vec![0.0], divisor: 1.0, link: Link::Identity };
        let forest = Forest::new(parts).unwrap();
        let expected = by_definition(&forest, &row);
        let mut ours = vec![0.0; FEATURES + 1];
        of_forest(&forest, &row, Method::Exact, &mut ours);
        let largest = expected.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
        for (ours, expected) in ours.iter().zip(&expected) {
            prop_assert!((ours - expected).abs() <= TOLERANCE * largest, "{ours} {expected}");
        }
    }
}
