//! The definition: one distance after the other, and a sort.

use super::{NONE, References};

/// The squared distance of a query and a reference: differences squared, added column by column,
/// each operation rounded to f64.
#[inline]
#[must_use]
pub fn squared_distance(references: References<'_>, reference: usize, query: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (column, value) in references.columns().zip(query) {
        let difference = value - column[reference];
        sum += difference * difference;
    }
    sum
}

/// The nearest of one query, as [`super::nearest`] says.
pub(super) fn nearest_of(
    references: References<'_>,
    query: &[f64],
    distances: &mut [f64],
    rows: &mut [u32],
) {
    let one = |row: usize| (squared_distance(references, row, query), row as u32);
    let mut all: Vec<(f64, u32)> =
        (0..references.count()).map(one).filter(|(distance, _)| !distance.is_nan()).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let found = all.into_iter().chain(std::iter::repeat((f64::INFINITY, NONE)));
    for ((distance, row), found) in distances.iter_mut().zip(rows).zip(found) {
        (*distance, *row) = found;
    }
}
