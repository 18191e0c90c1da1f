//! When rows are due: paced replays and open-loop measurements.
//!
//! A row's latency counts from when it was *due*, not from when a slow engine let it in, so a
//! stall shows in every row that it delayed (no coordinated omission).

use std::collections::VecDeque;
use std::time::Duration;

use super::options::Pace;

/// Due times of the rows of a run, since its start.
pub(crate) struct Schedule {
    pace: Pace,
    /// Time of the first row, and of the latest so far.
    first: Option<i64>,
    latest: i64,
    rows: u64,
    /// Due times of rows that were looked at and not yet submitted.
    due: VecDeque<Duration>,
}

impl Schedule {
    /// No schedule where rows are let in as fast as they can be read.
    pub(crate) fn new(pace: Pace) -> Option<Self> {
        (pace != Pace::Max).then_some(Self {
            pace,
            first: None,
            latest: i64::MIN,
            rows: 0,
            due: VecDeque::new(),
        })
    }

    /// Puts a row on the schedule. Rows are let in in the order of the source: one that is out
    /// of order is due with the latest before it.
    pub(crate) fn add(&mut self, time: Option<i64>, units_per_second: i64) {
        let due = match (self.pace, time) {
            (Pace::EventTime(factor), Some(time)) => {
                self.latest = self.latest.max(time);
                let first = *self.first.get_or_insert(time);
                let units = self.latest.saturating_sub(first) as f64;
                Duration::try_from_secs_f64(units / units_per_second as f64 / factor)
            }
            (Pace::Rate(rate), _) => Duration::try_from_secs_f64(self.rows as f64 / rate),
            _ => Ok(Duration::ZERO),
        };
        self.rows += 1;
        self.due.push_back(due.unwrap_or(Duration::MAX));
    }

    /// When the next row that was not submitted is due.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.due.front().copied()
    }

    /// How many rows are due by `now`.
    pub(crate) fn due_by(&self, now: Duration) -> usize {
        self.due.partition_point(|&due| due <= now)
    }

    /// The due times of the next rows, which are being submitted.
    pub(crate) fn take(&mut self, rows: usize) -> Vec<Duration> {
        self.due.drain(..rows.min(self.due.len())).collect()
    }
}
