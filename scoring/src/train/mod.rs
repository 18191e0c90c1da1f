//! Training: gradient-boosted trees (of classes and of numbers) and logistic regression, from
//! columns of numbers and labels.
//!
//! ```text
//! columns ──▶ bins (≤ 254 a feature, and one for missing) ──▶ histograms ──▶ trees, leaf by leaf
//!  labels ──▶ gradients in fixed point ──────────────────────────▲              │
//!     ▲─────────────────────── what the trees say so far ◀──────────────────────┘
//! ```
//!
//! * [`bins`]: each feature's values in at most 254 bins of about as many rows.
//! * [`histogram`]: what gradients and curvatures add up to in each bin, for one leaf.
//! * [`tree`]: one tree: the leaf that gains most is split, until there are enough leaves.
//! * [`mod@boost`]: trees after trees; sampling, early stopping, several models as one.
//! * [`loss`]: what is made less, and its derivatives.
//! * [`lightgbm`]: the trees as LightGBM's text or JSON, which [`crate::model`] and LightGBM read.
//! * [`logistic`]: logistic regression by Newton's method.
//! * [`metrics`]: how good scores are where labels are known: ROC, precision-recall, calibration;
//!   of numbers the error.
//!
//! **Same data, same bits.** Gradients are rounded to multiples of 2⁻³⁰ and added as integers,
//! so sums don't depend on the order of rows, on threads or on SIMD; random numbers are a function
//! of the seed, the tree and the row. Why not a crate: docs/decisions/0005-own-trainer.md.
//!
//! Sources: Friedman, *Greedy function approximation: a gradient boosting machine* (2001); Chen,
//! Guestrin, *XGBoost* (KDD 2016): second-order gain, missing values with a learned direction; Ke
//! and others, *LightGBM* (NIPS 2017): histograms, leaf-wise growth, the smaller child counted and
//! the larger one by difference; Shi and others, *Quantized training of gradient boosting decision
//! trees* (NeurIPS 2022): integer gradients.

pub mod bins;
pub mod boost;
pub mod histogram;
pub mod lightgbm;
pub mod logistic;
pub mod loss;
pub mod metrics;
#[cfg(test)]
mod tests;
pub mod tree;

pub use boost::{Boosted, Boosting, EarlyStopping, boost};
pub use logistic::{LogisticFit, LogisticOptions, fit_logistic};
pub use loss::Objective;

use crate::{Error, Result};

/// What a model is to say of each row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Labels<'a> {
    /// True or false.
    Classes(&'a [bool]),
    /// A number.
    Numbers(&'a [f64]),
}

impl Labels<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Classes(labels) => labels.len(),
            Self::Numbers(labels) => labels.len(),
        }
    }
}

/// What is learned from: features by column, and the label of each row. Rows stand in order of
/// time, which early stopping relies on.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    names: &'a [String],
    columns: &'a [&'a [f64]],
    labels: Labels<'a>,
}

impl<'a> Examples<'a> {
    /// Columns of these names, each as long as `labels`. NaN is missing; ±∞ counts as ±10³⁰⁰.
    ///
    /// # Errors
    /// Where there is no column, a name stands twice or holds white space (LightGBM's text has no
    /// place for it), or lengths differ.
    pub fn new(
        names: &'a [String],
        columns: &'a [&'a [f64]],
        labels: &'a [bool],
    ) -> Result<Examples<'a>> {
        Self::of(names, columns, Labels::Classes(labels))
    }

    /// As [`Examples::new`], of labels of either kind.
    ///
    /// # Errors
    /// As [`Examples::new`].
    pub fn of(
        names: &'a [String],
        columns: &'a [&'a [f64]],
        labels: Labels<'a>,
    ) -> Result<Examples<'a>> {
        if names.is_empty() || names.len() != columns.len() {
            return Err(Error::new(format!("{} names for {} columns", names.len(), columns.len()))
                .advise("give a name for each feature, and at least one feature"));
        }
        for (at, (name, column)) in names.iter().zip(columns).enumerate() {
            if column.len() != labels.len() {
                let what = format!("{} values and {} labels", column.len(), labels.len());
                return Err(Error::new(what).at(name.clone()));
            }
            if name.is_empty() || name.contains(char::is_whitespace) {
                let what = format!("{name:?} cannot be the name of a feature");
                return Err(Error::new(what).advise("use a name without spaces"));
            }
            if names[..at].contains(name) {
                return Err(Error::new(format!("two features are called {name:?}")));
            }
        }
        Ok(Self { names, columns, labels })
    }

    /// Names of the features.
    #[must_use]
    pub fn names(&self) -> &'a [String] {
        self.names
    }

    /// The features, a column each.
    #[must_use]
    pub fn columns(&self) -> &'a [&'a [f64]] {
        self.columns
    }

    /// The labels.
    #[must_use]
    pub fn labels(&self) -> Labels<'a> {
        self.labels
    }

    /// The labels, where they are true or false.
    pub(crate) fn classes(&self) -> Result<&'a [bool]> {
        match self.labels {
            Labels::Classes(labels) => Ok(labels),
            Labels::Numbers(_) => Err(Error::new("labels are numbers, not true or false")),
        }
    }

    /// The rows to learn from must be there, in order, and hold both classes, or numbers.
    pub(crate) fn check_rows(&self, rows: &[u32]) -> Result<()> {
        let in_order = rows.windows(2).all(|pair| pair[0] < pair[1]);
        if !in_order || rows.last().is_some_and(|last| *last as usize >= self.labels.len()) {
            let what = "the rows to learn from are not ascending row numbers of the table";
            return Err(Error::new(what));
        }
        let labels = match self.labels {
            Labels::Classes(labels) => labels,
            Labels::Numbers(labels) => return check_numbers(labels, rows),
        };
        let positives = rows.iter().filter(|row| labels[**row as usize]).count();
        if positives == 0 || positives == rows.len() {
            let what = format!("{positives} of {} rows are labelled true", rows.len());
            return Err(Error::new(what).advise("both classes are needed: take a longer period"));
        }
        Ok(())
    }
}

fn check_numbers(labels: &[f64], rows: &[u32]) -> Result<()> {
    if rows.is_empty() {
        return Err(Error::new("there are no rows to learn from"));
    }
    match rows.iter().find(|row| !labels[**row as usize].is_finite()) {
        Some(row) => {
            let what = format!("the label of row {row} is {}", labels[*row as usize]);
            Err(Error::new(what).advise("leave out rows without a label"))
        }
        None => Ok(()),
    }
}
