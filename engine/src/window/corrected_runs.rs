//! Windows by number of rows, and states, that late rows correct.
//!
//! Rows are kept, not states of aggregates: for each key those that a late row may still change
//! what they are part of, by (time, position) (`corrected_cut.rs`). With p the time up to which all
//! is there but for late rows, the windows that have been given out are at any time *those of the
//! rows before p*. A late row changes that set, and the difference is given out, at once: what is
//! no longer true as `update_before`, always, then what took its place as `update_after`, and what
//! is more than there was as an `insert`.
//!
//! Windows by number of rows shift: each window of the key behind the row's place holds its rows
//! one further back. So a late row may cost as many windows as come behind it (where there is one
//! each row, as many as a window has rows); what is the same is not computed anew.
//!
//! Rows go when the watermark of the lateness has passed them and no window to come holds them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::SchemaRef;

use super::aggregate::Table;
use super::correct::{AFTER, BEFORE, INSERT};
use super::corrected_cut::{Correction, Cut, Piece, Sequence};
use super::early::{ByRow, joined};
use super::held::{Held, HeldRow};
use super::keys::{SeenKeys, on_time};
use super::output::Output;
use super::run::rows_a_part;
use super::sessions::behind;
use super::spec::{Lateness, Plan, WindowKind, WindowSpec};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::expr::{BoundExpr, bind_condition, without_nulls};
use crate::operator::{KeyedWindow, Rows, StateSize, WindowRows};

/// Windows by number of rows, or states, over the rows of one shard.
#[derive(Debug)]
pub struct CorrectedRuns {
    // Set once.
    plan: Plan,
    cut: Cut,
    /// Of states.
    condition: Option<BoundExpr>,
    lateness: i64,
    // Changes.
    keys: SeenKeys,
    kept: Vec<Sequence>,
    held: Held,
    /// Times of rows that have not passed: of each key its first.
    to_pass: Timers,
    /// Times of rows that are not fixed: of each key its first.
    to_fix: Timers,
    /// Rows before this have passed.
    passed_to: i128,
    /// No row at or below this is taken in.
    watermark: i64,
    by_row: ByRow,
    rows_beyond_memory: u64,
    // Buffers.
    ids: Vec<u32>,
    on_time: Vec<u32>,
}

/// The next time at which something is to be done for each key.
#[derive(Debug, Default)]
struct Timers {
    heap: BinaryHeap<Reverse<(i64, u32)>>,
    /// The one of each key that counts.
    of: Vec<Option<i64>>,
}

impl Timers {
    fn set(&mut self, key: u32, time: i64) {
        if self.of.len() <= key as usize {
            self.of.resize(key as usize + 1, None);
        }
        let own = &mut self.of[key as usize];
        if own.is_none_or(|known| time < known) {
            *own = Some(time);
            self.heap.push(Reverse((time, key)));
        }
    }

    /// A key whose time is before this.
    fn pop(&mut self, to: i128) -> Option<u32> {
        while let Some(&Reverse((time, key))) = self.heap.peek()
            && i128::from(time) < to
        {
            self.heap.pop();
            if self.of[key as usize].take_if(|own| *own == time).is_some() {
                return Some(key);
            }
        }
        None
    }

    fn bytes(&self) -> usize {
        self.heap.capacity() * size_of::<(i64, u32)>()
            + self.of.capacity() * size_of::<Option<i64>>()
    }
}

/// A window to be computed: its key, the rows that it is over, and how many of the key's rows came
/// before the first of them.
struct Rowed<'a> {
    key: u32,
    rows: &'a [HeldRow],
    before: u64,
}

impl CorrectedRuns {
    /// Windows over rows of the schema `input`.
    ///
    /// # Errors
    /// When a column is missing or of a type that cannot be aggregated or be a key, when a number
    /// is not above zero, or when the condition gives no boolean.
    pub fn new(spec: &WindowSpec, lateness: &Lateness, input: &SchemaRef) -> Result<Self> {
        let (cut, condition) = match &spec.kind {
            WindowKind::Count { rows: 0, .. } | WindowKind::Count { step: 0, .. } => {
                return Err(Error::usage("a window of 0 rows, or one each 0 rows")
                    .advise("give numbers above zero"));
            }
            &WindowKind::Count { rows, step } => (Cut::Count { rows, step }, None),
            WindowKind::State(condition) => (Cut::State, Some(bind_condition(condition, input)?)),
            _ => return Err(Error::usage("these windows are not made of runs of rows")),
        };
        let plan = Plan::new(spec, input)?;
        if lateness.span.is_negative() {
            return Err(Error::usage(format!("the allowed lateness is {}", lateness.span)));
        }
        Ok(Self {
            cut,
            condition,
            lateness: lateness.span.to_units(spec.unit)?,
            keys: SeenKeys::new(&plan.key_types(input))?,
            kept: Vec::new(),
            held: Held::default(),
            to_pass: Timers::default(),
            to_fix: Timers::default(),
            passed_to: i128::MIN,
            watermark: i64::MIN,
            by_row: ByRow::new(&plan),
            rows_beyond_memory: 0,
            ids: Vec::new(),
            on_time: Vec::new(),
            plan,
        })
    }

    /// Schema of the rows given out: as of other windows, and the column `change`.
    pub fn output_schema(&self) -> SchemaRef {
        self.plan.output.clone()
    }

    fn take(&mut self, batch: &Batch, times: &[i64], rows: Rows<'_>, ids: &[u32]) -> Result<()> {
        let holds: Option<ArrayRef> = match &self.condition {
            Some(condition) => {
                Some(Arc::new(without_nulls(&condition.evaluate_bool(&batch.rows)?)))
            }
            None => None,
        };
        let holds: Option<&BooleanArray> = holds.as_ref().map(|holds| holds.as_boolean());
        self.held.begin_batch(&self.plan.aggregates, batch)?;
        for (i, &key) in ids.iter().enumerate() {
            let at = rows.get(i);
            let time = times[at];
            if time <= self.watermark && self.watermark != i64::MIN {
                self.rows_beyond_memory += 1;
                continue;
            }
            let mut row = self.held.keep(at, time, batch.position(at));
            row.holds = holds.is_none_or(|holds| holds.value(at));
            self.to_fix.set(key, time);
            if i128::from(time) < self.passed_to {
                self.correct(key, row)?;
            } else {
                self.kept[key as usize].insert(row);
                self.to_pass.set(key, time);
            }
        }
        self.held.settle(self.kept.iter_mut().flat_map(|kept| &mut kept.rows))
    }

    /// Takes in a row that changes what was given out, and gives out what has changed.
    fn correct(&mut self, key: u32, row: HeldRow) -> Result<()> {
        let correction = self.kept[key as usize].correct(self.cut, row);
        let Correction { old_rows, old_before, untrue, now_true } = &correction;
        let old: Vec<(u32, Piece)> = untrue.iter().map(|piece| (key, *piece)).collect();
        let new: Vec<(u32, Piece)> = now_true.iter().map(|piece| (key, *piece)).collect();
        let before = self.table(&old, |_| (old_rows, *old_before))?;
        let after = self.table(&new, |key| self.rows_of(key))?;
        // Of windows by number of rows there are as many as before, and maybe one more, which is
        // new. Of states, what a state was cut into took its place.
        let replaced = match self.cut {
            Cut::Count { .. } => old.len(),
            Cut::State if old.is_empty() => 0,
            Cut::State => new.len(),
        };
        let out = &mut self.by_row.out;
        for (pieces, table, is_old) in [(&old, &before, true), (&new, &after, false)] {
            for (at, (key, piece)) in pieces.iter().enumerate() {
                let change = match is_old {
                    true => BEFORE,
                    false if at < replaced => AFTER,
                    false => INSERT,
                };
                out.windows.push((piece.start.into(), piece.end, 1));
                out.keys.push(*key);
                out.table.gather(table, &[at as u32]);
                out.changes.get_or_insert_default().push(change);
            }
        }
        self.by_row.because_of.resize(self.by_row.out.keys.len(), row.position);
        Ok(())
    }

    /// The rows of a key that are kept, and how many came before them.
    fn rows_of(&self, key: u32) -> (&[HeldRow], u64) {
        let kept = &self.kept[key as usize];
        (&kept.rows, kept.before)
    }

    /// The states of windows, an entry each; `rows_of`: what they are over.
    fn table<'a>(
        &self,
        pieces: &[(u32, Piece)],
        rows_of: impl Fn(u32) -> (&'a [HeldRow], u64),
    ) -> Result<Table> {
        let rowed = pieces.iter().map(|&(key, Piece { from, to, .. })| {
            let (rows, before) = rows_of(key);
            Rowed { key, rows: &rows[from..to], before: before + from as u64 }
        });
        match self.cut {
            Cut::Count { rows, step } => self.combined(rowed, rows_a_part(rows, step)),
            // One part a window.
            Cut::State => self.combined(rowed, u64::MAX),
        }
    }

    /// As [`CorrectedRuns::table`]: rows are added up in parts of so many, numbered from a key's
    /// first row, and windows put together from them, oldest first, as they would be if no row came
    /// late; so that what rounds, rounds alike.
    fn combined<'a>(&self, windows: impl Iterator<Item = Rowed<'a>>, part: u64) -> Result<Table> {
        let mut entries: HashMap<(u32, u64, usize), u32> = HashMap::new();
        let (mut rows, mut entry_of_row): (Vec<HeldRow>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut parts: Vec<Vec<u32>> = Vec::new();
        for Rowed { key, rows: own, before } in windows {
            let mut window = Vec::new();
            let (mut at, mut number) = (0, before);
            while at < own.len() {
                let len = usize::try_from(part - number % part).unwrap_or(usize::MAX);
                let len = len.min(own.len() - at);
                let next = entries.len() as u32;
                let entry = *entries.entry((key, number, len)).or_insert(next);
                if entry == next {
                    rows.extend_from_slice(&own[at..at + len]);
                    entry_of_row.resize(rows.len(), entry);
                }
                window.push(entry);
                at += len;
                number += len as u64;
            }
            parts.push(window);
        }
        let aggregates = &self.plan.aggregates;
        let table = self.held.added_up(aggregates, &rows, &entry_of_row, entries.len())?;
        let mut out = Table::new(&self.plan.aggregates);
        let first: Vec<u32> = parts.iter().filter_map(|parts| parts.first().copied()).collect();
        out.gather(&table, &first);
        for nth in 1..parts.iter().map(Vec::len).max().unwrap_or(0) {
            let has = parts.iter().enumerate().filter_map(|(i, p)| Some((*p.get(nth)?, i as u32)));
            let (from, to): (Vec<u32>, Vec<u32>) = has.unzip();
            let mut part = Table::new(&self.plan.aggregates);
            part.gather(&table, &from);
            out.combine(&self.plan.aggregates.lifts, &part, &to)?;
        }
        Ok(out)
    }

    /// Gives out the windows that rows before `to` close.
    fn close(&mut self, to: i128) -> Result<Option<WindowRows>> {
        self.passed_to = self.passed_to.max(to);
        let mut closed: Vec<(u32, Piece)> = Vec::new();
        let mut pieces = Vec::new();
        while let Some(key) = self.to_pass.pop(to) {
            let kept = &mut self.kept[key as usize];
            kept.pass(self.cut, to, &mut pieces);
            closed.extend(pieces.drain(..).map(|piece| (key, piece)));
            if let Some(row) = kept.next_to_pass() {
                self.to_pass.set(key, row.time);
            }
        }
        let mut out = Output::with_changes(&self.plan);
        if to == i128::MAX {
            out.unfinished_from = Some(closed.len());
            let unfinished = self.kept.iter().zip(0..);
            let unfinished =
                unfinished.filter_map(|(kept, key)| Some((key, kept.unfinished(self.cut)?)));
            closed.extend(unfinished);
        }
        if closed.is_empty() {
            return Ok(None);
        }
        out.table = self.table(&closed, |key| self.rows_of(key))?;
        out.windows = closed.iter().map(|(_, p)| (p.start.into(), p.end, 1)).collect();
        out.keys = closed.iter().map(|(key, _)| *key).collect();
        out.changes = Some(vec![INSERT; closed.len()]);
        out.finish(&self.plan, &self.keys).map(Some)
    }

    /// Lets go of the rows that no window to come holds.
    fn forget(&mut self, watermark: i64) -> Result<()> {
        if watermark == i64::MAX {
            // All windows have been given out.
            for kept in &mut self.kept {
                kept.rows.drain(..).for_each(|row| self.held.release(&row));
                *kept = Sequence::default();
            }
        }
        while let Some(key) = self.to_fix.pop(behind(watermark)) {
            let kept = &mut self.kept[key as usize];
            for row in kept.fix(self.cut, watermark) {
                self.held.release(&row);
            }
            if let Some(row) = kept.next_to_fix() {
                self.to_fix.set(key, row.time);
            }
        }
        self.held.settle(self.kept.iter_mut().flat_map(|kept| &mut kept.rows))
    }
}

impl KeyedWindow for CorrectedRuns {
    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        let (mut kept, mut ids) =
            (std::mem::take(&mut self.on_time), std::mem::take(&mut self.ids));
        let result = on_time(batch, rows, &mut kept).and_then(|(times, rows)| {
            if rows.is_empty() {
                return Ok(());
            }
            self.keys.ids(&self.plan.key_columns(&batch.rows), batch, rows, &mut ids)?;
            self.kept.resize_with(self.keys.len(), Sequence::default);
            self.take(batch, times, rows, &ids)
        });
        (self.on_time, self.ids) = (kept, ids);
        result
    }

    fn on_watermark(&mut self, watermark: i64) -> Result<Option<WindowRows>> {
        let by_row = std::mem::replace(&mut self.by_row, ByRow::new(&self.plan));
        let by_row = by_row.finish(&self.plan, &self.keys)?;
        if watermark <= self.watermark {
            return Ok(by_row);
        }
        self.watermark = watermark;
        let closed = self.close(behind(watermark.saturating_add(self.lateness)))?;
        self.forget(watermark)?;
        joined(by_row, closed)
    }

    fn state(&self) -> StateSize {
        let row = size_of::<HeldRow>();
        let kept: usize = self.kept.iter().map(|kept| kept.rows.capacity() * row).sum();
        let timers = self.to_pass.bytes() + self.to_fix.bytes();
        let buffers = (self.ids.capacity() + self.on_time.capacity()) * 4;
        let keys = self.kept.capacity() * size_of::<Sequence>();
        StateSize {
            bytes: self.keys.bytes() + (kept + self.held.bytes() + timers + buffers + keys) as u64,
            keys: self.keys.len() as u64,
            rows_beyond_memory: self.rows_beyond_memory,
            ..StateSize::default()
        }
    }
}
