//! Throughput and watermark lag over the run: two panels above each other that share the axis
//! of time (two vertical axes in one panel would suggest crossings that mean nothing).

use super::WIDE;
use crate::report::format::{micros, short, significant, whole};
use crate::report::html::axes;
use crate::report::html::scale::{Scale, count_label};
use crate::report::html::svg::{Anchor, Svg};
use crate::report::{FraudReport, TimelinePoint};

const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDE - 16.0;
const HEIGHT: f64 = 372.0;

/// The plot; `None` for a run too short for two samples.
pub fn plot(report: &FraudReport) -> Option<String> {
    let points = &report.timeline;
    let end_s = points.last().filter(|_| points.len() > 1)?.wall_s;
    let mut svg = Svg::new(WIDE, HEIGHT, "Rows a second and watermark lag over the run");
    let seconds = |s: f64| format!("{} s", significant(s));
    let x = Scale::exact(0.0, end_s, 10, (LEFT, RIGHT), seconds);

    let largest = points.iter().map(|p| p.rows_per_s).fold(0.0, f64::max);
    let y = Scale::from_zero(largest, 4, (200.0, 30.0), count_label);
    grid(&mut svg, &x, &y, "rows a second");
    curve(&mut svg, &x, &y, points, "rate", |p| p.rows_per_s);
    mean(&mut svg, &y, report.rows_per_s);

    let largest = points.iter().map(|p| p.watermark_lag_ms).fold(0.0, f64::max);
    let y = Scale::from_zero(largest, 2, (330.0, 256.0), lag_text);
    axes::draw(&mut svg, &x, &y, ("wall time", "watermark lag (event time)"));
    curve(&mut svg, &x, &y, points, "lag", |p| p.watermark_lag_ms);

    hover(&mut svg, &x, points);
    Some(svg.finish())
}

fn grid(svg: &mut Svg, x: &Scale, y: &Scale, title: &str) {
    let (bottom, top) = y.ends_px();
    for tick in &y.ticks {
        let at = y.px(tick.at);
        svg.line("grid", (LEFT, at), (RIGHT, at));
        svg.label("tick", (LEFT - 8.0, at + 4.0), Anchor::End, &tick.label);
    }
    axes::draw_x(svg, x, bottom, false);
    svg.line("axis", (LEFT, bottom), (RIGHT, bottom));
    svg.label("axis-title", (LEFT - 8.0, top - 12.0), Anchor::Start, title);
}

/// A point's value holds from the sample before it to its own time, so the curve starts at 0 s.
fn curve(
    svg: &mut Svg,
    x: &Scale,
    y: &Scale,
    points: &[TimelinePoint],
    class: &str,
    value: impl Fn(&TimelinePoint) -> f64,
) {
    let first = points.first().map(|p| (x.px(0.0), y.px(value(p))));
    let rest = points.iter().map(|p| (x.px(p.wall_s), y.px(value(p))));
    let line: Vec<(f64, f64)> = first.into_iter().chain(rest).collect();
    svg.area(&format!("{class}-area"), &line, y.ends_px().0);
    svg.polyline(&format!("{class}-line"), &line);
}

/// The mean of the whole run; its label stands over the frame's right end.
fn mean(svg: &mut Svg, y: &Scale, rows_per_s: f64) {
    if rows_per_s > 0.0 {
        let at = y.px(rows_per_s);
        svg.line("mean", (LEFT, at), (RIGHT, at));
        let (_, top) = y.ends_px();
        let text = format!("mean {} rows/s", short(rows_per_s));
        svg.label("note", (RIGHT, top - 12.0), Anchor::End, &text);
    }
}

/// Invisible columns over both panels that carry the tooltips.
fn hover(svg: &mut Svg, x: &Scale, points: &[TimelinePoint]) {
    let mut from = LEFT;
    for point in points {
        let to = x.px(point.wall_s);
        let title = format!(
            "{} s: {} rows/s, lag {}",
            significant(point.wall_s),
            whole(point.rows_per_s),
            lag_text(point.watermark_lag_ms)
        );
        svg.rect("hover", (from, 30.0), (to - from, 300.0), &title);
        from = to;
    }
}

fn lag_text(ms: f64) -> String {
    if ms == 0.0 { "0".into() } else { micros(ms * 1e3) }
}
