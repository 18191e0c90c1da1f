//! `pelton train fraud`: a model from the pipeline's own features, as of each payment.
//!
//! [`table`] (what was known of each payment) → [`folds`] (weeks to test on, and figures) →
//! [`fitted`] (models) → [`page`] (plots). What is learned at a moment comes from payments whose
//! labels had arrived by then; features are those that the stream computed when each payment
//! came; nothing looks ahead. The test in `tests/train.rs` cuts the recording and compares.

use std::sync::atomic::{AtomicBool, Ordering};

use pelton::{Error, Result};
use pelton_scoring::train::{Boosting, EarlyStopping, LogisticOptions};
use serde::Serialize;

use crate::args::{ModelArg, ProtocolArg, TrainFraudArgs, parse_day};
use crate::replay::fraud_run::text as utf8;
use crate::replay::{all_cores, by_ending, same_file};
use crate::report::format::Utc;
use crate::terminal::{self, Paint};
use crate::{interrupt, progress, report};

mod defaults;
mod fitted;
mod folds;
mod page;
pub mod rul;
mod shown;
mod table;
#[cfg(test)]
mod tests;

use fitted::{Choices, Fitted};
use folds::{DELAY_DAYS, Figures, Fold};
use table::{DAY_US, Reading, Table};

/// Share of the rows that early stopping watches.
const WATCHED: f64 = 0.1;

/// First day of the Handbook's train week, and of its test week.
const HANDBOOK: (&str, &str) = ("2018-07-25", "2018-08-08");

/// What came out, as JSON.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// Version of pelton.
    pub pelton: String,
    /// The recording's name.
    pub recording: String,
    /// What was typed, as far as it matters.
    pub made_by: String,
    /// The model in words.
    pub model: String,
    /// Payments of the table.
    pub rows: usize,
    /// Frauds among them.
    pub frauds: usize,
    /// Features learned from.
    pub features: Vec<String>,
    /// First day that the written model learned from.
    pub train_from: String,
    /// Last day.
    pub train_to: String,
    /// The score from which on a payment should raise an alert.
    pub threshold: f64,
    /// Precision that the threshold had on the test weeks.
    pub precision: f64,
    /// Each test, oldest first.
    pub tests: Vec<Test>,
    /// Means of the tests' figures.
    pub mean: Mean,
    /// How much each feature decides in the written model, the most first; together 1.
    pub importance: Vec<(String, f64)>,
}

/// One test.
#[derive(Debug, Serialize)]
pub(crate) struct Test {
    /// What was learned from, in words.
    pub name: String,
    /// How good it was.
    #[serde(flatten)]
    pub figures: Figures,
    #[serde(skip)]
    pub scores: Vec<f64>,
    #[serde(skip)]
    pub labels: Vec<bool>,
}

/// Means over tests.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Mean {
    /// Area under the receiver operating characteristic.
    pub auc_roc: Option<f64>,
    /// Average precision.
    pub average_precision: Option<f64>,
    /// Card precision at 100.
    pub card_precision_at_100: Option<f64>,
}

/// Trains, tests, writes and shows.
///
/// # Errors
/// When the options contradict each other, the recording cannot be read, has no labels or too
/// few days, a result cannot be written, or the user stopped the run.
pub fn fraud(args: &TrainFraudArgs) -> Result<()> {
    let files = Files::of(args)?;
    let stop = interrupt::install()?;
    let table = {
        let shown = progress::new("features", args.quiet);
        let path = utf8(&args.input)?;
        let reading = Reading {
            path: &path,
            format: args.format.or_else(|| by_ending(&args.input)),
            label: &args.label,
            features: &args.features,
            until: args.until,
            shards: args.threads.map_or_else(all_cores, usize::from),
        };
        table::read(&reading, shown, move || stop.load(Ordering::Relaxed))?
    };
    let (outcome, model) = learn(args, &table, stop)?;
    if let Some(path) = &files.model {
        let as_json = path.extension().is_some_and(|ending| ending == "json");
        report::json::write_file(path, &model.file(as_json, outcome.threshold)?)?;
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
    terminal::print(&format!("{}{}", shown::text(args, &outcome, paint), files.text(paint)))
}

/// Where results go.
struct Files {
    model: Option<std::path::PathBuf>,
    metrics: Option<std::path::PathBuf>,
    page: Option<std::path::PathBuf>,
}

impl Files {
    fn of(args: &TrainFraudArgs) -> Result<Self> {
        let model = args.out.clone();
        let beside = |ending: &str| model.as_ref().map(|path| path.with_extension(ending));
        let metrics = args.metrics.clone().or_else(|| beside("metrics.json"));
        let page = args.report.clone().or_else(|| beside("html"));
        let all = [Some(&args.input), model.as_ref(), metrics.as_ref(), page.as_ref()];
        let names = ["--input", "--out", "--metrics", "--report"];
        for (i, (name, path)) in names.iter().zip(all).enumerate() {
            for (other, other_path) in names.iter().zip(all).take(i) {
                if let (Some(a), Some(b)) = (path, other_path)
                    && same_file(a, b)
                {
                    let what = format!("{other} and {name} are the same file, {}", a.display());
                    return Err(Error::usage(what).advise("give each a name of its own"));
                }
            }
        }
        Ok(Self { model, metrics, page })
    }

    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        let named = [("model", &self.model), ("figures", &self.metrics), ("plots", &self.page)];
        for (name, path) in named {
            if let Some(path) = path {
                text.push_str(&format!(
                    " {}{}\n",
                    paint.dim(format!("{name:<14}")),
                    path.display()
                ));
            }
        }
        text.push('\n');
        text
    }
}

fn choices(args: &TrainFraudArgs) -> Choices {
    match args.model {
        ModelArg::Gbt => Choices::Boosted(Boosting {
            rounds: args.rounds,
            leaves: args.leaves,
            shrinkage: args.learning_rate,
            l2: args.l2,
            rows_min: args.min_rows,
            row_share: args.row_share,
            feature_share: args.feature_share,
            models: args.models,
            seed: args.seed,
            early_stopping: args
                .patience
                .map(|patience| EarlyStopping { patience, share: WATCHED }),
            threads: args.threads.map_or_else(all_cores, usize::from),
            ..Boosting::default()
        }),
        ModelArg::Logistic => {
            Choices::Logistic(LogisticOptions { l2: args.l2, ..LogisticOptions::default() })
        }
    }
}

/// What a later user needs to make the same model: nothing that depends on the machine.
fn made_by(args: &TrainFraudArgs) -> String {
    let until = args.until.map_or(String::new(), |day| {
        format!(" --until {}", Utc::from_micros(day.saturating_mul(DAY_US)).date())
    });
    let protocol = if args.protocol.is_some() { " --protocol handbook" } else { "" };
    let model = match args.model {
        ModelArg::Logistic => format!("--model logistic --l2 {}", args.l2),
        ModelArg::Gbt => format!(
            "--model gbt --rounds {} --leaves {} --learning-rate {} --l2 {} --min-rows {} \
             --row-share {} --feature-share {} --models {} --seed {}",
            args.rounds,
            args.leaves,
            args.learning_rate,
            args.l2,
            args.min_rows,
            args.row_share,
            args.feature_share,
            args.models,
            args.seed
        ),
    };
    format!("pelton train fraud {model} --warm-up {}{until}{protocol}", args.warm_up)
}

/// The tests, oldest first, each with a name; and the days that the written model learns from.
struct Plan {
    tests: Vec<(String, Fold)>,
    last: std::ops::Range<i64>,
}

fn plan(args: &TrainFraudArgs, table: &Table) -> Result<Plan> {
    let days = table.days().ok_or_else(|| Error::run("the recording has no payments"))?;
    let (first, train_days) = (days.0 + i64::from(args.warm_up), args.train_days.map(i64::from));
    if args.protocol == Some(ProtocolArg::Handbook) {
        let day = |text: &str| parse_day(text).map_err(Error::run);
        let (train, test) = (day(HANDBOOK.0)?, day(HANDBOOK.1)?);
        let week = Fold { train: train..test - DELAY_DAYS, ..Fold::of(test, first, None) };
        let all = Fold::of(test, first, None);
        let last = all.train.clone();
        let tests =
            vec![("train week alone".to_owned(), week), ("all known by then".to_owned(), all)];
        return Ok(Plan { tests, last });
    }
    let folds = folds::folds(days, i64::from(args.warm_up), train_days, args.folds as usize);
    let name = |fold: &Fold| {
        let from = Utc::from_micros(fold.test.start.saturating_mul(DAY_US));
        format!("week from {}", from.date())
    };
    let last = Fold::of(args.until.unwrap_or(days.1 + 1), first, train_days).train;
    Ok(Plan { tests: folds.into_iter().map(|fold| (name(&fold), fold)).collect(), last })
}

fn learn(args: &TrainFraudArgs, table: &Table, stop: &AtomicBool) -> Result<(Outcome, Fitted)> {
    let (choices, by) = (choices(args), made_by(args));
    let plan = plan(args, table)?;
    let mut outcome = Outcome {
        pelton: env!("CARGO_PKG_VERSION").to_owned(),
        recording: pelton::source::base_name(&utf8(&args.input)?),
        made_by: by.clone(),
        rows: table.rows(),
        frauds: table.fraud.iter().filter(|fraud| **fraud).count(),
        features: table.names.clone(),
        ..Outcome::default()
    };
    let shown = progress::new("train", args.quiet);
    let steps = plan.tests.len() as u64 + 1;
    for (at, (name, fold)) in plan.tests.into_iter().enumerate() {
        shown.set(at as u64, Some(steps), table.rows() as u64);
        if stop.load(Ordering::Relaxed) {
            return Err(Error::interrupted());
        }
        outcome.tests.push(test(table, name, &fold, &choices, &by)?);
    }
    let rows = table.rows_of(plan.last.clone());
    let days = plan.last;
    let model = Fitted::fit(table, &rows, &choices, &by).map_err(|error| {
        let short = "is the recording shorter than --warm-up and the 7 days that labels take?";
        error.advise(short)
    })?;
    let date = |day: i64| Utc::from_micros(day.saturating_mul(DAY_US)).date();
    outcome.model = model.describe();
    (outcome.train_from, outcome.train_to) = (date(days.start), date(days.end - 1));
    outcome.importance = model.importance(table);
    outcome.mean = mean(&outcome.tests);
    outcome.precision = args.precision;
    let (scores, labels) = together(&outcome.tests);
    outcome.threshold = fitted::threshold(&scores, &labels, args.precision);
    Ok((outcome, model))
}

fn test(table: &Table, name: String, fold: &Fold, choices: &Choices, by: &str) -> Result<Test> {
    let train = table.rows_of(fold.train.clone());
    let rows = folds::test_rows(table, fold);
    let model = Fitted::fit(table, &train, choices, by).map_err(|error| error.at(name.clone()))?;
    let scores = model.scores(table, &rows)?;
    let figures = folds::figures(table, fold, &train, &rows, &scores);
    let labels = rows.iter().map(|row| table.fraud[*row as usize]).collect();
    Ok(Test { name, figures, scores, labels })
}

/// Scores and labels of all tests.
pub(crate) fn together(tests: &[Test]) -> (Vec<f64>, Vec<bool>) {
    let scores = tests.iter().flat_map(|test| &test.scores).copied().collect();
    let labels = tests.iter().flat_map(|test| &test.labels).copied().collect();
    (scores, labels)
}

fn mean(tests: &[Test]) -> Mean {
    let of = |figure: fn(&Figures) -> Option<f64>| {
        let values: Vec<f64> = tests.iter().filter_map(|test| figure(&test.figures)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    Mean {
        auc_roc: of(|figures| figures.auc_roc),
        average_precision: of(|figures| figures.average_precision),
        card_precision_at_100: of(|figures| figures.card_precision_at_100),
    }
}
