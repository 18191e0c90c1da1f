//! Over windows at the watermark through the public API: against their definition, on one shard
//! and on several, behind and before other steps, and live.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use pelton::expr::{col, lit};
use pelton::pipeline::*;
use pelton::sink::MemorySink;
use pelton::time::seconds;

const SECOND: i64 = 1_000_000;

fn rows(of: &[(i64, i64, i64)]) -> RecordBatch {
    let times = of.iter().map(|row| row.0 * SECOND);
    RecordBatch::try_from_iter([
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter_values(times)) as ArrayRef),
        ("key", Arc::new(Int64Array::from_iter_values(of.iter().map(|row| row.1)))),
        ("value", Arc::new(Int64Array::from_iter_values(of.iter().map(|row| row.2)))),
    ])
    .unwrap()
}

/// Three rows a second, up to four seconds out of order.
fn row(i: i64) -> (i64, i64, i64) {
    (i / 3 - (i * 7919) % 5, (i * i * 31) % 41, i % 97)
}

fn all() -> Vec<(i64, i64, i64)> {
    (0..3000).map(row).collect()
}

fn run(pipeline: Pipeline, batch_rows: usize, shards: usize) -> (RecordBatch, Summary) {
    let sink = MemorySink::new();
    let batches = sink.batches();
    let parts: Vec<RecordBatch> = all().chunks(batch_rows).map(rows).collect();
    let options = Options::default().shards(shards);
    let summary = pipeline.write_to(sink).run_rows(parts.into_iter().map(Ok), options).unwrap();
    let batches = batches.lock().unwrap();
    let joined = arrow::compute::concat_batches(&batches[0].schema(), batches.iter()).unwrap();
    (joined, summary)
}

fn pipeline() -> Pipeline {
    Pipeline::rows(rows(&[]).schema())
        .event_time("ts", Watermark::bounded(seconds(2)))
        .key_by(["key"])
}

/// Rows that are not late, by (time, position).
fn on_time() -> Vec<(i64, i64, i64)> {
    let mut largest = i64::MIN;
    let mut kept = Vec::new();
    for row in all() {
        if largest == i64::MIN || row.0 >= largest - 2 {
            kept.push(row);
        }
        largest = largest.max(row.0);
    }
    kept.sort_by_key(|row| row.0);
    kept
}

fn ints(batch: &RecordBatch, name: &str) -> Vec<i64> {
    batch.column_by_name(name).expect(name).as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn every_batch_size_and_number_of_shards_gives_the_definition() {
    let plan = || {
        pipeline()
            .over_at_watermark([last(seconds(60)), last_n(5)], [count(), sum("value")])
            .over_at_watermark([last(seconds(20)).ended(seconds(10))], [max("value").named("top")])
    };
    let (whole, summary) = run(plan(), 3000, 1);
    let kept = on_time();
    assert!(summary.rows_late > 0 && summary.rows_set_aside == summary.rows_late);
    assert_eq!(summary.rows_out, kept.len() as u64);
    let schema = whole.schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(
        names,
        [
            "ts",
            "key",
            "value",
            "key_count_1m",
            "key_sum_value_1m",
            "key_count_5rows",
            "key_sum_value_5rows",
            "top"
        ]
    );
    let times = whole.column(0).as_primitive::<TimestampMicrosecondType>();
    let top = whole.column(7).as_primitive::<Int64Type>();
    for (at, &(time, key, value)) in kept.iter().enumerate() {
        assert_eq!(times.value(at), time * SECOND);
        assert_eq!((ints(&whole, "key")[at], ints(&whole, "value")[at]), (key, value));
        let of_key = |from: i64, to: i64| {
            let own = kept.iter().filter(move |row| row.1 == key && row.0 > from && row.0 <= to);
            own.map(|row| row.2).collect::<Vec<_>>()
        };
        let minute = of_key(time - 60, time);
        assert_eq!(ints(&whole, "key_count_1m")[at], minute.len() as i64);
        assert_eq!(ints(&whole, "key_sum_value_1m")[at], minute.iter().sum::<i64>());
        let before = kept[..=at].iter().rev().filter(|row| row.1 == key).take(5);
        let sum: i64 = before.map(|row| row.2).sum();
        assert_eq!(ints(&whole, "key_sum_value_5rows")[at], sum);
        let expected = of_key(time - 30, time - 10).into_iter().max();
        assert_eq!(top.is_valid(at).then(|| top.value(at)), expected);
    }
    for (batch_rows, shards) in [(1, 1), (7, 1), (4096, 2), (7, 2), (250, 3), (1, 7)] {
        let (got, of) = run(plan(), batch_rows, shards);
        assert_eq!(got, whole, "{batch_rows} rows a batch, {shards} shards");
        assert_eq!(of.rows_set_aside, summary.rows_set_aside);
    }
}

#[test]
fn steps_before_and_behind_it() {
    let plan = || {
        pipeline()
            .over([last(seconds(30))], [count()])
            .column("twice", col("value") * lit(2))
            .over_at_watermark(
                [last(seconds(30))],
                [count().named("exact"), sum("twice").named("all")],
            )
            .column("others", col("all") - col("twice"))
            .filter(col("exact").gt(lit(1)))
            .key_by(["value"])
            .over_at_watermark([last(seconds(30))], [count().named("same")])
            .select(["ts", "key", "exact", "key_count_30s", "others", "same"])
    };
    let (whole, _) = run(plan(), 3000, 1);
    assert!(whole.num_rows() > 1000);
    for (exact, arrived) in ints(&whole, "exact").iter().zip(ints(&whole, "key_count_30s")) {
        assert!(*exact > 1 && arrived > 0);
    }
    for (batch_rows, shards) in [(1, 1), (70, 2), (9, 3)] {
        assert_eq!(run(plan(), batch_rows, shards).0, whole, "{batch_rows} rows, {shards} shards");
    }
    let explained = plan().explain_plan().unwrap();
    assert!(explained.contains("over by key at the watermark: 1 horizons"), "{explained}");
    assert!(explained.contains("over by value at the watermark"), "{explained}");
}

/// The rows of `whole`, by columns: time in seconds, then these.
fn told(whole: &RecordBatch, names: &[&str]) -> Vec<Vec<i64>> {
    let times = whole["ts"].as_primitive::<TimestampMicrosecondType>();
    let columns: Vec<Vec<i64>> = names.iter().map(|name| ints(whole, name)).collect();
    let row = |at: usize| {
        let others = columns.iter().map(|column| column[at]);
        std::iter::once(times.value(at) / SECOND).chain(others).collect()
    };
    (0..whole.num_rows()).map(row).collect()
}

#[test]
fn windows_behind_it() {
    let over = || {
        pipeline()
            .over_at_watermark(
                [last(seconds(30))],
                [count().named("n"), own_mean("value").named("own")],
            )
            .filter(col("n").gt(lit(1)))
    };
    let (rows, summary) = run(over(), 3000, 1);
    let rows = told(&rows, &["key", "value", "n"]);
    assert!(rows.len() > 1000 && summary.rows_out == rows.len() as u64);
    // By (end, first row of its key): start, key, rows, sum.
    let mut windows: std::collections::BTreeMap<(i64, usize), (i64, i64, Vec<i64>)> =
        std::collections::BTreeMap::new();
    let mut seen = std::collections::BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        let (time, value, n) = (row[0], row[2], row[3]);
        let start = time.div_euclid(25) * 25;
        let first = *seen.entry(value).or_insert(i);
        let window = windows.entry((start + 25, first)).or_insert((start, value, Vec::new()));
        window.2.push(n);
    }
    let tumbling = || {
        over().key_by(["value"]).window(
            tumble(seconds(25)),
            [
                count(),
                sum("n"),
                first_value("n").named("first"),
                last_value("n").named("last"),
                list("n"),
            ],
        )
    };
    let (whole, of) = run(tumbling(), 3000, 1);
    let lists = whole["list_n"].as_list::<i32>();
    assert_eq!(whole.num_rows(), windows.len());
    for (at, ((end, _), (start, value, ns))) in windows.iter().enumerate() {
        let time =
            |name: &str| whole[name].as_primitive::<TimestampMicrosecondType>().value(at) / SECOND;
        assert_eq!((time("window_start"), time("window_end")), (*start, *end));
        let int = |name: &str| ints(&whole, name)[at];
        assert_eq!((int("value"), int("count")), (*value, ns.len() as i64));
        assert_eq!(int("sum_n"), ns.iter().sum::<i64>());
        assert_eq!(
            (Some(int("first")), Some(int("last"))),
            (ns.first().copied(), ns.last().copied())
        );
        assert_eq!(lists.value(at).as_primitive::<Int64Type>().values(), &ns[..]);
    }
    assert_eq!(of.rows_set_aside, summary.rows_set_aside);
    assert_eq!(of.rows_filtered, 3000 - summary.rows_set_aside - rows.len() as u64);
    let sliding = || over().key_by(["value"]).window(last_rows(5, 2), [list("key"), sum("n")]);
    let gaps = || over().key_by(["key"]).window(session(seconds(4)), [list("value"), max("own")]);
    let all = || over().window(all_rows(), [count(), list("value")]);
    let plans: [&dyn Fn() -> Pipeline; 4] = [&tumbling, &sliding, &gaps, &all];
    for plan in plans {
        let (whole, _) = run(plan(), 3000, 1);
        for (batch_rows, shards) in [(1, 1), (70, 1), (70, 2), (9, 3)] {
            let (got, _) = run(plan(), batch_rows, shards);
            assert_eq!(got, whole, "{batch_rows} rows, {shards} shards");
        }
    }
    let explained = gaps().explain_plan().unwrap();
    assert!(explained.contains("less the row's own"), "{explained}");
}

#[test]
fn a_row_beside_the_others_of_its_window() {
    let plan = || {
        pipeline().over_at_watermark(
            [last(seconds(60)), last_n(4)],
            [own_mean("value"), own_stddev("value"), count_same("value")],
        )
    };
    let (whole, _) = run(plan(), 3000, 1);
    let kept = on_time();
    let float = |name: &str, at: usize| {
        let column = whole[name].as_primitive::<arrow::datatypes::Float64Type>();
        column.is_valid(at).then(|| column.value(at))
    };
    for (at, &(time, key, value)) in kept.iter().enumerate() {
        let minute = kept.iter().enumerate();
        let minute = minute.filter(|(_, row)| row.1 == key && row.0 > time - 60 && row.0 <= time);
        let four = kept[..=at].iter().enumerate().rev().filter(|(_, row)| row.1 == key).take(4);
        for (horizon, window) in [("1m", minute.collect::<Vec<_>>()), ("4rows", four.collect())] {
            let others = window.iter().filter(|(i, _)| *i != at).map(|(_, row)| row.2 as f64);
            let others: Vec<f64> = others.collect();
            let mean = others.iter().sum::<f64>() / others.len() as f64;
            let got = float(&format!("key_own_mean_value_{horizon}"), at);
            assert_eq!(got.is_some(), !others.is_empty());
            assert!(got.is_none_or(|got| (got - mean).abs() < 1e-9));
            let squares: f64 = others.iter().map(|v| (v - mean) * (v - mean)).sum();
            let deviation = (squares / (others.len() as f64 - 1.0)).sqrt();
            let got = float(&format!("key_own_stddev_value_{horizon}"), at);
            assert_eq!(got.is_some(), others.len() > 1);
            assert!(got.is_none_or(|got| (got - deviation).abs() < 1e-9));
            let same = window.iter().filter(|(_, row)| row.2 == value).count() as i64;
            assert_eq!(ints(&whole, &format!("key_count_same_value_{horizon}"))[at], same);
        }
    }
    for (batch_rows, shards) in [(1, 1), (70, 2)] {
        assert_eq!(run(plan(), batch_rows, shards).0, whole, "{batch_rows} rows, {shards} shards");
    }
}

#[test]
fn live_rows_come_out_once_the_watermark_has_passed() {
    let mut live = pipeline()
        .over_at_watermark([last(seconds(10))], [count().named("n")])
        .open(Options::default().shards(1))
        .unwrap();
    let mut given = Vec::new();
    for row in [(5, 1, 0), (7, 1, 0), (6, 1, 0), (8, 1, 0), (20, 1, 0)] {
        live.push(rows(&[row])).unwrap();
        while let Some(batch) = live.poll().unwrap() {
            let times = batch.rows.column(0).as_primitive::<TimestampMicrosecondType>();
            given.extend(
                times.values().iter().zip(ints(&batch.rows, "n")).map(|(t, n)| (t / SECOND, n)),
            );
        }
        let seen: Vec<(i64, i64)> = match row.0 {
            5..=7 => vec![],
            8 => vec![(5, 1)],
            _ => vec![(5, 1), (6, 2), (7, 3), (8, 4)],
        };
        assert_eq!(given, seen, "after {row:?}");
    }
    let (rest, summary) = live.close().unwrap();
    assert_eq!(ints(&rest[0].rows, "n"), [1]);
    assert_eq!((summary.rows_in, summary.rows_out, summary.state.log_rows), (5, 5, 1));
}

#[test]
fn what_is_not_possible_says_so() {
    let refused = |pipeline: Pipeline| pipeline.explain_plan().unwrap_err().to_string();
    let says = [
        (pipeline().over([last_n(3)], [count()]), "answered at the watermark"),
        (pipeline().over([last(seconds(3))], [max("value")]), "over cannot compute max at arrival"),
        (
            pipeline().over_at_watermark([last_n(3)], [own_mean("value").distinct()]),
            "other rows give a mean",
        ),
        (
            pipeline()
                .over_at_watermark([last_n(3)], [count_same("value").filter(col("key").gt(1))]),
            "rows alike are counted",
        ),
        (
            pipeline()
                .over_at_watermark([last_n(3)], [count()])
                .window(tumble(seconds(9)).allow_late(seconds(3), true), [count()]),
            "given out once",
        ),
        (
            pipeline().window(all_rows(), [count()]).over_at_watermark([last_n(3)], [count()]),
            "windows of windows",
        ),
        (
            Pipeline::rows(rows(&[]).schema()).over_at_watermark([last_n(3)], [count()]),
            "when each row happened",
        ),
    ];
    for (pipeline, expected) in says {
        let error = refused(pipeline);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
