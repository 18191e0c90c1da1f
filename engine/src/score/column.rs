//! The score as a column, or a column a class.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};

use super::Scorer;
use crate::accel::Accelerator;
use crate::batch::Batch;
use crate::error::Result;
use crate::expr::{BindCache, schema_with};
use crate::operator::{Barrier, MapOperator};

/// Adds a scorer's number of each row as a Float64 column; of a scorer with several classes a
/// column each: `name_0`, `name_1`, ….
pub struct ScoreColumn {
    name: String,
    scorer: Arc<dyn Scorer>,
    /// A batch without rows.
    none: BindCache<RecordBatch>,
}

impl ScoreColumn {
    /// The column `name`, filled by `scorer`.
    pub fn new(name: impl Into<String>, scorer: impl Scorer + 'static) -> Self {
        Self { name: name.into(), scorer: Arc::new(scorer), none: BindCache::default() }
    }

    /// Names of the columns that are added.
    pub fn names(&self) -> Vec<String> {
        match self.scorer.outputs() {
            0 | 1 => vec![self.name.clone()],
            several => (0..several).map(|class| format!("{}_{class}", self.name)).collect(),
        }
    }
}

impl std::fmt::Debug for ScoreColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScoreColumn").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The batch with more columns at its end. `none` is of the new schema, without rows.
pub(super) fn with_columns(
    batch: Batch,
    none: &RecordBatch,
    columns: impl FnOnce(&Batch) -> Result<Vec<ArrayRef>>,
) -> Result<Batch> {
    if batch.is_empty() {
        return Ok(Batch { rows: none.clone(), ..batch });
    }
    let mut all = Vec::with_capacity(none.num_columns());
    all.extend_from_slice(batch.rows.columns());
    all.extend(columns(&batch)?);
    let rows = RecordBatch::try_new(none.schema(), all)?;
    Ok(Batch { rows, ..batch })
}

impl MapOperator for ScoreColumn {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        self.scorer.check(input)?;
        let with = |schema: SchemaRef, name: &String| {
            schema_with(&schema, Field::new(name, DataType::Float64, false))
        };
        self.names().iter().try_fold(input.clone(), with)
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        let bind = |input: &SchemaRef| Ok(RecordBatch::new_empty(self.output_schema(input)?));
        let none = self.none.get(batch.rows.schema_ref(), bind)?;
        with_columns(batch, &none, |batch| {
            let scores = self.scorer.score(batch)?;
            Ok(scores.into_iter().map(|scores| Arc::new(scores) as ArrayRef).collect())
        })
    }

    fn set_accelerator(&self, accelerator: &Accelerator) {
        self.scorer.set_accelerator(accelerator);
    }

    fn on_barrier(&self, barrier: Barrier) -> bool {
        self.scorer.on_barrier(barrier)
    }

    fn reads(&self) -> Option<Vec<String>> {
        Some(self.scorer.inputs())
    }

    fn describe(&self) -> String {
        format!("score {} = {}", self.names().join(", "), self.scorer.describe())
    }
}
