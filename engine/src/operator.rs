//! What a stage of the plan is to the runtime: it sees batches and watermarks, never threads.
//!
//! Three shapes cover the engine. A [`MapOperator`] needs no state: any core may run it on any
//! batch. A [`KeyedEnrich`] adds columns to each row from the state of the row's key (the
//! windows that end at each event). A [`KeyedWindow`] swallows rows and gives out other rows
//! when the watermark passes (panes). Keyed operators exist once a shard and see only the rows
//! of their keys, in source order.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::SchemaRef;

use crate::accel::Accelerator;
use crate::batch::{Batch, Position};
use crate::error::Result;
use crate::offload::{Begun, Offload};

/// Which rows of a batch belong to a shard.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// All of them (one shard).
    All(usize),
    /// Those with these indices, increasing.
    Some(&'a [u32]),
}

impl Rows<'_> {
    /// Number of rows.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::All(n) => *n,
            Self::Some(rows) => rows.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Index in the batch of the `i`-th row.
    #[inline]
    pub fn get(&self, i: usize) -> usize {
        match self {
            Self::All(_) => i,
            Self::Some(rows) => rows[i] as usize,
        }
    }
}

/// A cut through the stream, between two rows: what is in front of it is treated as before, what
/// is behind it with what was changed. Batches say in which epoch they are, so the cut is at the
/// same row on every shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Barrier {
    /// The epoch of what is behind it.
    pub epoch: u64,
    /// The earliest epoch of which anything is still under way.
    pub oldest: u64,
}

/// A step without state: batch in, batch out (fewer rows or other columns).
pub trait MapOperator: Send + Sync {
    /// Schema of the output for an input schema.
    ///
    /// # Errors
    /// When a column that the step reads is missing or has a type that it cannot use.
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef>;

    /// Runs the step on one batch.
    ///
    /// # Errors
    /// When a value makes the step impossible (overflow, division by zero on integers).
    fn map(&self, batch: Batch) -> Result<Batch>;

    /// As [`map`](Self::map), where another device may do it meanwhile.
    ///
    /// # Errors
    /// As [`map`](Self::map).
    fn begin(&self, batch: Batch, offload: Offload<'_>) -> Result<Begun<Batch>> {
        let _ = offload;
        self.map(batch).map(Begun::Done)
    }

    /// Asked between two batches, on the thread that lets rows in: takes what was changed from
    /// outside into force for batches of `barrier.epoch` and later ones; whether there was
    /// anything.
    fn on_barrier(&self, barrier: Barrier) -> bool {
        let _ = barrier;
        false
    }

    /// The columns that the step reads; `None`: all of them. What no step reads and no output
    /// shows is not computed.
    fn reads(&self) -> Option<Vec<String>> {
        None
    }

    /// The same step without the columns that no later one reads, where it copies columns; only
    /// called where later steps read these alone.
    fn narrowed(&self, _needed: &HashSet<String>) -> Option<Arc<dyn MapOperator>> {
        None
    }

    /// The columns that the step adds or puts other values in; `None`: it may change any. What
    /// comes through such a step unchanged may be looked up behind it instead of before.
    fn writes(&self) -> Option<Vec<String>> {
        None
    }

    /// The step, where all it does is to take rows out by a condition on each.
    fn as_picker(&self) -> Option<&dyn PickRows> {
        None
    }

    /// The step, where all it does is to add the columns of a static table's row to each row.
    fn as_table(&self) -> Option<&dyn TableRows> {
        None
    }

    /// Whether the step gives out only what it was asked for by name, whatever else there is.
    fn is_projection(&self) -> bool {
        false
    }

    /// Rows that the step has taken out so far, on all cores.
    fn dropped(&self) -> Dropped {
        Dropped::default()
    }

    /// The kernels of the step that a GPU has a pass for, given the columns that come.
    #[cfg(feature = "gpu")]
    fn kernels(&self, input: &SchemaRef) -> Vec<crate::accel::KernelUse> {
        let _ = input;
        Vec::new()
    }

    /// One line for `explain`.
    fn describe(&self) -> String;
}

/// A step that takes rows out by a condition on each. A window right behind it may take the rows in
/// where they stand, by their numbers, instead of having them copied.
pub trait PickRows {
    /// The rows that stay, without nulls; those that go are counted.
    ///
    /// # Errors
    /// When the condition cannot be computed.
    fn keep(&self, batch: &Batch) -> Result<BooleanArray>;

    /// The batch of the rows that stay; a GPU may copy them.
    ///
    /// # Errors
    /// When a column cannot be copied.
    fn picked(
        &self,
        batch: &Batch,
        keep: &BooleanArray,
        accelerator: Option<&Accelerator>,
    ) -> Result<Batch>;
}

/// A step that adds the columns of a static table's row to each row. A window right behind it that
/// is keyed by these alone needs no more of them than which row of the table each row has.
pub trait TableRows {
    /// Number of the table's rows.
    fn table_rows(&self) -> usize;

    /// Names of the columns that the step adds.
    fn added(&self) -> Vec<String>;

    /// Writes the table's row of each of the rows to `found` (cleared first); [`u32::MAX`] where
    /// there is none.
    ///
    /// # Errors
    /// When a key column is missing or cannot be read.
    fn find(&self, batch: &RecordBatch, rows: Rows<'_>, found: &mut Vec<u32>) -> Result<()>;

    /// How rows find theirs by an array alone; `None` where they do not, or some have no code.
    ///
    /// # Errors
    /// When a key column is missing.
    fn codes(&self, batch: &RecordBatch) -> Result<Option<TableCodes<'_>>>;

    /// The columns `names`, of those that the step adds, for a row of the table; nulls for
    /// [`u32::MAX`].
    ///
    /// # Errors
    /// When there is no such column.
    fn columns_of(&self, names: &[String], table_row: u32) -> Result<Vec<ArrayRef>>;
}

/// Codes of rows, and the table's row for each code.
#[derive(Debug)]
pub struct TableCodes<'a> {
    /// The code of each row: integers, none of them null.
    pub column: ArrayRef,
    /// The code of `rows[0]`, as 64 bits; signed ones extended.
    pub low: u64,
    /// The table's row of codes counting up from `low`, and last that of all others;
    /// [`u32::MAX`] where there is none.
    pub rows: &'a [u32],
}

/// Rows that a step has taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// All of them.
    pub rows: u64,
    /// Those among them that were late.
    pub late: u64,
}

impl std::ops::AddAssign for Dropped {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.late += other.late;
    }
}

/// Counts the rows that a step takes out.
#[derive(Debug, Default)]
pub struct DropCount {
    rows: AtomicU64,
    late: AtomicU64,
}

impl DropCount {
    /// Of a batch, the rows for which `keep` is not true are taken out.
    pub fn count(&self, batch: &Batch, keep: &BooleanArray) {
        let rows = keep.len() - keep.true_count();
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        if let Some(late) = batch.times.as_ref().and_then(|times| times.late.as_ref()) {
            let is_kept = |row: usize| keep.is_valid(row) && keep.value(row);
            let rows = late.set_indices().filter(|&row| !is_kept(row)).count();
            self.late.fetch_add(rows as u64, Ordering::Relaxed);
        }
    }

    /// What was counted.
    pub fn get(&self) -> Dropped {
        let [rows, late] = [&self.rows, &self.late].map(|count| count.load(Ordering::Relaxed));
        Dropped { rows, late }
    }
}

/// Adds columns to each row from its key's state.
pub trait KeyedEnrich: Send {
    /// The new columns, each `rows.len()` long, in the order of the rows.
    ///
    /// # Errors
    /// When an aggregate overflows.
    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<Vec<ArrayRef>>;

    /// Bytes of state held (logs, tables, indices) as allocated.
    fn state(&self) -> StateSize;
}

/// A step of a plan that adds columns by key: checked once, made once a shard.
pub trait KeyedStep: Send + Sync {
    /// The key columns: rows of one key come to one shard. None: all rows come to one shard.
    fn keys(&self) -> &[String];

    /// Schema of the output for an input schema: its columns, and the new ones behind them.
    ///
    /// # Errors
    /// When a column that the step reads is missing or has a type that it cannot use, or a new
    /// one is there already.
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef>;

    /// The operator of one shard, which has seen nothing.
    ///
    /// # Errors
    /// As [`KeyedStep::output_schema`].
    fn build(&self, input: &SchemaRef) -> Result<Box<dyn KeyedEnrich>>;

    /// The columns that the step reads, its keys among them.
    fn reads(&self) -> Vec<String>;

    /// One line for `explain`.
    fn describe(&self) -> String;
}

/// Size of an operator's state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateSize {
    /// Bytes allocated in all.
    pub bytes: u64,
    /// Bytes of the row logs alone.
    pub log_bytes: u64,
    /// Rows held in the logs.
    pub log_rows: u64,
    /// Keys known.
    pub keys: u64,
    /// Rows that came so late that part of their history was forgotten.
    pub rows_beyond_memory: u64,
}

impl std::ops::AddAssign for StateSize {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.log_bytes += other.log_bytes;
        self.log_rows += other.log_rows;
        self.keys += other.keys;
        self.rows_beyond_memory += other.rows_beyond_memory;
    }
}

/// Rows that windows gave out, and the keys of their order.
#[derive(Debug, Clone)]
pub struct WindowRows {
    /// The rows: `window_start`, `window_end`, the key columns, the aggregates.
    pub rows: RecordBatch,
    /// Time of each row: that of the last unit in its window (window_end − 1).
    pub times: ScalarBuffer<i64>,
    /// For each row (window_end, window_start, position at which its key was first seen):
    /// rows are sorted by it, within the shard and when shards meet. May be empty where the
    /// shard is alone.
    pub order: Vec<(i64, i64, Position)>,
}

/// Swallows rows, gives out windows.
pub trait KeyedWindow: Send {
    /// Says, before the first batch, that there is no other shard, so that nobody needs
    /// [`WindowRows::order`] to merge rows; and how many partitions the rows come from.
    fn set_alone(&mut self, _partitions: usize) {}

    /// What a GPU may do of it from now on; said once, before the first batch.
    fn set_accelerator(&mut self, _accelerator: &Accelerator) {}

    /// Takes the rows in; late ones have been set aside before.
    ///
    /// # Errors
    /// When an aggregate overflows.
    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()>;

    /// Gives out the windows that end at or before `watermark + 1` unit (that is: no row that
    /// could fall into them is expected), sorted. `i64::MAX` closes all.
    ///
    /// # Errors
    /// When an aggregate overflows.
    fn on_watermark(&mut self, watermark: i64) -> Result<Option<WindowRows>>;

    /// More of what the last watermark gave out, behind it; asked for until there is none before
    /// anything else. Only a shard that is alone gives rows out in pieces.
    ///
    /// # Errors
    /// When keys exceed what an array can hold (2 GiB of text).
    fn next_rows(&mut self) -> Result<Option<WindowRows>> {
        Ok(None)
    }

    /// Whether [`KeyedWindow::next_rows`] has something to give.
    fn has_more(&self) -> bool {
        false
    }

    /// Gives out windows that are open, where the plan says that they are given out at intervals
    /// of processing time, and one has passed.
    ///
    /// # Errors
    /// When an aggregate overflows.
    fn on_tick(&mut self) -> Result<Option<WindowRows>> {
        Ok(None)
    }

    /// Bytes of state held.
    fn state(&self) -> StateSize;
}
