//! Against plain loops over rows: edges beside random values, at lengths around a word.

use proptest::prelude::*;

use super::*;

const LENGTHS: [usize; 9] = [0, 1, 7, 63, 64, 65, 127, 128, 200];

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(f64::NAN),
        Just(-f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        -2.0..2.0,
        any::<f64>(),
    ]
}

fn any_int() -> impl Strategy<Value = i64> {
    prop_oneof![Just(i64::MIN), Just(i64::MAX), -2_i64..3, any::<i64>()]
}

fn columns<T: std::fmt::Debug>(
    value: impl Fn() -> BoxedStrategy<T>,
) -> impl Strategy<Value = (Vec<T>, Vec<T>, Vec<u64>)> {
    proptest::sample::select(LENGTHS.to_vec()).prop_flat_map(move |rows| {
        let vec = || proptest::collection::vec(value(), rows);
        (vec(), vec(), proptest::collection::vec(any::<u64>(), words(rows)))
    })
}

fn bit(mask: &[u64], row: usize) -> bool {
    mask[row / 64] >> (row % 64) & 1 == 1
}

#[track_caller]
fn same(got: &[f64], want: impl Fn(usize) -> f64) {
    for (row, got) in got.iter().enumerate() {
        let want = want(row);
        // Which NaN comes out of an operation is the processor's choice.
        let same = got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan());
        assert!(same, "row {row}: {got} {want}");
    }
}

#[track_caller]
fn same_bits(got: &[u64], rows: usize, want: impl Fn(usize) -> bool) {
    assert_eq!(got.len(), words(rows));
    for row in 0..got.len() * 64 {
        assert_eq!(bit(got, row), row < rows && want(row), "row {row} of {rows}");
    }
}

/// The order by its definition in docs/SEMANTICS.md.
fn order(a: f64, b: f64) -> std::cmp::Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

type OfIntegers = (Arithmetic, fn(i64, i64) -> Option<i64>, fn(i64, i64) -> i64);

const OPERATIONS: [OfIntegers; 3] = [
    (Arithmetic::Add, i64::checked_add, i64::wrapping_add),
    (Arithmetic::Sub, i64::checked_sub, i64::wrapping_sub),
    (Arithmetic::Mul, i64::checked_mul, i64::wrapping_mul),
];

type Holds = fn(std::cmp::Ordering) -> bool;

const COMPARISONS: [(Comparison, Holds); 6] = [
    (Comparison::Eq, std::cmp::Ordering::is_eq),
    (Comparison::Ne, std::cmp::Ordering::is_ne),
    (Comparison::Lt, std::cmp::Ordering::is_lt),
    (Comparison::Le, std::cmp::Ordering::is_le),
    (Comparison::Gt, std::cmp::Ordering::is_gt),
    (Comparison::Ge, std::cmp::Ordering::is_ge),
];

/// Each width and sign of integers against one value: `$value` narrows what was drawn.
macro_rules! against_constant {
    ($a:expr, $b:expr, $($type:ty)*) => {$(
        let a: Vec<$type> = $a.iter().map(|&value| value as $type).collect();
        // A value of the column as often as not.
        for b in [$b as $type, a.first().copied().unwrap_or_default()] {
            for (op, holds) in COMPARISONS {
                let mut bits = vec![u64::MAX; words(a.len())];
                Integer::compare_with(op, &a, b, &mut bits);
                same_bits(&bits, a.len(), |row| holds(a[row].cmp(&b)));
            }
        }
    )*};
}

proptest! {
    #[test]
    fn integers_against_a_constant((a, ..) in columns(|| any_int().boxed()), b in any_int()) {
        against_constant!(a, b, i8 i16 i32 i64 u8 u16 u32 u64);
    }

    #[test]
    fn floats((a, b, mask) in columns(|| any_float().boxed())) {
        let rows = a.len();
        let mut out = vec![0.5; rows];
        let mut bits = vec![u64::MAX; words(rows)];
        for (op, naive) in [
            (Arithmetic::Add, (|a, b| a + b) as fn(f64, f64) -> f64),
            (Arithmetic::Sub, |a, b| a - b),
            (Arithmetic::Mul, |a, b| a * b),
            (Arithmetic::Div, |a, b| a / b),
        ] {
            arithmetic_f64(op, &a, &b, &mut out);
            same(&out, |row| naive(a[row], b[row]));
        }
        for (op, holds) in COMPARISONS {
            compare_f64(op, &a, &b, &mut bits);
            same_bits(&bits, rows, |row| holds(order(a[row], b[row])));
        }
        select_f64(&mask, &a, &b, &mut out);
        same(&out, |row| if bit(&mask, row) { a[row] } else { b[row] });
        smaller_f64(&a, &b, &mut out);
        same(&out, |row| if order(a[row], b[row]).is_lt() { a[row] } else { b[row] });
        larger_f64(&a, &b, &mut out);
        same(&out, |row| if order(a[row], b[row]).is_gt() { a[row] } else { b[row] });
        neg_f64(&a, &mut out);
        same(&out, |row| -a[row]);
        abs_f64(&a, &mut out);
        same(&out, |row| a[row].abs());
        sqrt_f64(&a, &mut out);
        same(&out, |row| libm::sqrt(a[row]));
    }

    #[test]
    fn integers((a, b, mask) in columns(|| any_int().boxed())) {
        let rows = a.len();
        let mut out = vec![7; rows];
        let mut bits = vec![u64::MAX; words(rows)];
        for (op, naive, wrapping) in OPERATIONS {
            arithmetic_i64(op, &a, &b, &mut out, &mut bits);
            same_bits(&bits, rows, |row| naive(a[row], b[row]).is_none());
            for row in 0..rows {
                prop_assert_eq!(out[row], wrapping(a[row], b[row]));
            }
        }
        for (op, holds) in COMPARISONS {
            compare_i64(op, &a, &b, &mut bits);
            same_bits(&bits, rows, |row| holds(a[row].cmp(&b[row])));
        }
        select_i64(&mask, &a, &b, &mut out);
        for row in 0..rows {
            prop_assert_eq!(out[row], if bit(&mask, row) { a[row] } else { b[row] });
        }
        smaller_i64(&a, &b, &mut out);
        prop_assert!((0..rows).all(|row| out[row] == a[row].min(b[row])));
        larger_i64(&a, &b, &mut out);
        prop_assert!((0..rows).all(|row| out[row] == a[row].max(b[row])));
        let mut floats = vec![0.0; rows];
        i64_to_f64(&a, &mut floats);
        same(&floats, |row| a[row] as f64);
    }
    #[test]
    fn decimals(
        values in proptest::sample::select(LENGTHS.to_vec()).prop_flat_map(|rows| {
            let value = prop_oneof![
                20 => (-100_000_i128..100_000).boxed(),
                1 => any::<i64>().prop_map(i128::from).boxed(),
                1 => any::<i128>().boxed(),
            ];
            proptest::collection::vec(value, rows)
        }),
        divisor in proptest::sample::select(vec![1.0, 100.0, 1e22]),
    ) {
        let mut out = vec![0.0; values.len()];
        decimals_to_f64(&values, divisor, &mut out);
        same(&out, |row| values[row] as f64 / divisor);
    }
}
