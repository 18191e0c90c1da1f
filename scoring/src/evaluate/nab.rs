//! The score of the Numenta Anomaly Benchmark (Lavin and Ahmad, *Evaluating real-time anomaly
//! detection algorithms: the Numenta Anomaly Benchmark*, ICMLA 2015).
//!
//! ```text
//! weight of a detected row        ┌──────── window ────────┐
//!   +tp ─                         ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▖      early in the window is best
//!     0 ─────────────────────────────────────────────▝▚─┬──────────
//!   −fp ─ ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁                       ▝▀▄▁▁▁▁▁   soon after costs less
//! ```
//! 1. The first min(⌊0.15 n⌋, 750) rows of a series are not scored.
//! 2. With σ(x) = 1/(1 + e⁻ˣ) and S(p) = 2σ(−5p) − 1 (−1 where p > 3): row i inside a window
//!    [l, r] of w rows has p = −(r − i + 1)/w and weighs tp·S(p)/S(−1); after a window
//!    p = (i − r)/(w − 1) and it weighs fp·S(p); before the first it weighs −fp.
//! 3. Rows with score ≥ threshold are detected. A window gives the best weight among its detected
//!    rows, or −fn with none; *every* detected row outside of windows gives its weight.
//! 4. One threshold for all series, the best one. Score = 100·(total − null)/(perfect − null),
//!    perfect = windows·tp, null = −windows·fn.
//!
//! Because the threshold of step 4 is chosen on the data that it is judged on, [`cross_validated`]
//! gives the score with each group of series judged by the threshold that is best on the others.

use crate::error::{Error, Result};

/// What a detection, a miss and a false alarm are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    /// The profile's name in NAB's tables.
    pub name: &'static str,
    /// Weight of the earliest detection in a window.
    pub true_positive: f64,
    /// Cost of a window without a detection.
    pub false_negative: f64,
    /// Cost of a detected row far from any window.
    pub false_positive: f64,
}

/// The benchmark's standard profile.
pub const STANDARD: Profile =
    Profile { name: "standard", true_positive: 1.0, false_negative: 1.0, false_positive: 0.11 };
/// False alarms cost twice as much.
pub const LOW_FALSE_POSITIVES: Profile =
    Profile { name: "low FP", true_positive: 1.0, false_negative: 1.0, false_positive: 0.22 };
/// Missed windows cost twice as much.
pub const LOW_FALSE_NEGATIVES: Profile =
    Profile { name: "low FN", true_positive: 1.0, false_negative: 2.0, false_positive: 0.11 };
/// The three profiles, in the order of NAB's tables.
pub const PROFILES: [Profile; 3] = [STANDARD, LOW_FALSE_POSITIVES, LOW_FALSE_NEGATIVES];

/// A window of rows that hold an anomaly, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First row.
    pub first: usize,
    /// Last row, at least `first`.
    pub last: usize,
}

/// One series' scores and its windows.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored<'a> {
    /// A score for each row, larger is stranger; NaN counts as never detected.
    pub scores: &'a [f64],
    /// The windows, in order, without overlap.
    pub windows: &'a [Window],
}

/// A score and the threshold that gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// 100 is perfect, 0 is "no detection at all".
    pub score: f64,
    /// Rows with a score of at least this are detected; infinite where detecting nothing is best.
    pub threshold: f64,
}

/// How many rows at the start of a series of `rows` rows are not scored.
#[must_use]
pub fn probation_rows(rows: usize) -> usize {
    // ⌊0.15 n⌋ in integers: 0.15 is no f64.
    (rows.saturating_mul(15) / 100).min(750)
}

/// NAB's scaled sigmoid, step 2 of the module's text.
fn sigmoid(position: f64) -> f64 {
    if position > 3.0 { -1.0 } else { 2.0 / (1.0 + libm::exp(5.0 * position)) - 1.0 }
}

/// A row that a threshold can detect.
struct Row {
    score: f64,
    /// Index of its series.
    series: usize,
    /// Index of the window among all series' windows; `None` outside.
    window: Option<usize>,
    weight: f64,
}

/// The scored rows of all series, highest score first, and how many windows each has. Sorted
/// once, then gone through for any part of the series.
struct Sweep {
    rows: Vec<Row>,
    windows: Vec<usize>,
}

impl Sweep {
    fn new(series: &[Scored<'_>], profile: &Profile) -> Result<Self> {
        let (mut rows, mut windows, mut before) = (Vec::new(), Vec::new(), 0);
        for (index, one) in series.iter().enumerate() {
            check(one).map_err(|error| error.at(format!("series {index}")))?;
            add_rows(one, profile, (index, before), &mut rows);
            windows.push(one.windows.len());
            before += one.windows.len();
        }
        rows.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(Self { rows, windows })
    }

    /// How many windows the series for which `of` holds have.
    fn windows(&self, of: impl Fn(usize) -> bool) -> usize {
        (0..self.windows.len()).filter(|series| of(*series)).map(|s| self.windows[s]).sum()
    }

    /// Calls `visit(total, threshold)` for every threshold at which the set of rows of the series
    /// for which `of` holds changes, from "nothing is detected" (an infinite threshold) downwards.
    fn totals(
        &self,
        profile: &Profile,
        of: impl Fn(usize) -> bool,
        mut visit: impl FnMut(f64, f64),
    ) {
        let mut best = vec![-profile.false_negative; self.windows.iter().sum()];
        let mut total = -profile.false_negative * self.windows(&of) as f64;
        visit(total, f64::INFINITY);
        let mut rows = self.rows.iter().filter(|row| of(row.series)).peekable();
        while let Some(row) = rows.next() {
            match row.window {
                Some(window) if row.weight > best[window] => {
                    total += row.weight - best[window];
                    best[window] = row.weight;
                }
                Some(_) => {}
                None => total += row.weight,
            }
            if rows.peek().is_none_or(|next| next.score < row.score) {
                visit(total, row.score);
            }
        }
    }

    /// The best total of these series over all thresholds, and its threshold.
    fn best(&self, profile: &Profile, of: impl Fn(usize) -> bool) -> Result<(f64, f64)> {
        if self.windows(&of) == 0 {
            return Err(Error::new("no series has an anomaly window")
                .advise("give labels, or series that have some"));
        }
        let (mut total, mut threshold) = (f64::NEG_INFINITY, f64::INFINITY);
        self.totals(profile, of, |at, score| {
            if at > total {
                (total, threshold) = (at, score);
            }
        });
        Ok((total, threshold))
    }

    /// The gain of these series over "nothing detected" at a fixed threshold, and a perfect gain.
    fn gain(&self, profile: &Profile, of: impl Fn(usize) -> bool, threshold: f64) -> (f64, f64) {
        let windows = self.windows(&of) as f64;
        let mut total = 0.0;
        self.totals(profile, of, |at, score| {
            if score >= threshold {
                total = at;
            }
        });
        let perfect = windows * (profile.true_positive + profile.false_negative);
        (total + windows * profile.false_negative, perfect)
    }
}

fn check(series: &Scored<'_>) -> Result<()> {
    let mut free = 0;
    for window in series.windows {
        if window.first < free || window.last < window.first || window.last >= series.scores.len() {
            let (first, last) = (window.first, window.last);
            return Err(Error::new(format!("window of rows {first} to {last} is not possible"))
                .advise("windows must be in order, apart, and inside of the series"));
        }
        free = window.last + 1;
    }
    Ok(())
}

fn add_rows(
    series: &Scored<'_>,
    profile: &Profile,
    (number, offset): (usize, usize),
    rows: &mut Vec<Row>,
) {
    let mut next = 0;
    for (index, &score) in series.scores.iter().enumerate() {
        while series.windows.get(next).is_some_and(|window| window.last < index) {
            next += 1;
        }
        if index < probation_rows(series.scores.len()) || score.is_nan() {
            continue;
        }
        let inside = series.windows.get(next).filter(|window| window.first <= index);
        let weight = match inside {
            Some(window) => {
                let width = (window.last - window.first + 1) as f64;
                let position = -((window.last - index + 1) as f64) / width;
                profile.true_positive * sigmoid(position) / sigmoid(-1.0)
            }
            None if next == 0 => -profile.false_positive,
            None => {
                let window = series.windows[next - 1];
                let width = (window.last - window.first) as f64;
                profile.false_positive * sigmoid((index - window.last) as f64 / width)
            }
        };
        let window = inside.map(|_| offset + next);
        rows.push(Row { score, series: number, window, weight });
    }
}

/// The score of `total` on the scale where 0 is "nothing detected" and 100 is perfect.
fn on_scale(total: f64, windows: usize, profile: &Profile) -> f64 {
    let windows = windows as f64;
    let (null, perfect) = (-windows * profile.false_negative, windows * profile.true_positive);
    100.0 * (total - null) / (perfect - null)
}

/// The best score over all thresholds, one for all `series`, and that threshold.
///
/// # Errors
/// Windows out of order or outside of their series; no window at all.
pub fn best(series: &[Scored<'_>], profile: &Profile) -> Result<Best> {
    let sweep = Sweep::new(series, profile)?;
    let (total, threshold) = sweep.best(profile, |_| true)?;
    Ok(Best { score: on_scale(total, sweep.windows(|_| true), profile), threshold })
}

/// The score at a `threshold` that is given.
///
/// # Errors
/// As [`best`].
pub fn at_threshold(series: &[Scored<'_>], threshold: f64, profile: &Profile) -> Result<f64> {
    let (gained, perfect) = Sweep::new(series, profile)?.gain(profile, |_| true, threshold);
    if perfect == 0.0 {
        return Err(Error::new("no series has an anomaly window"));
    }
    Ok(100.0 * gained / perfect)
}

/// The score where each group of series is judged at the threshold that is best on all others:
/// what a threshold is worth on series that it was not chosen on. `groups[i]` is the group of
/// series i (its category, a half, or itself).
///
/// # Errors
/// As [`best`]; fewer than two groups; another number of groups than series.
pub fn cross_validated(series: &[Scored<'_>], groups: &[usize], profile: &Profile) -> Result<f64> {
    if groups.len() != series.len() {
        return Err(Error::new(format!("{} groups for {} series", groups.len(), series.len())));
    }
    let mut names = groups.to_vec();
    names.sort_unstable();
    names.dedup();
    if names.len() < 2 {
        return Err(Error::new("one group only").advise("a threshold needs others to come from"));
    }
    let sweep = Sweep::new(series, profile)?;
    let (mut gained, mut perfect) = (0.0, 0.0);
    for name in names {
        let (_, threshold) = sweep.best(profile, |index| groups[index] != name)?;
        let (own, own_perfect) = sweep.gain(profile, |index| groups[index] == name, threshold);
        gained += own;
        perfect += own_perfect;
    }
    Ok(100.0 * gained / perfect)
}
