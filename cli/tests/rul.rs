//! Remaining life from the outside: nothing looks ahead, what is wrong is said, the written model
//! tells the same in a stream, and NASA's engines are told within 15 cycles.
//!
//! Recorded data is looked for under `$PELTON_DATA`, else beside the workspace; where it is
//! absent the test says so and returns.

mod common;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::pelton;
use serde_json::Value;

/// A fleet in NASA's files: one sensor falls towards the end, one rises from the engine's own
/// level, one is noise, the others stand still.
struct Fleet {
    folder: tempfile::TempDir,
}

/// A number from 0 to 1 that depends on all three.
fn noise(unit: u64, cycle: u64, sensor: u64) -> f64 {
    let mixed = pelton_scoring::detect::random::mix(unit << 40 | cycle << 8 | sensor);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

fn life(unit: u64) -> u64 {
    120 + (noise(unit, 0, 99) * 80.0) as u64
}

/// A row of an engine; `number` is what it is called.
fn row(number: u64, unit: u64, cycle: u64) -> String {
    let worn = 1.0 - ((life(unit) - cycle) as f64 / 100.0).min(1.0);
    let mut line = format!("{number} {cycle} 0.0 0.0 100.0");
    for sensor in 1..=21_u64 {
        let value = match sensor {
            2 => 640.0 - 4.0 * worn * worn + 0.4 * noise(unit, cycle, sensor),
            3 => 9_000.0 + 90.0 * noise(unit, 0, 3) + 60.0 * worn + 8.0 * noise(unit, cycle, 3),
            4 => noise(unit, cycle, sensor),
            _ => 100.0,
        };
        write!(line, " {value:.4}").unwrap();
    }
    line + "  \n"
}

impl Fleet {
    fn made() -> Self {
        let (mut train, mut test, mut rul) = (String::new(), String::new(), String::new());
        for unit in 1..=24 {
            (1..=life(unit)).for_each(|cycle| train += &row(unit, unit, cycle));
        }
        for number in 1..=12 {
            let unit = 100 + number;
            let cut = 35 + (noise(unit, 1, 98) * (life(unit) - 45) as f64) as u64;
            (1..=cut).for_each(|cycle| test += &row(number, unit, cycle));
            writeln!(rul, "{}", life(unit) - cut).unwrap();
        }
        let fleet = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in [("train_FD001", train), ("test_FD001", test), ("RUL_FD001", rul)] {
            fleet.write(name, &text);
        }
        fleet
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.txt"))).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(&format!("{name}.txt")), text).unwrap();
    }

    fn train(&self, more: &[&str]) -> Output {
        let usual = ["train", "rul", "--quiet", "--rounds", "25", "--min-rows", "5", "--folds"];
        let mut command = pelton();
        command.args(usual).arg(if more.contains(&"--folds") { "2" } else { "0" });
        command.arg("--data").arg(self.folder.path());
        command.args(more.iter().filter(|word| **word != "--folds")).output().unwrap()
    }

    /// The model and the figures that a training leaves.
    fn trained(&self, more: &[&str]) -> (String, Value) {
        let out = self.path("model.txt");
        let output = self.train(&[&["--out", out.to_str().unwrap()], more].concat());
        assert!(output.status.success(), "{}", said(&output));
        let figures = std::fs::read(self.path("model.metrics.json")).unwrap();
        (self.text("model.FD001"), serde_json::from_slice(&figures).unwrap())
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_model_its_figures_and_a_page() {
    let fleet = Fleet::made();
    let (text, figures) = fleet.trained(&["--folds"]);
    let subset = &figures["subsets"][0];
    assert_eq!(subset["sensors"], serde_json::json!(["sensor_2", "sensor_3", "sensor_4"]));
    assert_eq!((&subset["engines"], &subset["test"]["engines"]), (&24.into(), &12.into()));
    let rmse = |what: &str| subset[what]["rmse_of_capped_truths"].as_f64().unwrap();
    assert!(rmse("test") < 25.0 && rmse("validation") < 20.0, "{subset}");
    assert!(rmse("test") < subset["test"]["rmse"].as_f64().unwrap());
    assert!(subset["test"]["nasa_score"].as_f64().unwrap() > 0.0);
    let model = pelton_scoring::model::Model::load(text.as_bytes()).unwrap();
    assert!(model.features().contains(&"sensor_2_trend_40".to_owned()));
    assert!(text.contains("\nobjective=regression\n"));
    let page = std::fs::read_to_string(fleet.path("model.html")).unwrap();
    for id in ["estimates", "errors", "lives", "by-truth", "importance"] {
        assert!(page.contains(&format!("id=\"{id}-FD001\"")), "{id}");
    }
    assert!(!page.contains("NaN") && !page.contains("There was no validation"));
    let (one, same) = fleet.trained(&["--folds", "--threads", "1"]);
    assert!(one == text && same == figures, "threads changed the model or the figures");
}

/// What is learned depends on the training engines alone, and what a test engine is told on
/// nothing behind its last row.
#[test]
fn nothing_looks_ahead() {
    let fleet = Fleet::made();
    let (model, before) = fleet.trained(&[]);
    let test = fleet.text("test_FD001");
    let answers = fleet.text("RUL_FD001");
    // Other answers, and more engines behind: the same model, the same sensors.
    let longer = test.clone() + &row(13, 200, 1) + &row(13, 200, 2);
    fleet.write("test_FD001", &longer);
    fleet.write("RUL_FD001", &format!("{}7\n", answers.replace('1', "2")));
    let (same, after) = fleet.trained(&[]);
    assert!(model == same, "the test engines changed the model");
    assert_ne!(before["subsets"][0]["test"]["rmse"], after["subsets"][0]["test"]["rmse"]);
    assert_eq!(before["subsets"][0]["importance"], after["subsets"][0]["importance"]);
}

#[test]
fn what_is_wrong_is_said() {
    let fleet = Fleet::made();
    let fails = |code: i32, more: &[&str], words: &[&str]| {
        let output = fleet.train(more);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        for word in words {
            assert!(said(&output).contains(word), "{word}: {}", said(&output));
        }
    };
    fails(2, &["--cap", "0"], &["--cap"]);
    fails(2, &["--leaves", "few"], &["--leaves"]);
    fails(1, &["--leaves", "1"], &["leaves must be 2 to 1024"]);
    fails(2, &["--out", "no-such-folder/model.txt"], &["folder"]);
    fails(1, &["--subset", "FD004"], &["train_FD004.txt"]);
    let test = fleet.text("test_FD001");
    fleet.write("test_FD001", &test.replacen("640.", "64o.", 1));
    fails(1, &[], &["test_FD001.txt: line 1, column 7 (sensor_2)", "is no number"]);
    fleet.write("test_FD001", &(test.clone() + "1 2 3\n"));
    fails(1, &[], &["test_FD001.txt: line", "3 columns, expected 26"]);
    fleet.write("test_FD001", &test);
    fleet.write("RUL_FD001", "5\n");
    fails(1, &[], &["RUL_FD001.txt", "1 remaining lives for the 12 engines"]);
    std::fs::remove_file(fleet.path("train_FD001.txt")).unwrap();
    fails(1, &[], &["no C-MAPSS files", "help:", "train_FD001.txt"]);
    let output = pelton().args(["train", "rul"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

fn recording() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("PELTON_DATA").map_or_else(beside, PathBuf::from);
    let folder = folder.join("machines");
    if folder.join("cmapss_fd001_fd003.parquet").exists() {
        return Some(folder);
    }
    println!("skipped: {} is not there (set PELTON_DATA)", folder.display());
    None
}

/// With the defaults, which were chosen by the training engines alone.
#[test]
fn the_public_engines_are_told_within_15_cycles() {
    let Some(folder) = recording() else { return };
    let out = tempfile::tempdir().unwrap();
    let metrics = out.path().join("metrics.json");
    let mut command = pelton();
    command.args(["train", "rul", "--quiet", "--folds", "0", "--data"]).arg(&folder);
    let output = command.arg("--metrics").arg(&metrics).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let figures: Value = serde_json::from_slice(&std::fs::read(&metrics).unwrap()).unwrap();
    for (subset, name) in figures["subsets"].as_array().unwrap().iter().zip(["FD001", "FD003"]) {
        assert_eq!(subset["name"], name);
        assert_eq!(subset["test"]["engines"], 100);
        let rmse = subset["test"]["rmse"].as_f64().unwrap();
        assert!(rmse <= 15.0, "{name}: {rmse}");
    }
}
