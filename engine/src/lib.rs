//! # Pelton
//!
//! A single-machine stream engine: events in, columns through, decisions out, with reasons.
//!
//! The listing of this crate is the way of the data; stages never import each other, they meet
//! through [`batch::Batch`], the watermark and the traits in [`operator`], and only
//! [`pipeline`] names them all:
//!
//! [`source`] (bytes) → [`decode`] (columns, dead letters) → [`batch`] → [`time`] (late marks,
//! watermarks) → `lookup` (static tables) → `shard` (key → core) → [`window`] (over, panes) → [`score`] (rules, models,
//! reasons) → [`sink`].
//!
//! Beside them: [`accel`] (what a GPU does instead), [`offload`] (how a step is done elsewhere), [`expr`] (what filters and rules are written in), [`state`] (key index, row
//! logs), `runtime` (threads and rings; knows no concrete stage), [`testing`] (scripts, a clock that
//! is turned by hand, definitions).

#[cfg(feature = "gpu")]
pub mod accel;
#[cfg(not(feature = "gpu"))]
#[path = "no_accel.rs"]
pub mod accel;
pub mod batch;
pub mod decode;
pub mod error;
pub mod expr;
mod lookup;
pub mod offload;
pub mod operator;
mod packing;
pub mod pipeline;
mod runtime;
pub mod score;
mod shard;
pub mod sink;
pub mod source;
pub mod state;
pub mod testing;
pub mod time;
pub mod window;

pub use error::{Error, ErrorKind, Result};

/// The README's Rust blocks are compiled and run as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeDoctests;
