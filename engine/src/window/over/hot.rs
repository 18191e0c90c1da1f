//! The short cut of the common row: horizons that keep little beside their cursors ([`Hot`]), slid by
//! times alone, kind by kind, without a look at the log where nothing leaves.

use super::layout::{CURSORS, FLAGS, FRESH, Hot, Kind, Layout};
use super::raw::RawRow;
use super::ring::View;
use super::slide::Tracks;

/// Moves the horizons that are [`Hot`] to the row at the log's end, and writes what they hold:
/// rows leave by their times alone, and no cursor can run past the row itself.
#[inline(never)]
pub(super) fn slide_hot<const N: usize>(
    layout: &Layout,
    tracks: Tracks,
    log: View<'_>,
    block: &mut [u64],
    mut out: RawRow<'_>,
    time: i64,
) {
    let [plain, trues, squares, delayed, delayed_trues, _] = &layout.hot;
    let is_fresh = block[FLAGS] & FRESH != 0;
    let at = At { log, time, flags: layout.flags_word(), is_fresh };
    at.slide::<N, PLAIN>(plain, block, out.again());
    at.slide::<N, TRUES>(trues, block, out.again());
    if !tracks.squares {
        at.slide::<N, SQUARES>(squares, block, out.again());
    }
    at.slide::<N, DELAYED>(delayed, block, out.again());
    at.slide::<N, DELAYED_TRUES>(delayed_trues, block, out.again());
    if !is_fresh {
        block[FLAGS] |= FRESH;
    }
}

/// The [`Kind`]s as constants that functions are compiled for.
const PLAIN: u8 = Kind::Plain as u8;
const TRUES: u8 = Kind::Trues as u8;
const SQUARES: u8 = Kind::Squares as u8;
const DELAYED: u8 = Kind::Delayed as u8;
const DELAYED_TRUES: u8 = Kind::DelayedTrues as u8;

/// The row that horizons slide to.
#[derive(Clone, Copy)]
struct At<'a> {
    log: View<'a>,
    time: i64,
    /// Word of the entry with the flags.
    flags: usize,
    /// Whether the fronts are those of the cursors.
    is_fresh: bool,
}

impl At<'_> {
    /// Slides horizons of one kind.
    #[inline(always)]
    fn slide<const N: usize, const KIND: u8>(
        self,
        hots: &[Hot],
        block: &mut [u64],
        mut out: RawRow<'_>,
    ) {
        let Self { log, time, flags, is_fresh } = self;
        let entries = log.entries::<N>();
        let delayed = KIND == DELAYED || KIND == DELAYED_TRUES;
        for hot in hots {
            let (word, total, sum_column) = hot.sum;
            let (word, total) = (word as usize, total as usize);
            let is_true = |slot: usize| entries[slot][flags] >> hot.shift & 1;
            // What a row adds to the running value; `value` is the row's own.
            let share = |slot: usize, value: u64| match KIND {
                TRUES | DELAYED_TRUES => is_true(slot),
                SQUARES => value.wrapping_mul(value),
                _ => 0,
            };
            let cursor = block[CURSORS + hot.index];
            let (mut lo, mut hi) = (cursor as u32, (cursor >> 32) as u32);
            let mut extra = 0u64;
            let mut front = Front::of(block, hot.front);
            if !is_fresh {
                front = Front::at(&entries[log.slot(lo)], word);
            }
            debug_assert_eq!(front, Front::at(&entries[log.slot(lo)], word));
            let bound = time - hot.span;
            if front.time <= bound {
                let mut left = log.slot(lo);
                while front.time <= bound {
                    let next = log.next_slot(left);
                    let behind = Front::at(&entries[next], word);
                    let value = behind.sum.wrapping_sub(front.sum);
                    extra = extra.wrapping_sub(share(left, value));
                    lo = lo.wrapping_add(1);
                    (left, front) = (next, behind);
                }
                front.store(block, hot.front);
            } else if !is_fresh {
                front.store(block, hot.front);
            }
            let upper;
            if delayed {
                let mut next = Front::of(block, hot.front + 2);
                if !is_fresh {
                    next = Front::at(&entries[log.slot(hi)], word);
                }
                debug_assert_eq!(next, Front::at(&entries[log.slot(hi)], word));
                let bound = time - hot.delay;
                if next.time <= bound || !is_fresh {
                    let mut right = log.slot(hi);
                    while next.time <= bound {
                        extra = extra.wrapping_add(share(right, 0));
                        hi = hi.wrapping_add(1);
                        right = log.next_slot(right);
                        next = Front::at(&entries[right], word);
                    }
                    next.store(block, hot.front + 2);
                }
                upper = next.sum;
            } else {
                upper = block[total];
                if KIND != PLAIN {
                    let own = log.slot(hi);
                    extra = extra.wrapping_add(share(own, upper.wrapping_sub(entries[own][word])));
                }
                hi = log.end();
            }
            block[CURSORS + hot.index] = u64::from(lo) | u64::from(hi) << 32;
            out.set(hot.rows_column as usize, hi.wrapping_sub(lo).into());
            if hot.sums {
                out.set(sum_column as usize, upper.wrapping_sub(front.sum));
            }
            if let Some((at, column)) = hot.extra.filter(|_| KIND != PLAIN && KIND != DELAYED) {
                let running = &mut block[at as usize];
                *running = running.wrapping_add(extra);
                out.set(column as usize, *running);
                if KIND == SQUARES {
                    out.set(column as usize + 1, 0);
                }
            }
        }
    }
}

/// A row that a cursor stands at: its time, and the sum of the rows before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Front {
    time: i64,
    sum: u64,
}

impl Front {
    #[inline(always)]
    fn at(entry: &[u64], word: usize) -> Self {
        Self { time: entry[0] as i64, sum: entry[word] }
    }

    /// The one that the block holds.
    #[inline(always)]
    fn of(block: &[u64], at: usize) -> Self {
        Self { time: block[at] as i64, sum: block[at + 1] }
    }

    #[inline(always)]
    fn store(self, block: &mut [u64], at: usize) {
        (block[at], block[at + 1]) = (self.time as u64, self.sum);
    }
}
