//! Deciding about rows: rules, models, and the reasons for what they say.
//!
//! - A [`Rule`] is a condition with a name and a sentence; a [`RuleSet`] adds the column `rules`,
//!   a bit mask of the rules that hold for each row.
//! - A [`Scorer`] gives each row a number. [`Model`] is one, read from a file of LightGBM,
//!   XGBoost or ONNX, or from the small JSON of a [`Logistic`]; [`LiveModel`] and [`Scheduled`]
//!   are models that others take the place of, while rows flow or at set event times.
//!   [`ScoreColumn`] adds the number as a column.
//! - [`Explain`] adds the column `reasons` (JSON text): the rules that hold with their sentences
//!   and values, the features that made the score, and the bounds of the windows behind them. It
//!   costs microseconds a row and belongs behind the filter that leaves only alerts.
//!
//! All of them are [`MapOperator`](crate::operator::MapOperator)s: they keep no state of rows.

mod column;
mod explain;
mod live;
mod logistic;
mod model;
mod numeric;
mod rule;
mod scheduled;
mod scorer;
mod template;
#[cfg(test)]
mod tests;

pub use column::ScoreColumn;
pub use explain::{Explain, WindowBounds};
pub use live::LiveModel;
pub use logistic::{Feature, FeatureTransform, Logistic};
pub use model::Model;
pub use pelton_scoring::model::Method;
pub use rule::{RULES_MAX, Rule, RuleSet};
pub use scheduled::Scheduled;
pub use scorer::{Contribution, Explanation, Scorer};
