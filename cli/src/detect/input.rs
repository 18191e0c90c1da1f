//! The recording: all of its columns, for each row is given out as it came.
//!
//! In text, the time with a unit is an integer and watched values are floats, whatever the first
//! rows hold: a series may begin with whole numbers. Standard input cannot be looked at twice, so
//! its types are those of its first rows.

use std::path::Path;

use arrow::datatypes::{DataType, TimeUnit};
use pelton::Result;
use pelton::pipeline::Opened;

use crate::args::DetectArgs;
use crate::window::input::{DATE_AND_TIME, Reading};
use crate::window::text;

impl<'a> From<&'a DetectArgs> for Reading<'a> {
    fn from(args: &'a DetectArgs) -> Self {
        Self {
            format: args.format,
            delimiter: args.delimiter,
            null: args.null.as_deref(),
            no_header: args.no_header,
            io: args.io,
            batch_rows: args.batch_rows,
        }
    }
}

/// Opens a recording.
pub(super) fn open(
    args: &DetectArgs,
    path: &Path,
    time: &str,
    unit: Option<TimeUnit>,
) -> Result<Opened> {
    let path = text(path)?;
    let reading = Reading::from(args);
    if path == "-" {
        return reading.file(&path)?.open();
    }
    let schema = reading.file(&path)?.open()?.schema();
    let is_text = reading.is_text(&path);
    let empty = is_text && reading.is_empty(&path)?;
    let mut file = reading.file(&path)?;
    let named = [time].into_iter().chain(args.value.iter().map(String::as_str));
    let named = named.chain(args.key.iter().chain(&args.label).map(String::as_str));
    let there: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut columns = there.clone();
    for name in named {
        // One that is not there is asked for all the same: the reader says what there is.
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    for name in columns {
        let known = if name == time {
            let whole = unit.filter(|_| is_text).map(|_| DataType::Int64);
            whole.or_else(|| empty.then_some(DATE_AND_TIME))
        } else {
            let is_value = is_text && args.value.iter().any(|value| value == name);
            let is_bool = schema
                .column_with_name(name)
                .is_some_and(|(_, field)| *field.data_type() == DataType::Boolean);
            (is_value && !is_bool).then_some(DataType::Float64)
        };
        file = match known {
            Some(data_type) => file.column(name, data_type),
            None => file.column_as_it_is(name),
        };
    }
    file.open()
}
