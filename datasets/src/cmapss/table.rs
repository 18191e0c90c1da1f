//! The same rows as Parquet: one file with the rows of all subsets, one with the remaining lives.

use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{COLUMNS, Rows, SETTINGS, Subset, check_remaining, files, open};
use crate::error::{Error, Result};

/// The two files of a folder.
pub(super) struct Tables {
    rows: PathBuf,
    remaining: PathBuf,
}

/// A column's name in the file.
fn name_in_file(at: usize) -> String {
    match at {
        0 => "unit".to_owned(),
        1 => "cycle".to_owned(),
        _ if at < 2 + SETTINGS => format!("o{}", at - 1),
        _ => format!("s{}", at - 1 - SETTINGS),
    }
}

impl Tables {
    /// The files of a folder, known by their columns; `None` where one is missing.
    pub(super) fn find(folder: &Path) -> Result<Option<Self>> {
        let has = |schema: &Schema, names: &[&str]| {
            names.iter().all(|name| schema.column_with_name(name).is_some())
        };
        let (mut rows, mut remaining) = (None, None);
        for path in files(folder)? {
            if path.extension().is_none_or(|ending| ending != "parquet") {
                continue;
            }
            // Other files of the folder are none of ours, broken or not.
            let Ok(builder) = ParquetRecordBatchReaderBuilder::try_new(open(&path)?) else {
                continue;
            };
            let schema = builder.schema();
            if has(schema, &["subset", "split", "unit", "cycle", "s21"]) {
                rows = Some(path);
            } else if has(schema, &["subset", "rul"]) {
                remaining = Some(path);
            }
        }
        Ok(rows.zip(remaining).map(|(rows, remaining)| Self { rows, remaining }))
    }

    /// Names of the subsets, each once.
    pub(super) fn subsets(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        each(&self.rows, |batch| {
            for name in texts(batch, "subset")? {
                if names.last() != Some(&name) {
                    names.push(name);
                }
            }
            Ok(())
        })?;
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// A subset.
    pub(super) fn read(&self, name: &str) -> Result<Subset> {
        let (mut train, mut test) = (Rows::new(), Rows::new());
        each(&self.rows, |batch| add(batch, name, &mut train, &mut test))?;
        let mut remaining = Vec::new();
        each(&self.remaining, |batch| {
            let (subsets, lives) = (texts(batch, "subset")?, numbers(batch, "rul")?);
            let of = subsets.iter().zip(lives).filter(|(subset, _)| *subset == name);
            remaining.extend(of.map(|(_, life)| life));
            Ok(())
        })?;
        let subset = Subset {
            name: name.to_owned(),
            train: train.finish(&self.rows)?,
            test: test.finish(&self.rows)?,
            remaining,
        };
        check_remaining(&subset, &self.remaining)?;
        Ok(subset)
    }
}

/// Shows each batch of a file.
fn each(
    path: &Path,
    mut show: impl FnMut(&RecordBatch) -> std::result::Result<(), String>,
) -> Result<()> {
    let failed = |reason: String| Error::file("read", path, reason);
    let reader = ParquetRecordBatchReaderBuilder::try_new(open(path)?)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|error| failed(error.to_string()))?;
    for batch in reader {
        let batch = batch.map_err(|error| failed(error.to_string()))?;
        show(&batch).map_err(failed)?;
    }
    Ok(())
}

fn column(
    batch: &RecordBatch,
    name: &str,
    kind: &DataType,
) -> std::result::Result<arrow::array::ArrayRef, String> {
    let column =
        batch.column_by_name(name).ok_or_else(|| format!("the column {name} is missing"))?;
    let column = cast(column, kind).map_err(|error| format!("the column {name}: {error}"))?;
    match column.null_count() {
        0 => Ok(column),
        nulls => Err(format!("the column {name} is missing in {nulls} rows")),
    }
}

fn texts(batch: &RecordBatch, name: &str) -> std::result::Result<Vec<String>, String> {
    let column = column(batch, name, &DataType::Utf8)?;
    Ok(column.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
}

fn numbers(batch: &RecordBatch, name: &str) -> std::result::Result<Vec<f64>, String> {
    let column = column(batch, name, &DataType::Float64)?;
    let values = column.as_primitive::<Float64Type>().values();
    match values.iter().position(|value| !value.is_finite()) {
        Some(row) => Err(format!("the column {name}: {} is no number", values[row])),
        None => Ok(values.to_vec()),
    }
}

fn add(
    batch: &RecordBatch,
    name: &str,
    train: &mut Rows,
    test: &mut Rows,
) -> std::result::Result<(), String> {
    let (subset, split) = (texts(batch, "subset")?, texts(batch, "split")?);
    let whole = |name: &str| -> std::result::Result<Vec<i64>, String> {
        let column = column(batch, name, &DataType::Int64)?;
        Ok(column.as_primitive::<Int64Type>().values().to_vec())
    };
    let (unit, cycle) = (whole("unit")?, whole("cycle")?);
    let values: Vec<Vec<f64>> = (2..COLUMNS)
        .map(|at| numbers(batch, &name_in_file(at)))
        .collect::<std::result::Result<_, _>>()?;
    for row in (0..batch.num_rows()).filter(|row| subset[*row] == name) {
        let rows = match split[row].as_str() {
            "train" => &mut *train,
            "test" => &mut *test,
            other => return Err(format!("the column split: {other:?} is not train or test")),
        };
        rows.push(unit[row], cycle[row])?;
        for (out, values) in rows.numbers.iter_mut().zip(&values) {
            out.push(values[row]);
        }
    }
    Ok(())
}
