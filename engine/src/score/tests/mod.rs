//! Rules, models and the reasons, each against what its definition says.

mod explain;
mod logistic;
mod model;
mod replaced;
mod rules;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};

use crate::batch::Batch;

/// Three payments: one suspicious, one with nothing known, one quiet.
pub(super) fn payments() -> Batch {
    let amount = Decimal128Array::from(vec![Some(99_950), None, Some(-5)]);
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("speed_kmh", floats(&[Some(1234.5), None, Some(f64::NAN)]), true),
        ("count", Arc::new(Int64Array::from(vec![Some(7), None, Some(1)])) as ArrayRef, true),
        ("amount", Arc::new(amount.with_precision_and_scale(18, 2).unwrap()), true),
        ("new", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])), true),
        ("country", Arc::new(StringArray::from(vec![Some("d\"e"), None, Some("fr")])), true),
    ]);
    Batch::new(rows.unwrap(), 0)
}

pub(super) fn floats(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}
