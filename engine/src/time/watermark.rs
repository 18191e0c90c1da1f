//! The watermark: the time up to which no row is expected any more.
//!
//! A watermark w promises that no row with a time at or below w comes (late rows apart). A
//! partition whose largest time is m, in a stream that is out of order by at most d, may still
//! bring m − d, so it promises m − d − 1. The stream's watermark is the least promise of its
//! partitions:
//!
//! ```text
//!  partition 0   ───────────────●m₀        promises m₀ − d − 1
//!  partition 1   ────────●m₁               promises m₁ − d − 1   ◀ the watermark
//!  partition 2   ──●         (silent for longer than its idle time: does not count)
//! ```
//!
//! It never goes back: a partition that wakes with old rows is behind, and its rows count only
//! in windows that are still open. While all partitions are idle it stays where it is. A
//! partition that has ended promises everything; when all have, the watermark is `i64::MAX`.

use std::time::Duration;

/// Follows the partitions of one stream.
#[derive(Debug, Clone)]
pub struct WatermarkTracker {
    // Set once.
    delay: i64,
    idle_after: Option<Duration>,
    // Changes.
    partitions: Vec<Partition>,
    watermark: i64,
    /// The moment for which it was last computed.
    seen_at: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Partition {
    /// No row at or below this is expected from it; `i64::MIN`: nothing is promised yet.
    promise: i64,
    /// When it last brought rows; the clock's start before the first.
    heard_at: Duration,
    ended: bool,
}

impl WatermarkTracker {
    /// Follows `partitions` partitions, each out of order by at most `delay` (in units of the
    /// time column). A partition without rows for `idle_after` does not hold the watermark
    /// back; `None`: it does until it ends, as it must in a replay.
    pub fn new(partitions: usize, delay: i64, idle_after: Option<Duration>) -> Self {
        let partition = Partition { promise: i64::MIN, heard_at: Duration::ZERO, ended: false };
        let mut tracker = Self {
            delay,
            idle_after,
            partitions: vec![partition; partitions],
            watermark: i64::MIN,
            seen_at: Duration::ZERO,
        };
        tracker.advance(Duration::ZERO);
        tracker
    }

    /// A partition brought rows, and the largest time it ever brought is `largest` (`None`: no
    /// row of it had a plausible time yet). Returns the watermark.
    ///
    /// # Panics
    /// When there is no such partition.
    pub fn observe(&mut self, partition: u32, largest: Option<i64>, now: Duration) -> i64 {
        let state = &mut self.partitions[partition as usize];
        if let Some(largest) = largest {
            let promise = largest.saturating_sub(self.delay).saturating_sub(1);
            state.promise = state.promise.max(promise);
        }
        state.heard_at = now;
        self.advance(now)
    }

    /// A partition has ended. Returns the watermark.
    ///
    /// # Panics
    /// When there is no such partition.
    pub fn end(&mut self, partition: u32, now: Duration) -> i64 {
        self.partitions[partition as usize].ended = true;
        self.advance(now)
    }

    /// Time has passed: partitions may have become idle. Returns the watermark.
    pub fn advance(&mut self, now: Duration) -> i64 {
        self.seen_at = self.seen_at.max(now);
        let mut active = self.partitions.iter().filter(|p| !p.ended).peekable();
        if active.peek().is_none() {
            self.watermark = i64::MAX;
            return self.watermark;
        }
        let idle_after = self.idle_after.unwrap_or(Duration::MAX);
        let awake = active.filter(|p| now.saturating_sub(p.heard_at) < idle_after);
        if let Some(promise) = awake.map(|p| p.promise).min() {
            self.watermark = self.watermark.max(promise);
        }
        self.watermark
    }

    /// The watermark as last computed; `i64::MIN`: none yet.
    pub fn watermark(&self) -> i64 {
        self.watermark
    }

    /// When the next partition becomes idle, where one can that has not been found so: until then
    /// nothing changes unless rows come.
    pub fn next_idle_at(&self) -> Option<Duration> {
        let idle_after = self.idle_after?;
        let active = self.partitions.iter().filter(|p| !p.ended);
        let moments = active.map(|p| p.heard_at.saturating_add(idle_after));
        moments.filter(|moment| *moment > self.seen_at).min()
    }
}
