//! Scores: `score_forest`, `score_nearest`. Its forests of random shapes are its own (`score_forest/tests.rs`).

use proptest::prelude::*;

use super::inputs::{bits, column};
use super::{Answer, suite};
use crate::score_forest::tests::{Shape, columns, forest, shapes};
use crate::score_forest::{Plan, Scratch, scalar, score_columns};
use crate::score_nearest::{NONE, References, nearest};
use crate::simd::level;

fn rows_of_shape(rows: usize) -> BoxedStrategy<(Shape, usize)> {
    (shapes(), Just(rows)).boxed()
}

fn scored((shape, rows): &(Shape, usize)) -> Answer {
    let trees = forest(shape);
    let plan = Plan::new(&trees).expect("a sound forest");
    let columns = columns(shape, *rows);
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let mut out = vec![f64::NAN; rows * trees.outputs];
    let initial = vec![0.25; trees.outputs];
    score_columns(level(), &plan, &slices, &initial, &mut Scratch::new(&plan), &mut out);
    bits(&out)
}

fn walked((shape, rows): &(Shape, usize)) -> Answer {
    let trees = forest(shape);
    let columns = columns(shape, *rows);
    let (initial, mut one) = (vec![0.25; trees.outputs], vec![0.0; trees.outputs]);
    let mut out = vec![0.0; rows * trees.outputs];
    for row in 0..*rows {
        let values: Vec<f64> = columns.iter().map(|column| column[row]).collect();
        scalar::score_row(&trees, &values, &initial, &mut one);
        for (output, sum) in one.iter().enumerate() {
            out[output * rows + row] = *sum;
        }
    }
    bits(&out)
}

suite! {
    score_forest {
        forests: rows_of_shape => scored, walked;
    }
}

/// References in columns, their number, queries, k.
pub(super) type Near = (Vec<f64>, usize, Vec<f64>, usize);

/// Some values near each other, some on a grid (so that distances are equal), some wild.
pub(super) fn near(rows: usize) -> BoxedStrategy<Near> {
    let sizes = (1..7_usize, 1..6_usize, 0..9_usize, 0..4_usize, any::<u64>());
    (sizes, column::<f64>(7 * (rows + 6)))
        .prop_map(move |((width, queries, k, kind, seed), wild)| {
            let value = |i: usize| {
                let word = crate::shard_hash::fold(seed, i as u64);
                match kind {
                    0 => wild[i],
                    1 => (word % 5) as f64,
                    2 => 1e6 + (word >> 40) as f64 * 1e-7,
                    _ => (word >> 11) as f64 / 9e15 - 0.5,
                }
            };
            let columns = (0..width * rows).map(value).collect();
            // Without references there are no columns, and so no queries.
            let queries = if rows == 0 { 0 } else { queries };
            let all = (width * rows..width * (rows + queries)).map(value).collect();
            (columns, rows, all, if queries == 0 { 0 } else { k })
        })
        .boxed()
}

pub(super) fn nearest_answer(distances: &[f64], rows: &[u32]) -> Answer {
    // A row that is none has no distance.
    distances.iter().zip(rows).flat_map(|(d, r)| [d.to_bits(), u64::from(*r)]).collect()
}

pub(super) fn nearest_at(level: crate::simd::Level, (columns, count, queries, k): &Near) -> Answer {
    let references = References::new(columns, *count);
    let len = queries.len().checked_div(references.width()).unwrap_or(0) * k;
    let (mut distances, mut rows) = (vec![0.5; len], vec![NONE - 1; len]);
    nearest(level, references, queries, &mut distances, &mut rows);
    nearest_answer(&distances, &rows)
}

suite! {
    score_nearest {
        rows: near => |input| nearest_at(level(), input);
    }
}
