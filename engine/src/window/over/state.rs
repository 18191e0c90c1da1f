//! The state of all keys of an over operator, and how one row moves it.
//!
//! Each horizon of a key is a pair of cursors into the key's log. A row in order of time is
//! pushed behind the log, joins every horizon, and `lo` steps over what has left. A straggler
//! is inserted where it belongs, the cursors *seek* back to its own window (undoing the rows
//! between), and the next row in order seeks forward again: so every row gets exactly the rows
//! of its own interval, whatever the disorder, at a cost of the rows in between.
//!
//! # Contract
//! *Forgetting.* With `R` = reach + memory slack, a row is forgotten once a row of its key is
//! `R` or more younger; a key that has been idle that long keeps only its newest row (the
//! "previous" of the next). This is decided by times, never by batch borders or by shards, and
//! no row that is not later than the slack can tell the difference. A later one (`largest`
//! given) counts only rows that are younger than `largest − R`, whatever is still in memory.
//! *Windows are `lo..hi`*, `first ≤ lo ≤ hi ≤ end` (debug-asserted).

use super::layout::{
    Accumulator, AccumulatorKind, DISPLACED, FLAGS, HorizonLayout, LAST_TIME, Layout,
};
use super::multiset::Multiset;
use super::numbers::{
    DoubleDouble, NonFinite, add_square, load_i128, store_i128, two_square,
};
use super::ring::Ring;
use super::spec::OverPlan;

/// Keys in a segment of the block table: growing never moves blocks.
const SEGMENT_KEYS: usize = 1024;

/// State word of a code column: the single value in the low half; in the high half 0 = no row
/// yet, 1 = a single value, n + 2 = multiset n.
const SINGLE: u64 = 1;
const FIRST_MULTISET: u64 = 2;

/// What the row before the current one (in time, of the same key) was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Previous {
    pub time: i64,
    pub place: u64,
}

/// An aggregate whose exact value does not fit its accumulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overflow {
    pub measure: u32,
}

/// State of all keys of one shard.
#[derive(Debug)]
pub(super) struct OverState {
    // Set once.
    pub layout: Layout,
    /// Reach + memory slack.
    memory: u64,
    /// The watermark's delay.
    delay: u64,
    // Changes.
    rings: Vec<Ring>,
    segments: Vec<Box<[u64]>>,
    multisets: Vec<Multiset>,
    sweep_next: usize,
    /// Largest time of all rows seen at the end of the last batch.
    largest: i64,
    pub rows_beyond_memory: u64,
}

/// Whether `time` is `span` or more before `now` (exact for all i64).
#[inline]
fn is_past(time: i64, now: i64, span: u64) -> bool {
    time <= now && (now.wrapping_sub(time) as u64) >= span
}

impl OverState {
    pub(super) fn new(plan: &OverPlan) -> Self {
        Self {
            layout: Layout::new(plan),
            memory: plan.reach() as u64 + plan.memory_slack() as u64,
            delay: plan.delay as u64,
            rings: Vec::new(),
            segments: Vec::new(),
            multisets: Vec::new(),
            sweep_next: 0,
            largest: i64::MIN,
            rows_beyond_memory: 0,
        }
    }

    /// Makes room for the keys `0..keys`.
    pub(super) fn ensure_keys(&mut self, keys: usize) {
        if keys > self.rings.len() {
            self.rings.resize_with(keys, Ring::default);
            let words = SEGMENT_KEYS * self.layout.block_words;
            while self.segments.len() * SEGMENT_KEYS < keys {
                self.segments.push(vec![0; words].into_boxed_slice());
            }
        }
    }

    pub(super) fn keys(&self) -> usize {
        self.rings.len()
    }

    /// Bytes and rows of the logs.
    pub(super) fn log_size(&self) -> (u64, u64) {
        self.rings.iter().fold((0, 0), |(bytes, rows), ring| {
            (bytes + ring.bytes(), rows + u64::from(ring.len()))
        })
    }

    /// Bytes of everything but the logs.
    pub(super) fn table_bytes(&self) -> u64 {
        (self.rings.capacity() * size_of::<Ring>()) as u64
            + self.segments.iter().map(|segment| segment.len() as u64 * 8).sum::<u64>()
            + self.multisets.iter().map(Multiset::bytes).sum::<u64>()
    }

    #[inline]
    pub(super) fn block(&self, key: u32) -> &[u64] {
        let words = self.layout.block_words;
        let at = (key as usize % SEGMENT_KEYS) * words;
        &self.segments[key as usize / SEGMENT_KEYS][at..at + words]
    }

    /// Far ahead of a row: brings its key's block and ring header.
    #[inline]
    pub(super) fn prefetch_block(&self, key: u32) {
        let words = self.layout.block_words;
        let segment = &self.segments[key as usize / SEGMENT_KEYS];
        let at = (key as usize % SEGMENT_KEYS) * words;
        for line in (0..words).step_by(8) {
            pelton_kernels::prefetch::prefetch_read(segment, at + line);
        }
        pelton_kernels::prefetch::prefetch_read(&self.rings, key as usize);
    }

    /// Nearer to a row: brings the log entries that it will touch.
    #[inline]
    pub(super) fn prefetch_log(&self, key: u32) {
        let ring = &self.rings[key as usize];
        let stride = self.layout.entry_words;
        let block = self.block(key);
        ring.prefetch(ring.end(), stride);
        for horizon in &self.layout.horizons {
            let (lo, hi) = cursors(block, horizon);
            ring.prefetch(lo, stride);
            if horizon.delay > 0 {
                ring.prefetch(hi, stride);
            }
        }
    }

    /// Takes a row in and moves its key's windows to it. `entry` is laid out as the layout
    /// says; `largest` is the largest time before the row where the row is later than the
    /// memory slack allows for.
    pub(super) fn advance(
        &mut self,
        key: u32,
        entry: &[u64],
        largest: Option<i64>,
    ) -> Result<Option<Previous>, Overflow> {
        let time = entry[0] as i64;
        let words = self.layout.block_words;
        let at = (key as usize % SEGMENT_KEYS) * words;
        let mut row = RowContext {
            layout: &self.layout,
            ring: &mut self.rings[key as usize],
            block: &mut self.segments[key as usize / SEGMENT_KEYS][at..at + words],
            multisets: &mut self.multisets,
            memory: self.memory,
            time,
            own: 0,
            largest,
            overflow: None,
        };
        row.note_codes(entry);
        let in_order = row.ring.len() == 0 || time >= row.block[LAST_TIME] as i64;
        let previous = if in_order {
            let previous = row.last();
            if row.block[FLAGS] & DISPLACED == 0 && largest.is_none() {
                row.push_in_order(entry);
            } else {
                row.push_and_seek(entry);
            }
            row.block[LAST_TIME] = time as u64;
            previous
        } else {
            row.insert_and_seek(entry)
        };
        match row.overflow {
            None => Ok(previous),
            Some(measure) => Err(Overflow { measure }),
        }
    }

    /// Ends a batch whose largest time is `largest`: frees what some idle keys still hold.
    pub(super) fn end_batch(&mut self, rows: usize, largest: i64) {
        self.largest = self.largest.max(largest);
        let keys = self.rings.len();
        for _ in 0..(rows / 16 + 1).min(keys) {
            self.sweep_next = if self.sweep_next + 1 >= keys { 0 } else { self.sweep_next + 1 };
            self.sweep(self.sweep_next as u32);
        }
    }

    fn sweep(&mut self, key: u32) {
        let stride = self.layout.entry_words;
        let ring = &mut self.rings[key as usize];
        if ring.len() == 0 {
            return;
        }
        let words = self.layout.block_words;
        let at = (key as usize % SEGMENT_KEYS) * words;
        let block = &mut self.segments[key as usize / SEGMENT_KEYS][at..at + words];
        let last = block[LAST_TIME] as i64;
        // No later row but one beyond the memory can see any of these, and that one does not
        // count them: as if they were not there.
        if is_past(last, self.largest, self.memory.saturating_add(self.delay)) {
            if ring.len() > 1 {
                forget_all_but_last(ring, block, &self.layout, &mut self.multisets);
                ring.shrink(stride);
            }
            return;
        }
        if ring.is_sparse() {
            ring.shrink(stride);
        } else if ring.len() > 8 {
            let middle = ring.first().wrapping_add(ring.len() / 2);
            if is_past(ring.time(middle, stride), last, self.memory) {
                pop_forgotten(ring, block, &self.layout, last, self.memory);
                ring.shrink(stride);
            }
        }
    }
}

/// Pops rows that are `memory` or more before `now` and behind all cursors.
fn pop_forgotten(ring: &mut Ring, block: &[u64], layout: &Layout, now: i64, memory: u64) {
    let first = ring.first();
    let behind = layout
        .horizons
        .iter()
        .map(|horizon| cursors(block, horizon).0.wrapping_sub(first))
        .min()
        .unwrap_or(u32::MAX);
    let mut popped = 0;
    while popped < behind
        && ring.len() > 1
        && is_past(ring.time(ring.first(), layout.entry_words), now, memory)
    {
        ring.pop();
        popped += 1;
    }
}

/// Empties the windows and the log of a key but for its newest row.
fn forget_all_but_last(
    ring: &mut Ring,
    block: &mut [u64],
    layout: &Layout,
    multisets: &mut [Multiset],
) {
    for (window, horizon) in layout.horizons.iter().enumerate() {
        let (lo, hi) = cursors(block, horizon);
        let mut sequence = lo;
        while sequence != hi {
            let entry = ring.entry(sequence, layout.entry_words);
            count_codes(layout, block, multisets, entry, window, false);
            sequence = sequence.wrapping_add(1);
        }
        clear(block, horizon);
        set_cursors(block, horizon, ring.end(), ring.end());
    }
    while ring.len() > 1 {
        ring.pop();
    }
    // All windows stand empty behind the newest row, though that row is not past their end:
    // the next row must look for itself.
    block[FLAGS] |= DISPLACED;
}

#[inline]
pub(super) fn cursors(block: &[u64], horizon: &HorizonLayout) -> (u32, u32) {
    let word = block[horizon.cursors];
    (word as u32, (word >> 32) as u32)
}

#[inline]
fn set_cursors(block: &mut [u64], horizon: &HorizonLayout, lo: u32, hi: u32) {
    block[horizon.cursors] = u64::from(lo) | u64::from(hi) << 32;
}

fn clear(block: &mut [u64], horizon: &HorizonLayout) {
    for accumulator in &horizon.accumulators {
        block[accumulator.at..accumulator.at + accumulator.kind.words()].fill(0);
    }
}

/// Counts an entry's codes into (or out of) a window, where the key has more than one value.
#[inline]
fn count_codes(
    layout: &Layout,
    block: &[u64],
    multisets: &mut [Multiset],
    entry: &[u64],
    window: usize,
    add: bool,
) {
    for code in 0..layout.codes {
        let state = block[layout.code_states + code] >> 32;
        if state >= FIRST_MULTISET {
            let multiset = &mut multisets[(state - FIRST_MULTISET) as usize];
            if add {
                multiset.add(layout.code(entry, code), window);
            } else {
                multiset.remove(layout.code(entry, code), window);
            }
        }
    }
}

/// Counts of one code column of one key, for reading.
pub(super) enum CodeCounts<'a> {
    /// All rows hold this value.
    Single(u32),
    /// Values are counted.
    Many(&'a Multiset),
}

impl OverState {
    /// The counts of a code column of a key that has had a row.
    #[inline]
    pub(super) fn code_counts(&self, key: u32, code: usize) -> CodeCounts<'_> {
        let state = self.block(key)[self.layout.code_states + code];
        match state >> 32 {
            0 | SINGLE => CodeCounts::Single(state as u32),
            n => CodeCounts::Many(&self.multisets[(n - FIRST_MULTISET) as usize]),
        }
    }
}

/// One row on its way into its key's state.
struct RowContext<'a> {
    layout: &'a Layout,
    ring: &'a mut Ring,
    block: &'a mut [u64],
    multisets: &'a mut Vec<Multiset>,
    memory: u64,
    time: i64,
    /// Sequence number that the row gets in the log.
    own: u32,
    largest: Option<i64>,
    overflow: Option<u32>,
}

impl RowContext<'_> {
    /// Sees to it that the row's codes can be counted, before any window moves.
    #[inline]
    fn note_codes(&mut self, entry: &[u64]) {
        for code in 0..self.layout.codes {
            let value = self.layout.code(entry, code);
            let state = self.block[self.layout.code_states + code];
            if state >> 32 == 0 {
                self.block[self.layout.code_states + code] = SINGLE << 32 | u64::from(value);
            } else if state >> 32 == SINGLE && state as u32 != value {
                self.split_single(code, state as u32);
            }
        }
    }

    #[cold]
    fn split_single(&mut self, code: usize, value: u32) {
        let mut multiset = Multiset::new(self.layout.horizons.len());
        for (window, horizon) in self.layout.horizons.iter().enumerate() {
            let (lo, hi) = cursors(self.block, horizon);
            multiset.add_many(value, window, hi.wrapping_sub(lo));
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
        let place = self.layout.place_word.map_or(0, |word| entry[word]);
        Previous { time: entry[0] as i64, place }
    }

    /// The common case: the row is the key's newest, and so was the one before.
    #[inline]
    fn push_in_order(&mut self, entry: &[u64]) {
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
                accumulate::<true>(&horizon.accumulators, self.block, entry, layout, &mut self.overflow);
                count_codes(layout, self.block, self.multisets, entry, window, true);
                hi = hi.wrapping_add(1);
            }
            set_cursors(self.block, horizon, lo, hi);
            // Not settled yet where hi counts the entry that is pushed below.
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

    /// The row is the key's newest, but the cursors stand elsewhere.
    #[cold]
    fn push_and_seek(&mut self, entry: &[u64]) {
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
    fn insert_and_seek(&mut self, entry: &[u64]) -> Option<Previous> {
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
        while hi != lo
            && !is_past(self.ring.time(hi.wrapping_sub(1), stride), self.time, delay)
        {
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
            accumulate::<true>(&horizon.accumulators, block, entry, self.layout, overflow);
        } else {
            accumulate::<false>(&horizon.accumulators, block, entry, self.layout, overflow);
        }
        count_codes(self.layout, block, self.multisets, entry, window, add);
    }

    /// Float sums of windows of 0 and 1 rows are set to what they are, so that no trace of
    /// rows that left can stay; and so are sums that a huge value made infinite.
    #[inline]
    fn settle_all(&mut self) {
        let layout = self.layout;
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
            accumulate::<true>(
                &horizon.accumulators,
                self.block,
                entry,
                self.layout,
                &mut self.overflow,
            );
            sequence = sequence.wrapping_add(1);
        }
    }
}

/// Adds an entry to (or takes it from) a horizon's accumulators. A null has the value 0.
#[inline]
fn accumulate<const ADD: bool>(
    accumulators: &[Accumulator],
    block: &mut [u64],
    entry: &[u64],
    layout: &Layout,
    overflow: &mut Option<u32>,
) {
    for accumulator in accumulators {
        let at = accumulator.at;
        let step = |word: &mut u64, by: u64| {
            *word = if ADD { word.wrapping_add(by) } else { word.wrapping_sub(by) };
        };
        match accumulator.kind {
            AccumulatorKind::Nulls => {
                step(&mut block[at], u64::from(layout.flags(entry) >> accumulator.measure & 1));
            }
            AccumulatorKind::Trues => {
                let bit = accumulator.word as u32;
                step(&mut block[at], u64::from(layout.flags(entry) >> bit & 1));
            }
            AccumulatorKind::Sum => {
                let value = i128::from(entry[accumulator.word] as i64);
                let sum = load_i128(block, at);
                // 2^64 rows of 64-bit values fit into 128 bits: no overflow is possible.
                store_i128(block, at, if ADD { sum + value } else { sum - value });
            }
            AccumulatorKind::SumOfSquares => {
                let value = entry[accumulator.word] as i64;
                match add_square::<ADD>(load_i128(block, at), value) {
                    Some(sum) => store_i128(block, at, sum),
                    None => *overflow = Some(accumulator.measure),
                }
            }
            AccumulatorKind::FloatSum => {
                let value = f64::from_bits(entry[accumulator.word]);
                if value.is_finite() {
                    let value = if ADD { value } else { -value };
                    DoubleDouble::load(block, at).add(value).store(block, at);
                } else {
                    NonFinite::load(block, at + 2).count(value, ADD).store(block, at + 2);
                }
            }
            AccumulatorKind::FloatSumOfSquares => {
                let value = f64::from_bits(entry[accumulator.word]);
                if value.is_finite() {
                    let (square, rest) = two_square(value);
                    let sign = if ADD { 1.0 } else { -1.0 };
                    DoubleDouble::load(block, at)
                        .add(sign * square)
                        .add(sign * rest)
                        .store(block, at);
                }
            }
        }
    }
}
