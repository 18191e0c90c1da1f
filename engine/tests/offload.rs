//! A GPU scores while the cores go on: the same rows in the same order as without it, whatever the
//! batches, shards, models that take over on the way, and faults. Any adapter will do, a software
//! Vulkan too; without one these tests say that they skip.
#![cfg(feature = "gpu")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::compute::concat_batches;
use pelton::accel::Accelerator;
use pelton::expr::col;
use pelton::pipeline::{Options, Pipeline, Watermark, count, max, sum, tumble};
use pelton::score::{LiveModel, Model, Scheduled, Scorer};
use pelton::sink::MemorySink;
use pelton::time::seconds;
use pelton_kernels::gpu::{Choice, Fault, Gpu, Injected};

const ROWS: usize = 9000;

/// A device of its own: faults are injected into it.
fn gpu() -> Option<Gpu> {
    let choice = match Choice::from_env() {
        Choice::Best => Choice::Software,
        choice => choice,
    };
    match Gpu::open(&choice) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            assert!(std::env::var_os("PELTON_REQUIRE_GPU").is_none(), "{error}");
            println!("skipped: {error}");
            None
        }
    }
}

fn model(name: &str) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scoring/fixtures");
    Model::load(folder.join(name)).unwrap()
}

fn scrambled(row: usize) -> u64 {
    let bits = (row as u64).wrapping_add(3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (bits ^ (bits >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (bits >> 32)
}

/// Rows out of order by up to two seconds, some of them late, with six features.
fn rows(range: std::ops::Range<usize>) -> RecordBatch {
    let time = |row: usize| (row * 11) as i64 - (scrambled(row) >> 53) as i64;
    let times = TimestampMillisecondArray::from_iter_values(range.clone().map(time));
    let keys: Int64Array = range.clone().map(|row| (scrambled(row) % 17) as i64).collect();
    let mut columns = vec![
        ("ts".to_owned(), Arc::new(times) as ArrayRef, false),
        ("key".to_owned(), Arc::new(keys), false),
    ];
    for feature in 0..6 {
        let value = |row: usize| match scrambled(row * 6 + feature) {
            bits if bits.is_multiple_of(19) => None,
            bits if bits.is_multiple_of(23) => Some(f64::NAN),
            bits => Some((bits >> 40) as f64 / f64::from(1 << 22) - 2.0),
        };
        let values: Float64Array = range.clone().map(value).collect();
        columns.push((format!("f{feature}"), Arc::new(values), true));
    }
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn scored(scorer: impl Scorer + 'static) -> Pipeline {
    Pipeline::rows(rows(0..0).schema())
        .event_time("ts", Watermark::bounded(seconds(1)).implausible_after(None))
        .score("risk", scorer)
}

/// What comes out of a pipeline behind scores: rows, or windows that the watermark closes.
fn run(pipeline: Pipeline, cut: usize, shards: usize, on: Option<&Accelerator>) -> RecordBatch {
    let schema = pipeline.schema().unwrap();
    let sink = MemorySink::new();
    let given = sink.batches();
    let mut options = Options::default().shards(shards);
    options.accelerator = on.cloned();
    let batches = (0..ROWS).step_by(cut).map(|from| Ok(rows(from..(from + cut).min(ROWS))));
    let summary = pipeline.write_to(sink).run_rows(batches, options).unwrap();
    assert_eq!(summary.rows_in, ROWS as u64);
    concat_batches(&schema, given.lock().unwrap().iter()).unwrap()
}

fn pipelines(name: &str) -> [Pipeline; 3] {
    let score = || scored(model(name));
    [
        score(),
        score().filter(col("risk").gt(0.3)).column("twice", col("risk") * 2.0),
        score()
            .filter(col("risk").gt(0.2))
            .key_by(["key"])
            .window(tumble(seconds(3)), [count(), sum("key"), max("risk")]),
    ]
}

fn walks(accelerator: &Accelerator) -> u64 {
    accelerator.report().passes.get("score_forest_walk").map_or(0, |pass| pass.dispatches)
}

#[test]
fn scores_on_a_gpu_change_no_byte() {
    let Some(gpu) = gpu() else { return };
    for name in ["lgb_binary.model.txt", "xgb_binary.model.json", "skl_boosting.model.onnx"] {
        let expected = pipelines(name).map(|pipeline| run(pipeline, 900, 1, None));
        for (cut, shards) in [(900, 1), (130, 1), (900, 3), (60, 2)] {
            for (pipeline, expected) in pipelines(name).into_iter().zip(&expected) {
                let accelerator = Accelerator::forced(gpu.clone());
                let given = run(pipeline, cut, shards, Some(&accelerator));
                assert_eq!(&given, expected, "{name} by {cut} on {shards}");
                let report = accelerator.report();
                assert_eq!((report.batches_handed_back, &report.notes), (0, &vec![]));
                assert!(walks(&accelerator) >= (ROWS / cut) as u64, "{report:?}");
            }
        }
    }
}

#[test]
fn a_core_scores_while_the_device_is_behind() {
    let Some(gpu) = gpu() else { return };
    let name = "lgb_binary.model.txt";
    let expected = pipelines(name).map(|pipeline| run(pipeline, 900, 1, None));
    for shards in [1, 2] {
        for (pipeline, expected) in pipelines(name).into_iter().zip(&expected) {
            // As if it paid from 100 rows of this forest on.
            let rows_min = BTreeMap::from([("forest".to_owned(), 1)]);
            let accelerator = Accelerator::calibrated(gpu.clone(), rows_min);
            assert_eq!(&run(pipeline, 300, shards, Some(&accelerator)), expected);
            let report = accelerator.report();
            // Each batch went one way.
            let batches = (ROWS / 300) as u64;
            assert_eq!(walks(&accelerator) + report.batches_handed_back, batches, "{report:?}");
            assert!(walks(&accelerator) > 0 && report.notes.is_empty(), "{report:?}");
        }
    }
}

#[test]
fn a_device_that_fails_loses_and_doubles_no_row() {
    if gpu().is_none() {
        return;
    }
    let name = "lgb_binary.model.txt";
    let expected = pipelines(name).map(|pipeline| run(pipeline, 900, 1, None));
    for fault in [Fault::OutOfMemory, Fault::Lost] {
        for (after_dispatches, shards) in [(0, 1), (3, 1), (8, 1), (9, 3), (14, 2)] {
            for (pipeline, expected) in pipelines(name).into_iter().zip(&expected) {
                let Some(gpu) = gpu() else { return };
                gpu.inject(Injected { fault, after_dispatches });
                let accelerator = Accelerator::forced(gpu);
                let given = run(pipeline, 400, shards, Some(&accelerator));
                assert_eq!(&given, expected, "{fault:?} after {after_dispatches}");
                let report = accelerator.report();
                assert!(report.batches_handed_back > 0 && !report.notes.is_empty(), "{report:?}");
            }
        }
    }
}

#[test]
fn a_large_batch_goes_in_parts() {
    let name = "lgb_binary.model.txt";
    let expected = run(scored(model(name)), ROWS, 1, None);
    for after_dispatches in [None, Some(4), Some(8), Some(13)] {
        // As if a binding showed so little that a third of the rows can be under way.
        let Some(gpu) = gpu().map(|gpu| gpu.with_bindings_of(1 << 16)) else { return };
        if let Some(after_dispatches) = after_dispatches {
            gpu.inject(Injected { fault: Fault::OutOfMemory, after_dispatches });
        }
        let accelerator = Accelerator::forced(gpu);
        assert_eq!(run(scored(model(name)), ROWS, 1, Some(&accelerator)), expected);
        let report = accelerator.report();
        assert_eq!(report.batches_handed_back, u64::from(after_dispatches.is_some()));
        assert!(
            walks(&accelerator) >= if after_dispatches.is_some() { 1 } else { 7 },
            "{report:?}"
        );
    }
}

/// Pushes and polls; a model takes over at each third push.
fn pushed(shards: usize, accelerator: Option<&Accelerator>, updates: bool) -> RecordBatch {
    let names = ["lgb_binary.model.txt", "xgb_binary.model.json"];
    let risk = LiveModel::new(model(names[0]));
    let pipeline = scored(risk.clone());
    let schema = pipeline.schema().unwrap();
    let mut options = Options::default().shards(shards);
    options.accelerator = accelerator.cloned();
    let mut live = pipeline.open(options).unwrap();
    let (mut at, mut push, mut results) = (0, 0, Vec::new());
    while at < 3000 {
        let size = [1, 40, 333, 2][push % 4];
        if updates && push % 3 == 1 {
            risk.update(model(names[push % 2])).unwrap();
        }
        live.push(rows(at..at + size)).unwrap();
        (at, push) = (at + size, push + 1);
        while let Some(batch) = live.poll().unwrap() {
            results.push(batch.rows);
        }
    }
    let (last, summary) = live.close().unwrap();
    results.extend(last.into_iter().map(|batch| batch.rows));
    assert_eq!((summary.rows_in, summary.rows_used), (at as u64, at as u64));
    assert_eq!(results.len(), push);
    concat_batches(&schema, &results).unwrap()
}

#[test]
fn a_model_takes_over_between_batches_under_way() {
    let Some(gpu) = gpu() else { return };
    let expected = pushed(1, None, true);
    assert_ne!(expected, pushed(1, None, false));
    for shards in [1, 3] {
        let accelerator = Accelerator::forced(gpu.clone());
        assert_eq!(pushed(shards, Some(&accelerator), true), expected, "{shards} shards");
        assert!(walks(&accelerator) > 10);
    }
}

#[test]
fn a_schedule_of_models_is_kept() {
    let Some(gpu) = gpu() else { return };
    let scheduled = || {
        let then =
            |models: Scheduled, time: i64, name: &str| models.then(time, model(name)).unwrap();
        let models = Scheduled::new(model("lgb_binary.model.txt"));
        let models = then(models, 20_000, "xgb_binary.model.json");
        scored(then(models, 60_500, "lgb_binary.model.txt"))
    };
    let expected = run(scheduled(), 900, 1, None);
    for shards in [1, 2] {
        let accelerator = Accelerator::forced(gpu.clone());
        assert_eq!(run(scheduled(), 250, shards, Some(&accelerator)), expected);
        assert!(walks(&accelerator) > 30);
    }
}

#[test]
fn a_row_that_is_pushed_is_decided_at_once() {
    let Some(gpu) = gpu() else { return };
    let rows_min = BTreeMap::from([("forest".to_owned(), 1)]);
    let accelerator = Accelerator::calibrated(gpu, rows_min);
    let mut options = Options::default().shards(1);
    options.accelerator = Some(accelerator.clone());
    let mut live = scored(model("lgb_binary.model.txt")).open(options).unwrap();
    for row in 0..50 {
        live.push(rows(row..row + 1)).unwrap();
        assert_eq!(live.poll().unwrap().unwrap().len(), 1);
    }
    assert_eq!(walks(&accelerator), 0);
}

#[test]
fn results_come_though_nothing_follows() {
    let Some(gpu) = gpu() else { return };
    for shards in [1, 2] {
        let mut options = Options::default().shards(shards);
        options.accelerator = Some(Accelerator::forced(gpu.clone()));
        let mut live = scored(model("lgb_binary.model.txt")).open(options).unwrap();
        for push in 0..2 {
            live.push(rows(push * 70..push * 70 + 70)).unwrap();
        }
        let mut results = 0;
        while results < 2 {
            results += usize::from(live.poll().unwrap().is_some());
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_model_serves_several_devices_and_none() {
    let (Some(first), Some(second)) = (gpu(), gpu()) else { return };
    let shared = Arc::new(model("lgb_binary.model.txt"));
    let expected = run(scored(shared.clone()), 900, 1, None);
    let on = |gpu: &Gpu| Accelerator::forced(gpu.clone());
    let [a, b, c] = [on(&first), on(&second), on(&first)];
    assert_eq!(run(scored(shared.clone()), 900, 2, Some(&a)), expected);
    let of_first = walks(&a);
    assert_eq!(run(scored(shared.clone()), 900, 2, Some(&b)), expected);
    assert!(walks(&a) == of_first && walks(&b) > 0, "the second run used the first's device");
    // A run without one uses none.
    assert_eq!(run(scored(shared.clone()), 900, 1, None), expected);
    assert_eq!(walks(&a), of_first);
    // A device that is lost is forgotten with its run.
    second.inject(Injected { fault: Fault::Lost, after_dispatches: 0 });
    assert_eq!(run(scored(shared.clone()), 900, 1, Some(&b)), expected);
    assert_eq!(run(scored(shared), 900, 1, Some(&c)), expected);
    assert!(walks(&c) > 0 && c.report().notes.is_empty(), "{:?}", c.report());
}

#[test]
fn explain_says_from_where_scores_pay() {
    let Some(gpu) = gpu() else { return };
    let adapter = gpu.adapter().name.clone();
    let level = pelton_kernels::simd::level();
    let says = |name: &str, accelerator: &Accelerator, line: &str| {
        let mut options = Options::default().shards(1);
        options.accelerator = Some(accelerator.clone());
        let plan = scored(model(name)).explain_plan_with(&options).unwrap();
        assert!(plan.contains(line), "no `{line}` in\n{plan}");
    };
    let forest = "lgb_binary.model.txt";
    // Measured with 500 trees; the fixture has 8.
    let measured = Accelerator::measured(gpu.clone(), [("forest".to_owned(), Some(1024))].into());
    let from =
        format!("\n  forest: {adapter} from 64,000 rows a batch on, else this core ({level})\n");
    says(forest, &measured, &from);
    let never = Accelerator::measured(gpu.clone(), [("forest".to_owned(), None)].into());
    says(forest, &never, &format!("\n  forest: this core ({level}); {adapter} never paid"));
    let unknown = Accelerator::calibrated(gpu, BTreeMap::new());
    says(
        forest,
        &unknown,
        &format!("\n  forest: this core ({level}); not measured on {adapter}\n"),
    );
    // What has no pass says nothing of one.
    let mut options = Options::default().shards(1);
    options.accelerator = Some(unknown);
    let linear = scored(model("skl_logistic.model.onnx"));
    assert_eq!(linear.explain_plan_with(&options).unwrap(), linear.explain_plan().unwrap());
}
