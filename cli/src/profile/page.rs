//! The page: the series with its motifs and discords, and the profile below it. One file without
//! script or network, in the style of the other reports.

use pelton_kernels::score_profile::NONE;
use pelton_scoring::detect::is_usable;
use pelton_scoring::motifs::Profile;

use super::ProfileReport;
use crate::report::format::{significant, thousands};
use crate::report::html::STYLE;
use crate::report::html::axes;
use crate::report::html::scale::{Scale, count_label};
use crate::report::html::svg::{Svg, escape};

const WIDTH: f64 = 1_080.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDTH - 16.0;
const TOP: f64 = 30.0;
const SERIES_HEIGHT: f64 = 170.0;
const PROFILE_HEIGHT: f64 = 90.0;
const GAP: f64 = 36.0;
/// Columns of a curve: about one a pixel.
const POINTS_MAX: usize = 1_000;

const MORE_STYLE: &str = "
.motif { fill: var(--good-soft); stroke: var(--good); stroke-width: 0.6; }
.discord { fill: var(--bad-soft); stroke: var(--bad); stroke-width: 0.6; }
.series { fill: none; stroke: var(--accent); stroke-width: 1.2; stroke-linejoin: round; }
.k-motif { background: var(--good); opacity: 0.5; } .k-discord { background: var(--bad); opacity: 0.5; }
.k-series { background: var(--accent); }
.profile svg { min-width: 680px; }
";

/// The page as text.
pub(super) fn page(report: &ProfileReport, values: &[f64], profile: &Profile) -> String {
    let name = escape(&format!("{} of {}", report.value, report.recording));
    let legend = "<ul class=\"legend\">\n<li><i class=\"swatch k-series\"></i>value</li>\n\
                  <li><i class=\"swatch k-motif\"></i>motif: a shape that comes again</li>\n\
                  <li><i class=\"swatch k-discord\"></i>discord: a shape that never does</li>\n</ul>\n";
    format!(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n\
         <meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>Profile: {name}</title>\n<style>\n{STYLE}{MORE_STYLE}</style>\n</head>\n<body>\n\
         <main>\n<header>\n<p class=\"brand\">pelton profile</p>\n<h1>{name}</h1>\n\
         <p class=\"lead\">{} rows, windows of {}, at least {} apart.</p>\n</header>\n\
         <section>\n<h2>The series</h2>\n{legend}<figure class=\"panel profile\">\n\
         <div class=\"plot\">{}</div>\n</figure>\n</section>\n{}{}\
         <footer>Made by pelton {}. One file, no network: keep it, mail it.</footer>\n\
         </main>\n</body>\n</html>\n",
        thousands(report.rows),
        thousands(u64::from(report.window)),
        thousands(u64::from(report.exclusion)),
        draw(report, values, profile),
        motifs(report),
        discords(report),
        escape(&report.pelton),
    )
}

/// The least and the greatest of each part of a curve; none where nothing is there.
fn thinned(values: &[f64]) -> Vec<(usize, Option<(f64, f64)>)> {
    let each = values.len().div_ceil(POINTS_MAX).max(1);
    let part = |(at, part): (usize, &[f64])| {
        let there = part.iter().copied().filter(|value| is_usable(*value));
        let ends = there.fold(None, |ends: Option<(f64, f64)>, x| {
            let (least, most) = ends.unwrap_or((x, x));
            Some((least.min(x), most.max(x)))
        });
        (at * each + part.len() / 2, ends)
    };
    values.chunks(each).enumerate().map(part).collect()
}

fn line(svg: &mut Svg, curve: &[(usize, Option<(f64, f64)>)], x: &Scale, y: &Scale) {
    let mut points = Vec::new();
    for (at, ends) in curve {
        let Some((least, most)) = ends else {
            svg.polyline("series", &points);
            points.clear();
            continue;
        };
        points.push((x.px(*at as f64), y.px(*most)));
        if least < most {
            points.push((x.px(*at as f64), y.px(*least)));
        }
    }
    svg.polyline("series", &points);
}

fn draw(report: &ProfileReport, values: &[f64], profile: &Profile) -> String {
    let height = TOP + SERIES_HEIGHT + GAP + PROFILE_HEIGHT + 44.0;
    let mut svg = Svg::new(WIDTH, height, "The series, its motifs and discords, and its profile");
    let rows = values.len().max(2) as f64 - 1.0;
    let x = Scale::exact(0.0, rows, 9, (LEFT, RIGHT), count_label);
    let mut bare = x.clone();
    bare.ticks.clear();
    let curve = thinned(values);
    let ends = curve.iter().filter_map(|(_, ends)| *ends);
    let (least, most) = ends
        .fold((f64::INFINITY, f64::NEG_INFINITY), |all, own| (all.0.min(own.0), all.1.max(own.1)));
    let (least, most) = if least < most { (least, most) } else { (0.0, 1.0) };
    let bottom = TOP + SERIES_HEIGHT;
    let y = Scale::exact(least, most, 4, (bottom, TOP), significant);
    axes::draw(&mut svg, &bare, &y, ("", &report.value));
    let mut band = |class: &str, row: u64, title: &str| {
        let (from, to) = (x.px(row as f64), x.px((row + u64::from(report.window)) as f64 - 1.0));
        svg.rect(class, (from, TOP), ((to - from).max(1.5), SERIES_HEIGHT), title);
    };
    for (at, motif) in report.motifs.iter().enumerate() {
        let title = format!("motif {}, distance {}", at + 1, significant(motif.distance));
        band("motif", motif.first, &title);
        band("motif", motif.second, &title);
    }
    for (at, discord) in report.discords.iter().enumerate() {
        let title = format!("discord {}, distance {}", at + 1, significant(discord.distance));
        band("discord", discord.at, &title);
    }
    line(&mut svg, &curve, &x, &y);
    let near = profile.nearest.iter().zip(&profile.distances);
    let distances: Vec<f64> =
        near.map(|(near, own)| if *near == NONE { f64::NAN } else { *own }).collect();
    let curve = thinned(&distances);
    let most = curve.iter().filter_map(|(_, ends)| *ends).map(|ends| ends.1).fold(0.0, f64::max);
    let top = bottom + GAP;
    let y = Scale::from_zero(most, 2, (top + PROFILE_HEIGHT, top), significant);
    axes::draw(&mut svg, &x, &y, ("row", "distance to the nearest window"));
    line(&mut svg, &curve, &x, &y);
    svg.finish()
}

fn table(title: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    let heads: String = heads.iter().map(|head| format!("<th>{head}</th>")).collect();
    let row = |cells: &Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = match rows {
        [] => "<tr><td>none</td></tr>\n".to_owned(),
        rows => rows.iter().map(row).collect(),
    };
    format!(
        "<section>\n<h2>{title}</h2>\n<div class=\"panel\"><div class=\"scroll\"><table>\n\
         <thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div></div>\n</section>\n"
    )
}

fn place(row: u64, time: &Option<String>) -> String {
    match time {
        Some(time) => format!("{time} (row {})", thousands(row)),
        None => format!("row {}", thousands(row)),
    }
}

fn motifs(report: &ProfileReport) -> String {
    let rows: Vec<Vec<String>> = report
        .motifs
        .iter()
        .map(|motif| {
            let distance = significant(motif.distance);
            let first = place(motif.first, &motif.first_time);
            vec![distance, first, place(motif.second, &motif.second_time)]
        })
        .collect();
    table("Motifs", &["Distance", "Begins", "Comes again"], &rows)
}

fn discords(report: &ProfileReport) -> String {
    let rows: Vec<Vec<String>> = report
        .discords
        .iter()
        .map(|discord| {
            let nearest = format!("row {}", thousands(discord.nearest));
            vec![significant(discord.distance), place(discord.at, &discord.time), nearest]
        })
        .collect();
    table("Discords", &["Distance", "Begins", "Nearest"], &rows)
}
