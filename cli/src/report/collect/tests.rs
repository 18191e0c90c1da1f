//! Collectors against counts made by hand, and against themselves when split.

use super::*;

const KINDS: [&str; 2] = ["burst", "travel"];
const RULES: [&str; 2] = ["many_small", "too_fast"];

fn row(time_us: i64, score: f64, label: Label, alert: Option<AlertMark>) -> ScoredRow {
    ScoredRow { time_us, score, label, alert }
}

fn rows() -> Vec<ScoredRow> {
    let alert = |rules, aimed_at| Some(AlertMark { rules, aimed_at });
    vec![
        row(10, 0.1, Label::Honest, None),
        row(HOUR_US, 0.9, Label::Fraud(0), alert(0b01, Some(0))),
        row(HOUR_US + 1, 0.8, Label::Fraud(1), alert(0b11, Some(0))),
        row(3 * HOUR_US, 0.95, Label::Honest, alert(0b10, Some(1))),
        row(4 * HOUR_US, 0.2, Label::Fraud(1), None),
        row(-1, f64::NAN, Label::Honest, alert(0, None)),
    ]
}

fn finished(collector: &RowCollector) -> FraudReport {
    let mut report = FraudReport::default();
    collector.finish(&mut report);
    report
}

#[test]
fn an_alert_belongs_to_one_kind() {
    let mut collector = RowCollector::new(&KINDS, &RULES);
    rows().into_iter().for_each(|row| collector.row(row));
    let report = finished(&collector);
    assert_eq!((report.rows_scored, report.alerts), (6, 4));
    assert_eq!((report.first_time_us, report.last_time_us), (Some(-1), Some(4 * HOUR_US)));
    assert_eq!(report.quality["burst"], Quality::new(1, 1, 1));
    assert_eq!(report.quality["travel"], Quality::new(2, 1, 2));
    assert_eq!(report.quality[ALL_KINDS], Quality::new(3, 2, 4));
    assert_eq!(report.rules["many_small"], RuleCount { alerts: 2, hits: 2 });
    assert_eq!(report.rules["too_fast"], RuleCount { alerts: 2, hits: 1 });
    assert_eq!(report.alerts_bucket_us, HOUR_US);
    let starts: Vec<i64> = report.alerts_over_time.iter().map(|b| b.bucket_start_us).collect();
    assert_eq!(starts, [-HOUR_US, HOUR_US, 3 * HOUR_US]);
    assert_eq!(report.alerts_over_time[1].counts["travel"], 1);
    assert_eq!(report.alerts_over_time[2].counts[NO_KIND], 1);
}

#[test]
fn the_curve_counts_from_the_highest_score() {
    let mut collector = RowCollector::new(&KINDS, &RULES);
    rows().into_iter().for_each(|row| collector.row(row));
    let curve = finished(&collector).precision_recall;
    let last = curve.last().unwrap();
    assert_eq!((last.threshold, last.precision, last.recall), (0.95, 0.0, 0.0));
    let first = curve.first().unwrap();
    assert_eq!((first.threshold, first.precision, first.recall), (0.0, 0.5, 1.0));
}

#[test]
fn shards_merge_to_the_same() {
    let mut whole = RowCollector::new(&KINDS, &RULES);
    let mut parts = [whole.clone(), whole.clone(), whole.clone()];
    for (i, row) in rows().into_iter().enumerate() {
        whole.row(row);
        parts[i % 3].row(row);
    }
    let [mut merged, second, third] = parts;
    merged.merge(&second);
    merged.merge(&third);
    assert_eq!(finished(&whole), finished(&merged));
}

#[test]
fn without_labels_there_is_no_quality() {
    let mut collector = RowCollector::new(&KINDS, &RULES);
    let alert = Some(AlertMark { rules: 1, aimed_at: Some(0) });
    collector.row(row(0, 0.5, Label::Unknown, alert));
    let report = finished(&collector);
    assert!(report.quality.is_empty() && report.precision_recall.is_empty());
    assert_eq!(report.alerts_over_time[0].counts["burst"], 1);
}

#[test]
fn a_long_recording_has_few_buckets() {
    for days in [1i64, 5, 61, 400, 4_000, 400_000] {
        let mut collector = RowCollector::new(&KINDS, &RULES);
        let alert = Some(AlertMark { rules: 1, aimed_at: None });
        for step in 0..200 {
            collector.row(row(step * days * HOUR_US * 24 / 200, 0.5, Label::Honest, alert));
        }
        let report = finished(&collector);
        assert!(report.alerts_over_time.len() <= ALERT_BUCKETS, "{days} days");
        let sum: u64 = report.alerts_over_time.iter().flat_map(|b| b.counts.values()).sum();
        assert_eq!(sum, 200, "{days} days");
    }
}

#[test]
fn a_timeline_is_bounded_and_loses_no_row() {
    let mut timeline = Timeline::new();
    for i in 1..=100_000u64 {
        timeline.sample(i as f64 * 0.01, i * 7, (i % 13) as f64);
    }
    let points = timeline.finish();
    assert!(points.len() <= TIMELINE_POINTS);
    let mut before = 0.0;
    let mut rows = 0.0;
    for point in &points {
        rows += point.rows_per_s * (point.wall_s - before);
        before = point.wall_s;
    }
    assert!((rows - 700_000.0).abs() < 1.0, "{rows}");
    assert!(Timeline::new().finish().is_empty());
}

#[test]
fn latencies_fall_into_their_buckets() {
    let mut histogram = Histogram::<u64>::new_with_max(1_000_000_000_000, 3).unwrap();
    for us in 1..=1000u64 {
        histogram.record(us * 1000).unwrap();
    }
    let (percentiles, buckets) = latency(&histogram);
    assert!((percentiles.p50 - 500.0).abs() < 5.0 && (percentiles.max - 1000.0).abs() < 5.0);
    assert_eq!(buckets.iter().map(|b| b.count).sum::<u64>(), 1000);
    assert!(buckets.windows(2).all(|pair| pair[0].us_to <= pair[1].us));
    let (none, empty) = latency(&Histogram::<u64>::new(3).unwrap());
    assert_eq!((none, empty.len()), (LatencyUs::default(), 0));
}
