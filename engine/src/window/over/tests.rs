//! Over windows against their definition: for each row, all rows at earlier positions of its
//! key and itself, whose time lies in the interval, and which have not been forgotten.

mod forgotten;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use proptest::prelude::*;

use super::*;
use crate::batch::{Batch, RowTimes};
use crate::operator::{KeyedEnrich, Rows};

#[derive(Debug, Clone)]
struct Row {
    time: i64,
    key: i64,
    cents: Option<i64>,
    level: Option<f64>,
    country: Option<&'static str>,
    fraud: Option<bool>,
    lat: f64,
}

const HORIZONS: [Horizon; 5] = [
    Horizon { length: 10, delay: 0 },
    Horizon { length: 25, delay: 0 },
    Horizon { length: 100, delay: 0 },
    Horizon { length: 20, delay: 7 },
    Horizon { length: 1, delay: 1 },
];

fn plan(delay: i64) -> OverPlan {
    let mut outputs = Vec::new();
    for h in 0..HORIZONS.len() {
        for (name, output) in [
            ("count", Output::Count { h }),
            ("valid", Output::CountValid { h, m: 0 }),
            ("sum", Output::Sum { h, m: 0 }),
            ("mean", Output::Mean { h, m: 0 }),
            ("std", Output::StdDev { h, m: 0 }),
            ("own_mean", Output::OwnMean { h, m: 0 }),
            ("own_std", Output::OwnStdDev { h, m: 0 }),
            ("fsum", Output::Sum { h, m: 1 }),
            ("fstd", Output::StdDev { h, m: 1 }),
            ("fown_mean", Output::OwnMean { h, m: 1 }),
            ("share", Output::Mean { h, m: 2 }),
            ("distinct", Output::Distinct { h, c: 0 }),
            ("same", Output::CountSame { h, c: 0 }),
        ] {
            outputs.push((format!("{name}_{h}"), output));
        }
    }
    outputs.push(("since".into(), Output::SincePrevious));
    outputs.push(("km".into(), Output::DistanceKm));
    outputs.push(("speed".into(), Output::SpeedKmh));
    OverPlan {
        keys: vec!["key".into()],
        measures: vec![
            Measure { column: "cents".into(), kind: MeasureKind::Decimal(12, 2) },
            Measure { column: "level".into(), kind: MeasureKind::Float },
            Measure { column: "fraud".into(), kind: MeasureKind::Boolean },
        ],
        codes: vec!["country".into()],
        place: Some(("lat".into(), "lon".into())),
        horizons: HORIZONS.to_vec(),
        outputs,
        units_per_second: 1,
        delay,
        key_ttl: None,
    }
}

/// Horizons that keep little: what the short cut of the common row is for, of each kind.
fn lean(delay: i64) -> OverPlan {
    let outputs = [
        ("count_0", Output::Count { h: 0 }),
        ("sum_1", Output::Sum { h: 1, m: 0 }),
        ("mean_1", Output::Mean { h: 1, m: 0 }),
        ("distinct_1", Output::Distinct { h: 1, c: 0 }),
        ("sum_2", Output::Sum { h: 2, m: 0 }),
        ("own_mean_2", Output::OwnMean { h: 2, m: 0 }),
        ("share_2", Output::Mean { h: 2, m: 2 }),
        ("sum_3", Output::Sum { h: 3, m: 0 }),
        ("count_3", Output::Count { h: 3 }),
        ("share_4", Output::Mean { h: 4, m: 2 }),
        ("sum_4", Output::Sum { h: 4, m: 0 }),
        ("same_0", Output::CountSame { h: 0, c: 0 }),
        ("sum_5", Output::Sum { h: 5, m: 0 }),
        ("own_std_5", Output::OwnStdDev { h: 5, m: 0 }),
        ("std_5", Output::StdDev { h: 5, m: 0 }),
    ];
    let outputs = outputs.map(|(name, output)| (name.to_owned(), output)).to_vec();
    let horizons = [&HORIZONS[..], &[Horizon { length: 60, delay: 0 }]].concat();
    OverPlan { outputs, horizons, ..plan(delay) }
}

fn record_batch(rows: &[Row]) -> RecordBatch {
    let cents = Decimal128Array::from_iter(rows.iter().map(|r| r.cents.map(i128::from)))
        .with_precision_and_scale(12, 2)
        .unwrap();
    RecordBatch::try_from_iter_with_nullable([
        (
            "ts",
            Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.time)))
                as ArrayRef,
            true,
        ),
        ("key", Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.key))), true),
        ("cents", Arc::new(cents), true),
        ("level", Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.level))), true),
        ("country", Arc::new(StringArray::from_iter(rows.iter().map(|r| r.country))), true),
        ("fraud", Arc::new(BooleanArray::from_iter(rows.iter().map(|r| r.fraud))), true),
        ("lat", Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.lat))), true),
        ("lon", Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.lat * 2.0))), true),
    ])
    .unwrap()
}

/// Batches of these sizes (the last size again and again), with times as the time stage gives.
fn batches(rows: &[Row], sizes: &[usize], delay: i64) -> Vec<Batch> {
    let mut out = Vec::new();
    let (mut at, mut largest, mut size) = (0, i64::MIN, 0);
    while at < rows.len() {
        let n = sizes[size.min(sizes.len() - 1)].clamp(1, rows.len() - at);
        size += 1;
        let part = &rows[at..at + n];
        let mut before = Vec::new();
        let mut late = Vec::new();
        for row in part {
            before.push(largest);
            late.push(largest != i64::MIN && row.time < largest.saturating_sub(delay));
            largest = largest.max(row.time);
        }
        let any = late.contains(&true);
        out.push(Batch {
            times: Some(RowTimes {
                sorted: false,
                time: part.iter().map(|r| r.time).collect(),
                late: any.then(|| BooleanBuffer::from(late)),
                largest_before: any.then(|| ScalarBuffer::from(before)),
                watermark: largest.saturating_sub(delay),
            }),
            ..Batch::new(record_batch(part), at as u64)
        });
        at += n;
    }
    out
}

fn run(rows: &[Row], sizes: &[usize], plan: &OverPlan) -> Vec<ArrayRef> {
    let mut over = Over::new(plan.clone(), &record_batch(&[]).schema()).unwrap();
    let mut columns: Vec<Vec<ArrayRef>> = vec![Vec::new(); plan.outputs.len()];
    for batch in batches(rows, sizes, plan.delay) {
        let parts = over.on_batch(&batch, Rows::All(batch.len())).unwrap();
        for (column, part) in columns.iter_mut().zip(parts) {
            column.push(part);
        }
    }
    columns
        .iter()
        .map(|parts| {
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            if parts.is_empty() {
                Arc::new(Int64Array::from(Vec::<i64>::new())) as ArrayRef
            } else {
                arrow::compute::concat(&parts).unwrap()
            }
        })
        .collect()
}

/// The rows that row `i` counts in a horizon.
fn window<'a>(rows: &'a [Row], i: usize, horizon: Horizon, plan: &OverPlan) -> Vec<&'a Row> {
    let row = &rows[i];
    let largest = rows[..i].iter().map(|r| r.time).max().unwrap_or(i64::MIN);
    let memory = i128::from(plan.reach() + plan.memory_slack());
    let slack = i128::from(plan.memory_slack());
    let beyond = i128::from(row.time) < i128::from(largest) - slack;
    (0..=i)
        .filter(|&j| rows[j].key == row.key)
        .filter(|&j| {
            let (t, x) = (i128::from(row.time), i128::from(rows[j].time));
            let end = t - i128::from(horizon.delay);
            let forgotten = beyond && j != i && x <= i128::from(largest) - memory;
            x > end - i128::from(horizon.length) && x <= end && !forgotten
        })
        .map(|j| &rows[j])
        .collect()
}

fn close(found: f64, wanted: f64) -> bool {
    found == wanted
        || (found.is_nan() && wanted.is_nan())
        || (found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0)
}

fn optional(array: &ArrayRef, row: usize) -> Option<f64> {
    array.is_valid(row).then(|| match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row) as f64,
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row) as f64,
        _ => array.as_primitive::<Float64Type>().value(row),
    })
}

fn std_of(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    Some((values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0)).sqrt())
}

fn mean_of(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn sum_of(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>())
}

fn own<T: Copy>(window: &[&Row], row: &Row, get: impl Fn(&Row) -> Option<T>) -> Vec<T> {
    window.iter().filter(|r| !std::ptr::eq(**r, row)).filter_map(|r| get(r)).collect()
}

fn expected(rows: &[Row], i: usize, horizon: Horizon, plan: &OverPlan) -> [Option<f64>; 13] {
    let row = &rows[i];
    let window = window(rows, i, horizon, plan);
    let all = |get: &dyn Fn(&Row) -> Option<f64>| -> Vec<f64> {
        window.iter().filter_map(|r| get(r)).collect()
    };
    let cents = |r: &Row| r.cents.map(|c| c as f64);
    let euros = |r: &Row| r.cents.map(|c| c as f64 / 100.0);
    let level = |r: &Row| r.level;
    let n = |n: usize| Some(n as f64);
    let countries: BTreeSet<_> = window.iter().filter_map(|r| r.country).collect();
    [
        n(window.len()),
        n(all(&cents).len()),
        sum_of(&all(&cents)),
        mean_of(&all(&euros)),
        std_of(&all(&euros)),
        mean_of(&own(&window, row, euros)),
        std_of(&own(&window, row, euros)),
        sum_of(&all(&level)),
        std_of(&all(&level)),
        mean_of(&own(&window, row, level)),
        mean_of(&all(&|r: &Row| r.fraud.map(|f| f64::from(u8::from(f))))),
        n(countries.len()),
        n(window.iter().filter(|r| r.country == row.country).count()),
    ]
}

/// Where an output stands in what [`expected`] gives for its horizon; none for those of the row
/// before.
fn place(output: Output) -> Option<(usize, usize)> {
    Some(match output {
        Output::Count { h } => (h, 0),
        Output::CountValid { h, m: 0 } => (h, 1),
        Output::Sum { h, m: 0 } => (h, 2),
        Output::Mean { h, m: 0 } => (h, 3),
        Output::StdDev { h, m: 0 } => (h, 4),
        Output::OwnMean { h, m: 0 } => (h, 5),
        Output::OwnStdDev { h, m: 0 } => (h, 6),
        Output::Sum { h, m: 1 } => (h, 7),
        Output::StdDev { h, m: 1 } => (h, 8),
        Output::OwnMean { h, m: 1 } => (h, 9),
        Output::Mean { h, m: 2 } => (h, 10),
        Output::Distinct { h, .. } => (h, 11),
        Output::CountSame { h, .. } => (h, 12),
        _ => return None,
    })
}

fn check(rows: &[Row], sizes: &[usize], plan: &OverPlan) {
    let columns = run(rows, sizes, plan);
    for i in 0..rows.len() {
        let horizons = plan.horizons.iter();
        let wanted: Vec<_> = horizons.map(|&horizon| expected(rows, i, horizon, plan)).collect();
        for ((name, output), column) in plan.outputs.iter().zip(&columns) {
            let Some((h, at)) = place(*output) else { continue };
            let (found, wanted) = (optional(column, i), wanted[h][at]);
            let same = match (found, wanted) {
                (Some(found), Some(wanted)) => close(found, wanted),
                (found, wanted) => found == wanted,
            };
            assert!(same, "{name} of row {i} {:?}: {found:?}, not {wanted:?}", rows[i]);
        }
    }
}

/// Step of time, key, cents, level, country, fraud.
type Step = (i64, i64, Option<i64>, Option<f64>, Option<&'static str>, Option<bool>);

fn row() -> impl Strategy<Value = Step> {
    (
        -6i64..12,
        0i64..3,
        prop::option::weighted(0.8, -500i64..100_000),
        prop::option::weighted(
            0.8,
            prop_oneof![
                8 => -100.0..100.0f64,
                1 => Just(f64::NAN),
                1 => Just(f64::INFINITY),
                1 => Just(-0.0),
            ],
        ),
        prop::option::weighted(0.9, prop::sample::select(vec!["DE", "FR", "US"])),
        prop::option::weighted(0.9, any::<bool>()),
    )
}

fn rows(steps: Vec<Step>) -> Vec<Row> {
    let mut now = 0;
    steps
        .into_iter()
        .enumerate()
        .map(|(i, (step, key, cents, level, country, fraud))| {
            // Now and then a straggler from long ago, or a jump ahead.
            let time = match i % 17 {
                13 => now - 40 - step * 9,
                7 if step == 5 => {
                    now += 90;
                    now
                }
                _ => {
                    now += step.max(-3);
                    now
                }
            };
            Row { time, key, cents, level, country, fraud, lat: (step * 7 % 80) as f64 }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn over_equals_its_definition(
        steps in prop::collection::vec(row(), 0..120),
        sizes in prop::collection::vec(1usize..40, 1..6),
        delay in 0i64..20,
    ) {
        check(&rows(steps), &sizes, &plan(delay));
    }

    #[test]
    fn lean_horizons_equal_their_definition(
        steps in prop::collection::vec(row(), 0..120),
        sizes in prop::collection::vec(1usize..40, 1..6),
        delay in 0i64..20,
        nulls_from in prop::sample::select(vec![0usize, 60, 1000]),
    ) {
        let mut rows = rows(steps);
        for row in rows.iter_mut().take(nulls_from) {
            row.cents = row.cents.or(Some(7));
            row.fraud = row.fraud.or(Some(true));
        }
        check(&rows, &sizes, &lean(delay));
    }

    #[test]
    fn squares_widen_before_they_overflow(
        steps in prop::collection::vec(row(), 1..120),
        sizes in prop::collection::vec(1usize..40, 1..6),
        small in 0usize..80,
        factor in prop::sample::select(vec![1i64, 1_000, 1_000_000]),
    ) {
        let mut rows = rows(steps);
        for row in rows.iter_mut().skip(small) {
            row.cents = row.cents.map(|cents| cents * factor);
        }
        check(&rows, &sizes, &lean(3));
    }

    #[test]
    fn sums_widen_before_they_overflow(
        steps in prop::collection::vec((row(), any::<i64>()), 1..120),
        sizes in prop::collection::vec(1usize..40, 1..6),
        small in 0usize..80,
    ) {
        let (steps, huge): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
        let mut rows = rows(steps);
        for (row, huge) in rows.iter_mut().zip(huge).skip(small) {
            row.cents = row.cents.map(|_| huge);
        }
        // Squares of such values do not even fit into 128 bits.
        let mut plan = lean(3);
        plan.outputs.truncate(12);
        let columns = run(&rows, &sizes, &plan);
        for (i, row) in rows.iter().enumerate() {
            for (h, at) in [(1, 1), (2, 4), (3, 7), (4, 10)] {
                let window = window(&rows, i, HORIZONS[h], &plan);
                let values: Vec<i128> =
                    window.iter().filter_map(|r| r.cents).map(i128::from).collect();
                let wanted = (!values.is_empty()).then(|| values.iter().sum::<i128>());
                let column = columns[at].as_primitive::<Decimal128Type>();
                let found = column.is_valid(i).then(|| column.value(i));
                prop_assert_eq!(found, wanted, "horizon {} of row {} {:?}", h, i, row);
            }
        }
    }

    #[test]
    fn over_does_not_depend_on_batches(
        steps in prop::collection::vec(row(), 1..150),
        sizes in prop::collection::vec(1usize..40, 1..6),
    ) {
        let rows = rows(steps);
        let one = run(&rows, &[1], &plan(2));
        let many = run(&rows, &sizes, &plan(2));
        let whole = run(&rows, &[rows.len()], &plan(2));
        for ((one, many), whole) in one.iter().zip(&many).zip(&whole) {
            // Compared as bits: NaN equals itself.
            prop_assert_eq!(format!("{:?}", one), format!("{:?}", many));
            prop_assert_eq!(one.to_data(), whole.to_data());
        }
    }
}

#[test]
fn a_plan_without_outputs_gives_no_columns() {
    let rows: Vec<Row> = [0, 3, 1].map(plain).to_vec();
    assert!(run(&rows, &[2], &OverPlan { outputs: Vec::new(), ..plan(2) }).is_empty());
    let mut bare = OverPlan { outputs: Vec::new(), ..plan(2) };
    bare.drop_unused();
    assert!(bare.horizons.is_empty() && run(&rows, &[2], &bare).is_empty());
}

fn plain(time: i64) -> Row {
    Row {
        time,
        key: 1,
        cents: Some(100),
        level: Some(1.5),
        country: Some("DE"),
        fraud: Some(false),
        lat: 10.0,
    }
}

#[test]
fn extreme_times_and_borders() {
    let times =
        [i64::MIN, i64::MIN, i64::MIN + 9, i64::MIN + 10, 0, 10, 10, i64::MAX - 1, i64::MAX];
    for plan in [plan(0), lean(0)] {
        check(&times.map(plain), &[3], &plan);
    }
    check(&[plain(0), plain(10), plain(9), plain(0), plain(10)], &[2], &plan(5));
}

#[test]
fn the_left_end_is_open_and_the_right_end_closed() {
    let columns = run(&[plain(0), plain(10), plain(20)], &[3], &plan(0));
    // 10 units: the row exactly 10 before is out. 1 unit that ended 1 before: time t − 1 only.
    assert_eq!(columns[0].as_primitive::<Int64Type>().values(), &[1, 1, 1]);
    let columns = run(&[plain(0), plain(1), plain(2)], &[3], &plan(0));
    assert_eq!(columns[4 * 13].as_primitive::<Int64Type>().values(), &[0, 1, 1]);
}

#[test]
fn previous_place_and_speed() {
    let mut rows = [plain(0), plain(3600), plain(3600), plain(3600)];
    rows[1].lat = 11.0;
    rows[3].lat = f64::NAN;
    let columns = run(&rows, &[2], &plan(0));
    let [since, km, speed] = &columns[columns.len() - 3..] else { panic!("three columns") };
    assert_eq!(optional(since, 0), None);
    assert_eq!(optional(since, 1), Some(3600.0));
    let expected = optional(km, 1).unwrap();
    // 10° N 20° E to 11° N 22° E.
    assert!((expected - 245.4).abs() < 0.5, "{expected}");
    assert_eq!(optional(speed, 1), Some(expected));
    assert_eq!((optional(since, 2), optional(speed, 2)), (Some(0.0), None));
    assert_eq!((optional(km, 3), optional(speed, 3)), (None, None));
}

#[test]
fn huge_floats_leave_no_trace() {
    let mut rows: Vec<Row> = (0..6).map(|i| plain(i * 4)).collect();
    rows[0].level = Some(f64::MAX);
    rows[1].level = Some(f64::MAX);
    let columns = run(&rows, &[1], &plan(0));
    let sums = columns[7].as_primitive::<Float64Type>();
    assert_eq!(sums.value(1), f64::INFINITY);
    assert_eq!(sums.value(5), 4.5);
}

#[test]
fn idle_keys_give_their_rows_back() {
    let plan = plan(0);
    let mut over = Over::new(plan.clone(), &record_batch(&[]).schema()).unwrap();
    let mut rows: Vec<Row> = (0..500).map(|i| Row { key: i % 50, ..plain(i / 10) }).collect();
    rows.extend((0..2000).map(|i| Row { key: 99, ..plain(1000 + i) }));
    for batch in batches(&rows, &[100], 0) {
        over.on_batch(&batch, Rows::All(batch.len())).unwrap();
    }
    let state = over.state();
    // 50 idle keys hold one row each; the busy one what its reach needs and what a full ring
    // had not yet to give back.
    assert!(state.log_rows < 50 + 2 * (plan.reach() + plan.memory_slack()) as u64, "{state:?}");
    assert_eq!(state.keys, 51);
}
