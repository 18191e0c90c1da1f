//! The profile with covariances that are carried along the diagonals of the matrix (Y. Zhu et al.,
//! "Matrix Profile XI: SCRIMP++", ICDM 2018; the update: Z. Zimmerman et al., "Matrix Profile XIV",
//! SoCC 2019, section 4), and still the definition's bits.
//!
//! ```text
//! c(i, j) = c(i − 1, j − 1) + df(i) dg(j) + df(j) dg(i)      lanes: 32 diagonals side by side
//! ```
//! A pair costs some six operations instead of three a value of the window. What is carried is
//! rounded otherwise than the definition, so it only says which windows are to be looked at:
//!
//! 1. for each window the greatest correlation that is carried;
//! 2. again, the same numbers: pairs within twice the error of that one are **candidates**, of
//!    which the definition's correlation decides, the first of equals.
//!
//! No other window can be the definition's nearest, as both differ by less than the error. That
//! leaves one candidate a window where nothing repeats to twelve digits; where much does, each
//! repetition costs what the definition costs.
//!
//! # The error
//! Covariances are computed anew each [`STEPS`] rows. With u = 2⁻⁵³ and R the reach of a window
//! (its norm, plus √m times its mean, the largest of the last [`STEPS`]), a mean is off by at most
//! u √m R, an increment `dg` by twice that and three roundings of numbers up to 4 R, so a step adds
//! less than u (8 √m + 96) R R'; the first sum and the definition's add 2 (m + 4) u R R', and norms
//! are the same numbers on both sides. All of it is taken twice as large ([`ROUNDING_F64`]).

use super::{NONE, Profile, Series, scalar};
use crate::simd::{Level, multiversion};

/// Diagonals side by side.
const LANES: usize = 32;
/// Rows of a block: steps that a covariance is carried on.
const STEPS: usize = 256;
/// Twice the largest relative error of an operation.
const ROUNDING_F64: f64 = f64::EPSILON;

/// What the passes read of a window; behind the last there are [`LANES`] that are compared with
/// none.
struct Shapes {
    /// Values.
    values: Vec<f64>,
    means: Vec<f64>,
    /// Increments of covariances.
    df: Vec<f64>,
    dg: Vec<f64>,
    /// 1 / norm; NaN where a value is missing, so that no comparison holds.
    inverses: Vec<f64>,
}

impl Shapes {
    fn new(series: &Series) -> Self {
        let (windows, length) = (series.windows(), series.length);
        let step = |at: usize| {
            if at == 0 {
                return (0.0, 0.0);
            }
            let (came, left) = (series.values[at + length - 1], series.values[at - 1]);
            let deviations = (came - series.means[at]) + (left - series.means[at - 1]);
            ((came - left) / 2.0, deviations)
        };
        let (mut df, mut dg): (Vec<f64>, Vec<f64>) = (0..windows).map(step).unzip();
        let mut inverses: Vec<f64> =
            series.inverses.iter().map(|x| if *x < 0.0 { f64::NAN } else { *x }).collect();
        let (mut values, mut means) = (series.values.clone(), series.means.clone());
        for (column, blank) in [
            (&mut df, 0.0),
            (&mut dg, 0.0),
            (&mut means, 0.0),
            (&mut values, 0.0),
            (&mut inverses, f64::NAN),
        ] {
            column.resize(column.len() + LANES, blank);
        }
        Self { values, means, df, dg, inverses }
    }
}

/// Diagonals `first..first + LANES` of rows `start..end`.
#[derive(Debug, Clone, Copy)]
struct Strip {
    start: usize,
    end: usize,
    first: usize,
    length: usize,
}

/// [`LANES`] of a column from `at` on.
#[inline(always)]
fn lanes(column: &[f64], at: usize) -> &[f64; LANES] {
    column[at..].first_chunk().unwrap_or(&[f64::NAN; LANES])
}

/// The covariances of a strip's first row.
#[inline(always)]
fn begin(shapes: &Shapes, strip: Strip) -> [f64; LANES] {
    let (i, j) = (strip.start, strip.start + strip.first);
    let (mean, means) = (shapes.means[i], lanes(&shapes.means, j));
    let mut sums = [0.0; LANES];
    for t in 0..strip.length {
        let (own, others) = (shapes.values[i + t] - mean, lanes(&shapes.values, j + t));
        for lane in 0..LANES {
            sums[lane] += own * (others[lane] - means[lane]);
        }
    }
    sums
}

/// Carries covariances on to row `i`.
#[inline(always)]
fn carry(shapes: &Shapes, i: usize, j: usize, sums: &mut [f64; LANES]) {
    let (df, dg) = (shapes.df[i], shapes.dg[i]);
    let (dfs, dgs) = (lanes(&shapes.df, j), lanes(&shapes.dg, j));
    for lane in 0..LANES {
        sums[lane] += df * dgs[lane] + dfs[lane] * dg;
    }
}

/// Correlations from covariances.
#[inline(always)]
fn correlations(shapes: &Shapes, i: usize, j: usize, sums: &[f64; LANES]) -> [f64; LANES] {
    let (inverse, inverses) = (shapes.inverses[i], lanes(&shapes.inverses, j));
    // Not `from_fn`, which is not inlined where a level's instructions are.
    let mut found = [0.0; LANES];
    for lane in 0..LANES {
        found[lane] = sums[lane] * inverse * inverses[lane];
    }
    found
}

/// The most of a row, lane by lane: made one number when all strips are done.
type RowMost = [f64; 8];

multiversion! {
    /// Raises the most of rows and of columns to what the strip has.
    fn raise(
        level;
        shapes: &Shapes,
        strip: Strip,
        of_rows: &mut [RowMost],
        of_columns: &mut [f64],
    ) {
        let mut sums = begin(shapes, strip);
        let rows = strip.start..strip.end;
        for (i, row) in rows.clone().zip(&mut of_rows[rows]) {
            let j = i + strip.first;
            if i > strip.start {
                carry(shapes, i, j, &mut sums);
            }
            let found = correlations(shapes, i, j, &sums);
            let Some(columns) = of_columns[j..].first_chunk_mut::<LANES>() else { return };
            for lane in 0..LANES {
                columns[lane] =
                    if found[lane] > columns[lane] { found[lane] } else { columns[lane] };
            }
            for part in found.as_chunks::<8>().0 {
                for lane in 0..8 {
                    row[lane] = if part[lane] > row[lane] { part[lane] } else { row[lane] };
                }
            }
        }
    }
}

multiversion! {
    /// Pairs of the strip that are near enough for their row or their column.
    fn gather(level; shapes: &Shapes, strip: Strip, least: &[f64], pairs: &mut Vec<[usize; 2]>) {
        let mut sums = begin(shapes, strip);
        for i in strip.start..strip.end {
            let j = i + strip.first;
            if i > strip.start {
                carry(shapes, i, j, &mut sums);
            }
            let found = correlations(shapes, i, j, &sums);
            let (own, columns) = (least[i], lanes(least, j));
            let mut near = [0_u64; LANES];
            for lane in 0..LANES {
                let is_near = (found[lane] >= own) | (found[lane] >= columns[lane]);
                near[lane] = u64::from(is_near);
            }
            if near.iter().fold(0, |any, near| any | near) != 0 {
                let near = (0..LANES).filter(|lane| near[*lane] != 0);
                pairs.extend(near.map(|lane| [i, j + lane]));
            }
        }
    }
}

/// Calls `visit` with every strip of the matrix above its diagonal.
fn each_strip(series: &Series, mut visit: impl FnMut(Strip)) {
    let windows = series.windows();
    for start in (0..windows).step_by(STEPS) {
        let end = windows.min(start + STEPS);
        for first in (series.exclusion..windows.saturating_sub(start)).step_by(LANES) {
            // Rows whose first lane is a window.
            let end = end.min(windows - first);
            visit(Strip { start, end, first, length: series.length });
        }
    }
}

/// For each window how far a carried correlation may lie from the definition's.
fn errors(series: &Series) -> Vec<f64> {
    let m = series.length as f64;
    let roundings = 2.0 * (m + 4.0) + STEPS as f64 * (8.0 * m.sqrt() + 96.0) + 8.0;
    series.errors(roundings * ROUNDING_F64, STEPS)
}

/// As [`super::profile`].
pub(super) fn profile(level: Level, series: &Series) -> Profile {
    let (windows, shapes) = (series.windows(), Shapes::new(series));
    let mut of_rows: Vec<RowMost> = vec![[f64::NEG_INFINITY; 8]; windows];
    let mut of_columns = vec![f64::NEG_INFINITY; windows + LANES];
    each_strip(series, |strip| raise(level, &shapes, strip, &mut of_rows, &mut of_columns));
    let most = of_rows.iter().zip(&of_columns).map(|(row, column)| {
        row.iter().fold(*column, |most, own| if *own > most { *own } else { most })
    });
    let mut least: Vec<f64> =
        most.zip(errors(series)).map(|(most, error)| most - 2.0 * error).collect();
    for (least, inverse) in least.iter_mut().zip(&series.inverses) {
        // What is flat correlates with nothing: all are equal, and the first is known.
        if *inverse == 0.0 {
            *least = f64::INFINITY;
        }
    }
    least.resize(windows + LANES, f64::INFINITY);
    let mut best: Vec<(f64, u32)> = vec![(f64::NEG_INFINITY, NONE); windows];
    let (mut pairs, mut see) = (Vec::new(), |i: usize, j: usize| {
        let (own, (most, window)) = (scalar::correlation(series, i, j), best[i]);
        if own > most || (own == most && (j as u32) < window) || window == NONE {
            best[i] = (own, j as u32);
        }
    });
    each_strip(series, |strip| {
        pairs.clear();
        gather(level, &shapes, strip, &least, &mut pairs);
        for [i, j] in pairs.iter().copied().filter(|[i, j]| series.are_compared(*i, *j)) {
            see(i, j);
            see(j, i);
        }
    });
    let nearest = best.into_iter().enumerate().map(|(i, (_, window))| match window {
        _ if series.inverses[i] == 0.0 => scalar::first(series, i),
        NONE => None,
        window => Some(window as usize),
    });
    super::profile_of(series, nearest)
}
