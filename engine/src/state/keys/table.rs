//! A hash table from 64-bit keys to ids: open addressing, probing line by line, no removal.
//!
//! Layout: slots of 16 bytes (key, id), a power of two of them, so that one cache line holds
//! four neighbours and a hit costs one miss at most. At most five eighths of the slots are taken:
//! then 1.8 slots are looked at a hit at most, on average, and for most keys the first decides,
//! which is what [`IdTable::first_probes`] counts on: it reads the home slot of a whole chunk of keys
//! without a branch, so that the processor overlaps their misses, and leaves only the rest to
//! one-by-one probing.
//!
//! Hash: the folded multiply of wyhash and foldhash, that is the two halves of a 64×64→128 bit
//! product, added without carry. It spreads each bit of the key over all bits of the result;
//! strides, high-bit counters and bit-reversed numbers fill the table as random keys do (a test
//! holds it to that). The constants are fixed, so the order of slots is the same in each run; an
//! adversary who computes collisions for them on purpose slows a lookup down, and nothing else.

use pelton_kernels::prefetch::prefetch_read;

use super::NO_ID;
use crate::error::{Error, Result};
use crate::state::lines::Lines;

/// Digits of π, as foldhash and wyhash take theirs: no structure.
const SEED: u64 = 0x243f_6a88_85a3_08d3;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Both halves of the 128-bit product, folded.
#[inline]
pub(crate) fn folded_multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// A key and its id + 1; an id of 0 says that the slot is free. So a table of zeros is empty, and
/// a new one is memory as the system gives it, not written before it is used.
type Slot = [u64; 2];

/// What a slot's id is: [`NO_ID`] where it is free.
#[inline]
fn id_of(slot: Slot) -> u32 {
    (slot[1] as u32).wrapping_sub(1)
}

/// The share of slots that may be taken.
const FILL_MAX: (usize, usize) = (5, 8);

/// Slots of a cache line; the table begins with one.
const LINE: usize = 4;

/// The slot that is looked at as the nth: first those of the home's line, from the home on and
/// around, then those of the lines behind it in the same order. So most keys are found, and most
/// new ones placed, in the one line that comes with the home.
#[inline]
fn nth_slot(home: usize, nth: usize) -> usize {
    ((home & !(LINE - 1)) + (nth & !(LINE - 1))) | ((home + nth) % LINE)
}

/// Smallest number of slots once there is a key: one page.
const SLOTS_MIN: usize = 256;

/// 64-bit keys to ids.
#[derive(Debug)]
pub(crate) struct IdTable {
    /// A power of two of slots, two words each.
    words: Lines,
    /// 64 − log2(slots): the top bits of the hash choose the home slot.
    shift: u32,
    taken: usize,
}

impl Default for IdTable {
    fn default() -> Self {
        Self { words: Lines::zeroed(2 * LINE), shift: 62, taken: 0 }
    }
}

impl IdTable {
    #[inline]
    fn slots(&self) -> &[Slot] {
        self.words.as_chunks().0
    }

    #[inline]
    fn home(&self, key: u64) -> usize {
        (folded_multiply(key ^ SEED, FACTOR) >> self.shift) as usize
    }

    /// Writes to `ids` the id of each key whose home slot holds it, [`NO_ID`] elsewhere.
    #[inline]
    pub(crate) fn first_probes(&self, keys: &[u64], ids: &mut [u32]) {
        let slots = self.slots();
        let mask = slots.len() - 1;
        let slots = &slots[..=mask];
        for (&key, id) in keys.iter().zip(ids) {
            let slot = slots[self.home(key) & mask];
            *id = if slot[0] == key { id_of(slot) } else { NO_ID };
        }
    }

    /// Asks for the line where a key is looked for first.
    #[inline]
    pub(crate) fn prefetch_home(&self, key: u64) {
        prefetch_read(self.slots(), self.home(key) & (self.slots().len() - 1));
    }

    /// Asks for the line behind the home's of each key that [`first_probes`](Self::first_probes)
    /// has left open: one in eight goes there, and waits for it otherwise.
    pub(crate) fn prefetch_second(&self, keys: &[u64], ids: &[u32]) {
        let (slots, mask) = (self.slots(), self.slots().len() - 1);
        for (&key, _) in keys.iter().zip(ids).filter(|(_, id)| **id == NO_ID) {
            prefetch_read(slots, ((self.home(key) & !(LINE - 1)) + LINE) & mask);
        }
    }

    /// Of keys that differ, the one at `i` having the id `i`.
    pub(crate) fn of(keys: &[u32]) -> Self {
        let mut table = Self::default();
        for (id, &key) in keys.iter().enumerate() {
            // As many ids as there were before: none is beyond the last.
            let _ = table.get_or_insert(u64::from(key), id);
        }
        table
    }

    /// The id of `key`, where it is known.
    #[cfg(test)]
    pub(crate) fn get(&self, key: u64) -> Option<u32> {
        let id = id_of(self.slots()[self.find(key)]);
        (id != NO_ID).then_some(id)
    }

    /// The id of `key`; where it is not known, it becomes `next_id`.
    ///
    /// # Errors
    /// When `next_id` is beyond the ids that there are.
    pub(crate) fn get_or_insert(&mut self, key: u64, next_id: usize) -> Result<u32> {
        let at = self.find(key);
        let known = id_of(self.slots()[at]);
        if known != NO_ID {
            return Ok(known);
        }
        let id = checked_id(next_id)?;
        self.put(at, [key, u64::from(id) + 1]);
        self.taken += 1;
        if self.taken * FILL_MAX.1 > self.slots().len() * FILL_MAX.0 {
            self.grow();
        }
        Ok(id)
    }

    /// The slot that holds `key`, or the free one where it belongs.
    #[inline]
    fn find(&self, key: u64) -> usize {
        let slots = self.slots();
        let mask = slots.len() - 1;
        let home = self.home(key) & mask;
        let mut nth = 0;
        loop {
            let at = nth_slot(home, nth) & mask;
            let slot = slots[at];
            if slot[0] == key || slot[1] == 0 {
                // A free slot has key 0, so it also answers a search for key 0: as free.
                return at;
            }
            nth += 1;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let len = (self.slots().len() * 2).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.words, Lines::zeroed(2 * len));
        self.shift = 64 - len.trailing_zeros();
        // The home is the hash's top bits: slots go to their new place in the order of the old.
        for slot in old.as_chunks().0 {
            if slot[1] != 0 {
                let at = self.find(slot[0]);
                self.put(at, *slot);
            }
        }
    }

    #[inline]
    fn put(&mut self, at: usize, slot: Slot) {
        self.words.as_chunks_mut().0[at] = slot;
    }

    /// Bytes allocated.
    pub(crate) fn bytes(&self) -> u64 {
        (self.words.len() * size_of::<u64>()) as u64
    }

    /// Slots looked at to find `key`: the hash's quality, for tests.
    #[cfg(test)]
    pub(crate) fn probes(&self, key: u64) -> usize {
        let (home, found) = (self.home(key), self.find(key));
        let nth = |nth: usize| nth_slot(home, nth) % self.slots().len();
        1 + (0..self.slots().len()).position(|i| nth(i) == found).unwrap_or(self.slots().len())
    }
}

/// `next_id` as an id, unless there are too many.
pub(crate) fn checked_id(next_id: usize) -> Result<u32> {
    u32::try_from(next_id).ok().filter(|&id| id < NO_ID).ok_or_else(|| {
        Error::run(format!("more than {} different keys", u32::MAX - 1))
            .advise("key by a column with fewer different values, or use more shards")
    })
}
