//! The definition: a row walks down each tree.

use super::Half;

/// The mass of the last node that `row` comes to from node `root`.
#[must_use]
pub fn mass(nodes: &[Half], masses: &[f64], root: usize, row: &[f64]) -> f64 {
    let mut at = root;
    loop {
        let Half { middle, column, child } = nodes[at];
        if child as usize == at {
            return masses[at];
        }
        at = child as usize + usize::from(row[column as usize] >= middle);
    }
}
