use super::*;

/// The bins of the engine's histogram: equal widths, one slot below and one above.
fn bin(low: f64, high: f64, bins: usize, value: f64) -> i64 {
    if value < low {
        return 0;
    }
    if value < high {
        let share = (value - low) / (high - low);
        return 1 + ((share * bins as f64) as i64).min(bins as i64 - 1);
    }
    bins as i64 + 1
}

/// The value, and some next to it on either side.
fn around(value: f64) -> impl Iterator<Item = f64> {
    let (mut down, mut up) = (value, value);
    (0..50).flat_map(move |_| {
        (down, up) = (down.next_down(), up.next_up());
        [down, up]
    })
}

#[test]
fn bins_of_equal_width_are_told_by_their_edges() {
    for (low, high, bins) in [(0.0, 1.0, 10), (-3.7, 1e9, 97), (-1e-300, 1e300, 7), (0.1, 0.3, 1)] {
        let slot = |x: f64| bin(low, high, bins, x);
        let edges = Edges::of(0, bins as i64 + 1, slot);
        assert_eq!(edges.slots(), bins + 2);
        let step = (high - low) / bins as f64;
        let borders = (0..=bins).map(|at| low + step * at as f64);
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 5e-324, f64::MAX];
        for value in borders.flat_map(|b| around(b).chain([b])).chain(odd) {
            assert_eq!(edges.slot(value) as i64, slot(value), "{value:?}");
        }
    }
}

/// The buckets of a DDSketch with an error of 1 %, of positive numbers.
#[test]
fn buckets_of_a_sketch_are_told_by_their_edges() {
    let ln_gamma = libm::log(1.01 / 0.99);
    let bucket = |x: f64| match x {
        x if x.is_nan() || x == f64::INFINITY => i64::MAX,
        x if x < f64::MIN_POSITIVE => i64::MIN,
        x => (libm::log(x) / ln_gamma).ceil() as i64,
    };
    for (first, last) in [(-40, 60), (-35_000, -34_950), (35_000, 35_050)] {
        let edges = Edges::of(first, last, bucket);
        let wanted = |x: f64| bucket(x).clamp(first, last) - first;
        for at in first..=last {
            let border = libm::exp(at as f64 * ln_gamma);
            for value in around(border).chain([border, border * 1.01, f64::NAN, 0.0]) {
                assert_eq!(edges.slot(value) as i64, wanted(value), "{value:?}");
            }
        }
    }
}

#[test]
fn steps_that_are_never_come_to_make_no_slots() {
    let edges = Edges::of(0, 100, |x: i64| if x < 5 { 0 } else { 3 });
    assert_eq!(edges.slots(), 4);
    assert_eq!([4, 5, 6].map(|x: i64| edges.slot(x)), [0, 3, 3]);
    let all = Edges::of(0, 2, |x: f64| if x.is_nan() { 2 } else { 1 });
    assert_eq!(
        [f64::NEG_INFINITY, 0.0, f64::INFINITY, f64::NAN].map(|x| all.slot(x)),
        [1, 1, 1, 2]
    );
}

#[test]
fn keys_come_back() {
    for x in [0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, 5e-324, f64::MIN] {
        assert_eq!(f64::from_key(x.key()), x);
    }
    assert_eq!(f64::NEG_INFINITY.key(), f64::LEAST);
    assert!(f64::from_key(f64::NAN.key()).is_nan() && (-f64::NAN).key() == f64::NAN.key());
    assert_eq!(
        [i64::MIN, -1, 0, i64::MAX].map(|x| i64::from_key(x.key())),
        [i64::MIN, -1, 0, i64::MAX]
    );
}
