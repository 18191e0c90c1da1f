//! How long one row waits for the score of a forest, through a pipeline that is open: in one by
//! one, out as soon as it is decided.
//!
//! `cargo run --release -p pelton --example score_latency [TREES [LEAVES]]`; 30 features. The
//! percentiles of three passes: on a machine that others use, the best one is nearest to what the
//! code takes.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use pelton::pipeline::{Options, Pipeline};
use pelton::score::Model;
use pelton_scoring::model::Model as Forest;
use pelton_scoring::train::{Boosting, Examples, boost, lightgbm};

const FEATURES: usize = 30;
const LEARNED: usize = 20_000;
const ROWS: usize = 20_000;

/// A number of 0 ≤ x < 1 that looks random (splitmix64).
fn unit(i: u64) -> f64 {
    let z = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ z >> 31) >> 11) as f64 / (1_u64 << 53) as f64
}

fn column(feature: usize, rows: std::ops::Range<usize>) -> Vec<f64> {
    rows.map(|row| unit((row * FEATURES + feature) as u64)).collect()
}

/// A forest of this many trees and leaves, of labels that no tree can learn by heart.
fn forest(names: &[String], trees: usize, leaves: usize) -> Forest {
    let columns: Vec<Vec<f64>> = (0..FEATURES).map(|f| column(f, 0..LEARNED)).collect();
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let odds = |row: usize| (0..FEATURES).map(|f| columns[f][row]).sum::<f64>() - 15.0;
    let noise = |row: usize| 4.0 * unit(row as u64 ^ 1 << 50) - 2.0;
    let labels: Vec<bool> = (0..LEARNED).map(|row| odds(row) > noise(row)).collect();
    let examples = Examples::new(names, &slices, &labels).expect("columns of one length");
    let rows: Vec<u32> = (0..LEARNED as u32).collect();
    let choices = Boosting { rounds: trees, leaves, shrinkage: 0.02, ..Boosting::default() };
    let boosted = boost(&examples, &rows, &choices).expect("both classes");
    Forest::load(lightgbm::to_text(&boosted).as_bytes()).expect("a model that was just written")
}

fn main() {
    let number = |at: usize, default| {
        std::env::args().nth(at).and_then(|word| word.parse().ok()).unwrap_or(default)
    };
    let names: Vec<String> = (0..FEATURES).map(|feature| format!("f{feature}")).collect();
    let model = Arc::new(Model::from(forest(&names, number(1, 500), number(2, 64))));
    let columns = names.iter().enumerate().map(|(feature, name)| {
        let values: ArrayRef =
            Arc::new(Float64Array::from(column(feature, LEARNED..LEARNED + ROWS)));
        (name.as_str(), values)
    });
    let rows = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let plan = || Pipeline::rows(rows.schema()).score("risk", Arc::clone(&model));
    println!("{}", plan().explain_plan().expect("a plan that fits"));
    for _ in 0..3 {
        let mut live = plan().open(Options::default().shards(1)).expect("a plan that fits");
        let mut times_us = Vec::with_capacity(ROWS);
        for row in 0..ROWS {
            let one = rows.slice(row, 1);
            let start = Instant::now();
            live.push(one).expect("a row of the schema");
            let decision = live.poll().expect("a decision").expect("one a row");
            times_us.push(start.elapsed().as_nanos() as f64 / 1e3);
            assert_eq!(decision.len(), 1);
        }
        live.close().expect("an end");
        times_us.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| times_us[(share * ROWS as f64) as usize];
        println!(
            "p50 {:.1} µs  p90 {:.1}  p99 {:.1}  p99.9 {:.1}",
            at(0.5),
            at(0.9),
            at(0.99),
            at(0.999)
        );
    }
}
