//! A model from a file: LightGBM's text or JSON, XGBoost's JSON or UBJ, scikit-learn's as ONNX
//! ([`pelton_scoring::model`]), or the small JSON of a [`Logistic`].
//!
//! Features are columns of the model's names. Null and NaN are missing values, and mean what they
//! mean to the library that made the model. A text column must be numbered first, with the
//! numbers that the model was trained on.
//!
//! # Which number is the score
//! | predictions of the model | score |
//! |---|---|
//! | one | it |
//! | two (the probabilities of two classes) | that of the second, the positive one |
//! | more, one a class | a column each, `name_0`, `name_1`, …, in the model's order |
//!
//! [`Model::class`] chooses one class in either case. Of an isolation forest the score is its
//! decision function negated: above 0 for outliers, as larger scores are the suspicious ones.
//!
//! # Any number of rows
//! Rows are scored in blocks of [`BLOCK_ROWS`], column by column; a single row has a way of its
//! own that touches no more than the row. Both give the same bits (the kernels' tests hold them
//! to that), so no score depends on batches. What scoring needs of memory is kept between
//! batches, one set for each core that scores at the same time.

#[cfg(feature = "gpu")]
mod flight;
mod read;
mod trained;

use std::path::Path;
use std::sync::Arc;

use arrow::array::Float64Array;
use arrow::datatypes::Schema;
use pelton_scoring::model::{Method, Model as ScoringModel};

use self::trained::Trained;
use super::{Explanation, Logistic, Scorer};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::offload::{Begun, Offload};

/// Rows that are scored together: blocks of some dozens of features stay in the second cache.
const BLOCK_ROWS: usize = 512;

/// A model from a file.
///
/// ```
/// # fn main() -> pelton::Result<()> {
/// use pelton::pipeline::Pipeline;
/// use pelton::score::{Explain, Model};
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../scoring/fixtures/lgb_binary.model.txt");
/// # use arrow::datatypes::{DataType, Field, Schema};
/// # let fields = (0..6).map(|i| Field::new(format!("f{i}"), DataType::Float64, true));
/// # let schema = std::sync::Arc::new(Schema::new(fields.collect::<Vec<_>>()));
/// let model = std::sync::Arc::new(Model::load(path)?);
/// let pipeline = Pipeline::rows(schema)
///     .score("risk", model.clone())
///     .filter(pelton::expr::col("risk").gt(0.9))
///     .explain(Explain::new().scorer(model, 5));
/// assert!(pipeline.explain_plan()?.contains("score risk = LightGBM text: 6 features, 8 trees"));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Model {
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Logistic(Arc<Logistic>),
    Trained(Arc<Trained>),
}

impl From<Logistic> for Model {
    fn from(logistic: Logistic) -> Self {
        Self { form: Form::Logistic(Arc::new(logistic)) }
    }
}

impl From<ScoringModel> for Model {
    fn from(model: ScoringModel) -> Self {
        Self { form: trained_form(Trained::new(Arc::new(model))) }
    }
}

fn trained_form(trained: Trained) -> Form {
    Form::Trained(Arc::new(trained))
}

impl Model {
    /// Reads a model file of any format that is known here; its first bytes tell which.
    ///
    /// # Errors
    /// When the file cannot be read, is larger than [`Model::FILE_BYTES_MAX`], is no model,
    /// damaged, or of a version that is not known: what is wrong with it and where.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = read::bytes(path)?;
        Self::from_bytes(&bytes).map_err(|error| error.within(&path.display().to_string()))
    }

    /// As [`Model::load`], from the bytes of a file.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if read::is_logistic(bytes) {
            let text = std::str::from_utf8(bytes)
                .map_err(|error| Error::run(format!("this is no logistic model: {error}")))?;
            return Ok(Logistic::from_json(text)?.into());
        }
        ScoringModel::load(bytes).map(Self::from).map_err(|error| read::engine_error(&error))
    }

    /// Largest file that [`Model::load`] reads: 2 GiB.
    pub const FILE_BYTES_MAX: u64 = 2 << 30;

    /// The same model with other names for its features, in their order: for files that have
    /// none (ONNX, arrays in XGBoost), where they are called f0, f1, ….
    ///
    /// # Errors
    /// When they are not as many, or not distinct, or the model is a [`Logistic`], which has
    /// names.
    pub fn with_features(self, names: Vec<String>) -> Result<Self> {
        match self.form {
            Form::Trained(trained) => {
                let trained = Arc::unwrap_or_clone(trained).with_features(names)?;
                Ok(Self { form: trained_form(trained) })
            }
            Form::Logistic(_) => {
                Err(Error::usage("the features of a logistic model have names in its file"))
            }
        }
    }

    /// Gives the score of one class (from 0) only, as one column.
    ///
    /// # Errors
    /// When there is no such class.
    pub fn class(self, class: usize) -> Result<Self> {
        match self.form {
            Form::Trained(trained) => {
                let trained = Arc::unwrap_or_clone(trained).of_class(class)?;
                Ok(Self { form: trained_form(trained) })
            }
            Form::Logistic(_) if class == 1 => Ok(self),
            Form::Logistic(_) => Err(Error::usage("a logistic model gives the score of class 1")),
        }
    }

    /// How reasons are computed for forests: exact Shapley values (the default), or fast along
    /// the path of the row. Linear models are always exact.
    #[must_use]
    pub fn explained_by(self, method: Method) -> Self {
        match self.form {
            Form::Trained(trained) => {
                let trained = Arc::unwrap_or_clone(trained).explained_by(method);
                Self { form: trained_form(trained) }
            }
            Form::Logistic(_) => self,
        }
    }

    /// The same model for an input that cannot have these features: they are missing in every
    /// row, as null is. (A logistic model leaves them out: a missing value says nothing there,
    /// unless its file says otherwise.)
    ///
    /// # Errors
    /// When the model has no other features.
    pub fn without(self, absent: &[String]) -> Result<Self> {
        match self.form {
            Form::Trained(trained) => {
                let trained = Arc::unwrap_or_clone(trained).without(absent)?;
                Ok(Self { form: trained_form(trained) })
            }
            Form::Logistic(logistic) if absent.is_empty() => {
                Ok(Self { form: Form::Logistic(logistic) })
            }
            Form::Logistic(logistic) => {
                let kept = logistic.features().iter().filter(|f| !absent.contains(&f.name));
                let kept = kept.cloned().collect();
                let (by, intercept) = (logistic.made_by(), logistic.intercept());
                Ok(Logistic::new(by, kept, intercept, logistic.threshold())?.into())
            }
        }
    }

    /// The score above which its file says that a row is suspicious, where it says so.
    pub fn threshold(&self) -> Option<f64> {
        match &self.form {
            Form::Logistic(logistic) => Some(logistic.threshold()),
            Form::Trained(trained) => trained.model().is_inverse().then_some(0.0),
        }
    }

    /// The names of the features, in the model's order.
    pub fn features(&self) -> Vec<String> {
        match &self.form {
            Form::Logistic(logistic) => logistic.inputs(),
            Form::Trained(trained) => trained.model().features().to_vec(),
        }
    }

    fn scorer(&self) -> &dyn Scorer {
        match &self.form {
            Form::Logistic(logistic) => logistic,
            Form::Trained(trained) => &**trained,
        }
    }
}

impl Scorer for Model {
    fn name(&self) -> &str {
        self.scorer().name()
    }

    fn inputs(&self) -> Vec<String> {
        self.scorer().inputs()
    }

    fn outputs(&self) -> usize {
        self.scorer().outputs()
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        self.scorer().check(schema)
    }

    fn score(&self, batch: &Batch) -> Result<Vec<Float64Array>> {
        self.scorer().score(batch)
    }

    fn explain(&self, batch: &Batch, row: usize) -> Result<Explanation> {
        self.scorer().explain(batch, row)
    }

    fn begin(&self, batch: &Batch, offload: Offload<'_>) -> Result<Begun<Vec<Float64Array>>> {
        #[cfg(feature = "gpu")]
        if let Form::Trained(trained) = &self.form {
            return flight::begin(trained, batch, offload);
        }
        self.scorer().begin(batch, offload)
    }

    #[cfg(feature = "gpu")]
    fn kernels(&self) -> Vec<crate::accel::KernelUse> {
        match &self.form {
            Form::Logistic(_) => Vec::new(),
            Form::Trained(trained) => flight::kernels(trained),
        }
    }

    fn describe(&self) -> String {
        self.scorer().describe()
    }
}
