//! A sink by the name of its file.

use std::path::Path;

use arrow::datatypes::SchemaRef;

use super::{ArrowSink, CsvSink, NdJsonSink, ParquetSink, Sink};
use crate::decode::Format;
use crate::error::{Error, Result};

/// Opens `path` for rows with `schema`, in `format` or what the file's ending says: `.csv`,
/// `.tsv`, `.ndjson`/`.jsonl`/`.json`, `.parquet`, `.arrow`/`.ipc`/`.feather`. Standard output
/// (`-`) is NDJSON unless `format` says otherwise.
///
/// # Errors
/// When the format is not known or the file cannot be written.
pub fn open_sink(path: &str, format: Option<Format>, schema: &SchemaRef) -> Result<Box<dyn Sink>> {
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str());
    let ending = ending.unwrap_or_default().to_ascii_lowercase();
    let by_ending = match ending.as_str() {
        "csv" | "tsv" => Some(Format::Csv),
        "ndjson" | "jsonl" | "json" => Some(Format::NdJson),
        "parquet" => Some(Format::Parquet),
        "arrow" | "ipc" | "feather" => Some(Format::Arrow),
        _ if path == "-" => Some(Format::NdJson),
        _ => None,
    };
    let delimiter = if ending == "tsv" { b'\t' } else { b',' };
    if matches!(ending.as_str(), "gz" | "zst" | "zstd") {
        return Err(Error::usage(format!("cannot write {path}: outputs are not compressed"))
            .advise("write it plainly, or to `-` and through gzip or zstd"));
    }
    Ok(match format.or(by_ending) {
        Some(Format::Csv) => Box::new(CsvSink::create(path, schema, delimiter)?),
        Some(Format::NdJson) => Box::new(NdJsonSink::create(path, schema)?),
        Some(Format::Parquet) => Box::new(ParquetSink::create(path, schema)?),
        Some(Format::Arrow) => Box::new(ArrowSink::create(path, schema)?),
        None => {
            return Err(Error::usage(format!("cannot tell the format of {path} by its ending"))
                .advise("give --format csv, ndjson, parquet or arrow, or a file ending"));
        }
    })
}
