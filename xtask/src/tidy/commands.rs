//! A document that names a command names one that exists: `cargo xtask` commands, packages,
//! examples, benches, and scripts of the project. What the commands do is not checked here:
//! `cargo xtask readme` runs those of the README.

use super::{Entry, Finding, Tree};
use crate::COMMANDS;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let documents = tree.entries.iter().filter(|entry| entry.is_markdown());
    documents.flat_map(|entry| check_document(tree, entry)).collect()
}

fn check_document(tree: &Tree, entry: &Entry) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in entry.lines() {
        // A command ends at whatever ends it in a shell or in prose.
        for command in line.split(['`', ';', '|', '&', ',', '(', ')']) {
            let words: Vec<&str> = command.split([' ', '\t', '"', '\'']).collect();
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            let named = words.windows(2).filter_map(|pair| missing_name(tree, &words, pair));
            let scripts = words.iter().filter_map(|word| missing_script(tree, word));
            findings.extend(
                named
                    .chain(scripts)
                    .map(|missing| Finding::new(entry, number, format!("there is no {missing}"))),
            );
        }
    }
    findings
}

/// What `pair` (an option and its value, in the command `words`) names without its being there.
fn missing_name(tree: &Tree, words: &[&str], pair: &[&str]) -> Option<String> {
    let name = pair[1].trim_end_matches(['.', ':']);
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if !is_name || !words.contains(&"cargo") {
        return None;
    }
    let (what, exists) = match pair[0] {
        "xtask" => ("command cargo xtask", COMMANDS.contains(&name)),
        "-p" | "--package" => ("package", packages(tree).iter().any(|package| package == name)),
        "--example" => ("example", has_target(tree, "examples", name)),
        "--bench" => ("bench", has_target(tree, "benches", name)),
        _ => return None,
    };
    (!exists).then(|| format!("{what} `{name}`"))
}

/// The script of the project that `word` names without its being there.
fn missing_script(tree: &Tree, word: &str) -> Option<String> {
    let path = word.trim_start_matches("./").trim_end_matches(['.', ':']);
    let is_script = path.contains('/') && (path.ends_with(".sh") || path.ends_with(".py"));
    (is_script && !path.contains("://") && !tree.has(path)).then(|| format!("script `{path}`"))
}

/// The names in the workspace's manifests.
fn packages(tree: &Tree) -> Vec<String> {
    let manifests = tree.entries.iter().filter(|entry| entry.path.ends_with("Cargo.toml"));
    let names = manifests.filter_map(|entry| {
        let line = entry.text.lines().find(|line| line.starts_with("name = "))?;
        Some(line.split('"').nth(1)?.to_owned())
    });
    names.collect()
}

fn has_target(tree: &Tree, folder: &str, name: &str) -> bool {
    tree.entries.iter().any(|entry| {
        let inside = entry.path.split_once('/').map_or("", |(_, inside)| inside);
        inside == format!("{folder}/{name}.rs") || inside == format!("{folder}/{name}/main.rs")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str) -> Vec<String> {
        let tree = Tree::new(vec![
            Entry::new("engine/Cargo.toml", "[package]\nname = \"pelton\"\n"),
            Entry::new("pipelines/examples/first.rs", "//! x\n"),
            Entry::new("benches/benches/decode.rs", "//! x\n"),
            Entry::new("benches/peers/run.sh", "\n"),
        ]);
        check_document(&tree, &Entry::new("README.md", text))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn what_exists_passes() {
        let text = "Run `cargo xtask validate`, or `cargo run -p pelton --example first`.\n\
                    cargo bench -p pelton --bench decode\nbenches/peers/run.sh FILE\n\
                    `cargo xtask <command>`, mkdir -p out, `cargo xtask tidy`.\n";
        assert_eq!(check_text(text), [] as [String; 0]);
    }

    #[test]
    fn what_does_not_exist_is_found() {
        for (text, expected) in [
            ("`cargo xtask lint`\n", "command cargo xtask `lint`"),
            ("cargo test -p nothing\n", "package `nothing`"),
            ("a && cargo run --example second\n", "example `second`"),
            ("cargo bench --bench gone\n", "bench `gone`"),
            ("./benches/gone.sh\n", "script `benches/gone.sh`"),
        ] {
            let found = check_text(text);
            assert!(found.len() == 1 && found[0].contains(expected), "{text}: {found:?}");
        }
    }
}
