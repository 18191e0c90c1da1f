//! Scoring with a model: the memory that it needs, kept between calls.

use std::sync::Arc;

#[cfg(feature = "gpu")]
use pelton_kernels::gpu::{Gpu, GpuError};
use pelton_kernels::score_forest::Scratch;

use super::contributions::{self, Method};
use super::{Estimator, Model};

/// A model and the memory to score with it; one a thread.
#[derive(Debug)]
pub struct Scorer {
    model: Arc<Model>,
    scratch: Option<Scratch>,
    /// Columns after the steps, where there are steps.
    prepared: Vec<Vec<f64>>,
    row: Vec<f64>,
    raw: Vec<f64>,
    one: Vec<f64>,
    predicted: Vec<f64>,
    #[cfg(feature = "gpu")]
    gpu: Option<Gpu>,
    #[cfg(feature = "gpu")]
    gpu_error: Option<GpuError>,
}

impl Scorer {
    /// Memory for a model.
    #[must_use]
    pub fn new(model: Arc<Model>) -> Self {
        let scratch = match model.estimator() {
            Estimator::Forest(forest) => Some(forest.scratch()),
            Estimator::Linear(_) | Estimator::Network(_) => None,
        };
        Self {
            scratch,
            prepared: vec![
                Vec::new();
                if model.steps.is_empty() { 0 } else { model.features.len() }
            ],
            row: Vec::with_capacity(model.features.len()),
            raw: Vec::new(),
            one: vec![0.0; model.raw_outputs()],
            predicted: vec![0.0; model.predictions()],
            #[cfg(feature = "gpu")]
            gpu: None,
            #[cfg(feature = "gpu")]
            gpu_error: None,
            model,
        }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// From now on forests are scored on this GPU (`None`: on the CPU), several rows at a time.
    /// Where it fails, the CPU scores, with the same bits.
    #[cfg(feature = "gpu")]
    pub fn set_gpu(&mut self, gpu: Option<Gpu>) {
        self.gpu = gpu;
    }

    /// Why the GPU has failed since this was asked last, if it has.
    #[cfg(feature = "gpu")]
    pub fn take_gpu_error(&mut self) -> Option<GpuError> {
        self.gpu_error.take()
    }

    /// Whether the GPU has scored the rows.
    #[cfg(feature = "gpu")]
    fn raw_on_gpu(&mut self, columns: &[&[f64]], out: &mut [f64]) -> bool {
        let (Some(gpu), Estimator::Forest(forest)) = (&self.gpu, self.model.estimator()) else {
            return false;
        };
        forest.raw_on(gpu, columns, out).unwrap_or_else(|error| {
            self.gpu_error = Some(error);
            false
        })
    }

    #[cfg(not(feature = "gpu"))]
    fn raw_on_gpu(&mut self, _columns: &[&[f64]], _out: &mut [f64]) -> bool {
        false
    }

    /// Raw scores (before the link) of rows that lie in columns, one a feature in the order of
    /// [`Model::features`]; NaN is a missing value. `out` gets all rows of output 0, then all of
    /// output 1, ….
    ///
    /// # Contract
    /// `columns` has a column a feature, all of one length; `out` has `raw_outputs × rows`
    /// (asserted).
    pub fn raw(&mut self, columns: &[&[f64]], out: &mut [f64]) {
        assert!(columns.len() == self.model.features.len());
        if self.model.steps.is_empty() {
            if !self.raw_on_gpu(columns, out) {
                raw_of(&self.model, &mut self.scratch, columns, out);
            }
            return;
        }
        for (feature, (prepared, column)) in self.prepared.iter_mut().zip(columns).enumerate() {
            prepared.clear();
            prepared.extend(column.iter().map(|value| self.model.prepare(feature, *value)));
        }
        let prepared: Vec<&[f64]> = self.prepared.iter().map(Vec::as_slice).collect();
        raw_of(&self.model, &mut self.scratch, &prepared, out);
    }

    /// Predictions (after the link) of rows that lie in columns.
    ///
    /// # Contract
    /// As [`Scorer::raw`], with [`Model::predictions`] outputs.
    pub fn predict(&mut self, columns: &[&[f64]], out: &mut [f64]) {
        let outputs = self.model.raw_outputs();
        let rows = out.len() / self.predicted.len();
        let mut raw = std::mem::take(&mut self.raw);
        raw.clear();
        raw.resize(rows * outputs, 0.0);
        self.raw(columns, &mut raw);
        for row in 0..rows {
            for (output, one) in self.one.iter_mut().enumerate() {
                *one = raw[output * rows + row];
            }
            self.link();
            for (output, predicted) in self.predicted.iter().enumerate() {
                out[output * rows + row] = *predicted;
            }
        }
        self.raw = raw;
    }

    /// Raw scores of one row, which has a value a feature.
    ///
    /// # Contract
    /// `out` has [`Model::raw_outputs`] values (asserted).
    pub fn raw_row(&mut self, row: &[f64], out: &mut [f64]) {
        self.prepare_row(row);
        match self.model.estimator() {
            Estimator::Forest(forest) => {
                let scratch = self.scratch.get_or_insert_with(|| forest.scratch());
                forest.raw_row(&self.row, scratch, out);
            }
            Estimator::Linear(linear) => linear.raw_row(&self.row, out),
            Estimator::Network(network) => network.raw_row(&self.row, out),
        }
    }

    /// Predictions of one row.
    ///
    /// # Contract
    /// `out` has [`Model::predictions`] values (asserted).
    pub fn predict_row(&mut self, row: &[f64], out: &mut [f64]) {
        let mut one = std::mem::take(&mut self.one);
        self.raw_row(row, &mut one);
        self.one = one;
        self.link();
        out.copy_from_slice(&self.predicted);
    }

    /// What each feature of a row contributed to its raw scores: for each output a value a
    /// feature, and last what the model says without knowing any (the bias). They add up to the
    /// raw score within [`contributions::SUM_TOLERANCE`].
    ///
    /// # Contract
    /// `out` has `raw_outputs × (features + 1)` values (asserted).
    pub fn contributions(&mut self, row: &[f64], method: Method, out: &mut [f64]) {
        self.prepare_row(row);
        match self.model.estimator() {
            Estimator::Forest(forest) => contributions::of_forest(forest, &self.row, method, out),
            Estimator::Linear(linear) => linear.contributions(&self.row, out),
            Estimator::Network(network) => network.contributions(&self.row, out),
        }
    }

    fn prepare_row(&mut self, row: &[f64]) {
        assert!(row.len() == self.model.features.len());
        self.row.clear();
        let model = &self.model;
        self.row.extend(row.iter().enumerate().map(|(feature, x)| model.prepare(feature, *x)));
    }

    fn link(&mut self) {
        match self.model.estimator() {
            Estimator::Forest(forest) => forest.link_row(&mut self.one, &mut self.predicted),
            Estimator::Linear(linear) => linear.link().apply(&self.one, &mut self.predicted),
            Estimator::Network(network) => network.link().apply(&self.one, &mut self.predicted),
        }
        if self.model.is_f32() {
            for value in &mut self.predicted {
                *value = f64::from(*value as f32);
            }
        }
    }
}

impl Model {
    fn prepare(&self, feature: usize, value: f64) -> f64 {
        self.steps.iter().fold(value, |x, step| step.apply(feature, x))
    }
}

fn raw_of(model: &Model, scratch: &mut Option<Scratch>, columns: &[&[f64]], out: &mut [f64]) {
    match model.estimator() {
        Estimator::Forest(forest) => {
            forest.raw(columns, scratch.get_or_insert_with(|| forest.scratch()), out);
        }
        Estimator::Linear(linear) => linear.raw(columns, out),
        Estimator::Network(network) => network.raw(columns, out),
    }
}
