//! The live panes: which there are, and which entry of a pane is which key's.
//!
//! A pane is *open* while rows may fall into it. Then its entries are in the order in which its
//! keys came, and a map finds a key's entry: an array over all keys with a bitmap of those that
//! have one, or, where many panes are open and there are many keys, a hash table
//! (`MAP_BYTES_MAX` bounds what the arrays may take). Once the watermark has passed its end it is
//! *sealed*: its entries are copied in the order of key ids, which the bitmap gives without
//! sorting, and the map and the arrays go back, empty, for the next pane. So a sealed pane takes
//! no more than its own keys, however many there are in all. The pane of a tumbling window goes to
//! the output right away, its arrays as they are where all their entries are given out in order.
//!
//! Where the pane before had a good part of all keys, or there was none before, a pane is *full*:
//! entry i is key i, no map is needed, nothing is ever put in order, and panes are added up as
//! whole arrays.

#[cfg(test)]
mod tests;

use pelton_kernels::simd::level;
use pelton_kernels::window_combine;

use super::numbered::Numbered;
use crate::error::Result;
use crate::state::keys::{IdTable, NO_ID, tag};
use crate::window::aggregate::{Entries, Picked, Table};
use crate::window::expiry::Survivors;
use crate::window::spec::Plan;

/// Most bytes that arrays from key to entry may take; panes beyond it use hash tables.
const MAP_BYTES_MAX: usize = 256 << 20;

/// A pane is full where the pane before had a row of one in so many keys, or more.
const FULL_SHARE: usize = 4;

/// Up to so many keys panes are always full.
const FULL_KEYS: usize = 256;

/// The rows of one pane, by key.
#[derive(Debug)]
pub(super) struct Pane {
    /// The key id of each entry, unless the pane is full; ascending once sealed.
    keys: Vec<u32>,
    pub(super) table: Table,
    /// Only while open.
    map: Option<EntryMap>,
    /// What a GPU has that the table has not.
    #[cfg(feature = "gpu")]
    pub(super) difference: Option<Box<super::device::Difference>>,
    /// Entry i is key i; those without a row count for nothing.
    pub(super) is_full: bool,
    /// Bytes that it took when it was last emptied: it takes these still.
    written: usize,
}

#[derive(Debug)]
enum EntryMap {
    Dense(DenseMap),
    Hashed(IdTable),
}

/// From key ids to entries by an array.
#[derive(Debug, Default)]
struct DenseMap {
    /// Entry by key id, [`NO_ID`] where the key has none.
    entries: Vec<u32>,
    /// Bit `id` is set where the key has an entry.
    live: Vec<u64>,
}

/// All live panes, by number.
#[derive(Debug)]
pub(super) struct Panes {
    panes: Numbered<Pane>,
    /// Panes below this number are sealed.
    open_from: i128,
    /// Number of open panes with an array.
    dense_maps: usize,
    /// Panes to use again, empty.
    spare: Vec<Pane>,
    /// Keys of the pane that was closed or sealed last: how many.
    last_keys: usize,
    // Buffer.
    keys: Vec<u32>,
}

impl Panes {
    pub(super) fn new() -> Self {
        Self {
            panes: Numbered::new(),
            open_from: i128::MIN,
            dense_maps: 0,
            spare: Vec::new(),
            last_keys: 0,
            keys: Vec::new(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.panes.values().chain(&self.spare).map(Pane::bytes).sum::<usize>() as u64
    }

    /// Whether rows may still fall into a pane.
    pub(super) fn is_open(&self, pane: i128) -> bool {
        pane >= self.open_from
    }

    /// The number of the last live pane.
    pub(super) fn last(&self) -> Option<i128> {
        self.panes.last()
    }

    /// The live panes with numbers `first..=last`, oldest first.
    pub(super) fn between(&self, first: i128, last: i128) -> impl Iterator<Item = &Pane> {
        self.numbered(first, last).map(|(_, pane)| pane)
    }

    /// As [`Panes::between`], with their numbers.
    pub(super) fn numbered(&self, first: i128, last: i128) -> impl Iterator<Item = (i128, &Pane)> {
        self.panes.range(first..last.saturating_add(1))
    }

    /// The number of the first live pane from `first` on.
    pub(super) fn next_from(&self, first: i128) -> Option<i128> {
        self.panes.next_from(first)
    }

    /// Takes out the first pane where its number is below `end`.
    pub(super) fn pop_before(&mut self, end: i128) -> Option<(i128, Pane)> {
        self.panes.pop_before(end)
    }

    /// The live panes.
    pub(super) fn all(&self) -> impl Iterator<Item = &Pane> {
        self.panes.values()
    }

    /// Keys have got new ids; none that a live pane holds was forgotten.
    pub(super) fn retain_keys(&mut self, survivors: &Survivors, plan: &Plan) {
        self.panes.values_mut().for_each(|pane| pane.retain_keys(survivors, plan));
        // Their arrays are as long as there were keys.
        self.spare.clear();
    }

    /// Takes the first pane, where its number is below `end`, whose rows, in the order of key ids,
    /// `give` gives out: its cells, the entries in that order, and their keys (all: the first, as
    /// many as entries).
    ///
    /// # Errors
    /// When what a GPU had of it does not fit a sum.
    pub(super) fn take_before(
        &mut self,
        end: i128,
        plan: &Plan,
        give: impl FnOnce(&mut Table, Picked<'_>, Picked<'_>),
    ) -> Result<()> {
        let Some((_, mut pane)) = self.panes.pop_before(end) else { return Ok(()) };
        pane.settle(plan)?;
        let len = pane.table.len();
        if pane.is_full && window_combine::positive(level(), &pane.table.rows) == len {
            self.last_keys = len;
            give(&mut pane.table, Picked::All, Picked::All);
            self.recycle(pane);
            return Ok(());
        }
        if !pane.is_full && pane.keys.is_sorted() {
            // Nothing to put in order: keys that are all new come so.
            pane.empty_map();
            self.last_keys = pane.keys.len();
            let are_first = pane.keys.last().is_none_or(|&last| last as usize + 1 == len);
            let keys = if are_first { Picked::All } else { Picked::Some(&pane.keys) };
            give(&mut pane.table, Picked::All, keys);
            self.recycle(pane);
            return Ok(());
        }
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        let order = pane.drain_order(&mut keys);
        let is_whole = order.len() == pane.table.len() && order.is_sorted();
        let entries = if is_whole { Picked::All } else { Picked::Some(&order) };
        give(&mut pane.table, entries, Picked::Some(&keys));
        self.keys = keys;
        self.last_keys = order.len();
        self.recycle(pane);
        Ok(())
    }

    /// An open pane, new or known.
    pub(super) fn open(&mut self, number: i128, plan: &Plan, keys: usize) -> &mut Pane {
        // Most of what is known so far is this pane's.
        let is_first = self.last_keys == 0 && self.panes.last().is_none();
        self.panes.get_or_insert_with(number, || {
            let mut pane =
                self.spare.pop().unwrap_or_else(|| Pane::new(Table::new(&plan.aggregates)));
            pane.is_full = is_first || keys <= FULL_KEYS || self.last_keys * FULL_SHARE >= keys;
            if pane.is_full {
                pane.map = None;
                return pane;
            }
            let is_dense = (self.dense_maps + 1) * keys * 4 <= MAP_BYTES_MAX;
            self.dense_maps += usize::from(is_dense);
            pane.map = Some(match pane.map.take() {
                Some(map @ EntryMap::Dense(_)) if is_dense => map,
                _ if is_dense => EntryMap::Dense(DenseMap::default()),
                _ => EntryMap::Hashed(IdTable::default()),
            });
            pane
        })
    }

    /// Seals the panes below `open_from`, unless they are given out at once (`is_tumbling`).
    ///
    /// # Errors
    /// When what a GPU had of them does not fit a sum.
    pub(super) fn seal(&mut self, open_from: i128, plan: &Plan, is_tumbling: bool) -> Result<()> {
        if open_from <= self.open_from {
            return Ok(());
        }
        let newly = if is_tumbling { open_from..open_from } else { self.open_from..open_from };
        for place in self.panes.places(newly) {
            let pane = self.panes.at_mut(place);
            pane.settle(plan)?;
            if pane.is_full {
                self.last_keys = window_combine::positive(level(), &pane.table.rows);
                continue;
            }
            self.last_keys = pane.keys.len();
            let mut keys = Vec::with_capacity(pane.keys.len());
            let order = pane.drain_order(&mut keys);
            let mut table = Table::new(&plan.aggregates);
            table.take(&mut pane.table, &order);
            let sealed = Pane { keys, ..Pane::new(table) };
            let open = std::mem::replace(pane, sealed);
            self.recycle(open);
        }
        self.open_from = open_from;
        Ok(())
    }

    /// Sees to it that all panes hold what a GPU had of them.
    ///
    /// # Errors
    /// When that does not fit a sum.
    pub(super) fn settle(&mut self, plan: &Plan) -> Result<()> {
        self.panes.values_mut().try_for_each(|pane| pane.settle(plan))
    }

    /// Keeps the arrays of a pane, whose map is empty, for the next.
    pub(super) fn recycle(&mut self, mut pane: Pane) {
        if matches!(pane.map, Some(EntryMap::Dense(_))) {
            self.dense_maps -= 1;
        }
        pane.written = pane.bytes();
        pane.keys.clear();
        pane.table.resize(0);
        // Open at a time are as many panes as the disorder spans, mostly two.
        if self.spare.len() < 2 {
            self.spare.push(pane);
        }
    }
}

impl Pane {
    fn new(table: Table) -> Self {
        Self {
            keys: Vec::new(),
            table,
            map: None,
            #[cfg(feature = "gpu")]
            difference: None,
            is_full: false,
            written: 0,
        }
    }

    /// Takes in what a GPU has of the rows.
    fn settle(&mut self, plan: &Plan) -> Result<()> {
        #[cfg(feature = "gpu")]
        if let Some(difference) = &mut self.difference {
            difference.settle(&mut self.table, &plan.aggregates.lifts)?;
        }
        let _ = plan;
        Ok(())
    }

    fn bytes(&self) -> usize {
        let map = match &self.map {
            Some(EntryMap::Dense(map)) => map.entries.capacity() * 4 + map.live.capacity() * 8,
            Some(EntryMap::Hashed(map)) => map.bytes() as usize,
            None => 0,
        };
        #[cfg(feature = "gpu")]
        let map = map + self.difference.as_ref().map_or(0, |difference| difference.bytes());
        (self.keys.capacity() * 4 + self.table.bytes() + map).max(self.written)
    }

    /// The keys that have a row.
    pub(super) fn live_keys(&self) -> impl Iterator<Item = u32> {
        let full = if self.is_full { &self.table.rows[..] } else { &[] };
        let live = full.iter().enumerate().filter(|(_, rows)| **rows > 0);
        live.map(|(id, _)| id as u32).chain(self.keys.iter().copied())
    }

    fn retain_keys(&mut self, survivors: &Survivors, plan: &Plan) {
        if self.is_full {
            self.table.resize(survivors.new_ids.len());
            let mut table = Table::new(&plan.aggregates);
            table.take(&mut self.table, &survivors.kept);
            self.table = table;
            return;
        }
        self.keys.iter_mut().for_each(|key| *key = survivors.id(*key));
        match &mut self.map {
            Some(EntryMap::Dense(map)) => *map = DenseMap::of(&self.keys, survivors.kept.len()),
            Some(EntryMap::Hashed(map)) => *map = IdTable::of(&self.keys),
            None => {}
        }
    }

    /// The key of each entry.
    pub(super) fn keys(&self) -> Entries<'_> {
        if self.is_full { Entries::Same(self.table.len()) } else { Entries::Listed(&self.keys) }
    }

    /// The entry of each id, perhaps written to `entries`; ids without one get one. `keys` is the
    /// number of ids that there are.
    pub(super) fn entries<'a>(
        &mut self,
        ids: &'a [u32],
        keys: usize,
        entries: &'a mut Vec<u32>,
    ) -> Result<&'a [u32]> {
        if self.is_full {
            self.table.resize(keys);
            return Ok(ids);
        }
        entries.clear();
        match &mut self.map {
            Some(EntryMap::Dense(map)) => map.entries_of(ids, keys, &mut self.keys, entries),
            Some(EntryMap::Hashed(map)) => {
                for &id in ids {
                    let key = u64::from(id);
                    let entry = map.get_or_insert(tag(key), key, &self.keys, self.keys.len())?;
                    if entry as usize == self.keys.len() {
                        self.keys.push(id);
                    }
                    entries.push(entry);
                }
            }
            None => unreachable!("rows fall into open panes only"),
        }
        self.table.resize(self.keys.len());
        Ok(entries)
    }

    /// The entries in the order of their keys, which are appended to `keys`; empties the map.
    fn drain_order(&mut self, keys: &mut Vec<u32>) -> Vec<u32> {
        if self.is_full {
            let live = self.table.rows.iter().enumerate().filter(|(_, rows)| **rows > 0);
            let order: Vec<u32> = live.map(|(at, _)| at as u32).collect();
            keys.extend_from_slice(&order);
            return order;
        }
        let mut order: Vec<u32> = Vec::with_capacity(self.keys.len());
        match &mut self.map {
            // Few of all keys have an entry: sorting them is cheaper than reading the bitmap.
            Some(EntryMap::Dense(map)) if self.keys.len() * 1024 > map.entries.len() => {
                map.drain(&mut order, keys);
            }
            _ => {
                order.extend(0..self.keys.len() as u32);
                order.sort_unstable_by_key(|&entry| self.keys[entry as usize]);
                keys.extend(order.iter().map(|&entry| self.keys[entry as usize]));
                self.empty_map();
            }
        }
        order
    }

    /// Takes the pane's keys out of its map, where that is used again.
    fn empty_map(&mut self) {
        if let Some(EntryMap::Dense(map)) = &mut self.map {
            for &key in &self.keys {
                map.entries[key as usize] = NO_ID;
                map.live[key as usize / 64] = 0;
            }
        }
    }
}

impl DenseMap {
    /// Of entries with these keys, of so many that there are.
    fn of(entries: &[u32], keys: usize) -> Self {
        let mut map = Self::default();
        map.resize(keys);
        for (entry, &key) in entries.iter().enumerate() {
            map.entries[key as usize] = entry as u32;
            map.live[key as usize / 64] |= 1 << (key % 64);
        }
        map
    }

    fn resize(&mut self, keys: usize) {
        let len = keys.next_power_of_two().max(64);
        self.entries.resize(len, NO_ID);
        self.live.resize(len / 64, 0);
    }

    /// As [`Pane::entries`]; new keys are appended to `pane_keys`. Without a branch: in panes
    /// that are short for their keys it would be guessed wrong often.
    fn entries_of(
        &mut self,
        ids: &[u32],
        keys: usize,
        pane_keys: &mut Vec<u32>,
        entries: &mut Vec<u32>,
    ) {
        if self.entries.len() < keys {
            self.resize(keys);
        }
        let mut used = pane_keys.len();
        pane_keys.resize(used + ids.len(), 0);
        let (map, live, new_keys) = (&mut self.entries[..], &mut self.live[..], &mut pane_keys[..]);
        entries.extend(ids.iter().map(|&id| {
            let slot = &mut map[id as usize];
            let is_new = *slot == NO_ID;
            let entry = if is_new { used as u32 } else { *slot };
            *slot = entry;
            live[id as usize / 64] |= 1 << (id % 64);
            // Where the key is known this place is written again by the next new one.
            if let Some(key) = new_keys.get_mut(used) {
                *key = id;
            }
            used += usize::from(is_new);
            entry
        }));
        pane_keys.truncate(used);
    }

    /// Appends the entries in the order of their keys to `order`, the keys to `keys`; empties
    /// the map.
    fn drain(&mut self, order: &mut Vec<u32>, keys: &mut Vec<u32>) {
        for (at, word) in self.live.iter_mut().enumerate() {
            let mut rest = std::mem::take(word);
            while rest != 0 {
                let key = at * 64 + rest.trailing_zeros() as usize;
                order.push(std::mem::replace(&mut self.entries[key], NO_ID));
                keys.push(key as u32);
                rest &= rest - 1;
            }
        }
    }
}
