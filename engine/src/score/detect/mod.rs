//! Detectors as columns: each row gets what its key's detector thinks of it.
//!
//! ```text
//!  rows ─▶ key → id ─┬─▶ values of the row ─▶ state of the key ─▶ score, probability, flag,
//!                    │   (NaN: missing)       learns the row       warming_up, contribution a column
//!                    └─ forests with a key: id → slot first (slots.rs)
//! ```
//! The methods and what their scores mean are those of [`pelton_scoring::detect`]; here are
//! columns in front of them. A detector scores a row from the rows before it, in the order in
//! which they come: as they arrive, or, behind
//! [`Pipeline::by_time`](crate::pipeline::Pipeline::by_time), by (time, position).
//!
//! | column | type | |
//! |---|---|---|
//! | `score` | Float64, null | the method's own measure, larger is stranger; null: no observation |
//! | `probability` | Float64, null | of a score at least as large, by the method's model; null where it has none |
//! | `flag` | Boolean | the method calls the row an anomaly |
//! | `warming_up` | Boolean | it has seen too little of the key to judge; then `flag` is false |
//! | `contribution_x` | Float64, null | what column x contributed, larger is more (several columns, and a method that can tell) |
//!
//! Named `load`, a detector's columns begin with `load_`. A null, NaN or infinite value is a
//! missing observation; a row without any observation has no score and changes no state (but for
//! the method `signal`, whose subject missing rows are).
//!
//! **State** is one a key. That of a forest is 10⁴ to 10⁶ bytes, so of those the first
//! [`OWN_KEYS`] keys that come have one of their own, and the keys after them share [`POOLS`].

mod feedback;
mod operator;
mod plan;
mod slots;
#[cfg(test)]
mod tests;

pub use feedback::Feedback;
pub(super) use plan::with_fields;
pub use plan::{DetectPlan, SCORE_COLUMNS, column_name};
pub use slots::{OWN_KEYS, POOLS, SlotsPlan};

use crate::error::Error;

/// An error of the scoring crate, as one of the plan.
fn usage(error: &pelton_scoring::Error) -> Error {
    let mut own = Error::usage(error.what());
    if let Some(place) = error.place() {
        own = own.at(place);
    }
    match error.advice() {
        Some(advice) => own.advise(advice),
        None => own,
    }
}
