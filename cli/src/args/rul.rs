//! What can be typed after `pelton train rul`.

use std::path::PathBuf;

use clap::Args;

/// `pelton train rul`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton train rul --data CMAPSSData
      How well remaining life is told on FD001 and FD003: cross-validated over the training
      engines, then on the test engines
  pelton train rul --data CMAPSSData --out rul.txt
      The models as well (rul.FD001.txt, rul.FD003.txt), the figures (rul.metrics.json), the
      plots (rul.html)
  pelton train rul --data CMAPSSData --subset FD001 --leaves 8 --folds 10
      Compare choices by the training engines

DIR holds NASA's files as they are published (train_FD001.txt, test_FD001.txt, RUL_FD001.txt, ...),
or the same rows as Parquet. The test engines' answers are read when everything is fitted, and
decide nothing.")]
pub struct TrainRulArgs {
    /// The folder of the C-MAPSS files
    #[arg(short, long, value_name = "DIR")]
    pub data: PathBuf,

    /// Subsets, each with a model of its own [default: those of FD001 and FD003 that are there]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub subset: Vec<String>,

    /// The models; the subset's name is put before the ending [default: none is written]
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// The figures, as JSON [default: beside the models, .metrics.json]
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub metrics: Option<PathBuf>,

    /// The plots, a page [default: beside the models, .html]
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub report: Option<PathBuf>,

    /// Parts that the training engines are cut into: each is estimated by a model of the others;
    /// 0: none
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Evaluation")]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=100))]
    pub folds: u32,

    /// Longest remaining life to learn, in cycles: before that an engine shows nothing
    #[arg(long, value_name = "CYCLES", default_value_t = 130.0, help_heading = "Model")]
    pub cap: f64,

    /// Trees of a model
    #[arg(long, value_name = "N", default_value_t = 300, help_heading = "Model")]
    pub rounds: usize,

    /// Most leaves of a tree
    #[arg(long, value_name = "N", default_value_t = 16, help_heading = "Model")]
    pub leaves: usize,

    /// What each tree counts
    #[arg(long, value_name = "X", default_value_t = 0.05, help_heading = "Model")]
    pub learning_rate: f64,

    /// Penalty on leaves
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
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Model")]
    pub models: usize,

    /// Seed of the sampling and of the folds: the same seed, the same bytes
    #[arg(long, value_name = "S", default_value_t = 1, help_heading = "Model")]
    pub seed: u64,

    /// Cores to use; nothing depends on it [default: all that this process may use]
    #[arg(long, value_name = "N", help_heading = "Machine")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// No progress and no table: only errors
    #[arg(short, long)]
    pub quiet: bool,
}
