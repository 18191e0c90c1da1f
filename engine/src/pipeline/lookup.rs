//! Looking columns up when a plan is made.

use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};

use crate::error::{Error, Result};

/// Index of a column, or an error that lists those that exist.
pub(super) fn find(schema: &SchemaRef, name: &str) -> Result<usize> {
    schema.index_of(name).map_err(|_| {
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        Error::usage(format!("there is no column {name}"))
            .advise(format!("the columns here are: {}", names.join(", ")))
    })
}

/// Indices of columns.
pub(super) fn indices(schema: &SchemaRef, names: &[String]) -> Result<Vec<usize>> {
    names.iter().map(|name| find(schema, name)).collect()
}

/// The unit of the time column.
pub(super) fn time_unit(field: &Field) -> Result<TimeUnit> {
    match field.data_type() {
        DataType::Timestamp(unit, _) => Ok(*unit),
        other => Err(Error::usage(format!(
            "the time column {} is {other}, not a timestamp",
            field.name()
        ))
        .advise("say its type where the input is declared, such as Timestamp(Microsecond, UTC)")),
    }
}
