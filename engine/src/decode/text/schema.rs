//! Which columns of an input the plan reads, and what to say where they are not there.

use arrow::datatypes::{DataType, TimeUnit};

use crate::decode::DecodeOptions;
use crate::error::{Error, Result};

/// A column to be read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    /// Its place in the input.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its type; `None`: to be inferred.
    pub data_type: Option<DataType>,
}

/// The columns that the plan reads among those that the input has.
pub(crate) fn resolve(
    file: &str,
    names: &[String],
    options: &DecodeOptions,
) -> Result<Vec<Wanted>> {
    let Some(requests) = &options.columns else {
        return (0..names.len())
            .map(|index| {
                let name = names[index].clone();
                unique(file, names, &name)?;
                Ok(Wanted { index, name, data_type: None })
            })
            .collect();
    };
    let mut wanted = Vec::with_capacity(requests.len());
    for request in requests {
        if let Some(data_type) = &request.data_type {
            supported(file, &request.name, data_type)?;
        }
        let Some(index) = names.iter().position(|name| *name == request.name) else {
            if request.required {
                return Err(missing_column(file, &request.name, names));
            }
            continue;
        };
        unique(file, names, &request.name)?;
        let (name, data_type) = (request.name.clone(), request.data_type.clone());
        wanted.push(Wanted { index, name, data_type });
    }
    Ok(wanted)
}

fn unique(file: &str, names: &[String], name: &str) -> Result<()> {
    if names.iter().filter(|other| *other == name).count() < 2 {
        return Ok(());
    }
    Err(Error::run(format!("two columns are named {name:?}"))
        .at(file)
        .advise("rename one of them, or leave that column out of the plan"))
}

/// The error for a required column that the input lacks.
fn missing_column(file: &str, name: &str, names: &[String]) -> Error {
    const LISTED: usize = 40;
    let mut listed = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        listed.push_str(", …");
    }
    let error =
        Error::run(format!("there is no column {name:?}; the input has: {listed}")).at(file);
    match closest(name, names) {
        Some(other) => error.advise(format!("did you mean {other:?}?")),
        None => error,
    }
}

/// The name that a slip of the finger makes into `name`.
fn closest<'a>(name: &str, names: &'a [String]) -> Option<&'a String> {
    let lower = name.to_lowercase();
    let far = name.chars().count().div_ceil(3).max(1);
    names
        .iter()
        .map(|other| (distance(&lower, &other.to_lowercase()), other))
        .filter(|(steps, _)| *steps <= far)
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, other)| other)
}

/// Levenshtein's distance: letters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Whether text can become such a column.
fn supported(file: &str, name: &str, data_type: &DataType) -> Result<()> {
    let known = match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => true,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => true,
        DataType::Float32 | DataType::Float64 | DataType::Boolean | DataType::Utf8 => true,
        DataType::Date32 => true,
        DataType::Timestamp(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond,
            _,
        ) => true,
        DataType::Decimal128(precision, scale) => {
            (1..=38).contains(precision) && *scale <= *precision as i8 && *scale >= -38
        }
        DataType::Dictionary(key, value) => **key == DataType::Int32 && **value == DataType::Utf8,
        _ => false,
    };
    if known {
        return Ok(());
    }
    Err(Error::usage(format!("text cannot be read as {data_type}"))
        .at(format!("{file}, column {name}"))
        .advise(
            "use an integer, float, boolean, Utf8, Dictionary(Int32, Utf8), Decimal128, \
             Timestamp or Date32",
        ))
}
