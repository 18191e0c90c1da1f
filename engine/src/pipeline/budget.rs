//! The cap on state: a run that would need more memory than it was given ends with an error that
//! says so, before the machine ends it without one; or, where that was asked for, windows shed rows.
//!
//! State is bounded by the keys and by the windows that are open, not by how fast rows come: to
//! slow the source down would only put the end off. So there is no waiting at the cap.
//!
//! A shard that sheds takes no row in until windows of its own have closed and what is held is
//! below the cap again; watermarks still pass, so windows that were begun are given out, without
//! the rows that were shed. Rows shed are counted. Which they are depends on how memory is
//! allocated, and so on batches and shards: it is the one answer of the engine that does.
//!
//! Each shard's operator says now and then how much it holds; the sum over the shards counts.
//! Asking costs a look at every state, so it is asked again only after rows in proportion.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::ArrayRef;

use super::options::AtCap;
use crate::accel::Accelerator;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::operator::{KeyedEnrich, KeyedWindow, Rows, StateSize, WindowRows};

/// Rows between two looks: at least so many, or one for so many bytes.
const ROWS_MIN: u64 = 1024;
const BYTES_A_ROW: u64 = 512;

/// Bytes of state that a run may have, and has.
#[derive(Debug)]
pub(super) struct Budget {
    max: u64,
    at_cap: AtCap,
    used: AtomicU64,
    shed: AtomicU64,
}

impl Budget {
    pub(super) fn new(max: u64, at_cap: AtCap) -> Arc<Self> {
        Arc::new(Self { max, at_cap, used: AtomicU64::new(0), shed: AtomicU64::new(0) })
    }

    /// Rows shed since this was last asked.
    pub(super) fn take_shed(&self) -> u64 {
        self.shed.swap(0, Ordering::Relaxed)
    }
}

/// An operator that keeps to a budget.
pub(super) struct Capped<O: ?Sized> {
    budget: Arc<Budget>,
    /// What it last said that it holds.
    own: u64,
    rows_to_next_look: u64,
    /// Whether rows are shed.
    sheds: bool,
    operator: Box<O>,
}

impl<O: ?Sized> Capped<O> {
    pub(super) fn new(operator: Box<O>, budget: Arc<Budget>) -> Self {
        Self { budget, own: 0, rows_to_next_look: ROWS_MIN, sheds: false, operator }
    }

    fn spend(&mut self, rows: usize, bytes: impl Fn(&O) -> u64) -> Result<()> {
        self.rows_to_next_look = self.rows_to_next_look.saturating_sub(rows as u64);
        if self.rows_to_next_look > 0 {
            return Ok(());
        }
        let (all, max) = (self.look(bytes), self.budget.max);
        if all > max {
            return Err(Error::run(format!(
                "the state takes {all} bytes, more than the {max} that it may"
            ))
            .advise("raise the cap on state, shorten the windows, or key by fewer values"));
        }
        Ok(())
    }

    /// Bytes that all shards hold, this one as of now.
    fn look(&mut self, bytes: impl Fn(&O) -> u64) -> u64 {
        let before = std::mem::replace(&mut self.own, bytes(&self.operator));
        self.rows_to_next_look = ROWS_MIN.max(self.own / BYTES_A_ROW);
        let more = self.own.wrapping_sub(before);
        self.budget.used.fetch_add(more, Ordering::Relaxed).wrapping_add(more)
    }
}

impl KeyedWindow for Capped<dyn KeyedWindow> {
    fn set_alone(&mut self, partitions: usize) {
        self.operator.set_alone(partitions);
    }

    fn set_accelerator(&mut self, accelerator: &Accelerator) {
        self.operator.set_accelerator(accelerator);
    }

    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        if self.sheds {
            let late = batch.times.as_ref().and_then(|times| times.late.as_ref());
            let is_late = |row: usize| late.is_some_and(|late| late.value(row));
            let shed = (0..rows.len()).filter(|&i| !is_late(rows.get(i))).count();
            self.budget.shed.fetch_add(shed as u64, Ordering::Relaxed);
            return Ok(());
        }
        self.operator.on_batch(batch, rows)?;
        let over = self.spend(rows.len(), |operator| operator.state().bytes);
        if self.budget.at_cap == AtCap::Shed {
            self.sheds = over.is_err();
            return Ok(());
        }
        over
    }

    fn on_watermark(&mut self, watermark: i64) -> Result<Option<WindowRows>> {
        let rows = self.operator.on_watermark(watermark)?;
        if self.sheds && rows.is_some() {
            // Windows have closed: there may be room again.
            self.sheds = self.look(|operator| operator.state().bytes) > self.budget.max;
        }
        Ok(rows)
    }

    fn next_rows(&mut self) -> Result<Option<WindowRows>> {
        self.operator.next_rows()
    }

    fn has_more(&self) -> bool {
        self.operator.has_more()
    }

    fn on_tick(&mut self) -> Result<Option<WindowRows>> {
        self.operator.on_tick()
    }

    fn state(&self) -> StateSize {
        self.operator.state()
    }
}

impl KeyedEnrich for Capped<dyn KeyedEnrich> {
    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<Vec<ArrayRef>> {
        let columns = self.operator.on_batch(batch, rows)?;
        self.spend(rows.len(), |operator| operator.state().bytes)?;
        Ok(columns)
    }

    fn state(&self) -> StateSize {
        self.operator.state()
    }
}
