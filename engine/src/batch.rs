//! The unit that flows from stage to stage: Arrow columns and what Pelton knows of the rows
//! beside them (positions, event times, late marks, when they arrived).
//!
//! A batch is *what has arrived*; its size has no meaning, and no result depends on it.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::datatypes::SchemaRef;
use pelton_kernels::simd::level;

use crate::decode::TextOrigin;
use crate::error::Result;

/// Where a row stands in its source. Total order of all rows of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Index of the input (several files of one source are partitions in the order given).
    pub partition: u32,
    /// Index of the row among the accepted rows of its partition, from 0.
    pub offset: u64,
}

/// The positions of a batch's rows.
#[derive(Debug, Clone)]
pub enum Offsets {
    /// Row `i` has offset `first + i`.
    Contiguous(u64),
    /// Row `i` has offset `offsets[i]` (after a filter); increasing.
    Explicit(Arc<[u64]>),
    /// Row `i` is the i-th that was kept of contiguous rows, of which the first has this offset.
    /// Few ask where a row stands: it is worked out for the first that does.
    Kept(u64, Arc<KeptRows>),
}

/// Rows of which a filter has kept some.
#[derive(Debug)]
pub struct KeptRows {
    mask: Vec<u64>,
    numbers: OnceLock<Vec<u32>>,
}

impl KeptRows {
    /// Those whose bit is set: bit `i % 64` of word `i / 64`.
    pub fn new(mask: Vec<u64>) -> Self {
        Self { mask, numbers: OnceLock::new() }
    }

    /// The numbers of the kept rows, ascending.
    pub fn numbers(&self) -> &[u32] {
        self.numbers.get_or_init(|| {
            let mut numbers = Vec::new();
            pelton_kernels::batch_filter::filter_rows(level(), &self.mask, 0, &mut numbers);
            numbers
        })
    }
}

impl Offsets {
    /// Offset of row `row` of the batch.
    #[inline]
    pub fn get(&self, row: usize) -> u64 {
        match self {
            Self::Contiguous(first) => first + row as u64,
            Self::Explicit(offsets) => offsets[row],
            Self::Kept(first, kept) => first + u64::from(kept.numbers()[row]),
        }
    }
}

/// Event times of a batch's rows, in the unit of the time column, and what the time stage
/// decided about each row in source order.
#[derive(Debug, Clone)]
pub struct RowTimes {
    /// Event time of each row.
    pub time: ScalarBuffer<i64>,
    /// Whether no time is below the one before it; where it is not known, `false`.
    pub sorted: bool,
    /// Set where a row is late: its time is below the largest time before it minus the delay.
    /// `None`: no row of the batch is.
    pub late: Option<BooleanBuffer>,
    /// The largest plausible time among all rows at earlier positions (`i64::MIN` before the
    /// first), for each row. Only kept where a row of the batch is late; elsewhere no row
    /// stands behind it by more than the delay.
    pub largest_before: Option<ScalarBuffer<i64>>,
    /// No row with a time at or below this is expected after this batch (its late rows apart).
    pub watermark: i64,
}

/// Rows on their way through the engine.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The columns.
    pub rows: RecordBatch,
    /// Index of the input that the rows come from.
    pub partition: u32,
    /// The rows' offsets in that input.
    pub offsets: Offsets,
    /// Event times; `None` before the time stage.
    pub times: Option<RowTimes>,
    /// The text that the rows were decoded from, where they came from text.
    pub origin: Option<Arc<TextOrigin>>,
    /// When the block that held the rows was read, or when they were due (open loop).
    pub arrived: Instant,
    /// How many barriers ([`Barrier`](crate::operator::Barrier)) the stream has passed before
    /// these rows; behind windows, before the rows that made them come out.
    pub epoch: u64,
}

impl Batch {
    /// Rows without times or origin, at `offset` of partition 0.
    pub fn new(rows: RecordBatch, offset: u64) -> Self {
        Self {
            rows,
            partition: 0,
            offsets: Offsets::Contiguous(offset),
            times: None,
            origin: None,
            arrived: Instant::now(),
            epoch: 0,
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Position of row `row`.
    pub fn position(&self, row: usize) -> Position {
        Position { partition: self.partition, offset: self.offsets.get(row) }
    }

    /// The same rows with more columns at their end; `schema` is that of all. The columns move:
    /// to name some sixty of them anew, and to let go of the old names, takes longer than to
    /// compute a row.
    ///
    /// # Errors
    /// When the columns are not those of the schema.
    pub fn with_columns(
        self,
        schema: SchemaRef,
        more: impl IntoIterator<Item = ArrayRef>,
    ) -> Result<Self> {
        let rows = self.rows.num_rows();
        let (_, mut columns, _) = self.rows.into_parts();
        columns.reserve_exact(schema.fields().len().saturating_sub(columns.len()));
        columns.extend(more);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(schema, columns, &options)?;
        Ok(Self { rows, ..self })
    }

    /// The same rows with other columns.
    #[must_use]
    pub fn with_rows(&self, rows: RecordBatch) -> Self {
        debug_assert_eq!(rows.num_rows(), self.len());
        Self { rows, ..self.clone() }
    }
}
