//! Ticks are round and lie inside.

use super::*;

fn labels(scale: &Scale) -> Vec<&str> {
    scale.ticks.iter().map(|tick| tick.label.as_str()).collect()
}

#[test]
fn from_zero_ends_above_the_largest() {
    let scale = Scale::from_zero(3_214_567.0, 4, (100.0, 0.0), count_label);
    assert_eq!(labels(&scale), ["0", "1 M", "2 M", "3 M", "4 M"]);
    assert_eq!((scale.px(0.0), scale.px(4e6), scale.px(9e9)), (100.0, 0.0, 0.0));
    for max in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9, 1.0, 1e18] {
        let scale = Scale::from_zero(max, 4, (0.0, 1.0), count_label);
        assert!((2..=8).contains(&scale.ticks.len()), "{max}: {:?}", scale.ticks);
    }
}

#[test]
fn logs_stand_at_powers_of_ten() {
    let scale = Scale::log(8.0, 20_000.0, (0.0, 100.0), count_label);
    assert_eq!(labels(&scale), ["10", "100", "1 k", "10 k"]);
    let scale = Scale::log(10.0, 500.0, (0.0, 100.0), count_label);
    assert_eq!(labels(&scale), ["10", "20", "50", "100", "200", "500"]);
    assert!((scale.px(0.0), scale.px(500.0)) == (0.0, 100.0));
}

#[test]
fn times_stand_at_midnights_and_hours() {
    const DAY: i64 = 86_400_000_000;
    let start = 1_775_001_600_000_000;
    let scale = Scale::time(start, start + 61 * DAY, 9, (0.0, 1.0));
    assert!(scale.ticks.len() <= 10 && scale.ticks.len() >= 4, "{:?}", labels(&scale));
    let scale = Scale::time(start + 1, start + DAY / 2, 8, (0.0, 1.0));
    assert_eq!(labels(&scale), ["03:00", "06:00", "09:00", "12:00"]);
    for span in [0, 1, 17, DAY, 4_000 * DAY, i64::MAX / 4] {
        assert!(Scale::time(0, span, 8, (0.0, 1.0)).ticks.len() <= 12, "{span}");
    }
}
