//! The definition: each row walks each tree, and the leaves are added in the order of the trees.

use super::{Missing, Rule, Sum, Trees, ZERO_MAX};

/// Whether a row whose feature has the value `x` goes left at `node` (an index into the shared
/// arrays).
#[must_use]
pub fn goes_left(trees: &Trees, node: usize, x: f64) -> bool {
    match trees.rule[node] {
        Rule::Numeric { missing, default_left } => {
            let is_missing = match missing {
                Missing::Never => false,
                Missing::Nan => x.is_nan(),
                Missing::ZeroOrNan => x.is_nan() || x.abs() <= ZERO_MAX,
            };
            if is_missing {
                return default_left;
            }
            let x = if x.is_nan() { 0.0 } else { x };
            x <= trees.threshold[node]
        }
        Rule::Set { set, members_left, default_left, cuts_negative } => {
            let x = if trees.f32_features { f64::from(x as f32) } else { x };
            if x.is_nan() {
                return default_left;
            }
            is_member(&trees.sets[set as usize], x, cuts_negative) == members_left
        }
    }
}

/// Whether the category `x` is in a set.
#[must_use]
pub fn is_member(set: &[u64], x: f64, cuts_negative: bool) -> bool {
    let starts = if cuts_negative { x > -1.0 } else { x >= 0.0 };
    // A float past the last category is cut to one that no set has.
    let category = x as usize;
    starts && set.get(category / 64).is_some_and(|word| word >> (category % 64) & 1 == 1)
}

/// The leaf that a row comes to, as a leaf number of the forest. `row` has a value a feature.
#[must_use]
pub fn leaf_of(trees: &Trees, tree: usize, row: &[f64]) -> usize {
    let (first_node, first_leaf) = (trees.nodes_of(tree).start, trees.leaves_of(tree).start);
    if trees.nodes_of(tree).is_empty() {
        return first_leaf;
    }
    let mut node = first_node;
    loop {
        let x = row[trees.feature[node] as usize];
        let child = if goes_left(trees, node, x) { trees.left[node] } else { trees.right[node] };
        match child.get() {
            Ok(next) => node = first_node + next,
            Err(leaf) => return first_leaf + leaf,
        }
    }
}

/// The sums of one row: `initial` and then leaf by leaf in the order of the trees.
///
/// # Contract
/// `row` has `trees.features` values, `initial` and `out` have `trees.outputs` (asserted).
pub fn score_row(trees: &Trees, row: &[f64], initial: &[f64], out: &mut [f64]) {
    assert!(row.len() == trees.features);
    assert!(initial.len() == trees.outputs && out.len() == trees.outputs);
    out.copy_from_slice(initial);
    for tree in 0..trees.len() {
        let leaf = leaf_of(trees, tree, row);
        if trees.leaf_width == 1 {
            let sum = &mut out[trees.output[tree] as usize];
            *sum = add(trees.sum, *sum, trees.leaf[leaf]);
        } else {
            let values = &trees.leaf[leaf * trees.leaf_width..][..trees.leaf_width];
            for (sum, value) in out.iter_mut().zip(values) {
                *sum = add(trees.sum, *sum, *value);
            }
        }
    }
}

/// One addition in the forest's precision.
#[inline]
#[must_use]
pub fn add(sum: Sum, a: f64, b: f64) -> f64 {
    match sum {
        Sum::F64 => a + b,
        Sum::F32 => f64::from(a as f32 + b as f32),
    }
}
