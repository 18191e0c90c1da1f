//! A report of a run that never was: made-up but plausible numbers, the same every time, for
//! tests and for looking at the page.

use std::collections::BTreeMap;

use pelton_cli::doctor::{Cache, IoUring, KernelLevel, Machine};
use pelton_cli::report::{
    AlertsBucket, FraudReport, LatencyBucket, LatencyUs, Ledger, PrecisionRecall, Quality,
    RuleCount, TimelinePoint,
};

const DAY_US: i64 = 86_400_000_000;
/// 2026-01-05, a Monday.
const START_US: i64 = 1_767_571_200_000_000;
const DAYS: i64 = 62;

/// Kinds of fraud, with labelled, found and all alerts of each.
const KINDS: [(&str, u64, u64, u64); 5] = [
    ("card_testing", 2_914, 2_790, 2_981),
    ("compromised_terminal", 4_120, 2_913, 4_406),
    ("impossible_travel", 1_870, 1_788, 1_902),
    ("large_amount", 1_536, 1_102, 1_577),
    ("multiplied_amounts", 3_344, 3_019, 3_377),
];

/// Numbers from 0 to 1 that look like chance and are none (an LCG, by Knuth).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }
}

/// A whole report of two million payments.
pub fn report() -> FraudReport {
    let mut dice = Dice(7);
    FraudReport {
        pelton: "0.1.0".into(),
        recording: "payments-2000000-1.csv".into(),
        first_time_us: Some(START_US),
        last_time_us: Some(START_US + DAYS * DAY_US - 1),
        rows_in: 2_000_000,
        rows_late: 204,
        rows_rejected: 12,
        rows_scored: 1_999_988,
        alerts: 14_391,
        rows_beyond_memory: 0,
        ledger: ledger(),
        wall_s: 0.6221,
        rows_per_s: 3_214_917.0,
        latency_us: LatencyUs {
            p50: 412.0,
            p90: 706.0,
            p99: 1_243.0,
            p999: 2_130.0,
            p9999: 4_480.0,
            max: 6_912.0,
        },
        latency_from: "block read".into(),
        state_bytes: 100_923_000,
        state_log_bytes: 85_900_000,
        state_log_rows: 2_710_000,
        peak_rss_bytes: Some(327_575_000),
        shards: 2,
        simd: "avx512".into(),
        backend: "simd".into(),
        gpu: None,
        io: "io_uring".into(),
        format: "csv".into(),
        interrupted: false,
        missing_signals: Vec::new(),
        quality: quality(),
        rules: rules(),
        precision_recall: curve(),
        models: Vec::new(),
        challenger: None,
        timeline: timeline(&mut dice),
        alerts_bucket_us: DAY_US,
        alerts_over_time: alerts_over_time(&mut dice),
        latency_histogram: latencies(),
        settings: settings(),
        machine: machine(),
    }
}

/// A run over a recording without labels, places or alerts, stopped at once.
pub fn bare() -> FraudReport {
    FraudReport {
        pelton: "0.1.0".into(),
        recording: "<script>&\"quotes\".csv".into(),
        interrupted: true,
        missing_signals: vec!["speed between places".into(), "distinct countries".into()],
        ledger: Ledger::new(0, 0, 0, 0, BTreeMap::new()),
        shards: 1,
        simd: "scalar".into(),
        backend: "scalar".into(),
        io: "plain reads".into(),
        format: "csv".into(),
        ..FraudReport::default()
    }
}

fn ledger() -> Ledger {
    let reasons =
        [("wrong number of fields", 7), ("amount is not a number", 4), ("invalid UTF-8", 1)];
    let reasons = reasons.into_iter().map(|(reason, rows)| (reason.to_owned(), rows)).collect();
    Ledger::new(2_000_000, 1_999_988, 12, 204, reasons)
}

fn quality() -> BTreeMap<String, Quality> {
    let sum = |part: fn(&(&str, u64, u64, u64)) -> u64| KINDS.iter().map(part).sum();
    let all = Quality::new(sum(|k| k.1), sum(|k| k.2), 14_391);
    let kinds = KINDS.iter().map(|(kind, labelled, found, alerts)| {
        ((*kind).to_owned(), Quality::new(*labelled, *found, *alerts))
    });
    kinds.chain([("all".to_owned(), all)]).collect()
}

fn rules() -> BTreeMap<String, RuleCount> {
    [
        ("amount_far_above_own_mean", 1_410, 1_012),
        ("amounts_multiplied_for_days", 3_120, 2_866),
        ("burst_of_small_payments", 2_965, 2_770),
        ("impossible_speed", 1_880, 1_771),
        ("score", 6_240, 5_118),
        ("terminal_with_many_frauds", 4_018, 2_694),
    ]
    .into_iter()
    .map(|(rule, alerts, hits)| (rule.to_owned(), RuleCount { alerts, hits }))
    .collect()
}

fn curve() -> Vec<PrecisionRecall> {
    (0..=100)
        .map(|i| {
            let threshold = f64::from(i) / 100.0;
            let recall = 1.0 - libm::pow(threshold, 3.0) * 0.92 - threshold * 0.06;
            let precision = 1.0 - 0.985 * libm::pow(recall, 9.0) - 0.04 * recall;
            PrecisionRecall { threshold, precision, recall }
        })
        .collect()
}

fn timeline(dice: &mut Dice) -> Vec<TimelinePoint> {
    (1..=62)
        .map(|i| {
            let warm = 1.0 - libm::exp(-f64::from(i) / 3.0);
            let dip = if (37..40).contains(&i) { 0.72 } else { 1.0 };
            TimelinePoint {
                wall_s: f64::from(i) * 0.01,
                rows_per_s: 3.35e6 * warm * dip * (0.94 + 0.12 * dice.roll()),
                watermark_lag_ms: 2_000.0 + 1_900.0 * libm::pow(dice.roll(), 4.0),
            }
        })
        .collect()
}

fn alerts_over_time(dice: &mut Dice) -> Vec<AlertsBucket> {
    let false_alerts = 14_391 - KINDS.iter().map(|kind| kind.2).sum::<u64>();
    let totals = KINDS.iter().map(|kind| (kind.0, kind.2)).chain([("none", false_alerts)]);
    let mut buckets: Vec<AlertsBucket> = (0..DAYS)
        .map(|day| START_US + day * DAY_US)
        .map(|bucket_start_us| AlertsBucket { bucket_start_us, counts: BTreeMap::new() })
        .collect();
    for (kind, total) in totals {
        // Few at first (nothing is known of a card), fewer at weekends, and exactly the total.
        let weight = |day: i64, roll: f64| {
            let warm = 1.0 - libm::exp(-(day as f64 + 0.4) / 5.0);
            warm * if day % 7 > 4 { 0.7 } else { 1.0 } * (0.6 + 0.8 * roll)
        };
        let weights: Vec<f64> = (0..DAYS).map(|day| weight(day, dice.roll())).collect();
        let sum: f64 = weights.iter().sum();
        let (mut so_far, mut given) = (0.0, 0);
        for (bucket, weight) in buckets.iter_mut().zip(&weights) {
            so_far += weight / sum * total as f64;
            let count = so_far.round() as u64 - given;
            given += count;
            if count > 0 {
                bucket.counts.insert(kind.to_owned(), count);
            }
        }
    }
    buckets
}

fn latencies() -> Vec<LatencyBucket> {
    let edges = [
        63.0, 80.0, 100.0, 125.0, 160.0, 200.0, 250.0, 315.0, 400.0, 500.0, 630.0, 800.0, 1_000.0,
        1_250.0, 1_600.0, 2_000.0, 2_500.0, 3_150.0, 4_000.0, 5_000.0, 6_300.0, 8_000.0,
    ];
    let bucket = |pair: &[f64]| {
        let middle = (pair[0] * pair[1]).sqrt();
        let distance = libm::log(middle / 412.0) / if middle < 412.0 { 0.55 } else { 0.47 };
        let count = (420_000.0 * libm::exp(-distance * distance / 2.0)) as u64 + 3;
        LatencyBucket { us: pair[0], us_to: pair[1], count }
    };
    edges.windows(2).map(bucket).collect()
}

fn settings() -> BTreeMap<String, String> {
    [
        ("batch_rows", "4096"),
        ("delay", "2 s"),
        ("seed", "1"),
        ("speed", "max"),
        ("weights", "built in"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

fn machine() -> Machine {
    let cache = |level, kind: &str, kib: u64| Cache {
        level,
        kind: kind.into(),
        size_bytes: kib << 10,
        shared_by: "0".into(),
    };
    Machine {
        os: Some("Debian GNU/Linux 12 (bookworm)".into()),
        kernel: Some("6.18.5".into()),
        arch: "x86_64".into(),
        virtual_machine: true,
        cpu_model: Some("AMD EPYC 9B45".into()),
        cores_usable: 2,
        cores_online: Some(2),
        affinity: Some("0-1".into()),
        simd_level: "avx512".into(),
        kernels: vec![KernelLevel { name: "csv_scan".into(), level: "avx512".into() }],
        simd_features: vec!["avx2".into(), "avx512f".into()],
        caches: vec![
            cache(1, "Data", 48),
            cache(1, "Instruction", 32),
            cache(2, "Unified", 1_024),
            cache(3, "Unified", 32_768),
        ],
        memory_total_bytes: Some(25_190_000_000),
        memory_available_bytes: Some(22_000_000_000),
        memory_limit_bytes: None,
        huge_pages: Some("madvise".into()),
        clock_source: Some("kvm-clock".into()),
        io_uring: IoUring { usable: true, reason: None },
    }
}
