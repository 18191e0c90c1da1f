//! The whole job: payments in, alerts out.
//!
//! [`full_speed`] replays a recording as fast as it can be read, alerts written to a file.
//! [`open_loop`] makes payments due at a set rate, whatever the answers do, pushes what is due (a
//! single payment, unless more have come meanwhile), and counts each row's latency from when it
//! was due: a stall shows in every row that it held up.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use hdrhistogram::Histogram;
use pelton::pipeline::{File, NdJson, Options, Pipeline, Summary};
use pelton::{Error, Result};
use pelton_datasets::payments::{Payments, PaymentsConfig, schema};
use pelton_pipelines::fraud::{self, FraudConfig};

/// Replays a recording at full speed; the alerts are written and thrown away. With
/// `every_feature` all columns that the pipeline declares are computed, not only those that a
/// rule, the score or a reason reads.
///
/// # Errors
/// When the recording cannot be read or the alerts cannot be written.
pub fn full_speed(
    path: &str,
    shards: usize,
    batch_rows: usize,
    every_feature: bool,
) -> Result<Summary> {
    let opened = fraud::columns(File::any(path).batch_rows(batch_rows)).open()?;
    let schema = opened.schema();
    let config = FraudConfig::standard()?;
    let folder = tempfile::tempdir()
        .map_err(|error| Error::run(format!("cannot make a temporary folder: {error}")))?;
    let alerts = folder.path().join("alerts.ndjson");
    let mut plan = fraud::features(Pipeline::read_opened(opened), &schema, config.delay);
    if every_feature {
        // Who looks at whole rows looks at every column.
        plan.pipeline = plan.pipeline.inspect(|_| {});
    }
    let plan = fraud::decide(plan, &schema, &config, |_| {})?;
    let options = Options::default().shards(shards).batch_rows(batch_rows);
    plan.pipeline.write(NdJson::file(alerts.to_string_lossy())).run(options)
}

/// What is pushed, and how fast.
#[derive(Debug, Clone, Copy)]
pub struct OpenLoopPlan {
    /// Payments a second.
    pub rate_rows_per_s: f64,
    /// For how long.
    pub seconds: f64,
    /// Seed of the payments.
    pub seed: u64,
}

/// Pushes payments as they become due into a pipeline that has seen as many before, on the
/// caller's thread; the summary's rows and latencies are those of the timed part.
///
/// # Errors
/// When a step fails.
pub fn open_loop(plan: &OpenLoopPlan) -> Result<Summary> {
    let rows = (plan.rate_rows_per_s * plan.seconds).ceil() as u64;
    let payments = Payments::new(PaymentsConfig::new(2 * rows, plan.seed))
        .map_err(|error| Error::usage(error.to_string()))?;
    let batches: Vec<RecordBatch> = payments.collect();
    let config = FraudConfig::standard()?;
    let features = fraud::features(Pipeline::rows(schema()), &schema(), config.delay);
    let decided = fraud::decide(features, &schema(), &config, |_| {})?;
    let mut live = decided.pipeline.open(Options::default().shards(1))?;

    let warm_up = batches.len() / 2;
    for batch in &batches[..warm_up] {
        live.push(batch.clone())?;
        while live.poll()?.is_some() {}
    }
    live.reset_measurements();
    let start = Instant::now();
    let step = Duration::from_secs_f64(1.0 / plan.rate_rows_per_s);
    let mut latency_ns = Histogram::new_with_bounds(1, 3_600_000_000_000, 3)
        .map_err(|error| Error::run(error.to_string()))?;
    let mut pushed = 0;
    for batch in &batches[warm_up..] {
        let mut at = 0;
        while at < batch.num_rows() {
            let rows = due_rows(start, step, pushed).min(batch.num_rows() - at);
            let first_due = start + step.mul_f64(pushed as f64);
            live.push_arrived(0, batch.slice(at, rows), first_due)?;
            while live.poll()?.is_some() {}
            let decided = start.elapsed();
            for row in pushed..pushed + rows as u64 {
                let waited = decided.saturating_sub(step.mul_f64(row as f64));
                latency_ns.saturating_record(waited.as_nanos().max(1) as u64);
            }
            pushed += rows as u64;
            at += rows;
        }
    }
    Ok(Summary { latency_ns, ..live.close()?.1 })
}

/// How many rows are due that have not been pushed; waits for the first.
fn due_rows(start: Instant, step: Duration, pushed: u64) -> usize {
    loop {
        let due = (start.elapsed().as_secs_f64() / step.as_secs_f64()) as u64 + 1;
        if due > pushed {
            return (due - pushed) as usize;
        }
        std::hint::spin_loop();
    }
}
