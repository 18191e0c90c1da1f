//! `pelton score skab`: the Skoltech Anomaly Benchmark, by row, over all experiments together.

use std::fmt::Write as _;
use std::path::Path;

use pelton::{Error, Result};
use pelton_scoring::detect::by_name;
use pelton_scoring::evaluate::skab::Counts;
use serde::Serialize;

use super::table::Table;
use super::{csv_files, failed, write_text, wrong};
use crate::args::ScoreSkabArgs;
use crate::terminal;

/// Columns that are no sensor.
const NOT_SENSORS: [&str; 5] = ["anomaly", "changepoint", "file", "datetime", "row"];

/// An experiment.
struct Experiment {
    name: String,
    /// Row after row.
    rows: Vec<f64>,
    sensors: usize,
    labels: Vec<bool>,
}

#[derive(Debug, Serialize)]
struct Outcome {
    detector: String,
    experiments: usize,
    rows_judged: u64,
    f1: f64,
    false_alarm_percent: f64,
    missed_alarm_percent: f64,
}

/// Scores a detector, or flags that are given.
///
/// # Errors
/// When the files are missing or hold no label, flags do not fit them, or there is no such
/// detector of so many values.
pub fn run(args: &ScoreSkabArgs) -> Result<()> {
    let experiments = read(&args.data)?;
    let mut counts = Counts::default();
    for experiment in &experiments {
        let flags = match &args.scores {
            Some(folder) => given(folder, experiment)?,
            None => detected(args, experiment)?,
        };
        let from = args.train.min(flags.len());
        counts
            .add(&flags[from..], &experiment.labels[from..])
            .map_err(|error| failed(&error).at(experiment.name.clone()))?;
    }
    let all = counts.true_positives + counts.false_positives;
    let outcome = Outcome {
        detector: match &args.scores {
            Some(_) => "given flags".to_owned(),
            None => args.detector.clone(),
        },
        experiments: experiments.len(),
        rows_judged: all + counts.false_negatives + counts.true_negatives,
        f1: counts.f1(),
        false_alarm_percent: counts.false_alarm_percent(),
        missed_alarm_percent: counts.missed_alarm_percent(),
    };
    if args.json {
        return terminal::print(&crate::report::json::text(&outcome)?);
    }
    terminal::print(&format!(
        "SKAB: {} experiments, {} rows judged\n\n{:<16}     F1  false alarms %  missed %\n\
         {:<16}  {:.3}  {:>14.1}  {:>8.1}\n",
        outcome.experiments,
        crate::report::format::thousands(outcome.rows_judged),
        "detector",
        outcome.detector,
        outcome.f1,
        outcome.false_alarm_percent,
        outcome.missed_alarm_percent
    ))
}

fn read(path: &Path) -> Result<Vec<Experiment>> {
    let files = if path.is_dir() { csv_files(path)? } else { vec![path.to_owned()] };
    let mut experiments = Vec::new();
    for file in &files {
        let table = Table::read(file)?;
        if !table.has("anomaly") && path.is_dir() {
            continue;
        }
        let inside = file.strip_prefix(path).unwrap_or(file).display().to_string();
        let sensors: Vec<String> = table
            .numbers()
            .into_iter()
            .filter(|name| !NOT_SENSORS.contains(&name.as_str()))
            .collect();
        let columns = sensors.iter().map(|name| table.floats(name)).collect::<Result<Vec<_>>>()?;
        let labels = table.floats("anomaly")?;
        for (name, rows) in table.groups("file", &inside)? {
            // Normal operation without labels is no experiment.
            if rows.iter().all(|&row| labels[row].is_nan()) {
                continue;
            }
            let values = rows.iter().flat_map(|&row| columns.iter().map(move |c| c[row]));
            experiments.push(Experiment {
                rows: values.collect(),
                sensors: columns.len(),
                labels: rows.iter().map(|&row| labels[row] > 0.5).collect(),
                name,
            });
        }
    }
    if experiments.is_empty() {
        return Err(Error::run("there is no experiment with a column anomaly")
            .at(path.display().to_string())
            .advise("give the benchmark's data folder, or a table of it"));
    }
    Ok(experiments)
}

fn detected(args: &ScoreSkabArgs, experiment: &Experiment) -> Result<Vec<bool>> {
    let mut stream = by_name(&args.detector, experiment.sensors).map_err(|error| wrong(&error))?;
    let mut text = String::from("score,flag\n");
    let mut flags = Vec::with_capacity(experiment.labels.len());
    for (row, second) in experiment.rows.chunks_exact(experiment.sensors.max(1)).zip(0..) {
        let score = stream.push(second * 1_000_000, row);
        flags.push(score.flag);
        let _ = writeln!(text, "{},{}", score.raw, u8::from(score.flag));
    }
    if let Some(folder) = &args.write {
        write_text(&folder.join(file_name(&experiment.name)), &text)?;
    }
    Ok(flags)
}

/// The file of an experiment's scores.
fn file_name(name: &str) -> String {
    if name.ends_with(".csv") { name.to_owned() } else { format!("{name}.csv") }
}

fn given(folder: &Path, experiment: &Experiment) -> Result<Vec<bool>> {
    let path = folder.join(file_name(&experiment.name));
    let flags = Table::read(&path)?.floats("flag")?;
    if flags.len() != experiment.labels.len() {
        let (flags, rows) = (flags.len(), experiment.labels.len());
        return Err(Error::run(format!("{flags} flags for {rows} rows"))
            .at(path.display().to_string())
            .advise("give a flag for each row, those that train included"));
    }
    Ok(flags.into_iter().map(|flag| flag > 0.5).collect())
}
