//! Rows that are kept because late rows may change what is computed of them: for windows that are
//! recomputed from their rows.
//!
//! Their columns stay in the arrays in which they came, a *chunk* a batch; who keeps rows says for
//! each one which row of which chunk it is. A chunk is let go with the last of its rows; and when
//! few rows hold on to much more than themselves, they move together.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arrow::array::{Array, ArrayRef};
use arrow::compute::interleave;

use super::aggregate::{AggregatePlan, Positions, RowSet, Table, plain};
use crate::batch::{Batch, Position};
use crate::error::Result;
use crate::operator::Rows;

/// Rows of chunks beside the kept ones before these move together: at least so many.
const SPARE_ROWS_MIN: usize = 1 << 14;

/// Chunks before they are put together: at least so many, of fewer rows than [`CHUNK_ROWS`] each.
const CHUNKS_MIN: usize = 1 << 10;
const CHUNK_ROWS: usize = 16;

/// A row that is kept; in the order of (time, position).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HeldRow {
    pub(super) time: i64,
    pub(super) position: Position,
    chunk: u64,
    row: u32,
    /// Whether a condition holds (states).
    pub(super) holds: bool,
}

/// The columns of a batch, and how many of their rows are kept.
#[derive(Debug)]
struct Chunk {
    columns: Vec<ArrayRef>,
    rows: usize,
    kept: usize,
}

/// The columns of kept rows.
#[derive(Debug, Default)]
pub(super) struct Held {
    chunks: BTreeMap<u64, Chunk>,
    next: u64,
    /// Rows of all chunks, and those that are kept.
    rows: usize,
    kept: usize,
}

impl Held {
    /// Takes the columns of a batch; until [`Held::settle`], its rows can be kept.
    pub(super) fn begin(&mut self, columns: Vec<ArrayRef>, rows: usize) {
        self.chunks.insert(self.next, Chunk { columns, rows, kept: 0 });
        self.rows += rows;
        self.next += 1;
    }

    /// As [`Held::begin`], of what aggregates read; dictionaries as their values: those of batches
    /// differ.
    ///
    /// # Errors
    /// When a filter cannot be computed.
    pub(super) fn begin_batch(&mut self, of: &AggregatePlan, batch: &Batch) -> Result<()> {
        let mut columns = of.arrays(&batch.rows)?;
        for column in &mut columns {
            let plain = plain(column.data_type());
            if &plain != column.data_type() {
                *column = arrow::compute::cast(column, &plain)?;
            }
        }
        self.begin(columns, batch.len());
        Ok(())
    }

    /// Keeps a row of the batch that came last.
    pub(super) fn keep(&mut self, row: usize, time: i64, position: Position) -> HeldRow {
        let chunk = self.next.saturating_sub(1);
        if let Some(chunk) = self.chunks.get_mut(&chunk) {
            chunk.kept += 1;
            self.kept += 1;
        }
        HeldRow { time, position, chunk, row: row as u32, holds: false }
    }

    /// Lets a row go.
    pub(super) fn release(&mut self, row: &HeldRow) {
        if let Entry::Occupied(mut chunk) = self.chunks.entry(row.chunk) {
            chunk.get_mut().kept -= 1;
            self.kept -= 1;
            if chunk.get().kept == 0 {
                self.rows -= chunk.remove().rows;
            }
        }
    }

    /// Ends a batch, or a release of rows. `all`: every row that is kept, should they have to move
    /// together.
    ///
    /// # Errors
    /// When columns cannot be put together.
    pub(super) fn settle<'a>(&mut self, all: impl Iterator<Item = &'a mut HeldRow>) -> Result<()> {
        if let Entry::Occupied(last) = self.chunks.entry(self.next.saturating_sub(1))
            && last.get().kept == 0
        {
            self.rows -= last.remove().rows;
        }
        let is_sparse = self.rows > 4 * self.kept + SPARE_ROWS_MIN;
        let chunks = self.chunks.len();
        if !is_sparse && (chunks < CHUNKS_MIN || chunks * CHUNK_ROWS < self.kept) {
            return Ok(());
        }
        let mut all: Vec<&mut HeldRow> = all.collect();
        let rows: Vec<HeldRow> = all.iter().map(|row| **row).collect();
        let columns = self.columns(&rows)?;
        for (at, row) in all.iter_mut().enumerate() {
            (row.chunk, row.row) = (self.next, at as u32);
        }
        self.chunks.clear();
        (self.rows, self.kept) = (rows.len(), rows.len());
        self.chunks.insert(self.next, Chunk { columns, rows: rows.len(), kept: rows.len() });
        self.next += 1;
        Ok(())
    }

    /// The columns of rows, in their order; none where there is no row.
    pub(super) fn columns(&self, rows: &[HeldRow]) -> Result<Vec<ArrayRef>> {
        let mut used: Vec<u64> = rows.iter().map(|row| row.chunk).collect();
        used.sort_unstable();
        used.dedup();
        let chunks: Vec<&Chunk> = used.iter().filter_map(|chunk| self.chunks.get(chunk)).collect();
        let Some(first) = chunks.first() else { return Ok(Vec::new()) };
        let place =
            |row: &HeldRow| (used.partition_point(|chunk| *chunk < row.chunk), row.row as usize);
        let places: Vec<(usize, usize)> = rows.iter().map(place).collect();
        let column = |i: usize| -> Result<ArrayRef> {
            let arrays: Vec<&dyn Array> =
                chunks.iter().map(|chunk| chunk.columns[i].as_ref()).collect();
            Ok(interleave(&arrays, &places)?)
        };
        (0..first.columns.len()).map(column).collect()
    }

    /// The states of rows: row i goes into entry `entries[i]` of `len`.
    ///
    /// # Errors
    /// When a state cannot hold its rows.
    pub(super) fn added_up(
        &self,
        of: &AggregatePlan,
        rows: &[HeldRow],
        entries: &[u32],
        len: usize,
    ) -> Result<Table> {
        let mut table = Table::new(of);
        table.resize(len);
        if rows.is_empty() {
            return Ok(table);
        }
        let columns = self.columns(rows)?;
        let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
        let positions: Vec<Position> = rows.iter().map(|row| row.position).collect();
        let set = RowSet {
            rows: Rows::All(rows.len()),
            times: &times,
            positions: Positions::Listed(&positions),
        };
        table.add_rows(&of.lifts, &of.read(&columns)?, &set, entries)?;
        Ok(table)
    }

    pub(super) fn bytes(&self) -> usize {
        let columns = self.chunks.values().flat_map(|chunk| &chunk.columns);
        // Of the slice: what it was cut from is not held for these rows alone.
        columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum()
    }
}
