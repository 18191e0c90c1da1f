//! The headline numbers.

use super::svg::escape;
use crate::report::FraudReport;
use crate::report::format::{bytes, micros, percent, short, significant, thousands};

struct Card {
    name: &'static str,
    value: String,
    note: String,
}

/// The row of cards.
pub fn cards(report: &FraudReport) -> String {
    let mut html = String::from("<div class=\"cards\">\n");
    for card in list(report) {
        let (number, unit) = match card.value.split_once(' ') {
            Some((number, unit)) => (number, format!("<small> {}</small>", escape(unit))),
            None => (card.value.as_str(), String::new()),
        };
        html.push_str(&format!(
            "<div class=\"card\"><p class=\"name\">{}</p><p class=\"value\">{}{unit}</p>\
             <p class=\"note\">{}</p></div>\n",
            escape(card.name),
            escape(number),
            escape(&card.note)
        ));
    }
    html.push_str("</div>\n");
    html
}

fn list(report: &FraudReport) -> Vec<Card> {
    let per_core = report.rows_per_s / report.shards.max(1) as f64;
    let mut cards = vec![
        Card {
            name: "Rows a second",
            value: short(report.rows_per_s),
            note: format!("{} a shard", short(per_core)),
        },
        Card {
            name: "Alerts",
            value: thousands(report.alerts),
            note: format!("{} of the rows", share(report.alerts, report.rows_scored)),
        },
    ];
    if let Some(overall) = report.overall() {
        cards.push(Card {
            name: "Precision",
            value: percent(overall.precision),
            note: "of the alerts are frauds".into(),
        });
        cards.push(Card {
            name: "Recall",
            value: percent(overall.recall),
            note: format!("of {} frauds found", thousands(overall.labelled)),
        });
    }
    let latency = &report.latency_us;
    let micros = |us: f64| if report.rows_scored > 0 { micros(us) } else { "–".into() };
    cards.push(Card {
        name: "Latency p99",
        value: micros(latency.p99),
        note: format!("p50 {}, p99.9 {}", micros(latency.p50), micros(latency.p999)),
    });
    let per_row = report.log_bytes_per_row().map(|b| format!("{} B a row and log", significant(b)));
    cards.push(Card {
        name: "State",
        value: bytes(report.state_bytes),
        note: per_row.unwrap_or_else(|| "logs, tables, indices".into()),
    });
    cards.push(Card {
        name: "Peak memory",
        value: report.peak_rss_bytes.map_or_else(|| "–".into(), bytes),
        note: "of the whole process".into(),
    });
    cards
}

/// A small share with as many places as it needs.
fn share(part: u64, of: u64) -> String {
    if of == 0 {
        return "–".into();
    }
    format!("{} %", significant(part as f64 / of as f64 * 100.0))
}
