//! The page: each series with its anomalies, alerts and labelled windows. One file without
//! script or network, in the style of the other reports.

use super::account::{DetectReport, moment, reasons, strangeness};
use super::incidents::Alert;
use super::series::{Bucket, Curve, SERIES_MAX};
use super::watch::Found;
use crate::report::format::{percent, significant, span, thousands};
use crate::report::html::STYLE;
use crate::report::html::axes;
use crate::report::html::scale::Scale;
use crate::report::html::svg::{Svg, escape};

/// Series that are drawn: those with most alerts, then the strangest.
const SERIES_DRAWN: usize = 12;
/// Columns of a series that are drawn.
const COLUMNS_DRAWN: usize = 8;
/// Points of a curve.
const POINTS_MAX: usize = 1_100;
/// Alerts in the table.
const ALERTS_LISTED: usize = 200;

const WIDTH: f64 = 1_080.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDTH - 16.0;
const TOP: f64 = 30.0;
const VALUE_HEIGHT: f64 = 130.0;
const SCORE_HEIGHT: f64 = 56.0;
const GAP: f64 = 34.0;

const MORE_STYLE: &str = "
.labelled { fill: var(--good-soft); stroke: var(--good); stroke-width: 0.6; stroke-opacity: 0.5; }
.incident { fill: var(--bad-soft); }
.series { fill: none; stroke: var(--accent); stroke-width: 1.2; stroke-linejoin: round; }
.alerted { fill: var(--bad); stroke: var(--panel); stroke-width: 1.5; }
.k-series { background: var(--accent); } .k-alert { background: var(--bad); }
.k-label { background: var(--good); opacity: 0.55; } .k-incident { background: var(--bad); opacity: 0.3; }
.detect svg { min-width: 680px; }
td.wrap { white-space: normal; }
";

/// The page as text.
pub(super) fn page(report: &DetectReport, found: &Found) -> String {
    let recordings = report.run.recordings.join(", ");
    let mut html = format!(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n\
         <meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>Anomalies: {}</title>\n<style>\n{STYLE}{MORE_STYLE}</style>\n</head>\n<body>\n<main>\n",
        escape(&recordings)
    );
    html.push_str(&header(report, found, &recordings));
    html.push_str(&cards(report));
    html.push_str(&series(report, found));
    html.push_str(&alerts(found));
    html.push_str(&account(report));
    html.push_str(&format!(
        "<footer>Made by pelton {}. One file, no network: keep it, mail it.</footer>\n\
         </main>\n</body>\n</html>\n",
        escape(&report.run.pelton)
    ));
    html
}

fn header(report: &DetectReport, found: &Found, recordings: &str) -> String {
    let state = match report.run.interrupted {
        true => "<span class=\"pill warn\">interrupted</span>",
        false => "<span class=\"pill good\">complete</span>",
    };
    let curves = found.curves.iter().flat_map(|curves| &curves.curves);
    let ends = curves.filter_map(|curve| Some((curve.buckets.first()?, curve.buckets.last()?)));
    let ends = ends.fold(None, |known: Option<(i64, i64)>, (first, last)| {
        let (from, to) = known.unwrap_or((first.first_us, last.last_us));
        Some((from.min(first.first_us), to.max(last.last_us)))
    });
    let covered = ends.map_or_else(String::new, |(from, to)| {
        format!(", {} to {} ({})", moment(from), moment(to), span(to.saturating_sub(from)))
    });
    format!(
        "<header>\n<p class=\"brand\">pelton detect</p>\n<h1>{}{state}</h1>\n\
         <p class=\"lead\">{} rows of {} series{covered}. {}.</p>\n</header>\n",
        escape(recordings),
        thousands(report.run.rows_out),
        thousands(found.keys.len() as u64),
        escape(&report.outcome()),
    )
}

fn cards(report: &DetectReport) -> String {
    let mut cards = vec![
        ("Alerts", thousands(report.alerts), format!("of {} incidents", report.incidents)),
        (
            "Flagged",
            thousands(report.flagged),
            format!("of {} rows", thousands(report.run.rows_out)),
        ),
        ("Warming up", thousands(report.warming_up), "rows that were not judged".to_owned()),
        ("Without a value", thousands(report.missing), "rows".to_owned()),
    ];
    if let Some(labels) = &report.labels {
        let windows = format!("of {} labelled ones alerted", thousands(labels.windows));
        cards.push(("Windows found", thousands(labels.windows_alerted), windows));
        let right = format!("{} of the alerts", thousands(labels.alerts_right));
        cards.push(("Right alerts", percent(labels.by_window.precision), right));
    }
    let mut html = String::from("<div class=\"cards\">\n");
    for (name, value, note) in cards {
        html.push_str(&format!(
            "<div class=\"card\"><p class=\"name\">{}</p><p class=\"value\">{}</p>\
             <p class=\"note\">{}</p></div>\n",
            escape(name),
            escape(&value),
            escape(&note)
        ));
    }
    html.push_str("</div>\n");
    html
}

fn series(report: &DetectReport, found: &Found) -> String {
    let Some(curves) = &found.curves else { return String::new() };
    let alerts_of = |key: usize| found.alerts.iter().filter(|alert| alert.key_id == key).count();
    let mut order: Vec<usize> = (0..curves.curves.len()).collect();
    order.sort_by(|&a, &b| {
        let peak = |key: usize| curves.curves[key].peak;
        alerts_of(b).cmp(&alerts_of(a)).then(peak(b).total_cmp(&peak(a)))
    });
    let mut html = String::from("<section>\n<h2>The series</h2>\n");
    let labels = if report.labels.is_some() {
        "<li><i class=\"swatch k-label\"></i>labelled</li>\n"
    } else {
        ""
    };
    html.push_str(&format!(
        "<ul class=\"legend\">\n<li><i class=\"swatch k-series\"></i>value</li>\n\
         <li><i class=\"swatch k-alert\"></i>alert, at its strangest row</li>\n\
         <li><i class=\"swatch k-incident\"></i>its incident</li>\n{labels}</ul>\n<p></p>\n"
    ));
    for &key in order.iter().take(SERIES_DRAWN) {
        html.push_str(&figure(found, &curves.curves[key], key));
    }
    if found.keys.len() > order.len().min(SERIES_DRAWN) {
        let more = found.keys.len() - order.len().min(SERIES_DRAWN);
        html.push_str(&format!(
            "<p class=\"hint\">{} more series are not drawn: those with most alerts are, of the \
             first {SERIES_MAX}.</p>\n",
            thousands(more as u64)
        ));
    }
    html.push_str("</section>\n");
    html
}

fn figure(found: &Found, curve: &Curve, key: usize) -> String {
    let columns: Vec<&str> = found.columns.values.iter().map(|(name, _)| name.as_str()).collect();
    let name = match found.keys[key].text.as_str() {
        "" => columns.join(", "),
        key => key.to_owned(),
    };
    let alerts: Vec<&Alert> = found.alerts.iter().filter(|alert| alert.key_id == key).collect();
    let more = match columns.len().saturating_sub(COLUMNS_DRAWN) {
        0 => String::new(),
        more => format!(" {more} more columns are not drawn."),
    };
    let about = format!(
        "{} rows flagged, {} alerts, strangest score {}.{more}",
        thousands(curve.flags),
        thousands(alerts.len() as u64),
        significant(curve.peak)
    );
    let svg = draw(found, curve, &alerts, key, &columns[..columns.len().min(COLUMNS_DRAWN)]);
    format!(
        "<figure class=\"panel detect\">\n<figcaption><h3>{}</h3><p>{}</p></figcaption>\n\
         <div class=\"plot\">{svg}</div>\n</figure>\n",
        escape(&name),
        escape(&about)
    )
}

/// The buckets, joined until there are few enough.
fn thinned(curve: &Curve) -> Vec<Bucket> {
    let each = curve.buckets.len().div_ceil(POINTS_MAX).max(1);
    let join = |part: &[Bucket]| {
        let mut joined = part[0].clone();
        part[1..].iter().for_each(|other| joined.join(other));
        joined
    };
    curve.buckets.chunks(each).map(join).collect()
}

fn draw(found: &Found, curve: &Curve, alerts: &[&Alert], key: usize, columns: &[&str]) -> String {
    let buckets = thinned(curve);
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else {
        return String::new();
    };
    let height = TOP + columns.len() as f64 * (VALUE_HEIGHT + GAP) + SCORE_HEIGHT + 44.0;
    let mut svg = Svg::new(WIDTH, height, "The series, its anomalies and alerts");
    let x = Scale::time(first.first_us, last.last_us, 9, (LEFT, RIGHT));
    let mut bare = x.clone();
    bare.ticks.clear();
    for (at, column) in columns.iter().enumerate() {
        let top = TOP + at as f64 * (VALUE_HEIGHT + GAP);
        let y = value_scale(&buckets, at, (top + VALUE_HEIGHT, top));
        axes::draw(&mut svg, &bare, &y, ("", column));
        background(&mut svg, found, alerts, key, &x, (top, VALUE_HEIGHT));
        line(&mut svg, &buckets, &x, &y, |bucket| bucket.values[at]);
        for alert in alerts {
            let value = alert.reasons.iter().find(|reason| reason.column == *column);
            let value = value.and_then(|reason| reason.value);
            let place = (x.px(found.columns.micros(alert.peak) as f64), value.map(|v| y.px(v)));
            let title = describe(alert, found);
            svg.circle("alerted", (place.0, place.1.unwrap_or(top)), 4.5, &title);
        }
    }
    let top = TOP + columns.len() as f64 * (VALUE_HEIGHT + GAP);
    let y = Scale::from_zero(curve.peak, 2, (top + SCORE_HEIGHT, top), significant);
    axes::draw(&mut svg, &x, &y, ("time (UTC)", "score"));
    background(&mut svg, found, alerts, key, &x, (top, SCORE_HEIGHT));
    let middle = |bucket: &Bucket| (bucket.first_us as f64 + bucket.last_us as f64) / 2.0;
    let points: Vec<(f64, f64)> =
        buckets.iter().map(|bucket| (x.px(middle(bucket)), y.px(bucket.score))).collect();
    svg.area("lag-area", &points, top + SCORE_HEIGHT);
    svg.polyline("lag-line", &points);
    svg.finish()
}

/// The axis of a column: from its least to its greatest value, and a little more.
fn value_scale(buckets: &[Bucket], at: usize, px: (f64, f64)) -> Scale {
    let least = buckets.iter().map(|bucket| bucket.values[at].0).fold(f64::INFINITY, f64::min);
    let most = buckets.iter().map(|bucket| bucket.values[at].1).fold(f64::NEG_INFINITY, f64::max);
    let (least, most) = if least <= most { (least, most) } else { (0.0, 1.0) };
    let room = match (most - least) * 0.06 {
        room if room > 0.0 && room.is_finite() => room,
        _ => most.abs().max(1.0) * 0.1,
    };
    let label = |value: f64| match value.abs() {
        a if a >= 1e5 || (a < 1e-3 && a > 0.0) => format!("{value:.1e}"),
        _ => significant(value),
    };
    Scale::exact(least - room, most + room, 4, px, label)
}

/// Labelled windows and incidents that alerted, behind a curve.
fn background(
    svg: &mut Svg,
    found: &Found,
    alerts: &[&Alert],
    key: usize,
    x: &Scale,
    (top, height): (f64, f64),
) {
    let mut band = |class: &str, from: i64, to: i64, title: &str| {
        let from_px = x.px(found.columns.micros(from) as f64);
        let to_px = x.px(found.columns.micros(to) as f64);
        svg.rect(class, (from_px - 1.0, top), ((to_px - from_px) + 2.0, height), title);
    };
    let windows = found.labels.iter().flat_map(|labels| &labels.windows);
    for window in windows.filter(|window| window.key == key) {
        let title = match (window.alerted, window.flagged) {
            (true, _) => "labelled, and alerted",
            (false, true) => "labelled; flagged, not alerted",
            (false, false) => "labelled; missed",
        };
        band("labelled", window.first, window.last, title);
    }
    for alert in alerts {
        band("incident", alert.start, alert.end, &describe(alert, found));
    }
}

/// A line through the least and greatest value of each bucket; a bucket without one parts it.
fn line(
    svg: &mut Svg,
    buckets: &[Bucket],
    x: &Scale,
    y: &Scale,
    of: impl Fn(&Bucket) -> (f64, f64),
) {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for bucket in buckets {
        let (least, most) = of(bucket);
        if least > most {
            svg.polyline("series", &points);
            points.clear();
            continue;
        }
        let at = x.px((bucket.first_us as f64 + bucket.last_us as f64) / 2.0);
        points.push((at, y.px(most)));
        if least < most {
            points.push((at, y.px(least)));
        }
    }
    svg.polyline("series", &points);
}

fn describe(alert: &Alert, found: &Found) -> String {
    let micros = |time: i64| found.columns.micros(time);
    format!(
        "alert {}: {}\n{}\n{} rows, {} to {}",
        moment(micros(alert.alerted)),
        strangeness(alert),
        reasons(alert),
        thousands(alert.rows),
        moment(micros(alert.start)),
        moment(micros(alert.end))
    )
}

fn alerts(found: &Found) -> String {
    if found.alerts.is_empty() {
        return "<section>\n<h2>The alerts</h2>\n<div class=\"panel\"><p class=\"empty\">No alert \
                was raised.</p></div>\n</section>\n"
            .to_owned();
    }
    let has_keys = found.keys.iter().any(|key| !key.text.is_empty());
    let has_labels = found.labels.is_some();
    let heading = |name: &str, shown: bool| match shown {
        true => format!("<th>{name}</th>"),
        false => String::new(),
    };
    let mut html = format!(
        "<section>\n<h2>The alerts</h2>\n<div class=\"panel\"><div class=\"scroll\"><table>\n\
         <thead><tr><th>Alerted</th>{}<th>How strange</th><th>Values</th><th class=\"n\">Rows</th>\
         <th>Until</th>{}</tr></thead>\n<tbody>\n",
        heading("Series", has_keys),
        heading("Label", has_labels)
    );
    for alert in found.alerts.iter().take(ALERTS_LISTED) {
        let key = found.keys.get(alert.key_id).map_or("", |key| key.text.as_str());
        let key = if has_keys { format!("<td>{}</td>", escape(key)) } else { String::new() };
        let label = match alert.labelled {
            Some(true) => "<td><span class=\"pill good\">right</span></td>",
            Some(false) => "<td><span class=\"pill bad\">false</span></td>",
            None if has_labels => "<td>–</td>",
            None => "",
        };
        html.push_str(&format!(
            "<tr><td>{}</td>{key}<td>{}</td><td class=\"wrap\">{}</td><td class=\"n\">{}</td>\
             <td>{}</td>{label}</tr>\n",
            moment(found.columns.micros(alert.alerted)),
            escape(&strangeness(alert)),
            escape(&reasons(alert)),
            thousands(alert.rows),
            moment(found.columns.micros(alert.end)),
        ));
    }
    html.push_str("</tbody></table></div>\n");
    if found.alerts.len() > ALERTS_LISTED {
        let more = thousands((found.alerts.len() - ALERTS_LISTED) as u64);
        html.push_str(&format!("<p class=\"hint\">{more} more: --alerts FILE has them all.</p>\n"));
    }
    html.push_str("</div>\n</section>\n");
    html
}

fn account(report: &DetectReport) -> String {
    let run = &report.run;
    let mut rows = vec![
        ("Rows in".to_owned(), thousands(run.rows_in)),
        ("= used".to_owned(), thousands(run.rows_used)),
        ("+ late".to_owned(), thousands(run.rows_late)),
        ("+ rejected".to_owned(), thousands(run.rows_rejected)),
        ("Detector".to_owned(), report.detector.clone()),
        ("Watched".to_owned(), report.values.join(", ")),
        ("Rows a second".to_owned(), thousands(run.rows_per_s as u64)),
        ("State".to_owned(), crate::report::format::bytes(run.state_bytes)),
    ];
    for line in report.labels.iter().flat_map(|labels| labels.lines()) {
        if let Some((name, value)) = line.split_once(": ") {
            rows.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    let mut html = String::from("<section>\n<h2>The account</h2>\n<div class=\"panel\"><dl>\n");
    for (name, value) in rows {
        html.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escape(&name), escape(&value)));
    }
    html.push_str("</dl></div>\n</section>\n");
    html
}
