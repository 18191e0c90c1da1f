//! Windows that the rows themselves cut: sessions, windows by number of rows, states.
//!
//! Rows wait until the watermark says that none before them is expected (`waiting.rs`), then
//! they go by (time, position). So disorder within the watermark's delay changes nothing: a row
//! that bridges two sessions is there before either has closed, and float sums add by (time,
//! position).
//!
//! ```text
//!  rows ─▶ wait ─▶ by (time, position) ─▶ run of the key ─▶ slot of the table
//!                                            │ ended by a row, or by the watermark   kind.rs
//!  windows ◀─ rows out ◀─ slots, combined ◀──┘
//! ```
//!
//! A window is given out when the watermark has passed its end, like those of fixed length. What
//! only the end of the input closes (a window that lacks rows, a state that still holds) comes
//! after all others, by the position at which its key was first seen.
//!
//! A row behind the watermark that is not marked late (a partition that woke) comes too late to
//! be put in order: it is counted in [`StateSize::rows_beyond_memory`].

mod kind;
mod waiting;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::SchemaRef;

use super::aggregate::{Positions, RowSet, Table, plain};
use super::expiry::Expiry;
use super::keys::{SeenKeys, on_time};
use super::output::Output;
use super::spec::{Plan, WindowKind, WindowSpec};
use crate::batch::Batch;
use crate::error::Result;
use crate::expr::{BoundExpr, bind_condition, without_nulls};
use crate::operator::{KeyedWindow, Rows, StateSize, WindowRows};
use crate::state::keys::NO_ID;
pub(super) use kind::rows_a_part;
use kind::{Closed, KeyRuns, Place, Run, RunKind};
use waiting::{Ready, Waiting};

/// Sessions, windows by number of rows, or states, over the rows of one shard.
#[derive(Debug)]
pub struct RunWindow {
    // Set once.
    plan: Plan,
    kind: RunKind,
    /// Of states.
    condition: Option<BoundExpr>,
    // Changes.
    keys: SeenKeys,
    waiting: Waiting,
    /// What is open, by key id.
    runs: Vec<KeyRuns>,
    slots: Slots,
    /// When sessions may end: at or before they do.
    timers: BinaryHeap<Reverse<(i128, u32)>>,
    watermark: i64,
    rows_beyond_memory: u64,
    expiry: Option<Expiry>,
    // Buffers.
    ids: Vec<u32>,
    kept: Vec<u32>,
}

/// The states of runs; a slot is used again when its run has been given out.
#[derive(Debug)]
struct Slots {
    table: Table,
    free: Vec<u32>,
}

impl Slots {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let slot = self.table.len();
            self.table.resize(slot + 1);
            slot as u32
        })
    }
}

/// What a step closes: windows, and slots that nothing needs any more.
#[derive(Debug, Default)]
struct Step {
    closed: Vec<Closed>,
    freed: Vec<u32>,
}

impl RunWindow {
    /// A window over rows of the schema `input`.
    ///
    /// # Errors
    /// When a column is missing or of a type that cannot be aggregated or be a key, when a
    /// duration or number is not above zero, or when the condition gives no boolean.
    pub fn new(spec: &WindowSpec, input: &SchemaRef) -> Result<Self> {
        let plan = Plan::new(spec, input)?;
        let condition = match &spec.kind {
            WindowKind::State(condition) => Some(bind_condition(condition, input)?),
            _ => None,
        };
        Ok(Self {
            kind: RunKind::new(spec)?,
            condition,
            keys: SeenKeys::new(&plan.key_types(input))?,
            waiting: Waiting::default(),
            runs: Vec::new(),
            slots: Slots { table: Table::new(&plan.aggregates), free: Vec::new() },
            timers: BinaryHeap::new(),
            watermark: i64::MIN,
            rows_beyond_memory: 0,
            expiry: Expiry::new(spec)?,
            ids: Vec::new(),
            kept: Vec::new(),
            plan,
        })
    }

    /// Schema of the rows given out.
    pub fn output_schema(&self) -> SchemaRef {
        self.plan.output.clone()
    }

    /// The columns that a row must keep while it waits; the condition last. Dictionaries as
    /// their values: those of different batches differ.
    fn columns(&self, batch: &Batch) -> Result<Vec<ArrayRef>> {
        let mut columns = self.plan.aggregates.arrays(&batch.rows)?;
        for column in &mut columns {
            let plain = plain(column.data_type());
            if &plain != column.data_type() {
                *column = arrow::compute::cast(column, &plain)?;
            }
        }
        if let Some(condition) = &self.condition {
            columns.push(Arc::new(without_nulls(&condition.evaluate_bool(&batch.rows)?)));
        }
        Ok(columns)
    }

    /// Puts rows whose time has come into runs.
    fn take(&mut self, ready: &Ready, step: &mut Step) -> Result<()> {
        let (holds, columns) = match (&self.condition, ready.columns.split_last()) {
            (Some(_), Some((holds, columns))) => (Some(holds.as_boolean()), columns),
            _ => (None, ready.columns.as_slice()),
        };
        let (mut rows, mut entries) = (Vec::new(), Vec::new());
        for (row, (&key, &time)) in ready.keys.iter().zip(&ready.times).enumerate() {
            let holds = holds.is_none_or(|holds| holds.value(row));
            let runs = &mut self.runs[key as usize];
            match runs.before_row(self.kind, key, time, holds, &mut step.closed) {
                Place::None => {}
                Place::New => {
                    let slot = self.slots.take();
                    runs.runs.push_back(Run { slot, first: time, last: time, rows: 1 });
                    if let RunKind::Session { gap, longest } = self.kind
                        && !runs.has_timer
                    {
                        runs.has_timer = true;
                        let end = runs.runs.back().map(|run| run.session_end(gap, longest));
                        self.timers.extend(end.map(|end| Reverse((end, key))));
                    }
                    rows.push(row as u32);
                    entries.push(slot);
                }
                Place::Open => {
                    if let Some(run) = runs.runs.back_mut() {
                        run.last = time;
                        run.rows += 1;
                        rows.push(row as u32);
                        entries.push(run.slot);
                    }
                }
            }
            runs.after_row(self.kind, key, &mut step.closed, &mut step.freed);
            if let Some(expiry) = &mut self.expiry {
                expiry.note([key], time.saturating_add(1));
            }
        }
        let aggregates = &self.plan.aggregates;
        let rows = RowSet {
            rows: Rows::Some(&rows),
            times: &ready.times,
            positions: Positions::Listed(&ready.positions),
        };
        let columns = aggregates.read(columns)?;
        self.slots.table.add_rows(&aggregates.lifts, &columns, &rows, &entries)
    }

    /// Closes the sessions that the watermark has passed.
    fn close_sessions(&mut self, watermark: i64, closed: &mut Vec<Closed>) {
        let RunKind::Session { gap, longest } = self.kind else { return };
        let passed = i128::from(watermark) + 1;
        while let Some(&Reverse((end, key))) = self.timers.peek()
            && end <= passed
        {
            self.timers.pop();
            let runs = &mut self.runs[key as usize];
            let end = runs.runs.back().map(|run| run.session_end(gap, longest));
            match end {
                Some(end) if end > passed => self.timers.push(Reverse((end, key))),
                Some(end) => {
                    runs.has_timer = false;
                    runs.close(key, end, closed);
                }
                None => runs.has_timer = false,
            }
        }
    }

    /// Appends windows to the output.
    fn give(&mut self, closed: &[Closed], out: &mut Output) -> Result<()> {
        let table = &mut self.slots.table;
        let from = out.keys.len();
        out.windows.extend(closed.iter().map(|c| (c.start.into(), c.end, 1)));
        out.keys.extend(closed.iter().map(|c| c.key));
        let first: Vec<u32> = closed.iter().map(|c| c.slots[0]).collect();
        if !matches!(self.kind, RunKind::Count { .. }) {
            out.table.take(table, &first);
            return Ok(());
        }
        // Windows by number of rows share slots.
        out.table.gather(table, &first);
        let longest = closed.iter().map(|c| c.slots.len()).max().unwrap_or(0);
        for nth in 1..longest {
            let (mut slots, mut entries) = (Vec::new(), Vec::new());
            for (i, closed) in closed.iter().enumerate() {
                if let Some(&slot) = closed.slots.get(nth) {
                    slots.push(slot);
                    entries.push((from + i) as u32);
                }
            }
            let mut part = Table::new(&self.plan.aggregates);
            part.gather(table, &slots);
            out.table.combine(&self.plan.aggregates.lifts, &part, &entries)?;
        }
        Ok(())
    }

    /// Forgets the keys that have been idle for long.
    fn forget_keys(&mut self, watermark: i64) -> Result<()> {
        let Some(expiry) = &mut self.expiry else { return Ok(()) };
        if !expiry.is_due(watermark) {
            return Ok(());
        }
        let mut held: Vec<bool> = self.runs.iter().map(|runs| runs.is_open(self.kind)).collect();
        self.waiting.keys().for_each(|key| held[key as usize] = true);
        let survivors = expiry.survivors(watermark, held.len(), |id| held[id as usize]);
        let Some(survivors) = survivors else { return Ok(()) };
        self.keys.retain(&survivors)?;
        survivors.move_up(&mut self.runs);
        self.waiting.rename(|key| survivors.id(key));
        let timers = std::mem::take(&mut self.timers).into_iter();
        let timers = timers.map(|Reverse((end, key))| Reverse((end, survivors.id(key))));
        self.timers = timers.filter(|Reverse((_, key))| *key != NO_ID).collect();
        Ok(())
    }

    /// Gives out the windows that the watermark closes.
    fn give_out(&mut self, watermark: i64) -> Result<Option<WindowRows>> {
        let ready = self.waiting.ready(watermark)?;
        let mut step = Step::default();
        if !ready.keys.is_empty() {
            self.take(&ready, &mut step)?;
        }
        self.close_sessions(watermark, &mut step.closed);
        let mut out = Output::new(&self.plan);
        if watermark == i64::MAX {
            let finished = step.closed.len();
            for (key, runs) in self.runs.iter_mut().enumerate() {
                runs.finish(self.kind, key as u32, &mut step.closed, &mut step.freed);
            }
            let in_order = matches!(self.kind, RunKind::Session { .. });
            out.unfinished_from = (!in_order).then_some(finished);
        }
        self.give(&step.closed, &mut out)?;
        self.free(step);
        if out.keys.is_empty() {
            return Ok(None);
        }
        out.finish(&self.plan, &self.keys).map(Some)
    }

    /// Makes the slots of what was given out free.
    fn free(&mut self, step: Step) {
        let freed = match self.kind {
            RunKind::Count { .. } => step.freed,
            _ => step.closed.into_iter().flat_map(|closed| closed.slots).collect(),
        };
        for &slot in &freed {
            self.slots.table.reset(slot as usize);
        }
        self.slots.free.extend(freed);
    }
}

impl KeyedWindow for RunWindow {
    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        let mut kept = std::mem::take(&mut self.kept);
        let result = on_time(batch, rows, &mut kept).and_then(|(times, rows)| {
            if rows.is_empty() {
                return Ok(());
            }
            self.keys.ids(&self.plan.key_columns(&batch.rows), batch, rows, &mut self.ids)?;
            self.runs.resize_with(self.keys.len(), KeyRuns::default);
            let columns = self.columns(batch)?;
            let (watermark, before) = (self.watermark, self.waiting.len());
            let waiting = self.ids.iter().enumerate().filter_map(|(i, &key)| {
                let row = rows.get(i);
                let time = times[row];
                let fits = time > watermark || watermark == i64::MIN;
                fits.then(|| (key, row as u32, time, batch.position(row)))
            });
            self.waiting.add(columns, batch.len(), waiting)?;
            self.rows_beyond_memory += (rows.len() - (self.waiting.len() - before)) as u64;
            Ok(())
        });
        self.kept = kept;
        result
    }

    fn on_watermark(&mut self, watermark: i64) -> Result<Option<WindowRows>> {
        if watermark <= self.watermark {
            return Ok(None);
        }
        self.watermark = watermark;
        let given = self.give_out(watermark)?;
        self.forget_keys(watermark)?;
        Ok(given)
    }

    fn state(&self) -> StateSize {
        let runs = self.runs.iter().map(|runs| runs.runs.capacity() * size_of::<Run>());
        let runs = runs.sum::<usize>() + self.runs.capacity() * size_of::<KeyRuns>();
        let buffers = (self.ids.capacity() + self.kept.capacity() + self.slots.free.capacity()) * 4
            + self.timers.capacity() * size_of::<(i128, u32)>();
        let states = self.slots.table.bytes() + self.waiting.bytes();
        StateSize {
            bytes: self.keys.bytes()
                + (runs + buffers + states) as u64
                + self.expiry.as_ref().map_or(0, Expiry::bytes),
            keys: self.keys.len() as u64,
            rows_beyond_memory: self.rows_beyond_memory,
            ..StateSize::default()
        }
    }
}
