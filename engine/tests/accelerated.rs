//! Runs with a GPU give the bits of runs without: whatever it takes of the work, and wherever it
//! fails. Any adapter will do, a software Vulkan too; without one these tests say that they skip.
#![cfg(feature = "gpu")]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, TimestampMillisecondArray,
    UInt32Array,
};
use arrow::compute::concat_batches;
use pelton::accel::Accelerator;
use pelton::expr::col;
use pelton::pipeline::{
    Aggregate, Options, Pipeline, Watermark, Window, count, hop, max, mean, min, sum, tumble,
};
use pelton::sink::MemorySink;
use pelton::time::seconds;
use pelton_kernels::gpu::{Choice, Fault, Gpu, Injected};

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

fn scrambled(row: usize) -> u64 {
    let bits = (row as u64).wrapping_add(7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (bits ^ (bits >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (bits >> 32)
}

/// Rows out of order by up to two seconds, of so many keys; some batches have nulls or wide values.
fn batches(rows: usize, keys: u64) -> Vec<RecordBatch> {
    let batch = |from: usize| {
        let rows = from..(from + 900).min(rows);
        let each = || rows.clone().map(scrambled);
        let times = rows.clone().map(|row| (row * 7) as i64 - (scrambled(row) >> 53) as i64);
        let has_nulls = from % 2700 == 1800;
        let amounts: Int64Array =
            each().map(|bits| (!has_nulls || bits % 5 != 0).then_some(bits as i64 >> 20)).collect();
        // Beyond 64 bits in some batches.
        let unit = if from % 2700 == 900 { 1 << 70 } else { 1 };
        let cents = each().map(|bits| i128::from(bits as i32) * unit);
        let floats = each().map(|bits| match bits % 50 {
            0 => f64::NAN,
            1 => -0.0,
            _ => (bits % 1000) as f64 - 500.0,
        });
        RecordBatch::try_from_iter_with_nullable([
            ("ts", Arc::new(TimestampMillisecondArray::from_iter_values(times)) as ArrayRef, false),
            (
                "key",
                Arc::new(UInt32Array::from_iter_values(each().map(|b| (b % keys) as u32))),
                false,
            ),
            ("amount", Arc::new(amounts), true),
            ("cents", Arc::new(Decimal128Array::from_iter_values(cents)), false),
            ("level", Arc::new(Float64Array::from_iter_values(floats)), false),
        ])
        .unwrap()
    };
    (0..rows).step_by(900).map(batch).collect()
}

#[derive(Clone)]
struct Case {
    window: Window,
    aggregates: Vec<Aggregate>,
    filters: Filters,
    keys: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Filters {
    None,
    /// A filter that copies rows.
    Copies,
    /// One right before the window, which takes rows by their numbers.
    Picks,
}

fn cases() -> Vec<Case> {
    let all = vec![count(), sum("amount"), min("amount"), max("level"), mean("amount")];
    let case = |window, aggregates: &[Aggregate], filters: Filters, keys| Case {
        window,
        aggregates: aggregates.to_vec(),
        filters,
        keys,
    };
    use Filters::{Copies, None, Picks};
    vec![
        case(tumble(seconds(5)), &all, None, 40),
        case(tumble(seconds(5)), &all, Copies, 6000),
        case(hop(seconds(9), seconds(4)), &all, Picks, 900),
        case(tumble(seconds(7)), &[count()], None, 3),
        case(hop(seconds(6), seconds(2)), &[max("amount"), sum("cents")], Copies, 300),
        // Float sums and the like stay with the core.
        case(tumble(seconds(5)), &[sum("level"), count()], None, 50),
    ]
}

fn run(case: &Case, shards: usize, accelerator: Option<&Accelerator>) -> RecordBatch {
    let rows = batches(30_000, case.keys);
    let mut pipeline = Pipeline::rows(rows[0].schema())
        .event_time("ts", Watermark::bounded(seconds(3)).implausible_after(None));
    if case.filters != Filters::None {
        pipeline = pipeline.filter(col("level").gt(-300.0));
    }
    if case.filters == Filters::Copies {
        pipeline = pipeline.column("more", col("level") * 2.0);
    }
    let pipeline = pipeline.key_by(["key"]).window(case.window.clone(), case.aggregates.clone());
    let schema = pipeline.schema().unwrap();
    let sink = MemorySink::new();
    let given = sink.batches();
    let mut options = Options::default().shards(shards);
    options.accelerator = accelerator.cloned();
    let summary = pipeline.write_to(sink).run_rows(rows.into_iter().map(Ok), options).unwrap();
    assert_eq!(summary.rows_in, 30_000);
    concat_batches(&schema, given.lock().unwrap().iter()).unwrap()
}

#[test]
fn a_gpu_gives_the_cpus_bits() {
    let Some(gpu) = gpu() else { return };
    for (at, case) in cases().iter().enumerate() {
        let expected = run(case, 1, None);
        assert!(expected.num_rows() > 30);
        for shards in [1, 2] {
            let accelerator = Accelerator::forced(gpu.clone());
            assert_eq!(run(case, shards, Some(&accelerator)), expected, "case {at}");
            let report = accelerator.report();
            assert_eq!(report.notes, Vec::<String>::new());
            let reduced = report.passes.contains_key("window_reduce");
            assert_eq!(reduced, at != 5, "case {at}: {report:?}");
            let has = |pass: &str| report.passes.contains_key(pass);
            // With several shards a filter copies rows: they go to shards behind it.
            let copied =
                case.filters == Filters::Copies || case.filters == Filters::Picks && shards > 1;
            assert_eq!(has("batch_filter_gather"), copied, "case {at}: {report:?}");
            let filtered = case.filters != Filters::None;
            assert_eq!(has("batch_filter_rows"), filtered, "case {at}: {report:?}");
            assert_eq!(has("shard_hash_integers"), shards > 1, "case {at}: {report:?}");
        }
    }
}

#[test]
fn a_gpu_that_fails_loses_and_doubles_no_row() {
    if gpu().is_none() {
        return;
    }
    for (at, case) in cases().iter().enumerate().take(3) {
        let expected = run(case, 1, None);
        for (fault, after_dispatches) in [
            (Fault::OutOfMemory, 0),
            (Fault::OutOfMemory, 13),
            (Fault::OutOfMemory, 40),
            (Fault::Lost, 0),
            (Fault::Lost, 21),
            (Fault::Lost, 60),
        ] {
            // A lost one is of no use to the next.
            let Some(gpu) = gpu() else { return };
            gpu.inject(Injected { fault, after_dispatches });
            let accelerator = Accelerator::forced(gpu);
            let given = run(case, 1, Some(&accelerator));
            assert_eq!(given, expected, "case {at}, {fault:?} after {after_dispatches}");
            let report = accelerator.report();
            assert!(!report.notes.is_empty() && report.batches_handed_back > 0, "{report:?}");
        }
    }
}

#[test]
fn what_is_measured_as_slower_stays_with_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let case = &cases()[0];
    let expected = run(case, 1, None);
    let never = Accelerator::calibrated(gpu.clone(), BTreeMap::new());
    assert_eq!(run(case, 1, Some(&never)), expected);
    assert!(never.report().passes.is_empty());
    // Which table was measured counts, and how many rows there are.
    for (probe, rows, pays) in
        [("window-64", 500, true), ("window-4k", 1, false), ("window-64", 901, false)]
    {
        let sometimes = BTreeMap::from([(probe.to_owned(), rows)]);
        let both = Accelerator::calibrated(gpu.clone(), sometimes);
        assert_eq!(run(case, 1, Some(&both)), expected);
        let report = both.report();
        assert_eq!(report.passes.contains_key("window_reduce"), pays, "{probe}: {report:?}");
        // What was not measured as faster stays with the core.
        let others = report.passes.keys().filter(|pass| !pass.starts_with("window_"));
        assert_eq!(others.count(), 0, "{report:?}");
    }
    let twin = Accelerator::forced(gpu).with_twins(vec!["reduce".to_owned()]);
    assert_eq!(run(case, 1, Some(&twin)), expected);
    assert!(!twin.report().passes.contains_key("window_reduce"));
}

/// The plan of a case in words.
fn plan(case: &Case, shards: usize, accelerator: Option<Accelerator>) -> String {
    let mut options = Options::default().shards(shards);
    options.accelerator = accelerator;
    let pipeline = Pipeline::rows(batches(1, 1)[0].schema())
        .event_time("ts", Watermark::bounded(seconds(3)))
        .filter(col("level").gt(-300.0))
        .key_by(["key"])
        .window(case.window.clone(), case.aggregates.clone());
    pipeline.explain_plan_with(&options).unwrap()
}

#[test]
fn explain_says_where_kernels_run_and_why() {
    let Some(gpu) = gpu() else { return };
    let adapter = gpu.adapter().name.clone();
    let level = pelton_kernels::simd::level();
    let case = &cases()[0];
    let says = |plan: &str, line: &str| assert!(plan.contains(line), "no `{line}` in\n{plan}");
    let without = plan(case, 1, None);
    says(&without, &format!("\n  filter: this core ({level}); no GPU is used; the core finds"));
    says(&without, &format!("\n  reduce: this core ({level}); no GPU is used; batches with nulls"));
    assert!(!without.contains("hash"), "{without}");

    let forced = plan(case, 2, Some(Accelerator::forced(gpu.clone())));
    for kernel in ["filter", "reduce", "hash"] {
        says(&forced, &format!("\n  {kernel}: {adapter}, every batch, as was asked for"));
    }

    let measured = [("filter", None), ("window-64", Some(4096)), ("window-4k", Some(65_536))];
    let measured = measured.map(|(probe, rows)| (probe.to_owned(), rows)).into();
    let accelerator = Accelerator::measured(gpu.clone(), measured);
    let measured = plan(case, 2, Some(accelerator.clone()));
    says(&measured, &format!("\n  filter: this core ({level}); {adapter} never paid"));
    let from =
        |rows: &str| format!("{adapter} from {rows} rows a batch on, else this core ({level})");
    says(
        &measured,
        &format!("\n  reduce, up to 1,024 keys: {}; batches with nulls", from("4,096")),
    );
    says(&measured, &format!("\n  reduce, up to 65,536 keys: {}\n", from("65,536")));
    says(
        &measured,
        &format!("\n  reduce, more keys: this core ({level}); not measured on {adapter}\n"),
    );
    says(&measured, &format!("\n  hash: this core ({level}); {adapter} only where every pass"));

    let twins = plan(case, 1, Some(accelerator.with_twins(vec!["filter".to_owned()])));
    says(&twins, &format!("\n  filter: this core ({level}); kept from {adapter} by its name"));

    let floats = plan(&cases()[5], 1, Some(Accelerator::forced(gpu)));
    let why = "no GPU, as `sum_level` adds floats, in the order of rows";
    says(&floats, &format!("\n  reduce: this core ({level}); {why}\n"));
}
