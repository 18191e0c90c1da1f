//! `pelton replay fraud`: from options to a plan, from a report to what is shown.

use std::path::{Path, PathBuf};

use pelton::{Error, Result};

use crate::args::{FormatArg, ReplayFraudArgs};
use crate::report::{self, FraudReport};
use crate::terminal::{self, Paint};
use crate::{interrupt, progress};

mod decisions;
mod fraud_bench;
pub(crate) mod fraud_run;
pub(crate) mod input;
mod models;
pub mod run;

use run::{ReplayPlan, Source};

/// Where the results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    /// The report as JSON.
    pub report: PathBuf,
    /// The report as a page.
    pub page: PathBuf,
}

/// Runs the replay, shows the table and writes the reports.
///
/// # Errors
/// When the options contradict each other, the run fails, a result cannot be written, or the
/// user stopped the run (the reports are written all the same).
pub fn fraud(args: &ReplayFraudArgs) -> Result<()> {
    let (plan, results) = plan(args)?;
    if args.explain {
        return terminal::print(&fraud_run::explain(&plan)?);
    }
    for directory in directories(args, &plan, &results) {
        std::fs::create_dir_all(&directory).map_err(|e| Error::io("make", &directory, &e))?;
    }
    let stop = interrupt::install()?;
    let shown = |what| progress::new(what, args.quiet);
    let report = run::replay(&plan, &shown, stop)?;
    report::json::write(&results.report, &report)?;
    report::json::write_file(&results.page, &report::html::page(&report))?;
    if !args.quiet {
        let paint = Paint::for_stdout();
        let mut text = report::table::table(&report, paint);
        text.push_str(&files(&plan, &results, paint));
        terminal::print(&text)?;
    }
    finished(&report)
}

/// A run that was stopped or does not balance is no success, whatever it has written.
fn finished(report: &FraudReport) -> Result<()> {
    if !report.ledger.balanced {
        return Err(Error::run("the ledger does not balance: rows in is not scored + rejected")
            .advise("this is a bug in pelton; please report it with the recording"));
    }
    if report.interrupted {
        return Err(Error::interrupted());
    }
    Ok(())
}

/// The paths of the results, one a line.
fn files(plan: &ReplayPlan, results: &Results, paint: Paint) -> String {
    let mut text = String::from("\n");
    let named = [
        ("alerts", Some(&plan.alerts)),
        ("late rows", plan.late.as_ref()),
        ("dead letters", plan.dead_letters.as_ref()),
        ("report", Some(&results.report)),
        ("", Some(&results.page)),
    ];
    for (name, path) in named {
        if let Some(path) = path {
            text.push_str(&format!(" {}{}\n", paint.dim(format!("{name:<14}")), path.display()));
        }
    }
    text.push('\n');
    text
}

/// The plan that the options ask for, and where the reports go.
///
/// # Errors
/// When two outputs, or an output and the input, are one file, or standard input is to be read
/// around the page cache.
pub fn plan(args: &ReplayFraudArgs) -> Result<(ReplayPlan, Results)> {
    let format = args.format.or_else(|| args.input.as_deref().and_then(by_ending));
    let source = match &args.input {
        Some(path) if path == Path::new("-") => Source::StandardInput,
        Some(path) => Source::File(path.clone()),
        None => {
            // Parquet is read fastest, and other tools read it too.
            let format = format.unwrap_or(FormatArg::Parquet);
            let name = format!("payments-{}-{}.{}", args.rows, args.seed, format.name());
            let path = args.out.join(name);
            Source::Generated { rows: args.rows, seed: args.seed, format, path }
        }
    };
    if args.direct && source == Source::StandardInput {
        return Err(Error::usage("--direct needs a file, not standard input"));
    }
    let report = args.report.clone().unwrap_or_else(|| args.out.join("report.json"));
    let results = Results { page: report.with_extension("html"), report };
    let plan = ReplayPlan {
        source,
        format,
        alerts: args.alerts.clone().unwrap_or_else(|| args.out.join("alerts.ndjson")),
        late: args.late.clone(),
        dead_letters: args.dead_letters.clone(),
        limit: args.limit,
        speed: args.speed,
        delay_us: args.delay,
        models: args.models.clone(),
        shards: args.shards.map_or_else(all_cores, usize::from),
        batch_rows: args.batch_rows as usize,
        io: args.io,
        direct: args.direct,
        backend: args.backend,
    };
    no_file_twice(&plan, &results)?;
    Ok((plan, results))
}

/// The engine's name of a format.
pub(crate) fn format(format: FormatArg) -> pelton::decode::Format {
    use pelton::decode::Format;
    match format {
        FormatArg::Csv => Format::Csv,
        FormatArg::Parquet => Format::Parquet,
        FormatArg::Arrow => Format::Arrow,
        FormatArg::Ndjson => Format::NdJson,
    }
}

/// Cores that this process may use.
pub fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The format that a file's ending names; a packed file's (`.csv.gz`) is the one before.
pub fn by_ending(path: &Path) -> Option<FormatArg> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let packed = [".gz", ".zst", ".zstd"].into_iter().find_map(|e| name.strip_suffix(e));
    let (_, ending) = packed.unwrap_or(&name).rsplit_once('.')?;
    match ending {
        "csv" | "txt" => Some(FormatArg::Csv),
        "parquet" | "pq" => Some(FormatArg::Parquet),
        "arrow" | "arrows" | "ipc" | "feather" => Some(FormatArg::Arrow),
        "ndjson" | "jsonl" | "json" => Some(FormatArg::Ndjson),
        _ => None,
    }
}

/// Writing two results to one file would leave one of them, and no hint of the other; writing
/// over the input would lose it.
fn no_file_twice(plan: &ReplayPlan, results: &Results) -> Result<()> {
    let input = match &plan.source {
        Source::File(path) | Source::Generated { path, .. } => Some(path),
        Source::StandardInput => None,
    };
    let named = [
        ("the recording", input),
        ("--alerts", Some(&plan.alerts)),
        ("--report", Some(&results.report)),
        ("the report's page", Some(&results.page)),
        ("--late", plan.late.as_ref()),
        ("--dead-letters", plan.dead_letters.as_ref()),
    ];
    let clash = |name: &str, other: &str, path: &Path| {
        let what = format!("{other} and {name} are the same file, {}", path.display());
        Err(Error::usage(what).advise("give each a name of its own"))
    };
    for (i, (name, path)) in named.iter().enumerate() {
        let Some(path) = path else { continue };
        for (other, other_path) in &named[..i] {
            if other_path.is_some_and(|other| same_file(path, other)) {
                return clash(name, other, path);
            }
        }
        // Models are only read: two may be one file.
        for (model, model_path) in models::files(&plan.models) {
            if same_file(path, model_path) {
                return clash(name, model, path);
            }
        }
    }
    Ok(())
}

/// Whether two paths lead to one file, links followed as far as the files exist. `/dev/null`
/// and other devices may stand for several.
pub(crate) fn same_file(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (a, b) = (real(a), real(b));
    a == b && !a.starts_with("/dev")
}

/// Directories that the outputs need: the one that pelton names itself, and, only if asked for,
/// no other: a misspelt directory in `--alerts` is an error, not a new directory.
fn directories(args: &ReplayFraudArgs, plan: &ReplayPlan, results: &Results) -> Vec<PathBuf> {
    let in_out = |path: &Path| path.parent() == Some(&args.out);
    let generated = matches!(plan.source, Source::Generated { .. });
    let needed = generated || in_out(&plan.alerts) || in_out(&results.report);
    if needed { vec![args.out.clone()] } else { Vec::new() }
}

#[cfg(test)]
mod tests;
