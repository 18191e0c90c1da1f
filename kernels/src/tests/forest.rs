//! Scores: `score_forest`. Its forests of random shapes are its own (`score_forest/tests.rs`).

use proptest::prelude::*;

use super::inputs::bits;
use super::{Answer, suite};
use crate::score_forest::tests::{Shape, columns, forest, shapes};
use crate::score_forest::{Plan, Scratch, scalar, score_columns};
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
