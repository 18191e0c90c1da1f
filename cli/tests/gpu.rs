//! The GPU from the outside: the same bytes with it, without it, and when it is lost on the way;
//! the bench writes its record. Without an adapter there is nothing to test, which is said.
#![cfg(feature = "gpu")]

mod common;
#[path = "common/gpu.rs"]
mod gpu;

use std::path::{Path, PathBuf};

use common::pelton;
use gpu::adapter;
use serde_json::Value;

/// Columns of the pipeline that stand for the six features of the fixture.
const FEATURES: &str = "amount_over_usual card_count_10m amount_deviations card_distance_km \
                        terminal_mean_amount_1d card_count_30d";

fn report(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap()
}

#[test]
fn alerts_are_the_same_bytes_with_a_gpu_and_when_it_fails() {
    let Some(adapter) = adapter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let made = ["generate", "payments", "--quiet", "--seed", "7", "--rows", "6000", "--out"];
    assert!(pelton().args(made).arg(path("p.parquet")).status().unwrap().success());
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../scoring/fixtures/lgb_binary.model.txt");
    let text = std::fs::read_to_string(fixture).unwrap();
    std::fs::write(path("m.txt"), text.replacen("f0 f1 f2 f3 f4 f5", FEATURES, 1)).unwrap();
    let run = |name: &str, backend: &str, fault: Option<&str>| -> (Vec<u8>, Value) {
        let mut command = pelton();
        command.args(["replay", "fraud", "--quiet", "--input"]).arg(path("p.parquet"));
        // One shard, so that dispatches come in one order.
        command.args(["--reasons", "fast", "--threshold", "0.1", "--shards", "1"]);
        command.args(["--backend", backend, "--model"]);
        command.arg(path("m.txt")).arg("--out").arg(path(name)).env("PELTON_GPU", &adapter);
        if let Some(fault) = fault {
            command.env("PELTON_GPU_FAULT", fault);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let alerts = std::fs::read(path(name).join("alerts.ndjson")).unwrap();
        (alerts, report(&path(name)))
    };
    let (wanted, scalar) = run("scalar", "scalar", None);
    assert!(wanted.len() > 1000, "there are alerts");
    assert!(scalar["gpu"].is_null() && scalar["backend"] == "scalar", "{}", scalar["gpu"]);
    let (alerts, report) = run("gpu", "gpu", None);
    assert!(alerts == wanted, "the GPU's alerts differ");
    assert_eq!(report["backend"], "gpu");
    let walks = report["gpu"]["passes"]["score_forest_walk"]["dispatches"].as_u64().unwrap();
    assert!(walks >= 2 && report["gpu"]["uploaded_bytes"].as_u64() > Some(0));
    assert_eq!(report["gpu"]["fallbacks"], 0);
    let mut explained = pelton();
    explained.args(["replay", "fraud", "--explain", "--backend", "gpu", "--input"]);
    explained.arg(path("p.parquet")).arg("--model").arg(path("m.txt")).arg("--out");
    let output = explained.arg(path("none")).env("PELTON_GPU", &adapter).output().unwrap();
    let plan = String::from_utf8_lossy(&output.stdout);
    assert!(plan.contains("\n  forest: ") && !path("none").exists(), "{plan}");
    // The second dispatch tries the device's f64.
    for fault in ["lost@0", "lost@1", "lost@3", "memory@0", "memory@2"] {
        let (alerts, report) = run(fault, "gpu", Some(fault));
        assert!(alerts == wanted, "{fault}: the alerts differ");
        let fallbacks = report["gpu"]["fallbacks"].as_u64().unwrap();
        assert!(fallbacks >= 1, "{fault}: {}", report["gpu"]);
        assert_eq!(report["ledger"]["rows_in"], scalar["ledger"]["rows_in"]);
        assert!(!report["gpu"]["fallback_reasons"].as_array().unwrap().is_empty(), "{fault}");
    }
}

#[test]
fn windows_are_the_same_bytes_and_every_pass_shows() {
    let Some(adapter) = adapter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let made = ["generate", "payments", "--quiet", "--seed", "5", "--rows", "20k", "--out"];
    assert!(pelton().args(made).arg(path("p.parquet")).status().unwrap().success());
    let command = |words: &str| {
        let mut command = pelton();
        command.args(["window", "--quiet", "--time", "ts", "--key", "card", "--delay", "1h"]);
        command.args(["--filter", "amount > 40", "--agg", "count,min(terminal),sum(terminal)"]);
        command.arg("--input").arg(path("p.parquet")).args(words.split(' '));
        command.env("PELTON_GPU", &adapter);
        command
    };
    let run = |name: &str, words: &str| -> (Vec<u8>, Value) {
        let mut command = command(words);
        command.arg("--out").arg(path("w.csv")).arg("--report").arg(path("report.json"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        (std::fs::read(path("w.csv")).unwrap(), report(folder.path()))
    };
    for window in ["--tumble 6h", "--hop 8h/3h"] {
        let (wanted, report) = run("simd", &format!("{window} --backend simd --shards 1"));
        assert!(wanted.len() > 10_000 && report["gpu"].is_null(), "{}", report["gpu"]);
        for shards in [1, 2] {
            let words = format!("{window} --backend gpu --shards {shards} --batch-rows 3000");
            let (given, report) = run("gpu", &words);
            assert!(given == wanted, "{words}: the windows differ");
            let passes = report["gpu"]["passes"].as_object().unwrap();
            let has = |pass: &str| passes.contains_key(pass);
            assert!(has("window_reduce") && has("batch_filter_rows"), "{words}: {passes:?}");
            assert_eq!(has("shard_hash_integers"), shards == 2, "{words}: {passes:?}");
            assert_eq!(report["gpu"]["fallbacks"], 0, "{}", report["gpu"]);
        }
    }
    let output = command("--tumble 6h --backend gpu --explain --shards 2 --out x.csv").output();
    let plan = String::from_utf8(output.unwrap().stdout).unwrap();
    for kernel in ["filter", "reduce", "hash"] {
        let line = plan.lines().find(|line| line.starts_with(&format!("  {kernel}: ")));
        assert!(line.is_some_and(|line| line.contains("every batch, as was asked for")), "{plan}");
    }
    let output = command("--tumble 6h --backend simd --explain --shards 1 --out x.csv").output();
    let plan = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(plan.contains("\n  reduce: this core (") && plan.contains("no GPU is used"), "{plan}");
}

#[test]
fn without_a_gpu_the_cpu_goes_on_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = pelton();
    command.args(["replay", "fraud", "--quiet", "--rows", "500", "--backend", "gpu", "--out"]);
    let output = command.arg(folder.path()).env("PELTON_GPU", "off").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("no GPU: PELTON_GPU is off").count(), 1, "{said}");
    assert_ne!(report(folder.path())["backend"], "gpu");
}

#[test]
fn the_bench_checks_answers_and_writes_its_record() {
    let Some(adapter) = adapter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = pelton();
    command.args(["bench", "gpu", "--quiet", "--rows", "2k", "--kernel", "hash", "--out"]);
    let output = command.arg(folder.path()).env("PELTON_GPU", &adapter).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("hash") && said.contains("GB/s"), "{said}");
    let of_adapter = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(of_adapter).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let [json, svg] = &files[..] else { panic!("{files:?}") };
    let record: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert!(record["device"]["copy_bytes_per_s"].as_f64() > Some(0.0));
    assert_eq!(record["kernels"][0]["points"][1]["rows"], 2000);
    assert!(std::fs::read_to_string(svg).unwrap().contains("<polyline"));
    let mut command = pelton();
    command.args(["bench", "gpu", "--kernel", "nothing"]).env("PELTON_GPU", &adapter);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("there are: filter, hash"), "{said}");
}
