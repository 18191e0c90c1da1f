//! The items with the greatest products for each query: recommendations from factors (Y. Koren,
//! R. Bell, C. Volinsky, "Matrix Factorization Techniques for Recommender Systems", IEEE Computer
//! 42, 2009), look-alikes from embeddings.
//!
//! * [`scalar`] is the definition: products in `f64` (of two `f32` numbers a product is exact),
//!   added in the order of dimensions, ties to the item of the smaller number.
//! * `gpu` finds candidates in `f32` and proves with [`error_bound`] that none is missing; what it
//!   cannot prove it asks the definition. So its answers have the definition's bits.
//!
//! Items and queries are rows of `f32`, one after the other. A sum that is NaN (a missing value,
//! ∞ − ∞) makes an item nobody's; one of ∞ a first one, of −∞ a last one.
//!
//! Distances are `score_nearest`'s. With a dimension more (1 in each query, −½ |p|² in each item)
//! products have the order of distances too, for rows of more columns than that takes on a GPU.

#[cfg(feature = "gpu")]
pub mod gpu;
pub mod scalar;
mod simd;

use crate::simd::Level;

/// The largest relative error of an operation in `f32`, in either direction.
pub const ROUNDING_F32: f64 = 1.0 / 8_388_608.0;

/// What stands for an item that is not there: fewer than `k` have a product.
pub const NONE: u32 = u32::MAX;

/// Items or queries, row by row.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Numbers a row, at least 1.
    pub dimensions: usize,
    /// `dimensions` numbers of each row.
    pub values: &'a [f32],
}

impl<'a> Rows<'a> {
    /// How many there are; what is behind the last whole one is not looked at.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.dimensions.max(1)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of one.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn row(&self, at: usize) -> &'a [f32] {
        &self.values[at * self.dimensions..(at + 1) * self.dimensions]
    }
}

/// For each query its items, the greatest product first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Best {
    /// Slots a query.
    pub k: usize,
    /// Numbers of items, `k` a query; [`NONE`] where there are no more.
    pub items: Vec<u32>,
    /// Their products, NaN where there are no more.
    pub products: Vec<f64>,
}

impl Best {
    /// Nothing for so many queries.
    #[must_use]
    pub fn new(queries: usize, k: usize) -> Self {
        Self { k, items: vec![NONE; queries * k], products: vec![f64::NAN; queries * k] }
    }
}

/// How far a product of rows of these lengths (roots of the sums of squares) may lie from the
/// definition's where it is computed in `f32`, in whatever order, fused or not.
///
/// Terms may cancel, so the error is that of the sum of absolute products, which is at most the
/// product of the lengths (Cauchy, Schwarz); n terms are rounded, and their additions n times at
/// most (N. Higham, "Accuracy and Stability of Numerical Algorithms", chapter 3).
#[must_use]
pub fn error_bound(dimensions: usize, query: f64, item: f64) -> f64 {
    // What is lost below the normal numbers comes on top.
    let n = dimensions as f64;
    (n + 8.0) * ROUNDING_F32 * query * item + n * 1e-37 * (1.0 + query + item)
}

/// The `k` items of each query that have the greatest products with it.
///
/// # Panics
/// When queries and items differ in dimensions or have none, or there are 2³² − 1 items.
///
/// ```
/// use pelton_kernels::score_products::{Rows, best};
/// use pelton_kernels::simd::Level;
/// let items = Rows { dimensions: 2, values: &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0] };
/// let found = best(Level::best(), items, Rows { dimensions: 2, values: &[0.5, 2.0] }, 2);
/// assert_eq!((found.items, found.products), (vec![2, 1], vec![2.5, 2.0]));
/// ```
#[must_use]
pub fn best(level: Level, items: Rows<'_>, queries: Rows<'_>, k: usize) -> Best {
    check(items, queries);
    let mut all = Best::new(queries.len(), k);
    if level != Level::Scalar && k > 0 {
        simd::best(level, items, queries, &mut all);
        return all;
    }
    let mut list = scalar::List::new(k);
    for query in 0..queries.len() {
        scalar::best_of(items, queries.row(query), &mut list);
        list.write(&mut all, query);
    }
    all
}

fn check(items: Rows<'_>, queries: Rows<'_>) {
    assert_eq!(items.dimensions, queries.dimensions, "dimensions differ");
    assert!(items.dimensions > 0, "a row has a number at least");
    assert!(items.len() < NONE as usize, "items have numbers of 32 bits");
}
