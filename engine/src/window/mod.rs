//! Windows: which rows of a key stand together, and what is computed over them.
//!
//! | folder | windows | a row |
//! |---|---|---|
//! | [`over`] | exact ones that end at each row, at arrival | gets columns |
//! | [`over::at_watermark`] | the same, exact by event time | waits for the watermark, then gets columns |
//! | [`pane`] | tumbling, hopping, cumulating: cut by time | goes into the pane of its time |
//! | `picked` | the same, with the filter and the lookup before them | is picked by its number |
//! | `run` | session, count, state: cut by the rows themselves | waits for the watermark, then goes by (time, position) |
//! | `global` | one for all rows | goes into its key's only state |
//! | `sessions` | sessions that late rows correct | is kept until its session can't change |
//! | `corrected_runs` | windows by number of rows and states that late rows correct | is kept while a late row may change its windows |
//! | `correct`, `early` | those cut by time, given out again when a late row changes them, or before they close | is kept for the allowed lateness |
//!
//! All but the first compute [`aggregate`]s, kept in one kind of table, and give out rows whose
//! first columns are `window_start`, `window_end` and the keys (`output.rs`).

pub mod aggregate;
mod correct;
mod corrected_cut;
mod corrected_runs;
mod counted;
mod describe;
mod early;
mod expiry;
mod global;
mod held;
mod keys;
mod output;
pub mod over;
pub mod pane;
mod picked;
mod run;
mod sessions;
mod spec;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

pub use correct::CorrectedWindow;
pub use corrected_runs::CorrectedRuns;
pub(crate) use describe::describe;
#[cfg(feature = "gpu")]
pub(crate) use describe::kernels;
pub(crate) use expiry::sweep_step;
pub use global::GlobalWindow;
pub use run::RunWindow;
pub use sessions::CorrectedSessions;
pub(crate) use spec::ends;
pub use spec::{Early, Lateness, WindowKind, WindowSpec};

use crate::error::{Error, Result};
use crate::operator::{KeyedWindow, MapOperator, TableRows};
use pane::PaneWindow;
use picked::PickedWindow;

/// The window of one shard, and the schema of the rows that it gives out.
///
/// # Errors
/// When a column is missing or of a type that cannot be aggregated or be a key, when a duration
/// is not above zero or no whole number of units, when two output columns have one name, or when
/// nothing is computed.
pub fn open(spec: &WindowSpec, input: &SchemaRef) -> Result<(Box<dyn KeyedWindow>, SchemaRef)> {
    use WindowKind::{Count, Cumulate, Global, Hop, Session, State, Tumble};
    let on_grid = matches!(spec.kind, Tumble(_) | Hop { .. } | Cumulate { .. });
    if !on_grid && spec.offset != crate::time::Span::ZERO {
        return Err(Error::usage("only windows that start at fixed times have an offset")
            .advise("leave the offset out, or use tumbling, hopping or cumulating windows"));
    }
    let never_closes = matches!(spec.kind, Global);
    if spec.key_ttl.is_some() && (never_closes || spec.lateness.is_some() && !on_grid) {
        return Err(Error::usage(
            "keys cannot be forgotten where windows never close, or are no windows of fixed \
             length and are corrected",
        )
        .advise("leave the keys' time to live out, or the lateness"));
    }
    if let Some(lateness) = &spec.lateness {
        if matches!(spec.kind, Session { .. }) && lateness.early.is_none() {
            let window = CorrectedSessions::new(spec, lateness, input)?;
            let schema = window.output_schema();
            return Ok((Box::new(window), schema));
        }
        if matches!(spec.kind, Count { .. } | State(_)) && lateness.early.is_none() {
            let window = CorrectedRuns::new(spec, lateness, input)?;
            let schema = window.output_schema();
            return Ok((Box::new(window), schema));
        }
        if !on_grid {
            return Err(Error::usage(
                "only windows of fixed length can be given out early, and global windows, which \
                 the end of the input closes, are never corrected",
            )
            .advise("leave the allowed lateness (or early) out, or raise the delay"));
        }
        let window = CorrectedWindow::new(spec, lateness, input)?;
        let schema = window.output_schema();
        return Ok((Box::new(window), schema));
    }
    Ok(match spec.kind {
        Tumble(_) | Hop { .. } | Cumulate { .. } => {
            let window = PaneWindow::new(spec, input)?;
            let schema = window.output_schema();
            (Box::new(window), schema)
        }
        Session { .. } | Count { .. } | State(_) => {
            let window = RunWindow::new(spec, input)?;
            let schema = window.output_schema();
            (Box::new(window), schema)
        }
        Global => {
            let window = GlobalWindow::new(spec, input)?;
            let schema = window.output_schema();
            (Box::new(window), schema)
        }
    })
}

/// Windows that take rows in before a filter and a lookup (a step each, where there are) that
/// stand right in front of them; `input`: the rows before those steps. `None`: these windows need
/// the steps run first.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_picked(
    spec: &WindowSpec,
    filter: Option<&Arc<dyn MapOperator>>,
    lookup: Option<&Arc<dyn MapOperator>>,
    input: &SchemaRef,
) -> Result<Option<Box<dyn KeyedWindow>>> {
    use WindowKind::{Cumulate, Hop, Tumble};
    let on_panes = matches!(spec.kind, Tumble(_) | Hop { .. } | Cumulate { .. });
    if !on_panes || spec.lateness.is_some() || spec.key_ttl.is_some() || spec.keys.is_empty() {
        return Ok(None);
    }
    let mut schema = input.clone();
    if let Some(lookup) = lookup {
        let added = lookup.as_table().map(TableRows::added).unwrap_or_default();
        let mut values = spec.clone();
        values.keys.clear();
        let keyed_by_table = spec.keys.iter().all(|key| added.contains(key));
        if !keyed_by_table || values.reads().iter().any(|name| added.contains(name)) {
            return Ok(None);
        }
        schema = lookup.output_schema(&schema)?;
    }
    let window = PaneWindow::new(spec, &schema)?;
    let (filter, lookup) = (filter.cloned(), lookup.cloned());
    Ok(Some(Box::new(PickedWindow::new(filter, lookup, &spec.keys, window))))
}
