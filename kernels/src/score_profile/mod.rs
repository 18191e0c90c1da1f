//! The matrix profile of a series: for each window the distance to the window most like it, the
//! two brought to mean 0 and deviation 1 (C.-C. M. Yeh et al., "Matrix Profile I", ICDM 2016).
//! Large values are discords, small ones motifs.
//!
//! With the correlation ρ of two windows of m values their distance is √(2 m (1 − ρ)), so the
//! nearest is the one of the greatest ρ, the first of equals.
//!
//! * [`scalar`] is the definition: each pair of windows, two passes, in `f64`.
//! * `simd` carries covariances along diagonals, and lets the definition decide among the windows
//!   that are near enough: the definition's bits.
//! * `gpu` finds the window in `f32` and takes the distance to it from the definition. So a
//!   distance has the definition's bits for the window that stands beside it; that window is the
//!   definition's, unless another correlates as well to within [`Series::tolerances`].
//!
//! # What has no shape
//! A window whose deviation is below [`FLAT`] of the series' correlates with nothing (ρ = 0, a
//! distance of √(2 m)). A value that is NaN, or beyond [`VALUE_MAX`], is missing, and a window with
//! a missing value is compared with none.

#[cfg(feature = "gpu")]
pub mod gpu;
pub mod scalar;
mod simd;

use crate::simd::Level;

/// A window whose deviation is a smaller part of the series' is flat.
pub const FLAT: f64 = 1e-6;

/// Values beyond it count as missing: their squares would not be finite.
pub const VALUE_MAX: f64 = 1e150;

/// The largest relative error of an operation in `f32`, in either direction.
pub const ROUNDING_F32: f64 = 1.0 / 8_388_608.0;

/// Steps that a covariance is carried on before it is computed anew.
pub const STEPS_MAX: usize = 64;

/// What stands for the nearest window where there is none.
pub const NONE: u32 = u32::MAX;

/// A series, brought to mean 0 and deviation 1, with what its windows have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    length: usize,
    exclusion: usize,
    /// Missing ones are 0.
    values: Vec<f64>,
    /// Of each window.
    means: Vec<f64>,
    /// Of each window: the root of its sum of squared deviations.
    norms: Vec<f64>,
    /// 1 / norm; 0 where it is flat, −1 where a value is missing.
    inverses: Vec<f64>,
}

/// The nearest window of each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// Distances; ∞ where there is no window to compare with.
    pub distances: Vec<f64>,
    /// Numbers of windows; [`NONE`] there.
    pub nearest: Vec<u32>,
}

impl Series {
    /// Windows of `length` values; those less than `exclusion` values apart are not compared
    /// (at least 1: a window is not compared with itself; usual is a quarter of `length`).
    ///
    /// # Errors
    /// Where a window has fewer than 2 values, or there are 2³² windows.
    pub fn new(values: &[f64], length: usize, exclusion: usize) -> Result<Self, String> {
        if length < 2 || values.len() >= NONE as usize {
            return Err(format!("windows of {length} of {} values", values.len()));
        }
        let is_there = |x: &f64| x.abs() <= VALUE_MAX;
        let (mean, scale) = moments(values.iter().copied().filter(is_there));
        let brought = |x: &f64| if is_there(x) && scale > 0.0 { (x - mean) / scale } else { 0.0 };
        let centred: Vec<f64> = values.iter().map(brought).collect();
        let windows = (values.len() + 1).saturating_sub(length);
        let mut series = Self {
            length,
            exclusion: exclusion.max(1),
            values: centred,
            means: Vec::with_capacity(windows),
            norms: Vec::with_capacity(windows),
            inverses: Vec::with_capacity(windows),
        };
        let mut missing =
            values[..values.len().min(length - 1)].iter().filter(|x| !is_there(x)).count();
        for at in 0..windows {
            missing += usize::from(!is_there(&values[at + length - 1]));
            let (mean, deviation) = moments(series.values[at..at + length].iter().copied());
            let norm = deviation * (length as f64).sqrt();
            series.means.push(mean);
            series.norms.push(norm);
            series.inverses.push(match () {
                () if missing > 0 => -1.0,
                () if deviation <= FLAT => 0.0,
                () => 1.0 / norm,
            });
            missing -= usize::from(!is_there(&values[at]));
        }
        Ok(series)
    }

    /// A series of no value.
    #[must_use]
    pub fn empty() -> Self {
        let none = Vec::new;
        let (values, means, norms, inverses) = (none(), none(), none(), none());
        Self { length: 2, exclusion: 1, values, means, norms, inverses }
    }

    /// Number of windows.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.means.len()
    }

    /// Values of a window.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// How far apart windows are that are compared, at least.
    #[must_use]
    pub fn exclusion(&self) -> usize {
        self.exclusion
    }

    /// Whether two windows are compared.
    #[must_use]
    pub fn are_compared(&self, i: usize, j: usize) -> bool {
        i.abs_diff(j) >= self.exclusion && self.inverses[i] >= 0.0 && self.inverses[j] >= 0.0
    }

    /// The distance that a correlation is.
    #[must_use]
    pub fn distance(&self, correlation: f64) -> f64 {
        (2.0 * self.length as f64 * (1.0 - correlation)).max(0.0).sqrt()
    }

    /// For each window how much more another may correlate with it than the one that `f32` finds.
    ///
    /// A covariance is computed from `length` products, or carried on for up to [`STEPS_MAX`]
    /// steps from such a one; each rounding is relative to what the norms and means of the windows
    /// on the way allow. So where a large value has just left a window, or a window is nearly flat
    /// but far from the mean, less can be promised.
    #[must_use]
    pub fn tolerances(&self) -> Vec<f64> {
        let roundings = (self.length + 8 * STEPS_MAX + 16) as f64;
        let errors = self.errors(roundings * ROUNDING_F32, STEPS_MAX);
        errors.into_iter().map(|error| 2.0 * error).collect()
    }

    /// For each window how far a correlation of it may be off, where a covariance is off by `unit`
    /// times the reach (norm and mean) of both windows and of those up to `steps` before them.
    fn errors(&self, unit: f64, steps: usize) -> Vec<f64> {
        let root = (self.length as f64).sqrt();
        let reach = |at: usize| self.norms[at] + root * self.means[at].abs();
        let ratio = |i: usize| {
            let most = (i.saturating_sub(steps)..=i).map(reach).fold(0.0, f64::max);
            // Of flat ones ρ is 0 whatever the covariance.
            if self.inverses[i] > 0.0 { (most * self.inverses[i]).max(1.0) } else { 1.0 }
        };
        let ratios: Vec<f64> = (0..self.windows()).map(ratio).collect();
        let widest = ratios.iter().copied().fold(1.0, f64::max);
        ratios.iter().map(|own| unit * own * widest).collect()
    }
}

/// Mean and deviation (of all, not of a sample), in two passes; zeros of nothing.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().fold(0.0, |sum, x| sum + x) / count;
    let squares = values.fold(0.0, |sum, x| sum + (x - mean) * (x - mean));
    (mean, (squares / count).sqrt())
}

/// The profile. At the scalar level by the definition, which takes windows² × length steps; at the
/// others windows², with the same bits.
#[must_use]
pub fn profile(level: Level, series: &Series) -> Profile {
    if level != Level::Scalar {
        return simd::profile(level, series);
    }
    let nearest = |i| scalar::nearest(series, i);
    profile_of(series, (0..series.windows()).map(nearest))
}

/// Distances of windows whose nearest are known.
fn profile_of(series: &Series, nearest: impl Iterator<Item = Option<usize>>) -> Profile {
    let mut profile = Profile::default();
    for (i, nearest) in nearest.enumerate() {
        let distance = |j| series.distance(scalar::correlation(series, i, j));
        profile.distances.push(nearest.map_or(f64::INFINITY, distance));
        profile.nearest.push(nearest.map_or(NONE, |j| j as u32));
    }
    profile
}
