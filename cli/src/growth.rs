//! `pelton bench growth`: how windows grow with keys, slides, disorder, aggregates and shards, as
//! a table, as JSON, and as a picture for `docs/BENCHMARKS.md`.

use pelton::{Error, Result};
use pelton_benches::growth::{self, Curve, Point};

use crate::args::BenchGrowthArgs;
use crate::report;
use crate::report::format::{bytes, short, thousands};
use crate::report::html::svg::{Anchor, Svg};
use crate::terminal::{self, Paint};

/// Measures, prints, and writes the JSON and the picture.
///
/// # Errors
/// When a run fails, an answer is wrong, or a file cannot be written.
pub fn run(args: &BenchGrowthArgs) -> Result<()> {
    let begin = |parameter: &str, at: f64| {
        if !args.quiet {
            eprintln!("growth: {parameter} {}", short(at));
        }
    };
    let curves = growth::run(args.rows as usize, args.rounds as usize, begin)?;
    if let Some(path) = &args.json {
        report::json::write(path, &curves)?;
    }
    if let Some(path) = &args.svg {
        std::fs::write(path, picture(&curves)).map_err(|error| Error::io("write", path, &error))?;
    }
    terminal::print(&text(&curves, Paint::for_stdout()))
}

fn text(curves: &[Curve], paint: Paint) -> String {
    let mut text = String::new();
    for curve in curves {
        text.push_str(&format!("\n {}  {}\n", paint.bold(&curve.parameter), curve.setting));
        for point in &curve.points {
            text.push_str(&format!(
                "   {:>10}  {}  {:>14} rows out  state {:>9}\n",
                short(point.at),
                paint.cyan(format!("{:>10} rows/s", short(point.rows_per_s))),
                thousands(point.rows_out),
                bytes(point.state_bytes),
            ));
        }
    }
    text.push('\n');
    text
}

const PANEL: (f64, f64) = (300.0, 190.0);
const COLUMNS: usize = 3;
const LEFT: f64 = 52.0;
const TOP: f64 = 34.0;
const INNER: (f64, f64) = (225.0, 118.0);

/// A panel a parameter: rows pushed (line) and rows given out (dots) a second.
fn picture(curves: &[Curve]) -> String {
    let height = PANEL.1 * curves.len().div_ceil(COLUMNS) as f64;
    let mut svg = Svg::new(PANEL.0 * COLUMNS as f64, height, "rows a second by parameter");
    for (at, curve) in curves.iter().enumerate() {
        let corner = ((at % COLUMNS) as f64 * PANEL.0, (at / COLUMNS) as f64 * PANEL.1);
        panel(&mut svg, curve, corner);
    }
    // A picture of its own has no page that brings the style.
    let style = "<style>\
        text{font:11px system-ui,sans-serif;fill:#777}.name{font-weight:600;font-size:12px}\
        .axis{stroke:#999;stroke-width:1}.grid{stroke:#9993;stroke-width:1}\
        .in{fill:none;stroke:#2a78d6;stroke-width:2}.in-dot{fill:#2a78d6}\
        .out{fill:none;stroke:#d9822b;stroke-width:2;stroke-dasharray:4 3}.out-dot{fill:#d9822b}\
        </style>\n";
    let text = svg.finish();
    let open = text.find('\n').map_or(0, |at| at + 1);
    format!("{}{style}{}", &text[..open], &text[open..])
}

fn panel(svg: &mut Svg, curve: &Curve, (x, y): (f64, f64)) {
    let (left, bottom) = (x + LEFT, y + TOP + INNER.1);
    svg.label("name", (x + 8.0, y + 14.0), Anchor::Start, &curve.parameter);
    svg.label("setting", (x + 8.0, y + 27.0), Anchor::Start, &curve.setting);
    let rates = |of: fn(&Point) -> f64| -> Vec<f64> { curve.points.iter().map(of).collect() };
    let given = |point: &Point| point.rows_per_s * point.rows_out as f64 / point.rows_in as f64;
    let (rows_in, rows_out) = (rates(|point| point.rows_per_s), rates(given));
    // Powers of ten: the curves span several.
    let all = || rows_in.iter().chain(&rows_out).copied().filter(|rate| *rate > 0.0);
    let low = libm::log10(all().fold(f64::INFINITY, f64::min)).floor();
    let high = libm::log10(all().fold(0.0, f64::max)).ceil().max(low + 1.0);
    let y_of = |rate: f64| bottom - (libm::log10(rate.max(1.0)) - low) / (high - low) * INNER.1;
    for power in low as i32..=high as i32 {
        let at = y_of(libm::exp10(f64::from(power)));
        svg.line("grid", (left, at), (left + INNER.0, at));
        svg.label(
            "tick",
            (left - 5.0, at + 4.0),
            Anchor::End,
            &short(libm::exp10(f64::from(power))),
        );
    }
    let step = INNER.0 / (curve.points.len().max(2) - 1) as f64;
    let x_of = |at: usize| left + step * at as f64;
    for (at, point) in curve.points.iter().enumerate() {
        svg.label("tick", (x_of(at), bottom + 14.0), Anchor::Middle, &short(point.at));
    }
    svg.line("axis", (left, bottom), (left + INNER.0, bottom));
    for (class, dot, rates) in [("out", "out-dot", &rows_out), ("in", "in-dot", &rows_in)] {
        let points: Vec<(f64, f64)> =
            rates.iter().enumerate().map(|(at, &rate)| (x_of(at), y_of(rate))).collect();
        svg.polyline(class, &points);
        for (&point, &rate) in points.iter().zip(rates) {
            svg.circle(dot, point, 3.0, &format!("{} rows/s", short(rate)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_every_curve_and_the_text_every_point() {
        let point = |at: f64| Point {
            at,
            rows_in: 100,
            rows_out: 50,
            rows_per_s: 1e6 * at,
            state_bytes: 1,
        };
        let curve = |name: &str| Curve {
            parameter: name.to_owned(),
            setting: "all <else>".to_owned(),
            points: vec![point(1.0), point(2.0)],
        };
        let curves = [curve("keys"), curve("slide")];
        let svg = picture(&curves);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<polyline").count(), 4);
        assert!(svg.contains("keys") && svg.contains("&lt;else&gt;"));
        assert_eq!(text(&curves, Paint::new(false)).matches("rows/s").count(), 4);
    }
}
