//! The score as a column.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
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
    /// A batch without rows.
    none: BindCache<RecordBatch>,
}

impl ScoreColumn {
    /// The column `name`, filled by `scorer`.
    pub fn new(name: impl Into<String>, scorer: Arc<dyn Scorer>) -> Self {
        Self { name: name.into(), scorer, none: BindCache::default() }
    }
}

impl std::fmt::Debug for ScoreColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScoreColumn").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The batch with one more column at its end. `none` is of the new schema, without rows.
pub(super) fn with_column(
    batch: Batch,
    none: &RecordBatch,
    column: impl FnOnce(&Batch) -> Result<ArrayRef>,
) -> Result<Batch> {
    if batch.is_empty() {
        return Ok(Batch { rows: none.clone(), ..batch });
    }
    let mut columns = Vec::with_capacity(none.num_columns());
    columns.extend_from_slice(batch.rows.columns());
    columns.push(column(&batch)?);
    let rows = RecordBatch::try_new(none.schema(), columns)?;
    Ok(Batch { rows, ..batch })
}

impl MapOperator for ScoreColumn {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        self.scorer.check(input)?;
        schema_with(input, Field::new(&self.name, DataType::Float64, false))
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        let bind = |input: &SchemaRef| Ok(RecordBatch::new_empty(self.output_schema(input)?));
        let none = self.none.get(batch.rows.schema_ref(), bind)?;
        with_column(batch, &none, |batch| Ok(Arc::new(self.scorer.score(&batch.rows)?)))
    }

    fn reads(&self) -> Option<Vec<String>> {
        Some(self.scorer.inputs())
    }

    fn describe(&self) -> String {
        format!("score {} = {}({})", self.name, self.scorer.name(), self.scorer.inputs().join(", "))
    }
}
