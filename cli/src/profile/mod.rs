//! `pelton profile`: what comes again in a recorded series, and what never does.
//!
//! ```text
//!  input ─▶ values ─▶ score_profile (one core: the definition's bits; a GPU: within a tolerance)
//!                        └─▶ motifs, discords ─▶ table, --report, --html; every window ─▶ --out
//! ```

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Float64Array, UInt64Array};
use arrow::compute::take;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use pelton::batch::Batch;
use pelton::sink::open_sink;
use pelton::{Error, Result};
use pelton_kernels::score_profile::NONE;
use pelton_kernels::simd;
use pelton_scoring::detect::is_usable;
use pelton_scoring::motifs::{self, Profile, Series};
use serde::{Deserialize, Serialize};

use crate::args::ProfileArgs;
use crate::backend::Backend;
use crate::replay::{format, same_file};
use crate::report;
use crate::report::format::{significant, thousands};
use crate::report::models::GpuUse;
use crate::table::{self, Source};
use crate::terminal::{self, Paint};
use crate::window::text;

mod page;

/// Two windows alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MotifFound {
    /// The row at which the earlier one begins, from 0.
    pub first: u64,
    /// The row at which the later one begins.
    pub second: u64,
    /// The earlier one's time, where there is a column of times.
    pub first_time: Option<String>,
    /// The later one's.
    pub second_time: Option<String>,
    /// How far they are from each other.
    pub distance: f64,
}

/// A window unlike all others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiscordFound {
    /// The row at which it begins, from 0.
    pub at: u64,
    /// The row at which the one most like it begins.
    pub nearest: u64,
    /// Its time, where there is a column of times.
    pub time: Option<String>,
    /// How far it is from that one.
    pub distance: f64,
}

/// The account of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileReport {
    /// Version of pelton.
    pub pelton: String,
    /// The recording's base name.
    pub recording: String,
    /// The column of values.
    pub value: String,
    /// Rows of the recording.
    pub rows: u64,
    /// Rows without a value.
    pub missing: u64,
    /// Values of a window.
    pub window: u32,
    /// How far apart windows are that are compared, at least.
    pub exclusion: u32,
    /// Windows that could be compared.
    pub windows_compared: u64,
    /// The nearest pairs, nearest first.
    pub motifs: Vec<MotifFound>,
    /// The windows least like any other, farthest first.
    pub discords: Vec<DiscordFound>,
    /// Seconds of the profile alone.
    pub profile_s: f64,
    /// Seconds of all of it.
    pub wall_s: f64,
    /// What it was computed on.
    pub backend: String,
    /// What the GPU did, where one was to do anything.
    pub gpu: Option<GpuUse>,
}

/// Reads the series, computes its profile, and says what was found.
///
/// # Errors
/// When the file cannot be read or has no such column, the window is longer than the series, or a
/// result cannot be written.
pub fn run(args: &ProfileArgs) -> Result<()> {
    no_file_twice(args)?;
    // Before anything else: the kernels that read take their level from it.
    let backend = Backend::choose(args.backend, false)?;
    let begin = Instant::now();
    let source = Source { path: &args.input, format: args.format, delimiter: args.delimiter };
    let (values, times) = read(args, &source)?;
    let exclusion = args.exclusion.unwrap_or_else(|| args.window.div_ceil(4));
    let window = args.window as usize;
    if window > values.len() {
        let what = format!("a window of {window} values, and {} rows", values.len());
        return Err(Error::usage(what).advise("ask for a shorter --window"));
    }
    let series = Series::new(&values, window, exclusion as usize).map_err(Error::usage)?;
    let start = Instant::now();
    let profile = profile(&backend, &series);
    let profile_s = start.elapsed().as_secs_f64();
    if let Some(path) = &args.out {
        write(args, &text(path)?, &profile, times.as_ref())?;
    }
    let report = ProfileReport {
        pelton: env!("CARGO_PKG_VERSION").to_owned(),
        recording: pelton::source::base_name(&args.input.to_string_lossy()),
        value: args.value.clone(),
        rows: values.len() as u64,
        missing: values.iter().filter(|value| !is_usable(**value)).count() as u64,
        window: args.window,
        exclusion,
        windows_compared: profile.nearest.iter().filter(|nearest| **nearest != NONE).count() as u64,
        motifs: motifs_found(&motifs::motifs(&series, &profile, args.top as usize), &times)?,
        discords: discords_found(&motifs::discords(&series, &profile, args.top as usize), &times)?,
        profile_s,
        wall_s: begin.elapsed().as_secs_f64(),
        backend: backend.word().to_owned(),
        gpu: backend.gpu_use(),
    };
    if let Some(path) = &args.html {
        report::json::write_file(path, &page::page(&report, &values, &profile))?;
    }
    if let Some(path) = &args.report {
        report::json::write(path, &report)?;
    }
    if args.quiet { Ok(()) } else { terminal::print(&report.text(Paint::for_stdout())) }
}

/// Values, and the column of times where there is one.
fn read(args: &ProfileArgs, source: &Source<'_>) -> Result<(Vec<f64>, Option<ArrayRef>)> {
    if args.time.as_ref() == Some(&args.value) {
        return Err(Error::usage(format!("`{}` is the time as well as the value", args.value)));
    }
    let mut columns = vec![args.value.as_str()];
    columns.extend(args.time.as_deref());
    let rows = source.read(&columns, &[&args.value])?;
    let values = table::floats(&rows, &args.value, source)?;
    Ok((values, args.time.as_ref().map(|_| rows.column(1).clone())))
}

/// The profile: on a GPU only where that was asked for, as its windows are nearest only to within
/// a tolerance.
fn profile(backend: &Backend, series: &Series) -> Profile {
    #[cfg(feature = "gpu")]
    if let Some(accelerator) = backend.accelerator() {
        use pelton::accel::Kernel;
        use pelton_kernels::score_profile::gpu;
        if let Some(device) = accelerator.gpu_for(Kernel::Profile, series.windows()) {
            match gpu::profile(device, series) {
                Ok(profile) => return profile,
                Err(error) => accelerator.failed(Kernel::Profile, &error),
            }
        }
    }
    #[cfg(not(feature = "gpu"))]
    let _ = backend;
    motifs::profile(simd::level(), series)
}

fn no_file_twice(args: &ProfileArgs) -> Result<()> {
    let standard = |path: &Path| path == Path::new("-");
    let results = [("--out", &args.out), ("--html", &args.html), ("--report", &args.report)];
    let mut named = vec![("--input", &args.input)];
    for (name, path) in results {
        let Some(path) = path.as_ref() else { continue };
        if let Some((other, _)) =
            named.iter().find(|(_, other)| !standard(path) && same_file(path, other))
        {
            let what = format!("{other} and {name} are the same file, {}", path.display());
            return Err(Error::usage(what).advise("give each a name of its own"));
        }
        named.push((name, path));
    }
    Ok(())
}

/// What stands in some rows of a column, as text.
fn shown(times: &Option<ArrayRef>, rows: &[usize]) -> Result<Vec<Option<String>>> {
    let Some(times) = times else { return Ok(vec![None; rows.len()]) };
    let options = FormatOptions::default();
    let failed = |error: arrow::error::ArrowError| Error::run(error.to_string());
    let formatter = ArrayFormatter::try_new(times, &options).map_err(failed)?;
    let one = |row: &usize| formatter.value(*row).try_to_string().map(Some).map_err(failed);
    rows.iter().map(one).collect()
}

fn motifs_found(motifs: &[motifs::Motif], times: &Option<ArrayRef>) -> Result<Vec<MotifFound>> {
    let one = |motif: &motifs::Motif| {
        let mut shown = shown(times, &[motif.first, motif.second])?.into_iter();
        Ok(MotifFound {
            first: motif.first as u64,
            second: motif.second as u64,
            first_time: shown.next().flatten(),
            second_time: shown.next().flatten(),
            distance: motif.distance,
        })
    };
    motifs.iter().map(one).collect()
}

fn discords_found(
    discords: &[motifs::Discord],
    times: &Option<ArrayRef>,
) -> Result<Vec<DiscordFound>> {
    let one = |discord: &motifs::Discord| {
        Ok(DiscordFound {
            at: discord.at as u64,
            nearest: discord.nearest as u64,
            time: shown(times, &[discord.at])?.pop().flatten(),
            distance: discord.distance,
        })
    };
    discords.iter().map(one).collect()
}

/// Every window, as a row.
fn write(
    args: &ProfileArgs,
    path: &str,
    profile: &Profile,
    times: Option<&ArrayRef>,
) -> Result<()> {
    let windows = profile.nearest.len();
    let numbers: UInt64Array = (0..windows as u64).collect();
    let nearest: UInt64Array =
        profile.nearest.iter().map(|near| (*near != NONE).then_some(u64::from(*near))).collect();
    let distances = profile.distances.iter().map(|distance| {
        // None is near: no distance either.
        Some(*distance).filter(|distance| distance.is_finite())
    });
    let distances: ArrayRef = Arc::new(distances.collect::<Float64Array>());
    let mut columns: Vec<(&str, ArrayRef)> = vec![("window", Arc::new(numbers.clone()))];
    let failed = |error: arrow::error::ArrowError| Error::run(error.to_string());
    if let (Some(times), Some(name)) = (times, args.time.as_deref()) {
        columns.push((name, take(times, &numbers, None).map_err(failed)?));
        columns.push(("nearest", Arc::new(nearest.clone())));
        columns.push(("nearest_time", take(times, &nearest, None).map_err(failed)?));
    } else {
        columns.push(("nearest", Arc::new(nearest)));
    }
    columns.push(("distance", distances));
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    if let Some(name) = table::twice(&names) {
        let what = format!("two columns of the output are called `{name}`");
        return Err(Error::usage(what).advise("give the column of times another name"));
    }
    let rows = table::batch(columns)?;
    let mut sink = open_sink(path, args.out_format.map(format), &rows.schema())?;
    sink.write(&Batch::new(rows, 0))?;
    sink.commit()
}

impl ProfileReport {
    /// The account as text.
    fn text(&self, paint: Paint) -> String {
        let mut text = format!(
            "\n {}  {} of {}: {} rows, windows of {}; {} s ({})\n",
            paint.bold("pelton profile"),
            self.value,
            self.recording,
            thousands(self.rows),
            thousands(u64::from(self.window)),
            significant(self.profile_s),
            self.backend,
        );
        if self.missing > 0 {
            text.push_str(&format!(
                "   {} rows have no value; {} windows could be compared\n",
                thousands(self.missing),
                thousands(self.windows_compared)
            ));
        }
        let place = |row: u64, time: &Option<String>| match time {
            Some(time) => format!("{time} (row {})", thousands(row)),
            None => format!("row {}", thousands(row)),
        };
        text.push_str(&format!("\n {}\n", paint.bold("Motifs: what comes again")));
        for motif in &self.motifs {
            text.push_str(&format!(
                "   {:>9}  {} and {}\n",
                significant(motif.distance),
                place(motif.first, &motif.first_time),
                place(motif.second, &motif.second_time),
            ));
        }
        text.push_str(&format!("\n {}\n", paint.bold("Discords: what never does")));
        for discord in &self.discords {
            let near = thousands(discord.nearest);
            text.push_str(&format!(
                "   {:>9}  {}, nearest to row {near}\n",
                significant(discord.distance),
                place(discord.at, &discord.time),
            ));
        }
        if self.motifs.is_empty() && self.discords.is_empty() {
            text.push_str("   no two windows could be compared\n");
        }
        text.push('\n');
        text
    }
}
