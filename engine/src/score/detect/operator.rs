//! The detector of one shard: batches in, columns out.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{SchemaRef, TimeUnit};
use pelton_scoring::detect::{KeyedStream, Score, is_usable, keyed_by_name};

use super::{DetectPlan, usage};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::expr::column_index;
use crate::operator::{KeyedEnrich, KeyedStep, Rows, StateSize};
use crate::score::numeric::{check_numeric, floats};
use crate::state::keys::KeyIndex;

/// The states of a shard's keys.
pub(super) struct Detect {
    // Set once.
    key_columns: Vec<usize>,
    columns: Vec<usize>,
    unit: TimeUnit,
    explains: bool,
    // Changes.
    keys: KeyIndex,
    detector: Box<dyn KeyedStream>,
    // Buffers.
    ids: Vec<u32>,
    /// A column's values of a whole batch after the other.
    values: Vec<f64>,
    row: Vec<f64>,
    parts: Vec<f64>,
}

impl Detect {
    /// A detector that has seen nothing.
    pub(super) fn new(plan: &DetectPlan, input: &SchemaRef) -> Result<Self> {
        let indices = |names: &[String]| -> Result<Vec<usize>> {
            names.iter().map(|name| column_index(input, name)).collect()
        };
        let key_columns = indices(plan.keys())?;
        let types: Vec<_> =
            key_columns.iter().map(|&key| input.field(key).data_type().clone()).collect();
        let columns = plan.columns.iter().map(|name| check_numeric(input, name));
        let detector = keyed_by_name(&plan.method, plan.columns.len());
        Ok(Self {
            key_columns,
            columns: columns.collect::<Result<_>>()?,
            unit: plan.unit,
            explains: plan.has_contributions()?,
            keys: KeyIndex::new(&types)?,
            detector: detector.map_err(|error| usage(&error))?,
            ids: Vec::new(),
            values: Vec::new(),
            row: vec![0.0; plan.columns.len()],
            parts: Vec::new(),
        })
    }

    /// The watched columns as floats, one after the other.
    fn read(&mut self, batch: &Batch) {
        let rows = batch.len();
        self.values.resize(rows * self.columns.len(), 0.0);
        for (&column, scratch) in self.columns.iter().zip(self.values.chunks_exact_mut(rows)) {
            // Floats without nulls are lent out where they are: then they are copied here.
            let mut own = std::mem::take(&mut self.parts);
            own.resize(rows, 0.0);
            scratch.copy_from_slice(floats(batch.rows.column(column), 0, &mut own));
            self.parts = own;
        }
    }
}

/// Columns in the making.
struct Columns {
    scores: Vec<f64>,
    probabilities: Vec<f64>,
    observed: Vec<bool>,
    known: Vec<bool>,
    flags: Vec<bool>,
    warming_up: Vec<bool>,
    contributions: Vec<Vec<f64>>,
}

impl Columns {
    fn new(rows: usize, contributions: usize) -> Self {
        Self {
            scores: Vec::with_capacity(rows),
            probabilities: Vec::with_capacity(rows),
            observed: Vec::with_capacity(rows),
            known: Vec::with_capacity(rows),
            flags: Vec::with_capacity(rows),
            warming_up: Vec::with_capacity(rows),
            contributions: vec![Vec::with_capacity(rows); contributions],
        }
    }

    fn push(&mut self, score: &Score, observed: bool) {
        let probability = score.tail();
        self.scores.push(score.raw);
        self.probabilities.push(probability);
        self.observed.push(observed);
        self.known.push(observed && !probability.is_nan());
        self.flags.push(score.flag);
        self.warming_up.push(score.warming_up);
    }

    fn finish(self) -> Vec<ArrayRef> {
        let floats = |values: Vec<f64>, valid: &NullBuffer| -> ArrayRef {
            let nulls = (valid.null_count() > 0).then(|| valid.clone());
            Arc::new(Float64Array::new(values.into(), nulls))
        };
        let bools = |values: Vec<bool>| -> ArrayRef {
            Arc::new(BooleanArray::new(BooleanBuffer::from(values), None))
        };
        let observed = NullBuffer::from(self.observed);
        let mut columns = vec![
            floats(self.scores, &observed),
            floats(self.probabilities, &NullBuffer::from(self.known)),
            bools(self.flags),
            bools(self.warming_up),
        ];
        columns.extend(self.contributions.into_iter().map(|parts| floats(parts, &observed)));
        columns
    }
}

/// An event time in microseconds since 1970, as detectors take it; beyond 292,000 years it stays
/// at the end.
fn micros(time: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => time.saturating_mul(1_000_000),
        TimeUnit::Millisecond => time.saturating_mul(1_000),
        TimeUnit::Microsecond => time,
        TimeUnit::Nanosecond => time.div_euclid(1_000),
    }
}

impl KeyedEnrich for Detect {
    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<Vec<ArrayRef>> {
        let Some(times) = &batch.times else {
            return Err(Error::run("a detector was given rows without event times"));
        };
        let keys: Vec<ArrayRef> =
            self.key_columns.iter().map(|&key| batch.rows.column(key).clone()).collect();
        self.keys.ids(&keys, rows, &mut self.ids)?;
        self.read(batch);
        let contributions = if self.explains { self.columns.len() } else { 0 };
        let mut columns = Columns::new(rows.len(), contributions);
        for (i, &key) in self.ids.iter().enumerate() {
            let at = rows.get(i);
            for (value, column) in self.row.iter_mut().zip(self.values.chunks_exact(batch.len())) {
                *value = column[at];
            }
            let score = self.detector.push(key, micros(times.time[at], self.unit), &self.row);
            let all = self.row.iter().all(|value| is_usable(*value));
            columns.push(&score, all || score != Score::MISSING);
            if self.explains {
                self.parts.clear();
                self.detector.contributions(key, &mut self.parts);
                for (column, part) in columns.contributions.iter_mut().zip(&self.parts) {
                    column.push(*part);
                }
            }
        }
        Ok(columns.finish())
    }

    fn state(&self) -> StateSize {
        let buffers =
            self.ids.capacity() * 4 + (self.values.capacity() + self.parts.capacity()) * 8;
        StateSize {
            bytes: self.keys.bytes() + (self.detector.bytes() + buffers) as u64,
            keys: self.keys.len() as u64,
            ..StateSize::default()
        }
    }
}
