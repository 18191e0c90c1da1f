//! The state of all keys of an over operator, and how one row moves it.
//!
//! Each horizon of a key is a pair of cursors into the key's log. A row in order of time is
//! pushed behind the log, joins every horizon, and `lo` steps over what has left
//! ([`super::slide`]). A straggler is inserted where it belongs, the cursors *seek* back to its own
//! window ([`super::row`]), and the next row in order seeks forward again: so every row gets
//! exactly the rows of its own interval, whatever the disorder, and pays for the cursors' way.
//!
//! # Contract
//! *Forgetting.* With `R` = reach + memory slack, a row is forgotten once a row of its key is
//! `R` or more younger; a key that has been idle that long keeps only its newest row (the
//! "previous" of the next). This is decided by times, never by batch borders or by shards, and
//! no row that is not later than the slack can tell the difference. A later one (`largest`
//! given) counts only rows that are younger than `largest − R`, whatever is still in memory.
//! *Windows are `lo..hi`*, `first ≤ lo ≤ hi ≤ end` (debug-asserted).

use pelton_kernels::prefetch::prefetch_read;

use super::entries::Entries;
use super::forget::Lifetime;
use super::layout::{DISPLACED, FLAGS, FRESH, HorizonLayout, LAST_TIME, Layout};
use super::multiset::Multiset;
use super::raw::RawRow;
use super::ring::Ring;
use super::row::RowContext;
use super::slide::{Counter, Tracks, last, push, slide, write_codes, write_previous};
use super::spec::OverPlan;
use crate::state::lines::{LINE_WORDS, Lines};

/// Entries before the log's end that come with it: a line or two.
const NEAR: u32 = 3;

/// Lines of the log that are asked for where a long horizon begins or ends: three, and one more
/// before the log's end, take 12 % less of a processor for the whole fraud job than one or two.
const FAR_LINES: usize = 3;

/// Keys in a segment of the block table: growing never moves blocks.
pub(super) const SEGMENT_KEYS: usize = 1024;

/// State word of a code column: the single value in the low half; in the high half 0 = no row
/// yet, 1 = a single value, n + 2 = multiset n.
pub(super) const SINGLE: u64 = 1;
pub(super) const FIRST_MULTISET: u64 = 2;

/// What holds for all rows of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common {
    /// Whether a null has ever come.
    pub has_nulls: bool,
    /// Whether no horizon can take the short cut.
    pub general: bool,
    /// Whether a sum of squares may not fit into 64 bits.
    pub wide_squares: bool,
}

impl Common {
    /// Which horizons do not take the short cut.
    #[inline]
    pub(super) fn tracks(self) -> Tracks {
        Tracks { all: self.general, squares: self.wide_squares }
    }
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
    /// Reach + memory slack.
    memory: u64,
    /// The watermark's delay.
    delay: u64,
    // Changes.
    /// Changes once at most: when sums are widened.
    pub layout: Layout,
    pub(super) rings: Vec<Ring>,
    pub(super) segments: Vec<Lines>,
    pub(super) multisets: Vec<Multiset>,
    pub(super) sweep_next: usize,
    /// Most entries that a log has had room for.
    longest: u32,
    /// Largest time of all rows seen at the end of the last batch.
    pub(super) largest: i64,
    /// Where keys are forgotten.
    pub(super) lifetime: Option<Lifetime>,
    pub rows_beyond_memory: u64,
}

/// Whether `time` is `span` or more before `now` (exact for all i64).
#[inline]
pub(super) fn is_past(time: i64, now: i64, span: u64) -> bool {
    time <= now && (now.wrapping_sub(time) as u64) >= span
}

impl OverState {
    pub(super) fn new(plan: &OverPlan) -> Self {
        Self {
            layout: Layout::new(plan, false),
            memory: plan.reach() as u64 + plan.memory_slack() as u64,
            delay: plan.delay as u64,
            rings: Vec::new(),
            segments: Vec::new(),
            multisets: Vec::new(),
            sweep_next: 0,
            longest: 0,
            largest: i64::MIN,
            lifetime: Lifetime::of(plan),
            rows_beyond_memory: 0,
        }
    }

    /// Makes room for the keys `0..keys`.
    pub(super) fn ensure_keys(&mut self, keys: usize) {
        if keys > self.rings.len() {
            self.rings.resize_with(keys, Ring::default);
            let words = SEGMENT_KEYS * self.layout.block_words;
            while self.segments.len() * SEGMENT_KEYS < keys {
                self.segments.push(Lines::zeroed(words));
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
        segment[at..at + words].chunks_exact(LINE_WORDS).for_each(|line| prefetch_read(line, 0));
        prefetch_read(&self.rings, key as usize);
    }

    /// Nearer to a row: brings the end of its key's log, and where the page of that lies.
    #[inline]
    pub(super) fn prefetch_end(&self, key: u32) {
        let log = self.rings[key as usize].view(self.layout.entry_words);
        log.prefetch(log.end());
    }

    /// Then: brings the log entries that a row at `time` will touch.
    #[inline]
    pub(super) fn prefetch_log(&self, key: u32, time: i64) {
        let ring = &self.rings[key as usize];
        let log = ring.view(self.layout.entry_words);
        let end = log.end();
        // The row before is in the line before half of the time, and short horizons begin there.
        log.prefetch(end.wrapping_sub(1));
        let line = self.layout.entries_a_line();
        log.prefetch(end.wrapping_sub(1 + line));
        let block = self.block(key);
        let is_fresh = block[FLAGS] & FRESH != 0;
        for far in &self.layout.far {
            let stays = |front: usize| block[front] as i64 > time.wrapping_sub(far.age);
            if is_fresh && far.front.is_some_and(stays) {
                continue;
            }
            // The entries that are likely to leave or enter, and the one that is looked at then: a
            // morning's first row lets several go. What lies beside the tail comes with it.
            let cursor = (block[far.cursor] >> far.shift) as u32;
            if end.wrapping_sub(cursor) > NEAR {
                log.prefetch_lines::<FAR_LINES>(cursor);
            }
        }
        self.lists(key).for_each(|at| prefetch_read(&self.multisets, at));
    }

    /// The key's lists of values.
    #[inline]
    fn lists(&self, key: u32) -> impl Iterator<Item = usize> {
        let first = self.layout.code_states;
        let states = self.block(key)[first..first + self.layout.codes].iter();
        states.filter_map(|state| (state >> 32).checked_sub(FIRST_MULTISET)).map(|at| at as usize)
    }

    /// Nearest to a row: brings the values that its key is known to have.
    #[inline]
    pub(super) fn prefetch_values(&self, key: u32) {
        self.lists(key).for_each(|at| self.multisets[at].prefetch());
    }

    /// Takes a row in, moves its key's windows to it and writes what they hold to `out`.
    /// `largest` is the largest time before the row where the row is later than the memory
    /// slack allows for.
    #[inline]
    pub(super) fn advance(
        &mut self,
        key: u32,
        entries: &Entries,
        row: usize,
        largest: Option<i64>,
        common: Common,
        mut out: RawRow<'_>,
    ) -> Result<(), Overflow> {
        let words = self.layout.block_words;
        let at = (key as usize % SEGMENT_KEYS) * words;
        let block = &mut self.segments[key as usize / SEGMENT_KEYS][at..at + words];
        let ring = &mut self.rings[key as usize];
        let time = entries.get(row, 0) as i64;
        let is_common = ring.len() > 0
            && time >= block[LAST_TIME] as i64
            && block[FLAGS] & DISPLACED == 0
            && largest.is_none();
        let codes = if is_common { known_codes(&self.layout, block, entries, row) } else { None };
        let mut overflow = None;
        if let Some(counts_codes) = codes {
            let layout = &self.layout;
            let mut previous = last(layout, ring);
            if let Some(lifetime) = &self.lifetime {
                previous = previous.filter(|p| lifetime.knows(p.time, time, None));
            }
            if ring.is_full() {
                pop_forgotten(ring, block, layout, time, self.memory);
            }
            if ring.is_full() {
                ring.grow(layout.entry_words);
                self.longest = self.longest.max(ring.capacity());
            }
            push(layout, ring, block, entries, row);
            block[LAST_TIME] = time as u64;
            let log = ring.view(layout.entry_words);
            let tracks = common.tracks();
            let multisets = &mut self.multisets;
            let mut counter =
                Counter { layout, log, block, multisets, counts_codes, overflow: &mut overflow };
            slide(&mut counter, tracks, common.has_nulls, out.again(), time);
            write_previous(layout, time, previous, out.again());
            write_codes(layout, block, &self.multisets, entries, row, out);
        } else {
            let mut row = RowContext {
                layout: &self.layout,
                ring,
                block,
                multisets: &mut self.multisets,
                longest: &mut self.longest,
                entries,
                row,
                common,
                out,
                memory: self.memory,
                lifetime: self.lifetime,
                time,
                own: 0,
                largest,
                overflow: None,
                counts_codes: false,
            };
            row.run();
            overflow = row.overflow;
        }
        match overflow {
            None => Ok(()),
            Some(measure) => Err(Overflow { measure }),
        }
    }

    /// Widens the sums to 128 bits where some window of the next `rows` rows might not fit into
    /// 64, `magnitude` being the bits of the largest value so far.
    pub(super) fn widen_if_needed(&mut self, plan: &OverPlan, magnitude: u64, rows: usize) -> bool {
        let widen =
            !self.layout.wide && !self.layout.sums.is_empty() && !self.fits(bits(magnitude), rows);
        if widen {
            self.widen(plan);
        }
        widen
    }

    /// Whether sums of squares of the next `rows` rows fit into 64 bits.
    pub(super) fn squares_fit(&self, magnitude: u64, rows: usize) -> bool {
        self.fits(2 * bits(magnitude), rows)
    }

    /// Whether sums of values of so many bits fit, however long a log gets.
    fn fits(&self, value_bits: u32, rows: usize) -> bool {
        value_bits + bits(u64::from(self.longest) + rows as u64) <= 62
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

fn bits(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Whether values are counted, where the row's values bring nothing new: each code column has
/// one value and the row has it, or its values are counted already.
#[inline]
fn known_codes(layout: &Layout, block: &[u64], entries: &Entries, row: usize) -> Option<bool> {
    let mut counts = false;
    for (code, codes) in entries.codes.iter().enumerate() {
        let state = block[layout.code_states + code];
        if state >> 32 >= FIRST_MULTISET {
            counts = true;
        } else if state != (SINGLE << 32 | u64::from(codes[row])) {
            return None;
        }
    }
    Some(counts)
}

/// Pops rows that are `memory` or more before `now` and behind all cursors.
pub(super) fn pop_forgotten(
    ring: &mut Ring,
    block: &[u64],
    layout: &Layout,
    now: i64,
    memory: u64,
) {
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
            if horizon.counts_codes {
                count_codes(layout, block, multisets, entry, window, false);
            }
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
    block[FLAGS] = block[FLAGS] & !FRESH | DISPLACED;
}

#[inline]
pub(super) fn cursors(block: &[u64], horizon: &HorizonLayout) -> (u32, u32) {
    let word = block[horizon.cursors];
    (word as u32, (word >> 32) as u32)
}

#[inline]
pub(super) fn set_cursors(block: &mut [u64], horizon: &HorizonLayout, lo: u32, hi: u32) {
    block[horizon.cursors] = u64::from(lo) | u64::from(hi) << 32;
}

pub(super) fn clear(block: &mut [u64], horizon: &HorizonLayout) {
    for accumulator in horizon.accumulators.iter().chain(&horizon.null_counts) {
        block[accumulator.at..accumulator.at + accumulator.kind.words()].fill(0);
    }
}

/// Counts an entry's codes into (or out of) a window, where the key has more than one value.
#[inline]
pub(super) fn count_codes(
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
