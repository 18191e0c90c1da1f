//! So many alerts a day: the level that leaves no more, learned from the days before, and a count
//! that makes sure.
//!
//! ```text
//!  scores of a key   ▁▁▂▁▇▁▁▁│▁▁▁▃▁▁▁▁│▁▁▁…      blocks of the group's length
//!  block maxima          ▇        ▃                a sample a block
//!  days before       ┌─ day −7 ─┬ … ┬─ day −1 ─┐ today
//!                    └─ samples ─── ┴ ─────────┘   level = the (N·m)-th largest of m days
//! ```
//! * **Level.** Of each key, the largest score of each block (as many rows, or as much time, as
//!   one incident is grouped by) is a sample: what an incident there would have peaked at (block
//!   maxima: Gumbel, *Statistics of Extremes*, 1958). At the start of a day, the N·m-th largest
//!   sample of the m days before (at most [`PERIODS`], none before the first row's day) becomes
//!   the level, and holds all day: with it, N samples a day would have been above on average.
//!   With fewer samples than that, there is no level: all of them fit into the budget.
//! * **Count.** Never are there more than N alerts in any period of that length.
//!
//! "Day" stands for the period that the budget names, aligned to the epoch. Time is the largest
//! seen, so rows out of order change no day that is over. Only the N·7 largest samples of a
//! period are kept.

use std::collections::VecDeque;

/// Periods that are looked back on.
pub(super) const PERIODS: i64 = 7;

/// A budget in units of the time column.
#[derive(Debug)]
pub(super) struct Budget {
    // Set once.
    alerts: usize,
    period: i64,
    // Changes.
    first: Option<i64>,
    current: i64,
    /// Where the next one begins.
    next: i64,
    /// Of each period that has any: its samples, the largest ones.
    samples: VecDeque<(i64, Vec<f64>)>,
    level: Option<f64>,
    /// Times of the last alerts, as many as the budget has.
    alerted: VecDeque<i64>,
}

impl Budget {
    /// At most `alerts` (above 0) in a period (above 0).
    pub(super) fn new(alerts: usize, period: i64) -> Self {
        Self {
            alerts,
            period,
            first: None,
            current: i64::MIN,
            next: i64::MIN,
            samples: VecDeque::new(),
            level: None,
            alerted: VecDeque::new(),
        }
    }

    /// A row comes; a new day may begin.
    pub(super) fn advance(&mut self, time: i64) {
        if time < self.next {
            return;
        }
        let period = time.div_euclid(self.period);
        if period <= self.current {
            return;
        }
        self.next = period.saturating_add(1).saturating_mul(self.period);
        let first = *self.first.get_or_insert(period);
        self.current = period;
        let from = period.saturating_sub(PERIODS).max(first);
        while self.samples.pop_front_if(|(of, _)| *of < from).is_some() {}
        let wanted = self.alerts.saturating_mul((period - from) as usize);
        let mut all: Vec<f64> = self.samples.iter().flat_map(|(_, of)| of).copied().collect();
        self.level = (wanted > 0 && all.len() >= wanted)
            .then(|| *all.select_nth_unstable_by(wanted - 1, |a, b| b.total_cmp(a)).1);
    }

    /// A block has ended with this maximum.
    pub(super) fn sample(&mut self, maximum: f64) {
        let kept = self.alerts.saturating_mul(PERIODS as usize);
        match self.samples.back_mut() {
            Some((of, samples)) if *of == self.current => {
                samples.push(maximum);
                if samples.len() >= kept.saturating_mul(2).max(64) {
                    samples.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
                    samples.truncate(kept);
                }
            }
            _ => self.samples.push_back((self.current, vec![maximum])),
        }
    }

    /// Whether the score is above the level, where there is one.
    pub(super) fn passes(&self, score: f64) -> bool {
        self.level.is_none_or(|level| score > level)
    }

    /// Whether there is room for an alert at this time; then it is taken.
    pub(super) fn spend(&mut self, time: i64) -> bool {
        if self.alerted.len() >= self.alerts {
            let earliest = self.alerted.front().copied().unwrap_or(i64::MIN);
            if time.saturating_sub(earliest) < self.period {
                return false;
            }
            self.alerted.pop_front();
        }
        self.alerted.push_back(time);
        true
    }

    pub(super) fn bytes(&self) -> usize {
        let samples = self.samples.iter().map(|(_, of)| of.capacity() * 8).sum::<usize>();
        samples + self.alerted.capacity() * 8
    }
}
