//! The detector of one shard: batches in, columns out.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{SchemaRef, TimeUnit};
use pelton_scoring::detect::{KeyedRows, KeyedStream, Scores, is_usable, keyed_by_name};

use super::feedback::Pending;
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
    /// Labels that are told, where there is a column of them.
    feedback: Option<Pending>,
    // Buffers.
    ids: Vec<u32>,
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
        let feedback = plan.feedback.as_ref().map(|feedback| Pending::new(feedback, input));
        Ok(Self {
            key_columns,
            columns: columns.collect::<Result<_>>()?,
            unit: plan.unit,
            explains: plan.has_contributions()?,
            keys: KeyIndex::new(&types)?,
            detector: detector.map_err(|error| usage(&error))?,
            feedback: feedback.transpose()?,
            ids: Vec::new(),
        })
    }

    /// Scores the rows, and tells labels between them.
    fn push_with_labels(
        &mut self,
        batch: &Batch,
        rows: Rows<'_>,
        of: KeyedRows<'_>,
        scores: &mut Scores,
    ) {
        let Some(pending) = &mut self.feedback else { return };
        let labels = pending.read(batch);
        let mut row = vec![0.0; of.columns.len()];
        let mut parts = Vec::new();
        for (i, (&key, &time_us)) in of.keys.iter().zip(of.times_us).enumerate() {
            pending.tell_due(key, time_us, &mut *self.detector);
            for (value, column) in row.iter_mut().zip(of.columns) {
                *value = column[i];
            }
            let score = self.detector.push(key, time_us, &row);
            scores.push(&score, row.iter().all(|value| is_usable(*value)));
            if self.explains {
                parts.clear();
                self.detector.contributions(key, &mut parts);
                for (column, part) in scores.contributions.iter_mut().zip(&parts) {
                    column.push(*part);
                }
            }
            pending.take(key, time_us, labels[rows.get(i)], &mut *self.detector);
        }
    }
}

/// The values of the rows as floats, NaN where null: lent out where nothing must be changed.
fn values_of<'a>(
    column: &'a ArrayRef,
    rows: Rows<'_>,
    scratch: &'a mut Vec<f64>,
) -> Cow<'a, [f64]> {
    scratch.resize(column.len(), 0.0);
    let all = floats(column, 0, scratch);
    match rows {
        Rows::All(_) => Cow::Borrowed(all),
        Rows::Some(own) => Cow::Owned(own.iter().map(|&row| all[row as usize]).collect()),
    }
}

/// The times of the rows in microseconds.
fn times_of<'a>(times: &'a [i64], unit: TimeUnit, rows: Rows<'_>) -> Cow<'a, [i64]> {
    match rows {
        Rows::All(_) if unit == TimeUnit::Microsecond => Cow::Borrowed(times),
        Rows::All(_) => times.iter().map(|&time| micros(time, unit)).collect(),
        Rows::Some(own) => own.iter().map(|&row| micros(times[row as usize], unit)).collect(),
    }
}

/// The columns that are added.
fn columns_of(scores: Scores) -> Vec<ArrayRef> {
    let rows = scores.len();
    let bits = |words: Vec<u64>| BooleanBuffer::new(Buffer::from_vec(words), 0, rows);
    let observed = (scores.missing.iter().any(|word| *word != 0))
        .then(|| NullBuffer::new(bits(scores.missing.iter().map(|word| !word).collect())));
    // NaN: the method has no law for the score.
    let known = scores.probability.iter().any(|p| p.is_nan()).then(|| {
        let known = scores.probability.iter().enumerate().map(|(row, probability)| {
            !probability.is_nan() && observed.as_ref().is_none_or(|o| o.is_valid(row))
        });
        NullBuffer::from(known.collect::<Vec<bool>>())
    });
    let floats = |values: Vec<f64>, valid: Option<NullBuffer>| -> ArrayRef {
        Arc::new(Float64Array::new(values.into(), valid))
    };
    let bools = |words: Vec<u64>| -> ArrayRef { Arc::new(BooleanArray::new(bits(words), None)) };
    let mut columns = vec![
        floats(scores.raw, observed.clone()),
        floats(scores.probability, known.or_else(|| observed.clone())),
        bools(scores.flags),
        bools(scores.warming_up),
    ];
    columns.extend(scores.contributions.into_iter().map(|parts| floats(parts, observed.clone())));
    columns
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
        let ids = std::mem::take(&mut self.ids);
        let mut scratch = vec![Vec::new(); self.columns.len()];
        let columns: Vec<Cow<'_, [f64]>> = (self.columns.iter().zip(&mut scratch))
            .map(|(&column, scratch)| values_of(batch.rows.column(column), rows, scratch))
            .collect();
        let columns: Vec<&[f64]> = columns.iter().map(|column| &**column).collect();
        let times = times_of(&times.time, self.unit, rows);
        let of = KeyedRows { keys: &ids, times_us: &times, columns: &columns };
        let contributions = if self.explains { columns.len() } else { 0 };
        let mut scores = Scores::with_capacity(rows.len(), contributions);
        if self.feedback.is_some() {
            self.push_with_labels(batch, rows, of, &mut scores);
        } else {
            self.detector.push_batch(of, &mut scores);
        }
        self.ids = ids;
        Ok(columns_of(scores))
    }

    fn state(&self) -> StateSize {
        let labels = self.feedback.as_ref().map_or(0, Pending::bytes);
        StateSize {
            bytes: self.keys.bytes()
                + (self.detector.bytes() + labels + self.ids.capacity() * 4) as u64,
            keys: self.keys.len() as u64,
            ..StateSize::default()
        }
    }
}
