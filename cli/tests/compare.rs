//! `pelton compare`: two runs over one recording, from the outside.

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::pelton;
use serde_json::Value;

struct Runs {
    folder: tempfile::TempDir,
}

impl Runs {
    /// A recording, and two runs over it with other thresholds.
    fn make() -> Self {
        let runs = Self { folder: tempfile::tempdir().unwrap() };
        let recording = runs.path("payments.parquet");
        let mut generate = pelton();
        generate
            .args(["generate", "payments", "--rows", "8000", "--seed", "3", "--quiet", "--out"]);
        succeed(generate.arg(&recording));
        for (name, threshold) in [("strict", "0.95"), ("lenient", "0.05")] {
            for ending in ["ndjson", "parquet", "arrow"] {
                let mut replay = pelton();
                replay.args(["replay", "fraud", "--quiet", "--threshold", threshold]);
                replay.arg("--input").arg(&recording).arg("--out").arg(runs.path(name));
                replay.arg("--alerts").arg(runs.path(name).join(format!("alerts.{ending}")));
                succeed(&mut replay);
            }
        }
        runs
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn succeed(command: &mut std::process::Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn compare(a: &Path, b: &Path, options: &[&str]) -> Output {
    pelton().arg("compare").arg(a).arg(b).args(options).output().unwrap()
}

fn json(a: &Path, b: &Path) -> Value {
    let output = compare(a, b, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn alerts_that_come_and_go_are_counted_and_listed() {
    let runs = Runs::make();
    let (strict, lenient) = (runs.path("strict"), runs.path("lenient"));
    let compared = json(&strict, &lenient);
    let number = |name: &str| compared[name].as_u64().unwrap();
    // A lower threshold only adds alerts, and only by the score.
    assert!(number("came") > 10 && number("went") == 0, "{compared}");
    assert_eq!(number("score_changed") + number("reasons_changed"), 0);
    let lines = |run: &Path| std::fs::read_to_string(run.join("alerts.ndjson")).unwrap();
    assert_eq!(number("same") as usize, lines(&strict).lines().count());
    assert_eq!((number("same") + number("came")) as usize, lines(&lenient).lines().count());
    assert_eq!(compared["by_reason"]["score alone"]["came"], compared["came"]);
    // Precision and recall are those of the reports.
    for (side, run) in [("before", &strict), ("after", &lenient)] {
        let report: Value =
            serde_json::from_slice(&std::fs::read(run.join("report.json")).unwrap()).unwrap();
        let all = &report["quality"]["all"];
        assert_eq!(compared[side]["alerts"], all["alerts"]);
        assert_eq!(compared[side]["precision"], all["precision"]);
        assert_eq!(compared[side]["recall"], all["recall"]);
    }
    // Every change, one a line, in the order of the recording.
    let out = runs.path("changes.ndjson");
    let output = compare(&strict, &lenient, &["--out", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let text = std::fs::read_to_string(&out).unwrap();
    let changes: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(changes.len(), number("came") as usize);
    let offset = |change: &Value| change["offset"].as_u64().unwrap();
    assert!(changes.windows(2).all(|pair| offset(&pair[0]) < offset(&pair[1])));
    for change in &changes {
        assert_eq!(change["change"], "came");
        let score = change["score_after"].as_f64().unwrap();
        assert!((0.05..0.95).contains(&score), "{change}");
    }
    let table = String::from_utf8(output.stdout).unwrap();
    for word in ["alerts", "precision", "recall", "score alone", "came", "--out FILE lists them"] {
        assert!(table.contains(word), "{word} in {table}");
    }
}

#[test]
fn every_format_compares_alike() {
    let runs = Runs::make();
    let file = |run: &str, ending: &str| runs.path(run).join(format!("alerts.{ending}"));
    let mut definition = json(&file("strict", "ndjson"), &file("lenient", "ndjson"));
    let strip = |value: &mut Value| {
        for side in ["before", "after"] {
            value[side]["file"] = Value::Null;
        }
    };
    strip(&mut definition);
    for (a, b) in [("parquet", "ndjson"), ("arrow", "parquet"), ("ndjson", "arrow")] {
        let mut other = json(&file("strict", a), &file("lenient", b));
        strip(&mut other);
        assert_eq!(other, definition, "{a} and {b}");
        let same = json(&file("strict", a), &file("strict", b));
        assert_eq!(
            (&same["came"], &same["went"], &same["score_changed"]),
            (&0.into(), &0.into(), &0.into())
        );
    }
}

#[test]
fn exit_codes_say_whether_runs_differ_where_asked() {
    let runs = Runs::make();
    let (strict, lenient) = (runs.path("strict"), runs.path("lenient"));
    let code = |a: &Path, b: &Path, options: &[&str]| compare(a, b, options).status.code();
    assert_eq!(code(&strict, &strict, &["--fail-on-change"]), Some(0));
    assert_eq!(code(&strict, &lenient, &[]), Some(0));
    let failed = compare(&strict, &lenient, &["--fail-on-change"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("the runs differ: "));
    assert!(!failed.stdout.is_empty());
    assert_eq!(code(&strict, &runs.path("nowhere"), &[]), Some(1));
    assert_eq!(code(&strict, runs.folder.path(), &[]), Some(1));
    assert_eq!(code(&strict, &runs.path("payments.parquet"), &[]), Some(1));
    let input = strict.join("alerts.ndjson");
    assert_eq!(code(&strict, &lenient, &["--out", input.to_str().unwrap()]), Some(2));
    assert_eq!(code(&strict, &lenient, &["--score-tolerance", "-1"]), Some(2));
    let bad = runs.path("bad.ndjson");
    std::fs::write(&bad, "{\"partition\":0,\"offset\":1}\n{\"partition\":0,\"offset\":1}\n")
        .unwrap();
    let output = compare(&bad, &strict, &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("two alerts stand at partition 0, offset 1"), "{said}");
    std::fs::write(&bad, "{\"partition\":0,\"offset\":1}\n{\"partition\":0,").unwrap();
    let output = compare(&bad, &strict, &[]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 2"));
}

#[test]
fn labels_come_from_a_recording_where_there_is_no_report() {
    let runs = Runs::make();
    let lone = runs.path("lone");
    std::fs::create_dir(&lone).unwrap();
    for run in ["strict", "lenient"] {
        std::fs::copy(runs.path(run).join("alerts.ndjson"), lone.join(format!("{run}.ndjson")))
            .unwrap();
    }
    let (a, b) = (lone.join("strict.ndjson"), lone.join("lenient.ndjson"));
    let without = json(&a, &b);
    assert!(without["before"]["recall"].is_null() && without["before"]["precision"].is_number());
    assert!(without["notes"].to_string().contains("--labels"), "{without}");
    let recording = runs.path("payments.parquet");
    let output = compare(&a, &b, &["--json", "--labels", recording.to_str().unwrap()]);
    let with: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = json(&runs.path("strict"), &runs.path("lenient"));
    assert_eq!(with["before"]["recall"], expected["before"]["recall"]);
    assert_eq!(with["after"]["recall"], expected["after"]["recall"]);
}
