//! Fitting, and how good it is.
//!
//! **Validation** uses training engines only: they are parted by engine, and each part is
//! estimated by a model of the others. A held-out engine is looked at as the test's are, cut some
//! time before its failure: at every cycle with 1 to 150 cycles left (the features of a cycle are
//! the same whether or not the later ones are there). Every choice was made by these figures.
//!
//! **The test** runs the stream with the finished model over the test engines and takes what it
//! says at each engine's last row. Truths are never capped.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use pelton::pipeline::Pipeline;
use pelton::{Error, Result};
use pelton_datasets::cmapss::Subset;
use pelton_pipelines::rul;
use pelton_scoring::detect::random::mix;
use pelton_scoring::model::{Model, Scorer};
use pelton_scoring::train::metrics::{nasa_score, root_mean_square_error};
use pelton_scoring::train::{Boosted, Boosting, Examples, Labels, boost, lightgbm};
use serde::Serialize;

use super::engines::{self, Table};
use crate::train::fitted::wrong;

/// Longest true remaining life at which a held-out engine is looked at.
pub(crate) const LOOKED_AT: f64 = 150.0;

/// How good estimates are; in cycles.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// Engines estimated.
    pub engines: usize,
    /// Estimates.
    pub estimates: usize,
    /// Root of the mean squared error, of uncapped truths.
    pub rmse: f64,
    /// The same where truths count as no more than the cap, as some papers have it.
    pub rmse_of_capped_truths: f64,
    /// Mean error: below 0 where estimates are too short.
    pub bias: f64,
    /// NASA's score, Σ e^(−d ⁄ 13) − 1 or e^(d ⁄ 10) − 1; less is better.
    pub nasa_score: f64,
}

/// An estimate and the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// Number of the engine.
    pub unit: i64,
    /// Cycle at which it was made.
    pub cycle: i64,
    /// Cycles left, by the model.
    pub estimate: f64,
    /// Cycles that were left.
    pub truth: f64,
}

/// Figures of estimates of so many engines.
pub(crate) fn figures(all: &[Estimate], engines: usize, cap: f64) -> Figures {
    let estimates: Vec<f64> = all.iter().map(|one| one.estimate).collect();
    let truths: Vec<f64> = all.iter().map(|one| one.truth).collect();
    let capped: Vec<f64> = truths.iter().map(|truth| truth.min(cap)).collect();
    let off: f64 = all.iter().map(|one| one.estimate - one.truth).sum();
    Figures {
        engines,
        estimates: all.len(),
        rmse: root_mean_square_error(&estimates, &truths).unwrap_or_default(),
        rmse_of_capped_truths: root_mean_square_error(&estimates, &capped).unwrap_or_default(),
        bias: off / all.len().max(1) as f64,
        nasa_score: nasa_score(&estimates, &truths),
    }
}

/// What is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Choices {
    /// Of the trees.
    pub boosting: Boosting,
    /// Longest remaining life to learn.
    pub cap: f64,
    /// Parts of the validation.
    pub folds: usize,
    /// Parts that are learned at a time.
    pub threads: usize,
}

fn fit(table: &Table, rows: &[u32], choices: &Choices, boosting: &Boosting) -> Result<Boosted> {
    let labels: Vec<f64> =
        table.remaining().into_iter().map(|cycles| cycles.min(choices.cap)).collect();
    let columns: Vec<&[f64]> = table.columns.iter().map(Vec::as_slice).collect();
    let labels = Labels::Numbers(&labels);
    let examples = Examples::of(&table.names, &columns, labels).map_err(wrong)?;
    boost(&examples, rows, boosting).map_err(wrong)
}

/// What a model, as its file will be read, says of rows.
fn said(text: &str, table: &Table, rows: &[u32]) -> Result<Vec<f64>> {
    let model = Arc::new(Model::load(text.as_bytes()).map_err(wrong)?);
    let names: Vec<&str> = table.names.iter().map(String::as_str).collect();
    let order = model.bind(&names).map_err(wrong)?;
    let columns: Vec<Vec<f64>> = order
        .iter()
        .map(|at| rows.iter().map(|row| table.columns[*at][*row as usize]).collect())
        .collect();
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let mut scores = vec![0.0; rows.len()];
    Scorer::new(model).predict(&slices, &mut scores);
    scores.iter_mut().for_each(|score| *score = score.max(0.0));
    Ok(scores)
}

/// Which part each engine belongs to: shuffled by the seed, in turn.
pub(crate) fn parts(engines: usize, folds: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..engines).collect();
    order.sort_by_key(|engine| mix(seed ^ mix(*engine as u64 + 1)));
    let mut part = vec![0; engines];
    for (at, engine) in order.into_iter().enumerate() {
        part[engine] = at % folds.max(1);
    }
    part
}

/// Every training engine at every cycle, estimated by a model that did not learn from it.
///
/// # Errors
/// When a choice makes no sense, or there are fewer engines than parts.
pub(crate) fn validate(table: &Table, choices: &Choices) -> Result<Vec<Estimate>> {
    let engines = table.engines();
    if engines.len() < choices.folds.max(2) {
        let what = format!("{} training engines for {} folds", engines.len(), choices.folds);
        return Err(Error::run(what).advise("take fewer --folds, or none (0)"));
    }
    let part = parts(engines.len(), choices.folds, choices.boosting.seed);
    let boosting = Boosting { threads: 1, ..choices.boosting };
    let rows_of = |wanted: &dyn Fn(usize) -> bool| -> Vec<u32> {
        let kept = engines.iter().enumerate().filter(|(at, _)| wanted(part[*at]));
        kept.flat_map(|(_, rows)| rows.clone().map(|row| row as u32)).collect()
    };
    let one = |fold: usize| -> Result<(Vec<u32>, Vec<f64>)> {
        let (learned, held) = (rows_of(&|part| part != fold), rows_of(&|part| part == fold));
        let text = lightgbm::to_text(&fit(table, &learned, choices, &boosting)?);
        let said = said(&text, table, &held)?;
        Ok((held, said))
    };
    let folds: Vec<usize> = (0..choices.folds).collect();
    let mut estimates = vec![0.0; table.rows()];
    for folds in folds.chunks(choices.threads.max(1)) {
        let one = &one;
        let done: Vec<Result<(Vec<u32>, Vec<f64>)>> = std::thread::scope(|scope| {
            let running: Vec<_> =
                folds.iter().map(|fold| scope.spawn(move || one(*fold))).collect();
            let failed = || Err(Error::run("a fold of the validation failed"));
            running.into_iter().map(|fold| fold.join().unwrap_or_else(|_| failed())).collect()
        });
        for fold in done {
            let (rows, said) = fold?;
            rows.iter().zip(said).for_each(|(row, said)| estimates[*row as usize] = said);
        }
    }
    let rows = table.unit.iter().zip(&table.cycle).zip(estimates.iter().zip(table.remaining()));
    Ok(rows
        .map(|((unit, cycle), (estimate, truth))| Estimate {
            unit: *unit,
            cycle: *cycle,
            estimate: *estimate,
            truth,
        })
        .collect())
}

/// The estimates at which a validation is judged.
pub(crate) fn looked_at(all: &[Estimate]) -> Vec<Estimate> {
    let within = |one: &&Estimate| one.truth >= 1.0 && one.truth <= LOOKED_AT;
    all.iter().filter(within).copied().collect()
}

/// The model of all training engines.
///
/// # Errors
/// When a choice makes no sense.
pub(crate) fn learn(table: &Table, choices: &Choices) -> Result<Boosted> {
    let rows: Vec<u32> = (0..table.rows() as u32).collect();
    let boosting = Boosting { threads: choices.threads, ..choices.boosting };
    fit(table, &rows, choices, &boosting)
}

/// What the stream says at the last row of each test engine.
///
/// # Errors
/// When the model cannot be read back.
pub(crate) fn test(subset: &Subset, text: &str) -> Result<Vec<Estimate>> {
    let model = pelton::score::Model::from_bytes(text.as_bytes())?;
    let schema = subset.test.schema();
    let pipeline = rul::estimate(Pipeline::rows(schema.clone()), &schema, model)?;
    let mut all: Vec<Estimate> = Vec::new();
    for batch in engines::run(pipeline, &subset.test)? {
        let mut said = Vec::new();
        engines::floats(&batch, "remaining_cycles", &mut said)?;
        let unit = batch["unit"].as_primitive::<Int64Type>().values();
        let cycle = batch["cycle"].as_primitive::<Int64Type>().values();
        for ((unit, cycle), estimate) in unit.iter().zip(cycle).zip(said) {
            let one = Estimate { unit: *unit, cycle: *cycle, estimate, truth: f64::NAN };
            match all.last_mut() {
                Some(last) if last.unit == *unit => *last = one,
                _ => all.push(one),
            }
        }
    }
    if all.len() != subset.remaining.len() {
        return Err(Error::run("the test has not one remaining life for each engine"));
    }
    for (one, truth) in all.iter_mut().zip(&subset.remaining) {
        one.truth = *truth;
    }
    Ok(all)
}
