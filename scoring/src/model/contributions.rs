//! What each feature contributed to the score of a forest.
//!
//! * [`Method::Exact`]: Shapley values by the path-dependent TreeSHAP (S. M. Lundberg,
//!   G. G. Erion, S.-I. Lee, "Consistent Individualized Feature Attribution for Tree Ensembles",
//!   2018, algorithm 2): for each leaf, the features on its path, each with the fraction of
//!   weight that comes through when the feature is unknown (`zero`: the cover of the child over
//!   that of the node) and when it is known (`one`: 1 or 0). `weight[i]` is the share of subsets
//!   of the path that have i features known. Time O(leaves × depth²) a tree. It is what
//!   LightGBM's `pred_contrib` and XGBoost's `pred_contribs` give.
//! * [`Method::Fast`]: A. Saabas, "Interpreting random forests", 2014: how the expected value
//!   changes at each node that the row passes goes to the feature that the node asks. Time
//!   O(depth) a tree; features near the root get too little.
//!
//! Either adds up: contributions + bias = raw score.

use pelton_kernels::score_forest::{Child, Trees, scalar};

use super::forest::{Covers, Forest};

/// How far the sum of contributions and bias may lie from the raw score, relative to the sum of
/// their absolute values. (Sums of `f32` forests are rounded at each tree, contributions not.)
pub const SUM_TOLERANCE: f64 = 1e-5;

/// How far exact contributions may lie from LightGBM's, relative to the largest of the row: both
/// are `f64`, the order of additions differs.
pub const LIGHTGBM_TOLERANCE: f64 = 1e-12;

/// How far exact contributions may lie from XGBoost's, which are `f32`.
pub const XGBOOST_TOLERANCE: f64 = 2e-6;

/// How contributions are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Shapley values.
    Exact,
    /// Changes of the expected value along the path.
    Fast,
}

/// A feature on the path from the root to where we are.
#[derive(Debug, Clone, Copy)]
struct Element {
    feature: usize,
    zero: f64,
    one: f64,
    weight: f64,
}

/// The element before the first feature.
const NO_FEATURE: usize = usize::MAX;

/// The contributions of one row: for each output a value a feature and the bias.
///
/// # Contract
/// `row` has a value a feature, `out` has `outputs × (features + 1)` (asserted).
pub fn of_forest(forest: &Forest, row: &[f64], method: Method, out: &mut [f64]) {
    let trees = forest.trees();
    let width = trees.features + 1;
    assert!(row.len() == trees.features && out.len() == trees.outputs * width);
    out.fill(0.0);
    for (out, initial) in out.chunks_exact_mut(width).zip(forest.initial()) {
        out[width - 1] = *initial;
    }
    for tree in 0..trees.len() {
        for column in 0..trees.leaf_width {
            let output = if trees.leaf_width == 1 { trees.output[tree] as usize } else { column };
            let out = &mut out[output * width..(output + 1) * width];
            let explained = Explained::new(forest, tree, column, row);
            out[width - 1] += explained.value(explained.root());
            match method {
                Method::Exact => explained.exact(out),
                Method::Fast => explained.fast(out),
            }
        }
    }
}

/// The expected value below each inner node, for each value of the leaves: computed once a
/// forest, as no row changes it.
pub(super) fn expected_values(trees: &Trees, covers: &Covers) -> Vec<f64> {
    let width = trees.leaf_width;
    let mut expected = vec![0.0; trees.feature.len() * width];
    let mut order = Vec::new();
    for tree in 0..trees.len() {
        let (first_node, first_leaf) = (trees.nodes_of(tree).start, trees.leaves_of(tree).start);
        order.clear();
        let mut open = if trees.nodes_of(tree).is_empty() { vec![] } else { vec![0] };
        while let Some(node) = open.pop() {
            order.push(node);
            let children = [trees.left[first_node + node], trees.right[first_node + node]];
            open.extend(children.into_iter().filter_map(|child| child.get().ok()));
        }
        // Children before parents.
        for &node in order.iter().rev() {
            let index = first_node + node;
            let [left, right] = shares(trees, covers, (first_node, first_leaf), node);
            for column in 0..width {
                let value = |child: Child| match child.get() {
                    Ok(node) => expected[(first_node + node) * width + column],
                    Err(leaf) => trees.leaf[(first_leaf + leaf) * width + column],
                };
                let sum = left * value(trees.left[index]) + right * value(trees.right[index]);
                expected[index * width + column] = sum;
            }
        }
    }
    expected
}

/// Which part of a node's weight goes to each child; half where nothing came to the node.
fn shares(
    trees: &Trees,
    covers: &Covers,
    (first_node, first_leaf): (usize, usize),
    node: usize,
) -> [f64; 2] {
    let index = first_node + node;
    let cover = covers.node[index];
    [trees.left[index], trees.right[index]].map(|child| {
        let of_child = match child.get() {
            Ok(node) => covers.node[first_node + node],
            Err(leaf) => covers.leaf[first_leaf + leaf],
        };
        if cover > 0.0 { of_child / cover } else { 0.5 }
    })
}

/// One tree, one value of its leaves, one row.
struct Explained<'a> {
    trees: &'a Trees,
    covers: &'a Covers,
    first_node: usize,
    first_leaf: usize,
    nodes: usize,
    column: usize,
    row: &'a [f64],
    /// The expected values of all trees.
    expected: &'a [f64],
}

impl<'a> Explained<'a> {
    fn new(forest: &'a Forest, tree: usize, column: usize, row: &'a [f64]) -> Self {
        let trees = forest.trees();
        let nodes = trees.nodes_of(tree);
        Self {
            trees,
            covers: forest.covers(),
            first_node: nodes.start,
            first_leaf: trees.leaves_of(tree).start,
            nodes: nodes.len(),
            column,
            row,
            expected: forest.expected_values(),
        }
    }

    fn children(&self, node: usize) -> [Child; 2] {
        let index = self.first_node + node;
        [self.trees.left[index], self.trees.right[index]]
    }

    /// The value of a leaf, or the expected one below a node.
    fn value(&self, child: Child) -> f64 {
        match child.get() {
            Ok(node) => {
                self.expected[(self.first_node + node) * self.trees.leaf_width + self.column]
            }
            Err(leaf) => {
                self.trees.leaf[(self.first_leaf + leaf) * self.trees.leaf_width + self.column]
            }
        }
    }

    fn goes_left(&self, node: usize) -> bool {
        let index = self.first_node + node;
        scalar::goes_left(self.trees, index, self.row[self.trees.feature[index] as usize])
    }

    fn fast(&self, out: &mut [f64]) {
        let mut at = self.root();
        while let Ok(node) = at.get() {
            let [left, right] = self.children(node);
            let next = if self.goes_left(node) { left } else { right };
            let feature = self.trees.feature[self.first_node + node] as usize;
            out[feature] += self.value(next) - self.value(at);
            at = next;
        }
    }

    fn root(&self) -> Child {
        if self.nodes == 0 { Child::leaf(0) } else { Child::node(0) }
    }

    fn exact(&self, out: &mut [f64]) {
        let mut paths = Vec::new();
        extend(&mut paths, 0, Element { feature: NO_FEATURE, zero: 1.0, one: 1.0, weight: 1.0 });
        self.descend(self.root(), &mut paths, 0, out);
    }

    /// Comes to `child` by the path `paths[start..]`.
    fn descend(&self, child: Child, paths: &mut Vec<Element>, start: usize, out: &mut [f64]) {
        let node = match child.get() {
            Ok(node) => node,
            Err(_) => {
                let value = self.value(child);
                let path = &paths[start..];
                for index in 1..path.len() {
                    let Element { feature, zero, one, .. } = path[index];
                    out[feature] += unwound_sum(path, index) * (one - zero) * value;
                }
                return;
            }
        };
        let feature = self.trees.feature[self.first_node + node] as usize;
        let (mut zero, mut one) = (1.0, 1.0);
        let length = paths.len();
        // A feature that was asked before counts once, with both its fractions.
        let before = paths[start..].iter().position(|element| element.feature == feature);
        let taken_left = self.goes_left(node);
        let copy = length - start;
        let shares = shares(self.trees, self.covers, (self.first_node, self.first_leaf), node);
        let children = self.children(node).into_iter().zip(shares);
        for ((child, share), taken) in children.zip([taken_left, !taken_left]) {
            paths.extend_from_within(start..start + copy);
            if let Some(index) = before {
                (zero, one) = (paths[length + index].zero, paths[length + index].one);
                unwind(paths, length, index);
            }
            let one = if taken { one } else { 0.0 };
            let zero = zero * share;
            extend(paths, length, Element { feature, zero, one, weight: 0.0 });
            self.descend(child, paths, length, out);
            paths.truncate(length);
        }
    }
}

/// Adds an element to the path `paths[start..]`.
fn extend(paths: &mut Vec<Element>, start: usize, element: Element) {
    paths.push(element);
    let path = &mut paths[start..];
    let depth = path.len() - 1;
    let (zero, one) = (element.zero, element.one);
    for i in (0..depth).rev() {
        let share = path[i].weight / (depth + 1) as f64;
        path[i + 1].weight += one * share * (i + 1) as f64;
        path[i].weight = zero * share * (depth - i) as f64;
    }
}

/// Takes element `index` out of the path `paths[start..]`, as if it had never been added.
fn unwind(paths: &mut Vec<Element>, start: usize, index: usize) {
    let path = &mut paths[start..];
    let depth = path.len() - 1;
    let Element { zero, one, .. } = path[index];
    let mut next = path[depth].weight;
    for i in (0..depth).rev() {
        if one != 0.0 {
            let before = path[i].weight;
            path[i].weight = next * (depth + 1) as f64 / ((i + 1) as f64 * one);
            next = before - path[i].weight * zero * (depth - i) as f64 / (depth + 1) as f64;
        } else if zero != 0.0 {
            path[i].weight *= (depth + 1) as f64 / (zero * (depth - i) as f64);
        } else {
            path[i].weight = 0.0;
        }
    }
    for i in index..depth {
        let Element { feature, zero, one, .. } = path[i + 1];
        path[i] = Element { feature, zero, one, weight: path[i].weight };
    }
    paths.pop();
}

/// The sum of the weights that the path would have without element `index`.
fn unwound_sum(path: &[Element], index: usize) -> f64 {
    let depth = path.len() - 1;
    let Element { zero, one, .. } = path[index];
    let (mut next, mut total) = (path[depth].weight, 0.0);
    for i in (0..depth).rev() {
        let rest = (depth - i) as f64 / (depth + 1) as f64;
        if one != 0.0 {
            let unwound = next * (depth + 1) as f64 / ((i + 1) as f64 * one);
            total += unwound;
            next = path[i].weight - unwound * zero * rest;
        } else if zero != 0.0 {
            total += path[i].weight / (zero * rest);
        }
    }
    total
}
