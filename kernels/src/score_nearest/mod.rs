//! The nearest points of each query, or those with the greatest products: k nearest neighbours,
//! and recommendations by factors.
//!
//! * [`scalar`] is the definition: scores in `f64`, dimensions in their order, ties to the point
//!   of the smaller number.
//! * `gpu` finds candidates in `f32` and proves with [`Metric::error_of`] that none is missing;
//!   what it cannot prove it asks the definition. So its answers have the definition's bits.
//!
//! Points and queries are rows of `f32`, one after the other. A score that is NaN (a missing
//! value, ∞ − ∞) makes no neighbour; one of ∞ makes a last one.

#[cfg(feature = "gpu")]
pub mod gpu;
pub mod scalar;

/// The largest relative error of an operation in `f32`, in either direction.
pub const ROUNDING_F32: f64 = 1.0 / 8_388_608.0;

/// What stands for a neighbour that is not there: fewer than `k` points have a score.
pub const NONE: u32 = u32::MAX;

/// What makes a point near.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// The least sum of squared differences.
    SquaredDistance,
    /// The greatest sum of products.
    Product,
}

/// Points, row by row.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Numbers a point, at least 1.
    pub dimensions: usize,
    /// `dimensions` numbers of each point.
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

/// For each query its neighbours, the nearest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Neighbours {
    /// Slots a query.
    pub k: usize,
    /// Numbers of points, `k` a query; [`NONE`] where there are no more.
    pub numbers: Vec<u32>,
    /// Their squared distances or products, NaN where there are no more.
    pub scores: Vec<f64>,
}

impl Neighbours {
    /// Nothing for so many queries.
    #[must_use]
    pub fn new(queries: usize, k: usize) -> Self {
        Self { k, numbers: vec![NONE; queries * k], scores: vec![f64::NAN; queries * k] }
    }
}

impl Metric {
    /// How far a score in `f32` may lie from the definition's: relatively (a part of the score),
    /// and absolutely, for rows of these lengths (root of the sum of squares).
    ///
    /// A distance adds squares, so its error is relative: each of n terms is rounded three times,
    /// and their additions n times at most. A product cancels, so its error is that of the sum of
    /// absolute products, which is at most the product of the lengths (Cauchy, Schwarz).
    #[must_use]
    pub fn error_of(self, dimensions: usize, query: f64, point: f64) -> (f64, f64) {
        // What is lost below the normal numbers.
        let lost = dimensions as f64 * 1e-37;
        let rounded = (dimensions as f64 + 8.0) * ROUNDING_F32;
        match self {
            Self::SquaredDistance => (rounded, lost),
            Self::Product => (0.0, rounded * query * point + lost),
        }
    }
}

/// The `k` nearest points of each query.
///
/// # Panics
/// When queries and points differ in dimensions, or there are 2³² points.
#[must_use]
pub fn nearest(metric: Metric, points: Rows<'_>, queries: Rows<'_>, k: usize) -> Neighbours {
    check(points, queries);
    let mut all = Neighbours::new(queries.len(), k);
    let mut list = scalar::List::new(k);
    for query in 0..queries.len() {
        scalar::nearest_of(metric, points, queries.row(query), &mut list);
        list.write(metric, &mut all, query);
    }
    all
}

fn check(points: Rows<'_>, queries: Rows<'_>) {
    assert_eq!(points.dimensions, queries.dimensions, "dimensions differ");
    assert!(points.dimensions > 0, "a point has a number at least");
    assert!(points.len() < NONE as usize, "points have numbers of 32 bits");
}
