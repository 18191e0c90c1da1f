//! A command line that is shown before it runs, and again when it failed, in a form that can be
//! pasted into a shell.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program, its arguments, the variables set for it, and the folder that it runs in.
#[derive(Debug, Clone)]
pub struct CommandLine {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    /// Relative to the workspace root; empty: the root itself.
    folder: PathBuf,
}

impl CommandLine {
    /// `words` split at spaces: the first is the program. Nothing is quoted.
    pub fn new(words: &str) -> Self {
        let mut words = words.split(' ').map(str::to_owned);
        Self {
            program: words.next().unwrap_or_default(),
            arguments: words.collect(),
            variables: Vec::new(),
            folder: PathBuf::new(),
        }
    }

    /// The same with a variable set.
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// The same in a folder, relative to the root.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    fn command(&self, root: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(root.join(&self.folder))
            .stdin(Stdio::null());
        // `cargo xtask` runs under a cargo that has fixed its toolchain by variables; a
        // `cargo +nightly` started from here must be free to choose.
        command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
        command
    }

    /// Runs it with our own output.
    pub fn run(&self, root: &Path) -> Result<(), String> {
        let status = self
            .command(root)
            .status()
            .map_err(|error| format!("cannot start {}: {error}", self.program))?;
        if status.success() { Ok(()) } else { Err(format!("{}: {status}", self.program)) }
    }

    /// Runs it, passing each line of its standard output on and to `see`.
    pub fn run_seen(&self, root: &Path, mut see: impl FnMut(&str)) -> Result<(), String> {
        let failed = |error| format!("cannot run {}: {error}", self.program);
        let mut child = self.command(root).stdout(Stdio::piped()).spawn().map_err(failed)?;
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).split(b'\n') {
                let line = line.map_err(failed)?;
                let line = String::from_utf8_lossy(&line);
                see(&line);
                writeln!(std::io::stdout(), "{line}").map_err(failed)?;
            }
        }
        let status = child.wait().map_err(failed)?;
        if status.success() { Ok(()) } else { Err(format!("{}: {status}", self.program)) }
    }

    /// What it prints, where it runs and succeeds.
    pub fn output(&self, root: &Path) -> Option<String> {
        let output = self.command(root).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Whether it runs and succeeds, with its output thrown away.
    pub fn succeeds(&self, root: &Path) -> bool {
        self.command(root)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.folder.as_os_str().is_empty() {
            write!(f, "cd {} && ", self.folder.display())?;
        }
        for (name, value) in &self.variables {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(&self.program)?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

/// The word as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_a_shell_can_run() {
        let line = CommandLine::new("cargo doc --no-deps")
            .variable("RUSTDOCFLAGS", "-D warnings")
            .folder("fuzz");
        assert_eq!(line.to_string(), "cd fuzz && RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
