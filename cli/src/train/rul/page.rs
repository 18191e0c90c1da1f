//! The page of a training: estimates against truths, lives of engines that the model did not
//! see, what decides. One file, no network, no script.

use super::learn::{Estimate, Figures};
use super::{Learned, Outcome};
use crate::report::format::thousands;
use crate::report::html::scale::{Scale, count_label};
use crate::report::html::svg::{Svg, escape};
use crate::report::html::{STYLE, axes, figure};
use crate::train::page::{BOTTOM, HEIGHT, LEFT, OWN_STYLE, RIGHT, TOP, WIDTH, bars};

/// Engines whose lives are drawn.
const LIVES: usize = 4;
/// Bars of errors have this width, in cycles.
const BAR_CYCLES: f64 = 5.0;

const MORE_STYLE: &str = "\
.truth { fill: none; stroke: var(--axis); stroke-width: 1.6; \
stroke-dasharray: 5 4 }\n\
.f3 { fill: var(--k3) }\n";

/// The page as text.
pub(super) fn page(outcome: &Outcome) -> String {
    let sections: String =
        outcome.subsets.iter().map(|subset| section(subset, outcome.cap)).collect();
    let names: Vec<&str> = outcome.subsets.iter().map(|subset| subset.name.as_str()).collect();
    let title = format!("Remaining life: {}", names.join(", "));
    let lead = format!(
        "Boosted trees of what the stream knew at each cycle. Lives above {} cycles were learned \
         as that; truths are not capped.",
        outcome.cap
    );
    format!(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n\
         <meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>{}</title>\n<style>\n{STYLE}{OWN_STYLE}{MORE_STYLE}</style>\n</head>\n<body>\n\
         <main>\n<header>\n<p class=\"brand\">pelton train rul</p>\n<h1>{}</h1>\n\
         <p class=\"lead\">{}</p>\n</header>\n{}{sections}\
         <p class=\"lead\"><code>{}</code></p>\n\
         <footer>Made by pelton {}. One file, no network: keep it, mail it.</footer>\n\
         </main>\n</body>\n</html>\n",
        escape(&title),
        escape(&title),
        escape(&lead),
        table(outcome),
        escape(&outcome.made_by),
        escape(&outcome.pelton),
    )
}

fn table(outcome: &Outcome) -> String {
    let heads = ["RMSE", "RMSE, capped truths", "Bias", "NASA's score", "Estimates", "Engines"];
    let heads: String =
        heads.iter().map(|head| format!("<th class=\"n\">{}</th>", escape(head))).collect();
    let mut html = format!(
        "<div class=\"panel\"><div class=\"scroll\"><table>\n<thead><tr><th>Cycles</th>{heads}\
         </tr></thead>\n<tbody>\n"
    );
    let mut row = |class: &str, name: &str, of: &Figures| {
        let cells = [
            format!("{:.2}", of.rmse),
            format!("{:.2}", of.rmse_of_capped_truths),
            format!("{:+.2}", of.bias),
            thousands(of.nasa_score.round() as u64),
            thousands(of.estimates as u64),
            thousands(of.engines as u64),
        ];
        let cells = cells.map(|cell| format!("<td class=\"n\">{}</td>", escape(&cell))).join("");
        html.push_str(&format!("<tr{class}><td>{}</td>{cells}</tr>\n", escape(name)));
    };
    for subset in &outcome.subsets {
        row(" class=\"sum\"", &format!("{}, test engines", subset.name), &subset.test);
        if let Some(figures) = &subset.validation {
            row("", "held-out training engines, 1 to 150 cycles left", figures);
        }
    }
    html.push_str("</tbody>\n</table></div></div>\n");
    html
}

fn section(subset: &Learned, cap: f64) -> String {
    let name = &subset.name;
    let id = |what: &str| format!("{what}-{name}");
    let none = "There was no validation (--folds 0).";
    let plots = [
        figure(
            &id("estimates"),
            "Estimates and truths",
            "A point a test engine, at its last cycle; on the line the estimate is right.",
            estimates(&subset.tested, cap),
            "",
        ),
        figure(
            &id("errors"),
            "Errors",
            "Test engines by estimate less truth: left of 0 too early, right of it too late.",
            errors(&subset.tested),
            "",
        ),
        figure(
            &id("lives"),
            "Lives",
            "Training engines, short to long lives, each estimated by a model that did not see it; \
             dashed: the truth.",
            lives(&subset.validated, cap),
            none,
        ),
        figure(
            &id("by-truth"),
            "How early it is known",
            "Held-out training engines: root mean squared error by cycles left.",
            by_truth(&subset.validated),
            none,
        ),
    ];
    let important = figure(
        &id("importance"),
        "What decides",
        "Share of the gain of all splits.",
        bars(&subset.importance),
        "",
    );
    let about = format!(
        "{} trees from {} cycles of {} engines; {} features of {} sensors.",
        subset.trees,
        thousands(subset.rows as u64),
        subset.engines,
        subset.features.len(),
        subset.sensors.len()
    );
    format!(
        "<section>\n<h2>{}</h2>\n<p class=\"empty\">{}</p>\n<div class=\"pair\">\n{}{}</div>\n\
         <div class=\"pair\">\n{}{}</div>\n{important}</section>\n",
        escape(name),
        escape(&about),
        plots[0],
        plots[1],
        plots[2],
        plots[3]
    )
}

fn estimates(all: &[Estimate], cap: f64) -> Option<String> {
    let most = all.iter().map(|one| one.truth.max(one.estimate)).fold(cap, f64::max);
    let mut svg = Svg::new(WIDTH, HEIGHT, "Estimates and truths");
    let x = Scale::from_zero(most, 5, (LEFT, RIGHT), count_label);
    let y = Scale::from_zero(most, 5, (BOTTOM, TOP), count_label);
    axes::draw(&mut svg, &x, &y, ("cycles left, truth", "estimate"));
    svg.line("dash", (x.px(0.0), y.px(0.0)), (x.px(most), y.px(most)));
    for one in all {
        let title = format!(
            "engine {} at cycle {}: {:.0} estimated, {:.0} left",
            one.unit, one.cycle, one.estimate, one.truth
        );
        svg.circle("f0", (x.px(one.truth), y.px(one.estimate)), 3.5, &title);
    }
    (!all.is_empty()).then(|| svg.finish())
}

fn errors(all: &[Estimate]) -> Option<String> {
    let bar = |one: &Estimate| ((one.estimate - one.truth) / BAR_CYCLES).floor() as i64;
    let (first, last) = (all.iter().map(bar).min()?, all.iter().map(bar).max()?);
    let counts: Vec<usize> =
        (first..=last).map(|at| all.iter().filter(|one| bar(one) == at).count()).collect();
    let most = counts.iter().copied().max().unwrap_or_default();
    let mut svg = Svg::new(WIDTH, HEIGHT, "Errors");
    let span = (first as f64 * BAR_CYCLES, (last + 1) as f64 * BAR_CYCLES);
    let x = Scale::exact(span.0, span.1, 6, (LEFT, RIGHT), |at| format!("{at:.0}"));
    let y = Scale::from_zero(most as f64, 4, (BOTTOM, TOP), count_label);
    axes::draw(&mut svg, &x, &y, ("cycles, estimate less truth", "engines"));
    for (at, count) in (first..).zip(counts) {
        let (from, to) = (x.px(at as f64 * BAR_CYCLES), x.px((at + 1) as f64 * BAR_CYCLES));
        let top = y.px(count as f64);
        let title = format!("{count} engines");
        svg.rect("f0", (from + 0.5, top), (to - from - 1.0, BOTTOM - top), &title);
    }
    svg.line("dash", (x.px(0.0), BOTTOM), (x.px(0.0), TOP));
    Some(svg.finish())
}

/// The rows of each engine.
fn engines(all: &[Estimate]) -> Vec<&[Estimate]> {
    all.chunk_by(|a, b| a.unit == b.unit).collect()
}

fn lives(all: &[Estimate], cap: f64) -> Option<String> {
    let mut lives = engines(all);
    lives.sort_by_key(|life| life.len());
    let last = lives.len().checked_sub(1)?;
    let mut svg = Svg::new(WIDTH, HEIGHT, "Lives");
    let longest = lives[last].len() as f64;
    let most = all.iter().map(|one| one.estimate).fold(cap, f64::max);
    let x = Scale::from_zero(longest, 6, (LEFT, RIGHT), count_label);
    let y = Scale::from_zero(most, 5, (BOTTOM, TOP), count_label);
    axes::draw(&mut svg, &x, &y, ("cycle", "cycles left"));
    for at in 0..LIVES.min(lives.len()) {
        let life = lives[last * at / (LIVES - 1).max(1)];
        let line = |of: fn(&Estimate) -> f64| -> Vec<(f64, f64)> {
            let drawn = life.iter().filter(|one| of(one) <= most);
            drawn.map(|one| (x.px(one.cycle as f64), y.px(of(one)))).collect()
        };
        svg.polyline("truth", &line(|one| one.truth));
        svg.polyline(&format!("curve c{at}"), &line(|one| one.estimate));
        if let Some(end) = life.last() {
            let title = format!("engine {}: {} cycles", end.unit, end.cycle);
            let place = (x.px(end.cycle as f64), y.px(end.estimate));
            svg.circle(&format!("f{at}"), place, 4.0, &title);
        }
    }
    Some(svg.finish())
}

fn by_truth(all: &[Estimate]) -> Option<String> {
    const STEP: f64 = 10.0;
    const STEPS: usize = 15;
    let mut sums = [(0.0, 0_u32); STEPS];
    for one in all {
        let at = (one.truth / STEP) as usize;
        if at < STEPS {
            sums[at].0 += (one.estimate - one.truth) * (one.estimate - one.truth);
            sums[at].1 += 1;
        }
    }
    let mean = |(sum, count): &(f64, u32)| (*count > 0).then(|| (sum / f64::from(*count)).sqrt());
    let points: Vec<(f64, f64)> = sums
        .iter()
        .enumerate()
        .filter_map(|(at, sum)| Some((STEP * (at as f64 + 0.5), mean(sum)?)))
        .collect();
    let most = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let mut svg = Svg::new(WIDTH, HEIGHT, "Error by cycles left");
    let x = Scale::from_zero(STEP * STEPS as f64, 5, (LEFT, RIGHT), count_label);
    let y = Scale::from_zero(most, 5, (BOTTOM, TOP), count_label);
    axes::draw(&mut svg, &x, &y, ("cycles left, truth", "error, cycles"));
    let line: Vec<(f64, f64)> = points.iter().map(|point| (x.px(point.0), y.px(point.1))).collect();
    svg.polyline("curve c0", &line);
    for (point, at) in points.iter().zip(line) {
        svg.circle("f0", at, 3.5, &format!("{:.1} cycles", point.1));
    }
    (!points.is_empty()).then(|| svg.finish())
}
