//! `pelton profile` from the outside: what comes again is found, what never does as well, and what
//! is wrong is said.

mod common;

use std::path::Path;
use std::process::Output;

use common::pelton;
use serde_json::Value;

/// A beat of 24 with noise from a seed; rows 400 to 423 hold another shape, row 600 nothing.
fn recording(path: &Path) {
    let mut text = "ts,load\n".to_owned();
    let mut word = 7_u64;
    for row in 0..900_u64 {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = (word >> 40) as f64 / (1_u64 << 24) as f64;
        let phase = row % 24;
        let beat = if (400..424).contains(&row) {
            (phase % 5) as f64 * 9.0
        } else {
            (phase * phase) as f64 / 12.0
        };
        let value = if row == 600 { String::new() } else { format!("{:.6}", beat + noise) };
        text.push_str(&format!("{},{value}\n", 1_700_000_000 + row * 60));
    }
    std::fs::write(path, text).unwrap();
}

fn run(folder: &Path, options: &[&str]) -> Output {
    let mut command = pelton();
    command.current_dir(folder).args(["profile", "--input", "load.csv"]).args(options);
    command.output().unwrap()
}

fn report(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

#[test]
fn the_odd_shape_is_the_discord_and_the_beat_the_motif() {
    let folder = tempfile::tempdir().unwrap();
    recording(&folder.path().join("load.csv"));
    let options = ["--value", "load", "--time", "ts", "--window", "24", "--top", "3"];
    let files = ["--report", "r.json", "--html", "p.html", "--out", "p.csv"];
    let output = run(folder.path(), &[&options[..], &files].concat());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Motifs") && said.contains("Discords"), "{said}");
    let found = report(folder.path(), "r.json");
    let at = found["discords"][0]["at"].as_u64().unwrap();
    assert!((377..424).contains(&at), "{}", found["discords"]);
    assert_eq!(found["discords"][0]["time"], (1_700_000_000 + at * 60).to_string());
    let motif = &found["motifs"][0];
    let apart = motif["second"].as_u64().unwrap() - motif["first"].as_u64().unwrap();
    assert_eq!(apart % 24, 0, "{motif}");
    assert_eq!(
        (&found["rows"], &found["missing"], &found["exclusion"]),
        (&900.into(), &1.into(), &6.into())
    );
    // 877 windows, less those that hold row 600.
    assert_eq!(found["windows_compared"], 877 - 24);
    assert_eq!(found["motifs"].as_array().unwrap().len(), 3);
    let rows = std::fs::read_to_string(folder.path().join("p.csv")).unwrap();
    let lines: Vec<&str> = rows.lines().collect();
    assert_eq!(lines.len(), 878);
    assert_eq!(lines[0], "window,ts,nearest,nearest_time,distance");
    assert_eq!(lines[601], "600,1700036000,,,", "a window with a missing value");
    let page = std::fs::read_to_string(folder.path().join("p.html")).unwrap();
    assert_eq!(page.matches("class=\"discord\"").count(), 3);
    assert_eq!(page.matches("class=\"motif\"").count(), 6);
    assert!(page.contains("<polyline") && !page.contains("NaN"), "the series is drawn");
}

#[test]
fn the_answer_is_the_same_at_every_level() {
    let folder = tempfile::tempdir().unwrap();
    recording(&folder.path().join("load.csv"));
    let of = |name: &str, backend: &str| {
        let options = ["--value", "load", "--window", "30", "--quiet", "--out", name];
        let output = run(folder.path(), &[&options[..], &["--backend", backend]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(folder.path().join(name)).unwrap()
    };
    assert!(of("scalar.ndjson", "scalar") == of("simd.ndjson", "simd"));
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    recording(&folder.path().join("load.csv"));
    std::fs::write(folder.path().join("bad.csv"), "load\n1\nx\n2\n").unwrap();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--value", "load", "--window", "901"], 2, "a window of 901 values, and 900 rows"),
        (&["--value", "lode", "--window", "9"], 1, "did you mean \"load\""),
        (
            &["--value", "load", "--time", "load", "--window", "9"],
            2,
            "the time as well as the value",
        ),
        (&["--value", "load", "--window", "1"], 2, "1"),
        (&["--value", "load", "--window", "9", "--out", "load.csv"], 2, "are the same file"),
        (&["--value", "load", "--window", "2", "--input", "bad.csv"], 2, "--input"),
    ];
    for (options, code, wanted) in cases {
        let output = run(folder.path(), options);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(wanted), "{options:?}: {said}");
        assert_eq!(output.status.code(), Some(code), "{options:?}: {said}");
    }
    let mut command = pelton();
    command.current_dir(folder.path());
    command.args(["profile", "--input", "bad.csv", "--value", "load", "--window", "2"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("bad.csv: line 3"), "{said}");
}
