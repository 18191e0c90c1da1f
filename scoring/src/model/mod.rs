//! Models that were trained elsewhere, read from the files of the libraries that made them.
//!
//! | file | reader | arithmetic |
//! |---|---|---|
//! | LightGBM text, JSON | [`lightgbm`] | `f64` sums in the order of the trees |
//! | XGBoost JSON, UBJ | [`xgboost`] | features and thresholds `f32`, `f32` sums in the order of the trees |
//! | scikit-learn as ONNX: forests, isolation forests, linear and logistic regression behind imputers and scalers | [`onnx`] | features `f32`, as the ONNX runtime; sums `f32` |
//! | small networks as ONNX (scikit-learn's MLP, PyTorch's linear layers) | [`onnx`] | features `f32`, sums `f64` |
//!
//! Raw scores of forests are the library's to the last bit; what a link makes of them is within
//! [`link::LINK_TOLERANCE_F64`] or [`link::LINK_TOLERANCE_F32`]. The fixtures in
//! `scoring/fixtures` hold rows and what the libraries themselves said of them.
//!
//! A [`Model`] is data, checked when it is made: a file that is cut, of another version or
//! malicious ends as an [`Error`] with its place. A [`Scorer`] scores with it, and
//! [`contributions`] explains a score.
//!
//! ```
//! # let text = include_str!("../../fixtures/lgb_binary.model.txt");
//! use std::sync::Arc;
//! use pelton_scoring::model::{Model, Scorer};
//!
//! let model = Arc::new(Model::load(text.as_bytes())?);
//! // Where each feature stands among the columns that there are.
//! let columns = ["day", "f0", "f1", "f2", "f3", "f4", "f5"];
//! assert_eq!(model.bind(&columns)?, [1, 2, 3, 4, 5, 6]);
//! let (mut scorer, mut score) = (Scorer::new(model), [0.0]);
//! scorer.predict_row(&[0.5, -1.0, 0.25, f64::NAN, 1.0, 0.0], &mut score);
//! assert!(score[0] > 0.0 && score[0] < 1.0);
//! # Ok::<(), pelton_scoring::Error>(())
//! ```

#[cfg(test)]
mod bad_tests;
pub mod contributions;
#[cfg(test)]
mod contributions_tests;
pub mod forest;
mod grow;
pub mod lightgbm;
pub mod linear;
pub mod link;
#[cfg(test)]
mod mutation_tests;
pub mod network;
pub mod onnx;
mod scorer;
#[cfg(test)]
mod tests;
pub mod xgboost;

pub use contributions::Method;
pub use forest::Forest;
pub use linear::{Linear, Step};
pub use network::Network;
#[cfg(feature = "gpu")]
pub use scorer::Flight;
pub use scorer::Scorer;

use crate::{Error, Result};

/// A model: how to prepare features, and what to compute from them.
#[derive(Debug, Clone)]
pub struct Model {
    format: &'static str,
    features: Vec<String>,
    steps: Vec<Step>,
    estimator: Estimator,
}

/// What a model computes from its features.
#[derive(Debug, Clone)]
pub enum Estimator {
    /// Sums of leaves.
    Forest(Box<Forest>),
    /// Sums of weights × values.
    Linear(Linear),
    /// Layers of such sums.
    Network(Network),
}

/// `offset + sign × raw[output]`: what one prediction was made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawOf {
    /// Which raw score.
    pub output: usize,
    /// −1 where a row is the less likely (the first of two classes) or the less suspicious (an
    /// isolation forest) the larger the raw score is.
    pub sign: f64,
    /// What is added.
    pub offset: f64,
}

impl Model {
    /// Reads a model of any format that is known here; which one, its first bytes tell.
    ///
    /// # Errors
    /// Where it is none of them, or damaged.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        let trimmed = bytes.trim_ascii_start();
        let text = || {
            std::str::from_utf8(bytes)
                .map_err(|error| damaged(format!("no UTF-8 after byte {}", error.valid_up_to())))
        };
        match trimmed {
            [b't', b'r', b'e', b'e', b'\n' | b'\r', ..] => lightgbm::load_text(text()?),
            [b'{', rest @ ..] => match rest.trim_ascii_start() {
                // UBJ's first key has a length in binary.
                [b'L' | b'l' | b'I' | b'i' | b'U' | b'$' | b'#', ..] => xgboost::load_ubj(bytes),
                _ => load_json(text()?),
            },
            // Protobuf: field 1 (the version), a varint.
            [0x08, ..] => onnx::load_onnx(bytes),
            _ => Err(Error::new("this is no model that is known here").advise(
                "use LightGBM's text or JSON, XGBoost's JSON or UBJ, or ONNX from scikit-learn",
            )),
        }
    }

    /// A forest over features of these names.
    ///
    /// # Errors
    /// Where the names are not as many as the forest's features, or not distinct.
    pub fn forest(format: &'static str, features: Vec<String>, forest: Forest) -> Result<Self> {
        let wanted = forest.trees().features;
        Self::new(format, features, Vec::new(), Estimator::Forest(Box::new(forest)), wanted)
    }

    fn new(
        format: &'static str,
        features: Vec<String>,
        steps: Vec<Step>,
        estimator: Estimator,
        wanted: usize,
    ) -> Result<Self> {
        if features.len() != wanted {
            let what = format!("{} names for {wanted} features", features.len());
            return Err(Error::new(what).advise("give a name for each feature, in their order"));
        }
        let mut sorted: Vec<_> = features.iter().collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::new(format!("two features are called {:?}", pair[0])));
        }
        Ok(Self { format, features, steps, estimator })
    }

    /// The same model with other names for its features, in their order: for files that have
    /// none (ONNX, arrays in XGBoost), where they are called f0, f1, ….
    ///
    /// # Errors
    /// Where they are not as many, or not distinct.
    pub fn with_features(self, names: Vec<String>) -> Result<Self> {
        let wanted = self.features.len();
        Self::new(self.format, names, self.steps, self.estimator, wanted)
    }

    /// Names of the features, in the order of columns and rows.
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// What it computes.
    #[must_use]
    pub fn estimator(&self) -> &Estimator {
        &self.estimator
    }

    /// How features are prepared before the estimator sees them.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Number of raw scores that a row gets.
    #[must_use]
    pub fn raw_outputs(&self) -> usize {
        match &self.estimator {
            Estimator::Forest(forest) => forest.trees().outputs,
            Estimator::Linear(linear) => linear.outputs(),
            Estimator::Network(network) => network.outputs(),
        }
    }

    /// Number of predictions that a row gets: 1, or one a class.
    #[must_use]
    pub fn predictions(&self) -> usize {
        self.link().predictions(self.raw_outputs())
    }

    /// Where it comes from: "LightGBM text".
    #[must_use]
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// Bytes that the model holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.estimator {
            Estimator::Forest(forest) => forest.bytes(),
            Estimator::Linear(linear) => linear.bytes(),
            Estimator::Network(network) => network.bytes(),
        }
    }

    /// Whether smaller predictions are the suspicious ones: an isolation forest's decision
    /// function is negative for outliers.
    #[must_use]
    pub fn is_inverse(&self) -> bool {
        matches!(self.link(), link::Link::Isolation { .. })
    }

    /// Number of classes (or of targets): the predictions of a row, or, where the prediction is
    /// the number of a class, how many numbers there are.
    #[must_use]
    pub fn classes(&self) -> usize {
        match self.link() {
            link::Link::ArgMax => self.raw_outputs(),
            _ => self.predictions(),
        }
    }

    /// The class that predictions name, where they are no probabilities but its number.
    #[must_use]
    pub fn chosen_class(&self, predictions: &[f64]) -> Option<usize> {
        let is_number = self.link() == link::Link::ArgMax;
        is_number.then(|| predictions.first().map_or(0, |class| *class as usize))
    }

    /// The raw score behind the prediction for a class, whose contributions explain it.
    #[must_use]
    pub fn raw_of(&self, class: usize) -> RawOf {
        let is_first = class == 0;
        let sign = if is_first { -1.0 } else { 1.0 };
        match self.link() {
            link::Link::BothLogistic => RawOf { output: 0, sign, offset: 0.0 },
            link::Link::BothIdentity => {
                RawOf { output: 0, sign, offset: f64::from(u8::from(is_first)) }
            }
            // Shorter paths are what makes a row an outlier.
            link::Link::Isolation { .. } => RawOf { output: 0, sign: -1.0, offset: 0.0 },
            _ => RawOf { output: class, sign: 1.0, offset: 0.0 },
        }
    }

    fn link(&self) -> link::Link {
        match &self.estimator {
            Estimator::Forest(forest) => forest.link(),
            Estimator::Linear(linear) => linear.link(),
            Estimator::Network(network) => network.link(),
        }
    }

    /// Whether predictions are rounded to `f32`, as the library's are.
    fn is_f32(&self) -> bool {
        match &self.estimator {
            Estimator::Forest(forest) => {
                forest.trees().sum == pelton_kernels::score_forest::Sum::F32
            }
            Estimator::Linear(linear) => linear.is_f32(),
            Estimator::Network(_) => true,
        }
    }

    /// Where each feature stands among columns of these names.
    ///
    /// # Errors
    /// Where a feature is not among them: which ones, and what there is.
    pub fn bind(&self, available: &[&str]) -> Result<Vec<usize>> {
        let mut positions = Vec::with_capacity(self.features.len());
        let mut missing = Vec::new();
        for feature in &self.features {
            match available.iter().position(|name| name == feature) {
                Some(position) => positions.push(position),
                None => missing.push(format!("{feature:?}")),
            }
        }
        if missing.is_empty() {
            return Ok(positions);
        }
        let what = format!("the model's features {} are not there", listed(&missing));
        let there: Vec<_> = available.iter().map(|name| format!("{name:?}")).collect();
        let advice = match there.is_empty() {
            true => "there is no column of numbers".to_owned(),
            false => format!("there are {}", listed(&there)),
        };
        Err(Error::new(what).advise(advice))
    }

    /// The model in a line, for `explain`: format, trees, layouts.
    #[must_use]
    pub fn describe(&self) -> String {
        let inner = match &self.estimator {
            Estimator::Forest(forest) => forest.describe(),
            Estimator::Linear(linear) => linear.describe(),
            Estimator::Network(network) => network.describe(),
        };
        format!("{}: {} features, {inner}", self.format, self.features.len())
    }
}

/// Some names, and how many more there are.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        _ => shown,
    }
}

/// JSON is LightGBM's or XGBoost's.
fn load_json(text: &str) -> Result<Model> {
    #[derive(serde::Deserialize)]
    struct Kind {
        learner: Option<serde::de::IgnoredAny>,
        tree_info: Option<serde::de::IgnoredAny>,
    }
    let kind: Kind = serde_json::from_str(text).map_err(|error| json_error(&error))?;
    match (kind.learner, kind.tree_info) {
        (Some(_), _) => xgboost::load_json(text),
        (None, Some(_)) => lightgbm::load_json(text),
        (None, None) => Err(Error::new("this JSON is no model that is known here")
            .advise("XGBoost's has \"learner\" in it, LightGBM's has \"tree_info\"")),
    }
}

/// An error of a file that its library cannot have written so.
fn damaged(what: impl Into<String>) -> Error {
    Error::new(what).advise("the file is damaged: save the model again with its library")
}

fn json_error(error: &serde_json::Error) -> Error {
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text).to_owned();
    let advice = match what.as_str() {
        "recursion limit exceeded" => "trees this deep must be saved as text (save_model)",
        _ if error.is_eof() => "the file is cut: save the model again",
        _ => "the file is damaged, or of a version that is not known here",
    };
    Error::new(what).at(place).advise(advice)
}

/// Names for features that have none: f0, f1, ….
fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("f{index}")).collect()
}
