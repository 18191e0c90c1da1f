//! What comes again in a recorded series, and what never does: motifs and discords, read off its
//! matrix profile ([`pelton_kernels::score_profile`]).
//!
//! A **motif** is a pair of windows most alike, a **discord** the window least like any other
//! (C.-C. M. Yeh et al., "Matrix Profile I", ICDM 2016). Neighbours of a window are like it just
//! for overlapping it, so windows less than an exclusion apart are not compared, and of windows
//! found the next is not looked for less than that beside those before.
//!
//! Distances are between windows that were brought to mean 0 and deviation 1: shapes count, levels
//! and sizes don't. A flat window is like nothing and a discord of distance √(2 m); one with a
//! missing value takes no part.

use pelton_kernels::score_profile::{self, NONE};
pub use pelton_kernels::score_profile::{Profile, Series};
use pelton_kernels::simd::Level;

/// Two windows alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Motif {
    /// Where the earlier one begins.
    pub first: usize,
    /// Where the later one begins.
    pub second: usize,
    /// How far they are from each other.
    pub distance: f64,
}

/// A window unlike all others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Discord {
    /// Where it begins.
    pub at: usize,
    /// Where the one most like it begins.
    pub nearest: usize,
    /// How far it is from that one.
    pub distance: f64,
}

/// The profile on one core: the definition's bits at every level. The time is that of windows².
///
/// ```
/// use pelton_kernels::simd::Level;
/// use pelton_scoring::motifs::{Series, discords, profile};
/// // A beat of seven, once missed.
/// let mut values: Vec<f64> = (0..210).map(|at| f64::from(at * at % 7)).collect();
/// values[100] = 9.0;
/// let series = Series::new(&values, 7, 2)?;
/// let found = discords(&series, &profile(Level::best(), &series), 1);
/// assert!((94..=100).contains(&found[0].at));
/// # Ok::<(), String>(())
/// ```
#[must_use]
pub fn profile(level: Level, series: &Series) -> Profile {
    score_profile::profile(level, series)
}

/// The `top` pairs most alike, the nearest first; of pairs equally near the earlier one.
#[must_use]
pub fn motifs(series: &Series, profile: &Profile, top: usize) -> Vec<Motif> {
    let mut taken = Taken::new(series);
    let mut found = Vec::new();
    for (at, nearest, distance) in sorted(profile, |a, b| a.total_cmp(&b)) {
        if found.len() == top {
            break;
        }
        if taken.is_free(at) && taken.is_free(nearest) {
            taken.take(at);
            taken.take(nearest);
            let (first, second) = (at.min(nearest), at.max(nearest));
            found.push(Motif { first, second, distance });
        }
    }
    found
}

/// The `top` windows least like any other, the farthest first; of windows equally far the earlier
/// one.
#[must_use]
pub fn discords(series: &Series, profile: &Profile, top: usize) -> Vec<Discord> {
    let mut taken = Taken::new(series);
    let mut found = Vec::new();
    for (at, nearest, distance) in sorted(profile, |a, b| b.total_cmp(&a)) {
        if found.len() == top {
            break;
        }
        if taken.is_free(at) {
            taken.take(at);
            found.push(Discord { at, nearest, distance });
        }
    }
    found
}

/// Windows that have a nearest one, by distance, then place.
fn sorted(
    profile: &Profile,
    order: impl Fn(f64, f64) -> std::cmp::Ordering,
) -> Vec<(usize, usize, f64)> {
    let windows = profile.nearest.iter().zip(&profile.distances).enumerate();
    let mut all: Vec<(usize, usize, f64)> = windows
        .filter(|(_, (nearest, _))| **nearest != NONE)
        .map(|(at, (nearest, distance))| (at, *nearest as usize, *distance))
        .collect();
    // Stable: equal ones stay in their order.
    all.sort_by(|a, b| order(a.2, b.2));
    all
}

/// Windows that lie beside one that was found.
struct Taken {
    exclusion: usize,
    is_taken: Vec<bool>,
}

impl Taken {
    fn new(series: &Series) -> Self {
        Self { exclusion: series.exclusion(), is_taken: vec![false; series.windows()] }
    }

    fn is_free(&self, at: usize) -> bool {
        self.is_taken.get(at).is_some_and(|taken| !taken)
    }

    fn take(&mut self, at: usize) {
        let end = self.is_taken.len().min(at + self.exclusion);
        let start = (at + 1).saturating_sub(self.exclusion);
        if let Some(beside) = self.is_taken.get_mut(start..end) {
            beside.fill(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile_of(distances: &[f64], nearest: &[u32]) -> Profile {
        Profile { distances: distances.to_vec(), nearest: nearest.to_vec() }
    }

    #[test]
    fn neighbours_of_what_was_found_are_not_found_again() {
        let series = Series::new(&[0.0; 10], 2, 2).unwrap();
        let distances = [5.0, 1.0, 0.5, 7.0, f64::INFINITY, 6.5, 0.5, 3.0, 2.0];
        let profile = profile_of(&distances, &[8, 5, 6, 0, NONE, 1, 2, 0, 0]);
        let pairs: Vec<_> =
            motifs(&series, &profile, 9).iter().map(|m| (m.first, m.second)).collect();
        // (1, 5) touches 2 and 6; (0, 7) touches 6; (0, 8) is free.
        assert_eq!(pairs, [(2, 6), (0, 8)]);
        let odd: Vec<_> = discords(&series, &profile, 9).iter().map(|d| d.at).collect();
        assert_eq!(odd, [3, 5, 0, 7]);
        assert_eq!(discords(&series, &profile, 1).len(), 1);
        assert!(motifs(&series, &profile, 0).is_empty());
    }

    #[test]
    fn a_series_of_nothing_has_neither() {
        let series = Series::empty();
        let profile = profile(Level::best(), &series);
        assert!(motifs(&series, &profile, 3).is_empty());
        assert!(discords(&series, &profile, 3).is_empty());
    }
}
