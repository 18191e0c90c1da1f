//! What can be typed: one struct a subcommand, read by clap; the help texts are the doc
//! comments below and the examples after them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod compare;
mod detect;
#[cfg(feature = "gpu")]
mod gpu;
mod model;
mod parse;
mod profile;
mod recommend;
mod rul;
mod score;
mod train;
mod window;

pub use compare::CompareArgs;
pub use detect::DetectArgs;
#[cfg(feature = "gpu")]
pub use gpu::BenchGpuArgs;
pub use model::{ModelArgs, ReasonsArg, Takeover};
pub use parse::{Speed, parse_count, parse_delay_us, parse_millionths};
pub use profile::ProfileArgs;
pub use recommend::{MeasureArg, RecommendArgs};
pub use rul::TrainRulArgs;
pub use score::{ProfileArg, ScoreCommand, ScoreNabArgs, ScoreSkabArgs, ScoreTepArgs};
pub use train::{
    FeatureSetArg, FeaturesArgs, ModelArg, ProtocolArg, TrainCommand, TrainFraudArgs, parse_day,
};
pub use window::{AtCapArg, WindowArgs};

/// Streams of events through windows, rules and models, on one machine.
#[derive(Debug, Parser)]
#[command(name = "pelton", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  pelton replay fraud                      generate 2 M payments, find the frauds, show how well
  pelton replay fraud --input mine.csv     the same for a recording of your own
  pelton window --input mine.csv --time ts:us --key card --tumble 60s --agg 'count,sum(amount)'
                                           what each card did in each minute
  pelton detect --input cpu.csv --time timestamp --value value --html cpu.html
                                           what is strange in a series, with a picture
  pelton generate payments --rows 10M --format parquet --out payments.parquet
  pelton doctor                            what this machine offers

Exit codes: 0 done, 1 the run failed, 2 wrong usage, 130 interrupted.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replay a recording through a ready pipeline
    #[command(arg_required_else_help = true)]
    Replay {
        /// Which pipeline.
        #[command(subcommand)]
        what: ReplayCommand,
    },
    /// Windows of a file's rows: counts, sums, quantiles and more by key
    #[command(arg_required_else_help = true)]
    Window(Box<WindowArgs>),
    /// Train a model from the pipeline's own features, as of each event
    #[command(arg_required_else_help = true)]
    Train {
        /// Which pipeline.
        #[command(subcommand)]
        what: TrainCommand,
    },
    /// Write the fraud pipeline's features of every payment as a table
    #[command(arg_required_else_help = true)]
    Features(Box<FeaturesArgs>),
    /// Compare two runs: which alerts come and go, and how well frauds are found
    #[command(arg_required_else_help = true)]
    Compare(CompareArgs),
    /// Anomalies in a file's rows: scores, flags, alerts that a team can hold, a page
    #[command(arg_required_else_help = true)]
    Detect(Box<DetectArgs>),
    /// What comes again in a recorded series, and what never does: its matrix profile
    #[command(arg_required_else_help = true)]
    Profile(Box<ProfileArgs>),
    /// The items of the greatest dot products, or the nearest, for each query
    #[command(arg_required_else_help = true)]
    Recommend(Box<RecommendArgs>),
    /// Score a detector, or another program's scores, by a benchmark's own procedure
    #[command(arg_required_else_help = true)]
    Score {
        /// Which benchmark.
        #[command(subcommand)]
        what: ScoreCommand,
    },
    /// Make a recording: the same seed gives the same bytes on every machine
    #[command(arg_required_else_help = true)]
    Generate {
        /// Which recording.
        #[command(subcommand)]
        what: GenerateCommand,
    },
    /// Measure a pipeline: throughput at full speed, latency at a set rate
    #[command(arg_required_else_help = true)]
    Bench {
        /// Which pipeline.
        #[command(subcommand)]
        what: BenchCommand,
    },
    /// Say what this machine offers: cores, SIMD, io_uring, memory bandwidth
    Doctor(DoctorArgs),
}

/// Pipelines that can be replayed.
#[derive(Debug, Subcommand)]
pub enum ReplayCommand {
    /// Find frauds among card payments
    Fraud(Box<ReplayFraudArgs>),
}

/// Recordings that can be made.
#[derive(Debug, Subcommand)]
pub enum GenerateCommand {
    /// Card payments with labelled frauds of five kinds
    Payments(GeneratePaymentsArgs),
}

/// Pipelines that can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// The fraud pipeline
    Fraud(BenchFraudArgs),
    /// Windows over columns in memory
    Window(BenchWindowArgs),
    /// How windows grow with keys, slides, disorder, aggregates and shards
    Growth(BenchGrowthArgs),
    /// A GPU against one core, kernel by kernel
    #[cfg(feature = "gpu")]
    Gpu(BenchGpuArgs),
}

/// The formats of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// Comma-separated values (RFC 4180) with a header
    Csv,
    /// Apache Parquet
    Parquet,
    /// Arrow IPC, file or stream
    Arrow,
    /// One JSON object a line
    #[value(alias = "jsonl")]
    Ndjson,
}

impl FormatArg {
    /// The name, which is also the usual file ending.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Ndjson => "ndjson",
        }
    }
}

/// How files are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum IoArg {
    /// io_uring where the machine allows it, plain reads elsewhere
    #[default]
    Auto,
    /// io_uring, or fail
    Uring,
    /// Plain reads
    Plain,
}

/// What the kernels run on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum BackendArg {
    /// The best that this machine has
    #[default]
    Auto,
    /// One value at a time: slow, and the definition of the right answer
    Scalar,
    /// The widest vectors of this CPU
    Simd,
    /// What has a pass on the GPU that PELTON_GPU names, the rest as simd
    #[cfg(feature = "gpu")]
    Gpu,
}

/// `pelton replay fraud`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton replay fraud
      Generate 2 M payments and replay them at full speed; open pelton-fraud/report.html
  pelton replay fraud --input payments.parquet --out august --shards 4
      Replay a recording on four cores
  zstdcat payments.csv.zst | pelton replay fraud --input - --format csv
      Read standard input (files ending in .gz and .zst are unpacked anyway)
  pelton replay fraud --input payments.csv --speed 60x --limit 100k
      An hour of the recording a minute, the first 100,000 rows
  pelton replay fraud --input payments.csv --model new.txt --challenger newer.json
      Decide by a model trained elsewhere, and see what another would have said

The columns of a recording: ts (µs since 1970, or ISO 8601), card, terminal, amount, and where
there are any country, lat, lon (degrees), is_fraud, fraud_kind. Signals whose columns are
missing are left out and named in the report.")]
pub struct ReplayFraudArgs {
    /// The recording; `-` reads standard input [default: payments made from --rows and --seed]
    #[arg(short, long, value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Format of the recording [default: told by its ending or its first bytes]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Option<FormatArg>,

    /// Directory of the results
    #[arg(short, long, value_name = "DIR", default_value = "pelton-fraud")]
    pub out: PathBuf,

    /// The alerts, as NDJSON [default: DIR/alerts.ndjson]
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub alerts: Option<PathBuf>,

    /// The report as JSON; the page goes beside it as .html [default: DIR/report.json]
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub report: Option<PathBuf>,

    /// Also write the rows that came late, as NDJSON
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub late: Option<PathBuf>,

    /// Also write the rows that could not be used, as NDJSON, with the reason
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub dead_letters: Option<PathBuf>,

    /// Rows of the recording that is made where there is no --input (k, M and G are understood)
    #[arg(long, value_name = "N", default_value = "2M", value_parser = parse_count)]
    #[arg(conflicts_with = "input", help_heading = "Recording")]
    pub rows: u64,

    /// Seed of that recording
    #[arg(long, value_name = "S", default_value_t = 1)]
    #[arg(conflicts_with = "input", help_heading = "Recording")]
    pub seed: u64,

    /// Stop after so many rows
    #[arg(long, value_name = "N", value_parser = parse_count, help_heading = "Recording")]
    pub limit: Option<u64>,

    /// max, or a multiple of the recording's own speed (1x, 60x, 0.5x)
    #[arg(long, value_name = "SPEED", default_value = "max", help_heading = "Recording")]
    pub speed: Speed,

    /// How far out of order rows may be before they count as late (2s, 500ms, 1m)
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_delay_us)]
    #[arg(help_heading = "Recording")]
    pub delay: i64,

    /// Which models score.
    #[command(flatten)]
    pub models: ModelArgs,

    /// Number of cores that hold state [default: all that this process may use]
    #[arg(long, value_name = "N", help_heading = "Machine")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub shards: Option<u16>,

    /// Largest number of rows in a batch; changes the speed, never the answer
    #[arg(long, value_name = "N", default_value_t = 4096, help_heading = "Machine")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub batch_rows: u32,

    /// How files are read
    #[arg(long, value_enum, value_name = "IO", default_value_t, help_heading = "Machine")]
    pub io: IoArg,

    /// Read around the page cache (O_DIRECT)
    #[arg(long, help_heading = "Machine")]
    pub direct: bool,

    /// What the kernels run on
    #[arg(long, value_enum, value_name = "BACKEND", default_value_t, help_heading = "Machine")]
    pub backend: BackendArg,

    /// Say how rows would be decided, and where the kernels run, and do nothing
    #[arg(long)]
    pub explain: bool,

    /// No progress and no table: only errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// `pelton generate payments`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton generate payments --rows 10M --format parquet --out payments.parquet
  pelton generate payments --rows 1k --seed 7 --out sample.csv

The same options give the same bytes on every machine. Columns: ts (µs), card, terminal, amount,
country, lat, lon (degrees), is_fraud, fraud_kind.")]
pub struct GeneratePaymentsArgs {
    /// Number of payments (k, M and G are understood)
    #[arg(long, value_name = "N", default_value = "2M", value_parser = parse_count)]
    pub rows: u64,

    /// Another seed, another recording
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,

    /// Format [default: by the ending of --out, otherwise csv]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Option<FormatArg>,

    /// Where to write it
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,

    /// Number of cards [default: by the number of rows]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub cards: Option<u64>,

    /// Number of terminals [default: by the number of cards]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub terminals: Option<u64>,

    /// Days that the recording spans [default: 60 or more]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: Option<u32>,

    /// Length of a short, dense recording instead, e.g. 11h: for measuring windows; frauds that
    /// last for days are left out where they do not fit
    #[arg(long, value_name = "D", value_parser = parse_delay_us, conflicts_with = "days")]
    pub span: Option<i64>,

    /// Share of the payments that the busiest card makes, e.g. 0.005: cards go by Zipf's law then;
    /// for measuring windows with hot keys [default: a spread in which none stands out]
    #[arg(long, value_name = "SHARE", value_parser = parse_millionths)]
    pub top_card_share: Option<u32>,

    /// Share of the payments that arrive more than 2 s after their time; with 0, none is late for
    /// `--delay 2s` [default: 0.0005]
    #[arg(long, value_name = "SHARE", value_parser = parse_millionths)]
    pub late_share: Option<u32>,

    /// No progress: only errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// `pelton bench fraud`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton bench fraud --rows 10M --format arrow --shards 1
  pelton bench fraud --rate 100k --seconds 30 --json bench.json

First the whole recording at full speed (rows/s, bytes of state a row), then payments that are due at
a fixed rate: latency counts from the moment a payment was due, not from when it was sent, so
that a stall is seen by every payment that it delayed.")]
pub struct BenchFraudArgs {
    /// Rows of the recording (k, M and G are understood)
    #[arg(long, value_name = "N", default_value = "2M", value_parser = parse_count)]
    pub rows: u64,

    /// Measure this recording instead of a generated one
    #[arg(short, long, value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Largest number of rows in a batch
    #[arg(long, value_name = "N", default_value_t = 4096)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub batch_rows: u32,

    /// Compute every feature that the pipeline declares, not only those that decisions read
    #[arg(long)]
    pub every_feature: bool,

    /// Format of the recording
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "csv")]
    pub format: FormatArg,

    /// Payments a second in the latency part
    #[arg(long, value_name = "R", default_value = "100k", value_parser = parse_count)]
    pub rate: u64,

    /// Seconds that the latency part takes; 0 leaves it out
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub seconds: u32,

    /// Number of cores that hold state [default: all that this process may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub shards: Option<u16>,

    /// Also write the figures here, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// No progress: only the figures
    #[arg(short, long)]
    pub quiet: bool,
}

/// `pelton bench window`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton bench window
  pelton bench window --case sliding --rounds 5 --json windows.json

One core, columns already in memory; every answer is held against a plain computation. Pin the
process (taskset -c 1) for steady figures.")]
pub struct BenchWindowArgs {
    /// One case only: ysb, sliding, sliding-integers, distinct or global
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,

    /// Rows of the recording (k, M and G are understood) [default: by the case]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub rows: Option<u64>,

    /// How often each case is run; the fastest counts
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub rounds: u32,

    /// Also write the figures here, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `pelton bench growth`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton bench growth
  pelton bench growth --rows 8M --json growth.json --svg growth.svg

Five curves over columns in memory, one parameter at a time; the number of rows given out is held
against its definition at each point. This is the command of the plot in docs/BENCHMARKS.md.")]
pub struct BenchGrowthArgs {
    /// Rows a point (k, M and G are understood)
    #[arg(long, value_name = "N", default_value = "4M", value_parser = parse_count)]
    pub rows: u64,

    /// How often each point is run; the fastest counts
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub rounds: u32,

    /// Also write the figures here, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Also write the curves here, as a picture
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// No progress: only the figures
    #[arg(short, long)]
    pub quiet: bool,
}

/// `pelton doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Measuring takes about two seconds and up to 512 MiB of memory. Measure on a quiet machine.")]
pub struct DoctorArgs {
    /// JSON instead of text
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests;
