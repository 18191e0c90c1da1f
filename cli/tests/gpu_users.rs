//! What commands ask of a GPU beside windows and forests, from the outside: networks, products and
//! matrix profiles with `--backend gpu`, also when the device fails on the way. Without an adapter
//! there is nothing to test, which is said.
#![cfg(feature = "gpu")]

mod common;
#[path = "common/gpu.rs"]
mod gpu;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::pelton;
use gpu::adapter;
use serde_json::Value;

/// Columns of the pipeline that stand for the features of the fixtures.
const FEATURES: &str = "amount_over_usual,card_count_10m,amount_deviations,card_distance_km,\
                        terminal_mean_amount_1d,card_count_30d";

fn report(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn done(command: &mut Command, what: &str) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The pass ran, moved bytes, and nothing fell back.
fn ran(report: &Value, pass: &str) {
    let gpu = &report["gpu"];
    assert!(gpu["passes"][pass]["dispatches"].as_u64() > Some(0), "{gpu}");
    assert!(gpu["uploaded_bytes"].as_u64() > Some(0) && gpu["read_bytes"].as_u64() > Some(0));
    assert_eq!(gpu["fallbacks"], 0, "{gpu}");
    assert_eq!(report["backend"], "gpu");
}

/// The device failed, which the report says.
fn fell_back(report: &Value, fault: &str) {
    let gpu = &report["gpu"];
    assert!(gpu["fallbacks"].as_u64() > Some(0), "{fault}: {gpu}");
    assert!(!gpu["fallback_reasons"].as_array().unwrap().is_empty(), "{fault}: {gpu}");
}

/// A replay with a model of the fixtures: the alerts, and the report.
fn replay(
    (folder, adapter): (&Path, &str),
    model: &str,
    options: &[&str],
    fault: Option<&str>,
) -> (Vec<u8>, Value) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scoring/fixtures").join(model);
    let out = folder.join("out");
    let mut command = pelton();
    command.args(["replay", "fraud", "--quiet", "--rows", "4000", "--seed", "5", "--shards", "1"]);
    command.args(["--batch-rows", "1000"]);
    command.args(["--reasons", "fast", "--model-features", FEATURES]).args(options);
    command.arg("--model").arg(fixture).arg("--out").arg(&out).env("PELTON_GPU", adapter);
    if let Some(fault) = fault {
        command.env("PELTON_GPU_FAULT", fault);
    }
    done(&mut command, &format!("{model} {options:?} {fault:?}"));
    let alerts = std::fs::read(out.join("alerts.ndjson")).unwrap();
    (alerts, report(&out.join("report.json")))
}

fn scores(alerts: &[u8]) -> Vec<(u64, f64)> {
    let lines = alerts.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let one = |line: &[u8]| {
        let alert: Value = serde_json::from_slice(line).unwrap();
        (alert["offset"].as_u64().unwrap(), alert["score"].as_f64().unwrap())
    };
    lines.map(one).collect()
}

#[test]
fn networks_go_to_a_gpu_that_is_asked_for_and_say_that_they_are_near() {
    let Some(adapter) = adapter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let of = |backend, fault| {
        let options = ["--threshold", "0.05", "--backend", backend];
        replay((folder.path(), &adapter), "skl_mlp.model.onnx", &options, fault)
    };
    let (alerts, simd) = of("simd", None);
    let wanted = scores(&alerts);
    assert!(wanted.len() > 30 && simd["gpu"].is_null(), "{} alerts", wanted.len());
    let near = |alerts: &[u8]| {
        let own = scores(alerts);
        let rows = |scores: &[(u64, f64)]| scores.iter().map(|s| s.0).collect::<Vec<_>>();
        assert_eq!(rows(&own), rows(&wanted));
        let far = own.iter().zip(&wanted).filter(|(a, b)| (a.1 - b.1).abs() > 1e-5).count();
        assert_eq!(far, 0, "scores beyond the tolerance");
    };
    let (alerts, report) = of("gpu", None);
    near(&alerts);
    ran(&report, "score_network");
    assert_eq!(report["gpu"]["within_a_bound"], serde_json::json!(["score_network"]));
    for fault in ["lost@3", "memory@3"] {
        let (alerts, report) = of("gpu", Some(fault));
        near(&alerts);
        fell_back(&report, fault);
        assert_eq!(report["ledger"]["rows_in"], simd["ledger"]["rows_in"]);
    }
}

#[test]
fn isolation_forests_give_the_same_bytes() {
    let Some(adapter) = adapter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let of = |backend, fault| {
        let place = (folder.path(), adapter.as_str());
        replay(place, "skl_isolation.model.onnx", &["--backend", backend], fault)
    };
    let (wanted, _) = of("scalar", None);
    let (alerts, report) = of("gpu", None);
    assert!(alerts == wanted && wanted.len() > 1000, "{} bytes", wanted.len());
    ran(&report, "score_forest_walk");
    assert_eq!(report["gpu"]["within_a_bound"], serde_json::json!([]));
    let (alerts, report) = of("gpu", Some("lost@3"));
    assert!(alerts == wanted);
    fell_back(&report, "lost@3");
}

/// A file of rows of numbers from a seed.
fn vectors(path: &Path, rows: u64, dimensions: u64, seed: u64) {
    let mut text = "id".to_owned();
    (0..dimensions).for_each(|d| text.push_str(&format!(",d{d}")));
    let mut word = seed;
    for row in 0..rows {
        text.push_str(&format!("\n{row}"));
        for _ in 0..dimensions {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
            text.push_str(&format!(",{:.4}", (word >> 40) as f64 / (1_u64 << 24) as f64 - 0.5));
        }
    }
    std::fs::write(path, text + "\n").unwrap();
}

#[test]
fn recommendations_are_the_same_bytes_with_a_gpu_and_when_it_fails() {
    let Some(adapter) = adapter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    vectors(&path("items.csv"), 3000, 12, 3);
    vectors(&path("users.csv"), 200, 12, 8);
    let run_by = |by: &str, backend: &str, top: &str, fault: Option<&str>| -> (Vec<u8>, Value) {
        let mut command = pelton();
        command.current_dir(folder.path()).env("PELTON_GPU", &adapter);
        command.args(["recommend", "--items", "items.csv", "--queries", "users.csv", "--quiet"]);
        command.args(["--by", by]);
        command.args(["--backend", backend, "--top", top, "--out", "o.csv", "--report", "r.json"]);
        if let Some(fault) = fault {
            command.env("PELTON_GPU_FAULT", fault);
        }
        done(&mut command, &format!("{backend} {fault:?}"));
        (std::fs::read(path("o.csv")).unwrap(), report(&path("r.json")))
    };
    let run = |backend: &str, top: &str, fault| run_by("product", backend, top, fault);
    let (wanted, _) = run("scalar", "10", None);
    assert_eq!(wanted.iter().filter(|byte| **byte == b'\n').count(), 2001);
    let (rows, report) = run("gpu", "10", None);
    assert!(rows == wanted);
    ran(&report, "score_products");
    assert_eq!(report["gpu"]["within_a_bound"], serde_json::json!([]));
    for fault in ["lost@0", "memory@0"] {
        let (rows, report) = run("gpu", "10", Some(fault));
        assert!(rows == wanted, "{fault}");
        fell_back(&report, fault);
    }
    // More than the pass has slots for: the core's, and it is said.
    let (rows, report) = run("gpu", "500", None);
    assert!(rows == run("simd", "500", None).0);
    fell_back(&report, "many");
    let near = |backend: &str, top: &str, fault| run_by("distance", backend, top, fault);
    let (wanted, _) = near("scalar", "5", None);
    let (rows, report) = near("gpu", "5", None);
    assert!(rows == wanted);
    ran(&report, "score_nearest");
    let (rows, report) = near("gpu", "5", Some("lost@0"));
    assert!(rows == wanted);
    fell_back(&report, "lost@0");
    let (_, report) = near("gpu", "9", None);
    fell_back(&report, "many");
}

#[test]
fn profiles_on_a_gpu_find_windows_as_near() {
    let Some(adapter) = adapter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    vectors(&path("x.csv"), 1500, 1, 4);
    let run = |backend: &str, fault: Option<&str>| -> (Vec<(String, f64)>, Value) {
        let mut command = pelton();
        command.current_dir(folder.path()).env("PELTON_GPU", &adapter);
        command.args(["profile", "--input", "x.csv", "--value", "d0", "--window", "40", "--quiet"]);
        command.args(["--backend", backend, "--out", "p.csv", "--report", "r.json"]);
        if let Some(fault) = fault {
            command.env("PELTON_GPU_FAULT", fault);
        }
        done(&mut command, &format!("{backend} {fault:?}"));
        let text = std::fs::read_to_string(path("p.csv")).unwrap();
        let row = |line: &str| {
            let words: Vec<&str> = line.split(',').collect();
            (words[1].to_owned(), words[2].parse().unwrap())
        };
        (text.lines().skip(1).map(row).collect(), report(&path("r.json")))
    };
    let (wanted, _) = run("simd", None);
    assert_eq!(wanted.len(), 1461);
    let (found, report) = run("gpu", None);
    ran(&report, "score_profile");
    assert_eq!(report["gpu"]["within_a_bound"], serde_json::json!(["score_profile"]));
    for (own, wanted) in found.iter().zip(&wanted) {
        // Where it is the same window, the distance has the same bits.
        let same = own == wanted || own.0 != wanted.0 && (own.1 - wanted.1).abs() < 1e-4;
        assert!(same, "{own:?} for {wanted:?}");
    }
    for fault in ["lost@0", "memory@0"] {
        let (found, report) = run("gpu", Some(fault));
        assert!(found == wanted, "{fault}");
        fell_back(&report, fault);
    }
}

#[test]
fn the_bench_takes_a_list_of_kernels() {
    let Some(adapter) = adapter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = pelton();
    let names = "isolation,network,products,profile,histogram,nearest";
    command.args(["bench", "gpu", "--quiet", "--rows", "64", "--kernel", names, "--out"]);
    done(command.arg(folder.path()).env("PELTON_GPU", &adapter), names);
    let of_adapter = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let json = std::fs::read_dir(of_adapter).unwrap().map(|file| file.unwrap().path());
    let json = json.into_iter().find(|path| path.extension().is_some_and(|e| e == "json")).unwrap();
    let record = report(&json);
    let kernels = record["kernels"].as_array().unwrap();
    let name = |kernel: &Value| kernel["name"].as_str().unwrap().to_owned();
    // In the order of the data.
    let wanted = ["nearest", "isolation", "network", "products", "profile", "histogram"];
    assert_eq!(kernels.iter().map(name).collect::<Vec<_>>(), wanted);
    for kernel in kernels {
        let wanted = if name(kernel) == "histogram" { "scalar code" } else { "SIMD" };
        assert_eq!(kernel["one_core"], wanted);
        let point = &kernel["points"][0];
        for figure in ["gpu_rows_per_s", "times_one_core", "upload_us", "read_us"] {
            assert!(point[figure].as_f64() > Some(0.0), "{figure}: {point}");
        }
    }
    let mut command = pelton();
    let output = command.args(["bench", "gpu", "--kernel", "forest,nothing"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no kernel `nothing`; there are: filter"), "{said}");
}
