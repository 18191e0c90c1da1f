//! What can be typed after `pelton train` and `pelton features`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{FormatArg, parse_count, parse_delay_us};

/// Pipelines that can be trained.
#[derive(Debug, Subcommand)]
pub enum TrainCommand {
    /// Train a model that finds frauds among card payments
    Fraud(Box<TrainFraudArgs>),
    /// Train models that tell the remaining life of engines (NASA's C-MAPSS)
    Rul(Box<super::TrainRulArgs>),
}

/// Kinds of model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ModelArg {
    /// Gradient-boosted trees
    #[default]
    Gbt,
    /// Logistic regression
    Logistic,
}

/// Published protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProtocolArg {
    /// The Fraud Detection Handbook's: train week from 2018-07-25, test week from 2018-08-08
    Handbook,
}

/// `pelton train fraud`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton train fraud --input payments.parquet --out model.txt
      Boosted trees from all payments whose labels have come; how good such models were, week by
      week, in model.metrics.json and model.html
  pelton train fraud --input payments.parquet --model logistic --out weights.json
      Logistic regression; then: pelton replay fraud --weights weights.json
  pelton train fraud --input handbook_transactions.parquet --protocol handbook
      The figures of the Fraud Detection Handbook's test week
  pelton train fraud --input payments.parquet --until 2018-08-01 --folds 8 --leaves 16
      Compare choices on weeks before a date

A label is known 7 days after its payment. Each fold trains on what was known when its test week
began; cards with frauds that were known by then are left out of the test. Model files: LightGBM's
text, or its JSON where --out ends in .json; weights of a logistic regression are JSON.")]
pub struct TrainFraudArgs {
    /// The recording: the columns of `pelton replay fraud`, with labels
    #[arg(short, long, value_name = "FILE")]
    pub input: PathBuf,

    /// Format of the recording [default: told by its ending or its first bytes]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Option<FormatArg>,

    /// The column of labels, true for frauds
    #[arg(long, value_name = "COLUMN", default_value = "is_fraud")]
    pub label: String,

    /// Kind of model
    #[arg(short, long, value_enum, value_name = "KIND", default_value_t)]
    pub model: ModelArg,

    /// The model [default: none is written]
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// The figures, as JSON [default: beside the model, .metrics.json]
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub metrics: Option<PathBuf>,

    /// The plots, a page [default: beside the model, .html]
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub report: Option<PathBuf>,

    /// A published protocol instead of the recording's last weeks
    #[arg(long, value_enum, value_name = "NAME", help_heading = "Evaluation")]
    #[arg(conflicts_with_all = ["until", "folds", "train_days"])]
    pub protocol: Option<ProtocolArg>,

    /// Weeks to test on, one after the other, each with a model of its own
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Evaluation")]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=520))]
    pub folds: u32,

    /// Days that a model learns from [default: all that are known]
    #[arg(long, value_name = "N", help_heading = "Evaluation")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub train_days: Option<u32>,

    /// Days at the start of the recording that are not learned from: windows fill
    #[arg(long, value_name = "N", default_value_t = 30, help_heading = "Evaluation")]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub warm_up: u32,

    /// Nothing from this day on is looked at (YYYY-MM-DD, UTC)
    #[arg(long, value_name = "DATE", value_parser = parse_day, help_heading = "Evaluation")]
    pub until: Option<i64>,

    /// Features to learn from, by name [default: see docs/TRAINING.md]
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "Model")]
    pub features: Vec<String>,

    /// Trees of a model
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Model")]
    pub rounds: usize,

    /// Most leaves of a tree
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = "Model")]
    pub leaves: usize,

    /// What each tree counts
    #[arg(long, value_name = "X", default_value_t = 0.05, help_heading = "Model")]
    pub learning_rate: f64,

    /// Penalty on leaves, or on weights
    #[arg(long, value_name = "X", default_value_t = 10.0, help_heading = "Model")]
    pub l2: f64,

    /// Fewest rows of a leaf
    #[arg(long, value_name = "N", default_value_t = 50, help_heading = "Model")]
    pub min_rows: usize,

    /// Share of the rows that a tree sees
    #[arg(long, value_name = "X", default_value_t = 0.5, help_heading = "Model")]
    pub row_share: f64,

    /// Share of the features that a tree may use
    #[arg(long, value_name = "X", default_value_t = 0.6, help_heading = "Model")]
    pub feature_share: f64,

    /// Models of other seeds that are averaged
    #[arg(long, value_name = "N", default_value_t = 4, help_heading = "Model")]
    pub models: usize,

    /// Stop after so many trees that help the last tenth of the rows no more
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub patience: Option<usize>,

    /// Seed of the sampling: the same seed, the same bytes
    #[arg(long, value_name = "S", default_value_t = 1, help_heading = "Model")]
    pub seed: u64,

    /// Share of frauds among the alerts at the threshold that is proposed
    #[arg(long, value_name = "X", default_value_t = 0.65, help_heading = "Model")]
    pub precision: f64,

    /// Cores to use; the model does not depend on it [default: all that this process may use]
    #[arg(long, value_name = "N", help_heading = "Machine")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// No progress and no table: only errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// `pelton features`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton features --input payments.csv --out features.parquet
  pelton features --input payments.parquet --out features.arrow --set training
  pelton features --input payments.parquet --out f.csv --columns ts,card,card_count_1d,is_fraud

A row a payment, in the order of the recording: its columns, then what the pipeline knew when it
arrived. Names, types and units: docs/TRAINING.md.")]
pub struct FeaturesArgs {
    /// The recording; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub input: PathBuf,

    /// Format of the recording [default: told by its ending or its first bytes]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Option<FormatArg>,

    /// The table; its ending says the format: .parquet, .arrow, .csv or .ndjson
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,

    /// Which features
    #[arg(long, value_enum, value_name = "SET", default_value_t)]
    pub set: FeatureSetArg,

    /// Only these columns, in this order [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub columns: Vec<String>,

    /// How far out of order rows may be before they count as late
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_delay_us)]
    pub delay: i64,

    /// Stop after so many rows
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub limit: Option<u64>,

    /// Number of cores that hold state [default: all that this process may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub shards: Option<u16>,

    /// No progress: only errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// Sets of features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FeatureSetArg {
    /// Those that the rules and the shipped weights read
    #[default]
    Decisions,
    /// Those and the ones that `pelton train fraud` can use
    Training,
}

/// A day as YYYY-MM-DD, in days since 1970-01-01.
///
/// # Errors
/// When the text is no such date.
pub fn parse_day(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no date: expected YYYY-MM-DD, e.g. 2018-08-08");
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return Err(wrong()) };
    let number = |part: &str, digits: usize| -> Result<i64, String> {
        let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| plain).ok_or_else(wrong)
    };
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    // Years begin in March, so that the leap day is the last of its year.
    let (year_from_march, month_from_march) =
        if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year_from_march.div_euclid(400), year_from_march.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    // What does not come back (the 31st of April) is no date.
    let back = crate::report::format::Utc::from_micros(days * 86_400_000_000).date();
    if back == text { Ok(days) } else { Err(wrong()) }
}
