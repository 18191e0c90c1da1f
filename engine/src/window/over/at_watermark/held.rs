//! The rows that windows of blocks still read, in the columns in which they came out of waiting.
//!
//! A row is known by its number in the order (time, position). Chunks of rows hold numbers
//! without gaps; small ones are joined with their neighbours like the digits of a binary counter,
//! so that a row moves a few times at most and chunks stay few.

use std::collections::VecDeque;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{concat, interleave};
use arrow::datatypes::Schema;

use crate::batch::Batch;
use crate::error::Result;
use crate::operator::Rows;
use crate::window::aggregate::{AggregatePlan, Column, Positions, RowSet, Table};

/// Chunks are joined up to so many rows.
const CHUNK_ROWS: usize = 4096;

#[derive(Debug)]
struct Chunk {
    /// Number of the first row.
    first: u64,
    times: Vec<i64>,
    keys: Vec<u32>,
    arrays: Vec<ArrayRef>,
    columns: Vec<Column>,
    /// No columns: only what stands for the rows' positions.
    places: Batch,
}

impl Chunk {
    fn new(
        plan: &AggregatePlan,
        first: u64,
        arrays: Vec<ArrayRef>,
        times: Vec<i64>,
        keys: Vec<u32>,
    ) -> Result<Self> {
        let columns = plan.read(&arrays)?;
        let none = RecordBatch::new_empty(Schema::empty().into());
        Ok(Self { first, times, keys, arrays, columns, places: Batch::new(none, first) })
    }
}

/// Rows in chunks.
#[derive(Debug, Default)]
pub(super) struct Held {
    chunks: VecDeque<Chunk>,
    next: u64,
    rows: usize,
}

impl Held {
    /// Takes rows in; gives the number of the first.
    pub(super) fn add(
        &mut self,
        plan: &AggregatePlan,
        arrays: Vec<ArrayRef>,
        times: &[i64],
        keys: &[u32],
    ) -> Result<u64> {
        let first = self.next;
        self.next += times.len() as u64;
        self.rows += times.len();
        self.chunks.push_back(Chunk::new(plan, first, arrays, times.to_vec(), keys.to_vec())?);
        while let [.., before, last] = self.chunks.make_contiguous()
            && before.times.len() <= last.times.len()
            && before.times.len() + last.times.len() <= CHUNK_ROWS
        {
            let pairs = before.arrays.iter().zip(&last.arrays);
            let arrays = pairs.map(|(a, b)| Ok(concat(&[a.as_ref(), b.as_ref()])?));
            let arrays = arrays.collect::<Result<Vec<_>>>()?;
            let mut times = std::mem::take(&mut before.times);
            times.extend_from_slice(&last.times);
            let mut keys = std::mem::take(&mut before.keys);
            keys.extend_from_slice(&last.keys);
            let joined = Chunk::new(plan, before.first, arrays, times, keys)?;
            self.chunks.truncate(self.chunks.len() - 2);
            self.chunks.push_back(joined);
        }
        Ok(first)
    }

    /// Rows held, needed or not.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds rows to entries of a table: (row, entry), the rows of an entry ascending. The list is
    /// sorted on the way.
    pub(super) fn add_to(
        &self,
        table: &mut Table,
        plan: &AggregatePlan,
        parts: &mut [(u64, u32)],
    ) -> Result<()> {
        // Stable, so that an entry's rows stay in order; a row's chunk is found once a run.
        parts.sort_by_key(|&(row, _)| row);
        let mut rest = &parts[..];
        let (mut rows, mut entries) = (Vec::new(), Vec::new());
        while let Some(&(row, _)) = rest.first() {
            let at = self.chunks.partition_point(|chunk| chunk.first <= row) - 1;
            let chunk = &self.chunks[at];
            let end = chunk.first + chunk.times.len() as u64;
            let (own, others) = rest.split_at(rest.partition_point(|&(row, _)| row < end));
            rest = others;
            rows.clear();
            entries.clear();
            rows.extend(own.iter().map(|&(row, _)| (row - chunk.first) as u32));
            entries.extend(own.iter().map(|&(_, entry)| entry));
            let set = RowSet {
                rows: Rows::Some(&rows),
                times: &chunk.times,
                positions: Positions::Of(&chunk.places),
            };
            table.add_rows(&plan.lifts, &chunk.columns, &set, &entries)?;
        }
        Ok(())
    }

    /// Lets the first chunk go where all its rows are `reach` or more before `now`; gives the key
    /// of each row.
    pub(super) fn pop_older(&mut self, now: i64, reach: u64) -> Option<Vec<u32>> {
        let is_old = |chunk: &mut Chunk| {
            chunk.times.last().is_none_or(|&time| now.wrapping_sub(time) as u64 >= reach)
        };
        let chunk = self.chunks.pop_front_if(is_old)?;
        self.rows -= chunk.times.len();
        Some(chunk.keys)
    }

    /// Keeps only these rows (number, key), ascending, under new numbers from the one returned.
    pub(super) fn keep(&mut self, plan: &AggregatePlan, needed: &[(u64, u32)]) -> Result<u64> {
        let mut places = Vec::with_capacity(needed.len());
        let mut at = 0;
        for &(row, _) in needed {
            while row >= self.chunks[at].first + self.chunks[at].times.len() as u64 {
                at += 1;
            }
            places.push((at, (row - self.chunks[at].first) as usize));
        }
        let columns = self.chunks.front().map_or(0, |chunk| chunk.arrays.len());
        let column = |i: usize| {
            let arrays: Vec<&dyn Array> =
                self.chunks.iter().map(|chunk| chunk.arrays[i].as_ref()).collect();
            Ok(interleave(&arrays, &places)?)
        };
        let arrays = (0..columns).map(column).collect::<Result<Vec<_>>>()?;
        let times = places.iter().map(|&(chunk, row)| self.chunks[chunk].times[row]).collect();
        let keys = needed.iter().map(|&(_, key)| key).collect();
        let first = self.next;
        self.next += needed.len() as u64;
        self.rows = needed.len();
        self.chunks.clear();
        if !needed.is_empty() {
            self.chunks.push_back(Chunk::new(plan, first, arrays, times, keys)?);
        }
        Ok(first)
    }

    pub(super) fn bytes(&self) -> usize {
        let chunk = |chunk: &Chunk| {
            let slice = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(0);
            let arrays: usize = chunk.arrays.iter().map(slice).sum();
            chunk.times.capacity() * 8 + chunk.keys.capacity() * 4 + arrays
        };
        self.chunks.iter().map(chunk).sum()
    }
}
