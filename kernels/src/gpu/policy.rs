//! Which batches go to the process's GPU: set once by whoever starts the process, read by kernels
//! that are called deep inside of an engine.
//!
//! Nothing goes there unless somebody says so. What goes there and fails is done by the CPU; how
//! often, and why the last time, stands in [`Stats`](super::Stats).

use std::sync::atomic::{AtomicUsize, Ordering};

/// Trees of the forest that calibration measures.
const MEASURED_TREES: usize = 500;

static FOREST_FROM_ROWS: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Sends batches of so many rows and more to the GPU where a forest of 500 trees scores them, and
/// smaller or larger ones in proportion; 0 sends every batch, `usize::MAX` (as at the start) none.
pub fn send_forests_from(rows: usize) {
    FOREST_FROM_ROWS.store(rows, Ordering::Relaxed);
}

/// Whether a batch of any size may go there: then larger ones are worth making.
#[must_use]
pub fn sends_forests() -> bool {
    FOREST_FROM_ROWS.load(Ordering::Relaxed) != usize::MAX
}

/// Whether a batch goes there, for a forest of so many trees.
pub(crate) fn sends_forest(rows: usize, trees: usize) -> bool {
    goes(FOREST_FROM_ROWS.load(Ordering::Relaxed), rows, trees)
}

fn goes(from_rows: usize, rows: usize, trees: usize) -> bool {
    from_rows != usize::MAX
        && rows > 0
        && rows.saturating_mul(trees) >= from_rows.saturating_mul(MEASURED_TREES)
}

#[cfg(test)]
mod tests {
    use super::goes;

    #[test]
    fn smaller_forests_need_more_rows() {
        assert!(!goes(usize::MAX, 1 << 40, 1000));
        assert!(goes(0, 1, 0) && !goes(0, 0, 9));
        assert!(goes(1000, 1000, 500) && !goes(1000, 999, 500));
        assert!(goes(1000, 5000, 100) && !goes(1000, 4999, 100));
        assert!(goes(1000, 500, 1000));
    }
}
