//! Every level and every entry gives the bits of the definition.

use proptest::prelude::*;

use super::*;
use crate::simd::Level;

/// Numbers for random forests (S. Vigna's SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A threshold or value: few different ones, so that they meet, with the odd ones among them.
    fn number(&mut self, grid: usize) -> f64 {
        match self.below(40) {
            0 => -0.0,
            1 => 0.0,
            2 => 1e-36,
            3 => -1e-36,
            4 => f64::MAX,
            5 => f64::MIN,
            6 => f64::MIN_POSITIVE / 4.0,
            _ => (self.below(grid) as f64 - grid as f64 / 4.0) / 8.0,
        }
    }

    fn value(&mut self, grid: usize) -> f64 {
        match self.below(24) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => 1e300,
            4 => -0.5,
            _ => self.number(grid),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Shape {
    seed: u64,
    features: usize,
    trees: usize,
    leaves_max: usize,
    grid: usize,
    outputs: usize,
    wide: bool,
    narrow_sum: bool,
    sets: bool,
    chains: bool,
}

fn rule(random: &mut Random, sets: usize) -> Rule {
    let default_left = random.below(2) == 0;
    if sets > 0 && random.below(5) == 0 {
        let (members_left, cuts_negative) = (random.below(2) == 0, random.below(2) == 0);
        let set = random.below(sets) as u32;
        return Rule::Set { set, members_left, default_left, cuts_negative };
    }
    let missing = [Missing::Never, Missing::Nan, Missing::ZeroOrNan][random.below(3)];
    Rule::Numeric { missing, default_left }
}

pub(crate) fn forest(shape: &Shape) -> Trees {
    let mut random = Random(shape.seed);
    let mut trees = Trees::new(shape.features, shape.outputs);
    trees.leaf_width = if shape.wide { shape.outputs } else { 1 };
    trees.sum = if shape.narrow_sum { Sum::F32 } else { Sum::F64 };
    trees.f32_features = shape.narrow_sum;
    if shape.sets {
        trees.sets = vec![vec![random.next()], vec![], vec![random.next(), random.next()]];
    }
    for _ in 0..shape.trees {
        let leaves = 1 + random.below(shape.leaves_max);
        let first = trees.feature.len();
        // Leaf 0 stands alone; each split turns a leaf into a node with it and a new one.
        let mut places: Vec<Option<(usize, bool)>> = vec![None];
        for node in 0..leaves - 1 {
            let split = if shape.chains { node } else { random.below(places.len()) };
            trees.feature.push(random.below(shape.features) as u32);
            trees.threshold.push(random.number(shape.grid));
            let rule = rule(&mut random, trees.sets.len());
            trees.rule.push(rule);
            trees.left.push(Child::leaf(split as u32));
            trees.right.push(Child::leaf(places.len() as u32));
            if let Some((parent, is_left)) = places[split] {
                let side = if is_left { &mut trees.left } else { &mut trees.right };
                side[first + parent] = Child::node(node as u32);
            }
            places[split] = Some((node, true));
            places.push(Some((node, false)));
        }
        for _ in 0..leaves * trees.leaf_width {
            let value = random.unit() * 3.0 - 1.0;
            trees.leaf.push(if shape.narrow_sum { f64::from(value as f32) } else { value });
        }
        let output = random.below(shape.outputs) as u32;
        trees.end_tree(output);
    }
    trees
}

pub(crate) fn shapes() -> impl Strategy<Value = Shape> {
    let sizes = (1_usize..6, 0_usize..20, prop_oneof![1_usize..5, 1_usize..80, 200_usize..400]);
    let rest = (1_usize..4, any::<[bool; 4]>(), prop_oneof![Just(6_usize), Just(4000)]);
    (any::<u64>(), sizes, rest).prop_map(
        |(seed, (features, trees, leaves_max), (outputs, flags, grid))| {
            let [wide, narrow_sum, sets, chains] = flags;
            Shape {
                seed,
                features,
                trees,
                leaves_max,
                grid,
                outputs,
                wide,
                narrow_sum,
                sets,
                chains,
            }
        },
    )
}

pub(crate) fn columns(shape: &Shape, rows: usize) -> Vec<Vec<f64>> {
    let mut random = Random(!shape.seed);
    (0..shape.features).map(|_| (0..rows).map(|_| random.value(shape.grid)).collect()).collect()
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Compares all levels and the path of single rows with the definition.
fn compare(trees: &Trees, columns: &[Vec<f64>], rows: usize) {
    let plan = Plan::new(trees).unwrap();
    let mut scratch = Scratch::new(&plan);
    let initial: Vec<f64> = (0..trees.outputs).map(|output| 0.25 * output as f64).collect();
    let mut expected = vec![0.0; rows * trees.outputs];
    let mut one = vec![0.0; trees.outputs];
    for row in 0..rows {
        let values: Vec<f64> = columns.iter().map(|column| column[row]).collect();
        scalar::score_row(trees, &values, &initial, &mut one);
        for (output, sum) in one.iter().enumerate() {
            expected[output * rows + row] = *sum;
        }
        for level in Level::available() {
            let mut walked = vec![0.0; trees.outputs];
            score_row(level, &plan, &values, &initial, &mut scratch, &mut walked);
            assert_eq!(bits(&walked), bits(&one), "{level}: row {row} alone");
        }
    }
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    for level in Level::available() {
        let mut out = vec![f64::NAN; rows * trees.outputs];
        score_columns(level, &plan, &slices, &initial, &mut scratch, &mut out);
        assert_eq!(bits(&out), bits(&expected), "{level}, {rows} rows");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_level_gives_the_bits_of_the_definition(
        shape in shapes(),
        rows in prop_oneof![Just(0_usize), Just(1), 2_usize..20, 63_usize..66, 127_usize..131, Just(300)],
    ) {
        let trees = forest(&shape);
        let columns = columns(&shape, rows);
        compare(&trees, &columns, rows);
    }

    #[test]
    fn thresholds_below_are_the_largest(bits in any::<u32>(), x in any::<f64>()) {
        let t = f32::from_bits(bits);
        prop_assume!(t.is_finite());
        let below = below_f32(t);
        prop_assert!((below as f32) < t && (below.next_up() as f32) >= t, "{t} {below}");
        let most = not_above_f32(t);
        prop_assert!((most as f32) <= t && (most.next_up() as f32) > t, "{t} {most}");
        prop_assert_eq!(x < f64::from(t), x <= below_f64(f64::from(t)));
    }

    #[test]
    fn arrays_with_one_wrong_entry_are_no_forest_or_still_one(
        shape in shapes(),
        at in any::<prop::sample::Index>(),
        word in any::<u32>(),
    ) {
        let mut trees = forest(&shape);
        if trees.feature.is_empty() {
            return Ok(());
        }
        let node = at.index(trees.feature.len());
        trees.left[node] =
            if word & 1 == 0 { Child::node(word >> 24) } else { Child::leaf(word >> 24) };
        // Either it is refused, or it scores as the definition says.
        if trees.check().is_ok() {
            compare(&trees, &columns(&shape, 20), 20);
        } else {
            prop_assert!(Plan::new(&trees).is_err());
        }
    }
}

#[test]
fn thresholds_at_the_edges_of_f32() {
    let edges = [f32::MAX, f32::MIN, 0.0, -0.0, f32::MIN_POSITIVE, f32::from_bits(1), 1.0, 0.1];
    for t in edges.into_iter().flat_map(|edge| [edge, -edge]) {
        for (largest, goes) in [
            (below_f32(t), (|x: f32, t: f32| x < t) as fn(f32, f32) -> bool),
            (not_above_f32(t), |x, t| x <= t),
        ] {
            assert!(goes(largest as f32, t), "{t}: {largest}");
            assert!(!goes(largest.next_up() as f32, t), "{t}: {largest}");
        }
    }
}

fn stump() -> Trees {
    let mut trees = Trees::new(1, 1);
    trees.feature.push(0);
    trees.threshold.push(1.5);
    trees.rule.push(Rule::Numeric { missing: Missing::Nan, default_left: true });
    trees.left.push(Child::leaf(0));
    trees.right.push(Child::leaf(1));
    trees.leaf.extend([-1.0, 2.0]);
    trees.end_tree(0);
    trees
}

#[test]
fn each_fault_is_found() {
    assert_eq!(stump().check(), Ok(()));
    type Breach = fn(&mut Trees);
    let breaches: [(&str, Breach); 9] = [
        ("which is not there", |trees| trees.left[0] = Child::leaf(7)),
        ("which is not there", |trees| trees.left[0] = Child::node(1)),
        ("reached before", |trees| trees.left[0] = Child::node(0)),
        ("reached before", |trees| trees.left[0] = Child::leaf(1)),
        ("threshold NaN", |trees| trees.threshold[0] = f64::NAN),
        ("has the value inf", |trees| trees.leaf[1] = f64::INFINITY),
        ("feature 3 of 1", |trees| trees.feature[0] = 3),
        ("output 1 of 1", |trees| trees.output[0] = 1),
        ("don't divide", |trees| trees.node_offsets[1] = 9),
    ];
    for (expected, breach) in breaches {
        let mut trees = stump();
        breach(&mut trees);
        let fault = trees.check().unwrap_err().to_string();
        assert!(fault.contains(expected), "{expected}: {fault}");
    }
}

#[test]
fn layouts_follow_the_number_of_leaves() {
    let shape = Shape {
        seed: 7,
        features: 3,
        trees: 0,
        leaves_max: 1,
        grid: 4000,
        outputs: 1,
        wide: false,
        narrow_sum: false,
        sets: false,
        chains: true,
    };
    let mut trees = forest(&shape);
    for leaves in [1, 2, 256, 257] {
        let first = trees.leaf.len();
        for node in 0..leaves - 1 {
            trees.feature.push(node as u32 % 3);
            trees.threshold.push(f64::from(node as u32));
            trees.rule.push(Rule::Numeric { missing: Missing::Never, default_left: false });
            trees.left.push(Child::leaf(node as u32));
            let last = node == leaves - 2;
            let next = node as u32 + 1;
            trees.right.push(if last { Child::leaf(next) } else { Child::node(next) });
        }
        trees.leaf.resize(first + leaves, 0.5);
        trees.leaf[first] = 0.75;
        trees.end_tree(0);
    }
    assert!(Plan::new(&trees).unwrap().describe().starts_with("select 3, walk 1;"));
    compare(&trees, &columns(&shape, 150), 150);
}
