//! The suite of scores and counts on a GPU: `score_isolation`, `score_products` and
//! `window_histogram` have the bits of the scalar code, `score_network` keeps within its bounds,
//! `score_profile` finds windows that are nearest to within its tolerances.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::gpu::{compare, gpu_suite, variants};
use super::inputs::*;
use super::scores::*;
use super::{Answer, same};
use crate::gpu::tests::{CHILD, device, own_device};
use crate::gpu::{Fault, Flags, Gpu, GpuError, Injected};
use crate::score_network::gpu::DeviceNetwork;
use crate::score_products::gpu::{Items, K_MAX};
use crate::score_profile::{self, Profile, Series};
use crate::simd::Level;
use crate::window_histogram::Edges;
use crate::window_histogram::gpu::{HistogramTable, Value};
use crate::{score_isolation, score_network, score_products};

fn levels_on<T: crate::score_forest::gpu::Feature>(
    gpu: &Gpu,
    forest: &score_isolation::Forest,
    columns: &[Vec<T>],
) -> Answer {
    let on_device = score_isolation::gpu::DeviceForest::new(gpu, forest).unwrap();
    let slices: Vec<&[T]> = columns.iter().map(Vec::as_slice).collect();
    let mut sums = vec![7; columns[0].len()];
    on_device.level_sums(&slices, &mut sums).unwrap();
    sums
}

fn narrowed(columns: &[Vec<f64>]) -> Vec<Vec<f32>> {
    columns.iter().map(|column| column.iter().map(|x| *x as f32).collect()).collect()
}

fn widened((forest, columns): &Isolated) -> Isolated {
    let wide = |column: &Vec<f32>| column.iter().map(|x| f64::from(*x)).collect();
    (forest.clone(), narrowed(columns).iter().map(wide).collect())
}

gpu_suite!(isolation, Flags::INT64, {
    features_f64: isolated => |gpu, (forest, columns)| levels_on(gpu, forest, columns), levels;
    features_f32: isolated =>
        |gpu, (forest, columns)| levels_on(gpu, forest, &narrowed(columns)),
        |input| levels(&widened(input));
});

fn best_on(gpu: &Gpu, input: &Compared) -> Answer {
    let items = Items::new(gpu, input.rows(&input.items)).unwrap();
    best_answer(&items.best(input.rows(&input.queries), input.k).unwrap().best)
}

gpu_suite!(products, Flags::NONE, {
    best: compared => best_on, best_items;
});

/// In two batches, so that the table has to stay.
fn counted_on<T: Element + Value>(gpu: &Gpu, input: &Binned<T>) -> Answer {
    let edges = Edges::new(input.edges.iter().copied());
    let mut table = HistogramTable::new(gpu, &edges, input.groups).unwrap();
    let half = input.values.len() / 128 * 64;
    let (first, second) =
        (input.values.split_at(half), input.ids.as_ref().map(|i| i.split_at(half)));
    let valid = input.valid.as_ref().map(|valid| valid.split_at(half / 64));
    for part in 0..2 {
        let of = |(a, b): (_, _)| if part == 0 { a } else { b };
        let values = if part == 0 { first.0 } else { first.1 };
        let rows = crate::window_histogram::Rows {
            ids: second.map(|(a, b)| if part == 0 { a } else { b }),
            valid: valid.map(of),
            values,
        };
        table.add_slices(gpu, rows).unwrap();
    }
    table.read(gpu).unwrap()
}

gpu_suite!(histogram, Flags::NONE, {
    f64: binned::<f64> => counted_on, counted;
    i64: binned::<i64> => counted_on, counted;
});

/// Each input of each number of rows.
fn each<I: std::fmt::Debug>(
    rows: &[usize],
    inputs: impl Fn(usize) -> BoxedStrategy<I>,
    mut check: impl FnMut(&Gpu, &I),
) {
    let Some(gpu) = device() else { return };
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    for &rows in rows {
        for _ in 0..if std::env::var_os(CHILD).is_some() { 1 } else { 4 } {
            let tree = inputs(rows).new_tree(&mut runner).expect("an input");
            check(gpu, &tree.current());
        }
    }
}

/// Every output is within its bound; rows that `f32` cannot hold have the definition's bits.
fn check_network(gpu: &Gpu, input: &Wired) {
    let (network, columns) = input;
    let on_device = DeviceNetwork::new(gpu, network).unwrap();
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let wanted = outputs(input);
    let mut out = vec![7.0; wanted.len()];
    let odd = on_device.score_columns(&slices, &mut out).unwrap();
    let rows = columns[0].len();
    let (mut bounds, mut unfit) = (vec![0.0; network.outputs()], 0);
    for at in 0..rows {
        let row: Vec<f64> = columns.iter().map(|column| column[at]).collect();
        let fits = row.iter().all(|x| x.abs() <= network.input_max());
        if fits {
            network.error_bounds(&row, &mut bounds);
        }
        unfit += usize::from(!fits);
        for output in 0..network.outputs() {
            let (own, wanted) = (out[output * rows + at], wanted[output * rows + at]);
            if fits {
                let (error, bound) = ((own - wanted).abs(), bounds[output]);
                assert!(error <= bound, "row {at}: {own} for {wanted}, {error} > {bound}");
            } else {
                assert_eq!(numbers(&[own]), numbers(&[wanted]), "row {at}");
            }
        }
    }
    assert_eq!(odd, unfit, "rows that the definition scores");
}

#[test]
fn networks_keep_within_their_bounds() {
    each(&[0, 1, 127, 129, 257, 3001], wired, check_network);
}

/// What a network of usual weights loses: far less than it may.
#[test]
fn networks_of_usual_weights_are_within_a_named_tolerance() {
    let Some(gpu) = device() else { return };
    for seed in 0..4 {
        let input = (network(seed, &[30, 64, 32, 1], 0.3), usual_columns(30, 500));
        let slices: Vec<&[f64]> = input.1.iter().map(Vec::as_slice).collect();
        let mut out = vec![0.0; 500];
        DeviceNetwork::new(gpu, &input.0).unwrap().score_columns(&slices, &mut out).unwrap();
        for (own, wanted) in out.iter().zip(outputs(&input)) {
            let limit = score_network::USUAL_TOLERANCE * wanted.abs().max(1.0);
            assert!((own - wanted).abs() <= limit, "{own} for {wanted}");
        }
    }
}

fn usual_columns(columns: usize, rows: usize) -> Vec<Vec<f64>> {
    let mut next = words_of(5);
    (0..columns).map(|_| (0..rows).map(|_| unit(next()) * 2.0).collect()).collect()
}

/// Each window is as near as it has to be, and its distance is the definition's.
fn check_profile(gpu: &Gpu, series: &Series) {
    let own = score_profile::gpu::profile(gpu, series).unwrap();
    let wanted = score_profile::profile(Level::Scalar, series);
    let Profile { distances, nearest } = &own;
    assert_eq!((distances.len(), nearest.len()), (series.windows(), series.windows()));
    for (i, tolerance) in series.tolerances().into_iter().enumerate() {
        let (one, other) = (nearest[i], wanted.nearest[i]);
        if one == other {
            assert_eq!(distances[i].to_bits(), wanted.distances[i].to_bits(), "window {i}");
            continue;
        }
        let correlation = |j: u32| score_profile::scalar::correlation(series, i, j as usize);
        assert!(one != score_profile::NONE && other != score_profile::NONE, "window {i}");
        assert!(series.are_compared(i, one as usize), "window {i}");
        let less = correlation(other) - correlation(one);
        assert!(less <= tolerance, "window {i}: {one} for {other}, {less} > {tolerance}");
        assert_eq!(distances[i], series.distance(correlation(one)), "window {i}");
    }
}

#[test]
fn profiles_find_windows_as_near() {
    each(&[0, 1, 2, 40, 103, 190, 400], recorded, |gpu, input| check_profile(gpu, &series(input)));
}

/// Where a series has no jumps, the windows are the definition's.
#[test]
fn profiles_of_a_calm_series_are_the_definitions() {
    let Some(gpu) = device() else { return };
    let mut next = words_of(11);
    let values: Vec<f64> =
        (0..1000).map(|i| libm::sin(i as f64 * 0.07) + 0.3 * unit(next())).collect();
    let series = Series::new(&values, 32, 8).unwrap();
    let (own, wanted) = (
        score_profile::gpu::profile(gpu, &series).unwrap(),
        score_profile::profile(Level::Scalar, &series),
    );
    let other = own.nearest.iter().zip(&wanted.nearest).filter(|(a, b)| a != b).count();
    assert!(other <= 3, "{other} of {} windows", series.windows());
    // As if shares and rows were cut for a small device.
    check_profile(&gpu.with_bindings_of(1 << 16), &series);
}

#[test]
fn too_many_items_are_an_error_and_none_is_none() {
    let Some(gpu) = device() else { return };
    let items = score_products::Rows { dimensions: 2, values: &[1.0, 2.0, 3.0, 4.0] };
    let on_device = Items::new(gpu, items).unwrap();
    let result = on_device.best(items, K_MAX + 1);
    assert!(matches!(result, Err(GpuError::TooLarge { .. })), "{result:?}");
    assert!(on_device.best(items, 0).unwrap().best.items.is_empty());
    let nothing = score_products::Rows { dimensions: 2, values: &[] };
    let empty = Items::new(gpu, nothing).unwrap();
    assert_eq!(empty.best(items, 1).unwrap().best.items, [score_products::NONE; 2]);
}

/// Each kernel once, on little.
pub(super) fn run_each(gpu: &Gpu) -> [Result<(), GpuError>; 5] {
    let columns = usual_columns(3, 200);
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let (forest, network) = (isolation_forest(1, 3, 4, 20), network(1, &[3, 4, 2], 0.5));
    let on_device = score_isolation::gpu::DeviceForest::new(gpu, &forest);
    let isolation = on_device.and_then(|own| own.level_sums(&slices, &mut [0; 200]));
    let on_device = DeviceNetwork::new(gpu, &network);
    let outputs = on_device.and_then(|own| own.score_columns(&slices, &mut [0.0; 400]).map(|_| ()));
    let rows = score_products::Rows { dimensions: 2, values: &[0.5; 64] };
    let products = Items::new(gpu, rows).and_then(|own| own.best(rows, 3).map(|_| ()));
    let series = Series::new(&columns[0], 10, 3).expect("a series");
    let profile = score_profile::gpu::profile(gpu, &series).map(|_| ());
    let edges = Edges::new([0.0, 0.5]);
    let histogram = HistogramTable::new(gpu, &edges, 1).and_then(|mut table| {
        let values = &columns[1];
        table.add_slices(gpu, crate::window_histogram::Rows { ids: None, valid: None, values })
    });
    [isolation, outputs, products, profile, histogram]
}

#[test]
fn faults_are_errors_and_the_device_goes_on_where_it_can() {
    let Some(gpu) = own_device() else { return };
    for failing in 0..5_u64 {
        // The network has two layers, so two dispatches.
        let after_dispatches = failing + u64::from(failing > 1);
        gpu.inject(Injected { fault: Fault::OutOfMemory, after_dispatches });
        for (at, result) in run_each(&gpu).into_iter().enumerate() {
            let is_fault = matches!(result, Err(GpuError::OutOfMemory { .. }));
            assert_eq!(is_fault, at as u64 == failing, "kernel {at} of {failing}: {result:?}");
        }
    }
    gpu.inject(Injected { fault: Fault::Lost, after_dispatches: 3 });
    let lost = run_each(&gpu).map(|result| result.is_err_and(|error| error.is_lost()));
    assert_eq!(lost[3..], [true, true], "{lost:?}");
    assert!(!lost[0], "{lost:?}");
}

/// Many rows on a device whose bindings are small: cut into parts, several in flight.
#[test]
fn scores_are_cut_where_bindings_end() {
    let Some(gpu) = device() else { return };
    let gpu = &gpu.with_bindings_of(1 << 16);
    let rows = if std::env::var_os(CHILD).is_some() { 3000 } else { 9000 };
    let forest = isolation_forest(3, 12, 20, 200);
    let columns = usual_columns(12, rows);
    for variant in variants(gpu, Flags::INT64) {
        let own = levels_on(&variant, &forest, &columns);
        same(&own, &levels(&(forest.clone(), columns.clone())), "isolation", &"");
    }
    check_network(gpu, &(network(2, &[12, 40, 3], 0.5), columns.clone()));
    let mut next = words_of(9);
    let mut values = |n: usize| (0..n).map(|_| unit(next()) as f32).collect::<Vec<f32>>();
    let (items, queries) = (values(rows * 5), values(300 * 5));
    let input = Compared { dimensions: 5, items, queries, k: 10 };
    same(&best_on(gpu, &input), &best_items(&input), "products", &"");
    let on_device = Items::new(gpu, input.rows(&input.items)).unwrap();
    let found = on_device.best(input.rows(&input.queries), 10).unwrap();
    assert_eq!(found.by_definition, 0, "queries that the device was no help for");
    let mut next = words_of(8);
    let input = Binned {
        ids: Some((0..rows).map(|_| (next() % 90) as u32).collect()),
        valid: None,
        values: columns[0].clone(),
        edges: (0..100).map(|edge| f64::from(edge) * 0.04 - 2.0).collect(),
        groups: 90,
    };
    same(&counted_on(gpu, &input), &counted(&input), "histogram", &"");
}
