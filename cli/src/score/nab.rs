//! `pelton score nab`: the Numenta Anomaly Benchmark over files as its repository has them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use pelton::{Error, Result};
use pelton_scoring::detect::{Law, METHODS, Score, by_name};
use pelton_scoring::evaluate::nab::{self, PROFILES, Profile, Scored, Window};
use pelton_scoring::evaluate::recording::{Series, parse_series, parse_windows, windows_of};
use serde::Serialize;

use super::table::Table;
use super::{failed, read_text, write_text, wrong};
use crate::args::{ProfileArg, ScoreNabArgs};
use crate::terminal;

/// One of the benchmark's series.
struct File {
    name: String,
    series: Series,
    windows: Vec<Window>,
}

/// Scores of every file, in the order of the files.
struct Scores {
    detector: String,
    of_files: Vec<Vec<f64>>,
}

/// What is said of a detector.
#[derive(Debug, Serialize)]
struct Outcome {
    detector: String,
    files: usize,
    windows: usize,
    rows: usize,
    standard: f64,
    low_fp: f64,
    low_fn: f64,
    /// The profile of the rest.
    profile: &'static str,
    /// The threshold that is best for it.
    threshold: f64,
    /// Its score where each file is judged with the best threshold of other files.
    threshold_of_other_categories: Option<f64>,
    threshold_of_other_half: Option<f64>,
    threshold_of_other_files: Option<f64>,
}

/// Scores a detector, or scores that are given.
///
/// # Errors
/// When files are missing or not what the benchmark has, scores do not fit them, or there is no
/// such detector.
pub fn run(args: &ScoreNabArgs) -> Result<()> {
    let files = read(&args.data)?;
    let all = match &args.scores {
        Some(path) if path.is_dir() => vec![given(path, &files, args.detector.as_deref())?],
        Some(path) => tabled(path, &files, args.detector.as_deref())?,
        None => vec![detected(args.detector.as_deref().unwrap_or("auto"), &files)?],
    };
    if let (Some(folder), [scores]) = (&args.write, all.as_slice()) {
        write(folder, &files, scores)?;
    }
    let outcomes =
        all.iter().map(|scores| judge(&files, scores, args.profile)).collect::<Result<Vec<_>>>()?;
    if args.json {
        return terminal::print(&crate::report::json::text(&outcomes)?);
    }
    terminal::print(&text(&outcomes))
}

/// The benchmark's files that are there.
fn read(folder: &Path) -> Result<Vec<File>> {
    let path = folder.join("labels/combined_windows.json");
    let labels = read_text(&path).map_err(|error| {
        error.advise(
            "--data is laid out as NAB's repository: data/ and labels/combined_windows.json",
        )
    })?;
    let labels =
        parse_windows(&labels).map_err(|error| failed(&error.at(path.display().to_string())))?;
    let mut files = Vec::new();
    for (name, windows) in labels {
        let path = folder.join("data").join(&name);
        if !path.exists() {
            continue;
        }
        let series = parse_series(&read_text(&path)?)
            .map_err(|error| failed(&error).at(path.display().to_string()))?;
        let windows = windows_of(&series.times_s, &windows);
        files.push(File { name, series, windows });
    }
    if files.iter().all(|file| file.windows.is_empty()) {
        return Err(Error::run("there is no labelled window in any file that is there")
            .at(folder.display().to_string())
            .advise("--data is laid out as NAB's repository: data/CATEGORY/FILE.csv"));
    }
    Ok(files)
}

/// What NAB is given: the evidence where there is a law of it, else the raw score.
fn strangeness(score: &Score) -> f64 {
    match score.law {
        Law::Evidence(evidence) => evidence,
        _ => score.raw,
    }
}

fn detected(name: &str, files: &[File]) -> Result<Scores> {
    let mut of_files = Vec::new();
    for file in files {
        let mut stream = by_name(name, 1).map_err(|error| wrong(&error))?;
        let rows = file.series.times_s.iter().zip(&file.series.values);
        let score = |(time, value): (&i64, &f64)| {
            strangeness(&stream.push(time.saturating_mul(1_000_000), std::slice::from_ref(value)))
        };
        of_files.push(rows.map(score).collect());
    }
    Ok(Scores { detector: name.to_owned(), of_files })
}

/// Scores from a folder: `CATEGORY/FILE.csv`, or `CATEGORY/DETECTOR_FILE.csv` as NAB writes them.
fn given(folder: &Path, files: &[File], detector: Option<&str>) -> Result<Scores> {
    let mut of_files = Vec::new();
    for file in files {
        let (category, own) = file.name.rsplit_once('/').unwrap_or(("", &file.name));
        let named = |detector: &str| folder.join(category).join(format!("{detector}_{own}"));
        let of_folder = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let places =
            [Some(folder.join(&file.name)), detector.map(named), of_folder.map(|n| named(&n))];
        let Some(path) = places.into_iter().flatten().find(|path| path.exists()) else {
            return Err(Error::run(format!("there are no scores of {}", file.name))
                .at(folder.display().to_string())
                .advise("give a CSV a series, called as in data/ (or DETECTOR_FILE.csv)"));
        };
        let table = Table::read(&path)?;
        let column = if table.has("anomaly_score") { "anomaly_score" } else { "score" };
        let scores = table.floats(column)?;
        check_rows(&scores, file)?;
        of_files.push(scores);
    }
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Scores { detector: detector.map(str::to_owned).or(name).unwrap_or_default(), of_files })
}

/// Scores from one table: the column `file`, and one a detector.
fn tabled(path: &Path, files: &[File], detector: Option<&str>) -> Result<Vec<Scores>> {
    let table = Table::read(path)?;
    let mut groups: BTreeMap<String, Vec<usize>> = table.groups("file", "")?.into_iter().collect();
    if table.has("row") {
        let numbers = table.floats("row")?;
        let of = |row: &usize| numbers[*row];
        groups.values_mut().for_each(|rows| rows.sort_by(|a, b| of(a).total_cmp(&of(b))));
    }
    let names = match detector {
        Some(name) => vec![name.to_owned()],
        None => table.numbers().into_iter().filter(|name| name != "row").collect(),
    };
    let mut all = Vec::new();
    for name in names {
        let column = table.floats(&name)?;
        let mut of_files = Vec::new();
        for file in files {
            let rows = groups.get(&file.name).ok_or_else(|| {
                Error::run(format!("there are no scores of {}", file.name))
                    .at(path.display().to_string())
                    .advise("its column `file` must name the series as labels do")
            })?;
            let scores: Vec<f64> = rows.iter().map(|&row| column[row]).collect();
            check_rows(&scores, file)?;
            of_files.push(scores);
        }
        all.push(Scores { detector: name, of_files });
    }
    Ok(all)
}

fn check_rows(scores: &[f64], file: &File) -> Result<()> {
    let (scores, rows) = (scores.len(), file.series.values.len());
    if scores == rows {
        return Ok(());
    }
    Err(Error::run(format!("{scores} scores for {rows} rows"))
        .at(file.name.clone())
        .advise("give a score for each row of the series"))
}

/// A CSV a series: timestamp, value, anomaly_score.
fn write(folder: &Path, files: &[File], scores: &Scores) -> Result<()> {
    for (file, scores) in files.iter().zip(&scores.of_files) {
        let mut text = String::from("timestamp,value,anomaly_score\n");
        let rows = file.series.times_s.iter().zip(&file.series.values).zip(scores);
        for ((time, value), score) in rows {
            let utc = crate::report::format::Utc::from_micros(time.saturating_mul(1_000_000));
            let value = if value.is_nan() { String::new() } else { value.to_string() };
            let _ = writeln!(
                text,
                "{} {}:{:02},{value},{score}",
                utc.date(),
                utc.hour_and_minute(),
                utc.second
            );
        }
        write_text(&folder.join(&file.name), &text)?;
    }
    Ok(())
}

fn judge(files: &[File], scores: &Scores, profile: ProfileArg) -> Result<Outcome> {
    let series: Vec<Scored<'_>> = scores
        .of_files
        .iter()
        .zip(files)
        .map(|(scores, file)| Scored { scores, windows: &file.windows })
        .collect();
    let best = |profile: &Profile| nab::best(&series, profile).map_err(|error| failed(&error));
    let [standard, low_fp, low_fn] =
        [best(&PROFILES[0])?, best(&PROFILES[1])?, best(&PROFILES[2])?];
    let (profile, own) = match profile {
        ProfileArg::Standard => (&PROFILES[0], standard),
        ProfileArg::LowFp => (&PROFILES[1], low_fp),
        ProfileArg::LowFn => (&PROFILES[2], low_fn),
    };
    let category = |file: &File| file.name.split('/').next().unwrap_or_default().to_owned();
    let mut known: Vec<String> = files.iter().map(category).collect();
    known.dedup();
    let of = |file: &File| known.iter().position(|name| *name == category(file)).unwrap_or(0);
    let categories: Vec<usize> = files.iter().map(of).collect();
    let halves: Vec<usize> = (0..files.len()).map(|at| at % 2).collect();
    let each: Vec<usize> = (0..files.len()).collect();
    // With one group, or windows in one only, there is no threshold from elsewhere.
    let across = |groups: &[usize]| nab::cross_validated(&series, groups, profile).ok();
    Ok(Outcome {
        detector: scores.detector.clone(),
        files: files.len(),
        windows: files.iter().map(|file| file.windows.len()).sum(),
        rows: files.iter().map(|file| file.series.values.len()).sum(),
        standard: standard.score,
        low_fp: low_fp.score,
        low_fn: low_fn.score,
        profile: profile.name,
        threshold: own.threshold,
        threshold_of_other_categories: across(&categories),
        threshold_of_other_half: across(&halves),
        threshold_of_other_files: across(&each),
    })
}

fn text(outcomes: &[Outcome]) -> String {
    let Some(first) = outcomes.first() else { return String::new() };
    let wide = outcomes.iter().map(|outcome| outcome.detector.len()).max().unwrap_or(0).max(8);
    let mut text = format!(
        "NAB: {} series, {} windows, {} rows\n\n",
        first.files,
        first.windows,
        crate::report::format::thousands(first.rows as u64)
    );
    let _ = writeln!(
        text,
        "{:<wide$}  standard  low FP  low FN  | {}, threshold of other: categories    half   files",
        "detector", first.profile
    );
    let pad = first.profile.len() + ", threshold of other: ".len();
    for outcome in outcomes {
        let across =
            |score: Option<f64>| score.map_or_else(|| "–".to_owned(), |s| format!("{s:.2}"));
        let _ = writeln!(
            text,
            "{:<wide$}  {:>8.2}  {:>6.2}  {:>6.2}  | {:pad$}{:>10}  {:>6}  {:>6}",
            outcome.detector,
            outcome.standard,
            outcome.low_fp,
            outcome.low_fn,
            "",
            across(outcome.threshold_of_other_categories),
            across(outcome.threshold_of_other_half),
            across(outcome.threshold_of_other_files),
        );
    }
    if outcomes.len() == 1 && METHODS.iter().any(|(name, _)| *name == first.detector) {
        let _ = writeln!(
            text,
            "\nThe benchmark chooses the threshold on the files that it judges ({} here); the last \
             three columns\njudge each file with the threshold that is best for others.",
            crate::report::format::significant(first.threshold)
        );
    }
    text
}
