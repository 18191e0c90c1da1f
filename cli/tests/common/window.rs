//! What the tests of `pelton window` share: a recording, and a folder to run it in.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::common::pelton;

/// Times in seconds: one row late by more than a second, one in disorder, nulls.
pub const PAYMENTS: &str = "\
ts,card,country,amount
0,1,DE,10
1,2,FR,20.5
5,1,DE,
4,2,,1
12,1,US,7
9,1,DE,100
30,2,FR,2
";

/// A folder to run `pelton window` in.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// An empty one.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `pelton window --quiet --input INPUT` with these words.
    pub fn run(&self, input: &Path, words: &str) -> Output {
        let mut command = pelton();
        command.args(["window", "--quiet", "--input"]).arg(input).current_dir(self.folder.path());
        command.args(words.split(' ').filter(|word| !word.is_empty()).map(|w| w.replace('~', " ")));
        command.output().unwrap()
    }

    /// The output of a run that must succeed.
    pub fn csv(&self, input: &Path, words: &str) -> String {
        let output = self.run(input, &format!("--out out.csv {words}"));
        assert_eq!(output.status.code(), Some(0), "{words}: {}", said(&output));
        self.read("out.csv")
    }
}

/// What a run said on standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
