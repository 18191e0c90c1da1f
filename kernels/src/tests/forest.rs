//! Scores: `score_cuts`, `score_forest`, `score_nearest`, `score_halves`. Trees of random shapes are their own
//! (`score_forest/tests.rs`, `score_halves/tests.rs`).

use proptest::prelude::*;

use super::inputs::{bits, column};
use super::{Answer, suite};
use crate::score_cuts::{CutTree, Turn, take_turns_of_4, take_turns_of_8};
use crate::score_forest::tests::{Shape, columns, forest, shapes};
use crate::score_forest::{Plan, Scratch, scalar, score_columns};
use crate::score_halves::scalar::{code, mass, part as scalar_part};
use crate::score_halves::tests::{Choice, choices, range, tree, word};
use crate::score_halves::{
    BLOCK_ROWS, Block, Ends, Range, WORD_ROWS, add_masses, codes, part, selections,
};
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

/// A tree, ranges and rows of three columns.
type Halves = (Vec<Choice>, Vec<(f64, f64)>, Vec<Vec<f64>>);

fn halves(rows: usize) -> BoxedStrategy<Halves> {
    let columns = proptest::collection::vec(column(rows), 3);
    (choices(), proptest::collection::vec(range(), 3), columns).boxed()
}

fn summed((choices, ranges, columns): &Halves) -> Answer {
    let (nodes, masses) = tree(choices);
    let ranges: Vec<Range> = ranges.iter().map(|range| Range::new(range.0, range.1)).collect();
    let (selections, mut room) = (selections(&nodes), Ends::of_leaves(masses.len()));
    let mut out = Vec::new();
    for from in (0..columns[0].len()).step_by(BLOCK_ROWS) {
        let rows = (columns[0].len() - from).min(BLOCK_ROWS);
        let mut blocks = [[0.0; BLOCK_ROWS]; 3];
        for (block, column) in blocks.iter_mut().zip(columns) {
            block[..rows].copy_from_slice(&column[from..from + rows]);
        }
        let mut coded = [0; 3 * BLOCK_ROWS];
        codes(&blocks, &ranges, BLOCK_ROWS, &mut coded);
        let mut sums: Block = [0.5; BLOCK_ROWS];
        add_masses(&selections, &masses, &coded, BLOCK_ROWS, &mut room, &mut sums);
        out.extend_from_slice(&sums[..rows]);
    }
    bits(&out)
}

fn walked_masses((choices, ranges, columns): &Halves) -> Answer {
    let (nodes, masses) = tree(choices);
    let each = (0..columns[0].len()).map(|row| {
        let code = |at: usize| code(columns[at][row], ranges[at].0, ranges[at].1);
        0.5 + mass(&nodes, &masses, code)
    });
    bits(&each.collect::<Vec<_>>())
}

/// A set of rows with their codes, and a bound.
type Set = (Vec<(Vec<i16>, u64)>, i16);

fn set(rows: usize) -> BoxedStrategy<Set> {
    let words = proptest::collection::vec((word(), any::<u64>()), rows.div_ceil(WORD_ROWS));
    (words, 0..=i16::MAX).boxed()
}

fn parted((words, bound): &Set, by_definition: bool) -> Answer {
    let codes: Vec<i16> = words.iter().flat_map(|word| word.0.clone()).collect();
    let own: Vec<u64> = words.iter().map(|word| word.1).collect();
    let (mut lower, mut upper) = (vec![1; own.len()], vec![1; own.len()]);
    let count = match by_definition {
        true => {
            let count;
            (lower, upper, count) = scalar_part(&codes, *bound, &own);
            count
        }
        false => part(level(), &codes, *bound, &own, (&mut lower, &mut upper)),
    };
    lower.into_iter().chain(upper).chain([count as u64]).collect()
}

suite! {
    score_halves {
        trees: halves => summed, walked_masses;
        sets: set => |input| parted(input, false), |input| parted(input, true);
    }
}

/// Points of eight values (or twice as many of four), a seed, and how many a tree holds.
fn points(rows: usize) -> BoxedStrategy<(Vec<f32>, u64, usize)> {
    let value = prop_oneof![3 => -3_i16..4, 1 => -1_000..1_000_i16];
    let values = proptest::collection::vec(value, 8 * rows);
    (values, any::<u64>(), 1..40_usize, 0.001..10.0_f32)
        .prop_map(|(values, seed, held, scale)| {
            (values.iter().map(|value| f32::from(*value) * scale).collect(), seed, held)
        })
        .boxed()
}

type Cuts<const W: usize> = fn(&mut CutTree<W>, Option<&CutTree<W>>, &[f32], &[Turn], &mut [f64]);

fn cut<const W: usize>((points, seed, held): &(Vec<f32>, u64, usize), take: Cuts<W>) -> Answer {
    let slots = points.len() / W;
    let mut tree = CutTree::new(slots, *seed);
    let turn = |slot: usize| Turn { slot, leaves: slot.checked_sub(*held), told: slot % 7 == 6 };
    let turns: Vec<Turn> = (0..slots).map(turn).collect();
    let mut sums = vec![0.25; slots];
    let next = tree.clone();
    take(&mut tree, Some(&next), points, &turns, &mut sums);
    let held = (0..slots).flat_map(|slot| tree.path(slot));
    let boxes = held.flat_map(|(count, values)| {
        let bits = values.into_iter().map(|value| u64::from(value.to_bits()));
        bits.chain([u64::from(count)])
    });
    boxes.chain(bits(&sums)).collect()
}

suite! {
    score_cuts {
        of_4: points => |input| cut(input, take_turns_of_4);
        of_8: points => |input| cut(input, take_turns_of_8);
    }
}
