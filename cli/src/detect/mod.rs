//! `pelton detect`: what is strange in a file's rows, by a detector that learns from them.
//!
//! ```text
//!  input ─▶ by time ─▶ detector a key ─▶ alerts ─▶ rows to --out
//!                                                └▶ [watch]: incidents, labels, curves
//! ```
//! What is scored and alerted is the engine's; here rows are watched on their way out: incidents
//! become alerts with their reasons (`incidents.rs`), flags are held against labels
//! (`labels.rs`), and curves are drawn from what a series' bucket of rows held (`series.rs`).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pelton::batch::Batch;
use pelton::pipeline::{File, Options, Pipeline, Progress as Standing, Watermark};
use pelton::score::alert::AlertPolicy;
use pelton::score::detect::column_name;
use pelton::sink::{BlackholeSink, Sink, Swallowed, open_sink};
use pelton::time::Span;
use pelton::{Error, Result};

use crate::args::DetectArgs;
use crate::backend::Backend;
use crate::replay::{all_cores, format, same_file};
use crate::terminal::{self, Paint};
use crate::window::{BLACKHOLE, WindowReport, blackhole, finished, kinds, text};
use crate::{interrupt, progress, report};

mod account;
mod incidents;
mod input;
mod labels;
mod page;
mod series;
mod watch;

pub use account::{DetectReport, LabelReport, Quality};
pub use incidents::{Alert, Reason};
use watch::{Columns, Watch};

/// Scores the rows, writes them, and says what was found.
///
/// # Errors
/// When the options contradict each other, the run fails, a result cannot be written, or the
/// user stopped the run (what was complete is kept, and the account written all the same).
pub fn run(args: &DetectArgs) -> Result<()> {
    no_file_twice(args)?;
    let (time, unit) = kinds::time(&args.time);
    let mut pipeline = scored(args, time, unit)?;
    if args.explain {
        return terminal::print(&pipeline.explain_plan()?);
    }
    let schema = pipeline.schema()?;
    let columns = Columns::new(args, &schema, time, unit)?;
    let watch = Arc::new(Mutex::new(Watch::new(columns, args.html.is_some())?));
    let (rows, swallowed): (Box<dyn Sink>, Option<Arc<Swallowed>>) =
        match args.out == Path::new(BLACKHOLE) {
            true => {
                let (sink, swallowed) = BlackholeSink::new(&schema);
                (Box::new(sink), Some(swallowed))
            }
            false => (open_sink(&text(&args.out)?, args.out_format.map(format), &schema)?, None),
        };
    pipeline = pipeline.write_to(Watched { rows, watch: watch.clone() });
    let stop = interrupt::install()?;
    let summary = pipeline.run(options(args, stop))?;
    let watch = std::mem::take(&mut *lock(&watch)).finish();
    let recordings =
        args.input.iter().map(|path| pelton::source::base_name(&path.to_string_lossy())).collect();
    let run = WindowReport::new(
        recordings,
        &summary,
        swallowed.map(|s| blackhole(&s)),
        &Backend::default(),
    );
    let report = DetectReport::new(args, run, &watch);
    if let Some(path) = &args.alerts {
        incidents::write(path, &watch.alerts)?;
    }
    if let Some(path) = &args.html {
        report::json::write_file(path, &page::page(&report, &watch))?;
    }
    if let Some(path) = &args.report {
        report::json::write(path, &report)?;
    }
    if !args.quiet {
        // Standard output may be the rows.
        eprint!("{}", report.text(&watch, Paint::for_stderr()));
    }
    finished(&summary)
}

/// The plan, without its output.
fn scored(
    args: &DetectArgs,
    time: &str,
    unit: Option<arrow::datatypes::TimeUnit>,
) -> Result<Pipeline> {
    let files = args.input.iter().map(|path| input::open(args, path, time, unit));
    let pipeline = Pipeline::read_all_opened(files.collect::<Result<Vec<_>>>()?);
    let ahead = (args.ahead_max != Span::ZERO).then_some(args.ahead_max);
    let watermark = Watermark::bounded(args.delay).implausible_after(ahead);
    let pipeline = match unit {
        Some(unit) => pipeline.event_time_in(time, unit, watermark),
        None => pipeline.event_time(time, watermark),
    };
    let mut pipeline = pipeline
        .key_by(args.key.iter().map(String::as_str))
        .by_time()
        .detect(&args.name, args.value.iter().map(String::as_str), &args.detector)
        .alerts(&args.name, policy(args));
    if let Some(path) = &args.late {
        pipeline = pipeline.late(File::any(text(path)?));
    }
    if let Some(path) = &args.dead_letters {
        pipeline = pipeline.dead_letters(File::any(text(path)?));
    }
    Ok(pipeline)
}

fn policy(args: &DetectArgs) -> AlertPolicy {
    let (level, low) = match args.hysteresis {
        Some((high, low)) => (Some(high), Some(low)),
        None => (args.level, None),
    };
    AlertPolicy { level, low, budget: args.budget, group: args.group, cooldown: args.cooldown }
}

fn options(args: &DetectArgs, stop: &'static AtomicBool) -> Options {
    let shown = progress::new("detect", args.quiet);
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
        stop: Some(Box::new(|| stop.load(Ordering::Relaxed))),
        observer: Some(Box::new(observer)),
        ..Options::default()
    }
}

/// Writes rows, and has them watched.
struct Watched {
    rows: Box<dyn Sink>,
    watch: Arc<Mutex<Watch>>,
}

impl Sink for Watched {
    fn write(&mut self, batch: &Batch) -> Result<()> {
        lock(&self.watch).see(batch)?;
        self.rows.write(batch)
    }

    fn commit(self: Box<Self>) -> Result<()> {
        self.rows.commit()
    }
}

/// The watch; one that panicked has said so already.
fn lock(watch: &Mutex<Watch>) -> std::sync::MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A column of the detector, as the options name it.
fn added(args: &DetectArgs, column: &str) -> String {
    column_name(&args.name, column)
}

/// Writing two results to one file would leave one of them; writing over the input would lose it.
fn no_file_twice(args: &DetectArgs) -> Result<()> {
    let standard = Path::new("-");
    if args.input.iter().filter(|path| *path == standard).count() > 1 {
        return Err(Error::usage("standard input can be read once only"));
    }
    let inputs = args.input.iter().filter(|path| *path != standard);
    let mut named: Vec<(&str, &PathBuf)> = inputs.map(|path| ("--input", path)).collect();
    let read = named.len();
    if args.out != Path::new(BLACKHOLE) {
        named.push(("--out", &args.out));
    }
    let more = [
        ("--alerts", &args.alerts),
        ("--html", &args.html),
        ("--late", &args.late),
        ("--dead-letters", &args.dead_letters),
        ("--report", &args.report),
    ];
    named.extend(more.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?))));
    for (i, (name, path)) in named.iter().enumerate().skip(read) {
        for (other, other_path) in &named[..i] {
            if same_file(path, other_path) {
                let what = format!("{other} and {name} are the same file, {}", path.display());
                return Err(Error::usage(what).advise("give each a name of its own"));
            }
        }
    }
    Ok(())
}
