//! Models: fitted, scored with through the very code that decides in a stream, and written.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use pelton::score::{Feature, FeatureTransform, Logistic};
use pelton::{Error, Result};
use pelton_scoring::model::{Model, Scorer};
use pelton_scoring::train::{Boosting, Examples, LogisticOptions, boost, fit_logistic, lightgbm};

use super::table::Table;

/// What is fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Choices {
    /// Boosted trees.
    Boosted(Boosting),
    /// Logistic regression.
    Logistic(LogisticOptions),
}

/// A fitted model.
pub(crate) enum Fitted {
    /// Boosted trees.
    Boosted {
        /// As LightGBM's text.
        text: String,
        /// As LightGBM's JSON.
        json: String,
        /// What splits by each feature gained.
        gains: Vec<f64>,
        /// Number of trees.
        trees: usize,
        /// Ready to score.
        model: Arc<Model>,
    },
    /// Logistic regression.
    Logistic(Logistic),
}

/// The trainer's error as ours.
pub(crate) fn wrong(error: pelton_scoring::Error) -> Error {
    let told = Error::run(match error.place() {
        Some(place) => format!("{place}: {}", error.what()),
        None => error.what().to_owned(),
    });
    match error.advice() {
        Some(advice) => told.advise(advice.to_owned()),
        None => told,
    }
}

impl Fitted {
    /// Learns from `rows` of the table.
    ///
    /// # Errors
    /// When a choice makes no sense or the rows don't hold both classes.
    pub(crate) fn fit(table: &Table, rows: &[u32], choices: &Choices, by: &str) -> Result<Self> {
        match choices {
            Choices::Boosted(choices) => {
                let columns = table.slices();
                let examples =
                    Examples::new(&table.names, &columns, &table.fraud).map_err(wrong)?;
                let boosted = boost(&examples, rows, choices).map_err(wrong)?;
                let text = lightgbm::to_text(&boosted);
                // What is evaluated is what will be loaded.
                let model = Arc::new(Model::load(text.as_bytes()).map_err(wrong)?);
                let (json, gains) = (lightgbm::to_json(&boosted), boosted.gains());
                Ok(Self::Boosted { text, json, gains, trees: boosted.trees.len(), model })
            }
            Choices::Logistic(options) => logistic(table, rows, options, by).map(Self::Logistic),
        }
    }

    /// Probabilities of `rows` of the table.
    ///
    /// # Errors
    /// When the model reads what the table does not have.
    pub(crate) fn scores(&self, table: &Table, rows: &[u32]) -> Result<Vec<f64>> {
        let gathered =
            |column: &[f64]| -> Vec<f64> { rows.iter().map(|row| column[*row as usize]).collect() };
        match self {
            Self::Boosted { model, .. } => {
                let names: Vec<&str> = table.names.iter().map(String::as_str).collect();
                let order = model.bind(&names).map_err(wrong)?;
                let columns: Vec<Vec<f64>> =
                    order.iter().map(|at| gathered(&table.columns[*at])).collect();
                let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
                let mut scores = vec![0.0; rows.len()];
                Scorer::new(model.clone()).predict(&slices, &mut scores);
                Ok(scores)
            }
            Self::Logistic(model) => {
                let columns = table.names.iter().zip(&table.columns).map(|(name, column)| {
                    let column: ArrayRef = Arc::new(Float64Array::from(gathered(column)));
                    (name.as_str(), column)
                });
                let batch = RecordBatch::try_from_iter(columns)?;
                let mut scores = model.log_odds(&batch)?;
                pelton_kernels::math::sigmoid_in_place(&mut scores);
                Ok(scores)
            }
        }
    }

    /// How much each feature decides, the most first; together 1.
    pub(crate) fn importance(&self, table: &Table) -> Vec<(String, f64)> {
        let mut all: Vec<(String, f64)> = match self {
            Self::Boosted { gains, .. } => {
                table.names.iter().cloned().zip(gains.iter().copied()).collect()
            }
            Self::Logistic(model) => model
                .features()
                .iter()
                .map(|feature| (feature.name.clone(), feature.weight.abs()))
                .collect(),
        };
        let whole: f64 = all.iter().map(|(_, part)| part).sum();
        all.iter_mut().for_each(|(_, part)| *part /= if whole > 0.0 { whole } else { 1.0 });
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all
    }

    /// The model's file; `as_json`: LightGBM's JSON rather than its text.
    ///
    /// # Errors
    /// When a logistic model cannot have this threshold.
    pub(crate) fn file(&self, as_json: bool, threshold: f64) -> Result<String> {
        Ok(match self {
            Self::Boosted { json, .. } if as_json => json.clone(),
            Self::Boosted { text, .. } => text.clone(),
            Self::Logistic(model) => {
                let features = model.features().to_vec();
                Logistic::new(model.made_by(), features, model.intercept(), threshold)?.to_json()
            }
        })
    }

    /// The model in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Boosted { trees, .. } => format!("{trees} boosted trees"),
            Self::Logistic(model) => {
                format!("logistic regression, {} features", model.features().len())
            }
        }
    }
}

/// Share of the values at each end that count as the border there: one wild value must not make
/// all others small.
const TAIL: f64 = 0.001;
/// Values this many times their mean away make a feature go through a logarithm.
const SKEWED: f64 = 10.0;

fn logistic(table: &Table, rows: &[u32], options: &LogisticOptions, by: &str) -> Result<Logistic> {
    let mut features: Vec<Feature> = table
        .names
        .iter()
        .zip(&table.columns)
        .filter_map(|(name, column)| shape(name, column, rows))
        .collect();
    let values: Vec<Vec<f64>> = features
        .iter()
        .filter_map(|feature| {
            let at = table.names.iter().position(|name| *name == feature.name)?;
            Some(table.columns[at].iter().map(|x| feature.transformed(*x)).collect())
        })
        .collect();
    let names: Vec<String> = features.iter().map(|feature| feature.name.clone()).collect();
    let columns: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
    let examples = Examples::new(&names, &columns, &table.fraud).map_err(wrong)?;
    let fit = fit_logistic(&examples, rows, options).map_err(wrong)?;
    for (at, feature) in features.iter_mut().enumerate() {
        feature.mean = fit.means[at];
        feature.scale = fit.scales[at];
        feature.weight = fit.weights[at];
    }
    Logistic::new(by, features, fit.intercept, 0.5)
}

/// How a feature is clamped and transformed, from the rows to learn from; `None` where it never
/// varies.
fn shape(name: &str, column: &[f64], rows: &[u32]) -> Option<Feature> {
    let values = rows.iter().map(|row| column[*row as usize]).filter(|value| value.is_finite());
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| sorted.get((sorted.len() as f64 * share) as usize).copied();
    let (low, high) = (at(TAIL)?, at(1.0 - TAIL)?);
    if low >= high {
        return None;
    }
    let mean = sorted.iter().map(|value| value.abs()).sum::<f64>() / sorted.len() as f64;
    let transform = match high.max(-low) > SKEWED * mean {
        true if low >= 0.0 => FeatureTransform::Log1p,
        true => FeatureTransform::SignedLog1p,
        false => FeatureTransform::Clip,
    };
    Some(Feature { lo: Some(low), hi: Some(high), ..Feature::new(name, transform, 0.0) })
}

/// The smallest probability from which on at least `precision` of the rows are frauds; 0.5 where
/// there is none. In hundredths, so that it does not hang on a single row.
pub(crate) fn threshold(scores: &[f64], labels: &[bool], precision: f64) -> f64 {
    let mut bins = [(0_u64, 0_u64); 100];
    for (score, label) in scores.iter().zip(labels) {
        let bin = &mut bins[((score * 100.0) as usize).min(99)];
        bin.0 += 1;
        bin.1 += u64::from(*label);
    }
    let (mut rows, mut frauds, mut best) = (0, 0, None);
    for (at, bin) in bins.iter().enumerate().skip(1).rev() {
        rows += bin.0;
        frauds += bin.1;
        if rows > 0 && frauds as f64 >= precision * rows as f64 {
            best = Some(at as f64 / 100.0);
        }
    }
    best.unwrap_or(0.5)
}
