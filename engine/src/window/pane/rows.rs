//! Rows on their way into panes: which rows of a batch are which pane's.

use std::collections::BTreeMap;

use pelton_kernels::simd::level;
use pelton_kernels::window_assign;

#[cfg(feature = "gpu")]
use super::device;
use super::{PaneWindow, saturated};
use crate::error::Result;
use crate::operator::Rows;
use crate::window::aggregate::{Column, RowSet};

/// Up to so many neighbouring panes the rows of each are picked by a pass over the batch.
const PANES_SELECTED: i128 = 4;

/// All times of a batch are looked at where one row in so many or more is added.
const MANY: usize = 16;

/// Parts of a batch up to so many rows are asked for ahead: several KB a column, which the first
/// cache holds beside what the rows are added to.
const PREFETCHED: usize = 1024;

/// Rows of a batch that fall into one pane.
#[derive(Debug, Default)]
struct Bucket {
    /// Their indices in the batch, and the ids of their keys.
    rows: Vec<u32>,
    ids: Vec<u32>,
}

/// A pane's number, first and last time.
#[derive(Debug, Clone, Copy)]
struct PaneBounds {
    number: i128,
    first: i64,
    last: i64,
}

impl PaneWindow {
    /// Adds the rows, whose key ids are `self.ids`, to their panes. `sorted`: the batch's times are
    /// known to never fall.
    pub(super) fn add(
        &mut self,
        columns: &[Column],
        rows: &RowSet<'_>,
        sorted: bool,
    ) -> Result<()> {
        let ids = std::mem::take(&mut self.ids);
        let result = match rows.rows {
            Rows::All(len) if sorted || is_sorted(&rows.times[..len]) => {
                self.add_sorted(columns, rows, &ids)
            }
            Rows::Some(own)
                if sorted || own.len() >= rows.times.len() / MANY && is_sorted(rows.times) =>
            {
                self.add_some_sorted(columns, rows, own, &ids)
            }
            _ => self.add_unsorted(columns, rows, &ids),
        };
        self.ids = ids;
        result
    }

    /// Adds all rows of a batch whose times never fall: each pane gets a part of the batch.
    fn add_sorted(&mut self, columns: &[Column], rows: &RowSet<'_>, ids: &[u32]) -> Result<()> {
        let (times, mut from, mut len) = (&rows.times[..ids.len()], 0, ids.len());
        while let Some(&first) = times.get(from) {
            let bounds = self.bounds_of(first);
            let until = from + part_len(&times[from..], bounds.last, len);
            if (from, until) == (0, times.len()) {
                return self.add_to_pane(bounds.number, columns, rows, ids);
            }
            len = until - from;
            if len <= PREFETCHED {
                columns.iter().for_each(|column| column.prefetch(until, until + len));
            }
            let part: Vec<Column> = columns.iter().map(|c| c.slice(from, until)).collect();
            let rows = rows.slice(from, until);
            self.add_to_pane(bounds.number, &part, &rows, &ids[from..until])?;
            from = until;
        }
        Ok(())
    }

    /// Adds some rows of a batch whose times never fall.
    fn add_some_sorted(
        &mut self,
        columns: &[Column],
        rows: &RowSet<'_>,
        own: &[u32],
        ids: &[u32],
    ) -> Result<()> {
        let mut from = 0;
        while let Some(&first) = own.get(from) {
            let bounds = self.bounds_of(rows.times[first as usize]);
            let is_in = |row: &u32| rows.times[*row as usize] <= bounds.last;
            let until = from + own[from..].partition_point(is_in);
            let part = RowSet { rows: Rows::Some(&own[from..until]), ..*rows };
            self.add_to_pane(bounds.number, columns, &part, &ids[from..until])?;
            from = until;
        }
        Ok(())
    }

    fn add_unsorted(&mut self, columns: &[Column], rows: &RowSet<'_>, ids: &[u32]) -> Result<()> {
        let (least, greatest) = bounds(rows);
        let (first, last) = (self.grid.pane_of(least), self.grid.pane_of(greatest));
        if first == last {
            self.add_to_pane(first, columns, rows, ids)
        } else if last - first < PANES_SELECTED {
            (first..=last).try_for_each(|pane| {
                let bucket = self.select(pane, rows, ids);
                if bucket.rows.is_empty() {
                    return Ok(());
                }
                let rows = RowSet { rows: Rows::Some(&bucket.rows), ..*rows };
                self.add_to_pane(pane, columns, &rows, &bucket.ids)
            })
        } else {
            self.buckets(rows, ids).into_iter().try_for_each(|(pane, bucket)| {
                let rows = RowSet { rows: Rows::Some(&bucket.rows), ..*rows };
                self.add_to_pane(pane, columns, &rows, &bucket.ids)
            })
        }
    }

    /// The rows of a batch that fall into one pane, in their order.
    fn select(&self, pane: i128, rows: &RowSet<'_>, ids: &[u32]) -> Bucket {
        let (start, end) = self.grid.pane_bounds(pane);
        let (first, last) = (saturated(start), saturated(end - 1));
        let mut picked = Vec::new();
        match rows.rows {
            Rows::All(len) => {
                window_assign::select(level(), &rows.times[..len], first, last, &mut picked);
                let ids = picked.iter().map(|&row| ids[row as usize]).collect();
                Bucket { rows: picked, ids }
            }
            Rows::Some(own) => {
                let times: Vec<i64> = own.iter().map(|&row| rows.times[row as usize]).collect();
                window_assign::select(level(), &times, first, last, &mut picked);
                let ids = picked.iter().map(|&i| ids[i as usize]).collect();
                picked.iter_mut().for_each(|i| *i = own[*i as usize]);
                Bucket { rows: picked, ids }
            }
        }
    }

    /// Adds rows to one pane.
    fn add_to_pane(
        &mut self,
        pane: i128,
        columns: &[Column],
        rows: &RowSet<'_>,
        ids: &[u32],
    ) -> Result<()> {
        let (first, last) = self.grid.windows_of(pane);
        if first > last {
            // Between two windows: the row counts nowhere.
            return Ok(());
        }
        if !self.panes.is_open(pane) {
            self.rows_beyond_memory += ids.len() as u64;
            return Ok(());
        }
        let keys = self.keys.len();
        let pane = self.panes.open(pane, &self.plan, keys);
        let entries = pane.entries(ids, keys, &mut self.entries)?;
        let lifts = &self.plan.aggregates.lifts;
        #[cfg(feature = "gpu")]
        if let Some(accelerator) = &self.accelerator {
            let difference = pane
                .difference
                .get_or_insert_with(|| Box::new(device::Difference::new(accelerator)));
            if difference.add(&mut pane.table, lifts, columns, rows.rows, entries)? {
                return Ok(());
            }
        }
        pane.table.add_rows(lifts, columns, rows, entries)
    }

    /// Sorts the rows of a batch into panes, keeping their order in each.
    fn buckets(&self, rows: &RowSet<'_>, ids: &[u32]) -> BTreeMap<i128, Bucket> {
        let mut numbers: BTreeMap<i128, usize> = BTreeMap::new();
        let mut buckets: Vec<(PaneBounds, Bucket)> = Vec::new();
        // Rows out of order fall mostly into two panes in turns.
        let (mut current, mut other) = (0, 0);
        for (i, &id) in ids.iter().enumerate() {
            let row = rows.rows.get(i);
            let time = rows.times[row];
            let holds =
                |at: usize| buckets.get(at).is_some_and(|(b, _)| b.first <= time && time <= b.last);
            if !holds(current) {
                let next = if holds(other) {
                    other
                } else {
                    let bounds = self.bounds_of(time);
                    *numbers.entry(bounds.number).or_insert_with(|| {
                        buckets.push((bounds, Bucket::default()));
                        buckets.len() - 1
                    })
                };
                (current, other) = (next, current);
            }
            let bucket = &mut buckets[current].1;
            bucket.rows.push(row as u32);
            bucket.ids.push(id);
        }
        buckets.into_iter().map(|(bounds, bucket)| (bounds.number, bucket)).collect()
    }

    /// Whether all that these windows do with rows is to count them.
    pub(in crate::window) fn only_counts(&self) -> bool {
        let aggregates = &self.plan.aggregates;
        aggregates.lifts.is_empty() && aggregates.columns.is_empty()
    }

    /// Number of keys that have an id.
    pub(in crate::window) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Up to where rows fall into the pane of row `from`, where times never fall.
    pub(in crate::window) fn part_until(&self, times: &[i64], from: usize) -> usize {
        let bounds = self.bounds_of(times[from]);
        from + times[from..].partition_point(|&time| time <= bounds.last)
    }

    /// Adds rows to the pane of `time`: so many of each key.
    ///
    /// # Errors
    /// When the pane cannot take them in.
    pub(in crate::window) fn add_counts(&mut self, time: i64, counts: &[u32]) -> Result<()> {
        let number = self.grid.pane_of(time);
        let (first, last) = self.grid.windows_of(number);
        let rows: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        if first > last || rows == 0 {
            return Ok(());
        }
        if !self.panes.is_open(number) {
            self.rows_beyond_memory += rows;
            return Ok(());
        }
        let mut ids = std::mem::take(&mut self.ids);
        ids.clear();
        ids.extend((0..counts.len() as u32).filter(|&id| counts[id as usize] > 0));
        let keys = self.keys.len();
        let pane = self.panes.open(number, &self.plan, keys);
        let entries = pane.entries(&ids, keys, &mut self.entries)?;
        for (&entry, &id) in entries.iter().zip(&ids) {
            pane.table.rows[entry as usize] += u64::from(counts[id as usize]);
        }
        self.ids = ids;
        Ok(())
    }

    fn bounds_of(&self, time: i64) -> PaneBounds {
        let number = self.grid.pane_of(time);
        let (start, end) = self.grid.pane_bounds(number);
        PaneBounds { number, first: saturated(start), last: saturated(end - 1) }
    }
}

/// How many of the times, which never fall, are up to `last`; about `guess`, as it was of the part
/// before: looking there first reads few of the lines that halving all of them would.
fn part_len(times: &[i64], last: i64, guess: usize) -> usize {
    let is_in = |&time: &i64| time <= last;
    let mut step = (guess / 8).max(16);
    let mut high = guess.min(times.len());
    let mut low = high;
    if high > 0 && !is_in(&times[high - 1]) {
        // The end is before the guess: down from it.
        while high > step && !is_in(&times[high - step - 1]) {
            (high, step) = (high - step, step * 2);
        }
        low = high.saturating_sub(step);
    } else {
        while high < times.len() && is_in(&times[high]) {
            (low, high, step) = (high, times.len().min(high + step), step * 2);
        }
    }
    low + times[low..high].partition_point(is_in)
}

/// The least and the greatest time of at least one row.
fn bounds(rows: &RowSet<'_>) -> (i64, i64) {
    let found = match rows.rows {
        Rows::All(len) => window_assign::bounds(level(), &rows.times[..len]),
        Rows::Some(own) => {
            let times = own.iter().map(|&row| rows.times[row as usize]);
            times.map(|time| (time, time)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        }
    };
    found.unwrap_or_default()
}

fn is_sorted(times: &[i64]) -> bool {
    window_assign::is_sorted(level(), times)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::part_len;

    proptest! {
        /// Whatever is guessed, the part ends where halving all times says.
        #[test]
        fn a_part_ends_where_its_times_do(
            times in prop::collection::vec(-50..50i64, 0..300),
            last in -60..60i64,
            guess in prop_oneof![0..310usize, Just(usize::MAX)],
        ) {
            let mut times = times;
            times.sort_unstable();
            let wanted = times.partition_point(|&time| time <= last);
            prop_assert_eq!(part_len(&times, last, guess), wanted);
        }
    }
}
