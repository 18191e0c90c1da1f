//! Logistic regression by Newton's method (iteratively reweighted least squares; Hastie,
//! Tibshirani, Friedman: *The Elements of Statistical Learning*, 4.4.1), on standardised features,
//! with a penalty on the square of each weight so that features that say the same share theirs.
//!
//! ```text
//! minimise  Σ log loss(row) + ½ · l2 · Σ weight²        (the intercept is not penalised)
//! ```
//!
//! A missing value stands at its feature's mean and so says nothing; a feature that never varies
//! gets the weight 0. Sums run in the order of the rows: the same data give the same bits.

use pelton_kernels::math::{ln_1p, sigmoid};

use super::Examples;
use crate::{Error, Result};

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogisticOptions {
    /// Penalty on the square of each standardised weight; above 0, so that weights stay finite
    /// where the classes can be told apart without an error.
    pub l2: f64,
    /// Most steps.
    pub steps: usize,
}

impl Default for LogisticOptions {
    fn default() -> Self {
        Self { l2: 10.0, steps: 50 }
    }
}

/// A fitted regression: log-odds = intercept + Σ weight · (x − mean) ⁄ scale.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticFit {
    /// A weight for each feature.
    pub weights: Vec<f64>,
    /// Log-odds where all features are at their means.
    pub intercept: f64,
    /// Mean of each feature.
    pub means: Vec<f64>,
    /// Deviation of each feature; 1 where it never varies.
    pub scales: Vec<f64>,
    /// Steps taken.
    pub steps: usize,
}

/// Largest part of the loss that a last step may still have won.
const CONVERGED: f64 = 1e-10;

/// Learns from `rows` of the examples: ascending row numbers.
///
/// # Errors
/// Where an option makes no sense, the rows don't hold both classes, or the penalty is too small
/// for the features that there are.
pub fn fit_logistic(
    examples: &Examples<'_>,
    rows: &[u32],
    options: &LogisticOptions,
) -> Result<LogisticFit> {
    if !(options.l2 > 0.0 && options.l2.is_finite()) || options.steps == 0 {
        return Err(Error::new("l2 must be above 0, and steps 1 or more"));
    }
    let labels = examples.classes()?;
    examples.check_rows(rows)?;
    let (means, scales) = moments(examples, rows);
    let design = Design::new(examples, labels, rows, (&means, &scales));
    let width = design.width;
    let positives = design.labels.iter().filter(|label| **label).count() as f64;
    let mut weights = vec![0.0; width];
    weights[width - 1] = libm::log(positives / (rows.len() as f64 - positives));
    let mut loss = design.loss(&weights, options.l2);
    let mut steps = 0;
    while steps < options.steps {
        steps += 1;
        let step = design.step(&weights, options.l2)?;
        let Some((better, reached)) = design.descend(&weights, &step, loss, options.l2) else {
            break;
        };
        let won = loss - reached;
        (weights, loss) = (better, reached);
        if won <= CONVERGED * loss.abs() {
            break;
        }
    }
    let intercept = weights.pop().unwrap_or_default();
    Ok(LogisticFit { weights, intercept, means, scales, steps })
}

/// Mean and deviation of each feature where it is a number.
fn moments(examples: &Examples<'_>, rows: &[u32]) -> (Vec<f64>, Vec<f64>) {
    let one = |column: &&[f64]| {
        let values = || rows.iter().map(|row| column[*row as usize]).filter(|x| x.is_finite());
        let count = values().count().max(1) as f64;
        let mean = values().sum::<f64>() / count;
        let variance = values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
        let deviation = variance.sqrt();
        // A deviation of rounding errors is none.
        let varies = deviation.is_finite() && deviation > 1e-12 * mean.abs();
        (mean, if varies { deviation } else { 1.0 })
    };
    examples.columns().iter().map(one).unzip()
}

/// Standardised features, row after row, with a 1 at the end of each.
struct Design {
    width: usize,
    values: Vec<f64>,
    labels: Vec<bool>,
}

impl Design {
    fn new(
        examples: &Examples<'_>,
        labels: &[bool],
        rows: &[u32],
        (means, scales): (&[f64], &[f64]),
    ) -> Self {
        let width = means.len() + 1;
        let mut values = Vec::with_capacity(rows.len() * width);
        for row in rows {
            for ((column, mean), scale) in examples.columns().iter().zip(means).zip(scales) {
                let x = (column[*row as usize] - mean) / scale;
                values.push(if x.is_finite() { x } else { 0.0 });
            }
            values.push(1.0);
        }
        let labels = rows.iter().map(|row| labels[*row as usize]).collect();
        Self { width, values, labels }
    }

    fn rows(&self) -> impl Iterator<Item = (&[f64], f64)> {
        let labels = self.labels.iter().map(|label| f64::from(u8::from(*label)));
        self.values.chunks_exact(self.width).zip(labels)
    }

    fn loss(&self, weights: &[f64], l2: f64) -> f64 {
        let mut loss = 0.0;
        for (row, label) in self.rows() {
            let z = dot(row, weights);
            loss += z.max(0.0) + ln_1p(libm::exp(-z.abs())) - z * label;
        }
        let penalised = &weights[..self.width - 1];
        loss + 0.5 * l2 * dot(penalised, penalised)
    }

    /// Newton's step: (Xᵀ W X + λ)⁻¹ (Xᵀ (y − p) − λ w).
    fn step(&self, weights: &[f64], l2: f64) -> Result<Vec<f64>> {
        let width = self.width;
        let mut gradient = vec![0.0; width];
        let mut curvature = vec![0.0; width * width];
        for (row, label) in self.rows() {
            let p = sigmoid(dot(row, weights));
            let (off, weight) = (label - p, p * (1.0 - p));
            for (i, x) in row.iter().enumerate() {
                gradient[i] += off * x;
                let weighted = weight * x;
                let line = &mut curvature[i * width..=i * width + i];
                line.iter_mut().zip(row).for_each(|(cell, other)| *cell += weighted * other);
            }
        }
        for i in 0..width - 1 {
            gradient[i] -= l2 * weights[i];
            curvature[i * width + i] += l2;
        }
        solve(&mut curvature, gradient).ok_or_else(|| {
            Error::new("the features are too alike for this penalty").advise("choose a larger l2")
        })
    }

    /// The step, halved until it makes the loss smaller.
    fn descend(&self, from: &[f64], step: &[f64], loss: f64, l2: f64) -> Option<(Vec<f64>, f64)> {
        let mut size = 1.0;
        for _ in 0..30 {
            let there: Vec<f64> = from.iter().zip(step).map(|(w, s)| w + size * s).collect();
            let reached = self.loss(&there, l2);
            if reached < loss {
                return Some((there, reached));
            }
            size *= 0.5;
        }
        None
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Solves A x = b for a symmetric positive definite A, given by its lower triangle, by Cholesky's
/// decomposition; `None` where A is not.
fn solve(a: &mut [f64], mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for i in 0..n {
        for j in 0..=i {
            let sum = dot(&a[i * n..i * n + j], &a[j * n..j * n + j]);
            let rest = a[i * n + j] - sum;
            a[i * n + j] = if i == j {
                if rest <= 0.0 || !rest.is_finite() {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / a[j * n + j]
            };
        }
    }
    for i in 0..n {
        let sum = dot(&a[i * n..i * n + i], &b[..i]);
        b[i] = (b[i] - sum) / a[i * n + i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| a[k * n + i] * b[k]).sum();
        b[i] = (b[i] - sum) / a[i * n + i];
    }
    Some(b)
}
