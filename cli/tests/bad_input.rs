//! Bad input: every row is accounted for, or the run ends with a clear message and leaves no
//! half-written output.

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::pelton;
use serde_json::Value;

const HEADER: &str = "ts,card,terminal,amount,country,lat,lon,is_fraud,fraud_kind";
const GOOD: &str = "1767225600000000,1,2,10.00,DE,52.5,13.4,false,";

struct Run {
    output: Output,
    folder: tempfile::TempDir,
}

impl Run {
    /// Replays these bytes under this name.
    fn of(name: &str, bytes: &[u8], options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join(name);
        std::fs::write(&input, bytes).unwrap();
        Self::replay(folder, &input, options)
    }

    fn replay(folder: tempfile::TempDir, input: &Path, options: &[&str]) -> Self {
        let output = pelton()
            .args(["replay", "fraud", "--quiet", "--input"])
            .arg(input)
            .arg("--out")
            .arg(folder.path().join("out"))
            .arg("--dead-letters")
            .arg(folder.path().join("dead.ndjson"))
            .args(options)
            .output()
            .unwrap();
        Self { output, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    fn report(&self) -> Value {
        assert_eq!(self.output.status.code(), Some(0), "{}", self.said());
        serde_json::from_slice(&std::fs::read(self.path("out/report.json")).unwrap()).unwrap()
    }

    fn dead_letters(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("dead.ndjson")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn assert_fails(&self, words: &[&str]) {
        assert_eq!(self.output.status.code(), Some(1), "{}", self.said());
        for word in words {
            assert!(self.said().contains(word), "no `{word}` in: {}", self.said());
        }
        assert!(!self.path("out/alerts.ndjson").exists(), "a failed run left alerts behind");
    }
}

fn count(report: &Value, name: &str) -> u64 {
    report[name].as_u64().unwrap_or_else(|| panic!("no {name} in {report}"))
}

#[test]
fn malformed_rows_go_to_dead_letters_and_the_run_goes_on() {
    let huge = "9".repeat(10 << 20);
    let rows: Vec<Vec<u8>> = vec![
        GOOD.into(),
        b"1,2".to_vec(),
        b"1767225600000000,x,2,10.00,DE,52.5,13.4,false,".to_vec(),
        b"yesterday,1,2,10.00,DE,52.5,13.4,false,".to_vec(),
        [b"1767225600000000,1,2,10.00,D\xff,52.5,13.4,false,".as_slice()].concat(),
        format!("1767225600000000,1,2,{huge},DE,52.5,13.4,false,").into_bytes(),
        b"1767225600000000,1,2,1\0.00,DE,52.5,13.4,false,".to_vec(),
        b",1,2,10.00,DE,52.5,13.4,false,".to_vec(),
        b"9767225600000000,1,2,10.00,DE,52.5,13.4,false,".to_vec(),
        GOOD.into(),
        b"1767225600000000,1,2,10.0".to_vec(),
    ];
    let mut bytes = HEADER.as_bytes().to_vec();
    for row in &rows {
        bytes.push(b'\n');
        bytes.extend(row);
    }
    let run = Run::of("bad.csv", &bytes, &[]);
    let report = run.report();
    assert_eq!(count(&report, "rows_in"), 11);
    assert_eq!(count(&report, "rows_scored"), 2);
    assert_eq!(count(&report, "rows_rejected"), 9);
    let letters = run.dead_letters();
    assert_eq!(letters.len(), 9);
    for letter in &letters {
        assert_eq!(letter["file"], "bad.csv");
        assert!(letter["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{letter}");
        assert!(letter["raw"].is_string() || letter["raw_base64"].is_string(), "{letter}");
    }
    let lines: Vec<u64> = letters.iter().map(|l| l["line"].as_u64().unwrap()).collect();
    let mut sorted = lines.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [3, 4, 5, 6, 7, 8, 9, 10, 12], "{lines:?}");
    let of = |line: u64| letters.iter().find(|l| l["line"] == line).unwrap();
    assert_eq!(of(4)["column"], "card");
    assert_eq!(of(5)["column"], "ts");
    assert_eq!(of(5)["raw"], "yesterday,1,2,10.00,DE,52.5,13.4,false,");
    assert!(of(10)["reason"].as_str().unwrap().contains("ahead"), "{}", of(10));
    assert!(of(6)["raw_base64"].is_string(), "{}", of(6));
}

#[test]
fn no_rows_is_a_run_of_no_rows() {
    for bytes in [String::new(), HEADER.to_owned(), format!("{HEADER}\r\n\r\n")] {
        let run = Run::of("empty.csv", bytes.as_bytes(), &[]);
        if bytes.is_empty() && run.output.status.code() != Some(0) {
            panic!("an empty file: {}", run.said());
        }
        let report = run.report();
        assert_eq!(count(&report, "rows_in"), 0);
        assert_eq!(std::fs::read(run.path("out/alerts.ndjson")).unwrap(), b"");
    }
}

#[test]
fn columns_that_are_missing_doubled_or_of_the_wrong_type_end_the_run() {
    let missing = GOOD.replacen("10.00,", "", 1);
    let header = HEADER.replacen("amount,", "", 1);
    Run::of("a.csv", format!("{header}\n{missing}\n").as_bytes(), &[])
        .assert_fails(&["amount", "a.csv"]);
    let doubled = format!("{HEADER},card\n{GOOD},1\n");
    Run::of("b.csv", doubled.as_bytes(), &[]).assert_fails(&["card", "b.csv"]);
}

#[test]
fn files_that_are_not_what_they_say_end_the_run() {
    for name in ["x.parquet", "x.arrow"] {
        Run::of(name, b"this is neither", &[]).assert_fails(&[name]);
        Run::of(name, b"", &[]).assert_fails(&[name]);
    }
    Run::of("x.csv.gz", b"this is not gzip", &[]).assert_fails(&["x.csv.gz"]);
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere.csv");
    Run::replay(folder, &nowhere, &[]).assert_fails(&["nowhere.csv"]);
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("directory.csv");
    std::fs::create_dir(&directory).unwrap();
    Run::replay(folder, &directory, &[]).assert_fails(&["director"]);
}

#[test]
fn outputs_that_cannot_be_written_end_the_run_and_keep_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("good.csv");
    std::fs::write(&input, format!("{HEADER}\n{GOOD}\n")).unwrap();
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "in the way").unwrap();
    let alerts = blocked.join("alerts.ndjson");
    let run = Run::replay(folder, &input, &["--alerts", alerts.to_str().unwrap()]);
    assert_eq!(run.output.status.code(), Some(1), "{}", run.said());
    assert_eq!(std::fs::read_to_string(run.path("file")).unwrap(), "in the way");
}

#[test]
fn a_failed_run_keeps_the_alerts_of_the_last_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("out")).unwrap();
    std::fs::write(folder.path().join("out/alerts.ndjson"), "old\n").unwrap();
    let input = folder.path().join("broken.csv.gz");
    std::fs::write(&input, b"\x1f\x8b\x08\0\0\0\0\0\0\0broken").unwrap();
    let run = Run::replay(folder, &input, &[]);
    assert_eq!(run.output.status.code(), Some(1), "{}", run.said());
    assert_eq!(std::fs::read_to_string(run.path("out/alerts.ndjson")).unwrap(), "old\n");
    let left: Vec<_> = std::fs::read_dir(run.path("out")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "something half-written was left: {left:?}");
}

#[test]
fn late_rows_are_scored_marked_counted_and_written() {
    let row = |seconds: i64| {
        GOOD.replacen(
            "1767225600000000",
            &(1_767_225_600_000_000 + seconds * 1_000_000).to_string(),
            1,
        )
    };
    let text = [HEADER.to_owned(), row(100), row(97), row(98), row(0), row(101)].join("\n");
    let folder = tempfile::tempdir().unwrap();
    let late = folder.path().join("late.ndjson");
    let run = Run::of("late.csv", text.as_bytes(), &["--late", late.to_str().unwrap()]);
    let report = run.report();
    assert_eq!(count(&report, "rows_scored"), 5);
    // 97 is 3 s behind 100, 98 is exactly 2 s behind: not late; 0 is late.
    assert_eq!(count(&report, "rows_late"), 2);
    assert_eq!(std::fs::read_to_string(&late).unwrap().lines().count(), 2);
    let longer = Run::of("late.csv", text.as_bytes(), &["--delay", "3s"]).report();
    assert_eq!(count(&longer, "rows_late"), 1);
}

#[test]
fn the_limit_counts_rows_in() {
    let text = [HEADER, GOOD, "broken", GOOD, GOOD].join("\n");
    let report =
        Run::of("limit.csv", text.as_bytes(), &["--limit", "3", "--batch-rows", "1"]).report();
    assert_eq!(count(&report, "rows_in"), 3);
    assert_eq!(count(&report, "rows_scored") + count(&report, "rows_rejected"), 3);
}
