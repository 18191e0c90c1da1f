//! The scorers against their definitions written plainly, and against hand-counted cases.

use proptest::prelude::*;

use super::nab::{self, PROFILES, STANDARD, Scored, Window};
use super::recording;
use super::skab::Counts;

/// Steps 1 to 3 of the definition for one threshold, row by row.
fn plain_total(series: &[Scored<'_>], threshold: f64, profile: &nab::Profile) -> f64 {
    let sigma = |x: f64| 1.0 / (1.0 + libm::exp(-x));
    let scaled = |p: f64| if p > 3.0 { -1.0 } else { 2.0 * sigma(-5.0 * p) - 1.0 };
    let mut total = 0.0;
    for one in series {
        let detected: Vec<usize> = (nab::probation_rows(one.scores.len())..one.scores.len())
            .filter(|&row| one.scores[row] >= threshold)
            .collect();
        for window in one.windows {
            let width = (window.last - window.first + 1) as f64;
            let inside = detected.iter().filter(|r| (window.first..=window.last).contains(r));
            let weights = inside.map(|&row| {
                let p = -((window.last - row + 1) as f64) / width;
                profile.true_positive * scaled(p) / scaled(-1.0)
            });
            total += weights.fold(-profile.false_negative, f64::max);
        }
        let in_any = |row: usize| one.windows.iter().any(|w| (w.first..=w.last).contains(&row));
        for &row in detected.iter().filter(|row| !in_any(**row)) {
            let before = one.windows.iter().rfind(|window| window.last < row);
            total += before.map_or(-profile.false_positive, |window| {
                let width = (window.last - window.first) as f64;
                profile.false_positive * scaled((row - window.last) as f64 / width)
            });
        }
    }
    total
}

proptest! {
    #[test]
    fn the_sweep_equals_the_definition_at_every_threshold(
        scores in proptest::collection::vec(0_u8..6, 50..160),
        first in 5_usize..20, width in 2_usize..9, gap in 1_usize..9,
    ) {
        let scores: Vec<f64> = scores.into_iter().map(f64::from).collect();
        let second = first + width + gap;
        let windows =
            [Window { first, last: first + width - 1 }, Window { first: second, last: second + width - 1 }];
        let series = [
            Scored { scores: &scores, windows: &windows },
            Scored { scores: &scores[..30], windows: &[] },
        ];
        for profile in &PROFILES {
            let best = nab::best(&series, profile).unwrap();
            let null = -2.0 * profile.false_negative;
            let scale = |total: f64| 100.0 * (total - null) / (2.0 * profile.true_positive - null);
            let mut expected = f64::NEG_INFINITY;
            for threshold in [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0] {
                let plain = scale(plain_total(&series, threshold, profile));
                let ours = nab::at_threshold(&series, threshold, profile).unwrap();
                prop_assert!((plain - ours).abs() < 1e-9, "{plain} {ours}");
                expected = expected.max(plain);
            }
            prop_assert!((best.score - expected).abs() < 1e-9);
        }
    }
}

#[test]
fn perfect_and_nothing_are_100_and_0() {
    let windows = [Window { first: 50, last: 59 }];
    let mut scores = vec![0.0; 100];
    scores[50] = 1.0;
    let series = [Scored { scores: &scores, windows: &windows }];
    assert_eq!(nab::best(&series, &STANDARD).unwrap().score, 100.0);
    assert_eq!(nab::at_threshold(&series, 2.0, &STANDARD).unwrap(), 0.0);
    let nan = vec![f64::NAN; 100];
    let silent = nab::best(&[Scored { scores: &nan, windows: &windows }], &STANDARD).unwrap();
    assert_eq!((silent.score, silent.threshold), (0.0, f64::INFINITY));
}

#[test]
fn impossible_windows_are_refused() {
    let scores = [0.0; 10];
    for windows in [
        vec![Window { first: 5, last: 10 }],
        vec![Window { first: 5, last: 4 }],
        vec![Window { first: 3, last: 6 }, Window { first: 6, last: 8 }],
        vec![],
    ] {
        assert!(nab::best(&[Scored { scores: &scores, windows: &windows }], &STANDARD).is_err());
    }
}

#[test]
fn a_threshold_from_others_is_used() {
    let windows = [Window { first: 50, last: 59 }];
    let (mut a, mut b) = (vec![0.0; 100], vec![0.0; 100]);
    (a[50], b[50]) = (1.0, 3.0);
    let series =
        [Scored { scores: &a, windows: &windows }, Scored { scores: &b, windows: &windows }];
    // The first is missed at the second's threshold of 3; the second is found at 1.
    assert_eq!(nab::cross_validated(&series, &[0, 1], &STANDARD).unwrap(), 50.0);
    assert!(nab::cross_validated(&series, &[1, 1], &STANDARD).is_err());
    assert!(nab::cross_validated(&series, &[1], &STANDARD).is_err());
}

#[test]
fn probation_is_counted_in_integers() {
    assert_eq!([0, 6, 7, 100, 4_032, 22_695].map(nab::probation_rows), [0, 0, 1, 15, 604, 750]);
}

#[test]
fn skab_counts_rows() {
    let mut counts = Counts::default();
    counts.add(&[true, true, false, false, true], &[true, false, true, false, true]).unwrap();
    assert!((counts.f1() - 4.0 / 6.0).abs() < 1e-15);
    assert_eq!(counts.false_alarm_percent(), 50.0);
    assert!((counts.missed_alarm_percent() - 100.0 / 3.0).abs() < 1e-12);
    assert_eq!(Counts::default().f1(), 0.0);
    assert!(counts.add(&[true], &[]).is_err());
}

#[test]
fn series_and_windows_are_read() {
    let text = "timestamp,value\r\n2014-04-01 00:00:00,20.5\r\n2014-04-01 00:05:00,\n\n";
    let series = recording::parse_series(text).unwrap();
    assert_eq!(series.times_s, [1_396_310_400, 1_396_310_700]);
    assert!(series.values[0] == 20.5 && series.values[1].is_nan());
    let json = r#"{"a.csv": [["2014-04-01 00:05:00.000000", "2014-04-01 00:20:00.000000"]]}"#;
    let windows = recording::parse_windows(json).unwrap();
    let rows = recording::windows_of(&series.times_s, &windows["a.csv"]);
    assert_eq!(rows, [Window { first: 1, last: 1 }]);
    assert!(recording::parse_series("timestamp,value\nnow,1\n").is_err());
    assert!(recording::parse_series("timestamp,value\n5\n").is_err());
    assert!(recording::parse_windows("[1]").is_err());
}

#[test]
fn times_that_are_none_are_refused() {
    for text in [
        "",
        "2014-02-29 00:00:00",
        "2014-13-01 00:00:00",
        "2014-01-01 24:00:00",
        "2014-01-01 00:00:00x",
        "2014-01-01 00:00",
        "2014-01-01 00:00:00.1x",
        "é014-01-01 00:00:0",
    ] {
        assert_eq!(recording::parse_time_s(text), None, "{text}");
    }
    assert_eq!(recording::parse_time_s("2016-02-29T00:00:01.5"), Some(1_456_704_001));
    assert_eq!(recording::parse_time_s("1969-12-31 23:59:59"), Some(-1));
}
