//! Filter and the projections: rows, positions, times and late marks stay together.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use bytes::Bytes;
use proptest::prelude::*;

use crate::batch::{Batch, Offsets, RowTimes};
use crate::decode::TextOrigin;
use crate::expr::{DropColumns, Filter, Named, Select, WithColumn, col, lit, null};
use crate::operator::MapOperator;

/// `v` and everything beside it made of the row's number and value, late where the value is odd.
fn batch_of(values: &[Option<i64>]) -> Batch {
    let rows = values.len();
    let metadata = [("unit".to_owned(), "km".to_owned())].into();
    let field = Field::new("v", DataType::Int64, true).with_metadata(metadata);
    let column = Arc::new(Int64Array::from(values.to_vec()));
    let schema = Arc::new(Schema::new(vec![field]));
    let mut batch = Batch::new(RecordBatch::try_new(schema, vec![column]).unwrap(), 100);
    let late: BooleanBuffer = values.iter().map(|v| v.is_some_and(|v| v % 2 != 0)).collect();
    let any_late = late.count_set_bits() > 0;
    let largest: ScalarBuffer<i64> = (0..rows as i64).map(|row| row * 7).collect();
    batch.times = Some(RowTimes {
        sorted: false,
        time: (0..rows as i64).map(|row| row * 10).collect(),
        late: any_late.then_some(late),
        largest_before: any_late.then_some(largest),
        watermark: 5,
    });
    batch.origin = Some(Arc::new(TextOrigin {
        text: Bytes::new(),
        byte_offset: 0,
        line: 1,
        starts: vec![0; rows],
        ends: vec![0; rows],
    }));
    batch
}

proptest! {
    #[test]
    fn filter_keeps_each_row_with_all_that_belongs_to_it(
        values in proptest::collection::vec(proptest::option::of(0_i64..6), 0..200),
        at_least in 0_i64..7,
    ) {
        let batch = batch_of(&values);
        let out = Filter::new(col("v").ge(at_least)).map(batch.clone()).unwrap();
        let kept: Vec<usize> =
            (0..values.len()).filter(|row| values[*row].is_some_and(|v| v >= at_least)).collect();
        prop_assert_eq!(out.len(), kept.len());
        let (times, before) = (out.times.as_ref().unwrap(), batch.times.as_ref().unwrap());
        let column = out.rows.column(0).as_primitive::<Int64Type>();
        prop_assert_eq!(times.watermark, 5);
        for (i, row) in kept.iter().enumerate() {
            prop_assert_eq!(Some(column.value(i)), values[*row]);
            prop_assert_eq!(out.position(i), batch.position(*row));
            prop_assert_eq!(times.time[i], before.time[*row]);
            let late = |times: &RowTimes, row| times.late.as_ref().is_some_and(|l| l.value(row));
            prop_assert_eq!(late(times, i), late(before, *row));
            if let Some(largest) = &times.largest_before {
                prop_assert_eq!(largest[i], before.largest_before.as_ref().unwrap()[*row]);
            }
        }
        prop_assert_eq!(times.late.is_some(), times.largest_before.is_some());
        prop_assert_eq!(out.origin.is_some(), kept.len() == values.len());
    }
}

#[test]
fn filter_of_all_rows_or_none() {
    let values = [Some(2), None, Some(4)];
    let all = Filter::new(lit(true)).map(batch_of(&values)).unwrap();
    assert!(matches!(all.offsets, Offsets::Contiguous(100)) && all.origin.is_some());
    for nothing in [lit(false), null().eq(1)] {
        let none = Filter::new(nothing).map(batch_of(&values)).unwrap();
        assert!(none.is_empty() && none.times.unwrap().time.is_empty());
    }
    let schema = batch_of(&values).rows.schema();
    let error = Filter::new(col("v")).output_schema(&schema).unwrap_err();
    assert!(error.to_string().contains("no condition"));
    assert_eq!(Filter::new(col("v").gt(1)).describe(), "filter v > 1");
}

#[test]
fn with_column_adds_or_replaces() {
    let batch = batch_of(&[Some(1), None]);
    let step = WithColumn::new("w", col("v") + 1);
    let out = step.map(batch.clone()).unwrap();
    assert_eq!(out.rows.schema(), step.output_schema(&batch.rows.schema()).unwrap());
    assert_eq!(out.rows.column(1).as_primitive::<Int64Type>().value(0), 2);
    assert!(out.rows.column(1).is_null(1));
    // The same operator on the same schema gives the same schema object.
    let again = step.map(batch.clone()).unwrap();
    assert!(Arc::ptr_eq(&out.rows.schema(), &again.rows.schema()));
    let replaced = WithColumn::new("v", lit(7)).map(batch).unwrap();
    assert_eq!(replaced.rows.num_columns(), 1);
    assert_eq!(replaced.rows.column(0).as_primitive::<Int64Type>().values(), &[7, 7]);
    assert_eq!(step.describe(), "with w = v + 1");
}

#[test]
fn select_and_drop() {
    let batch = WithColumn::new("w", col("v") + 1).map(batch_of(&[Some(1)])).unwrap();
    let step = Select::new(vec![Named::from("v"), Named::from(("twice", col("v") * 2))]);
    let out = step.map(batch.clone()).unwrap();
    let schema = step.output_schema(&batch.rows.schema()).unwrap();
    assert_eq!(out.rows.schema(), schema);
    assert_eq!(schema.field(0).metadata()["unit"], "km");
    assert_eq!(schema.field(1).name(), "twice");
    assert_eq!(step.describe(), "select v, v * 2 as twice");
    let left = DropColumns::new(["v"]).map(batch.clone()).unwrap();
    assert_eq!(left.rows.schema().field(0).name(), "w");
    let none = DropColumns::new(["v", "w"]).map(batch.clone()).unwrap();
    assert_eq!((none.rows.num_columns(), none.len()), (0, 1));
    let schema = batch.rows.schema();
    assert!(
        DropColumns::new(["u"]).output_schema(&schema).unwrap_err().to_string().contains("`v`")
    );
    let twice = Select::new(["v", "v"]).output_schema(&schema).unwrap_err();
    assert!(twice.to_string().contains("two columns"));
}
