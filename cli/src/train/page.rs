//! The page of a training: figures by week, curves, calibration, what decides. One file, no
//! network, no script, as the replay's report.

use pelton_scoring::train::metrics::{Point, calibration, precision_recall_curve, roc_curve};

use super::{Outcome, Test, together};
use crate::report::format::thousands;
use crate::report::html::scale::{Scale, percent_label};
use crate::report::html::svg::{Anchor, Svg, escape};
use crate::report::html::{STYLE, axes, figure};

pub(super) const WIDTH: f64 = 520.0;
pub(super) const HEIGHT: f64 = 326.0;
pub(super) const LEFT: f64 = 56.0;
pub(super) const RIGHT: f64 = WIDTH - 24.0;
pub(super) const TOP: f64 = 30.0;
pub(super) const BOTTOM: f64 = 282.0;
/// Points of a curve.
const POINTS: usize = 400;
/// Fewest rows of a point of the calibration.
const ROWS_MIN: u64 = 50;
/// Features that are drawn.
const FEATURES: usize = 20;

/// Colours of curves, in the order of the tests; then they repeat.
const COLOURS: usize = 6;

/// Lines in the colours of the kinds, which the replay's page fills.
pub(super) const OWN_STYLE: &str = "\
.curve { fill: none; stroke-width: 1.6 } .dash { stroke: var(--axis); stroke-dasharray: 4 4 }\n\
.c0 { stroke: var(--k0) } .c1 { stroke: var(--k1) } .c2 { stroke: var(--k2) }\n\
.c3 { stroke: var(--k3) } .c4 { stroke: var(--k4) } .c5 { stroke: var(--k5) }\n\
.f0 { fill: var(--k0) } .f1 { fill: var(--k1) } .f2 { fill: var(--k2) }\n";

/// The page as text.
pub(super) fn page(outcome: &Outcome) -> String {
    let title = format!("Training: {}", outcome.recording);
    let lead = format!(
        "{} payments, {} frauds. {}, learned from {} to {}.",
        thousands(outcome.rows as u64),
        thousands(outcome.frauds as u64),
        outcome.model,
        outcome.train_from,
        outcome.train_to
    );
    let plots = [
        (
            "roc",
            "ROC",
            "Frauds found against honest payments flagged, a line a test.",
            roc(outcome),
        ),
        (
            "precision-recall",
            "Precision and recall",
            "At each threshold of the score, a line a test.",
            recall(outcome),
        ),
        (
            "calibration",
            "Calibration",
            "Scores of all tests against the share of frauds; on the diagonal a score of 30 % means \
             30 %.",
            calibrated(outcome),
        ),
        ("weeks", "Test by test", "Each with a model of its own.", weeks(outcome)),
    ];
    let figures: Vec<String> = plots
        .into_iter()
        .map(|(id, title, about, plot)| figure(id, title, about, plot, "There is no test."))
        .collect();
    let about = "Share of the gain of all splits, or of the standardised weights.";
    let important = figure("importance", "What decides", about, bars(&outcome.importance), "");
    format!(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n\
         <meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>{}</title>\n<style>\n{STYLE}{OWN_STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<p class=\"brand\">pelton train fraud</p>\n<h1>{}</h1>\n\
         <p class=\"lead\">{}</p>\n</header>\n\
         <section>\n<h2>Tests</h2>\n{}<div class=\"pair\">\n{}{}</div>\n<div class=\"pair\">\n{}{}\
         </div>\n</section>\n<section>\n<h2>The model</h2>\n{important}\
         <p class=\"lead\"><code>{}</code></p>\n</section>\n\
         <footer>Made by pelton {}. One file, no network: keep it, mail it.</footer>\n\
         </main>\n</body>\n</html>\n",
        escape(&title),
        escape(&outcome.recording),
        escape(&lead),
        table(outcome),
        figures[0],
        figures[1],
        figures[2],
        figures[3],
        escape(&outcome.made_by),
        escape(&outcome.pelton),
    )
}

fn number(figure: Option<f64>) -> String {
    figure.map_or_else(|| "–".to_owned(), |x| format!("{x:.3}"))
}

fn table(outcome: &Outcome) -> String {
    let mut html = String::from(
        "<div class=\"panel\"><div class=\"scroll\"><table>\n<thead><tr><th>Test</th>\
         <th class=\"n\">Learned from</th><th class=\"n\">Tested</th><th class=\"n\">Frauds</th>\
         <th class=\"n\">AUC ROC</th><th class=\"n\">Average precision</th>\
         <th class=\"n\">Card precision@100</th></tr></thead>\n<tbody>\n",
    );
    for test in &outcome.tests {
        let of = &test.figures;
        let mut row = |class: &str, name: &str, cells: [String; 6]| {
            let cells =
                cells.map(|cell| format!("<td class=\"n\">{}</td>", escape(&cell))).join("");
            html.push_str(&format!("<tr{class}><td>{}</td>{cells}</tr>\n", escape(name)));
        };
        row(
            " class=\"sum\"",
            &test.name,
            [
                thousands(of.train_rows as u64),
                thousands(of.test_rows as u64),
                thousands(of.test_frauds as u64),
                number(of.auc_roc),
                number(of.average_precision),
                number(of.card_precision_at_100),
            ],
        );
        for (kind, figures) in &of.kinds {
            let cells = [
                String::new(),
                String::new(),
                thousands(figures.frauds as u64),
                number(figures.auc_roc),
                number(figures.average_precision),
                String::new(),
            ];
            row("", &crate::report::format::words(kind), cells);
        }
    }
    html.push_str("</tbody>\n</table></div></div>\n");
    html
}

fn unit_axes(svg: &mut Svg, titles: (&str, &str)) -> (Scale, Scale) {
    let x = Scale::exact(0.0, 1.0, 5, (LEFT, RIGHT), percent_label);
    let y = Scale::exact(0.0, 1.0, 5, (BOTTOM, TOP), percent_label);
    axes::draw(svg, &x, &y, titles);
    (x, y)
}

fn curves(
    outcome: &Outcome,
    name: &str,
    titles: (&str, &str),
    points: impl Fn(&Test) -> Vec<Point>,
) -> Option<String> {
    if outcome.tests.is_empty() {
        return None;
    }
    let mut svg = Svg::new(WIDTH, HEIGHT, name);
    let (x, y) = unit_axes(&mut svg, titles);
    for (at, test) in outcome.tests.iter().enumerate() {
        let line: Vec<(f64, f64)> =
            points(test).iter().map(|point| (x.px(point.x), y.px(point.y))).collect();
        svg.polyline(&format!("curve c{}", at % COLOURS), &line);
    }
    Some(svg.finish())
}

fn roc(outcome: &Outcome) -> Option<String> {
    let titles = ("honest payments flagged", "frauds found");
    curves(outcome, "ROC", titles, |test| roc_curve(&test.scores, &test.labels, POINTS))
}

fn recall(outcome: &Outcome) -> Option<String> {
    let titles = ("recall (frauds found)", "precision");
    curves(outcome, "Precision and recall", titles, |test| {
        precision_recall_curve(&test.scores, &test.labels, POINTS)
    })
}

fn calibrated(outcome: &Outcome) -> Option<String> {
    let (scores, labels) = together(&outcome.tests);
    if scores.is_empty() {
        return None;
    }
    let mut svg = Svg::new(WIDTH, HEIGHT, "Calibration");
    let (x, y) = unit_axes(&mut svg, ("score", "share of frauds"));
    svg.line("dash", (x.px(0.0), y.px(0.0)), (x.px(1.0), y.px(1.0)));
    let bins = calibration(&scores, &labels, ROWS_MIN);
    let points: Vec<(f64, f64)> =
        bins.iter().map(|bin| (x.px(bin.predicted), y.px(bin.observed))).collect();
    svg.polyline("curve c0", &points);
    for (bin, at) in bins.iter().zip(points) {
        let title = format!(
            "{} payments, score {:.3}, frauds {:.3}",
            thousands(bin.rows),
            bin.predicted,
            bin.observed
        );
        svg.circle("f0", at, 4.0, &title);
    }
    Some(svg.finish())
}

/// A line's name, and its value for a test.
type Line = (&'static str, fn(&Test) -> Option<f64>);

/// The three figures of each test as points on lines.
fn weeks(outcome: &Outcome) -> Option<String> {
    if outcome.tests.is_empty() {
        return None;
    }
    let mut svg = Svg::new(WIDTH, HEIGHT, "Figures of each test");
    let y = Scale::exact(0.0, 1.0, 5, (BOTTOM, TOP), |x| format!("{x:.1}"));
    let last = outcome.tests.len().max(2) as f64 - 1.0;
    let x = Scale::exact(0.0, last, 1, (LEFT + 20.0, RIGHT - 20.0), |_| String::new());
    for tick in &y.ticks {
        svg.line("grid", (LEFT, y.px(tick.at)), (RIGHT, y.px(tick.at)));
        svg.label("tick", (LEFT - 8.0, y.px(tick.at) + 4.0), Anchor::End, &tick.label);
    }
    let step = outcome.tests.len().div_ceil(5);
    for (at, test) in outcome.tests.iter().enumerate().step_by(step) {
        let from = test.figures.test_from.get(5..).unwrap_or_default();
        svg.label("tick", (x.px(at as f64), BOTTOM + 18.0), Anchor::Middle, from);
    }
    let lines: [Line; 3] = [
        ("AUC ROC", |test| test.figures.auc_roc),
        ("average precision", |test| test.figures.average_precision),
        ("card precision@100", |test| test.figures.card_precision_at_100),
    ];
    for (line, (name, figure)) in lines.into_iter().enumerate() {
        let mut points = Vec::new();
        for (at, test) in outcome.tests.iter().enumerate() {
            if let Some(value) = figure(test) {
                points.push((x.px(at as f64), y.px(value)));
                let title = format!("{name} {value:.3}, {}", test.name);
                svg.circle(&format!("f{line}"), (x.px(at as f64), y.px(value)), 4.0, &title);
            }
        }
        svg.polyline(&format!("curve c{line}"), &points);
        if let Some(at) = points.last() {
            svg.label("note", (RIGHT, at.1 - 10.0), Anchor::End, name);
        }
    }
    Some(svg.finish())
}

/// How much the first features decide, a bar each.
pub(super) fn bars(importance: &[(String, f64)]) -> Option<String> {
    let shown = &importance[..importance.len().min(FEATURES)];
    let most = shown.first().map(|(_, share)| *share).filter(|share| *share > 0.0)?;
    const LINE: f64 = 24.0;
    const NAMES: f64 = 320.0;
    let width = 2.0 * WIDTH;
    let mut svg = Svg::new(width, LINE * shown.len() as f64 + 8.0, "Importance of the features");
    for (at, (name, share)) in shown.iter().enumerate() {
        let top = LINE * at as f64 + 4.0;
        let length = share / most * (width - NAMES - 90.0);
        svg.label("tick", (NAMES - 10.0, top + 15.0), Anchor::End, name);
        svg.rect("f0", (NAMES, top + 2.0), (length, LINE - 8.0), "");
        let percent = format!("{:.1} %", share * 100.0);
        svg.label("tick", (NAMES + length + 8.0, top + 15.0), Anchor::Start, &percent);
    }
    Some(svg.finish())
}
