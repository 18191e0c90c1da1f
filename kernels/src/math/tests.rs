//! Against `libm`, and columns against single values.

use proptest::prelude::*;

use super::*;

/// Distance in units in the last place; equal infinities and two NaNs are at 0.
fn ulps(a: f64, b: f64) -> u64 {
    if a == b || (a.is_nan() && b.is_nan()) {
        return 0;
    }
    // Maps floats to integers in their order.
    let ordered = |x: f64| {
        let bits = x.to_bits() as i64;
        if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
    };
    ordered(a).abs_diff(ordered(b))
}

const EDGES: [f64; 26] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    1e-300,
    -1e-300,
    5e-324,
    1e-17,
    -1e-17,
    1e-9,
    1e300,
    f64::MAX,
    f64::MIN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    709.782712893384,
    709.7827128933841,
    -745.1332191019411,
    -745.1332191019412,
    -708.4,
    0.41421356237309503,
    -0.2928932188134524,
];

#[track_caller]
fn check_exp(x: f64) {
    let (ours, theirs) = (exp(x), libm::exp(x));
    assert!(ulps(ours, theirs) <= ULPS_MAX, "exp({x:e}) = {ours:e}, {theirs:e}");
}

#[track_caller]
fn check_ln_1p(x: f64) {
    let (ours, theirs) = (ln_1p(x), libm::log1p(x));
    assert!(ulps(ours, theirs) <= ULPS_MAX, "ln_1p({x:e}) = {ours:e}, {theirs:e}");
}

#[test]
fn edges() {
    for x in EDGES {
        check_exp(x);
        check_ln_1p(x);
    }
    assert_eq!(exp(0.0), 1.0);
    assert_eq!(ln_1p(-0.0).to_bits(), (-0.0_f64).to_bits());
}

#[test]
fn even_grids() {
    for i in -746_000..710_000 {
        check_exp(f64::from(i) * 1e-3 + 1e-7);
    }
    for i in 1..1_000_000 {
        check_ln_1p(f64::from(i) * 1e-4);
        check_ln_1p(f64::from(i) * -1e-6);
    }
}

/// erfc(z / √2) by 60 digits.
const NORMAL_TAILS: [(f64, f64); 16] = [
    (1e-9, 0.999_999_999_202_115_5),
    (0.001, 0.999_202_115_572_177_9),
    (0.1, 0.920_344_325_445_942),
    (0.5, 0.617_075_077_451_973_8),
    (1.0, 0.317_310_507_862_914_1),
    (1.5, 0.133_614_402_537_716_14),
    (2.0, 0.045_500_263_896_358_42),
    (3.0, 0.002_699_796_063_260_189),
    (4.5, 6.795_346_249_460_120_5e-6),
    (6.0, 1.973_175_290_075_396e-9),
    (8.0, 1.244_192_114_854_356_8e-15),
    (12.0, 3.552_964_224_155_358e-33),
    (20.0, 5.507_248_237_212_467_5e-89),
    (30.0, 9.813_427_854_296_374e-198),
    (37.5, 9.210_706_019_163_91e-308),
    (38.4, 1.33e-322),
];

#[test]
fn normal_tails_are_right() {
    for (z, expected) in NORMAL_TAILS {
        let error = (normal_tail(z) - expected).abs();
        assert!(error <= TAIL_ERROR_MAX * expected + 1e-322, "{z}: {error:e}");
        assert_eq!(normal_tail(-z).to_bits(), normal_tail(z).to_bits());
    }
    // libm's argument, z / √2, is rounded, which erfc makes z² as large.
    for step in 0..37_000 {
        let z = f64::from(step) * 1e-3 + 1e-7;
        let expected = libm::erfc(z * std::f64::consts::FRAC_1_SQRT_2);
        let error = (normal_tail(z) - expected).abs();
        assert!(error <= (TAIL_ERROR_MAX + 3e-16 * z * z) * expected, "{z}: {error:e}");
    }
    for (z, tail) in [(0.0, 1.0), (-0.0, 1.0), (39.0, 0.0), (f64::INFINITY, 0.0), (f64::MIN, 0.0)] {
        assert_eq!(normal_tail(z), tail);
    }
    assert_eq!((exponential_tail(0.0), exponential_tail(-3.0)), (1.0, 1.0));
    assert!(normal_tail(5e-324) > 1.0 - TAIL_ERROR_MAX);
    assert!(normal_tail(f64::NAN).is_nan() && exponential_tail(f64::NAN).is_nan());
    assert_eq!(exponential_tail(2.0), exp(-2.0));
}

#[test]
fn sigmoid_is_a_probability() {
    for z in [-1e6, -745.0, -40.0, -1.0, 0.0, 1.0, 40.0, 1e6] {
        let p = sigmoid(z);
        assert!((0.0..=1.0).contains(&p), "{z} {p}");
        assert!((p + sigmoid(-z) - 1.0).abs() < 1e-15);
    }
    assert_eq!(sigmoid(0.0), 0.5);
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), -50.0..50.0, 0.0..1e6, proptest::sample::select(EDGES.to_vec())]
}

fn any_term() -> impl Strategy<Value = LinearTerm> {
    let transform = prop_oneof![
        Just(Transform::Identity),
        Just(Transform::Sqrt),
        Just(Transform::Log1p),
        Just(Transform::SignedLog1p),
    ];
    let bound = prop_oneof![Just(f64::INFINITY), 0.0..100.0];
    (transform, bound.clone(), bound, -5.0..5.0, -5.0..5.0, -5.0..5.0).prop_map(
        |(transform, lo, hi, mean, factor, missing)| LinearTerm {
            transform,
            lo: -lo,
            hi,
            mean,
            factor,
            missing,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_arguments(bits in any::<u64>(), near in -750.0..750.0, small in -1.0..10.0) {
        check_exp(f64::from_bits(bits));
        check_ln_1p(f64::from_bits(bits));
        check_exp(near);
        check_ln_1p(small);
    }

    #[test]
    fn columns_have_the_bits_of_single_values(
        values in proptest::collection::vec(any_value(), 0..70),
        term in any_term(),
    ) {
        let mut sums: Vec<f64> = (0..values.len()).map(|i| i as f64).collect();
        add_term(&values, &term, &mut sums);
        for (i, (sum, value)) in sums.iter().zip(&values).enumerate() {
            let contribution = term.contribution(*value);
            prop_assert!(contribution.abs() <= CONTRIBUTION_MAX);
            prop_assert_eq!(sum.to_bits(), (i as f64 + contribution).to_bits());
        }
        let mut probabilities = values.clone();
        sigmoid_in_place(&mut probabilities);
        for (probability, value) in probabilities.iter().zip(&values) {
            prop_assert!(ulps(*probability, sigmoid(*value)) == 0);
        }
        normal_tails(&values, &mut probabilities);
        for (probability, value) in probabilities.iter().zip(&values) {
            prop_assert!(ulps(*probability, normal_tail(*value)) == 0);
            prop_assert!(value.is_nan() || (0.0..=1.0).contains(probability));
        }
        exponential_tails(0.5, &values, &mut probabilities);
        for (probability, value) in probabilities.iter().zip(&values) {
            prop_assert!(ulps(*probability, exponential_tail(0.5 * *value)) == 0);
        }
    }

    #[test]
    fn plain_logarithms_have_the_bits_of_single_values(
        values in proptest::collection::vec(any_value(), 0..70),
        (lo, hi) in (prop_oneof![Just(0.0), Just(-0.0), 0.0..3.0], 3.0..1e15_f64),
        (mean, factor, missing) in (0.01..5.0_f64, -20.0..20.0_f64, -3.0..3.0_f64),
        start in prop_oneof![Just(0.0), Just(-0.0), -5.0..5.0],
    ) {
        let term = LinearTerm { transform: Transform::Log1p, lo, hi, mean, factor, missing };
        let mut sums = vec![start; values.len()];
        add_term(&values, &term, &mut sums);
        for (sum, value) in sums.iter().zip(&values) {
            prop_assert_eq!(sum.to_bits(), (start + term.contribution(*value)).to_bits());
        }
    }

    #[test]
    fn tables_have_the_bits_of_single_values(
        values in prop_oneof![
            3 => proptest::collection::vec(0..TABLE_LEN as i64, 0..70),
            1 => proptest::collection::vec(-1..TABLE_LEN as i64 + 1, 0..70),
        ],
        term in any_term(),
    ) {
        let table: Table = std::array::from_fn(|i| term.contribution(i as f64));
        let mut sums: Vec<f64> = (0..values.len()).map(|i| i as f64).collect();
        let fits = values.iter().all(|value| (0..TABLE_LEN as i64).contains(value));
        prop_assert_eq!(add_from_table(&values, &table, &mut sums), fits);
        for (i, (sum, value)) in sums.iter().zip(&values).enumerate() {
            let added = if fits { term.contribution(*value as f64) } else { 0.0 };
            prop_assert_eq!(sum.to_bits(), (i as f64 + added).to_bits());
        }
    }

    #[test]
    fn contributions_follow_the_formula(value in -1e6..1e6_f64, term in any_term()) {
        let clamped = value.max(term.lo).min(term.hi);
        let transformed = match term.transform {
            Transform::Identity => clamped,
            Transform::Sqrt => clamped.max(0.0).sqrt(),
            Transform::Log1p => libm::log1p(clamped.max(0.0)),
            Transform::SignedLog1p => libm::log1p(clamped.abs()) * clamped.signum(),
        };
        let formula = ((transformed - term.mean) * term.factor).clamp(-1e6, 1e6);
        let close = (formula - term.contribution(value)).abs() <= 1e-12 * (1.0 + formula.abs());
        prop_assert!(close, "{formula} {}", term.contribution(value));
        let missing = (term.missing - term.mean) * term.factor;
        prop_assert_eq!(term.contribution(f64::NAN).to_bits(), missing.to_bits());
    }
}
