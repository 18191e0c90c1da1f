//! Scoring columns with a model of [`pelton_scoring::model`].

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::Float64Array;
use arrow::datatypes::Schema;
use pelton_scoring::model::{Method, Model as ScoringModel, Scorer as Memory};

use super::BLOCK_ROWS;
use super::read::engine_error;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::expr::BindCache;
use crate::score::numeric::{check_numeric, float, floats};
use crate::score::{Contribution, Explanation, Scorer};

/// A model that a library trained.
#[derive(Debug)]
pub(super) struct Trained {
    // Set once.
    model: Arc<ScoringModel>,
    names: Vec<Arc<str>>,
    /// Features that the input cannot have.
    absent: Vec<bool>,
    /// The one prediction that is given out; `None`: all.
    prediction: Option<usize>,
    method: Method,
    // Changes.
    /// Where the features stand in the schemas seen last; `None`: missing in every row.
    columns: BindCache<Vec<Option<usize>>>,
    /// Desks that nobody sits at.
    desks: Mutex<Vec<Desk>>,
}

/// The memory of one core that scores.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) memory: Memory,
    /// A block of each feature, where it must be converted.
    pub(super) block: Vec<Vec<f64>>,
    row: Vec<f64>,
    pub(super) out: Vec<f64>,
}

impl Clone for Trained {
    fn clone(&self) -> Self {
        Self {
            model: self.model.clone(),
            names: self.names.clone(),
            absent: self.absent.clone(),
            columns: BindCache::default(),
            desks: Mutex::default(),
            ..*self
        }
    }
}

impl Trained {
    pub(super) fn new(model: Arc<ScoringModel>) -> Self {
        let prediction = match model.predictions() {
            1 => Some(0),
            2 => Some(1),
            _ => None,
        };
        Self {
            names: model.features().iter().map(|name| Arc::from(name.as_str())).collect(),
            absent: vec![false; model.features().len()],
            prediction,
            method: Method::Exact,
            columns: BindCache::default(),
            desks: Mutex::default(),
            model,
        }
    }

    pub(super) fn model(&self) -> &ScoringModel {
        &self.model
    }

    pub(super) fn with_features(self, names: Vec<String>) -> Result<Self> {
        let model = Arc::unwrap_or_clone(self.model).with_features(names);
        let model = Arc::new(model.map_err(|error| engine_error(&error))?);
        Ok(Self { prediction: self.prediction, method: self.method, ..Self::new(model) })
    }

    pub(super) fn of_class(self, class: usize) -> Result<Self> {
        let classes = self.model.predictions();
        if class >= classes {
            return Err(Error::usage(format!(
                "there is no class {class}: the model has {classes}"
            ))
            .advise("classes are numbered from 0"));
        }
        Ok(Self { prediction: Some(class), ..self })
    }

    pub(super) fn explained_by(self, method: Method) -> Self {
        Self { method, ..self }
    }

    pub(super) fn without(mut self, absent: &[String]) -> Result<Self> {
        for (name, is_absent) in self.names.iter().zip(&mut self.absent) {
            *is_absent |= absent.iter().any(|other| **other == **name);
        }
        if self.absent.iter().all(|is_absent| *is_absent) {
            return Err(Error::run("the input has none of the model's features"));
        }
        self.columns = BindCache::default();
        Ok(self)
    }

    /// Where the features stand; the error names every one that does not.
    pub(super) fn bind(&self, schema: &Schema) -> Result<Vec<Option<usize>>> {
        let mut columns = Vec::with_capacity(self.names.len());
        let mut missing = Vec::new();
        for (name, is_absent) in self.names.iter().zip(&self.absent) {
            if *is_absent {
                columns.push(None);
            } else if schema.column_with_name(name).is_some() {
                columns.push(Some(check_numeric(schema, name)?));
            } else {
                missing.push(&**name);
            }
        }
        if missing.is_empty() {
            return Ok(columns);
        }
        let features = self.names.len();
        let what = match missing.as_slice() {
            [one] => format!("the model's feature `{one}` is no column"),
            several => format!(
                "{} of the model's {features} features are no columns: {}",
                several.len(),
                listed(several)
            ),
        };
        Err(Error::usage(what).advise(there_is(schema)))
    }

    pub(super) fn sit_down(&self) -> Desk {
        let free = self.desks.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Desk {
            memory: Memory::new(self.model.clone()),
            block: vec![Vec::new(); self.names.len()],
            row: vec![0.0; self.names.len()],
            out: Vec::new(),
        })
    }

    pub(super) fn stand_up(&self, desk: Desk) {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner).push(desk);
    }

    /// Which predictions are given out.
    pub(super) fn shown(&self) -> std::ops::Range<usize> {
        match self.prediction {
            Some(one) => one..one + 1,
            None => 0..self.model.predictions(),
        }
    }

    /// Where the features stand in a batch.
    pub(super) fn columns_of(&self, batch: &Batch) -> Result<Arc<Vec<Option<usize>>>> {
        self.columns.get(batch.rows.schema_ref(), |schema| self.bind(schema))
    }

    /// Adds the scores of rows `start..start + rows` to `scores`.
    fn score_block(
        &self,
        desk: &mut Desk,
        (batch, columns): (&Batch, &[Option<usize>]),
        (start, rows): (usize, usize),
        scores: &mut [Vec<f64>],
    ) {
        let Desk { memory, block, out, .. } = desk;
        out.resize(self.model.predictions() * rows, 0.0);
        memory.predict(&values_of(block, (batch, columns), (start, rows)), out);
        self.show(out, rows, scores);
    }

    /// Adds those predictions that are given out to `scores`.
    pub(super) fn show(&self, predictions: &[f64], rows: usize, scores: &mut [Vec<f64>]) {
        for (scores, prediction) in scores.iter_mut().zip(self.shown()) {
            scores.extend_from_slice(&predictions[prediction * rows..(prediction + 1) * rows]);
        }
    }

    /// Adds the scores of the rows from `start` on, and makes columns of all.
    pub(super) fn score_from(
        &self,
        mut start: usize,
        (batch, columns): (&Batch, &[Option<usize>]),
        mut scores: Vec<Vec<f64>>,
    ) -> Vec<Float64Array> {
        let rows = batch.len();
        let mut desk = self.sit_down();
        while start < rows {
            let length = BLOCK_ROWS.min(rows - start);
            if length == 1 {
                let Desk { memory, row, out, .. } = &mut desk;
                Self::fill_row(row, batch, columns, start);
                out.resize(self.model.predictions(), 0.0);
                memory.predict_row(row, out);
                self.show(out, 1, &mut scores);
            } else {
                self.score_block(&mut desk, (batch, columns), (start, length), &mut scores);
            }
            start += length;
        }
        self.stand_up(desk);
        if self.model.is_inverse() {
            // Not `−x`, which makes a −0 of 0.
            scores.iter_mut().flatten().for_each(|score| *score = 0.0 - *score);
        }
        scores.into_iter().map(Float64Array::from).collect()
    }

    fn fill_row(row: &mut [f64], batch: &Batch, columns: &[Option<usize>], at: usize) {
        for (value, column) in row.iter_mut().zip(columns) {
            *value = column.map_or(f64::NAN, |index| float(batch.rows.column(index), at));
        }
    }

    /// The prediction of a row that is explained: the one that is given out, or the likeliest.
    fn explained(&self, desk: &mut Desk) -> usize {
        let Desk { memory, row, out, .. } = desk;
        out.resize(self.model.predictions(), 0.0);
        memory.predict_row(row, out);
        let likeliest = || {
            let later_is_less = |(_, a): &(usize, &f64), (_, b): &(usize, &f64)| b.total_cmp(a);
            out.iter().enumerate().min_by(later_is_less).map_or(0, |(class, _)| class)
        };
        match self.model.chosen_class(out) {
            Some(class) => class,
            None => self.prediction.unwrap_or_else(likeliest),
        }
    }
}

impl Scorer for Trained {
    fn name(&self) -> &str {
        self.model.format()
    }

    fn inputs(&self) -> Vec<String> {
        let present = self.names.iter().zip(&self.absent).filter(|(_, is_absent)| !**is_absent);
        present.map(|(name, _)| (**name).to_owned()).collect()
    }

    fn outputs(&self) -> usize {
        self.shown().len()
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        self.bind(schema).map(|_| ())
    }

    fn score(&self, batch: &Batch) -> Result<Vec<Float64Array>> {
        let columns = self.columns_of(batch)?;
        let scores = vec![Vec::with_capacity(batch.len()); self.outputs()];
        Ok(self.score_from(0, (batch, &columns), scores))
    }

    fn explain(&self, batch: &Batch, row: usize) -> Result<Explanation> {
        let rows = batch.len();
        if row >= rows {
            return Err(Error::usage(format!("there is no row {row} in a batch of {rows}")));
        }
        let columns = self.columns_of(batch)?;
        let mut desk = self.sit_down();
        Self::fill_row(&mut desk.row, batch, &columns, row);
        let explained = self.explained(&mut desk);
        let of = self.model.raw_of(explained);
        let width = self.names.len() + 1;
        let Desk { memory, row: values, out, .. } = &mut desk;
        out.resize(self.model.raw_outputs() * width, 0.0);
        memory.contributions(values, self.method, out);
        let parts = &out[of.output * width..(of.output + 1) * width];
        let contribution = |(i, name): (usize, &Arc<str>)| Contribution {
            feature: name.clone(),
            value: (!values[i].is_nan()).then_some(values[i]),
            contribution: of.sign * parts[i],
        };
        let explanation = Explanation {
            base: of.offset + of.sign * parts[width - 1],
            class: (self.model.classes() > 2).then_some(explained),
            contributions: self.names.iter().enumerate().map(contribution).collect(),
        };
        self.stand_up(desk);
        Ok(explanation)
    }

    fn describe(&self) -> String {
        let names: Vec<&str> = self.names.iter().map(|name| &**name).collect();
        let mut text = format!(
            "{}; {} KiB; reads {}",
            self.model.describe(),
            self.model.bytes().div_ceil(1024),
            listed(&names)
        );
        let absent: BTreeSet<&str> = self
            .names
            .iter()
            .zip(&self.absent)
            .filter_map(|(name, is_absent)| is_absent.then_some(&**name))
            .collect();
        if !absent.is_empty() {
            let absent: Vec<&str> = absent.into_iter().collect();
            text.push_str(&format!("; not there, so missing in every row: {}", listed(&absent)));
        }
        text
    }
}

/// The features of rows `start..start + rows` as floats.
pub(super) fn values_of<'a>(
    block: &'a mut [Vec<f64>],
    (batch, columns): (&'a Batch, &[Option<usize>]),
    (start, rows): (usize, usize),
) -> Vec<&'a [f64]> {
    let values = columns.iter().zip(block).map(|(column, block)| {
        block.resize(rows, f64::NAN);
        match column {
            Some(index) => floats(batch.rows.column(*index), start, block),
            None => {
                block.fill(f64::NAN);
                block
            }
        }
    });
    values.collect()
}

/// Some names, and how many more there are.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

/// The columns that a model could read.
fn there_is(schema: &Schema) -> String {
    let fields = schema.fields().iter();
    let numbers = fields.filter(|field| check_numeric(schema, field.name()).is_ok());
    let numbers: Vec<&str> = numbers.map(|field| field.name().as_str()).collect();
    match numbers.is_empty() {
        true => "there is no column of numbers".to_owned(),
        false => format!(
            "the columns of numbers are {}; name the model's features as the columns are named \
             when it is trained",
            listed(&numbers)
        ),
    }
}
