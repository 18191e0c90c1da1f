//! What can be typed after `pelton score`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Benchmarks that detectors can be scored on.
#[derive(Debug, Subcommand)]
pub enum ScoreCommand {
    /// The Numenta Anomaly Benchmark
    #[command(arg_required_else_help = true)]
    Nab(ScoreNabArgs),
    /// The Skoltech Anomaly Benchmark: a water loop
    #[command(arg_required_else_help = true)]
    Skab(ScoreSkabArgs),
    /// The Tennessee Eastman process: a chemical plant and its faults
    #[command(arg_required_else_help = true)]
    Tep(ScoreTepArgs),
}

/// What a detection and a mistake count for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ProfileArg {
    /// The benchmark's standard weights
    #[default]
    Standard,
    /// False alarms cost twice as much
    LowFp,
    /// Missed windows cost twice as much
    LowFn,
}

/// `pelton score nab`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton score nab --data NAB
      What detect's default would score, and with thresholds that other files chose
  pelton score nab --data NAB --detector ewma --write ewma-scores
  pelton score nab --data NAB --scores ewma-scores
      Scores of another program: a CSV a series, with a column anomaly_score (or score)
  pelton score nab --data NAB --scores published_scores.parquet --json
      A table: file, row, and a column of scores a detector

DIR is laid out as NAB's repository: data/CATEGORY/FILE.csv (timestamp, value) and
labels/combined_windows.json. Labels of files that are not there are left out. NAB chooses one
threshold on the files that it judges; the lines below the score are what a threshold chosen on
other files gives.")]
pub struct ScoreNabArgs {
    /// Directory of the benchmark: data/ and labels/combined_windows.json
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,

    /// The detector; with a table of --scores the column [default: auto; all columns]
    #[arg(long, value_name = "NAME")]
    pub detector: Option<String>,

    /// Score these instead: a directory of CSV files, or a table (CSV or Parquet)
    #[arg(long, value_name = "PATH")]
    pub scores: Option<PathBuf>,

    /// Also write the scores of each row here, a CSV a series
    #[arg(long, value_name = "DIR", conflicts_with = "scores")]
    pub write: Option<PathBuf>,

    /// What counts how much, where the threshold comes from other files
    #[arg(long, value_enum, value_name = "PROFILE", default_value_t)]
    pub profile: ProfileArg,

    /// JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// `pelton score skab`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton score skab --data SKAB/data
  pelton score skab --data skab.parquet --detector pca --json

A file holds sensors and the columns anomaly and changepoint, and, where it holds several
experiments, file; a directory is read with the folders in it, files without labels left out. The
first 400 rows of each experiment only train. \"Always anomalous\" has an F1 of about 0.7: look at
the two rates beside it.")]
pub struct ScoreSkabArgs {
    /// The benchmark: a directory of CSV files, or one table (CSV or Parquet)
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,

    /// The detector, of several values
    #[arg(long, value_name = "NAME", default_value = "mahalanobis")]
    pub detector: String,

    /// Rows at the start of each experiment that train and are not judged
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub train: usize,

    /// Judge these flags instead: a directory of CSV files with a column flag
    #[arg(long, value_name = "DIR")]
    pub scores: Option<PathBuf>,

    /// Also write score and flag of each row here, a CSV an experiment
    #[arg(long, value_name = "DIR", conflicts_with = "scores")]
    pub write: Option<PathBuf>,

    /// JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// `pelton score tep`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton score tep --data tennessee_eastman.parquet
  pelton score tep --data tennessee_eastman.parquet --detector mahalanobis --json

The table holds 52 variables and the column file: d00 trains, d00_te is normal, dNN_te has fault NN
from row 161 on.")]
pub struct ScoreTepArgs {
    /// The table (CSV or Parquet)
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,

    /// The detector, of several values
    #[arg(long, value_name = "NAME", default_value = "pca")]
    pub detector: String,

    /// JSON instead of text
    #[arg(long)]
    pub json: bool,
}
