//! A replay: the fraud pipeline over a recording, looked at row by row for the report.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pelton::pipeline::{
    Arrow, NdJson, Options, Pace, Parquet, Pipeline, Progress as Standing, Summary,
};
use pelton::source::{Io, SourceOptions};
use pelton::time::micros;
use pelton::{Error, Result};
use pelton_pipelines::fraud::{self, FraudConfig};

use super::decisions::Collector;
use super::input::{self, Input, Rows};
use super::models;
use super::run::{self, GeneratePlan, NewProgress, ReplayPlan, Source};
use crate::args::{IoArg, Speed};
use crate::backend::Backend;
use crate::doctor::Machine;
use crate::memory::{peak_rss_bytes, reset_peak_rss};
use crate::report::collect::{Timeline, latency};
use crate::report::{FraudReport, Ledger};

/// Replays payments through the fraud pipeline.
pub(super) fn replay(
    plan: &ReplayPlan,
    progress: NewProgress<'_>,
    stop: &'static AtomicBool,
) -> Result<FraudReport> {
    let backend = Backend::choose(plan.backend, plan.models.model.is_some())?;
    let path = input_path(plan, progress, stop)?;
    // What was needed to make the recording is not the replay's.
    reset_peak_rss();
    let input = Input::open(&path, plan.format, source(plan), plan.batch_rows)?;
    let schema = input.schema();
    let config = config(plan)?;
    let rules = fraud::rule_names(&schema);
    let collector = Arc::new(Mutex::new(Collector::new(&rules, &config)));
    let look = {
        let collector = collector.clone();
        move |batch: &pelton::batch::Batch| {
            collector.lock().unwrap_or_else(PoisonError::into_inner).add(&batch.rows);
        }
    };
    let (decided, rows) = decided(input, &config, look)?;
    let pipeline = outputs(decided.pipeline, plan);
    let timeline = Arc::new(Mutex::new(Timeline::new()));
    let mut options = options(plan, progress("replay"), timeline.clone(), stop);
    options.accelerator = backend.accelerator();
    let summary = input::run(pipeline, rows, options)?;
    let timeline = std::mem::take(&mut *timeline.lock().unwrap_or_else(PoisonError::into_inner));
    let mut report = report(plan, &path, (&summary, &backend), timeline);
    report.missing_signals = decided.missing_signals;
    report.models = models::shown(&plan.models, &config);
    collector.lock().unwrap_or_else(PoisonError::into_inner).finish(&mut report);
    Ok(report)
}

fn config(plan: &ReplayPlan) -> Result<FraudConfig> {
    Ok(FraudConfig { delay: micros(plan.delay_us), ..models::load(&plan.models)? })
}

/// The pipeline over a recording, but for its outputs.
fn decided(
    input: Input,
    config: &FraudConfig,
    look: impl Fn(&pelton::batch::Batch) + Send + Sync + 'static,
) -> Result<(fraud::FraudPlan, Option<Rows>)> {
    let schema = input.schema();
    let (pipeline, rows) = input.into_pipeline();
    let features = fraud::features_of(config.feature_set()?, pipeline, &schema, config.delay);
    Ok((fraud::decide(features, &schema, config, look)?, rows))
}

/// The plan in words, and where its kernels run.
///
/// # Errors
/// When there is no recording to look at, or the pipeline does not fit it.
pub(super) fn explain(plan: &ReplayPlan) -> Result<String> {
    let Source::File(path) = &plan.source else {
        return Err(Error::usage("--explain looks at a recording's columns")
            .advise("name the recording with --input FILE"));
    };
    let backend = Backend::choose(plan.backend, plan.models.model.is_some())?;
    let input = Input::open(&text(path)?, plan.format, source(plan), plan.batch_rows)?;
    let (decided, _) = decided(input, &config(plan)?, |_| {})?;
    let accelerator = backend.accelerator();
    let options = Options { shards: plan.shards, accelerator, ..Options::default() };
    decided.pipeline.explain_plan_with(&options)
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
                top_card_millionths: None,
                late_millionths: None,
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
    pipeline = pipeline.write(match plan.alerts.extension().and_then(|ending| ending.to_str()) {
        Some("parquet") => Parquet::file(plan.alerts.to_string_lossy()),
        Some("arrow") => Arrow::file(plan.alerts.to_string_lossy()),
        _ => file(&plan.alerts),
    });
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

fn report(
    plan: &ReplayPlan,
    path: &str,
    (summary, backend): (&Summary, &Backend),
    timeline: Timeline,
) -> FraudReport {
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
        backend: backend.word().to_owned(),
        gpu: backend.gpu_use(),
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
    let name = |path: &Path| pelton::source::base_name(&path.to_string_lossy());
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    set("batch rows", plan.batch_rows.to_string());
    set("delay", micros(plan.delay_us).to_string());
    set("speed", plan.speed.to_string());
    for takeover in &plan.models.model_at {
        set(&format!("model from {} on", takeover.from), name(&takeover.file));
    }
    if let Some(path) = &plan.models.model {
        set("model", name(path));
    }
    if let Some(path) = &plan.models.challenger {
        set("challenger", name(path));
    }
    if let Some(limit) = plan.limit {
        set("limit", limit.to_string());
    }
    settings
}
