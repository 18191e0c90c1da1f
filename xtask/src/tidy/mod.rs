//! `cargo xtask tidy`: the rules of the house that no other tool checks, each a small pure
//! function from the tree to findings, each finding naming what to do instead. The same check
//! runs as a test of this crate, so that `cargo test --workspace` holds everyone to it.
//!
//! Limits are ratchets: a file that is over one is listed with its reason and its own limit,
//! and the entry has to go as soon as it is no longer needed.

mod commands;
mod imports;
mod links;
mod size;
mod tree;
mod words;

use std::fmt;
use std::path::Path;

pub use tree::{Entry, Tree};

/// Something that breaks a rule, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    path: String,
    /// From 1; 0 for the whole file.
    line: usize,
    message: String,
}

impl Finding {
    fn new(entry: &Entry, line: usize, message: impl Into<String>) -> Self {
        Self { path: entry.path.clone(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: [(&str, Rule); 6] = [
    ("sizes of files and functions", size::check),
    ("module documentation and forbidden words", words::check),
    ("imports between stages", imports::check_stages),
    ("dependencies between crates", imports::check_crates),
    ("links between documents", links::check),
    ("commands that documents name", commands::check),
];

/// Everything that is wrong with the tree, sorted by place.
fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|(_, rule)| rule(tree)).collect();
    findings.sort();
    findings
}

/// Checks every rule on the files that git knows or would add.
pub fn run(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let findings = findings(&tree);
    if findings.is_empty() {
        println!("{} files keep {} rules", tree.entries.len(), RULES.len());
        return Ok(());
    }
    findings.iter().for_each(|finding| println!("{finding}"));
    Err(format!("{} findings", findings.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let tree = Tree::read(&crate::workspace_root()).expect("the tree can be read");
        assert!(tree.entries.len() > 20, "the listing is complete");
        let findings: Vec<String> = findings(&tree).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
    }
}
