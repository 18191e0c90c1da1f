//! Over windows at the watermark against their definition: for each row that is not late, all
//! rows of its key in the interval, or the last so many by (time, position).

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, SchemaRef, TimeUnit};
use proptest::prelude::*;

use super::super::FLOAT_SUM_TOLERANCE;
use super::*;
use crate::batch::Position;
use crate::expr::{col, lit};
use crate::window::aggregate::{Aggregate, Function, Spread};
use crate::window::tests::{Row, batch, float, input_schema, row};

const EXTENTS: [Extent; 6] = [
    Extent::Time { length: 10, delay: 0 },
    Extent::Time { length: 100, delay: 0 },
    Extent::Time { length: 20, delay: 7 },
    Extent::Time { length: 1, delay: 1 },
    Extent::Rows(1),
    Extent::Rows(40),
];

/// Columns of the row and the others of its window, or those like it.
fn related() -> Vec<(Aggregate, Relation)> {
    let sample = Function::StdDev(Spread::Sample);
    let of =
        |function, column, name, relation| (Aggregate::new(function, [column], name), relation);
    vec![
        of(Function::Avg, "number", "own_avg", Relation::Others),
        of(sample.clone(), "number", "own_std", Relation::Others),
        of(Function::Avg, "cents", "own_cents", Relation::Others),
        of(sample.clone(), "cents", "own_cents_std", Relation::Others),
        of(Function::Avg, "float", "own_float", Relation::Others),
        of(sample, "float", "own_float_std", Relation::Others),
        of(Function::Count, "number", "same", Relation::Alike),
        of(Function::Count, "float", "same_float", Relation::Alike),
    ]
}

fn aggregates() -> Vec<Aggregate> {
    let positive = |name| Aggregate {
        filter: Some(col("number").gt(lit(20))),
        ..Aggregate::new(Function::Sum, ["number"], name)
    };
    vec![
        Aggregate::new(Function::Count, [], "n"),
        Aggregate::new(Function::Count, ["number"], "valid"),
        Aggregate::new(Function::Sum, ["number"], "sum"),
        Aggregate::new(Function::Avg, ["number"], "avg"),
        Aggregate::new(Function::Min, ["number"], "min"),
        Aggregate::new(Function::Max, ["number"], "max"),
        Aggregate::new(Function::StdDev(Spread::Sample), ["number"], "std"),
        Aggregate::new(Function::Variance(Spread::Population), ["cents"], "cents_var"),
        Aggregate::new(Function::Sum, ["cents"], "cents"),
        Aggregate::new(Function::Max, ["cents"], "cents_max"),
        Aggregate::new(Function::Sum, ["float"], "float"),
        Aggregate::new(Function::Avg, ["float"], "float_avg"),
        Aggregate::new(Function::Min, ["float"], "float_min"),
        Aggregate::new(Function::Max, ["float"], "float_max"),
        positive("positive"),
        Aggregate::new(Function::List, ["number"], "list"),
        Aggregate::new(Function::Distinct, ["number"], "distinct"),
        Aggregate::new(Function::First, ["number"], "first"),
        Aggregate::new(Function::Quantile(0.5), ["number"], "median"),
    ]
}

fn plan(keyed: bool) -> WatermarkPlan {
    let mut columns = Vec::new();
    for horizon in 0..EXTENTS.len() {
        let all = aggregates().into_iter().map(|aggregate| (aggregate, Relation::All));
        for (mut aggregate, relation) in all.chain(related()) {
            aggregate.name = format!("{}_{horizon}", aggregate.name);
            columns.push(OverColumn { horizon, aggregate, relation });
        }
    }
    WatermarkPlan {
        keys: if keyed { vec!["key".to_owned()] } else { Vec::new() },
        time: "ts".to_owned(),
        unit: TimeUnit::Second,
        carried: vec!["key".to_owned(), "number".to_owned()],
        horizons: EXTENTS.to_vec(),
        columns,
    }
}

/// Runs the plan over rows cut at `cuts`, with a watermark at each cut where `lags` has one (how
/// far below the best possible it stays), for each shard alone; merges the shards.
fn run(
    plan: &WatermarkPlan,
    rows: &[Row],
    cuts: &[usize],
    lags: &[Option<i64>],
    shards: u32,
) -> RecordBatch {
    let mut all: Vec<WindowRows> = Vec::new();
    for shard in 0..shards {
        let mut over = WatermarkOver::new(plan, &input_schema()).expect("valid plan");
        let mut selected = Vec::new();
        for (i, cut) in cuts.windows(2).enumerate() {
            let batch = batch(&rows[cut[0]..cut[1]], cut[0] as u64);
            let keys =
                if plan.keys.is_empty() { vec![] } else { vec![batch.rows.column(0).clone()] };
            crate::shard::select(&keys, batch.len(), (shard, shards), None, &mut selected)
                .expect("key");
            let own = if shards == 1 { Rows::All(batch.len()) } else { Rows::Some(&selected) };
            over.on_batch(&batch, own).expect("taken");
            let Some(lag) = lags.get(i % lags.len().max(1)).copied().flatten() else { continue };
            let ahead = rows[cut[1]..].iter().filter(|r| !r.late).map(|r| r.time).min();
            if let Some(ahead) = ahead {
                all.extend(over.on_watermark(ahead - 1 - lag).expect("no overflow"));
            }
        }
        all.extend(over.on_watermark(i64::MAX).expect("no overflow"));
        assert!(over.on_watermark(i64::MAX).expect("no overflow").is_none());
        assert_eq!(over.state().rows_beyond_memory, 0);
    }
    let schema: SchemaRef = plan.output_schema(&input_schema()).expect("valid plan");
    let joined = concat_batches(&schema, all.iter().map(|g| &g.rows)).expect("one schema");
    let order: Vec<_> = all.iter().flat_map(|g| g.order.iter().copied()).collect();
    let times = order.iter().map(|(_, time, _)| *time).collect();
    crate::window::output::sorted(WindowRows { rows: joined, times, order }).expect("sortable").rows
}

/// For each row that is not late, by (time, position): it, and the rows of its window.
fn windows(rows: &[Row], keyed: bool, extent: Extent) -> Vec<(usize, Vec<&Row>)> {
    let mut order: Vec<usize> = (0..rows.len()).filter(|&i| !rows[i].late).collect();
    order.sort_by_key(|&i| (rows[i].time, i));
    let mut seen: BTreeMap<Option<i64>, Vec<usize>> = BTreeMap::new();
    let mut answers = Vec::new();
    for &i in &order {
        let key = rows[i].key.filter(|_| keyed);
        let own = seen.entry(key).or_default();
        own.push(i);
        let window = match extent {
            Extent::Rows(n) => own[own.len().saturating_sub(n as usize)..].to_vec(),
            Extent::Time { length, delay } => {
                let is_in = |&&j: &&usize| {
                    let age = rows[i].time - rows[j].time;
                    (delay..delay + length).contains(&age)
                };
                let of_key = order.iter().filter(|&&j| rows[j].key.filter(|_| keyed) == key);
                of_key.filter(is_in).copied().collect()
            }
        };
        answers.push((i, window.into_iter().map(|j| &rows[j]).collect()));
    }
    answers
}

fn ints(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch.column_by_name(name).expect(name).as_primitive::<Int64Type>();
    column.is_valid(row).then(|| column.value(row))
}

fn wide(batch: &RecordBatch, name: &str, row: usize) -> Option<i128> {
    let column = batch.column_by_name(name).expect(name).as_primitive::<Decimal128Type>();
    column.is_valid(row).then(|| column.value(row))
}

fn floats(batch: &RecordBatch, name: &str, row: usize) -> Option<f64> {
    let column = batch.column_by_name(name).expect(name).as_primitive::<Float64Type>();
    column.is_valid(row).then(|| column.value(row))
}

fn is_close(got: Option<f64>, expected: Option<f64>, tolerance: f64) -> bool {
    match (got, expected) {
        (Some(got), Some(expected)) => {
            got == expected
                || got.is_nan() && expected.is_nan()
                || (got - expected).abs() <= tolerance * expected.abs().max(1.0)
        }
        (got, expected) => got.is_none() && expected.is_none(),
    }
}

/// By the order in which NaN is greatest.
fn order(a: &f64, b: &f64) -> std::cmp::Ordering {
    a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn variance(values: &[f64], less: usize) -> Option<f64> {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (n > less).then(|| squares / (n - less) as f64)
}

/// Holds a row of the output to its window.
fn check(got: &RecordBatch, at: usize, h: usize, window: &[&Row]) {
    let name = |name: &str| format!("{name}_{h}");
    let numbers: Vec<i64> = window.iter().filter_map(|r| r.number).collect();
    let some = !numbers.is_empty();
    let sum: i64 = numbers.iter().sum();
    assert_eq!(ints(got, &name("n"), at), Some(window.len() as i64));
    assert_eq!(ints(got, &name("valid"), at), Some(numbers.len() as i64));
    assert_eq!(ints(got, &name("sum"), at), some.then_some(sum));
    let mean = some.then(|| sum as f64 / numbers.len() as f64);
    assert_eq!(floats(got, &name("avg"), at), mean);
    assert_eq!(ints(got, &name("min"), at), numbers.iter().copied().min());
    assert_eq!(ints(got, &name("max"), at), numbers.iter().copied().max());
    let as_floats: Vec<f64> = numbers.iter().map(|&v| v as f64).collect();
    let std = variance(&as_floats, 1).map(f64::sqrt);
    assert!(is_close(floats(got, &name("std"), at), std, 1e-9));
    let positive: Vec<i64> = numbers.iter().copied().filter(|&v| v > 20).collect();
    let expected = (!positive.is_empty()).then(|| positive.iter().sum());
    assert_eq!(ints(got, &name("positive"), at), expected);

    let cents: Vec<i128> = window.iter().filter_map(|r| r.cents).collect();
    let sum = (!cents.is_empty()).then(|| cents.iter().sum());
    assert_eq!(wide(got, &name("cents"), at), sum);
    assert_eq!(wide(got, &name("cents_max"), at), cents.iter().copied().max());
    let units: Vec<f64> = cents.iter().map(|&v| v as f64 / 100.0).collect();
    assert!(is_close(floats(got, &name("cents_var"), at), variance(&units, 0), 1e-9));

    let values: Vec<f64> = window.iter().filter_map(|r| r.float).collect();
    assert!(is_close(
        floats(got, &name("float_min"), at),
        values.iter().copied().min_by(order),
        0.0
    ));
    assert!(is_close(
        floats(got, &name("float_max"), at),
        values.iter().copied().max_by(order),
        0.0
    ));
    let sum = (!values.is_empty()).then(|| values.iter().sum::<f64>());
    let magnitude: f64 = values.iter().filter(|v| v.is_finite()).map(|v| v.abs()).sum();
    let tolerance = FLOAT_SUM_TOLERANCE * 1e3 * magnitude.max(1.0);
    assert!(is_close(floats(got, &name("float"), at), sum, tolerance));
    let mean = sum.map(|sum| sum / values.len() as f64);
    assert!(is_close(floats(got, &name("float_avg"), at), mean, tolerance));

    let list = got.column_by_name(&name("list")).expect("list").as_list::<i32>();
    let listed = list.is_valid(at).then(|| list.value(at));
    let listed = listed.map(|list| list.as_primitive::<Int64Type>().values().to_vec());
    assert_eq!(listed, some.then(|| numbers.clone()));
    assert_eq!(ints(got, &name("first"), at), numbers.first().copied());
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    let median = some.then(|| match sorted.len() % 2 {
        1 => sorted[middle] as f64,
        _ => (sorted[middle - 1] as f64 + sorted[middle] as f64) / 2.0,
    });
    assert!(is_close(floats(got, &name("median"), at), median, 1e-12));
    sorted.dedup();
    assert_eq!(ints(got, &name("distinct"), at), Some(sorted.len() as i64));
}

/// Holds the columns of [`related`] to the window of a row.
fn check_related(got: &RecordBatch, at: usize, h: usize, window: &[&Row], row: &Row) {
    let others = || window.iter().filter(|other| !std::ptr::eq(**other, row));
    let name = |name: &str| format!("{name}_{h}");
    let numbers: Vec<f64> = others().filter_map(|r| r.number).map(|v| v as f64).collect();
    let cents: Vec<f64> = others().filter_map(|r| r.cents).map(|v| v as f64 / 100.0).collect();
    let values: Vec<f64> = others().filter_map(|r| r.float).collect();
    let mean = |values: &[f64]| {
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    assert!(is_close(floats(got, &name("own_avg"), at), mean(&numbers), 1e-12));
    assert!(is_close(floats(got, &name("own_cents"), at), mean(&cents), 1e-12));
    let deviation = |values: &[f64]| variance(values, 1).map(f64::sqrt);
    assert!(is_close(floats(got, &name("own_std"), at), deviation(&numbers), 1e-9));
    assert!(is_close(floats(got, &name("own_cents_std"), at), deviation(&cents), 1e-9));
    let finite = |v: &&f64| v.is_finite();
    let magnitude: f64 =
        window.iter().filter_map(|r| r.float).filter(|v| v.is_finite()).map(f64::abs).sum();
    let tolerance = FLOAT_SUM_TOLERANCE * 1e3 * magnitude.max(1.0);
    assert!(is_close(floats(got, &name("own_float"), at), mean(&values), tolerance));
    let got_std = floats(got, &name("own_float_std"), at);
    match values.iter().all(|v| finite(&v)) {
        true => assert!(is_close(got_std, deviation(&values), 1e-6)),
        false => assert_eq!(got_std.map(f64::is_nan), (values.len() > 1).then_some(true)),
    }
    let same = window.iter().filter(|other| other.number == row.number).count();
    assert_eq!(ints(got, &name("same"), at), Some(same as i64));
    let equal = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => order(&a, &b).is_eq(),
        (a, b) => a.is_none() && b.is_none(),
    };
    let same = window.iter().filter(|other| equal(other.float, row.float)).count();
    assert_eq!(ints(got, &name("same_float"), at), Some(same as i64));
}

fn cuts(rows: usize, step: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = (0..rows).step_by(step).collect();
    cuts.push(rows);
    cuts
}

fn some_rows() -> impl Strategy<Value = Vec<Row>> {
    let moderate = || float().prop_map(|v| v.filter(|v| !v.is_finite() || v.abs() < 1e100));
    let row =
        move |keys| (row(keys), moderate()).prop_map(|(row, float)| Row { float, ..row }).boxed();
    let some = move |keys| prop::collection::vec(row(keys), 0..150);
    (prop_oneof![some(1), some(4), some(100_000)], 1..300i64).prop_map(|(mut rows, disorder)| {
        rows.sort_by_key(|row| row.time.div_euclid(disorder));
        rows
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn every_row_has_what_the_definition_says(
        rows in some_rows(),
        keyed in prop::bool::weighted(0.8),
        step in prop_oneof![Just(1), Just(7), Just(60), Just(4096)],
        lags in prop::collection::vec(prop::option::weighted(0.7, 0..30i64), 1..5),
        shards in prop_oneof![Just(1_u32), Just(2), Just(3), Just(7)],
    ) {
        let got = run(&plan(keyed), &rows, &cuts(rows.len(), step), &lags, shards);
        for (h, &extent) in EXTENTS.iter().enumerate() {
            let expected = windows(&rows, keyed, extent);
            prop_assert_eq!(got.num_rows(), expected.len());
            for (at, (i, window)) in expected.iter().enumerate() {
                prop_assert_eq!(ints(&got, "key", at), rows[*i].key);
                prop_assert_eq!(ints(&got, "number", at), rows[*i].number);
                check(&got, at, h, window);
                check_related(&got, at, h, window, &rows[*i]);
            }
        }
        // To the bit: float sums too.
        let whole = run(&plan(keyed), &rows, &[0, rows.len()], &[None], 1);
        prop_assert_eq!(whole, got);
    }
}

/// The columns that follow from sums and deques: whose keys are forgotten.
fn lean() -> WatermarkPlan {
    let mut lean = plan(true);
    lean.columns.retain(|column| {
        let (name, _) = column.aggregate.name.rsplit_once('_').expect("a horizon");
        let by_blocks = ["list", "distinct", "first", "median"].contains(&name);
        let by_time = matches!(EXTENTS[column.horizon], Extent::Time { .. });
        by_time && !by_blocks && column.relation != Relation::Alike
    });
    lean
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn keys_that_are_forgotten_answer_as_new_ones(
        rows in prop_oneof![some_rows(), some_rows().prop_map(|mut rows| {
            // Keys come, go and come again.
            for row in &mut rows {
                row.key = row.key.map(|key| key % 3 + row.time.div_euclid(150) % 3 * 3);
            }
            rows
        })],
        step in prop_oneof![Just(1), Just(7), Just(60)],
        lags in prop::collection::vec(prop::option::weighted(0.9, 0..30i64), 1..5),
    ) {
        // With blocks keys are known for ever.
        let known = run(&plan(true), &rows, &cuts(rows.len(), step), &lags, 1);
        let got = run(&lean(), &rows, &cuts(rows.len(), step), &lags, 1);
        for (field, column) in got.schema().fields().iter().zip(got.columns()) {
            prop_assert_eq!(column, &known[field.name().as_str()], "{}", field.name());
        }
    }
}

#[test]
fn keys_of_rows_that_no_horizon_reaches_are_forgotten() {
    let mut over = WatermarkOver::new(&lean(), &input_schema()).expect("valid plan");
    let rows: Vec<Row> = (0..4000)
        .map(|i| Row {
            time: i * 10,
            key: Some(i),
            number: Some(i),
            cents: None,
            float: Some(0.5),
            late: false,
        })
        .collect();
    for (i, rows) in rows.chunks(10).enumerate() {
        let batch = batch(rows, i as u64 * 10);
        over.on_batch(&batch, Rows::All(batch.len())).expect("taken");
        over.on_watermark(i as i64 * 100).expect("no overflow");
        assert!(over.state().keys < 200, "{} keys", over.state().keys);
    }
}

#[test]
fn values_that_no_window_holds_are_forgotten() {
    for extent in [EXTENTS[0], EXTENTS[5]] {
        let mut plan = one(Function::Count, "number", extent);
        plan.columns[0].relation = Relation::Alike;
        let mut over = WatermarkOver::new(&plan, &input_schema()).expect("valid plan");
        let mut most = 0;
        for i in 0..3000_i64 {
            // Each value comes once.
            let row = Row {
                time: i,
                key: Some(i % 2),
                number: Some(i),
                cents: None,
                float: None,
                late: false,
            };
            over.on_batch(&batch(&[row], i as u64), Rows::All(1)).expect("taken");
            over.on_watermark(i).expect("no overflow");
            most = most.max(over.alike[0].pairs());
        }
        assert!(most < 800, "{most} pairs");
    }
}

/// A plan of one aggregate over one horizon.
fn one(function: Function, column: &str, extent: Extent) -> WatermarkPlan {
    let columns = (!column.is_empty()).then_some(column);
    let aggregate = Aggregate::new(function, columns, "out");
    WatermarkPlan {
        horizons: vec![extent],
        carried: Vec::new(),
        columns: vec![OverColumn { horizon: 0, aggregate, relation: Relation::All }],
        ..plan(true)
    }
}

fn of(time: i64, number: i64) -> Row {
    let (key, number) = (Some(1), Some(number));
    Row { time, key, number, float: None, cents: None, late: false }
}

#[test]
fn sums_outgrow_64_bits_only_where_a_window_does() {
    let extent = Extent::Time { length: 10, delay: 0 };
    let rows: Vec<Row> = (0..60).map(|i| of(i * 20, i64::MAX - i)).collect();
    let plan = one(Function::Sum, "number", extent);
    let got = run(&plan, &rows, &cuts(60, 7), &[Some(0)], 1);
    let sums: Vec<i64> = got.column(0).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(sums, (0..60).map(|i| i64::MAX - i).collect::<Vec<_>>());

    let mut over = WatermarkOver::new(&plan, &input_schema()).expect("valid plan");
    let rows = [of(0, i64::MAX), of(1, 1)];
    over.on_batch(&batch(&rows, 0), Rows::All(2)).expect("taken");
    let error = over.on_watermark(i64::MAX).expect_err("an overflow").to_string();
    assert!(error.contains("\"out\" overflows 64 bits"), "{error}");
}

#[test]
fn what_no_window_needs_is_forgotten() {
    let rows_a_step = 1000;
    for (extent, function) in [
        (Extent::Time { length: 500, delay: 0 }, Function::Sum),
        (Extent::Time { length: 500, delay: 200 }, Function::Max),
        (Extent::Time { length: 500, delay: 100 }, Function::List),
        (Extent::Rows(3), Function::Sum),
        (Extent::Time { length: 500, delay: 0 }, Function::Count),
        (Extent::Rows(3), Function::Count),
    ] {
        let mut plan = one(function.clone(), "number", extent);
        if function == Function::Count {
            // Of rows alike: a thousand pairs.
            plan.columns[0].relation = Relation::Alike;
        }
        let mut over = WatermarkOver::new(&plan, &input_schema()).expect("valid plan");
        let mut most = 0;
        for step in 0..120 {
            let row = |i: i64| Row { key: Some(i % 50), ..of(step * rows_a_step + i, i) };
            let rows: Vec<Row> = (0..rows_a_step).map(row).collect();
            let offset = (step * rows_a_step) as u64;
            over.on_batch(&batch(&rows, offset), Rows::All(rows.len())).expect("taken");
            over.on_watermark(step * rows_a_step + rows_a_step - 10).expect("no overflow");
            if step > 20 {
                let size = over.state();
                assert!(size.log_rows <= 3000, "{extent:?}: {size:?}");
                most = most.max(size.bytes);
            }
        }
        // Log and columns of 32 k rows that wait to be moved over, at most.
        assert!(most < 6_000_000, "{extent:?}: {most}");
    }
}

#[test]
fn rows_behind_the_watermark_are_counted() {
    let plan = one(Function::Count, "", Extent::Rows(2));
    let mut over = WatermarkOver::new(&plan, &input_schema()).expect("valid plan");
    over.on_batch(&batch(&[of(10, 1)], 0), Rows::All(1)).expect("taken");
    assert_eq!(over.on_watermark(20).expect("closed").expect("a row").rows.num_rows(), 1);
    over.on_batch(&batch(&[of(20, 1), of(21, 1)], 1), Rows::All(2)).expect("taken");
    assert_eq!(over.state().rows_beyond_memory, 1);
    assert_eq!(over.on_watermark(i64::MAX).expect("closed").expect("a row").rows.num_rows(), 1);
}

#[test]
fn rows_of_one_time_go_by_position_whichever_partition_came_first() {
    let plan = one(Function::List, "number", Extent::Rows(10));
    let mut over = WatermarkOver::new(&plan, &input_schema()).expect("valid plan");
    for (partition, offset, number) in [(1, 0, 10), (0, 0, 0), (1, 1, 11), (0, 1, 1)] {
        let batch = Batch { partition, ..batch(&[of(5, number)], offset) };
        over.on_batch(&batch, Rows::All(1)).expect("taken");
    }
    let got = over.on_watermark(5).expect("closed").expect("rows");
    let positions: Vec<Position> = got.order.iter().map(|(.., position)| *position).collect();
    assert!(positions.is_sorted());
    let last = got.rows.column(0).as_list::<i32>().value(3);
    assert_eq!(last.as_primitive::<Int64Type>().values(), &[0, 1, 10, 11]);
}

#[test]
fn many_rows_of_one_key_use_all_levels_of_blocks() {
    let rows: Vec<Row> = (0..9000).map(|i| of(i / 2, (i * 7919) % 10_007)).collect();
    // The exclusive or of rows before the i-th: what windows have is a difference.
    let mut before = vec![0];
    for row in &rows {
        before.push(before[before.len() - 1] ^ row.number.unwrap_or(0));
    }
    for extent in [Extent::Rows(8500), Extent::Time { length: 4300, delay: 3 }] {
        let plan = one(Function::BitXor, "number", extent);
        let got = run(&plan, &rows, &cuts(9000, 700), &[Some(0)], 1);
        let bounds = |i: usize| match extent {
            Extent::Rows(n) => ((i + 1).saturating_sub(n as usize), i + 1),
            Extent::Time { length, delay } => {
                let upto = |bound: i64| rows.partition_point(|row| row.time <= bound);
                (upto(rows[i].time - delay - length), upto(rows[i].time - delay))
            }
        };
        let expected: Int64Array = (0..rows.len())
            .map(|i| {
                let (from, to) = bounds(i);
                (from < to).then(|| before[to] ^ before[from])
            })
            .collect();
        assert_eq!(got.column(0).as_primitive::<Int64Type>(), &expected);
        // What rounds is joined in the same order whatever the batches.
        let half_life = crate::time::seconds(50);
        let plan = one(Function::Ewma { half_life }, "number", extent);
        let part = run(&plan, &rows[..5000], &cuts(5000, 90), &[Some(0)], 1);
        assert_eq!(part, run(&plan, &rows[..5000], &[0, 5000], &[None], 1));
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let schema = input_schema();
    let refused = |plan: &WatermarkPlan| match WatermarkOver::new(plan, &schema) {
        Ok(_) => panic!("{plan:?} was taken"),
        Err(error) => error.to_string(),
    };
    let time = |length, delay| Extent::Time { length, delay };
    for extent in [time(0, 0), time(5, -1), Extent::Rows(0)] {
        assert!(refused(&one(Function::Count, "", extent)).contains("holds nothing"));
    }
    assert!(refused(&one(Function::Sum, "none", time(1, 0))).contains("no column \"none\""));
    let twice = WatermarkPlan {
        carried: vec!["out".to_owned(), "key".to_owned()],
        ..one(Function::Count, "", time(1, 0))
    };
    assert!(refused(&twice).contains("no column \"out\""));
    let related = |relation, function, column: &str| {
        let mut plan = one(function, column, time(1, 0));
        plan.columns[0].relation = relation;
        plan
    };
    let others = refused(&related(Relation::Others, Function::Max, "number"));
    assert!(others.contains("other rows give a mean"), "{others}");
    let alike = refused(&related(Relation::Alike, Function::Count, ""));
    assert!(alike.contains("rows alike are counted"), "{alike}");
    let mut named = one(Function::Count, "", time(1, 0));
    named.carried = vec!["key".to_owned()];
    named.columns[0].aggregate.name = "key".to_owned();
    assert!(refused(&named).contains("already a column key"));
    assert_eq!(
        plan(true).resolve(&schema).expect("valid").output.field(0).data_type(),
        &DataType::Int64
    );
}
