//! # Recordings to run Pelton on
//!
//! [`payments`] makes a recording of card payments from a seed, with labelled frauds of five
//! kinds; [`handbook`] reads the public recording of the Fraud Detection Handbook in the same
//! shape; [`cmapss`] reads NASA's turbofan engines. Nothing here depends on the engine: a recording is an ordinary file, or an iterator
//! of Arrow batches.
//!
//! | module | rows | columns and units |
//! |---|---|---|
//! | [`payments`] | as many as asked for | `ts` µs UTC, `card`, `terminal`, `amount` with two places, `country` ISO 3166, `lat` and `lon` in degrees, `is_fraud`, `fraud_kind` |
//! | [`handbook`] | those of the file | the same without `country`, `lat`, `lon` |
//! | [`cmapss`] | an engine's cycle each | `unit`, `cycle`, `setting_1` to `setting_3`, `sensor_1` to `sensor_21` |
//!
//! The tables of columns and of the kinds of fraud are at the top of each module.

pub mod cmapss;
mod draws;
mod error;
mod geo;
pub mod handbook;
pub mod payments;
mod write;

pub use error::{Error, Result};
pub use geo::distance_km;
pub use write::{FileFormat, Written};
