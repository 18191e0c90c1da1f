//! Which rows stand together, as a user writes it: horizons (`last(minutes(10))`), windows
//! (`tumble(minutes(1))`), and what is known of a key's previous row.

use crate::expr::Expr;
use crate::time::Span;
pub use crate::window::Early;
use crate::window::{Lateness, WindowKind};

/// A horizon of an over window: `(t − delay − length, t − delay]`, or so many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// By rows: unused.
    pub(crate) length: Span,
    pub(crate) delay: Option<Span>,
    /// By rows: how many.
    pub(crate) rows: Option<u64>,
}

/// The horizon that ends at the row: `(t − length, t]`.
pub fn last(length: Span) -> Last {
    Last { length, delay: None, rows: None }
}

/// The last `rows` rows of the key up to and including the row, by (time, position). Answered at
/// the watermark ([`Pipeline::over_at_watermark`](super::Pipeline::over_at_watermark)).
pub fn last_n(rows: u64) -> Last {
    Last { length: Span::ZERO, delay: None, rows: Some(rows) }
}

impl Last {
    /// The same length, ended `delay` before the row: for what is known only later (labels).
    #[must_use]
    pub fn ended(self, delay: Span) -> Self {
        Self { delay: Some(delay), ..self }
    }

    pub(crate) fn suffix(&self) -> String {
        match (self.rows, self.delay) {
            (Some(rows), _) => format!("{rows}rows"),
            (None, None) => self.length.to_string(),
            (None, Some(delay)) => format!("{}_after_{delay}", self.length),
        }
    }
}

/// Which rows of a key stand together.
#[derive(Debug, Clone)]
pub struct Window {
    pub(crate) kind: WindowKind,
    pub(crate) offset: Span,
    pub(crate) lateness: Option<Lateness>,
    pub(crate) key_ttl: Option<Span>,
}

fn window(kind: WindowKind) -> Window {
    Window { kind, offset: Span::ZERO, lateness: None, key_ttl: None }
}

/// Windows `[start, start + size)`, one after the other, aligned to the epoch.
pub fn tumble(size: Span) -> Window {
    window(WindowKind::Tumble(size))
}

/// Windows of `size`, one starting each `slide`, aligned to the epoch.
pub fn hop(size: Span, slide: Span) -> Window {
    window(WindowKind::Hop { size, slide })
}

/// Windows that start each `size`, aligned to the epoch, and grow by `step` until they are that
/// long: of an hour in steps of 5 minutes there are twelve, `[0:00, 0:05)` to `[0:00, 1:00)`.
pub fn cumulate(size: Span, step: Span) -> Window {
    window(WindowKind::Cumulate { size, step })
}

/// Sessions: rows of which each is less than `gap` after the one before (by time). A session
/// ends `gap` after its last row.
pub fn session(gap: Span) -> Window {
    window(WindowKind::Session { gap, longest: None })
}

/// Sessions that end when they are `longest` long, if not before: the next row starts another.
pub fn session_up_to(gap: Span, longest: Span) -> Window {
    window(WindowKind::Session { gap, longest: Some(longest) })
}

/// So many rows, one window after the other, by (time, position).
pub fn every_rows(rows: u64) -> Window {
    window(WindowKind::Count { rows, step: rows })
}

/// The last `rows` rows by (time, position), each `step` rows.
pub fn last_rows(rows: u64, step: u64) -> Window {
    window(WindowKind::Count { rows, step })
}

/// The rows for which a condition is true, from the first one to the one for which it is not.
pub fn while_true(condition: impl Into<Expr>) -> Window {
    window(WindowKind::State(condition.into()))
}

/// All rows, until the input ends.
pub fn all_rows() -> Window {
    window(WindowKind::Global)
}

impl Window {
    /// Shifts all windows by this (tumbling, hopping, cumulating).
    #[must_use]
    pub fn offset(self, offset: Span) -> Self {
        Self { offset, ..self }
    }

    /// Rows that are late by up to this correct windows that have been given out (all but global
    /// ones): these are given out again, and the column `change` says what a row is (`insert`,
    /// `update_after`; with `retracts` also `update_before`, the row that is no longer true).
    /// Sessions, windows by number of rows and states always give `update_before`: what becomes of
    /// one may have other bounds.
    #[must_use]
    pub fn allow_late(self, span: Span, retracts: bool) -> Self {
        let early = self.lateness.and_then(|lateness| lateness.early);
        Self { lateness: Some(Lateness { span, retracts, early }), ..self }
    }

    /// Windows (tumbling, hopping, cumulating) are given out before they close as well, as often as
    /// this says, and again when they close if they have changed. The column `change` says what a
    /// row is, as for [`Window::allow_late`].
    #[must_use]
    pub fn early(self, early: Early, retracts: bool) -> Self {
        let span = self.lateness.map_or(Span::ZERO, |lateness| lateness.span);
        Self { lateness: Some(Lateness { span, retracts, early: Some(early) }), ..self }
    }
}

impl Window {
    /// Forgets a key that no open window holds once the watermark is this far behind its newest
    /// row (at the next multiple of a quarter of it), so that keys that come and go take no memory
    /// for ever. A row of it that comes later is that of a new key: only its place among the rows
    /// of a window can tell. A state that goes on and a window by number of rows that is not full
    /// hold their key.
    #[must_use]
    pub fn forget_keys_after(self, idle: Span) -> Self {
        Self { key_ttl: Some(idle), ..self }
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
