use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use proptest::prelude::*;

use super::*;
use crate::batch::{Position, RowTimes};
use crate::time::{Span, millis, seconds};
use crate::window::aggregate::{Aggregate, Function, Spread};
use crate::window::tests::*;

fn aggregate(function: Function, column: Option<&str>, name: &str) -> Aggregate {
    Aggregate::new(function, column, name)
}

fn spec(kind: WindowKind, offset: i64, keys: &[&str]) -> WindowSpec {
    use Function::*;
    WindowSpec {
        kind,
        offset: seconds(offset),
        time_type: DataType::Timestamp(TimeUnit::Second, None),
        unit: TimeUnit::Second,
        keys: keys.iter().map(|&key| key.to_owned()).collect(),
        lateness: None,
        key_ttl: None,
        aggregates: vec![
            aggregate(Count, None, "n"),
            aggregate(Count, Some("number"), "numbers"),
            aggregate(Sum, Some("number"), "number_sum"),
            aggregate(Avg, Some("number"), "number_avg"),
            aggregate(Min, Some("number"), "number_min"),
            aggregate(Max, Some("number"), "number_max"),
            aggregate(Sum, Some("float"), "float_sum"),
            aggregate(Avg, Some("float"), "float_avg"),
            aggregate(Min, Some("float"), "float_min"),
            aggregate(Max, Some("float"), "float_max"),
            aggregate(Sum, Some("cents"), "cents_sum"),
            aggregate(Max, Some("cents"), "cents_max"),
            aggregate(BitXor, Some("number"), "number_xor"),
            aggregate(Distinct, Some("number"), "number_distinct"),
            aggregate(Last, Some("number"), "number_last"),
            aggregate(Quantile(0.5), Some("number"), "number_median"),
        ],
    }
}

fn exact_spec(kind: WindowKind, offset: i64, keys: &[&str]) -> WindowSpec {
    let mut spec = spec(kind, offset, keys);
    spec.aggregates.retain(|a| a.name.ends_with("sum") && !a.name.starts_with("float"));
    spec
}

/// What the naive definition gives for a window and key.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    order: (i64, i64, Position),
    key: Option<i64>,
    rows: Vec<usize>,
}

/// All windows that hold a row, straight from the definition.
fn naive(rows: &[Row], size: i64, slide: i64, offset: i64, keyed: bool) -> Vec<Expected> {
    let mut first_seen: HashMap<Option<i64>, Position> = HashMap::new();
    let mut windows: BTreeMap<(i64, i64, Position), Expected> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate().filter(|(_, row)| !row.late) {
        let key = row.key.filter(|_| keyed);
        let position = Position { partition: 0, offset: i as u64 };
        let seen = *first_seen.entry(key).or_insert(position);
        let last = (row.time - offset).div_euclid(slide);
        let first = (row.time - offset - size).div_euclid(slide) + 1;
        for window in first..=last {
            let start = offset + window * slide;
            assert!(start <= row.time && row.time < start + size);
            let order = (start + size, start, seen);
            let new = || Expected { order, key, rows: Vec::new() };
            windows.entry(order).or_insert_with(new).rows.push(i);
        }
    }
    windows.into_values().collect()
}

/// The sum of floats: within a pane by position, then the panes, oldest first. A pane is what no
/// border of a window cuts.
fn naive_float_sum(rows: &[Row], of: &[usize], size: i64, slide: i64, offset: i64) -> f64 {
    let mut panes: BTreeMap<(i64, i64), f64> = BTreeMap::new();
    for row in of.iter().map(|&i| &rows[i]) {
        let after = |border: i64| (row.time - border).div_euclid(slide);
        let pane = (after(offset), after(offset + size));
        *panes.entry(pane).or_insert(0.0) += row.float.unwrap_or(0.0);
    }
    panes.values().fold(0.0, |sum, pane| sum + pane)
}

fn float_key(value: f64) -> (bool, f64) {
    (value.is_nan(), if value.is_nan() { 0.0 } else { value + 0.0 })
}

fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
        (a, b) => a.is_none() && b.is_none(),
    }
}

fn check(rows: &[Row], want: &[Expected], got: &RecordBatch, size: i64, slide: i64, offset: i64) {
    use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type, TimestampSecondType};
    let column = |name: &str| got.column_by_name(name).cloned();
    let int = |name: &str, i: usize| {
        let column = column(name)?;
        let column = column.as_primitive::<Int64Type>();
        column.is_valid(i).then(|| column.value(i))
    };
    let float = |name: &str, i: usize| {
        let column = column(name)?;
        let column = column.as_primitive::<Float64Type>();
        column.is_valid(i).then(|| column.value(i))
    };
    let wide = |name: &str, i: usize| {
        let column = column(name)?;
        let column = column.as_primitive::<Decimal128Type>();
        column.is_valid(i).then(|| column.value(i))
    };
    let starts = column("window_start").expect("there");
    let ends = column("window_end").expect("there");
    let all = column("n").is_some();
    for (i, want) in want.iter().enumerate() {
        assert_eq!(starts.as_primitive::<TimestampSecondType>().value(i), want.order.1);
        assert_eq!(ends.as_primitive::<TimestampSecondType>().value(i), want.order.0);
        if column("key").is_some() {
            assert_eq!(int("key", i), want.key);
        }
        let of = || want.rows.iter().map(|&row| &rows[row]);
        let numbers: Vec<i64> = of().filter_map(|r| r.number).collect();
        let sum: Option<i64> = (!numbers.is_empty()).then(|| numbers.iter().sum());
        assert_eq!(int("number_sum", i), sum);
        let cents: Vec<i128> = of().filter_map(|r| r.cents).collect();
        assert_eq!(wide("cents_sum", i), (!cents.is_empty()).then(|| cents.iter().sum::<i128>()));
        if !all {
            continue;
        }
        assert_eq!(int("n", i), Some(want.rows.len() as i64));
        assert_eq!(int("numbers", i), Some(numbers.len() as i64));
        assert!(same(float("number_avg", i), sum.map(|s| s as f64 / numbers.len() as f64)));
        assert_eq!(int("number_min", i), numbers.iter().min().copied());
        assert_eq!(int("number_max", i), numbers.iter().max().copied());
        assert_eq!(wide("cents_max", i), cents.iter().max().copied());
        assert_eq!(int("number_xor", i), numbers.iter().copied().reduce(|a, b| a ^ b));
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        let middle = |n: usize| (sorted[(n - 1) / 2] + sorted[n / 2]) as f64 / 2.0;
        assert_eq!(float("number_median", i), (!sorted.is_empty()).then(|| middle(sorted.len())));
        sorted.dedup();
        assert_eq!(int("number_distinct", i), Some(sorted.len() as i64));
        let with_number = want.rows.iter().filter(|&&row| rows[row].number.is_some());
        let last = with_number.max_by_key(|&&row| (rows[row].time, row));
        assert_eq!(int("number_last", i), last.and_then(|&row| rows[row].number));
        let floats: Vec<f64> = of().filter_map(|r| r.float).collect();
        let sum =
            (!floats.is_empty()).then(|| naive_float_sum(rows, &want.rows, size, slide, offset));
        assert!(same(float("float_sum", i), sum), "{:?} {sum:?}", float("float_sum", i));
        assert!(same(float("float_avg", i), sum.map(|s| s / floats.len() as f64)));
        let order = |a: &f64, b: &f64| {
            float_key(*a).partial_cmp(&float_key(*b)).unwrap_or(std::cmp::Ordering::Equal)
        };
        let least = floats.iter().copied().min_by(order).map(|v| v + 0.0);
        assert!(same(float("float_min", i), least));
        let greatest = floats.iter().copied().max_by(order).map(|v| v + 0.0);
        assert!(same(float("float_max", i), greatest));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn windows_are_those_of_the_definition(
        rows in rows(),
        size in 1..80i64,
        slide in prop_oneof![1..80i64, Just(0)],
        offset in -100..100i64,
        keyed in any::<bool>(),
        exact_only in any::<bool>(),
        shards in 1..4u32,
        cuts in prop::collection::vec(0usize..150, 0..8),
        lags in prop::collection::vec(prop::option::weighted(0.7, 0..20i64), 0..10),
    ) {
        let (kind, slide) = match slide {
            0 => (WindowKind::Tumble(seconds(size)), size),
            _ => (WindowKind::Hop { size: seconds(size), slide: seconds(slide) }, slide),
        };
        let keys: &[&str] = if keyed { &["key"] } else { &[] };
        let make = if exact_only { exact_spec } else { spec };
        let mut cuts: Vec<usize> = cuts.iter().map(|&c| c.min(rows.len())).collect();
        cuts.extend([0, rows.len()]);
        cuts.sort_unstable();
        let (got, order) = run(&make(kind.clone(), offset, keys), &rows, &cuts, &lags, shards);
        let want = naive(&rows, size, slide, offset, keyed);
        let want_order: Vec<_> = want.iter().map(|w| w.order).collect();
        prop_assert_eq!(&order, &want_order);
        prop_assert_eq!(got.num_rows(), want.len());
        check(&rows, &want, &got, size, slide, offset);
    }
}

/// (end, start, first seen) → rows: a row is in each window of its cycle that ends after it.
fn cumulated(rows: &[Row], size: i64, step: i64, offset: i64) -> Vec<Expected> {
    let mut first_seen: HashMap<Option<i64>, Position> = HashMap::new();
    let mut windows: BTreeMap<(i64, i64, Position), Expected> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate().filter(|(_, row)| !row.late) {
        let position = Position { partition: 0, offset: i as u64 };
        let seen = *first_seen.entry(row.key).or_insert(position);
        let start = offset + (row.time - offset).div_euclid(size) * size;
        for end in (1..=size / step).map(|j| start + j * step).filter(|end| *end > row.time) {
            let order = (end, start, seen);
            let new = || Expected { order, key: row.key, rows: Vec::new() };
            windows.entry(order).or_insert_with(new).rows.push(i);
        }
    }
    windows.into_values().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn cumulating_windows_are_those_of_the_definition(
        rows in rows(),
        step in 1..20i64,
        steps in 1..8i64,
        offset in -100..100i64,
        shards in 1..4u32,
        cuts in prop::collection::vec(0usize..150, 0..8),
        lags in prop::collection::vec(prop::option::weighted(0.7, 0..20i64), 0..10),
    ) {
        let size = step * steps;
        let kind = WindowKind::Cumulate { size: seconds(size), step: seconds(step) };
        let mut cuts: Vec<usize> = cuts.iter().map(|&c| c.min(rows.len())).collect();
        cuts.extend([0, rows.len()]);
        cuts.sort_unstable();
        let (got, order) = run(&spec(kind, offset, &["key"]), &rows, &cuts, &lags, shards);
        let want = cumulated(&rows, size, step, offset);
        let want_order: Vec<_> = want.iter().map(|w| w.order).collect();
        prop_assert_eq!(&order, &want_order);
        // Panes are the steps: float sums are compared to the bit.
        check(&rows, &want, &got, step, step, offset);
    }
}

fn one_column(data_type: &DataType, values: ArrayRef, function: Function) -> Result<ArrayRef> {
    let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("v", data_type.clone(), true)]));
    let spec = WindowSpec {
        kind: WindowKind::Tumble(seconds(10)),
        offset: Span::ZERO,
        time_type: DataType::Int64,
        unit: TimeUnit::Second,
        keys: Vec::new(),
        lateness: None,
        key_ttl: None,
        aggregates: vec![aggregate(function, Some("v"), "result")],
    };
    let mut window = PaneWindow::new(&spec, &schema)?;
    let rows = values.len();
    let batch = Batch {
        times: Some(RowTimes {
            sorted: false,
            time: vec![5; rows].into(),
            late: None,
            largest_before: None,
            watermark: 5,
        }),
        ..Batch::new(RecordBatch::try_new(schema, vec![values])?, 0)
    };
    window.on_batch(&batch, Rows::All(rows))?;
    assert!(window.on_watermark(8)?.is_none());
    let given = window.on_watermark(9)?.expect("one row");
    assert_eq!(given.rows.num_rows(), 1);
    assert_eq!(given.rows.schema(), window.output_schema());
    Ok(given.rows.column(2).clone())
}

#[test]
fn each_type_has_its_results() {
    use DataType::*;
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None, Some(100), Some(7)]));
    let show = |array: ArrayRef| {
        let text = arrow::util::display::array_value_to_string(&array, 0).expect("shown");
        format!("{text} {}", array.data_type())
    };
    let of = |data_type: &DataType, function| {
        let values = arrow::compute::cast(&numbers, data_type).expect("cast");
        one_column(data_type, values, function).map(show)
    };
    for data_type in [Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64] {
        assert_eq!(of(&data_type, Function::Sum).expect("sum"), "110 Int64");
        assert_eq!(of(&data_type, Function::Min).expect("min"), format!("3 {data_type}"));
        assert_eq!(of(&data_type, Function::Max).expect("max"), format!("100 {data_type}"));
        let avg = of(&data_type, Function::Avg).expect("avg");
        assert_eq!(avg, "36.666666666666664 Float64");
    }
    for data_type in [Float32, Float64] {
        assert_eq!(of(&data_type, Function::Sum).expect("sum"), "110.0 Float64");
        assert_eq!(of(&data_type, Function::Max).expect("max"), format!("100.0 {data_type}"));
    }
    let money = Decimal128(10, 2);
    assert_eq!(of(&money, Function::Sum).expect("sum"), "110.00 Decimal128(38, 2)");
    assert_eq!(of(&money, Function::Min).expect("min"), "3.00 Decimal128(10, 2)");
    assert_eq!(of(&money, Function::Avg).expect("avg"), "36.666666666666664 Float64");
    let coded = Dictionary(Box::new(Int8), Box::new(Int64));
    assert_eq!(of(&coded, Function::Sum).expect("sum"), "110 Int64");
    let time = Timestamp(TimeUnit::Second, Some("+00:00".into()));
    assert!(of(&time, Function::Max).expect("max").starts_with("1970-01-01T00:01:40Z"));
    let date = arrow::compute::cast(&numbers, &Int32).expect("cast");
    let date = arrow::compute::cast(&date, &Date32).expect("cast");
    let date = one_column(&Date32, date, Function::Max).map(show);
    assert_eq!(date.expect("max"), "1970-04-11 Date32");
    assert_eq!(of(&Utf8, Function::Count).expect("count"), "3 Int64");
    for (data_type, function) in
        [(Utf8, Function::Sum), (time, Function::Avg), (Utf8, Function::Variance(Spread::Sample))]
    {
        assert!(of(&data_type, function).is_err(), "{data_type}");
    }
    let nulls: ArrayRef = Arc::new(Int64Array::from(vec![None, None]));
    for function in [Function::Sum, Function::Avg, Function::Min, Function::Max] {
        let result = one_column(&Int64, Arc::clone(&nulls), function).expect("no overflow");
        assert!(result.is_null(0));
    }
}

#[test]
fn overflow_names_the_aggregate() {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, 1]));
    let error = one_column(&DataType::Int64, values, Function::Sum).expect_err("too large");
    assert!(error.to_string().contains("\"result\" overflows 64 bits"), "{error}");
    // On the way the sum may be larger than what comes out.
    let values: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, 1, -1]));
    assert!(one_column(&DataType::Int64, values, Function::Sum).is_ok());
    let wide = |values: Vec<i128>| {
        let data_type = DataType::Decimal128(38, 0);
        let array = Decimal128Array::from(values).with_data_type(data_type.clone());
        one_column(&data_type, Arc::new(array), Function::Sum)
    };
    let nines = 10i128.pow(38) - 1;
    assert!(wide(vec![nines]).is_ok());
    for values in [vec![nines, 1], vec![nines, nines]] {
        let error = wide(values).expect_err("too large");
        assert!(error.to_string().contains("\"result\" overflows 38 digits"), "{error}");
    }
}

#[test]
fn a_wrong_plan_is_refused() {
    let good = spec(WindowKind::Tumble(seconds(1)), 0, &["key"]);
    let refused = |change: &dyn Fn(&mut WindowSpec), says: &str| {
        let mut spec = good.clone();
        change(&mut spec);
        let error = PaneWindow::new(&spec, &input_schema()).expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    };
    refused(&|s| s.kind = WindowKind::Tumble(seconds(0)), "size is 0s");
    refused(&|s| s.kind = WindowKind::Hop { size: seconds(1), slide: seconds(-1) }, "slide is -1s");
    refused(&|s| s.kind = WindowKind::Tumble(millis(1500)), "no whole number of seconds");
    refused(&|s| s.keys = vec!["card".into()], "no column \"card\"");
    refused(&|s| s.aggregates.clear(), "computes nothing");
    refused(&|s| s.aggregates[0].name = "key".into(), "are called \"key\"");
    refused(&|s| s.aggregates[2].columns.clear(), "needs a column");
}

#[test]
fn a_row_behind_the_watermark_counts_while_its_pane_is_open() {
    let spec = spec(WindowKind::Hop { size: seconds(20), slide: seconds(10) }, 0, &["key"]);
    let mut window = PaneWindow::new(&spec, &input_schema()).expect("valid");
    let row =
        |time| Row { time, key: Some(1), number: Some(1), float: None, cents: None, late: false };
    let push = |window: &mut PaneWindow, time: i64, offset| {
        window.on_batch(&batch(&[row(time)], offset), Rows::All(1)).expect("no overflow");
    };
    push(&mut window, 5, 0);
    push(&mut window, 15, 1);
    let given = window.on_watermark(12).expect("no overflow").expect("one window");
    assert_eq!(given.order[0].0, 10);
    // Pane [0, 10) is sealed; pane [10, 20) is open.
    push(&mut window, 7, 2);
    push(&mut window, 11, 3);
    assert_eq!(window.state().rows_beyond_memory, 1);
    assert!(window.on_watermark(11).expect("no overflow").is_none());
    let given = window.on_watermark(19).expect("no overflow").expect("one window");
    let counts = given.rows.column(3).as_primitive::<arrow::datatypes::Int64Type>();
    assert_eq!((given.order[0].0, counts.value(0)), (20, 3));
    assert!(window.state().bytes > 0 && window.state().keys == 1);
}

#[test]
fn times_at_the_ends_of_the_range() {
    for slide in [1, 7, 10] {
        let kind = WindowKind::Hop { size: seconds(10), slide: seconds(slide) };
        let mut window = PaneWindow::new(&spec(kind, 3, &["key"]), &input_schema()).expect("valid");
        let times = [i64::MIN, i64::MAX, 0, i64::MIN + 1, i64::MAX - 1];
        let rows: Vec<Row> = times
            .iter()
            .map(|&time| Row {
                time,
                key: None,
                number: None,
                float: None,
                cents: None,
                late: false,
            })
            .collect();
        window.on_batch(&batch(&rows, 0), Rows::All(5)).expect("no overflow");
        assert!(window.on_watermark(i64::MIN).expect("no overflow").is_none());
        let early = window.on_watermark(i64::MIN + 100).expect("no overflow").expect("rows");
        let late = window.on_watermark(i64::MAX).expect("no overflow").expect("rows");
        let given = early.order.iter().chain(&late.order);
        assert!(given.clone().is_sorted() && given.count() > 2);
        assert_eq!(window.state().rows_beyond_memory, 0);
    }
}
