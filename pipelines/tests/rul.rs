//! The features of remaining life against their definition, row by row; and that later cycles,
//! other units, batches and shards change nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Float64Type;
use pelton::pipeline::{Options, Pipeline};
use pelton::sink::MemorySink;
use pelton_pipelines::rul;

/// Nine sensors: more than one log holds.
const SENSORS: usize = 9;

fn sensors() -> Vec<String> {
    (1..=SENSORS).map(|sensor| format!("s{sensor}")).collect()
}

/// A value that looks like noise.
fn value(unit: i64, cycle: i64, sensor: usize) -> f64 {
    let mixed = (unit * 7_919 + cycle * 104_729 + sensor as i64 * 1_299_709) % 1_009;
    500.0 * sensor as f64 + mixed as f64 / 16.0
}

/// These cycles of these units.
fn rows(of: &[(i64, i64)]) -> RecordBatch {
    let whole = |of: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(of)) };
    let mut columns = vec![
        ("unit".to_owned(), whole(of.iter().map(|row| row.0).collect())),
        ("cycle".to_owned(), whole(of.iter().map(|row| row.1).collect())),
    ];
    for sensor in 1..=SENSORS {
        let values: Float64Array = of.iter().map(|row| value(row.0, row.1, sensor)).collect();
        columns.push((format!("s{sensor}"), Arc::new(values)));
    }
    RecordBatch::try_from_iter(columns).unwrap()
}

fn computed(of: &[(i64, i64)], batch_rows: usize, shards: usize) -> RecordBatch {
    let rows = rows(of);
    let (sink, sensors) = (MemorySink::new(), sensors());
    let batches = sink.batches();
    let names = rul::feature_names(&sensors);
    let kept = ["unit", "cycle"].into_iter().chain(names.iter().map(String::as_str));
    let pipeline = rul::features(Pipeline::rows(rows.schema()), &sensors).select(kept);
    let parts: Vec<_> = (0..rows.num_rows())
        .step_by(batch_rows)
        .map(|at| Ok(rows.slice(at, batch_rows.min(rows.num_rows() - at))))
        .collect();
    let options = Options::default().shards(shards);
    pipeline.write_to(sink).run_rows(parts.into_iter(), options).unwrap();
    let batches = batches.lock().unwrap();
    concat_batches(&batches[0].schema(), &*batches).unwrap()
}

/// Mean of a unit's cycles from `from` to `to`; none: no such cycle.
fn mean(unit: i64, sensor: usize, from: i64, to: i64) -> Option<f64> {
    let cycles = from.max(1)..=to;
    let count = cycles.clone().count() as f64;
    let sum: f64 = cycles.map(|cycle| value(unit, cycle, sensor)).sum();
    (count > 0.0).then(|| sum / count)
}

fn definition(unit: i64, cycle: i64, sensor: usize) -> [Option<f64>; 4] {
    let level = mean(unit, sensor, cycle - 9, cycle);
    let early = mean(unit, sensor, 1, cycle.min(rul::EARLY_CYCLES));
    let trend = |n: i64| {
        let before = mean(unit, sensor, cycle - 2 * n + 1, cycle - n);
        Some(mean(unit, sensor, cycle - n + 1, cycle)? - before?)
    };
    [level, level.zip(early).map(|(level, early)| level - early), trend(20), trend(40)]
}

#[test]
fn features_are_their_definition() {
    // One unit after the other, then both at once.
    let apart: Vec<(i64, i64)> =
        [3, 1].iter().flat_map(|unit| (1..=95).map(move |cycle| (*unit, cycle))).collect();
    let together: Vec<(i64, i64)> = (1..=95).flat_map(|cycle| [(3, cycle), (1, cycle)]).collect();
    for rows in [apart, together] {
        let table = computed(&rows, 4096, 1);
        let names = rul::feature_names(&sensors());
        assert_eq!(names.len(), 1 + 4 * SENSORS);
        for (row, (unit, cycle)) in rows.iter().enumerate() {
            let wanted = (1..=SENSORS).flat_map(|sensor| definition(*unit, *cycle, sensor));
            let wanted = std::iter::once(Some(*cycle as f64)).chain(wanted);
            for (name, wanted) in names.iter().zip(wanted) {
                let column = table[name.as_str()].as_primitive::<Float64Type>();
                let found = column.iter().nth(row).unwrap();
                let near = match (found, wanted) {
                    (Some(found), Some(wanted)) => (found - wanted).abs() < 1e-9,
                    (found, wanted) => found == wanted,
                };
                assert!(near, "{name} of unit {unit}, cycle {cycle}: {found:?}, {wanted:?}");
            }
        }
    }
}

#[test]
fn later_cycles_and_batches_change_nothing() {
    let all: Vec<(i64, i64)> =
        (1..=4).flat_map(|unit| (1..=60 + unit).map(move |cycle| (unit, cycle))).collect();
    let whole = computed(&all, 4096, 1);
    for (batch_rows, shards) in [(1, 1), (7, 2), (64, 3)] {
        assert_eq!(whole, computed(&all, batch_rows, shards), "{batch_rows} {shards}");
    }
    // Each unit cut at its cycle 33: the rows before are the same to the bit.
    let cut: Vec<(i64, i64)> = all.iter().copied().filter(|row| row.1 <= 33).collect();
    let of_cut = computed(&cut, 4096, 1);
    let kept: Vec<usize> = (0..all.len()).filter(|row| all[*row].1 <= 33).collect();
    for (at, row) in kept.into_iter().enumerate() {
        assert_eq!(of_cut.slice(at, 1), whole.slice(row, 1), "row {row}");
    }
}

#[test]
fn models_that_do_not_fit_are_refused() {
    let model = |features: &str| {
        let text = format!(
            "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n\
             max_feature_idx=0\nobjective=regression\nfeature_names={features}\n\
             feature_infos=[0:1]\ntree_sizes=100\n\nTree=0\nnum_leaves=1\nnum_cat=0\nsplit_feature=\n\
             split_gain=\nthreshold=\ndecision_type=\nleft_child=\nright_child=\nleaf_value=-3\n\
             leaf_weight=1\nleaf_count=1\ninternal_value=\ninternal_weight=\ninternal_count=\n\
             is_linear=0\nshrinkage=1\n\n\nend of trees\n"
        );
        pelton::score::Model::from_bytes(text.as_bytes()).unwrap()
    };
    let table = rows(&[(1, 1)]);
    let said = |features: &str| {
        let input = Pipeline::rows(table.schema());
        rul::estimate(input, &table.schema(), model(features)).err().map(|e| e.to_string())
    };
    assert!(said("amount").unwrap().contains("amount, which is no feature"));
    assert!(said("s77_change").unwrap().contains("s77"));
    assert_eq!(said("s2_change"), None);
    assert_eq!(rul::sensors_of(&model("s2_change")).unwrap(), ["s2"]);

    // A model that says −3 cycles: none are left.
    let sink = MemorySink::new();
    let batches = sink.batches();
    let pipeline =
        rul::estimate(Pipeline::rows(table.schema()), &table.schema(), model("s2_change"));
    let options = Options::default().shards(1);
    pipeline.unwrap().write_to(sink).run_rows(std::iter::once(Ok(table)), options).unwrap();
    let left = batches.lock().unwrap()[0]["remaining_cycles"].clone();
    assert_eq!(left.as_primitive::<Float64Type>().values(), &[0.0]);
}
