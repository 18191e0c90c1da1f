//! The command from the outside: what it prints and how it ends.

use std::process::{Command, Output};

fn pelton(words: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pelton"))
        .args(words.split_whitespace())
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("the command starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}

#[test]
fn every_subcommand_has_help_with_examples() {
    for words in ["", "replay fraud", "window", "compare", "generate payments", "bench fraud"] {
        let output = pelton(&format!("{words} --help"));
        assert_eq!(output.status.code(), Some(0), "{words}");
        assert!(text(&output.stdout).contains("Examples:"), "{words}");
        assert!(output.stderr.is_empty(), "{words}");
    }
    let help = pelton("replay fraud --help");
    for option in [
        "--input",
        "--format",
        "--out",
        "--alerts",
        "--report",
        "--speed",
        "--shards",
        "--batch-rows",
        "--late",
        "--dead-letters",
        "--delay",
        "--limit",
        "--quiet",
        "--rows",
        "--seed",
        "--io",
        "--direct",
        "--backend",
        "--model",
        "--weights",
        "--model-features",
        "--model-at",
        "--threshold",
        "--challenger",
        "--challenger-threshold",
        "--reasons",
    ] {
        assert!(text(&help.stdout).contains(option), "{option}");
    }
}

#[test]
fn the_version_is_printed() {
    let output = pelton("--version");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), concat!("pelton ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn wrong_usage_ends_with_two_and_says_what_is_wrong() {
    for words in [
        "nonsense",
        "replay nonsense",
        "replay fraud --nonsense",
        "replay fraud --shards 0",
        "replay fraud --shards many",
        "replay fraud --batch-rows 0",
        "replay fraud --speed -1x",
        "replay fraud --speed 0x",
        "replay fraud --delay 2",
        "replay fraud --delay -2s",
        "replay fraud --format xml",
        "replay fraud --io fast",
        "replay fraud --backend quantum",
        "replay fraud --reasons quick",
        "replay fraud --input a.csv --rows 5",
        "replay fraud --input - --direct",
        "replay fraud --input a.csv --alerts a.csv",
        "generate payments --rows 1.5 --out x.csv",
        "generate payments --rows 10",
        "generate payments --rows 10 --out x.csv --cards 0",
        "generate payments --rows 10 --out x.csv --top-card-share 2",
        "bench fraud --rate x",
        "compare a",
        "compare a b --score-tolerance x",
        "doctor --yaml",
    ] {
        let output = pelton(words);
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(text(&output.stderr).starts_with("error: "), "{words}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{words}");
    }
}

#[test]
fn a_misspelt_option_gets_help() {
    let output = pelton("replay fraud --shard 2");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("  help: "), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("--shards"));
}

#[test]
fn nothing_at_all_shows_the_help() {
    let output = pelton("");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("Usage: pelton"));
}

#[test]
fn a_missing_recording_is_a_failed_run_without_results() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let input = directory.path().join("missing.csv");
    let output = Command::new(env!("CARGO_BIN_EXE_pelton"))
        .args(["replay", "fraud", "--quiet", "--input"])
        .args([&input])
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("error: "));
    assert!(!out.join("report.json").exists() && !out.join("alerts.ndjson").exists());
}

#[test]
fn a_directory_is_no_place_for_a_recording() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pelton"))
        .args(["generate", "payments", "--rows", "10", "--out"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("directory"));
    assert!(text(&output.stderr).contains("  help: "));
}

#[test]
fn the_doctor_finds_cores_and_bandwidth() {
    let output = pelton("doctor --json");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(value["machine"]["cores_usable"].as_u64() >= Some(1));
    assert!(value["machine"]["simd_level"].is_string());
    assert!(value["machine"]["io_uring"]["usable"].is_boolean());
    assert!(value["measured"]["array_bytes"].as_u64() >= Some(1 << 20));
    assert!(value["measured"]["read_one_thread_bytes_per_s"].as_f64() > Some(0.0));
    assert!(value["measured"]["read_all_threads_bytes_per_s"].as_f64() > Some(0.0));
    let findings: pelton_cli::doctor::Findings = serde_json::from_value(value).unwrap();
    assert!(findings.measured.threads >= 1);
}

#[test]
fn the_doctor_speaks_to_people() {
    let output = pelton("doctor");
    assert_eq!(output.status.code(), Some(0));
    let text = text(&output.stdout);
    for word in ["cores", "SIMD", "io_uring", "read bandwidth", "clock", "kernel"] {
        assert!(text.contains(word), "{word}");
    }
    assert!(!text.contains('\x1b'), "no colours where nobody sees them");
}
