//! Expressions against values computed row by row, and what users see of mistakes.

mod naive;
mod operators;
mod program;
mod semantics;
mod strategies;
mod text;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};

/// One row of the batches that the tests evaluate on.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub i: Option<i64>,
    pub j: Option<i64>,
    pub x: Option<f64>,
    pub y: Option<f64>,
    pub p: Option<bool>,
    pub q: Option<bool>,
    /// Hundredths.
    pub d: Option<i128>,
    pub s: Option<String>,
}

/// Columns `i`, `j` (Int64), `x`, `y` (Float64), `p`, `q` (Boolean), `d` (Decimal128(18, 2)),
/// `s` (Utf8).
pub(super) fn batch_of(rows: &[Row]) -> RecordBatch {
    let ints = |pick: fn(&Row) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(pick).collect::<Int64Array>())
    };
    let floats = |pick: fn(&Row) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(pick).collect::<Float64Array>())
    };
    let bools = |pick: fn(&Row) -> Option<bool>| -> ArrayRef {
        Arc::new(rows.iter().map(pick).collect::<BooleanArray>())
    };
    let decimals: Decimal128Array = rows.iter().map(|row| row.d).collect();
    let texts: StringArray = rows.iter().map(|row| row.s.clone()).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("i", ints(|row| row.i), true),
        ("j", ints(|row| row.j), true),
        ("x", floats(|row| row.x), true),
        ("y", floats(|row| row.y), true),
        ("p", bools(|row| row.p), true),
        ("q", bools(|row| row.q), true),
        ("d", Arc::new(decimals.with_precision_and_scale(18, 2).unwrap()), true),
        ("s", Arc::new(texts), true),
    ])
    .unwrap()
}
