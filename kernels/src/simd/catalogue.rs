//! The kernels by name, and the levels that each has code for.
//!
//! One table, so that nobody has to keep several: `pelton doctor` prints it, the suite
//! (`kernels/src/tests`) fails for a kernel in it that it does not run, and for a folder of
//! kernels that is not in it.

use super::Level;

/// A kernel: a folder of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// Name of its folder and module: stage and verb.
    pub name: &'static str,
    /// What it does, in a few words.
    pub purpose: &'static str,
    /// The levels that it has code of its own for, lowest first; `Scalar` is one of them.
    pub levels: &'static [Level],
}

impl Kernel {
    /// The level whose code runs where `level` is asked for: the highest that the kernel has and
    /// that is not above it.
    ///
    /// ```
    /// use pelton_kernels::simd::{KERNELS, Level};
    /// let scan = KERNELS.iter().find(|kernel| kernel.name == "csv_scan").unwrap();
    /// assert_eq!(scan.chosen(Level::Avx512), Level::Avx512);
    /// assert_eq!(scan.chosen(Level::Neon), Level::Scalar);
    /// ```
    #[must_use]
    pub fn chosen(&self, level: Level) -> Level {
        let fitting = self.levels.iter().rev().find(|own| **own <= level);
        fitting.copied().unwrap_or(Level::Scalar)
    }
}

/// The levels of a plain loop that the compiler vectorises for each of them.
const COMPILED: &[Level] = &[Level::Scalar, Level::Neon, Level::Avx2, Level::Avx512];
/// The levels of what is written with the vectors of x86-64.
const WRITTEN: &[Level] = &[Level::Scalar, Level::Avx2, Level::Avx512];
/// The levels of what only vectors of 512 bits pay for.
const WIDE: &[Level] = &[Level::Scalar, Level::Avx512];

/// The level of what has no code for vectors of its own.
const PLAIN: &[Level] = &[Level::Scalar];

/// Every kernel, in the order of the data.
pub const KERNELS: &[Kernel] = &[
    Kernel { name: "csv_scan", purpose: "fields and records of CSV", levels: WRITTEN },
    Kernel { name: "text_parse", purpose: "text to numbers", levels: WRITTEN },
    Kernel { name: "batch_filter", purpose: "rows kept by a mask", levels: WRITTEN },
    Kernel { name: "columns", purpose: "operations of expressions", levels: COMPILED },
    Kernel { name: "shard_hash", purpose: "keys to hashes", levels: WIDE },
    Kernel { name: "shard_scatter", purpose: "rows by shard", levels: WRITTEN },
    Kernel { name: "window_assign", purpose: "rows of a pane by their times", levels: COMPILED },
    Kernel { name: "window_reduce", purpose: "values of a pane to one", levels: COMPILED },
    Kernel { name: "window_combine", purpose: "panes to a window", levels: COMPILED },
    Kernel { name: "over_advance", purpose: "windows that end at rows", levels: &[Level::Scalar] },
    Kernel { name: "geo_haversine", purpose: "distances on the earth", levels: COMPILED },
    Kernel { name: "math", purpose: "logistic scores, tails, exp, ln", levels: COMPILED },
    Kernel { name: "score_forest", purpose: "scores of trees", levels: WRITTEN },
    Kernel { name: "score_nearest", purpose: "nearest rows of others", levels: COMPILED },
    Kernel { name: "score_cuts", purpose: "points in and out of cut trees", levels: COMPILED },
    Kernel { name: "score_halves", purpose: "masses of half-space trees", levels: COMPILED },
    Kernel { name: "score_isolation", purpose: "levels in isolation trees", levels: WRITTEN },
    Kernel { name: "score_network", purpose: "layers of networks", levels: COMPILED },
    Kernel { name: "score_products", purpose: "greatest products", levels: COMPILED },
    Kernel { name: "score_profile", purpose: "windows alike", levels: COMPILED },
    Kernel { name: "window_histogram", purpose: "counts between edges", levels: PLAIN },
];
