//! Training against its plain definitions.

mod boosting;
mod logistic;
mod measures;
mod trees;

use crate::detect::random::Random;

/// Columns of many kinds, and labels that depend on them.
pub(super) struct Data {
    pub(super) names: Vec<String>,
    pub(super) columns: Vec<Vec<f64>>,
    pub(super) labels: Vec<bool>,
}

impl Data {
    /// A number, a count, one that is often missing, one that says nothing, a constant.
    pub(super) fn made(rows: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut columns = vec![Vec::new(); 5];
        let mut labels = Vec::with_capacity(rows);
        for _ in 0..rows {
            let x = random.unit() * 4.0 - 2.0;
            let count = random.below(7) as f64;
            let often = if random.below(3) == 0 { f64::NAN } else { random.unit() };
            let odds = match (x > 0.5) != (count > 3.0) {
                true => 0.8,
                false if often.is_nan() => 0.4,
                false => 0.05,
            };
            for (column, value) in columns.iter_mut().zip([x, count, often, random.unit(), 7.0]) {
                column.push(value);
            }
            labels.push(random.unit() < odds);
        }
        let names = ["x", "count", "often_missing", "noise", "constant"];
        Self { names: names.map(str::to_owned).to_vec(), columns, labels }
    }

    pub(super) fn slices(&self) -> Vec<&[f64]> {
        self.columns.iter().map(Vec::as_slice).collect()
    }
}

pub(super) fn all(rows: usize) -> Vec<u32> {
    (0..rows as u32).collect()
}
