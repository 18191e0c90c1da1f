//! Rows that wait for the watermark, and leave by (time, position).
//!
//! Only times and places are sorted; columns stay in the arrays in which they came, and are put
//! together once a release.
//!
//! ```text
//!  batch 7  ▒▒▒▒▒▒▒▒   ┐                       ┌ times   ascending
//!  batch 8  ▒▒▒▒▒▒▒▒   ┴─▶ (time, batch, row) ─┴ columns gathered once
//! ```
//! Batches at full speed are large and nearly all of a batch leaves with the next one: what
//! leaves is cut off and sorted by counting (stable, so equal times stay by position). Batches of
//! a few rows are put into a sorted list instead, from its end, where new rows belong. So a
//! release never costs more than what it moves.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::UInt32Type;

use super::gather::gather;
use super::order::{Spare, sort_by_time};
use crate::batch::{Offsets, Position};
use crate::error::Result;
use crate::state::keys::NO_ID;
use crate::window::expiry::Survivors;

/// Batches up to so many rows are put into a sorted list.
const FEW_ROWS: usize = 32;

/// Rows held beside waiting ones before these move together: at least so many.
const SPARE_ROWS_MIN: usize = 1 << 14;

/// A waiting row: its time, and where it is (chunk << 32 | row).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Entry {
    pub(super) time: i64,
    pub(super) place: u64,
}

/// Chunks, and how many rows of each.
type ChunkRows = Vec<(usize, usize)>;

/// Where the rows of a chunk stand in their source.
#[derive(Debug)]
enum Places {
    Batch { partition: u32, offsets: Offsets },
    Listed(Vec<Position>),
}

#[derive(Debug)]
struct Chunk {
    columns: Vec<ArrayRef>,
    places: Places,
    rows: usize,
    waiting: usize,
}

impl Chunk {
    fn position(&self, row: usize) -> Position {
        match &self.places {
            Places::Batch { partition, offsets } => {
                Position { partition: *partition, offset: offsets.get(row) }
            }
            Places::Listed(positions) => positions[row],
        }
    }
}

/// The waiting rows.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    entries: Vec<Entry>,
    /// How many of them have come since rows were last taken out.
    added: usize,
    /// Whether the others are in order.
    sorted: bool,
    chunks: VecDeque<Chunk>,
    /// Number of the first chunk.
    first_chunk: u32,
    rows_held: usize,
    /// Whether some chunk came before one of a lower partition: then the order of arrival is not
    /// that of positions.
    turned: bool,
    last_partition: u32,
    // Buffers.
    ready: Vec<Entry>,
    spare: Spare,
}

/// Rows whose time has come, by (time, position).
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub(super) times: Vec<i64>,
    pub(super) positions: Vec<Position>,
    pub(super) columns: Vec<ArrayRef>,
}

impl Waiting {
    /// Takes rows of a batch in: its columns, and of those that wait row and time, in order.
    pub(super) fn add(
        &mut self,
        columns: Vec<ArrayRef>,
        (partition, offsets, rows): (u32, Offsets, usize),
        waiting: impl Iterator<Item = (u32, i64)>,
    ) -> Result<()> {
        if self.entries.is_empty() {
            self.turned = false;
            self.chunks.clear();
            (self.first_chunk, self.rows_held) = (0, 0);
        } else if self.first_chunk as usize + self.chunks.len() >= u32::MAX as usize {
            self.move_together()?;
        }
        let before = self.entries.len();
        let chunk = u64::from(self.first_chunk) + self.chunks.len() as u64;
        let entry = |(row, time)| Entry { time, place: chunk << 32 | u64::from(row) };
        self.entries.extend(waiting.map(entry));
        let waiting = self.entries.len() - before;
        self.added += waiting;
        if waiting == 0 {
            return Ok(());
        }
        self.turned |= before > 0 && partition < self.last_partition;
        self.last_partition = partition;
        let places = Places::Batch { partition, offsets };
        self.chunks.push_back(Chunk { columns, places, rows, waiting });
        self.rows_held += rows;
        if self.rows_held > 2 * self.entries.len() + SPARE_ROWS_MIN {
            self.move_together()?;
        }
        Ok(())
    }

    /// Takes out the rows up to a time; none: nothing. Their positions where they are asked for.
    pub(super) fn ready(&mut self, until: i64, with_positions: bool) -> Result<Option<Ready>> {
        self.cut(until);
        if self.ready.is_empty() {
            return Ok(None);
        }
        let mut taken = std::mem::take(&mut self.ready);
        if self.turned {
            taken.sort_by_key(|entry| (entry.time, self.position(entry)));
        }
        let positions = match with_positions {
            true => taken.iter().map(|entry| self.position(entry)).collect(),
            false => Vec::new(),
        };
        let (columns, counts) = self.columns(&taken)?;
        let times = taken.iter().map(|entry| entry.time).collect();
        for (chunk, rows) in counts {
            self.chunks[chunk].waiting -= rows;
        }
        while let Some(chunk) = self.chunks.pop_front_if(|chunk| chunk.waiting == 0) {
            self.rows_held -= chunk.rows;
            self.first_chunk += 1;
        }
        taken.clear();
        self.ready = taken;
        Ok(Some(Ready { times, positions, columns }))
    }

    /// Moves the entries up to a time to `ready`, sorted by (time, arrival).
    fn cut(&mut self, until: i64) {
        let added = std::mem::take(&mut self.added);
        if added <= FEW_ROWS {
            let known = self.entries.len() - added;
            if !self.sorted {
                self.entries[..known].sort_unstable();
                self.sorted = true;
            }
            for i in known..self.entries.len() {
                let entry = self.entries[i];
                let at = self.entries[..i].partition_point(|other| *other <= entry);
                self.entries[at..=i].rotate_right(1);
            }
            let ready = self.entries.partition_point(|entry| entry.time <= until);
            self.ready.extend(self.entries.drain(..ready));
            return;
        }
        // Both ways, without a branch: in disorder nobody can foretell which it will be.
        self.ready.resize(self.entries.len(), Entry::default());
        let (mut ready, mut stay) = (0, 0);
        for i in 0..self.entries.len() {
            let entry = self.entries[i];
            self.ready[ready] = entry;
            self.entries[stay] = entry;
            let stays = usize::from(entry.time > until);
            stay += stays;
            ready += 1 - stays;
        }
        self.ready.truncate(ready);
        self.entries.truncate(stay);
        self.sorted = false;
        sort_by_time(&mut self.ready, &mut self.spare);
    }

    fn chunk_of(&self, entry: &Entry) -> usize {
        ((entry.place >> 32) as u32 - self.first_chunk) as usize
    }

    fn position(&self, entry: &Entry) -> Position {
        self.chunks[self.chunk_of(entry)].position(entry.place as u32 as usize)
    }

    /// The columns of rows, in their order; and how many of them each chunk has.
    fn columns(&self, entries: &[Entry]) -> Result<(Vec<ArrayRef>, ChunkRows)> {
        // Most chunks that wait have no row among them where batches are small.
        let mut used = ChunkRows::new();
        let mut number = vec![u32::MAX; self.chunks.len()];
        let mut places = Vec::with_capacity(entries.len());
        for entry in entries {
            let chunk = self.chunk_of(entry);
            if number[chunk] == u32::MAX {
                number[chunk] = used.len() as u32;
                used.push((chunk, 0));
            }
            let array = number[chunk] as usize;
            used[array].1 += 1;
            places.push((array, entry.place as u32 as usize));
        }
        let columns = used.first().map_or(0, |&(first, _)| self.chunks[first].columns.len());
        let column = |i: usize| {
            let arrays: Vec<&ArrayRef> =
                used.iter().map(|&(chunk, _)| &self.chunks[chunk].columns[i]).collect();
            gather(&arrays, &places)
        };
        Ok(((0..columns).map(column).collect::<Result<_>>()?, used))
    }

    /// Lets go of what is held beside the waiting rows.
    fn move_together(&mut self) -> Result<()> {
        let (columns, _) = self.columns(&self.entries)?;
        let positions = self.entries.iter().map(|entry| self.position(entry)).collect();
        // Ties by arrival would be lost where arrival was not in the order of positions.
        let rows = self.entries.len();
        let order: Vec<u64> = self.entries.iter().map(|entry| entry.place).collect();
        let mut ranks: Vec<u32> = (0..rows as u32).collect();
        ranks.sort_unstable_by_key(|&i| order[i as usize]);
        let columns = columns
            .iter()
            .map(|column| {
                let ranks = arrow::array::UInt32Array::from(ranks.clone());
                Ok(arrow::compute::take(column, &ranks, None)?)
            })
            .collect::<Result<Vec<_>>>()?;
        let listed: Vec<Position> = positions;
        let places = Places::Listed(ranks.iter().map(|&i| listed[i as usize]).collect());
        for (row, &i) in ranks.iter().enumerate() {
            self.entries[i as usize].place = row as u64;
        }
        self.chunks.clear();
        (self.first_chunk, self.rows_held) = (0, rows);
        self.chunks.push_back(Chunk { columns, places, rows, waiting: rows });
        Ok(())
    }

    /// The ids of the waiting rows' keys: their first column.
    pub(super) fn keys(&self) -> impl Iterator<Item = u32> {
        let ids = |chunk: &Chunk| chunk.columns[0].as_primitive::<UInt32Type>().values().clone();
        let ids: Vec<ScalarBuffer<u32>> = self.chunks.iter().map(ids).collect();
        self.entries.iter().map(move |entry| ids[self.chunk_of(entry)][entry.place as u32 as usize])
    }

    /// Keys have got new ids; none of a waiting row was forgotten.
    pub(super) fn rename_keys(&mut self, survivors: &Survivors) {
        for chunk in &mut self.chunks {
            let ids = chunk.columns[0].as_primitive::<UInt32Type>().values().iter();
            // Rows that have left may be of keys that are gone.
            let new = |&id: &u32| survivors.new_ids.get(id as usize).copied().unwrap_or(NO_ID);
            let ids: UInt32Array = ids.map(new).collect::<Vec<_>>().into();
            chunk.columns[0] = Arc::new(ids);
        }
    }

    /// Number of waiting rows.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        let columns = self.chunks.iter().flat_map(|chunk| &chunk.columns);
        // Of the slice: what it was cut from is not held for these rows alone.
        let slice = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(0);
        let entries = self.entries.capacity() + self.ready.capacity();
        entries * size_of::<Entry>() + self.spare.bytes() + columns.map(slice).sum::<usize>()
    }
}
