//! Features and training from the outside: nothing looks ahead, and what is trained decides in a
//! stream.
//!
//! The recording is cut, and labels that had not come yet are turned round: the features of the
//! rows that are left, and the model, must not change by a byte.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::pelton;

const DAY_US: i64 = 86_400_000_000;

struct Recording {
    folder: tempfile::TempDir,
    /// The header, then a line a payment.
    lines: Vec<String>,
}

impl Recording {
    fn made() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payments.csv");
        let made = ["generate", "payments", "--rows", "12000", "--seed", "7", "--quiet", "--out"];
        run(pelton().args(made).arg(&path));
        let text = std::fs::read_to_string(&path).unwrap();
        Self { folder, lines: text.lines().map(str::to_owned).collect() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn column(&self, name: &str) -> usize {
        self.lines[0].split(',').position(|column| column == name).unwrap()
    }

    fn day(&self, line: &str) -> i64 {
        let ts = line.split(',').nth(self.column("ts")).unwrap();
        ts.parse::<i64>().unwrap().div_euclid(DAY_US)
    }

    fn last_day(&self) -> i64 {
        self.lines[1..].iter().map(|line| self.day(line)).max().unwrap()
    }

    /// Writes other lines under the same header.
    fn write(&self, name: &str, lines: impl Iterator<Item = String>) -> PathBuf {
        let path = self.path(name);
        let mut text = format!("{}\n", self.lines[0]);
        lines.for_each(|line| text.push_str(&format!("{line}\n")));
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The features of a recording, a line a payment.
    fn features(&self, input: &Path, options: &[&str]) -> Vec<String> {
        let out = self.path("features.csv");
        let set = ["--set", "training", "--quiet", "--input"];
        run(pelton().arg("features").args(set).arg(input).arg("--out").arg(&out).args(options));
        std::fs::read_to_string(&out).unwrap().lines().map(str::to_owned).collect()
    }

    /// The files that a training leaves: the model, and the figures without the recording's name.
    fn trained(&self, input: &Path, out: &str, options: &[&str]) -> (String, String) {
        let out = self.path(out);
        let usual = ["--warm-up", "20", "--folds", "2", "--rounds", "6", "--models", "2"];
        let mut command = pelton();
        command.args(["train", "fraud", "--quiet", "--min-rows", "5", "--input"]).arg(input);
        run(command.arg("--out").arg(&out).args(usual).args(options));
        let figures = std::fs::read_to_string(out.with_extension("metrics.json")).unwrap();
        let figures = figures.lines().filter(|line| !line.contains("\"recording\"")).collect();
        (std::fs::read_to_string(&out).unwrap(), figures)
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

fn date(day: i64) -> String {
    pelton_cli::report::format::Utc::from_micros(day * DAY_US).date()
}

#[test]
fn a_cut_recording_has_the_same_features_and_model() {
    let recording = Recording::made();
    let whole = recording.path("payments.csv");
    let end = recording.last_day() - 9;
    let kept = recording.lines[1..].iter().filter(|line| recording.day(line) < end).cloned();
    let kept: Vec<String> = kept.collect();
    assert!(kept.len() > 6_000 && kept.len() < 11_900, "{}", kept.len());
    let cut = recording.write("cut.csv", kept.iter().cloned());

    let all = recording.features(&whole, &[]);
    assert_eq!(all.len(), 12_001);
    let some = recording.features(&cut, &["--shards", "3"]);
    // Rows of the last second before the cut may stand behind later ones.
    let same = recording.lines[1..].iter().take_while(|line| recording.day(line) < end).count();
    assert!(same > 6_000);
    assert!(all[..=same] == some[..=same], "later rows changed earlier features");

    let until = date(end);
    let of_whole = recording.trained(&whole, "whole.txt", &["--until", &until]);
    let of_cut = recording.trained(&cut, "cut.txt", &["--until", &until]);
    assert!(of_whole == of_cut, "later rows changed the model");
    let threads = recording.trained(&cut, "one.txt", &["--until", &until, "--threads", "1"]);
    assert!(threads == of_cut, "threads changed the model");
}

#[test]
fn labels_that_have_not_come_change_nothing() {
    let recording = Recording::made();
    let whole = recording.path("payments.csv");
    let (label, kind) = (recording.column("is_fraud"), recording.column("fraud_kind"));
    let end = recording.last_day() + 1;
    let mut turned = 0;
    let other = recording.lines[1..].iter().map(|line| {
        let mut fields: Vec<&str> = line.split(',').collect();
        if recording.day(line) >= end - 7 {
            fields[label] = if fields[label] == "true" { "false" } else { "true" };
            fields[kind] = "";
            turned += 1;
        }
        fields.join(",")
    });
    let other: Vec<String> = other.collect();
    assert!(turned > 500, "{turned}");
    let other = recording.write("turned.csv", other.into_iter());

    let known = |lines: Vec<String>| -> Vec<String> {
        let header: Vec<String> = lines[0].split(',').map(str::to_owned).collect();
        let is_label = |at: usize| ["is_fraud", "fraud_kind"].contains(&header[at].as_str());
        let without = |line: &String| -> String {
            let fields = line.split(',').enumerate().filter(|(at, _)| !is_label(*at));
            fields.map(|(_, field)| format!("{field},")).collect()
        };
        lines.iter().map(without).collect()
    };
    let (ours, theirs) = (recording.features(&whole, &[]), recording.features(&other, &[]));
    assert!(known(ours) == known(theirs), "a label was known too early");
    let (ours, _) = recording.trained(&whole, "a.txt", &[]);
    let (theirs, _) = recording.trained(&other, "b.txt", &[]);
    assert!(ours == theirs, "the model learned from a label that had not come");
}

#[test]
fn the_files_are_what_they_say() {
    let recording = Recording::made();
    let whole = recording.path("payments.csv");
    let (text, figures) = recording.trained(&whole, "model.txt", &[]);
    let (json, _) = recording.trained(&whole, "model.json", &[]);
    for file in [&text, &json] {
        let model = pelton_scoring::model::Model::load(file.as_bytes()).unwrap();
        assert!(model.features().iter().any(|name| name == "amount_over_honest"));
    }
    for name in ["auc_roc", "average_precision", "card_precision_at_100", "threshold", "kinds"] {
        assert!(figures.contains(&format!("\"{name}\"")), "{name}: {figures}");
    }
    let page = std::fs::read_to_string(recording.path("model.html")).unwrap();
    for id in ["roc", "precision-recall", "calibration", "weeks", "importance"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert!(!page.contains("There is no test") && !page.contains("NaN"));

    // Both kinds decide in a replay, the trees on features that only training computes.
    recording.trained(&whole, "weights.json", &["--model", "logistic"]);
    for model in ["weights.json", "model.txt", "model.json"] {
        let out = recording.path("out");
        let mut replay = pelton();
        replay.args(["replay", "fraud", "--quiet", "--threshold", "0.05", "--input"]).arg(&whole);
        run(replay.arg("--model").arg(recording.path(model)).arg("--out").arg(&out));
        let alerts = std::fs::read_to_string(out.join("alerts.ndjson")).unwrap();
        assert!(alerts.contains("\"score\":0."), "{model}");
        let report = std::fs::read_to_string(out.join("report.json")).unwrap();
        assert!(!report.contains("features of the model"), "{model}: {report}");
    }
}

#[test]
fn formats_hold_the_same_rows() {
    let recording = Recording::made();
    let whole = recording.path("payments.csv");
    let csv = recording.features(&whole, &["--columns", "ts,card,card_count_1d,is_fraud"]);
    assert_eq!(csv[0], "ts,card,card_count_1d,is_fraud");
    for ending in ["parquet", "arrow", "ndjson"] {
        let (table, back) = (recording.path(&format!("f.{ending}")), recording.path("back.csv"));
        let features = ["features", "--set", "training", "--quiet", "--input"];
        run(pelton().args(features).arg(&whole).arg("--out").arg(&table));
        // The table is a recording too: its own columns can be read again.
        run(pelton()
            .args(["features", "--quiet", "--columns", "ts,card,terminal,amount", "--input"])
            .arg(&table)
            .arg("--out")
            .arg(&back));
        assert_eq!(std::fs::read_to_string(&back).unwrap().lines().count(), 12_001, "{ending}");
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let recording = Recording::made();
    let whole = recording.path("payments.csv");
    let said = |arguments: &[&str]| {
        let output = pelton().args(arguments).arg("--input").arg(&whole).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let train = |more: &[&str]| said(&[&["train", "fraud", "--quiet"], more].concat());
    assert!(train(&["--label", "chargeback"]).contains("chargeback"));
    assert!(train(&["--features", "card_count_2d"]).contains("card_count_2d"));
    assert!(train(&["--warm-up", "900"]).contains("warm-up"));
    assert!(train(&["--rounds", "0"]).contains("rounds"));
    assert!(said(&["features", "--quiet", "--out", "table.xlsx"]).contains(".parquet"));
    assert!(said(&["features", "--quiet", "--out", "t.csv", "--columns", "none"]).contains("none"));
}
