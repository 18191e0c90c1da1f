//! Lookup joins and filters through the public API: before windows, on one shard and on several,
//! against a definition, with every row accounted for.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use pelton::expr::col;
use pelton::pipeline::*;
use pelton::sink::MemorySink;
use pelton::time::seconds;

/// Time, ad, amount: some late, some of ads that no table has.
fn rows() -> Vec<(i64, i64, i64)> {
    (0..4000).map(|i| (i / 4 - (i * 7919) % 9, (i * i * 31) % 53, i % 97)).collect()
}

fn batch(rows: &[(i64, i64, i64)]) -> RecordBatch {
    let column = |get: fn(&(i64, i64, i64)) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(get)))
    };
    RecordBatch::try_from_iter([
        ("ts", column(|r| r.0)),
        ("ad", column(|r| r.1)),
        ("amount", column(|r| r.2)),
    ])
    .unwrap()
}

fn ads() -> RecordBatch {
    let ids = Int64Array::from_iter_values((0..50).rev());
    let campaigns = StringArray::from_iter(
        (0..50).rev().map(|ad| (ad % 10 != 9).then(|| format!("campaign {}", ad % 7))),
    );
    RecordBatch::try_from_iter([
        ("id", Arc::new(ids) as ArrayRef),
        ("campaign", Arc::new(campaigns)),
        ("weight", Arc::new(Int64Array::from_iter_values((0..50).rev().map(|ad| ad % 3)))),
    ])
    .unwrap()
}

type Windows = Vec<(i64, Option<String>, i64, i64)>;

/// Windows of 10 s by campaign: count, sum of weights. Also the rows late and filtered.
fn definition(inner: bool) -> (Windows, u64, u64) {
    let (mut late, mut filtered) = (0, 0);
    let mut largest = i64::MIN;
    let mut seen: BTreeMap<Option<String>, usize> = BTreeMap::new();
    let mut windows: BTreeMap<(i64, usize), (Option<String>, i64, i64)> = BTreeMap::new();
    for (row, (time, ad, amount)) in rows().into_iter().enumerate() {
        let is_late = largest != i64::MIN && time < largest - 5;
        largest = largest.max(time);
        if is_late {
            late += 1;
            continue;
        }
        if amount % 97 <= 30 || (inner && ad >= 50) {
            filtered += 1;
            continue;
        }
        let campaign = (ad < 50 && ad % 10 != 9).then(|| format!("campaign {}", ad % 7));
        let weight = if ad < 50 { ad % 3 } else { 0 };
        let first = *seen.entry(campaign.clone()).or_insert(row);
        let cell = windows.entry((time.div_euclid(10) * 10, first)).or_insert((campaign, 0, 0));
        cell.1 += 1;
        cell.2 += weight;
    }
    let windows = windows.into_iter().map(|((start, _), (c, n, w))| (start, c, n, w)).collect();
    (windows, late, filtered)
}

fn run(inner: bool, batch_rows: usize, shards: usize) -> (Windows, Summary) {
    let sink = MemorySink::new();
    let batches = sink.batches();
    let lookup = Lookup::rows(ads()).on_columns("ad", "id");
    let summary = Pipeline::rows(batch(&[]).schema())
        .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(5)))
        .filter(col("amount").gt(30))
        .lookup(if inner { lookup.inner() } else { lookup })
        .key_by(["campaign"])
        .window(tumble(seconds(10)), [count(), sum("weight")])
        .write_to(sink)
        .run_rows(
            rows().chunks(batch_rows).map(|r| Ok(batch(r))),
            Options::default().shards(shards),
        )
        .unwrap();
    let mut windows = Windows::new();
    for rows in batches.lock().unwrap().iter() {
        assert_eq!(rows["campaign"].data_type(), &DataType::Utf8);
        let campaigns = cast(&rows["campaign"], &DataType::Utf8).unwrap();
        for row in 0..rows.num_rows() {
            let int = |name: &str| {
                let column = rows[name].as_primitive::<Int64Type>();
                column.iter().nth(row).flatten().unwrap_or(0)
            };
            let campaign = campaigns.as_string::<i32>().iter().nth(row).flatten();
            windows.push((
                int("window_start"),
                campaign.map(str::to_owned),
                int("count"),
                int("sum_weight"),
            ));
        }
    }
    (windows, summary)
}

#[test]
fn windows_by_a_column_of_the_table_equal_their_definition() {
    for inner in [false, true] {
        let (windows, late, filtered) = definition(inner);
        assert!(late > 0 && filtered > 0 && windows.len() > 100);
        for (batch_rows, shards) in [(1, 1), (100, 1), (4000, 1), (100, 2), (7, 3)] {
            let (got, summary) = run(inner, batch_rows, shards);
            assert_eq!(got, windows, "{inner} {batch_rows} {shards}");
            assert_eq!((summary.rows_set_aside, summary.rows_filtered), (late, filtered));
            assert_eq!(summary.rows_used, 4000 - late - filtered);
        }
    }
}

/// Windows by ad and what the table knows of it; `before`: a step that looks at everything keeps
/// the lookup before the window.
fn by_ad(before: bool, window: &Window) -> Pipeline {
    let lookup = Lookup::rows(ads()).on_columns("ad", "id").prefix("ad_");
    let regions = Lookup::rows(regions()).on_columns("ad_campaign", "campaign");
    let mut pipeline = Pipeline::rows(batch(&[]).schema())
        .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(5)))
        .lookup(lookup)
        .filter(col("amount").gt(30))
        .lookup(regions)
        .column("twice", col("amount") * col("amount"));
    if before {
        pipeline = pipeline.inspect(|_| {});
    }
    pipeline
        .key_by(["ad_campaign", "region", "ad", "ad_weight"])
        .window(window.clone(), [count(), sum("twice"), list("amount")])
}

fn regions() -> RecordBatch {
    let campaigns = StringArray::from_iter_values((0..5).map(|i| format!("campaign {i}")));
    RecordBatch::try_from_iter([
        ("campaign", Arc::new(campaigns) as ArrayRef),
        ("region", Arc::new(StringArray::from(vec!["north", "south", "north", "east", "west"]))),
    ])
    .unwrap()
}

#[test]
fn a_lookup_behind_the_window_gives_the_same_rows() {
    let run = |pipeline: Pipeline, batch_rows: usize, shards: usize| {
        let sink = MemorySink::new();
        let batches = sink.batches();
        let summary = pipeline
            .write_to(sink)
            .run_rows(
                rows().chunks(batch_rows).map(|r| Ok(batch(r))),
                Options::default().shards(shards),
            )
            .unwrap();
        let batches = batches.lock().unwrap();
        let rows = arrow::compute::concat_batches(&batches[0].schema(), batches.iter()).unwrap();
        (rows, summary.rows_filtered, summary.rows_set_aside)
    };
    for window in [
        tumble(seconds(10)),
        hop(seconds(20), seconds(5)).allow_late(seconds(4), true),
        session(seconds(2)),
        last_rows(7, 3),
        all_rows(),
    ] {
        let plan = by_ad(false, &window).explain_plan().unwrap();
        assert!(plan.contains("of windows, not of rows"), "{plan}");
        let lines: Vec<&str> = plan.lines().collect();
        let at = |what: &str| lines.iter().position(|line| line.contains(what)).expect(what);
        assert!(at("window ") < at("lookup by ad ") && at("lookup by ad ") < at("ad_campaign in"));
        assert!(lines[at("window ")].ends_with("by ad"), "{plan}");
        let untouched = by_ad(true, &window).explain_plan().unwrap();
        assert!(!untouched.contains("of windows, not of rows"), "{untouched}");
        let before = run(by_ad(true, &window), 4000, 1);
        assert!(before.0.num_rows() > 20 && before.1 > 0);
        for (batch_rows, shards) in [(4000, 1), (50, 1), (50, 3)] {
            let behind = run(by_ad(false, &window), batch_rows, shards);
            assert_eq!(behind, before, "{batch_rows} rows, {shards} shards");
        }
    }
}

#[test]
fn a_lookup_that_decides_on_rows_stays_before_the_window() {
    let stays = |plan: Pipeline| {
        let plan = plan.explain_plan().unwrap();
        assert!(!plan.contains("of windows, not of rows"), "{plan}");
    };
    let lookup = || Lookup::rows(ads()).on_columns("ad", "id");
    let start = || {
        Pipeline::rows(batch(&[]).schema()).event_time_in(
            "ts",
            TimeUnit::Second,
            Watermark::bounded(seconds(5)),
        )
    };
    let keys = ["ad", "campaign"];
    // Rows without a match are taken out; the key is not among the keys; another step or an
    // aggregate reads what was looked up, or the key becomes another.
    stays(start().lookup(lookup().inner()).key_by(keys).window(all_rows(), [count()]));
    stays(start().lookup(lookup()).key_by(["campaign"]).window(all_rows(), [count()]));
    stays(start().lookup(lookup()).key_by(keys).window(all_rows(), [sum("weight")]));
    let filtered = start().lookup(lookup()).filter(col("weight").gt(1)).key_by(keys);
    stays(filtered.window(all_rows(), [count()]));
    let other = start().lookup(lookup()).column("ad", col("ad") + col("ad")).key_by(keys);
    stays(other.window(all_rows(), [count()]));
    let state = start().lookup(lookup()).key_by(keys);
    stays(state.window(while_true(col("weight").gt(1)), [count()]));
}

#[test]
fn a_lookup_alone_gives_rows_their_columns_and_the_plan_says_how() {
    let sink = MemorySink::new();
    let batches = sink.batches();
    let pipeline = || {
        Pipeline::rows(batch(&[]).schema())
            .lookup(Lookup::rows(ads()).on_columns("ad", "id").columns(["campaign"]).prefix("ad_"))
    };
    let plan = pipeline().explain_plan().unwrap();
    assert!(
        plan.contains(
            "by ad in the table in memory: 50 rows, an array of 50 keys; adds ad_campaign"
        ),
        "{plan}"
    );
    let rows = batch(&[(1, 3, 5), (2, 70, 5)]);
    pipeline()
        .write_to(sink)
        .run_rows([Ok(rows)].into_iter(), Options::default().shards(1))
        .unwrap();
    let batches = batches.lock().unwrap();
    let campaigns = cast(&batches[0]["ad_campaign"], &DataType::Utf8).unwrap();
    let campaigns: Vec<Option<&str>> = campaigns.as_string::<i32>().iter().collect();
    assert_eq!(campaigns, [Some("campaign 3"), None]);
    assert_eq!(batches[0].num_columns(), 4);
}

#[test]
fn mistakes_are_named() {
    let error = |lookup: Lookup| {
        let pipeline = Pipeline::rows(batch(&[]).schema()).lookup(lookup);
        pipeline.schema().unwrap_err().to_string()
    };
    let text = error(Lookup::rows(ads()).on("ad"));
    assert!(text.contains("no column `ad`"), "{text}");
    let text = error(Lookup::rows(ads()));
    assert!(text.contains("nothing says by which column"), "{text}");
    let text = error(Lookup::rows(ads()).on_columns("ad", "weight"));
    assert!(text.contains("weight = 1 stands there twice, in row 1 and row 4"), "{text}");
    let text = error(Lookup::rows(ads()).on_columns("ad", "id").columns(["place"]));
    assert!(text.contains("no column \"place\"") && text.contains("campaign, weight"), "{text}");
    let text = error(Lookup::file(Csv::file("no-such-table.csv")).on("ad"));
    assert!(text.contains("no-such-table.csv"), "{text}");
}

#[test]
fn a_lookup_behind_the_window_finds_what_the_rows_would_have() {
    use arrow::array::{DictionaryArray, Float64Array, Int32Array, types::Int32Type};
    let floats =
        [Some(0.0), Some(-0.0), Some(f64::NAN), Some(-f64::NAN), Some(2.5), None, Some(9.0)];
    let texts = StringArray::from(vec![Some("a"), Some("b"), None, Some("unknown")]);
    let rows = |count: i64| {
        let number = |i: i64| (i * i * 31 % 29) as usize;
        let codes: Int32Array =
            (0..count).map(|i| Some(number(i) as i32 % 5).filter(|code| *code < 4)).collect();
        let texts: ArrayRef = Arc::new(
            DictionaryArray::<Int32Type>::try_new(codes, Arc::new(texts.clone())).unwrap(),
        );
        let floats: Float64Array = (0..count).map(|i| floats[number(i) % floats.len()]).collect();
        RecordBatch::try_from_iter_with_nullable([
            ("ts", Arc::new(Int64Array::from_iter_values(0..count)) as ArrayRef, false),
            ("text", texts, true),
            ("float", Arc::new(floats), true),
        ])
        .unwrap()
    };
    let by_text = RecordBatch::try_from_iter([
        ("text", Arc::new(StringArray::from(vec!["b", "a", "c"])) as ArrayRef),
        ("name", Arc::new(StringArray::from(vec![Some("B"), None, Some("C")]))),
        ("size", Arc::new(Int64Array::from(vec![Some(1), Some(2), None]))),
    ])
    .unwrap();
    let by_float = RecordBatch::try_from_iter([
        ("float", Arc::new(Float64Array::from(vec![-0.0, f64::NAN, 2.5])) as ArrayRef),
        ("kind", Arc::new(StringArray::from(vec!["zero", "none", "half"]))),
    ])
    .unwrap();
    let plan = |before: bool| {
        let mut pipeline = Pipeline::rows(rows(0).schema())
            .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(5)))
            .lookup(Lookup::rows(by_text.clone()).on("text"))
            .lookup(Lookup::rows(by_float.clone()).on("float"));
        if before {
            pipeline = pipeline.inspect(|_| {});
        }
        pipeline
            .key_by(["name", "text", "kind", "float", "size"])
            .window(tumble(seconds(60)), [count(), max("ts").named("latest")])
    };
    let run = |plan: Pipeline| {
        let sink = MemorySink::new();
        let batches = sink.batches();
        let rows = [Ok(rows(150)), Ok(rows(0))];
        plan.write_to(sink).run_rows(rows.into_iter(), Options::default().shards(1)).unwrap();
        let batches = batches.lock().unwrap();
        arrow::compute::concat_batches(&batches[0].schema(), batches.iter()).unwrap()
    };
    let explained = plan(false).explain_plan().unwrap();
    assert_eq!(explained.matches("of windows, not of rows").count(), 2, "{explained}");
    let (behind, before) = (run(plan(false)), run(plan(true)));
    assert!(behind.num_rows() > 20 && behind["name"].null_count() > 0);
    assert_eq!(behind.schema(), before.schema());
    assert_eq!(behind, before);
}
