//! Exact windows that end at each row ("over"), answered at arrival; in [`at_watermark`], once
//! all rows of its time are there.
//!
//! For each row of a key: what do the key's rows in `(t − delay − length, t − delay]` add up
//! to, for several horizons at once, over the rows at earlier positions and the row itself?
//! Nothing is approximated and nothing waits: the answer leaves with the row, and a row that
//! comes out of order is decided on at its own time and remembered for the rows after it.
//!
//! ```text
//!                        30 d                     1 d   10 min
//!   log of a key   ──lo──────────────────────────lo─────lo──────┐ hi (all horizons)
//!   (time order)     ▼                            ▼      ▼       ▼
//!        … forgotten │ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ │ ◀─ push
//!                      ▲           ▲
//!                      lo          hi     a delayed horizon (28 d that ended 7 d ago)
//! ```
//! One log a key serves all horizons ([`OverPlan`]); a horizon is two cursors, and a sum the
//! difference of two words of the log (`layout`). A batch is worked through with prefetches some
//! rows ahead, since cache misses (block, log tail, one or two cursors a row) cost as much as the
//! arithmetic. The common row takes a short cut (`slide`), any other the long way (`row`). Values
//! that several columns need (a mean and a sum) are written once a row (`raw`) and turned into
//! columns at the end of the batch (`derive`).

mod accumulate;
pub mod at_watermark;
mod derive;
mod entries;
mod forget;
mod hot;
mod layout;
mod multiset;
mod numbers;
mod operator;
mod raw;
mod ring;
mod row;
mod slide;
mod spec;
mod state;
#[cfg(test)]
mod tests;
mod widen;

pub use operator::Over;
pub use spec::{FLOAT_SUM_TOLERANCE, Horizon, Measure, MeasureKind, Output, OverPlan};

/// Bytes that a row of this plan takes in its key's log, without slack.
pub fn entry_bytes(plan: &OverPlan) -> usize {
    layout::Layout::new(plan, false).entry_words * 8
}
