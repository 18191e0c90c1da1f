//! The plots of the page, one a file; each gives an `<svg>`, or `None` without data.

pub mod alerts;
pub mod latency;
pub mod precision_recall;
pub mod timeline;

/// Width of a plot that has the page to itself.
pub const WIDE: f64 = 1080.0;
/// Width of a plot that shares the page with another.
pub const HALF: f64 = 520.0;
