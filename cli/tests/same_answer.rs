//! The answer does not depend on how it was computed: the same bytes of alerts for every number
//! of shards, batch size, way of reading, format and SIMD level.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::pelton;

const ROWS: &str = "12000";

struct Recordings {
    folder: tempfile::TempDir,
}

impl Recordings {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for format in ["parquet", "csv", "arrow", "ndjson"] {
            let out = folder.path().join(format!("payments.{format}"));
            let made = pelton()
                .args(["generate", "payments", "--rows", ROWS, "--seed", "7", "--quiet"])
                .args(["--format", format, "--out"])
                .arg(&out)
                .output()
                .unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The alerts of a replay.
    fn alerts(&self, input: &str, options: &[&str], simd: Option<&str>) -> Vec<u8> {
        let out = tempfile::tempdir().unwrap();
        let mut command = pelton();
        command.args(["replay", "fraud", "--quiet", "--input"]).arg(self.path(input));
        command.arg("--out").arg(out.path()).args(options);
        if let Some(level) = simd {
            command.env("PELTON_SIMD", level);
        }
        run(&mut command);
        std::fs::read(out.path().join("alerts.ndjson")).unwrap()
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

fn check(same: &[u8], other: &[u8], what: &str) {
    if same == other {
        return;
    }
    let (a, b) = (String::from_utf8_lossy(same), String::from_utf8_lossy(other));
    let differ = a.lines().zip(b.lines()).enumerate().find(|(_, (a, b))| a != b);
    panic!("{what}: {} and {} bytes, first difference {differ:?}", same.len(), other.len());
}

#[test]
fn alerts_are_the_same_bytes_however_they_are_computed() {
    let recordings = Recordings::make();
    let definition = recordings.alerts("payments.parquet", &["--shards", "1"], None);
    let lines = definition.iter().filter(|&&byte| byte == b'\n').count();
    assert!(lines > 50, "only {lines} alerts: too few to compare anything");

    for shards in ["1", "2", "3", "7"] {
        for batch in ["1", "7", "4096"] {
            let options = ["--shards", shards, "--batch-rows", batch];
            let alerts = recordings.alerts("payments.parquet", &options, None);
            check(&definition, &alerts, &format!("shards {shards}, batches of {batch}"));
        }
    }
    for format in ["csv", "arrow", "ndjson", "parquet"] {
        for io in ["auto", "plain"] {
            let file = format!("payments.{format}");
            let options = ["--shards", "2", "--io", io];
            check(&definition, &recordings.alerts(&file, &options, None), &format!("{file}, {io}"));
        }
    }
    for level in ["scalar", "avx2", "avx512", "neon"] {
        if level.parse().is_ok_and(pelton_kernels::simd::Level::is_available) {
            for file in ["payments.csv", "payments.parquet"] {
                let alerts = recordings.alerts(file, &["--shards", "1"], Some(level));
                check(&definition, &alerts, &format!("{file} at {level}"));
            }
        } else {
            println!("skipped: this processor has no {level}");
        }
    }
    let scalar = recordings.alerts("payments.csv", &["--backend", "scalar"], None);
    check(&definition, &scalar, "--backend scalar");
}

#[test]
fn compressed_text_and_standard_input_give_the_same_alerts() {
    let recordings = Recordings::make();
    let definition = recordings.alerts("payments.csv", &[], None);
    for packed in ["payments.csv.gz", "payments.ndjson.zst"] {
        let made = pelton()
            .args(["generate", "payments", "--rows", ROWS, "--seed", "7", "--quiet", "--out"])
            .arg(recordings.path(packed))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        check(&definition, &recordings.alerts(packed, &[], None), packed);
    }
    for format in ["csv", "ndjson", "arrow", "parquet"] {
        let piped = from_standard_input(&recordings.path(&format!("payments.{format}")), format);
        check(&definition, &piped, &format!("{format} on standard input"));
    }
}

fn from_standard_input(path: &Path, format: &str) -> Vec<u8> {
    let out = tempfile::tempdir().unwrap();
    let mut command = pelton();
    command.args(["replay", "fraud", "--quiet", "--input", "-", "--format", format, "--out"]);
    command.arg(out.path()).stdin(std::fs::File::open(path).unwrap());
    run(&mut command);
    std::fs::read(out.path().join("alerts.ndjson")).unwrap()
}
