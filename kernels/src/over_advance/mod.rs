//! Exact sliding windows by one walk along a log that is sorted by time.
//!
//! *Problem*: for each row of a stream of keyed rows, what do the rows of its key in
//! (t − delay − length, t − delay] add up to? Rows with equal times belong together.
//!
//! A log of each key, with a cursor into it, costs a cold place a row. But once rows go by time,
//! what leaves the windows does so by time as well, *whatever its key*: one pair of cursors into
//! one log of all keys serves every key at once.
//!
//! ```text
//!  log, by time   ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■
//!                 forgotten │ start           end ▲     ▲ row i: answered from states[key]
//!                           ▼                     │
//!                leave(states[key])          enter(states[key])
//! ```
//!
//! The log is read in sequence; the only random places are the states of the row that comes and
//! of the row that goes, and both keys are known well ahead, so both are prefetched. Nothing has
//! to be swept: a silent key's rows leave when their time has come.
//!
//! **Invariant.** The rows in `start..end` have entered their key's state and not left it. Rows
//! enter and leave in the order in which they are due (leaving first where both are), so the
//! operations on one key's state depend on that key's rows alone, and so do sums that round.
//!
//! The walk exists once ([`advance`]); what a state is, is a [`Running`]: sums of integers
//! ([`Integers`]) here, wider ones and extremes where they are needed. `scalar` is the
//! specification.

pub mod scalar;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::prefetch::prefetch_read;

/// How many rows ahead states are asked for. At some 5 ns a row this covers an access to the
/// third level of the cache several times; 8 to 32 measured alike.
const AHEAD: usize = 16;

/// The log: rows sorted by time (equal times in any order), as columns of one length.
#[derive(Debug, Clone, Copy)]
pub struct Log<'a> {
    /// Time of each row, ascending.
    pub times: &'a [i64],
    /// Dense key id of each row, an index into the states.
    pub keys: &'a [u32],
}

/// An interval that ends at, or `delay` before, each row: (t − delay − length, t − delay].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// Above 0.
    pub length: u64,
    /// 0 or more.
    pub delay: u64,
}

/// Which rows of the log are in the states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursors {
    /// Rows before this one have left.
    pub start: usize,
    /// Rows from this one on have not entered.
    pub end: usize,
}

/// What is kept of each key's window.
pub trait Running {
    /// Of one key.
    type State;

    /// A row of the log enters its key's window, as its newest.
    fn enter(&mut self, state: &mut Self::State, row: usize);

    /// A row of the log leaves its key's window, as its oldest.
    fn leave(&mut self, state: &mut Self::State, row: usize);

    /// Takes the answer for the `i`-th of the rows to be answered.
    fn answer(&mut self, state: &Self::State, i: usize);
}

/// Answers `rows` of the log, one after the other. Returns where the cursors then stand.
///
/// # Contract
/// Times ascend, and `rows` ends where a time does; the states are those that the rows in
/// `cursors` have entered; rows are answered in order, none twice. Keys are below
/// `states.len()`, and length and delay add up to less than 2⁶⁴.
///
/// # Panics
/// When a key or a row is out of range.
pub fn advance<R: Running>(
    log: Log<'_>,
    horizon: Horizon,
    cursors: Cursors,
    rows: Range<usize>,
    states: &mut [R::State],
    running: &mut R,
) -> Cursors {
    if horizon.delay == 0 {
        advance_to_now(log, horizon.length, cursors, rows, states, running)
    } else {
        advance_to_then(log, horizon, cursors, rows, states, running)
    }
}

/// Time from `earlier` to `later`, which is not before it: exact over all of 64 bits.
#[inline(always)]
fn age(later: i64, earlier: i64) -> u64 {
    later.wrapping_sub(earlier) as u64
}

/// Windows that end at their rows.
fn advance_to_now<R: Running>(
    log: Log<'_>,
    length: u64,
    Cursors { mut start, mut end }: Cursors,
    rows: Range<usize>,
    states: &mut [R::State],
    running: &mut R,
) -> Cursors {
    let Log { times, keys } = log;
    for row in rows.clone() {
        if let Some(&key) = keys.get(row + AHEAD) {
            prefetch_read(states, key as usize);
        }
        let now = times[row];
        if end <= row {
            while start < end && age(now, times[start]) >= length {
                running.leave(&mut states[keys[start] as usize], start);
                if let Some(&key) = keys.get(start + AHEAD) {
                    prefetch_read(states, key as usize);
                }
                start += 1;
            }
            // All that happened at this time, before any of it is answered.
            while end < times.len() && times[end] <= now {
                running.enter(&mut states[keys[end] as usize], end);
                end += 1;
            }
        }
        running.answer(&states[keys[row] as usize], row - rows.start);
    }
    Cursors { start, end }
}

/// Windows that end before their rows.
fn advance_to_then<R: Running>(
    log: Log<'_>,
    Horizon { length, delay }: Horizon,
    Cursors { mut start, mut end }: Cursors,
    rows: Range<usize>,
    states: &mut [R::State],
    running: &mut R,
) -> Cursors {
    let Log { times, keys } = log;
    let reach = length.saturating_add(delay);
    let leave = |states: &mut [R::State], running: &mut R, row: usize| {
        running.leave(&mut states[keys[row] as usize], row);
        if let Some(&key) = keys.get(row + AHEAD) {
            prefetch_read(states, key as usize);
        }
    };
    for row in rows.clone() {
        if let Some(&key) = keys.get(row + AHEAD) {
            prefetch_read(states, key as usize);
        }
        let now = times[row];
        while end < row && age(now, times[end]) >= delay {
            if let Some(&key) = keys.get(end + AHEAD) {
                prefetch_read(states, key as usize);
            }
            while start < end && age(times[end], times[start]) >= length {
                leave(states, running, start);
                start += 1;
            }
            running.enter(&mut states[keys[end] as usize], end);
            end += 1;
        }
        while start < end && age(now, times[start]) >= reach {
            leave(states, running, start);
            start += 1;
        }
        running.answer(&states[keys[row] as usize], row - rows.start);
    }
    Cursors { start, end }
}

/// Counts rows and sums columns of integers: a state is the count, then the sums. Sums wrap, so
/// they are exact while what is in a window fits into 64 bits, whatever came before.
#[derive(Debug)]
pub struct Integers<'a, const COLUMNS: usize, const LANES: usize> {
    /// Values by row of the log, each as long as it.
    pub columns: [&'a [i64]; COLUMNS],
    /// Count and sums by row answered; `LANES` is `COLUMNS + 1`.
    pub out: [&'a mut [i64]; LANES],
}

impl<const COLUMNS: usize, const LANES: usize> Running for Integers<'_, COLUMNS, LANES> {
    type State = [i64; LANES];

    #[inline(always)]
    fn enter(&mut self, state: &mut [i64; LANES], row: usize) {
        const { assert!(LANES == COLUMNS + 1) };
        state[0] += 1;
        for (sum, column) in state[1..].iter_mut().zip(&self.columns) {
            *sum = sum.wrapping_add(column[row]);
        }
    }

    #[inline(always)]
    fn leave(&mut self, state: &mut [i64; LANES], row: usize) {
        state[0] -= 1;
        for (sum, column) in state[1..].iter_mut().zip(&self.columns) {
            *sum = sum.wrapping_sub(column[row]);
        }
    }

    #[inline(always)]
    fn answer(&mut self, state: &[i64; LANES], i: usize) {
        for (out, &value) in self.out.iter_mut().zip(state) {
            out[i] = value;
        }
    }
}
