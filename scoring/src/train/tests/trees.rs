//! Bins, and trees against trees grown by trying every border on the rows themselves.

use proptest::prelude::*;

use crate::train::Labels;
use crate::train::bins::{BINS_MAX, Binned, Bins, VALUE_MAX};
use crate::train::histogram::{Cell, Derivatives, UNIT};
use crate::train::tree::{Ground, Tree, TreeLimits, grow};

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        4 => (-5..5_i32).prop_map(f64::from),
        4 => -1e3..1e3_f64,
        1 => prop_oneof![
            Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(0.0), Just(-0.0),
            Just(f64::MAX), Just(f64::MIN), Just(f64::MIN_POSITIVE), Just(5e-324),
        ],
    ];
    prop::collection::vec(value, 0..600)
}

proptest! {
    #[test]
    fn a_bin_is_where_its_borders_say(values in values(), most in 2..=BINS_MAX) {
        let bins = Bins::of(values.iter().map(|v| (*v, 1)), most);
        prop_assert!(bins.len() <= most);
        for &value in &values {
            let bin = usize::from(bins.bin(value));
            if value.is_nan() {
                prop_assert_eq!(bin, bins.len());
                continue;
            }
            // What is beyond finite numbers counts as large.
            let value = value.clamp(-VALUE_MAX, VALUE_MAX);
            prop_assert!(value <= bins.threshold(bin));
            prop_assert!(bin == 0 || value > bins.threshold(bin - 1));
            prop_assert!(bins.threshold(bin).is_finite());
        }
    }

    #[test]
    fn few_values_have_a_bin_each(values in prop::collection::vec(-20..20_i32, 1..500)) {
        let mut distinct = values.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let bins = Bins::of(values.iter().map(|v| (f64::from(*v), 1)), BINS_MAX);
        prop_assert_eq!(bins.len(), distinct.len());
        for (at, value) in distinct.iter().enumerate() {
            prop_assert_eq!(usize::from(bins.bin(f64::from(*value))), at);
        }
    }
}

#[test]
fn bins_hold_about_as_many_rows_each() {
    let bins = Bins::of((0..100_000).map(|v| (f64::from(v), 1)), 100);
    let mut rows = vec![0; bins.len()];
    (0..100_000).for_each(|v| rows[usize::from(bins.bin(f64::from(v)))] += 1);
    assert_eq!(rows.len(), 100);
    assert!(rows.iter().all(|rows| (900..1_100).contains(rows)), "{rows:?}");
    // Half of the rows have one value: it has a bin, the others share the rest.
    let bins = Bins::of((0..100_000).map(|v| (f64::from((v % 2) * v), 1)), 50);
    assert_eq!(bins.len(), 50);
    assert_eq!((bins.bin(0.0), bins.bin(1.0)), (0, 1));
}

#[test]
fn half_of_the_bins_lie_where_the_rarer_class_does() {
    // One row in a hundred is true, at the largest values.
    let values: Vec<f64> = (0..100_000).map(f64::from).collect();
    let labels: Vec<bool> = values.iter().map(|v| *v >= 99_000.0).collect();
    let rows: Vec<u32> = (0..100_000).collect();
    let bins = |labels: Labels<'_>| {
        let binned = Binned::new(&[&values], labels, &rows, 100);
        (binned.bins[0].len(), usize::from(binned.columns[0][99_000]))
    };
    let (all, first) = bins(Labels::Classes(&labels));
    assert_eq!(all, 100);
    assert!((48..=52).contains(&first), "{first}");
    // The other way round as well; and with one class alone, all rows weigh the same.
    let turned: Vec<bool> = labels.iter().map(|label| !label).collect();
    assert_eq!(bins(Labels::Classes(&turned)), (all, first));
    let plain = bins(Labels::Numbers(&values));
    assert_eq!(plain, (100, 99));
    assert_eq!(bins(Labels::Classes(&vec![false; values.len()])), plain);
}

/// The columns of a small problem: `None` is missing.
type Problem = (Vec<Vec<Option<i8>>>, Vec<(i16, u8)>);

fn problems() -> impl Strategy<Value = Problem> {
    (1..60_usize, 1..4_usize).prop_flat_map(|(rows, features)| {
        let value = prop_oneof![3 => (0..6_i8).prop_map(Some), 1 => Just(None)];
        let column = prop::collection::vec(value, rows);
        let derivative = (-1000..1000_i16, 0..=250_u8);
        (prop::collection::vec(column, features), prop::collection::vec(derivative, rows))
    })
}

proptest! {
    #[test]
    fn a_tree_is_the_one_that_its_definition_grows(
        (columns, derivatives) in problems(),
        leaves in 2..9_usize,
        rows_min in 0..4_usize,
        l2 in prop_oneof![Just(0.0), Just(1.0), Just(10.0)],
    ) {
        let columns: Vec<Vec<f64>> = columns
            .iter()
            .map(|column| column.iter().map(|v| v.map_or(f64::NAN, f64::from)).collect())
            .collect();
        let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let derivatives: Vec<Derivatives> = derivatives
            .iter()
            .map(|(g, h)| Derivatives {
                gradient: i32::from(*g) << 20,
                curvature: i32::from(*h) << 20,
            })
            .collect();
        let rows: Vec<u32> = (0..derivatives.len() as u32).collect();
        let binned = Binned::new(&slices, Labels::Numbers(&[]), &rows, BINS_MAX);
        let limits = TreeLimits { leaves, rows_min, weight_min: 0.01, l2, gain_min: 1e-9 };
        let wanted = vec![true; columns.len()];
        let ground =
            Ground { binned: &binned, derivatives: &derivatives, wanted: &wanted, limits, threads: 1 };
        let tree = grow(&ground, &mut rows.clone());
        let naive = naive_tree(&ground, rows);
        prop_assert_eq!(shape(&tree), naive);
    }
}

/// Nodes as (feature, bin, default left, left, right) and leaves' rows.
type Shape = (Vec<(u32, u8, bool, i32, i32)>, Vec<u64>);

fn shape(tree: &Tree) -> Shape {
    let nodes = tree.nodes.iter().map(|n| (n.feature, n.bin, n.default_left, n.left, n.right));
    (nodes.collect(), tree.leaves.iter().map(|leaf| leaf.rows).collect())
}

fn sum(ground: &Ground<'_>, rows: &[u32]) -> Cell {
    rows.iter().fold(Cell::default(), |sum, row| {
        let of = ground.derivatives[*row as usize];
        let (gradient, curvature) = (i64::from(of.gradient), i64::from(of.curvature));
        sum.plus(Cell { gradient, curvature, rows: 1 })
    })
}

fn strength(cell: Cell, l2: f64) -> f64 {
    let (g, h) = (cell.gradient as f64 * UNIT, cell.curvature as f64 * UNIT + l2);
    if h > 0.0 { g * g / h } else { 0.0 }
}

struct NaiveSplit {
    gain: f64,
    feature: usize,
    bin: u8,
    default_left: bool,
    left: Vec<u32>,
    right: Vec<u32>,
}

fn naive_split(ground: &Ground<'_>, rows: &[u32]) -> Option<NaiveSplit> {
    let limits = ground.limits;
    let mut best: Option<NaiveSplit> = None;
    if rows.len() < 2 * limits.rows_min {
        return None;
    }
    for (feature, column) in ground.binned.columns.iter().enumerate() {
        let missing = ground.binned.bins[feature].len() as u8;
        let has_missing = rows.iter().any(|row| column[*row as usize] == missing);
        for bin in 0..missing {
            for missing_left in [false, true] {
                // A border that the one before it equals is no border.
                let is_here = rows.iter().any(|row| column[*row as usize] == bin);
                if !is_here && bin + 1 < missing {
                    continue;
                }
                let goes_left = |row: &u32| match column[*row as usize] {
                    b if b == missing => missing_left,
                    b => b <= bin,
                };
                let (left, right): (Vec<u32>, Vec<u32>) =
                    rows.iter().partition(|row| goes_left(row));
                let (a, b) = (sum(ground, &left), sum(ground, &right));
                let fits = |cell: Cell| {
                    cell.rows >= limits.rows_min.max(1) as i64 && cell.weight() >= limits.weight_min
                };
                let gain = strength(a, limits.l2) + strength(b, limits.l2)
                    - strength(sum(ground, rows), limits.l2);
                let least = best.as_ref().map_or(limits.gain_min, |best| best.gain);
                if fits(a) && fits(b) && gain > least {
                    let default_left =
                        if has_missing { missing_left } else { left.len() >= right.len() };
                    best = Some(NaiveSplit { gain, feature, bin, default_left, left, right });
                }
            }
        }
    }
    best
}

fn naive_tree(ground: &Ground<'_>, rows: Vec<u32>) -> Shape {
    let mut leaves = vec![(rows, None::<(usize, bool)>)];
    let mut nodes: Vec<(u32, u8, bool, i32, i32)> = Vec::new();
    while leaves.len() < ground.limits.leaves {
        let splits = leaves.iter().map(|(rows, _)| naive_split(ground, rows));
        let mut most: Option<(usize, NaiveSplit)> = None;
        for (at, split) in splits.enumerate() {
            if let Some(split) = split
                && most.as_ref().is_none_or(|(_, best)| split.gain > best.gain)
            {
                most = Some((at, split));
            }
        }
        let Some((at, split)) = most else { break };
        let number = nodes.len();
        let right = -1 - leaves.len() as i32;
        nodes.push((split.feature as u32, split.bin, split.default_left, -1 - at as i32, right));
        if let Some((above, is_left)) = leaves[at].1 {
            let side = if is_left { &mut nodes[above].3 } else { &mut nodes[above].4 };
            *side = number as i32;
        }
        leaves[at] = (split.left, Some((number, true)));
        leaves.push((split.right, Some((number, false))));
    }
    (nodes, leaves.iter().map(|(rows, _)| rows.len() as u64).collect())
}
