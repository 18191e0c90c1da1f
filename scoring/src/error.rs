//! What can be wrong with a model or with what a detector is asked for: what, where, what to do.

use std::fmt;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One error, in the words that a user reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    what: String,
    place: Option<String>,
    advice: Option<String>,
}

impl Error {
    /// What is wrong.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), place: None, advice: None }
    }

    /// Adds where ("tree 17, node 3", "line 12").
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// What is wrong, without place and advice.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Where.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// What to do.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.what)?;
        match &self.advice {
            Some(advice) => write!(f, " ({advice})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
