//! The account of a run of windows: as JSON, and in a few lines for people.

use std::collections::BTreeMap;

use pelton::pipeline::Summary;
use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::memory::peak_rss_bytes;
use crate::report::format::{bytes, short, thousands};
use crate::report::models::GpuUse;
use crate::terminal::Paint;

/// The account of a run. Field names are a public format: add, don't rename.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowReport {
    /// Version of pelton.
    pub pelton: String,
    /// The recordings, by base name.
    pub recordings: Vec<String>,
    /// Rows read: accepted and rejected.
    pub rows_in: u64,
    /// Rows that windows saw.
    pub rows_used: u64,
    /// Rows that a filter or a lookup took out.
    #[serde(default)]
    pub rows_filtered: u64,
    /// Rows that were shed at the cap on state.
    #[serde(default)]
    pub rows_shed: u64,
    /// Rows that came late, and were set aside.
    pub rows_late: u64,
    /// Rows that could not be used.
    pub rows_rejected: u64,
    /// Those by reason.
    pub rejected_because: BTreeMap<String, u64>,
    /// Rows among the used that came when their windows had closed (a partition that woke).
    pub rows_beyond_memory: u64,
    /// Rows given out.
    pub rows_out: u64,
    /// What the sink that forgets has seen.
    pub blackhole: Option<Blackhole>,
    /// Seconds from the first read to the last byte written.
    pub wall_s: f64,
    /// `rows_in / wall_s`.
    pub rows_per_s: f64,
    /// Bytes of state at the end of the run.
    pub state_bytes: u64,
    /// Keys known at the end of the run.
    pub keys: u64,
    /// Most memory that the process had.
    pub peak_rss_bytes: Option<u64>,
    /// Cores that held state.
    pub shards: usize,
    /// What the kernels ran on: `scalar`, `simd` or `gpu`.
    #[serde(default)]
    pub backend: String,
    /// What a GPU did, where one was to.
    #[serde(default)]
    pub gpu: Option<GpuUse>,
    /// How files were read.
    pub io: String,
    /// Whether the user stopped the run.
    pub interrupted: bool,
}

/// What a blackhole has swallowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blackhole {
    /// Bytes of the values, as Arrow holds them.
    pub bytes: u64,
    /// Of the rows in their order, in hexadecimal digits.
    pub checksum: String,
}

impl WindowReport {
    /// The report of a run.
    pub fn new(
        recordings: Vec<String>,
        summary: &Summary,
        blackhole: Option<Blackhole>,
        backend: &Backend,
    ) -> Self {
        let wall_s = summary.wall.as_secs_f64();
        Self {
            pelton: env!("CARGO_PKG_VERSION").to_owned(),
            recordings,
            rows_in: summary.rows_in,
            rows_used: summary.rows_used,
            rows_filtered: summary.rows_filtered,
            rows_shed: summary.rows_shed,
            rows_late: summary.rows_set_aside,
            rows_rejected: summary.rows_rejected,
            rejected_because: summary.rejected_because.clone(),
            rows_beyond_memory: summary.state.rows_beyond_memory,
            rows_out: summary.rows_out,
            blackhole,
            wall_s,
            rows_per_s: summary.rows_in as f64 / wall_s.max(1e-9),
            state_bytes: summary.state.bytes,
            keys: summary.state.keys,
            peak_rss_bytes: peak_rss_bytes(),
            shards: summary.shards,
            backend: backend.word().to_owned(),
            gpu: backend.gpu_use(),
            io: summary.io.to_owned(),
            interrupted: summary.interrupted,
        }
    }

    /// In a few lines. `over`: each row was given out, with columns.
    pub fn text(&self, over: bool, paint: Paint) -> String {
        let some = |rows: u64, what: &str| match rows {
            0 => String::new(),
            rows => format!("{} {what} + ", thousands(rows)),
        };
        let filtered = some(self.rows_filtered, "filtered") + &some(self.rows_shed, "shed");
        let mut text = format!(
            "{} rows in = {} used + {}{} late + {} rejected\n",
            thousands(self.rows_in),
            thousands(self.rows_used),
            filtered,
            thousands(self.rows_late),
            thousands(self.rows_rejected),
        );
        for (reason, rows) in &self.rejected_because {
            text.push_str(&format!("  {} rejected: {reason}\n", thousands(*rows)));
        }
        if self.rows_beyond_memory > 0 {
            let rows = thousands(self.rows_beyond_memory);
            let fate = match over {
                true => "came later than their windows remember",
                false => "came when their windows had closed",
            };
            text.push_str(&format!("  {rows} of the used {fate}\n"));
        }
        let speed = format!("{} rows/s", short(self.rows_per_s));
        text.push_str(&format!(
            "{} {} in {:.2} s ({}), {} keys, state {}\n",
            thousands(self.rows_out),
            if over { "rows out" } else { "windows" },
            self.wall_s,
            paint.cyan(speed),
            thousands(self.keys),
            bytes(self.state_bytes),
        ));
        if let Some(blackhole) = &self.blackhole {
            let size = bytes(blackhole.bytes);
            text.push_str(&format!("blackhole: {size}, checksum {}\n", blackhole.checksum));
        }
        text
    }
}
