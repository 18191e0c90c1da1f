//! The definition: every item, in the order of their numbers, against a sorted list.

use super::{Best, Rows};

/// The product of two rows: that of each dimension is exact, their sum is rounded term by term.
#[must_use]
pub fn product(item: &[f32], query: &[f32]) -> f64 {
    let products = item.iter().zip(query).map(|(p, q)| f64::from(*q) * f64::from(*p));
    products.fold(0.0, |sum, product| sum + product)
}

/// The best so far, sorted by product, the greatest first, and number.
#[derive(Debug, Clone)]
pub struct List {
    k: usize,
    entries: Vec<(f64, u32)>,
}

impl List {
    /// Room for `k`.
    #[must_use]
    pub fn new(k: usize) -> Self {
        Self { k, entries: Vec::with_capacity(k + 1) }
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The least product, once there are `k`.
    #[must_use]
    pub fn least(&self) -> Option<f64> {
        let last = self.entries.last().map(|entry| entry.0);
        last.filter(|_| self.entries.len() == self.k)
    }

    /// Sees an item; NaN is no product.
    pub fn see(&mut self, product: f64, number: u32) {
        let before =
            |entry: &(f64, u32)| entry.0 > product || (entry.0 == product && entry.1 < number);
        let is_full = self.entries.len() == self.k;
        if product.is_nan() || (is_full && self.entries.last().is_none_or(before)) {
            return;
        }
        let at = self.entries.partition_point(before);
        self.entries.insert(at, (product, number));
        self.entries.truncate(self.k);
    }

    /// Writes the slots of a query.
    pub fn write(&self, all: &mut Best, query: usize) {
        for (slot, (product, number)) in self.entries.iter().enumerate() {
            all.items[query * self.k + slot] = *number;
            all.products[query * self.k + slot] = *product;
        }
    }
}

/// The best items of one query.
pub fn best_of(items: Rows<'_>, query: &[f32], list: &mut List) {
    list.clear();
    for (number, item) in items.values.chunks_exact(items.dimensions).enumerate() {
        list.see(product(item, query), number as u32);
    }
}
