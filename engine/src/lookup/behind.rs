//! A lookup that is made behind a window, of the windows instead of the rows.
//!
//! Where what a window is keyed by contains what a table is looked up by, the table's columns
//! follow from the key: to be keyed by them too changes nothing but the columns of the output. So
//! rows need not be looked up, and windows are given the columns when they are given out: as many
//! lookups as there are windows, and narrower keys.
//!
//! ```text
//!  rows ─▶ lookup: ad → campaign ─▶ window by ad, campaign        before
//!  rows ─▶ window by ad ─▶ lookup: ad → campaign                  after
//! ```

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;

use super::LookupJoin;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::operator::MapOperator;

/// Looks columns up for windows, and puts them where the window would have had them.
#[derive(Debug)]
pub(crate) struct LookupBehind {
    join: LookupJoin,
    /// What the window would have given out.
    output: SchemaRef,
}

impl LookupBehind {
    /// `join` adds columns that windows of the schema `output` are keyed by.
    pub(crate) fn new(join: LookupJoin, output: SchemaRef) -> Self {
        Self { join, output }
    }
}

impl MapOperator for LookupBehind {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        self.join.output_schema(input)?;
        Ok(self.output.clone())
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        let batch = self.join.map(batch)?;
        let column = |field: &Arc<arrow::datatypes::Field>| {
            let name = field.name();
            let column = batch.rows.column_by_name(name);
            let column = column.ok_or_else(|| {
                Error::run(format!("a window gave no column \"{name}\" to put beside a lookup's"))
            })?;
            // Texts of a table are dictionaries, those of a window are not.
            Ok(if column.data_type() == field.data_type() {
                column.clone()
            } else {
                cast(column, field.data_type())?
            })
        };
        let columns = self.output.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.len()));
        let rows = RecordBatch::try_new_with_options(self.output.clone(), columns, &options)?;
        Ok(Batch { rows, ..batch })
    }

    fn describe(&self) -> String {
        format!(
            "{}; of windows, not of rows: what is looked up by is among their keys",
            self.join.describe()
        )
    }
}
