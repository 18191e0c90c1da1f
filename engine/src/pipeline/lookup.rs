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
pub(super) fn time_unit(field: &Field, declared: Option<TimeUnit>) -> Result<TimeUnit> {
    match (field.data_type(), declared) {
        (DataType::Timestamp(unit, _), None) => Ok(*unit),
        (DataType::Timestamp(unit, _), Some(declared)) if *unit == declared => Ok(declared),
        (DataType::Timestamp(unit, _), Some(declared)) => Err(Error::usage(format!(
            "the time column {} counts {unit:?}s, but {declared:?}s were declared",
            field.name()
        ))
        .advise("leave the unit away: a timestamp column has its own")),
        (other, Some(declared)) if other.is_integer() => Ok(declared),
        (other, None) if other.is_integer() => Err(Error::usage(format!(
            "the time column {} is {other}, and nothing says in which unit it counts",
            field.name()
        ))
        .advise("name the unit (ts:us on the command line, event_time_in in Rust)")),
        (other, _) => Err(Error::usage(format!(
            "the time column {} is {other}, not a timestamp",
            field.name()
        ))
        .advise("say its type where the input is declared, such as Timestamp(Microsecond, UTC)")),
    }
}

/// Units of a timestamp in a second.
pub(super) fn units_per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}
