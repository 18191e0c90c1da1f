//! Models that take the place of others: at a barrier while rows flow, and at event times.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, SchemaRef, TimeUnit};
use proptest::prelude::*;

use crate::batch::Batch;
use crate::expr::col;
use crate::pipeline::{Options, Pipeline, Watermark, count, tumble};
use crate::score::{Explain, Feature, FeatureTransform, LiveModel, Logistic, Scheduled, Scorer};
use crate::time::seconds;

/// A model that says of x: 1 / (1 + e^−weight·x).
fn model(weight: f64) -> Logistic {
    model_of("x", weight)
}

fn model_of(name: &str, weight: f64) -> Logistic {
    let feature = Feature::new(name, FeatureTransform::Identity, weight);
    Logistic::new("a test", vec![feature], 0.0, 0.5).unwrap()
}

fn rows(range: std::ops::Range<i64>) -> RecordBatch {
    let times: ArrayRef = Arc::new(range.clone().collect::<Int64Array>());
    let x: ArrayRef = Arc::new(range.map(|i| (i % 7) as f64 - 3.0).collect::<Float64Array>());
    RecordBatch::try_from_iter([("ts", times), ("x", x)]).unwrap()
}

fn schema() -> SchemaRef {
    rows(0..0).schema()
}

fn said(model: &Logistic, rows: &RecordBatch) -> Vec<f64> {
    model.probabilities(rows).unwrap().values().to_vec()
}

fn column(batches: &[Batch], name: &str) -> Vec<f64> {
    let column = |batch: &Batch| batch.rows[name].as_primitive::<Float64Type>().values().to_vec();
    batches.iter().flat_map(column).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Rows before the update have the old model's score, rows behind it the new one's, however
    /// many shards work on them; none is lost, and the ledger adds up.
    #[test]
    fn a_new_model_is_in_force_from_the_next_row_on(
        sizes in proptest::collection::vec(1..40_i64, 1..30),
        updates in proptest::collection::vec(0..30_usize, 0..6),
        shards in 1..4_usize,
    ) {
        let risk = LiveModel::new(model(1.0));
        let pipeline = Pipeline::rows(schema())
            .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(5)))
            .score("risk", risk.clone())
            .explain(Explain::new().scorer(risk.clone(), 1));
        let mut live = pipeline.open(Options::default().shards(shards)).unwrap();
        let (mut at, mut now) = (0, model(1.0));
        let (mut expected, mut results) = (Vec::new(), Vec::new());
        let mut taken = 0;
        for (push, size) in sizes.iter().enumerate() {
            if updates.contains(&push) {
                now = model(2.0 + push as f64);
                risk.update(now.clone_of()).unwrap();
                taken += 1;
            }
            let rows = rows(at..at + size);
            expected.extend(said(&now, &rows));
            live.push(rows).unwrap();
            at += size;
            while let Some(batch) = live.poll().unwrap() {
                results.push(batch);
            }
        }
        let (last, summary) = live.close().unwrap();
        results.extend(last);
        prop_assert_eq!(column(&results, "risk"), expected.clone());
        prop_assert_eq!(risk.taken(), taken);
        prop_assert_eq!((summary.rows_in, summary.rows_used), (at as u64, at as u64));
        // The reasons are the same model's as the score.
        let mut scores = expected.iter();
        for batch in &results {
            for reasons in batch.rows["reasons"].as_string::<i32>().iter().flatten() {
                let reasons: serde_json::Value = serde_json::from_str(reasons).unwrap();
                let z = reasons["features"][0]["contribution"].as_f64().unwrap_or(0.0);
                let score = *scores.next().unwrap();
                prop_assert!((pelton_kernels::math::sigmoid(z) - score).abs() < 1e-12);
            }
        }
    }

    /// A schedule by event time gives each row the model of its time, whatever the batches,
    /// shards and order of rows.
    #[test]
    fn a_schedule_goes_by_the_rows_own_times(
        mut times in proptest::collection::vec(0..100_i64, 1..200),
        changes in proptest::collection::btree_set(-5..105_i64, 0..4),
        batch in 1..50_usize,
        shards in 1..4_usize,
    ) {
        // The clock of an input that jumps is no subject here.
        times[0] = 0;
        let weight = |time: i64| changes.iter().filter(|change| **change <= time).count() as f64;
        let mut scheduled = Scheduled::new(model(0.0));
        for change in &changes {
            scheduled = scheduled.then(*change, model(weight(*change))).unwrap();
        }
        let x = vec![1.5; times.len()];
        let table = RecordBatch::try_from_iter([
            ("ts", Arc::new(Int64Array::from(times.clone())) as ArrayRef),
            ("x", Arc::new(Float64Array::from(x)) as ArrayRef),
        ]).unwrap();
        let pipeline = Pipeline::rows(schema())
            .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(1)))
            .score("risk", scheduled);
        let mut live = pipeline.open(Options::default().shards(shards)).unwrap();
        for start in (0..times.len()).step_by(batch) {
            live.push(table.slice(start, batch.min(times.len() - start))).unwrap();
        }
        let (results, _) = live.close().unwrap();
        let expected: Vec<f64> = times
            .iter()
            .map(|time| pelton_kernels::math::sigmoid(1.5 * weight(*time)))
            .collect();
        prop_assert_eq!(column(&results, "risk"), expected);
    }
}

trait CloneOf {
    fn clone_of(&self) -> Self;
}

impl CloneOf for Logistic {
    fn clone_of(&self) -> Self {
        Self::from_json(&self.to_json()).unwrap()
    }
}

#[test]
fn behind_windows_the_rows_that_come_out_later_are_scored_by_the_new_model() {
    for shards in [1, 2, 3] {
        let risk = LiveModel::new(model_of("n", 0.1));
        let pipeline = Pipeline::rows(schema())
            .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(0)))
            .window(tumble(seconds(10)), [count()])
            .column("n", col("count").cast_f64())
            .score("risk", risk.clone());
        let mut live = pipeline.open(Options::default().shards(shards)).unwrap();
        live.push(rows(0..21)).unwrap();
        risk.update(model_of("n", -0.1)).unwrap();
        live.push(rows(21..40)).unwrap();
        let (results, _) = live.close().unwrap();
        let up = pelton_kernels::math::sigmoid(1.0);
        let down = pelton_kernels::math::sigmoid(-1.0);
        assert_eq!(column(&results, "risk"), [up, up, down, down], "{shards} shards");
        let counts = results
            .iter()
            .flat_map(|batch| batch.rows["count"].as_primitive::<Int64Type>().values().to_vec());
        assert_eq!(counts.collect::<Vec<_>>(), [10; 4]);
    }
}

#[test]
fn a_model_that_does_not_fit_is_refused_and_the_old_one_stays() {
    let risk = LiveModel::new(model(1.0));
    let mut live = Pipeline::rows(schema())
        .score("risk", risk.clone())
        .open(Options::default().shards(1))
        .unwrap();
    let error = risk.update(model_of("y", 1.0)).unwrap_err().to_string();
    assert!(error.contains("the new model: there is no column `y`"), "{error}");
    let classes = super::model::load("lgb_multiclass.model.txt");
    let error = risk.update(classes).unwrap_err().to_string();
    assert!(error.contains("gives 3 scores, the old 1"), "{error}");
    live.push(rows(0..3)).unwrap();
    let (results, _) = live.close().unwrap();
    assert_eq!(column(&results, "risk"), said(&model(1.0), &rows(0..3)));
    assert_eq!(risk.taken(), 0);
    // One that waits before there is a plan is looked at when the plan is made.
    let early = LiveModel::new(model(1.0));
    early.update(model_of("y", 1.0)).unwrap();
    let plan = Pipeline::rows(schema()).score("risk", early).explain_plan();
    assert!(plan.unwrap_err().to_string().contains("no column `y`"));
    let twice = Scheduled::new(model(1.0)).then(5, model(2.0)).unwrap().then(5, model(3.0));
    assert!(twice.is_err());
    let without_times = Pipeline::rows(schema())
        .score("risk", Scheduled::new(model(1.0)).then(5, model(2.0)).unwrap())
        .open(Options::default().shards(1));
    let error = without_times.unwrap().push(rows(0..1)).unwrap_err().to_string();
    assert!(error.contains("event time"), "{error}");
}

#[test]
fn old_models_are_forgotten_when_nothing_of_their_time_is_under_way() {
    let risk = LiveModel::new(model(0.0));
    let weights: Vec<f64> = (1..100).map(f64::from).collect();
    let held: Vec<std::sync::Weak<Logistic>> = {
        let mut live = Pipeline::rows(schema())
            .score("risk", risk.clone())
            .open(Options::default().shards(1))
            .unwrap();
        let mut held = Vec::new();
        for weight in &weights {
            let next = Arc::new(model(*weight));
            held.push(Arc::downgrade(&next));
            risk.update(next).unwrap();
            live.push(rows(0..2)).unwrap();
            while live.poll().unwrap().is_some() {}
        }
        live.close().unwrap();
        held
    };
    let alive = held.iter().filter(|model| model.strong_count() > 0).count();
    assert!(alive <= 2, "{alive} models are still held");
    assert_eq!(risk.inputs(), ["x"]);
}

#[test]
fn columns_that_later_models_read_are_kept() {
    let keeps = LiveModel::reading(model(1.0), vec!["ts".to_owned()]);
    assert_eq!(keeps.inputs(), ["x", "ts"]);
    let mut live = Pipeline::rows(schema())
        .score("risk", keeps.clone())
        .select(["risk"])
        .open(Options::default().shards(2))
        .unwrap();
    keeps.update(model_of("ts", 1.0)).unwrap();
    live.push(rows(1..2)).unwrap();
    let (results, _) = live.close().unwrap();
    assert_eq!(column(&results, "risk"), [pelton_kernels::math::sigmoid(1.0)]);
}
