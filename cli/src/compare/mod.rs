//! `pelton compare`: two runs over one recording, and which alerts come and go between them.
//!
//! An alert is known by the place of its row in the recording (`partition`, `offset`): nothing
//! else of it has to be the same. [`read`] reads a run's alerts, [`changes`] sets two runs side
//! by side, [`text`] shows the outcome.

use std::path::Path;

use pelton::{Error, Result};

use crate::args::CompareArgs;
use crate::replay::same_file;
use crate::report;
use crate::terminal::{self, Paint};

pub mod changes;
pub mod read;
pub mod text;

use changes::Comparison;
use read::Run;

/// Compares, shows, and writes what was asked for.
///
/// # Errors
/// When a run cannot be read or is no output of alerts, a result cannot be written, or the runs
/// differ and that was to be an error.
pub fn run(args: &CompareArgs) -> Result<()> {
    let (before, after) = (Run::read(&args.before)?, Run::read(&args.after)?);
    if let Some(out) = &args.out {
        not_an_input(out, &before.path, &after.path)?;
    }
    let labelled = args.labels.as_deref().map(read::frauds_in).transpose()?;
    let comparison = Comparison::of(&before, &after, labelled, args.score_tolerance);
    if let Some(out) = &args.out {
        let mut lines = String::new();
        for change in &comparison.changes {
            lines.push_str(&change.line()?);
        }
        report::json::write_file(out, &lines)?;
    }
    if args.json {
        terminal::print(&report::json::text(&comparison)?)?;
    } else {
        terminal::print(&text::table(&comparison, args.show, Paint::for_stdout()))?;
    }
    if args.fail_on_change && comparison.differs() {
        return Err(Error::run(format!("the runs differ: {}", text::counts(&comparison))));
    }
    Ok(())
}

fn not_an_input(out: &Path, before: &Path, after: &Path) -> Result<()> {
    match [before, after].into_iter().find(|input| same_file(out, input)) {
        Some(_) => Err(Error::usage(format!("--out would replace {}", out.display()))
            .advise("give it a name of its own")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
