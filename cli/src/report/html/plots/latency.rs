//! Histogram of latencies over a logarithmic axis, with the percentiles marked.

use super::HALF;
use crate::report::format::{micros, percent, thousands};
use crate::report::html::axes::{self, text_width};
use crate::report::html::scale::{Scale, percent_label};
use crate::report::html::svg::{Anchor, Svg};
use crate::report::{FraudReport, LatencyBucket};

const LEFT: f64 = 56.0;
const RIGHT: f64 = HALF - 12.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 282.0;
const HEIGHT: f64 = 326.0;

/// The plot; `None` without latencies.
pub fn plot(report: &FraudReport) -> Option<String> {
    let buckets: &[LatencyBucket] = &report.latency_histogram;
    let (first, last) = (buckets.first()?, buckets.last()?);
    let rows: u64 = buckets.iter().map(|bucket| bucket.count).sum();
    let share = |count: u64| count as f64 / rows.max(1) as f64;
    let mut svg = Svg::new(HALF, HEIGHT, "Histogram of latencies");
    let x = Scale::log(first.us, last.us_to, (LEFT, RIGHT), micros);
    let largest = buckets.iter().map(|bucket| share(bucket.count)).fold(0.0, f64::max);
    let y = Scale::from_zero(largest, 4, (BOTTOM, TOP), share_label(largest));
    let from = if report.latency_from.is_empty() { "arrival" } else { &report.latency_from };
    axes::draw(&mut svg, &x, &y, (&format!("from {from} to decision"), ""));
    svg.label("axis-title", (LEFT - 8.0, 14.0), Anchor::Start, "share of rows");
    for bucket in buckets {
        let (from_px, to_px) = (x.px(bucket.us), x.px(bucket.us_to));
        // The rarest latencies are what a tail is about: never thinner than a hairline.
        let height = (BOTTOM - y.px(share(bucket.count))).max(1.0);
        let title = format!(
            "{} to {}: {} rows ({})",
            micros(bucket.us),
            micros(bucket.us_to),
            thousands(bucket.count),
            percent(Some(share(bucket.count)))
        );
        let width = (to_px - from_px - 1.0).max(1.0);
        svg.rect("bar", (from_px + 0.5, BOTTOM - height), (width, height), &title);
    }
    percentiles(&mut svg, &x, report);
    Some(svg.finish())
}

/// Percent with as many places as the largest share needs.
fn share_label(largest: f64) -> impl Fn(f64) -> String {
    move |x| if largest < 0.02 { format!("{:.1} %", x * 100.0) } else { percent_label(x) }
}

/// Dashed lines at the percentiles, their labels above the frame in two rows, moved apart.
fn percentiles(svg: &mut Svg, x: &Scale, report: &FraudReport) {
    let latency = &report.latency_us;
    let marks =
        [("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("p99.9", latency.p999)];
    let texts: Vec<String> = marks.iter().map(|(_, us)| micros(*us)).collect();
    let widths: Vec<(f64, f64)> = marks
        .iter()
        .zip(&texts)
        .map(|((name, us), text)| (x.px(*us), text_width(text).max(text_width(name))))
        .collect();
    let centres = axes::spread(&widths, 8.0, LEFT, RIGHT);
    for (((name, us), text), centre) in marks.iter().zip(&texts).zip(centres) {
        let at = x.px(*us);
        svg.line("mark", (at, TOP), (at, BOTTOM));
        svg.line("mark", (centre, TOP - 6.0), (at, TOP));
        svg.label("note strong", (centre, TOP - 24.0), Anchor::Middle, name);
        svg.label("note", (centre, TOP - 10.0), Anchor::Middle, text);
    }
}
