//! `pelton train rul`: models that tell how many cycles an engine has left, on NASA's C-MAPSS.
//!
//! [`engines`] (what the stream knew at each cycle) → [`learn`] (validation over the training
//! engines, the model, the test) → [`shown`], [`page`] (figures and plots). The features are those
//! of `pelton_pipelines::rul`, computed by the stream; the written model decides there as well.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use pelton::{Error, Result};
use pelton_datasets::cmapss;
use pelton_scoring::train::{Boosting, lightgbm};
use serde::Serialize;

use crate::args::TrainRulArgs;
use crate::replay::{all_cores, same_file};
use crate::terminal::{self, Paint};
use crate::{interrupt, progress, report};

mod engines;
mod learn;
mod page;
mod shown;
#[cfg(test)]
mod tests;

use learn::{Choices, Estimate, Figures};

/// Subsets of one operating condition, which features without the condition can tell.
const USUAL: [&str; 2] = ["FD001", "FD003"];

/// What came out, as JSON.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// Version of pelton.
    pub pelton: String,
    /// What was typed, as far as it matters.
    pub made_by: String,
    /// Longest remaining life that was learned; truths are never capped.
    pub cap: f64,
    /// Each subset.
    pub subsets: Vec<Learned>,
}

/// What came out of one subset.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Learned {
    /// `FD001` to `FD004`.
    pub name: String,
    /// Engines that were learned from.
    pub engines: usize,
    /// Their cycles.
    pub rows: usize,
    /// Sensors that were used.
    pub sensors: Vec<String>,
    /// Features of them.
    pub features: Vec<String>,
    /// Trees of the model.
    pub trees: usize,
    /// Held-out training engines, at every cycle with 1 to 150 cycles left.
    pub validation: Option<Figures>,
    /// Test engines, at their last rows.
    pub test: Figures,
    /// How much each feature decides, the most first; together 1.
    pub importance: Vec<(String, f64)>,
    #[serde(skip)]
    pub validated: Vec<Estimate>,
    #[serde(skip)]
    pub tested: Vec<Estimate>,
    #[serde(skip)]
    pub model: String,
}

/// Trains, tests, writes and shows.
///
/// # Errors
/// When the options contradict each other, a file is missing or not what it should be, a result
/// cannot be written, or the user stopped the run.
pub fn run(args: &TrainRulArgs) -> Result<()> {
    let stop = interrupt::install()?;
    let names = subsets(args)?;
    let files = Files::of(args, &names)?;
    let mut outcome = Outcome {
        pelton: env!("CARGO_PKG_VERSION").to_owned(),
        made_by: made_by(args),
        cap: args.cap,
        ..Outcome::default()
    };
    let shown = progress::new("train", args.quiet);
    let mut rows = 0;
    for (at, name) in names.iter().enumerate() {
        shown.set(at as u64, Some(names.len() as u64), rows);
        let learned = one(args, name, stop)?;
        rows += learned.rows as u64;
        outcome.subsets.push(learned);
    }
    drop(shown);
    for (path, subset) in files.models.iter().zip(&outcome.subsets) {
        report::json::write_file(path, &subset.model)?;
    }
    if let Some(path) = &files.metrics {
        report::json::write(path, &outcome)?;
    }
    if let Some(path) = &files.page {
        report::json::write_file(path, &page::page(&outcome))?;
    }
    if args.quiet {
        return Ok(());
    }
    let paint = Paint::for_stdout();
    terminal::print(&format!("{}{}", shown::text(&outcome, paint), files.text(paint)))
}

fn failed(error: pelton_datasets::Error) -> Error {
    Error::run(error.to_string())
}

/// The subsets to learn from.
fn subsets(args: &TrainRulArgs) -> Result<Vec<String>> {
    if !(args.cap > 0.0 && args.cap.is_finite()) {
        return Err(Error::usage("--cap must be above 0"));
    }
    if args.folds == 1 {
        let what = "--folds 1 leaves nothing to learn from";
        return Err(Error::usage(what).advise("take 2 or more, or 0 for no validation"));
    }
    let mut names: Vec<String> = args.subset.clone();
    names.dedup();
    if !names.is_empty() {
        return Ok(names);
    }
    let there = cmapss::subsets(&args.data).map_err(failed)?;
    let usual: Vec<String> =
        there.iter().filter(|name| USUAL.contains(&name.as_str())).cloned().collect();
    if !usual.is_empty() {
        return Ok(usual);
    }
    let what = match there.as_slice() {
        [] => format!("{} holds no C-MAPSS files", args.data.display()),
        some => format!("{} holds {}, not FD001 or FD003", args.data.display(), some.join(", ")),
    };
    Err(Error::run(what).advise(
        "give the folder that holds train_FD001.txt, test_FD001.txt and RUL_FD001.txt, or name \
         what it holds with --subset",
    ))
}

/// Learns from and tests one subset.
fn one(args: &TrainRulArgs, name: &str, stop: &AtomicBool) -> Result<Learned> {
    let at = |error: Error| error.at(name.to_owned());
    let check = || match stop.load(Ordering::Relaxed) {
        true => Err(Error::interrupted()),
        false => Ok(()),
    };
    let choices = choices(args);
    let subset = cmapss::read(&args.data, name).map_err(failed)?;
    let sensors = engines::varying(&subset.train);
    let table = engines::read(&subset.train, &sensors).map_err(at)?;
    check()?;
    let validated = match choices.folds {
        0 => Vec::new(),
        _ => learn::validate(&table, &choices).map_err(at)?,
    };
    check()?;
    let boosted = learn::learn(&table, &choices).map_err(at)?;
    let model = lightgbm::to_text(&boosted);
    check()?;
    let tested = learn::test(&subset, &model).map_err(at)?;
    let engines = table.engines().len();
    let looked_at = learn::looked_at(&validated);
    Ok(Learned {
        name: name.to_owned(),
        engines,
        rows: table.rows(),
        trees: boosted.trees.len(),
        validation: (!looked_at.is_empty())
            .then(|| learn::figures(&looked_at, engines, choices.cap)),
        test: learn::figures(&tested, tested.len(), choices.cap),
        importance: importance(&table.names, &boosted.gains()),
        features: table.names,
        sensors,
        validated,
        tested,
        model,
    })
}

/// Features by their shares of all gains, the most first.
fn importance(names: &[String], gains: &[f64]) -> Vec<(String, f64)> {
    let whole: f64 = gains.iter().sum();
    let share = |gain: &f64| gain / if whole > 0.0 { whole } else { 1.0 };
    let mut all: Vec<(String, f64)> = names.iter().cloned().zip(gains.iter().map(share)).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all
}

fn choices(args: &TrainRulArgs) -> Choices {
    Choices {
        boosting: Boosting {
            rounds: args.rounds,
            leaves: args.leaves,
            shrinkage: args.learning_rate,
            l2: args.l2,
            rows_min: args.min_rows,
            row_share: args.row_share,
            feature_share: args.feature_share,
            models: args.models,
            seed: args.seed,
            ..Boosting::default()
        },
        cap: args.cap,
        folds: args.folds as usize,
        threads: args.threads.map_or_else(all_cores, usize::from),
    }
}

/// What a later user needs to make the same models: nothing that depends on the machine.
fn made_by(args: &TrainRulArgs) -> String {
    format!(
        "pelton train rul --cap {} --rounds {} --leaves {} --learning-rate {} --l2 {} --min-rows {} \
         --row-share {} --feature-share {} --models {} --seed {}",
        args.cap,
        args.rounds,
        args.leaves,
        args.learning_rate,
        args.l2,
        args.min_rows,
        args.row_share,
        args.feature_share,
        args.models,
        args.seed
    )
}

/// Where results go.
struct Files {
    /// One a subset, or none.
    models: Vec<PathBuf>,
    metrics: Option<PathBuf>,
    page: Option<PathBuf>,
}

impl Files {
    fn of(args: &TrainRulArgs, names: &[String]) -> Result<Self> {
        let beside = |ending: &str| args.out.as_ref().map(|path| path.with_extension(ending));
        let named = |path: &Path| -> Vec<PathBuf> {
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("txt");
            names.iter().map(|name| path.with_extension(format!("{name}.{ending}"))).collect()
        };
        let files = Self {
            models: args.out.as_deref().map(named).unwrap_or_default(),
            metrics: args.metrics.clone().or_else(|| beside("metrics.json")),
            page: args.report.clone().or_else(|| beside("html")),
        };
        let all: Vec<&PathBuf> =
            files.models.iter().chain(&files.metrics).chain(&files.page).collect();
        for (at, path) in all.iter().enumerate() {
            // Said now rather than after a minute of training.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if folder.is_some_and(|folder| !folder.is_dir()) {
                let what = format!("cannot write {}: its folder does not exist", path.display());
                return Err(Error::usage(what).advise("make the folder first"));
            }
            if let Some(other) = all[..at].iter().find(|other| same_file(other, path)) {
                let what = format!("{} would be written twice", other.display());
                return Err(Error::usage(what).advise("give each result a name of its own"));
            }
        }
        Ok(files)
    }

    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        let models = self.models.iter().map(|path| ("model", path));
        let rest = self.metrics.iter().map(|path| ("figures", path));
        for (name, path) in models.chain(rest).chain(self.page.iter().map(|path| ("plots", path))) {
            let name = paint.dim(format!("{name:<14}"));
            text.push_str(&format!(" {name}{}\n", path.display()));
        }
        text.push('\n');
        text
    }
}
