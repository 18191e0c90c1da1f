//! The definition: the correlation of each pair of windows, value by value.

use super::Series;

/// The correlation of two windows that have no missing value; 0 where one is flat.
#[must_use]
pub fn correlation(series: &Series, i: usize, j: usize) -> f64 {
    let of = |at: usize| series.values[at..at + series.length].iter().zip(std::iter::repeat(at));
    let deviation = |(x, at): (&f64, usize)| x - series.means[at];
    let products = of(i).zip(of(j)).map(|(a, b)| deviation(a) * deviation(b));
    products.fold(0.0, |sum, product| sum + product) * series.inverses[i] * series.inverses[j]
}

/// The window that correlates most with window `i`, the first of equals.
#[must_use]
pub fn nearest(series: &Series, i: usize) -> Option<usize> {
    let mut best: Option<(f64, usize)> = None;
    for j in (0..series.windows()).filter(|j| series.are_compared(i, *j)) {
        let own = correlation(series, i, j);
        if best.is_none_or(|(most, _)| own > most) {
            best = Some((own, j));
        }
    }
    best.map(|(_, j)| j)
}

/// The first window that `i` is compared with: the nearest of a flat one.
#[must_use]
pub fn first(series: &Series, i: usize) -> Option<usize> {
    (0..series.windows()).find(|j| series.are_compared(i, *j))
}
