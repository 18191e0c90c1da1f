//! Who may know whom. Stages meet through batches, watermarks and traits, and only `pipeline`
//! names them all; crates form one line from `cli` down to `kernels`, with `datasets` aside.

use super::{Entry, Finding, Tree};

/// The stages of the engine, in the order of the data.
const STAGES: [&str; 8] =
    ["source", "decode", "time", "lookup", "shard", "window", "score", "sink"];

/// Stages whose own file (`mod.rs`) holds what others meet through: `decode` reads what `source`
/// gives, rows rejected later become the same dead letters, and windows are spans of time.
/// Their submodules stay closed.
const INTERFACES: [&str; 3] = ["source", "decode", "time"];

/// Each crate's folder and what it may depend on among ours (development apart).
const CRATES: [(&str, &[&str]); 9] = [
    ("shaders", &[]),
    ("kernels", &["pelton-shaders"]),
    ("scoring", &["pelton-kernels"]),
    ("datasets", &[]),
    ("engine", &["pelton-kernels", "pelton-scoring"]),
    ("pipelines", &["pelton"]),
    (
        "benches",
        &["pelton", "pelton-kernels", "pelton-scoring", "pelton-pipelines", "pelton-datasets"],
    ),
    (
        "cli",
        &[
            "pelton",
            "pelton-kernels",
            "pelton-scoring",
            "pelton-pipelines",
            "pelton-datasets",
            "pelton-benches",
        ],
    ),
    ("xtask", &[]),
];

/// Dependencies from outside that a crate must not have, and why.
const FOREIGN: [(&str, &str, &str); 4] = [
    ("shaders", "wgpu", "shaders are text and layouts; the host lies in kernels/src/gpu"),
    ("kernels", "arrow", "kernels take slices and validity bits"),
    ("kernels", "parquet", "kernels take slices and validity bits"),
    ("xtask", "", "what checks the supply chain adds nothing to it"),
];

pub fn check_stages(tree: &Tree) -> Vec<Finding> {
    let code = tree.entries.iter().filter(|entry| !entry.is_test());
    code.flat_map(|entry| check_stage_file(tree, entry)).collect()
}

fn check_stage_file(tree: &Tree, entry: &Entry) -> Vec<Finding> {
    let Some(inside) = entry.path.strip_prefix("engine/src/") else { return Vec::new() };
    let own = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    let is_runtime = own == "runtime";
    if !entry.is_rust() || !(is_runtime || STAGES.contains(&own)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, _) in entry.code.match_indices("crate::") {
        for path in imported(&entry.code[at + "crate::".len()..]) {
            let mut parts = path.split("::");
            let stage = parts.next().unwrap_or_default();
            let concrete = parts.next().is_none_or(|name| is_submodule(tree, stage, name));
            let allowed = stage == own
                || (INTERFACES.contains(&stage) && !concrete)
                // The shard stage is the runtime's own.
                || (is_runtime && stage == "shard");
            if STAGES.contains(&stage) && !allowed {
                let message = format!(
                    "{own} names {path}: stages meet through batch, operator and what source, \
                     decode and time hold in their mod.rs; only pipeline names them all"
                );
                findings.push(Finding::new(entry, entry.line_of_code(at), message));
            }
        }
    }
    findings
}

fn is_submodule(tree: &Tree, stage: &str, name: &str) -> bool {
    tree.has(&format!("engine/src/{stage}/{name}.rs"))
        || tree.has(&format!("engine/src/{stage}/{name}"))
}

/// The paths that follow `crate::`, a group of the first two levels unfolded:
/// `decode::{Format, csv::Scanner}` → `decode::Format`, `decode::csv`.
fn imported(rest: &str) -> Vec<String> {
    if let Some(group) = rest.strip_prefix('{') {
        return split_group(group).into_iter().flat_map(|part| imported(&part)).collect();
    }
    let word = word_at(rest);
    let Some(tail) = rest[word.len()..].strip_prefix("::") else { return vec![word.to_owned()] };
    match tail.strip_prefix('{') {
        Some(group) => {
            split_group(group).iter().map(|part| format!("{word}::{}", word_at(part))).collect()
        }
        None => vec![format!("{word}::{}", word_at(tail))],
    }
}

fn word_at(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The parts of a group up to its closing brace, split at its own commas.
fn split_group(group: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let trimmed = parts.iter().map(|part| part.trim().to_owned());
    trimmed.filter(|part| !part.is_empty()).collect()
}

pub fn check_crates(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, allowed) in CRATES {
        let Some(entry) = tree.get(&format!("{folder}/Cargo.toml")) else { continue };
        for (line, name) in dependencies(&entry.text) {
            if name.starts_with("pelton") && !allowed.contains(&name) {
                let message =
                    format!("{folder} may not depend on {name}: see docs/ARCHITECTURE.md");
                findings.push(Finding::new(entry, line, message));
            }
            for (_, foreign, reason) in FOREIGN.iter().filter(|(of, ..)| *of == folder) {
                if name.starts_with(foreign) {
                    let message = format!("{folder} may not depend on {name}: {reason}");
                    findings.push(Finding::new(entry, line, message));
                }
            }
        }
    }
    findings
}

/// Names under `[dependencies]` and `[target.….dependencies]`, with their lines.
fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = section == "dependencies" || section.ends_with(".dependencies");
        } else if inside && !line.starts_with('#') {
            let end = line.find(['.', ' ', '=']).unwrap_or(line.len());
            if end > 0 {
                found.push((index + 1, &line[..end]));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage_findings(path: &str, text: &str) -> usize {
        let tree = Tree::new(vec![Entry::new("engine/src/decode/csv.rs", "//! x\n")]);
        check_stage_file(&tree, &Entry::new(path, text)).len()
    }

    #[test]
    fn stages_meet_through_interfaces_only() {
        let path = "engine/src/window/over.rs";
        assert_eq!(stage_findings(path, "use crate::batch::Batch;\nuse crate::window::pane;\n"), 0);
        assert_eq!(stage_findings(path, "use crate::decode::{DeadLetter, Format};\n"), 0);
        assert_eq!(stage_findings(path, "use crate::decode::{DeadLetter, csv::Scanner};\n"), 1);
        assert_eq!(stage_findings(path, "use crate::source::open_blocks;\n"), 0);
        assert_eq!(stage_findings(path, "use crate::score::Score;\n"), 1);
        assert_eq!(stage_findings(path, "use crate::{batch::Batch, score::{A, B}};\n"), 2);
        assert_eq!(stage_findings(path, "/// See [`crate::score::Score`].\n"), 0);
        assert_eq!(stage_findings("engine/src/pipeline/mod.rs", "use crate::score::Score;\n"), 0);
        assert_eq!(stage_findings("engine/src/runtime/mod.rs", "use crate::sink::Sink;\n"), 1);
        assert_eq!(stage_findings("engine/src/window/tests.rs", "use crate::sink::Sink;\n"), 1);
        let tests =
            Tree::new(vec![Entry::new("engine/src/window/tests.rs", "use crate::sink::S;\n")]);
        assert_eq!(check_stages(&tests), []);
    }

    #[test]
    fn crates_form_a_line() {
        let manifest = "[dependencies]\narrow.workspace = true\npelton = { path = \"x\" }\n\
                        [dev-dependencies]\npelton-datasets.workspace = true\n\
                        [target.\"cfg(unix)\".dependencies]\nparquet = \"1\"\n";
        let in_folder = |folder: &str| {
            let entry = Entry::new(format!("{folder}/Cargo.toml"), manifest);
            check_crates(&Tree::new(vec![entry])).iter().map(|f| f.line).collect::<Vec<_>>()
        };
        assert_eq!(in_folder("pipelines"), [] as [usize; 0]);
        assert_eq!(in_folder("datasets"), [3]);
        assert_eq!(in_folder("kernels"), [2, 3, 7]);
        assert_eq!(in_folder("xtask"), [2, 3, 3, 7]);
    }
}
