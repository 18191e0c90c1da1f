//! Options of `pelton profile`.

use std::path::PathBuf;

use clap::Args;

use super::{BackendArg, FormatArg};

/// `pelton profile`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton profile --input ecg.csv --value mv --window 250 --top 5 --html ecg.html
  pelton profile --input power.parquet --time ts --value kw --window 96 --out profile.parquet
  pelton profile --input long.parquet --value x --window 200 --backend gpu --report run.json

The matrix profile of a series: for each window of so many values the other window most like it,
both brought to mean 0 and deviation 1. The nearest pairs are motifs (a shape that comes again),
the farthest windows discords (a shape that never does). Rows are taken in their order; a missing
value takes the windows that hold it out. Time grows with the square of the rows: on one core some
seconds for 50,000 of them. On a GPU (only where --backend gpu asks for it) the nearest window is
found in f32, so of two that are equally near to six digits or so either may be named.

Output (--out): a row for each window: its number, where it begins (the time, with --time), the
nearest and where that begins, the distance.")]
pub struct ProfileArgs {
    /// The recording; `-` reads standard input, of text with --format
    #[arg(short, long, value_name = "FILE")]
    pub input: PathBuf,

    /// Format of the recording [default: told by its ending]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Option<FormatArg>,

    /// The column of values
    #[arg(short, long, value_name = "COLUMN")]
    pub value: String,

    /// A column that says where a row stands; shown beside row numbers
    #[arg(short, long, value_name = "COLUMN")]
    pub time: Option<String>,

    /// Values of a window
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub window: u32,

    /// Windows that begin less than so many values apart are not compared [default: a quarter of
    /// the window]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub exclusion: Option<u32>,

    /// Motifs and discords that are shown
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub top: u32,

    /// Also write the whole profile
    #[arg(short, long, value_name = "FILE", help_heading = "Results")]
    pub out: Option<PathBuf>,

    /// Format of the output [default: told by its ending]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Results")]
    pub out_format: Option<FormatArg>,

    /// Also write a page with the series, its motifs and discords
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub html: Option<PathBuf>,

    /// Also write the account of the run, with motifs and discords, as JSON
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub report: Option<PathBuf>,

    /// Field separator of CSV
    #[arg(long, value_name = "CHAR")]
    pub delimiter: Option<char>,

    /// What the kernels run on
    #[arg(long, value_enum, value_name = "BACKEND", default_value_t)]
    pub backend: BackendArg,

    /// No table: only errors
    #[arg(short, long)]
    pub quiet: bool,
}
