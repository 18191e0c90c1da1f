//! Where the command line meets the engine: plans of plain data go in, reports come out.
//!
//! Nothing else in this crate knows the engine's pipeline, the generator or the bench. The
//! three functions poll `stop` between batches, report to a [`Progress`], and leave nothing
//! half-written under a final name.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use pelton::{Error, Result};
use pelton_datasets::FileFormat;
use pelton_datasets::payments::{self, PaymentsConfig};

use crate::args::{BackendArg, FormatArg, IoArg, ModelArgs, Speed};
use crate::bench::BenchReport;
use crate::progress::Progress;
use crate::report::FraudReport;

/// Makes the progress display of one step ("generate", "replay"); dropping it clears it.
pub type NewProgress<'a> = &'a dyn Fn(&'static str) -> Box<dyn Progress>;

/// Where the rows of a replay come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    StandardInput,
    /// A recording that is made first.
    Generated {
        /// Its rows.
        rows: u64,
        /// Its seed.
        seed: u64,
        /// Its format.
        format: FormatArg,
        /// Where it is written.
        path: PathBuf,
    },
}

/// A replay of payments.
#[derive(Debug, Clone)]
pub struct ReplayPlan {
    /// Where the rows come from.
    pub source: Source,
    /// Their format; `None`: told by the first bytes.
    pub format: Option<FormatArg>,
    /// Where alerts go: Parquet or Arrow where the name ends so, otherwise NDJSON.
    pub alerts: PathBuf,
    /// Where late rows go, if anywhere (NDJSON).
    pub late: Option<PathBuf>,
    /// Where dead letters go, if anywhere (NDJSON).
    pub dead_letters: Option<PathBuf>,
    /// Rows after which to stop.
    pub limit: Option<u64>,
    /// How fast event time runs.
    pub speed: Speed,
    /// Bound of the disorder, in µs of event time.
    pub delay_us: i64,
    /// Which models score.
    pub models: ModelArgs,
    /// Cores that hold state.
    pub shards: usize,
    /// Largest batch.
    pub batch_rows: usize,
    /// How files are read.
    pub io: IoArg,
    /// Whether to read around the page cache.
    pub direct: bool,
    /// What the kernels run on.
    pub backend: BackendArg,
}

/// A recording to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratePlan {
    /// Its rows.
    pub rows: u64,
    /// Its seed.
    pub seed: u64,
    /// Its format.
    pub format: FormatArg,
    /// Where it goes.
    pub out: PathBuf,
    /// Cards; `None`: by the rows.
    pub cards: Option<u64>,
    /// Terminals; `None`: by the cards.
    pub terminals: Option<u64>,
    /// Days; `None`: the generator's own choice.
    pub days: Option<u32>,
    /// Seconds that it spans, instead of days.
    pub span_s: Option<u64>,
    /// Share of the busiest card in millionths; `None`: no card stands out.
    pub top_card_millionths: Option<u32>,
    /// Payments in a million that arrive more than 2 s after their time.
    pub late_millionths: Option<u32>,
}

/// A bench of the fraud pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchPlan {
    /// A recording instead of a generated one.
    pub input: Option<PathBuf>,
    /// Largest batch.
    pub batch_rows: usize,
    /// Compute every declared feature.
    pub every_feature: bool,
    /// Rows of the recording.
    pub rows: u64,
    /// Its format.
    pub format: FormatArg,
    /// Rate of the latency part.
    pub rate_rows_per_s: u64,
    /// Length of the latency part; 0 leaves it out.
    pub seconds: u32,
    /// Cores that hold state.
    pub shards: usize,
}

/// Replays payments through the fraud pipeline. An interrupted run is no error here: its report
/// says so.
///
/// # Errors
/// When the recording cannot be read or an output cannot be written.
pub fn replay(
    plan: &ReplayPlan,
    progress: NewProgress<'_>,
    stop: &'static AtomicBool,
) -> Result<FraudReport> {
    super::fraud_run::replay(plan, progress, stop)
}

/// Makes a recording of payments.
///
/// # Errors
/// When the file cannot be written, or the user stopped the run (no file is left then).
pub fn generate(
    plan: &GeneratePlan,
    progress: &dyn Progress,
    stop: &'static AtomicBool,
) -> Result<()> {
    let config = PaymentsConfig {
        cards: plan.cards,
        terminals: plan.terminals,
        days: plan.days,
        span_seconds: plan.span_s,
        top_card_millionths: plan.top_card_millionths,
        late_millionths: plan.late_millionths,
        ..PaymentsConfig::new(plan.rows, plan.seed)
    };
    let format = match plan.format {
        FormatArg::Csv => FileFormat::Csv,
        FormatArg::Parquet => FileFormat::Parquet,
        FormatArg::Arrow => FileFormat::Arrow,
        FormatArg::Ndjson => FileFormat::NdJson,
    };
    let mut told = |rows: u64| {
        progress.set(rows, Some(plan.rows), rows);
        !stop.load(Ordering::Relaxed)
    };
    match payments::write(config, format, &plan.out, &mut told) {
        Ok(_) => Ok(()),
        Err(pelton_datasets::Error::Stopped) => Err(Error::interrupted()),
        Err(error) if error.is_config() => Err(Error::usage(error.to_string())),
        Err(error) => Err(Error::run(error.to_string())),
    }
}

/// Measures the fraud pipeline.
///
/// # Errors
/// When the run fails.
pub fn bench(
    plan: &BenchPlan,
    progress: NewProgress<'_>,
    stop: &'static AtomicBool,
) -> Result<BenchReport> {
    super::fraud_bench::bench(plan, progress, stop)
}
