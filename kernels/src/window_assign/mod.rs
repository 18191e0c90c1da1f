//! Which rows of a batch belong to a window or a pane, by their times.
//!
//! Times are integers in whatever unit the data has; a window is given by its first and its last
//! time, both included, so that the ends of the 64-bit range need no care. Most batches lie in
//! one pane, which [`bounds`] tells from the least and the greatest time; of the others
//! [`select`] picks the rows of one pane, in their order.
//!
//! Every level gives the same rows.

use crate::batch_filter::filter_rows;
use crate::columns::words;
use crate::simd::{Level, multiversion};

/// The least and the greatest of `times`; `None` where there is none.
#[must_use]
pub fn bounds(level: Level, times: &[i64]) -> Option<(i64, i64)> {
    let mut found = (i64::MAX, i64::MIN);
    widen(level, times, &mut found);
    (!times.is_empty()).then_some(found)
}

multiversion! {
    /// Widens bounds to hold `times`.
    fn widen(level; times: &[i64], bounds: &mut (i64, i64)) {
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

/// Whether no time is below the one before it.
#[must_use]
pub fn is_sorted(level: Level, times: &[i64]) -> bool {
    // In blocks that stay in the first cache: where times are not sorted, it is seen early.
    const BLOCK: usize = 1024;
    (0..times.len()).step_by(BLOCK).all(|from| {
        let mut falls = 0;
        let until = times.len().min(from + BLOCK + 1);
        count_falls(level, &times[from..until], &mut falls);
        falls == 0
    })
}

multiversion! {
    /// Counts the times that are below the one before them.
    fn count_falls(level; times: &[i64], falls: &mut u64) {
        for (before, after) in times.iter().zip(times.iter().skip(1)) {
            *falls += u64::from(after < before);
        }
    }
}

/// Writes the numbers of the rows whose time is in `first..=last` to `rows` (cleared first).
///
/// # Panics
/// When there are 2³² rows or more.
pub fn select(level: Level, times: &[i64], first: i64, last: i64, rows: &mut Vec<u32>) {
    assert!(u32::try_from(times.len()).is_ok(), "rows of a batch are numbered in 32 bits");
    rows.clear();
    let (mut mask, mut from) = ([0; BLOCK / 64], 0);
    for block in times.chunks(BLOCK) {
        let mask = &mut mask[..words(block.len())];
        within_bits(level, block, first, last, mask);
        filter_rows(level, mask, from, rows);
        from += BLOCK as u32;
    }
}

/// Times that are compared before their rows are picked.
const BLOCK: usize = 4096;

multiversion! {
    fn within_bits(level; times: &[i64], first: i64, last: i64, bits: &mut [u64]) {
        for (bits, times) in bits.iter_mut().zip(times.chunks(64)) {
            let mut word = 0;
            for (at, time) in times.iter().enumerate() {
                word |= u64::from((first <= *time) & (*time <= last)) << at;
            }
            *bits = word;
        }
    }
}
