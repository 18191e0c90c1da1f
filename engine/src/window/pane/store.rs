//! The live panes: which there are, and which entry of a pane is which key's.
//!
//! A pane is *open* while rows may fall into it. Then its entries are in the order in which its
//! keys came, and a map finds a key's entry: an array over all keys, or, where many panes are
//! open and there are many keys, a hash table (`MAP_BYTES_MAX` bounds what the arrays may take).
//! Once the watermark has passed its end it is *sealed*: the map goes back for the next pane,
//! and the entries are put in the order of key ids. So a sealed pane takes no more than its own
//! keys, however many there are in all, and closing a tumbling window only moves its arrays.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::state::keys::{IdTable, NO_ID};
use crate::window::aggregate::Table;
use crate::window::output::Output;
use crate::window::spec::Plan;

/// Most bytes that arrays from key to entry may take; panes beyond it use hash tables.
const MAP_BYTES_MAX: usize = 256 << 20;

/// The rows of one pane, by key.
#[derive(Debug)]
pub(super) struct Pane {
    /// The key id of each entry; ascending once sealed.
    pub(super) keys: Vec<u32>,
    pub(super) table: Table,
    /// Only while open.
    map: Option<EntryMap>,
}

#[derive(Debug)]
enum EntryMap {
    /// Entry by key id, [`NO_ID`] where the key has none.
    Dense(Vec<u32>),
    Hashed(IdTable),
}

/// All live panes, by number.
#[derive(Debug)]
pub(super) struct Panes {
    panes: BTreeMap<i128, Pane>,
    /// Panes below this number are sealed.
    open_from: i128,
    /// Number of open panes with an array.
    dense_maps: usize,
    /// Arrays to use again, all [`NO_ID`].
    spare_maps: Vec<Vec<u32>>,
}

impl Panes {
    pub(super) fn new() -> Self {
        Self { panes: BTreeMap::new(), open_from: i128::MIN, dense_maps: 0, spare_maps: Vec::new() }
    }

    pub(super) fn bytes(&self) -> u64 {
        let panes: usize = self.panes.values().map(Pane::bytes).sum();
        let spare: usize = self.spare_maps.iter().map(|map| map.capacity() * 4).sum();
        (panes + spare) as u64
    }

    /// Whether rows may still fall into a pane.
    pub(super) fn is_open(&self, pane: i128) -> bool {
        pane >= self.open_from
    }

    /// The number of the last live pane.
    pub(super) fn last(&self) -> Option<i128> {
        self.panes.keys().next_back().copied()
    }

    /// The live panes with numbers `first..=last`, oldest first.
    pub(super) fn between(&self, first: i128, last: i128) -> impl Iterator<Item = &Pane> {
        let range = if first <= last { first..last + 1 } else { first..first };
        self.panes.range(range).map(|(_, pane)| pane)
    }

    /// The number of the first live pane from `first` on.
    pub(super) fn next_from(&self, first: i128) -> Option<i128> {
        self.panes.range(first..).next().map(|(&number, _)| number)
    }

    /// Takes the first pane out where its number is below `end`.
    pub(super) fn pop_before(&mut self, end: i128) -> Option<Pane> {
        let entry = self.panes.first_entry()?;
        (*entry.key() < end).then(|| entry.remove())
    }

    /// An open pane, new or known.
    pub(super) fn open(&mut self, number: i128, plan: &Plan, keys: usize) -> &mut Pane {
        self.panes.entry(number).or_insert_with(|| {
            let map = if (self.dense_maps + 1) * keys * 4 <= MAP_BYTES_MAX {
                self.dense_maps += 1;
                EntryMap::Dense(self.spare_maps.pop().unwrap_or_default())
            } else {
                EntryMap::Hashed(IdTable::default())
            };
            Pane { keys: Vec::new(), table: Table::new(&plan.aggregates), map: Some(map) }
        })
    }

    /// Seals the panes below `open_from`.
    pub(super) fn seal(&mut self, open_from: i128, plan: &Plan) {
        if open_from <= self.open_from {
            return;
        }
        let newly = self.panes.range_mut(self.open_from..open_from);
        for (_, pane) in newly {
            if let Some(map) = pane.seal(plan) {
                self.dense_maps -= 1;
                self.spare_maps.push(map);
            }
        }
        self.open_from = open_from;
    }
}

impl Pane {
    /// Appends the rows of a sealed pane, in the order of key ids, and gives their number.
    pub(super) fn append_to(mut self, out: &mut Output) -> usize {
        let rows = self.keys.len();
        if out.keys.is_empty() {
            out.table = self.table;
            out.keys = self.keys;
        } else {
            let all: Vec<u32> = (0..rows as u32).collect();
            out.table.take(&mut self.table, &all);
            out.keys.extend_from_slice(&self.keys);
        }
        rows
    }

    fn bytes(&self) -> usize {
        let map = match &self.map {
            Some(EntryMap::Dense(map)) => map.capacity() * 4,
            Some(EntryMap::Hashed(map)) => map.bytes() as usize,
            None => 0,
        };
        self.keys.capacity() * 4 + self.table.bytes() + map
    }

    /// Writes the entry of each id to `entries` (cleared first); ids without one get one. `keys`
    /// is the number of ids that there are.
    pub(super) fn entries(
        &mut self,
        ids: &[u32],
        keys: usize,
        entries: &mut Vec<u32>,
    ) -> Result<()> {
        entries.clear();
        match &mut self.map {
            Some(EntryMap::Dense(map)) => {
                if map.len() < keys {
                    map.resize(keys.next_power_of_two(), NO_ID);
                }
                let map = &mut map[..];
                entries.extend(ids.iter().map(|&id| {
                    let entry = &mut map[id as usize];
                    if *entry == NO_ID {
                        *entry = self.keys.len() as u32;
                        self.keys.push(id);
                    }
                    *entry
                }));
            }
            Some(EntryMap::Hashed(map)) => {
                for &id in ids {
                    let entry = map.get_or_insert(u64::from(id), self.keys.len())?;
                    if entry as usize == self.keys.len() {
                        self.keys.push(id);
                    }
                    entries.push(entry);
                }
            }
            None => unreachable!("rows fall into open panes only"),
        }
        self.table.resize(self.keys.len());
        Ok(())
    }

    /// Puts the entries in the order of their keys; gives back the array that is free now.
    fn seal(&mut self, plan: &Plan) -> Option<Vec<u32>> {
        let mut order: Vec<u32> = Vec::with_capacity(self.keys.len());
        let mut spare = None;
        match self.map.take() {
            // Many of all keys have an entry: reading the map is cheaper than sorting.
            Some(EntryMap::Dense(mut map)) if self.keys.len() * 16 > map.len() => {
                order.extend(map.iter().copied().filter(|&entry| entry != NO_ID));
                self.keys.iter().for_each(|&key| map[key as usize] = NO_ID);
                spare = Some(map);
            }
            map => {
                order.extend(0..self.keys.len() as u32);
                order.sort_unstable_by_key(|&entry| self.keys[entry as usize]);
                if let Some(EntryMap::Dense(mut map)) = map {
                    self.keys.iter().for_each(|&key| map[key as usize] = NO_ID);
                    spare = Some(map);
                }
            }
        }
        if !self.keys.is_sorted() {
            let mut table = Table::new(&plan.aggregates);
            table.take(&mut self.table, &order);
            self.table = table;
            self.keys = order.iter().map(|&entry| self.keys[entry as usize]).collect();
        }
        self.keys.shrink_to_fit();
        spare
    }
}
