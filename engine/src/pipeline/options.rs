//! How a plan is run, and what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::accel::Accelerator;
use crate::operator::StateSize;
use crate::time::Clock;

/// How fast rows are let in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as they can be read.
    Max,
    /// By their event time, this many times faster than they happened.
    EventTime(f64),
    /// So many rows a second, evenly (open loop).
    Rate(f64),
}

/// How a run stands, for those who watch it.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Since the run began.
    pub elapsed: Duration,
    /// Rows read, accepted or rejected.
    pub rows_in: u64,
    /// Rows given out.
    pub rows_out: u64,
    /// Rows whose results are out.
    pub rows_done: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes of the input, where known.
    pub bytes_total: Option<u64>,
    /// Largest event time read minus the watermark of what is out, in units of the data.
    pub watermark_lag: Option<i64>,
}

/// A function that is called after each batch.
pub type Observer = Box<dyn FnMut(&Progress) + Send>;

/// What happens when state comes to its cap ([`Options::state_bytes_max`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AtCap {
    /// The run ends with an error.
    #[default]
    Fail,
    /// Windows take no more rows in until some have closed and there is room again; the rows are
    /// counted in [`Summary::rows_shed`]. Which rows these are depends on batches and shards. Over
    /// windows, which answer each row, fail all the same.
    Shed,
}

/// How a plan is run. `Options::default()` uses all cores, reads as fast as it can, and asks
/// nobody.
pub struct Options {
    /// Cores to use; 0: all that the process may use. One shard runs on the caller's thread.
    pub shards: usize,
    /// Largest number of rows in a batch. No result depends on it.
    pub batch_rows: usize,
    /// How fast rows are let in.
    pub pace: Pace,
    /// Stop after so many rows.
    pub limit: Option<u64>,
    /// Asked between batches; when it says yes the run ends in good order (Ctrl-C).
    pub stop: Option<Box<dyn Fn() -> bool + Send>>,
    /// Told after each batch how the run stands.
    pub observer: Option<Observer>,
    /// Spin instead of sleeping while waiting for a row's time: less latency, a core lost.
    pub busy_poll: bool,
    /// Most bytes of state, of all shards together; a run that needs more ends with an error.
    /// Looked at now and then, so that a run may come to have about a quarter more. `None`: as
    /// much as there is.
    pub state_bytes_max: Option<u64>,
    /// What happens at that cap.
    pub at_cap: AtCap,
    /// Processing time, for idle partitions of live runs.
    pub clock: Option<Arc<dyn Clock>>,
    /// A GPU that does what it does sooner, or all that it can; the answers are the same. `None`:
    /// the CPU alone.
    pub accelerator: Option<Accelerator>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shards: 0,
            batch_rows: 4096,
            pace: Pace::Max,
            limit: None,
            stop: None,
            observer: None,
            busy_poll: false,
            state_bytes_max: None,
            at_cap: AtCap::Fail,
            clock: None,
            accelerator: None,
        }
    }
}

impl Options {
    /// Uses this many shards.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// How many that are.
    pub(super) fn shard_count(&self) -> usize {
        match self.shards {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            shards => shards,
        }
    }

    /// Uses batches of at most so many rows.
    #[must_use]
    pub fn batch_rows(mut self, rows: usize) -> Self {
        self.batch_rows = rows;
        self
    }
}

/// What a run did. Every row is accounted for: `rows_in = rows_used + rows_filtered +
/// rows_set_aside + rows_rejected + rows_shed` (checked at the end of the run).
#[derive(Debug, Clone)]
pub struct Summary {
    /// Rows read, accepted or rejected.
    pub rows_in: u64,
    /// Rows that could not be used: malformed, or with an unusable time.
    pub rows_rejected: u64,
    /// Rejected rows by reason (values in reasons left out).
    pub rejected_because: BTreeMap<String, u64>,
    /// Rows that came later than the watermark's delay.
    pub rows_late: u64,
    /// Late rows that windows did not see (0 where everything is answered at arrival).
    pub rows_set_aside: u64,
    /// Rows that a filter, or a lookup that found no match, took out before they came to the
    /// (last) window. What a filter does to the results of windows is not counted here.
    pub rows_filtered: u64,
    /// Rows that windows did not take in because state had come to its cap ([`AtCap::Shed`]).
    pub rows_shed: u64,
    /// Rows that came to the (last) window; where there is none, all that were let in.
    pub rows_used: u64,
    /// Rows given out.
    pub rows_out: u64,
    /// Wall-clock time of the run.
    pub wall: Duration,
    /// Nanoseconds from a row's arrival (its block was read, or it was due) to its result.
    pub latency_ns: Histogram<u64>,
    /// State at the end of the run.
    pub state: StateSize,
    /// Shards used.
    pub shards: usize,
    /// How files were read: `io_uring` or `plain`.
    pub io: &'static str,
    /// Whether the user stopped the run.
    pub interrupted: bool,
}
