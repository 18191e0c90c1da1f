//! What the page says in words and columns: legend, kinds, rules, ledger, settings, machine.

use super::plots::alerts::{colour, kind_name, stack};
use super::svg::escape;
use crate::report::format::{bytes, percent, significant, thousands, words};
use crate::report::{ALL_KINDS, FraudReport};

/// The legend of "alerts over event time"; it flows, so its words never overlap.
pub fn legend(report: &FraudReport) -> String {
    let kinds = stack(report);
    let mut html = String::from("<ul class=\"legend\">\n");
    for kind in &kinds {
        let count: u64 =
            report.alerts_over_time.iter().filter_map(|bucket| bucket.counts.get(kind)).sum();
        html.push_str(&format!(
            "<li><i class=\"swatch {}\"></i>{} <b>{}</b></li>\n",
            colour(&kinds, kind),
            escape(&kind_name(kind)),
            thousands(count)
        ));
    }
    html.push_str("</ul>\n");
    html
}

fn panel(id: &str, title: &str, body: &str) -> String {
    format!("<div class=\"panel\" id=\"{id}\">\n<h3>{}</h3>\n{body}</div>\n", escape(title))
}

/// A percentage and a bar of its length.
fn ratio_cell(ratio: Option<f64>) -> String {
    let width = ratio.filter(|r| r.is_finite()).unwrap_or(0.0).clamp(0.0, 1.0) * 100.0;
    format!(
        "<td class=\"ratio\">{}<span class=\"meter\"><i style=\"width:{width:.1}%\"></i></span></td>",
        escape(&percent(ratio))
    )
}

/// Precision and recall by kind of fraud.
pub fn kinds(report: &FraudReport) -> String {
    if report.quality.is_empty() {
        let body = "<p class=\"empty\">The recording has no labels.</p>\n";
        return panel("kinds", "By kind of fraud", body);
    }
    let colours = stack(report);
    let mut body = String::from(
        "<div class=\"scroll\"><table>\n<thead><tr><th>Kind</th><th class=\"n\">Labelled</th>\
         <th class=\"n\">Found</th><th class=\"n\">Precision</th><th class=\"n\">Recall</th></tr></thead>\n<tbody>\n",
    );
    let all = report.overall().map(|overall| ("all", overall));
    for (kind, quality) in report.kinds().chain(all) {
        let (class, swatch) = if kind == "all" {
            (" class=\"sum\"", String::new())
        } else {
            ("", format!("<i class=\"swatch {}\"></i>", colour(&colours, kind)))
        };
        body.push_str(&format!(
            "<tr{class}><td>{swatch}{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>{}{}</tr>\n",
            escape(&words(kind)),
            thousands(quality.labelled),
            thousands(quality.found),
            ratio_cell(quality.precision),
            ratio_cell(quality.recall)
        ));
    }
    body.push_str(
        "</tbody></table></div>\n<p class=\"hint\">An alert belongs to the kind of its labelled \
         payment; a false one to the kind that its first rule looks for.</p>\n",
    );
    panel("kinds", "By kind of fraud", &body)
}

/// What each rule did.
pub fn rules(report: &FraudReport) -> String {
    if report.rules.is_empty() {
        return panel("rules", "By rule", "<p class=\"empty\">No rule was in use.</p>\n");
    }
    let labelled = report.overall().is_some();
    let mut body = String::from(
        "<div class=\"scroll\"><table>\n<thead><tr><th>Rule</th><th class=\"n\">Alerts</th>\
         <th class=\"n\">Frauds</th><th class=\"n\">Precision</th></tr></thead>\n<tbody>\n",
    );
    for (rule, count) in &report.rules {
        let precision =
            (labelled && count.alerts > 0).then(|| count.hits as f64 / count.alerts as f64);
        let hits = if labelled { thousands(count.hits) } else { "–".into() };
        body.push_str(&format!(
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{hits}</td>{}</tr>\n",
            escape(&words(rule)),
            thousands(count.alerts),
            ratio_cell(precision)
        ));
    }
    body.push_str(
        "</tbody></table></div>\n<p class=\"hint\">Several rules may fire for one payment: the \
         rows of this table overlap.</p>\n",
    );
    panel("rules", "By rule", &body)
}

/// The models that scored, how well each finds frauds, and where champion and challenger part;
/// nothing where the run says nothing of models.
pub fn models(report: &FraudReport) -> String {
    if report.models.is_empty() {
        return String::new();
    }
    let mut body = String::from(
        "<div class=\"scroll\"><table>\n<thead><tr><th>Model</th><th>File</th>\
         <th class=\"n\">Threshold</th><th class=\"n\">Alerts</th><th class=\"n\">Precision</th>\
         <th class=\"n\">Recall</th></tr></thead>\n<tbody>\n",
    );
    for model in &report.models {
        let challenger = report.challenger.as_ref().filter(|_| model.role == "challenger");
        let (alerts, quality) = match challenger {
            Some(challenger) => (challenger.alerts, challenger.quality.get(ALL_KINDS)),
            None => (report.alerts, report.overall()),
        };
        body.push_str(&format!(
            "<tr><td title=\"{}\">{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>{}{}</tr>\n",
            escape(&model.what),
            escape(&model.role),
            escape(&model.file),
            significant(model.threshold),
            thousands(alerts),
            ratio_cell(quality.and_then(|quality| quality.precision)),
            ratio_cell(quality.and_then(|quality| quality.recall)),
        ));
    }
    body.push_str("</tbody></table></div>\n");
    if let Some(challenger) = &report.challenger {
        body.push_str(&format!(
            "<p class=\"hint\">{} alerts of both; {} of the champion alone ({} frauds), {} of the \
             challenger alone ({} frauds). Rules raise alerts for both.</p>\n",
            thousands(challenger.both),
            thousands(challenger.champion_only),
            thousands(challenger.champion_only_frauds),
            thousands(challenger.challenger_only),
            thousands(challenger.challenger_only_frauds),
        ));
    }
    panel("models", "Models", &body)
}

/// The rows, as an equation, and where it needs words.
pub fn ledger(report: &FraudReport) -> String {
    let ledger = &report.ledger;
    let term = |name: &str, rows: u64, class: &str| {
        format!(
            "<span class=\"term {class}\"><b>{}</b><small>{}</small></span>",
            thousands(rows),
            escape(name)
        )
    };
    let check = if ledger.balanced {
        "<span class=\"pill good\">&#10003; balances</span>"
    } else {
        "<span class=\"pill bad\">&#10007; does not add up</span>"
    };
    let mut body = format!(
        "<p class=\"equation\">{}<span class=\"op\">=</span>{}<span class=\"op\">+</span>{}{check}</p>\n",
        term("rows in", ledger.rows_in, ""),
        term("scored", ledger.scored, ""),
        term("rejected", ledger.rejected, ""),
    );
    let mut notes = Vec::new();
    if ledger.late_marked > 0 {
        notes.push(format!(
            "{} of the scored came later than the delay allows. At arrival nothing is dropped \
             for being late.",
            thousands(ledger.late_marked)
        ));
    }
    if report.rows_beyond_memory > 0 {
        notes.push(format!(
            "{} came so late that part of their history had been forgotten.",
            thousands(report.rows_beyond_memory)
        ));
    }
    notes.extend(ledger.reason_lines(12));
    if !report.missing_signals.is_empty() {
        let signals: Vec<String> = report.missing_signals.iter().map(|s| words(s)).collect();
        notes.push(format!(
            "Left out, because the recording lacks their columns: {}.",
            signals.join(", ")
        ));
    }
    if !notes.is_empty() {
        let items: String =
            notes.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
        body.push_str(&format!("<ul class=\"notes\">\n{items}</ul>\n"));
    }
    panel("ledger", "Every row is accounted for", &body)
}

fn pairs(list: &[(String, String)]) -> String {
    let rows: String = list
        .iter()
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)))
        .collect();
    format!("<dl>\n{rows}</dl>\n")
}

/// How it ran.
pub fn settings(report: &FraudReport) -> String {
    let mut list: Vec<(String, String)> = [
        ("shards", report.shards.to_string()),
        ("backend", report.backend.clone()),
        ("SIMD", report.simd.clone()),
        ("reads", report.io.clone()),
        ("format", report.format.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    list.extend(report.settings.iter().map(|(name, value)| (words(name), value.clone())));
    panel("settings", "Settings", &pairs(&list))
}

/// Where it ran.
pub fn machine(report: &FraudReport) -> String {
    let machine = &report.machine;
    let known = [
        ("CPU", machine.cpu_model.clone()),
        ("cores", Some(machine.cores_text())),
        ("SIMD", Some(machine.simd_level.clone())),
        ("caches", (!machine.caches.is_empty()).then(|| machine.caches_text())),
        ("memory", machine.memory_total_bytes.map(bytes)),
        ("system", machine.os.clone()),
        ("kernel", machine.kernel.clone()),
        ("io_uring", Some(machine.io_uring.text())),
        ("huge pages", machine.huge_pages.clone()),
    ];
    let list: Vec<(String, String)> = known
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.filter(|v| !v.is_empty())?)))
        .collect();
    panel("machine", "Machine", &pairs(&list))
}
