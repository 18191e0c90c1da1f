//! `--lookup ads.csv:ad_id`: which table, by which columns, and which of its columns are needed.

use pelton::pipeline::{File, Lookup};
use pelton::{Error, Result};

use crate::args::WindowArgs;

/// A table that rows are looked up in.
pub struct Table {
    /// As the pipeline has it.
    pub lookup: Lookup,
    /// The rows' columns that it is looked up by.
    pub keys: Vec<String>,
    /// The names of the columns that it can add, and what the table calls them.
    pub columns: Vec<(String, String)>,
}

/// The tables that the options name, read.
///
/// # Errors
/// When an option cannot be read, or a table.
pub fn tables(args: &WindowArgs) -> Result<Vec<Table>> {
    let left = args.lookup.iter().map(|text| table(text, false));
    left.chain(args.lookup_inner.iter().map(|text| table(text, true))).collect()
}

/// The path of a table's file.
pub fn path(text: &str) -> &str {
    text.rsplit_once(':').map_or(text, |(path, _)| path)
}

/// `FILE:KEY[=TABLE_KEY][,…][ as PREFIX]`
fn table(text: &str, inner: bool) -> Result<Table> {
    let option = if inner { "--lookup-inner" } else { "--lookup" };
    let wrong = || {
        Error::usage(format!("{text:?} does not say which table, and by which columns"))
            .at(option)
            .advise(format!(
                "write {option} ads.csv:ad_id, or ads.csv:ad=ad_id where the table's name differs"
            ))
    };
    let (path, rest) =
        text.rsplit_once(':').filter(|(path, _)| !path.is_empty()).ok_or_else(wrong)?;
    let (keys, prefix) = match rest.split_once(" as ") {
        Some((keys, prefix)) => (keys, format!("{}_", prefix.trim())),
        None => (rest, String::new()),
    };
    let mut lookup = Lookup::file(File::any(path)).prefix(&prefix);
    if inner {
        lookup = lookup.inner();
    }
    let mut own = Vec::new();
    for key in keys.split(',').map(str::trim) {
        let (rows, table) = key.split_once('=').unwrap_or((key, key));
        let (rows, table) = (rows.trim(), table.trim());
        if rows.is_empty() || table.is_empty() {
            return Err(wrong());
        }
        lookup = lookup.on_columns(rows, table);
        own.push(rows.to_owned());
    }
    let added = lookup.added()?;
    let columns = added.into_iter().map(|name| {
        let theirs = name[prefix.len()..].to_owned();
        (name, theirs)
    });
    let columns = columns.collect();
    Ok(Table { lookup, keys: own, columns })
}

impl Table {
    /// The lookup with only those of its columns that are asked for.
    #[must_use]
    pub fn of_needed(self, is_needed: impl Fn(&str) -> bool) -> Lookup {
        let needed = self.columns.iter().filter(|(name, _)| is_needed(name));
        self.lookup.columns(needed.map(|(_, theirs)| theirs.as_str()))
    }
}
