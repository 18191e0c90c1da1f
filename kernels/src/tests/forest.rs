//! Scores: `score_forest` and `score_halves`. Their trees of random shapes are their own
//! (`score_forest/tests.rs`, `score_halves/tests.rs`).

use proptest::prelude::*;

use super::inputs::{bits, column};
use super::{Answer, suite};
use crate::score_forest::tests::{Shape, columns, forest, shapes};
use crate::score_forest::{Plan, Scratch, scalar, score_columns};
use crate::score_halves::scalar::mass;
use crate::score_halves::tests::{Choice, choices, tree};
use crate::score_halves::{BLOCK_ROWS, Block, add_masses};
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

/// A tree, and rows of three columns.
fn choices_of_rows(rows: usize) -> BoxedStrategy<(Vec<Choice>, Vec<Vec<f64>>)> {
    let columns = proptest::collection::vec(column(rows), 3);
    (choices(), columns).boxed()
}

fn summed((choices, columns): &(Vec<Choice>, Vec<Vec<f64>>)) -> Answer {
    let (nodes, masses) = tree(choices, 3);
    let mut room = vec![[0.0; BLOCK_ROWS]; nodes.len()];
    let mut out = Vec::new();
    for from in (0..columns[0].len()).step_by(BLOCK_ROWS) {
        let rows = (columns[0].len() - from).min(BLOCK_ROWS);
        let mut blocks = [[0.0; BLOCK_ROWS]; 3];
        for (block, column) in blocks.iter_mut().zip(columns) {
            block[..rows].copy_from_slice(&column[from..from + rows]);
        }
        let mut sums: Block = [0.5; BLOCK_ROWS];
        add_masses(&nodes, &masses, 3, &blocks, &mut room, &mut sums);
        out.extend_from_slice(&sums[..rows]);
    }
    bits(&out)
}

fn walked_masses((choices, columns): &(Vec<Choice>, Vec<Vec<f64>>)) -> Answer {
    let (nodes, masses) = tree(choices, 0);
    let each = (0..columns[0].len()).map(|row| {
        let values: Vec<f64> = columns.iter().map(|column| column[row]).collect();
        0.5 + mass(&nodes, &masses, 0, &values)
    });
    bits(&each.collect::<Vec<_>>())
}

suite! {
    score_halves {
        trees: choices_of_rows => summed, walked_masses;
    }
}
