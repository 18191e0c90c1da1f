//! Windows of any aggregate, by rows or by time: combined from blocks of a key's rows.
//!
//! What can only be lifted and combined (a quantile, a list, a user's own) cannot be taken away
//! when a row leaves. So a key's rows, numbered from its first, are cut into blocks of 16, those
//! into blocks of 256, those of 4096, and the states of full blocks are kept: an aggregate tree
//! with 16 children a node (as FlatFAT: Tangwongsan et al., VLDB 2015), whose leaves are the rows
//! themselves. A window is a run of rows, and few states make it up:
//!
//! ```text
//!  rows     ■■■■│■■■■■■■■■■■■■■■■│■■■■■■■■■■■■■■■■│■■■      16 wide
//!  window     [■■│████████████████│████████████████│■]
//!              rows      block            block     rows   oldest first
//! ```
//! A release is answered as a whole: for every row it is noted what makes its window up, by level
//! from the left edge up and down again to the right one, and then each level is joined in one
//! sweep. Blocks are cut by a key's own row numbers and rows are joined oldest first, so no answer
//! depends on batches or shards.

use std::collections::VecDeque;

use arrow::array::ArrayRef;

use super::held::Held;
use super::spec::{Extent, Group};
use crate::error::Result;
use crate::window::aggregate::{AggregatePlan, Table};

/// Children of a block.
const WIDTH: u64 = 16;

/// Levels of blocks above the rows.
const LEVELS: usize = 3;

/// Entries that are copied out of a table at once.
const GATHERED: usize = 4096;

/// Stands for a block some rows of which had been forgotten when it was full: no window needs it.
const NO_SLOT: u32 = u32::MAX;

/// A key's rows and blocks.
#[derive(Debug, Default)]
struct KeyRows {
    /// Time of each row that is kept, and its number among the rows of all keys.
    rows: VecDeque<(i64, u64)>,
    /// Number of the first of them among the key's rows.
    first: u64,
    /// For each horizon, the key's rows that its last window ended and began before.
    cursors: Vec<(u64, u64)>,
    blocks: [VecDeque<u32>; LEVELS],
    /// Number of the first block of each level.
    first_blocks: [u64; LEVELS],
}

impl KeyRows {
    fn end(&self) -> u64 {
        self.first + self.rows.len() as u64
    }

    fn time(&self, row: u64) -> i64 {
        self.rows[(row - self.first) as usize].0
    }

    /// The rows of the window of a row at `now`: numbers from, to.
    fn window(&mut self, horizon: usize, extent: Extent, now: i64) -> (u64, u64) {
        let (mut start, mut end) = self.cursors[horizon];
        match extent {
            Extent::Rows(rows) => {
                // Rows are answered in the order in which they came.
                end += 1;
                start = end.saturating_sub(rows);
            }
            Extent::Time { length, delay } => {
                let age = |time: i64| now.wrapping_sub(time) as u64;
                let delay = delay.unsigned_abs();
                let reach = delay.saturating_add(length.unsigned_abs());
                (start, end) = (start.max(self.first), end.max(self.first));
                while end < self.end() && self.time(end) <= now && age(self.time(end)) >= delay {
                    end += 1;
                }
                while start < end && age(self.time(start)) >= reach {
                    start += 1;
                }
            }
        }
        self.cursors[horizon] = (start, end);
        (start, end)
    }
}

/// What makes windows up, level by level: state or row, and the window's entry.
#[derive(Debug, Default)]
struct Parts {
    /// Rows: at the left edge, at the right one.
    rows: [Vec<(u64, u32)>; 2],
    /// Blocks of each level: at the left edge, at the right one.
    blocks: [[Vec<(u32, u32)>; 2]; LEVELS],
}

impl Parts {
    /// Notes what rows `start..end` of a key are made of.
    fn add(&mut self, key: &KeyRows, (mut start, mut end): (u64, u64), entry: u32) {
        for level in 0..=LEVELS {
            let (left, right) = match level {
                LEVELS => (end, end),
                _ => (start.next_multiple_of(WIDTH).min(end), end - end % WIDTH),
            };
            let right = right.max(left);
            for (edge, part) in [(0, start..left), (1, right..end)] {
                for number in part {
                    match level {
                        0 => {
                            let row = key.rows[(number - key.first) as usize].1;
                            self.rows[edge].push((row, entry));
                        }
                        _ => {
                            let blocks = &key.blocks[level - 1];
                            let slot = blocks[(number - key.first_blocks[level - 1]) as usize];
                            debug_assert_ne!(slot, NO_SLOT);
                            self.blocks[level - 1][edge].push((slot, entry));
                        }
                    }
                }
            }
            (start, end) = (left / WIDTH, right / WIDTH);
            if start >= end {
                return;
            }
        }
    }

    fn clear(&mut self) {
        self.rows.iter_mut().for_each(Vec::clear);
        self.blocks.iter_mut().flatten().for_each(Vec::clear);
    }
}

/// Some aggregates of some horizons, all by rows or all by time.
#[derive(Debug)]
pub(super) struct Blocks {
    plan: AggregatePlan,
    by_rows: bool,
    /// Without the row itself (by rows).
    others: bool,
    /// Extent, and output column of each aggregate.
    horizons: Vec<(Extent, Vec<usize>)>,
    /// How long, or how many, rows are kept.
    reach: u64,
    keys: Vec<KeyRows>,
    held: Held,
    tables: [Table; LEVELS],
    free: [Vec<u32>; LEVELS],
    rows: u64,
    parts: Parts,
}

impl Blocks {
    pub(super) fn new(plan: AggregatePlan, group: Group, extents: &[Extent]) -> Self {
        let horizons = group.horizons.into_iter().map(|(h, outputs)| (extents[h], outputs));
        let horizons: Vec<(Extent, Vec<usize>)> = horizons.collect();
        let reach = horizons.iter().map(|(extent, _)| match *extent {
            Extent::Time { length, delay } => length.unsigned_abs() + delay.unsigned_abs(),
            Extent::Rows(rows) => rows,
        });
        Self {
            by_rows: group.by_rows,
            others: group.others,
            reach: reach.max().unwrap_or(0),
            horizons,
            keys: Vec::new(),
            held: Held::default(),
            tables: std::array::from_fn(|_| Table::new(&plan)),
            free: Default::default(),
            rows: 0,
            parts: Parts::default(),
            plan,
        }
    }

    /// Columns of the input that are read; the filters' columns come behind them.
    pub(super) fn plan(&self) -> &AggregatePlan {
        &self.plan
    }

    /// Takes rows in, by (time, position), and gives the columns of each: index among those that
    /// the plan adds, values.
    pub(super) fn answer(
        &mut self,
        times: &[i64],
        keys: &[u32],
        arrays: Vec<ArrayRef>,
        known_keys: usize,
    ) -> Result<Vec<(usize, ArrayRef)>> {
        let horizons = self.horizons.len();
        self.keys.resize_with(known_keys, || KeyRows {
            cursors: vec![(0, 0); horizons],
            ..KeyRows::default()
        });
        let first = self.held.add(&self.plan, arrays, times, keys)?;
        self.append(times, keys, first)?;
        let mut out = Vec::new();
        for horizon in 0..horizons {
            let answers = self.windows(horizon, times, keys)?.lower(&self.plan)?;
            let outputs = self.horizons[horizon].1.iter().copied();
            out.extend(outputs.zip(answers));
        }
        self.forget(times, keys)?;
        Ok(out)
    }

    /// Appends rows to their keys, and sets up the blocks that they fill.
    fn append(&mut self, times: &[i64], keys: &[u32], first: u64) -> Result<()> {
        let mut leaves: Vec<(u64, u32)> = Vec::new();
        let mut parents: [Vec<(u32, u32)>; LEVELS] = Default::default();
        for (i, (&time, &key)) in times.iter().zip(keys).enumerate() {
            let key = &mut self.keys[key as usize];
            key.rows.push_back((time, first + i as u64));
            let mut end = key.end();
            let mut level = 0;
            while level < LEVELS && end.is_multiple_of(WIDTH) {
                let start = end - WIDTH;
                end /= WIDTH;
                let start_row = (end - 1) * WIDTH.pow(level as u32 + 1);
                let slot = match start_row < key.first {
                    true => NO_SLOT,
                    false => take_slot(&mut self.tables[level], &mut self.free[level]),
                };
                if key.blocks[level].is_empty() {
                    key.first_blocks[level] = end - 1;
                }
                key.blocks[level].push_back(slot);
                if slot != NO_SLOT {
                    for child in start..start + WIDTH {
                        if level == 0 {
                            leaves.push((key.rows[(child - key.first) as usize].1, slot));
                        } else {
                            let at = (child - key.first_blocks[level - 1]) as usize;
                            parents[level].push((key.blocks[level - 1][at], slot));
                        }
                    }
                }
                level += 1;
            }
        }
        self.rows += times.len() as u64;
        self.held.add_to(&mut self.tables[0], &self.plan, &mut leaves)?;
        for level in 1..LEVELS {
            let (below, above) = self.tables.split_at_mut(level);
            combine(&self.plan, &below[level - 1], &mut above[0], &parents[level])?;
        }
        Ok(())
    }

    /// The states of the windows of a horizon, an entry a row.
    fn windows(&mut self, horizon: usize, times: &[i64], keys: &[u32]) -> Result<Table> {
        let extent = self.horizons[horizon].0;
        let mut parts = std::mem::take(&mut self.parts);
        for (i, (&time, &key)) in times.iter().zip(keys).enumerate() {
            let key = &mut self.keys[key as usize];
            let mut window = key.window(horizon, extent, time);
            if self.others {
                // By rows a window ends with its row.
                window.1 -= 1;
            }
            parts.add(key, window, i as u32);
        }
        let mut out = Table::new(&self.plan);
        out.resize(times.len());
        let [left, right] = &mut parts.rows;
        self.held.add_to(&mut out, &self.plan, left)?;
        for (level, edges) in parts.blocks.iter().enumerate() {
            combine(&self.plan, &self.tables[level], &mut out, &edges[0])?;
        }
        for (level, edges) in parts.blocks.iter().enumerate().rev() {
            combine(&self.plan, &self.tables[level], &mut out, &edges[1])?;
        }
        self.held.add_to(&mut out, &self.plan, right)?;
        parts.clear();
        self.parts = parts;
        Ok(out)
    }

    /// Forgets the rows that no window to come holds.
    fn forget(&mut self, times: &[i64], keys: &[u32]) -> Result<()> {
        if self.by_rows {
            let reach = self.reach;
            for &key in keys {
                let excess = (self.keys[key as usize].rows.len() as u64).saturating_sub(reach);
                for _ in 0..excess {
                    self.pop(key);
                }
            }
            if self.held.rows() as u64 > 2 * self.rows + GATHERED as u64 {
                self.move_together()?;
            }
            return Ok(());
        }
        let Some(&now) = times.last() else { return Ok(()) };
        while let Some(chunk) = self.held.pop_older(now, self.reach) {
            for key in chunk {
                self.pop(key);
            }
        }
        Ok(())
    }

    /// Forgets a key's first row.
    fn pop(&mut self, key: u32) {
        let key = &mut self.keys[key as usize];
        key.rows.pop_front();
        key.first += 1;
        self.rows -= 1;
        for level in 0..LEVELS {
            let width = WIDTH.pow(level as u32 + 1);
            if !key.blocks[level].is_empty() && key.first_blocks[level] * width < key.first {
                key.first_blocks[level] += 1;
                match key.blocks[level].pop_front() {
                    Some(slot) if slot != NO_SLOT => {
                        self.tables[level].reset(slot as usize);
                        self.free[level].push(slot);
                    }
                    _ => {}
                }
            }
        }
        if key.rows.is_empty() {
            key.rows = VecDeque::new();
            key.blocks = Default::default();
        }
    }

    /// Lets go of the rows that are held for no key.
    fn move_together(&mut self) -> Result<()> {
        let mut needed: Vec<(u64, u32)> = Vec::with_capacity(self.rows as usize);
        for (key, rows) in self.keys.iter().enumerate() {
            needed.extend(rows.rows.iter().map(|&(_, row)| (row, key as u32)));
        }
        needed.sort_unstable();
        let first = self.held.keep(&self.plan, &needed)?;
        let mut next = vec![0_usize; self.keys.len()];
        for (rank, &(_, key)) in needed.iter().enumerate() {
            let at = &mut next[key as usize];
            self.keys[key as usize].rows[*at].1 = first + rank as u64;
            *at += 1;
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        let key = |key: &KeyRows| {
            let blocks: usize = key.blocks.iter().map(|blocks| blocks.capacity() * 4).sum();
            key.rows.capacity() * 16 + key.cursors.capacity() * 16 + blocks
        };
        let keys: usize = self.keys.iter().map(key).sum();
        let tables: usize = self.tables.iter().map(Table::bytes).sum();
        self.keys.capacity() * size_of::<KeyRows>() + keys + tables + self.held.bytes()
    }

    pub(super) fn log_bytes(&self) -> usize {
        self.held.bytes() + self.rows as usize * 16
    }

    /// Rows that are kept.
    pub(super) fn log_rows(&self) -> u64 {
        self.rows
    }
}

fn take_slot(table: &mut Table, free: &mut Vec<u32>) -> u32 {
    free.pop().unwrap_or_else(|| {
        let slot = table.len();
        // One at a time would copy the table each time for some kinds of states.
        table.resize(slot.max(8) * 2);
        free.extend((slot as u32 + 1..table.len() as u32).rev());
        slot as u32
    })
}

/// Joins entries of a table into those of another, in order.
fn combine(plan: &AggregatePlan, from: &Table, to: &mut Table, parts: &[(u32, u32)]) -> Result<()> {
    for parts in parts.chunks(GATHERED) {
        let (slots, entries): (Vec<u32>, Vec<u32>) = parts.iter().copied().unzip();
        let mut gathered = Table::new(plan);
        gathered.gather(from, &slots);
        to.combine(&plan.lifts, &gathered, &entries)?;
    }
    Ok(())
}
