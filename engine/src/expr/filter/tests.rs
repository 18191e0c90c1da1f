//! Against Arrow's own filter, for every type and density; and against a walk over the rows for
//! what a batch holds besides its columns.

use arrow::array::*;
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Int32Type, IntervalUnit, Schema, TimeUnit};
use proptest::prelude::*;

use super::*;

/// A column of each type that a batch may have.
fn columns(values: &[Option<i64>]) -> Vec<ArrayRef> {
    use DataType::*;
    let small: ArrayRef =
        Arc::new(values.iter().map(|v| v.map(|v| v.rem_euclid(100))).collect::<Int64Array>());
    let times = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond];
    let mut types = vec![
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Boolean,
        Date64,
        Utf8,
        LargeUtf8,
        Utf8View,
        Binary,
        Decimal32(9, 2),
        Decimal64(18, 2),
        Decimal128(38, 2),
        Decimal256(40, 2),
        Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        Time64(TimeUnit::Nanosecond),
        Time64(TimeUnit::Microsecond),
    ];
    types.extend(times.map(|unit| Timestamp(unit, None)));
    types.extend(times.map(Duration));
    let mut columns: Vec<ArrayRef> =
        types.iter().map(|to| cast(&small, to).expect("castable")).collect();
    let narrow = cast(&small, &Int32).expect("castable");
    let types = [Date32, Time32(TimeUnit::Second), Interval(IntervalUnit::YearMonth)];
    columns.extend(types.iter().map(|to| cast(&narrow, to).expect("castable")));
    columns.push(cast(&columns[13], &Dictionary(Box::new(Int32), Box::new(Utf8))).expect("text"));
    columns.push(Arc::new(values.iter().copied().collect::<Int64Array>()));
    // NaN and −0 pass as they are.
    let odd = |v: &Option<i64>| v.map(|v| [0.0, -0.0, f64::NAN, 1.5][v as usize % 4]);
    columns.push(Arc::new(values.iter().map(odd).collect::<Float64Array>()));
    columns.push(Arc::new(NullArray::new(values.len())));
    let lists = values.iter().map(|v| v.map(|v| vec![Some(v as i32); v as usize % 3]));
    columns.push(Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)));
    columns
}

fn batch(values: &[Option<i64>], first: u64) -> Batch {
    let columns = columns(values);
    let field = |(i, c): (usize, &ArrayRef)| Field::new(i.to_string(), c.data_type().clone(), true);
    let schema = Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>());
    let rows = RecordBatch::try_new(Arc::new(schema), columns).expect("columns of one length");
    let time = |i: usize| i as i64 * 7 - 50;
    let times = RowTimes {
        sorted: false,
        time: (0..values.len()).map(time).collect(),
        late: Some(BooleanBuffer::collect_bool(values.len(), |i| i % 5 == 3)),
        largest_before: Some(ScalarBuffer::from_iter((0..values.len()).map(|i| time(i) + 99))),
        watermark: 12,
    };
    Batch { times: Some(times), ..Batch::new(rows, first) }
}

/// Few rows, half of them, nearly all; nulls in the mask keep none.
fn mask(rows: usize) -> impl Strategy<Value = BooleanArray> {
    let bit = |yes: u32, no: u32| prop_oneof![yes => Just(Some(true)), no => Just(Some(false)), 1 => Just(None)];
    let bits = move |yes, no| prop::collection::vec(bit(yes, no), rows);
    prop_oneof![bits(1, 60), bits(50, 50), bits(300, 1)].prop_map(BooleanArray::from)
}

fn values_and_mask() -> impl Strategy<Value = (Vec<Option<i64>>, BooleanArray)> {
    let rows = prop_oneof![1..10_usize, 60..70_usize, 120..600_usize];
    rows.prop_flat_map(|rows| {
        let value = prop::option::weighted(0.9, 0..i64::MAX);
        let all = prop::collection::vec((0..i64::MAX).prop_map(Some), rows);
        (prop_oneof![prop::collection::vec(value, rows), all], mask(rows))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn batches_are_arrows((values, keep) in values_and_mask(), skip in 0..5_usize) {
        // Slices start within a byte of the bits.
        let skip = skip.min(values.len() - 1);
        let len = values.len() - skip;
        let whole = batch(&values, 1000);
        let sliced = Batch { rows: whole.rows.slice(skip, len), ..batch(&values[skip..], 1000) };
        let keep = keep.slice(skip, len);
        let kept = filter_batch(sliced.clone(), &keep).expect("one length");
        let want = filter_record_batch(&sliced.rows, &keep).expect("one length");
        prop_assert_eq!(kept.rows.num_rows(), want.num_rows());
        for (got, want) in kept.rows.columns().iter().zip(want.columns()) {
            prop_assert_eq!(format!("{got:?}"), format!("{want:?}"), "{}", want.data_type());
            prop_assert_eq!(got.nulls().is_some(), want.nulls().is_some());
        }
        let rows: Vec<usize> = (0..len).filter(|i| keep.is_valid(*i) && keep.value(*i)).collect();
        let times = kept.times.clone().expect("times");
        let before = sliced.times.expect("times");
        for (i, row) in rows.iter().enumerate() {
            prop_assert_eq!(kept.offsets.get(i), 1000 + *row as u64);
            prop_assert_eq!(times.time[i], before.time[*row]);
            let late = |times: &RowTimes, i| times.late.as_ref().is_some_and(|l| l.value(i));
            prop_assert_eq!(late(&times, i), late(&before, *row));
        }
        // A filter of what was filtered: positions are explicit by now.
        let again = BooleanArray::from_iter((0..rows.len()).map(|i| Some(i % 3 != 1)));
        let twice = filter_batch(kept, &again).expect("one length");
        for (i, row) in rows.iter().enumerate().filter(|(i, _)| i % 3 != 1).map(|(_, r)| r).enumerate() {
            prop_assert_eq!(twice.offsets.get(i), 1000 + *row as u64);
        }
    }
}
