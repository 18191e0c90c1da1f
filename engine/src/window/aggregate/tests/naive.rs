//! The definitions, a line or two each, over the values of all rows in the order of positions.

/// A value as the definitions see it; floats by their key order.
pub(super) fn order(a: f64, b: f64) -> std::cmp::Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => a.partial_cmp(&b).expect("no NaN"),
        (a, b) => a.cmp(&b),
    }
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Σ (a − mean a)(b − mean b): twice over the rows, which is what the one pass must equal.
pub(super) fn products(a: &[f64], b: &[f64]) -> f64 {
    let (ma, mb) = (mean(a), mean(b));
    a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum()
}

pub(super) fn variance(values: &[f64], less: usize) -> Option<f64> {
    (values.len() > less).then(|| products(values, values) / (values.len() - less) as f64)
}

pub(super) fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| order(*a, *b));
    let rank = q * (sorted.len().checked_sub(1)? as f64);
    let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    let share = rank - rank.floor();
    Some(if low == high || share == 0.0 {
        low
    } else if low.is_infinite() || high.is_infinite() {
        low * (1.0 - share) + high * share
    } else {
        low + (high / 2.0 - low / 2.0) * share * 2.0
    })
}

/// Different values with their counts, the most frequent first, of equal ones the lesser.
pub(super) fn frequencies<T: Clone + Ord>(values: &[T]) -> Vec<(T, i64)> {
    let mut counts = std::collections::BTreeMap::new();
    values.iter().for_each(|value| *counts.entry(value.clone()).or_insert(0) += 1);
    let mut counts: Vec<(T, i64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

pub(super) fn ewma(rows: &[(i64, f64)], half_life: f64) -> Option<f64> {
    let last = rows.iter().map(|(time, _)| *time).max()?;
    let weight =
        |time: i64| libm::exp2(-((i128::from(last) - i128::from(time)) as f64) / half_life);
    let total: f64 = rows.iter().map(|(time, _)| weight(*time)).sum();
    Some(rows.iter().map(|(time, value)| weight(*time) * value).sum::<f64>() / total)
}
