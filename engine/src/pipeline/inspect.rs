//! Showing batches to a function, on their way.

use arrow::datatypes::SchemaRef;

use super::builder::Inspector;
use crate::batch::Batch;
use crate::error::Result;
use crate::operator::MapOperator;

/// Shows each batch to a function and hands it on as it is.
pub(super) struct Inspect {
    inspector: Inspector,
    /// The columns that the function looks at; `None`: any.
    columns: Option<Vec<String>>,
}

impl Inspect {
    pub(super) fn new(inspector: Inspector, columns: Option<Vec<String>>) -> Self {
        Self { inspector, columns }
    }
}

impl MapOperator for Inspect {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        Ok(input.clone())
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        (self.inspector)(&batch);
        Ok(batch)
    }

    fn reads(&self) -> Option<Vec<String>> {
        self.columns.clone()
    }

    fn writes(&self) -> Option<Vec<String>> {
        Some(Vec::new())
    }

    fn describe(&self) -> String {
        "inspect".to_owned()
    }
}
