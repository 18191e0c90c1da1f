//! How good a detector is, by the procedures that others publish with.
//!
//! * [`nab`]: the Numenta Anomaly Benchmark's score (windows, early detection rewarded, one
//!   threshold for all series), also with the threshold fixed on other series.
//! * [`skab`]: the Skoltech benchmark's binary scores by row (F1, false and missed alarms).
//! * [`recording`]: NAB's two file formats, `timestamp,value` and the windows as JSON.
//!
//! Plain slices in, numbers out: files are the caller's affair.

pub mod nab;
pub mod recording;
pub mod skab;

#[cfg(test)]
mod tests;
