//! The three views of a report on made-up data.
//!
//! The table is compared with a file as it stands. After a change that is meant:
//! `PELTON_BLESS=1 cargo test -p pelton-cli --test report`, then look at the difference.

use std::path::Path;

use pelton_cli::report::models::{ChallengerReport, ModelReport};
use pelton_cli::report::{FraudReport, Ledger, html, json, table};
use pelton_cli::terminal::Paint;

mod sample;

fn same_as_file(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("PELTON_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} differs (see the top of this test):\n{text}");
}

#[test]
fn the_table_is_as_it_was() {
    same_as_file("table.txt", &table::table(&sample::report(), Paint::new(false)));
    same_as_file("table-bare.txt", &table::table(&sample::bare(), Paint::new(false)));
}

#[test]
fn the_table_fits_eighty_columns() {
    let mut wide = sample::report();
    wide.recording = "a-very-long-name-".repeat(20);
    wide.models = vec![ModelReport { what: "a model ".repeat(40), ..ModelReport::default() }];
    wide.challenger = Some(ChallengerReport {
        alerts: 9_999_999_999,
        both: 9_999_999_999,
        champion_only: 9_999_999_999,
        champion_only_frauds: 9_999_999_999,
        ..ChallengerReport::default()
    });
    wide.missing_signals = vec!["a signal of some length".into(); 20];
    wide.ledger.reasons.insert("reason ".repeat(40), 0);
    wide.quality.insert("kind_".repeat(30), Default::default());
    for report in [sample::report(), sample::bare(), wide] {
        for line in table::table(&report, Paint::new(false)).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let painted = table::table(&sample::report(), Paint::new(true));
    let mut plain = String::new();
    let mut rest = painted.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, table::table(&sample::report(), Paint::new(false)));
}

#[test]
fn names_cannot_command_the_terminal() {
    let mut report = sample::report();
    report.recording = "\x1b[2Jgone\r.csv".into();
    let text = table::table(&report, Paint::new(false));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn an_unbalanced_ledger_is_loud() {
    let mut report = sample::report();
    report.ledger = Ledger::new(10, 8, 1, 0, Default::default());
    assert!(table::table(&report, Paint::new(false)).contains("✗"));
    assert!(html::page(&report).contains("does not add up"));
}

#[test]
fn only_the_most_frequent_reasons_are_named() {
    let reasons = (1..=20u64).map(|rows| (format!("reason {rows:02}"), rows)).collect();
    let ledger = Ledger::new(210, 0, 210, 0, reasons);
    assert!(ledger.balanced);
    let lines = ledger.reason_lines(2);
    assert_eq!(lines[0], "20 rejected: reason 20");
    assert_eq!(lines[2], "171 rejected: 18 other reasons");
}

#[test]
fn the_json_reads_back_and_has_the_public_names() {
    let report = sample::report();
    let text = json::text(&report).unwrap();
    assert_eq!(serde_json::from_str::<FraudReport>(&text).unwrap(), report);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    for name in [
        "rows_in",
        "rows_late",
        "rows_rejected",
        "rows_scored",
        "alerts",
        "wall_s",
        "rows_per_s",
        "latency_us",
        "state_bytes",
        "peak_rss_bytes",
        "shards",
        "simd",
        "backend",
        "io",
        "format",
        "interrupted",
        "missing_signals",
        "rows_beyond_memory",
        "ledger",
        "quality",
        "timeline",
        "alerts_over_time",
        "latency_histogram",
        "precision_recall",
        "rules",
    ] {
        assert!(!value[name].is_null(), "{name}");
    }
    for name in ["p50", "p90", "p99", "p999", "p9999", "max"] {
        assert!(value["latency_us"][name].is_number(), "{name}");
    }
    for name in ["labelled", "found", "precision", "recall"] {
        assert!(value["quality"]["large_amount"][name].is_number(), "{name}");
    }
    assert!(value["rules"]["score"]["true"].is_number());
}

#[test]
fn files_are_whole_or_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.json");
    json::write(&path, &sample::report()).unwrap();
    json::write(&path, &sample::bare()).unwrap();
    let read = std::fs::read_to_string(&path).unwrap();
    assert_eq!(serde_json::from_str::<FraudReport>(&read).unwrap(), sample::bare());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    let nowhere = directory.path().join("missing/report.json");
    assert!(
        json::write(&nowhere, &sample::bare()).unwrap_err().to_string().contains("report.json")
    );
}

#[test]
fn the_page_is_well_formed_and_holds_every_plot() {
    let page = html::page(&sample::report());
    well_formed(&page);
    assert_eq!(page.matches("<svg ").count(), 4);
    for id in [
        "throughput",
        "latency",
        "precision-recall",
        "alerts",
        "kinds",
        "rules",
        "ledger",
        "settings",
        "machine",
    ] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    for text in [
        "2,000,000",
        "3.21",
        "rows a second",
        "watermark lag (event time)",
        "p99.9",
        "share of rows",
        "this run, rules and score",
        "alerts in a day",
        "no fraud (false alert)",
        "impossible travel",
        "AMD EPYC",
        "balances",
        "prefers-color-scheme: dark",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn the_page_needs_no_network_and_no_script() {
    for report in [sample::report(), sample::bare()] {
        let page = html::page(&report);
        let names = "http://www.w3.org/";
        assert_eq!(page.matches("http").count(), page.matches(names).count());
        for text in ["<script", "<link", "<img", "@import", "url("] {
            assert!(!page.contains(text), "{text}");
        }
    }
}

#[test]
fn a_page_without_data_says_why() {
    let page = html::page(&sample::bare());
    well_formed(&page);
    assert_eq!(page.matches("<svg ").count(), 0);
    for text in ["interrupted", "no labels", "No alert was raised", "speed between places"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.contains("&lt;script&gt;&amp;&quot;quotes&quot;.csv"));
}

#[test]
fn odd_numbers_leave_the_page_valid() {
    let mut report = sample::report();
    report.rows_per_s = f64::NAN;
    report.timeline[3].rows_per_s = f64::INFINITY;
    report.timeline[4].watermark_lag_ms = f64::NAN;
    report.latency_us.p99 = f64::NAN;
    report.latency_histogram[0].us = 0.0;
    report.precision_recall[0].recall = f64::NAN;
    report.alerts_bucket_us = 0;
    report.first_time_us = Some(i64::MIN);
    report.last_time_us = Some(i64::MAX);
    report.alerts_over_time[0].bucket_start_us = i64::MIN;
    let page = html::page(&report);
    well_formed(&page);
    let svgs: String = page.split("<svg ").skip(1).collect();
    assert!(!svgs.contains("\"NaN") && !svgs.contains("\"inf"));
    table::table(&report, Paint::new(false));
}

/// Every element is closed in order, every attribute quoted, every `&` begins an entity.
fn well_formed(page: &str) {
    let body = page.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    let mut open: Vec<&str> = Vec::new();
    let mut rest = body;
    while let Some((text, after)) = rest.split_once('<') {
        check_text(text);
        let (tag, next) = after.split_once('>').expect("a tag ends");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
        } else {
            let name = tag.split([' ', '/']).next().unwrap();
            check_attributes(tag[name.len()..].trim_end_matches('/'));
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        rest = next;
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "left open: {open:?}");
}

fn check_text(text: &str) {
    for part in text.split('&').skip(1) {
        let entity = part.split_once(';').expect("an entity ends").0;
        let known = ["amp", "lt", "gt", "quot"].contains(&entity) || entity.starts_with('#');
        assert!(known, "&{entity};");
    }
}

fn check_attributes(text: &str) {
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect("an attribute has a quoted value");
        assert!(!name.is_empty() && !name.contains(['"', ' ']), "{name:?}");
        let (value, next) = after.split_once('"').expect("a value ends");
        check_text(value);
        rest = next.trim_start();
    }
}

#[test]
fn the_page_shows_models_and_the_challenger() {
    let mut report = sample::report();
    assert!(!html::page(&report).contains("id=\"models\""));
    let model = |role: &str| ModelReport {
        role: role.into(),
        file: "<m>.txt".into(),
        what: "\"quoted\" & long".into(),
        threshold: 0.25,
    };
    report.models = vec![model("champion"), model("challenger")];
    report.challenger =
        Some(ChallengerReport { champion_only: 1_234, ..ChallengerReport::default() });
    let page = html::page(&report);
    well_formed(&page);
    for text in ["id=\"models\"", "&lt;m&gt;.txt", "1,234 of the champion alone"] {
        assert!(page.contains(text), "{text}");
    }
}
