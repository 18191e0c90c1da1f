//! Reader of NASA's *C-MAPSS* turbofan engines (Saxena, Goebel, Simon, Eklund: "Damage
//! propagation modeling for aircraft engine run-to-failure simulation", PHM 2008; NASA Prognostics
//! Data Repository, "Turbofan Engine Degradation Simulation Data Set"). Simulated.
//!
//! A subset (`FD001` to `FD004`) is three files:
//!
//! | file | what it holds |
//! |---|---|
//! | `train_FD001.txt` | engines that ran until they failed: a row a cycle (flight) |
//! | `test_FD001.txt` | other engines, cut some time before they failed |
//! | `RUL_FD001.txt` | for each of these, in their order, how many cycles were left at the cut |
//!
//! A row is 26 numbers parted by blanks. As Arrow ([`schema`]):
//!
//! | column | type | |
//! |---|---|---|
//! | `unit` | int64 | number of the engine, from 1 |
//! | `cycle` | int64 | its age in cycles, from 1 |
//! | `setting_1` … `setting_3` | float64 | altitude, Mach number, throttle |
//! | `sensor_1` … `sensor_21` | float64 | temperatures, pressures, speeds, in the units of the paper's table 2 |
//!
//! A folder with the same rows as Parquet is read as well: a file with the columns `subset,
//! split` (`train` or `test`), `unit, cycle, o1` … `o3, s1` … `s21`, and one with `rul, subset`
//! ([`table`]).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::{Error, Result};

mod table;
mod text;

/// Operational settings of a row.
pub const SETTINGS: usize = 3;
/// Sensors of a row.
pub const SENSORS: usize = 21;
/// Numbers of a row: engine, cycle, settings, sensors.
const COLUMNS: usize = 2 + SETTINGS + SENSORS;

/// One subset.
#[derive(Debug, Clone, PartialEq)]
pub struct Subset {
    /// `FD001` to `FD004`.
    pub name: String,
    /// Engines that ran until they failed; rows of [`schema`], engine by engine, by cycle.
    pub train: RecordBatch,
    /// Engines that were cut before.
    pub test: RecordBatch,
    /// Cycles left behind the last row of each engine of `test`, in their order.
    pub remaining: Vec<f64>,
}

/// Schema of the rows.
pub fn schema() -> SchemaRef {
    let whole = ["unit", "cycle"].map(|name| Field::new(name, DataType::Int64, false));
    let numbers = (2..COLUMNS).map(|at| Field::new(column_name(at), DataType::Float64, false));
    Arc::new(Schema::new(whole.into_iter().chain(numbers).collect::<Vec<_>>()))
}

/// Name of a column of a row, counted from 0.
fn column_name(at: usize) -> String {
    match at {
        0 => "unit".to_owned(),
        1 => "cycle".to_owned(),
        _ if at < 2 + SETTINGS => format!("setting_{}", at - 1),
        _ => format!("sensor_{}", at - 1 - SETTINGS),
    }
}

/// The subsets that a folder holds, in the order of their names.
///
/// # Errors
/// When the folder cannot be listed.
pub fn subsets(folder: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for path in files(folder)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let subset = name.strip_prefix("train_").and_then(|name| name.strip_suffix(".txt"));
        names.extend(subset.map(str::to_owned));
    }
    if names.is_empty()
        && let Some(tables) = table::Tables::find(folder)?
    {
        names = tables.subsets()?;
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Reads a subset.
///
/// # Errors
/// When a file is missing or cannot be read, has a row of another number of columns or something
/// that is no number (with file, line and column), cycles that do not ascend, or not one
/// remaining life for each engine of the test.
pub fn read(folder: &Path, name: &str) -> Result<Subset> {
    let path = |kind: &str| folder.join(format!("{kind}_{name}.txt"));
    if !path("train").exists()
        && let Some(tables) = table::Tables::find(folder)?
    {
        return tables.read(name);
    }
    let test = path("test");
    let subset = Subset {
        name: name.to_owned(),
        train: text::rows(&path("train"))?,
        test: text::rows(&test)?,
        remaining: text::remaining(&path("RUL"))?,
    };
    check_remaining(&subset, &path("RUL"))?;
    Ok(subset)
}

/// The folder's files.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| Error::file("list", folder, error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        files.push(entry.map_err(failed)?.path());
    }
    files.sort_unstable();
    Ok(files)
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| {
        let advice = "it is one of the files of NASA's Turbofan Engine Degradation Simulation set";
        Error::file("open", path, format!("{error}; {advice}"))
    })
}

/// Rows that are being read, by column.
#[derive(Default)]
struct Rows {
    unit: Vec<i64>,
    cycle: Vec<i64>,
    /// Settings, then sensors.
    numbers: Vec<Vec<f64>>,
}

impl Rows {
    fn new() -> Self {
        Self { numbers: vec![Vec::new(); COLUMNS - 2], ..Self::default() }
    }

    /// Adds an engine's next cycle; the reason where it cannot be.
    fn push(&mut self, unit: i64, cycle: i64) -> std::result::Result<(), String> {
        let last = self.unit.last().zip(self.cycle.last());
        match last {
            Some((&same, &before)) if same == unit && cycle <= before => {
                Err(format!("cycle {cycle} of engine {unit} stands behind its cycle {before}"))
            }
            Some((&other, _)) if other > unit => {
                Err(format!("engine {unit} stands behind engine {other}"))
            }
            _ => {
                self.unit.push(unit);
                self.cycle.push(cycle);
                Ok(())
            }
        }
    }

    fn finish(self, path: &Path) -> Result<RecordBatch> {
        if self.unit.is_empty() {
            return Err(Error::file("read", path, "it has no rows"));
        }
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(self.unit)), Arc::new(Int64Array::from(self.cycle))];
        for numbers in self.numbers {
            columns.push(Arc::new(Float64Array::from(numbers)));
        }
        RecordBatch::try_new(schema(), columns).map_err(|error| Error::file("read", path, error))
    }
}

/// Number of engines of rows that stand engine by engine.
fn engines(rows: &RecordBatch) -> usize {
    use arrow::array::AsArray;
    let units = rows.column(0).as_primitive::<arrow::datatypes::Int64Type>().values();
    units.windows(2).filter(|pair| pair[0] != pair[1]).count() + usize::from(!units.is_empty())
}

fn check_remaining(subset: &Subset, path: &Path) -> Result<()> {
    let (engines, lives) = (engines(&subset.test), subset.remaining.len());
    if engines == lives {
        return Ok(());
    }
    let reason = format!("it has {lives} remaining lives for the {engines} engines of the test");
    Err(Error::file("read", path, reason))
}
