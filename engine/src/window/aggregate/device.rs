//! Which aggregates a GPU can keep, and how they meet those that a core keeps.

use super::cells::overflow;
use super::column::{Column, Values};
use super::plan::{Lift, Op};
use super::table::Table;
use super::value::float_order;
use crate::error::Result;
use crate::operator::Rows;

/// What a device keeps of a lift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    /// Exact sums; and with the first of them the number of rows.
    Sum,
    /// The least of the values xor `flip`.
    Least {
        /// 0, or −1 for the greatest.
        flip: i64,
    },
}

impl Device {
    /// Whether a device can keep them all.
    pub(crate) fn can_keep(lifts: &[Lift]) -> bool {
        lifts.iter().all(|lift| matches!(lift.op, Op::Exact | Op::Least { .. }))
    }

    /// The aggregates that a device cannot keep, and why, in words.
    pub(crate) fn kept_back(lifts: &[Lift]) -> Option<String> {
        let why = |lift: &Lift| {
            let why = match lift.op {
                Op::Exact | Op::Least { .. } => return None,
                Op::Float => "adds floats, in the order of rows",
                Op::LeastWide { .. } => "compares values of more than 64 bits",
                Op::States(_) => "keeps a state of its own",
            };
            Some(format!("`{}` {why}", lift.name))
        };
        lifts.iter().find_map(why)
    }

    /// What a device keeps of lifts that it can keep: a sum first, which counts the rows, then one
    /// a lift.
    pub(crate) fn of(lifts: &[Lift]) -> Vec<Self> {
        let each = lifts.iter().map(|lift| match lift.op {
            Op::Least { flip } => Self::Least { flip },
            _ => Self::Sum,
        });
        let counts = (!has_sum_first(lifts)).then_some(Self::Sum);
        counts.into_iter().chain(each).collect()
    }

    /// The values of rows, for each of [`Device::of`]; `None` where a value is null, beyond 64
    /// bits, or no number.
    pub(crate) fn values(
        lifts: &[Lift],
        columns: &[Column],
        rows: Rows<'_>,
    ) -> Option<Vec<Vec<i64>>> {
        let mut values = Vec::with_capacity(lifts.len() + 1);
        if !has_sum_first(lifts) {
            values.push(vec![0; rows.len()]);
        }
        for lift in lifts {
            let [input] = lift.inputs[..] else { return None };
            values.push(integers(&columns[input], rows)?);
        }
        Some(values)
    }
}

/// Whether the first lift is a sum.
fn has_sum_first(lifts: &[Lift]) -> bool {
    lifts.first().is_some_and(|lift| matches!(lift.op, Op::Exact))
}

/// The values of rows as integers that add up and compare as they do.
fn integers(column: &Column, rows: Rows<'_>) -> Option<Vec<i64>> {
    fn each<T: Copy>(
        values: &[T],
        rows: Rows<'_>,
        to: impl Fn(T) -> Option<i64>,
    ) -> Option<Vec<i64>> {
        match rows {
            Rows::All(len) => values[..len].iter().map(|&value| to(value)).collect(),
            Rows::Some(rows) => rows.iter().map(|&row| to(values[row as usize])).collect(),
        }
    }
    if column.nulls.is_some() {
        return None;
    }
    match &column.values {
        Values::Int(values) => each(values, rows, Some),
        Values::Wide(values) => each(values, rows, |value| i64::try_from(value).ok()),
        Values::Float(values) => each(values, rows, |value| Some(float_order(value))),
        _ => None,
    }
}

impl Table {
    /// Adds what a device kept of the first entries: their rows, and a value for each of
    /// [`Device::of`].
    ///
    /// # Errors
    /// When a sum exceeds 128 bits.
    pub(crate) fn add_totals(
        &mut self,
        lifts: &[Lift],
        rows: &[u64],
        values: &[Vec<i128>],
    ) -> Result<()> {
        self.rows.iter_mut().zip(rows).for_each(|(to, rows)| *to += rows);
        let entries: Vec<u32> = (0..rows.len() as u32).collect();
        let values = &values[usize::from(!has_sum_first(lifts))..];
        for ((lift, cells), values) in lifts.iter().zip(&mut self.cells).zip(values) {
            cells.add_totals(&entries, values).ok_or_else(|| overflow(&lift.name))?;
        }
        Ok(())
    }

    /// Takes rows in, given the values for each of [`Device::of`].
    ///
    /// # Errors
    /// When a sum exceeds 128 bits.
    pub(crate) fn add_integers(
        &mut self,
        lifts: &[Lift],
        entries: &[u32],
        values: &[&[i64]],
    ) -> Result<()> {
        entries.iter().for_each(|&at| self.rows[at as usize] += 1);
        let values = &values[usize::from(!has_sum_first(lifts))..];
        for ((lift, cells), values) in lifts.iter().zip(&mut self.cells).zip(values) {
            let flip = if let Op::Least { flip } = lift.op { flip } else { 0 };
            // The least of one value is the value.
            let wide: Vec<i128> = values.iter().map(|value| (value ^ flip).into()).collect();
            cells.add_totals(entries, &wide).ok_or_else(|| overflow(&lift.name))?;
        }
        Ok(())
    }
}
