//! Event time: spans of it ([`duration`]), clocks beside it ([`clock`]), which rows are late
//! ([`lateness`]), and what is no longer expected ([`watermark`]).
//!
//! Event times are integers in the unit that the data has; spans are converted to it once, when
//! the plan is made. Operators never ask a clock: wall time enters only where a silent input is
//! declared idle, and then through a [`clock::Clock`] that a test or a replay can turn by hand.

pub mod clock;
pub mod duration;
pub mod lateness;
pub mod watermark;

#[cfg(test)]
mod tests;

pub use clock::{Clock, SystemClock, VirtualClock};
pub use duration::{Span, days, hours, micros, millis, minutes, seconds};
pub use lateness::{RejectedRow, StagedRows, TimeOptions, TimeStage};
pub use watermark::WatermarkTracker;
