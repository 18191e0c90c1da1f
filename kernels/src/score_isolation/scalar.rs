//! The definition: a row walks each tree, and the levels at which it ends are added.

use super::{Forest, Node};

/// Whether a value goes to the upper child.
#[must_use]
pub fn goes_up(node: &Node, value: f64) -> bool {
    if value.is_nan() { node.nan_up } else { value > node.value }
}

/// The sum of the levels of one row, in units of 2⁻³². `row` has a value a column.
#[must_use]
pub fn level_sum(forest: &Forest, row: &[f64]) -> u64 {
    let level = |root: &u32| {
        let mut at = *root as usize;
        while forest.nodes[at].child != 0 {
            let node = &forest.nodes[at];
            let up = goes_up(node, row[node.column as usize]);
            at = *root as usize + node.child as usize + usize::from(up);
        }
        forest.levels[at]
    };
    forest.roots.iter().map(level).sum()
}
