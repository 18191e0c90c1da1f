//! Logistic regression: `p = 1 / (1 + e^−z)`, z = intercept + Σ contribution of each feature.
//!
//! A batch is scored a column at a time: every feature's contributions are added to the rows'
//! sums (in the order of the model, in f64), then all sums become probabilities. Rows go in
//! blocks that stay in the first-level cache together with the column that is being added.
//! Contributions of small integers are computed once: a count is looked up.

mod file;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::array::{Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use pelton_kernels::math::{LinearTerm, Table, add_from_table, add_term, sigmoid_in_place};

pub use self::file::{Feature, FeatureTransform};
use self::file::{KIND, ModelFile, ModelHead, VERSION};
use super::numeric::{check_numeric, counts, float, floats};
use super::{Contribution, Explanation, Scorer};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::expr::BindCache;

/// Rows scored together: sums and one column of them take 16 KiB of a first-level cache.
const BLOCK_ROWS: usize = 1024;

/// A logistic model; its score is a probability.
#[derive(Debug)]
pub struct Logistic {
    made_by: String,
    features: Vec<Feature>,
    intercept: f64,
    threshold: f64,
    /// The features as the kernel takes them.
    terms: Vec<LinearTerm>,
    /// Of features that count: the contributions of small numbers.
    tables: Vec<OnceLock<Box<Table>>>,
    /// The features' names, to be shared by what explains a score.
    names: Vec<Arc<str>>,
    /// Where the features stand in the schema seen last.
    columns: BindCache<Vec<FeatureColumn>>,
}

/// Where a feature stands.
#[derive(Debug)]
struct FeatureColumn {
    index: usize,
    /// Whether it counts, so that its contributions are looked up.
    is_count: bool,
}

impl Logistic {
    /// A model from its parts. `made_by` is the command that made it; a row is suspicious above
    /// the probability `threshold`.
    ///
    /// # Errors
    /// When there is no feature, two have one name, a number is not finite or far too large, a
    /// scale is 0 or the threshold is not within 0 and 1.
    pub fn new(
        made_by: impl Into<String>,
        features: Vec<Feature>,
        intercept: f64,
        threshold: f64,
    ) -> Result<Self> {
        if features.is_empty() {
            return Err(Error::run("a logistic model needs at least one feature"));
        }
        for (i, feature) in features.iter().enumerate() {
            feature.validate()?;
            if features[..i].iter().any(|other| other.name == feature.name) {
                return Err(Error::run(format!("feature `{}` stands twice", feature.name)));
            }
        }
        if !intercept.is_finite() {
            return Err(Error::run(format!("the intercept must be a number, not {intercept}")));
        }
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Error::run(format!("the threshold {threshold} is no probability")));
        }
        let terms = features.iter().map(Feature::term).collect();
        let names = features.iter().map(|feature| Arc::from(feature.name.as_str())).collect();
        let (made_by, columns) = (made_by.into(), BindCache::default());
        let tables = features.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { made_by, features, intercept, threshold, terms, tables, names, columns })
    }

    /// Reads a model from a JSON file.
    ///
    /// # Errors
    /// When the file cannot be read or [`from_json`](Self::from_json) refuses it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
        Self::from_json(&text).map_err(|error| error.at(path.display().to_string()))
    }

    /// Reads a model from JSON text.
    ///
    /// # Errors
    /// When the text is not JSON, of another kind or version, has fields that are unknown or
    /// missing, or when [`new`](Self::new) refuses its parts.
    pub fn from_json(text: &str) -> Result<Self> {
        let broken = |error: serde_json::Error| {
            Error::run(format!("this is no logistic model: {error}"))
                .advise("make it anew, or mend the place that the line and column name")
        };
        // First the head alone, so that a newer file is called newer, and not wrong.
        let head: ModelHead = serde_json::from_str(text).map_err(broken)?;
        if head.kind != KIND {
            return Err(Error::run(format!("the model's kind is `{}`, not `{KIND}`", head.kind)));
        }
        if head.version != VERSION {
            let found = head.version;
            return Err(Error::run(format!("the model has version {found}, not {VERSION}"))
                .advise("make the model anew with this release, or use the release that made it"));
        }
        let file: ModelFile = serde_json::from_str(text).map_err(broken)?;
        Self::new(file.made_by, file.features, file.intercept, file.threshold)
    }

    /// The model as JSON text that [`from_json`](Self::from_json) reads back to the bit.
    pub fn to_json(&self) -> String {
        let file = ModelFile {
            kind: KIND.to_owned(),
            version: VERSION,
            made_by: self.made_by.clone(),
            features: self.features.clone(),
            intercept: self.intercept,
            threshold: self.threshold,
        };
        // Strings and finite numbers: there is nothing in it that JSON cannot hold.
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The features, in the order in which they are summed.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// The log-odds of a row whose features all contribute 0.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The probability above which a row is suspicious.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The command that made the model.
    pub fn made_by(&self) -> &str {
        &self.made_by
    }

    /// Intercept plus contributions of each row, summed in the order of the features.
    ///
    /// # Errors
    /// When a feature's column is missing or holds no numbers.
    pub fn log_odds(&self, batch: &RecordBatch) -> Result<Vec<f64>> {
        let columns = self.bind(batch)?;
        let mut sums = vec![self.intercept; batch.num_rows()];
        let mut scratch = vec![0.0; BLOCK_ROWS.min(batch.num_rows())];
        for (block, sums) in sums.chunks_mut(BLOCK_ROWS).enumerate() {
            let scratch = &mut scratch[..sums.len()];
            for (i, (column, term)) in columns.iter().zip(&self.terms).enumerate() {
                let (array, start) = (batch.column(column.index), block * BLOCK_ROWS);
                let counts = column.is_count.then(|| counts(array, start, sums.len())).flatten();
                if !counts.is_some_and(|counts| add_from_table(counts, self.table(i), sums)) {
                    add_term(floats(array, start, scratch), term, sums);
                }
            }
        }
        Ok(sums)
    }

    fn bind(&self, batch: &RecordBatch) -> Result<Arc<Vec<FeatureColumn>>> {
        self.columns.get(batch.schema_ref(), |schema| self.find_columns(schema))
    }

    fn find_columns(&self, schema: &Schema) -> Result<Vec<FeatureColumn>> {
        let find = |feature: &Feature| {
            let index = check_numeric(schema, &feature.name)?;
            let is_count = *schema.field(index).data_type() == DataType::Int64;
            Ok(FeatureColumn { index, is_count })
        };
        self.features.iter().map(find).collect()
    }

    /// The contributions of small numbers, computed when first asked for.
    fn table(&self, feature: usize) -> &Table {
        let contribution = |i: usize| self.terms[feature].contribution(i as f64);
        self.tables[feature].get_or_init(|| Box::new(std::array::from_fn(contribution)))
    }
}

impl Logistic {
    /// The probability of each row.
    ///
    /// # Errors
    /// As [`Logistic::log_odds`].
    pub fn probabilities(&self, batch: &RecordBatch) -> Result<Float64Array> {
        let mut scores = self.log_odds(batch)?;
        sigmoid_in_place(&mut scores);
        Ok(Float64Array::from(scores))
    }

    /// Weight × value of each feature of a row, after its transform. With the intercept they add
    /// up to the log-odds, to the bit.
    ///
    /// # Errors
    /// As [`Logistic::log_odds`], and when there is no such row.
    pub fn contributions(&self, batch: &RecordBatch, row: usize) -> Result<Vec<Contribution>> {
        let rows = batch.num_rows();
        if row >= rows {
            return Err(Error::usage(format!("there is no row {row} in a batch of {rows}")));
        }
        let columns = self.bind(batch)?;
        let contribution = |(i, name): (usize, &Arc<str>)| {
            let value = float(batch.column(columns[i].index), row);
            Contribution {
                feature: Arc::clone(name),
                value: (!value.is_nan()).then_some(value),
                contribution: self.terms[i].contribution(value),
            }
        };
        Ok(self.names.iter().enumerate().map(contribution).collect())
    }
}

impl Scorer for Logistic {
    fn name(&self) -> &str {
        KIND
    }

    fn inputs(&self) -> Vec<String> {
        self.features.iter().map(|feature| feature.name.clone()).collect()
    }

    fn score(&self, batch: &Batch) -> Result<Vec<Float64Array>> {
        Ok(vec![self.probabilities(&batch.rows)?])
    }

    fn explain(&self, batch: &Batch, row: usize) -> Result<Explanation> {
        let contributions = self.contributions(&batch.rows, row)?;
        Ok(Explanation { base: self.intercept, class: None, contributions })
    }
}
