//! Which rows of a batch belong to a window or a pane, by their times.
//!
//! Times are integers in whatever unit the data has; a window is given by its first and its last
//! time, both included, so that the ends of the 64-bit range need no care. Most batches lie in
//! one pane, which [`bounds`] tells from the least and the greatest time; of the others
//! [`select`] picks the rows of one pane, in their order.
//!
//! Every level gives the same rows.

use crate::math::multiversion;

#[cfg(test)]
mod tests;

/// The least and the greatest of `times`; `None` where there is none.
#[must_use]
pub fn bounds(times: &[i64]) -> Option<(i64, i64)> {
    let mut found = (i64::MAX, i64::MIN);
    widen(times, &mut found);
    (!times.is_empty()).then_some(found)
}

multiversion! {
    /// Widens bounds to hold `times`.
    fn widen(times: &[i64], bounds: &mut (i64, i64)) {
        // So many lanes that the latency of a comparison doesn't matter.
        const LANES: usize = 32;
        let (mut least, mut greatest) = ([i64::MAX; LANES], [i64::MIN; LANES]);
        let (blocks, rest) = times.as_chunks::<LANES>();
        for block in blocks {
            for lane in 0..LANES {
                least[lane] = least[lane].min(block[lane]);
                greatest[lane] = greatest[lane].max(block[lane]);
            }
        }
        let least = least.iter().chain(rest).copied().fold(bounds.0, i64::min);
        let greatest = greatest.iter().chain(rest).copied().fold(bounds.1, i64::max);
        *bounds = (least, greatest);
    }
}

/// Writes the numbers of the rows whose time is in `first..=last` to `rows` (cleared first).
///
/// # Panics
/// When there are 2³² rows or more.
pub fn select(times: &[i64], first: i64, last: i64, rows: &mut Vec<u32>) {
    assert!(u32::try_from(times.len()).is_ok(), "rows of a batch are numbered in 32 bits");
    rows.clear();
    rows.resize(times.len(), 0);
    let mut used = 0;
    // Without a branch: every row is written, and kept by moving on. `used` is at most `row`.
    for (row, &time) in times.iter().enumerate() {
        rows[used] = row as u32;
        used += usize::from(first <= time && time <= last);
    }
    rows.truncate(used);
}
