//! The twelve window features of the Fraud Detection Handbook, computed by the stream, are the
//! published integers on every payment from April to June but those whose order is undefined
//! (the same card and second).
//!
//! Recorded data is looked for under `$PELTON_DATA`, else beside the workspace; where it is
//! absent the test says so and returns.

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use common::pelton;
use pelton::pipeline::{File, Options, Pipeline};
use pelton::sink::MemorySink;

/// Payments from April to June.
const ROWS: usize = 872_795;
/// Rows among them that share card and second with another.
const AMBIGUOUS: usize = 30;

fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("PELTON_DATA").map_or_else(beside, PathBuf::from);
    let folder = folder.join("payments");
    if folder.join("handbook_window_features_apr_jun.parquet").exists() {
        return Some(folder);
    }
    println!("skipped: {} is not there (set PELTON_DATA)", folder.display());
    None
}

fn read(path: &Path, columns: &[&str]) -> RecordBatch {
    let file = File::any(path.to_str().unwrap());
    let file = columns.iter().fold(file, |file, name| file.column_as_it_is(name));
    let sink = MemorySink::new();
    let batches = sink.batches();
    Pipeline::read(file).write_to(sink).run(Options::default().shards(1)).unwrap();
    let batches = batches.lock().unwrap();
    concat_batches(&batches[0].schema(), &*batches).unwrap()
}

fn integers(batch: &RecordBatch, name: &str) -> Vec<i64> {
    let column = cast(&batch[name], &DataType::Int64).unwrap();
    column.as_primitive::<Int64Type>().values().to_vec()
}

/// A sum of money in cents, or of booleans; null is 0.
fn sums(batch: &RecordBatch, name: &str) -> Vec<i64> {
    let column = &batch[name];
    match column.data_type() {
        DataType::Decimal128(_, 2) => {
            let sums = column.as_primitive::<Decimal128Type>();
            sums.iter().map(|sum| sum.unwrap_or(0) as i64).collect()
        }
        DataType::Int64 => {
            column.as_primitive::<Int64Type>().iter().map(Option::unwrap_or_default).collect()
        }
        other => panic!("{name} is {other}"),
    }
}

#[test]
fn the_stream_computes_the_published_features() {
    let Some(folder) = folder() else { return };
    let recording = folder.join("handbook_transactions.parquet");
    let out = tempfile::tempdir().unwrap();
    let table = out.path().join("features.arrow");
    let mut names = Vec::new();
    for days in ["1d", "7d", "30d"] {
        names.push(format!("card_count_{days}"));
        names.push(format!("card_sum_amount_{days}"));
        names.push(format!("terminal_count_{days}_after_7d"));
        names.push(format!("terminal_sum_is_fraud_{days}_after_7d"));
    }
    let output = pelton()
        .args(["features", "--quiet", "--set", "training", "--limit", &ROWS.to_string()])
        .args(["--columns", &names.join(","), "--input"])
        .arg(&recording)
        .arg("--out")
        .arg(&table)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ours = read(&table, &names);
    assert_eq!(ours.num_rows(), ROWS);

    let rows = read(&recording, &["tx_id", "customer", "ts"]);
    let (ids, cards, times) =
        (integers(&rows, "tx_id"), integers(&rows, "customer"), integers(&rows, "ts"));
    let mut alike: HashMap<(i64, i64), usize> = HashMap::new();
    cards.iter().zip(&times).take(ROWS).for_each(|(c, t)| *alike.entry((*c, *t)).or_default() += 1);
    let is_ambiguous: Vec<bool> =
        (0..ROWS).map(|row| alike[&(cards[row], times[row])] > 1).collect();
    assert_eq!(is_ambiguous.iter().filter(|ambiguous| **ambiguous).count(), AMBIGUOUS);

    let published = |days: &str| {
        [
            format!("CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"),
            format!("CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"),
            format!("TERMINAL_ID_NB_TX_{days}DAY_WINDOW"),
            format!("TERMINAL_ID_RISK_{days}DAY_WINDOW"),
        ]
    };
    let theirs: Vec<String> = ["1", "7", "30"].into_iter().flat_map(published).collect();
    let mut wanted = vec!["TRANSACTION_ID"];
    wanted.extend(theirs.iter().map(String::as_str));
    let oracle = read(&folder.join("handbook_window_features_apr_jun.parquet"), &wanted);
    let place: HashMap<i64, usize> =
        integers(&oracle, "TRANSACTION_ID").into_iter().zip(0..).collect();
    let mut checked = 0;
    for (name, theirs_name) in names.iter().zip(&theirs) {
        let (ours, theirs) = (sums(&ours, name), integers(&oracle, theirs_name));
        for row in (0..ROWS).filter(|row| !is_ambiguous[*row]) {
            assert_eq!(ours[row], theirs[place[&ids[row]]], "{name}, payment {}", ids[row]);
            checked += 1;
        }
    }
    assert_eq!(checked, 12 * (ROWS - AMBIGUOUS));
}
