//! Float sums of panes, in the order of panes.
//!
//! A sum of floats cannot give back what left it without a trace, so each window's is made anew,
//! oldest pane first. What that costs is reading the panes: windows that follow one another
//! share nearly all of theirs, so [`sum_windows_f64`] reads each value once for
//! [`WINDOWS_SUMMED`] windows and keeps their sums in registers.

use std::ops::Range;

use crate::simd::multiversion;

/// Windows that are summed together.
pub const WINDOWS_SUMMED: usize = 8;

/// The panes of each of some windows.
pub type WindowPanes = [Range<usize>; WINDOWS_SUMMED];

/// Entries whose sums are in registers while the panes go by: two vectors of 512 bits for each of
/// several windows, four for a single one.
const LANES: usize = 16;
const LANES_ALONE: usize = 32;

multiversion! {
    /// `to[i] += from[0][i]`, then `+= from[1][i]` and so on, each over its own length or that of
    /// `to`: the bits of [`add_f64`](super::add_f64) for one after the other, without a store
    /// between them.
    pub fn add_all_f64(level; to: &mut [f64], from: &[&[f64]]) {
        let whole = shared_len(from, to.len());
        let mut at = 0;
        while at + LANES_ALONE <= whole {
            add_block::<LANES_ALONE>(to, from, at);
            at += LANES_ALONE;
        }
        while at + 4 <= whole {
            add_block::<4>(to, from, at);
            at += 4;
        }
        if let Some(to) = to.get_mut(at..) {
            for from in from.iter().filter_map(|from| from.get(at..)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
            }
        }
    }
}

multiversion! {
    /// `to[w][i]` becomes +0, then `+= from[p][i]` for each pane p of window w in turn, over
    /// those that are long enough: the bits of [`add_all_f64`] into zeros. Panes that a window
    /// names and that are not there count for nothing.
    pub fn sum_windows_f64(
        level;
        from: &[&[f64]],
        windows: &WindowPanes,
        to: &mut [Vec<f64>; WINDOWS_SUMMED],
    ) {
        let whole = shared_len(from, to.iter().map(Vec::len).min().unwrap_or(0));
        let mut at = 0;
        while at + LANES <= whole {
            sum_block::<LANES>(from, windows, to, at);
            at += LANES;
        }
        while at + 4 <= whole {
            sum_block::<4>(from, windows, to, at);
            at += 4;
        }
        for (to, window) in to.iter_mut().zip(windows) {
            let Some(to) = to.get_mut(at..) else { continue };
            to.fill(0.0);
            for from in panes_of(from, window).iter().filter_map(|from| from.get(at..)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
            }
        }
    }
}

/// Up to where all have values.
fn shared_len(from: &[&[f64]], len: usize) -> usize {
    from.iter().map(|from| from.len()).fold(len, usize::min)
}

/// Those of a window that are there.
#[inline(always)]
fn panes_of<'a, 'b>(from: &'a [&'b [f64]], window: &Range<usize>) -> &'a [&'b [f64]] {
    let end = window.end.min(from.len());
    from.get(window.start.min(end)..end).unwrap_or(&[])
}

/// The `N` values from `at` on.
#[inline(always)]
fn lanes<const N: usize>(values: &[f64], at: usize) -> Option<&[f64; N]> {
    values.get(at..at + N).and_then(<[f64]>::first_chunk)
}

#[inline(always)]
fn add<const N: usize>(sums: &mut [f64; N], values: &[f64; N]) {
    for lane in 0..N {
        sums[lane] += values[lane];
    }
}

#[inline(always)]
fn add_block<const N: usize>(to: &mut [f64], from: &[&[f64]], at: usize) {
    let Some(to) = to.get_mut(at..at + N).and_then(<[f64]>::first_chunk_mut::<N>) else { return };
    add_panes(to, from, 0..from.len(), at);
}

/// The sums of `N` entries: for each window the panes before those that all have, then these for
/// all together, then for each those behind.
#[inline(always)]
fn sum_block<const N: usize>(
    from: &[&[f64]],
    windows: &WindowPanes,
    to: &mut [Vec<f64>; WINDOWS_SUMMED],
    at: usize,
) {
    let mut sums = [[0.0; N]; WINDOWS_SUMMED];
    let shared = shared_panes(windows);
    for (sums, window) in sums.iter_mut().zip(windows) {
        add_panes(sums, from, window.start..window.end.min(shared.start), at);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = sums;
    for from in panes_of(from, &shared) {
        let Some(values) = lanes(from, at) else { continue };
        add(&mut a, values);
        add(&mut b, values);
        add(&mut c, values);
        add(&mut d, values);
        add(&mut e, values);
        add(&mut f, values);
        add(&mut g, values);
        add(&mut h, values);
    }
    sums = [a, b, c, d, e, f, g, h];
    for (sums, window) in sums.iter_mut().zip(windows) {
        add_panes(sums, from, window.start.max(shared.end)..window.end, at);
    }
    for (to, sums) in to.iter_mut().zip(&sums) {
        if let Some(to) = to.get_mut(at..at + N) {
            to.copy_from_slice(sums);
        }
    }
}

/// The panes that all windows have; empty where there is none.
#[inline(always)]
fn shared_panes(windows: &WindowPanes) -> Range<usize> {
    let (mut start, mut end) = (0, usize::MAX);
    for window in windows {
        (start, end) = (start.max(window.start), end.min(window.end));
    }
    start..end.max(start)
}

/// Adds panes to sums.
#[inline(always)]
fn add_panes<const N: usize>(sums: &mut [f64; N], from: &[&[f64]], panes: Range<usize>, at: usize) {
    let mut kept = *sums;
    for from in panes_of(from, &panes) {
        let Some(values) = lanes(from, at) else { continue };
        add(&mut kept, values);
    }
    *sums = kept;
}
