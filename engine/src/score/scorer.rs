//! What a model is to the engine.

use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch};
use arrow::datatypes::Schema;

use super::numeric::check_numeric;
use crate::error::Result;

/// Gives each row a number: the larger, the more suspicious.
pub trait Scorer: Send + Sync {
    /// The model's name, for `explain` and messages.
    fn name(&self) -> &str;

    /// The columns that it reads.
    fn inputs(&self) -> Vec<String>;

    /// Whether batches of this schema can be scored; asked before the stream starts.
    ///
    /// # Errors
    /// When a column is missing or holds no numbers.
    fn check(&self, schema: &Schema) -> Result<()> {
        self.inputs().iter().try_for_each(|name| check_numeric(schema, name).map(|_| ()))
    }

    /// The score of each row, never null: the probability, from 0 to 1, where the model gives
    /// one ([`Logistic`](super::Logistic)), otherwise a number whose scale the model documents.
    ///
    /// # Errors
    /// When the batch is not of a schema that [`check`](Self::check) accepts.
    fn score(&self, batch: &RecordBatch) -> Result<Float64Array>;

    /// What each feature added to the score of row `row`, in the model's own order. For a
    /// probability the contributions are log-odds: with the intercept they add up to the log-odds
    /// of the score.
    ///
    /// # Errors
    /// As [`score`](Self::score), and when there is no such row.
    fn contributions(&self, batch: &RecordBatch, row: usize) -> Result<Vec<Contribution>>;
}

/// What one feature added to a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// The column.
    pub feature: Arc<str>,
    /// Its value as the row has it; `None` where it is missing.
    pub value: Option<f64>,
    /// What it added.
    pub contribution: f64,
}
