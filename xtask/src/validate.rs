//! `cargo xtask validate`: everything that CI runs, in the order in which it is cheapest to
//! fail, stopping at the first failure with the command that runs that step alone.
//!
//! Steps share builds: clippy, doc and the README's Rust read the same checked dependencies;
//! tests run in the one profile that `cargo test --workspace` uses.

use std::path::Path;
use std::time::Instant;

use crate::command::CommandLine;
use crate::{instructions, tidy};

/// What a step does.
enum Action {
    /// One command.
    Command(CommandLine),
    /// The tests: a command whose result lines are counted.
    Tests(CommandLine),
    /// A part of this program.
    Own(fn(&Path) -> Result<(), String>, &'static str),
    /// Nothing, and why.
    Skip(String),
}

struct Step {
    name: &'static str,
    purpose: &'static str,
    action: fn(&Path) -> Action,
}

const STEPS: [Step; 10] = [
    Step {
        name: "fmt",
        purpose: "one way to lay out code",
        action: |_| Action::Command(CommandLine::new("cargo fmt --all --check")),
    },
    Step {
        name: "tidy",
        purpose: "the rules of the house",
        action: |_| Action::Own(tidy::run, "cargo xtask tidy"),
    },
    Step {
        name: "clippy",
        purpose: "no warning in any target",
        action: |_| {
            Action::Command(CommandLine::new(
                "cargo clippy --workspace --all-targets --locked -- -D warnings",
            ))
        },
    },
    Step {
        name: "shaders",
        purpose: "every permutation of every GPU pass is valid, without a GPU",
        action: |_| Action::Tests(CommandLine::new("cargo test -p pelton-shaders --locked")),
    },
    Step {
        name: "test",
        purpose: "every test of the workspace, the examples in its documentation among them",
        action: |_| Action::Tests(CommandLine::new("cargo test --workspace --locked")),
    },
    Step {
        name: "doc",
        purpose: "documentation without a warning or a dead link",
        action: |_| {
            let line = CommandLine::new("cargo doc --workspace --no-deps --locked");
            Action::Command(line.variable("RUSTDOCFLAGS", "-D warnings"))
        },
    },
    Step { name: "deny", purpose: "licences, versions and origins of dependencies", action: deny },
    Step { name: "fuzz", purpose: "the fuzz targets still build", action: fuzz },
    Step {
        name: "neon",
        purpose: "every kernel on AArch64, in an emulator, against its definition",
        action: neon,
    },
    Step {
        name: "instructions",
        purpose: "no kernel takes more instructions than were recorded",
        action: instructions,
    },
];

/// Without the advisories: their database lies outside the package registries.
fn deny(root: &Path) -> Action {
    if CommandLine::new("cargo deny --version").succeeds(root) {
        Action::Command(CommandLine::new("cargo deny --locked check bans licenses sources"))
    } else if std::env::var_os("CI").is_some() {
        // In CI a check that quietly isn't there is worse than a failing one.
        Action::Command(CommandLine::new("cargo deny --version"))
    } else {
        Action::Skip("cargo-deny is not here: cargo install cargo-deny --locked".to_owned())
    }
}

fn instructions(root: &Path) -> Action {
    match instructions::missing(root) {
        None => Action::Own(|root| instructions::run(root, &[]), "cargo xtask instructions"),
        Some(why) => Action::Skip(why),
    }
}

fn fuzz(root: &Path) -> Action {
    if !root.join("fuzz/Cargo.toml").exists() {
        Action::Skip("there is no fuzz folder".to_owned())
    } else if CommandLine::new("cargo +nightly --version").succeeds(root) {
        let locked = root.join("fuzz/Cargo.lock").exists();
        let words = if locked { "cargo +nightly check --locked" } else { "cargo +nightly check" };
        Action::Command(CommandLine::new(words).folder("fuzz"))
    } else {
        Action::Skip("no nightly toolchain: rustup toolchain install nightly".to_owned())
    }
}

/// The processor of another family that the kernels know.
const AARCH64: &str = "aarch64-unknown-linux-gnu";

fn neon(root: &Path) -> Action {
    if cfg!(target_arch = "aarch64") {
        return Action::Skip("this processor has it: the tests ran it".to_owned());
    }
    let tools = ["qemu-aarch64 --version", "aarch64-linux-gnu-gcc --version"];
    if !cfg!(target_os = "linux") || !tools.iter().all(|tool| CommandLine::new(tool).succeeds(root))
    {
        let packages = "qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross";
        return Action::Skip(format!("no emulator or linker: apt-get install {packages}"));
    }
    let library = CommandLine::new(&format!("rustc --print target-libdir --target {AARCH64}"));
    if !library.output(root).is_some_and(|folder| Path::new(folder.trim()).is_dir()) {
        return Action::Skip(format!("no library for it: rustup target add {AARCH64}"));
    }
    let words = format!("cargo test -p pelton-kernels --lib --locked --target {AARCH64} neon");
    Action::Tests(
        CommandLine::new(&words)
            .variable("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc")
            .variable("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-D warnings")
            .variable(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
                "qemu-aarch64 -L /usr/aarch64-linux-gnu",
            ),
    )
}

/// Runs the steps that `names` gives, or all; `--list` prints them.
pub fn run(root: &Path, names: &[String]) -> Result<(), String> {
    if names.iter().any(|name| name == "--list") {
        for step in &STEPS {
            println!("{:12} {}", step.name, step.purpose);
        }
        return Ok(());
    }
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|s| s.name != **name)) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!("no step `{unknown}`; there are: {}", known.join(", ")));
    }
    let wanted = |step: &&Step| names.is_empty() || names.iter().any(|name| name == step.name);
    let began = Instant::now();
    let mut summary = Vec::new();
    for step in STEPS.iter().filter(wanted) {
        summary.push(run_step(root, step)?);
    }
    println!("\n=== all is well ({:.0} s)", began.elapsed().as_secs_f64());
    summary.iter().for_each(|line| println!("    {line}"));
    Ok(())
}

fn run_step(root: &Path, step: &Step) -> Result<String, String> {
    let began = Instant::now();
    let action = (step.action)(root);
    let shown = match &action {
        Action::Command(line) | Action::Tests(line) => line.to_string(),
        Action::Own(_, line) => (*line).to_owned(),
        Action::Skip(why) => {
            println!("\n=== {}: skipped, {why}", step.name);
            return Ok(format!("{:12} skipped: {why}", step.name));
        }
    };
    println!("\n=== {}: {}\n    {shown}", step.name, step.purpose);
    let mut counts = TestCounts::default();
    let result = match &action {
        Action::Command(line) => line.run(root),
        Action::Tests(line) => line.run_seen(root, |line| counts.see(line)),
        Action::Own(function, _) => function(root),
        Action::Skip(_) => Ok(()),
    };
    let note = match action {
        Action::Tests(_) => format!(", {}", counts.describe()),
        _ => String::new(),
    };
    match result {
        Ok(()) => Ok(format!("{:12} ok ({:.0} s{note})", step.name, began.elapsed().as_secs_f64())),
        Err(message) => {
            Err(format!("\n=== {} failed: {message}\n    run it again with: {shown}", step.name))
        }
    }
}

/// The result lines of `cargo test`, added up.
#[derive(Debug, Default, PartialEq, Eq)]
struct TestCounts {
    passed: u64,
    failed: u64,
    ignored: u64,
    binaries: u64,
}

impl TestCounts {
    /// Takes in a line like `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn see(&mut self, line: &str) {
        let Some((_, counts)) =
            line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        self.binaries += 1;
        for part in counts.split("; ") {
            let (number, what) = part.split_once(' ').unwrap_or_default();
            let number = number.parse::<u64>().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    fn describe(&self) -> String {
        format!(
            "{} tests passed, {} failed, {} ignored in {} binaries",
            self.passed, self.failed, self.ignored, self.binaries
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_cargos_result_lines() {
        let mut counts = TestCounts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            counts.see(line);
        }
        assert_eq!(counts, TestCounts { passed: 4, failed: 2, ignored: 1, binaries: 2 });
    }

    #[test]
    fn a_step_that_does_not_exist_is_named_with_those_that_do() {
        let error = run(Path::new("."), &["lint".to_owned()]).unwrap_err();
        assert!(error.contains("`lint`") && error.contains("clippy"), "{error}");
    }
}
