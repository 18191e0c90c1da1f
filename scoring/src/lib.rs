//! Models and detectors on plain numbers: what Pelton decides with.
//!
//! * [`detect`]: detectors that learn from the stream itself, a small state for each key, each
//!   from its paper; scores become tail probabilities and flags. `detect::auto` combines them.
//! * [`evaluate`]: how good scores are, by the procedures that others publish with.
//! * [`model`]: models that people have trained elsewhere (gradient-boosted and random forests,
//!   linear models), read from the files of the libraries that made them, with the contributions
//!   of their features.
//! * [`motifs`]: what comes again in a recorded series, and what never does.
//! * [`train`]: gradient-boosted trees and logistic regression, learned from columns and labels.
//!
//! This crate knows nothing of Arrow, files of recordings or threads: slices in, scores out, so
//! that what a detector does can be read, tested and fuzzed alone. The engine's `score` stage
//! puts columns in front of it.

pub mod detect;
pub mod error;
pub mod evaluate;
pub mod model;
pub mod motifs;
pub mod train;

pub use error::{Error, Result};
