//! What a model is to the engine.

use std::sync::Arc;

use arrow::array::Float64Array;
use arrow::datatypes::Schema;

use super::numeric::check_numeric;
use crate::batch::Batch;
use crate::error::Result;
use crate::offload::{Begun, Offload};
use crate::operator::Barrier;

/// Gives each row a number, or one a class: the larger, the more suspicious (or the likelier).
pub trait Scorer: Send + Sync {
    /// The model's name, for messages.
    fn name(&self) -> &str;

    /// The columns that it reads.
    fn inputs(&self) -> Vec<String>;

    /// How many scores a row gets: 1, or one a class. Never 0.
    fn outputs(&self) -> usize {
        1
    }

    /// Whether batches of this schema can be scored; asked before the stream starts.
    ///
    /// # Errors
    /// When a column is missing, is there twice, or holds no numbers.
    fn check(&self, schema: &Schema) -> Result<()> {
        self.inputs().iter().try_for_each(|name| check_numeric(schema, name).map(|_| ()))
    }

    /// The scores of each row, never null: [`Scorer::outputs`] columns. A probability from 0 to
    /// 1 where the model gives one, otherwise a number whose scale the model documents.
    ///
    /// # Errors
    /// When the batch is not of a schema that [`check`](Self::check) accepts.
    fn score(&self, batch: &Batch) -> Result<Vec<Float64Array>>;

    /// As [`score`](Self::score), where another device may do it meanwhile. A scorer made of
    /// another one hands this on, or the core does all.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    fn begin(&self, batch: &Batch, offload: Offload<'_>) -> Result<Begun<Vec<Float64Array>>> {
        let _ = offload;
        self.score(batch).map(Begun::Done)
    }

    /// What each feature added to the score of row `row`, in the model's own order.
    ///
    /// # Errors
    /// As [`score`](Self::score), and when there is no such row.
    fn explain(&self, batch: &Batch, row: usize) -> Result<Explanation>;

    /// Takes what was changed from outside (a new model) into force for the rows behind the
    /// barrier; whether there was anything.
    fn on_barrier(&self, barrier: Barrier) -> bool {
        let _ = barrier;
        false
    }

    /// The kernels that a GPU has a pass for.
    #[cfg(feature = "gpu")]
    fn kernels(&self) -> Vec<crate::accel::KernelUse> {
        Vec::new()
    }

    /// The model in a line for `explain`.
    fn describe(&self) -> String {
        format!("{}({})", self.name(), self.inputs().join(", "))
    }
}

macro_rules! scorer_behind {
    ($pointer:ident) => {
        impl<S: Scorer + ?Sized> Scorer for $pointer<S> {
            fn name(&self) -> &str {
                (**self).name()
            }

            fn inputs(&self) -> Vec<String> {
                (**self).inputs()
            }

            fn outputs(&self) -> usize {
                (**self).outputs()
            }

            fn check(&self, schema: &Schema) -> Result<()> {
                (**self).check(schema)
            }

            fn score(&self, batch: &Batch) -> Result<Vec<Float64Array>> {
                (**self).score(batch)
            }

            fn explain(&self, batch: &Batch, row: usize) -> Result<Explanation> {
                (**self).explain(batch, row)
            }

            fn begin(
                &self,
                batch: &Batch,
                offload: Offload<'_>,
            ) -> Result<Begun<Vec<Float64Array>>> {
                (**self).begin(batch, offload)
            }

            fn on_barrier(&self, barrier: Barrier) -> bool {
                (**self).on_barrier(barrier)
            }

            #[cfg(feature = "gpu")]
            fn kernels(&self) -> Vec<crate::accel::KernelUse> {
                (**self).kernels()
            }

            fn describe(&self) -> String {
                (**self).describe()
            }
        }
    };
}

scorer_behind!(Arc);
scorer_behind!(Box);

/// Why a score is what it is: `base + Σ contributions` is the model's raw score, before its link
/// (log-odds, where that is logistic), within the model's tolerance.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What the model says of a row that it knows nothing of.
    pub base: f64,
    /// Of several classes, the one that is explained: the likeliest.
    pub class: Option<usize>,
    /// What each feature added, in the model's order.
    pub contributions: Vec<Contribution>,
}

impl Explanation {
    /// The raw score that the parts add up to.
    pub fn raw(&self) -> f64 {
        self.contributions.iter().fold(self.base, |sum, part| sum + part.contribution)
    }
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
