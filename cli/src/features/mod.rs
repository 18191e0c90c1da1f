//! `pelton features`: what the fraud pipeline knew of every payment when it arrived, as a table.

use std::path::Path;
use std::sync::atomic::Ordering;

use pelton::pipeline::{File, Options, Progress as Standing, Summary};
use pelton::source::SourceOptions;
use pelton::time::micros;
use pelton::{Error, Result};
use pelton_pipelines::fraud::{self, FeatureSet};

use crate::args::{FeatureSetArg, FeaturesArgs};
use crate::progress::Progress;
use crate::replay::fraud_run::text;
use crate::replay::input::{self, Input};
use crate::replay::{all_cores, by_ending, format, same_file};
use crate::report::format::thousands;
use crate::{interrupt, progress, terminal};

const BATCH_ROWS: usize = 4096;

/// Writes the table, and says what was written.
///
/// # Errors
/// When the recording cannot be read, a column does not exist, the table cannot be written, or
/// the user stopped the run (no file is left then).
pub fn run(args: &FeaturesArgs) -> Result<()> {
    let Some(to) = by_ending(&args.out) else {
        let what = format!("{}: this ending says no format", args.out.display());
        return Err(Error::usage(what).advise("end it in .parquet, .arrow, .csv or .ndjson"));
    };
    if same_file(&args.input, &args.out) {
        return Err(Error::usage("--input and --out are the same file"));
    }
    let stop = interrupt::install()?;
    let shown = progress::new("features", args.quiet);
    let summary = write(args, File::of(format(to), text(&args.out)?), shown, move || {
        stop.load(Ordering::Relaxed)
    })?;
    if summary.interrupted {
        return Err(Error::interrupted());
    }
    if args.quiet {
        return Ok(());
    }
    let rejected = match summary.rows_rejected {
        0 => String::new(),
        rows => format!(", {} rejected", thousands(rows)),
    };
    let rows = thousands(summary.rows_out);
    terminal::print(&format!("{}: {rows} payments{rejected}\n", args.out.display()))
}

fn write(
    args: &FeaturesArgs,
    out: File,
    shown: Box<dyn Progress>,
    stop: impl Fn() -> bool + Send + 'static,
) -> Result<Summary> {
    let path = match args.input.as_path() {
        path if path == Path::new("-") => "-".to_owned(),
        path => text(path)?,
    };
    let from = args.format.or_else(|| by_ending(&args.input));
    let input = Input::open(&path, from, SourceOptions::default(), BATCH_ROWS)?;
    let schema = input.schema();
    let (pipeline, rows) = input.into_pipeline();
    let set = match args.set {
        FeatureSetArg::Decisions => FeatureSet::Decisions,
        FeatureSetArg::Training => FeatureSet::Training,
    };
    let pipeline = fraud::features_of(set, pipeline, &schema, micros(args.delay)).pipeline;
    let columns = match args.columns.is_empty() {
        true => fraud::kept_columns(pipeline.schema()?.as_ref()),
        false => args.columns.clone(),
    };
    let pipeline = pipeline.select(columns.iter().map(String::as_str)).write(out);
    let limit = args.limit;
    let options = Options {
        shards: args.shards.map_or_else(all_cores, usize::from),
        batch_rows: BATCH_ROWS,
        limit,
        stop: Some(Box::new(stop)),
        observer: Some(Box::new(move |standing: &Standing| {
            let (done, total) = match limit {
                Some(limit) => (standing.rows_in, Some(limit)),
                None => (standing.bytes_read, standing.bytes_total),
            };
            shown.set(done, total, standing.rows_in);
        })),
        ..Options::default()
    };
    input::run(pipeline, rows, options)
}
