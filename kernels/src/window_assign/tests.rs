use proptest::prelude::*;

use super::*;

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![-20..20i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
}

proptest! {
    #[test]
    fn bounds_are_the_least_and_the_greatest(times in prop::collection::vec(time(), 0..100)) {
        let want = times.iter().min().copied().zip(times.iter().max().copied());
        prop_assert_eq!(bounds(&times), want);
    }

    #[test]
    fn rows_of_a_window_are_picked_in_order(
        times in prop::collection::vec(time(), 0..100),
        first in time(),
        last in time(),
    ) {
        let mut rows = vec![7];
        select(&times, first, last, &mut rows);
        let within = |&row: &u32| (first..=last).contains(&times[row as usize]);
        let want: Vec<u32> = (0..times.len() as u32).filter(within).collect();
        prop_assert_eq!(rows, want);
    }
}
