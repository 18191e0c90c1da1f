//! Float sums of windows that close one after the other, made together.
//!
//! A hopping window's float sums are made anew from all its panes (`totals.rs`), and the next
//! window's from nearly the same. Where a watermark closes several, the sums of some are made in
//! one walk over the panes, so that each value is read once for all of them. It serves where
//! panes are full: then they are arrays over all keys.

use pelton_kernels::window_combine::{WINDOWS_SUMMED, WindowPanes};

use super::store::{Pane, Panes};
use crate::window::aggregate::{Table, WindowSums};

/// First and last pane of a window.
pub(super) type PaneNumbers = (i128, i128);

/// Fewer panes are added up window by window.
const PANES_MIN: usize = 8;

/// Sums that are ready.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The windows, those that come first last, and which of `sums` are theirs.
    ready: Vec<(PaneNumbers, usize)>,
    /// For each lift that is a float sum.
    sums: Vec<WindowSums>,
}

impl Ahead {
    /// Panes or keys may change.
    pub(super) fn clear(&mut self) {
        self.ready.clear();
    }

    pub(super) fn bytes(&self) -> usize {
        self.sums.iter().flatten().map(|sums| sums.capacity() * 8).sum()
    }

    /// Makes the float sums of `table` those of a window, where they are ready.
    pub(super) fn take(&mut self, window: PaneNumbers, table: &mut Table) -> bool {
        while let Some((ready, at)) = self.ready.pop() {
            if ready == window {
                table.swap_sums(&mut self.sums, at);
                return true;
            }
        }
        false
    }

    /// Makes the sums of windows ready, for as many entries as `table` has; does nothing, and says
    /// so, where that is better done one by one.
    pub(super) fn make(
        &mut self,
        windows: &[PaneNumbers; WINDOWS_SUMMED],
        panes: &Panes,
        table: &Table,
    ) -> bool {
        let (first, last) = (windows[0].0, windows[WINDOWS_SUMMED - 1].1);
        let panes: Vec<(i128, &Pane)> = panes.numbered(first, last).collect();
        if panes.len() < PANES_MIN || !panes.iter().all(|(_, pane)| pane.is_full) {
            return false;
        }
        let before = |number: i128| panes.partition_point(|(at, _)| *at < number);
        let ranges: WindowPanes = windows.each_ref().map(|w| before(w.0)..before(w.1 + 1));
        let tables: Vec<&Table> = panes.iter().map(|(_, pane)| &pane.table).collect();
        self.sums.resize_with(table.float_sums(), WindowSums::default);
        table.sum_windows(&tables, &ranges, &mut self.sums);
        self.ready = windows.iter().copied().zip(0..WINDOWS_SUMMED).rev().collect();
        true
    }
}
