//! From the columns that a file has to the columns that the plan asked for: which ones, in
//! which order, of which type. Shared by Parquet and Arrow IPC.
//!
//! A type is changed only where no value can silently become another one; the rules are in
//! `convert.rs`. A *value* that the new type cannot hold rejects its row with the reason; a
//! *type* that cannot be changed ends the run before the first row.

mod convert;
mod guard;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;

use self::convert::Conversion;
pub(super) use self::guard::guarded;
use super::{ColumnRequest, DeadLetter, Decoded};
use crate::error::{Error, Result};

/// Names listed in an error before "…".
const NAMES_SHOWN: usize = 30;

/// One column of the output.
#[derive(Debug)]
struct Planned {
    /// Index among the columns of the input.
    source: usize,
    /// Index among the columns that are read.
    slot: usize,
    field: FieldRef,
    conversion: Option<Conversion>,
}

/// How the input's columns become the plan's.
#[derive(Debug)]
pub(super) struct Projection {
    file: String,
    columns: Vec<Planned>,
    schema: SchemaRef,
}

impl Projection {
    /// Plans the way from `input` to `requested` (`None`: all columns as they are).
    ///
    /// # Errors
    /// When a required column is missing, a name is asked for twice or stands twice in the
    /// input, or a type cannot become the one that is needed.
    pub(super) fn plan(
        file: &str,
        input: &Schema,
        requested: Option<&[ColumnRequest]>,
    ) -> Result<Self> {
        let everything: Vec<ColumnRequest>;
        let requested = match requested {
            Some(requested) => requested,
            None => {
                let all = input.fields().iter().map(|field| ColumnRequest {
                    name: field.name().clone(),
                    data_type: None,
                    required: true,
                });
                everything = all.collect();
                &everything
            }
        };
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, field) in input.fields().iter().enumerate() {
            places.entry(field.name()).or_default().push(index);
        }
        let mut columns: Vec<Planned> = Vec::with_capacity(requested.len());
        for request in requested {
            if columns.iter().any(|column| *column.field.name() == request.name) {
                return Err(Error::run(format!("column {:?} is there twice", request.name))
                    .at(file)
                    .advise("every column that is read needs a name of its own"));
            }
            match places.get(request.name.as_str()).map_or(&[][..], Vec::as_slice) {
                [] if !request.required => {}
                [] => return Err(missing(file, &request.name, input)),
                [source] => columns.push(plan_column(file, *source, input, request)?),
                _ => {
                    return Err(Error::run(format!("column {:?} is there twice", request.name))
                        .at(file)
                        .advise("rename one of them when the file is written"));
                }
            }
        }
        let mut sources: Vec<usize> = columns.iter().map(|column| column.source).collect();
        sources.sort_unstable();
        for column in &mut columns {
            column.slot = sources.partition_point(|&source| source < column.source);
        }
        let fields: Vec<FieldRef> = columns.iter().map(|column| column.field.clone()).collect();
        Ok(Self { file: file.to_owned(), columns, schema: Arc::new(Schema::new(fields)) })
    }

    /// Schema of the output.
    pub(super) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Indices of the input's columns to read, in the order of the input.
    pub(super) fn sources(&self) -> Vec<usize> {
        let mut sources: Vec<usize> = self.columns.iter().map(|column| column.source).collect();
        sources.sort_unstable();
        sources
    }

    /// Turns rows with the columns [`Self::sources`] into the plan's; `first_row` is the number
    /// (from 1) of the first of them in the file.
    pub(super) fn apply(
        &self,
        rows: &RecordBatch,
        first_row: u64,
    ) -> Result<(RecordBatch, Vec<DeadLetter>)> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        // For each row the first column that has no room for its value.
        let mut to_blame: Vec<(BooleanBuffer, usize)> = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            let source = rows.column(column.slot);
            let Some(conversion) = &column.conversion else {
                arrays.push(source.clone());
                continue;
            };
            let (converted, lost) =
                conversion.convert(source).map_err(|error| self.refused(column, source, &error))?;
            arrays.push(converted);
            if let Some(lost) = lost {
                to_blame.push((lost, index));
            }
        }
        if to_blame.is_empty() {
            return Ok((self.batch(arrays, rows.num_rows())?, Vec::new()));
        }
        self.reject(rows, arrays, &to_blame, first_row)
    }

    fn reject(
        &self,
        rows: &RecordBatch,
        arrays: Vec<ArrayRef>,
        to_blame: &[(BooleanBuffer, usize)],
        first_row: u64,
    ) -> Result<(RecordBatch, Vec<DeadLetter>)> {
        let mut rejects = Vec::new();
        let mut keep = Vec::with_capacity(rows.num_rows());
        for row in 0..rows.num_rows() {
            let blamed = to_blame.iter().find(|(lost, _)| lost.value(row));
            keep.push(blamed.is_none());
            let Some(&(_, index)) = blamed else { continue };
            let column = &self.columns[index];
            let source = rows.column(column.slot);
            rejects.push(DeadLetter {
                file: self.file.clone(),
                line: first_row + row as u64,
                byte_offset: 0,
                column: Some(column.field.name().clone()),
                reason: format!(
                    "{} ({}) is no {}",
                    display(source.as_ref(), row),
                    source.data_type(),
                    column.field.data_type()
                ),
                raw: self.render(rows, row),
            });
        }
        let keep = BooleanArray::from(keep);
        let kept = keep.true_count();
        let arrays = arrays.iter().map(|array| filter(array, &keep));
        let arrays = arrays.collect::<std::result::Result<Vec<_>, _>>()?;
        Ok((self.batch(arrays, kept)?, rejects))
    }

    fn batch(&self, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::run(error.to_string()).at(&*self.file))
    }

    /// The row as the file has it, in a form like JSON, for a person to read.
    fn render(&self, rows: &RecordBatch, row: usize) -> Bytes {
        let mut text = String::from("{");
        for (index, column) in self.columns.iter().enumerate() {
            let array = rows.column(column.slot);
            let comma = if index == 0 { "" } else { "," };
            let value = display(array.as_ref(), row);
            let bare = array.is_null(row)
                || array.data_type().is_numeric()
                || *array.data_type() == DataType::Boolean;
            // Writing to a string cannot fail.
            let _ = if bare {
                write!(text, "{comma}{:?}:{value}", column.field.name())
            } else {
                write!(text, "{comma}{:?}:{value:?}", column.field.name())
            };
        }
        text.push('}');
        Bytes::from(text)
    }

    fn refused(
        &self,
        column: &Planned,
        source: &ArrayRef,
        error: &arrow::error::ArrowError,
    ) -> Error {
        let (name, from, to) = (column.field.name(), source.data_type(), column.field.data_type());
        Error::run(format!("column {name} is {from} and cannot be read as {to}: {error}"))
            .at(&*self.file)
    }
}

fn plan_column(
    file: &str,
    source: usize,
    input: &Schema,
    request: &ColumnRequest,
) -> Result<Planned> {
    let field = input.field(source);
    let from = field.data_type();
    let mut to = from;
    let mut conversion = None;
    if let Some(wanted) = &request.data_type
        && !from.equals_datatype(wanted)
    {
        to = wanted;
        conversion = Some(Conversion::plan(from, wanted).ok_or_else(|| {
            Error::run(format!("column {:?} is {from}, but {wanted} is needed", field.name()))
                .at(file)
                .advise("convert the column when the file is written, or name another column")
        })?);
    }
    // What a file says beside the type (field ids, pandas) must not tell one format from
    // another; extension names change what a value means and stay.
    let metadata = field.metadata().iter().filter(|(key, _)| key.starts_with("ARROW:extension"));
    let metadata = metadata.map(|(key, value)| (key.clone(), value.clone())).collect();
    let nullable = field.is_nullable() || *from == DataType::Null;
    let field = Field::new(field.name(), to.clone(), nullable).with_metadata(metadata);
    Ok(Planned { source, slot: 0, field: Arc::new(field), conversion })
}

fn missing(file: &str, name: &str, input: &Schema) -> Error {
    let mut names: Vec<&str> =
        input.fields().iter().take(NAMES_SHOWN).map(|field| field.name().as_str()).collect();
    if input.fields().len() > NAMES_SHOWN {
        names.push("…");
    }
    let advice = if names.is_empty() {
        "the file has no columns".to_owned()
    } else {
        format!("the file has: {}", names.join(", "))
    };
    Error::run(format!("no column {name:?}")).at(file).advise(advice)
}

fn display(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::new().with_null("null").with_display_error(true);
    match ArrayFormatter::try_new(array, &options) {
        Ok(formatter) => formatter.value(row).to_string(),
        Err(error) => error.to_string(),
    }
}

/// Cuts what a file gives into batches of the size that was asked for.
#[derive(Debug)]
pub(super) struct Batches {
    projection: Projection,
    batch_rows: usize,
    rest: Option<(RecordBatch, Instant)>,
    /// Rows of the file given out so far, the rejected ones included.
    rows: u64,
}

impl Batches {
    pub(super) fn new(projection: Projection, batch_rows: usize) -> Self {
        Self { projection, batch_rows: batch_rows.max(1), rest: None, rows: 0 }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.projection.schema()
    }

    /// Takes in what the file gave; only when [`Self::next`] has nothing left.
    pub(super) fn refill(&mut self, rows: RecordBatch, read_at: Instant) {
        debug_assert!(self.rest.is_none());
        if rows.num_rows() > 0 {
            self.rest = Some((rows, read_at));
        }
    }

    /// The next batch out of what was taken in.
    pub(super) fn next(&mut self) -> Result<Option<Decoded>> {
        let Some((rows, read_at)) = self.rest.take() else { return Ok(None) };
        let len = rows.num_rows().min(self.batch_rows);
        let piece = if len < rows.num_rows() {
            let piece = rows.slice(0, len);
            self.rest = Some((rows.slice(len, rows.num_rows() - len), read_at));
            piece
        } else {
            rows
        };
        let (rows, rejects) = self.projection.apply(&piece, self.rows + 1)?;
        self.rows += len as u64;
        Ok(Some(Decoded { rows, origin: None, rejects, read_at }))
    }
}
