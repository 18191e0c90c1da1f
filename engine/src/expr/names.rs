//! Looking columns up by name, and what to say when there is none.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::error::{Error, Result};

/// Index of the column `name`.
///
/// # Errors
/// When there is none: the error lists names that look like it.
pub(crate) fn column_index(schema: &Schema, name: &str) -> Result<usize> {
    schema
        .fields()
        .iter()
        .position(|field| field.name() == name)
        .ok_or_else(|| unknown_column(schema, name))
}

/// The schema with one more column at its end.
///
/// # Errors
/// When there is a column of this name.
pub(crate) fn schema_with(input: &Schema, field: Field) -> Result<SchemaRef> {
    if input.column_with_name(field.name()).is_some() {
        return Err(Error::usage(format!("there is a column `{}` already", field.name()))
            .advise("choose another name, or drop the old column first"));
    }
    let mut fields = input.fields().to_vec();
    fields.push(Arc::new(field));
    Ok(Arc::new(Schema::new_with_metadata(fields, input.metadata().clone())))
}

/// How many columns an error lists when none looks like the one asked for.
const LISTED_MAX: usize = 20;

/// The error for a column that does not exist, with names that look like it.
pub(crate) fn unknown_column(schema: &Schema, name: &str) -> Error {
    let error = Error::usage(format!("there is no column `{name}`"));
    let close = close_names(schema, name);
    if !close.is_empty() {
        return error.advise(format!("did you mean {}?", quoted(&close, " or ")));
    }
    let all: Vec<&str> =
        schema.fields().iter().take(LISTED_MAX).map(|field| field.name().as_str()).collect();
    if all.is_empty() {
        return error.advise("there are no columns at all");
    }
    let more = if schema.fields().len() > LISTED_MAX { ", …" } else { "" };
    error.advise(format!("the columns are {}{more}", quoted(&all, ", ")))
}

fn quoted(names: &[&str], between: &str) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(between)
}

/// Up to three names within a third of the asked name's length in edits, nearest first.
fn close_names<'a>(schema: &'a Schema, name: &str) -> Vec<&'a str> {
    let asked: Vec<char> = name.to_lowercase().chars().collect();
    let edits_max = asked.len().div_ceil(3).min(4);
    let mut close: Vec<(usize, &str)> = schema
        .fields()
        .iter()
        .map(|field| {
            let known: Vec<char> = field.name().to_lowercase().chars().collect();
            (edits(&asked, &known), field.name().as_str())
        })
        .filter(|(edits, _)| *edits <= edits_max)
        .collect();
    close.sort_unstable();
    close.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Levenshtein's distance: insertions, deletions and replacements that turn `a` into `b`.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
