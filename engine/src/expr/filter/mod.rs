//! Keeping the rows for which a condition is true.

mod kept;
#[cfg(feature = "gpu")]
mod on_gpu;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, Schema, SchemaRef};

use kept::Kept;
#[cfg(feature = "gpu")]
use kept::Moved;

use super::compare::without_nulls;
use super::{BindCache, BoundExpr, Expr};
use crate::accel::Accelerator;
use crate::batch::{Batch, Offsets, RowTimes};
use crate::error::{Error, Result};
use crate::offload::{Begun, Offload};
use crate::operator::{DropCount, Dropped, MapOperator, PickRows};

/// Keeps the rows for which the condition is true (not false, not null).
#[derive(Debug)]
pub struct Filter {
    condition: Expr,
    /// Only these columns go on; `None`: all.
    only: Option<HashSet<String>>,
    dropped: DropCount,
    bound: BindCache<Bound>,
}

#[derive(Debug)]
struct Bound {
    condition: BoundExpr,
    /// The columns that go on, where not all do.
    columns: Option<Vec<usize>>,
    /// What is left of a batch of which no row is kept.
    none: RecordBatch,
}

impl Filter {
    /// A filter by this condition.
    pub fn new(condition: impl Into<Expr>) -> Self {
        Self {
            condition: condition.into(),
            only: None,
            dropped: DropCount::default(),
            bound: BindCache::default(),
        }
    }

    /// The condition.
    pub fn condition(&self) -> &Expr {
        &self.condition
    }

    /// The rows that stay.
    fn filtered(&self, mut batch: Batch, offload: Offload<'_>) -> Result<Begun<Batch>> {
        let bound = self.bound.get(batch.rows.schema_ref(), |schema| self.bind(schema))?;
        let keep = bound.condition.evaluate_bool(&batch.rows)?;
        self.dropped.count(&batch, &keep);
        // Most often no row of a small batch is an alert: that must cost next to nothing.
        if keep.true_count() == 0 && !batch.is_empty() {
            return Ok(Begun::Done(without_rows(batch, bound.none.clone())));
        }
        if let Some(columns) = &bound.columns {
            batch.rows = batch.rows.project(columns)?;
        }
        kept_batch(batch, &keep, offload)
    }

    fn bind(&self, schema: &SchemaRef) -> Result<Bound> {
        let condition = bind_condition(&self.condition, schema)?;
        let goes_on = |name: &str| self.only.as_ref().is_none_or(|only| only.contains(name));
        let fields = schema.fields().iter().enumerate();
        let columns: Vec<usize> =
            fields.filter(|(_, field)| goes_on(field.name())).map(|(at, _)| at).collect();
        if columns.len() == schema.fields().len() {
            let none = RecordBatch::new_empty(Arc::clone(schema));
            return Ok(Bound { condition, columns: None, none });
        }
        let none = RecordBatch::new_empty(Arc::new(schema.project(&columns)?));
        Ok(Bound { condition, columns: Some(columns), none })
    }
}

impl PickRows for Filter {
    fn keep(&self, batch: &Batch) -> Result<BooleanArray> {
        let bound = self.bound.get(batch.rows.schema_ref(), |schema| self.bind(schema))?;
        let keep = without_nulls(&bound.condition.evaluate_bool(&batch.rows)?);
        self.dropped.count(batch, &keep);
        Ok(keep)
    }

    fn picked(
        &self,
        batch: &Batch,
        keep: &BooleanArray,
        accelerator: Option<&Accelerator>,
    ) -> Result<Batch> {
        kept_batch(batch.clone(), keep, Offload { accelerator, under_way: 0 })?.land()
    }
}

/// Binds an expression that must give true or false.
pub(crate) fn bind_condition(condition: &Expr, schema: &Schema) -> Result<BoundExpr> {
    let bound = condition.bind(schema)?;
    match bound.data_type() {
        DataType::Boolean => Ok(bound),
        got => Err(Error::usage(format!("`{condition}` is no condition: it gives {got}"))
            .advise("compare it with something, as in `x > 0`")),
    }
}

impl MapOperator for Filter {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        Ok(self.bind(input)?.none.schema())
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        self.filtered(batch, Offload::default())?.land()
    }

    fn begin(&self, batch: Batch, offload: Offload<'_>) -> Result<Begun<Batch>> {
        self.filtered(batch, offload)
    }

    fn as_picker(&self) -> Option<&dyn PickRows> {
        Some(self)
    }

    fn narrowed(&self, needed: &HashSet<String>) -> Option<Arc<dyn MapOperator>> {
        Some(Arc::new(Self { only: Some(needed.clone()), ..Self::new(self.condition.clone()) }))
    }

    fn reads(&self) -> Option<Vec<String>> {
        Some(self.condition.columns())
    }

    fn writes(&self) -> Option<Vec<String>> {
        Some(Vec::new())
    }

    fn dropped(&self) -> Dropped {
        self.dropped.get()
    }

    #[cfg(feature = "gpu")]
    fn kernels(&self, input: &SchemaRef) -> Vec<crate::accel::KernelUse> {
        let goes_on = |name: &str| self.only.as_ref().is_none_or(|only| only.contains(name));
        let fields = input.fields().iter().filter(|field| goes_on(field.name()));
        let copied: Vec<String> = fields
            .filter(|field| !kept::is_moved(field.data_type()))
            .map(|field| format!("`{}`", field.name()))
            .collect();
        let but = match copied.as_slice() {
            [] => "the core finds which rows are kept".to_owned(),
            some => format!("the core finds which rows are kept, and copies {}", some.join(", ")),
        };
        let of = crate::accel::KernelUse::of(crate::accel::Kernel::Filter);
        vec![crate::accel::KernelUse { but: Some(but), ..of }]
    }

    fn describe(&self) -> String {
        format!("filter {}", self.condition)
    }
}

/// Keeps the rows for which `keep` is true. Positions, times and late marks stay with their rows;
/// the text that the rows were decoded from is let go unless all rows stay. All or none is cheap.
///
/// # Errors
/// When the mask has another length than the batch.
pub fn filter_batch(batch: Batch, keep: &BooleanArray) -> Result<Batch> {
    kept_batch(batch, keep, Offload::default())?.land()
}

fn kept_batch(batch: Batch, keep: &BooleanArray, offload: Offload<'_>) -> Result<Begun<Batch>> {
    if keep.len() != batch.len() {
        let (mask, rows) = (keep.len(), batch.len());
        return Err(Error::usage(format!("a mask of {mask} rows cannot filter {rows} rows")));
    }
    let keep = without_nulls(keep);
    let kept = keep.true_count();
    if kept == batch.len() {
        return Ok(Begun::Done(batch));
    }
    if kept == 0 {
        let none = RecordBatch::new_empty(batch.rows.schema());
        return Ok(Begun::Done(without_rows(batch, none)));
    }
    let kept = Kept::new(keep.values());
    #[cfg(feature = "gpu")]
    if let Some(submitted) = on_gpu::submitted(&batch, &kept, offload) {
        let filtering = on_gpu::Filtering { batch, keep, kept, submitted };
        return Ok(Begun::UnderWay(Box::new(filtering)));
    }
    #[cfg(not(feature = "gpu"))]
    debug_assert!(offload.accelerator.is_none(), "there is no GPU");
    finished(batch, &keep, &kept).map(Begun::Done)
}

/// The kept rows of a batch that keeps some.
fn finished(batch: Batch, keep: &BooleanArray, kept: &Kept) -> Result<Batch> {
    let rows = kept.batch(&batch.rows, keep)?;
    let times = batch.times.as_ref().map(|times| filter_times(times, kept));
    let offsets = match &batch.offsets {
        Offsets::Contiguous(first) => Offsets::Kept(*first, kept.rows()),
        Offsets::Explicit(offsets) => Offsets::Explicit(kept.values(offsets).into()),
        Offsets::Kept(first, rows) => {
            let offsets = kept.values(rows.numbers()).into_iter();
            Offsets::Explicit(offsets.map(|row| first + u64::from(row)).collect())
        }
    };
    Ok(Batch { rows, offsets, times, origin: None, ..batch })
}

/// The batch with none of its rows; `none` is of its schema.
fn without_rows(batch: Batch, none: RecordBatch) -> Batch {
    let times = batch.times.map(|times| RowTimes {
        time: ScalarBuffer::from(Vec::new()),
        sorted: true,
        late: None,
        largest_before: None,
        watermark: times.watermark,
    });
    let offsets = Offsets::Explicit(Arc::new([]));
    Batch { rows: none, offsets, times, origin: None, ..batch }
}

fn filter_times(times: &RowTimes, kept: &Kept) -> RowTimes {
    let pick = |values: &ScalarBuffer<i64>| ScalarBuffer::from(kept.values(values));
    let late = times.late.as_ref().map(|late| kept.bits(late));
    let late = late.filter(|late| late.count_set_bits() > 0);
    RowTimes {
        time: pick(&times.time),
        sorted: times.sorted,
        largest_before: times.largest_before.as_ref().filter(|_| late.is_some()).map(pick),
        late,
        watermark: times.watermark,
    }
}
