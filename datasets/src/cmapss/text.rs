//! The public files: numbers parted by blanks, without a header.

use std::io::{BufRead, BufReader};
use std::path::Path;

use arrow::array::RecordBatch;

use super::{COLUMNS, Rows, column_name, open};
use crate::error::{Error, Result};

/// Longest text of a field that an error repeats.
const SHOWN: usize = 40;

/// Each line's number (from 1) and fields, blank lines left out.
fn lines(
    path: &Path,
    mut each: impl FnMut(usize, &[&str]) -> std::result::Result<(), String>,
) -> Result<()> {
    let reader = BufReader::new(open(path)?);
    for (number, line) in (1..).zip(reader.lines()) {
        let failed = |reason: String| Error::file("read", path, format!("line {number}{reason}"));
        let line = line.map_err(|error| failed(format!(": {error}")))?;
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        if !fields.is_empty() {
            each(number, &fields).map_err(failed)?;
        }
    }
    Ok(())
}

fn wrong(at: usize, name: &str, field: &str, wanted: &str) -> String {
    let shown: String = field.chars().take(SHOWN).collect();
    format!(", column {} ({name}): {shown:?} is no {wanted}", at + 1)
}

fn number(at: usize, name: &str, field: &str) -> std::result::Result<f64, String> {
    let number = field.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| wrong(at, name, field, "number"))
}

/// A number of an engine or cycle: whole, from 1 on.
fn whole(at: usize, name: &str, field: &str) -> std::result::Result<i64, String> {
    let number = number(at, name, field)?;
    // Some copies of the files write them with a fraction of zeros.
    let whole = number as i64;
    let fits = whole as f64 == number && (1..1 << 53).contains(&whole);
    fits.then_some(whole).ok_or_else(|| wrong(at, name, field, "whole number from 1 on"))
}

/// The rows of `train_….txt` or `test_….txt`.
pub(super) fn rows(path: &Path) -> Result<RecordBatch> {
    let mut rows = Rows::new();
    lines(path, |_, fields| {
        if fields.len() != COLUMNS {
            let (found, plural) = (fields.len(), if fields.len() == 1 { "" } else { "s" });
            return Err(format!(
                ": {found} column{plural}, expected {COLUMNS} (engine, cycle, 3 settings, 21 sensors)"
            ));
        }
        let (unit, cycle) = (whole(0, "unit", fields[0])?, whole(1, "cycle", fields[1])?);
        rows.push(unit, cycle).map_err(|reason| format!(": {reason}"))?;
        for (at, field) in fields.iter().enumerate().skip(2) {
            rows.numbers[at - 2].push(number(at, &column_name(at), field)?);
        }
        Ok(())
    })?;
    rows.finish(path)
}

/// The remaining lives of `RUL_….txt`: a number a line.
pub(super) fn remaining(path: &Path) -> Result<Vec<f64>> {
    let mut lives = Vec::new();
    lines(path, |_, fields| {
        let [field] = fields else {
            return Err(format!(": {} columns, expected 1 (cycles left)", fields.len()));
        };
        let life = number(0, "cycles left", field)?;
        if life < 0.0 {
            return Err(wrong(0, "cycles left", field, "number from 0 on"));
        }
        lives.push(life);
        Ok(())
    })?;
    Ok(lives)
}
