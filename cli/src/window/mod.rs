//! `pelton window`: any window over any file, in one line.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pelton::expr::Expr;
use pelton::pipeline::{AtCap, File, Options, Pipeline, Progress as Standing, Summary, Watermark};
use pelton::sink::{BlackholeSink, Swallowed};
use pelton::time::Span;
use pelton::{Error, Result};

use crate::args::{AtCapArg, WindowArgs};
use crate::backend::Backend;
use crate::replay::{all_cores, format, same_file};
use crate::terminal::{self, Paint};
use crate::{interrupt, progress, report};

mod account;
mod aggregates;
mod condition;
pub(crate) mod input;
pub(crate) mod kinds;
mod lookups;
mod over;

pub use account::{Blackhole, WindowReport};

/// The output that counts, checksums and forgets.
pub(crate) const BLACKHOLE: &str = "blackhole";

/// Computes the windows, writes them, and says what became of every row.
///
/// # Errors
/// When the options contradict each other, the run fails, a result cannot be written, or the
/// user stopped the run (what was complete is kept, and the report written all the same).
pub fn run(args: &WindowArgs) -> Result<()> {
    no_file_twice(args)?;
    let (pipeline, swallowed) = pipeline(args)?;
    let stop = interrupt::install()?;
    let backend = Backend::choose(args.backend, args.explain || is_large(args))?;
    let mut options = options(args, stop);
    options.accelerator = backend.accelerator();
    if args.explain {
        return terminal::print(&pipeline.explain_plan_with(&options)?);
    }
    let summary = pipeline.run(options)?;
    let recordings =
        args.input.iter().map(|path| pelton::source::base_name(&path.to_string_lossy())).collect();
    let report =
        WindowReport::new(recordings, &summary, swallowed.map(|s| blackhole(&s)), &backend);
    if let Some(path) = &args.report {
        report::json::write(path, &report)?;
    }
    if !args.quiet {
        // Standard output may be the windows.
        eprint!("{}", report.text(!args.over.is_empty(), Paint::for_stderr()));
    }
    finished(&summary)
}

/// Bytes of input from which on `auto` looks for a GPU: to open one takes some tenths of a second,
/// in which a core reads a good part of that.
const LARGE_BYTES: u64 = 1 << 30;

fn is_large(args: &WindowArgs) -> bool {
    let bytes = |path: &PathBuf| path.metadata().map_or(0, |file| file.len());
    args.input.iter().map(bytes).sum::<u64>() >= LARGE_BYTES
}

pub(crate) fn finished(summary: &Summary) -> Result<()> {
    if summary.interrupted { Err(Error::interrupted()) } else { Ok(()) }
}

pub(crate) fn blackhole(swallowed: &Swallowed) -> Blackhole {
    Blackhole { bytes: swallowed.bytes(), checksum: format!("{:016x}", swallowed.checksum()) }
}

/// The plan that the options ask for.
fn pipeline(args: &WindowArgs) -> Result<(Pipeline, Option<Arc<Swallowed>>)> {
    if args.at_arrival && args.over.is_empty() {
        return Err(Error::usage("--at-arrival says how --over is answered")
            .advise("leave it out: other windows are closed by the watermark"));
    }
    let (aggregates, columns) = aggregates::parse(&args.agg)?;
    let (window, condition_columns) = match args.over.is_empty() {
        true => kinds::window(args).map(|(window, columns)| (Some(window), columns))?,
        false => (None, Vec::new()),
    };
    let (time, unit) = kinds::time(&args.time);
    let mut needed = vec![(time.to_owned(), None)];
    let keys = args.key.iter().map(|key| (key.clone(), None));
    let filter = args.filter.as_ref().map(|text| condition::parse(text, "--filter")).transpose()?;
    let filter_columns = filter.iter().flat_map(|(_, columns)| columns.clone());
    let tables = lookups::tables(args)?;
    let table_keys = tables.iter().flat_map(|table| table.keys.iter().map(|k| (k.clone(), None)));
    let all = keys.chain(columns).chain(condition_columns).chain(filter_columns).chain(table_keys);
    for (name, guess) in all {
        match needed.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = known.take().or(guess),
            None => needed.push((name, guess)),
        }
    }
    // A column that a table adds is read all the same if it is there: then the name is a clash.
    let added = |name: &str| tables.iter().any(|t| t.columns.iter().any(|(n, _)| n == name));
    let optional: Vec<String> =
        needed.iter().map(|(name, _)| name.clone()).filter(|name| added(name)).collect();
    needed.retain(|(name, _)| !optional.contains(name));
    let files = args.input.iter().map(|path| input::open(args, path, unit, &needed, &optional));
    let pipeline = Pipeline::read_all_opened(files.collect::<Result<Vec<_>>>()?);
    let ahead = (args.ahead_max != Span::ZERO).then_some(args.ahead_max);
    let watermark = Watermark::bounded(args.delay).implausible_after(ahead);
    let pipeline = match unit {
        Some(unit) => pipeline.event_time_in(time, unit, watermark),
        None => pipeline.event_time(time, watermark),
    };
    let pipeline = looked_up(pipeline, tables, filter.map(|(filter, _)| filter), &optional);
    let pipeline = pipeline.key_by(args.key.iter().map(String::as_str));
    let mut pipeline = match window {
        Some(window) => pipeline.window(window, aggregates),
        None => over::over(args, pipeline, time, &aggregates)?,
    };
    if let Some(path) = &args.late {
        pipeline = pipeline.late(File::any(text(path)?));
    }
    if let Some(path) = &args.dead_letters {
        pipeline = pipeline.dead_letters(File::any(text(path)?));
    }
    if args.out == Path::new(BLACKHOLE) {
        let (sink, swallowed) = BlackholeSink::new(&pipeline.schema()?);
        return Ok((pipeline.write_to(sink), Some(swallowed)));
    }
    let out = text(&args.out)?;
    let file = match args.out_format {
        Some(of) => File::of(format(of), out),
        None => File::any(out),
    };
    Ok((pipeline.write(file), None))
}

/// Filtered and looked up; filtered first where no table has a say in it.
fn looked_up(
    mut pipeline: Pipeline,
    tables: Vec<lookups::Table>,
    filter: Option<Expr>,
    needed: &[String],
) -> Pipeline {
    let is_added = |name: &String| needed.contains(name);
    let (first, last) = match filter {
        Some(filter) if filter.columns().iter().any(is_added) => (None, Some(filter)),
        filter => (filter, None),
    };
    if let Some(filter) = first {
        pipeline = pipeline.filter(filter);
    }
    for table in tables {
        pipeline = pipeline.lookup(table.of_needed(|name| needed.iter().any(|n| n == name)));
    }
    match last {
        Some(filter) => pipeline.filter(filter),
        None => pipeline,
    }
}

pub(crate) fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Error::usage(format!("{} is not valid UTF-8", path.display())).advise("rename the file")
    })
}

fn options(args: &WindowArgs, stop: &'static AtomicBool) -> Options {
    let shown = progress::new("window", args.quiet);
    let limit = args.limit;
    let observer = move |standing: &Standing| {
        let (done, total) = match limit {
            Some(limit) => (standing.rows_in, Some(limit)),
            None => (standing.bytes_read, standing.bytes_total),
        };
        shown.set(done, total, standing.rows_in);
    };
    Options {
        shards: args.shards.map_or_else(all_cores, usize::from),
        batch_rows: args.batch_rows as usize,
        limit,
        state_bytes_max: args.state_cap,
        at_cap: match args.at_cap {
            AtCapArg::Fail => AtCap::Fail,
            AtCapArg::Shed => AtCap::Shed,
        },
        stop: Some(Box::new(|| stop.load(Ordering::Relaxed))),
        observer: Some(Box::new(observer)),
        ..Options::default()
    }
}

/// Writing two results to one file would leave one of them; writing over the input would lose
/// it. Standard output can be written twice no more than a file.
fn no_file_twice(args: &WindowArgs) -> Result<()> {
    if args.input.iter().filter(|path| *path == Path::new("-")).count() > 1 {
        return Err(Error::usage("standard input can be read once only"));
    }
    let mut named: Vec<(&str, &PathBuf)> = vec![];
    let inputs = args.input.iter().filter(|path| *path != Path::new("-"));
    named.extend(inputs.map(|path| ("--input", path)));
    let tables: Vec<PathBuf> =
        args.lookup.iter().chain(&args.lookup_inner).map(|t| lookups::path(t).into()).collect();
    named.extend(tables.iter().map(|path| ("--lookup", path)));
    if args.out != Path::new(BLACKHOLE) {
        named.push(("--out", &args.out));
    }
    let more = [
        ("--late", &args.late),
        ("--dead-letters", &args.dead_letters),
        ("--report", &args.report),
    ];
    named.extend(more.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?))));
    for (i, (name, path)) in named.iter().enumerate() {
        for (other, other_path) in &named[..i] {
            let both_read =
                ["--input", "--lookup"].contains(name) && ["--input", "--lookup"].contains(other);
            if !both_read && same_file(path, other_path) {
                let what = format!("{other} and {name} are the same file, {}", path.display());
                return Err(Error::usage(what).advise("give each a name of its own"));
            }
        }
    }
    Ok(())
}
