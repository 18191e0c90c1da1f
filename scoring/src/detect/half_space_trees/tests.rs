//! Against the paper's way.

use super::*;

/// The work ranges that trees over such a first window have.
fn ranges(trees: &HalfSpaceTrees, first: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let ranges = trees.draw_ranges(first);
    ranges.chunks(trees.dimensions).map(<[_]>::to_vec).collect()
}

/// The paper's way: a mass for each of 2^(depth+1) places, counted row by row.
fn plain_mass(
    trees: &HalfSpaceTrees,
    (index, ranges): (usize, &[(f64, f64)]),
    window: &[f64],
    row: &[f64],
) -> f64 {
    let seed = tree_seed(trees.ways.seed, index);
    let path = |row: &[f64]| {
        let mut ranges = ranges.to_vec();
        let mut places = vec![1_u64];
        for _ in 0..trees.ways.depth {
            let place = *places.last().unwrap();
            let column = column_of(seed, place, trees.dimensions);
            let range = ranges[column];
            let middle = 0.5 * (range.0 + range.1);
            let upper = row[column] >= middle;
            ranges[column] = if upper { (middle, range.1) } else { (range.0, middle) };
            places.push(2 * place + u64::from(upper));
        }
        places
    };
    let mut masses = std::collections::HashMap::new();
    for row in window.chunks(trees.dimensions) {
        path(row).into_iter().for_each(|place| *masses.entry(place).or_insert(0_usize) += 1);
    }
    for (level, place) in path(row).into_iter().enumerate() {
        let mass = masses.get(&place).copied().unwrap_or(0);
        if mass <= trees.ways.size_limit || level as u32 == trees.ways.depth {
            return mass as f64 * (1_u64 << level) as f64;
        }
    }
    unreachable!("the last level returns")
}

#[test]
fn masses_equal_the_papers() {
    for (dimensions, depth, window) in [(1, 15, 250), (3, 15, 250), (5, 6, 40), (2, 3, 20)] {
        let mut random = Random::new(7);
        let mut trees = HalfSpaceTrees::with(dimensions, 7, depth, window, 3);
        let mut row = || -> Vec<f64> {
            (0..dimensions).map(|_| random.unit() + random.unit() + 0.1).collect()
        };
        let (mut last, mut ranges_of) = (Vec::new(), Vec::new());
        for window_at in 0..3 {
            last = (0..window).flat_map(|_| row()).collect();
            last.chunks(dimensions).for_each(|row| {
                trees.push(0, row);
            });
            if window_at == 0 {
                ranges_of = ranges(&trees, &last);
            }
        }
        for mut probe in (0..100).map(|_| row()) {
            probe[0] *= 3.0;
            let plain = |tree| plain_mass(&trees, (tree, &ranges_of[tree]), &last, &probe);
            let plain = (0..7).map(plain).sum::<f64>();
            assert_eq!(trees.mass(&probe), Some(plain / 7.0));
        }
    }
}

#[test]
fn a_block_a_table_and_a_walk_have_the_same_sums() {
    let mut random = Random::new(17);
    for (dimensions, depth, window) in [
        (1, 15, 250),
        (1, 9, 300),
        (2, 15, 9_000),
        (4, 15, 250),
        (8, 12, 70),
        (3, 15, 2),
        (3, 15, 64),
        (2, 15, 129),
        (5, 0, 20),
    ] {
        let mut whole = HalfSpaceTrees::with(dimensions, 25, depth, window, 5);
        let mut single = whole.clone();
        let mut value = |row: usize| match (row % 37, row % 11) {
            (0, 3) => f64::NAN,
            (1, _) => (random.below(5) as f64 - 2.0) * 0.25,
            (2, 1) => f64::INFINITY,
            _ => random.unit() + random.unit(),
        };
        let rows: Vec<f64> = (0..3 * window * dimensions + 40).map(&mut value).collect();
        let rows = &rows[..rows.len() / dimensions * dimensions];
        let mut scores = vec![Score::MISSING; rows.len() / dimensions];
        whole.push_batch(&vec![0; scores.len()], rows, &mut scores);
        for (row, score) in rows.chunks(dimensions).zip(&scores) {
            assert_eq!(single.push(0, row), *score);
        }
    }
}

#[test]
fn selections_are_those_of_the_nodes() {
    let mut random = Random::new(23);
    let mut trees = HalfSpaceTrees::with(4, 25, 15, 250, 9);
    for _ in 0..750 {
        let row: Vec<f64> = (0..4).map(|_| random.unit() * random.unit()).collect();
        trees.push(0, &row);
    }
    let Trees::Coded(coded) = &trees.trees else { panic!("several columns") };
    coded.check_selections();
}
