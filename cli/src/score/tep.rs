//! `pelton score tep`: the Tennessee Eastman process (Downs and Vogel, 1993), as Chiang, Russell
//! and Braatz publish it: a detector learns from normal operation (`d00`), and is judged by the
//! share of a fault's rows that it flags (from row 161 of `dNN_te` on) beside the share of normal
//! rows that it flags (`d00_te`, and the 160 rows before each fault).

use pelton::{Error, Result};
use pelton_scoring::detect::by_name;
use serde::Serialize;

use super::table::Table;
use super::wrong;
use crate::args::ScoreTepArgs;
use crate::terminal;

/// The rows of a test before its fault.
const NORMAL_ROWS: usize = 160;

#[derive(Debug, Serialize)]
struct Fault {
    file: String,
    /// Of the rows before the fault, or all where there is none.
    false_alarm_percent: f64,
    /// Of the rows with the fault; none in the normal test.
    detected_percent: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Outcome {
    detector: String,
    variables: usize,
    files: Vec<Fault>,
}

/// Scores a detector.
///
/// # Errors
/// When the table is missing or not what it must be, or there is no such detector of so many
/// values.
pub fn run(args: &ScoreTepArgs) -> Result<()> {
    let table = Table::read(&args.data)?;
    let names: Vec<String> = table
        .numbers()
        .into_iter()
        .filter(|name| !["file", "row"].contains(&name.as_str()))
        .collect();
    let columns = names.iter().map(|name| table.floats(name)).collect::<Result<Vec<_>>>()?;
    let groups = table.groups("file", "")?;
    let values = |rows: &[usize]| -> Vec<Vec<f64>> {
        rows.iter().map(|&row| columns.iter().map(|column| column[row]).collect()).collect()
    };
    let of =
        |name: &str| groups.iter().find(|(file, _)| file == name).map(|(_, rows)| values(rows));
    let Some(normal) = of("d00") else {
        return Err(Error::run("there is no normal operation (file d00) to learn from")
            .at(args.data.display().to_string())
            .advise("give the table with the column file: d00, d00_te, d01_te, …"));
    };
    let mut files = Vec::new();
    for (name, rows) in groups.iter().filter(|(name, _)| name.ends_with("_te")) {
        let mut stream = by_name(&args.detector, columns.len()).map_err(|error| wrong(&error))?;
        for (row, minute) in normal.iter().zip(0..) {
            stream.push(minute * 180_000_000, row);
        }
        let after = normal.len() as i64;
        let flags: Vec<bool> = values(rows)
            .iter()
            .zip(after..)
            .map(|(row, minute)| stream.push(minute * 180_000_000, row).flag)
            .collect();
        let has_fault = !name.starts_with("d00");
        let normal_rows = if has_fault { NORMAL_ROWS.min(flags.len()) } else { flags.len() };
        let share = |flags: &[bool]| {
            100.0 * flags.iter().filter(|flag| **flag).count() as f64 / flags.len().max(1) as f64
        };
        files.push(Fault {
            file: name.clone(),
            false_alarm_percent: share(&flags[..normal_rows]),
            detected_percent: has_fault.then(|| share(&flags[normal_rows..])),
        });
    }
    let outcome = Outcome { detector: args.detector.clone(), variables: columns.len(), files };
    if args.json {
        return terminal::print(&crate::report::json::text(&outcome)?);
    }
    let mut text = format!(
        "Tennessee Eastman: {} on {} variables, learned from {} rows\n\n\
         file     detected %  false alarms %\n",
        outcome.detector,
        outcome.variables,
        normal.len()
    );
    for fault in &outcome.files {
        let detected = fault.detected_percent.map_or_else(|| "–".to_owned(), |p| format!("{p:.1}"));
        text.push_str(&format!(
            "{:<7}  {detected:>10}  {:>14.1}\n",
            fault.file, fault.false_alarm_percent
        ));
    }
    terminal::print(&text)
}
