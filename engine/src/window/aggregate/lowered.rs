//! Results of many windows, computed as each closes: the columns grow by a window at a time, and no
//! states are copied to be lowered later.
//!
//! For what most windows compute: counts, sums, means, and least and greatest of numbers. The bits are those of `lower.rs`, which does the rest.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use pelton_kernels::simd::level;
use pelton_kernels::window_combine::{means_of_f64, means_of_i64};

use super::cells::Cells;
use super::lower::{int_array, one_nan, power_of_ten, wide_array};
use super::plan::{AggregatePlan, Lower, Op};
use super::sums::Sums;
use super::table::Table;
use super::value::float_of_order;
use crate::error::Result;

/// A column an aggregate, none of them with a null.
#[derive(Debug)]
pub(crate) struct Lowered(Vec<Column>);

#[derive(Debug)]
enum Column {
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Wides(Vec<i128>),
}

/// Which entries of a table are given out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Picked<'a> {
    /// All of them.
    All,
    /// Those, by number.
    Some(&'a [u32]),
}

impl Picked<'_> {
    fn each<T: Copy, U>(self, from: &[T], to: &mut Vec<U>, make: impl Fn(T) -> U) {
        match self {
            Self::All => to.extend(from.iter().map(|&value| make(value))),
            Self::Some(entries) => to.extend(entries.iter().map(|&at| make(from[at as usize]))),
        }
    }
}

impl Lowered {
    /// No results yet; `None` where the plan computes something else.
    pub(crate) fn new(plan: &AggregatePlan) -> Option<Self> {
        let columns = plan.lowers.iter().zip(&plan.fields);
        let columns = columns.map(|(lower, field)| {
            let ints = Column::Ints(Vec::new());
            let floats = Column::Floats(Vec::new());
            match (lower, field.data_type()) {
                (Lower::Rows | Lower::NonNull { .. }, _) => Some(ints),
                (Lower::Sum { lift, .. }, to) => match (&plan.lifts[*lift].op, to) {
                    (Op::Exact, DataType::Int64) => Some(ints),
                    (Op::Exact, DataType::Decimal128(..)) => Some(Column::Wides(Vec::new())),
                    (Op::Float, DataType::Float64) => Some(floats),
                    _ => None,
                },
                (Lower::Avg { .. }, DataType::Float64) => Some(floats),
                (Lower::Least { lift, .. }, to) => match (&plan.lifts[*lift].op, to) {
                    (Op::Least { .. }, DataType::Float64) => Some(floats),
                    (Op::Least { .. }, to) if !to.is_floating() => Some(ints),
                    (Op::LeastWide { .. }, _) => Some(Column::Wides(Vec::new())),
                    _ => None,
                },
                _ => None,
            }
        });
        columns.collect::<Option<Vec<Column>>>().map(Self)
    }

    /// Makes room for so many more rows.
    pub(crate) fn reserve(&mut self, rows: usize) {
        for column in &mut self.0 {
            match column {
                Column::Ints(values) => values.reserve(rows),
                Column::Floats(values) => values.reserve(rows),
                Column::Wides(values) => values.reserve(rows),
            }
        }
    }

    /// Appends the results of entries that have a row each. Does nothing, and says so, where there
    /// are nulls, or sums of more than 64 bits.
    #[must_use]
    pub(crate) fn append(
        &mut self,
        plan: &AggregatePlan,
        from: &Table,
        entries: Picked<'_>,
    ) -> bool {
        if !is_simple(from) {
            return false;
        }
        for (lower, column) in plan.lowers.iter().zip(&mut self.0) {
            column.append(plan, lower, from, entries);
        }
        true
    }

    /// As [`Lowered::append`] of all entries, before any other, of a table that is not used any
    /// more: what only one column is made of becomes that column, without a copy.
    #[must_use]
    pub(crate) fn take(&mut self, plan: &AggregatePlan, from: &mut Table) -> bool {
        if !is_simple(from) {
            return false;
        }
        let becomes = |lower: &Lower| match *lower {
            Lower::Rows => plan.lowers.iter().filter(|lower| reads_rows(lower)).count() == 1,
            Lower::Sum { lift, .. } => {
                plan.lowers.iter().filter(|lower| reads(lower, lift)).count() == 1
            }
            _ => false,
        };
        let columns = || plan.lowers.iter().zip(0..);
        for (lower, at) in columns().filter(|(lower, _)| !becomes(lower)) {
            self.0[at].append(plan, lower, from, Picked::All);
        }
        for (lower, at) in columns().filter(|(lower, _)| becomes(lower)) {
            self.0[at].become_cells(plan, lower, from);
        }
        true
    }

    /// The columns.
    ///
    /// # Errors
    /// When an array cannot be made.
    pub(crate) fn finish(self, plan: &AggregatePlan) -> Result<Vec<ArrayRef>> {
        let columns = self.0.into_iter().zip(&plan.fields);
        columns
            .map(|(column, field)| match column {
                Column::Ints(values) => int_array(values, None, field.data_type()),
                Column::Floats(values) => Ok(Arc::new(Float64Array::from(values)) as ArrayRef),
                Column::Wides(values) => wide_array(values, None, field.data_type()),
            })
            .collect()
    }
}

/// Whether a table has no nulls, and no sums of more than 64 bits.
fn is_simple(table: &Table) -> bool {
    let is_narrow = |cells: &Cells| match cells {
        Cells::Exact(sums) => matches!(sums, Sums::Narrow { .. }),
        _ => true,
    };
    table.nulls.iter().all(Vec::is_empty) && table.cells.iter().all(is_narrow)
}

/// Whether a column is made of the numbers of rows.
fn reads_rows(lower: &Lower) -> bool {
    matches!(lower, Lower::Rows | Lower::NonNull { .. } | Lower::Avg { .. })
}

/// Whether a column is made of the cells of a lift.
fn reads(lower: &Lower, cells: usize) -> bool {
    match lower {
        Lower::Sum { lift, .. } | Lower::Avg { lift, .. } | Lower::Least { lift, .. } => {
            *lift == cells
        }
        Lower::Rows | Lower::NonNull { .. } | Lower::States { .. } => false,
    }
}

impl Column {
    /// As [`Column::append`] of all entries to no values; leaves the cells empty where it can.
    fn become_cells(&mut self, plan: &AggregatePlan, lower: &Lower, from: &mut Table) {
        match (&mut *self, lower) {
            (Self::Ints(to), Lower::Rows) => {
                let rows = std::mem::take(&mut from.rows);
                *to = rows.into_iter().map(|rows| rows as i64).collect();
            }
            (Self::Ints(to), Lower::Sum { lift, .. })
                if let Cells::Exact(Sums::Narrow { sums, .. }) = &mut from.cells[*lift] =>
            {
                *to = std::mem::take(sums);
            }
            (Self::Floats(to), Lower::Sum { lift, .. })
                if let Cells::Float(sums) = &mut from.cells[*lift] =>
            {
                *to = std::mem::take(sums).into_iter().map(one_nan).collect();
            }
            _ => self.append(plan, lower, from, Picked::All),
        }
    }

    fn append(&mut self, plan: &AggregatePlan, lower: &Lower, from: &Table, entries: Picked<'_>) {
        match (self, lower) {
            (Self::Ints(to), Lower::Rows | Lower::NonNull { .. }) => {
                entries.each(&from.rows, to, |rows| rows as i64);
            }
            (Self::Ints(to), Lower::Sum { lift, .. }) => {
                entries.each(narrow(from, *lift), to, |sum| sum);
            }
            (Self::Wides(to), Lower::Sum { lift, .. }) => {
                entries.each(narrow(from, *lift), to, i128::from);
            }
            (Self::Floats(to), Lower::Sum { lift, .. }) => {
                entries.each(floats(from, *lift), to, one_nan);
            }
            (Self::Floats(to), Lower::Avg { lift, scale, .. }) => {
                append_means(from, *lift, *scale, entries, to);
            }
            (to, Lower::Least { lift, .. }) => {
                to.append_least(&plan.lifts[*lift].op, &from.cells[*lift], entries);
            }
            _ => unreachable!("a column is made for its aggregate"),
        }
    }

    fn append_least(&mut self, op: &Op, from: &Cells, entries: Picked<'_>) {
        match (self, op, from) {
            (Self::Ints(to), Op::Least { flip }, Cells::Least(cells)) => {
                entries.each(cells, to, |cell| cell ^ flip);
            }
            (Self::Floats(to), Op::Least { flip }, Cells::Least(cells)) => {
                entries.each(cells, to, |cell| float_of_order(cell ^ flip));
            }
            (Self::Wides(to), Op::LeastWide { flip }, Cells::LeastWide(cells)) => {
                entries.each(cells, to, |cell| cell ^ flip);
            }
            _ => unreachable!("a column is made for its aggregate"),
        }
    }
}

fn narrow(from: &Table, lift: usize) -> &[i64] {
    match &from.cells[lift] {
        Cells::Exact(Sums::Narrow { sums, .. }) => sums,
        _ => unreachable!("sums are narrow, as was just asked"),
    }
}

fn floats(from: &Table, lift: usize) -> &[f64] {
    match &from.cells[lift] {
        Cells::Float(sums) => sums,
        _ => unreachable!("sums are exact or of floats"),
    }
}

fn append_means(from: &Table, lift: usize, scale: i8, entries: Picked<'_>, to: &mut Vec<f64>) {
    let before = to.len();
    let is_exact = matches!(from.cells[lift], Cells::Exact(_));
    let power = power_of_ten(scale);
    let up_down = if scale < 0 { (power, 1.0) } else { (1.0, power) };
    match entries {
        Picked::All => {
            to.resize(before + from.rows.len(), 0.0);
            let out = &mut to[before..];
            if is_exact {
                means_of_i64(level(), narrow(from, lift), &from.rows, up_down, out);
            } else {
                means_of_f64(level(), floats(from, lift), &from.rows, out);
            }
        }
        Picked::Some(entries) if is_exact => {
            let (up, down) = up_down;
            let (sums, rows) = (narrow(from, lift), &from.rows);
            let mean =
                |&at: &u32| sums[at as usize] as f64 * up / (rows[at as usize] as f64 * down);
            to.extend(entries.iter().map(mean));
        }
        Picked::Some(entries) => {
            let (sums, rows) = (floats(from, lift), &from.rows);
            let mean = |&at: &u32| one_nan(sums[at as usize] / rows[at as usize] as f64);
            to.extend(entries.iter().map(mean));
        }
    }
}
