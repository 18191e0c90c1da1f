//! What can go wrong: a configuration that makes no sense, a file that cannot be read or
//! written. Each error says what, where, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One error of this crate.
#[derive(Debug)]
pub enum Error {
    /// A configuration that no recording can be made from.
    Config {
        /// The field to blame.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// The caller's `progress` said no.
    Stopped,
    /// A file that cannot be read or written.
    File {
        /// What was tried ("write", "open", "rename to").
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        reason: String,
    },
}

impl Error {
    /// Whether the call was wrong (and not the machine or a file).
    pub fn is_config(&self) -> bool {
        matches!(self, Self::Config { .. })
    }

    pub(crate) fn config(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Config { field, reason: reason.into() }
    }

    pub(crate) fn file(verb: &'static str, path: &Path, reason: impl fmt::Display) -> Self {
        Self::File { verb, path: path.to_path_buf(), reason: reason.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { field, reason } => write!(f, "{field}: {reason}"),
            Self::Stopped => f.write_str("stopped"),
            Self::File { verb, path, reason } => {
                write!(f, "cannot {verb} {}: {reason}", path.display())
            }
        }
    }
}

impl std::error::Error for Error {}
