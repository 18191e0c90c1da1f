//! Rows counted by the columns of a table without being touched one by one.
//!
//! Where windows behind a lookup only count rows, a row's part in that is one number: which key the
//! table's row for its code has. So filter, lookup and count are one loop over the codes
//! ([`count_by_code`]):
//!
//! ```text
//!  mask ─┐
//!  codes ┴▶ kept codes ─▶ slots (code → key id) ─▶ counts ─▶ pane
//! ```
//!
//! Ids are given to keys in the order of rows. So a slot whose key has none yet is one of its own,
//! behind all keys: where a row falls on it, these rows and those behind them are taken in the
//! slower way, which gives it one. After that has happened some batches in turn are not tried.

use arrow::array::types::*;
use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::DataType;
use pelton_kernels::simd::level;
use pelton_kernels::window_reduce::{Slots, count_by_code};

use super::pane::PaneWindow;
use crate::batch::Batch;
use crate::error::Result;
use crate::operator::TableCodes;
use crate::state::keys::NO_ID;

/// Fewer rows are not worth looking at all slots.
const ROWS_MIN: usize = 256;

/// At most so many batches are left out.
const LEFT_OUT_MAX: u32 = 64;

/// What is kept from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Counter {
    /// Key id for each code.
    slots: Vec<u32>,
    /// Number of ids and of the table's rows that had one when `slots` was made.
    made_of: (usize, usize),
    counts: Vec<u32>,
    /// Batches that are not tried, and how many will not be the next time.
    left_out: u32,
    next_left_out: u32,
}

impl Counter {
    pub(super) fn bytes(&self) -> u64 {
        ((self.slots.capacity() + self.counts.capacity()) * 4) as u64
    }

    /// Whether a batch of so many rows is to be tried.
    pub(super) fn is_due(&mut self, batch: &Batch) -> bool {
        let in_order =
            batch.times.as_ref().is_some_and(|times| times.sorted && times.late.is_none());
        if !in_order || batch.len() < ROWS_MIN {
            return false;
        }
        let due = self.left_out == 0;
        self.left_out = self.left_out.saturating_sub(1);
        due
    }

    /// Counts rows from the first on, as long as their keys have ids; all of them, or those that
    /// `keep` says. `ids`: the key id of each row of the table, and last that of none, of which
    /// `known` are no [`NO_ID`]. Gives the number of rows that were looked at.
    ///
    /// # Errors
    /// When the window cannot take them in.
    pub(super) fn count(
        &mut self,
        window: &mut PaneWindow,
        batch: &Batch,
        keep: Option<&BooleanArray>,
        codes: &TableCodes<'_>,
        (ids, known): (&[u32], usize),
    ) -> Result<usize> {
        let Some(times) = &batch.times else { return Ok(0) };
        let keys = window.keys();
        if self.made_of != (keys, known) || self.slots.len() != codes.rows.len() {
            let last = ids.len() - 1;
            let id = |&row: &u32| ids[(row as usize).min(last)];
            let slot = |row| Some(id(row)).filter(|&id| id != NO_ID).unwrap_or(keys as u32);
            self.slots.clear();
            self.slots.extend(codes.rows.iter().map(slot));
            self.made_of = (keys, known);
        }
        let slots = Slots { low: codes.low, slots: &self.slots };
        let mut from = 0;
        while from < batch.len() {
            let until = window.part_until(&times.time, from);
            self.counts.clear();
            self.counts.resize(keys + 1, 0);
            let mask: Option<Vec<u64>> = keep.map(|keep| {
                let part = keep.values().slice(from, until - from);
                part.bit_chunks().iter_padded().take((until - from).div_ceil(64)).collect()
            });
            let part = codes.column.slice(from, until - from);
            count_column(&part, mask.as_deref(), slots, &mut self.counts);
            if self.counts[keys] > 0 {
                self.next_left_out = (self.next_left_out * 2).clamp(1, LEFT_OUT_MAX);
                self.left_out = self.next_left_out;
                return Ok(from);
            }
            window.add_counts(times.time[from], &self.counts[..keys])?;
            from = until;
        }
        self.next_left_out = 0;
        Ok(from)
    }
}

/// Calls `$call!(ArrowType)` for a type of integers.
macro_rules! for_integers {
    ($data_type:expr, $call:ident, $other:expr) => {
        match $data_type {
            DataType::Int8 => $call!(Int8Type),
            DataType::Int16 => $call!(Int16Type),
            DataType::Int32 => $call!(Int32Type),
            DataType::Int64 => $call!(Int64Type),
            DataType::UInt8 => $call!(UInt8Type),
            DataType::UInt16 => $call!(UInt16Type),
            DataType::UInt32 => $call!(UInt32Type),
            DataType::UInt64 => $call!(UInt64Type),
            _ => $other,
        }
    };
}

fn count_column(codes: &ArrayRef, mask: Option<&[u64]>, slots: Slots<'_>, counts: &mut [u32]) {
    macro_rules! count {
        ($type:ty) => {
            _ = count_by_code(level(), mask, codes.as_primitive::<$type>().values(), slots, counts)
        };
    }
    for_integers!(codes.data_type(), count, unreachable!("codes are integers"));
}
