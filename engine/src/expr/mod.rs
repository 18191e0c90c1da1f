//! Expressions over columns: what filters, computed columns and rules are written in.
//!
//! ```
//! use pelton::expr::{col, lit, when};
//! let impossible = col("speed_kmh").gt(900).and(col("distance_km").ge(100.0));
//! assert_eq!(impossible.to_string(), "speed_kmh > 900 and distance_km >= 100.0");
//! let share = when(col("n").gt(0)).then(col("frauds") / col("n")).otherwise(lit(0));
//! assert_eq!(share.columns(), ["n", "frauds"]);
//! ```
//!
//! An [`Expr`] is text that has been typed in: it knows no schema. [`Expr::bind`] looks its
//! columns up, decides every type and inserts every conversion, so that mistakes show before
//! the stream starts and [`BoundExpr::evaluate`] only computes. What an expression means is
//! written down in `evaluate.rs`, one columnar kernel a node; what runs is mostly a
//! [`program`], which computes a few hundred rows of all nodes at a time.
//!
//! # What the operators mean
//! - **Nulls** are SQL's: arithmetic and comparisons with null are null, `and`/`or`/`not` are
//!   three-valued (`false and null` is false), a filter keeps a row only where its condition is
//!   true. `min`/`max` of null and something are null; `coalesce` is there to replace nulls.
//! - **Integers** (and event times, in their own unit) compute in 64 bits. Overflow and division
//!   by zero end the run with an error that names the expression; division truncates.
//! - **Floats** follow IEEE 754 in arithmetic (`1.0 / 0.0` is infinite). In comparisons, as in
//!   aggregates, NaN equals itself and is greatest, and −0 equals +0: the order is total.
//! - **Decimals** compare exactly with integers and decimals, and add and subtract exactly among
//!   themselves; any other arithmetic, and comparisons with floats, use the nearest f64.
//! - `when(c).then(a).otherwise(b)` computes `a` only for rows where `c` is true and `b` only for
//!   the others, so it guards a division; `and` gives no such promise.

mod alike;
mod bind;
mod build;
mod cast;
mod compare;
mod compute;
mod display;
mod evaluate;
mod filter;
mod names;
mod program;
mod project;
#[cfg(test)]
mod tests;

pub use bind::BoundExpr;
pub use build::{BinaryOp, Expr, Literal, Then, UnaryOp, When, col, decimal, lit, null, when};
pub(crate) use cast::power_of_ten;
pub(crate) use compare::without_nulls;
pub(crate) use compute::{Compute, Computed};
pub(crate) use display::write_decimal;
pub(crate) use filter::bind_condition;
pub use filter::{Filter, filter_batch};
pub(crate) use names::{column_index, schema_with};
pub(crate) use project::BindCache;
pub use project::{DropColumns, Named, Select, WithColumn};
