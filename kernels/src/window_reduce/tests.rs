use proptest::prelude::*;

use super::*;

fn value() -> impl Strategy<Value = i64> {
    prop_oneof![-20..20i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(-1), Just(1 << 32)]
}

proptest! {
    #[test]
    fn sums_are_exact(values in prop::collection::vec(value(), 0..200)) {
        let want: i128 = values.iter().copied().map(i128::from).sum();
        prop_assert_eq!(sum_i64(&values), want);
    }

    #[test]
    fn the_least_and_the_greatest(
        values in prop::collection::vec(value(), 0..200),
        start in value(),
    ) {
        let least = values.iter().copied().chain([start]).min();
        prop_assert_eq!(Some(least_i64(&values, 0, start)), least);
        let greatest = values.iter().copied().chain([start]).max();
        prop_assert_eq!(Some(!least_i64(&values, -1, !start)), greatest);
    }
}

#[test]
fn the_ends_of_the_range_do_not_overflow() {
    for value in [i64::MIN, i64::MAX] {
        assert_eq!(sum_i64(&vec![value; 100_000]), i128::from(value) * 100_000);
    }
}
