//! From scores to alerts that a team can keep up with: one incident is one alert, and no more of
//! them than there are people to look.
//!
//! ```text
//!  score, flag ─▶ strange? ─▶ above the budget's level? ─▶ incident of its key ─▶ alert
//!             flag, or score ≥ high                   rows near each other   cool-down, budget left
//! ```
//! 1. **Strange** is a row that its detector flags, or, with a level of one's own
//!    ([`AlertPolicy::level`]), whose score is at least that. **Over** it is where, with a budget,
//!    its score is above the budget's level as well (`budget.rs`).
//! 2. **Incident.** A row that is over opens an incident of its key. While one is open, strange
//!    rows, and those at least at the low level ([`AlertPolicy::hysteresis`]), belong to it; it ends
//!    when none has come for so many rows of the key, or so much time ([`AlertPolicy::group`]).
//! 3. **Alert.** An incident alerts once: at the first row that is over at which its key's
//!    cool-down ([`AlertPolicy::cooldown`]) is over and the budget has room. So an incident that
//!    falls into a cool-down, but outlasts it, is told late rather than never.
//!
//! | column | type | |
//! |---|---|---|
//! | `alert` | Boolean | this row raises the alert of its incident |
//! | `incident` | UInt64, null | the incident that the row belongs to, numbered by when they opened |
//!
//! Decisions are made row by row, from the rows before and the row itself: nothing looks ahead,
//! and nothing depends on batches or shards. All rows are looked at by one shard, because a budget
//! is for all keys; it takes a lookup of the key and a few comparisons a row.

mod budget;
mod incident;
mod operator;
mod plan;
#[cfg(test)]
mod tests;

pub use incident::{Alerts, Decision};
pub use plan::{AlertPlan, AlertPolicy, Group};

/// The columns that are added, without the detector's name before them.
pub const ALERT_COLUMNS: [&str; 2] = ["alert", "incident"];
