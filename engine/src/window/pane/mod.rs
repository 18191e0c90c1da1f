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

mod ahead;
mod closed;
#[cfg(feature = "gpu")]
mod device;
mod grid;
mod numbered;
mod rows;
mod store;
mod totals;

#[cfg(test)]
mod tests;

use arrow::datatypes::SchemaRef;

use closed::{Given, Pieces};
pub(super) use grid::Grid;
use store::{Pane, Panes};
use totals::Totals;

use crate::accel::Accelerator;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::operator::{KeyedWindow, Rows, StateSize, WindowRows};
use crate::window::aggregate::{Picked, Positions, RowSet};
use crate::window::expiry::Expiry;
use crate::window::keys::{SeenKeys, on_time};
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
    /// What the watermark closed that is still to be given out.
    left: Option<Pieces>,
    watermark: i64,
    /// Rows a piece.
    piece_rows: usize,
    #[cfg(feature = "gpu")]
    accelerator: Option<Accelerator>,
    // Buffers.
    ids: Vec<u32>,
    entries: Vec<u32>,
    kept: Vec<u32>,
}

/// Below the number of any window of 64-bit times.
const BEFORE_ALL: i128 = i128::MIN / 8;

/// Room for the rows of so many windows is made at once.
const WINDOWS_RESERVED: i128 = 1024;

/// Rows given out at a time: a few MB, which a core's caches hold from here to the sink.
const PIECE_ROWS: usize = 1 << 16;

/// So many windows or more are worth summing together, in the time of [`WINDOWS_SUMMED`].
const WINDOWS_AHEAD_MIN: i128 = 3;

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
            left: None,
            watermark: i64::MIN,
            piece_rows: PIECE_ROWS,
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

    /// Gives out the windows below `open_from`.
    fn close(&mut self, open_from: i128, given: &mut Given) -> Result<()> {
        let grid = self.grid;
        self.totals.begin();
        let mut is_first = true;
        // Windows without a pane are stepped over.
        while let Some(pane) = self.panes.next_from(grid.panes_of(self.next_window).0) {
            let window = self.next_window.max(grid.windows_of(pane).0);
            if window >= open_from {
                break;
            }
            let (first, last) = grid.panes_of(window);
            let bounds = grid.window_bounds(window);
            let before = given.rows();
            if grid.is_tumbling() {
                let closed = saturated(grid.pane_bounds(pane).1);
                let (plan, expiry) = (&self.plan, &mut self.expiry);
                self.panes.take_before(last + 1, plan, |cells, entries, keys| {
                    if let Some(expiry) = expiry {
                        match keys {
                            Picked::All => expiry.note(0..cells.len() as u32, closed),
                            Picked::Some(keys) => expiry.note(keys.iter().copied(), closed),
                        }
                    }
                    given.take(plan, bounds, cells, entries, keys);
                })?;
            } else {
                let keys = self.keys.len();
                self.totals.advance(&self.panes, first, last, &self.plan, keys)?;
                // Fewer than fit: the last stands for those that are not.
                let behind = open_from - window - 1;
                let next = || {
                    let next = |n| grid.panes_of(window + behind.min(n as i128));
                    (behind >= WINDOWS_AHEAD_MIN - 1).then(|| std::array::from_fn(next))
                };
                self.totals.complete(&self.panes, &self.plan, next)?;
                given.append(&self.plan, bounds, &self.totals);
            }
            self.next_window = window + 1;
            if std::mem::take(&mut is_first) {
                // Those to come have about as many rows, if all have some.
                let more = (open_from - self.next_window).clamp(0, WINDOWS_RESERVED) as usize;
                given.reserve((given.rows() - before) * more);
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

    /// Closes the windows that the watermark closes.
    fn close_to(&mut self, watermark: i64) -> Result<Option<Pieces>> {
        let grid = self.grid;
        self.panes.seal(grid.first_open_pane(watermark), &self.plan, grid.is_tumbling())?;
        let open_from = match watermark {
            i64::MAX => self.panes.last().map_or(self.next_window, |p| grid.windows_of(p).1 + 1),
            _ => grid.first_open_window(watermark),
        };
        if open_from <= self.next_window {
            return Ok(None);
        }
        let mut given = Given::new(&self.plan, &self.keys);
        self.close(open_from, &mut given)?;
        given.finish(&self.plan, &self.keys).map(Some)
    }
}

pub(super) fn saturated(time: i128) -> i64 {
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
    fn set_alone(&mut self, partitions: usize) {
        self.keys.set_alone(partitions);
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
        debug_assert!(self.left.is_none(), "all that was closed is given out first");
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
        debug_assert!(self.left.is_none(), "all that was closed is given out first");
        self.watermark = watermark;
        self.left = self.close_to(watermark)?;
        self.next_rows()
    }

    fn next_rows(&mut self) -> Result<Option<WindowRows>> {
        let next = |left: &mut Pieces| left.next(&self.plan, &self.keys, self.piece_rows);
        let rows = self.left.as_mut().map(next).transpose()?.flatten();
        self.left.take_if(|left| left.is_empty());
        if self.left.is_none() {
            // Until here their ids are needed.
            self.forget_keys(self.watermark)?;
        }
        Ok(rows)
    }

    fn has_more(&self) -> bool {
        self.left.is_some()
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
