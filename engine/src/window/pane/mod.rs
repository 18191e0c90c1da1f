//! Tumbling, hopping and cumulating windows on panes.
//!
//! All borders of windows cut time into panes (`grid.rs`; one or two a slide). A row is added to
//! the one pane that holds its time, so its cost does not grow with size/slide:
//!
//! ```text
//!  rows ─▶ key ids ─▶ pane ─▶ entry of the key ─▶ cells  (count, sum, least …)      store.rs
//!                                                   │ watermark passes: sealed       table.rs
//!  windows ◀─ rows out ◀─ totals over the keys ◀────┘ (tumbling: the pane itself)   totals.rs
//! ```
//!
//! A window [s, e) closes when the watermark w promises that no row before e comes: w + 1 ≥ e;
//! `i64::MAX` closes all. Windows come out in the order (end, start, position at which the key
//! was first seen). A window without a row of a key gives no row for it; a hopping window that
//! starts before the first row is given out if it holds one.
//!
//! Numbers: sums of integers and decimals are exact in 128 bits and checked when given out, so
//! that whether they overflow does not depend on the order of rows. Float sums add within a
//! pane by position, then the panes' sums, oldest first; each starts from +0. Means divide the
//! exact sum, rounded once, or the float sum. Nulls are skipped; an aggregate of nulls only is
//! null (a count 0).
//!
//! Rows marked late are skipped: the pipeline has set them aside. A row behind the watermark
//! that is not late (a partition that woke) counts while its pane is open; after that it is
//! counted in [`StateSize::rows_beyond_memory`].

#[cfg(feature = "gpu")]
mod device;
mod grid;
mod store;
mod totals;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;

pub(super) use grid::Grid;
use pelton_kernels::simd::level;
use pelton_kernels::window_assign;
use store::{Pane, Panes};
use totals::Totals;

use crate::accel::Accelerator;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::operator::{KeyedWindow, Rows, StateSize, WindowRows};
use crate::window::aggregate::{Column, Positions, RowSet};
use crate::window::expiry::Expiry;
use crate::window::keys::{SeenKeys, on_time};
use crate::window::output::Output;
use crate::window::spec::{Plan, WindowKind, WindowSpec};

/// Tumbling, hopping or cumulating windows over the rows of one shard.
#[derive(Debug)]
pub struct PaneWindow {
    // Set once.
    plan: Plan,
    grid: Grid,
    // Changes.
    keys: SeenKeys,
    panes: Panes,
    totals: Totals,
    /// Windows below this number are closed.
    next_window: i128,
    rows_beyond_memory: u64,
    expiry: Option<Expiry>,
    #[cfg(feature = "gpu")]
    accelerator: Option<Accelerator>,
    // Buffers.
    ids: Vec<u32>,
    entries: Vec<u32>,
    kept: Vec<u32>,
}

/// Below the number of any window of 64-bit times.
const BEFORE_ALL: i128 = i128::MIN / 8;

/// Up to so many neighbouring panes the rows of each are picked by a pass over the batch.
const PANES_SELECTED: i128 = 4;

/// All times of a batch are looked at where one row in so many or more is added.
const MANY: usize = 16;

/// Room for the rows of so many windows is made at once.
const WINDOWS_RESERVED: i128 = 1024;

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
    /// A window over rows of the schema `input`.
    ///
    /// # Errors
    /// When a column is missing or of a type that cannot be aggregated or be a key, when a
    /// duration is not above zero or no whole number of units, when two output columns have one
    /// name, or when nothing is computed.
    pub fn new(spec: &WindowSpec, input: &SchemaRef) -> Result<Self> {
        let plan = Plan::new(spec, input)?;
        Ok(Self {
            grid: grid(spec)?,
            keys: SeenKeys::new(&plan.key_types(input))?,
            panes: Panes::new(),
            totals: Totals::new(&plan),
            next_window: BEFORE_ALL,
            rows_beyond_memory: 0,
            expiry: Expiry::new(spec)?,
            #[cfg(feature = "gpu")]
            accelerator: None,
            ids: Vec::new(),
            entries: Vec::new(),
            kept: Vec::new(),
            plan,
        })
    }

    /// Schema of the rows given out: `window_start`, `window_end`, the keys, the aggregates.
    pub fn output_schema(&self) -> SchemaRef {
        self.plan.output.clone()
    }

    /// Panes that the longest window has.
    pub(crate) fn panes_a_window(&self) -> i128 {
        self.grid.panes_a_window()
    }

    /// Adds the rows, whose key ids are `self.ids`, to their panes. `sorted`: the batch's times are
    /// known to never fall.
    fn add(&mut self, columns: &[Column], rows: &RowSet<'_>, sorted: bool) -> Result<()> {
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
        let (times, mut from) = (&rows.times[..ids.len()], 0);
        while let Some(&first) = times.get(from) {
            let bounds = self.bounds_of(first);
            let until = from + times[from..].partition_point(|&time| time <= bounds.last);
            if (from, until) == (0, times.len()) {
                return self.add_to_pane(bounds.number, columns, rows, ids);
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

    fn bounds_of(&self, time: i64) -> PaneBounds {
        let number = self.grid.pane_of(time);
        let (start, end) = self.grid.pane_bounds(number);
        PaneBounds { number, first: saturated(start), last: saturated(end - 1) }
    }

    /// Appends the rows of the windows below `open_from` to `out`.
    fn close(&mut self, open_from: i128, out: &mut Output) -> Result<()> {
        let grid = self.grid;
        let mut is_first = true;
        // Windows without a pane are stepped over.
        while let Some(pane) = self.panes.next_from(grid.panes_of(self.next_window).0) {
            let window = self.next_window.max(grid.windows_of(pane).0);
            if window >= open_from {
                break;
            }
            let (first, last) = grid.panes_of(window);
            let rows = if grid.is_tumbling() {
                let rows = self.panes.take_before(last + 1, &self.plan, out)?.unwrap_or(0);
                if let Some(expiry) = &mut self.expiry {
                    let ids = &out.keys[out.keys.len() - rows..];
                    expiry.note(ids.iter().copied(), saturated(grid.pane_bounds(pane).1));
                }
                rows
            } else {
                let keys = self.keys.len();
                self.totals.advance(&self.panes, first, last, &self.plan, keys)?;
                self.totals.append_to(&self.panes, &self.plan, &mut out.table, &mut out.keys)?
            };
            let (start, end) = grid.window_bounds(window);
            out.windows.push((start, end, rows));
            self.next_window = window + 1;
            if std::mem::take(&mut is_first) {
                // Those to come have about as many rows, if all have some.
                let more = (open_from - self.next_window).clamp(0, WINDOWS_RESERVED) as usize;
                out.reserve(rows * more);
            }
        }
        self.next_window = self.next_window.max(open_from);
        self.forget_panes()
    }

    /// Frees the panes that no open window holds.
    fn forget_panes(&mut self) -> Result<()> {
        let first = self.grid.panes_of(self.next_window).0;
        if !self.grid.is_tumbling() {
            self.totals.leave(&self.panes, first, &self.plan)?;
        }
        while let Some((number, pane)) = self.panes.pop_before(first) {
            if let Some(expiry) = &mut self.expiry {
                expiry.note(pane.live_keys(), saturated(self.grid.pane_bounds(number).1));
            }
            self.panes.recycle(pane);
        }
        Ok(())
    }

    /// Forgets the keys that have been idle for long.
    fn forget_keys(&mut self, watermark: i64) -> Result<()> {
        let Some(expiry) = &mut self.expiry else { return Ok(()) };
        if !expiry.is_due(watermark) {
            return Ok(());
        }
        self.panes.settle(&self.plan)?;
        let mut held = vec![false; self.keys.len()];
        self.panes.all().flat_map(Pane::live_keys).for_each(|key| held[key as usize] = true);
        let survivors = expiry.survivors(watermark, held.len(), |id| held[id as usize]);
        if let Some(survivors) = survivors {
            self.keys.retain(&survivors)?;
            self.panes.retain_keys(&survivors, &self.plan);
            self.totals.retain_keys(&survivors, &self.plan);
        }
        Ok(())
    }

    /// Gives out the windows that the watermark closes.
    fn give_out(&mut self, watermark: i64) -> Result<Option<WindowRows>> {
        let grid = self.grid;
        self.panes.seal(grid.first_open_pane(watermark), &self.plan, grid.is_tumbling())?;
        let open_from = match watermark {
            i64::MAX => self.panes.last().map_or(self.next_window, |p| grid.windows_of(p).1 + 1),
            _ => grid.first_open_window(watermark),
        };
        if open_from <= self.next_window {
            return Ok(None);
        }
        let mut out = Output::new(&self.plan);
        self.close(open_from, &mut out)?;
        if out.keys.is_empty() {
            return Ok(None);
        }
        out.finish(&self.plan, &self.keys).map(Some)
    }
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

fn saturated(time: i128) -> i64 {
    time.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// Where the windows lie that are asked for.
pub(super) fn grid(spec: &WindowSpec) -> Result<Grid> {
    let offset = spec.offset.to_units(spec.unit)?;
    Ok(match spec.kind {
        WindowKind::Tumble(size) => {
            let size = spec.units("size", size)?;
            Grid::new(size, size, offset)
        }
        WindowKind::Hop { size, slide } => {
            Grid::new(spec.units("size", size)?, spec.units("slide", slide)?, offset)
        }
        WindowKind::Cumulate { size, step } => {
            let [units, step_units] = [spec.units("size", size)?, spec.units("step", step)?];
            if units % step_units != 0 {
                return Err(Error::usage(format!(
                    "the window's size, {size}, is no multiple of its step, {step}"
                ))
                .advise("make it one: cumulating windows grow to their size step by step"));
            }
            Grid::cumulating(units, step_units, offset)
        }
        _ => return Err(Error::usage("these windows are not made of panes")),
    })
}

impl KeyedWindow for PaneWindow {
    fn set_alone(&mut self) {
        self.keys.set_alone();
    }

    fn set_accelerator(&mut self, accelerator: &Accelerator) {
        #[cfg(feature = "gpu")]
        if crate::window::aggregate::Device::can_keep(&self.plan.aggregates.lifts) {
            self.accelerator = Some(accelerator.clone());
        }
        #[cfg(not(feature = "gpu"))]
        let _ = accelerator;
    }

    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        let mut kept = std::mem::take(&mut self.kept);
        let result = on_time(batch, rows, &mut kept).and_then(|(times, rows)| {
            if rows.is_empty() { Ok(()) } else { self.take(batch, times, rows) }
        });
        self.kept = kept;
        result
    }

    fn on_watermark(&mut self, watermark: i64) -> Result<Option<WindowRows>> {
        if watermark == i64::MIN {
            // Nothing is promised yet.
            return Ok(None);
        }
        let given = self.give_out(watermark)?;
        self.forget_keys(watermark)?;
        Ok(given)
    }

    fn state(&self) -> StateSize {
        let buffers = self.ids.capacity() + self.entries.capacity() + self.kept.capacity();
        StateSize {
            bytes: self.keys.bytes()
                + self.panes.bytes()
                + self.totals.bytes()
                + self.expiry.as_ref().map_or(0, Expiry::bytes)
                + (buffers * 4) as u64,
            keys: self.keys.len() as u64,
            rows_beyond_memory: self.rows_beyond_memory,
            ..StateSize::default()
        }
    }
}

impl PaneWindow {
    /// Takes at least one row in, none of them late.
    fn take(&mut self, batch: &Batch, times: &[i64], rows: Rows<'_>) -> Result<()> {
        let keys = self.plan.key_columns(&batch.rows);
        self.keys.ids(&keys, batch, rows, &mut self.ids)?;
        self.add_batch(batch, times, rows)
    }

    /// As [`KeyedWindow::on_batch`]; `key_ids` finds the ids of the keys of rows.
    pub(super) fn take_keyed(
        &mut self,
        batch: &Batch,
        rows: Rows<'_>,
        key_ids: impl FnOnce(&mut SeenKeys, Rows<'_>, &mut Vec<u32>) -> Result<()>,
    ) -> Result<()> {
        let mut kept = std::mem::take(&mut self.kept);
        let result = on_time(batch, rows, &mut kept).and_then(|(times, rows)| {
            if rows.is_empty() {
                return Ok(());
            }
            key_ids(&mut self.keys, rows, &mut self.ids)?;
            self.add_batch(batch, times, rows)
        });
        self.kept = kept;
        result
    }

    /// Adds rows of the keys `self.ids`.
    fn add_batch(&mut self, batch: &Batch, times: &[i64], rows: Rows<'_>) -> Result<()> {
        let columns = self.plan.aggregates.read(&self.plan.aggregates.arrays(&batch.rows)?)?;
        let sorted = batch.times.as_ref().is_some_and(|times| times.sorted);
        self.add(&columns, &RowSet { rows, times, positions: Positions::Of(batch) }, sorted)
    }
}
