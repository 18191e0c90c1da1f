//! What a run shows: one plain struct, and three ways to look at it.
//!
//! [`FraudReport`] is data only (no clock, no file); [`collect`] fills the parts of it that
//! come from rows and samples; [`table`] is the terminal's view, [`json`] the machine's,
//! [`html`] the page. The JSON is the struct as it stands, so its field names are a public
//! format: add, don't rename. Units are the end of a name (`_us`, `_bytes`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::doctor::Machine;

pub mod collect;
pub mod format;
pub mod html;
pub mod json;
pub mod models;
pub mod table;

/// The entry of [`FraudReport::quality`] that counts all kinds together.
pub const ALL_KINDS: &str = "all";

/// The kind of an alert on a row that is labelled as no fraud, or that has no label.
pub const NO_KIND: &str = "none";

/// All that one replay of payments has to tell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FraudReport {
    /// Version of pelton.
    pub pelton: String,
    /// The recording, as a person would name it (base name of the file, or how it was made).
    pub recording: String,
    /// Smallest event time, µs since 1970; `None` without rows.
    pub first_time_us: Option<i64>,
    /// Largest event time, µs since 1970.
    pub last_time_us: Option<i64>,

    /// Rows read: accepted and rejected.
    pub rows_in: u64,
    /// Rows that came later than the delay allows. At arrival they are scored all the same.
    pub rows_late: u64,
    /// Rows that could not be used.
    pub rows_rejected: u64,
    /// Rows that got a decision.
    pub rows_scored: u64,
    /// Rows among them that raised an alert.
    pub alerts: u64,
    /// Rows so late that part of their history had been forgotten.
    pub rows_beyond_memory: u64,
    /// Whether the rows add up.
    pub ledger: Ledger,

    /// Seconds from the first read to the last byte written.
    pub wall_s: f64,
    /// `rows_in / wall_s`.
    pub rows_per_s: f64,
    /// From the moment that `latency_from` names to the decision.
    pub latency_us: LatencyUs,
    /// Where latency starts: "block read" at full speed, "scheduled arrival" otherwise.
    pub latency_from: String,

    /// Bytes of state at the end (logs, tables, indices), as allocated.
    pub state_bytes: u64,
    /// Bytes of the row logs among them.
    pub state_log_bytes: u64,
    /// Rows held in the logs (a row is in one log per key: by card, by terminal).
    pub state_log_rows: u64,
    /// Largest resident set of the process.
    pub peak_rss_bytes: Option<u64>,

    /// Cores that held state.
    pub shards: usize,
    /// SIMD level of the kernels.
    pub simd: String,
    /// Backend that the kernels ran on.
    pub backend: String,
    /// What the GPU did, where one was to do anything.
    pub gpu: Option<models::GpuUse>,
    /// How the file was read.
    pub io: String,
    /// Format of the recording.
    pub format: String,
    /// Whether the user stopped the run.
    pub interrupted: bool,
    /// Signals that the recording has no columns for.
    pub missing_signals: Vec<String>,

    /// By kind of fraud, and [`ALL_KINDS`]; empty where the recording has no labels.
    pub quality: BTreeMap<String, Quality>,
    /// By rule.
    pub rules: BTreeMap<String, RuleCount>,
    /// Precision and recall of the score alone at each threshold, from low to high.
    pub precision_recall: Vec<PrecisionRecall>,

    /// The models that scored, the one that decided first.
    pub models: Vec<models::ModelReport>,
    /// What the challenger would have decided, where there was one.
    pub challenger: Option<models::ChallengerReport>,

    /// The run, sampled at even steps of wall time.
    pub timeline: Vec<TimelinePoint>,
    /// Width of the buckets of `alerts_over_time`.
    pub alerts_bucket_us: i64,
    /// Alerts by event time, in order, without empty buckets.
    pub alerts_over_time: Vec<AlertsBucket>,
    /// Latencies, in order, without empty buckets.
    pub latency_histogram: Vec<LatencyBucket>,

    /// Options of the run that may matter to a reader, by name.
    pub settings: BTreeMap<String, String>,
    /// Where it ran.
    pub machine: Machine,
}

impl FraudReport {
    /// Kinds of fraud in the order in which all views show them (alphabetical), without "all".
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &Quality)> {
        let kinds = self.quality.iter().filter(|(kind, _)| *kind != ALL_KINDS);
        kinds.map(|(kind, quality)| (kind.as_str(), quality))
    }

    /// All kinds together; `None` without labels.
    pub fn overall(&self) -> Option<&Quality> {
        self.quality.get(ALL_KINDS)
    }

    /// Bytes of log that a row costs in one log.
    pub fn log_bytes_per_row(&self) -> Option<f64> {
        let rows = self.state_log_rows;
        (rows > 0).then(|| self.state_log_bytes as f64 / rows as f64)
    }
}

/// rows in = scored + rejected, each row once and with a reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// Rows read.
    pub rows_in: u64,
    /// Rows that got a decision.
    pub scored: u64,
    /// Rows that could not be used.
    pub rejected: u64,
    /// Rows among the scored that are marked late.
    pub late_marked: u64,
    /// Whether it adds up.
    pub balanced: bool,
    /// Why rows were rejected, and how many for each reason.
    pub reasons: BTreeMap<String, u64>,
}

impl Ledger {
    /// A ledger with its check done: the sum, the late among the scored, and the reasons among
    /// the rejected (where reasons are given).
    pub fn new(
        rows_in: u64,
        scored: u64,
        rejected: u64,
        late_marked: u64,
        reasons: BTreeMap<String, u64>,
    ) -> Self {
        let with_reason: u64 = reasons.values().sum();
        let balanced = scored.checked_add(rejected) == Some(rows_in)
            && late_marked <= scored
            && (reasons.is_empty() || with_reason == rejected);
        Self { rows_in, scored, rejected, late_marked, balanced, reasons }
    }
}

impl Ledger {
    /// Lines that name the most frequent reasons, at most `most` of them, and one that counts
    /// the rest.
    pub fn reason_lines(&self, most: usize) -> Vec<String> {
        let mut reasons: Vec<(&str, u64)> =
            self.reasons.iter().map(|(reason, rows)| (reason.as_str(), *rows)).collect();
        reasons.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        let rest: u64 = reasons.iter().skip(most).map(|(_, rows)| rows).sum();
        let line =
            |rows: u64, reason: &str| format!("{} rejected: {reason}", format::thousands(rows));
        let named = reasons.iter().take(most).map(|(reason, rows)| line(*rows, reason));
        let others = (reasons.len() > most)
            .then(|| line(rest, &format!("{} other reasons", reasons.len() - most)));
        named.chain(others).collect()
    }
}

/// Percentiles of latency in µs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LatencyUs {
    /// Half are no slower.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// 99.99 %.
    pub p9999: f64,
    /// The slowest.
    pub max: f64,
}

/// How well one kind of fraud was found.
///
/// An alert belongs to the kind of its labelled row; on a row without fraud it belongs to the
/// kind that its first rule looks for, and counts as a false alert there. So every alert of a
/// rule belongs to one kind, and alerts of the score alone on honest rows count only in "all".
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quality {
    /// Rows with this label.
    pub labelled: u64,
    /// Rows among them with an alert.
    pub found: u64,
    /// Alerts that belong to this kind.
    pub alerts: u64,
    /// `found / alerts`; `None` without alerts.
    pub precision: Option<f64>,
    /// `found / labelled`; `None` without labels.
    pub recall: Option<f64>,
}

impl Quality {
    /// The ratios from the counts.
    pub fn new(labelled: u64, found: u64, alerts: u64) -> Self {
        let ratio = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        Self {
            labelled,
            found,
            alerts,
            precision: ratio(found, alerts),
            recall: ratio(found, labelled),
        }
    }
}

/// What one rule did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleCount {
    /// Alerts in which it fired.
    pub alerts: u64,
    /// Alerts among them on rows labelled as fraud (of any kind).
    #[serde(rename = "true")]
    pub hits: u64,
}

/// One point of the precision-recall curve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PrecisionRecall {
    /// Rows with a score of at least this count as alerts.
    pub threshold: f64,
    /// Share of frauds among them.
    pub precision: f64,
    /// Share of all frauds that are among them.
    pub recall: f64,
}

/// One sample of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TimelinePoint {
    /// Seconds since the start, at the end of the sample.
    pub wall_s: f64,
    /// Rows a second since the sample before.
    pub rows_per_s: f64,
    /// Event time between the newest row and the watermark, largest of the sample.
    pub watermark_lag_ms: f64,
}

/// Alerts of one stretch of event time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertsBucket {
    /// Start of the bucket, µs since 1970.
    pub bucket_start_us: i64,
    /// Alerts by kind ([`NO_KIND`] for those on honest rows).
    pub counts: BTreeMap<String, u64>,
}

/// Rows whose latency lies in [`us`, `us_to`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LatencyBucket {
    /// Lower end in µs.
    pub us: f64,
    /// Upper end in µs.
    pub us_to: f64,
    /// Rows.
    pub count: u64,
}
