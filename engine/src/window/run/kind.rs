//! When a run of rows ends: of sessions, of windows by number of rows, of states.
//!
//! Rows of a key come by (time, position), so each key has one open run. A run's rows go to a
//! *slot* of the table; a window that counts rows may be made of several slots.

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::window::spec::{WindowKind, WindowSpec};

/// The kinds, in units of the time column.
#[derive(Debug, Clone, Copy)]
pub(super) enum RunKind {
    /// `longest`: `i64::MAX` where there is no bound.
    Session {
        gap: i64,
        longest: i64,
    },
    /// Slots hold `part` rows each, which divides both.
    Count {
        rows: u64,
        step: u64,
        part: u64,
    },
    State,
}

impl RunKind {
    pub(super) fn new(spec: &WindowSpec) -> Result<Self> {
        Ok(match spec.kind {
            WindowKind::Session { gap, longest } => Self::Session {
                gap: spec.units("gap", gap)?,
                longest: match longest {
                    Some(longest) => spec.units("maximum length", longest)?,
                    None => i64::MAX,
                },
            },
            WindowKind::Count { rows, step } => {
                if rows == 0 || step == 0 {
                    return Err(Error::usage("a window of 0 rows, or one each 0 rows")
                        .advise("give numbers above zero"));
                }
                Self::Count { rows, step, part: rows_a_part(rows, step) }
            }
            WindowKind::State(_) => Self::State,
            _ => return Err(Error::usage("these windows are not made of runs of rows")),
        })
    }
}

/// Rows of a part that windows of `rows` every `step` rows share: the greatest common divisor.
pub(in crate::window) fn rows_a_part(rows: u64, step: u64) -> u64 {
    let (mut a, mut b) = (rows, step);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Rows of a key that stand together in one slot of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) slot: u32,
    /// Times of the first and the last row.
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) rows: u64,
}

/// What is open of a key.
#[derive(Debug, Default)]
pub(super) struct KeyRuns {
    /// The open run last; before it, those that windows to come still need.
    pub(super) runs: VecDeque<Run>,
    /// Rows seen (windows by number of rows).
    pub(super) seen: u64,
    /// Whether a timer is set (sessions).
    pub(super) has_timer: bool,
}

/// A window that has closed.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) key: u32,
    pub(super) start: i64,
    pub(super) end: i128,
    /// Its slots, oldest first.
    pub(super) slots: Vec<u32>,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Into the open run.
    Open,
    /// Into a new run.
    New,
    /// Nowhere.
    None,
}

impl Run {
    /// When a session ends if no row comes: `i128`, as it may lie beyond 64 bits.
    pub(super) fn session_end(&self, gap: i64, longest: i64) -> i128 {
        let by_gap = i128::from(self.last) + i128::from(gap);
        by_gap.min(i128::from(self.first) + i128::from(longest))
    }
}

impl KeyRuns {
    /// Whether a window of the key is open, or begun.
    pub(super) fn is_open(&self, kind: RunKind) -> bool {
        let is_begun =
            matches!(kind, RunKind::Count { step, .. } if !self.seen.is_multiple_of(step));
        is_begun || !self.runs.is_empty()
    }

    /// Closes what the row ends, and says where the row goes. `holds`: the condition (states).
    pub(super) fn before_row(
        &mut self,
        kind: RunKind,
        key: u32,
        time: i64,
        holds: bool,
        closed: &mut Vec<Closed>,
    ) -> Place {
        match kind {
            RunKind::Session { gap, longest } => {
                let end = self.runs.back().map(|run| run.session_end(gap, longest));
                match end {
                    Some(end) if i128::from(time) < end => return Place::Open,
                    Some(end) => self.close(key, end, closed),
                    None => {}
                }
                Place::New
            }
            RunKind::State => match (holds, self.runs.is_empty()) {
                (true, true) => Place::New,
                (true, false) => Place::Open,
                (false, true) => Place::None,
                (false, false) => {
                    self.close(key, time.into(), closed);
                    Place::None
                }
            },
            RunKind::Count { rows, step, part } => {
                let in_step = self.seen % step;
                self.seen += 1;
                if in_step < step.saturating_sub(rows) {
                    return Place::None;
                }
                match self.runs.back() {
                    Some(run) if run.rows < part => Place::Open,
                    _ => Place::New,
                }
            }
        }
    }

    /// Closes what the row completes (windows by number of rows); slots that no window needs any
    /// more go to `freed`.
    pub(super) fn after_row(
        &mut self,
        kind: RunKind,
        key: u32,
        closed: &mut Vec<Closed>,
        freed: &mut Vec<u32>,
    ) {
        let RunKind::Count { rows, step, .. } = kind else { return };
        if self.seen.is_multiple_of(step) {
            self.close_counted(key, closed);
            self.forget_counted(rows, step, freed);
        }
    }

    /// Closes the open run; its slot is the window's.
    pub(super) fn close(&mut self, key: u32, end: i128, closed: &mut Vec<Closed>) {
        if let Some(run) = self.runs.pop_back() {
            closed.push(Closed { key, start: run.first, end, slots: vec![run.slot] });
        }
    }

    /// A window of all runs that are kept.
    fn close_counted(&self, key: u32, closed: &mut Vec<Closed>) {
        if let (Some(first), Some(last)) = (self.runs.front(), self.runs.back()) {
            let slots = self.runs.iter().map(|run| run.slot).collect();
            let end = i128::from(last.last) + 1;
            closed.push(Closed { key, start: first.first, end, slots });
        }
    }

    /// Frees the runs that the window that ends a step later does not hold.
    fn forget_counted(&mut self, rows: u64, step: u64, freed: &mut Vec<u32>) {
        let kept_rows = rows.saturating_sub(step);
        let mut held: u64 = self.runs.iter().map(|run| run.rows).sum();
        while let Some(run) = self.runs.front().filter(|_| held > kept_rows) {
            held -= run.rows;
            freed.push(run.slot);
            self.runs.pop_front();
        }
    }

    /// At the end of the input: closes what is open.
    pub(super) fn finish(
        &mut self,
        kind: RunKind,
        key: u32,
        closed: &mut Vec<Closed>,
        freed: &mut Vec<u32>,
    ) {
        match kind {
            RunKind::Session { gap, longest } => {
                if let Some(run) = self.runs.back() {
                    let end = run.session_end(gap, longest);
                    self.close(key, end, closed);
                }
            }
            RunKind::State => {
                if let Some(run) = self.runs.back() {
                    self.close(key, i128::from(run.last) + 1, closed);
                }
            }
            RunKind::Count { step, .. } => {
                if !self.seen.is_multiple_of(step) {
                    // What is kept is what the window that would end with the step holds.
                    self.close_counted(key, closed);
                }
                freed.extend(self.runs.drain(..).map(|run| run.slot));
                self.seen = 0;
            }
        }
    }
}
