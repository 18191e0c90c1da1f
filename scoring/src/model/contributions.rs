//! What each feature contributed to the score of a forest.
//!
//! * [`Method::Exact`]: Shapley values by the path-dependent game of TreeSHAP (S. M. Lundberg,
//!   G. G. Erion, S.-I. Lee, "Consistent Individualized Feature Attribution for Tree Ensembles",
//!   2018): for a leaf of value v, each feature j on its path lets through the fraction `oneⱼ`
//!   (1 or 0) where the row is known, and `zeroⱼ` (cover of the child over that of the node)
//!   where it is not. It is what LightGBM's `pred_contrib` and XGBoost's `pred_contribs` give.
//!   The Shapley value is an integral (G. Owen, "Multilinear Extensions of Games", 1972):
//!
//!   ```text
//!   φᵢ = Σ leaves v (oneᵢ − zeroᵢ) ∫₀¹ Π j≠i fⱼ(t) dt      fⱼ(t) = oneⱼ t + zeroⱼ (1 − t)
//!   ```
//!
//!   of a polynomial in t, so that Gauss's quadrature with half as many points as there are
//!   features on a path gives it exactly. The products are carried down the tree, a number a
//!   point, and the sums over leaves up; each edge takes its feature's share from the sum below
//!   it. (P. Yu et al., "Linear TreeShap", 2022, do the same on coefficients.) Time
//!   O(leaves × depth) a tree, where the algorithm of the paper takes leaves × depth².
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
    let mut shapley = (method == Method::Exact).then(|| Shapley::new(forest.explaining()));
    for tree in 0..trees.len() {
        for column in 0..trees.leaf_width {
            let output = if trees.leaf_width == 1 { trees.output[tree] as usize } else { column };
            let out = &mut out[output * width..(output + 1) * width];
            let explained = Explained::new(forest, tree, column, row);
            out[width - 1] += explained.value(explained.root());
            match &mut shapley {
                Some(shapley) => explained.exact(shapley.of_tree(tree), out),
                None => explained.fast(out),
            }
        }
    }
}

/// What explaining needs of a forest that no row changes: made once.
#[derive(Debug, Clone)]
pub(super) struct Explaining {
    /// The expected value below each inner node, for each value of the leaves.
    expected: Vec<f64>,
    features: usize,
    /// Levels of the deepest tree.
    depth: usize,
    /// How many points each tree needs: half as many as features may stand on a path.
    counts: Vec<usize>,
    /// Quadratures on [0, 1] by their number of points; empty where no tree has so many.
    quadratures: Vec<Quadrature>,
}

/// Points on [0, 1], and their weights.
#[derive(Debug, Clone, Default)]
struct Quadrature {
    points: Vec<f64>,
    weights: Vec<f64>,
}

impl Explaining {
    pub(super) fn new(trees: &Trees, covers: &Covers) -> Self {
        let width = trees.leaf_width;
        let mut expected = vec![0.0; trees.feature.len() * width];
        let (mut order, mut depth) = (Vec::new(), 0);
        let mut counts = Vec::with_capacity(trees.len());
        for tree in 0..trees.len() {
            let first = (trees.nodes_of(tree).start, trees.leaves_of(tree).start);
            order.clear();
            let mut open = if trees.nodes_of(tree).is_empty() { vec![] } else { vec![(0, 1)] };
            let mut levels = 0;
            while let Some((node, level)) = open.pop() {
                order.push(node);
                levels = levels.max(level);
                let children = [trees.left[first.0 + node], trees.right[first.0 + node]];
                let inner = children.into_iter().filter_map(|child| child.get().ok());
                open.extend(inner.map(|node| (node, level + 1)));
            }
            depth = depth.max(levels);
            counts.push(levels.min(trees.features).div_ceil(2).max(1));
            // Children before parents.
            for &node in order.iter().rev() {
                let index = first.0 + node;
                let [left, right] = shares(trees, covers, first, node);
                for column in 0..width {
                    let value = |child: Child| match child.get() {
                        Ok(node) => expected[(first.0 + node) * width + column],
                        Err(leaf) => trees.leaf[(first.1 + leaf) * width + column],
                    };
                    let sum = left * value(trees.left[index]) + right * value(trees.right[index]);
                    expected[index * width + column] = sum;
                }
            }
        }
        let most = counts.iter().copied().max().unwrap_or(1);
        let mut quadratures = vec![Quadrature::default(); most + 1];
        for &count in &counts {
            if quadratures[count].points.is_empty() {
                quadratures[count] = gauss_legendre(count);
            }
        }
        Self { expected, features: trees.features, depth, counts, quadratures }
    }
}

/// Points and weights of Gauss's quadrature on [0, 1], exact for polynomials of degree
/// `2 × count − 1`: Newton's method on the Legendre polynomial (M. Abramowitz, I. A. Stegun,
/// Handbook of Mathematical Functions, 25.4.29).
fn gauss_legendre(count: usize) -> Quadrature {
    let n = count as f64;
    let point = |i: usize| {
        let mut x = libm::cos(std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5));
        let mut slope = 1.0;
        // Converges quadratically: the last steps change nothing.
        for _ in 0..12 {
            let (mut before, mut here) = (1.0, x);
            for k in 2..=count {
                let k = k as f64;
                (before, here) = (here, ((2.0 * k - 1.0) * x * here - (k - 1.0) * before) / k);
            }
            slope = n * (x * here - before) / (x * x - 1.0);
            x -= here / slope;
        }
        ((1.0 - x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
    };
    let (points, weights) = (0..count).map(point).unzip();
    Quadrature { points, weights }
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
            expected: &forest.explaining().expected,
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

    fn exact(&self, shapley: &mut Shapley<'_>, out: &mut [f64]) {
        shapley.products[..shapley.quadrature.points.len()].fill(1.0);
        self.descend(self.root(), 0, shapley, out);
    }

    /// Comes to `child` with the products of its path at `level`; leaves there the sum over the
    /// leaves below of value × weight × product.
    fn descend(&self, child: Child, level: usize, shapley: &mut Shapley<'_>, out: &mut [f64]) {
        let quadrature = shapley.quadrature;
        let (count, points) = (quadrature.points.len(), quadrature.points.as_slice());
        let here = level * count..(level + 1) * count;
        let below = here.end..here.end + count;
        let node = match child.get() {
            Ok(node) => node,
            Err(_) => {
                let value = self.value(child);
                let of_path = shapley.products[here.clone()].iter().zip(&quadrature.weights);
                for (sum, (product, weight)) in shapley.sums[here].iter_mut().zip(of_path) {
                    *sum = value * weight * product;
                }
                return;
            }
        };
        shapley.sums[here.clone()].fill(0.0);
        let feature = self.trees.feature[self.first_node + node] as usize;
        let taken_left = self.goes_left(node);
        let shares = shares(self.trees, self.covers, (self.first_node, self.first_leaf), node);
        let children = self.children(node).into_iter().zip(shares);
        // A feature that was asked before counts once, with both its fractions.
        let before = shapley.path[feature];
        for ((child, share), taken) in children.zip([taken_left, !taken_left]) {
            let known = if taken { before.one } else { 0.0 };
            let now = Fractions { one: known, zero: before.zero * share };
            if now.one == 0.0 && now.zero == 0.0 {
                // Nothing comes through, whatever is known.
                continue;
            }
            let (above, products) = shapley.products.split_at_mut(here.end);
            let (above, products) = (&above[here.clone()], &mut products[..count]);
            for ((to, from), t) in products.iter_mut().zip(above).zip(points) {
                *to = from * now.at(*t);
            }
            if before.is_some() {
                products.iter_mut().zip(points).for_each(|(to, t)| *to /= before.at(*t));
            }
            shapley.path[feature] = now;
            self.descend(child, level + 1, shapley, out);
            shapley.path[feature] = before;
            out[feature] += now.share(&shapley.sums[below.clone()], points);
            if before.is_some() {
                // What the earlier edge of the same feature takes of these leaves is not its own.
                out[feature] -= before.share(&shapley.sums[below.clone()], points);
            }
            let (sums, below) = shapley.sums.split_at_mut(here.end);
            for (sum, below) in sums[here.clone()].iter_mut().zip(&*below) {
                *sum += below;
            }
        }
    }
}

/// What a feature lets through of a path.
#[derive(Debug, Clone, Copy)]
struct Fractions {
    /// Where it is known: 1 or 0.
    one: f64,
    /// Where it is not.
    zero: f64,
}

impl Fractions {
    /// Of a feature that the path has not asked.
    const ALL: Self = Self { one: 1.0, zero: 1.0 };

    #[inline(always)]
    fn at(self, t: f64) -> f64 {
        self.one * t + self.zero * (1.0 - t)
    }

    /// Whether the path has asked it.
    fn is_some(self) -> bool {
        self.one != 1.0 || self.zero != 1.0
    }

    /// Σ sum × (one − zero) ÷ f(t): the feature's own factor is taken out of the products.
    fn share(self, sums: &[f64], points: &[f64]) -> f64 {
        const LANES: usize = 4;
        let mut parts = [0.0; LANES];
        for (sums, points) in sums.chunks(LANES).zip(points.chunks(LANES)) {
            for ((part, sum), t) in parts.iter_mut().zip(sums).zip(points) {
                *part += sum / self.at(*t);
            }
        }
        (self.one - self.zero) * ((parts[0] + parts[1]) + (parts[2] + parts[3]))
    }
}

/// The memory of [`Method::Exact`].
struct Shapley<'a> {
    known: &'a Explaining,
    /// Of the tree at hand.
    quadrature: &'a Quadrature,
    /// For each level and point the product of the path.
    products: Vec<f64>,
    /// For each level and point the sum over the leaves below.
    sums: Vec<f64>,
    /// What each feature lets through so far.
    path: Vec<Fractions>,
}

impl<'a> Shapley<'a> {
    fn new(known: &'a Explaining) -> Self {
        let quadrature = &known.quadratures[known.quadratures.len() - 1];
        let size = (known.depth + 1) * quadrature.points.len();
        let path = vec![Fractions::ALL; known.features];
        Self { known, quadrature, products: vec![0.0; size], sums: vec![0.0; size], path }
    }

    /// The same memory for a tree.
    fn of_tree(&mut self, tree: usize) -> &mut Self {
        self.quadrature = &self.known.quadratures[self.known.counts[tree]];
        self
    }
}
