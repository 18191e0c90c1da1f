//! `pelton score` from the outside: small benchmarks that are counted by hand, and, where the
//! recordings are there, the published figures.

mod common;
#[path = "common/detect.rs"]
mod detect_bench;

use std::path::{Path, PathBuf};

use detect_bench::Bench;
use serde_json::Value;

/// Recorded data, where there is any.
fn recorded(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("PELTON_DATA").map_or(beside, PathBuf::from);
    let path = folder.join(name);
    if !path.exists() {
        println!("skipped: there is no {}", path.display());
        return None;
    }
    Some(path)
}

/// A benchmark of two series of 200 rows; the first has a window of rows 100 to 109.
fn nab(bench: &Bench) {
    let series = |jump: usize| {
        let mut text = String::from("timestamp,value\n");
        for i in 0..200 {
            let value = if i == jump { 1_000 } else { i * 7 % 13 };
            text.push_str(&format!("2024-01-{:02} {:02}:00:00,{value}\n", 1 + i / 24, i % 24));
        }
        text
    };
    bench.write("nab/data/one/a.csv", &series(100));
    bench.write("nab/data/two/b.csv", &series(500));
    bench.write(
        "nab/labels/combined_windows.json",
        r#"{"one/a.csv": [["2024-01-05 04:00:00.000000", "2024-01-05 13:00:00.000000"]],
            "two/b.csv": [], "two/absent.csv": []}"#,
    );
}

#[test]
fn nab_scores_a_detector_its_written_scores_and_a_table_alike() {
    let bench = Bench::new();
    nab(&bench);
    let outcome = |words: &str| -> Vec<Value> {
        let (text, _) = bench.done(&format!("score nab --data nab --json {words}"));
        serde_json::from_str(&text).unwrap()
    };
    let own = outcome("--detector ewma --write written");
    assert_eq!((&own[0]["detector"], &own[0]["files"]), (&"ewma".into(), &2.into()));
    // The window's first row is the strangest of all.
    assert_eq!(
        (own[0]["standard"].as_f64(), own[0]["low_fn"].as_f64()),
        (Some(100.0), Some(100.0))
    );
    let again = outcome("--scores written");
    assert_eq!(again[0]["standard"], own[0]["standard"]);
    assert_eq!(again[0]["threshold"], own[0]["threshold"]);
    let mut table = String::from("file,row,perfect,silent\n");
    for (file, _) in [("two/b.csv", 0), ("one/a.csv", 1)] {
        for row in (0..200).rev() {
            let perfect = u8::from(file == "one/a.csv" && row == 100);
            table.push_str(&format!("{file},{row},{perfect},0\n"));
        }
    }
    bench.write("table.csv", &table);
    let both = outcome("--scores table.csv");
    assert_eq!(both[0]["standard"].as_f64(), Some(100.0));
    assert_eq!((&both[1]["detector"], &both[1]["low_fp"]), (&"silent".into(), &0.0.into()));
    let (text, _) = bench.done("score nab --data nab --scores table.csv --detector perfect");
    assert!(text.contains("NAB: 2 series, 1 windows, 400 rows"), "{text}");
    assert!(text.contains("perfect     100.00  100.00  100.00"), "{text}");
    // NAB's own layout: DETECTOR_FILE.csv in a folder called after the detector.
    bench.write("magic/one/magic_a.csv", &bench.read("written/one/a.csv"));
    bench.write("magic/two/magic_b.csv", &bench.read("written/two/b.csv"));
    assert_eq!(outcome("--scores magic")[0]["standard"], own[0]["standard"]);
}

#[test]
fn skab_counts_rows_after_the_training_ones() {
    let bench = Bench::new();
    let mut text = String::from("datetime;a;b;anomaly;changepoint\n");
    for i in 0..100 {
        text.push_str(&format!(
            "2020-01-01 00:01:{:02};{}.5;2;{};0\n",
            i % 60,
            i,
            u8::from(i >= 80)
        ));
    }
    bench.write("skab/valve/0.csv", &text);
    bench.write("skab/anomaly-free.csv", "datetime;a;b\n2020-01-01 00:00:00;1;2\n");
    let mut flags = String::from("score,flag\n");
    (0..100).for_each(|i| flags.push_str(&format!("0,{}\n", u8::from((70..95).contains(&i)))));
    bench.write("flags/valve/0.csv", &flags);
    let (text, _) = bench.done("score skab --data skab --train 50 --scores flags --json");
    let outcome: Value = serde_json::from_str(&text).unwrap();
    // 15 of 20 found, 10 of 30 false.
    assert_eq!((&outcome["experiments"], &outcome["rows_judged"]), (&1.into(), &50.into()));
    assert_eq!(outcome["missed_alarm_percent"].as_f64(), Some(25.0));
    assert!((outcome["false_alarm_percent"].as_f64().unwrap() - 100.0 / 3.0).abs() < 1e-9);
    assert!((outcome["f1"].as_f64().unwrap() - 30.0 / 45.0).abs() < 1e-12);
    let (text, _) = bench.done("score skab --data skab --train 50 --write written");
    assert!(text.contains("SKAB: 1 experiments, 50 rows judged"), "{text}");
    assert_eq!(bench.read("written/valve/0.csv").lines().count(), 101);
}

#[test]
fn what_is_no_benchmark_is_refused() {
    let bench = Bench::new();
    nab(&bench);
    bench.refused("score nab --data nowhere", 1, "laid out as NAB's repository");
    bench.refused("score nab --data nab --detector magic", 2, "there is no detector");
    bench.write("short/one/a.csv", "anomaly_score\n1\n");
    bench.refused("score nab --data nab --scores short", 1, "1 scores for 200 rows");
    bench.refused("score nab --data nab --scores nab/labels", 1, "no scores of one/a.csv");
    bench.write("no.csv", "a,b\n1,2\n");
    bench.refused("score skab --data no.csv", 1, "there is no column anomaly");
    bench.refused("score tep --data no.csv", 1, "no normal operation");
    bench.write("nab/data/one/a.csv", "timestamp,value\nyesterday,1\n");
    bench.refused("score nab --data nab", 1, "one/a.csv");
}

#[test]
fn nabs_published_table_is_reproduced() {
    let (Some(data), Some(scores)) =
        (recorded("nab/data"), recorded("nab/published_scores.parquet"))
    else {
        return;
    };
    let bench = Bench::new();
    let folder = data.parent().unwrap().display().to_string();
    let (text, _) =
        bench.done(&format!("score nab --json --data {folder} --scores {}", scores.display()));
    let outcomes: Vec<Value> = serde_json::from_str(&text).unwrap();
    let table = [
        ("ARTime", [78.152, 70.439, 83.095]),
        ("numenta", [71.205, 64.986, 75.865]),
        ("knncad", [64.402, 50.437, 71.005]),
        ("relativeEntropy", [56.252, 48.846, 60.893]),
        ("randomCutForest", [51.997, 38.283, 60.980]),
        ("windowedGaussian", [36.710, 21.398, 45.173]),
    ];
    for (detector, expected) in table {
        let outcome = outcomes.iter().find(|outcome| outcome["detector"] == detector).unwrap();
        for (profile, expected) in ["standard", "low_fp", "low_fn"].iter().zip(expected) {
            let score = outcome[*profile].as_f64().unwrap();
            assert!((score - expected).abs() < 0.01, "{detector}, {profile}: {score}");
        }
    }
}

#[test]
fn skab_and_tennessee_eastman_reach_what_is_claimed() {
    let bench = Bench::new();
    if let Some(path) = recorded("machines/skab_half.parquet") {
        let (text, _) = bench.done(&format!("score skab --json --data {}", path.display()));
        let outcome: Value = serde_json::from_str(&text).unwrap();
        let number = |name: &str| outcome[name].as_f64().unwrap();
        assert!(number("f1") > 0.84, "{text}");
        assert!(number("false_alarm_percent") < 20.0 && number("missed_alarm_percent") < 25.0);
    }
    if let Some(path) = recorded("machines/tennessee_eastman_d00_d10.parquet") {
        let (text, _) = bench.done(&format!("score tep --json --data {}", path.display()));
        let outcome: Value = serde_json::from_str(&text).unwrap();
        let of = |file: &str, name: &str| {
            let files = outcome["files"].as_array().unwrap();
            files.iter().find(|f| f["file"] == file).unwrap()[name].as_f64().unwrap()
        };
        // The best of T² and Q of PCA at 99 %, as published, and its false alarms.
        assert!(of("d00_te", "false_alarm_percent") <= 1.7);
        for (file, published) in
            [("d01_te", 99.0), ("d04_te", 99.0), ("d05_te", 35.0), ("d10_te", 56.0)]
        {
            assert!(of(file, "detected_percent") >= published, "{file}: {text}");
        }
    }
}
