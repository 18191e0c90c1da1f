//! `cargo xtask instructions`: how many instructions a row each kernel takes, counted by callgrind
//! and compared with the record.
//!
//! Times on a shared machine swing by half; instructions are the same in every run. The bench of
//! the kernels (`kernels/bench`) runs each case once on fixed rows, and callgrind's output holds
//! the cost of each of its functions with all that it calls. That is divided by the rows. So what
//! grew is named, what stands around a kernel does not count, and the whole takes seconds.
//!
//! Fewer instructions are not always less time, but a count that grows by more than
//! [`GROWTH_MAX`] unnoticed is a vectorisation lost or a check that crept into a loop. The answers
//! are part of the record: a fast wrong answer is no result.
//!
//! Callgrind knows no AVX-512, so kernels are counted at `scalar` and `avx2`. Counts hold for one
//! compiler and one kind of processor: with another the comparison is skipped, and says so.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::command::CommandLine;

/// A kernel may take so much more instructions than recorded before it is reported.
const GROWTH_MAX: f64 = 0.05;

/// The record, relative to the root.
const RECORD: &str = "benches/record/instructions.json";

/// Where callgrind writes, inside the build folder that git ignores.
const FOLDER: &str = "target/xtask-instructions";

/// The levels that callgrind can run.
const LEVELS: [&str; 2] = ["scalar", "avx2"];

/// The module of the functions that are counted.
const MEASURED: &str = "::measured::";

/// What a case costs, and a number made of its answer.
#[derive(Debug, Clone, PartialEq)]
struct Count {
    per_row: f64,
    answer: String,
}

/// By case and level.
type Counts = BTreeMap<(String, String), Count>;

/// What the record says.
#[derive(Debug, Default, PartialEq)]
struct Record {
    compiler: String,
    architecture: String,
    counts: Counts,
}

/// What is not here that counting needs.
pub fn missing(root: &Path) -> Option<String> {
    let here = CommandLine::new("valgrind --version").succeeds(root);
    (!here).then(|| "valgrind is not here: apt-get install valgrind".to_owned())
}

/// Counts and compares; `--update` writes the record instead.
pub fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    if let Some(why) = missing(root) {
        println!("instructions: skipped, {why}");
        return Ok(());
    }
    CommandLine::new("cargo build --release --locked -p pelton-kernels --bin kernel-bench")
        .run(root)?;
    let found = Record {
        compiler: words(&Command::new("rustc").arg("--version").current_dir(root).output())?,
        architecture: processor(),
        counts: count_all(root)?,
    };
    let path = root.join(RECORD);
    if arguments.iter().any(|argument| argument == "--update") {
        let folder = path.parent().unwrap_or(root);
        let failed = |error: std::io::Error| format!("{RECORD}: {error}");
        std::fs::create_dir_all(folder).map_err(failed)?;
        std::fs::write(&path, json(&found)).map_err(failed)?;
        println!("{RECORD}: {} counts", found.counts.len());
        return Ok(());
    }
    let text = std::fs::read_to_string(&path).map_err(|error| {
        format!("{RECORD}: {error}; write it with `cargo xtask instructions --update`")
    })?;
    let recorded = parse(&text)?;
    for (recorded, found) in
        [(&recorded.compiler, &found.compiler), (&recorded.architecture, &found.architecture)]
    {
        if recorded != found {
            println!(
                "instructions: skipped, recorded with {recorded}, this is {found}; \
                 `cargo xtask instructions --update` records anew"
            );
            return Ok(());
        }
    }
    let problems = compare(&recorded.counts, &found.counts);
    if problems.is_empty() {
        println!("{} counts are those of {RECORD}, or lower", found.counts.len());
        return Ok(());
    }
    problems.iter().for_each(|problem| println!("{problem}"));
    Err(format!(
        "{} kernels differ from {RECORD}; where that is meant: cargo xtask instructions --update",
        problems.len()
    ))
}

/// Standard output of a command that succeeded, on one line.
fn words(output: &std::io::Result<Output>) -> Result<String, String> {
    let output = output.as_ref().map_err(ToString::to_string)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn count_all(root: &Path) -> Result<Counts, String> {
    let folder = root.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{FOLDER}: {error}"))?;
    let build = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let bench = build.join("release/kernel-bench");
    let mut counts = Counts::new();
    for level in LEVELS {
        let costs = folder.join(format!("{level}.callgrind"));
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no"])
            .arg(format!("--callgrind-out-file={}", costs.display()))
            .arg(&bench)
            .arg("once")
            .env("PELTON_SIMD", level);
        let lines = match words(&command.output()) {
            Err(error) if error.contains("this processor has no") => {
                println!("{level}: skipped, not on this processor");
                continue;
            }
            lines => lines.map_err(|error| format!("{level}: {error}"))?,
        };
        let text = std::fs::read(&costs).map_err(|error| format!("{FOLDER}: {error}"))?;
        let costs = costs_by_function(&String::from_utf8_lossy(&text));
        for line in lines.lines() {
            let (name, count) = count_of(line, &costs)?;
            counts.insert((name, level.to_owned()), count);
        }
    }
    Ok(counts)
}

/// A line of the bench (`name rows answer`) with what its function cost.
fn count_of(line: &str, costs: &BTreeMap<String, u64>) -> Result<(String, Count), String> {
    let parts: Vec<&str> = line.split(' ').collect();
    let [name, rows, answer] = parts[..] else {
        return Err(format!("kernel-bench said {line:?}: name, rows and answer were expected"));
    };
    let rows: f64 = rows.parse().map_err(|error| format!("{line:?}: {error}"))?;
    let cost = costs.get(name).ok_or_else(|| {
        format!(
            "callgrind saw no function {MEASURED}{name}: was it inlined, or folded into another?"
        )
    })?;
    Ok((name.to_owned(), Count { per_row: *cost as f64 / rows, answer: answer.to_owned() }))
}

/// Cost of each measured function with all that it calls, by its last name.
///
/// A block starts with `fn=` and holds lines of a position and a cost; the line behind `calls=`
/// is the cost of what was called.
fn costs_by_function(text: &str) -> BTreeMap<String, u64> {
    let mut costs = BTreeMap::new();
    let mut inside: Option<String> = None;
    for line in text.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            inside = function.split_once(MEASURED).map(|(_, name)| name.to_owned());
        } else if line.is_empty() {
            inside = None;
        } else if let Some(name) = &inside
            && line.starts_with(|c: char| c.is_ascii_digit())
        {
            let cost = line.rsplit(' ').next().and_then(|cost| cost.parse::<u64>().ok());
            *costs.entry(name.clone()).or_default() += cost.unwrap_or(0);
        }
    }
    costs
}

/// A line for each case that is not as recorded.
fn compare(recorded: &Counts, found: &Counts) -> Vec<String> {
    let mut problems = Vec::new();
    for ((name, level), count) in found {
        let at = format!("{name} at {level}");
        let Some(before) = recorded.get(&(name.clone(), level.clone())) else {
            problems.push(format!("{at}: not recorded"));
            continue;
        };
        let growth = count.per_row / before.per_row - 1.0;
        if count.answer != before.answer {
            problems.push(format!("{at}: another answer, {} for {}", count.answer, before.answer));
        } else if growth > GROWTH_MAX {
            problems.push(format!(
                "{at}: {:.3} instructions a row for {:.3}, {:.1} % more",
                count.per_row,
                before.per_row,
                growth * 100.0
            ));
        } else if growth < -GROWTH_MAX {
            println!("{at}: {:.3} for {:.3} instructions", count.per_row, before.per_row);
        }
    }
    let gone = recorded.keys().filter(|key| !found.contains_key(*key));
    problems.extend(gone.map(|(name, level)| format!("{name} at {level}: recorded, but not run")));
    problems
}

/// The record as text: JSON with one count a line, so that a change shows as its lines.
fn json(record: &Record) -> String {
    let mut text = String::from("{\n");
    let _ = writeln!(text, "\"compiler\": \"{}\",", record.compiler);
    let _ = writeln!(text, "\"architecture\": \"{}\",", record.architecture);
    text.push_str("\"counts\": [\n");
    for (i, ((name, level), count)) in record.counts.iter().enumerate() {
        let comma = if i + 1 < record.counts.len() { "," } else { "" };
        let _ = writeln!(
            text,
            "{{\"case\": \"{name}\", \"level\": \"{level}\", \"instructions_per_row\": {:.4}, \
             \"answer\": \"{}\"}}{comma}",
            count.per_row, count.answer
        );
    }
    text.push_str("]\n}\n");
    text
}

/// Reads what [`json`] wrote.
fn parse(text: &str) -> Result<Record, String> {
    let mut record = Record::default();
    for (number, line) in text.lines().enumerate() {
        let field = |name: &str| {
            let (_, rest) = line.split_once(&format!("\"{name}\": "))?;
            let rest = rest.strip_prefix('"').unwrap_or(rest);
            Some(rest[..rest.find(['"', ',', '}']).unwrap_or(rest.len())].to_owned())
        };
        if let Some(compiler) = field("compiler") {
            record.compiler = compiler;
        } else if let Some(architecture) = field("architecture") {
            record.architecture = architecture;
        } else if let Some(name) = field("case") {
            let per_row = field("instructions_per_row").and_then(|value| value.parse().ok());
            let (Some(level), Some(per_row), Some(answer)) =
                (field("level"), per_row, field("answer"))
            else {
                return Err(format!("{RECORD}:{}: no count: {line}", number + 1));
            };
            record.counts.insert((name, level), Count { per_row, answer });
        }
    }
    Ok(record)
}

/// Architecture and model: the C library copies in another way on another model, and the copies
/// of kernels are counted with them.
fn processor() -> String {
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = known.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown model", |rest| rest.trim_start_matches([' ', '\t', ':']));
    format!("{} on {model}", std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(entries: &[(&str, f64, &str)]) -> Counts {
        let one = |(name, per_row, answer): &(&str, f64, &str)| {
            let count = Count { per_row: *per_row, answer: (*answer).to_owned() };
            (((*name).to_owned(), "avx2".to_owned()), count)
        };
        entries.iter().map(one).collect()
    }

    #[test]
    fn costs_include_what_is_called() {
        let text = "fl=a.rs\nfn=kernels::main\n3 100\n\nfn=kernels::cases::measured::scan\n\
                    10 5\nfi=b.rs\n11 7\ncfn=helper\ncalls=2 90\n12 1000\nfe=a.rs\n13 1\n\n\
                    fn=helper\n5 1000\n\nfn=kernels::cases::measured::scan\n14 2\n";
        let costs = costs_by_function(text);
        assert_eq!(costs, BTreeMap::from([("scan".to_owned(), 1015)]));
        let (name, count) = count_of("scan 10 ab", &costs).expect("a count");
        assert_eq!((name.as_str(), count.per_row, count.answer.as_str()), ("scan", 101.5, "ab"));
        assert!(count_of("gone 10 ab", &costs).unwrap_err().contains("gone"));
        assert!(count_of("scan", &costs).is_err());
    }

    #[test]
    fn a_record_reads_back() {
        let record = Record {
            compiler: "rustc 1.95.0 (59807616e 2026-04-14)".to_owned(),
            architecture: "x86_64".to_owned(),
            counts: counts(&[("a", 1.25, "0f"), ("b", 0.5, "1e")]),
        };
        assert_eq!(parse(&json(&record)), Ok(record));
        assert!(parse("{\"case\": \"a\"}").is_err());
    }

    #[test]
    fn growth_other_answers_and_strangers_are_named() {
        let recorded =
            counts(&[("a", 1.0, "x"), ("b", 1.0, "x"), ("c", 1.0, "x"), ("d", 1.0, "x")]);
        let found = counts(&[("a", 1.04, "x"), ("b", 1.06, "x"), ("c", 0.5, "y"), ("e", 1.0, "x")]);
        let problems = compare(&recorded, &found);
        assert_eq!(problems.len(), 4, "{problems:?}");
        for (problem, part) in problems.iter().zip(["b at avx2: 1.060", "c at", "e at", "d at"]) {
            assert!(problem.starts_with(part), "{problem}");
        }
        assert_eq!(compare(&recorded, &recorded), [] as [String; 0]);
    }
}
