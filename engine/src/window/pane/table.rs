//! Partial aggregates: the cells of a pane, of the running totals, and of the rows to give out.
//!
//! A table is a set of arrays of one length: for each entry its number of rows, its number of
//! nulls in each column, and one cell a lift. A cell is exact (a sum in 128 bits, of which rows
//! can be taken away again), a float sum (added in order, never subtracted), or a least value
//! (a greatest one is the least of the values with all bits turned). Floats are compared by
//! their bits as integers, which puts NaN last.

use super::column::{Column, Values};
use super::spec::{Lift, Op, Plan};
use crate::error::{Error, Result};
use crate::operator::Rows;

/// One cell an entry.
#[derive(Debug, Clone)]
pub(super) enum Cells {
    /// Sums of integers or decimals.
    Exact(Vec<i128>),
    /// Sums of floats.
    Float(Vec<f64>),
    /// Least values of 64 bits.
    Least(Vec<i64>),
    /// Least values of 128 bits.
    LeastWide(Vec<i128>),
}

impl Cells {
    fn new(op: Op) -> Self {
        match op {
            Op::Exact => Self::Exact(Vec::new()),
            Op::Float => Self::Float(Vec::new()),
            Op::Least { .. } => Self::Least(Vec::new()),
            Op::LeastWide { .. } => Self::LeastWide(Vec::new()),
        }
    }

    /// Adds or cuts entries; new ones hold what an empty set gives.
    fn resize(&mut self, len: usize) {
        match self {
            Self::Exact(cells) => cells.resize(len, 0),
            Self::Float(cells) => cells.resize(len, 0.0),
            Self::Least(cells) => cells.resize(len, i64::MAX),
            Self::LeastWide(cells) => cells.resize(len, i128::MAX),
        }
    }

    /// Makes an entry that of an empty set.
    fn reset(&mut self, at: usize) {
        match self {
            Self::Exact(cells) => cells[at] = 0,
            Self::Float(cells) => cells[at] = 0.0,
            Self::Least(cells) => cells[at] = i64::MAX,
            Self::LeastWide(cells) => cells[at] = i128::MAX,
        }
    }

    /// Appends entries of `from`.
    fn gather(&mut self, from: &Self, entries: &[u32]) {
        fn take<T: Copy>(to: &mut Vec<T>, from: &[T], entries: &[u32]) {
            to.extend(entries.iter().map(|&at| from[at as usize]));
        }
        match (self, from) {
            (Self::Exact(to), Self::Exact(from)) => take(to, from, entries),
            (Self::Float(to), Self::Float(from)) => take(to, from, entries),
            (Self::Least(to), Self::Least(from)) => take(to, from, entries),
            (Self::LeastWide(to), Self::LeastWide(from)) => take(to, from, entries),
            _ => unreachable!("tables of one plan have cells of the same kinds"),
        }
    }

    /// Joins entry `i` of `from` into entry `entries[i]`.
    fn combine(&mut self, from: &Self, entries: &[u32]) -> Option<()> {
        match (self, from) {
            (Self::Exact(to), Self::Exact(from)) => {
                fold_checked(to, entries, from.iter().copied(), i128::checked_add)
            }
            (Self::Float(to), Self::Float(from)) => {
                fold(to, entries, from.iter().copied(), |a, b| a + b);
                Some(())
            }
            (Self::Least(to), Self::Least(from)) => {
                fold(to, entries, from.iter().copied(), i64::min);
                Some(())
            }
            (Self::LeastWide(to), Self::LeastWide(from)) => {
                fold(to, entries, from.iter().copied(), i128::min);
                Some(())
            }
            _ => unreachable!("tables of one plan have cells of the same kinds"),
        }
    }

    /// Takes entry `i` of `from` away from entry `entries[i]`, where that is exact.
    fn subtract(&mut self, from: &Self, entries: &[u32]) -> Option<()> {
        match (self, from) {
            (Self::Exact(to), Self::Exact(from)) => {
                fold_checked(to, entries, from.iter().copied(), i128::checked_sub)
            }
            _ => Some(()),
        }
    }

    fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Exact(cells) | Self::LeastWide(cells) => cells.capacity() * 16,
            Self::Float(cells) => cells.capacity() * 8,
            Self::Least(cells) => cells.capacity() * 8,
        }
    }
}

/// Partial aggregates of many entries.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Rows of each entry.
    pub(super) rows: Vec<u64>,
    /// For each column the nulls of each entry; empty while there is no null.
    pub(super) nulls: Vec<Vec<u64>>,
    /// For each lift the cell of each entry.
    pub(super) cells: Vec<Cells>,
}

impl Table {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            rows: Vec::new(),
            nulls: vec![Vec::new(); plan.columns.len()],
            cells: plan.lifts.iter().map(|lift| Cells::new(lift.op)).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn resize(&mut self, len: usize) {
        self.rows.resize(len, 0);
        self.nulls.iter_mut().filter(|n| !n.is_empty()).for_each(|n| n.resize(len, 0));
        self.cells.iter_mut().for_each(|cells| cells.resize(len));
    }

    pub(super) fn bytes(&self) -> usize {
        let counts = self.rows.capacity() + self.nulls.iter().map(Vec::capacity).sum::<usize>();
        counts * 8 + self.cells.iter().map(Cells::bytes).sum::<usize>()
    }

    /// Rows of an entry in which a column is not null.
    pub(super) fn values_in(&self, entry: usize, column: usize) -> u64 {
        self.rows[entry] - self.nulls[column].get(entry).copied().unwrap_or(0)
    }

    /// Takes rows in: row `rows.get(i)` of `columns` into entry `entries[i]`.
    ///
    /// # Errors
    /// When an exact sum exceeds 128 bits.
    pub(super) fn add_rows(
        &mut self,
        lifts: &[Lift],
        columns: &[Column],
        rows: Run<'_>,
        entries: &[u32],
    ) -> Result<()> {
        if let [only] = &mut self.rows[..] {
            *only += entries.len() as u64;
        } else {
            entries.iter().for_each(|&at| self.rows[at as usize] += 1);
        }
        let len = self.rows.len();
        for (column, counts) in columns.iter().zip(&mut self.nulls) {
            let Some(nulls) = &column.nulls else { continue };
            counts.resize(len, 0);
            for (i, &at) in entries.iter().enumerate() {
                counts[at as usize] += u64::from(nulls.is_null(rows.get(i)));
            }
        }
        for (lift, cells) in lifts.iter().zip(&mut self.cells) {
            add_column(lift.op, cells, &columns[lift.column], rows, entries)
                .ok_or_else(|| overflow(&lift.name))?;
        }
        Ok(())
    }

    /// Joins entry `i` of `from` into entry `entries[i]`; of the cells only the exact ones, or
    /// only the others.
    ///
    /// # Errors
    /// When an exact sum exceeds 128 bits.
    pub(super) fn combine_exact(
        &mut self,
        lifts: &[Lift],
        from: &Self,
        entries: &[u32],
    ) -> Result<()> {
        fold(&mut self.rows, entries, from.rows.iter().copied(), |a, b| a + b);
        let len = self.rows.len();
        for (to, from) in self.nulls.iter_mut().zip(&from.nulls) {
            if !from.is_empty() {
                to.resize(len, 0);
                fold(to, entries, from.iter().copied(), |a, b| a + b);
            }
        }
        for ((lift, to), from) in lifts.iter().zip(&mut self.cells).zip(&from.cells) {
            if to.is_exact() {
                to.combine(from, entries).ok_or_else(|| overflow(&lift.name))?;
            }
        }
        Ok(())
    }

    /// Undoes [`Table::combine_exact`].
    ///
    /// # Errors
    /// When an exact sum exceeds 128 bits.
    pub(super) fn subtract_exact(
        &mut self,
        lifts: &[Lift],
        from: &Self,
        entries: &[u32],
    ) -> Result<()> {
        fold(&mut self.rows, entries, from.rows.iter().copied(), |a, b| a - b);
        for (to, from) in self.nulls.iter_mut().zip(&from.nulls) {
            // Where `from` has counts, they were added to `to` before.
            if !from.is_empty() {
                fold(to, entries, from.iter().copied(), |a, b| a - b);
            }
        }
        for ((lift, to), from) in lifts.iter().zip(&mut self.cells).zip(&from.cells) {
            to.subtract(from, entries).ok_or_else(|| overflow(&lift.name))?;
        }
        Ok(())
    }

    /// Joins the cells that are not exact: entry `i` of `from` into entry `entries[i]`.
    pub(super) fn combine_inexact(&mut self, from: &Self, entries: &[u32]) {
        for (to, from) in self.cells.iter_mut().zip(&from.cells).filter(|(to, _)| !to.is_exact()) {
            // Only exact sums can overflow.
            let _ = to.combine(from, entries);
        }
    }

    /// Makes the cells that are not exact those of an empty set.
    pub(super) fn reset_inexact(&mut self, entries: &[u32]) {
        for cells in self.cells.iter_mut().filter(|cells| !cells.is_exact()) {
            entries.iter().for_each(|&at| cells.reset(at as usize));
        }
    }

    /// Whether some cells must be computed anew for each window.
    pub(super) fn has_inexact(&self) -> bool {
        self.cells.iter().any(|cells| !cells.is_exact())
    }

    /// Appends entries of `from`, in the order given.
    pub(super) fn gather(&mut self, from: &Self, entries: &[u32]) {
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
        for (to, from) in self.cells.iter_mut().zip(&from.cells) {
            to.gather(from, entries);
        }
    }
}

fn overflow(aggregate: &str) -> Error {
    Error::run(format!("the aggregate \"{aggregate}\" overflows 38 digits"))
        .advise("aggregate over shorter windows, or scale the column down")
}

/// Some of the rows of a batch that a shard has: those from `first` on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) first: usize,
}

impl Run<'_> {
    /// Index in the batch of the run's `i`-th row.
    #[inline]
    fn get(&self, i: usize) -> usize {
        self.rows.get(self.first + i)
    }
}

/// `cells[entries[i]] = op(cells[entries[i]], values[i])`, in order.
#[inline]
fn fold<C: Copy, V>(
    cells: &mut [C],
    entries: &[u32],
    values: impl Iterator<Item = V>,
    mut op: impl FnMut(C, V) -> C,
) {
    if let [only] = cells {
        // One entry: kept in a register, without a store and a load between rows.
        *only = values.take(entries.len()).fold(*only, op);
        return;
    }
    for (&at, value) in entries.iter().zip(values) {
        let cell = &mut cells[at as usize];
        *cell = op(*cell, value);
    }
}

/// As [`fold`], with an operation that can overflow; `None` where it did.
#[inline]
fn fold_checked(
    cells: &mut [i128],
    entries: &[u32],
    values: impl Iterator<Item = i128>,
    op: impl Fn(i128, i128) -> Option<i128>,
) -> Option<()> {
    let mut fits = true;
    fold(cells, entries, values, |a, b| {
        let result = op(a, b);
        fits &= result.is_some();
        result.unwrap_or(a)
    });
    fits.then_some(())
}

/// Takes the values of a run of rows into their entries' cells; `None` on overflow.
fn add_column(
    op: Op,
    cells: &mut Cells,
    column: &Column,
    rows: Run<'_>,
    entries: &[u32],
) -> Option<()> {
    match (op, cells, &column.values) {
        (Op::Exact, Cells::Exact(cells), Values::Int(values)) => {
            // 2^63 values of 64 bits fit in 128.
            add(cells, entries, column, values, rows, |a, b| a + i128::from(b));
        }
        (Op::Exact, Cells::Exact(cells), Values::Wide(values)) => {
            let mut fits = true;
            add(cells, entries, column, values, rows, |a, b| {
                let sum = a.checked_add(b);
                fits &= sum.is_some();
                sum.unwrap_or(a)
            });
            return fits.then_some(());
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

#[inline]
fn add<C: Copy, V: Copy>(
    cells: &mut [C],
    entries: &[u32],
    column: &Column,
    values: &[V],
    run: Run<'_>,
    mut op: impl FnMut(C, V) -> C,
) {
    if let Some(nulls) = &column.nulls {
        for (i, &at) in entries.iter().enumerate() {
            let row = run.get(i);
            if nulls.is_valid(row) {
                let cell = &mut cells[at as usize];
                *cell = op(*cell, values[row]);
            }
        }
        return;
    }
    match run.rows {
        Rows::All(_) => fold(cells, entries, values[run.first..].iter().copied(), op),
        Rows::Some(rows) => {
            let values = rows[run.first..].iter().map(|&row| values[row as usize]);
            fold(cells, entries, values, op);
        }
    }
}

/// A float as an integer of the same order: NaN greatest, −0 as +0.
#[inline]
pub(super) fn float_order(value: f64) -> i64 {
    let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
    let bits = value.to_bits() as i64;
    bits ^ ((bits >> 63) & i64::MAX)
}

/// Undoes [`float_order`].
pub(super) fn float_of_order(order: i64) -> f64 {
    f64::from_bits((order ^ ((order >> 63) & i64::MAX)) as u64)
}

#[cfg(test)]
mod order_tests {
    use super::{float_of_order, float_order};

    #[test]
    fn floats_keep_their_order() {
        let ordered = [f64::NEG_INFINITY, f64::MIN, -1.0, -f64::MIN_POSITIVE, 0.0, 1.0, f64::MAX];
        let ordered = ordered.iter().copied().chain([f64::INFINITY, f64::NAN]);
        let orders: Vec<i64> = ordered.clone().map(float_order).collect();
        assert!(orders.is_sorted_by(|a, b| a < b));
        for (float, order) in ordered.zip(orders) {
            assert_eq!(float_of_order(order).to_bits(), float.to_bits());
        }
        assert_eq!(float_order(-0.0), float_order(0.0));
        assert_eq!(float_order(-f64::NAN), float_order(f64::NAN));
    }
}
