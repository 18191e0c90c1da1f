//! The common row: its key's newest, behind a log with room, the cursors where the row before left
//! them. The row is pushed, the horizons slide to it, and what they hold is written to the
//! batch's columns.
//!
//! The functions here take what they need as arguments, so that the log's place and the row's
//! time stay in registers across the stores to the block.

use super::accumulate::accumulate;
use super::entries::{Entries, NO_PLACE};
use super::hot::slide_hot;
use super::layout::{
    Accumulator, AccumulatorKind, FLAGS, FRESH, HorizonLayout, Hot, Kind, Layout, Sum,
};
use super::multiset::Multiset;
use super::numbers::{load_i128, store_i128};
use super::raw::RawRow;
use super::ring::{Ring, View};
use super::state::{FIRST_MULTISET, clear, count_codes, cursors, is_past, set_cursors};

/// What the row before the current one (in time, of the same key) was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Previous {
    pub time: i64,
    place: u64,
}

/// The newest row of the key.
#[inline]
pub(super) fn last(layout: &Layout, ring: &Ring) -> Option<Previous> {
    (ring.len() > 0).then(|| previous_at(layout, ring, ring.end().wrapping_sub(1)))
}

#[inline]
pub(super) fn previous_at(layout: &Layout, ring: &Ring, sequence: u32) -> Previous {
    let entry = ring.entry(sequence, layout.entry_words);
    let place = layout.place_word.map_or(NO_PLACE, |word| entry[word]);
    Previous { time: entry[0] as i64, place }
}

/// Writes a row behind the log, which must have room.
#[inline]
pub(super) fn push(
    layout: &Layout,
    ring: &mut Ring,
    block: &mut [u64],
    entries: &Entries,
    row: usize,
) {
    let entry = ring.push(layout.entry_words);
    entries.write(row, entry);
    for sum in &layout.sums {
        let value = entry[sum.word];
        entry[sum.word] = block[sum.total];
        if layout.wide {
            entry[sum.word + 1] = block[sum.total + 1];
        }
        add(block, sum.total, value, layout.wide);
    }
}

/// Moves all horizons to the row, which stands at the log's end.
#[inline]
pub(super) fn slide(
    counter: &mut Counter<'_>,
    tracks: Tracks,
    has_nulls: bool,
    mut out: RawRow<'_>,
    time: i64,
) {
    let layout = counter.layout;
    if !tracks.all {
        if counter.counts_codes {
            counter.count_values(tracks, time);
        }
        let short_cut = match layout.entry_words {
            2 => slide_hot::<2>,
            4 => slide_hot::<4>,
            8 => slide_hot::<8>,
            _ => slide_hot::<16>,
        };
        short_cut(layout, tracks, counter.log, counter.block, out.again(), time);
    }
    if tracks.all || tracks.squares || layout.has_tracked {
        if tracks.all || tracks.squares {
            // The fronts of those that are moved now stay where they are.
            counter.block[FLAGS] &= !FRESH;
        }
        counter.slide(tracks, has_nulls, out, time);
    }
}

/// Which horizons count rows in and out one by one for this row.
#[derive(Clone, Copy)]
pub(super) struct Tracks {
    /// All, because nulls have come, sums are wide, or times are extreme.
    pub all: bool,
    /// Those that sum squares, because these may not fit into 64 bits.
    pub squares: bool,
}

impl Tracks {
    #[inline]
    fn tracks(self, hot: &Hot) -> bool {
        self.all || hot.kind == Kind::Tracked || self.squares && hot.kind == Kind::Squares
    }
}

/// What counting an entry into or out of a window takes.
pub(super) struct Counter<'a> {
    pub layout: &'a Layout,
    pub log: View<'a>,
    pub block: &'a mut [u64],
    pub multisets: &'a mut [Multiset],
    pub counts_codes: bool,
    pub overflow: &'a mut Option<u32>,
}

impl Counter<'_> {
    /// As [`slide_hot`], for the horizons that count rows in and out.
    fn slide(&mut self, tracks: Tracks, has_nulls: bool, mut out: RawRow<'_>, time: i64) {
        let Self { layout, log, .. } = *self;
        for hot in layout.hot.iter().flatten() {
            if !tracks.tracks(hot) {
                continue;
            }
            let (window, horizon) = (hot.index, &layout.horizons[hot.index]);
            let (mut lo, mut hi) = cursors(self.block, horizon);
            if horizon.delay > 0 {
                while is_past(log.time(hi), time, horizon.delay) {
                    self.count::<true>(window, horizon, hi);
                    hi = hi.wrapping_add(1);
                }
            }
            while is_past(log.time(lo), time, horizon.span) {
                self.count::<false>(window, horizon, lo);
                lo = lo.wrapping_add(1);
            }
            if horizon.delay == 0 {
                self.count::<true>(window, horizon, hi);
                hi = hi.wrapping_add(1);
            }
            set_cursors(self.block, horizon, lo, hi);
            if horizon.has_floats {
                settle(layout, horizon, &log, self.block, self.overflow);
            }
            write_horizon(layout, horizon, &log, self.block, has_nulls, out.again());
        }
    }

    /// Counts values in and out of the windows that [`slide_hot`] is about to move, where the key has
    /// more than one.
    fn count_values(&mut self, tracks: Tracks, time: i64) {
        let Self { layout, log, .. } = *self;
        let is_fresh = self.block[FLAGS] & FRESH != 0;
        for hot in layout.hot.iter().flatten().filter(|hot| hot.counts_codes) {
            if tracks.tracks(hot) {
                continue;
            }
            let (mut lo, mut hi) = cursors(self.block, &layout.horizons[hot.index]);
            let mut count = |sequence: u32, add: bool| {
                let entry = log.entry(sequence);
                count_codes(layout, self.block, self.multisets, entry, hot.index, add);
            };
            if hot.is_delayed() {
                while log.time(hi) <= time - hot.delay {
                    count(hi, true);
                    hi = hi.wrapping_add(1);
                }
            } else {
                count(hi, true);
            }
            if is_fresh && self.block[hot.front] as i64 > time - hot.span {
                continue;
            }
            while log.time(lo) <= time - hot.span {
                count(lo, false);
                lo = lo.wrapping_add(1);
            }
        }
    }

    /// Counts a logged entry into or out of a window.
    #[inline]
    pub(super) fn count<const ADD: bool>(
        &mut self,
        window: usize,
        horizon: &HorizonLayout,
        sequence: u32,
    ) {
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
pub(super) fn add(words: &mut [u64], at: usize, value: u64, wide: bool) {
    if wide {
        let sum = load_i128(words, at) + i128::from(value as i64);
        store_i128(words, at, sum);
    } else {
        words[at] = words[at].wrapping_add(value);
    }
}

/// Float sums of windows of 0 and 1 rows are set to what they are, so that no trace of rows that
/// left can stay; and so are sums that a huge value made infinite.
pub(super) fn settle(
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
pub(super) fn write_horizon(
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
    for &(at, column) in &horizon.copies {
        out.set(column, block[at]);
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

#[inline]
pub(super) fn write_previous(
    layout: &Layout,
    time: i64,
    previous: Option<Previous>,
    mut out: RawRow<'_>,
) {
    if let Some(column) = layout.elapsed_column {
        let elapsed = |p: Previous| time.wrapping_sub(p.time) as u64 as f64;
        out.set(column, previous.map_or(f64::NAN, elapsed).to_bits());
    }
    if let Some(column) = layout.place_column {
        out.set(column, previous.map_or(NO_PLACE, |p| p.place));
    }
}

/// Distinct values, and rows with the row's own value.
#[inline]
pub(super) fn write_codes(
    layout: &Layout,
    block: &[u64],
    multisets: &[Multiset],
    entries: &Entries,
    row: usize,
    mut out: RawRow<'_>,
) {
    for read in &layout.code_reads {
        let state = block[layout.code_states + read.c];
        let (distinct, same) = if state >> 32 >= FIRST_MULTISET {
            let multiset = &multisets[((state >> 32) - FIRST_MULTISET) as usize];
            let same = read.same.map_or(0, |_| multiset.count(entries.codes[read.c][row], read.h));
            (multiset.distinct(read.h), same)
        } else {
            let (lo, hi) = cursors(block, &layout.horizons[read.h]);
            let rows = hi.wrapping_sub(lo);
            let counts = state as u32 != super::multiset::NULL_CODE && rows > 0;
            (u32::from(counts), rows)
        };
        out.set(read.distinct, distinct.into());
        if let Some(column) = read.same {
            out.set(column, same.into());
        }
    }
}
