//! A hash table from 64-bit keys to ids: lines of slots, no removal.
//!
//! Layout: a slot is 32 bits of the key's hash, its *tag*, and its id; eight of them are a cache
//! line, filled from the left. The top bits of the tag choose the line, so a table grows without
//! looking at a key. The keys themselves stand in one array by id, which belongs to whoever has
//! the table (`known` here): a slot whose tag is right names an id, and that id's key has the last
//! word. So a new key costs one line, a known one two that are asked for ahead, and a slot half of
//! what it would cost with its key in it.
//!
//! At most five slots a line are taken, on average: then one line decides for all but a few keys.
//! Rows go through in chunks. [`IdTable::find_all`] looks up a chunk whose lines were asked for
//! with the chunk before, without a branch, and leaves only the rest (new keys, full lines) to
//! one-by-one probing.
//!
//! Hash: the folded multiply of wyhash and foldhash, that is the two halves of a 64×64→128 bit
//! product, added without carry. It spreads each bit of the key over all bits of the result;
//! strides, high-bit counters and bit-reversed numbers fill the table as random keys do (a test
//! holds it to that). The constants are fixed, so the order of slots is the same in each run; an
//! adversary who computes collisions for them on purpose slows a lookup down, and nothing else.

use std::hint::select_unpredictable;

use pelton_kernels::prefetch::prefetch_read;

use super::NO_ID;
use crate::error::{Error, Result};
use crate::state::room;

/// Digits of π, as foldhash and wyhash take theirs: no structure.
const SEED: u64 = 0x243f_6a88_85a3_08d3;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Both halves of the 128-bit product, folded.
#[inline]
pub(crate) fn folded_multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The part of a key's hash that the table goes by.
#[inline]
pub(crate) fn tag(key: u64) -> u32 {
    (folded_multiply(key ^ SEED, FACTOR) >> 32) as u32
}

/// Slots of a line.
const SLOTS: usize = 8;

/// So many slots a line may be taken, on average.
const FILL_MAX: usize = 5;

/// Smallest number of lines once there is a key: one page.
const LINES_MIN: usize = 64;

/// A cache line: the tags of the slots, then their ids + 1. 0 says that a slot, and all behind it,
/// are free.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Line([u32; 2 * SLOTS]);

/// One byte a slot, the first lowest: 1 for those with this tag, and perhaps free ones.
#[inline(always)]
fn slots_with(line: &Line, tag: u32) -> u64 {
    let mut found = [0; SLOTS];
    for (found, &of) in found.iter_mut().zip(&line.0) {
        *found = u8::from(of == tag);
    }
    u64::from_le_bytes(found)
}

/// The id of the first of some slots; [`NO_ID`] where that is free.
#[inline(always)]
fn first_id(line: &Line, slots: u64) -> u32 {
    line.0[SLOTS + slots.trailing_zeros() as usize / 8 % SLOTS].wrapping_sub(1)
}

/// How many slots are taken.
#[inline(always)]
fn taken(line: &Line) -> usize {
    let mut taken = [0; SLOTS];
    for (taken, &id) in taken.iter_mut().zip(&line.0[SLOTS..]) {
        *taken = u8::from(id != 0);
    }
    // They are filled from the left.
    SLOTS - u64::from_le_bytes(taken).leading_zeros() as usize / 8
}

/// 64-bit keys to ids.
#[derive(Debug)]
pub(crate) struct IdTable {
    /// A power of two of lines.
    lines: Vec<Line>,
    /// 32 − log2(lines): the top bits of the tag choose the line.
    shift: u32,
    taken: usize,
}

impl Default for IdTable {
    fn default() -> Self {
        Self { lines: vec![Line::default()], shift: 32, taken: 0 }
    }
}

impl IdTable {
    #[inline]
    fn home(&self, tag: u32) -> usize {
        (u64::from(tag) >> self.shift) as usize
    }

    /// Asks for the line of a key with this tag.
    #[inline]
    pub(crate) fn prefetch(&self, tag: u32) {
        prefetch_read(&self.lines, self.home(tag));
    }

    /// Writes to `ids` the id of each key, whose tag is in `tags`, that is known and in its own
    /// line; [`NO_ID`] elsewhere. `known[id]` is the key of an id.
    pub(crate) fn find_all<K: Copy>(&self, tags: &[u32], keys: &[u64], known: &[K], ids: &mut [u32])
    where
        u64: From<K>,
    {
        let Some(last) = known.len().checked_sub(1) else {
            ids.fill(NO_ID);
            return;
        };
        let (lines, mask) = (&self.lines, self.lines.len() - 1);
        let (lines, known) = (&lines[..=mask], &known[..=last]);
        for (&tag, id) in tags.iter().zip(&mut *ids) {
            let line = &lines[self.home(tag) & mask];
            let slots = slots_with(line, tag);
            *id = select_unpredictable(slots != 0, first_id(line, slots), NO_ID);
            prefetch_read(known, (*id as usize).min(last));
        }
        for (&key, id) in keys.iter().zip(ids) {
            let own = u64::from(known[(*id as usize).min(last)]);
            *id = select_unpredictable(own == key, *id, NO_ID);
        }
    }

    /// Of keys that differ, the one at `i` having the id `i`.
    pub(crate) fn of(keys: &[u32]) -> Self {
        let mut table = Self::default();
        for (id, &key) in keys.iter().enumerate() {
            // As many ids as there were before: none is beyond the last.
            let _ = table.get_or_insert(tag(key.into()), key.into(), &keys[..id], id);
        }
        table
    }

    /// The id of `key`, whose tag is `tag`; where it is not known, it becomes `next_id`. `known[id]`
    /// is the key of an id.
    ///
    /// # Errors
    /// When `next_id` is beyond the ids that there are.
    #[inline]
    pub(crate) fn get_or_insert<K: Copy>(
        &mut self,
        tag: u32,
        key: u64,
        known: &[K],
        next_id: usize,
    ) -> Result<u32>
    where
        u64: From<K>,
    {
        let (mut at, mask) = (self.home(tag), self.lines.len() - 1);
        let lines = &mut self.lines[..=mask];
        loop {
            let line = &mut lines[at & mask];
            let mut slots = slots_with(line, tag);
            while slots != 0 {
                let id = first_id(line, slots);
                if known.get(id as usize).is_some_and(|&own| u64::from(own) == key) {
                    return Ok(id);
                }
                slots &= slots - 1;
            }
            let slot = taken(line);
            if slot < SLOTS {
                let id = checked_id(next_id)?;
                (line.0[slot], line.0[SLOTS + slot]) = (tag, id + 1);
                break;
            }
            at += 1;
        }
        self.taken += 1;
        if self.taken > self.lines.len() * FILL_MAX {
            self.grow();
        }
        Ok(next_id as u32)
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        room::make_room(&mut self.lines, LINES_MIN);
        self.double();
        while self.lines.len() < LINES_MIN {
            self.double();
        }
    }

    /// Doubles the lines where they are: line i becomes the lines 2 i and 2 i + 1, which are behind
    /// it, so that from the last line on none is written before it was read.
    fn double(&mut self) {
        let before = self.lines.len();
        room::resize(&mut self.lines, before * 2, Line::default());
        let old_shift = self.shift;
        self.shift -= 1;
        let mut elsewhere = Vec::new();
        for at in (0..before).rev() {
            let line = self.lines[at];
            let (mut halves, mut taken_of) = ([Line::default(); 2], [0; 2]);
            for slot in 0..taken(&line) {
                let (tag, id) = (line.0[slot], line.0[SLOTS + slot]);
                if u64::from(tag) >> old_shift != at as u64 {
                    // Its own line was full.
                    elsewhere.push((tag, id));
                    continue;
                }
                let half = self.home(tag) % 2;
                let free = taken_of[half] % SLOTS;
                (halves[half].0[free], halves[half].0[SLOTS + free]) = (tag, id);
                taken_of[half] += 1;
            }
            self.lines[2 * at..2 * at + 2].copy_from_slice(&halves);
        }
        elsewhere.into_iter().for_each(|(tag, id)| self.put(tag, id));
    }

    /// Puts a slot into the first line with room from its own on.
    #[inline]
    fn put(&mut self, tag: u32, id: u32) {
        let (mut at, mask) = (self.home(tag), self.lines.len() - 1);
        loop {
            let line = &mut self.lines[at & mask];
            let slot = taken(line);
            if slot < SLOTS {
                (line.0[slot], line.0[SLOTS + slot]) = (tag, id);
                return;
            }
            at += 1;
        }
    }

    /// Bytes allocated.
    pub(crate) fn bytes(&self) -> u64 {
        room::bytes(&self.lines) as u64
    }

    /// Lines looked at to find a key, and its id: for tests.
    #[cfg(test)]
    pub(crate) fn probe(&self, key: u64, known: &[u64]) -> (usize, Option<u32>) {
        let (lines, tag) = (&self.lines, tag(key));
        for looked in 0..lines.len() {
            let line = &lines[(self.home(tag) + looked) % lines.len()];
            let ids =
                (0..SLOTS).filter(|&slot| line.0[slot] == tag).map(|slot| line.0[SLOTS + slot]);
            let mut ids = ids.filter_map(|id| id.checked_sub(1));
            if let Some(id) = ids.find(|&id| known[id as usize] == key) {
                return (looked + 1, Some(id));
            }
            if taken(line) < SLOTS {
                return (looked + 1, None);
            }
        }
        (lines.len(), None)
    }
}

/// `next_id` as an id, unless there are too many.
pub(crate) fn checked_id(next_id: usize) -> Result<u32> {
    u32::try_from(next_id).ok().filter(|&id| id < NO_ID).ok_or_else(|| {
        Error::run(format!("more than {} different keys", u32::MAX - 1))
            .advise("key by a column with fewer different values, or use more shards")
    })
}
