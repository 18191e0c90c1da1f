//! The suite on a GPU: every pass, for every type and number of rows, in every variant that the
//! device can run, against the scalar code.
//!
//! A case names the flags that its passes ask about; it is run with each subset of them that the
//! device has, so that one device stands for weaker ones as well.

use std::fmt::Debug;

use pelton_shaders::CATALOGUE;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::forest::{near, nearest_answer, nearest_at};
use super::inputs::*;
use super::{Answer, same};
use crate::columns::words;
use crate::gpu::tests::{CHILD, device, own_device};
use crate::gpu::{Flags, Gpu, Pass};
use crate::score_forest::tests::{Shape, columns as feature_columns, forest, shapes};
use crate::score_nearest::{self, References};
use crate::shard_hash::{KeyInteger, Offset};
use crate::simd::Level;
use crate::window_combine::gpu::{Operation, combine_slices};
use crate::window_reduce::{self as reduce, Total};
use crate::{batch_filter as filter, score_forest, shard_hash, window_combine as combine};

/// Rows of the inputs: around words, workgroups and tiles.
const ROWS: [usize; 11] = [0, 1, 3, 31, 33, 64, 129, 255, 257, 513, 1025];

/// Where another process runs the suite on another device: some of which are slow.
const ROWS_OF_CHILD: [usize; 2] = [33, 257];

/// Random inputs of each number of rows.
const INPUTS: usize = 2;

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Each subset of `flags` that the device has.
pub(super) fn variants(gpu: &Gpu, flags: Flags) -> Vec<Gpu> {
    let usable = gpu.flags().and(flags).consistent();
    let mut variants: Vec<Flags> = usable.subsets();
    variants.dedup();
    variants.into_iter().map(|flags| gpu.limited_to(flags)).collect()
}

/// The answers of every variant are those of the scalar code.
pub(super) fn compare<I: Debug>(
    flags: Flags,
    inputs: impl Fn(usize) -> BoxedStrategy<I>,
    run: impl Fn(&Gpu, &I) -> Answer,
    scalar: impl Fn(&I) -> Answer,
) {
    let Some(gpu) = device() else { return };
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let (sizes, times) = if is_child() { (&ROWS_OF_CHILD[..], 1) } else { (&ROWS[..], INPUTS) };
    for &rows in sizes {
        for _ in 0..times {
            let tree = inputs(rows).new_tree(&mut runner).expect("an input");
            let input = tree.current();
            let wanted = scalar(&input);
            for variant in variants(gpu, flags) {
                let what = format!("{} rows, {}", rows, variant.flags());
                same(&run(&variant, &input), &wanted, &what, &input);
            }
        }
    }
}

macro_rules! gpu_suite {
    ($kernel:ident, $flags:expr, { $($case:ident: $inputs:expr => $run:expr, $scalar:expr;)* }) => {
        mod $kernel {
            use super::*;
            $(
                #[test]
                fn $case() {
                    compare($flags, $inputs, $run, $scalar);
                }
            )*
        }
    };
}
pub(super) use gpu_suite;

fn filtered<T: Element + filter::Value + bytemuck::Pod>(
    gpu: &Gpu,
    (values, mask): &(Vec<T>, Vec<u64>),
) -> Answer {
    let mut out = vec![];
    filter::gpu::batch_filter(gpu, mask, values, &mut out).unwrap();
    // Columns that are filtered together, sometimes more of them than one work holds.
    let columns = if values.len() == 33 { 64 } else { 2 };
    let flight = filter::gpu::submit(gpu, mask, &vec![filter::gpu::Column::of(values); columns]);
    let landed = flight.unwrap().wait().unwrap();
    for column in [0, columns - 1] {
        assert_eq!(bits(&landed.values::<T>(column)), bits(&out), "{} rows", values.len());
    }
    bits(&out)
}

fn filtered_scalar<T: Element + filter::Value>((values, mask): &(Vec<T>, Vec<u64>)) -> Answer {
    let mut out = vec![];
    filter::batch_filter(Level::Scalar, mask, values, &mut out);
    bits(&out)
}

fn two_masks(rows: usize) -> BoxedStrategy<(Vec<u64>, Vec<u64>)> {
    (mask(rows), mask(rows)).boxed()
}

gpu_suite!(batch_filter, Flags::SUBGROUPS, {
    i8: masked::<i8> => filtered, filtered_scalar;
    u16: masked::<u16> => filtered, filtered_scalar;
    f32: masked::<f32> => filtered, filtered_scalar;
    i64: masked::<i64> => filtered, filtered_scalar;
    f64: masked::<f64> => filtered, filtered_scalar;
    i128: masked::<i128> => filtered, filtered_scalar;
    rows: masked::<u32> => |gpu, (first, mask)| {
        let mut out = vec![];
        let first = first.first().copied().unwrap_or(0);
        filter::gpu::filter_rows(gpu, mask, first, &mut out).unwrap();
        bits(&out)
    }, |(first, mask)| {
        let mut out = vec![];
        let first = first.first().copied().unwrap_or(0);
        filter::filter_rows(Level::Scalar, mask, first, &mut out);
        bits(&out)
    };
    bit_columns: two_masks => |gpu, (mask, values)| {
        let (mut out, len) = filter::gpu::filter_bits(gpu, mask, values).unwrap();
        out.push(len as u64);
        out
    }, |(mask, values)| {
        let (mut out, mut len) = (vec![], 0);
        filter::filter_bits(Level::Scalar, mask, values, &mut out, &mut len);
        out.push(len as u64);
        out
    };
});

/// Without nulls, then with the mask as validity.
fn hashed<T: Element + KeyInteger + bytemuck::Pod>(
    gpu: &Gpu,
    (values, valid): &(Vec<T>, Vec<u64>),
) -> Answer {
    let mut hashes: Vec<u64> =
        (0..values.len() as u64).map(|row| shard_hash::fold(shard_hash::SEED, row)).collect();
    shard_hash::gpu::hash_integers(gpu, values, None, &mut hashes).unwrap();
    shard_hash::gpu::hash_integers(gpu, values, Some(valid), &mut hashes).unwrap();
    hashes
}

fn hashed_scalar<T: Element + KeyInteger>((values, valid): &(Vec<T>, Vec<u64>)) -> Answer {
    let mut hashes: Vec<u64> =
        (0..values.len() as u64).map(|row| shard_hash::fold(shard_hash::SEED, row)).collect();
    shard_hash::hash_integers(Level::Scalar, values, None, &mut hashes);
    shard_hash::hash_integers(Level::Scalar, values, Some(valid), &mut hashes);
    hashes
}

/// Offsets and bytes of strings of all lengths, something in front of and behind them.
type Texts = (Vec<i64>, Vec<u8>);

fn texts(rows: usize) -> BoxedStrategy<Texts> {
    let length = prop_oneof![0..9_usize, 0..30_usize, Just(8), Just(16), Just(100)];
    (vec(length, rows), 0..9_usize, 0..9_usize, any::<u64>())
        .prop_map(|(lengths, before, behind, seed)| {
            let mut offsets = vec![before as i64];
            offsets.extend(lengths.iter().scan(before, |end, len| {
                *end += len;
                Some(*end as i64)
            }));
            let total = before + lengths.iter().sum::<usize>() + behind;
            let byte = |i: usize| (shard_hash::fold(seed, i as u64) >> 7) as u8;
            (offsets, (0..total).map(byte).collect())
        })
        .boxed()
}

fn narrow(offsets: &[i64]) -> Vec<i32> {
    offsets.iter().map(|offset| *offset as i32).collect()
}

fn texts_hashed<O: Offset>(gpu: &Gpu, offsets: &[O], bytes: &[u8]) -> Answer {
    filled(offsets.len() - 1, |out| shard_hash::gpu::hash_bytes(gpu, offsets, bytes, out).unwrap())
}

fn texts_scalar((offsets, bytes): &Texts) -> Answer {
    filled(offsets.len() - 1, |out| shard_hash::hash_bytes(Level::Scalar, offsets, bytes, out))
}

gpu_suite!(hashes, Flags::INT64, {
    i8: masked::<i8> => hashed, hashed_scalar;
    u8: masked::<u8> => hashed, hashed_scalar;
    i16: masked::<i16> => hashed, hashed_scalar;
    u16: masked::<u16> => hashed, hashed_scalar;
    i32: masked::<i32> => hashed, hashed_scalar;
    u32: masked::<u32> => hashed, hashed_scalar;
    i64: masked::<i64> => hashed, hashed_scalar;
    u64: masked::<u64> => hashed, hashed_scalar;
    bytes_i32: texts => |gpu, (offsets, bytes)| texts_hashed(gpu, &narrow(offsets), bytes),
        texts_scalar;
    bytes_i64: texts => |gpu, (offsets, bytes)| texts_hashed(gpu, offsets, bytes), texts_scalar;
});

/// Ids, some past the groups; values; groups.
type Grouped = (Vec<u32>, Vec<i64>, usize);

fn grouped(rows: usize) -> BoxedStrategy<Grouped> {
    let groups = prop_oneof![
        1..5_usize,
        Just(1000),
        Just(1024),
        Just(1025),
        Just(4096),
        Just(4097),
        Just(20_000)
    ];
    let near = vec(-9..9_i64, rows).boxed();
    (groups, prop_oneof![column::<i64>(rows), near], any::<bool>())
        .prop_flat_map(move |(groups, values, few)| {
            let reach = if few { groups.min(3) } else { groups + groups / 8 + 1 };
            (vec(0..reach as u32, rows), Just(values), Just(groups))
        })
        .boxed()
}

fn totals_answer(totals: &[Total]) -> Answer {
    totals.iter().flat_map(|t| [t.count, t.sum as u64, (t.sum >> 64) as u64]).collect()
}

/// In two batches, so that the table has to stay.
fn summed(gpu: &Gpu, (ids, values, groups): &Grouped) -> Answer {
    let mut table = reduce::gpu::SumTable::new(gpu, *groups).unwrap();
    let half = ids.len() / 2;
    table.add_slices(gpu, Some(&ids[..half]), &values[..half]).unwrap();
    table.add_slices(gpu, Some(&ids[half..]), &values[half..]).unwrap();
    totals_answer(&table.read(gpu).unwrap())
}

fn summed_scalar((ids, values, groups): &Grouped) -> Answer {
    let mut totals = vec![Total::default(); *groups];
    reduce::sum_by_group(ids, values, &mut totals);
    totals_answer(&totals)
}

fn least_of(gpu: &Gpu, (ids, values, groups): &Grouped) -> Answer {
    let both = [0, -1].map(|flip| {
        let mut table = reduce::gpu::LeastTable::new(gpu, *groups, flip).unwrap();
        let half = ids.len() / 2;
        table.see_slices(gpu, Some(&ids[..half]), &values[..half]).unwrap();
        table.see_slices(gpu, Some(&ids[half..]), &values[half..]).unwrap();
        bits(&table.read(gpu).unwrap())
    });
    both.concat()
}

fn least_scalar((ids, values, groups): &Grouped) -> Answer {
    let both = [0, -1].map(|flip| {
        let mut least = vec![i64::MAX; *groups];
        reduce::least_by_group(ids, values, flip, &mut least);
        bits(&least)
    });
    both.concat()
}

/// Rows of each group in order, by a counting sort, and values.
type Ordered = (Vec<u32>, Vec<u32>, Vec<f64>);

fn ordered(rows: usize) -> BoxedStrategy<Ordered> {
    (vec(0..40_u32, rows), column::<f64>(rows), any::<bool>())
        .prop_map(|(ids, mut values, tame)| {
            if tame {
                // Infinities and NaN hide everything behind them.
                values.iter_mut().for_each(|v| *v = if v.abs() < 1e300 { *v } else { 0.1 });
            }
            let mut order: Vec<u32> = (0..ids.len() as u32).collect();
            order.sort_by_key(|row| ids[*row as usize]);
            let starts = (0..=40)
                .map(|group| order.partition_point(|row| ids[*row as usize] < group) as u32);
            (starts.collect(), order, values)
        })
        .boxed()
}

gpu_suite!(window_reduce, Flags::INT64 | Flags::ATOMIC64 | Flags::FLOAT64, {
    sum: column::<i64> => |gpu, values| {
        let sum = reduce::gpu::sum_i64(gpu, values).unwrap();
        vec![sum as u64, (sum >> 64) as u64]
    }, |values| {
        let sum = reduce::sum_i64(Level::Scalar, values);
        vec![sum as u64, (sum >> 64) as u64]
    };
    least: column::<i64> => |gpu, values| {
        let of = |flip| reduce::gpu::least(gpu, values, flip, 5).unwrap() as u64;
        vec![of(0), of(-1)]
    }, |values| {
        [0, -1].map(|flip| reduce::least_i64(Level::Scalar, values, flip, 5) as u64).to_vec()
    };
    sum_by_group: grouped => summed, summed_scalar;
    least_by_group: grouped => least_of, least_scalar;
    sum_in_order: ordered => |gpu, (starts, rows, values)| {
        let mut sums = vec![-0.0; 40];
        reduce::gpu::sum_in_order(gpu, starts, rows, values, &mut sums).unwrap();
        numbers(&sums)
    }, |(starts, rows, values)| {
        let mut sums = vec![-0.0; 40];
        reduce::sum_in_order(starts, rows, values, &mut sums);
        numbers(&sums)
    };
});

fn combined<T: Element + bytemuck::Pod>(
    gpu: &Gpu,
    operation: Operation,
    (to, from, _): &Columns<T>,
) -> Vec<T> {
    let mut to = to.clone();
    combine_slices(gpu, operation, &mut to, from).unwrap();
    to
}

fn combined_scalar<T: Element>(
    with: impl Fn(Level, &mut [T], &[T]),
    (to, from, _): &Columns<T>,
) -> Vec<T> {
    let mut to = to.clone();
    with(Level::Scalar, &mut to, from);
    to
}

/// Floats whose exponents lie near each other, of either sign: sums that cancel and round.
fn near_floats(rows: usize) -> BoxedStrategy<Columns<f64>> {
    let one = || {
        (any::<u64>(), 1000..1070_u64)
            .prop_map(|(bits, e)| f64::from_bits(bits & 0x800f_ffff_ffff_ffff | e << 52))
    };
    (vec(one(), rows), vec(one(), rows), Just(vec![])).boxed()
}

gpu_suite!(window_combine, Flags::INT64 | Flags::FLOAT64, {
    add: columns::<u64> => |gpu, c| combined(gpu, Operation::AddU64, c),
        |c| combined_scalar(combine::add_u64, c);
    subtract: columns::<u64> => |gpu, c| combined(gpu, Operation::SubtractU64, c),
        |c| combined_scalar(combine::subtract_u64, c);
    least: columns::<i64> => |gpu, c| bits(&combined(gpu, Operation::LeastI64, c)),
        |c| bits(&combined_scalar(combine::least_i64, c));
    least_unsigned: columns::<u64> => |gpu, c| combined(gpu, Operation::LeastU64, c),
        |(a, b, _)| a.iter().zip(b).map(|(a, b)| *a.min(b)).collect();
    add_float: columns::<f64> => |gpu, c| numbers(&combined(gpu, Operation::AddF64, c)),
        |c| numbers(&combined_scalar(combine::add_f64, c));
    add_near_floats: near_floats => |gpu, c| numbers(&combined(gpu, Operation::AddF64, c)),
        |c| numbers(&combined_scalar(combine::add_f64, c));
});

fn rows_of_shape(rows: usize) -> BoxedStrategy<(Shape, usize)> {
    (shapes(), Just(rows.min(300))).boxed()
}

fn initial(outputs: usize) -> Vec<f64> {
    (0..outputs).map(|output| 0.25 + output as f64).collect()
}

fn scored<T: score_forest::gpu::Feature>(
    gpu: &Gpu,
    (shape, _): &(Shape, usize),
    columns: &[Vec<T>],
) -> Answer {
    let trees = forest(shape);
    let on_device =
        score_forest::gpu::Forest::new(gpu, &trees, &initial(trees.outputs)).expect("it fits");
    let slices: Vec<&[T]> = columns.iter().map(Vec::as_slice).collect();
    bits(&on_device.submit(&slices).unwrap().wait().unwrap())
}

fn walked((shape, rows): &(Shape, usize), columns: &[Vec<f64>]) -> Answer {
    let trees = forest(shape);
    let (initial, mut one) = (initial(trees.outputs), vec![0.0; trees.outputs]);
    let mut out = vec![0.0; rows * trees.outputs];
    for row in 0..*rows {
        let values: Vec<f64> = columns.iter().map(|column| column[row]).collect();
        score_forest::scalar::score_row(&trees, &values, &initial, &mut one);
        for (output, sum) in one.iter().enumerate() {
            out[output * rows + row] = *sum;
        }
    }
    bits(&out)
}

fn narrowed((shape, rows): &(Shape, usize)) -> Vec<Vec<f32>> {
    let columns = feature_columns(shape, *rows);
    columns.iter().map(|column| column.iter().map(|x| *x as f32).collect()).collect()
}

fn widened(columns: &[Vec<f32>]) -> Vec<Vec<f64>> {
    columns.iter().map(|column| column.iter().map(|x| f64::from(*x)).collect()).collect()
}

gpu_suite!(forests, Flags::INT64 | Flags::FLOAT64, {
    features_f64: rows_of_shape =>
        |gpu, input| scored(gpu, input, &feature_columns(&input.0, input.1)),
        |input| walked(input, &feature_columns(&input.0, input.1));
    features_f32: rows_of_shape => |gpu, input| scored(gpu, input, &narrowed(input)),
        |input| walked(input, &widened(&narrowed(input)));
});

gpu_suite!(nearest_rows, Flags::NONE, {
    exact: near => |gpu, (columns, count, queries, k)| {
        let references = References::new(columns, *count);
        let len = queries.len().checked_div(references.width()).unwrap_or(0) * k;
        let (mut distances, mut rows) = (vec![0.5; len], vec![7; len]);
        let on_device = score_nearest::gpu::Nearest::new(gpu, references).unwrap();
        on_device.nearest(queries, &mut distances, &mut rows).unwrap();
        nearest_answer(&distances, &rows)
    }, |input| nearest_at(Level::Scalar, input);
});

/// The bound is tight enough to be of use: of points without structure nearly all are settled by
/// what the device found.
#[test]
fn nearest_rows_are_rarely_left_to_the_cpu() {
    let Some(gpu) = device() else { return };
    let value = |i: usize| (shard_hash::fold(3, i as u64) >> 11) as f64 / 9e15;
    for (offset, width) in [(0.0, 8), (0.0, 1), (1.0, 32)] {
        let columns: Vec<f64> = (0..1000 * width).map(|i| value(i) + offset).collect();
        let queries: Vec<f64> = (0..100 * width).map(|i| value(i + 1_000_000) + offset).collect();
        let references = References::new(&columns, 1000);
        let on_device = score_nearest::gpu::Nearest::new(gpu, references).unwrap();
        let (mut distances, mut rows) = (vec![0.0; 500], vec![0; 500]);
        let alone = on_device.nearest(&queries, &mut distances, &mut rows).unwrap();
        assert!(alone <= 5, "{alone} of 100 with {width} columns");
    }
}

/// A pass that is added to the catalogue is added here, and to the suite above.
#[test]
fn every_pass_is_run_by_a_kernel() {
    let Some(gpu) = &own_device() else { return };
    let (values, mask) = (vec![3_i64; 100], vec![!0, (1 << 36) - 1]);
    filtered(gpu, &(values.clone(), mask.clone()));
    hashed(gpu, &(values.clone(), mask));
    texts_hashed(gpu, &[0_i64, 2, 3], b"abc");
    summed(gpu, &(vec![0; 100], values.clone(), 2));
    least_of(gpu, &(vec![1; 100], values, 2));
    reduce::gpu::sum_in_order(gpu, &[0, 1], &[0], &[1.0], &mut [0.0]).unwrap();
    combine_slices(gpu, Operation::AddF64, &mut [1.0], &[2.0]).unwrap();
    let mut trees = score_forest::Trees::new(1, 1);
    trees.leaf.push(1.0);
    trees.end_tree(0);
    let on_device = score_forest::gpu::Forest::new(gpu, &trees, &[0.5]).expect("it fits");
    assert_eq!(on_device.submit(&[&[0.0; 3][..]]).unwrap().wait().unwrap(), [1.5; 3]);
    let references = References::new(&[1.0, 2.0], 2);
    let on_device = score_nearest::gpu::Nearest::new(gpu, references).unwrap();
    on_device.nearest(&[1.1], &mut [0.0], &mut [0]).unwrap();
    super::gpu_scores::run_each(gpu).into_iter().for_each(|ran| ran.unwrap());
    let ran: Vec<&str> = gpu.stats().passes.keys().copied().collect();
    let mut all: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
    all.sort_unstable();
    assert_eq!(ran, all);
}

/// Many rows on a device whose bindings are small: cut into parts, over many workgroups.
#[test]
fn rows_are_cut_where_bindings_end() {
    let Some(gpu) = device() else { return };
    let gpu = &gpu.with_bindings_of(1 << 17);
    let rows = if is_child() { 17_003 } else { 100_003 };
    let random = |stream: u64| (0..rows as u64).map(move |i| shard_hash::fold(stream, i));
    let values: Vec<i64> = random(1).map(|word| word as i64).collect();
    let ids: Vec<u32> = random(2).map(|word| (word % 900) as u32).collect();
    let mut mask: Vec<u64> = random(3).take(words(rows)).collect();
    mask[rows / 64] &= (1 << (rows % 64)) - 1;
    let input = (values.clone(), mask.clone());
    same(&filtered(gpu, &input), &filtered_scalar(&input), "filter", &"");
    let mut numbers = (vec![], vec![]);
    filter::gpu::filter_rows(gpu, &mask, 77, &mut numbers.0).unwrap();
    filter::filter_rows(Level::Scalar, &mask, 77, &mut numbers.1);
    assert!(numbers.0 == numbers.1);
    same(&hashed(gpu, &input), &hashed_scalar(&input), "hash", &"");
    let offsets: Vec<i64> = (0..rows as i64 / 5).map(|i| i * 5).collect();
    let bytes: Vec<u8> = random(4).take(rows).map(|word| word as u8).collect();
    let texts = (offsets, bytes);
    same(&texts_hashed(gpu, &texts.0, &texts.1), &texts_scalar(&texts), "texts", &"");
    let input = (ids, values, 900);
    for variant in variants(gpu, Flags::CAPABILITIES) {
        let what = variant.flags().to_string();
        same(&summed(&variant, &input), &summed_scalar(&input), &format!("sums {what}"), &"");
        same(&least_of(&variant, &input), &least_scalar(&input), &format!("least {what}"), &"");
    }
}

/// Each pass in its twin's company: a wrong answer could be bisected so.
#[test]
fn a_pass_and_the_twin_of_the_other_make_a_forest() {
    let Some(gpu) = device().filter(|_| !is_child()) else { return };
    let mut runner = TestRunner::deterministic();
    for _ in 0..4 {
        let input = (shapes().new_tree(&mut runner).expect("a shape").current(), 200);
        let columns = feature_columns(&input.0, input.1);
        let wanted = walked(&input, &columns);
        let mixed: [&'static [Pass]; 3] = [
            &[Pass::ScoreForestEncode],
            &[Pass::ScoreForestWalk],
            &[Pass::ScoreForestEncode, Pass::ScoreForestWalk],
        ];
        for twins in mixed {
            let answer = scored(&gpu.with_twins(twins), &input, &columns);
            same(&answer, &wanted, &format!("{twins:?}"), &input);
        }
    }
}

/// Several pieces in flight, and a forest too large for stages.
#[test]
fn forests_in_pieces_and_without_stages() {
    let Some(gpu) = device() else { return };
    let gpu = &gpu.with_bindings_of(1 << 16);
    let mut runner = TestRunner::deterministic();
    let shape = shapes().new_tree(&mut runner).expect("a shape").current();
    let input = (shape, if is_child() { 2500 } else { 6000 });
    let columns = feature_columns(&input.0, input.1);
    same(&scored(gpu, &input, &columns), &walked(&input, &columns), "pieces", &"");
    let mut trees = score_forest::Trees::new(2, 1);
    for tree in 0..3_u32 {
        let leaves = 1500;
        for node in 0..leaves - 1 {
            trees.feature.push((node + tree) % 2);
            trees.threshold.push(f64::from(node * 7 % 911) * 0.01);
            let missing = score_forest::Missing::Nan;
            trees.rule.push(score_forest::Rule::Numeric { missing, default_left: tree == 1 });
            // Balanced: node n has the children 2n + 1 and 2n + 2.
            let child = |at: u32| match at < leaves - 1 {
                true => score_forest::Child::node(at),
                false => score_forest::Child::leaf(at - (leaves - 1)),
            };
            trees.left.push(child(2 * node + 1));
            trees.right.push(child(2 * node + 2));
        }
        trees.leaf.extend((0..leaves).map(|leaf| f64::from(leaf) * 0.1 - 3.0));
        trees.end_tree(0);
    }
    let rows = 500;
    let value = |row: usize, f: usize| ((row * 37 + f * 11) % 1000) as f64 * 0.009;
    let columns: Vec<Vec<f64>> =
        (0..2).map(|f| (0..rows).map(|row| value(row, f)).collect()).collect();
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    for variant in variants(gpu, Flags::CAPABILITIES) {
        let on_device = score_forest::gpu::Forest::new(&variant, &trees, &[0.5]).expect("it fits");
        let scores = on_device.submit(&slices).unwrap().wait().unwrap();
        for row in 0..rows {
            let mut one = [0.0];
            let values = [columns[0][row], columns[1][row]];
            score_forest::scalar::score_row(&trees, &values, &[0.5], &mut one);
            assert_eq!(scores[row].to_bits(), one[0].to_bits(), "row {row}");
        }
    }
}
