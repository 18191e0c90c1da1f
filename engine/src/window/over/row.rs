//! One row on its way into its key's state: pushed behind the log, or inserted where it
//! belongs, the horizons moved to it, and what they hold then written to the batch's columns.

use super::accumulate::accumulate;
use super::entries::{Entries, NO_PLACE};
use super::layout::{Accumulator, FLAGS};
use super::layout::{AccumulatorKind, DISPLACED, HorizonLayout, LAST_TIME, Layout, Sum};
use super::multiset::Multiset;
use super::numbers::{load_i128, store_i128};
use super::raw::RawRow;
use super::ring::{Ring, View};
use super::state::{
    FIRST_MULTISET, SINGLE, clear, count_codes, cursors, is_past, pop_forgotten, set_cursors,
};

/// What the row before the current one (in time, of the same key) was.
#[derive(Debug, Clone, Copy)]
struct Previous {
    time: i64,
    place: u64,
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
    /// Whether a null has ever come.
    pub has_nulls: bool,
    pub out: RawRow<'a>,
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
    /// Takes the row in and writes what its windows hold.
    #[inline]
    pub(super) fn run(&mut self) {
        self.note_codes();
        let in_order = self.ring.len() == 0 || self.time >= self.block[LAST_TIME] as i64;
        let previous = if in_order {
            let previous = self.last();
            if self.block[FLAGS] & DISPLACED == 0 && self.largest.is_none() {
                self.push_in_order();
            } else {
                self.push_and_seek();
            }
            self.block[LAST_TIME] = self.time as u64;
            previous
        } else {
            self.insert_and_seek()
        };
        self.write_previous(previous);
        self.write_codes();
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

    /// The newest row of the key.
    #[inline]
    fn last(&self) -> Option<Previous> {
        if self.ring.len() == 0 {
            return None;
        }
        Some(self.previous_at(self.ring.end().wrapping_sub(1)))
    }

    #[inline]
    fn previous_at(&self, sequence: u32) -> Previous {
        let entry = self.ring.entry(sequence, self.layout.entry_words);
        let place = self.layout.place_word.map_or(NO_PLACE, |word| entry[word]);
        Previous { time: entry[0] as i64, place }
    }

    /// The common case: the row is the key's newest, and so was the one before.
    #[inline]
    fn push_in_order(&mut self) {
        if self.ring.is_full() {
            self.make_room();
        }
        self.push();
        self.slide();
    }

    /// Forgets what can be forgotten at the row's time, or else grows the log.
    #[cold]
    fn make_room(&mut self) {
        let layout = self.layout;
        let stride = layout.entry_words;
        let ring = &self.ring;
        if ring.len() > 0 && is_past(ring.time(ring.first(), stride), self.time, self.memory) {
            for (window, horizon) in layout.horizons.iter().enumerate() {
                self.seek(window, horizon);
            }
            pop_forgotten(self.ring, self.block, layout, self.time, self.memory);
        }
        if self.ring.is_full() {
            self.grow();
        }
    }

    fn grow(&mut self) {
        self.ring.grow(self.layout.entry_words);
        *self.longest = (*self.longest).max(self.ring.capacity());
    }

    /// Writes the row behind the log.
    #[inline]
    fn push(&mut self) {
        let layout = self.layout;
        self.own = self.ring.end();
        let entry = self.ring.push(layout.entry_words);
        self.entries.write(self.row, layout, entry);
        for sum in &layout.sums {
            entry[sum.word] = self.block[sum.total];
            if layout.wide {
                entry[sum.word + 1] = self.block[sum.total + 1];
            }
            add(self.block, sum.total, self.entries.values[sum.measure][self.row], layout.wide);
        }
    }

    /// Moves all horizons to the row, which stands at the log's end.
    #[inline]
    fn slide(&mut self) {
        let layout = self.layout;
        let log = self.ring.view(layout.entry_words);
        let tracks = Tracks { all: self.has_nulls || layout.wide, codes: self.counts_codes };
        if !tracks.all {
            slide_plain(layout, tracks, log, self.block, self.out.again(), self.time);
        }
        if tracks.all || tracks.codes || layout.has_tracked {
            self.slide_tracked(tracks);
        }
    }

    /// As [`slide_plain`], for the horizons that count rows in and out.
    fn slide_tracked(&mut self, tracks: Tracks) {
        let layout = self.layout;
        let log = self.ring.view(layout.entry_words);
        let mut counter = Counter {
            layout,
            log,
            block: self.block,
            multisets: self.multisets,
            counts_codes: self.counts_codes,
            overflow: &mut self.overflow,
        };
        for (window, horizon) in layout.horizons.iter().enumerate() {
            if !tracks.tracks(horizon) {
                continue;
            }
            let (mut lo, mut hi) = cursors(counter.block, horizon);
            if horizon.delay > 0 {
                while is_past(log.time(hi), self.time, horizon.delay) {
                    counter.count::<true>(window, horizon, hi);
                    hi = hi.wrapping_add(1);
                }
            }
            while is_past(log.time(lo), self.time, horizon.span) {
                counter.count::<false>(window, horizon, lo);
                lo = lo.wrapping_add(1);
            }
            if horizon.delay == 0 {
                counter.count::<true>(window, horizon, hi);
                hi = hi.wrapping_add(1);
            }
            set_cursors(counter.block, horizon, lo, hi);
            if horizon.has_floats {
                settle(layout, horizon, &log, counter.block, counter.overflow);
            }
            write_horizon(layout, horizon, &log, counter.block, self.has_nulls, self.out.again());
        }
    }

    /// The row is the key's newest, but the cursors stand elsewhere.
    #[cold]
    fn push_and_seek(&mut self) {
        if self.ring.is_full() {
            self.grow();
        }
        self.push();
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
            .then(|| self.previous_at(at.wrapping_sub(1)))
            .filter(|p| !is_past(p.time, self.largest.unwrap_or(newest), self.memory));
        if self.ring.is_full() {
            self.grow();
        }
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
        self.entries.write(self.row, layout, self.ring.entry_mut(sequence, stride));
        for sum in &layout.sums {
            let value = self.entries.values[sum.measure][self.row];
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
            write_horizon(layout, horizon, &log, self.block, self.has_nulls, self.out.again());
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

    /// Steps the cursors of a horizon to the window that ends at the row, whichever way.
    fn seek(&mut self, window: usize, horizon: &HorizonLayout) {
        let stride = self.layout.entry_words;
        let (mut lo, mut hi) = cursors(self.block, horizon);
        let (first, end) = (self.ring.first(), self.ring.end());
        let delay = horizon.delay;
        while lo != first && self.is_inside_left(horizon, lo.wrapping_sub(1)) {
            lo = lo.wrapping_sub(1);
            self.count::<true>(window, horizon, lo);
        }
        while hi != end && is_past(self.ring.time(hi, stride), self.time, delay) {
            self.count::<true>(window, horizon, hi);
            hi = hi.wrapping_add(1);
        }
        while lo != hi && !self.is_inside_left(horizon, lo) {
            self.count::<false>(window, horizon, lo);
            lo = lo.wrapping_add(1);
        }
        while hi != lo && !is_past(self.ring.time(hi.wrapping_sub(1), stride), self.time, delay) {
            hi = hi.wrapping_sub(1);
            self.count::<false>(window, horizon, hi);
        }
        set_cursors(self.block, horizon, lo, hi);
    }

    /// Counts a logged entry into or out of a window.
    fn count<const ADD: bool>(&mut self, window: usize, horizon: &HorizonLayout, sequence: u32) {
        Counter {
            layout: self.layout,
            log: self.ring.view(self.layout.entry_words),
            block: self.block,
            multisets: self.multisets,
            counts_codes: self.counts_codes,
            overflow: &mut self.overflow,
        }
        .count::<ADD>(window, horizon, sequence);
    }

    #[inline]
    fn write_previous(&mut self, previous: Option<Previous>) {
        if let Some(column) = self.layout.elapsed_column {
            let elapsed = |p: Previous| self.time.wrapping_sub(p.time) as u64 as f64;
            self.out.set(column, previous.map_or(f64::NAN, elapsed).to_bits());
        }
        if let Some(column) = self.layout.place_column {
            self.out.set(column, previous.map_or(NO_PLACE, |p| p.place));
        }
    }

    /// Distinct values, and rows with the row's own value.
    #[inline]
    fn write_codes(&mut self) {
        for read in &self.layout.code_reads {
            let state = self.block[self.layout.code_states + read.c];
            let (distinct, same) = if state >> 32 >= FIRST_MULTISET {
                let multiset = &self.multisets[((state >> 32) - FIRST_MULTISET) as usize];
                let value = self.entries.codes[read.c][self.row];
                let same = read.same.map_or(0, |_| multiset.count(value, read.h));
                (multiset.distinct(read.h), same)
            } else {
                let (lo, hi) = cursors(self.block, &self.layout.horizons[read.h]);
                let rows = hi.wrapping_sub(lo);
                let counts = state as u32 != super::multiset::NULL_CODE && rows > 0;
                (u32::from(counts), rows)
            };
            self.out.set(read.distinct, distinct.into());
            if let Some(column) = read.same {
                self.out.set(column, same.into());
            }
        }
    }
}

/// Which horizons count rows in and out for this row.
#[derive(Clone, Copy)]
struct Tracks {
    all: bool,
    /// Those that count values, because the key has more than one.
    codes: bool,
}

impl Tracks {
    #[inline]
    fn tracks(self, horizon: &HorizonLayout) -> bool {
        self.all || horizon.is_tracked || self.codes && horizon.counts_codes
    }
}

/// Moves the horizons that keep nothing but their cursors to the row at the log's end, and
/// writes what they hold: rows leave by their times alone, and no cursor can run past the row
/// itself. A function of its arguments, so that the log's place stays in registers.
#[inline(never)]
fn slide_plain(
    layout: &Layout,
    tracks: Tracks,
    log: View<'_>,
    block: &mut [u64],
    mut out: RawRow<'_>,
    time: i64,
) {
    let end = log.end();
    for horizon in &layout.horizons {
        if tracks.tracks(horizon) {
            continue;
        }
        let (mut lo, mut hi) = cursors(block, horizon);
        let mut left = log.place(lo);
        if let Some(bound) = time.checked_sub_unsigned(horizon.span) {
            while log.word(left, 0) as i64 <= bound {
                lo = lo.wrapping_add(1);
                left = log.next(left);
            }
        }
        if horizon.delay == 0 {
            set_cursors(block, horizon, lo, end);
            out.set(horizon.rows_column, end.wrapping_sub(lo).into());
            for read in &horizon.sums {
                let sum = block[read.sum.total].wrapping_sub(log.word(left, read.sum.word));
                out.set(read.column, sum);
            }
            continue;
        }
        let mut right = log.place(hi);
        if let Some(bound) = time.checked_sub_unsigned(horizon.delay) {
            while log.word(right, 0) as i64 <= bound {
                hi = hi.wrapping_add(1);
                right = log.next(right);
            }
        }
        set_cursors(block, horizon, lo, hi);
        out.set(horizon.rows_column, hi.wrapping_sub(lo).into());
        for read in &horizon.sums {
            let (right, left) = (log.word(right, read.sum.word), log.word(left, read.sum.word));
            out.set(read.column, right.wrapping_sub(left));
        }
    }
}

/// What counting an entry into or out of a window takes.
struct Counter<'a> {
    layout: &'a Layout,
    log: View<'a>,
    block: &'a mut [u64],
    multisets: &'a mut [Multiset],
    counts_codes: bool,
    overflow: &'a mut Option<u32>,
}

impl Counter<'_> {
    fn count<const ADD: bool>(&mut self, window: usize, horizon: &HorizonLayout, sequence: u32) {
        let Self { layout, log, .. } = *self;
        accumulate::<ADD>(horizon, self.block, &log, sequence, layout, self.overflow);
        if self.counts_codes && horizon.counts_codes {
            let entry = log.entry(sequence);
            count_codes(layout, self.block, self.multisets, entry, window, ADD);
        }
    }
}

/// Adds an integer to a sum of one or two words.
#[inline]
fn add(words: &mut [u64], at: usize, value: u64, wide: bool) {
    if wide {
        let sum = load_i128(words, at) + i128::from(value as i64);
        store_i128(words, at, sum);
    } else {
        words[at] = words[at].wrapping_add(value);
    }
}

/// Float sums of windows of 0 and 1 rows are set to what they are, so that no trace of rows that
/// left can stay; and so are sums that a huge value made infinite.
fn settle(
    layout: &Layout,
    horizon: &HorizonLayout,
    log: &View<'_>,
    block: &mut [u64],
    overflow: &mut Option<u32>,
) {
    let (lo, hi) = cursors(block, horizon);
    let is_broken = |a: &Accumulator| {
        matches!(a.kind, AccumulatorKind::FloatSum | AccumulatorKind::FloatSumOfSquares)
            && !f64::from_bits(block[a.at]).is_finite()
    };
    if hi.wrapping_sub(lo) > 1 && !horizon.accumulators.iter().any(is_broken) {
        return;
    }
    clear(block, horizon);
    let mut sequence = lo;
    while sequence != hi {
        accumulate::<true>(horizon, block, log, sequence, layout, overflow);
        sequence = sequence.wrapping_add(1);
    }
}

/// Writes what a horizon holds to the row's columns.
fn write_horizon(
    layout: &Layout,
    horizon: &HorizonLayout,
    log: &View<'_>,
    block: &[u64],
    has_nulls: bool,
    mut out: RawRow<'_>,
) {
    let (lo, hi) = cursors(block, horizon);
    out.set(horizon.rows_column, hi.wrapping_sub(lo).into());
    for read in &horizon.sums {
        if layout.wide {
            let sum = wide_before(log, block, hi, read.sum) - wide_before(log, block, lo, read.sum);
            out.set(read.column, sum as u64);
            out.set(read.column + 1, (sum >> 64) as u64);
        } else {
            let sum =
                before(log, block, hi, read.sum).wrapping_sub(before(log, block, lo, read.sum));
            out.set(read.column, sum);
        }
    }
    for accumulator in &horizon.accumulators {
        for word in 0..accumulator.kind.words() {
            out.set(accumulator.column + word, block[accumulator.at + word]);
        }
    }
    if has_nulls {
        for nulls in &horizon.null_counts {
            out.set(nulls.column, block[nulls.at]);
        }
    }
}

/// Sum of the rows before the one with this sequence number.
#[inline]
fn before(log: &View<'_>, block: &[u64], sequence: u32, sum: Sum) -> u64 {
    if sequence == log.end() { block[sum.total] } else { log.word(log.place(sequence), sum.word) }
}

#[inline]
fn wide_before(log: &View<'_>, block: &[u64], sequence: u32, sum: Sum) -> i128 {
    if sequence == log.end() {
        load_i128(block, sum.total)
    } else {
        load_i128(log.entry(sequence), sum.word)
    }
}
