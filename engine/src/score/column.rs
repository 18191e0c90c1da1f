//! The score as a column.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, SchemaRef};

use super::Scorer;
use crate::batch::Batch;
use crate::error::Result;
use crate::expr::{BindCache, schema_with};
use crate::operator::MapOperator;

/// Adds a scorer's number of each row as a Float64 column.
pub struct ScoreColumn {
    name: String,
    scorer: Arc<dyn Scorer>,
    schema: BindCache<SchemaRef>,
}

impl ScoreColumn {
    /// The column `name`, filled by `scorer`.
    pub fn new(name: impl Into<String>, scorer: Arc<dyn Scorer>) -> Self {
        Self { name: name.into(), scorer, schema: BindCache::default() }
    }
}

impl std::fmt::Debug for ScoreColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScoreColumn").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The batch with one more column at its end.
pub(super) fn with_column(
    batch: &Batch,
    schema: &SchemaRef,
    column: arrow::array::ArrayRef,
) -> Result<Batch> {
    let mut columns = batch.rows.columns().to_vec();
    columns.push(column);
    Ok(batch.with_rows(RecordBatch::try_new(Arc::clone(schema), columns)?))
}

impl MapOperator for ScoreColumn {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        self.scorer.check(input)?;
        schema_with(input, Field::new(&self.name, DataType::Float64, false))
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        let bind = |input: &SchemaRef| self.output_schema(input);
        let schema = self.schema.get(batch.rows.schema_ref(), bind)?;
        let scores = self.scorer.score(&batch.rows)?;
        with_column(&batch, &schema, Arc::new(scores))
    }

    fn reads(&self) -> Option<Vec<String>> {
        Some(self.scorer.inputs())
    }

    fn describe(&self) -> String {
        format!("score {} = {}({})", self.name, self.scorer.name(), self.scorer.inputs().join(", "))
    }
}
