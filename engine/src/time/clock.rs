//! Clocks of processing time. Nothing that is computed depends on one; they decide only when a
//! silent input no longer holds windows back, and when rows are due in a paced replay.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Tells processing time.
pub trait Clock: Send + Sync {
    /// Time since the clock was started; never less than what an earlier call said.
    fn now(&self) -> Duration;
}

/// The machine's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::start()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that stands still until it is advanced; clones show the same time.
///
/// ```
/// use std::time::Duration;
/// use pelton::time::{Clock, VirtualClock};
///
/// let clock = VirtualClock::default();
/// let same = clock.clone();
/// clock.advance(Duration::from_secs(3));
/// assert_eq!(same.now(), Duration::from_secs(3));
/// ```
#[derive(Debug, Clone, Default)]
pub struct VirtualClock {
    nanos: Arc<AtomicU64>,
}

impl VirtualClock {
    /// Moves the time on; it stops at 2⁶⁴ − 1 ns (584 years).
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        // Both closures of `fetch_update` always give a value.
        let _ = self.nanos.fetch_update(Ordering::AcqRel, Ordering::Acquire, |nanos| {
            Some(nanos.saturating_add(by))
        });
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Acquire))
    }
}
