//! Windows of fixed length that are corrected by late rows.
//!
//! A window is given out when the watermark has passed its end, and kept for the allowed
//! lateness. A row that comes in that time for a window that has been given out changes it, and
//! the window is given out again: the column `change` says what a row is.
//!
//! ```text
//!  insert          the first time
//!  update_before   the row that is no longer true, as it was given out (if asked for)
//!  update_after    the row that is true now
//! ```
//!
//! The watermark that comes here is that of the lateness (nothing before it is expected, late
//! rows included), so windows close a lateness ahead of it. The pipeline cuts batches before each
//! late row, so that all windows that had ended when it came have been given out by then: which
//! corrections there are does not depend on batches.
//!
//! Windows may be given out early too (`early.rs`): the first time is an `insert`, and each later
//! time, closing included, an `update_after`; a window that has not changed since is not given out.
//!
//! Panes are kept as they were filled, and each answer is combined from them anew: corrections
//! are meant to be rare.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::aggregate::{Column, Positions, RowSet, Table};
use super::early::{ByRow, Open, When, joined};
use super::expiry::{Expiry, Survivors};
use super::keys::{SeenKeys, on_time};
use super::output::Output;
use super::pane::{Grid, grid, saturated};
use super::spec::{Lateness, Plan, WindowSpec};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::operator::{KeyedWindow, Rows, StateSize, WindowRows};

pub(super) const INSERT: &str = "insert";
pub(super) const BEFORE: &str = "update_before";
pub(super) const AFTER: &str = "update_after";

/// Tumbling, hopping or cumulating windows that late rows correct, over the rows of one shard.
#[derive(Debug)]
pub struct CorrectedWindow {
    // Set once.
    plan: Plan,
    grid: Grid,
    /// How long a window is kept, in units of the time column.
    lateness: i64,
    /// Whether what is no longer true is given out too.
    retracts: bool,
    /// When windows that are open are given out.
    early: Option<When>,
    // Changes.
    keys: SeenKeys,
    panes: BTreeMap<i128, KeptPane>,
    /// Windows below this number have been given out.
    next_window: i128,
    /// Windows below this number are forgotten.
    first_kept: i128,
    out: Output,
    /// What was given out early of open windows.
    open: Open,
    /// What is given out because of a row: it comes before the windows that close with its batch.
    /// `None` while these are given out.
    by_row: Option<ByRow>,
    /// How many early intervals of event time have passed.
    interval: Option<i64>,
    /// Where keys are forgotten.
    expiry: Option<Expiry>,
    rows_beyond_memory: u64,
    // Buffers.
    ids: Vec<u32>,
    kept: Vec<u32>,
}

/// The rows of a pane, by key.
#[derive(Debug)]
struct KeptPane {
    entries: HashMap<u32, u32, FixedState>,
    /// The key of each entry.
    keys: Vec<u32>,
    table: Table,
}

impl KeptPane {
    fn new(plan: &Plan) -> Self {
        let (entries, keys) = (HashMap::default(), Vec::new());
        Self { entries, keys, table: Table::new(&plan.aggregates) }
    }

    /// Adds rows; `ids` are those of their keys.
    fn add(
        &mut self,
        plan: &Plan,
        columns: &[Column],
        rows: &RowSet<'_>,
        ids: &[u32],
    ) -> Result<()> {
        let entry = |id: &u32| {
            *self.entries.entry(*id).or_insert_with(|| {
                self.keys.push(*id);
                self.keys.len() as u32 - 1
            })
        };
        let entries: Vec<u32> = ids.iter().map(entry).collect();
        self.table.resize(self.keys.len());
        self.table.add_rows(&plan.aggregates.lifts, columns, rows, &entries)
    }

    /// Keys have got new ids; none that is here was forgotten.
    fn rename(&mut self, survivors: &Survivors) {
        self.keys.iter_mut().for_each(|key| *key = survivors.id(*key));
        let entries = std::mem::take(&mut self.entries).into_iter();
        self.entries = entries.map(|(key, entry)| (survivors.id(key), entry)).collect();
    }

    fn bytes(&self) -> usize {
        self.entries.allocation_size() + self.keys.capacity() * 4 + self.table.bytes()
    }
}

/// Rows of a batch for panes whose windows are all open.
type Pending = BTreeMap<i128, (Vec<u32>, Vec<u32>)>;

impl CorrectedWindow {
    /// A window over rows of the schema `input`.
    ///
    /// # Errors
    /// When a column is missing or of a type that cannot be aggregated or be a key, or when a
    /// duration is not above zero or no whole number of units.
    pub fn new(spec: &WindowSpec, lateness: &Lateness, input: &SchemaRef) -> Result<Self> {
        let plan = Plan::new(spec, input)?;
        if lateness.span.is_negative() {
            return Err(Error::usage(format!("the allowed lateness is {}", lateness.span)));
        }
        let early = lateness.early.as_ref().map(|early| When::new(early, spec)).transpose()?;
        Ok(Self {
            grid: grid(spec)?,
            lateness: lateness.span.to_units(spec.unit)?,
            retracts: lateness.retracts,
            keys: SeenKeys::new(&plan.key_types(input))?,
            panes: BTreeMap::new(),
            next_window: i128::MIN / 8,
            first_kept: i128::MIN / 8,
            early,
            out: Output::with_changes(&plan),
            open: Open::default(),
            by_row: Some(ByRow::new(&plan)),
            interval: None,
            expiry: Expiry::new(spec)?,
            rows_beyond_memory: 0,
            ids: Vec::new(),
            kept: Vec::new(),
            plan,
        })
    }

    /// Schema of the rows given out: as of other windows, and the column `change`.
    pub fn output_schema(&self) -> SchemaRef {
        self.plan.output.clone()
    }

    fn take(&mut self, columns: &[Column], rows: &RowSet<'_>, ids: &[u32]) -> Result<()> {
        let mut pending = Pending::new();
        for (i, &id) in ids.iter().enumerate() {
            let row = rows.rows.get(i);
            let pane = self.grid.pane_of(rows.times[row]);
            let (first, last) = self.grid.windows_of(pane);
            if first > last {
                // Between two windows: the row counts nowhere.
                continue;
            }
            let by_rows = matches!(self.early, Some(When::Rows(_)));
            if last < self.first_kept {
                self.rows_beyond_memory += 1;
            } else if by_rows || first < self.next_window {
                self.add(columns, rows, std::mem::take(&mut pending))?;
                self.correct(columns, rows, (row as u32, id), pane)?;
            } else {
                let (rows, ids) = pending.entry(pane).or_default();
                rows.push(row as u32);
                ids.push(id);
            }
        }
        self.add(columns, rows, pending)
    }

    fn add(&mut self, columns: &[Column], rows: &RowSet<'_>, pending: Pending) -> Result<()> {
        for (pane, (own, ids)) in pending {
            let pane = self.panes.entry(pane).or_insert_with(|| KeptPane::new(&self.plan));
            let rows = RowSet { rows: Rows::Some(&own), ..*rows };
            pane.add(&self.plan, columns, &rows, &ids)?;
        }
        Ok(())
    }

    /// Takes in a row whose pane is in windows that have been given out, and gives them out
    /// again; those that are open are given out if it is their turn.
    fn correct(
        &mut self,
        columns: &[Column],
        rows: &RowSet<'_>,
        (row, id): (u32, u32),
        pane: i128,
    ) -> Result<()> {
        let (first, last) = self.grid.windows_of(pane);
        let windows = first.max(self.first_kept)..=last.min(self.next_window - 1);
        let before =
            windows.clone().map(|window| self.answer(window, &[id])).collect::<Result<Vec<_>>>()?;
        self.add(columns, rows, Pending::from([(pane, (vec![row], vec![id]))]))?;
        for (window, before) in windows.zip(before) {
            let known = before.rows[0] > 0;
            if known && self.retracts {
                self.give(window, BEFORE, &[id], &before);
            }
            let after = self.answer(window, &[id])?;
            self.give(window, if known { AFTER } else { INSERT }, &[id], &after);
        }
        if let Some(When::Rows(every)) = self.early {
            for window in first.max(self.next_window)..=last {
                let said = self.open.of(window, id);
                said.rows += 1;
                if said.rows.is_multiple_of(every) {
                    let table = self.answer(window, &[id])?;
                    self.give_open(window, id, table);
                }
            }
        }
        if let Some(ByRow { out, because_of }) = &mut self.by_row {
            because_of.resize(out.keys.len(), rows.position(row as usize));
        }
        Ok(())
    }

    /// Gives out a window that is open, if it has changed; `table`: of this key alone.
    fn give_open(&mut self, window: i128, key: u32, table: Table) {
        let said = self.open.of(window, key);
        let (given, rows) = (std::mem::replace(&mut said.given, table.rows[0]), table.rows[0]);
        if given == rows {
            return;
        }
        let before = if self.retracts { said.row.take() } else { None };
        if let Some(before) = before {
            self.give(window, BEFORE, &[key], &before);
        }
        self.give(window, if given > 0 { AFTER } else { INSERT }, &[key], &table);
        if self.retracts {
            self.open.of(window, key).row = Some(table);
        }
    }

    /// Gives out all open windows that have changed.
    fn give_all_open(&mut self) -> Result<()> {
        let Some(last) = self.panes.last_key_value().map(|(&pane, _)| self.grid.windows_of(pane).1)
        else {
            return Ok(());
        };
        let mut window = self.next_window;
        while let Some((&pane, _)) = self.panes.range(self.grid.panes_of(window).0..).next() {
            window = window.max(self.grid.windows_of(pane).0);
            if window > last {
                break;
            }
            for key in self.keys_of(window) {
                let table = self.answer(window, &[key])?;
                self.give_open(window, key, table);
            }
            window += 1;
        }
        Ok(())
    }

    /// The keys of a window, ascending.
    fn keys_of(&self, window: i128) -> Vec<u32> {
        let (first, last) = self.grid.panes_of(window);
        let panes = self.panes.range(first..=last);
        let mut keys: Vec<u32> = panes.flat_map(|(_, pane)| &pane.keys).copied().collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The states of a window for these keys (ascending), an entry each.
    fn answer(&self, window: i128, keys: &[u32]) -> Result<Table> {
        let (first, last) = self.grid.panes_of(window);
        let mut whole = Table::new(&self.plan.aggregates);
        whole.resize(keys.len());
        for pane in self.panes.range(first..=last).map(|(_, pane)| pane) {
            let (mut from, mut to) = (Vec::new(), Vec::new());
            for (at, key) in keys.iter().enumerate() {
                if let Some(&entry) = pane.entries.get(key) {
                    from.push(entry);
                    to.push(at as u32);
                }
            }
            let mut part = Table::new(&self.plan.aggregates);
            part.gather(&pane.table, &from);
            whole.combine(&self.plan.aggregates.lifts, &part, &to)?;
        }
        Ok(whole)
    }

    /// Appends a window's rows to the output.
    fn give(&mut self, window: i128, change: &'static str, keys: &[u32], table: &Table) {
        let (start, end) = self.grid.window_bounds(window);
        let all: Vec<u32> = (0..keys.len() as u32).collect();
        let out = self.by_row.as_mut().map_or(&mut self.out, |by_row| &mut by_row.out);
        out.windows.push((start, end, keys.len()));
        out.keys.extend_from_slice(keys);
        out.table.gather(table, &all);
        out.changes.get_or_insert_default().resize(out.keys.len(), change);
    }

    /// Gives out a window that closes.
    fn give_closing(&mut self, window: i128) -> Result<()> {
        let keys = self.keys_of(window);
        let table = self.answer(window, &keys)?;
        if self.early.is_none() {
            self.give(window, INSERT, &keys, &table);
            return Ok(());
        }
        for (at, &key) in keys.iter().enumerate() {
            let said = self.open.remove(window, key);
            let rows = table.rows[at];
            if said.as_ref().is_some_and(|said| said.given == rows) {
                continue;
            }
            let mut own = Table::new(&self.plan.aggregates);
            own.gather(&table, &[at as u32]);
            if let Some(before) = said.as_ref().and_then(|said| said.row.as_ref()) {
                self.give(window, BEFORE, &[key], before);
            }
            self.give(window, if said.is_some() { AFTER } else { INSERT }, &[key], &own);
        }
        Ok(())
    }

    /// Gives out the windows below `open_from`.
    fn close(&mut self, open_from: i128) -> Result<()> {
        while let Some((&pane, _)) =
            self.panes.range(self.grid.panes_of(self.next_window).0..).next()
        {
            let window = self.next_window.max(self.grid.windows_of(pane).0);
            if window >= open_from {
                break;
            }
            self.give_closing(window)?;
            self.next_window = window + 1;
        }
        self.next_window = self.next_window.max(open_from);
        Ok(())
    }

    /// The first window that a watermark leaves open.
    fn open_from(&self, watermark: i64) -> i128 {
        match watermark {
            i64::MAX => {
                let last = self.panes.last_key_value();
                last.map_or(self.next_window, |(&pane, _)| self.grid.windows_of(pane).1 + 1)
            }
            _ => self.grid.first_open_window(watermark),
        }
    }
}

impl CorrectedWindow {
    fn advance(&mut self, watermark: i64) -> Result<()> {
        if watermark == i64::MIN {
            return Ok(());
        }
        // The end of the input stays what it is.
        let ahead = watermark.saturating_add(self.lateness);
        let close_from = self.open_from(ahead);
        if close_from > self.next_window {
            self.close(close_from)?;
        }
        self.first_kept = self.first_kept.max(self.open_from(watermark));
        let first_pane = self.grid.panes_of(self.first_kept).0;
        let kept = self.panes.split_off(&first_pane);
        let forgotten = std::mem::replace(&mut self.panes, kept);
        if let Some(expiry) = &mut self.expiry {
            for (number, pane) in forgotten {
                let end = saturated(self.grid.pane_bounds(number).1);
                expiry.note(pane.keys.iter().copied(), end);
            }
        }
        if let (Some(When::EventTime(every)), true) = (self.early, watermark != i64::MAX) {
            let interval = ahead.saturating_add(1).div_euclid(every);
            let before = *self.interval.get_or_insert(interval);
            if interval > before {
                self.interval = Some(interval);
                self.give_all_open()?;
            }
        }
        Ok(())
    }

    /// Forgets the keys that have been idle for long. Nothing is left to be given out.
    fn forget_keys(&mut self, watermark: i64) -> Result<()> {
        let Some(expiry) = &mut self.expiry else { return Ok(()) };
        if !expiry.is_due(watermark) {
            return Ok(());
        }
        let mut held = vec![false; self.keys.len()];
        let keys = self.panes.values().flat_map(|pane| &pane.keys);
        keys.for_each(|&key| held[key as usize] = true);
        let survivors = expiry.survivors(watermark, held.len(), |id| held[id as usize]);
        let Some(survivors) = survivors else { return Ok(()) };
        self.keys.retain(&survivors)?;
        self.panes.values_mut().for_each(|pane| pane.rename(&survivors));
        self.open.rename(&survivors);
        Ok(())
    }

    /// What is to be given out, in the order of windows.
    fn given(&mut self) -> Result<Option<WindowRows>> {
        if self.out.keys.is_empty() {
            return Ok(None);
        }
        let out = std::mem::replace(&mut self.out, Output::with_changes(&self.plan));
        out.finish(&self.plan, &self.keys).map(Some)
    }
}

impl KeyedWindow for CorrectedWindow {
    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        let (mut kept, mut ids) = (std::mem::take(&mut self.kept), std::mem::take(&mut self.ids));
        let result = on_time(batch, rows, &mut kept).and_then(|(times, rows)| {
            if rows.is_empty() {
                return Ok(());
            }
            self.keys.ids(&self.plan.key_columns(&batch.rows), batch, rows, &mut ids)?;
            let columns = self.plan.aggregates.read(&self.plan.aggregates.arrays(&batch.rows)?)?;
            let rows = RowSet { rows, times, positions: Positions::Of(batch) };
            self.take(&columns, &rows, &ids)
        });
        (self.kept, self.ids) = (kept, ids);
        result
    }

    fn on_watermark(&mut self, watermark: i64) -> Result<Option<WindowRows>> {
        // What rows gave out comes first; from here on windows go by their ends.
        let by_row = self.by_row.take();
        let result = self.advance(watermark);
        self.by_row = Some(ByRow::new(&self.plan));
        result?;
        let by_row = by_row.map(|by_row| by_row.finish(&self.plan, &self.keys)).transpose()?;
        let given = joined(by_row.flatten(), self.given()?)?;
        self.forget_keys(watermark)?;
        Ok(given)
    }

    fn on_tick(&mut self) -> Result<Option<WindowRows>> {
        if self.early != Some(When::Asked) {
            return Ok(None);
        }
        // What rows gave out has left with their batch.
        let by_row = self.by_row.take();
        let result = self.give_all_open();
        self.by_row = by_row;
        result?;
        self.given()
    }

    fn state(&self) -> StateSize {
        let panes: usize = self.panes.values().map(KeptPane::bytes).sum();
        let panes = panes + self.open.bytes();
        let buffers = (self.ids.capacity() + self.kept.capacity()) * 4;
        StateSize {
            bytes: self.keys.bytes()
                + self.expiry.as_ref().map_or(0, Expiry::bytes)
                + (panes + buffers) as u64,
            keys: self.keys.len() as u64,
            rows_beyond_memory: self.rows_beyond_memory,
            ..StateSize::default()
        }
    }
}
