//! The file of a logistic model, and what a model must fulfil.
//!
//! ```json
//! {
//!   "kind": "logistic", "version": 1, "made_by": "pelton train fraud --seed 7",
//!   "features": [
//!     {"name": "card_count_10m", "transform": "log1p", "mean": 0.9, "scale": 0.4, "weight": 1.7},
//!     {"name": "speed_kmh", "transform": "clip", "lo": 0, "hi": 2000, "missing": 0, "weight": 0.1}
//!   ],
//!   "intercept": -4.2, "threshold": 0.9
//! }
//! ```

use pelton_kernels::math::{LinearTerm, MAGNITUDE_MAX, Transform};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The only kind and version that there are.
pub(super) const KIND: &str = "logistic";
pub(super) const VERSION: u32 = 1;

/// What a feature's value goes through first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureTransform {
    /// The value itself.
    Identity,
    /// The value itself, between `lo` and `hi`, of which one must be given.
    Clip,
    /// √x; values below 0 count as 0.
    Sqrt,
    /// ln(1 + x); values below 0 count as 0.
    Log1p,
    /// sign(x) · ln(1 + |x|).
    SignedLog1p,
}

/// One feature of a logistic model: `weight · (transform(clamp(x, lo, hi)) − mean) / scale`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// The column.
    pub name: String,
    /// What its value goes through.
    pub transform: FeatureTransform,
    /// Smaller values count as this (before the transform).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lo: Option<f64>,
    /// Larger values count as this (before the transform).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hi: Option<f64>,
    /// Mean of the transformed values in training.
    #[serde(default)]
    pub mean: f64,
    /// Deviation of the transformed values in training; not 0.
    #[serde(default = "one")]
    pub scale: f64,
    /// Stands for the *transformed* value where the column is null, NaN or infinite. Left out:
    /// the mean, so that a missing value says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<f64>,
    /// Log-odds for each `scale` above the mean.
    pub weight: f64,
}

/// NaN is too large as well.
fn too_large(number: f64) -> bool {
    number.is_nan() || number.abs() > MAGNITUDE_MAX
}

fn one() -> f64 {
    1.0
}

impl Feature {
    /// A feature that is weighed as it is; fill in the other fields as needed.
    pub fn new(name: impl Into<String>, transform: FeatureTransform, weight: f64) -> Self {
        let (name, lo, hi, missing) = (name.into(), None, None, None);
        Self { name, transform, lo, hi, mean: 0.0, scale: 1.0, missing, weight }
    }

    /// The value after the clamp and the transform; NaN where it is missing.
    pub fn transformed(&self, x: f64) -> f64 {
        let term = self.term();
        let identity = LinearTerm { mean: 0.0, factor: 1.0, missing: 0.0, ..term };
        let clamped = if x < identity.lo { identity.lo } else { x };
        let clamped = if clamped > identity.hi { identity.hi } else { clamped };
        let value = identity.transform.apply(clamped);
        if value.abs() <= MAGNITUDE_MAX { value } else { f64::NAN }
    }

    /// The feature as the kernel takes it.
    pub(super) fn term(&self) -> LinearTerm {
        LinearTerm {
            transform: match self.transform {
                FeatureTransform::Identity | FeatureTransform::Clip => Transform::Identity,
                FeatureTransform::Sqrt => Transform::Sqrt,
                FeatureTransform::Log1p => Transform::Log1p,
                FeatureTransform::SignedLog1p => Transform::SignedLog1p,
            },
            lo: self.lo.unwrap_or(f64::NEG_INFINITY),
            hi: self.hi.unwrap_or(f64::INFINITY),
            mean: self.mean,
            factor: self.weight / self.scale,
            missing: self.missing.unwrap_or(self.mean),
        }
    }

    /// Whether the kernel's contract holds.
    pub(super) fn validate(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::run(format!("feature `{}`: {what}", self.name)));
        let numbers = [
            ("weight", Some(self.weight)),
            ("mean", Some(self.mean)),
            ("scale", Some(self.scale)),
            ("missing", self.missing),
            ("lo", self.lo),
            ("hi", self.hi),
        ];
        for (field, number) in numbers {
            if number.is_some_and(too_large) {
                return wrong(format!("{field} must be a number no larger than {MAGNITUDE_MAX:e}"));
            }
        }
        if self.scale == 0.0 {
            return wrong("scale is 0; a feature that never varies has no weight to learn".into());
        }
        if too_large(self.weight / self.scale) {
            return wrong("weight / scale is too large".into());
        }
        if let (Some(lo), Some(hi)) = (self.lo, self.hi)
            && lo > hi
        {
            return wrong(format!("lo {lo} is above hi {hi}"));
        }
        if self.transform == FeatureTransform::Clip && self.lo.is_none() && self.hi.is_none() {
            return wrong("transform clip needs lo or hi".into());
        }
        Ok(())
    }
}

/// The file as it stands.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelFile {
    pub(super) kind: String,
    pub(super) version: u32,
    #[serde(default)]
    pub(super) made_by: String,
    pub(super) features: Vec<Feature>,
    pub(super) intercept: f64,
    pub(super) threshold: f64,
}

/// The part of a file that says whether the rest can be understood.
#[derive(Debug, Deserialize)]
pub(super) struct ModelHead {
    pub(super) kind: String,
    pub(super) version: u32,
}
