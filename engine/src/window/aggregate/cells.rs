//! The states that are plain numbers: an array a lift, a cell an entry.
//!
//! A cell is exact (a sum (`sums.rs`), of which rows can be taken away again), a float sum (added
//! in order, never subtracted), a least value (a greatest one is the least of the values with
//! all bits turned; floats are compared by their bits as integers, which puts NaN last), or a
//! state of any other kind behind a trait.

use std::borrow::Cow;

use pelton_kernels::simd::level;
use pelton_kernels::window_combine::{WINDOWS_SUMMED, WindowPanes};
use pelton_kernels::window_reduce::Summary;
use pelton_kernels::{window_combine, window_reduce};

use super::column::{Column, Values};
use super::plan::Op;
use super::states::{RowSet, SAME_PLAN, States};
use super::sums::Sums;
use super::value::float_order;
use crate::error::{Error, Result};
use crate::operator::Rows;
use crate::state::room;

/// One cell an entry.
#[derive(Debug)]
pub(crate) enum Cells {
    /// Sums of integers or decimals.
    Exact(Sums),
    /// Sums of floats.
    Float(Vec<f64>),
    /// Least values of 64 bits.
    Least(Vec<i64>),
    /// Least values of 128 bits.
    LeastWide(Vec<i128>),
    /// Anything else.
    States(Box<dyn States>),
}

impl Cells {
    pub(super) fn new(op: &Op) -> Self {
        match op {
            Op::Exact => Self::Exact(Sums::default()),
            Op::Float => Self::Float(Vec::new()),
            Op::Least { .. } => Self::Least(Vec::new()),
            Op::LeastWide { .. } => Self::LeastWide(Vec::new()),
            Op::States(function) => Self::States(function.clone().states().0),
        }
    }

    /// Adds or cuts entries; new ones hold what an empty set gives.
    pub(super) fn resize(&mut self, len: usize) {
        match self {
            Self::Exact(sums) => sums.resize(len),
            Self::Float(cells) => room::resize(cells, len, 0.0),
            Self::Least(cells) => room::resize(cells, len, i64::MAX),
            Self::LeastWide(cells) => room::resize(cells, len, i128::MAX),
            Self::States(states) => states.resize(len),
        }
    }

    /// Makes room for so many more entries, where cells are plain numbers.
    pub(super) fn reserve(&mut self, entries: usize) {
        match self {
            Self::Exact(sums) => sums.reserve(entries),
            Self::LeastWide(cells) => cells.reserve(entries),
            Self::Float(cells) => cells.reserve(entries),
            Self::Least(cells) => cells.reserve(entries),
            Self::States(_) => {}
        }
    }

    /// Makes an entry that of an empty set.
    pub(super) fn reset(&mut self, at: usize) {
        match self {
            Self::Exact(sums) => sums.reset(at),
            Self::Float(cells) => cells[at] = 0.0,
            Self::Least(cells) => cells[at] = i64::MAX,
            Self::LeastWide(cells) => cells[at] = i128::MAX,
            Self::States(states) => states.reset(at),
        }
    }

    /// Makes all `len` entries those of empty sets.
    pub(super) fn reset_all(&mut self, len: usize) {
        match self {
            Self::Float(cells) => cells.fill(0.0),
            Self::Least(cells) => cells.fill(i64::MAX),
            Self::LeastWide(cells) => cells.fill(i128::MAX),
            Self::Exact(_) | Self::States(_) => (0..len).for_each(|at| self.reset(at)),
        }
    }

    /// Appends entries of `from`.
    pub(super) fn gather(&mut self, from: &Self, entries: &[u32]) {
        fn take<T: Copy>(to: &mut Vec<T>, from: &[T], entries: &[u32]) {
            to.extend(entries.iter().map(|&at| from[at as usize]));
        }
        match (self, from) {
            (Self::Exact(to), Self::Exact(from)) => to.gather(from, entries),
            (Self::Float(to), Self::Float(from)) => take(to, from, entries),
            (Self::Least(to), Self::Least(from)) => take(to, from, entries),
            (Self::LeastWide(to), Self::LeastWide(from)) => take(to, from, entries),
            (Self::States(to), Self::States(from)) => to.gather(&**from, entries),
            _ => unreachable!("{SAME_PLAN}"),
        }
    }

    /// Appends the first `len` entries of `from`, which are all of them.
    pub(super) fn append(&mut self, from: &Self, len: usize) {
        match (self, from) {
            (Self::Exact(to), Self::Exact(from)) => to.append(from),
            (Self::Float(to), Self::Float(from)) => to.extend_from_slice(from),
            (Self::Least(to), Self::Least(from)) => to.extend_from_slice(from),
            (Self::LeastWide(to), Self::LeastWide(from)) => to.extend_from_slice(from),
            (to, from) => to.gather(from, &Entries::Same(len).list()),
        }
    }

    /// As [`Cells::gather`], each entry named once: what can be moved is not copied.
    pub(super) fn take(&mut self, from: &mut Self, entries: &[u32]) {
        match (self, from) {
            (Self::States(to), Self::States(from)) => to.take(&mut **from, entries),
            (to, from) => to.gather(from, entries),
        }
    }

    /// Joins entry `i` of `from` into entry `entries[i]`.
    pub(super) fn combine(&mut self, from: &Self, entries: Entries<'_>, name: &str) -> Result<()> {
        match (self, from) {
            (Self::Float(to), Self::Float(from)) if let Entries::Same(_) = entries => {
                window_combine::add_f64(level(), to, from);
            }
            (Self::Least(to), Self::Least(from)) if let Entries::Same(_) = entries => {
                window_combine::least_i64(level(), to, from);
            }
            (Self::Exact(to), Self::Exact(from)) => {
                return to.combine(from, entries).ok_or_else(|| overflow(name));
            }
            (Self::Float(to), Self::Float(from)) => {
                fold(to, entries, from.iter().copied(), |a, b| a + b);
            }
            (Self::Least(to), Self::Least(from)) => {
                fold(to, entries, from.iter().copied(), i64::min);
            }
            (Self::LeastWide(to), Self::LeastWide(from)) => {
                fold(to, entries, from.iter().copied(), i128::min);
            }
            (Self::States(to), Self::States(from)) => {
                return to.combine(&**from, &entries.list()).map_err(|error| named(error, name));
            }
            _ => unreachable!("{SAME_PLAN}"),
        }
        Ok(())
    }

    /// As [`Cells::combine`] of one after the other, all entries: each with their number.
    pub(super) fn combine_all(&mut self, from: &[(&Self, usize)], name: &str) -> Result<()> {
        let Self::Float(to) = self else {
            return from
                .iter()
                .try_for_each(|(from, len)| self.combine(from, Entries::Same(*len), name));
        };
        let floats = from.iter().map(|&(from, _)| match from {
            Self::Float(from) => from.as_slice(),
            _ => unreachable!("{SAME_PLAN}"),
        });
        let from: Vec<&[f64]> = floats.collect();
        window_combine::add_all_f64(level(), to, &from);
        Ok(())
    }

    /// Whether these are float sums.
    pub(super) fn are_float_sums(&self) -> bool {
        matches!(self, Self::Float(_))
    }

    /// The float sums of all entries in each of some windows of these tables' cells, oldest first;
    /// `sums` holds one for each entry.
    pub(super) fn sum_windows(
        from: &[&Self],
        windows: &WindowPanes,
        sums: &mut [Vec<f64>; WINDOWS_SUMMED],
    ) {
        let floats = from.iter().map(|from| match from {
            Self::Float(from) => from.as_slice(),
            _ => unreachable!("{SAME_PLAN}"),
        });
        let from: Vec<&[f64]> = floats.collect();
        window_combine::sum_windows_f64(level(), &from, windows, sums);
    }

    /// Exchanges float sums, one for each entry.
    pub(super) fn swap_sums(&mut self, sums: &mut Vec<f64>) {
        if let Self::Float(cells) = self {
            std::mem::swap(cells, sums);
        }
    }

    /// Takes entry `i` of `from` away from entry `entries[i]`, where that is exact.
    pub(super) fn subtract(&mut self, from: &Self, entries: Entries<'_>, name: &str) -> Result<()> {
        match (self, from) {
            (Self::Exact(to), Self::Exact(from)) => {
                to.subtract(from, entries).ok_or_else(|| overflow(name))
            }
            (Self::States(to), Self::States(from)) if to.has_inverse() => {
                to.subtract(&**from, &entries.list()).map_err(|error| named(error, name))
            }
            _ => Ok(()),
        }
    }

    /// Whether what was combined can be taken away exactly.
    pub(super) fn is_exact(&self) -> bool {
        match self {
            Self::Exact(_) => true,
            Self::States(states) => states.has_inverse(),
            _ => false,
        }
    }

    /// Whether [`Cells::add_summary`] is all that values of 64 bits are to these cells.
    pub(super) fn takes_summary(&self) -> bool {
        matches!(self, Self::Exact(_) | Self::Least(_))
    }

    /// Takes the values that were summed up into the only cell.
    pub(super) fn add_summary(&mut self, op: &Op, summary: &Summary) {
        match (op, self) {
            (Op::Exact, Self::Exact(sums)) => sums.add_to_only(summary.sum),
            (Op::Least { flip: 0 }, Self::Least(cells)) => cells[0] = cells[0].min(summary.least),
            // The greatest is the least with all bits turned.
            (Op::Least { .. }, Self::Least(cells)) => cells[0] = cells[0].min(!summary.greatest),
            _ => unreachable!("{SAME_PLAN}"),
        }
    }

    /// Takes sums into the cells of sums, least values into those of least ones; `None` where a
    /// sum exceeds 128 bits.
    #[cfg(feature = "gpu")]
    #[must_use]
    pub(super) fn add_totals(&mut self, entries: &[u32], totals: &[i128]) -> Option<()> {
        match self {
            Self::Exact(sums) => sums.add_wide(entries, totals.iter().copied()),
            Self::Least(cells) => {
                let values = totals.iter().map(|&value| value as i64);
                fold(cells, Entries::Listed(entries), values, i64::min);
                Some(())
            }
            _ => unreachable!("a device keeps sums and least values"),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Exact(sums) => sums.bytes(),
            Self::LeastWide(cells) => room::bytes(cells),
            Self::Float(cells) => room::bytes(cells),
            Self::Least(cells) => room::bytes(cells),
            Self::States(states) => states.bytes(),
        }
    }

    /// Takes the values of rows into their entries' cells.
    pub(super) fn add_rows(
        &mut self,
        op: &Op,
        inputs: &[&Column],
        rows: &RowSet<'_>,
        entries: &[u32],
        name: &str,
    ) -> Result<()> {
        if let Self::States(states) = self {
            return states.add_rows(inputs, rows, entries).map_err(|error| named(error, name));
        }
        add_column(op, self, inputs[0], rows.rows, entries).ok_or_else(|| overflow(name))
    }

    /// Adds the first `len` values of a column without nulls to the sums of their entries, and 1
    /// to their counts; does nothing, and says so, where that is no such sum.
    #[must_use]
    pub(super) fn sum_counting(
        &mut self,
        column: &Column,
        len: usize,
        entries: &[u32],
        counts: &mut [u64],
    ) -> bool {
        match (self, &column.values, &column.nulls) {
            (Self::Float(sums), Values::Float(values), None) => {
                let values = values[..len].iter().copied();
                fold_counting(sums, counts, entries, values, |a, b| a + b);
                true
            }
            (Self::Exact(sums), Values::Int(values), None) => {
                sums.add_counting(entries, &values[..len], counts)
            }
            _ => false,
        }
    }
}

fn named(error: Error, aggregate: &str) -> Error {
    error.at(format!("the aggregate \"{aggregate}\""))
}

pub(super) fn overflow(aggregate: &str) -> Error {
    Error::run(format!("the aggregate \"{aggregate}\" overflows 38 digits"))
        .advise("aggregate over shorter windows, or scale the column down")
}

/// The entry into which each of a list goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entries<'a> {
    /// The i-th into entry i: so many.
    Same(usize),
    Listed(&'a [u32]),
}

impl Entries<'_> {
    /// As a list.
    fn list(&self) -> Cow<'_, [u32]> {
        match self {
            Self::Same(len) => (0..*len as u32).collect(),
            Self::Listed(list) => Cow::Borrowed(list),
        }
    }
}

/// `cells[entries[i]] = op(cells[entries[i]], values[i])`, in order.
#[inline]
pub(super) fn fold<C: Copy, V>(
    cells: &mut [C],
    entries: Entries<'_>,
    values: impl Iterator<Item = V>,
    mut op: impl FnMut(C, V) -> C,
) {
    match (entries, cells) {
        (Entries::Same(len), cells) => {
            for (cell, value) in cells[..len].iter_mut().zip(values) {
                *cell = op(*cell, value);
            }
        }
        // One entry: kept in a register, without a store and a load between rows.
        (Entries::Listed(list), [only]) => *only = values.take(list.len()).fold(*only, op),
        (Entries::Listed(list), cells) => {
            for (&at, value) in list.iter().zip(values) {
                let cell = &mut cells[at as usize];
                *cell = op(*cell, value);
            }
        }
    }
}

/// As [`fold`] of listed entries, which are counted on the way.
#[inline]
pub(super) fn fold_counting<C: Copy, V>(
    cells: &mut [C],
    counts: &mut [u64],
    entries: &[u32],
    values: impl Iterator<Item = V>,
    mut op: impl FnMut(C, V) -> C,
) {
    // One length, so that an entry is checked once.
    let cells = &mut cells[..counts.len()];
    for (&at, value) in entries.iter().zip(values) {
        let at = at as usize;
        counts[at] += 1;
        cells[at] = op(cells[at], value);
    }
}

/// Takes the values of rows into their entries' cells; `None` on overflow.
fn add_column(
    op: &Op,
    cells: &mut Cells,
    column: &Column,
    rows: Rows<'_>,
    entries: &[u32],
) -> Option<()> {
    if let (Rows::All(len), None) = (rows, &column.nulls) {
        // All rows into one entry: whole vectors at a time.
        match (op, &mut *cells, &column.values) {
            (Op::Exact, Cells::Exact(sums), Values::Int(values)) if sums.len() == 1 => {
                sums.add_to_only(window_reduce::sum_i64(level(), &values[..len]));
                return Some(());
            }
            (Op::Least { flip }, Cells::Least(cells), Values::Int(values)) if cells.len() == 1 => {
                cells[0] = window_reduce::least_i64(level(), &values[..len], *flip, cells[0]);
                return Some(());
            }
            _ => {}
        }
    }
    match (op, cells, &column.values) {
        (Op::Exact, Cells::Exact(sums), values) => {
            return add_exact(sums, entries, column, values, rows);
        }
        (Op::Float, Cells::Float(cells), Values::Float(values)) => {
            add(cells, entries, column, values, rows, |a, b| a + b);
        }
        (Op::Least { flip }, Cells::Least(cells), Values::Int(values)) => {
            add(cells, entries, column, values, rows, |a: i64, b| a.min(b ^ flip));
        }
        (Op::Least { flip }, Cells::Least(cells), Values::Float(values)) => {
            add(cells, entries, column, values, rows, |a: i64, b| a.min(float_order(b) ^ flip));
        }
        (Op::LeastWide { flip }, Cells::LeastWide(cells), Values::Wide(values)) => {
            add(cells, entries, column, values, rows, |a: i128, b| a.min(b ^ flip));
        }
        _ => unreachable!("the plan gives each column the cells of its shape"),
    }
    Some(())
}

/// Takes the values of rows into their entries' sums; `None` where one exceeds 128 bits.
fn add_exact(
    sums: &mut Sums,
    entries: &[u32],
    column: &Column,
    values: &Values,
    rows: Rows<'_>,
) -> Option<()> {
    // A null adds nothing.
    let is_valid = |row: usize| column.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let has_nulls = column.nulls.is_some();
    match (values, rows) {
        (Values::Int(values), Rows::All(len)) if !has_nulls => {
            sums.add(entries, values[..len].iter().copied());
        }
        (Values::Int(values), Rows::Some(rows)) if !has_nulls => {
            sums.add(entries, rows.iter().map(|&row| values[row as usize]));
        }
        (Values::Int(values), rows) => {
            let value = |row: usize| if is_valid(row) { values[row] } else { 0 };
            sums.add(entries, (0..rows.len()).map(|i| value(rows.get(i))));
        }
        (Values::Wide(values), Rows::All(len)) if !has_nulls => {
            return sums.add_wide(entries, values[..len].iter().copied());
        }
        (Values::Wide(values), rows) => {
            let value = |row: usize| if is_valid(row) { values[row] } else { 0 };
            return sums.add_wide(entries, (0..rows.len()).map(|i| value(rows.get(i))));
        }
        _ => unreachable!("the plan gives each column the cells of its shape"),
    }
    Some(())
}

#[inline]
fn add<C: Copy, V: Copy>(
    cells: &mut [C],
    entries: &[u32],
    column: &Column,
    values: &[V],
    rows: Rows<'_>,
    mut op: impl FnMut(C, V) -> C,
) {
    if let Some(nulls) = &column.nulls {
        for (i, &at) in entries.iter().enumerate() {
            let row = rows.get(i);
            if nulls.is_valid(row) {
                let cell = &mut cells[at as usize];
                *cell = op(*cell, values[row]);
            }
        }
        return;
    }
    match rows {
        Rows::All(_) => fold(cells, Entries::Listed(entries), values.iter().copied(), op),
        Rows::Some(rows) => {
            let values = rows.iter().map(|&row| values[row as usize]);
            fold(cells, Entries::Listed(entries), values, op);
        }
    }
}
