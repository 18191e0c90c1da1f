//! The README's commands, as they stand there, in the order in which they stand, on small
//! recordings. (Its Rust is run by `cargo test --doc`.)

mod common;

use std::path::Path;

use common::pelton;

/// How the README calls the command.
const CALL: &str = "cargo run --release -- ";

/// The commands of the README's `sh` blocks, with lines that go on joined.
fn commands(readme: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "```sh" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            let text = block.join("\n").replace("\\\n", " ");
            found.extend(text.lines().map(|line| line.trim().to_owned()));
        }
    }
    found
}

/// A command's words; single quotes hold words together.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('\'').enumerate();
    let words = parts.flat_map(|(i, part)| match i % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

/// Runs the command in a folder; what it said.
fn run(folder: &Path, arguments: &[String]) -> String {
    let output = pelton().args(arguments).current_dir(folder).output().unwrap();
    let [told, complained] = [&output.stdout, &output.stderr].map(|t| String::from_utf8_lossy(t));
    assert!(output.status.success(), "pelton {}\n{told}\n{complained}", arguments.join(" "));
    format!("{told}{complained}")
}

/// A series of the user's own, which the README speaks of.
fn make_series(folder: &Path) {
    let load = |minute: i64| (minute * 7919 % 100) as f64 / 10.0 + 30.0;
    let time = |minute: i64| format!("2026-01-01 {:02}:{:02}:00", minute / 60, minute % 60);
    let rows = (0..400).map(|minute| format!("{},{}\n", time(minute), load(minute)));
    std::fs::write(
        folder.join("cpu.csv"),
        format!("timestamp,value\n{}", rows.collect::<String>()),
    )
    .unwrap();
}

#[test]
fn its_commands_do_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    make_series(folder.path());
    let readme = include_str!("../../README.md");
    let commands = commands(readme);
    assert!(commands.len() >= 6, "{commands:?}");
    for command in &commands {
        if command == "cargo test --workspace" {
            continue;
        }
        let arguments = command.strip_prefix(CALL).unwrap_or_else(|| panic!("unknown: {command}"));
        let mut arguments = words(arguments);
        // So many rows are for a build that is made to be fast.
        if arguments == ["replay", "fraud"] {
            arguments.extend(["--limit", "20k"].map(str::to_owned));
        }
        if let Some(rows) = arguments.iter().position(|argument| argument == "--rows") {
            arguments[rows + 1] = "15k".to_owned();
        }
        let told = run(folder.path(), &arguments);
        assert!(!told.is_empty(), "{command} says nothing");
    }
    for file in [
        "pelton-fraud/alerts.ndjson",
        "pelton-fraud/report.html",
        "windows.csv",
        "cpu.html",
        "scores.csv",
        "model.txt",
        "after/alerts.ndjson",
    ] {
        let size = folder.path().join(file).metadata().map_or(0, |file| file.len());
        assert!(size > 0, "{file} is not there or empty");
    }
}
