//! The definition: each answer from all rows.

use super::{Horizon, Log};

/// For each row: the number of rows of its key in its window, and the sum of their values
/// (wrapping).
pub fn counts_and_sums(log: Log<'_>, values: &[i64], horizon: Horizon) -> Vec<(i64, i64)> {
    let answer = |(&time, &key): (&i64, &u32)| {
        let rows = log.times.iter().zip(log.keys).zip(values);
        let own = rows.filter(|((other, other_key), _)| {
            let age = i128::from(time) - i128::from(**other);
            **other_key == key
                && age >= i128::from(horizon.delay)
                && age < i128::from(horizon.delay) + i128::from(horizon.length)
        });
        own.fold((0, 0), |(n, sum): (i64, i64), (_, &value)| (n + 1, sum.wrapping_add(value)))
    };
    log.times.iter().zip(log.keys).map(answer).collect()
}
