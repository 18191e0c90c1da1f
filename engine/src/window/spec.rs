//! What a user asks of a window, and what every kind of it needs: checked and resolved once.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::aggregate::{Aggregate, AggregatePlan, find, plain};
use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::time::Span;

/// Which rows of a key stand together.
#[derive(Debug, Clone)]
pub enum WindowKind {
    /// Windows of this size, one after the other.
    Tumble(Span),
    /// Windows of `size`, one starting each `slide`.
    Hop {
        /// Length of a window.
        size: Span,
        /// Distance between the starts of windows; where it is above `size`, rows between
        /// windows count nowhere.
        slide: Span,
    },
    /// Windows that start each `size` and grow by `step` until they are that long.
    Cumulate {
        /// Length of the longest; a multiple of the step.
        size: Span,
        /// By how much the next is longer.
        step: Span,
    },
    /// Rows of which each is less than `gap` after the one before.
    Session {
        /// A gap of this length separates.
        gap: Span,
        /// A session that has become so long ends; the next row starts another.
        longest: Option<Span>,
    },
    /// So many rows by (time, position), a window ending each `step` rows.
    Count {
        /// Rows of a window.
        rows: u64,
        /// Rows from the end of a window to the end of the next.
        step: u64,
    },
    /// Rows for which the condition is true, from the first to the one for which it is not.
    State(Expr),
    /// All rows; closed by the end of the input.
    Global,
}

/// When windows are given out before they close, as far as they have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Early {
    /// A window of a key at each so many of its rows.
    Rows(u64),
    /// All, whenever the watermark passes a multiple of this since the epoch.
    EventTime(Span),
    /// All, at intervals of this on the pipeline's clock; live runs only.
    Processing(Span),
}

/// For how long late rows correct windows that have been given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateness {
    /// Beyond the delay within which rows are not late.
    pub span: Span,
    /// Whether the row that is no longer true is given out before the one that is.
    pub retracts: bool,
    /// Whether windows are given out before they close as well.
    pub early: Option<Early>,
}

/// A window over the rows of each key.
#[derive(Debug, Clone)]
pub struct WindowSpec {
    /// Which rows stand together.
    pub kind: WindowKind,
    /// Tumbling, hopping and cumulating windows start at the epoch plus this plus a multiple of
    /// their slide or size; may be negative.
    pub offset: Span,
    /// Type of the time column: `window_start` and `window_end` have it too.
    pub time_type: DataType,
    /// Unit of the time column.
    pub unit: TimeUnit,
    /// The key columns; none: one window for all rows.
    pub keys: Vec<String>,
    /// What is computed.
    pub aggregates: Vec<Aggregate>,
    /// Whether windows (of fixed length) are given out more than once: corrected by late rows, or
    /// early. `None`: once, and late rows are set aside.
    pub lateness: Option<Lateness>,
    /// For how long a key that no window holds is known after its newest row; `None`: for ever.
    pub key_ttl: Option<Span>,
}

impl WindowSpec {
    /// The columns that are read.
    pub(crate) fn reads(&self) -> Vec<String> {
        let mut names = self.keys.clone();
        names.extend(self.aggregates.iter().flat_map(Aggregate::reads));
        if let WindowKind::State(condition) = &self.kind {
            names.extend(condition.columns());
        }
        names
    }

    /// A length in units of the time column.
    pub(super) fn units(&self, name: &str, span: Span) -> Result<i64> {
        if !span.is_positive() {
            return Err(Error::usage(format!("the window's {name} is {span}"))
                .advise("give a duration above zero"));
        }
        span.to_units(self.unit)
    }
}

/// Where windows of fixed length end, in units of the time column: at multiples of the first plus
/// the second; `None` for other windows.
///
/// # Errors
/// When a length is not above zero or no whole number of units.
pub(crate) fn ends(spec: &WindowSpec) -> Result<Option<(i64, i64)>> {
    let offset = spec.offset.to_units(spec.unit)?;
    Ok(match spec.kind {
        WindowKind::Tumble(size) => Some((spec.units("size", size)?, offset)),
        WindowKind::Cumulate { step, .. } => Some((spec.units("step", step)?, offset)),
        WindowKind::Hop { size, slide } => {
            let slide = spec.units("slide", slide)?;
            // Only the rest matters: no sum can overflow.
            let rest = spec.units("size", size)? % slide + offset % slide;
            Some((slide, rest))
        }
        _ => None,
    })
}

/// The resolved window.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) time_type: DataType,
    /// Indices of the key columns in the input.
    pub(super) keys: Vec<usize>,
    pub(super) aggregates: AggregatePlan,
    /// The output's schema.
    pub(super) output: SchemaRef,
}

impl Plan {
    pub(super) fn new(spec: &WindowSpec, input: &SchemaRef) -> Result<Self> {
        let keys = spec.keys.iter().map(|key| find(input, key)).collect::<Result<Vec<usize>>>()?;
        let mut fields = vec![
            Field::new("window_start", spec.time_type.clone(), false),
            Field::new("window_end", spec.time_type.clone(), false),
        ];
        for &key in &keys {
            let field = input.field(key);
            fields.push(Field::new(field.name(), plain(field.data_type()), field.is_nullable()));
        }
        let aggregates = AggregatePlan::new(&spec.aggregates, input, spec.unit)?;
        fields.extend(aggregates.fields.iter().cloned());
        if spec.lateness.is_some() {
            fields.push(Field::new("change", DataType::Utf8, false));
        }
        for (i, field) in fields.iter().enumerate() {
            if fields[..i].iter().any(|other| other.name() == field.name()) {
                return Err(Error::usage(format!(
                    "two output columns of the window are called \"{}\"",
                    field.name()
                ))
                .advise("give the aggregates names of their own"));
            }
        }
        Ok(Self {
            time_type: spec.time_type.clone(),
            keys,
            aggregates,
            output: Arc::new(Schema::new(fields)),
        })
    }

    /// The key columns of a batch.
    pub(super) fn key_columns(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        self.keys.iter().map(|&key| batch.column(key).clone()).collect()
    }

    /// The types of the key columns.
    pub(super) fn key_types(&self, input: &SchemaRef) -> Vec<DataType> {
        self.keys.iter().map(|&key| input.field(key).data_type().clone()).collect()
    }
}
