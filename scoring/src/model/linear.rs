//! Linear models: `intercept + Σ weight × value`, and the steps before them.

use super::link::Link;
use crate::{Error, Result};

/// How far a raw score may lie from a library that multiplies and adds in `f32`, in an order of
/// its own: relative to the sum of the absolute terms.
pub const LINEAR_TOLERANCE_F32: f64 = 1e-6;

/// A step that prepares each feature for itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Rounds to `f32`.
    Narrow,
    /// Puts `fill[feature]` where a value is missing: NaN, or equal to `missing`.
    Impute {
        /// What counts as missing; NaN where this is NaN.
        missing: f64,
        /// What is put in its place.
        fill: Vec<f64>,
    },
    /// `(x − offset[feature]) × scale[feature]`, each operation rounded to `f32`.
    Scale {
        /// What is subtracted.
        offset: Vec<f64>,
        /// What it is multiplied by.
        scale: Vec<f64>,
    },
    /// `x × by[feature]`, rounded to `f32`.
    Multiply {
        /// The factors.
        by: Vec<f64>,
    },
    /// `x ÷ by[feature]`, rounded to `f32`.
    Divide {
        /// The divisors.
        by: Vec<f64>,
    },
    /// `x + what[feature]`, rounded to `f32`.
    Add {
        /// The summands.
        what: Vec<f64>,
    },
}

impl Step {
    /// The prepared value of a feature.
    #[must_use]
    pub fn apply(&self, feature: usize, x: f64) -> f64 {
        match self {
            Self::Narrow => f64::from(x as f32),
            Self::Impute { missing, fill } => {
                let is_missing = if missing.is_nan() { x.is_nan() } else { x == *missing };
                if is_missing { fill[feature] } else { x }
            }
            Self::Scale { offset, scale } => {
                f64::from((x as f32 - offset[feature] as f32) * scale[feature] as f32)
            }
            Self::Multiply { by } => f64::from(x as f32 * by[feature] as f32),
            Self::Divide { by } => f64::from(x as f32 / by[feature] as f32),
            Self::Add { what } => f64::from(x as f32 + what[feature] as f32),
        }
    }

    /// Whether the step has finite numbers for `features` features.
    #[must_use]
    pub fn fits(&self, features: usize) -> bool {
        let whole = |list: &[f64]| list.len() == features && list.iter().all(|x| x.is_finite());
        match self {
            Self::Narrow => true,
            Self::Impute { fill, .. } => whole(fill),
            Self::Scale { offset, scale } => whole(offset) && whole(scale),
            Self::Multiply { by: list } | Self::Divide { by: list } | Self::Add { what: list } => {
                whole(list)
            }
        }
    }
}

/// A linear model.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// For each output its weights, one a feature.
    weights: Vec<Vec<f64>>,
    intercepts: Vec<f64>,
    link: Link,
    is_f32: bool,
}

impl Linear {
    /// A model of `weights[output][feature]`, whose predictions are rounded to `f32` where the
    /// library's are.
    ///
    /// # Errors
    /// Where lengths differ or a number is not finite.
    pub fn new(
        weights: Vec<Vec<f64>>,
        intercepts: Vec<f64>,
        link: Link,
        is_f32: bool,
    ) -> Result<Self> {
        let features = weights.first().map_or(0, Vec::len);
        if features == 0 || weights.len() != intercepts.len() {
            return Err(Error::new(format!(
                "{} rows of weights for {} intercepts",
                weights.len(),
                intercepts.len()
            )));
        }
        if weights.iter().any(|row| row.len() != features) {
            return Err(Error::new("the outputs have weights for different features"));
        }
        if !weights.iter().flatten().chain(&intercepts).all(|weight| weight.is_finite()) {
            let advice = "train again: the fit did not converge, or the file is damaged";
            return Err(Error::new("a weight is no finite number").advise(advice));
        }
        Ok(Self { weights, intercepts, link, is_f32 })
    }

    /// Number of raw scores.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.intercepts.len()
    }

    /// Number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.weights[0].len()
    }

    /// The weights of an output, one a feature.
    #[must_use]
    pub fn weights(&self, output: usize) -> &[f64] {
        &self.weights[output]
    }

    /// The link.
    #[must_use]
    pub fn link(&self) -> Link {
        self.link
    }

    pub(super) fn is_f32(&self) -> bool {
        self.is_f32
    }

    /// The raw scores of one row: features in their order, then the intercept.
    pub fn raw_row(&self, row: &[f64], out: &mut [f64]) {
        assert!(out.len() == self.outputs() && row.len() == self.features());
        for (output, out) in out.iter_mut().enumerate() {
            let mut sum = 0.0;
            for (weight, x) in self.weights[output].iter().zip(row) {
                sum += weight * x;
            }
            *out = sum + self.intercepts[output];
        }
    }

    /// The raw scores of rows in columns: all of output 0, then all of output 1, ….
    pub fn raw(&self, columns: &[&[f64]], out: &mut [f64]) {
        let rows = out.len() / self.outputs();
        assert!(out.len() == rows * self.outputs() && columns.len() == self.features());
        for (output, weights) in self.weights.iter().enumerate() {
            let out = &mut out[output * rows..(output + 1) * rows];
            out.fill(0.0);
            for (weight, column) in weights.iter().zip(columns) {
                assert!(column.len() == rows);
                for (out, x) in out.iter_mut().zip(*column) {
                    *out += weight * x;
                }
            }
            for out in out {
                *out += self.intercepts[output];
            }
        }
    }

    /// Weight × value of each feature, and the intercept, for each output.
    pub fn contributions(&self, row: &[f64], out: &mut [f64]) {
        let width = self.features() + 1;
        assert!(out.len() == width * self.outputs() && row.len() + 1 == width);
        for (output, out) in out.chunks_exact_mut(width).enumerate() {
            for ((out, weight), x) in out.iter_mut().zip(&self.weights[output]).zip(row) {
                *out = weight * x;
            }
            out[width - 1] = self.intercepts[output];
        }
    }

    /// Bytes that the model holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        (self.weights.len() * self.features() + self.intercepts.len()) * size_of::<f64>()
    }

    /// The model in a line for `explain`.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("linear, {} outputs", self.outputs())
    }
}
