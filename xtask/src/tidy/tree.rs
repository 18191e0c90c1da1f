//! The files that are checked: those that git tracks or would add, with their text.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::rust_text;

/// A file of the workspace.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Relative to the root, with `/`.
    pub path: String,
    /// Its text; empty where it is not UTF-8.
    pub text: String,
    /// Rust only: the text without comments and literals.
    pub code: String,
}

impl Entry {
    /// A file with its text.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let code = if path.ends_with(".rs") { rust_text::code_only(&text) } else { String::new() };
        Self { path, text, code }
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is Markdown.
    pub fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// Whether it holds tests, benches or fuzz targets only.
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name == "tests.rs"
            || name.ends_with("_tests.rs")
            || ["tests/", "fuzz/"].iter().any(|folder| self.path.starts_with(folder))
            || self.path.contains("/tests/")
    }

    /// Lines with their numbers, from 1; a carriage return is part of its line.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.split('\n').enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Where byte `at` of the code stands: its line, from 1.
    pub fn line_of_code(&self, at: usize) -> usize {
        self.code.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1
    }
}

/// All files.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The files, sorted by path.
    pub entries: Vec<Entry>,
    /// Their paths and those of their folders.
    paths: BTreeSet<String>,
}

impl Tree {
    /// A tree of these files.
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut paths = BTreeSet::new();
        for entry in &entries {
            paths.insert(entry.path.clone());
            for (at, _) in entry.path.match_indices('/') {
                paths.insert(entry.path[..at].to_owned());
            }
        }
        Self { entries, paths }
    }

    /// The files of a work tree.
    pub fn read(root: &Path) -> Result<Self, String> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("cannot start git: {error}"))?;
        if !output.status.success() {
            return Err(format!("git ls-files: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let listing = String::from_utf8_lossy(&output.stdout);
        let paths: BTreeSet<&str> = listing.split('\0').filter(|path| !path.is_empty()).collect();
        let entries = paths
            .into_iter()
            // A file that was deleted and not yet committed is still listed.
            .filter_map(|path| Some((path, std::fs::read(root.join(path)).ok()?)))
            .map(|(path, bytes)| Entry::new(path, String::from_utf8(bytes).unwrap_or_default()))
            .collect();
        Ok(Self::new(entries))
    }

    /// Whether a file or folder of this path is in the tree.
    pub fn has(&self, path: &str) -> bool {
        path.is_empty() || self.paths.contains(path.trim_end_matches('/'))
    }

    /// The file of this path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.path == path)
    }
}
