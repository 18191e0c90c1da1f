//! `pelton score`: how good scores are, by the benchmarks' own procedures
//! ([`pelton_scoring::evaluate`]). Here files are read and written.

use std::path::{Path, PathBuf};

use pelton::{Error, Result};

mod nab;
mod skab;
mod table;
mod tep;

pub use nab::run as nab;
pub use skab::run as skab;
pub use tep::run as tep;

/// An error of the scoring crate. A wrong name is wrong usage, a wrong file a failed run.
fn scoring(error: &pelton_scoring::Error, of: fn(String) -> Error) -> Error {
    let mut own = of(error.what().to_owned());
    if let Some(place) = error.place() {
        own = own.at(place);
    }
    match error.advice() {
        Some(advice) => own.advise(advice),
        None => own,
    }
}

fn failed(error: &pelton_scoring::Error) -> Error {
    scoring(error, Error::run)
}

fn wrong(error: &pelton_scoring::Error) -> Error {
    scoring(error, Error::usage)
}

/// The CSV files in a folder and the folders in it, in the order of their paths.
fn csv_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = |error: &std::io::Error| Error::io("read", folder, error);
    let mut files = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|error| cannot(&error))?;
    for entry in entries {
        let path = entry.map_err(|error| cannot(&error))?.path();
        if path.is_dir() {
            files.extend(csv_files(&path)?);
        } else if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A text file.
fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| Error::io("read", path, &error))
}

/// Writes a file, its folders made before.
fn write_text(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, &error))?;
    }
    crate::report::json::write_file(path, text)
}
