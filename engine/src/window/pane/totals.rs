//! The running totals of a hopping window.
//!
//! Windows are given out in order, and each shares most of its panes with the one before. So
//! what can be taken away exactly (counts, sums of integers and decimals) is kept as one table
//! over all keys to which the panes that enter are added and from which those that leave are
//! taken: two panes a window, however many it has. What cannot (float sums, which would drift;
//! least values) is combined anew from the panes, oldest first, for each window, unless the
//! window only grew; float sums for several windows at a time (`ahead.rs`).
//!
//! A bitmap of the keys that have a row in the window gives them in the order of their ids.

use pelton_kernels::simd::level;
use pelton_kernels::window_combine::{self, WINDOWS_SUMMED};

use super::ahead::{Ahead, PaneNumbers};
use super::store::{Pane, Panes};
use crate::error::Result;
use crate::state::keys::NO_ID;
use crate::window::aggregate::{Entries, Picked, Table};
use crate::window::expiry::Survivors;
use crate::window::output::Output;
use crate::window::spec::Plan;

/// The cells of the current window, by key id.
#[derive(Debug)]
pub(super) struct Totals {
    table: Table,
    /// Bit `id` is set where the key has a row in the window.
    live: Vec<u64>,
    /// Whether whole arrays came or went since, so that the bitmap is made anew.
    is_stale: bool,
    /// Numbers of the first and the last pane that are in `table`; none where first > last.
    first: i128,
    last: i128,
    /// First and last of the panes that the cells that cannot be taken away are made of.
    folded: Option<PaneNumbers>,
    /// The float sums of windows to come; only where no other cells are made anew.
    ahead: Option<Ahead>,
    /// The live keys of the last window; no others have such cells.
    keys: Vec<u32>,
    /// Whether all keys were live, which are then not listed.
    has_all: bool,
}

impl Totals {
    pub(super) fn new(plan: &Plan) -> Self {
        let table = Table::new(&plan.aggregates);
        let sums_ahead = table.has_inexact() && table.sums_ahead();
        Self {
            ahead: sums_ahead.then(Ahead::default),
            table,
            live: Vec::new(),
            is_stale: false,
            first: i128::MIN + 1,
            last: i128::MIN,
            folded: None,
            keys: Vec::new(),
            has_all: false,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let ahead = self.ahead.as_ref().map_or(0, Ahead::bytes);
        (self.table.bytes() + self.live.capacity() * 8 + self.keys.capacity() * 4 + ahead) as u64
    }

    /// Moves on to a window of the panes `first..=last`; `keys` is the number of ids.
    ///
    /// # Errors
    /// When an exact sum exceeds 128 bits.
    pub(super) fn advance(
        &mut self,
        panes: &Panes,
        first: i128,
        last: i128,
        plan: &Plan,
        keys: usize,
    ) -> Result<()> {
        debug_assert!(first >= self.first && last >= self.last);
        self.table.resize(keys.max(self.table.len()));
        self.live.resize(self.table.len().div_ceil(64), 0);
        self.leave(panes, first, plan)?;
        for pane in panes.between(first.max(self.last.saturating_add(1)), last) {
            self.table.combine_exact(&plan.aggregates.lifts, &pane.table, pane.keys())?;
            match pane.keys() {
                Entries::Same(_) => self.is_stale = true,
                Entries::Listed(keys) => {
                    keys.iter().for_each(|&key| self.live[key as usize / 64] |= 1 << (key % 64));
                }
            }
        }
        self.last = last;
        Ok(())
    }

    /// Takes the panes before `first` away.
    ///
    /// # Errors
    /// When an exact sum exceeds 128 bits.
    pub(super) fn leave(&mut self, panes: &Panes, first: i128, plan: &Plan) -> Result<()> {
        for pane in panes.between(self.first, self.last.min(first - 1)) {
            self.table.subtract_exact(&plan.aggregates.lifts, &pane.table, pane.keys())?;
            match pane.keys() {
                Entries::Same(_) => self.is_stale = true,
                Entries::Listed(keys) => {
                    for &key in keys {
                        let gone = u64::from(self.table.rows[key as usize] == 0);
                        self.live[key as usize / 64] &= !(gone << (key % 64));
                    }
                }
            }
        }
        self.first = first;
        Ok(())
    }

    /// Keys have got new ids; none that has a row in the window was forgotten.
    pub(super) fn retain_keys(&mut self, survivors: &Survivors, plan: &Plan) {
        self.table.resize(survivors.new_ids.len());
        let mut table = Table::new(&plan.aggregates);
        table.take(&mut self.table, &survivors.kept);
        self.table = table;
        self.live = vec![0; self.table.len().div_ceil(64)];
        self.is_stale = true;
        self.keys.retain_mut(|key| {
            *key = survivors.id(*key);
            *key != NO_ID
        });
    }

    /// Finds the live keys, ascending.
    fn find_keys(&mut self) {
        self.keys.clear();
        if std::mem::take(&mut self.is_stale) {
            window_combine::positive_bits(level(), &self.table.rows, &mut self.live);
        }
        let live = self.live.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        self.has_all = live == self.table.len();
        if self.has_all {
            return;
        }
        for (at, &word) in self.live.iter().enumerate() {
            let mut word = word;
            while word != 0 {
                self.keys.push(at as u32 * 64 + word.trailing_zeros());
                word &= word - 1;
            }
        }
    }

    /// Panes or keys may have changed since a window was completed.
    pub(super) fn begin(&mut self) {
        if let Some(ahead) = &mut self.ahead {
            ahead.clear();
        }
    }

    /// Finds the window's keys, and what cannot be taken away. `next`: the panes of this window
    /// and those behind it, where they are all to be completed before [`Totals::begin`].
    ///
    /// # Errors
    /// When a state cannot hold the window's rows.
    pub(super) fn complete(
        &mut self,
        panes: &Panes,
        plan: &Plan,
        next: impl FnOnce() -> Option<[PaneNumbers; WINDOWS_SUMMED]>,
    ) -> Result<()> {
        let window = (self.first, self.last);
        let grew = self.folded.is_some_and(|(first, _)| first == self.first);
        if let (false, Some(ahead)) = (grew, &mut self.ahead) {
            let table = &mut self.table;
            let mut is_done = ahead.take(window, table);
            if !is_done && let Some(next) = next() {
                is_done = ahead.make(&next, panes, table) && ahead.take(window, table);
            }
            if is_done {
                self.find_keys();
                self.folded = Some(window);
                return Ok(());
            }
        }
        let fold_from = match self.folded {
            // The window before, grown: what it was made of stays (cumulating windows).
            Some((first, last)) if first == self.first => last + 1,
            _ if self.has_all => {
                self.table.reset_all_inexact();
                self.first
            }
            _ => {
                self.table.reset_inexact(&self.keys);
                self.first
            }
        };
        self.find_keys();
        if !self.table.has_inexact() {
            return Ok(());
        }
        let lifts = &plan.aggregates.lifts;
        let panes: Vec<&Pane> = panes.between(fold_from, self.last).collect();
        if panes.iter().all(|pane| pane.is_full) {
            let tables: Vec<&Table> = panes.iter().map(|pane| &pane.table).collect();
            self.table.combine_all_inexact(lifts, &tables)?;
        } else {
            for pane in panes {
                self.table.combine_inexact(lifts, &pane.table, pane.keys())?;
            }
        }
        self.folded = Some(window);
        Ok(())
    }

    /// The cells of the window that is complete, by key id.
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// The keys of the window that is complete.
    pub(super) fn keys(&self) -> Picked<'_> {
        if self.has_all { Picked::All } else { Picked::Some(&self.keys) }
    }

    /// Appends the rows of the window that is complete, in the order of key ids.
    pub(super) fn append_to(&self, (start, end): (i128, i128), out: &mut Output) {
        let before = out.keys.len();
        match self.keys() {
            Picked::All => {
                out.table.append(&self.table);
                out.keys.extend(0..self.table.len() as u32);
            }
            Picked::Some(keys) => {
                out.table.gather(&self.table, keys);
                out.keys.extend_from_slice(keys);
            }
        }
        out.windows.push((start, end, out.keys.len() - before));
    }
}
