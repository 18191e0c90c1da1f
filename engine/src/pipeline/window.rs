//! Which rows stand together, as a user writes it: horizons (`last(minutes(10))`), windows
//! (`tumble(minutes(1))`), and what is known of a key's previous row.

use crate::time::Span;
use crate::window::pane::PaneKind;

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
