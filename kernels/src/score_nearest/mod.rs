//! The nearest rows: for each query its k nearest of some references, exactly.
//!
//! What distance-based detectors, left-out shapes (a matrix profile without its normalisation) and
//! look-alikes need, by brute force: references × columns multiplications a query. The answer is
//! that of the definition ([`scalar`]) to the bit: squared Euclidean distances in f64, added
//! column by column, ordered by distance and then by row.
//!
//! # How it is fast
//! References lie in columns, so that the sums of neighbouring rows are the lanes of a vector:
//! the order of additions of each row stays. A block of distances is computed, then only those
//! below the k-th found so far are looked at. `gpu` looks at all references in f32 and proves
//! from a bound of its error that no other row can be among the nearest.

#[cfg(feature = "gpu")]
pub mod gpu;
pub mod scalar;
#[cfg(test)]
mod tests;

use crate::simd::{Level, multiversion};

/// The row where there are fewer than k references.
pub const NONE: u32 = u32::MAX;

/// References whose distances are computed at a time: a block stays in the first cache.
const BLOCK: usize = 256;

/// Rows to be near to, in columns.
#[derive(Debug, Clone, Copy)]
pub struct References<'a> {
    /// Column by column, each as long as there are references.
    values: &'a [f64],
    count: usize,
}

impl<'a> References<'a> {
    /// `values` holds `width` columns of `count` values, one column after the other.
    ///
    /// # Panics
    /// When it is not a whole number of columns, of at most 2³² − 1 rows.
    #[must_use]
    pub fn new(values: &'a [f64], count: usize) -> Self {
        let whole = if count == 0 { values.is_empty() } else { values.len().is_multiple_of(count) };
        assert!(whole && count < NONE as usize, "{} values in columns of {count}", values.len());
        Self { values, count }
    }

    /// Number of references.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of columns; 0 of no reference.
    #[must_use]
    pub fn width(&self) -> usize {
        self.values.len().checked_div(self.count).unwrap_or(0)
    }

    /// The columns.
    fn columns(&self) -> impl Iterator<Item = &'a [f64]> + use<'a> {
        self.values.chunks_exact(self.count.max(1))
    }
}

/// Finds the `k` nearest references of each query, `k` being `distances.len()` over the number of
/// queries: their squared distances ascending, and their rows. Among equal distances the lower row
/// is nearer. A distance that is NaN is none; where there are fewer than k, the rest is infinity
/// and [`NONE`].
///
/// # Contract
/// `queries` holds them row by row, each with a value a column; `rows` is as long as `distances`,
/// a multiple of the number of queries (asserted).
///
/// ```
/// use pelton_kernels::score_nearest::{References, nearest};
/// use pelton_kernels::simd::Level;
/// let references = References::new(&[0.0, 3.0, 10.0], 3); // one column
/// let (mut distances, mut rows) = ([0.0; 2], [0; 2]);
/// nearest(Level::best(), references, &[4.0], &mut distances, &mut rows);
/// assert_eq!((distances, rows), ([1.0, 16.0], [1, 0]));
/// ```
pub fn nearest(
    level: Level,
    references: References<'_>,
    queries: &[f64],
    distances: &mut [f64],
    rows: &mut [u32],
) {
    let (count, k) = check(references, queries, distances, rows);
    if k == 0 {
        return;
    }
    let width = references.width();
    for query in 0..count {
        let values = &queries[query * width..][..width];
        let out = query * k..(query + 1) * k;
        let (distances, rows) = (&mut distances[out.clone()], &mut rows[out]);
        match level {
            Level::Scalar => scalar::nearest_of(references, values, distances, rows),
            _ => nearest_of(level, references, values, distances, rows),
        }
    }
}

/// Number of queries, and k.
fn check(
    references: References<'_>,
    queries: &[f64],
    distances: &[f64],
    rows: &[u32],
) -> (usize, usize) {
    assert_eq!(distances.len(), rows.len());
    let width = references.width();
    if width == 0 {
        assert!(queries.is_empty() || references.count() == 0, "queries without columns");
        return (0, 0);
    }
    assert!(queries.len().is_multiple_of(width), "queries of {width} columns are cut");
    let count = queries.len() / width;
    assert!(count == 0 || distances.len().is_multiple_of(count), "k is no whole number");
    (count, distances.len().checked_div(count).unwrap_or(0))
}

fn nearest_of(
    level: Level,
    references: References<'_>,
    query: &[f64],
    distances: &mut [f64],
    rows: &mut [u32],
) {
    distances.fill(f64::INFINITY);
    rows.fill(NONE);
    let mut block = [0.0; BLOCK];
    for start in (0..references.count()).step_by(BLOCK) {
        let len = BLOCK.min(references.count() - start);
        let block = &mut block[..len];
        block.fill(0.0);
        for (column, value) in references.columns().zip(query) {
            add_squares(level, &column[start..start + len], *value, block);
        }
        for (at, distance) in block.iter().enumerate() {
            insert(*distance, (start + at) as u32, distances, rows);
        }
    }
}

multiversion! {
    fn add_squares(level; column: &[f64], value: f64, sums: &mut [f64]) {
        for (sum, reference) in sums.iter_mut().zip(column) {
            let difference = value - *reference;
            *sum += difference * difference;
        }
    }
}

/// Takes a row into the sorted ones, where it is nearer than the last. Rows come in order, so an
/// equal distance goes behind; a distance of infinity goes into a free place.
#[inline(always)]
fn insert(distance: f64, row: u32, distances: &mut [f64], rows: &mut [u32]) {
    let last = distances.len() - 1;
    let free = distance == f64::INFINITY && rows[last] == NONE;
    if !(distance < distances[last] || free) {
        return;
    }
    let before = |at: usize| distance < distances[at] || (free && rows[at] == NONE);
    let place = (0..=last).find(|at| before(*at)).unwrap_or(last);
    distances[place..].rotate_right(1);
    rows[place..].rotate_right(1);
    (distances[place], rows[place]) = (distance, row);
}
