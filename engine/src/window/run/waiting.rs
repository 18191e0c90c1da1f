//! Rows that wait for the watermark, to leave by (time, position).
//!
//! A heap orders the rows; their columns stay in the arrays in which they came. An array is let
//! go when its last row has left; and when rows that stay (a clock that is ahead) hold on to much
//! more than themselves, they move together.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use arrow::array::{Array, ArrayRef};
use arrow::compute::interleave;

use crate::batch::Position;
use crate::error::Result;

/// Rows held beside waiting ones before these move together: at least so many.
const SPARE_ROWS_MIN: usize = 1 << 14;

/// A row: by time, then position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    time: i64,
    position: Position,
    key: u32,
    row: u32,
    chunk: u64,
}

/// Columns, and how many of their rows wait.
#[derive(Debug)]
struct Chunk {
    columns: Vec<ArrayRef>,
    rows: usize,
    waiting: usize,
}

/// The waiting rows.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    entries: BinaryHeap<Reverse<Entry>>,
    chunks: BTreeMap<u64, Chunk>,
    next_chunk: u64,
    rows_held: usize,
}

/// Rows whose time has come, by (time, position).
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub(super) keys: Vec<u32>,
    pub(super) times: Vec<i64>,
    pub(super) positions: Vec<Position>,
    pub(super) columns: Vec<ArrayRef>,
}

impl Waiting {
    /// Takes rows of a batch's columns in: key, row, time, position of each.
    pub(super) fn add(
        &mut self,
        columns: Vec<ArrayRef>,
        rows: usize,
        waiting: impl Iterator<Item = (u32, u32, i64, Position)>,
    ) -> Result<()> {
        let before = self.entries.len();
        let chunk = self.next_chunk;
        let entry = |(key, row, time, position)| Reverse(Entry { time, position, key, row, chunk });
        self.entries.extend(waiting.map(entry));
        let waiting = self.entries.len() - before;
        if waiting == 0 {
            return Ok(());
        }
        self.next_chunk += 1;
        self.chunks.insert(chunk, Chunk { columns, rows, waiting });
        self.rows_held += rows;
        if self.rows_held > 2 * self.entries.len() + SPARE_ROWS_MIN {
            self.move_together()?;
        }
        Ok(())
    }

    /// Takes out the rows up to a time.
    pub(super) fn ready(&mut self, until: i64) -> Result<Ready> {
        let mut taken = Vec::new();
        while self.entries.peek().is_some_and(|Reverse(entry)| entry.time <= until) {
            taken.extend(self.entries.pop().map(|Reverse(entry)| entry));
        }
        let ready = Ready {
            keys: taken.iter().map(|entry| entry.key).collect(),
            times: taken.iter().map(|entry| entry.time).collect(),
            positions: taken.iter().map(|entry| entry.position).collect(),
            columns: self.columns(&taken)?,
        };
        for entry in &taken {
            if let Some(chunk) = self.chunks.get_mut(&entry.chunk) {
                chunk.waiting -= 1;
                if chunk.waiting == 0 {
                    self.rows_held -= chunk.rows;
                    self.chunks.remove(&entry.chunk);
                }
            }
        }
        Ok(ready)
    }

    /// The columns of rows, in their order.
    fn columns(&self, entries: &[Entry]) -> Result<Vec<ArrayRef>> {
        let chunks: Vec<(&u64, &Chunk)> = self.chunks.iter().collect();
        let Some((_, first)) = chunks.first().filter(|_| !entries.is_empty()) else {
            return Ok(Vec::new());
        };
        let place = |entry: &Entry| {
            let chunk = chunks.partition_point(|(number, _)| **number < entry.chunk);
            (chunk, entry.row as usize)
        };
        let places: Vec<(usize, usize)> = entries.iter().map(place).collect();
        let column = |i: usize| {
            let arrays: Vec<&dyn Array> =
                chunks.iter().map(|(_, chunk)| chunk.columns[i].as_ref()).collect();
            Ok(interleave(&arrays, &places)?)
        };
        (0..first.columns.len()).map(column).collect()
    }

    fn move_together(&mut self) -> Result<()> {
        let mut entries: Vec<Entry> =
            std::mem::take(&mut self.entries).into_iter().map(|Reverse(entry)| entry).collect();
        let columns = self.columns(&entries)?;
        let chunk = self.next_chunk;
        self.next_chunk += 1;
        for (row, entry) in entries.iter_mut().enumerate() {
            (entry.row, entry.chunk) = (row as u32, chunk);
        }
        self.rows_held = entries.len();
        self.chunks.clear();
        self.chunks.insert(chunk, Chunk { columns, rows: entries.len(), waiting: entries.len() });
        self.entries = entries.into_iter().map(Reverse).collect();
        Ok(())
    }

    /// The keys of the waiting rows.
    pub(super) fn keys(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().map(|Reverse(entry)| entry.key)
    }

    /// Gives each key another id.
    pub(super) fn rename(&mut self, new_id: impl Fn(u32) -> u32) {
        let mut entries = std::mem::take(&mut self.entries).into_vec();
        entries.iter_mut().for_each(|Reverse(entry)| entry.key = new_id(entry.key));
        // Keys keep their order: so does the heap, whatever ids come last in it.
        self.entries = entries.into();
    }

    /// Number of waiting rows.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        let columns = self.chunks.values().flat_map(|chunk| &chunk.columns);
        // Of the slice: what it was cut from is not held for these rows alone.
        let slice = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(0);
        let columns: usize = columns.map(slice).sum();
        self.entries.capacity() * size_of::<Entry>() + columns
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn rows_leave_by_time_and_position_and_let_their_arrays_go() {
        let mut waiting = Waiting::default();
        let mut all: Vec<(i64, u64)> = Vec::new();
        let mut out: Vec<(i64, u64)> = Vec::new();
        for batch in 0..400u64 {
            let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(
                (0..100).map(|row| (batch * 100 + row) as i64),
            ))];
            let rows = (0..100u32).map(|row| {
                let offset = batch * 100 + u64::from(row);
                // A few rows stay for long.
                let ahead = if offset % 97 == 0 { 1_000_000 } else { 0 };
                let time = (batch as i64) * 10 - (offset as i64 * 7919) % 50 + ahead;
                (7, row, time, Position { partition: 0, offset })
            });
            all.extend(rows.clone().map(|(_, _, time, position)| (time, position.offset)));
            waiting.add(columns, 100, rows).expect("added");
            let until = if batch == 399 { i64::MAX } else { batch as i64 * 10 - 50 };
            let ready = waiting.ready(until).expect("taken");
            assert!(ready.times.iter().all(|&time| time <= until));
            for (i, (&time, position)) in ready.times.iter().zip(&ready.positions).enumerate() {
                let value = ready.columns[0].as_primitive::<Int64Type>().value(i);
                assert_eq!(value, position.offset as i64);
                out.push((time, position.offset));
            }
            // What left since the last move was at most a few batches.
            assert!(waiting.rows_held <= 2 * waiting.entries.len() + SPARE_ROWS_MIN + 1_000);
        }
        all.sort_unstable();
        assert_eq!(out, all);
        assert!(waiting.chunks.is_empty() && waiting.rows_held == 0);
    }
}
