//! Precision against recall of the score alone, with the point marked at which the run worked
//! (rules and score together, so it may lie off the curve).

use super::HALF;
use crate::report::FraudReport;
use crate::report::format::{percent, significant};
use crate::report::html::axes;
use crate::report::html::scale::{Scale, percent_label};
use crate::report::html::svg::{Anchor, Svg};

const LEFT: f64 = 56.0;
const RIGHT: f64 = HALF - 24.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 282.0;
const HEIGHT: f64 = 326.0;

/// The plot; `None` without labels.
pub fn plot(report: &FraudReport) -> Option<String> {
    let points = &report.precision_recall;
    if points.is_empty() && report.overall().is_none() {
        return None;
    }
    let mut svg = Svg::new(HALF, HEIGHT, "Precision and recall");
    let x = Scale::exact(0.0, 1.0, 5, (LEFT, RIGHT), percent_label);
    let y = Scale::exact(0.0, 1.0, 5, (BOTTOM, TOP), percent_label);
    axes::draw(&mut svg, &x, &y, ("recall (frauds found)", "precision (alerts that are frauds)"));
    let line: Vec<(f64, f64)> =
        points.iter().map(|p| (x.px(p.recall), y.px(p.precision))).collect();
    svg.polyline("pr-line", &line);
    for (point, at) in points.iter().zip(&line) {
        let title = format!(
            "score from {}: precision {}, recall {}",
            significant(point.threshold),
            percent(Some(point.precision)),
            percent(Some(point.recall))
        );
        svg.circle("hover", *at, 5.0, &title);
    }
    working_point(&mut svg, &x, &y, report);
    Some(svg.finish())
}

/// A ring and two guides; the label stands on the side that has room.
fn working_point(svg: &mut Svg, x: &Scale, y: &Scale, report: &FraudReport) {
    let Some(overall) = report.overall() else { return };
    let (Some(precision), Some(recall)) = (overall.precision, overall.recall) else { return };
    let at = (x.px(recall), y.px(precision));
    svg.line("mark", (LEFT, at.1), at);
    svg.line("mark", (at.0, BOTTOM), at);
    let numbers = format!("{} / {}", percent(Some(precision)), percent(Some(recall)));
    let title = format!("this run: precision / recall {numbers}");
    svg.circle("point", at, 6.0, &title);
    // Below and to the left lies the inside of the curve: free of the line itself.
    let (anchor, dx) = if recall > 0.4 { (Anchor::End, -12.0) } else { (Anchor::Start, 12.0) };
    let dy = if precision > 0.25 { 22.0 } else { -30.0 };
    svg.label("note strong", (at.0 + dx, at.1 + dy), anchor, "this run, rules and score");
    svg.label("note", (at.0 + dx, at.1 + dy + 15.0), anchor, &numbers);
}
