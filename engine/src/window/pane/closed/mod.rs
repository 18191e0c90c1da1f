//! The windows that a watermark closes, as rows that are finished window by window.
//!
//! Where a shard is alone and computes what [`Lowered`] knows, results need neither be copied as
//! states nor looked at again: starts, ends and times are runs of one value, and where a window
//! holds all keys, its key columns are those of the window before. All but the results is made as
//! the rows are given out, a piece at a time.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat;

use super::saturated;
use super::totals::Totals;
use crate::error::Result;
use crate::operator::WindowRows;
use crate::window::aggregate::{Lowered, Picked, Table, time_array};
use crate::window::keys::SeenKeys;
use crate::window::output::{MOVED_ENTRIES_MIN, Output};
use crate::window::spec::Plan;

/// Windows, each with its rows in the order of key ids.
#[derive(Debug)]
struct Closed {
    windows: VecDeque<Window>,
    /// The keys of windows that hold some only, one behind the other.
    listed: Vec<u32>,
    results: Lowered,
    /// Rows of all windows.
    rows: usize,
}

/// A window, or a part of one.
#[derive(Debug, Clone, Copy)]
struct Window {
    start: i64,
    end: i64,
    keys: Keys,
}

/// The keys of a window: of so many rows.
#[derive(Debug, Clone, Copy)]
enum Keys {
    /// Those from this one on, without a gap.
    From(usize, usize),
    /// The next ones of the list.
    Listed(usize),
}

impl Window {
    fn rows(&self) -> usize {
        match self.keys {
            Keys::From(_, rows) | Keys::Listed(rows) => rows,
        }
    }

    /// The first rows, and what is behind them.
    fn cut(self, rows: usize) -> (Self, Self) {
        let (first, then) = match self.keys {
            Keys::From(key, all) => (Keys::From(key, rows), Keys::From(key + rows, all - rows)),
            Keys::Listed(all) => (Keys::Listed(rows), Keys::Listed(all - rows)),
        };
        (Self { keys: first, ..self }, Self { keys: then, ..self })
    }
}

impl Closed {
    /// No window yet; `None` where rows must be made in another way.
    fn new(plan: &Plan, keys: &SeenKeys) -> Option<Self> {
        let results = Lowered::new(&plan.aggregates).filter(|_| keys.order_themselves())?;
        Some(Self { windows: VecDeque::new(), listed: Vec::new(), results, rows: 0 })
    }

    /// Appends a window's rows: those of `keys`, whose `entries` of `cells` have rows each. Does
    /// nothing, and says so, where that must be done in another way.
    #[must_use]
    fn append(
        &mut self,
        plan: &Plan,
        bounds: (i128, i128),
        cells: &Table,
        entries: Picked<'_>,
        keys: Picked<'_>,
    ) -> bool {
        let done = self.results.append(&plan.aggregates, cells, entries);
        if done {
            self.append_keys(bounds, cells.len(), keys);
        }
        done
    }

    /// As [`Closed::append`], of a table that is not used any more.
    #[must_use]
    fn take(
        &mut self,
        plan: &Plan,
        bounds: (i128, i128),
        cells: &mut Table,
        entries: Picked<'_>,
        keys: Picked<'_>,
    ) -> bool {
        let len = cells.len();
        if self.rows > 0 || len < MOVED_ENTRIES_MIN || matches!(entries, Picked::Some(_)) {
            return self.append(plan, bounds, cells, entries, keys);
        }
        let done = self.results.take(&plan.aggregates, cells);
        if done {
            self.append_keys(bounds, len, keys);
        }
        done
    }

    /// Appends a window's bounds and keys; `len`: how many keys all are.
    fn append_keys(&mut self, (start, end): (i128, i128), len: usize, keys: Picked<'_>) {
        let keys = match keys {
            Picked::All => Keys::From(0, len),
            Picked::Some(keys) => {
                self.listed.extend_from_slice(keys);
                Keys::Listed(keys.len())
            }
        };
        let window = Window { start: saturated(start), end: saturated(end), keys };
        self.rows += window.rows();
        self.windows.push_back(window);
    }
}

/// What the windows that close at one watermark give out: their rows as finished columns as long
/// as that can be, then as states.
#[derive(Debug)]
pub(super) struct Given {
    closed: Option<Closed>,
    /// Whether `closed` took all windows so far.
    all_closed: bool,
    out: Output,
}

impl Given {
    /// No window yet.
    pub(super) fn new(plan: &Plan, keys: &SeenKeys) -> Self {
        let closed = Closed::new(plan, keys);
        Self { all_closed: closed.is_some(), closed, out: Output::new(plan) }
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.closed.as_ref().map_or(0, |closed| closed.rows) + self.out.keys.len()
    }

    /// Makes room for so many more rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        match &mut self.closed {
            Some(closed) if self.all_closed => closed.results.reserve(rows),
            _ => self.out.reserve(rows),
        }
    }

    /// Appends a window of these entries of `cells`, which are not used any more, and their keys
    /// (all: as many as entries).
    pub(super) fn take(
        &mut self,
        plan: &Plan,
        bounds: (i128, i128),
        cells: &mut Table,
        entries: Picked<'_>,
        keys: Picked<'_>,
    ) {
        let len = cells.len() as u32;
        if !self.close(|closed| closed.take(plan, bounds, cells, entries, keys)) {
            match keys {
                Picked::All => {
                    self.out.take(bounds, cells, entries, &(0..len).collect::<Vec<u32>>());
                }
                Picked::Some(keys) => self.out.take(bounds, cells, entries, keys),
            }
        }
    }

    /// Appends the window that is complete.
    pub(super) fn append(&mut self, plan: &Plan, bounds: (i128, i128), totals: &Totals) {
        let (cells, keys) = (totals.table(), totals.keys());
        if !self.close(|closed| closed.append(plan, bounds, cells, keys, keys)) {
            totals.append_to(bounds, &mut self.out);
        }
    }

    /// Whether `append` has appended a window. Where it could not, no other is tried: those behind
    /// it come behind it.
    fn close(&mut self, append: impl FnOnce(&mut Closed) -> bool) -> bool {
        self.all_closed = self.all_closed && self.closed.as_mut().is_some_and(append);
        self.all_closed
    }

    /// The rows.
    ///
    /// # Errors
    /// When a sum does not fit its column, or text what an array can hold.
    pub(super) fn finish(self, plan: &Plan, keys: &SeenKeys) -> Result<Pieces> {
        let then = (!self.out.keys.is_empty()).then(|| self.out.finish(plan, keys)).transpose()?;
        let Some(closed) = self.closed.filter(|closed| closed.rows > 0) else {
            return Ok(Pieces { then, ..Pieces::default() });
        };
        Ok(Pieces {
            windows: closed.windows,
            listed: closed.listed,
            results: closed.results.finish(&plan.aggregates)?,
            left: closed.rows,
            row: 0,
            key: 0,
            then,
        })
    }
}

/// Rows on their way out, a piece at a time: bounds, times and keys take memory for one piece only,
/// however many rows a window has, and are in a core's cache when they are used.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    windows: VecDeque<Window>,
    listed: Vec<u32>,
    results: Vec<ArrayRef>,
    /// Rows of the windows that are still to be given out, and how many were.
    left: usize,
    row: usize,
    /// The first listed key that is still to be given out.
    key: usize,
    /// What comes behind the windows, in one piece.
    then: Option<WindowRows>,
}

impl Pieces {
    /// Whether all rows have been given out.
    pub(super) fn is_empty(&self) -> bool {
        self.left == 0 && self.then.is_none()
    }

    /// The next rows, at most so many of the windows.
    ///
    /// # Errors
    /// When the text of one key column exceeds what an array can hold (2 GiB).
    pub(super) fn next(
        &mut self,
        plan: &Plan,
        keys: &SeenKeys,
        rows_max: usize,
    ) -> Result<Option<WindowRows>> {
        if self.left == 0 {
            return Ok(self.then.take());
        }
        let (rows, windows) = self.take_windows(rows_max);
        let (mut starts, mut ends) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut times = Vec::with_capacity(rows);
        for window in &windows {
            let len = starts.len() + window.rows();
            starts.resize(len, window.start);
            ends.resize(len, window.end);
            times.resize(len, window.end.saturating_sub(1));
        }
        let mut columns =
            vec![time_array(starts, &plan.time_type)?, time_array(ends, &plan.time_type)?];
        columns.extend(self.key_columns(&windows, keys)?);
        columns.extend(self.results.iter().map(|column| column.slice(self.row, rows)));
        (self.row, self.left) = (self.row + rows, self.left - rows);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(plan.output.clone(), columns, &options)?;
        Ok(Some(WindowRows { rows, times: times.into(), order: Vec::new() }))
    }

    /// Takes windows out that have so many rows, the last of them perhaps a part of one; or all.
    fn take_windows(&mut self, rows_max: usize) -> (usize, Vec<Window>) {
        let (mut rows, mut taken) = (0, Vec::new());
        while let Some(window) = self.windows.pop_front() {
            let room = rows_max - rows;
            if window.rows() > room {
                let (first, then) = window.cut(room);
                self.windows.push_front(then);
                taken.push(first);
                return (rows_max, taken);
            }
            rows += window.rows();
            taken.push(window);
        }
        (rows, taken)
    }

    /// The key columns of the next rows, which are those of these windows.
    fn key_columns(&mut self, windows: &[Window], keys: &SeenKeys) -> Result<Vec<ArrayRef>> {
        let listed = windows.iter().map(|window| match window.keys {
            Keys::Listed(rows) => rows,
            Keys::From(..) => 0,
        });
        let listed = self.key..self.key + listed.sum::<usize>();
        self.key = listed.end;
        let of_listed = keys.index.key_columns(&self.listed[listed])?;
        let without_gap = windows.iter().filter_map(|window| match window.keys {
            Keys::From(key, rows) => Some(key..key + rows),
            Keys::Listed(_) => None,
        });
        let all = without_gap.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
        let Some(all) = all else { return Ok(of_listed) };
        let first = all.start;
        let of_all = keys.index.key_columns_between(all)?;
        let columns = of_all.iter().zip(&of_listed);
        columns.map(|(all, listed)| key_column(windows, first, all, listed)).collect()
    }
}

/// A key column of windows: pieces of those of the keys from the first on, and of those that were
/// listed.
fn key_column(
    windows: &[Window],
    first: usize,
    all: &ArrayRef,
    listed: &ArrayRef,
) -> Result<ArrayRef> {
    let mut from = 0;
    let pieces = windows.iter().map(|window| match window.keys {
        Keys::From(key, rows) => all.slice(key - first, rows),
        Keys::Listed(rows) => {
            from += rows;
            listed.slice(from - rows, rows)
        }
    });
    let pieces: Vec<ArrayRef> = pieces.collect();
    let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
    Ok(concat(&pieces)?)
}
