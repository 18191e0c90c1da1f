//! From options to plans.

use clap::Parser;
use pelton::ErrorKind;

use super::*;
use crate::args::{Cli, Command, ReplayCommand, Speed};

fn parsed(words: &str) -> Result<(ReplayPlan, Results)> {
    let cli = Cli::try_parse_from(
        ["pelton", "replay", "fraud"].into_iter().chain(words.split_whitespace()),
    );
    match cli.unwrap().command {
        Command::Replay { what: ReplayCommand::Fraud(args) } => plan(&args),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_options_two_million_payments_are_made() {
    let (plan, results) = parsed("").unwrap();
    let path = PathBuf::from("pelton-fraud/payments-2000000-1.parquet");
    let format = FormatArg::Parquet;
    assert_eq!(plan.source, Source::Generated { rows: 2_000_000, seed: 1, format, path });
    assert_eq!((plan.format, plan.delay_us, plan.speed), (None, 2_000_000, Speed::Max));
    assert_eq!(plan.alerts, Path::new("pelton-fraud/alerts.ndjson"));
    assert_eq!(results.page, Path::new("pelton-fraud/report.html"));
}

#[test]
fn the_ending_tells_the_format() {
    for (file, format) in [
        ("a.parquet", Some(FormatArg::Parquet)),
        ("a.CSV.gz", Some(FormatArg::Csv)),
        ("a.ndjson.zst", Some(FormatArg::Ndjson)),
        ("a.arrow", Some(FormatArg::Arrow)),
        ("noending", None),
    ] {
        assert_eq!(parsed(&format!("--input {file}")).unwrap().0.format, format, "{file}");
    }
    assert_eq!(parsed("--input a.csv --format ndjson").unwrap().0.format, Some(FormatArg::Ndjson));
}

#[test]
fn contradictions_are_wrong_usage() {
    for words in [
        "--input - --direct",
        "--input a.csv --alerts a.csv",
        "--alerts x --late x",
        "--report x.html --late x.html",
        "--report y.json --alerts y.html",
    ] {
        assert_eq!(parsed(words).unwrap_err().kind(), ErrorKind::Usage, "{words}");
    }
    assert!(parsed("--alerts /dev/null --late /dev/null").is_ok());
}
