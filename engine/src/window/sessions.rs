//! Sessions that late rows correct.
//!
//! A row may bridge two sessions that were given out, so rows are kept, not states: for each key
//! those of sessions that a row may still change, by (time, position). With p the time up to which
//! all is there but for late rows, the sessions that have been given out are at any time *those of
//! the kept rows that end by then*. A late row changes that set, and the difference is given out, at
//! once:
//!
//! ```text
//!  kept     a──a        b─b              given: [a a], [b b]
//!  late            c                     update_before [a a], update_before [b b]
//!  kept     a──a───c────b─b                              update_after [a a c b b]
//! ```
//! What a session was is always given out before what became of it: its bounds may be others. Where
//! what a late row makes is not over yet, it comes later, as an `insert`.
//!
//! Rows go when the watermark of the lateness has passed their session's end: no row that could
//! join it is expected.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::datatypes::SchemaRef;

use super::aggregate::Table;
use super::correct::{AFTER, BEFORE, INSERT};
use super::early::{ByRow, joined};
use super::held::{Held, HeldRow};
use super::keys::{SeenKeys, on_time};
use super::output::Output;
use super::spec::{Lateness, Plan, WindowKind, WindowSpec};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::operator::{KeyedWindow, Rows, StateSize, WindowRows};

/// Sessions over the rows of one shard.
#[derive(Debug)]
pub struct CorrectedSessions {
    // Set once.
    plan: Plan,
    gap: i64,
    longest: i64,
    lateness: i64,
    // Changes.
    keys: SeenKeys,
    /// The rows of each key that are kept, by (time, position).
    kept: Vec<Kept>,
    held: Held,
    /// When a session of a key may end, at or before it does.
    timers: BinaryHeap<Reverse<(i128, u32)>>,
    /// Ends of sessions that were given out.
    finals: BinaryHeap<Reverse<(i128, u32)>>,
    /// Sessions that end by then have been given out.
    given_to: i128,
    /// No row at or below this is taken in.
    watermark: i64,
    by_row: ByRow,
    rows_beyond_memory: u64,
    // Buffers.
    ids: Vec<u32>,
    on_time: Vec<u32>,
}

#[derive(Debug, Default)]
struct Kept {
    rows: Vec<HeldRow>,
    /// The least of its timers.
    timer: Option<i128>,
}

/// A session of a key: its bounds and its rows among those that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Session {
    start: i64,
    end: i128,
    from: usize,
    to: usize,
}

impl Session {
    fn is_same(&self, other: &Self) -> bool {
        // Rows are only ever added: as many are the same ones.
        (self.start, self.end, self.to - self.from)
            == (other.start, other.end, other.to - other.from)
    }
}

/// The sessions of rows that are in order.
fn sessions(rows: &[HeldRow], gap: i64, longest: i64) -> Vec<Session> {
    let mut found: Vec<Session> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let time = i128::from(row.time);
        let next = time + i128::from(gap);
        match found.last_mut() {
            Some(open) if time < open.end => {
                open.end = next.min(i128::from(open.start) + i128::from(longest));
                open.to = at + 1;
            }
            _ => {
                let end = next.min(time + i128::from(longest));
                found.push(Session { start: row.time, end, from: at, to: at + 1 });
            }
        }
    }
    found
}

impl CorrectedSessions {
    /// Sessions over rows of the schema `input`.
    ///
    /// # Errors
    /// When a column is missing or of a type that cannot be aggregated or be a key, or when a
    /// duration is not above zero or no whole number of units.
    pub fn new(spec: &WindowSpec, lateness: &Lateness, input: &SchemaRef) -> Result<Self> {
        let WindowKind::Session { gap, longest } = spec.kind else {
            return Err(Error::usage("these windows are no sessions"));
        };
        let plan = Plan::new(spec, input)?;
        if lateness.span.is_negative() {
            return Err(Error::usage(format!("the allowed lateness is {}", lateness.span)));
        }
        let longest = longest.map(|longest| spec.units("maximum length", longest)).transpose()?;
        Ok(Self {
            gap: spec.units("gap", gap)?,
            longest: longest.unwrap_or(i64::MAX),
            lateness: lateness.span.to_units(spec.unit)?,
            keys: SeenKeys::new(&plan.key_types(input))?,
            kept: Vec::new(),
            held: Held::default(),
            timers: BinaryHeap::new(),
            finals: BinaryHeap::new(),
            given_to: i128::MIN,
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
        self.held.begin_batch(&self.plan.aggregates, batch)?;
        for (i, &key) in ids.iter().enumerate() {
            let row = rows.get(i);
            let time = times[row];
            if time <= self.watermark && self.watermark != i64::MIN {
                self.rows_beyond_memory += 1;
                continue;
            }
            let row = self.held.keep(row, time, batch.position(row));
            if i128::from(time) < self.given_to {
                self.correct(key, row)?;
            } else {
                self.keep(key, row);
            }
        }
        self.held.settle(self.kept.iter_mut().flat_map(|kept| &mut kept.rows))
    }

    fn keep(&mut self, key: u32, row: HeldRow) {
        let kept = &mut self.kept[key as usize];
        let at = kept.rows.partition_point(|known| *known < row);
        kept.rows.insert(at, row);
        let end = i128::from(row.time) + i128::from(self.gap.min(self.longest));
        self.set_timer(key, end);
    }

    fn set_timer(&mut self, key: u32, end: i128) {
        let timer = &mut self.kept[key as usize].timer;
        if timer.is_none_or(|known| end < known) {
            *timer = Some(end);
            self.timers.push(Reverse((end, key)));
        }
    }

    /// Takes in a row that may change what was given out, and gives out what has changed.
    fn correct(&mut self, key: u32, row: HeldRow) -> Result<()> {
        let given_to = self.given_to;
        let given = |rows: &[HeldRow], gap, longest| -> Vec<Session> {
            let all = sessions(rows, gap, longest).into_iter();
            all.filter(|session| session.end <= given_to).collect()
        };
        let old_rows = self.kept[key as usize].rows.clone();
        let old = given(&old_rows, self.gap, self.longest);
        self.keep(key, row);
        let rows = self.kept[key as usize].rows.clone();
        let new = given(&rows, self.gap, self.longest);
        // What was over may be open again, and end before a gap after this row.
        let all = sessions(&rows, self.gap, self.longest);
        if let Some(open) = all.iter().find(|session| session.end > given_to) {
            self.set_timer(key, open.end);
        }
        let without = |these: &[Session], those: &[Session]| -> Vec<Session> {
            let others = these.iter().filter(|this| !those.iter().any(|that| that.is_same(this)));
            others.copied().collect()
        };
        let (untrue, now_true) = (without(&old, &new), without(&new, &old));
        let change = if untrue.is_empty() { INSERT } else { AFTER };
        for (sessions, rows, change) in [(untrue, &old_rows, BEFORE), (now_true, &rows, change)] {
            for session in sessions {
                let table = self.table(&[&rows[session.from..session.to]])?;
                let out = &mut self.by_row.out;
                out.windows.push((session.start.into(), session.end, 1));
                out.keys.push(key);
                out.table.gather(&table, &[0]);
                out.changes.get_or_insert_default().push(change);
                if change != BEFORE {
                    self.finals.push(Reverse((session.end, key)));
                }
            }
        }
        self.by_row.because_of.resize(self.by_row.out.keys.len(), row.position);
        Ok(())
    }

    /// The states of sessions, an entry each.
    fn table(&self, sessions: &[&[HeldRow]]) -> Result<Table> {
        let of = |(at, rows): (usize, &&[HeldRow])| std::iter::repeat_n(at as u32, rows.len());
        let entries: Vec<u32> = sessions.iter().enumerate().flat_map(of).collect();
        let rows: Vec<HeldRow> = sessions.iter().flat_map(|rows| rows.iter().copied()).collect();
        self.held.added_up(&self.plan.aggregates, &rows, &entries, sessions.len())
    }

    /// Gives out the sessions that end by `to`.
    fn close(&mut self, to: i128) -> Result<Option<WindowRows>> {
        let mut closed: Vec<(u32, Session)> = Vec::new();
        while let Some(&Reverse((end, key))) = self.timers.peek()
            && end <= to
        {
            self.timers.pop();
            let kept = &mut self.kept[key as usize];
            if kept.timer != Some(end) {
                continue;
            }
            kept.timer = None;
            let all = sessions(&kept.rows, self.gap, self.longest);
            let open = all.iter().find(|session| session.end > to).map(|session| session.end);
            let over = all.into_iter().filter(|s| s.end > self.given_to && s.end <= to);
            closed.extend(over.map(|session| (key, session)));
            if let Some(end) = open {
                self.set_timer(key, end);
            }
        }
        self.given_to = self.given_to.max(to);
        if closed.is_empty() {
            return Ok(None);
        }
        let rows: Vec<&[HeldRow]> = closed
            .iter()
            .map(|(key, session)| &self.kept[*key as usize].rows[session.from..session.to])
            .collect();
        let mut out = Output::with_changes(&self.plan);
        out.table = self.table(&rows)?;
        out.windows = closed.iter().map(|(_, s)| (s.start.into(), s.end, 1)).collect();
        out.keys = closed.iter().map(|(key, _)| *key).collect();
        out.changes = Some(vec![INSERT; closed.len()]);
        self.finals.extend(closed.iter().map(|(key, session)| Reverse((session.end, *key))));
        out.finish(&self.plan, &self.keys).map(Some)
    }

    /// Lets go of the rows of sessions that nothing can change any more.
    fn forget(&mut self, to: i128) -> Result<()> {
        while let Some(&Reverse((end, key))) = self.finals.peek()
            && end <= to
        {
            self.finals.pop();
            let rows = &mut self.kept[key as usize].rows;
            let all = sessions(rows, self.gap, self.longest);
            let last = all.iter().rfind(|session| session.end <= to).map_or(0, |s| s.to);
            for row in rows.drain(..last) {
                self.held.release(&row);
            }
        }
        self.held.settle(self.kept.iter_mut().flat_map(|kept| &mut kept.rows))
    }
}

/// Just behind a time; the end of the input is behind all.
pub(super) fn behind(watermark: i64) -> i128 {
    if watermark == i64::MAX { i128::MAX } else { i128::from(watermark) + 1 }
}

impl KeyedWindow for CorrectedSessions {
    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        let (mut kept, mut ids) =
            (std::mem::take(&mut self.on_time), std::mem::take(&mut self.ids));
        let result = on_time(batch, rows, &mut kept).and_then(|(times, rows)| {
            if rows.is_empty() {
                return Ok(());
            }
            self.keys.ids(&self.plan.key_columns(&batch.rows), batch, rows, &mut ids)?;
            self.kept.resize_with(self.keys.len(), Kept::default);
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
        self.forget(behind(watermark))?;
        joined(by_row, closed)
    }

    fn state(&self) -> StateSize {
        let row = size_of::<HeldRow>();
        let kept: usize = self.kept.iter().map(|kept| kept.rows.capacity() * row).sum();
        let columns = self.held.bytes();
        let timers = (self.timers.capacity() + self.finals.capacity()) * size_of::<(i128, u32)>();
        let buffers = (self.ids.capacity() + self.on_time.capacity()) * 4;
        let keys = self.kept.capacity() * size_of::<Kept>();
        StateSize {
            bytes: self.keys.bytes() + (kept + columns + timers + buffers + keys) as u64,
            keys: self.keys.len() as u64,
            rows_beyond_memory: self.rows_beyond_memory,
            ..StateSize::default()
        }
    }
}
