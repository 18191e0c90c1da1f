//! Windows that run the filter and the lookup in front of them themselves give what the same steps
//! give one after the other: with one shard they do, with two they do not.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    UInt32Array,
};
use arrow::compute::concat_batches;
use pelton::expr::col;
use pelton::pipeline::{
    Lookup, Options, Pipeline, Watermark, Window, count, hop, max, sum, tumble,
};
use pelton::sink::MemorySink;
use pelton::time::seconds;
use proptest::prelude::*;

/// Milliseconds, kind, ad, price.
type Row = (i64, Option<i64>, Option<u32>, f64);

fn batch(rows: &[Row]) -> RecordBatch {
    let times = TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.0));
    let kinds: Int64Array = rows.iter().map(|row| row.1).collect();
    let ads: UInt32Array = rows.iter().map(|row| row.2).collect();
    let prices = Float64Array::from_iter_values(rows.iter().map(|row| row.3));
    RecordBatch::try_from_iter_with_nullable([
        ("ts", Arc::new(times) as ArrayRef, false),
        ("kind", Arc::new(kinds), true),
        ("ad", Arc::new(ads), true),
        ("price", Arc::new(prices), false),
    ])
    .unwrap()
}

/// Ads 0 to 19: two of each campaign, some without one; a size that several campaigns share.
fn ads() -> RecordBatch {
    let ads = UInt32Array::from_iter_values((0..20).rev());
    let campaigns = (0..20).rev().map(|ad| (ad % 5 != 4).then(|| format!("campaign {}", ad / 2)));
    let campaigns: StringArray = campaigns.collect();
    let sizes = Int64Array::from_iter_values((0..20).rev().map(|ad| ad % 3));
    RecordBatch::try_from_iter_with_nullable([
        ("ad", Arc::new(ads) as ArrayRef, false),
        ("campaign", Arc::new(campaigns), true),
        ("size", Arc::new(sizes), false),
    ])
    .unwrap()
}

/// Which steps stand before the window, and what it is keyed by.
#[derive(Debug, Clone)]
struct Shape {
    /// Kinds from this on are kept.
    filter: Option<i64>,
    /// Ads that the table knows; `None`: no lookup.
    table: Option<usize>,
    keys: Vec<&'static str>,
    hops: bool,
    /// Whether rows are only counted, which is a loop of its own.
    counts: bool,
    batch_rows: usize,
}

fn pipeline(shape: &Shape) -> Pipeline {
    let mut pipeline = Pipeline::rows(batch(&[]).schema())
        .event_time("ts", Watermark::bounded(seconds(1)).implausible_after(None));
    if let Some(least) = shape.filter {
        pipeline = pipeline.filter(col("kind").ge(least));
    }
    if let Some(rows) = shape.table {
        pipeline = pipeline.lookup(Lookup::rows(ads().slice(0, rows)).on("ad"));
    }
    let window: Window = if shape.hops { hop(seconds(3), seconds(2)) } else { tumble(seconds(2)) };
    let all = vec![count(), sum("kind"), max("price")];
    let aggregates = if shape.counts { vec![count()] } else { all };
    pipeline.key_by(shape.keys.iter().copied()).window(window, aggregates)
}

/// The windows as one batch, and the rows that were used, filtered and late.
fn run(shape: &Shape, rows: &[Row], shards: usize) -> (RecordBatch, [u64; 3]) {
    let sink = MemorySink::new();
    let given = sink.batches();
    let summary = pipeline(shape)
        .write_to(sink)
        .run_rows(
            rows.chunks(shape.batch_rows).map(|rows| Ok(batch(rows))),
            Options::default().shards(shards),
        )
        .unwrap();
    let given = given.lock().unwrap();
    let schema = pipeline(shape).schema().unwrap();
    let windows = concat_batches(&schema, given.iter()).unwrap();
    (windows, [summary.rows_used, summary.rows_filtered, summary.rows_set_aside])
}

fn shape() -> impl Strategy<Value = Shape> {
    let keys = prop_oneof![
        Just(vec!["campaign"]),
        Just(vec!["size", "campaign"]),
        Just(vec!["ad"]),
        Just(vec!["kind"]),
        Just(vec!["ad", "campaign"]),
    ];
    let filter = prop::option::of(0..12i64);
    let table = prop::option::of(prop_oneof![Just(0), Just(13), Just(20)]);
    let batch_rows = prop_oneof![1..200usize, 256..2000usize];
    (filter, table, keys, any::<bool>(), any::<bool>(), batch_rows)
        .prop_map(|(filter, table, keys, hops, counts, batch_rows)| {
            let of_table = keys.iter().any(|key| ["campaign", "size"].contains(key));
            // Without a table there are no columns of it.
            let table = if of_table { table.or(Some(20)) } else { table };
            Shape { filter, table, keys, hops, counts, batch_rows }
        })
        .prop_filter("a filter or a lookup", |shape| shape.filter.or(Some(0)).is_some())
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    // Where no ad is null, their codes alone say which key a row has.
    (any::<bool>(), prop_oneof![0..400usize, 1000..3000usize])
        .prop_flat_map(|(known, rows)| rows_of(known, rows))
}

fn rows_of(all_known: bool, len: usize) -> impl Strategy<Value = Vec<Row>> {
    let row = (
        0..40i64,
        prop::option::weighted(0.9, 0..10i64),
        prop::option::weighted(0.9, 0..25u32),
        prop_oneof![Just(f64::NAN), Just(-0.0), -5.0..5.0f64],
    );
    (prop::collection::vec(row, len), any::<bool>()).prop_map(move |(rows, sorted)| {
        let mut now = 0;
        let mut rows: Vec<Row> = rows
            .into_iter()
            .enumerate()
            .map(|(i, (step, kind, ad, price))| {
                now += step;
                // Ads come one after the other.
                let ad = if all_known { ad.or(Some(3)) } else { ad };
                let ad = ad.map(|ad| ad.min(i as u32 / 40));
                // Some are out of order, some late.
                let back = if sorted { 0 } else { step * step % 1900 };
                (now - back, kind, ad, price)
            })
            .collect();
        if sorted {
            rows.sort_by_key(|row| row.0);
        }
        rows
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn one_shard_gives_what_two_do(shape in shape(), rows in rows()) {
        let (one, counts) = run(&shape, &rows, 1);
        let (two, expected) = run(&shape, &rows, 2);
        prop_assert_eq!(counts, expected);
        prop_assert_eq!(one, two);
    }
}
