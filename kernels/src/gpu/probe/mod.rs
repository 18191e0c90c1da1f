//! Kernels on rows made from a seed, on the CPU and on a GPU: what calibration and `pelton bench
//! gpu` measure.
//!
//! A probe gives a number made of its whole answer, so that whoever measures also checks. Nothing
//! here reads a clock; [`Probe::answer`] stands outside of what is timed.

mod forest;
mod histogram;
mod nearest;
mod pairs;
mod rows;
mod scores;
mod window;

use pelton_shaders::Pass;

use super::{Gpu, GpuError};
use crate::shard_hash::{SEED, fold};
use crate::simd::Level;

/// A kernel on some rows.
pub trait Probe {
    /// Bytes a row that cross the bus in both directions where its columns come from the host.
    fn bus_bytes_per_row(&self) -> f64;

    /// Batches of one run: each is of the rows that the probe was made for.
    fn batches(&self) -> usize {
        1
    }

    /// Rows of a resident run.
    fn resident_rows(&self) -> usize;

    /// Bytes that the passes of a resident run touch at least, where the columns lie on the device.
    fn resident_bytes(&self) -> u64;

    /// On one core.
    fn cpu(&mut self, level: Level);

    /// From host memory to host memory.
    ///
    /// # Errors
    /// What the GPU answers.
    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError>;

    /// A number made of the whole answer of the last run. Where the contract is a bound, the GPU's
    /// is the one before of the CPU as long as it keeps within the bound.
    fn answer(&mut self) -> u64;

    /// The passes alone, on columns that the first call leaves on the device: each with its
    /// nanoseconds there, where `gpu` is [`Gpu::timed`].
    ///
    /// # Errors
    /// What the GPU answers.
    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError>;
}

/// A probe that can be made.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// The kernel that it runs.
    pub kernel: &'static str,
    /// What is fixed about it.
    pub setting: &'static str,
    /// Whether the CPU's code has vectors; else it is compared with scalar code.
    pub has_simd: bool,
    /// Time grows with this power of rows.
    pub power: u32,
    /// How many times smaller its batches are than others': a row is that much more work.
    pub divisor: usize,
    /// Makes it for so many rows.
    pub make: fn(usize) -> Box<dyn Probe>,
}

/// Every probe, in the order of the data.
pub static PROBES: [Kind; 17] = [
    Kind {
        name: "filter",
        kernel: "batch_filter",
        setting: "i64, half of the rows kept",
        has_simd: true,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(rows::Filter::new(rows)),
    },
    Kind {
        name: "hash",
        kernel: "shard_hash",
        setting: "i64",
        has_simd: true,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(rows::Hash::new(rows)),
    },
    Kind {
        name: "reduce-64",
        kernel: "window_reduce",
        setting: "count and sum of i64, 64 groups",
        has_simd: false,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(rows::Reduce::new(rows, 64)),
    },
    Kind {
        name: "reduce-4k",
        kernel: "window_reduce",
        setting: "count and sum of i64, 4,096 groups",
        has_simd: false,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(rows::Reduce::new(rows, 4096)),
    },
    Kind {
        name: "reduce-1m",
        kernel: "window_reduce",
        setting: "count and sum of i64, 1,048,576 groups",
        has_simd: false,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(rows::Reduce::new(rows, 1 << 20)),
    },
    Kind {
        name: "window-64",
        kernel: "window_reduce",
        setting: "count, sum and least of i64 in a pane, 64 groups",
        has_simd: false,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(window::Pane::new(rows, 64)),
    },
    Kind {
        name: "window-4k",
        kernel: "window_reduce",
        setting: "count, sum and least of i64 in a pane, 4,096 groups",
        has_simd: false,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(window::Pane::new(rows, 4096)),
    },
    Kind {
        name: "window-1m",
        kernel: "window_reduce",
        setting: "count, sum and least of i64 in a pane, 1,048,576 groups",
        has_simd: false,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(window::Pane::new(rows, 1 << 20)),
    },
    Kind {
        name: "combine",
        kernel: "window_combine",
        setting: "u64 added entry by entry",
        has_simd: true,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(rows::Combine::new(rows)),
    },
    Kind {
        name: "forest",
        kernel: "score_forest",
        setting: "500 trees, 64 leaves, 30 features of f64",
        has_simd: true,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(forest::Scored::<f64>::new(rows)),
    },
    Kind {
        name: "forest-f32",
        kernel: "score_forest",
        setting: "500 trees, 64 leaves, 30 features of f32",
        has_simd: true,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(forest::Scored::<f32>::new(rows)),
    },
    Kind {
        name: "nearest",
        kernel: "score_nearest",
        setting: "5 nearest of 4,096 rows, 8 columns of f64",
        has_simd: true,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(nearest::Near::new(rows)),
    },
    Kind {
        name: "isolation",
        kernel: "score_isolation",
        setting: "100 trees of 128 ends, 16 columns of f64",
        has_simd: true,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(scores::Isolated::new(rows)),
    },
    Kind {
        name: "network",
        kernel: "score_network",
        setting: "30-64-32-1, tanh; within its bound",
        has_simd: true,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(scores::Wired::new(rows)),
    },
    Kind {
        name: "products",
        kernel: "score_products",
        setting: "a row: best 10 of 16,384 items, 64 dimensions",
        has_simd: true,
        power: 1,
        divisor: 16,
        make: |rows| Box::new(pairs::Best::new(rows)),
    },
    Kind {
        name: "profile",
        kernel: "score_profile",
        setting: "a row: a window of 100 values among all",
        has_simd: true,
        power: 2,
        divisor: 1,
        make: |rows| Box::new(pairs::Alike::new(rows)),
    },
    Kind {
        name: "histogram",
        kernel: "window_histogram",
        setting: "f64 between 1,000 edges, 64 groups",
        has_simd: false,
        power: 1,
        divisor: 1,
        make: |rows| Box::new(histogram::Counts::new(rows)),
    },
];

/// Random words of a stream.
pub(super) fn random(stream: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |i| fold(fold(SEED, stream), i))
}

/// A number from 0 to 1.
fn unit(word: u64) -> f64 {
    (word >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number made of words.
fn folded(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(SEED, fold)
}
