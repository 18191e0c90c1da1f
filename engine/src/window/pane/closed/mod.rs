//! The windows that a watermark closes, as rows that are finished window by window.
//!
//! Where a shard is alone and computes what [`Lowered`] knows, results need neither be copied as
//! states nor looked at again: starts, ends and times are runs of one value, and where a window
//! holds all keys, its key columns are those of the window before.

#[cfg(test)]
mod tests;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::buffer::ScalarBuffer;
use arrow::compute::{concat, concat_batches};

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
    starts: Vec<i64>,
    ends: Vec<i64>,
    /// A row's time: that of the last unit in its window.
    times: Vec<i64>,
    keys: Vec<Keys>,
    /// The keys of windows that hold some only, one behind the other.
    listed: Vec<u32>,
    results: Lowered,
}

/// The keys of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Keys {
    /// As many as there were, from the first on.
    All(usize),
    /// The next so many of the list.
    Listed(usize),
}

impl Closed {
    /// No window yet; `None` where rows must be made in another way.
    fn new(plan: &Plan, keys: &SeenKeys) -> Option<Self> {
        let results = Lowered::new(&plan.aggregates).filter(|_| keys.order_themselves())?;
        let (starts, ends, times) = (Vec::new(), Vec::new(), Vec::new());
        Some(Self { starts, ends, times, keys: Vec::new(), listed: Vec::new(), results })
    }

    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Makes room for so many more rows.
    fn reserve(&mut self, rows: usize) {
        self.starts.reserve(rows);
        self.ends.reserve(rows);
        self.times.reserve(rows);
        self.results.reserve(rows);
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
        if !self.is_empty() || len < MOVED_ENTRIES_MIN || matches!(entries, Picked::Some(_)) {
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
        let rows = match keys {
            Picked::All => {
                self.keys.push(Keys::All(len));
                len
            }
            Picked::Some(keys) => {
                self.keys.push(Keys::Listed(keys.len()));
                self.listed.extend_from_slice(keys);
                keys.len()
            }
        };
        let (start, end) = (saturated(start), saturated(end));
        self.starts.resize(self.starts.len() + rows, start);
        self.ends.resize(self.ends.len() + rows, end);
        self.times.resize(self.times.len() + rows, end.saturating_sub(1));
    }

    /// The rows.
    ///
    /// # Errors
    /// When the text of one key column exceeds what an array can hold (2 GiB).
    fn finish(self, plan: &Plan, keys: &SeenKeys) -> Result<WindowRows> {
        let rows = self.starts.len();
        let key_columns = self.key_columns(keys)?;
        let mut columns = vec![
            time_array(self.starts, &plan.time_type)?,
            time_array(self.ends, &plan.time_type)?,
        ];
        columns.extend(key_columns);
        columns.extend(self.results.finish(&plan.aggregates)?);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(plan.output.clone(), columns, &options)?;
        Ok(WindowRows { rows, times: self.times.into(), order: Vec::new() })
    }

    fn key_columns(&self, keys: &SeenKeys) -> Result<Vec<ArrayRef>> {
        if !self.keys.iter().any(|keys| matches!(keys, Keys::All(_))) {
            return keys.index.key_columns(&self.listed);
        }
        let most = self.keys.iter().map(|keys| if let Keys::All(len) = keys { *len } else { 0 });
        let of_all = keys.index.first_key_columns(most.max().unwrap_or(0))?;
        let of_listed = keys.index.key_columns(&self.listed)?;
        of_all.iter().zip(&of_listed).map(|(all, listed)| self.key_column(all, listed)).collect()
    }

    /// A key column of all windows: pieces of those of all keys, and of those that were listed.
    fn key_column(&self, all: &ArrayRef, listed: &ArrayRef) -> Result<ArrayRef> {
        let mut from = 0;
        let pieces = self.keys.iter().map(|keys| match keys {
            Keys::All(len) => all.slice(0, *len),
            Keys::Listed(len) => {
                from += len;
                listed.slice(from - len, *len)
            }
        });
        let pieces: Vec<ArrayRef> = pieces.collect();
        let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
        Ok(concat(&pieces)?)
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
        self.closed.as_ref().map_or(0, |closed| closed.starts.len()) + self.out.keys.len()
    }

    /// Makes room for so many more rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        match &mut self.closed {
            Some(closed) if self.all_closed => closed.reserve(rows),
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

    /// The rows, if there are any.
    ///
    /// # Errors
    /// When a sum does not fit its column, or text what an array can hold.
    pub(super) fn finish(self, plan: &Plan, keys: &SeenKeys) -> Result<Option<WindowRows>> {
        let closed = self.closed.filter(|closed| !closed.is_empty());
        let first = closed.map(|closed| closed.finish(plan, keys)).transpose()?;
        if self.out.keys.is_empty() {
            return Ok(first);
        }
        let then = self.out.finish(plan, keys)?;
        match first {
            Some(first) => joined(first, &then).map(Some),
            None => Ok(Some(then)),
        }
    }
}

/// Rows, and others behind them.
///
/// # Errors
/// When together they exceed what an array can hold.
fn joined(first: WindowRows, then: &WindowRows) -> Result<WindowRows> {
    let schema = first.rows.schema();
    let rows = concat_batches(&schema, [&first.rows, &then.rows])?;
    let times: ScalarBuffer<i64> = first.times.iter().chain(then.times.iter()).copied().collect();
    debug_assert!(then.order.is_empty(), "told by the shard that is alone");
    Ok(WindowRows { rows, times, order: Vec::new() })
}
