//! Where payments come from: a file in our columns, or the Handbook's recording.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use pelton::expr::col;
use pelton::pipeline::{File, Options, Pipeline, Summary};
use pelton::source::SourceOptions;
use pelton::{Error, Result};
use pelton_datasets::handbook;
use pelton_pipelines::fraud;

use crate::args::FormatArg;

/// The recording, opened.
pub(crate) enum Input {
    /// In our columns.
    Payments(pelton::pipeline::Opened),
    /// The Handbook's.
    Handbook(String),
}

/// Batches that are pushed into a pipeline.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

impl Input {
    /// Opens the recording at `path` (`-`: standard input).
    ///
    /// # Errors
    /// When it cannot be read, or lacks a column.
    pub(crate) fn open(
        path: &str,
        format: Option<FormatArg>,
        source: SourceOptions,
        batch_rows: usize,
    ) -> Result<Self> {
        Self::open_with(path, format, source, batch_rows, |file| file)
    }

    /// As [`Input::open`], with further columns asked for.
    pub(crate) fn open_with(
        path: &str,
        format: Option<FormatArg>,
        source: SourceOptions,
        batch_rows: usize,
        more: impl FnOnce(File) -> File,
    ) -> Result<Self> {
        let file = match format {
            Some(format) => File::of(super::format(format), path),
            None => File::any(path),
        };
        let file = file.source(source).batch_rows(batch_rows);
        let is_parquet =
            path != "-" && pelton::decode::format_of(path) == Some(pelton::decode::Format::Parquet);
        if is_parquet && handbook::is_handbook(&file.clone().open()?.schema()) {
            return Ok(Self::Handbook(path.to_owned()));
        }
        Ok(Self::Payments(more(fraud::columns(file)).open()?))
    }

    /// Its columns.
    pub(crate) fn schema(&self) -> SchemaRef {
        match self {
            Self::Payments(opened) => opened.schema(),
            Self::Handbook(_) => handbook::schema(),
        }
    }

    /// A pipeline that reads it; rows, where it must be given them.
    pub(crate) fn into_pipeline(self) -> (Pipeline, Option<Rows>) {
        match self {
            Self::Payments(opened) => (Pipeline::read_opened(opened), None),
            Self::Handbook(path) => {
                let failed = |error: pelton_datasets::Error| Error::run(error.to_string());
                let rows: Rows = match handbook::read(Path::new(&path)) {
                    Ok(rows) => Box::new(rows.map(move |rows| rows.map_err(failed))),
                    Err(error) => Box::new(std::iter::once(Err(failed(error)))),
                };
                (Pipeline::rows(handbook::schema()), Some(rows))
            }
        }
    }
}

/// Runs a pipeline that [`Input::into_pipeline`] began.
///
/// # Errors
/// As [`Pipeline::run`].
pub(crate) fn run(pipeline: Pipeline, rows: Option<Rows>, options: Options) -> Result<Summary> {
    match rows {
        Some(rows) => pipeline.run_rows(rows, options),
        None => pipeline.run(options),
    }
}

/// The column of labels under the name by which the pipeline knows it.
///
/// # Errors
/// When the recording has no such column, or has another one under the pipeline's name.
pub(crate) fn labelled(pipeline: Pipeline, schema: &SchemaRef, label: &str) -> Result<Pipeline> {
    let missing = || {
        Error::usage(format!("the recording has no column {label}"))
            .advise("name the column of labels with --label; it is true for frauds")
    };
    if label == LABEL {
        schema.index_of(LABEL).map_err(|_| missing())?;
        return Ok(pipeline);
    }
    schema.index_of(label).map_err(|_| missing())?;
    if schema.index_of(LABEL).is_ok() {
        let what = format!("the recording has a column {LABEL} as well as {label}");
        return Err(Error::usage(what).advise("rename one of them"));
    }
    Ok(pipeline.column(LABEL, col(label)))
}

/// The name by which the pipeline knows labels.
pub(crate) const LABEL: &str = "is_fraud";

/// The type of labels.
pub(crate) const LABEL_TYPE: DataType = DataType::Boolean;
