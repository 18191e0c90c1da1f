//! The page: one file that needs no network and no script, light or dark as the reader's
//! system is, and readable on a phone.
//!
//! Order of the page: what came out ([`cards`]), how the run went (timeline, latency), how well
//! frauds were found (curve, alerts over time, [`tables`]), whether every row is accounted for,
//! where and how it ran. The markup is well-formed XML (every element closed, entities by
//! number), so that any XML tool can check or read it.

use super::FraudReport;
use super::format::{Utc, span, thousands, whole};
use svg::escape;

pub(crate) mod axes;
mod cards;
mod plots;
pub(crate) mod scale;
pub mod svg;
mod tables;

pub(crate) const STYLE: &str = include_str!("style.css");

/// The page as text.
pub fn page(report: &FraudReport) -> String {
    let title = format!("Fraud replay: {}", report.recording);
    let mut html = format!(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n\
         <meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escape(&title)
    );
    html.push_str(&header(report));
    html.push_str(&cards::cards(report));
    html.push_str(&run_section(report));
    html.push_str(&quality_section(report));
    html.push_str(&account_section(report));
    html.push_str(&format!(
        "<footer>Made by pelton {}. One file, no network: keep it, mail it.</footer>\n\
         </main>\n</body>\n</html>\n",
        escape(&report.pelton)
    ));
    html
}

fn header(report: &FraudReport) -> String {
    let state = if report.interrupted {
        "<span class=\"pill warn\">interrupted</span>"
    } else {
        "<span class=\"pill good\">complete</span>"
    };
    let covered = match (report.first_time_us, report.last_time_us) {
        (Some(first), Some(last)) => format!(
            ", {} to {} ({})",
            Utc::from_micros(first).date(),
            Utc::from_micros(last).date(),
            span(last.saturating_sub(first))
        ),
        _ => String::new(),
    };
    format!(
        "<header>\n<p class=\"brand\">pelton replay fraud</p>\n<h1>{}{state}</h1>\n\
         <p class=\"lead\">{} payments{covered}. One decision for each, at arrival.</p>\n</header>\n",
        escape(&report.recording),
        thousands(report.rows_in),
    )
}

/// A figure with a caption; where there is nothing to plot, it says why.
pub(crate) fn figure(
    id: &str,
    title: &str,
    about: &str,
    plot: Option<String>,
    without: &str,
) -> String {
    let body = match plot {
        Some(svg) => format!("<div class=\"plot\">{svg}</div>\n"),
        None => format!("<p class=\"empty\">{}</p>\n", escape(without)),
    };
    format!(
        "<figure class=\"panel\" id=\"{id}\">\n<figcaption><h3>{}</h3><p>{}</p></figcaption>\n\
         {body}</figure>\n",
        escape(title),
        escape(about)
    )
}

fn run_section(report: &FraudReport) -> String {
    let about = format!(
        "{} rows/s over {} s on {} {}. The watermark says up to which event time rows are \
         expected to be complete.",
        whole(report.rows_per_s),
        super::format::significant(report.wall_s),
        report.shards,
        if report.shards == 1 { "shard" } else { "shards" },
    );
    let timeline = figure(
        "throughput",
        "Throughput and watermark lag",
        &about,
        plots::timeline::plot(report),
        "The run was too short to sample.",
    );
    let about = if report.latency_from.contains("scheduled") {
        "Time from when each payment was due to its decision; a stall counts for all that wait."
    } else {
        "Time from when a payment's block was read to its decision. At full speed blocks wait \
         in queues: this is the price of throughput, not the latency of one payment."
    };
    let latency = figure(
        "latency",
        "Latency",
        about,
        plots::latency::plot(report),
        "No latencies were recorded.",
    );
    let curve = figure(
        "precision-recall",
        "Precision and recall",
        "The curve is the score alone at each threshold; the point is this run.",
        plots::precision_recall::plot(report),
        "The recording has no labels: precision and recall are unknown.",
    );
    format!(
        "<section>\n<h2>The run</h2>\n{timeline}<div class=\"pair\">\n{latency}{curve}</div>\n</section>\n"
    )
}

fn quality_section(report: &FraudReport) -> String {
    let alerts = figure(
        "alerts",
        "Alerts over event time",
        "By kind of the labelled fraud; an alert on an honest payment is a false alert.",
        plots::alerts::plot(report).map(|svg| format!("{svg}{}", tables::legend(report))),
        "No alert was raised.",
    );
    format!(
        "<section>\n<h2>The frauds</h2>\n{alerts}<div class=\"pair\">\n{}{}</div>\n{}</section>\n",
        tables::kinds(report),
        tables::rules(report),
        tables::models(report)
    )
}

fn account_section(report: &FraudReport) -> String {
    format!(
        "<section>\n<h2>The account</h2>\n{}<div class=\"pair\">\n{}{}</div>\n</section>\n",
        tables::ledger(report),
        tables::settings(report),
        tables::machine(report)
    )
}
