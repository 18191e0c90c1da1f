//! What is computed over windows, as a user writes it: `count()`, `sum("amount")`, …
//!
//! Columns are named after what they hold: key, aggregate, column, horizon. `sum("amount")` over
//! `last(minutes(10))` of `key_by(["card"])` is `card_sum_amount_10m`; a horizon that ended 7
//! days ago adds `_after_7d`.

use crate::error::{Error, Result};
use crate::time::Span;
use crate::window::pane::{self, PaneKind};

/// A horizon of an over window: `(t − delay − length, t − delay]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    pub(crate) length: Span,
    pub(crate) delay: Option<Span>,
}

/// The horizon that ends at the row: `(t − length, t]`.
pub fn last(length: Span) -> Last {
    Last { length, delay: None }
}

impl Last {
    /// The same length, ended `delay` before the row: for what is known only later (labels).
    #[must_use]
    pub fn ended(self, delay: Span) -> Self {
        Self { delay: Some(delay), ..self }
    }

    pub(crate) fn suffix(&self) -> String {
        match self.delay {
            None => self.length.to_string(),
            Some(delay) => format!("{}_after_{delay}", self.length),
        }
    }
}

/// One aggregate over the rows of a horizon or a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    pub(crate) function: Function,
    pub(crate) column: String,
}

/// The functions of [`Aggregate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    CountValid,
    Sum,
    Mean,
    StdDev,
    OwnMean,
    OwnStdDev,
    Distinct,
    CountSame,
    Min,
    Max,
}

impl Function {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::CountValid => "count_valid",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::StdDev => "stddev",
            Self::OwnMean => "own_mean",
            Self::OwnStdDev => "own_stddev",
            Self::Distinct => "distinct",
            Self::CountSame => "count_same",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

fn of(function: Function, column: &str) -> Aggregate {
    Aggregate { function, column: column.to_owned() }
}

/// Rows in the window (Int64, never null).
pub fn count() -> Aggregate {
    of(Function::Count, "")
}

/// Rows in the window whose column is not null (Int64).
pub fn count_valid(column: &str) -> Aggregate {
    of(Function::CountValid, column)
}

/// Sum (Int64 for integers and booleans, Decimal128(38) for decimals, Float64); null of nothing.
pub fn sum(column: &str) -> Aggregate {
    of(Function::Sum, column)
}

/// Mean (Float64); null of nothing. Of a boolean column: the share of true.
pub fn mean(column: &str) -> Aggregate {
    of(Function::Mean, column)
}

/// Sample standard deviation (Float64); null below two values.
pub fn stddev(column: &str) -> Aggregate {
    of(Function::StdDev, column)
}

/// Mean without the current row (Float64): what the row is to be compared with.
pub fn own_mean(column: &str) -> Aggregate {
    of(Function::OwnMean, column)
}

/// Sample standard deviation without the current row (Float64).
pub fn own_stddev(column: &str) -> Aggregate {
    of(Function::OwnStdDev, column)
}

/// Different non-null values (Int64, exact).
pub fn distinct(column: &str) -> Aggregate {
    of(Function::Distinct, column)
}

/// Rows of the window with the current row's value of the column, itself included (Int64).
pub fn count_same(column: &str) -> Aggregate {
    of(Function::CountSame, column)
}

/// Least value, of the column's own type; NaN is greatest. Of windows ([`tumble`], [`hop`]).
pub fn min(column: &str) -> Aggregate {
    of(Function::Min, column)
}

/// Greatest value, of the column's own type; NaN is greatest. Of windows ([`tumble`], [`hop`]).
pub fn max(column: &str) -> Aggregate {
    of(Function::Max, column)
}

/// Windows of fixed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub(crate) kind: PaneKind,
    pub(crate) offset: Span,
}

/// Windows `[start, start + size)`, one after the other, aligned to the epoch.
pub fn tumble(size: Span) -> Window {
    Window { kind: PaneKind::Tumble(size), offset: Span::ZERO }
}

/// Windows of `size`, one starting each `slide`, aligned to the epoch.
pub fn hop(size: Span, slide: Span) -> Window {
    Window { kind: PaneKind::Hop { size, slide }, offset: Span::ZERO }
}

impl Window {
    /// Shifts all windows by this.
    #[must_use]
    pub fn offset(self, offset: Span) -> Self {
        Self { offset, ..self }
    }
}

impl Aggregate {
    /// The aggregate as windows compute it, named after function and column.
    pub(crate) fn of_panes(&self) -> Result<pane::Aggregate> {
        let function = match self.function {
            Function::Count => pane::Function::Count,
            Function::CountValid => pane::Function::CountNonNull,
            Function::Sum => pane::Function::Sum,
            Function::Mean => pane::Function::Avg,
            Function::Min => pane::Function::Min,
            Function::Max => pane::Function::Max,
            other => {
                return Err(Error::usage(format!("windows cannot compute {} yet", other.name()))
                    .advise("count, count_valid, sum, mean, min and max are there"));
            }
        };
        let column = (!self.column.is_empty()).then(|| self.column.clone());
        let name = match &column {
            None => self.function.name().to_owned(),
            Some(column) => format!("{}_{column}", self.function.name()),
        };
        Ok(pane::Aggregate { function, column, name })
    }
}

/// Something about the key's previous row (by time).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum History {
    /// `<key>_since_previous_s`: seconds since it (Float64); null on the first row.
    SincePrevious,
    /// `<key>_distance_km`: great-circle distance from its place; null where either is unknown.
    DistanceKm {
        /// Column of latitudes, degrees.
        lat: String,
        /// Column of longitudes, degrees.
        lon: String,
    },
    /// `<key>_speed_kmh`: speed from its place to this one; null also where no time passed.
    SpeedKmh {
        /// Column of latitudes, degrees.
        lat: String,
        /// Column of longitudes, degrees.
        lon: String,
    },
}

/// Seconds since the key's previous row.
pub fn since_previous() -> History {
    History::SincePrevious
}

/// Distance from the key's previous place, km (great circle; places held to 1e-7 degree).
pub fn distance_km(lat: &str, lon: &str) -> History {
    History::DistanceKm { lat: lat.to_owned(), lon: lon.to_owned() }
}

/// Speed from the key's previous place, km/h: what gives impossible travel away.
pub fn speed_kmh(lat: &str, lon: &str) -> History {
    History::SpeedKmh { lat: lat.to_owned(), lon: lon.to_owned() }
}
