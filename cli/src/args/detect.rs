//! What can be typed after `pelton detect`.

use std::path::PathBuf;

use clap::Args;
use pelton::score::alert::Group;
use pelton::time::Span;

use super::window::parse_span;
use super::{FormatArg, IoArg, parse_count};

/// `pelton detect`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pelton detect --input cpu.csv --time timestamp --value value --html cpu.html
      Each row with its score, as NDJSON on standard output; a page with the series and alerts
  pelton detect --input plant.parquet --time ts --value pressure,flow,temperature --key pump \\
      --detector mahalanobis --budget 5/d --out scored.parquet --alerts alerts.ndjson
      At most five alerts a day for all pumps, the strangest; why, in alerts.ndjson
  pelton detect --input meters.csv.gz --time ts:s --value kwh --key meter --label fault \\
      --hysteresis 6,3 --group 2h --cooldown 1d --out blackhole
      How well: precision, recall, false and missed alarms

Detectors: auto (needs no parameter), novelty, windowed-gaussian, ewma, holt-winters, hampel, cusum,
  page-hinkley, spot, dspot, control-chart, signal, change-point (one value); auto,
  half-space-trees, cut-forest, isolation-forest, nearest, mahalanobis, pca (several)

Output: the input's columns, then score (larger is stranger), probability (of a score at least as
large), flag, warming_up, contribution_COLUMN (several values, where the detector can tell), alert
(this row raises one), incident (its number); by (time, where the row stands). A null or NaN is a
missing observation: no score.

An alert: what is flagged, or scores at least --level, opens an incident of its key; rows that are
near (--group) belong to it, and it alerts once, if cool-down and budget allow. A budget of 5/d
never lets more than 5 through in a day, and learns from the seven days before which score leaves
so few.")]
pub struct DetectArgs {
    /// The recording; `-` reads standard input. Several are read one after the other
    #[arg(short, long, value_name = "FILE", required = true, num_args = 1..)]
    pub input: Vec<PathBuf>,

    /// Format of the recording [default: told by its ending or its first bytes]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Option<FormatArg>,

    /// The column of event times; of integers with its unit: ts:s, ts:ms, ts:us, ts:ns
    #[arg(short, long, value_name = "COLUMN[:UNIT]")]
    pub time: String,

    /// The columns that are watched: numbers
    #[arg(short, long, value_name = "COLUMNS", value_delimiter = ',', required = true)]
    pub value: Vec<String>,

    /// The key columns, each key a series of its own; none: all rows are one series
    #[arg(short, long, value_name = "COLUMNS", value_delimiter = ',')]
    pub key: Vec<String>,

    /// The detector
    #[arg(short, long, value_name = "NAME", default_value = "auto")]
    pub detector: String,

    /// The column that says which rows are anomalies (true, 1): how well the detector does
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,

    /// Also tell the detector the labels: of a row when it has been scored, or so much event time
    /// later, as an investigator would. Only detectors that have a use for labels take them
    #[arg(long, value_name = "DELAY", value_parser = parse_ahead, requires = "label")]
    #[arg(num_args = 0..=1, default_missing_value = "0")]
    pub label_feedback: Option<Span>,

    /// Begin the names of the columns that are added with this and `_`
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub name: String,

    /// How far out of order rows may be before they are late and set aside
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_span)]
    #[arg(allow_hyphen_values = true)]
    pub delay: Span,

    /// A row whose time is further than this ahead of all before it is rejected; 0: none is
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = parse_ahead)]
    pub ahead_max: Span,

    /// A score of at least this is alerted, whatever the detector flags
    #[arg(long, value_name = "SCORE", help_heading = "Alerts", conflicts_with = "hysteresis")]
    pub level: Option<f64>,

    /// An incident begins at a score of HIGH and goes on while scores are at least LOW
    #[arg(long, value_name = "HIGH,LOW", value_parser = parse_hysteresis, help_heading = "Alerts")]
    pub hysteresis: Option<(f64, f64)>,

    /// At most so many alerts in each period, of all keys together: 5/d, 20/12h
    #[arg(long, value_name = "N/PERIOD", value_parser = parse_budget, help_heading = "Alerts")]
    pub budget: Option<(u32, Span)>,

    /// Rows of a key at most so many rows, or less than so much time, apart are one incident
    #[arg(long, value_name = "ROWS|TIME", default_value = "100rows", value_parser = parse_group)]
    #[arg(help_heading = "Alerts")]
    pub group: Group,

    /// A key alerts at most once in this time
    #[arg(long, value_name = "TIME", value_parser = parse_span, help_heading = "Alerts")]
    pub cooldown: Option<Span>,

    /// Where the rows go; `-`: standard output, as NDJSON; `blackhole`: counted, checksummed and
    /// forgotten
    #[arg(short, long, value_name = "FILE", default_value = "-", help_heading = "Results")]
    pub out: PathBuf,

    /// Format of the output [default: told by its ending]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Results")]
    pub out_format: Option<FormatArg>,

    /// Also write the alerts, as NDJSON: when, how strange, why
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub alerts: Option<PathBuf>,

    /// Also write a page with the series, its anomalies, alerts and labels
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub html: Option<PathBuf>,

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

    /// Largest number of rows in a batch; changes the speed, never the answer
    #[arg(long, value_name = "N", default_value_t = 4096, help_heading = "Machine")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub batch_rows: u32,

    /// How files are read
    #[arg(long, value_enum, value_name = "IO", default_value_t, help_heading = "Machine")]
    pub io: IoArg,

    /// Say how the rows would be scored, and do nothing
    #[arg(long)]
    pub explain: bool,

    /// No progress and no account: only errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// A span, or 0.
fn parse_ahead(text: &str) -> Result<Span, String> {
    if text == "0" { Ok(Span::ZERO) } else { parse_span(text) }
}

fn parse_hysteresis(text: &str) -> Result<(f64, f64), String> {
    let parts = text.split_once(',').map(|(high, low)| (high.trim().parse(), low.trim().parse()));
    match parts {
        Some((Ok(high), Ok(low))) => Ok((high, low)),
        _ => Err("expected two scores, the higher first: 6,3".to_owned()),
    }
}

fn parse_budget(text: &str) -> Result<(u32, Span), String> {
    let wrong = || format!("{text:?} is no budget: expected alerts in a period, 5/d or 20/12h");
    let (alerts, period) = text.split_once('/').ok_or_else(wrong)?;
    let alerts = alerts.trim().parse().map_err(|_| wrong())?;
    let period = match period.trim() {
        "day" => "1d".to_owned(),
        "hour" => "1h".to_owned(),
        "week" => "7d".to_owned(),
        period if period.starts_with(|c: char| c.is_ascii_digit()) => period.to_owned(),
        period => format!("1{period}"),
    };
    Ok((alerts, period.parse().map_err(|_| wrong())?))
}

fn parse_group(text: &str) -> Result<Group, String> {
    match text.strip_suffix("rows") {
        Some(rows) => Ok(Group::Rows(parse_count(rows.trim())?)),
        None => Ok(Group::Time(parse_span(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use pelton::time::{days, hours};

    use super::*;

    #[test]
    fn budgets_groups_and_levels_are_read() {
        assert_eq!(parse_budget("5/d"), Ok((5, days(1))));
        assert_eq!(parse_budget("5/day"), Ok((5, days(1))));
        assert_eq!(parse_budget("20/12h"), Ok((20, hours(12))));
        assert_eq!(parse_group("100rows"), Ok(Group::Rows(100)));
        assert_eq!(parse_group("2h"), Ok(Group::Time(hours(2))));
        assert_eq!(parse_hysteresis("6, 2.5"), Ok((6.0, 2.5)));
        for text in ["5", "/d", "x/d", "5/", "5/fortnight", "-1/d"] {
            assert!(parse_budget(text).is_err(), "{text}");
        }
        assert!(parse_group("rows").is_err() && parse_group("100").is_err());
        assert!(parse_hysteresis("6").is_err());
    }
}
