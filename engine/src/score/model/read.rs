//! Files of models: read whole, told apart, and what is wrong with them in the engine's words.

use std::io::Read;
use std::path::Path;

use super::Model;
use crate::error::{Error, Result};

/// The bytes of a file, up to [`Model::FILE_BYTES_MAX`].
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: &std::io::Error| Error::io("read", path, error);
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    if file.metadata().is_ok_and(|about| about.is_dir()) {
        return Err(Error::run(format!("{} is a directory, not a model", path.display()))
            .advise("name the model's file"));
    }
    let mut bytes = Vec::new();
    let mut limited = file.take(Model::FILE_BYTES_MAX + 1);
    limited.read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > Model::FILE_BYTES_MAX {
        return Err(Error::run(format!("{} is larger than 2 GiB", path.display()))
            .advise("is it a model? train one with fewer trees otherwise"));
    }
    if bytes.is_empty() {
        return Err(Error::run(format!("{} is empty", path.display()))
            .advise("save the model again with the library that trained it"));
    }
    Ok(bytes)
}

/// Whether the bytes are our own JSON: an object whose first members name its kind. (A cut file
/// of ours must be called a cut file of ours.)
pub(super) fn is_logistic(bytes: &[u8]) -> bool {
    let Some(inside) = bytes.trim_ascii_start().strip_prefix(b"{") else { return false };
    const LOOKED_AT_BYTES: usize = 256;
    let start = &inside[..inside.len().min(LOOKED_AT_BYTES)];
    let has = |word: &[u8]| start.windows(word.len()).any(|part| part == word);
    has(b"\"kind\"") || (has(b"\"features\"") && has(b"\"transform\""))
}

/// An error of the scoring crate as one of the engine.
pub(super) fn engine_error(error: &pelton_scoring::Error) -> Error {
    let mut told = Error::run(error.what());
    if let Some(place) = error.place() {
        told = told.at(place);
    }
    match error.advice() {
        Some(advice) => told.advise(advice),
        None => told,
    }
}
