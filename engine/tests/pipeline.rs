//! Pipelines through the public API: built, run to the end, opened and fed by hand, on one
//! shard and on several.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef, TimeUnit};
use pelton::ErrorKind;
use pelton::expr::col;
use pelton::pipeline::{
    Csv, Live, NdJson, Options, Pace, Pipeline, Watermark, count, distinct, last, mean, own_mean,
    since_previous, sum,
};
use pelton::sink::MemorySink;
use pelton::time::{minutes, seconds};

fn rows(times_s: &[i64], keys: &[i64], values: &[f64]) -> RecordBatch {
    let times = times_s.iter().map(|t| t * 1_000_000);
    RecordBatch::try_from_iter([
        (
            "ts",
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
                as ArrayRef,
        ),
        ("key", Arc::new(Int64Array::from(keys.to_vec()))),
        ("value", Arc::new(Float64Array::from(values.to_vec()))),
    ])
    .unwrap()
}

/// A few thousand rows of a few hundred keys, out of order by up to 3 s.
fn many() -> Vec<RecordBatch> {
    (0..40)
        .map(|batch: i64| {
            let row = |i: i64| batch * 100 + i;
            let times: Vec<i64> = (0..100).map(|i| row(i) - (row(i) * 7919) % 4).collect();
            let keys: Vec<i64> = (0..100).map(|i| (row(i) * row(i) * 31) % 173).collect();
            let values: Vec<f64> = (0..100).map(|i| (row(i) % 97) as f64 * 0.1).collect();
            rows(&times, &keys, &values)
        })
        .collect()
}

fn schema() -> SchemaRef {
    rows(&[], &[], &[]).schema()
}

fn windows(pipeline: Pipeline) -> Pipeline {
    pipeline
        .event_time("ts", Watermark::bounded(seconds(2)))
        .key_by(["key"])
        .over([last(seconds(60)), last(minutes(10)).ended(minutes(5))], [count(), sum("value")])
        .with(since_previous())
        .key_by(["value"])
        .over([last(minutes(20))], [count(), distinct("key")])
        .column("ratio", col("key_sum_value_1m") / col("value_count_20m"))
        .filter(col("key_count_1m").gt(1))
}

fn collect(pipeline: Pipeline, options: Options) -> (RecordBatch, pelton::pipeline::Summary) {
    let sink = MemorySink::new();
    let batches = sink.batches();
    let summary = pipeline.write_to(sink).run_rows(many().into_iter().map(Ok), options).unwrap();
    let batches = batches.lock().unwrap();
    let all = arrow::compute::concat_batches(&batches[0].schema(), batches.iter()).unwrap();
    (all, summary)
}

#[test]
fn shards_change_nothing_but_the_speed() {
    let (one, summary) = collect(windows(Pipeline::rows(schema())), Options::default().shards(1));
    assert_eq!(summary.rows_in, 4000);
    assert_eq!(summary.rows_used, 4000);
    assert_eq!(summary.rows_out as usize, one.num_rows());
    assert!(
        one.num_rows() > 50 && summary.rows_late > 0,
        "{} {}",
        one.num_rows(),
        summary.rows_late
    );
    assert_eq!(summary.latency_ns.len(), 4000);
    for shards in [2, 3, 7] {
        let options = Options::default().shards(shards);
        let (other, summary) = collect(windows(Pipeline::rows(schema())), options);
        assert_eq!(one, other, "{shards} shards");
        assert_eq!(summary.shards, shards);
        assert!(summary.state.keys > 0 && summary.state.log_rows > 0);
    }
}

#[test]
fn live_gives_what_a_run_gives() {
    let (all, _) = collect(windows(Pipeline::rows(schema())), Options::default().shards(1));
    for shards in [1, 2] {
        let live = windows(Pipeline::rows(schema())).open(Options::default().shards(shards));
        let mut live = live.unwrap();
        let mut results = Vec::new();
        for batch in many() {
            for row in 0..batch.num_rows() {
                live.push(batch.slice(row, 1)).unwrap();
                while let Some(result) = live.poll().unwrap() {
                    results.push(result.rows);
                }
            }
        }
        let (rest, summary) = live.close().unwrap();
        results.extend(rest.into_iter().map(|batch| batch.rows));
        // One result a push, in order, most of them empty.
        assert_eq!(results.len(), 4000);
        assert_eq!(summary.rows_in, 4000);
        assert_eq!(arrow::compute::concat_batches(&all.schema(), &results).unwrap(), all);
    }
}

#[test]
fn the_decision_leaves_with_the_event_on_one_shard() {
    let mut live: Live =
        windows(Pipeline::rows(schema())).open(Options::default().shards(1)).unwrap();
    live.push(rows(&[0], &[5], &[1.0])).unwrap();
    assert!(live.poll().unwrap().unwrap().is_empty());
    live.push(rows(&[1], &[5], &[2.0])).unwrap();
    let decision = live.poll().unwrap().unwrap();
    let sum = decision.rows["key_sum_value_1m"].as_primitive::<Float64Type>();
    assert_eq!((decision.len(), sum.value(0)), (1, 3.0));
}

#[test]
fn try_push_gives_rows_back_when_the_engine_is_full() {
    let slow = Pipeline::rows(schema())
        .inspect(|_| std::thread::sleep(Duration::from_millis(20)))
        .event_time("ts", Watermark::bounded(seconds(2)));
    let mut live = slow.open(Options::default().shards(2)).unwrap();
    let refused = (0..100).filter(|&i| live.try_push(rows(&[i], &[1], &[1.0])).unwrap().is_some());
    let refused = refused.count() as u64;
    assert!(refused > 0);
    let (_, summary) = live.close().unwrap();
    assert_eq!(summary.rows_in, 100 - refused);
}

#[test]
fn over_windows_may_build_on_each_other() {
    let pipeline = Pipeline::rows(schema())
        .event_time("ts", Watermark::bounded(seconds(2)))
        .key_by(["key"])
        .over([last(seconds(10))], [count()])
        // Of a column that the step before computes: a stage of its own.
        .over([last(seconds(100))], [mean("key_count_10s"), own_mean("key_count_10s")]);
    let sink = MemorySink::new();
    let batches = sink.batches();
    let input = rows(&[0, 1, 2, 50], &[1, 1, 1, 1], &[0.0; 4]);
    pipeline
        .write_to(sink)
        .run_rows([Ok(input)].into_iter(), Options::default().shards(1))
        .unwrap();
    let batches = batches.lock().unwrap();
    let counts = batches[0]["key_count_10s"].as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(counts, [1, 2, 3, 1]);
    let means = batches[0]["key_mean_key_count_10s_100s"].as_primitive::<Float64Type>();
    assert_eq!(means.values(), &[1.0, 1.5, 2.0, 1.75]);
    let own = batches[0]["key_own_mean_key_count_10s_100s"].as_primitive::<Float64Type>();
    assert!(own.is_null(0));
    assert_eq!(own.value(3), 2.0);
}

#[test]
fn mistakes_in_the_plan_are_usage_errors_that_name_what_there_is() {
    let no_column = Pipeline::rows(schema())
        .event_time("ts", Watermark::bounded(seconds(2)))
        .key_by(["cart"])
        .over([last(seconds(1))], [count()]);
    let error = no_column.schema().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("cart") && error.to_string().contains("key"), "{error}");

    let no_time = Pipeline::rows(schema()).key_by(["key"]).over([last(seconds(1))], [count()]);
    assert!(no_time.schema().unwrap_err().to_string().contains("event_time"));

    let not_a_time = Pipeline::rows(schema())
        .event_time("value", Watermark::bounded(seconds(2)))
        .key_by(["key"])
        .over([last(seconds(1))], [count()]);
    assert!(not_a_time.schema().unwrap_err().to_string().contains("timestamp"));

    let error = Pipeline::rows(schema()).run(Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn a_failing_step_ends_the_run_on_any_number_of_shards() {
    for shards in [1, 3] {
        let huge = RecordBatch::try_from_iter([
            (
                "ts",
                Arc::new(TimestampMicrosecondArray::from(vec![0, 1]).with_timezone("UTC"))
                    as ArrayRef,
            ),
            ("key", Arc::new(Int64Array::from(vec![1, 1]))),
            ("value", Arc::new(Int64Array::from(vec![i64::MAX, i64::MAX]))),
        ])
        .unwrap();
        let pipeline = Pipeline::rows(huge.schema())
            .event_time("ts", Watermark::bounded(seconds(2)))
            .key_by(["key"])
            .over([last(seconds(1))], [sum("value")]);
        let error = pipeline
            .run_rows([Ok(huge)].into_iter(), Options::default().shards(shards))
            .unwrap_err();
        assert!(error.to_string().contains("key_sum_value_1s"), "{error}");
    }
}

#[test]
fn files_in_files_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("a.csv"), "ts,key,value\n1,1,2.5\n2,1,3.5\nx,1,1\n").unwrap();
    std::fs::write(path("b.csv"), "ts,key,value\n3,1,4.5\n").unwrap();
    let file = |name: &str| {
        Csv::file(path(name))
            .column("ts", DataType::Timestamp(TimeUnit::Second, Some("UTC".into())))
            .column("key", DataType::Int64)
            .column("value", DataType::Float64)
    };
    let summary = Pipeline::read_all([file("a.csv"), file("b.csv")])
        .event_time("ts", Watermark::bounded(seconds(2)))
        .key_by(["key"])
        .over([last(seconds(60))], [sum("value")])
        .mark_rows()
        .dead_letters(NdJson::file(path("dead.ndjson")))
        .write(NdJson::file(path("out.ndjson")))
        .run(Options::default().shards(1))
        .unwrap();
    assert_eq!((summary.rows_in, summary.rows_used, summary.rows_rejected), (4, 3, 1));
    let out = std::fs::read_to_string(path("out.ndjson")).unwrap();
    let last_line = out.lines().last().unwrap();
    assert!(last_line.contains("\"key_sum_value_1m\":10.5"), "{out}");
    assert!(last_line.contains("\"partition\":1,\"offset\":0"), "{out}");
    assert!(std::fs::read_to_string(path("dead.ndjson")).unwrap().contains("\"line\":4"));
}

#[test]
fn a_paced_run_counts_latency_from_when_rows_were_due() {
    let batch = rows(&[0, 1, 2, 3], &[1, 1, 1, 1], &[0.0; 4]);
    let mut options = Options::default().shards(1);
    options.pace = Pace::EventTime(100.0);
    let pipeline = Pipeline::rows(batch.schema()).event_time("ts", Watermark::bounded(seconds(2)));
    let summary = pipeline.run_rows([Ok(batch)].into_iter(), options).unwrap();
    assert_eq!(summary.latency_ns.len(), 4);
    // 3 s of event time at 100 times the speed.
    assert!(summary.wall >= Duration::from_millis(30));
}
