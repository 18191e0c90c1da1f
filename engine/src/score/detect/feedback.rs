//! Labels that come back: detectors are told which rows were anomalies.
//!
//! ```text
//!  row of key k at t, label in its column ──▶ scored without it ──▶ delay 0: told at once
//!                                                └▶ else waits ──▶ told before k's first row
//!                                                                  at t + delay or later
//! ```
//! An investigator, a repair or a customer says hours or weeks later whether an alert was right.
//! In a recording the label stands in the row, so the delay says when it is known: no score
//! depends on a label that was not known by then. A key's state changes only with the key's own
//! rows, so that a label is told when the key's next row comes; so nothing depends on batches or
//! shards. Labels of a key that are due together are told in the order of their rows.
//!
//! A row without a label (null, NaN) is never told of. Which rows a method wants to be told of is
//! its own choice ([`pelton_scoring::detect::Detector::memo`]); only those wait, so that the room
//! is small.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use pelton_scoring::detect::{KeyedStream, METHODS, Memo, keyed};

use super::usage;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::expr::column_index;
use crate::score::numeric::floats;
use crate::time::Span;

/// Where the labels are, and when they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// The column: true or not 0 is an anomaly, null is not known.
    pub column: String,
    /// How long after its row a label is known.
    pub delay: Span,
}

impl Feedback {
    /// Labels of `column` that are known when their row has been scored.
    pub fn from(column: &str) -> Self {
        Self { column: column.to_owned(), delay: Span::ZERO }
    }

    /// Labels that are known only so much event time after their row.
    #[must_use]
    pub fn after(self, delay: Span) -> Self {
        Self { delay, ..self }
    }

    /// Checks the column, and that the method has a use for labels.
    pub(super) fn check(&self, method: &str, dimensions: usize, schema: &Schema) -> Result<usize> {
        let uses = |name: &str| keyed::uses_labels(name, dimensions);
        if !uses(method).map_err(|error| usage(&error))? {
            let others = METHODS.iter().map(|(name, _)| *name);
            let others: Vec<&str> = others.filter(|name| uses(name).unwrap_or(false)).collect();
            return Err(Error::usage(format!("{method} has no use for labels"))
                .advise(format!("leave the feedback out, or take one of {}", others.join(", "))));
        }
        if self.delay.is_negative() {
            return Err(Error::usage(format!("labels cannot be known {} their rows", self.delay))
                .advise("give the delay after which they are, or none"));
        }
        self.delay.to_units(TimeUnit::Microsecond)?;
        let index = column_index(schema, &self.column)?;
        let data_type = schema.field(index).data_type();
        if data_type.is_integer()
            || matches!(data_type, DataType::Boolean | DataType::Float32 | DataType::Float64)
        {
            return Ok(index);
        }
        Err(Error::usage(format!("column `{}` is {data_type}, which is no label", self.column))
            .advise("name a column of true and false, or 1 and 0"))
    }
}

/// A label that is not known yet.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    due_us: i64,
    memo: Memo,
    anomalous: bool,
}

/// Labels that wait for their time, by key.
pub(super) struct Pending {
    column: usize,
    delay_us: i64,
    waiting: Vec<Vec<Waiting>>,
}

impl Pending {
    pub(super) fn new(feedback: &Feedback, input: &SchemaRef) -> Result<Self> {
        Ok(Self {
            column: column_index(input, &feedback.column)?,
            delay_us: feedback.delay.to_units(TimeUnit::Microsecond)?,
            waiting: Vec::new(),
        })
    }

    /// The labels of a batch.
    pub(super) fn read(&self, batch: &Batch) -> Vec<Option<bool>> {
        let column = batch.rows.column(self.column);
        if let Some(labels) = column.as_boolean_opt() {
            return labels.iter().collect();
        }
        let mut scratch = vec![0.0; column.len()];
        let values = floats(column, 0, &mut scratch);
        values.iter().map(|value| (!value.is_nan()).then_some(*value != 0.0)).collect()
    }

    /// Tells what is known of `key` before its row at `time_us`.
    pub(super) fn tell_due(&mut self, key: u32, time_us: i64, detector: &mut dyn KeyedStream) {
        let Some(waiting) = self.waiting.get_mut(key as usize) else { return };
        if waiting.iter().all(|label| label.due_us > time_us) {
            return;
        }
        waiting.retain(|label| {
            let is_due = label.due_us <= time_us;
            if is_due {
                detector.feedback(key, label.memo, label.anomalous);
            }
            !is_due
        });
    }

    /// The label of the latest row of `key`, which came at `time_us`.
    pub(super) fn take(
        &mut self,
        key: u32,
        time_us: i64,
        label: Option<bool>,
        detector: &mut dyn KeyedStream,
    ) {
        let Some((anomalous, memo)) = label.zip(detector.memo(key)) else { return };
        if self.delay_us == 0 {
            return detector.feedback(key, memo, anomalous);
        }
        let key = key as usize;
        if key >= self.waiting.len() {
            self.waiting.resize_with(key + 1, Vec::new);
        }
        let due_us = time_us.saturating_add(self.delay_us);
        self.waiting[key].push(Waiting { due_us, memo, anomalous });
    }

    /// Bytes of what waits.
    pub(super) fn bytes(&self) -> usize {
        self.waiting.capacity() * size_of::<Vec<Waiting>>()
            + self.waiting.iter().map(Vec::capacity).sum::<usize>() * size_of::<Waiting>()
    }
}
