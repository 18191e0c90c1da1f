//! What can go wrong in a run, said so that a reader can act on it: what happened, where
//! (file, line, column), and what to do. A programmer's mistake asserts; everything a user
//! or a machine can cause comes back as an [`Error`].

use std::fmt;
use std::path::Path;

/// The result of every fallible call of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who can mend it: decides the exit code of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The plan or the call is wrong (exit 2): an unknown column name in an expression, a
    /// negative duration, an option that does not exist.
    Usage,
    /// The run failed (exit 1): a missing file, a file that is not what its format says, a
    /// full disk, an integer sum that overflows.
    Run,
    /// The run was interrupted by the user (exit 130); what was complete has been kept.
    Interrupted,
}

/// One error: what, where, and what to do.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    what: String,
    place: Option<String>,
    advice: Option<String>,
}

impl Error {
    /// The plan or the call is wrong.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, what)
    }

    /// The run failed.
    pub fn run(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Run, what)
    }

    /// The user stopped the run.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted")
    }

    /// A failed system call on a file: `verb` is what was tried ("open", "write").
    pub fn io(verb: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::run(format!("cannot {verb} {}: {error}", path.display()))
    }

    fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), place: None, advice: None }
    }

    /// Adds where it happened ("payments.csv, line 17, column amount").
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Puts where it happened before the place that it has, if it has one ("fraud.txt, tree 3").
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        self.place = Some(match self.place {
            Some(inner) => format!("{place}, {inner}"),
            None => place.to_owned(),
        });
        self
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Who can mend it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.what)?;
        if let Some(advice) = &self.advice {
            write!(f, "\n  help: {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::run(error.to_string())
    }
}

impl From<parquet::errors::ParquetError> for Error {
    fn from(error: parquet::errors::ParquetError) -> Self {
        Self::run(error.to_string())
    }
}
