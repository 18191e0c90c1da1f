//! `pelton replay fraud --model`: any model file decides, explains itself, takes over at an event
//! time, stands beside another; a file that is wrong ends the run before the first row.

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::pelton;
use serde_json::Value;

/// Columns of the pipeline that stand for the six features of the fixtures.
const FEATURES: [&str; 6] = [
    "amount_over_usual",
    "card_count_10m",
    "amount_deviations",
    "card_distance_km",
    "terminal_mean_amount_1d",
    "card_count_30d",
];

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(rows: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = pelton()
            .args(["generate", "payments", "--quiet", "--seed", "7", "--rows", rows, "--out"])
            .arg(folder.path().join("payments.parquet"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A model of `scoring/fixtures`, its features called as the pipeline's are.
    fn model(&self, fixture: &str) -> PathBuf {
        let bytes = std::fs::read(fixtures().join(fixture)).unwrap();
        let bytes = match String::from_utf8(bytes) {
            Ok(mut text) => {
                text = text.replacen("f0 f1 f2 f3 f4 f5", &FEATURES.join(" "), 1);
                for (i, name) in FEATURES.iter().enumerate() {
                    text = text.replace(&format!("\"f{i}\""), &format!("\"{name}\""));
                }
                text.into_bytes()
            }
            Err(binary) => binary.into_bytes(),
        };
        self.file(fixture, &bytes)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn replay(&self, out: &str, options: &[&str]) -> Output {
        let mut command = pelton();
        command.args(["replay", "fraud", "--quiet", "--input"]).arg(self.path("payments.parquet"));
        command.arg("--out").arg(self.path(out)).args(options).output().unwrap()
    }

    /// The alerts of a run that must succeed.
    fn alerts(&self, out: &str, options: &[&str]) -> Vec<u8> {
        let output = self.replay(out, options);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{options:?}: {said}");
        std::fs::read(self.path(out).join("alerts.ndjson")).unwrap()
    }

    fn report(&self, out: &str) -> Value {
        let bytes = std::fs::read(self.path(out).join("report.json")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scoring/fixtures")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn lines(alerts: &[u8]) -> Vec<Value> {
    let lines = alerts.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// Base, rest and contributions of an alert, added up.
fn raw_score(alert: &Value) -> f64 {
    let reasons = &alert["reasons"];
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let shown = reasons["features"].as_array().unwrap().iter();
    let shown: f64 = shown.map(|feature| number(&feature["contribution"])).sum();
    number(&reasons["base"]) + number(&reasons["rest"]) + shown
}

#[test]
fn every_kind_of_file_decides_and_explains_itself() {
    let bench = Bench::new("4000");
    let names = FEATURES.join(",");
    for (fixture, format) in [
        ("lgb_binary.model.txt", "LightGBM text"),
        ("lgb_binary.model.json", "LightGBM JSON"),
        ("xgb_binary.model.json", "XGBoost JSON"),
        ("xgb_binary.model.ubj", "XGBoost UBJ"),
        ("skl_boosting.model.onnx", "ONNX"),
        ("skl_logistic.model.onnx", "ONNX"),
    ] {
        let model = bench.model(fixture);
        // Fast reasons add up as well.
        let reasons = if fixture.ends_with("ubj") { "fast" } else { "exact" };
        let mut options = vec!["--model", text(&model), "--model-features", &names];
        options.extend(["--threshold", "0.3", "--reasons", reasons]);
        let alerts = lines(&bench.alerts("out", &options));
        assert!(alerts.len() > 20, "{fixture}: {} alerts", alerts.len());
        for alert in &alerts {
            let score = alert["score"].as_f64().unwrap();
            // The LightGBM fixture has `sigmoid=1.5`: its link stretches raw scores.
            let raw = raw_score(alert) * if fixture.starts_with("lgb") { 1.5 } else { 1.0 };
            let ours = 1.0 / (1.0 + libm::exp(-raw));
            assert!((ours - score).abs() < 1e-4, "{fixture}: {ours} of {raw}, not {score}");
            let features = alert["reasons"]["features"].as_array().unwrap();
            let size = |f: &Value| f["contribution"].as_f64().unwrap().abs();
            assert!(features.windows(2).all(|pair| size(&pair[0]) >= size(&pair[1])));
        }
        let report = bench.report("out");
        let shown = &report["models"][0];
        assert_eq!(shown["file"], fixture);
        assert!(shown["what"].as_str().unwrap().starts_with(format), "{shown}");
        assert_eq!(shown["threshold"], 0.3);
    }
    // The weights that come with pelton, by name, are the default.
    let weights =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/models/fraud_logistic.json");
    let standard = bench.alerts("standard", &[]);
    assert_eq!(bench.alerts("named", &["--model", text(&weights)]), standard);
    assert_eq!(bench.alerts("named", &["--weights", text(&weights)]), standard);
}

#[test]
fn a_forest_gives_the_same_bytes_however_it_is_run() {
    let bench = Bench::new("6000");
    let (first, second) =
        (bench.model("lgb_binary.model.txt"), bench.model("xgb_binary.model.json"));
    let takeover = format!("{}={}", middle_us(&bench), text(&second));
    let challenger = bench.model("lgb_dart.model.txt");
    let run = |more: &[&str]| {
        let mut options = vec!["--model", text(&first), "--model-at", &takeover];
        options.extend(["--challenger", text(&challenger), "--threshold", "0.3"]);
        options.extend(more);
        bench.alerts("out", &options)
    };
    let definition = run(&["--shards", "1"]);
    assert!(lines(&definition).len() > 20);
    for (shards, batch) in [("1", "1"), ("2", "7"), ("3", "1000"), ("2", "4096")] {
        let other = run(&["--shards", shards, "--batch-rows", batch]);
        assert!(definition == other, "{shards} shards, batches of {batch}");
    }
}

/// A time in the middle of the alerts.
fn middle_us(bench: &Bench) -> i64 {
    let model = bench.model("lgb_binary.model.txt");
    let alerts = lines(&bench.alerts("all", &["--model", text(&model), "--threshold", "-1e9"]));
    let ts = |alert: &Value| match &alert["ts"] {
        Value::Number(number) => number.as_i64().unwrap(),
        other => panic!("a time in µs, not {other}"),
    };
    ts(&alerts[alerts.len() / 2])
}

#[test]
fn a_model_that_takes_over_scores_the_rows_from_its_time_on() {
    let bench = Bench::new("3000");
    let (first, second) =
        (bench.model("lgb_binary.model.txt"), bench.model("xgb_binary.model.json"));
    let middle = middle_us(&bench);
    // Every payment is an alert, so that every score is seen.
    let all = |out: &str, model: &Path, more: &[&str]| {
        let mut options = vec!["--model", text(model), "--threshold", "-1e9"];
        options.extend(more);
        lines(&bench.alerts(out, &options))
    };
    let old = all("old", &first, &[]);
    let new = all("new", &second, &[]);
    let takeover = format!("{middle}={}", text(&second));
    let mixed = all("mixed", &first, &["--model-at", &takeover]);
    assert_eq!((old.len(), new.len(), mixed.len()), (3000, 3000, 3000));
    let mut taken = 0;
    for ((mixed, old), new) in mixed.iter().zip(&old).zip(&new) {
        let is_new = mixed["ts"].as_i64().unwrap() >= middle;
        taken += usize::from(is_new);
        assert_eq!(mixed, if is_new { new } else { old });
    }
    assert!((1000..2000).contains(&taken), "{taken}");
    let report = bench.report("mixed");
    assert_eq!(report["ledger"]["balanced"], true);
    assert_eq!(report["rows_scored"], 3000);
    let roles: Vec<_> = report["models"].as_array().unwrap().iter().map(|m| &m["role"]).collect();
    assert_eq!(roles[1], &format!("champion from {middle} on"));
}

#[test]
fn a_challenger_is_shown_and_decides_nothing() {
    let bench = Bench::new("4000");
    let (champion, challenger) =
        (bench.model("lgb_binary.model.txt"), bench.model("xgb_binary.model.json"));
    let champion = ["--model", text(&champion), "--threshold", "0.6"];
    let alone = lines(&bench.alerts("alone", &champion));
    let mut options = champion.to_vec();
    options.extend(["--challenger", text(&challenger), "--challenger-threshold", "0.6"]);
    let beside = lines(&bench.alerts("beside", &options));
    assert_eq!(alone.len(), beside.len());
    for (alone, beside) in alone.iter().zip(&beside) {
        let mut without = beside.clone();
        let score = without.as_object_mut().unwrap().remove("challenger_score").unwrap();
        assert!(score.as_f64().is_some_and(|score| (0.0..=1.0).contains(&score)));
        assert_eq!(&without, alone);
    }
    // What the challenger would have done is what it does where it decides.
    let decides = ["--model", text(&challenger), "--threshold", "0.6"];
    let other = lines(&bench.alerts("other", &decides));
    let report = bench.report("beside");
    let counts = &report["challenger"];
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(count("alerts"), other.len() as u64);
    assert_eq!(count("both") + count("champion_only"), beside.len() as u64);
    assert_eq!(count("both") + count("challenger_only"), other.len() as u64);
    assert_eq!(counts["quality"], bench.report("other")["quality"]);
    assert_eq!(counts["precision_recall"], bench.report("other")["precision_recall"]);
}

#[test]
fn features_that_the_recording_cannot_give_are_missing_and_unknown_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench { folder };
    let row = |i: i64| format!("{},1,{},10.00", 1_767_225_600_000_000 + i * 1_000_000, i % 3);
    let rows: Vec<String> = (0..50).map(row).collect();
    let csv = format!("ts,card,terminal,amount\n{}\n", rows.join("\n"));
    bench.file("payments.parquet", b"");
    let input = bench.file("payments.csv", csv.as_bytes());
    let model = bench.model("lgb_binary.model.txt");
    let run = |model: &Path| {
        let mut command = pelton();
        command.args(["replay", "fraud", "--input"]).arg(&input).arg("--out").arg(bench.path("o"));
        command.arg("--model").arg(model).output().unwrap()
    };
    let output = run(&model);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = bench.report("o");
    let what = report["models"][0]["what"].as_str().unwrap().to_owned();
    assert!(what.contains("LightGBM text"), "{what}");
    let told = report["missing_signals"].to_string();
    assert!(told.contains("card_distance_km"), "{told}");
}

/// The run must end with exit code 1 before it reads a row, and say all of these.
fn refused(bench: &Bench, model: &Path, words: &[&str]) {
    let output = bench.replay("refused", &["--model", text(model)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
    assert!(said.starts_with("error: "), "{said}");
    let left = bench.path("refused").join("alerts.ndjson");
    assert!(!left.exists(), "a refused run left alerts behind");
}

#[test]
fn bad_models_are_refused_before_the_stream_starts() {
    let bench = Bench::new("10");
    let good = std::fs::read_to_string(bench.model("lgb_binary.model.txt")).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "no {from}");
        bench.file("changed.txt", good.replacen(from, to, 1).as_bytes())
    };
    let line = |key: &str| good.lines().find(|line| line.starts_with(key)).unwrap();
    let name = "changed.txt";
    refused(&bench, &bench.path("nowhere.txt"), &["cannot read", "nowhere.txt"]);
    refused(&bench, &bench.file("empty.txt", b""), &["empty.txt is empty"]);
    refused(&bench, &bench.file("text.txt", b"hello"), &["text.txt", "no model that is known"]);
    refused(&bench, bench.folder.path(), &["is a directory"]);
    let cut = &good.as_bytes()[..good.len() / 3];
    refused(&bench, &bench.file(name, cut), &[name, "help: "]);
    refused(&bench, &changed("version=v4", "version=v9"), &[name, "version \"v9\""]);
    refused(&bench, &changed(FEATURES[2], "no_such_column"), &["no_such_column", "is no feature"]);
    refused(&bench, &changed(line("leaf_value="), "leaf_value=nan 0 0 0 0 0 0 0"), &[name, "NaN"]);
    refused(
        &bench,
        &changed(line("left_child="), "left_child=0 0 0 0 0 0 0"),
        &[name, "tree 0, node 0", "a cycle"],
    );
    let claim =
        bench.file(name, good.replacen("num_leaves=8", "num_leaves=10000000", 1).as_bytes());
    refused(&bench, &claim, &[name, "tree 0"]);
    // Ten million nodes claimed by a file of less than 1 kB.
    let tiny = b"{L\0\0\0\0\0\0\0\x07learner{L\0\0\0\0\0\0\0\x03abc[$l#l\x00\x98\x96\x80";
    refused(&bench, &bench.file("tiny.ubj", tiny), &["tiny.ubj"]);
    let classes = bench.model("lgb_multiclass.model.txt");
    refused(&bench, &classes, &["tells 3 classes apart"]);
    let weights = br#"{"kind":"logistic","version":9,"features":[],"intercept":0}"#;
    refused(&bench, &bench.file("w.json", weights), &["w.json", "version 9, not 1"]);
    let onnx = std::fs::read(fixtures().join("skl_rf_binary.model.onnx")).unwrap();
    refused(&bench, &bench.file("cut.onnx", &onnx[..onnx.len() / 2]), &["cut.onnx"]);
    // Also where it would take over later, or only look on.
    let bad = bench.file("bad.txt", b"tree\nversion=v9\n");
    for option in [
        ["--challenger".to_owned(), text(&bad).to_owned()],
        ["--model-at".to_owned(), format!("2026-01-01={}", text(&bad))],
    ] {
        let options: Vec<&str> = option.iter().map(String::as_str).collect();
        let output = bench.replay("refused", &options);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("bad.txt"), "{said}");
    }
}

#[test]
fn wrong_options_of_models_are_wrong_usage() {
    let bench = Bench::new("10");
    let model = bench.model("lgb_binary.model.txt");
    let twice = format!("5={}", text(&model));
    for options in [
        vec!["--threshold", "high"],
        vec!["--model-at", "soon=x.txt"],
        vec!["--model-at", "2026-01-01"],
        vec!["--challenger-threshold", "0.5"],
        vec!["--model-at", &twice, "--model-at", &twice],
        vec!["--model", text(&model), "--alerts", text(&model)],
    ] {
        let output = bench.replay("out", &options);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{options:?}: {said}");
    }
}
