//! `pelton detect` from the outside: what it writes, what it says, and how it ends.

mod common;
#[path = "common/detect.rs"]
mod detect_bench;

use std::io::Write;
use std::process::Stdio;

use common::pelton;
use detect_bench::Bench;
use serde_json::Value;

/// Two machines, a row each ten seconds: noise, with jumps that are labelled; one value is
/// missing, one is no number, a row is late.
fn recording(rows: i64) -> String {
    let mut text = String::from("ts,machine,load,fault\n");
    for i in 0..rows {
        let machine = ["a", "b"][(i % 2) as usize];
        let noise = (i * 2_654_435_761 % 1_000) as f64 / 100.0;
        let fault = machine == "a" && (600..612).contains(&(i % 900));
        let load = match i {
            333 => String::new(),
            444 => "NaN".to_owned(),
            _ => format!("{}", if fault { 80.0 + noise } else { noise }),
        };
        let time = if i == 500 { i * 10 - 100 } else { i * 10 };
        text.push_str(&format!("{time},{machine},{load},{}\n", u8::from(fault)));
    }
    text
}

const KEYED: &str = "detect --quiet --time ts:s --value load --key machine --detector ewma";

#[test]
fn rows_come_out_by_time_with_scores_and_the_ledger_balances() {
    let bench = Bench::new();
    bench.write("r.csv", &recording(2_000));
    let (_, said) = bench.done(
        "detect --input r.csv --time ts:s --value load --key machine --detector ewma \
         --label fault --out out.csv --late late.csv --report report.json",
    );
    let out = bench.read("out.csv");
    let mut lines = out.lines();
    assert_eq!(
        lines.next().unwrap(),
        "ts,machine,load,fault,score,probability,flag,warming_up,alert,incident"
    );
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 1_999);
    assert!(rows.is_sorted_by_key(|row| row[0].parse::<i64>().unwrap()));
    assert_eq!(rows[333][2..6], ["", "0", "", ""], "no value, no score");
    assert_eq!(rows[444][4..], ["", "", "false", "false", "false", ""]);
    assert!(bench.read("late.csv").lines().nth(1).unwrap().starts_with("4900,a,"));
    let report: Value = serde_json::from_str(&bench.read("report.json")).unwrap();
    for (name, expected) in
        [("rows_in", 2_000), ("rows_used", 1_999), ("rows_late", 1), ("rows_rejected", 0)]
    {
        assert_eq!(report[name], expected, "{name}");
    }
    assert_eq!(report["missing"], 2);
    assert_eq!(report["labels"]["rows_labelled"], 12);
    assert_eq!(report["labels"]["windows"], 2);
    assert_eq!(report["labels"]["windows_flagged"], 2);
    let flags = rows.iter().filter(|row| row[6] == "true").count();
    assert_eq!(report["flagged"], flags);
    for part in [
        "2,000 rows in = 1,999 used + 1 late + 0 rejected",
        "raise --delay",
        "ewma on load: ",
        "2 rows without a value",
        "flags by row:     precision ",
        "machine a  score ",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn alerts_have_their_reasons_in_the_order_of_size() {
    let bench = Bench::new();
    let mut text = String::from("ts,x,y,z\n");
    for i in 0..700_i64 {
        let noise = |k: i64| (i * k % 101) as f64 / 10.0;
        let y = if i == 650 { 400.0 } else { noise(7919) };
        text.push_str(&format!("{},{},{y},{}\n", i * 60, noise(6007), noise(3001)));
    }
    bench.write("r.csv", &text);
    bench.done(
        "detect --quiet --input r.csv --time ts:s --value x,y,z --out blackhole --alerts a.ndjson",
    );
    let alerts: Vec<Value> =
        bench.read("a.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let alert = alerts.iter().find(|alert| alert["peak"] == 650 * 60).expect("the jump");
    let columns: Vec<&str> = alert["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["column"].as_str().unwrap())
        .collect();
    assert_eq!(columns[0], "y");
    assert_eq!(alert["reasons"][0]["value"], 400.0);
    let sizes: Vec<f64> = alert["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason["contribution"].as_f64().unwrap())
        .collect();
    assert!(sizes[0] >= sizes[1] && sizes[1] >= sizes[2], "{sizes:?}");
    assert!(alert["score"].as_f64().unwrap() > 2.7, "{alert}");
    assert!(alert["start"].as_i64() <= alert["peak"].as_i64(), "{alert}");
}

#[test]
fn one_incident_is_one_alert_and_a_budget_holds() {
    let bench = Bench::new();
    bench.write("r.csv", &recording(5_000));
    let count = |words: &str| {
        let words = format!("{KEYED} --input r.csv --out o.csv --alerts a.ndjson {words}");
        bench.done(&words);
        let rows = bench.read("o.csv");
        let alerts = rows.lines().filter(|line| line.split(',').nth(8) == Some("true")).count();
        assert_eq!(alerts, bench.read("a.ndjson").lines().count());
        alerts
    };
    // Five jumps of six rows of machine a, two hours and a half apart.
    assert_eq!(count("--level 6 --group 100rows"), 5);
    assert_eq!(count("--level 6 --cooldown 5h"), 3);
    assert_eq!(count("--level 6 --group 2d"), 1);
    assert_eq!(count("--level 6 --budget 2/d"), 2);
    assert_eq!(count("--hysteresis 1000,0.1"), 0);
}

#[test]
fn the_same_bytes_for_every_number_of_shards_batch_size_and_format() {
    let bench = Bench::new();
    let csv = recording(1_500);
    bench.write("r.csv", &csv);
    let all = "--label fault --delay 200s --budget 3/h";
    let run = |input: &str, out: &str, more: &str| {
        bench.done(&format!(
            "{KEYED} {all} --input {input} --out {out} --alerts {out}.alerts {more}"
        ));
        (bench.read(out), bench.read(&format!("{out}.alerts")))
    };
    let first = run("r.csv", "1.csv", "--shards 1");
    for more in ["--shards 3", "--shards 2 --batch-rows 7", "--shards 1 --batch-rows 1"] {
        assert_eq!(run("r.csv", "n.csv", more), first, "{more}");
    }
    // Through Parquet, and back as Arrow.
    bench.done(&format!("{KEYED} {all} --input r.csv --out r.parquet"));
    let again = bench
        .done(&format!("{KEYED} {all} --name again --input r.parquet --out again.csv --explain"));
    assert!(again.0.contains("detect again = ewma(load) by machine: a state a key"), "{}", again.0);
    bench.done(&format!("{KEYED} {all} --name again --input r.parquet --out again.csv"));
    let again = bench.read("again.csv");
    for (line, plain) in again.lines().zip(first.0.lines()).skip(1) {
        let (own, added) = (line.split(',').take(10), line.split(',').skip(10));
        assert!(own.eq(plain.split(',')) && added.eq(plain.split(',').skip(4)), "{line}");
    }
}

#[test]
fn labels_are_told_to_detectors_that_have_a_use_for_them() {
    let bench = Bench::new();
    bench.write("r.csv", &recording(1_200));
    let run = |more: &str| {
        let input = "detect --quiet --time ts:s --value load --key machine --label fault";
        bench.done(&format!("{input} --input r.csv --out o.csv {more}"));
        bench.read("o.csv")
    };
    let untold = run("--detector cut-forest");
    let told = run("--detector cut-forest --label-feedback");
    assert_ne!(told, untold);
    assert_eq!(run("--detector cut-forest --label-feedback 0 --shards 3 --batch-rows 7"), told);
    assert_eq!(run("--detector cut-forest --label-feedback 300d"), untold);
    let plan = bench.done(
        "detect --time ts:s --value load --label fault --label-feedback 2h --input r.csv --explain",
    );
    assert!(plan.0.contains("told by fault after 2h"), "{}", plan.0);
    let refused = |more: &str, part: &str| {
        bench.refused(&format!("{KEYED} --input r.csv {more}"), 2, part);
    };
    refused("--label fault --label-feedback", "ewma has no use for labels");
    refused("--label-feedback", "--label <COLUMN>");
}

#[test]
fn standard_input_is_read_and_standard_output_written() {
    let mut command = pelton();
    command.args(KEYED.split(' ')).args(["--input", "-", "--format", "csv"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(recording(300).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 300);
    let row: Value = serde_json::from_str(text.lines().nth(200).unwrap()).unwrap();
    assert!(row["score"].is_f64() && row["flag"].is_boolean() && row["incident"].is_null());
}

#[test]
fn a_page_holds_the_series_alerts_and_labels() {
    let bench = Bench::new();
    bench.write("r.csv", &recording(2_000));
    bench.done(&format!("{KEYED} --input r.csv --label fault --out blackhole --html p.html"));
    let page = bench.read("p.html");
    for part in [
        "<title>Anomalies: r.csv</title>",
        "<h3>machine a</h3>",
        "class=\"series\"",
        "class=\"labelled\"",
        "class=\"alerted\"",
        ">right</span>",
        "</html>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script") && !page.contains("http://www.w3.org/1999/xlink"));
}

#[test]
fn extreme_values_and_times_are_drawn_all_the_same() {
    let bench = Bench::new();
    let mut text = String::from("ts,x\n-9000000000000000000,1\n");
    for i in 0..200 {
        let value = match i {
            60 => "1e308",
            70 => "-1e308",
            80 => "inf",
            90 => "1e149",
            95 => "-1e149",
            100 => "1e-300",
            _ => "5",
        };
        text.push_str(&format!("{i},{value}\n"));
    }
    text.push_str("9000000000000000000,7\n");
    bench.write("r.csv", &text);
    for detector in ["auto", "ewma", "spot", "signal"] {
        bench.done(&format!(
            "detect --quiet --input r.csv --time ts:us --value x --detector {detector} --out o.csv \
             --html p.html --level 0"
        ));
        let page = bench.read("p.html");
        assert!(page.contains("class=\"series\"") && !page.contains("NaN"), "{detector}");
        assert_eq!(bench.read("o.csv").lines().count(), 203);
    }
}

#[test]
fn an_empty_recording_is_no_error() {
    let bench = Bench::new();
    bench.write("r.csv", "ts,machine,load\n");
    let (_, said) = bench.done(
        "detect --input r.csv --time ts:s --value load --key machine --out o.csv --html p.html",
    );
    assert!(said.contains("0 rows in = 0 used + 0 late + 0 rejected"), "{said}");
    assert!(bench.read("p.html").contains("No alert"));
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let bench = Bench::new();
    bench.write("r.csv", &recording(50));
    let all = "detect --quiet --input r.csv --out o.csv";
    let refused = |words: &str, code: i32, part: &str| {
        bench.refused(&format!("{all} {words}"), code, part);
        assert!(!bench.path("o.csv").exists(), "{words}");
    };
    refused("--time ts:s --value laod", 1, "did you mean \"load\"?");
    refused("--time ts:s --value load --key no", 1, "there is no column \"no\"");
    refused("--time ts --value load", 2, "nothing says in which unit it counts");
    refused("--time ts:s --value load --detector magic", 2, "there is no detector \"magic\"");
    refused("--time ts:s --value load,fault --detector ewma", 2, "takes one value, not 2");
    refused("--time ts:s --value load --budget 0/d", 2, "a budget of nothing");
    refused("--time ts:s --value load --budget five", 2, "is no budget");
    refused("--time ts:s --value load --hysteresis 1,2", 2, "higher level first");
    refused("--time ts:s --value load --cooldown 5ms", 2, "no whole number of seconds");
    refused("--time ts:s --value load --alerts o.csv", 2, "are the same file");
    refused("--time ts:s --value load --html r.csv", 2, "are the same file");
    refused("--time ts:s", 2, "--value");
    bench.refused("detect --input none.csv --time ts:s --value x", 1, "none.csv");
    // A value that is no number rejects its row, which is told.
    bench.write("bad.csv", "ts,load\n1,5\n2,x\n3,7\n");
    let (_, said) = bench.done(
        "detect --input bad.csv --time ts:s --value load --out o.csv --dead-letters d.ndjson",
    );
    assert!(said.contains("3 rows in = 2 used + 0 late + 1 rejected"), "{said}");
    assert!(bench.read("d.ndjson").contains("\"line\":3"));
    std::fs::remove_file(bench.path("o.csv")).unwrap();
    bench.write("twice.csv", "ts,load,score\n1,5,1\n");
    bench.refused(
        "detect --input twice.csv --time ts:s --value load",
        2,
        "there is already a column score",
    );
    bench.done("detect --quiet --input twice.csv --time ts:s --value load --name x --out o.csv");
    assert!(bench.read("o.csv").starts_with("ts,load,score,x_score,"));
}
