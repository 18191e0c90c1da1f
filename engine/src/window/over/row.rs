//! One row on its way into its key's state: pushed behind the log, or inserted where it
//! belongs, and the horizons moved to it.

use super::accumulate::accumulate;
use super::layout::{AccumulatorKind, DISPLACED, FLAGS, HorizonLayout, LAST_TIME, Layout};
use super::multiset::Multiset;
use super::ring::{Ring, View};
use super::state::{
    FIRST_MULTISET, Previous, SINGLE, clear, count_codes, cursors, is_past, pop_forgotten,
    set_cursors,
};

/// One row on its way into its key's state.
pub(super) struct RowContext<'a> {
    pub layout: &'a Layout,
    pub ring: &'a mut Ring,
    pub block: &'a mut [u64],
    pub multisets: &'a mut Vec<Multiset>,
    pub memory: u64,
    pub time: i64,
    /// Sequence number that the row gets in the log.
    pub own: u32,
    pub largest: Option<i64>,
    pub overflow: Option<u32>,
    /// Whether a code column of the key has more than one value.
    pub counts_codes: bool,
}

impl RowContext<'_> {
    /// Sees to it that the row's codes can be counted, before any window moves.
    #[inline]
    pub(super) fn note_codes(&mut self, entry: &[u64]) {
        for code in 0..self.layout.codes {
            let value = self.layout.code(entry, code);
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

    /// The newest row of the key.
    #[inline]
    pub(super) fn last(&self) -> Option<Previous> {
        if self.ring.len() == 0 {
            return None;
        }
        Some(self.previous_at(self.ring.end().wrapping_sub(1)))
    }

    #[inline]
    fn previous_at(&self, sequence: u32) -> Previous {
        let entry = self.ring.entry(sequence, self.layout.entry_words);
        let place = self.layout.place_word.map_or(0, |word| entry[word]);
        Previous { time: entry[0] as i64, place }
    }

    /// The common case: the row is the key's newest, and so was the one before.
    #[inline]
    pub(super) fn push_in_order(&mut self, entry: &[u64]) {
        let layout = self.layout;
        let stride = layout.entry_words;
        if self.counts_codes {
            self.slide_counting_codes(entry);
        } else {
            slide(&self.ring.view(stride), self.block, layout, entry, &mut self.overflow);
        }
        if self.ring.is_full() {
            pop_forgotten(self.ring, self.block, layout, self.time, self.memory);
            if self.ring.is_full() {
                self.ring.grow(stride);
            }
        }
        self.ring.push(entry);
        self.settle_all();
    }

    /// As [`slide`], for a key with values to count.
    fn slide_counting_codes(&mut self, entry: &[u64]) {
        let layout = self.layout;
        let stride = layout.entry_words;
        for (window, horizon) in layout.horizons.iter().enumerate() {
            let (mut lo, mut hi) = cursors(self.block, horizon);
            let end = self.ring.end();
            if horizon.delay > 0 {
                while hi != end
                    && is_past(self.ring.time(hi, stride), self.time, horizon.delay as u64)
                {
                    self.count(window, horizon, hi, true);
                    hi = hi.wrapping_add(1);
                }
            }
            let span = horizon.length as u64 + horizon.delay as u64;
            while lo != hi && is_past(self.ring.time(lo, stride), self.time, span) {
                self.count(window, horizon, lo, false);
                lo = lo.wrapping_add(1);
            }
            if horizon.delay == 0 {
                accumulate::<true>(horizon, self.block, entry, layout, &mut self.overflow);
                if horizon.counts_codes {
                    count_codes(layout, self.block, self.multisets, entry, window, true);
                }
                hi = hi.wrapping_add(1);
            }
            set_cursors(self.block, horizon, lo, hi);
        }
    }

    /// The row is the key's newest, but the cursors stand elsewhere.
    #[cold]
    pub(super) fn push_and_seek(&mut self, entry: &[u64]) {
        if self.ring.is_full() {
            self.ring.grow(self.layout.entry_words);
        }
        self.own = self.ring.end();
        self.ring.push(entry);
        self.seek_all();
        self.block[FLAGS] &= !DISPLACED;
        if self.largest.is_some() {
            // Late, though its key's newest: its windows may be cut at the memory's end.
            self.block[FLAGS] |= DISPLACED;
        }
    }

    /// The row is older than its key's newest.
    #[cold]
    pub(super) fn insert_and_seek(&mut self, entry: &[u64]) -> Option<Previous> {
        let layout = self.layout;
        let at = self.ring.upper_bound(self.time, layout.entry_words);
        let newest = self.block[LAST_TIME] as i64;
        let previous = (at != self.ring.first())
            .then(|| self.previous_at(at.wrapping_sub(1)))
            .filter(|p| !is_past(p.time, self.largest.unwrap_or(newest), self.memory));
        if self.ring.is_full() {
            self.ring.grow(layout.entry_words);
        }
        self.own = at;
        self.ring.insert(at, entry);
        let index = at.wrapping_sub(self.ring.first());
        for (window, horizon) in layout.horizons.iter().enumerate() {
            let (lo, hi) = cursors(self.block, horizon);
            let first = self.ring.first();
            if index < lo.wrapping_sub(first) {
                set_cursors(self.block, horizon, lo.wrapping_add(1), hi.wrapping_add(1));
            } else if index < hi.wrapping_sub(first) {
                self.count(window, horizon, at, true);
                set_cursors(self.block, horizon, lo, hi.wrapping_add(1));
            }
        }
        self.seek_all();
        self.block[FLAGS] |= DISPLACED;
        previous
    }

    fn seek_all(&mut self) {
        let layout = self.layout;
        for (window, horizon) in layout.horizons.iter().enumerate() {
            self.seek(window, horizon);
        }
        self.settle_all();
    }

    /// Whether a time is not past the window's open left end.
    #[inline]
    fn is_inside_left(&self, horizon: &HorizonLayout, sequence: u32) -> bool {
        let span = horizon.length as u64 + horizon.delay as u64;
        let time = self.ring.time(sequence, self.layout.entry_words);
        let forgotten = match self.largest {
            // Newer rows are cut off by `hi`: for them the left end must not say no, or the
            // cursor would stop before it reaches the row.
            Some(largest) => {
                sequence != self.own && time <= self.time && is_past(time, largest, self.memory)
            }
            None => false,
        };
        !is_past(time, self.time, span) && !forgotten
    }

    /// Steps the cursors of a horizon to the window that ends at the row, whichever way.
    fn seek(&mut self, window: usize, horizon: &HorizonLayout) {
        let stride = self.layout.entry_words;
        let (mut lo, mut hi) = cursors(self.block, horizon);
        let (first, end) = (self.ring.first(), self.ring.end());
        let delay = horizon.delay as u64;
        while lo != first && self.is_inside_left(horizon, lo.wrapping_sub(1)) {
            lo = lo.wrapping_sub(1);
            self.count(window, horizon, lo, true);
        }
        while hi != end && is_past(self.ring.time(hi, stride), self.time, delay) {
            self.count(window, horizon, hi, true);
            hi = hi.wrapping_add(1);
        }
        while lo != hi && !self.is_inside_left(horizon, lo) {
            self.count(window, horizon, lo, false);
            lo = lo.wrapping_add(1);
        }
        while hi != lo && !is_past(self.ring.time(hi.wrapping_sub(1), stride), self.time, delay) {
            hi = hi.wrapping_sub(1);
            self.count(window, horizon, hi, false);
        }
        set_cursors(self.block, horizon, lo, hi);
    }

    /// Counts a logged entry into or out of a window.
    #[inline]
    fn count(&mut self, window: usize, horizon: &HorizonLayout, sequence: u32, add: bool) {
        let entry = self.ring.entry(sequence, self.layout.entry_words);
        let (block, overflow) = (&mut *self.block, &mut self.overflow);
        if add {
            accumulate::<true>(horizon, block, entry, self.layout, overflow);
        } else {
            accumulate::<false>(horizon, block, entry, self.layout, overflow);
        }
        if self.counts_codes && horizon.counts_codes {
            count_codes(self.layout, block, self.multisets, entry, window, add);
        }
    }

    /// Float sums of windows of 0 and 1 rows are set to what they are, so that no trace of
    /// rows that left can stay; and so are sums that a huge value made infinite.
    #[inline]
    fn settle_all(&mut self) {
        let layout = self.layout;
        if !layout.has_floats {
            return;
        }
        for horizon in &layout.horizons {
            if !horizon.has_floats {
                continue;
            }
            let (lo, hi) = cursors(self.block, horizon);
            let broken = horizon.accumulators.iter().any(|a| {
                matches!(a.kind, AccumulatorKind::FloatSum | AccumulatorKind::FloatSumOfSquares)
                    && !f64::from_bits(self.block[a.at]).is_finite()
            });
            if hi.wrapping_sub(lo) <= 1 || broken {
                self.recompute(horizon, lo, hi);
            }
        }
    }

    fn recompute(&mut self, horizon: &HorizonLayout, lo: u32, hi: u32) {
        clear(self.block, horizon);
        let mut sequence = lo;
        while sequence != hi {
            let entry = self.ring.entry(sequence, self.layout.entry_words);
            accumulate::<true>(horizon, self.block, entry, self.layout, &mut self.overflow);
            sequence = sequence.wrapping_add(1);
        }
    }
}

/// Moves all horizons to a row in order of time, which is about to be pushed: it counts already
/// where it will. A function of its arguments alone, so that the compiler keeps the log's place
/// and the time in registers across the stores to the block.
#[inline]
fn slide(
    log: &View<'_>,
    block: &mut [u64],
    layout: &Layout,
    entry: &[u64],
    overflow: &mut Option<u32>,
) {
    let time = entry[0] as i64;
    let end = log.end();
    for horizon in &layout.horizons {
        let (mut lo, mut hi) = cursors(block, horizon);
        if horizon.delay > 0 {
            while hi != end {
                let enters = log.entry(hi);
                if !is_past(enters[0] as i64, time, horizon.delay as u64) {
                    break;
                }
                accumulate::<true>(horizon, block, enters, layout, overflow);
                hi = hi.wrapping_add(1);
            }
        }
        let span = horizon.length as u64 + horizon.delay as u64;
        while lo != hi {
            let leaves = log.entry(lo);
            if !is_past(leaves[0] as i64, time, span) {
                break;
            }
            accumulate::<false>(horizon, block, leaves, layout, overflow);
            lo = lo.wrapping_add(1);
        }
        if horizon.delay == 0 {
            accumulate::<true>(horizon, block, entry, layout, overflow);
            hi = hi.wrapping_add(1);
        }
        set_cursors(block, horizon, lo, hi);
    }
}
