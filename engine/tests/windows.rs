//! Tumbling and hopping windows through the public API: against their definition, on one shard
//! and on several, and live on a virtual clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use pelton::expr::col;
use pelton::pipeline::*;
use pelton::sink::MemorySink;
use pelton::time::{VirtualClock, seconds};
use pelton::window::aggregate::{AggregateFunction, Row, Value, ValueRef};

const SECOND: i64 = 1_000_000;

fn rows(times_s: &[i64], keys: &[i64], values: &[i64]) -> RecordBatch {
    let times = times_s.iter().map(|t| t * SECOND);
    RecordBatch::try_from_iter([
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter_values(times)) as ArrayRef),
        ("key", Arc::new(Int64Array::from(keys.to_vec()))),
        ("value", Arc::new(Int64Array::from(values.to_vec()))),
    ])
    .unwrap()
}

fn row(i: i64) -> (i64, i64, i64) {
    (i / 3 - (i * 7919) % 5, (i * i * 31) % 41, i % 97)
}

fn many(batch_rows: i64) -> Vec<RecordBatch> {
    let all: Vec<_> = (0..3000).map(row).collect();
    all.chunks(batch_rows as usize)
        .map(|part| {
            let times: Vec<i64> = part.iter().map(|r| r.0).collect();
            let keys: Vec<i64> = part.iter().map(|r| r.1).collect();
            let values: Vec<i64> = part.iter().map(|r| r.2).collect();
            rows(&times, &keys, &values)
        })
        .collect()
}

fn run(window: Window, batch_rows: i64, shards: usize) -> RecordBatch {
    let sink = MemorySink::new();
    let batches = sink.batches();
    let summary = Pipeline::rows(rows(&[], &[], &[]).schema())
        .event_time("ts", Watermark::bounded(seconds(2)))
        .key_by(["key"])
        .window(window, [count(), sum("value"), max("value"), mean("value")])
        .write_to(sink)
        .run_rows(many(batch_rows).into_iter().map(Ok), Options::default().shards(shards))
        .unwrap();
    assert!(summary.rows_late > 0 && summary.rows_set_aside == summary.rows_late);
    assert_eq!(summary.rows_in, 3000);
    let batches = batches.lock().unwrap();
    arrow::compute::concat_batches(&batches[0].schema(), batches.iter()).unwrap()
}

type Windows = BTreeMap<(i64, i64, i64), (i64, i64, i64)>;

/// (end, start, key) → (count, sum, max), from all rows that are not late.
fn definition(size: i64, slide: i64) -> Windows {
    let mut windows = Windows::new();
    let mut largest = i64::MIN;
    for (time, key, value) in (0..3000).map(row) {
        let late = largest != i64::MIN && time < largest - 2;
        largest = largest.max(time);
        if late {
            continue;
        }
        let mut start = time.div_euclid(slide) * slide;
        while start > time - size {
            let cell = windows.entry((start + size, start, key)).or_insert((0, 0, i64::MIN));
            *cell = (cell.0 + 1, cell.1 + value, cell.2.max(value));
            start -= slide;
        }
    }
    windows
}

fn found(rows: &RecordBatch) -> Windows {
    let time = |name: &str, i: usize| {
        rows[name].as_primitive::<TimestampMicrosecondType>().value(i) / SECOND
    };
    let int = |name: &str, i: usize| rows[name].as_primitive::<Int64Type>().value(i);
    let mut windows = Windows::new();
    let mut before = (i64::MIN, i64::MIN);
    for i in 0..rows.num_rows() {
        let (end, start) = (time("window_end", i), time("window_start", i));
        assert!((end, start) >= before, "windows come in the order of their ends");
        before = (end, start);
        let cell = (int("count", i), int("sum_value", i), int("max_value", i));
        assert_eq!(
            rows["mean_value"].as_primitive::<Float64Type>().value(i),
            cell.1 as f64 / cell.0 as f64
        );
        assert!(windows.insert((end, start, int("key", i)), cell).is_none(), "a window twice");
    }
    windows
}

#[test]
fn windows_equal_their_definition_however_they_are_computed() {
    let kinds = [
        (tumble(seconds(60)), 60, 60),
        (hop(seconds(60), seconds(20)), 60, 20),
        (hop(seconds(50), seconds(20)), 50, 20),
    ];
    for (window, size, slide) in kinds {
        let one = run(window.clone(), 100, 1);
        assert_eq!(found(&one), definition(size, slide), "{window:?}");
        for (batch_rows, shards) in [(1, 1), (7, 1), (3000, 1), (100, 2), (7, 3)] {
            assert_eq!(
                run(window.clone(), batch_rows, shards),
                one,
                "{window:?} {batch_rows} {shards}"
            );
        }
    }
}

#[test]
fn every_kind_of_window_gives_the_same_rows_however_it_is_computed() {
    let kinds = [
        cumulate(seconds(60), seconds(20)),
        session(seconds(3)),
        session_up_to(seconds(3), seconds(10)),
        every_rows(7),
        last_rows(10, 4),
        while_true(col("value").gt(20)),
        all_rows(),
    ];
    for window in kinds {
        let one = run(window.clone(), 100, 1);
        let counts = one["count"].as_primitive::<Int64Type>();
        assert!(counts.iter().flatten().all(|count| count > 0), "{window:?}");
        for (batch_rows, shards) in [(1, 1), (7, 1), (3000, 1), (100, 2), (7, 3)] {
            let other = run(window.clone(), batch_rows, shards);
            assert_eq!(other, one, "{window:?} {batch_rows} {shards}");
        }
        // What holds each row once holds all rows that are not late.
        if matches!(format!("{window:?}"), w if w.contains("Session") || w.contains("Global")) {
            let rows: usize = definition(1, 1).values().map(|(count, ..)| *count as usize).sum();
            assert_eq!(counts.iter().flatten().sum::<i64>() as usize, rows, "{window:?}");
        }
    }
}

#[test]
fn aggregates_of_ones_own_filters_and_distinct_values() {
    let sink = MemorySink::new();
    let batches = sink.batches();
    Pipeline::rows(rows(&[], &[], &[]).schema())
        .event_time("ts", Watermark::bounded(seconds(2)))
        .key_by(["key"])
        .window(
            hop(seconds(20), seconds(10)),
            [
                count().filter(col("value").gt(1)).named("above_one"),
                sum("value").distinct(),
                aggregate_by("product", Product, ["value"]),
            ],
        )
        .write_to(sink)
        .run_rows(
            [Ok(rows(&[1, 2, 3, 12], &[7, 7, 7, 7], &[1, 3, 3, 5]))].into_iter(),
            Options::default().shards(1),
        )
        .unwrap();
    let batches = batches.lock().unwrap();
    let all = arrow::compute::concat_batches(&batches[0].schema(), batches.iter()).unwrap();
    let int = |name: &str| all[name].as_primitive::<Int64Type>().values().to_vec();
    // Windows from −10, from 0 and from 10.
    assert_eq!(int("above_one"), [2, 3, 1]);
    assert_eq!(int("sum_distinct_value"), [4, 9, 5]);
    assert_eq!(int("product_value"), [9, 45, 5]);
}

/// Product of integers; an overflow is an error that names the aggregate.
#[derive(Debug)]
struct Product;

impl AggregateFunction for Product {
    type State = i64;

    fn output_type(&self, _: &[DataType]) -> pelton::Result<DataType> {
        Ok(DataType::Int64)
    }

    fn empty(&self) -> i64 {
        1
    }

    fn lift(&self, row: &Row<'_>) -> pelton::Result<i64> {
        match row.values[0] {
            ValueRef::Int(value) => Ok(value),
            other => Err(pelton::Error::run(format!("{other:?} is no integer"))),
        }
    }

    fn combine(&self, state: &mut i64, later: &i64) -> pelton::Result<()> {
        let product = state.checked_mul(*later);
        *state = product.ok_or_else(|| pelton::Error::run("the product overflows 64 bits"))?;
        Ok(())
    }

    fn lower(&self, state: &i64) -> pelton::Result<Option<Value>> {
        Ok(Some(Value::Int(*state)))
    }
}

#[test]
fn an_overflow_in_an_aggregate_of_ones_own_names_it() {
    let error = Pipeline::rows(rows(&[], &[], &[]).schema())
        .event_time("ts", Watermark::bounded(seconds(2)))
        .window(all_rows(), [aggregate_by("product", Product, ["value"])])
        .write_to(MemorySink::new())
        .run_rows(
            [Ok(rows(&[1, 2], &[7, 7], &[i64::MAX, 2]))].into_iter(),
            Options::default().shards(1),
        )
        .unwrap_err()
        .to_string();
    assert!(error.contains("\"product_value\": the product overflows"), "{error}");
}

#[test]
fn a_silent_partition_holds_windows_back_until_it_is_idle() {
    let clock = VirtualClock::default();
    let mut options = Options::default().shards(1);
    options.clock = Some(Arc::new(clock.clone()));
    let mut live = Pipeline::rows(rows(&[], &[], &[]).schema())
        .event_time("ts", Watermark::bounded(seconds(0)).idle_after(seconds(30)))
        .key_by(["key"])
        .window(tumble(seconds(10)), [count()])
        .open_partitions(2, options)
        .unwrap();
    let windows = |live: &mut pelton::pipeline::Live| {
        let mut n = 0;
        while let Some(batch) = live.poll().unwrap() {
            n += batch.len();
        }
        n
    };
    live.push_to(0, rows(&[1, 25], &[1, 1], &[0, 0])).unwrap();
    live.push_to(1, rows(&[2], &[1], &[0])).unwrap();
    assert_eq!(windows(&mut live), 0, "partition 1 stands at 2 s");
    clock.advance(Duration::from_secs(31));
    live.push_to(0, rows(&[26], &[1], &[0])).unwrap();
    live.tick().unwrap();
    assert_eq!(windows(&mut live), 1, "partition 1 is idle: [0, 10) closes");
    let (rest, summary) = live.close().unwrap();
    assert_eq!(rest.iter().map(|batch| batch.len()).sum::<usize>(), 1);
    assert_eq!(summary.rows_in, 4);
}

#[test]
fn late_rows_are_written_and_balance_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let late = folder.path().join("late.ndjson");
    let summary = Pipeline::rows(rows(&[], &[], &[]).schema())
        .event_time("ts", Watermark::bounded(seconds(2)))
        .key_by(["key"])
        .window(tumble(seconds(10)), [count()])
        .late(NdJson::file(late.to_string_lossy()))
        .run_rows([Ok(rows(&[0, 100, 3, 98], &[1; 4], &[7; 4]))].into_iter(), Options::default())
        .unwrap();
    assert_eq!((summary.rows_in, summary.rows_used, summary.rows_set_aside), (4, 3, 1));
    let written = std::fs::read_to_string(&late).unwrap();
    assert_eq!(written.lines().count(), 1);
    assert!(written.contains("3000000"), "{written}");
}
