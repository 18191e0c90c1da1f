//! `pelton bench`: the whole job, or windows alone, measured, for people and as JSON.

use pelton::Result;
use serde::{Deserialize, Serialize};

use crate::args::{BenchFraudArgs, BenchWindowArgs};
use crate::doctor::Machine;
use crate::replay::all_cores;
use crate::replay::run::{self, BenchPlan};
use crate::report::LatencyUs;
use crate::report::format::{bytes, micros, short, significant, thousands};
use crate::terminal::{self, Paint};
use crate::{interrupt, progress, report};

/// What a bench of the fraud pipeline measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BenchReport {
    /// Version of pelton.
    pub pelton: String,
    /// Rows of the recording.
    pub rows: u64,
    /// Whether every declared feature was computed, or only those that decisions read.
    pub every_feature: bool,
    /// Its format.
    pub format: String,
    /// Cores that held state.
    pub shards: usize,
    /// SIMD level of the kernels.
    pub simd: String,
    /// Backend that the kernels ran on.
    pub backend: String,
    /// Seconds of the whole job at full speed.
    pub wall_s: f64,
    /// Rows a second at full speed.
    pub rows_per_s: f64,
    /// `rows_per_s / shards`.
    pub rows_per_s_per_shard: f64,
    /// Alerts raised, to compare runs by.
    pub alerts: u64,
    /// Bytes of state at the end.
    pub state_bytes: u64,
    /// Bytes of the row logs a row held in them.
    pub log_bytes_per_row: Option<f64>,
    /// Largest resident set of the process.
    pub peak_rss_bytes: Option<u64>,
    /// Payments due at a set rate; `None` if left out.
    pub open_loop: Option<OpenLoop>,
    /// Where it ran.
    pub machine: Machine,
}

/// Payments due at a fixed rate, whatever the answers do (no coordinated omission), and pushed as
/// soon as they are: one by one, unless more have become due meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpenLoop {
    /// Payments a second that were due.
    pub rate_rows_per_s: f64,
    /// Payments a second that got a decision.
    pub reached_rows_per_s: f64,
    /// Seconds it took.
    pub seconds: f64,
    /// Payments pushed.
    pub rows: u64,
    /// From the scheduled arrival to the decision.
    pub latency_us: LatencyUs,
}

/// Measures, prints, and writes the JSON.
///
/// # Errors
/// When the run fails or the JSON cannot be written.
pub fn fraud(args: &BenchFraudArgs) -> Result<()> {
    let plan = BenchPlan {
        input: args.input.clone(),
        batch_rows: args.batch_rows as usize,
        every_feature: args.every_feature,
        rows: args.rows,
        format: args.format,
        rate_rows_per_s: args.rate,
        seconds: args.seconds,
        shards: args.shards.map_or_else(all_cores, usize::from),
    };
    let stop = interrupt::install()?;
    let shown = |what| progress::new(what, args.quiet);
    let report = run::bench(&plan, &shown, stop)?;
    if let Some(path) = &args.json {
        report::json::write(path, &report)?;
    }
    terminal::print(&text(&report, Paint::for_stdout()))
}

/// The figures for people.
pub fn text(report: &BenchReport, paint: Paint) -> String {
    let mut text = format!("\n {}\n", paint.bold("fraud, full speed"));
    let mut line = |name: &str, value: String| {
        text.push_str(&format!("   {name:<22}{}\n", paint.cyan(format!("{value:>16}"))));
    };
    line("rows", thousands(report.rows));
    line("format", report.format.clone());
    line("features", if report.every_feature { "all declared" } else { "those read" }.into());
    line("shards", report.shards.to_string());
    line("rows/s", short(report.rows_per_s));
    line("rows/s a shard", short(report.rows_per_s_per_shard));
    line("alerts", thousands(report.alerts));
    line("state", bytes(report.state_bytes));
    line(
        "log, a row",
        report.log_bytes_per_row.map_or("–".into(), |b| format!("{} B", significant(b))),
    );
    line("peak memory", report.peak_rss_bytes.map_or("–".into(), bytes));
    if let Some(open) = &report.open_loop {
        text.push_str(&format!(
            "\n {}\n",
            paint.bold("fraud, open loop, from the scheduled arrival")
        ));
        let mut line = |name: &str, value: String| {
            text.push_str(&format!("   {name:<22}{}\n", paint.cyan(format!("{value:>16}"))));
        };
        line("rate due", format!("{} rows/s", short(open.rate_rows_per_s)));
        line("rate reached", format!("{} rows/s", short(open.reached_rows_per_s)));
        let latency = &open.latency_us;
        line("p50", micros(latency.p50));
        line("p90", micros(latency.p90));
        line("p99", micros(latency.p99));
        line("p99.9", micros(latency.p999));
        line("p99.99", micros(latency.p9999));
        line("max", micros(latency.max));
    }
    text.push('\n');
    text
}

/// Measures windows over columns in memory.
///
/// # Errors
/// When there is no such case, an answer is wrong, or the JSON cannot be written.
pub fn window(args: &BenchWindowArgs) -> Result<()> {
    let all: Vec<&str> = pelton_benches::window::CASES.to_vec();
    let cases = args.case.as_deref().map_or(all, |case| vec![case]);
    pelton_benches::window::check_names(&cases)?;
    let paint = Paint::for_stdout();
    let mut reports = Vec::new();
    let title = format!("\n {}\n", paint.bold("windows over columns in memory, one core"));
    terminal::print(&title)?;
    for case in cases {
        let rows = args.rows.map(|rows| rows as usize);
        let report = pelton_benches::window::run(case, rows, args.rounds as usize)?;
        let line = format!(
            "   {case:<18}{} rows in {:>12} rows out {:>12}  {} B a row, {} GB/s, slowest {}\n",
            paint.cyan(format!("{:>10} rows/s", short(report.rows_per_s))),
            thousands(report.rows_in),
            thousands(report.rows_out),
            significant(report.bytes_per_row),
            significant(report.rows_per_s * report.bytes_per_row / 1e9),
            short(report.rows_per_s_min),
        );
        terminal::print(&line)?;
        reports.push(report);
    }
    args.json.as_ref().map_or(Ok(()), |path| report::json::write(path, &reports))
}
