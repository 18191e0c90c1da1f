//! One row on its way into its key's state, whatever its place in time: pushed behind the log, or
//! inserted where it belongs, and the horizons moved to it. Most rows take the short cut of
//! [`super::slide`] and never come here.

use super::entries::Entries;
use super::forget::Lifetime;
use super::layout::{DISPLACED, FLAGS, FRESH, HorizonLayout, LAST_TIME, Layout};
use super::multiset::Multiset;
use super::raw::RawRow;
use super::ring::Ring;
use super::slide::{
    Counter, Previous, add, last, previous_at, push, settle, slide, write_codes, write_horizon,
    write_previous,
};
use super::state::{
    Common, FIRST_MULTISET, SINGLE, clear, count_codes, cursors, is_past, pop_forgotten,
    set_cursors,
};

/// What counts entries of the row's key in and out.
macro_rules! counter {
    ($row:expr) => {
        Counter {
            layout: $row.layout,
            log: $row.ring.view($row.layout.entry_words),
            block: $row.block,
            multisets: $row.multisets,
            counts_codes: $row.counts_codes,
            overflow: &mut $row.overflow,
        }
    };
}

/// One row on its way into its key's state.
pub(super) struct RowContext<'a> {
    pub layout: &'a Layout,
    pub ring: &'a mut Ring,
    pub block: &'a mut [u64],
    pub multisets: &'a mut Vec<Multiset>,
    /// Most entries that a log has had room for.
    pub longest: &'a mut u32,
    pub entries: &'a Entries,
    pub row: usize,
    pub common: Common,
    pub out: RawRow<'a>,
    pub memory: u64,
    pub lifetime: Option<Lifetime>,
    pub time: i64,
    /// Sequence number that the row gets in the log.
    pub own: u32,
    pub largest: Option<i64>,
    pub overflow: Option<u32>,
    /// Whether a code column of the key has more than one value.
    pub counts_codes: bool,
}

impl RowContext<'_> {
    /// Takes the row in and writes what its windows hold.
    pub(super) fn run(&mut self) {
        self.note_codes();
        let in_order = self.ring.len() == 0 || self.time >= self.block[LAST_TIME] as i64;
        let previous = if in_order {
            let previous = last(self.layout, self.ring);
            if self.block[FLAGS] & DISPLACED == 0 && self.largest.is_none() {
                if self.ring.is_full() {
                    pop_forgotten(self.ring, self.block, self.layout, self.time, self.memory);
                }
                if self.ring.is_full() {
                    self.grow();
                }
                push(self.layout, self.ring, self.block, self.entries, self.row);
                let tracks = self.common.tracks();
                let time = self.time;
                let mut counter = counter!(self);
                slide(&mut counter, tracks, self.common.has_nulls, self.out.again(), time);
            } else {
                self.push_and_seek();
            }
            self.block[LAST_TIME] = self.time as u64;
            previous
        } else {
            self.insert_and_seek()
        };
        let knows = |previous: &Previous| {
            self.lifetime.is_none_or(|life| life.knows(previous.time, self.time, self.largest))
        };
        let previous = previous.filter(knows);
        write_previous(self.layout, self.time, previous, self.out.again());
        write_codes(
            self.layout,
            self.block,
            self.multisets,
            self.entries,
            self.row,
            self.out.again(),
        );
    }

    /// Sees to it that the row's codes can be counted, before any window moves.
    #[inline]
    fn note_codes(&mut self) {
        for (code, codes) in self.entries.codes.iter().enumerate() {
            let value = codes[self.row];
            let state = self.block[self.layout.code_states + code];
            if state >> 32 == 0 {
                self.block[self.layout.code_states + code] = SINGLE << 32 | u64::from(value);
            } else if state >> 32 == SINGLE {
                if state as u32 != value {
                    self.split_single(code, state as u32);
                    self.counts_codes = true;
                }
            } else {
                self.counts_codes = true;
            }
        }
    }

    #[cold]
    fn split_single(&mut self, code: usize, value: u32) {
        let mut multiset = Multiset::new(self.layout.horizons.len());
        for (window, horizon) in self.layout.horizons.iter().enumerate() {
            let (lo, hi) = cursors(self.block, horizon);
            if horizon.counts_codes {
                multiset.add_many(value, window, hi.wrapping_sub(lo));
            }
        }
        self.multisets.push(multiset);
        let number = self.multisets.len() as u64 - 1 + FIRST_MULTISET;
        self.block[self.layout.code_states + code] = number << 32;
    }

    fn grow(&mut self) {
        self.ring.grow(self.layout.entry_words);
        *self.longest = (*self.longest).max(self.ring.capacity());
    }

    /// The row is the key's newest, but the cursors stand elsewhere.
    #[cold]
    fn push_and_seek(&mut self) {
        if self.ring.is_full() {
            self.grow();
        }
        self.block[FLAGS] &= !FRESH;
        self.own = self.ring.end();
        push(self.layout, self.ring, self.block, self.entries, self.row);
        self.seek_all();
        self.block[FLAGS] &= !DISPLACED;
        if self.largest.is_some() {
            // Late, though its key's newest: its windows may be cut at the memory's end.
            self.block[FLAGS] |= DISPLACED;
        }
    }

    /// The row is older than its key's newest.
    #[cold]
    fn insert_and_seek(&mut self) -> Option<Previous> {
        let layout = self.layout;
        let at = self.ring.upper_bound(self.time, layout.entry_words);
        let newest = self.block[LAST_TIME] as i64;
        let previous = (at != self.ring.first())
            .then(|| previous_at(layout, self.ring, at.wrapping_sub(1)))
            .filter(|p| !is_past(p.time, self.largest.unwrap_or(newest), self.memory));
        if self.ring.is_full() {
            self.grow();
        }
        self.block[FLAGS] &= !FRESH;
        self.insert(at);
        let index = at.wrapping_sub(self.ring.first());
        for (window, horizon) in layout.horizons.iter().enumerate() {
            let (lo, hi) = cursors(self.block, horizon);
            let first = self.ring.first();
            if index < lo.wrapping_sub(first) {
                set_cursors(self.block, horizon, lo.wrapping_add(1), hi.wrapping_add(1));
            } else if index < hi.wrapping_sub(first) {
                self.count::<true>(window, horizon, at);
                set_cursors(self.block, horizon, lo, hi.wrapping_add(1));
            }
        }
        self.seek_all();
        self.block[FLAGS] |= DISPLACED;
        previous
    }

    /// Writes the row into the log before the row that has its sequence number now; all rows
    /// from there on have one row more before them.
    fn insert(&mut self, sequence: u32) {
        let layout = self.layout;
        let stride = layout.entry_words;
        self.own = sequence;
        self.ring.insert(sequence, stride);
        // The sums before it are those before the row that stood here.
        let entry = self.ring.entry_mut(sequence, stride);
        let sums = entry.to_vec();
        self.entries.write(self.row, entry);
        for sum in &layout.sums {
            let words = sum.word..sum.word + layout.sum_words();
            entry[words.clone()].copy_from_slice(&sums[words]);
        }
        for sum in &layout.sums {
            let value = self.entries.get(self.row, sum.word);
            let mut later = sequence.wrapping_add(1);
            while later != self.ring.end() {
                add(self.ring.entry_mut(later, stride), sum.word, value, layout.wide);
                later = later.wrapping_add(1);
            }
            add(self.block, sum.total, value, layout.wide);
        }
    }

    fn seek_all(&mut self) {
        let layout = self.layout;
        for (window, horizon) in layout.horizons.iter().enumerate() {
            self.seek(window, horizon);
            let log = self.ring.view(layout.entry_words);
            if horizon.has_floats {
                settle(layout, horizon, &log, self.block, &mut self.overflow);
            }
            write_horizon(
                layout,
                horizon,
                &log,
                self.block,
                self.common.has_nulls,
                self.out.again(),
            );
        }
    }

    /// Whether a time is not past the window's open left end.
    #[inline]
    fn is_inside_left(&self, horizon: &HorizonLayout, sequence: u32) -> bool {
        let time = self.ring.time(sequence, self.layout.entry_words);
        let forgotten = match self.largest {
            // Newer rows are cut off by `hi`: for them the left end must not say no, or the
            // cursor would stop before it reaches the row.
            Some(largest) => {
                sequence != self.own && time <= self.time && is_past(time, largest, self.memory)
            }
            None => false,
        };
        !is_past(time, self.time, horizon.span) && !forgotten
    }

    /// Moves a horizon to the window that ends at the row, whichever way. No row is counted that
    /// is in neither window: what lies between may have been forgotten or not, and sums of
    /// floats keep a trace of what passed through them.
    fn seek(&mut self, window: usize, horizon: &HorizonLayout) {
        let first = self.ring.first();
        let (lo, hi) = cursors(self.block, horizon);
        let (new_lo, new_hi) = self.find(horizon, lo, hi);
        let index = |sequence: u32| sequence.wrapping_sub(first);
        if index(new_hi) <= index(lo) || index(hi) <= index(new_lo) {
            self.leave(window, horizon, lo, hi);
            self.count_range::<true>(window, horizon, new_lo, new_hi);
        } else {
            self.count_range::<true>(window, horizon, new_lo, lo);
            self.count_range::<true>(window, horizon, hi, new_hi);
            self.count_range::<false>(window, horizon, lo, new_lo);
            self.count_range::<false>(window, horizon, new_hi, hi);
        }
        set_cursors(self.block, horizon, new_lo, new_hi);
    }

    /// Where the window that ends at the row begins and ends, from where its cursors stand.
    fn find(&self, horizon: &HorizonLayout, mut lo: u32, mut hi: u32) -> (u32, u32) {
        let stride = self.layout.entry_words;
        let (first, end) = (self.ring.first(), self.ring.end());
        let has_come =
            |sequence| is_past(self.ring.time(sequence, stride), self.time, horizon.delay);
        while lo != first && self.is_inside_left(horizon, lo.wrapping_sub(1)) {
            lo = lo.wrapping_sub(1);
        }
        while hi != end && has_come(hi) {
            hi = hi.wrapping_add(1);
        }
        while lo != hi && !self.is_inside_left(horizon, lo) {
            lo = lo.wrapping_add(1);
        }
        while hi != lo && !has_come(hi.wrapping_sub(1)) {
            hi = hi.wrapping_sub(1);
        }
        (lo, hi)
    }

    /// Empties a window.
    fn leave(&mut self, window: usize, horizon: &HorizonLayout, lo: u32, hi: u32) {
        let counts_codes = self.counts_codes && horizon.counts_codes;
        let mut sequence = lo;
        while counts_codes && sequence != hi {
            let entry = self.ring.entry(sequence, self.layout.entry_words);
            count_codes(self.layout, self.block, self.multisets, entry, window, false);
            sequence = sequence.wrapping_add(1);
        }
        clear(self.block, horizon);
    }

    /// Counts the entries from one sequence number to another, where that is behind it.
    fn count_range<const ADD: bool>(
        &mut self,
        window: usize,
        horizon: &HorizonLayout,
        from: u32,
        to: u32,
    ) {
        let first = self.ring.first();
        let rows = to.wrapping_sub(first).saturating_sub(from.wrapping_sub(first));
        for index in 0..rows {
            self.count::<ADD>(window, horizon, from.wrapping_add(index));
        }
    }

    /// Counts a logged entry into or out of a window.
    fn count<const ADD: bool>(&mut self, window: usize, horizon: &HorizonLayout, sequence: u32) {
        counter!(self).count::<ADD>(window, horizon, sequence);
    }
}
