//! From cells to the rows that a window gives out.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, StringArray, UInt32Array};

use super::aggregate::{Picked, Table, time_array};
use super::keys::SeenKeys;
use super::spec::Plan;
use crate::batch::Position;
use crate::error::Result;
use crate::operator::WindowRows;

/// Tables of so many entries are moved rather than copied; a smaller one keeps its memory for the
/// next pane.
pub(super) const MOVED_ENTRIES_MIN: usize = 1 << 16;

/// Rows to give out: windows one after the other, each in the order of key ids.
#[derive(Debug)]
pub(super) struct Output {
    /// Index of the first row of a window that only the end of the input closes: those come
    /// last, whatever their ends, or their place would depend on when the input ended.
    pub(super) unfinished_from: Option<usize>,
    /// Start and end of each window, and its number of rows.
    pub(super) windows: Vec<(i128, i128, usize)>,
    /// Key id of each row.
    pub(super) keys: Vec<u32>,
    pub(super) table: Table,
    /// What each row is, where windows are corrected.
    pub(super) changes: Option<Vec<&'static str>>,
}

impl Output {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            unfinished_from: None,
            windows: Vec::new(),
            keys: Vec::new(),
            table: Table::new(&plan.aggregates),
            changes: None,
        }
    }

    /// With a column that says what each row is.
    pub(super) fn with_changes(plan: &Plan) -> Self {
        Self { changes: Some(Vec::new()), ..Self::new(plan) }
    }

    /// Makes room for so many more rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.keys.reserve(rows);
        self.table.reserve(rows);
    }

    /// Appends a window: entries of `cells` that are not used any more, and their keys.
    pub(super) fn take(
        &mut self,
        (start, end): (i128, i128),
        cells: &mut Table,
        entries: Picked<'_>,
        keys: &[u32],
    ) {
        match entries {
            Picked::All if self.keys.is_empty() && keys.len() >= MOVED_ENTRIES_MIN => {
                std::mem::swap(&mut self.table, cells);
            }
            Picked::All => self.table.append(cells),
            Picked::Some(entries) => self.table.take(cells, entries),
        }
        self.keys.extend_from_slice(keys);
        self.windows.push((start, end, keys.len()));
    }

    /// Builds the rows.
    ///
    /// # Errors
    /// When a sum does not fit its column.
    pub(super) fn finish(self, plan: &Plan, keys: &SeenKeys) -> Result<WindowRows> {
        let rows = self.keys.len();
        let (mut starts, mut ends) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for &(start, end, count) in &self.windows {
            starts.resize(starts.len() + count, saturated(start));
            ends.resize(ends.len() + count, saturated(end));
        }
        let mut times: Vec<i64> = ends.iter().map(|end: &i64| end.saturating_sub(1)).collect();
        times[self.unfinished_from.unwrap_or(rows)..].fill(i64::MAX - 1);
        let order = if keys.order_themselves() && self.is_in_order() {
            Vec::new()
        } else {
            self.order(&starts, &ends, keys)
        };
        let mut columns =
            vec![time_array(starts, &plan.time_type)?, time_array(ends, &plan.time_type)?];
        columns.extend(keys.index.key_columns(&self.keys)?);
        columns.extend(self.table.lower(&plan.aggregates)?);
        if let Some(changes) = self.changes {
            columns.push(Arc::new(StringArray::from(changes)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(plan.output.clone(), columns, &options)?;
        sorted(WindowRows { rows: batch, times: times.into(), order })
    }

    /// Whether windows stand in the order of their ends and starts, keys within each in that of
    /// their ids.
    fn is_in_order(&self) -> bool {
        let by_end = |&(start, end, _): &(i128, i128, usize)| (end, start);
        let mut from = 0;
        self.unfinished_from.is_none()
            && self.windows.is_sorted_by(|a, b| by_end(a) < by_end(b))
            && self.windows.iter().all(|&(.., count)| {
                from += count;
                self.keys[from - count..from].is_sorted()
            })
    }

    /// What each row is sorted by.
    fn order(&self, starts: &[i64], ends: &[i64], keys: &SeenKeys) -> Vec<(i64, i64, Position)> {
        let positions = self.keys.iter().map(|&key| keys.place(key));
        let mut order: Vec<(i64, i64, Position)> =
            ends.iter().zip(starts).zip(positions).map(|((&e, &s), p)| (e, s, p)).collect();
        for (end, start, _) in &mut order[self.unfinished_from.unwrap_or(starts.len())..] {
            (*end, *start) = (i64::MAX, i64::MAX);
        }
        order
    }
}

fn saturated(time: i128) -> i64 {
    time.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The rows in their order. Key ids are in the order in which keys were first seen, which is
/// that of positions unless partitions were read in turns.
pub(super) fn sorted(output: WindowRows) -> Result<WindowRows> {
    if output.order.is_sorted() {
        return Ok(output);
    }
    let mut indices: Vec<u32> = (0..output.order.len() as u32).collect();
    indices.sort_by_key(|&i| output.order[i as usize]);
    let order = indices.iter().map(|&i| output.order[i as usize]).collect();
    let times = indices.iter().map(|&i| output.times[i as usize]).collect();
    let rows = arrow::compute::take_record_batch(&output.rows, &UInt32Array::from(indices))?;
    Ok(WindowRows { rows, times, order })
}
