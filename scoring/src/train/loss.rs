//! What boosting makes less: the logistic loss of labels that are true or false, and the squared
//! error of labels that are numbers.
//!
//! ```text
//! logistic   p = sigmoid(margin)            gradient = p − label    curvature = p (1 − p)
//! squared    z = (label − mean) ⁄ range     gradient = margin − z   curvature = 1
//! ```
//!
//! Derivatives are fixed-point numbers within ±2 ([`super::histogram`]). Numbers are brought there
//! by their own mean and range over the rows to learn from; a finished tree's values are brought
//! back ([`Loss::finish`]), so that the written model says what the labels say.

use super::histogram::{Derivatives, UNIT};
use super::tree::Tree;
use super::{Examples, Labels};
use pelton_kernels::math::{ln_1p, sigmoid_in_place};

/// What a model's sum of trees is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Log-odds of a label that is true or false.
    Binary,
    /// The label itself, a number; of squared error.
    Regression,
}

/// The labels of the rows of one model, as its loss sees them.
pub(super) enum Loss {
    /// Logistic.
    Logistic(Vec<bool>),
    /// Squared; the labels brought near 0.
    Squared { labels: Vec<f64>, mean: f64, range: f64 },
}

fn gathered<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
    rows.iter().map(|row| values[*row as usize]).collect()
}

impl Loss {
    /// The labels of `rows`, which are learned from.
    pub(super) fn of(examples: &Examples<'_>, rows: &[u32]) -> Self {
        match examples.labels() {
            Labels::Classes(labels) => Self::Logistic(gathered(labels, rows)),
            Labels::Numbers(labels) => {
                let mut labels = gathered(labels, rows);
                let mean = labels.iter().sum::<f64>() / labels.len().max(1) as f64;
                let least = labels.iter().copied().fold(f64::INFINITY, f64::min);
                let most = labels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let range = if most > least { most - least } else { 1.0 };
                labels.iter_mut().for_each(|label| *label = (*label - mean) / range);
                Self::Squared { labels, mean, range }
            }
        }
    }

    /// The labels of other rows, brought near 0 as these were.
    pub(super) fn of_others(&self, examples: &Examples<'_>, rows: &[u32]) -> Self {
        match (Self::of(examples, rows), self) {
            (
                Self::Squared { mut labels, mean, range },
                Self::Squared { mean: m, range: r, .. },
            ) => {
                labels.iter_mut().for_each(|label| *label = (*label * range + mean - m) / r);
                Self::Squared { labels, mean: *m, range: *r }
            }
            (other, _) => other,
        }
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Logistic(labels) => labels.len(),
            Self::Squared { labels, .. } => labels.len(),
        }
    }

    /// What margins start from: the best that is the same for all rows.
    pub(super) fn start(&self) -> f64 {
        match self {
            Self::Logistic(labels) => {
                let positives = labels.iter().filter(|label| **label).count() as f64;
                libm::log(positives / (labels.len() as f64 - positives))
            }
            Self::Squared { .. } => 0.0,
        }
    }

    /// The derivatives of all rows at these margins; `scratch` is a buffer.
    pub(super) fn derivatives(
        &self,
        margins: &[f64],
        scratch: &mut Vec<f64>,
        out: &mut Vec<Derivatives>,
    ) {
        out.clear();
        match self {
            Self::Logistic(labels) => {
                scratch.clear();
                scratch.extend_from_slice(margins);
                sigmoid_in_place(scratch);
                let both = scratch.iter().zip(labels);
                out.extend(both.map(|(p, label)| Derivatives::of(*p, *label)));
            }
            Self::Squared { labels, .. } => {
                // The cast saturates where an error is beyond twice the labels' range.
                let fixed = |value: f64| (value / UNIT).round() as i32;
                let curvature = fixed(1.0);
                let both = margins.iter().zip(labels);
                out.extend(both.map(|(margin, label)| Derivatives {
                    gradient: fixed(margin - label),
                    curvature,
                }));
            }
        }
    }

    /// Mean loss at these margins.
    pub(super) fn mean(&self, margins: &[f64]) -> f64 {
        let rows = margins.len().max(1) as f64;
        match self {
            Self::Logistic(labels) => {
                // ln(1 + eᶻ) − z · label
                let one = |(z, label): (&f64, &bool)| {
                    let positive = z.max(0.0) + ln_1p(libm::exp(-z.abs()));
                    positive - if *label { *z } else { 0.0 }
                };
                margins.iter().zip(labels).map(one).sum::<f64>() / rows
            }
            Self::Squared { labels, .. } => {
                let one = |(z, label): (&f64, &f64)| (z - label) * (z - label);
                margins.iter().zip(labels).map(one).sum::<f64>() / rows
            }
        }
    }

    /// Trees that say what the labels say: the start goes into the first of them, and what was
    /// brought near 0 goes back.
    pub(super) fn finish(&self, trees: &mut [Tree]) {
        let by = match self {
            Self::Logistic(_) => self.start(),
            Self::Squared { mean, range, .. } => {
                trees.iter_mut().for_each(|tree| tree.scale(*range));
                *mean
            }
        };
        if let Some(first) = trees.first_mut() {
            first.shift(by);
        }
    }
}
