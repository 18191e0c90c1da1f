//! Sums of levels by way of [`score_forest`]: an isolation forest whose ends hold their levels is a
//! forest whose leaves are added.
//!
//! Levels are whole numbers of 2⁻³²; as long as those of the deepest ends add up to less than 2²¹,
//! every sum on the way has at most 53 bits, so `f64` adds them exactly and in any order: the
//! definition's bits. Forests beyond that, and those with a cut at infinity, are left to the
//! definition.

use super::{Forest, LEVEL_ONE, Node};
use crate::score_forest::{Child, Missing, Plan, Rule, Scratch, Trees, score_columns};
use crate::simd::Level;

/// Sums below it have no more than 53 bits.
const EXACT_BELOW: f64 = 2_097_152.0;

/// A forest made ready for many rows.
#[derive(Debug, Clone)]
pub struct Ready<'a> {
    forest: &'a Forest,
    plan: Option<Plan>,
}

impl<'a> Ready<'a> {
    /// Makes it ready.
    #[must_use]
    pub fn new(forest: &'a Forest) -> Self {
        let plan = as_trees(forest).and_then(|trees| Plan::new(&trees).ok());
        Self { forest, plan }
    }

    /// Whether it is not the definition that walks.
    #[must_use]
    pub fn is_fast(&self) -> bool {
        self.plan.is_some()
    }

    /// As [`super::level_sums`].
    ///
    /// # Panics
    /// As there.
    pub fn level_sums(&self, level: Level, columns: &[&[f64]], out: &mut [u64]) {
        let Some(plan) = self.plan.as_ref().filter(|_| level != Level::Scalar) else {
            return super::level_sums(self.forest, columns, out);
        };
        super::check(self.forest, columns, out);
        let (mut scratch, mut sums) = (Scratch::new(plan), vec![0.0; out.len()]);
        score_columns(level, plan, columns, &[0.0], &mut scratch, &mut sums);
        // Exact: a product with a power of two, and a whole number.
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = (sum * LEVEL_ONE) as u64);
    }
}

/// The same forest in [`score_forest`](crate::score_forest)'s form; `None` where it has none.
fn as_trees(forest: &Forest) -> Option<Trees> {
    let mut trees = Trees::new(forest.columns, 1);
    let mut deepest = 0.0;
    for (tree, root) in forest.roots.iter().enumerate() {
        let end = forest.roots.get(tree + 1).map_or(forest.nodes.len(), |next| *next as usize);
        let (nodes, levels) =
            (&forest.nodes[*root as usize..end], &forest.levels[*root as usize..end]);
        deepest += push(&mut trees, nodes, levels)?;
    }
    (deepest < EXACT_BELOW && !trees.is_empty()).then_some(trees)
}

/// Adds a tree; gives its deepest level.
fn push(trees: &mut Trees, nodes: &[Node], levels: &[u64]) -> Option<f64> {
    // Nodes in the order in which they are come to: those that nothing leads to are left out.
    let mut order = vec![0];
    let mut at = 0;
    while let Some(node) = order.get(at).map(|index: &usize| &nodes[*index]) {
        if node.child != 0 {
            order.extend([node.child as usize, node.child as usize + 1]);
        }
        at += 1;
        if order.len() > nodes.len() {
            // Two parents share a child.
            return None;
        }
    }
    let (mut cuts, mut ends) = (0, 0);
    let mut numbers = Vec::with_capacity(nodes.len());
    for index in &order {
        let counter = if nodes[*index].child == 0 { &mut ends } else { &mut cuts };
        let child = if nodes[*index].child == 0 { Child::leaf } else { Child::node };
        numbers.push(child(*counter));
        *counter += 1;
    }
    let (mut deepest, mut next) = (0.0_f64, 1);
    for index in order {
        let Node { value, column, child, nan_up } = nodes[index];
        if child == 0 {
            let level = levels[index] as f64 / LEVEL_ONE;
            deepest = deepest.max(level);
            trees.leaf.push(level);
            continue;
        }
        if !value.is_finite() {
            return None;
        }
        trees.feature.push(column);
        trees.threshold.push(value);
        trees.rule.push(Rule::Numeric { missing: Missing::Nan, default_left: !nan_up });
        trees.left.push(numbers[next]);
        trees.right.push(numbers[next + 1]);
        next += 2;
    }
    trees.end_tree(0);
    Some(deepest)
}
