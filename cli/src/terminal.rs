//! The terminal: colours where somebody sees them, and writing to standard output without
//! dying when the reader has gone (`pelton doctor | head`).

use std::io::{IsTerminal, Write};

use pelton::{Error, Result};

/// Paints text where colours are wanted, and leaves it alone elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    /// Colours on or off, whatever the terminal.
    pub fn new(on: bool) -> Self {
        Self(on)
    }

    /// On if standard output is a terminal and `NO_COLOR` is not set (no-color.org).
    pub fn for_stdout() -> Self {
        Self(std::io::stdout().is_terminal() && colours_wanted())
    }

    /// On if standard error is a terminal and `NO_COLOR` is not set.
    pub fn for_stderr() -> Self {
        Self(std::io::stderr().is_terminal() && colours_wanted())
    }

    /// Whether this paints at all.
    pub fn is_on(self) -> bool {
        self.0
    }

    fn code(self, code: &str, text: impl AsRef<str>) -> String {
        let text = text.as_ref();
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Heavier text.
    pub fn bold(self, text: impl AsRef<str>) -> String {
        self.code("1", text)
    }

    /// Text that steps back.
    pub fn dim(self, text: impl AsRef<str>) -> String {
        self.code("2", text)
    }

    /// Wrong.
    pub fn red(self, text: impl AsRef<str>) -> String {
        self.code("31;1", text)
    }

    /// Right.
    pub fn green(self, text: impl AsRef<str>) -> String {
        self.code("32", text)
    }

    /// Worth a look.
    pub fn yellow(self, text: impl AsRef<str>) -> String {
        self.code("33", text)
    }

    /// Measured.
    pub fn cyan(self, text: impl AsRef<str>) -> String {
        self.code("36", text)
    }
}

/// Text from outside (a file's name, a value), with the control characters taken out that
/// could move the cursor or change colours.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Writes to standard output. A reader that has gone ends the output, not the program.
///
/// # Errors
/// When the output cannot be written for another reason (a full disk behind `>`).
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::run(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
