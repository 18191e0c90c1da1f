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

/// The sums of `N` entries, oldest pane first.
#[inline(always)]
fn sum_block<const N: usize>(
    from: &[&[f64]],
    windows: &WindowPanes,
    to: &mut [Vec<f64>; WINDOWS_SUMMED],
    at: usize,
) {
    let sums = match steps(windows) {
        Some(first) => sum_steps::<N>(from, first, at),
        None => sum_any::<N>(from, windows, at),
    };
    for (to, sums) in to.iter_mut().zip(&sums) {
        if let Some(to) = to.get_mut(at..at + N) {
            to.copy_from_slice(sums);
        }
    }
}

/// Adds the values to each of the sums.
macro_rules! add_to {
    ($values:expr => $($sums:ident)+) => {{
        let values = $values;
        $(add(&mut $sums, values);)+
    }};
}

/// The first of windows each of which begins and ends a pane behind the one before, and of which
/// all share a pane.
#[inline(always)]
fn steps(windows: &WindowPanes) -> Option<Range<usize>> {
    let first = &windows[0];
    for (step, window) in windows.iter().enumerate() {
        if (window.start, window.end) != (first.start + step, first.end + step) {
            return None;
        }
    }
    (first.len() >= WINDOWS_SUMMED).then(|| first.clone())
}

/// As [`sum_any`] of the [`steps`] from a first window on: which sums a pane goes to is known
/// without looking.
#[inline(always)]
fn sum_steps<const N: usize>(
    from: &[&[f64]],
    first: Range<usize>,
    at: usize,
) -> [[f64; N]; WINDOWS_SUMMED] {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = [[0.0; N]; WINDOWS_SUMMED];
    let (head, tail) = (first.start, first.end);
    add_to!(pane(from, head, at) => a);
    add_to!(pane(from, head + 1, at) => a b);
    add_to!(pane(from, head + 2, at) => a b c);
    add_to!(pane(from, head + 3, at) => a b c d);
    add_to!(pane(from, head + 4, at) => a b c d e);
    add_to!(pane(from, head + 5, at) => a b c d e f);
    add_to!(pane(from, head + 6, at) => a b c d e f g);
    for from in panes_of(from, &(head + WINDOWS_SUMMED - 1..tail)) {
        let Some(values) = lanes(from, at) else { continue };
        add_to!(values => a b c d e f g h);
    }
    add_to!(pane(from, tail, at) => b c d e f g h);
    add_to!(pane(from, tail + 1, at) => c d e f g h);
    add_to!(pane(from, tail + 2, at) => d e f g h);
    add_to!(pane(from, tail + 3, at) => e f g h);
    add_to!(pane(from, tail + 4, at) => f g h);
    add_to!(pane(from, tail + 5, at) => g h);
    add_to!(pane(from, tail + 6, at) => h);
    [a, b, c, d, e, f, g, h]
}

/// The `N` values of a pane from `at` on; zeros where it is not there, which change no sum that
/// began with +0.
#[inline(always)]
fn pane<'a, const N: usize>(from: &[&'a [f64]], number: usize, at: usize) -> &'a [f64; N] {
    match from.get(number) {
        Some(values) => lanes(values, at).unwrap_or(const { &[0.0; N] }),
        None => const { &[0.0; N] },
    }
}

/// For each window the panes before those that all have, then these for all together, then for
/// each those behind.
#[inline(always)]
fn sum_any<const N: usize>(
    from: &[&[f64]],
    windows: &WindowPanes,
    at: usize,
) -> [[f64; N]; WINDOWS_SUMMED] {
    let mut sums = [[0.0; N]; WINDOWS_SUMMED];
    let shared = shared_panes(windows);
    for (sums, window) in sums.iter_mut().zip(windows) {
        add_panes(sums, from, window.start..window.end.min(shared.start), at);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = sums;
    for from in panes_of(from, &shared) {
        let Some(values) = lanes(from, at) else { continue };
        add_to!(values => a b c d e f g h);
    }
    sums = [a, b, c, d, e, f, g, h];
    for (sums, window) in sums.iter_mut().zip(windows) {
        add_panes(sums, from, window.start.max(shared.end)..window.end, at);
    }
    sums
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
