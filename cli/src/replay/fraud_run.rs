//! A replay: the fraud pipeline over a recording, looked at row by row for the report.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, RecordBatch, StringArray,
};
use arrow::datatypes::{Float64Type, Int32Type, TimestampMicrosecondType, UInt64Type};
use pelton::pipeline::{NdJson, Options, Pace, Pipeline, Progress as Standing, Summary};
use pelton::score::Logistic;
use pelton::source::{Io, SourceOptions};
use pelton::time::micros;
use pelton::{Error, Result};
use pelton_pipelines::fraud::{self, FraudConfig};

use super::input::Input;
use super::run::{self, GeneratePlan, NewProgress, ReplayPlan, Source};
use crate::args::{BackendArg, IoArg, Speed};
use crate::doctor::Machine;
use crate::memory::{peak_rss_bytes, reset_peak_rss};
use crate::report::collect::{AlertMark, Label, RowCollector, ScoredRow, Timeline, latency};
use crate::report::{FraudReport, Ledger};

/// Kinds that labels may name; a rule of the same name looks for them.
const KINDS: [&str; 6] = [
    "card_testing",
    "compromised_terminal",
    "impossible_travel",
    "large_amount",
    "multiplied_amount",
    OTHER_KIND,
];

/// Frauds whose kind the recording does not name.
const OTHER_KIND: &str = "other";

/// Replays payments through the fraud pipeline.
pub(super) fn replay(
    plan: &ReplayPlan,
    progress: NewProgress<'_>,
    stop: &'static AtomicBool,
) -> Result<FraudReport> {
    force_backend(plan.backend)?;
    let path = input_path(plan, progress, stop)?;
    // What was needed to make the recording is not the replay's.
    reset_peak_rss();
    let input = Input::open(&path, plan.format, source(plan), plan.batch_rows)?;
    let schema = input.schema();
    let config = FraudConfig {
        delay: micros(plan.delay_us),
        model: Arc::new(match &plan.weights {
            Some(path) => Logistic::load(path)?,
            None => Logistic::from_json(fraud::DEFAULT_WEIGHTS)?,
        }),
    };
    let rules = fraud::rule_names(&schema);
    let collector = Arc::new(Mutex::new(Collector::new(&rules)));
    let (pipeline, rows) = input.into_pipeline();
    let features = fraud::features(pipeline, &schema, config.delay);
    let look = {
        let collector = collector.clone();
        move |batch: &pelton::batch::Batch| {
            collector.lock().unwrap_or_else(PoisonError::into_inner).add(&batch.rows);
        }
    };
    let decided = fraud::decide(features, &schema, &config, look)?;
    let pipeline = outputs(decided.pipeline, plan);
    let timeline = Arc::new(Mutex::new(Timeline::new()));
    let options = options(plan, progress("replay"), timeline.clone(), stop);
    let summary = match rows {
        Some(rows) => pipeline.run_rows(rows, options)?,
        None => pipeline.run(options)?,
    };
    let timeline = std::mem::take(&mut *timeline.lock().unwrap_or_else(PoisonError::into_inner));
    let mut report = report(plan, &path, &summary, timeline);
    report.missing_signals = decided.missing_signals;
    collector.lock().unwrap_or_else(PoisonError::into_inner).rows.finish(&mut report);
    report.quality.retain(|_, quality| quality.labelled > 0 || quality.alerts > 0);
    Ok(report)
}

/// The kernels choose their level once, by this variable: set it before any of them runs.
fn force_backend(backend: BackendArg) -> Result<()> {
    match backend {
        BackendArg::Scalar => {
            pelton_kernels::simd::force(pelton_kernels::simd::Level::Scalar).map_err(Error::usage)
        }
        BackendArg::Auto | BackendArg::Simd => {
            pelton_kernels::simd::try_level().map(drop).map_err(Error::usage)
        }
    }
}

fn input_path(
    plan: &ReplayPlan,
    progress: NewProgress<'_>,
    stop: &'static AtomicBool,
) -> Result<String> {
    Ok(match &plan.source {
        Source::StandardInput => "-".to_owned(),
        Source::File(path) => text(path)?,
        Source::Generated { rows, seed, format, path } => {
            let recording = GeneratePlan {
                rows: *rows,
                seed: *seed,
                format: *format,
                out: path.clone(),
                cards: None,
                terminals: None,
                days: None,
                span_s: None,
            };
            run::generate(&recording, &*progress("generate"), stop)?;
            text(path)?
        }
    })
}

pub(crate) fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Error::usage(format!("{} is not valid UTF-8", path.display())).advise("rename the file")
    })
}

fn source(plan: &ReplayPlan) -> SourceOptions {
    SourceOptions {
        io: match plan.io {
            IoArg::Auto => Io::Auto,
            IoArg::Uring => Io::Uring,
            IoArg::Plain => Io::Plain,
        },
        direct: plan.direct,
        ..SourceOptions::default()
    }
}

fn outputs(mut pipeline: Pipeline, plan: &ReplayPlan) -> Pipeline {
    let file = |path: &Path| NdJson::file(path.to_string_lossy());
    pipeline = pipeline.write(file(&plan.alerts));
    if let Some(late) = &plan.late {
        pipeline = pipeline.late(file(late));
    }
    if let Some(letters) = &plan.dead_letters {
        pipeline = pipeline.dead_letters(file(letters));
    }
    pipeline
}

fn options(
    plan: &ReplayPlan,
    progress: Box<dyn crate::progress::Progress>,
    timeline: Arc<Mutex<Timeline>>,
    stop: &'static AtomicBool,
) -> Options {
    let limit = plan.limit;
    let observer = move |standing: &Standing| {
        let (done, total) = match (limit, standing.bytes_total) {
            (Some(limit), _) => (standing.rows_in, Some(limit)),
            (None, total) => (standing.bytes_read, total),
        };
        progress.set(done, total, standing.rows_in);
        let lag_ms = standing.watermark_lag.unwrap_or(0) as f64 / 1e3;
        let mut timeline = timeline.lock().unwrap_or_else(PoisonError::into_inner);
        timeline.sample(standing.elapsed.as_secs_f64(), standing.rows_done, lag_ms);
    };
    Options {
        shards: plan.shards,
        batch_rows: plan.batch_rows,
        pace: match plan.speed {
            Speed::Max => Pace::Max,
            Speed::Factor(factor) => Pace::EventTime(factor),
        },
        limit,
        stop: Some(Box::new(|| stop.load(Ordering::Relaxed))),
        observer: Some(Box::new(observer)),
        ..Options::default()
    }
}

fn report(plan: &ReplayPlan, path: &str, summary: &Summary, timeline: Timeline) -> FraudReport {
    let wall_s = summary.wall.as_secs_f64();
    let (latency_us, latency_histogram) = latency(&summary.latency_ns);
    let simd = pelton_kernels::simd::level();
    FraudReport {
        pelton: env!("CARGO_PKG_VERSION").to_owned(),
        recording: match &plan.source {
            Source::Generated { rows, seed, .. } => {
                format!("{rows} generated payments, seed {seed}")
            }
            _ => pelton::source::base_name(path),
        },
        rows_in: summary.rows_in,
        rows_late: summary.rows_late,
        rows_rejected: summary.rows_rejected,
        rows_beyond_memory: summary.state.rows_beyond_memory,
        ledger: Ledger::new(
            summary.rows_in,
            summary.rows_used,
            summary.rows_rejected,
            summary.rows_late,
            summary.rejected_because.clone(),
        ),
        wall_s,
        rows_per_s: summary.rows_in as f64 / wall_s.max(1e-9),
        latency_us,
        latency_histogram,
        latency_from: match plan.speed {
            Speed::Max => "block read".to_owned(),
            Speed::Factor(_) => "scheduled arrival".to_owned(),
        },
        state_bytes: summary.state.bytes,
        state_log_bytes: summary.state.log_bytes,
        state_log_rows: summary.state.log_rows,
        peak_rss_bytes: peak_rss_bytes(),
        shards: summary.shards,
        simd: simd.to_string(),
        backend: if simd == pelton_kernels::simd::Level::Scalar { "scalar" } else { "simd" }
            .to_owned(),
        io: summary.io.to_owned(),
        format: plan
            .format
            .map(super::format)
            .or_else(|| pelton::decode::format_of(path))
            .map_or_else(|| "csv".to_owned(), |format| format.to_string()),
        interrupted: summary.interrupted,
        timeline: timeline.finish(),
        settings: settings(plan),
        machine: Machine::look(),
        ..FraudReport::default()
    }
}

fn settings(plan: &ReplayPlan) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    set("batch rows", plan.batch_rows.to_string());
    set("delay", micros(plan.delay_us).to_string());
    set("speed", plan.speed.to_string());
    if let Some(limit) = plan.limit {
        set("limit", limit.to_string());
    }
    settings
}

/// Feeds the report's collector from batches.
struct Collector {
    rows: RowCollector,
    /// For each rule, the kind that it looks for.
    aims: Vec<Option<u8>>,
}

impl Collector {
    fn new(rules: &[String]) -> Self {
        let names: Vec<&str> = rules.iter().map(String::as_str).collect();
        let aims = names.iter().map(|rule| kind_index(rule)).collect();
        Self { rows: RowCollector::new(&KINDS, &names), aims }
    }

    fn add(&mut self, rows: &RecordBatch) {
        let (Some(ts), Some(rules), Some(scores), Some(alerts)) = (
            rows.column_by_name("ts")
                .and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>()),
            rows.column_by_name("rules").and_then(|c| c.as_primitive_opt::<UInt64Type>()),
            rows.column_by_name("score").and_then(|c| c.as_primitive_opt::<Float64Type>()),
            rows.column_by_name("alert").and_then(|c| c.as_boolean_opt()),
        ) else {
            return;
        };
        let labels = rows.column_by_name("is_fraud").and_then(|c| c.as_boolean_opt());
        let labels = labels.map(|labels| (known(labels), holds(labels)));
        let kinds = KindColumn::of(rows.column_by_name("fraud_kind"));
        let alerts = holds(alerts);
        let columns = ts.values().iter().zip(scores.values()).zip(rules.values());
        for (row, ((&time_us, &score), &rules)) in columns.enumerate() {
            let label = match &labels {
                Some((known, _)) if !bit(known, row) => Label::Unknown,
                Some((_, fraud)) if bit(fraud, row) => Label::Fraud(kinds.kind(row)),
                Some(_) => Label::Honest,
                None => Label::Unknown,
            };
            let alert = bit(&alerts, row).then(|| {
                let first = rules.trailing_zeros() as usize;
                AlertMark { rules, aimed_at: self.aims.get(first).copied().flatten() }
            });
            self.rows.row(ScoredRow { time_us, score, label, alert });
        }
    }
}

/// A bit for each row that is not null.
fn known(column: &BooleanArray) -> Vec<u64> {
    match column.nulls() {
        Some(nulls) => nulls.inner().bit_chunks().iter_padded().collect(),
        None => vec![u64::MAX; column.len().div_ceil(64)],
    }
}

/// A bit for each row that is true.
fn holds(column: &BooleanArray) -> Vec<u64> {
    let values = column.values().bit_chunks();
    values.iter_padded().zip(known(column)).map(|(value, known)| value & known).collect()
}

fn bit(words: &[u64], row: usize) -> bool {
    words[row / 64] >> (row % 64) & 1 == 1
}

fn kind_index(name: &str) -> Option<u8> {
    KINDS.iter().position(|kind| *kind == name).map(|index| index as u8)
}

/// The column `fraud_kind`, as text or as a dictionary whose values were looked up once.
enum KindColumn<'a> {
    None,
    Text(&'a StringArray),
    Codes(&'a DictionaryArray<Int32Type>, Vec<u8>),
}

/// Index of [`OTHER_KIND`].
const OTHER: u8 = KINDS.len() as u8 - 1;

impl<'a> KindColumn<'a> {
    fn of(column: Option<&'a ArrayRef>) -> Self {
        let Some(column) = column else { return Self::None };
        if let Some(text) = column.as_string_opt::<i32>() {
            return Self::Text(text);
        }
        let codes = column.as_dictionary_opt::<Int32Type>();
        match codes.and_then(|codes| Some((codes, codes.values().as_string_opt::<i32>()?))) {
            Some((codes, names)) => {
                let kinds = names.iter().map(|name| name.and_then(kind_index).unwrap_or(OTHER));
                Self::Codes(codes, kinds.collect())
            }
            None => Self::None,
        }
    }

    fn kind(&self, row: usize) -> u8 {
        match self {
            Self::None => OTHER,
            Self::Text(text) if text.is_valid(row) => kind_index(text.value(row)).unwrap_or(OTHER),
            Self::Text(_) => OTHER,
            Self::Codes(codes, kinds) => codes.key(row).map_or(OTHER, |code| kinds[code]),
        }
    }
}
