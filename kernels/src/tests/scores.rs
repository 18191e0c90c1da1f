//! Scores and counts that a GPU computes too: `score_isolation`, `score_network`, `score_products`,
//! `score_profile`, `window_histogram`. The inputs are `gpu_scores.rs`'s as well.

use proptest::collection::vec;
use proptest::prelude::*;

use super::inputs::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::{Answer, same, suite};
use crate::score_isolation::scalar::level_sum;
use crate::score_isolation::{Forest, Node, Ready, level_sums};
use crate::score_network::{Activation, Layer, Network, score_columns};
use crate::score_products::{Best, NONE, Rows, best};
use crate::score_profile::scalar::correlation;
use crate::score_profile::{NONE as NO_WINDOW, Profile, Series, profile};
use crate::simd::{Level, level};
use crate::window_histogram::{Counted, Edges, Rows as RowsToCount, count};

/// A sequence of random words (G. Steele, D. Lea, S. Flood, SplitMix, OOPSLA 2014).
pub(super) fn words_of(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

/// A number from −1 to 1.
pub(super) fn unit(word: u64) -> f64 {
    (word >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A forest, and a column of rows for each of its columns.
pub(super) type Isolated = (Forest, Vec<Vec<f64>>);

pub(super) fn isolation_forest(seed: u64, columns: usize, trees: usize, nodes: usize) -> Forest {
    let (mut next, mut forest) = (words_of(seed), Forest::new(columns));
    for _ in 0..trees {
        let mut tree = vec![Node::end(unit(next()).abs() * 12.0)];
        let mut at = 0;
        while at < tree.len() {
            if tree.len() + 1 < nodes && next() % 4 != 0 {
                let edge = f64::EDGES[next() as usize % f64::EDGES.len()];
                let value = if next() % 4 == 0 && !edge.is_nan() { edge } else { unit(next()) };
                let (column, child) = ((next() % columns as u64) as u32, tree.len() as u32);
                tree[at] = Node { value, column, child, nan_up: next() % 2 == 0 };
                tree.extend([0, 1].map(|_| Node::end(unit(next()).abs() * 12.0)));
            }
            at += 1;
        }
        forest.push(&tree).expect("a tree");
    }
    forest
}

pub(super) fn isolated(rows: usize) -> BoxedStrategy<Isolated> {
    (any::<u64>(), 1..40_usize, 0..7_usize, 1..80_usize)
        .prop_flat_map(move |(seed, columns, trees, nodes)| {
            let forest = isolation_forest(seed, columns, trees, nodes);
            let values = prop_oneof![vec(-1.0..1.0_f64, rows), column::<f64>(rows)];
            (Just(forest), vec(values, columns))
        })
        .boxed()
}

pub(super) fn levels((forest, columns): &Isolated) -> Answer {
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let mut sums = vec![7; columns[0].len()];
    level_sums(forest, &slices, &mut sums);
    sums
}

/// By the forest that is made ready.
fn levels_ready((forest, columns): &Isolated) -> Answer {
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let mut sums = vec![7; columns[0].len()];
    Ready::new(forest).level_sums(level(), &slices, &mut sums);
    sums
}

fn levels_one_by_one((forest, columns): &Isolated) -> Answer {
    let rows = 0..columns[0].len();
    let row = |at: usize| columns.iter().map(|column| column[at]).collect::<Vec<_>>();
    rows.map(|at| level_sum(forest, &row(at))).collect()
}

suite! {
    score_isolation {
        level_sums: isolated => levels, levels_one_by_one;
        ready: isolated => levels_ready, levels_one_by_one;
    }
}

/// A network and its columns.
pub(super) type Wired = (Network, Vec<Vec<f64>>);

pub(super) fn network(seed: u64, widths: &[usize], size: f64) -> Network {
    let mut next = words_of(seed);
    let mut number = |size: f64| unit(next()) * size;
    let layers = widths.windows(2).map(|pair| Layer {
        weights: (0..pair[1]).map(|_| (0..pair[0]).map(|_| number(size)).collect()).collect(),
        bias: (0..pair[1]).map(|_| number(1.0)).collect(),
        activation: [
            Activation::Identity,
            Activation::Relu,
            Activation::Tanh,
            Activation::Logistic,
        ][(seed as usize + pair[0]) % 4],
    });
    Network::new(layers.collect()).expect("a network")
}

pub(super) fn wired(rows: usize) -> BoxedStrategy<Wired> {
    let size = prop_oneof![Just(0.3), Just(3.0), Just(0.0)];
    (any::<u64>(), vec(1..40_usize, 2..5), size)
        .prop_flat_map(move |(seed, widths, size)| {
            let tame = || vec(-3.0..3.0_f64, rows);
            let values = prop_oneof![4 => tame(), 1 => column::<f64>(rows)];
            (Just(network(seed, &widths, size)), vec(values, widths[0]))
        })
        .boxed()
}

pub(super) fn outputs((network, columns): &Wired) -> Vec<f64> {
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let mut out = vec![7.0; columns[0].len() * network.outputs()];
    score_columns(level(), network, &slices, &mut out);
    out
}

fn outputs_one_by_one((network, columns): &Wired) -> Answer {
    let rows = columns[0].len();
    let mut out = vec![0.0; rows * network.outputs()];
    for row in 0..rows {
        let mut values: Vec<f64> = columns.iter().map(|column| column[row]).collect();
        for layer in network.layers() {
            let unit = |unit: usize| {
                let products = layer.weights[unit].iter().zip(&values).map(|(w, x)| w * x);
                let sum = products.fold(0.0, |sum, product| sum + product) + layer.bias[unit];
                match layer.activation {
                    Activation::Identity => sum,
                    Activation::Relu if sum < 0.0 => 0.0,
                    Activation::Relu => sum,
                    Activation::Tanh => libm::tanh(sum),
                    Activation::Logistic => 1.0 / (1.0 + libm::exp(-sum)),
                }
            };
            values = (0..layer.bias.len()).map(unit).collect();
        }
        values.iter().enumerate().for_each(|(output, x)| out[output * rows + row] = *x);
    }
    numbers(&out)
}

suite! {
    score_network {
        score_columns: wired => |input| numbers(&outputs(input)), outputs_one_by_one;
    }
}

/// Items and queries to be multiplied.
#[derive(Debug, Clone)]
pub(super) struct Compared {
    pub dimensions: usize,
    pub items: Vec<f32>,
    pub queries: Vec<f32>,
    pub k: usize,
}

impl Compared {
    pub(super) fn rows<'a>(&self, values: &'a [f32]) -> Rows<'a> {
        Rows { dimensions: self.dimensions, values }
    }
}

pub(super) fn compared(items: usize) -> BoxedStrategy<Compared> {
    (prop_oneof![1..9_usize, 60..70_usize], 0..80_usize, 0..17_usize)
        .prop_flat_map(move |(dimensions, queries, k)| {
            // Many alike, so that there are ties; few odd ones.
            let near = || (-4..4_i8).prop_map(|x| f32::from(x) * 0.5);
            let odd = column::<f32>(items * dimensions);
            let far = || (-1.0..1.0_f32).prop_map(|x| x * 100.0 + 7.0);
            let values = |n: usize| prop_oneof![vec(near(), n), vec(far(), n)];
            let items = prop_oneof![
                6 => values(items * dimensions).boxed(),
                1 => (odd, values(items * dimensions), any::<u64>()).prop_map(mixed).boxed(),
            ];
            (items, values(queries * dimensions), any::<bool>()).prop_map(
                move |(items, mut queries, breaks)| {
                    if breaks && let Some(last) = queries.last_mut() {
                        *last = f32::NAN;
                    }
                    Compared { dimensions, items, queries, k }
                },
            )
        })
        .boxed()
}

/// One in sixteen of the odd ones.
fn mixed((odd, mut values, seed): (Vec<f32>, Vec<f32>, u64)) -> Vec<f32> {
    let mut next = words_of(seed);
    let some = values.iter_mut().zip(odd).filter(|_| next().is_multiple_of(16));
    some.for_each(|(x, odd)| *x = odd);
    values
}

pub(super) fn best_answer(best: &Best) -> Answer {
    let mut answer: Answer = best.items.iter().map(|n| u64::from(*n)).collect();
    answer.extend(numbers(&best.products));
    answer
}

pub(super) fn best_items(input: &Compared) -> Answer {
    let (items, queries) = (input.rows(&input.items), input.rows(&input.queries));
    best_answer(&best(level(), items, queries, input.k))
}

/// All items, sorted.
fn all_sorted(input: &Compared) -> Answer {
    let mut out = Best::new(input.queries.len() / input.dimensions, input.k);
    for (at, query) in input.queries.chunks(input.dimensions).enumerate() {
        let product = |item: &[f32]| {
            let pairs = item.iter().zip(query).map(|(p, q)| f64::from(*p) * f64::from(*q));
            pairs.fold(0.0, |sum, product| sum + product)
        };
        let mut all: Vec<(f64, usize)> =
            input.items.chunks(input.dimensions).map(product).zip(0..).collect();
        all.retain(|(product, _)| !product.is_nan());
        all.sort_by(|a, b| (-a.0, a.1).partial_cmp(&(-b.0, b.1)).expect("no NaN"));
        for (slot, (product, number)) in all.into_iter().take(input.k).enumerate() {
            out.items[at * input.k + slot] = number as u32;
            out.products[at * input.k + slot] = product;
        }
    }
    best_answer(&out)
}

suite! {
    score_products {
        best: compared => best_items, all_sorted;
    }
}

/// Values, the length of windows, and the exclusion.
pub(super) type Recorded = (Vec<f64>, usize, usize);

/// At most 200 values: all pairs of windows are compared, again and again.
fn few_recorded(rows: usize) -> BoxedStrategy<Recorded> {
    recorded(rows.min(200))
}

pub(super) fn recorded(rows: usize) -> BoxedStrategy<Recorded> {
    (any::<u64>(), 0..5_u8, 2..40_usize, 0..20_usize, column::<f64>(rows))
        .prop_map(move |(seed, kind, length, exclusion, odd)| {
            let (mut next, mut level) = (words_of(seed), 0.0);
            let mut value = |at: usize| {
                let noise = unit(next());
                level += noise;
                match kind {
                    0 => noise,
                    1 => level,
                    // A shape that comes again.
                    2 => ((at * at) % 61) as f64 + 0.1 * noise,
                    // A few missing values, and flat parts.
                    3 if at.is_multiple_of(97) => odd[at],
                    3 => {
                        if at % 200 < 60 {
                            3.0
                        } else {
                            noise
                        }
                    }
                    // Spikes, and a level far away.
                    _ => 50.0 + noise + if at.is_multiple_of(83) { 40.0 } else { 0.0 },
                }
            };
            ((0..rows).map(&mut value).collect(), length, exclusion)
        })
        .boxed()
}

pub(super) fn series((values, length, exclusion): &Recorded) -> Series {
    Series::new(values, *length, *exclusion).expect("a series")
}

fn profile_answer(profile: &Profile) -> Answer {
    let mut answer: Answer = profile.nearest.iter().map(|n| u64::from(*n)).collect();
    answer.extend(numbers(&profile.distances));
    answer
}

/// All pairs, the best kept.
fn all_pairs(input: &Recorded) -> Answer {
    let series = series(input);
    let mut profile = Profile::default();
    for i in 0..series.windows() {
        let compared = (0..series.windows()).filter(|j| series.are_compared(i, *j));
        let correlations = compared.map(|j| (correlation(&series, i, j), j));
        let best = correlations.reduce(|a, b| if b.0 > a.0 { b } else { a });
        profile.nearest.push(best.map_or(NO_WINDOW, |(_, j)| j as u32));
        profile.distances.push(best.map_or(f64::INFINITY, |(rho, _)| series.distance(rho)));
    }
    profile_answer(&profile)
}

suite! {
    score_profile {
        profile: few_recorded => |input| profile_answer(&profile(level(), &series(input))),
            all_pairs;
    }
}

/// Ids, validity, values, edges, groups.
#[derive(Debug, Clone)]
pub(super) struct Binned<T> {
    pub ids: Option<Vec<u32>>,
    pub valid: Option<Vec<u64>>,
    pub values: Vec<T>,
    pub edges: Vec<T>,
    pub groups: usize,
}

impl<T> Binned<T> {
    pub(super) fn rows(&self) -> RowsToCount<'_, T> {
        let (ids, valid) = (self.ids.as_deref(), self.valid.as_deref());
        RowsToCount { ids, valid, values: &self.values }
    }
}

pub(super) fn binned<T: Element>(rows: usize) -> BoxedStrategy<Binned<T>> {
    let groups = prop_oneof![Just(1), 2..6_usize, Just(700)];
    let edges = prop_oneof![0..3_usize, 5..30_usize].prop_flat_map(column::<T>);
    let groups_and_ids = (groups, any::<bool>()).prop_flat_map(move |(groups, keyed)| {
        let ids = vec(0..groups as u32 + 2, rows).prop_map(move |ids| keyed.then_some(ids));
        (Just(groups), ids)
    });
    (groups_and_ids, proptest::option::of(mask(rows)), column::<T>(rows), edges)
        .prop_map(|((groups, ids), valid, values, mut edges)| {
            // Values at edges.
            edges.extend(values.iter().take(4));
            Binned { ids, valid, values, edges, groups }
        })
        .boxed()
}

pub(super) fn counted<T: Element + Counted>(input: &Binned<T>) -> Answer {
    let edges = Edges::new(input.edges.iter().copied());
    let mut counts = vec![0; input.groups * edges.slots()];
    count(&edges, input.rows(), &mut counts);
    counts
}

/// Edge by edge; `is_above` says whether the first is above the second.
fn each_edge<T: Element>(input: &Binned<T>, is_above: impl Fn(T, T) -> bool) -> Answer {
    let slots = input.edges.len() + 1;
    let mut counts = vec![0; input.groups * slots];
    for (row, value) in input.values.iter().enumerate() {
        let id = input.ids.as_ref().map_or(0, |ids| ids[row] as usize);
        let is_null = input.valid.as_ref().is_some_and(|v| v[row / 64] >> (row % 64) & 1 == 0);
        if id < input.groups && !is_null {
            let slot = input.edges.iter().filter(|edge| !is_above(**edge, *value)).count();
            counts[id * slots + slot] += 1;
        }
    }
    counts
}

suite! {
    window_histogram {
        f64: binned::<f64> => counted,
            |input| each_edge(input, |edge, x| if edge.is_nan() { !x.is_nan() } else { edge > x });
        i64: binned::<i64> => counted, |input| each_edge(input, |edge, x| edge > x);
    }
}

#[test]
fn none_stands_for_no_item_and_no_window() {
    let items = Rows { dimensions: 2, values: &[0.0, f32::NAN, 1.0, 1.0] };
    assert_eq!(best(level(), items, items, 2).items, [NONE, NONE, 1, NONE]);
    let found = profile(level(), &Series::new(&[1.0, 2.0, 3.0], 3, 1).expect("a series"));
    assert_eq!(found.nearest, [NO_WINDOW]);
    assert_eq!(found.distances, [f64::INFINITY]);
}

/// Covariances are carried over several blocks of rows, and over strips that end in between.
#[test]
fn profiles_of_several_blocks_are_the_definitions() {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    for rows in [300, 300, 610, 610, 700, 700] {
        let input = recorded(rows).new_tree(&mut runner).expect("an input").current();
        let wanted = all_pairs(&input);
        for level in Level::available() {
            let found = profile(level, &series(&input));
            same(&profile_answer(&found), &wanted, &level.to_string(), &input);
        }
    }
}

/// A beat that comes again and again: many windows are equally near, and the first is the answer.
#[test]
fn profiles_of_a_beat_are_the_definitions() {
    let values: Vec<f64> = (0..600).map(|at| f64::from(at % 24 * (at % 24))).collect();
    let input = (values, 30, 8);
    let found = profile(Level::best(), &series(&input));
    same(&profile_answer(&found), &all_pairs(&input), "best", &"a beat");
}

#[test]
fn forests_of_finite_cuts_are_made_ready() {
    let words = |at: u32| f64::from(at % 17) / 17.0;
    let mut forest = Forest::new(3);
    for tree in 0..20 {
        let mut nodes = vec![Node::end(0.0)];
        for at in 0..40 {
            let child = nodes.len() as u32;
            let column = (tree + at) % 3;
            nodes[at as usize] = Node { value: words(7 * at + tree), column, child, nan_up: true };
            nodes.extend([Node::end(words(at) * 9.0), Node::end(3.25)]);
        }
        forest.push(&nodes).expect("a tree");
    }
    let ready = Ready::new(&forest);
    assert!(ready.is_fast());
    let columns: Vec<Vec<f64>> =
        (0..3).map(|f| (0..777).map(|row| words(row * 5 + f * row)).collect()).collect();
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let mut sums = vec![0; 777];
    for level in Level::available() {
        ready.level_sums(level, &slices, &mut sums);
        same(&sums, &levels(&(forest.clone(), columns.clone())), &level.to_string(), &"");
    }
    forest
        .push(&[
            Node { value: f64::INFINITY, column: 0, child: 1, nan_up: true },
            Node::end(1.0),
            Node::end(2.0),
        ])
        .expect("a tree");
    assert!(!Ready::new(&forest).is_fast());
    assert!(!Ready::new(&Forest::new(3)).is_fast());
}
