//! `pelton compare`.

use std::path::PathBuf;

use clap::Args;

/// `pelton compare RUN_A RUN_B`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  pelton compare before after
      Two folders of `pelton replay fraud --out`: which alerts come and go
  pelton compare before/alerts.ndjson after/alerts.parquet --out changes.ndjson
      Two files of alerts, every change in a file of its own
  pelton compare before after --json --fail-on-change
      For scripts: exit code 1 where anything differs

Alerts are one and the same where they stand at the same place of the recording (partition and
offset). Both runs must be over the same recording. How many frauds there are in all, recall's
divisor, comes from the report beside the alerts (report.json), or from --labels.

Exit codes: 0 compared, whether or not the runs differ; 1 the comparison failed, or, with
--fail-on-change, the runs differ; 2 wrong usage.")]
pub struct CompareArgs {
    /// Alerts of one run: NDJSON, Parquet or Arrow, or the folder that a replay wrote
    #[arg(value_name = "RUN_A")]
    pub before: PathBuf,

    /// Alerts of the other run
    #[arg(value_name = "RUN_B")]
    pub after: PathBuf,

    /// The recording (or any file with the column is_fraud): frauds in all, for recall
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,

    /// Write every change here, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Changes of a score up to this size do not count
    #[arg(long, value_name = "SIZE", default_value_t = 0.0, value_parser = parse_size)]
    pub score_tolerance: f64,

    /// How many changes of each kind the table shows
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub show: usize,

    /// The comparison as JSON instead of a table
    #[arg(long)]
    pub json: bool,

    /// End with exit code 1 where the runs differ
    #[arg(long)]
    pub fail_on_change: bool,
}

fn parse_size(text: &str) -> Result<f64, String> {
    let size = text.parse::<f64>().ok().filter(|size| size.is_finite() && *size >= 0.0);
    size.ok_or_else(|| format!("{text:?} is no size: expected a number from 0 on, e.g. 1e-9"))
}
