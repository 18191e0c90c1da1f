//! What the tests of `pelton detect` and `pelton score` share: series, and a folder to run in.

use std::path::PathBuf;
use std::process::Output;

use crate::common::pelton;

/// A folder to run in.
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

    /// Writes a file, its folder made before.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `pelton` with these words, in the folder.
    pub fn run(&self, words: &str) -> Output {
        let mut command = pelton();
        command.args(words.split(' ').filter(|word| !word.is_empty()));
        command.current_dir(self.folder.path()).output().unwrap()
    }

    /// Runs `pelton`, which must succeed; what it said on standard output and standard error.
    pub fn done(&self, words: &str) -> (String, String) {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(0), "{words}: {}", said(&output));
        (String::from_utf8_lossy(&output.stdout).into_owned(), said(&output))
    }

    /// Runs `pelton`, which must end with this exit code and say this.
    pub fn refused(&self, words: &str, code: i32, part: &str) {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(code), "{words}: {}", said(&output));
        assert!(said(&output).contains(part), "{words}: {}", said(&output));
    }
}

/// What a run said on standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
