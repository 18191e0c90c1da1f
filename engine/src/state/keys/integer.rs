//! Keys that fit in 64 bits: integers, times, floats by their canonical bits, pairs of ids.
//!
//! A key below [`DIRECT_KEYS`] is looked up in a plain array (card numbers, terminals and the
//! like are often counted from 0 or 1); any other in the hash table. Rows go through in chunks:
//! a branch-free pass looks up all rows of the chunk, and only the rows that it leaves open
//! (new keys, full lines) are taken one by one, in order.

use std::ops::Range;

use arrow::buffer::NullBuffer;

use super::NO_ID;
use super::table::{IdTable, checked_id, tag};
use crate::error::Result;
use crate::operator::Rows;
use crate::state::room;

/// Keys below this are ids by a plain array: 4 MiB at most, within a core's L2 and L3.
const DIRECT_KEYS: u64 = 1 << 20;

/// Rows a chunk: keys and ids of one stay in L1, and its misses fill the line buffers.
const CHUNK: usize = 128;

/// 64-bit keys to dense ids, and back.
#[derive(Debug)]
pub(crate) struct IntegerKeys {
    /// Ids of small keys; as long as the largest of them needed, to the next power of two.
    direct: Vec<u32>,
    /// Ids of the other keys.
    table: IdTable,
    /// Whether most keys of the last chunk that was looked up in the table were new.
    mostly_new: bool,
    /// The key of each id; 0 for null.
    keys: Vec<u64>,
    /// Id of null, or [`NO_ID`].
    null_id: u32,
    /// Whether null gets no id ([`NO_ID`] stands for it).
    nulls_reserved: bool,
    /// Two buffers, made once: a batch may be a row.
    chunks: Option<Box<[Chunk; 2]>>,
}

impl Default for IntegerKeys {
    fn default() -> Self {
        Self {
            direct: Vec::new(),
            table: IdTable::default(),
            mostly_new: false,
            keys: Vec::new(),
            null_id: NO_ID,
            nulls_reserved: false,
            chunks: None,
        }
    }
}

/// Keys that are looked up together.
#[derive(Debug)]
struct Chunk {
    keys: [u64; CHUNK],
    /// Of the keys, unless all are small.
    tags: [u32; CHUNK],
    len: usize,
    /// The bits of all keys together: below a power of two only where each key is.
    bits: u64,
}

impl Default for Chunk {
    fn default() -> Self {
        Self { keys: [0; CHUNK], tags: [0; CHUNK], len: 0, bits: 0 }
    }
}

impl Chunk {
    /// Takes the keys of rows from `from` on, and asks for their lines of the table.
    #[inline]
    fn fill<T: Copy>(
        &mut self,
        table: &IdTable,
        values: &[T],
        key: impl Fn(T) -> u64,
        rows: Rows<'_>,
        from: usize,
    ) {
        let until = rows.len().min(from + CHUNK);
        self.len = until.saturating_sub(from);
        match rows {
            Rows::All(_) => {
                let values = values.get(from..until).unwrap_or(&[]);
                self.keys.iter_mut().zip(values).for_each(|(slot, &value)| *slot = key(value));
            }
            Rows::Some(rows) => {
                let rows = rows.get(from..until).unwrap_or(&[]);
                let row = |(slot, &row): (&mut u64, &u32)| *slot = key(values[row as usize]);
                self.keys.iter_mut().zip(rows).for_each(row);
            }
        }
        let keys = &self.keys[..self.len];
        self.bits = keys.iter().fold(0, |all, key| all | key);
        if self.bits >= DIRECT_KEYS {
            for (of, &key) in self.tags.iter_mut().zip(keys) {
                *of = tag(key);
                table.prefetch(*of);
            }
        }
    }
}

impl IntegerKeys {
    /// Null gets no id of its own: [`NO_ID`] stands for it.
    pub(crate) fn with_reserved_null() -> Self {
        Self { nulls_reserved: true, ..Self::default() }
    }

    /// Number of ids given.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key of `id`.
    pub(crate) fn key(&self, id: u32) -> u64 {
        self.keys[id as usize]
    }

    /// The keys of these ids, unless one of them is null.
    pub(crate) fn between(&self, ids: Range<usize>) -> Option<&[u64]> {
        if ids.contains(&(self.null_id as usize)) { None } else { self.keys.get(ids) }
    }

    /// Whether `id` is null's.
    pub(crate) fn is_null(&self, id: u32) -> bool {
        id == self.null_id
    }

    /// Bytes allocated.
    pub(crate) fn bytes(&self) -> u64 {
        (self.direct.capacity() * 4 + room::bytes(&self.keys)) as u64 + self.table.bytes()
    }

    /// Appends to `out` the id of each row's key.
    ///
    /// # Errors
    /// When there are too many keys.
    pub(crate) fn ids<T: Copy>(
        &mut self,
        values: &[T],
        key: impl Fn(T) -> u64,
        nulls: Option<&NullBuffer>,
        rows: Rows<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        if let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) {
            for i in 0..rows.len() {
                let row = rows.get(i);
                let id = if nulls.is_null(row) { self.null()? } else { self.id(key(values[row]))? };
                out.push(id);
            }
            return Ok(());
        }
        let mut chunks = self.chunks.take().unwrap_or_default();
        let [chunk, next] = &mut *chunks;
        let (mut chunk, mut next) = (chunk, next);
        chunk.fill(&self.table, values, &key, rows, 0);
        let mut result = Ok(());
        for from in (0..rows.len()).step_by(CHUNK) {
            // The lines of the chunk behind come while this one's keys are looked up.
            next.fill(&self.table, values, &key, rows, from + CHUNK);
            result = self.chunk_ids(chunk, out);
            if result.is_err() {
                break;
            }
            std::mem::swap(&mut chunk, &mut next);
        }
        self.chunks = Some(chunks);
        result
    }

    /// Appends the ids of a chunk of keys.
    fn chunk_ids(&mut self, chunk: &Chunk, out: &mut Vec<u32>) -> Result<()> {
        let (first, before) = (out.len(), self.keys.len());
        let keys = &chunk.keys[..chunk.len];
        if chunk.bits < self.direct.len() as u64 {
            let (direct, mask) = (&self.direct[..], self.direct.len() - 1);
            out.extend(keys.iter().map(|&key| direct[key as usize & mask]));
        } else if chunk.bits < DIRECT_KEYS {
            let direct = |&key: &u64| self.direct.get(key as usize).copied().unwrap_or(NO_ID);
            out.extend(keys.iter().map(direct));
        } else {
            out.resize(first + keys.len(), NO_ID);
            // Where most keys are new, they are looked for once, to be put in.
            if !self.mostly_new {
                self.table.find_all(&chunk.tags, keys, &self.keys, &mut out[first..]);
            }
        }
        let ids = &mut out[first..];
        // Mostly all are known: whole vectors say so.
        if ids.contains(&NO_ID) {
            room::make_room(&mut self.keys, keys.len());
            for ((&key, &tag), id) in keys.iter().zip(&chunk.tags).zip(ids) {
                if *id == NO_ID {
                    *id = self.tagged_id(key, tag)?;
                }
            }
        }
        if chunk.bits >= DIRECT_KEYS {
            self.mostly_new = self.keys.len() - before > keys.len() / 2;
        }
        Ok(())
    }

    /// The id of one key, new or known.
    ///
    /// # Errors
    /// When there are too many keys.
    pub(crate) fn id(&mut self, key: u64) -> Result<u32> {
        self.tagged_id(key, tag(key))
    }

    /// As [`IntegerKeys::id`], of a key whose tag is known where it is too large for an array.
    #[inline]
    fn tagged_id(&mut self, key: u64, tag: u32) -> Result<u32> {
        let next = self.keys.len();
        let id = if key < DIRECT_KEYS {
            let at = key as usize;
            if at >= self.direct.len() {
                self.direct.resize((at + 1).next_power_of_two().max(1024), NO_ID);
            }
            if self.direct[at] == NO_ID {
                self.direct[at] = checked_id(next)?;
            }
            self.direct[at]
        } else {
            self.table.get_or_insert(tag, key, &self.keys, next)?
        };
        if id as usize == next {
            self.keys.push(key);
        }
        Ok(id)
    }

    /// The id of null.
    ///
    /// # Errors
    /// When there are too many keys.
    pub(crate) fn null(&mut self) -> Result<u32> {
        if self.null_id == NO_ID && !self.nulls_reserved {
            self.null_id = checked_id(self.keys.len())?;
            self.keys.push(0);
        }
        Ok(self.null_id)
    }
}
