//! What can be typed after `pelton window`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use pelton::time::Span;

use super::{BackendArg, FormatArg, IoArg, parse_count};

/// `pelton window`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("window").required(true))]
#[command(after_help = "\
Examples:
  pelton window --input payments.csv --time ts:us --key card --tumble 60s \\
      --agg 'count,sum(amount),max(amount) as top'
      Each card's payments of each minute, as NDJSON on standard output
  pelton window --input payments.parquet --time ts --key card,country --hop 10m/1m \\
      --agg 'count,p99(amount),distinct(terminal)' --delay 2s --out windows.parquet
  pelton window --input clicks.ndjson --time ts --key user --session 30m/8h \\
      --agg 'count,first(page),last(page),list(page)'
  pelton window --input sensor.csv --time ts:ms --key machine --state 'temperature>80' \\
      --agg 'count,max(temperature)'
  pelton window --input events.parquet --time ts --filter \"kind = 'view'\" \\
      --lookup ads.csv:ad_id --key campaign --tumble 10s --agg count

  pelton window --input payments.csv --time ts:us --key card --over 10m,1d,100rows \\
      --agg 'count,sum(amount)'
      For each payment, its card's payments of the last 10 minutes, day and 100 rows

Aggregates (of the rows in which no argument is null; `distinct` before the column counts equal
values once; `filter (where CONDITION)` behind one counts only those rows; `as name` names it):
  count  count(x)  sum(x)  avg(x)  min(x)  max(x)  median(x)  p99(x)  quantile(x,0.999)
  var(x)  var_pop(x)  stddev(x)  stddev_pop(x)  covar(x,y)  covar_pop(x,y)  corr(x,y)
  first(x)  last(x)  argmin(x,by)  argmax(x,by)  list(x)  ewma(x,30s)  histogram(x,0,100,20)
  distinct(x)  top_k(x,10)  any(x)  all(x)  bit_and(x)  bit_or(x)  bit_xor(x)
  approx_p99(x)  approx_median(x)  approx_quantile(x,0.999)    within 1 % of the value
  approx_distinct(x)                                           standard error 1.6 %
  approx_top_k(x,10)                                           counts with their errors
  own_mean(x)  own_stddev(x)  count_same(x)    with --over: of the others, and of rows like it

With --lateness or --early `change` is insert, update_after, or (--retract) update_before.

Output: window_start, window_end (as the time column has them), the keys, the aggregates in the
order asked for; by (window_end, window_start, where the key was first seen). With --over: the
time, the keys, then for each horizon a column an aggregate, named after both (sum_amount_10m); by
(time, where the row stands), with --at-arrival in the order of the input.")]
pub struct WindowArgs {
    /// The recording; `-` reads standard input. Several are read one after the other
    #[arg(short, long, value_name = "FILE", required = true, num_args = 1..)]
    pub input: Vec<PathBuf>,

    /// Format of the recording [default: told by its ending or its first bytes]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Option<FormatArg>,

    /// The column of event times; of integers with its unit: ts:s, ts:ms, ts:us, ts:ns
    #[arg(short, long, value_name = "COLUMN[:UNIT]")]
    pub time: String,

    /// The key columns; none: one window for all rows
    #[arg(short, long, value_name = "COLUMNS", value_delimiter = ',')]
    pub key: Vec<String>,

    /// What is computed
    #[arg(short, long, value_name = "LIST", required = true)]
    pub agg: String,

    /// Only these rows: comparisons, and, or, not, is null, in (…), between, + - * /
    #[arg(long, value_name = "CONDITION")]
    pub filter: Option<String>,

    /// Add the columns of a table's row to each row with its key (nulls where there is none):
    /// FILE:KEY; `ad=id` where the table calls it id, `KEY as ad` to begin its columns with ad_
    #[arg(long, value_name = "FILE:KEYS", help_heading = "Tables")]
    pub lookup: Vec<String>,

    /// The same; rows that have no match are filtered out
    #[arg(long, value_name = "FILE:KEYS", help_heading = "Tables")]
    pub lookup_inner: Vec<String>,

    /// Windows of this length, one after the other
    #[arg(long, value_name = "SIZE", group = "window", help_heading = "Windows (one of)")]
    pub tumble: Option<String>,

    /// Windows of a length, one starting each slide: 600s/60s
    #[arg(long, value_name = "SIZE/SLIDE", group = "window", help_heading = "Windows (one of)")]
    pub hop: Option<String>,

    /// Windows that grow to a length step by step: 1h/5m
    #[arg(long, value_name = "SIZE/STEP", group = "window", help_heading = "Windows (one of)")]
    pub cumulate: Option<String>,

    /// Rows less than a gap apart, at most so long: 30s, or 30s/1h
    #[arg(long, value_name = "GAP[/MAX]", group = "window", help_heading = "Windows (one of)")]
    pub session: Option<String>,

    /// So many rows, or the last so many each so many: 100, or 100/10
    #[arg(long, value_name = "ROWS[/STEP]", group = "window", help_heading = "Windows (one of)")]
    pub count: Option<String>,

    /// Rows for as long as a condition holds: a boolean column, or column>80 (= != < <= > >=)
    #[arg(long, value_name = "CONDITION", group = "window", help_heading = "Windows (one of)")]
    pub state: Option<String>,

    /// Windows that end at each row: (t - 10m, t], or the last so many rows of the key; a length
    /// that ended earlier as 28d/7d: 10m,1d,28d/7d,100rows
    #[arg(long, value_name = "HORIZONS", value_delimiter = ',', group = "window")]
    #[arg(help_heading = "Windows (one of)")]
    pub over: Vec<String>,

    /// All rows
    #[arg(long, group = "window", help_heading = "Windows (one of)")]
    pub global: bool,

    /// Answer --over when the row arrives, over what has arrived by then: count, sum, avg, stddev,
    /// distinct; nothing waits, and late rows are answered too
    #[arg(long)]
    pub at_arrival: bool,

    /// Shift tumbling, hopping and cumulating windows from the epoch by this
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_span)]
    #[arg(allow_hyphen_values = true)]
    pub offset: Span,

    /// How far out of order rows may be before they are late and set aside
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_span)]
    #[arg(allow_hyphen_values = true)]
    pub delay: Span,

    /// How much later than that a row may still correct windows (all but global ones): they are
    /// given out again, and the column `change` says what a row is
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    #[arg(allow_hyphen_values = true)]
    pub lateness: Option<Span>,

    /// Also give tumbling, hopping or cumulating windows out before they close: at each so many of
    /// their rows (10rows), or each so much event time (10s); `change` says what a row is
    #[arg(long, value_name = "ROWS|TIME")]
    pub early: Option<String>,

    /// Also give out the row that a correction, or a later state, makes untrue, before it
    #[arg(long)]
    pub retract: bool,

    /// Forget a key that has had no row for so long and that no open window holds (within a quarter
    /// of it), so that keys that come and go do not fill the memory [default: never]
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub key_ttl: Option<Span>,

    /// A row whose time is further than this ahead of all before it is rejected; 0: none is
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = parse_span)]
    #[arg(allow_hyphen_values = true)]
    pub ahead_max: Span,

    /// Where the windows go; `-`: standard output, as NDJSON; `blackhole`: counted, checksummed
    /// and forgotten
    #[arg(short, long, value_name = "FILE", default_value = "-", help_heading = "Results")]
    pub out: PathBuf,

    /// Format of the output [default: told by its ending]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Results")]
    pub out_format: Option<FormatArg>,

    /// Also write the rows that came late
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub late: Option<PathBuf>,

    /// Also write the rows that could not be used, as NDJSON, with the reason
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub dead_letters: Option<PathBuf>,

    /// Also write the account of the run, as JSON
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub report: Option<PathBuf>,

    /// Field separator of CSV
    #[arg(long, value_name = "CHAR", help_heading = "CSV")]
    pub delimiter: Option<char>,

    /// Text that means null, besides the empty field
    #[arg(long, value_name = "TEXT", help_heading = "CSV")]
    pub null: Option<String>,

    /// The first record is no header: columns are c0, c1, …
    #[arg(long, help_heading = "CSV")]
    pub no_header: bool,

    /// Stop after so many rows
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub limit: Option<u64>,

    /// Number of cores that hold state [default: all that this process may use]
    #[arg(long, value_name = "N", help_heading = "Machine")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub shards: Option<u16>,

    /// Most bytes of state, of all cores together (k, M and G are understood)
    #[arg(long, value_name = "BYTES", value_parser = parse_count, help_heading = "Machine")]
    pub state_cap: Option<u64>,

    /// What happens at that cap: the run fails and says so, or rows are shed and counted until
    /// windows have closed
    #[arg(long, value_enum, value_name = "POLICY", default_value_t, requires = "state_cap")]
    #[arg(help_heading = "Machine")]
    pub at_cap: AtCapArg,

    /// Largest number of rows in a batch; changes the speed, never the answer
    #[arg(long, value_name = "N", default_value_t = 4096, help_heading = "Machine")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub batch_rows: u32,

    /// How files are read
    #[arg(long, value_enum, value_name = "IO", default_value_t, help_heading = "Machine")]
    pub io: IoArg,

    /// What the kernels run on; the answer is the same
    #[arg(long, value_enum, value_name = "BACKEND", default_value_t, help_heading = "Machine")]
    pub backend: BackendArg,

    /// Say how the windows would be computed, and do nothing
    #[arg(long)]
    pub explain: bool,

    /// No progress and no account: only errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// What happens when state comes to its cap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum AtCapArg {
    /// The run ends with an error
    #[default]
    Fail,
    /// Rows are shed until windows have closed
    Shed,
}

pub(super) fn parse_span(text: &str) -> Result<Span, String> {
    text.parse().map_err(|error: pelton::Error| error.to_string())
}
