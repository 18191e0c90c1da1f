//! What the engine knows of a row beside its columns, as columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::batch::Batch;
use crate::error::Result;
use crate::expr::BindCache;
use crate::operator::MapOperator;

/// Adds `partition`, `offset` and `late`.
#[derive(Default)]
pub(crate) struct RowMarks {
    /// A batch without rows.
    none: BindCache<RecordBatch>,
}

impl MapOperator for RowMarks {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        let mut fields: Vec<_> = input.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new("partition", DataType::UInt32, false)));
        fields.push(Arc::new(Field::new("offset", DataType::UInt64, false)));
        fields.push(Arc::new(Field::new("late", DataType::Boolean, false)));
        Ok(Arc::new(Schema::new(fields)))
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        let bind = |schema: &SchemaRef| Ok(RecordBatch::new_empty(self.output_schema(schema)?));
        let none = self.none.get(batch.rows.schema_ref(), bind)?;
        if batch.is_empty() {
            return Ok(Batch { rows: RecordBatch::clone(&none), ..batch });
        }
        let rows = batch.len();
        let late = batch.times.as_ref().and_then(|times| times.late.clone());
        let marks: [ArrayRef; 3] = [
            Arc::new(UInt32Array::from_value(batch.partition, rows)),
            Arc::new(UInt64Array::from_iter_values((0..rows).map(|row| batch.offsets.get(row)))),
            Arc::new(BooleanArray::new(
                late.unwrap_or_else(|| BooleanBuffer::new_unset(rows)),
                None,
            )),
        ];
        batch.with_columns(none.schema(), marks)
    }

    fn reads(&self) -> Option<Vec<String>> {
        Some(Vec::new())
    }

    fn describe(&self) -> String {
        "mark rows: partition, offset, late".to_owned()
    }
}
