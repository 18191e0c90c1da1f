//! Partial aggregates: the states of a pane, of the running totals, of the open sessions, and of
//! the rows to give out.
//!
//! A table is a set of arrays of one length: for each entry its number of rows, its number of
//! nulls in each column, and one cell a lift (`cells.rs`).

use pelton_kernels::simd::level;
use pelton_kernels::window_combine::{WINDOWS_SUMMED, WindowPanes};
use pelton_kernels::{window_combine, window_reduce};

use super::cells::{Cells, Entries, fold};
use super::column::{Column, Values};
use super::plan::{AggregatePlan, Lift};
use super::states::RowSet;
use crate::error::Result;
use crate::operator::Rows;
use crate::state::room;

/// Rows of a part: a column's values are half of a core's first cache.
const PART_ROWS: usize = 2048;

/// The float sums of all entries in some windows.
pub(crate) type WindowSums = [Vec<f64>; WINDOWS_SUMMED];

/// Partial aggregates of many entries.
#[derive(Debug)]
pub(crate) struct Table {
    /// Rows of each entry.
    pub(crate) rows: Vec<u64>,
    /// For each column the nulls of each entry; empty while there is no null.
    pub(super) nulls: Vec<Vec<u64>>,
    /// For each lift the cell of each entry.
    pub(super) cells: Vec<Cells>,
}

impl Table {
    pub(crate) fn new(plan: &AggregatePlan) -> Self {
        Self {
            rows: Vec::new(),
            nulls: vec![Vec::new(); plan.columns.len()],
            cells: plan.lifts.iter().map(|lift| Cells::new(&lift.op)).collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn resize(&mut self, len: usize) {
        room::resize(&mut self.rows, len, 0);
        self.nulls.iter_mut().filter(|n| !n.is_empty()).for_each(|n| n.resize(len, 0));
        self.cells.iter_mut().for_each(|cells| cells.resize(len));
    }

    /// Makes room for so many more entries.
    pub(crate) fn reserve(&mut self, entries: usize) {
        self.rows.reserve(entries);
        self.cells.iter_mut().for_each(|cells| cells.reserve(entries));
    }

    /// Makes an entry that of an empty set.
    pub(crate) fn reset(&mut self, at: usize) {
        self.rows[at] = 0;
        self.nulls.iter_mut().filter(|n| !n.is_empty()).for_each(|n| n[at] = 0);
        self.cells.iter_mut().for_each(|cells| cells.reset(at));
    }

    pub(crate) fn bytes(&self) -> usize {
        let nulls = self.nulls.iter().map(Vec::capacity).sum::<usize>() * 8;
        room::bytes(&self.rows) + nulls + self.cells.iter().map(Cells::bytes).sum::<usize>()
    }

    /// Takes rows in: row `rows.rows.get(i)` of `columns` into entry `entries[i]`.
    ///
    /// # Errors
    /// When a state cannot hold its rows (an exact sum over 128 bits).
    pub(crate) fn add_rows(
        &mut self,
        lifts: &[Lift],
        columns: &[Column],
        rows: &RowSet<'_>,
        entries: &[u32],
    ) -> Result<()> {
        let mut done = vec![false; lifts.len()];
        if let [only] = &mut self.rows[..] {
            *only += entries.len() as u64;
            if let Rows::All(len) = rows.rows {
                self.add_summaries(lifts, columns, len, &mut done);
                let left = done.iter().filter(|done| !**done).count();
                if left > 1 && len > PART_ROWS {
                    return self.add_in_parts(lifts, columns, rows, entries, &done);
                }
            }
        } else if let Some(lift) = self.count_and_sum(lifts, columns, rows.rows, entries) {
            done[lift] = true;
        } else {
            entries.iter().for_each(|&at| self.rows[at as usize] += 1);
        }
        self.add_values(lifts, columns, rows, entries, &done)
    }

    /// Counts rows and adds up the values of a lift in one pass, where one is a sum for which that
    /// can be done: which. What both do for a row is to find its entry.
    fn count_and_sum(
        &mut self,
        lifts: &[Lift],
        columns: &[Column],
        rows: Rows<'_>,
        entries: &[u32],
    ) -> Option<usize> {
        let Rows::All(len) = rows else { return None };
        let counts = &mut self.rows;
        lifts.iter().zip(&mut self.cells).position(|(lift, cells)| {
            lift.inputs
                .first()
                .is_some_and(|&input| cells.sum_counting(&columns[input], len, entries, counts))
        })
    }

    /// All of the first rows into the only entry, for the columns of which several of sum, least
    /// and greatest are wanted: one pass gives them all. Says which lifts are `done`.
    fn add_summaries(&mut self, lifts: &[Lift], columns: &[Column], len: usize, done: &mut [bool]) {
        for (at, column) in columns.iter().enumerate() {
            let (Values::Int(values), None) = (&column.values, &column.nulls) else { continue };
            let of: Vec<usize> = (0..lifts.len())
                .filter(|&i| lifts[i].inputs == [at] && self.cells[i].takes_summary())
                .collect();
            if of.len() > 1 {
                let summary = window_reduce::summary_i64(level(), &values[..len]);
                for i in of {
                    self.cells[i].add_summary(&lifts[i].op, &summary);
                    done[i] = true;
                }
            }
        }
    }

    /// All rows into the only entry, some at a time, so that what several lifts read comes from
    /// memory once.
    fn add_in_parts(
        &mut self,
        lifts: &[Lift],
        columns: &[Column],
        rows: &RowSet<'_>,
        entries: &[u32],
        done: &[bool],
    ) -> Result<()> {
        for from in (0..entries.len()).step_by(PART_ROWS) {
            let until = entries.len().min(from + PART_ROWS);
            let part: Vec<Column> = columns.iter().map(|c| c.slice(from, until)).collect();
            let rows = rows.slice(from, until);
            self.add_values(lifts, &part, &rows, &entries[from..until], done)?;
        }
        Ok(())
    }

    /// Takes the values in, but for the lifts that are done.
    fn add_values(
        &mut self,
        lifts: &[Lift],
        columns: &[Column],
        rows: &RowSet<'_>,
        entries: &[u32],
        done: &[bool],
    ) -> Result<()> {
        let len = self.rows.len();
        for (column, counts) in columns.iter().zip(&mut self.nulls) {
            let Some(nulls) = &column.nulls else { continue };
            counts.resize(len, 0);
            for (i, &at) in entries.iter().enumerate() {
                counts[at as usize] += u64::from(nulls.is_null(rows.rows.get(i)));
            }
        }
        for ((lift, cells), _) in
            lifts.iter().zip(&mut self.cells).zip(done).filter(|(_, done)| !**done)
        {
            let inputs: Vec<&Column> = lift.inputs.iter().map(|&input| &columns[input]).collect();
            cells.add_rows(&lift.op, &inputs, rows, entries, &lift.name)?;
        }
        Ok(())
    }

    /// Joins all of entry `i` of `from` into entry `entries[i]`, as later rows.
    ///
    /// # Errors
    /// When a state cannot hold the result.
    pub(crate) fn combine(&mut self, lifts: &[Lift], from: &Self, entries: &[u32]) -> Result<()> {
        self.combine_exact(lifts, from, Entries::Listed(entries))?;
        self.combine_inexact(lifts, from, Entries::Listed(entries))
    }

    /// Joins entry `i` of `from` into entry `entries[i]`; of the cells only those from which it
    /// can be taken away again.
    ///
    /// # Errors
    /// When a state cannot hold the result.
    pub(crate) fn combine_exact(
        &mut self,
        lifts: &[Lift],
        from: &Self,
        entries: Entries<'_>,
    ) -> Result<()> {
        add(&mut self.rows, entries, &from.rows);
        let len = self.rows.len();
        for (to, from) in self.nulls.iter_mut().zip(&from.nulls) {
            if !from.is_empty() {
                to.resize(len, 0);
                add(to, entries, from);
            }
        }
        for ((lift, to), from) in lifts.iter().zip(&mut self.cells).zip(&from.cells) {
            if to.is_exact() {
                to.combine(from, entries, &lift.name)?;
            }
        }
        Ok(())
    }

    /// Undoes [`Table::combine_exact`].
    ///
    /// # Errors
    /// When a state cannot hold the result.
    pub(crate) fn subtract_exact(
        &mut self,
        lifts: &[Lift],
        from: &Self,
        entries: Entries<'_>,
    ) -> Result<()> {
        subtract(&mut self.rows, entries, &from.rows);
        for (to, from) in self.nulls.iter_mut().zip(&from.nulls) {
            // Where `from` has counts, they were added to `to` before.
            if !from.is_empty() {
                subtract(to, entries, from);
            }
        }
        for ((lift, to), from) in lifts.iter().zip(&mut self.cells).zip(&from.cells) {
            to.subtract(from, entries, &lift.name)?;
        }
        Ok(())
    }

    /// Joins the other cells: entry `i` of `from` into entry `entries[i]`.
    ///
    /// # Errors
    /// When a state cannot hold the result.
    pub(crate) fn combine_inexact(
        &mut self,
        lifts: &[Lift],
        from: &Self,
        entries: Entries<'_>,
    ) -> Result<()> {
        for ((lift, to), from) in lifts.iter().zip(&mut self.cells).zip(&from.cells) {
            if !to.is_exact() {
                to.combine(from, entries, &lift.name)?;
            }
        }
        Ok(())
    }

    /// As [`Table::combine_inexact`] of one after the other, entry `i` into entry `i`.
    ///
    /// # Errors
    /// When a state cannot hold the result.
    pub(crate) fn combine_all_inexact(&mut self, lifts: &[Lift], from: &[&Self]) -> Result<()> {
        for (at, (lift, to)) in lifts.iter().zip(&mut self.cells).enumerate() {
            if !to.is_exact() {
                let from: Vec<(&Cells, usize)> =
                    from.iter().map(|from| (&from.cells[at], from.len())).collect();
                to.combine_all(&from, &lift.name)?;
            }
        }
        Ok(())
    }

    /// Whether all cells that must be computed anew for each window are float sums.
    pub(crate) fn sums_ahead(&self) -> bool {
        self.cells.iter().all(|cells| cells.is_exact() || cells.are_float_sums())
    }

    /// The float sums, by lift, of all entries in some windows of these tables, which have one
    /// plan with this; what is in `sums` is overwritten.
    pub(crate) fn sum_windows(
        &self,
        tables: &[&Self],
        windows: &WindowPanes,
        sums: &mut [WindowSums],
    ) {
        let len = self.len();
        let floats = self.cells.iter().enumerate().filter(|(_, cells)| cells.are_float_sums());
        for ((at, _), sums) in floats.zip(sums) {
            sums.iter_mut().for_each(|sums| sums.resize(len, 0.0));
            let cells: Vec<&Cells> = tables.iter().map(|table| &table.cells[at]).collect();
            Cells::sum_windows(&cells, windows, sums);
        }
    }

    /// Number of lifts that are float sums.
    pub(crate) fn float_sums(&self) -> usize {
        self.cells.iter().filter(|cells| cells.are_float_sums()).count()
    }

    /// Exchanges the float sums for those of window `at`.
    pub(crate) fn swap_sums(&mut self, sums: &mut [WindowSums], at: usize) {
        let floats = self.cells.iter_mut().filter(|cells| cells.are_float_sums());
        floats.zip(sums).for_each(|(cells, sums)| cells.swap_sums(&mut sums[at]));
    }

    /// Makes all cells that are not exact those of empty sets.
    pub(crate) fn reset_all_inexact(&mut self) {
        let len = self.len();
        let inexact = self.cells.iter_mut().filter(|cells| !cells.is_exact());
        inexact.for_each(|cells| cells.reset_all(len));
    }

    /// Makes the cells that are not exact those of an empty set.
    pub(crate) fn reset_inexact(&mut self, entries: &[u32]) {
        for cells in self.cells.iter_mut().filter(|cells| !cells.is_exact()) {
            entries.iter().for_each(|&at| cells.reset(at as usize));
        }
    }

    /// Whether some cells must be computed anew for each window.
    pub(crate) fn has_inexact(&self) -> bool {
        self.cells.iter().any(|cells| !cells.is_exact())
    }

    /// Appends all entries of `from`.
    pub(crate) fn append(&mut self, from: &Self) {
        let before = self.rows.len();
        self.rows.extend_from_slice(&from.rows);
        for (to, from) in self.nulls.iter_mut().zip(&from.nulls) {
            if !from.is_empty() {
                to.resize(before, 0);
                to.extend_from_slice(from);
            }
            if !to.is_empty() {
                to.resize(self.rows.len(), 0);
            }
        }
        for (to, from) in self.cells.iter_mut().zip(&from.cells) {
            to.append(from, self.rows.len() - before);
        }
    }

    /// Appends entries of `from`, in the order given.
    pub(crate) fn gather(&mut self, from: &Self, entries: &[u32]) {
        self.gather_counts(from, entries);
        for (to, from) in self.cells.iter_mut().zip(&from.cells) {
            to.gather(from, entries);
        }
    }

    /// As [`Table::gather`], of entries that are named once and not used any more: what can be
    /// moved is not copied.
    pub(crate) fn take(&mut self, from: &mut Self, entries: &[u32]) {
        self.gather_counts(from, entries);
        for (to, from) in self.cells.iter_mut().zip(&mut from.cells) {
            to.take(from, entries);
        }
    }

    fn gather_counts(&mut self, from: &Self, entries: &[u32]) {
        let before = self.rows.len();
        self.rows.extend(entries.iter().map(|&at| from.rows[at as usize]));
        for (to, from) in self.nulls.iter_mut().zip(&from.nulls) {
            if !from.is_empty() {
                to.resize(before, 0);
                to.extend(entries.iter().map(|&at| from.get(at as usize).copied().unwrap_or(0)));
            } else if !to.is_empty() {
                to.resize(before + entries.len(), 0);
            }
        }
    }
}

/// Counts into counts.
fn add(to: &mut [u64], entries: Entries<'_>, from: &[u64]) {
    match entries {
        Entries::Same(_) => window_combine::add_u64(level(), to, from),
        entries => fold(to, entries, from.iter().copied(), |a, b| a + b),
    }
}

/// Undoes [`add`].
fn subtract(to: &mut [u64], entries: Entries<'_>, from: &[u64]) {
    match entries {
        Entries::Same(_) => window_combine::subtract_u64(level(), to, from),
        entries => fold(to, entries, from.iter().copied(), |a, b| a - b),
    }
}
