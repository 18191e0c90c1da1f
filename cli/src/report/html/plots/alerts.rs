//! Alerts over event time: one bar a bucket, stacked by kind.

use super::WIDE;
use crate::report::format::{Utc, thousands, words};
use crate::report::html::axes;
use crate::report::html::scale::{Scale, count_label};
use crate::report::html::svg::Svg;
use crate::report::{AlertsBucket, FraudReport, NO_KIND};

const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDE - 16.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 258.0;
const HEIGHT: f64 = 302.0;

/// Kinds that have an alert, in the order in which they are stacked and coloured: by name,
/// with the alerts on honest rows on top.
pub fn stack(report: &FraudReport) -> Vec<String> {
    let mut kinds: Vec<String> = report
        .alerts_over_time
        .iter()
        .flat_map(|bucket| bucket.counts.keys())
        .chain(report.kinds().map(|(kind, _)| kind.to_owned()).collect::<Vec<_>>().iter())
        .filter(|kind| *kind != NO_KIND)
        .cloned()
        .collect();
    kinds.sort();
    kinds.dedup();
    if report.alerts_over_time.iter().any(|bucket| bucket.counts.contains_key(NO_KIND)) {
        kinds.push(NO_KIND.into());
    }
    kinds
}

/// Class of a kind's colour; more kinds than colours start again.
pub fn colour(kinds: &[String], kind: &str) -> String {
    match kinds.iter().position(|k| k == kind) {
        Some(_) if kind == NO_KIND => "kn".into(),
        Some(i) => format!("k{}", i % 6),
        None => "kn".into(),
    }
}

/// Name of a kind for people.
pub fn kind_name(kind: &str) -> String {
    if kind == NO_KIND { "no fraud (false alert)".into() } else { words(kind) }
}

/// The plot; `None` without alerts.
pub fn plot(report: &FraudReport) -> Option<String> {
    let buckets = &report.alerts_over_time;
    let (first, last) = (buckets.first()?, buckets.last()?);
    let width_us = report.alerts_bucket_us.max(1);
    let kinds = stack(report);
    let sum = |bucket: &AlertsBucket| bucket.counts.values().sum::<u64>();
    let largest = buckets.iter().map(sum).max().unwrap_or(1);

    let mut svg = Svg::new(WIDE, HEIGHT, "Alerts over event time by kind of fraud");
    let end_us = last.bucket_start_us.saturating_add(width_us);
    let x = Scale::time(first.bucket_start_us, end_us, 12, (LEFT, RIGHT));
    let y = Scale::from_zero(largest as f64, 4, (BOTTOM, TOP), count_label);
    let title = format!("alerts in {}", width_text(width_us));
    axes::draw(&mut svg, &x, &y, ("event time (UTC)", &title));
    for bucket in buckets {
        let from = x.px(bucket.bucket_start_us as f64);
        let to = x.px(bucket.bucket_start_us.saturating_add(width_us) as f64);
        let gap = if to - from > 4.0 { 1.0 } else { 0.2 };
        let mut below = 0;
        for kind in &kinds {
            let count = bucket.counts.get(kind).copied().unwrap_or(0);
            if count == 0 {
                continue;
            }
            let (bottom, top) = (y.px(below as f64), y.px((below + count) as f64));
            let title = format!(
                "{}: {} {} of {} alerts",
                when(bucket.bucket_start_us, width_us),
                thousands(count),
                kind_name(kind),
                thousands(sum(bucket))
            );
            let size = (to - from - gap, bottom - top);
            svg.rect(&colour(&kinds, kind), (from + gap / 2.0, top), size, &title);
            below += count;
        }
    }
    Some(svg.finish())
}

fn when(start_us: i64, width_us: i64) -> String {
    let utc = Utc::from_micros(start_us);
    if width_us % 86_400_000_000 == 0 {
        utc.date()
    } else {
        format!("{} {}", utc.date(), utc.hour_and_minute())
    }
}

fn width_text(width_us: i64) -> String {
    match width_us / 3_600_000_000 {
        1 => "an hour".into(),
        24 => "a day".into(),
        168 => "a week".into(),
        hours if hours > 0 && hours % 168 == 0 => format!("{} weeks", hours / 168),
        hours if hours > 0 && hours % 24 == 0 => format!("{} days", hours / 24),
        hours => format!("{hours} hours"),
    }
}
