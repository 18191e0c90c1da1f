//! Rows a second of a forest, and the time of one row, with the answers checked.
//!
//! ```text
//! python3 scoring/examples/forest_speed.py DIR          makes DIR/model.txt, DIR/rows.f64, and
//!                                                       DIR/scores.f64 with the peers' speeds
//! cargo run --release -p pelton-scoring --example forest_speed -- DIR
//! ```
//!
//! `rows.f64` holds the columns one after the other, little-endian; `scores.f64` the raw scores
//! that LightGBM gave. Every level's answers must have those bits. Without a folder a random
//! forest of the same shape is scored, and compared with the definition.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use pelton_kernels::score_forest::{
    Child, Missing, Plan, Rule, Scratch, Trees, scalar, score_columns, score_row,
};
use pelton_kernels::simd::Level;
use pelton_scoring::model::contributions::of_forest;
use pelton_scoring::model::forest::{Covers, ForestParts};
use pelton_scoring::model::link::Link;
use pelton_scoring::model::{Estimator, Forest, Method, Model};

/// The shape of the target.
const TREES: usize = 500;
const LEAVES: usize = 64;
const FEATURES: usize = 30;

struct Case {
    trees: Trees,
    columns: Vec<Vec<f64>>,
    expected: Vec<f64>,
}

fn main() {
    let case = match std::env::args().nth(1) {
        Some(folder) => from_folder(Path::new(&folder)),
        None => random_case(),
    };
    let plan = Plan::new(&case.trees).expect("a forest");
    let mut scratch = Scratch::new(&plan);
    let columns: Vec<&[f64]> = case.columns.iter().map(Vec::as_slice).collect();
    let rows = case.expected.len();
    let leaves = case.trees.leaf.len();
    println!("{} trees, {leaves} leaves, {rows} rows; {}", case.trees.len(), plan.describe());
    let mut out = vec![0.0; rows];
    for level in Level::available() {
        let mut best = f64::INFINITY;
        // The scalar level is slow enough to be measured once.
        for _ in 0..if level == Level::Scalar { 1 } else { 7 } {
            let start = Instant::now();
            score_columns(level, &plan, &columns, &[0.0], &mut scratch, &mut out);
            best = best.min(start.elapsed().as_secs_f64());
        }
        check(&out, &case.expected);
        println!("{level:>8}  {:.3} M rows/s, equal to the bit", rows as f64 / best / 1e6);
    }
    one_by_one(&case, &plan, &mut scratch);
    reasons(&case);
    for batch in [1, 4, 12, 32, 64, 128, 1024] {
        let start = Instant::now();
        let count = rows / batch;
        for at in 0..count {
            let part: Vec<&[f64]> =
                columns.iter().map(|column| &column[at * batch..][..batch]).collect();
            let out = &mut out[at * batch..][..batch];
            score_columns(Level::best(), &plan, &part, &[0.0], &mut scratch, out);
        }
        let ns = start.elapsed().as_nanos() as f64 / (count * batch) as f64;
        println!("batches of {batch:>4}  {ns:.0} ns a row");
    }
}

/// Percentiles of the time that one row takes, of three passes: on a machine that others use,
/// the best one is nearest to what the code takes.
fn one_by_one(case: &Case, plan: &Plan, scratch: &mut Scratch) {
    for _ in 0..3 {
        one_pass(case, plan, scratch);
    }
}

fn one_pass(case: &Case, plan: &Plan, scratch: &mut Scratch) {
    let rows = case.expected.len();
    let mut times = Vec::with_capacity(rows);
    let mut out = [0.0];
    for row in 0..rows {
        let values: Vec<f64> = case.columns.iter().map(|column| column[row]).collect();
        let start = Instant::now();
        score_row(Level::best(), plan, black_box(&values), &[0.0], scratch, &mut out);
        times.push(start.elapsed().as_nanos() as f64 / 1e3);
        assert_eq!(out[0].to_bits(), case.expected[row].to_bits(), "row {row}");
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "one row at a time: p50 {:.1} µs, p99 {:.1} µs, p99.9 {:.1} µs",
        at(0.5),
        at(0.99),
        at(0.999)
    );
}

/// The time that contributions of one row take, exact and fast.
fn reasons(case: &Case) {
    let trees = case.trees.clone();
    // Every leaf counts as one; a node as many as lie below it, children last.
    let mut covers = Covers { node: vec![0.0; trees.feature.len()], ..Covers::default() };
    covers.leaf = vec![1.0; trees.leaf.len()];
    for tree in 0..trees.len() {
        let first = trees.nodes_of(tree).start;
        for node in trees.nodes_of(tree).rev() {
            let below = |child: Child| child.get().map_or(1.0, |node| covers.node[first + node]);
            covers.node[node] = below(trees.left[node]) + below(trees.right[node]);
        }
    }
    let parts =
        ForestParts { trees, covers, initial: vec![0.0], divisor: 1.0, link: Link::Identity };
    let forest = Forest::new(parts).expect("a forest");
    let mut out = vec![0.0; case.columns.len() + 1];
    for (method, rows) in [(Method::Exact, 20), (Method::Fast, 1000)] {
        let mut best = f64::INFINITY;
        for _ in 0..3 {
            let start = Instant::now();
            for row in 0..rows {
                let values: Vec<f64> = case.columns.iter().map(|column| column[row]).collect();
                of_forest(&forest, black_box(&values), method, &mut out);
                let sum: f64 = out.iter().sum();
                assert!((sum - case.expected[row]).abs() < 1e-6 * case.expected[row].abs());
            }
            best = best.min(start.elapsed().as_secs_f64() / rows as f64);
        }
        println!("reasons of one row, {method:?}: {:.1} µs", best * 1e6);
    }
}

fn check(out: &[f64], expected: &[f64]) {
    for (row, (ours, theirs)) in out.iter().zip(expected).enumerate() {
        assert_eq!(ours.to_bits(), theirs.to_bits(), "row {row}: {ours:e}, not {theirs:e}");
    }
}

fn from_folder(folder: &Path) -> Case {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let numbers = |name: &str| -> Vec<f64> {
        let bytes = read(name);
        bytes.as_chunks::<8>().0.iter().map(|eight| f64::from_le_bytes(*eight)).collect()
    };
    let model = Model::load(&read("model.txt")).expect("a model");
    let Estimator::Forest(forest) = model.estimator() else { panic!("no forest") };
    let expected = numbers("scores.f64");
    let columns = numbers("rows.f64").chunks_exact(expected.len()).map(<[f64]>::to_vec).collect();
    Case { trees: forest.trees().clone(), columns, expected }
}

/// A forest whose trees grow at random leaves, as LightGBM's do at the best ones.
fn random_case() -> Case {
    let mut state = 1_u64;
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut trees = Trees::new(FEATURES, 1);
    for _ in 0..TREES {
        let first = trees.feature.len();
        let mut places: Vec<Option<(usize, bool)>> = vec![None];
        for node in 0..LEAVES - 1 {
            let split = next() as usize % places.len();
            trees.feature.push((next() % FEATURES as u64) as u32);
            trees.threshold.push((next() % 255) as f64 / 255.0);
            trees.rule.push(Rule::Numeric { missing: Missing::Nan, default_left: true });
            trees.left.push(Child::leaf(split as u32));
            trees.right.push(Child::leaf(places.len() as u32));
            if let Some((parent, is_left)) = places[split] {
                let side = if is_left { &mut trees.left } else { &mut trees.right };
                side[first + parent] = Child::node(node as u32);
            }
            places[split] = Some((node, true));
            places.push(Some((node, false)));
        }
        for _ in 0..LEAVES {
            trees.leaf.push(next() as f64 / (1_u64 << 31) as f64);
        }
        trees.end_tree(0);
    }
    let rows = 10_000;
    let columns: Vec<Vec<f64>> = (0..FEATURES)
        .map(|_| (0..rows).map(|_| next() as f64 / (1_u64 << 31) as f64).collect())
        .collect();
    let mut expected = vec![0.0; rows];
    for (row, expected) in expected.iter_mut().enumerate() {
        let values: Vec<f64> = columns.iter().map(|column| column[row]).collect();
        scalar::score_row(&trees, &values, &[0.0], std::slice::from_mut(expected));
    }
    Case { trees, columns, expected }
}
