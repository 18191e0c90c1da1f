//! What has been given out of windows that are still open: for windows that are given out early,
//! every so many rows or every so much time, and again when they have changed.
//!
//! For each window and key that was given out (or has rows since): how many rows it had then, how
//! many it has now, and, where old rows are to be given out too, what was said.
//!
//! Rows that are given out because of a row go by that row's position, before those that the
//! watermark gives out: the pipeline cuts batches where a watermark closes windows, so that it
//! does not matter how rows were cut into batches before.

use arrow::array::UInt32Array;
use arrow::compute::{concat_batches, take_record_batch};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::aggregate::Table;
use super::expiry::Survivors;
use super::keys::SeenKeys;
use super::output::Output;
use super::spec::{Early, Plan, WindowSpec};
use crate::batch::Position;
use crate::error::{Error, Result};
use crate::operator::WindowRows;

/// When windows are given out early, in units of the time column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Each so many rows of a window.
    Rows(u64),
    /// Each so much event time.
    EventTime(i64),
    /// When the pipeline says so.
    Asked,
}

impl When {
    /// # Errors
    /// When the number or interval is not above zero, or no whole number of units.
    pub(super) fn new(early: &Early, spec: &WindowSpec) -> Result<Self> {
        Ok(match *early {
            Early::Rows(0) => {
                return Err(Error::usage("early every 0 rows").advise("give a number above zero"));
            }
            Early::Rows(rows) => Self::Rows(rows),
            Early::EventTime(span) => Self::EventTime(spec.units("early interval", span)?),
            Early::Processing(span) if !span.is_positive() => {
                return Err(Error::usage(format!("the early interval is {span}"))
                    .advise("give a duration above zero"));
            }
            Early::Processing(_) => Self::Asked,
        })
    }
}

/// A window of a key.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Rows that it has (counted where they decide when it is given out).
    pub(super) rows: u64,
    /// Rows that it had when it was last given out; 0: it was not.
    pub(super) given: u64,
    /// What was given out, where that is wanted.
    pub(super) row: Option<Table>,
}

/// The open windows that something was said of.
#[derive(Debug, Default)]
pub(super) struct Open {
    said: HashMap<(i128, u32), Said, FixedState>,
}

impl Open {
    pub(super) fn of(&mut self, window: i128, key: u32) -> &mut Said {
        self.said.entry((window, key)).or_default()
    }

    /// Forgets a window of a key: it is closing.
    pub(super) fn remove(&mut self, window: i128, key: u32) -> Option<Said> {
        self.said.remove(&(window, key)).filter(|said| said.given > 0)
    }

    /// Keys have got new ids; none that a window holds was forgotten.
    pub(super) fn rename(&mut self, survivors: &Survivors) {
        let said = std::mem::take(&mut self.said).into_iter();
        self.said = said.map(|((window, key), said)| ((window, survivors.id(key)), said)).collect();
    }

    pub(super) fn bytes(&self) -> usize {
        let rows: usize = self.said.values().filter_map(|s| s.row.as_ref()).map(Table::bytes).sum();
        self.said.allocation_size() + rows
    }
}

/// Rows that are given out because of a row.
#[derive(Debug)]
pub(super) struct ByRow {
    pub(super) out: Output,
    /// The row of each.
    pub(super) because_of: Vec<Position>,
}

impl ByRow {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { out: Output::with_changes(plan), because_of: Vec::new() }
    }

    /// The rows in the order in which they were given out.
    pub(super) fn finish(self, plan: &Plan, keys: &SeenKeys) -> Result<Option<WindowRows>> {
        let Self { out, because_of } = self;
        if because_of.is_empty() {
            return Ok(None);
        }
        // `Output` sorts windows: that is undone.
        let places = out.windows.iter().flat_map(|&(start, end, rows)| {
            std::iter::repeat_n((clamped(end), clamped(start)), rows)
        });
        let places = places.zip(&out.keys).map(|(at, &key)| (at, keys.place(key)));
        let places: Vec<((i64, i64), Position)> = places.collect();
        let mut sorted: Vec<u32> = (0..places.len() as u32).collect();
        sorted.sort_by_key(|&row| places[row as usize]);
        let mut back = vec![0; sorted.len()];
        sorted.iter().enumerate().for_each(|(at, &row)| back[row as usize] = at as u32);
        let given = out.finish(plan, keys)?;
        let times = back.iter().map(|&row| given.times[row as usize]).collect();
        let rows = take_record_batch(&given.rows, &UInt32Array::from(back))?;
        let order = because_of.into_iter().map(|row| (i64::MIN, i64::MIN, row)).collect();
        Ok(Some(WindowRows { rows, times, order }))
    }
}

fn clamped(time: i128) -> i64 {
    time.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// One behind the other.
pub(super) fn joined(
    first: Option<WindowRows>,
    then: Option<WindowRows>,
) -> Result<Option<WindowRows>> {
    Ok(match (first, then) {
        (Some(mut first), Some(then)) => {
            let rows = concat_batches(&first.rows.schema(), [&first.rows, &then.rows])?;
            first.order.extend(then.order);
            let times = first.times.iter().chain(&*then.times).copied().collect();
            Some(WindowRows { rows, times, order: first.order })
        }
        (first, then) => first.or(then),
    })
}
