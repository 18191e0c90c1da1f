//! Detectors and alerts through the public API: against the detectors themselves run over each
//! key's rows by (time, position), for any batch size, on one shard and on several, and live.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Float64Type, UInt64Type};
use pelton::pipeline::*;
use pelton::score::alert::{AlertPolicy, Alerts, Group};
use pelton::score::detect::Feedback;
use pelton::sink::MemorySink;
use pelton::time::{minutes, seconds};
use pelton_scoring::detect::{Memo, Score, by_name};

const SECOND: i64 = 1_000_000;

/// Time, key, two values; null and NaN among them.
type Row = (i64, String, Option<f64>, Option<f64>);

/// A row a second, up to two seconds out of order, two of them later than the delay.
fn row(i: i64, keys: i64) -> Row {
    let time = match i {
        500 | 900 => i - 60,
        _ => i - (i * 7919) % 3,
    };
    let noise = ((i * 2_654_435_761) % 1_000) as f64 / 1_000.0;
    let value = if i % 251 > 246 { 40.0 + i as f64 / 10.0 } else { noise };
    let first = match i % 97 {
        5 => None,
        6 => Some(f64::NAN),
        _ => Some(value),
    };
    (time, format!("m{}", (i * i * 31) % keys), first, (i % 53 != 7).then_some(noise * 2.0))
}

/// Whether somebody found out that the row was an anomaly.
fn fault(row: &Row) -> Option<bool> {
    (row.0 % 7 != 0).then(|| row.2.is_some_and(|x| x >= 40.0) != (row.0 % 11 == 0))
}

fn batch(of: &[Row]) -> RecordBatch {
    let times = of.iter().map(|row| row.0 * SECOND);
    RecordBatch::try_from_iter_with_nullable([
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter_values(times)) as ArrayRef, false),
        ("machine", Arc::new(StringArray::from_iter(of.iter().map(|row| Some(&row.1)))), true),
        ("x", Arc::new(Float64Array::from_iter(of.iter().map(|row| row.2))), true),
        ("y", Arc::new(Float64Array::from_iter(of.iter().map(|row| row.3))), true),
        ("fault", Arc::new(BooleanArray::from_iter(of.iter().map(fault))), true),
    ])
    .unwrap()
}

fn pipeline() -> Pipeline {
    Pipeline::rows(batch(&[]).schema())
        .event_time("ts", Watermark::bounded(seconds(2)))
        .key_by(["machine"])
}

fn run(pipeline: Pipeline, rows: &[Row], batch_rows: usize, shards: usize) -> RecordBatch {
    let sink = MemorySink::new();
    let batches = sink.batches();
    let parts: Vec<RecordBatch> = rows.chunks(batch_rows).map(batch).collect();
    let options = Options::default().shards(shards);
    pipeline.write_to(sink).run_rows(parts.into_iter().map(Ok), options).unwrap();
    let batches = batches.lock().unwrap();
    arrow::compute::concat_batches(&batches[0].schema(), batches.iter()).unwrap()
}

/// Rows that are not late, by (time, position).
fn on_time(rows: &[Row]) -> Vec<Row> {
    let mut largest = i64::MIN;
    let mut kept = Vec::new();
    for row in rows {
        if largest == i64::MIN || row.0 >= largest - 2 {
            kept.push(row.clone());
        }
        largest = largest.max(row.0);
    }
    kept.sort_by_key(|row| row.0);
    kept
}

/// The scores of rows, each from its key's stream (`stream_of` says which), and contributions.
fn naive(
    rows: &[Row],
    method: &str,
    dimensions: usize,
    stream_of: impl Fn(&str) -> String,
) -> Vec<(Score, Vec<f64>)> {
    let mut streams = BTreeMap::new();
    let score = |row: &Row| {
        let make = || by_name(method, dimensions).unwrap();
        let stream = streams.entry(stream_of(&row.1)).or_insert_with(make);
        let values = [row.2.unwrap_or(f64::NAN), row.3.unwrap_or(f64::NAN)];
        let score = stream.push(row.0 * SECOND, &values[..dimensions]);
        let mut parts = Vec::new();
        stream.contributions(&mut parts);
        (score, parts)
    };
    rows.iter().map(score).collect()
}

fn floats(batch: &RecordBatch, name: &str) -> Vec<Option<u64>> {
    let column = batch.column_by_name(name).expect(name).as_primitive::<Float64Type>();
    column.iter().map(|value| value.map(f64::to_bits)).collect()
}

fn bools(batch: &RecordBatch, name: &str) -> Vec<bool> {
    batch.column_by_name(name).expect(name).as_boolean().values().iter().collect()
}

fn compare(got: &RecordBatch, rows: &[Row], expected: &[(Score, Vec<f64>)], dimensions: usize) {
    let is_missing = |row: &Row, score: &Score| {
        let values = [row.2, row.3];
        let any = values[..dimensions].iter().any(|v| v.is_none_or(|v| !v.is_finite()));
        any && *score == Score::MISSING
    };
    let pairs = || rows.iter().zip(expected);
    let scores: Vec<Option<u64>> = pairs()
        .map(|(row, (score, _))| (!is_missing(row, score)).then(|| score.raw.to_bits()))
        .collect();
    assert_eq!(floats(got, "load_score"), scores);
    let tails: Vec<Option<u64>> = pairs()
        .map(|(row, (score, _))| {
            let tail = score.tail();
            (!is_missing(row, score) && !tail.is_nan()).then(|| tail.to_bits())
        })
        .collect();
    assert_eq!(floats(got, "load_probability"), tails);
    let flags: Vec<bool> = expected.iter().map(|(score, _)| score.flag).collect();
    assert_eq!(bools(got, "load_flag"), flags);
    let warming: Vec<bool> = expected.iter().map(|(score, _)| score.warming_up).collect();
    assert_eq!(bools(got, "load_warming_up"), warming);
    for (at, name) in ["load_contribution_x", "load_contribution_y"].iter().enumerate() {
        let Some(column) = got.column_by_name(name) else { continue };
        let parts: Vec<Option<u64>> = pairs()
            .map(|(row, (score, parts))| (!is_missing(row, score)).then(|| parts[at].to_bits()))
            .collect();
        assert_eq!(floats(got, name), parts);
        assert_eq!(column.len(), rows.len());
    }
}

#[test]
fn every_method_batch_size_and_number_of_shards_gives_the_detector_itself() {
    let rows: Vec<Row> = (0..2_000).map(|i| row(i, 7)).collect();
    let kept = on_time(&rows);
    assert!(kept.len() < rows.len());
    for (method, columns) in [
        ("auto", &["x"][..]),
        ("auto", &["x", "y"]),
        ("ewma", &["x"]),
        ("signal", &["x"]),
        ("mahalanobis", &["x", "y"]),
        ("half-space-trees", &["x", "y"]),
    ] {
        let plan = || pipeline().by_time().detect("load", columns.iter().copied(), method);
        let whole = run(plan(), &rows, 2_000, 1);
        assert_eq!(whole.num_rows(), kept.len());
        let expected = naive(&kept, method, columns.len(), str::to_owned);
        compare(&whole, &kept, &expected, columns.len());
        for (batch_rows, shards) in [(1, 1), (7, 3), (300, 2)] {
            assert_eq!(whole, run(plan(), &rows, batch_rows, shards), "{method} {batch_rows}");
        }
    }
}

#[test]
fn at_arrival_rows_are_learned_from_as_they_come() {
    let rows: Vec<Row> = (0..1_000).map(|i| row(i, 5)).collect();
    let plan = || pipeline().detect("load", ["x"], "ewma");
    let whole = run(plan(), &rows, 1_000, 1);
    compare(&whole, &rows, &naive(&rows, "ewma", 1, str::to_owned), 1);
    assert_eq!(whole, run(plan(), &rows, 13, 2));
}

#[test]
fn keys_beyond_the_bound_share_a_forest() {
    let rows: Vec<Row> = (0..1_500).map(|i| row(i, 1_009)).collect();
    let kept = on_time(&rows);
    let mut seen: Vec<String> = Vec::new();
    for row in &kept {
        if !seen.contains(&row.1) {
            seen.push(row.1.clone());
        }
    }
    assert!(seen.len() > 300, "{}", seen.len());
    let slot = |key: &str| {
        let id = seen.iter().position(|known| known == key).unwrap();
        if id < 256 { id.to_string() } else { format!("pool {}", (id - 256) % 16) }
    };
    let plan = || pipeline().by_time().detect("load", ["x"], "half-space-trees");
    let whole = run(plan(), &rows, 1_500, 1);
    compare(&whole, &kept, &naive(&kept, "half-space-trees", 1, slot), 1);
    assert!(whole.column_by_name("load_state_slot").is_none());
    assert_eq!(whole, run(plan(), &rows, 100, 3));
}

/// The scores of rows whose labels are told `delay` after them: before the first row of the key
/// that is as late.
fn naive_told(rows: &[Row], method: &str, delay: i64) -> Vec<(Score, Vec<f64>)> {
    let mut streams = BTreeMap::new();
    let mut waiting: BTreeMap<&str, Vec<(i64, Memo, bool)>> = BTreeMap::new();
    let mut scores = Vec::new();
    for row in rows {
        let stream = streams.entry(&row.1).or_insert_with(|| by_name(method, 1).unwrap());
        let waiting = waiting.entry(&row.1).or_default();
        let due: Vec<_> = waiting.iter().filter(|label| label.0 <= row.0).copied().collect();
        waiting.retain(|label| label.0 > row.0);
        due.into_iter().for_each(|(_, memo, label)| stream.feedback(memo, label));
        scores.push((stream.push(row.0 * SECOND, &[row.2.unwrap_or(f64::NAN)]), Vec::new()));
        if let (Some(memo), Some(label)) = (stream.memo(), fault(row)) {
            if delay == 0 {
                stream.feedback(memo, label);
            } else {
                waiting.push((row.0 + delay, memo, label));
            }
        }
    }
    scores
}

#[test]
fn labels_are_told_in_time_whatever_the_batches_and_shards() {
    let rows: Vec<Row> = (0..4_000).map(|i| row(i, 3)).collect();
    let kept = on_time(&rows);
    for (method, count) in [("auto", 4_000), ("spot", 4_000), ("dspot", 4_000), ("cut-forest", 900)]
    {
        let rows = &rows[..count];
        let kept = on_time(rows);
        let untold = naive(&kept, method, 1, str::to_owned);
        for delay in [0, 300] {
            let plan = || {
                let feedback = Feedback::from("fault").after(seconds(delay));
                pipeline().by_time().detect_with_feedback("load", ["x"], method, feedback)
            };
            let whole = run(plan(), rows, 4_000, 1);
            let told = naive_told(&kept, method, delay);
            compare(&whole, &kept, &told, 1);
            assert!(told != untold, "{method}, {delay}: labels must change something");
            for (batch_rows, shards) in [(1, 2), (37, 3)] {
                assert_eq!(whole, run(plan(), rows, batch_rows, shards), "{method}, {delay}");
            }
        }
    }
    // A label that is known only after the end changes nothing.
    let late = Feedback::from("fault").after(seconds(1_000_000));
    let plan = pipeline().by_time().detect_with_feedback("load", ["x"], "auto", late);
    compare(&run(plan, &rows, 100, 2), &kept, &naive(&kept, "auto", 1, str::to_owned), 1);
}

fn policy() -> AlertPolicy {
    let policy = AlertPolicy::default().hysteresis(3.0, 1.0).group(Group::Rows(20));
    policy.budget(3, minutes(5)).cooldown(seconds(60))
}

#[test]
fn alerts_are_those_of_the_policy_whatever_the_shards() {
    let rows: Vec<Row> = (0..2_000).map(|i| row(i, 7)).collect();
    let plan = || pipeline().by_time().detect("load", ["x"], "ewma").alerts("load", policy());
    let whole = run(plan(), &rows, 2_000, 1);
    let kept = on_time(&rows);
    let mut keys: Vec<&str> = Vec::new();
    let mut alerts = Alerts::new(&policy(), arrow::datatypes::TimeUnit::Microsecond).unwrap();
    let scores = whole.column_by_name("load_score").unwrap().as_primitive::<Float64Type>();
    let flags = bools(&whole, "load_flag");
    let (mut told, mut numbers) = (Vec::new(), Vec::new());
    for (i, row) in kept.iter().enumerate() {
        let key = keys.iter().position(|key| *key == row.1).unwrap_or_else(|| {
            keys.push(&row.1);
            keys.len() - 1
        });
        let score = scores.is_valid(i).then(|| scores.value(i));
        let decision = alerts.push(key as u32, row.0 * SECOND, score, flags[i]);
        told.push(decision.alert);
        numbers.push(decision.incident);
    }
    assert!(told.iter().filter(|told| **told).count() > 3);
    assert_eq!(bools(&whole, "load_alert"), told);
    let incidents = whole.column_by_name("load_incident").unwrap().as_primitive::<UInt64Type>();
    assert_eq!(incidents.iter().collect::<Vec<_>>(), numbers);
    for (batch_rows, shards) in [(1, 2), (50, 3)] {
        assert_eq!(whole, run(plan(), &rows, batch_rows, shards));
    }
}

#[test]
fn live_rows_get_the_same_answers() {
    let rows: Vec<Row> = (0..1_200).map(|i| row(i, 7)).collect();
    let plan = || pipeline().by_time().detect("load", ["x", "y"], "auto").alerts("load", policy());
    let whole = run(plan(), &rows, 1_200, 1);
    for shards in [1, 2] {
        let mut live = plan().open(Options::default().shards(shards)).unwrap();
        let mut out = Vec::new();
        for part in rows.chunks(11) {
            live.push(batch(part)).unwrap();
            while let Some(batch) = live.poll().unwrap() {
                out.push(batch.rows);
            }
        }
        let (rest, _) = live.close().unwrap();
        out.extend(rest.into_iter().map(|batch| batch.rows));
        let joined = arrow::compute::concat_batches(&whole.schema(), out.iter()).unwrap();
        assert_eq!(whole, joined);
    }
}

#[test]
fn plans_explain_themselves_and_refuse_what_cannot_be() {
    let plan = pipeline().by_time().detect("load", ["x"], "cut-forest").alerts("load", policy());
    let text = plan.explain_plan().unwrap();
    for part in [
        "by time: rows wait for the watermark",
        "the first 256 keys",
        "detect load = cut-forest(x) by machine",
        "at most 3 alerts in 5m",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let refused = |pipeline: Pipeline, part: &str| {
        let error = pipeline.schema().unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(pipeline().alerts("load", policy()), "there is no column `load_score`");
    refused(pipeline().detect("load", ["x"], "no"), "there is no detector");
    let twice = pipeline().detect("a", ["x"], "ewma").detect("a", ["y"], "ewma");
    refused(twice, "there is already a column a_score");
    let told = |method: &str, feedback: Feedback| {
        pipeline().by_time().detect_with_feedback("a", ["x"], method, feedback)
    };
    let plan = told("auto", Feedback::from("fault").after(minutes(5)));
    assert!(plan.explain_plan().unwrap().contains("told by fault after 5m"));
    refused(told("ewma", Feedback::from("fault")), "ewma has no use for labels");
    refused(told("ewma", Feedback::from("fault")), "take one of auto, spot, dspot, cut-forest");
    refused(told("auto", Feedback::from("machine")), "which is no label");
    refused(told("auto", Feedback::from("no")), "there is no column `no`");
    refused(told("auto", Feedback::from("fault").after(seconds(-1))), "cannot be known");
    let timeless = Pipeline::rows(batch(&[]).schema()).detect("a", ["x"], "ewma");
    refused(timeless, "needs to know when each row happened");
}
