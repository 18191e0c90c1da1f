//! What a user asks of a window, and what it needs: the plan is checked and resolved once.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

use super::grid::Grid;
use crate::error::{Error, Result};
use crate::time::Span;
use crate::window::aggregate::{Aggregate, AggregatePlan, find, plain};

/// Tumbling or hopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaneKind {
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
}

/// A tumbling or hopping window.
#[derive(Debug, Clone)]
pub struct PaneSpec {
    /// Tumbling or hopping, and how long.
    pub kind: PaneKind,
    /// Windows start at the epoch plus this plus a multiple of the slide; may be negative.
    pub offset: Span,
    /// Type of the time column: `window_start` and `window_end` have it too.
    pub time_type: DataType,
    /// Unit of the time column.
    pub unit: TimeUnit,
    /// The key columns; none: one window for all rows.
    pub keys: Vec<String>,
    /// What is computed.
    pub aggregates: Vec<Aggregate>,
}

/// The resolved window.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) grid: Grid,
    pub(super) time_type: DataType,
    /// Indices of the key columns in the input.
    pub(super) keys: Vec<usize>,
    pub(super) aggregates: AggregatePlan,
    /// The output's schema.
    pub(super) output: SchemaRef,
}

impl Plan {
    pub(super) fn new(spec: &PaneSpec, input: &SchemaRef) -> Result<Self> {
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
            grid: grid(spec)?,
            time_type: spec.time_type.clone(),
            keys,
            aggregates,
            output: Arc::new(Schema::new(fields)),
        })
    }
}

fn grid(spec: &PaneSpec) -> Result<Grid> {
    let (size, slide) = match spec.kind {
        PaneKind::Tumble(size) => (size, size),
        PaneKind::Hop { size, slide } => (size, slide),
    };
    for (name, span) in [("size", size), ("slide", slide)] {
        if !span.is_positive() {
            return Err(Error::usage(format!("the window's {name} is {span}"))
                .advise("give a duration above zero"));
        }
    }
    let units = |span: Span| span.to_units(spec.unit);
    Ok(Grid::new(units(size)?, units(slide)?, units(spec.offset)?))
}
