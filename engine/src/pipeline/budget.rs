//! The cap on state: a run that would need more memory than it was given ends with an error that
//! says so, before the machine ends it without one.
//!
//! State is bounded by the keys and by the windows that are open, not by how fast rows come: to
//! slow the source down would only put the end off. So there is no waiting at the cap.
//!
//! Each shard's operator says now and then how much it holds; the sum over the shards counts.
//! Asking costs a look at every state, so it is asked again only after rows in proportion.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::ArrayRef;

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
    used: AtomicU64,
}

impl Budget {
    pub(super) fn new(max: u64) -> Arc<Self> {
        Arc::new(Self { max, used: AtomicU64::new(0) })
    }
}

/// An operator that keeps to a budget.
pub(super) struct Capped<O: ?Sized> {
    budget: Arc<Budget>,
    /// What it last said that it holds.
    own: u64,
    rows_to_next_look: u64,
    operator: Box<O>,
}

impl<O: ?Sized> Capped<O> {
    pub(super) fn new(operator: Box<O>, budget: Arc<Budget>) -> Self {
        Self { budget, own: 0, rows_to_next_look: ROWS_MIN, operator }
    }

    fn spend(&mut self, rows: usize, bytes: impl Fn(&O) -> u64) -> Result<()> {
        self.rows_to_next_look = self.rows_to_next_look.saturating_sub(rows as u64);
        if self.rows_to_next_look > 0 {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.own, bytes(&self.operator));
        self.rows_to_next_look = ROWS_MIN.max(self.own / BYTES_A_ROW);
        let Budget { max, used } = &*self.budget;
        let others = used.fetch_add(self.own.wrapping_sub(before), Ordering::Relaxed);
        let all = others.wrapping_add(self.own.wrapping_sub(before));
        if all > *max {
            return Err(Error::run(format!(
                "the state takes {all} bytes, more than the {max} that it may"
            ))
            .advise("raise the cap on state, shorten the windows, or key by fewer values"));
        }
        Ok(())
    }
}

impl KeyedWindow for Capped<dyn KeyedWindow> {
    fn set_alone(&mut self) {
        self.operator.set_alone();
    }

    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        self.operator.on_batch(batch, rows)?;
        self.spend(rows.len(), |operator| operator.state().bytes)
    }

    fn on_watermark(&mut self, watermark: i64) -> Result<Option<WindowRows>> {
        self.operator.on_watermark(watermark)
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
