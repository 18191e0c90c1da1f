//! A batch under construction: its columns, where its rows lie in the text, and its rejects.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use pelton_kernels::simd::Level;
use pelton_kernels::text_parse::Spans;

use super::Dialect;
use super::column::{BadField, Column, ColumnPlan};
use super::segments::Segments;
use crate::decode::{DeadLetter, Decoded, TextOrigin};
use crate::error::Result;

/// A row that was rejected, before its line is known.
struct Reject {
    start: usize,
    end: usize,
    column: Option<String>,
    reason: String,
}

/// A batch under construction. All of its rows and rejects lie in one text.
pub(crate) struct Rows {
    schema: SchemaRef,
    level: Level,
    rows_max: usize,
    columns: Vec<Column>,
    starts: Vec<u32>,
    ends: Vec<u32>,
    /// Rows whose columns have been appended.
    parsed: usize,
    bad: Vec<BadField>,
    rejects: Vec<Reject>,
}

impl Rows {
    /// Batches of at most `rows_max` rows with the columns of `plans`.
    pub fn new(plans: Vec<ColumnPlan>, rows_max: usize, level: Level) -> Self {
        let fields: Vec<_> = plans.iter().map(ColumnPlan::field).collect();
        let columns = plans.into_iter().enumerate().map(|(place, plan)| Column::new(plan, place));
        Self {
            schema: Arc::new(Schema::new(fields)),
            level,
            rows_max: rows_max.max(1),
            columns: columns.collect(),
            starts: vec![],
            ends: vec![],
            parsed: 0,
            bad: vec![],
            rejects: vec![],
        }
    }

    /// Schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The level of the kernels.
    pub fn level(&self) -> Level {
        self.level
    }

    /// How many rows (or rejects) the batch still takes.
    pub fn room(&self) -> usize {
        self.rows_max.saturating_sub(self.starts.len() + self.rejects.len())
    }

    /// Whether there is nothing to give out.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty() && self.rejects.is_empty()
    }

    /// Adds a row that lies at `start..end`; its columns follow with [`Self::append`].
    #[inline(always)]
    pub fn push(&mut self, start: usize, end: usize) {
        self.starts.push(start as u32);
        self.ends.push(end as u32);
    }

    /// Adds `n` rows whose places the caller fills in: starts and ends.
    pub fn push_many(&mut self, n: usize) -> (&mut [u32], &mut [u32]) {
        let known = self.starts.len();
        self.starts.resize(known + n, 0);
        self.ends.resize(known + n, 0);
        (&mut self.starts[known..], &mut self.ends[known..])
    }

    /// Takes the last `n` rows back, which have not been appended.
    pub fn pop_many(&mut self, n: usize) {
        let rows = self.starts.len() - n;
        debug_assert!(rows >= self.parsed);
        self.starts.truncate(rows);
        self.ends.truncate(rows);
    }

    /// Makes room for as many rows as `text_bytes` more of text may bring.
    pub fn reserve(&mut self, text_bytes: usize) {
        let rows = self.rows_hint(text_bytes);
        if self.starts.capacity() == 0 {
            self.starts.reserve(rows);
            self.ends.reserve(rows);
        }
    }

    fn rows_hint(&self, text_bytes: usize) -> usize {
        // A record of a dozen bytes is short; memory that is never touched costs nothing.
        self.rows_max.min(text_bytes / 12 + 1)
    }

    /// Adds a row that is rejected.
    pub fn reject(&mut self, start: usize, end: usize, column: Option<&str>, reason: String) {
        let column = column.map(str::to_owned);
        self.rejects.push(Reject { start, end, column, reason });
    }

    /// Appends to a column the fields of the rows pushed since the last [`Self::appended`];
    /// call it for each column, then that.
    pub fn append_column<S: Spans, D: Dialect>(
        &mut self,
        column: usize,
        text: &[u8],
        dialect: &D,
        fields: &S,
    ) {
        let at = (self.parsed, self.rows_hint(text.len()));
        self.columns[column].append(self.level, text, fields, dialect, at, &mut self.bad);
    }

    /// Ends a round of [`Self::append_column`].
    pub fn appended(&mut self) {
        self.parsed = self.starts.len();
    }

    /// Gives the batch out and starts the next.
    pub fn finish(&mut self, segments: &mut Segments) -> Result<Decoded> {
        let rows = self.starts.len();
        debug_assert_eq!(rows, self.parsed);
        let mut arrays = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            arrays.push(column.finish(rows)?);
        }
        let (mut starts, mut ends) =
            (std::mem::take(&mut self.starts), std::mem::take(&mut self.ends));
        self.parsed = 0;
        if !self.bad.is_empty() {
            let keep = self.reject_bad(&starts, &ends);
            arrays = arrays.iter().map(|array| filter(array, &keep)).collect::<Result<_, _>>()?;
            retain(&mut starts, &keep);
            retain(&mut ends, &keep);
        }
        let rejects = self.dead_letters(segments);
        let (byte_offset, line) = segments.origin();
        let text = segments.text().clone();
        let options = RecordBatchOptions::new().with_row_count(Some(starts.len()));
        Ok(Decoded {
            rows: self.record_batch(arrays, &options)?,
            origin: Some(TextOrigin { text, byte_offset, line, starts, ends }),
            rejects,
            read_at: segments.read_at(),
        })
    }

    fn record_batch(
        &self,
        arrays: Vec<ArrayRef>,
        options: &RecordBatchOptions,
    ) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new_with_options(self.schema(), arrays, options)?)
    }

    /// Turns rows with a bad field into rejects; of several the first in the input is blamed.
    fn reject_bad(&mut self, starts: &[u32], ends: &[u32]) -> BooleanArray {
        let mut bad = std::mem::take(&mut self.bad);
        bad.sort_by_key(|field| (field.row, field.index));
        bad.dedup_by_key(|field| field.row);
        let mut keep = vec![true; starts.len()];
        for BadField { row, column, reason, .. } in bad {
            keep[row] = false;
            let name = self.columns[column].plan().name.clone();
            let (start, end) = (starts[row] as usize, ends[row] as usize);
            self.rejects.push(Reject { start, end, column: Some(name), reason });
        }
        self.rejects.sort_by_key(|reject| reject.start);
        BooleanArray::from(keep)
    }

    fn dead_letters(&mut self, segments: &mut Segments) -> Vec<DeadLetter> {
        let offset = segments.origin().0;
        std::mem::take(&mut self.rejects)
            .into_iter()
            .map(|Reject { start, end, column, reason }| DeadLetter {
                file: segments.name().to_owned(),
                line: segments.line_of(start),
                byte_offset: offset + start as u64,
                column,
                reason,
                // A copy: a reject must not keep its whole block alive.
                raw: Bytes::copy_from_slice(&segments.text()[start..end]),
            })
            .collect()
    }
}

fn retain(values: &mut Vec<u32>, keep: &BooleanArray) {
    let mut row = 0;
    values.retain(|_| {
        row += 1;
        keep.value(row - 1)
    });
}
