//! How fast detectors and alerts run in a pipeline, on one shard, over columns in memory.
//!
//! `cargo run --release -p pelton --example detect_speed [DETECTOR [ROWS]]`; of a core's own time.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use pelton::pipeline::{Options, Pipeline, Watermark};
use pelton::score::alert::AlertPolicy;
use pelton::sink::BlackholeSink;
use pelton::time::{days, seconds};

const ROWS: u64 = 4_000_000;
const BATCH_ROWS: u64 = 4_096;
const KEYS: u64 = 10_000;

/// A number that looks random (splitmix64).
fn mixed(i: u64) -> u64 {
    let z = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

/// A row each ten milliseconds, in order.
fn batch(first: u64) -> RecordBatch {
    let rows = first..first + BATCH_ROWS;
    let times = rows.clone().map(|i| i as i64 * 10_000);
    let keys = rows.clone().map(|i| (mixed(i) % KEYS) as i64);
    let values = rows.map(|i| (mixed(i ^ 1 << 40) >> 11) as f64 / (1_u64 << 53) as f64);
    let columns: [(&str, ArrayRef); 3] = [
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter_values(times))),
        ("key", Arc::new(Int64Array::from_iter_values(keys))),
        ("value", Arc::new(Float64Array::from_iter_values(values))),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Seconds that this thread has been on a core, so that neighbours don't count; elsewhere than on
/// Linux the time since `start`. With one shard, this thread does everything.
fn core_seconds(start: Instant) -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

fn measure(name: &str, batches: &[RecordBatch], steps: impl Fn(Pipeline) -> Pipeline) {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let pipeline = Pipeline::rows(batches[0].schema())
            .event_time("ts", Watermark::bounded(seconds(2)))
            .key_by(["key"]);
        let pipeline = steps(pipeline);
        let schema = pipeline.schema().expect("a plan that fits");
        let (sink, _) = BlackholeSink::new(&schema);
        let clock = Instant::now();
        let start = core_seconds(clock);
        let rows = batches.iter().cloned().map(Ok);
        pipeline.write_to(sink).run_rows(rows, Options::default().shards(1)).expect("a run");
        best = best.min(core_seconds(clock) - start);
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    println!("{name:<40} {:>8.2} M rows/s", rows as f64 / best / 1e6);
}

fn main() {
    let detector = std::env::args().nth(1).unwrap_or_else(|| "ewma".to_owned());
    let rows = std::env::args().nth(2).and_then(|rows| rows.parse().ok()).unwrap_or(ROWS);
    let batches: Vec<RecordBatch> = (0..rows).step_by(BATCH_ROWS as usize).map(batch).collect();
    println!("{rows} rows, {KEYS} keys, one shard");
    measure("nothing", &batches, |pipeline| pipeline);
    measure("by time", &batches, Pipeline::by_time);
    measure(&format!("{detector} at arrival"), &batches, |pipeline| {
        pipeline.detect("x", ["value"], &detector)
    });
    measure(&format!("{detector} at arrival, flags kept"), &batches, |pipeline| {
        pipeline.detect("x", ["value"], &detector).filter(pelton::expr::col("x_flag"))
    });
    measure(&format!("{detector} by time, alerts, a budget"), &batches, |pipeline| {
        let policy = AlertPolicy::default().budget(100, days(1));
        pipeline.by_time().detect("x", ["value"], &detector).alerts("x", policy)
    });
}
