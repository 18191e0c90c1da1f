//! Keys that fit in 64 bits: integers, times, floats by their canonical bits, pairs of ids.
//!
//! A key below [`DIRECT_KEYS`] is looked up in a plain array (card numbers, terminals and the
//! like are often counted from 0 or 1); any other in the hash table. Rows go through in chunks:
//! a branch-free pass looks up all rows of the chunk, and only the rows that it leaves open
//! (new keys, second probes) are taken one by one, in order.

use arrow::buffer::NullBuffer;

use super::NO_ID;
use super::table::{IdTable, checked_id};
use crate::error::Result;
use crate::operator::Rows;

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
    /// The key of each id; 0 for null.
    keys: Vec<u64>,
    /// Id of null, or [`NO_ID`].
    null_id: u32,
    /// Whether null gets no id ([`NO_ID`] stands for it).
    nulls_reserved: bool,
}

impl Default for IntegerKeys {
    fn default() -> Self {
        Self {
            direct: Vec::new(),
            table: IdTable::default(),
            keys: Vec::new(),
            null_id: NO_ID,
            nulls_reserved: false,
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

    /// Whether `id` is null's.
    pub(crate) fn is_null(&self, id: u32) -> bool {
        id == self.null_id
    }

    /// Bytes allocated.
    pub(crate) fn bytes(&self) -> u64 {
        (self.direct.capacity() * 4 + self.keys.capacity() * 8) as u64 + self.table.bytes()
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
        let mut keys = [0; CHUNK];
        match rows {
            Rows::All(len) => {
                for chunk in values[..len].chunks(CHUNK) {
                    let keys = &mut keys[..chunk.len()];
                    for (slot, &value) in keys.iter_mut().zip(chunk) {
                        *slot = key(value);
                    }
                    self.chunk_ids(keys, out)?;
                }
            }
            Rows::Some(rows) => {
                for chunk in rows.chunks(CHUNK) {
                    let keys = &mut keys[..chunk.len()];
                    for (slot, &row) in keys.iter_mut().zip(chunk) {
                        *slot = key(values[row as usize]);
                    }
                    self.chunk_ids(keys, out)?;
                }
            }
        }
        Ok(())
    }

    /// Appends the ids of a chunk of keys.
    fn chunk_ids(&mut self, keys: &[u64], out: &mut Vec<u32>) -> Result<()> {
        let first = out.len();
        out.resize(first + keys.len(), NO_ID);
        let ids = &mut out[first..];
        // The bits of all keys together are below the limit only where each key is.
        if keys.iter().fold(0, |all, key| all | key) < DIRECT_KEYS {
            for (&key, id) in keys.iter().zip(ids.iter_mut()) {
                *id = self.direct.get(key as usize).copied().unwrap_or(NO_ID);
            }
        } else {
            self.table.first_probes(keys, ids);
            self.table.prefetch_second(keys, ids);
        }
        // Mostly all are known: whole vectors say so.
        if !ids.contains(&NO_ID) {
            return Ok(());
        }
        for (&key, id) in keys.iter().zip(ids) {
            if *id == NO_ID {
                *id = self.id(key)?;
            }
        }
        Ok(())
    }

    /// The id of one key, new or known.
    ///
    /// # Errors
    /// When there are too many keys.
    pub(crate) fn id(&mut self, key: u64) -> Result<u32> {
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
            self.table.get_or_insert(key, next)?
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
