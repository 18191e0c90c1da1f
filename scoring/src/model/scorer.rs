//! Scoring with a model: the memory that it needs, kept between calls.

use std::sync::Arc;

#[cfg(feature = "gpu")]
use pelton_kernels::gpu::{Gpu, GpuError};
use pelton_kernels::score_forest::Scratch;
#[cfg(feature = "gpu")]
use pelton_kernels::score_forest::gpu::{self as on_gpu, ForestError, IN_FLIGHT};
#[cfg(feature = "gpu")]
use pelton_kernels::score_network::gpu as network_on_gpu;

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
}

/// Rows that a GPU scores.
#[cfg(feature = "gpu")]
#[derive(Debug)]
pub struct Flight {
    raw: Raw,
    rows: usize,
}

/// Raw scores under way.
#[cfg(feature = "gpu")]
#[derive(Debug)]
enum Raw {
    Forest(on_gpu::Flight),
    Network(network_on_gpu::Flight),
}

#[cfg(feature = "gpu")]
impl Flight {
    /// How many.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether [`Scorer::land`] would not wait.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match &self.raw {
            Raw::Forest(flight) => flight.is_done(),
            Raw::Network(flight) => flight.is_done(),
        }
    }
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
            model,
        }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Hands rows that lie in columns to a GPU, and does not wait for them: the first of them, as
    /// many as may be in flight at a time ([`Flight::rows`]). The columns are not needed after.
    ///
    /// # Errors
    /// Where the model is linear or does not fit the passes, and what the GPU answers. Then the
    /// CPU is to predict: of forests with the same bits, of networks with those that the GPU's are
    /// near ([`Network`](super::Network)).
    ///
    /// # Contract
    /// As [`Scorer::raw`].
    #[cfg(feature = "gpu")]
    pub fn submit(&mut self, gpu: &Gpu, columns: &[&[f64]]) -> Result<Flight, ForestError> {
        assert!(columns.len() == self.model.features.len());
        let model = Arc::clone(&self.model);
        let rows = columns.first().map_or(0, |column| column.len());
        match model.estimator() {
            Estimator::Forest(forest) => {
                let forest = forest.on(gpu)?;
                let rows = rows.min(IN_FLIGHT * forest.piece_rows::<f64>());
                let flight = self.on_prepared(columns, rows, |columns| forest.submit(columns))?;
                Ok(Flight { raw: Raw::Forest(flight), rows })
            }
            Estimator::Network(network) => {
                let network = network.on(gpu)?;
                let rows = rows.min(IN_FLIGHT * network.piece_rows());
                let flight = self.on_prepared(columns, rows, |columns| network.submit(columns))?;
                Ok(Flight { raw: Raw::Network(flight), rows })
            }
            Estimator::Linear(_) => {
                Err(ForestError::Unfit("it is neither a forest nor a network".to_owned()))
            }
        }
    }

    /// Gives the first rows of columns to `submit`, after the steps.
    #[cfg(feature = "gpu")]
    fn on_prepared<T>(
        &mut self,
        columns: &[&[f64]],
        rows: usize,
        submit: impl FnOnce(&[&[f64]]) -> T,
    ) -> T {
        let first: Vec<&[f64]> = columns.iter().map(|column| &column[..rows]).collect();
        if self.model.steps.is_empty() {
            return submit(&first);
        }
        self.prepare(&first);
        submit(&self.prepared.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// Predictions (after the link) of the rows of a flight, which is waited for.
    ///
    /// # Errors
    /// What the GPU answers; `out` is then as it was.
    ///
    /// # Contract
    /// `out` has [`Model::predictions`] values for each of [`Flight::rows`] (asserted).
    #[cfg(feature = "gpu")]
    pub fn land(&mut self, flight: Flight, out: &mut [f64]) -> Result<(), GpuError> {
        assert!(out.len() == self.predicted.len() * flight.rows);
        let rows = flight.rows;
        let raw = match flight.raw {
            Raw::Forest(flight) => flight.wait()?,
            Raw::Network(flight) => flight.wait()?,
        };
        self.link_rows(&raw, rows, out);
        Ok(())
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
            raw_of(&self.model, &mut self.scratch, columns, out);
            return;
        }
        self.prepare(columns);
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
        self.link_rows(&raw, rows, out);
        self.raw = raw;
    }

    /// Predictions from raw scores.
    fn link_rows(&mut self, raw: &[f64], rows: usize, out: &mut [f64]) {
        for row in 0..rows {
            for (output, one) in self.one.iter_mut().enumerate() {
                *one = raw[output * rows + row];
            }
            self.link();
            for (output, predicted) in self.predicted.iter().enumerate() {
                out[output * rows + row] = *predicted;
            }
        }
    }

    /// Columns after the steps.
    fn prepare(&mut self, columns: &[&[f64]]) {
        for (feature, (prepared, column)) in self.prepared.iter_mut().zip(columns).enumerate() {
            prepared.clear();
            prepared.extend(column.iter().map(|value| self.model.prepare(feature, *value)));
        }
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
