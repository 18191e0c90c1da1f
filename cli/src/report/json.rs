//! Files of a report: written beside their final name, then renamed, so that a failed run or
//! a full disk leaves what was there before.

use std::io::Write;
use std::path::Path;

use pelton::{Error, Result};
use serde::Serialize;

/// Writes a value as indented JSON with a line end.
///
/// # Errors
/// When the file cannot be written.
pub fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    write_file(path, &text(value)?)
}

/// A value as indented JSON with a line end. Numbers that JSON lacks (NaN) become null.
///
/// # Errors
/// When the value has no JSON form (a map with keys that are no text).
pub fn text<T: Serialize>(value: &T) -> Result<String> {
    match serde_json::to_string_pretty(value) {
        Ok(mut text) => {
            text.push('\n');
            Ok(text)
        }
        Err(error) => Err(Error::run(format!("cannot write JSON: {error}"))),
    }
}

/// Writes a text file whole or not at all.
///
/// # Errors
/// When the directory is missing or full, or the file may not be written.
pub fn write_file(path: &Path, text: &str) -> Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let failed = |error: &std::io::Error| Error::io("write", path, error);
    let mut beside = new_file_in(directory).map_err(|error| failed(&error))?;
    beside.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
    beside.as_file().sync_data().map_err(|error| failed(&error))?;
    beside.persist(path).map_err(|error| failed(&error.error))?;
    Ok(())
}

/// A file that goes away unless it is renamed, with the rights that a new file usually gets
/// (a plain temporary file is for its owner alone).
fn new_file_in(directory: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".pelton-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory)
}
