//! `pelton bench fraud`: a recording is made, replayed at full speed, and pushed row by row at
//! a set rate.

use std::sync::atomic::AtomicBool;

use pelton::{Error, Result};
use pelton_benches::fraud::{self, OpenLoopPlan};

use super::fraud_run::text;
use super::run::{self, BenchPlan, GeneratePlan, NewProgress};
use crate::bench::{BenchReport, OpenLoop};
use crate::doctor::Machine;
use crate::memory::{peak_rss_bytes, reset_peak_rss};
use crate::report::collect::latency;

/// Seed of the recordings of the bench.
const SEED: u64 = 1;

pub(super) fn bench(
    plan: &BenchPlan,
    progress: NewProgress<'_>,
    stop: &'static AtomicBool,
) -> Result<BenchReport> {
    let folder = tempfile::tempdir()
        .map_err(|error| Error::run(format!("cannot make a temporary folder: {error}")))?;
    let recording = match &plan.input {
        Some(input) => input.clone(),
        None => {
            let out = folder.path().join(format!("payments.{}", plan.format.name()));
            let recording = GeneratePlan {
                rows: plan.rows,
                seed: SEED,
                format: plan.format,
                out: out.clone(),
                cards: None,
                terminals: None,
                days: None,
                span_s: None,
                top_card_millionths: None,
                late_millionths: None,
            };
            run::generate(&recording, &*progress("generate"), stop)?;
            out
        }
    };
    let path = text(&recording)?;
    reset_peak_rss();
    let summary = fraud::full_speed(&path, plan.shards, plan.batch_rows, plan.every_feature)?;
    let wall_s = summary.wall.as_secs_f64();
    let rows_per_s = summary.rows_in as f64 / wall_s.max(1e-9);
    let log_rows = summary.state.log_rows;
    let mut report = BenchReport {
        pelton: env!("CARGO_PKG_VERSION").to_owned(),
        rows: summary.rows_in,
        every_feature: plan.every_feature,
        format: plan.format.name().to_owned(),
        shards: summary.shards,
        simd: pelton_kernels::simd::level().to_string(),
        backend: "simd".to_owned(),
        wall_s,
        rows_per_s,
        rows_per_s_per_shard: rows_per_s / summary.shards as f64,
        alerts: summary.rows_out,
        state_bytes: summary.state.bytes,
        log_bytes_per_row: (log_rows > 0).then(|| summary.state.log_bytes as f64 / log_rows as f64),
        peak_rss_bytes: peak_rss_bytes(),
        open_loop: None,
        machine: Machine::look(),
    };
    if plan.seconds > 0 {
        let open_loop = OpenLoopPlan {
            rate_rows_per_s: plan.rate_rows_per_s as f64,
            seconds: f64::from(plan.seconds),
            seed: SEED,
        };
        let measured = fraud::open_loop(&open_loop)?;
        report.open_loop = Some(OpenLoop {
            rate_rows_per_s: plan.rate_rows_per_s as f64,
            reached_rows_per_s: measured.rows_in as f64 / measured.wall.as_secs_f64(),
            seconds: measured.wall.as_secs_f64(),
            rows: measured.rows_in,
            latency_us: latency(&measured.latency_ns).0,
        });
    }
    Ok(report)
}
