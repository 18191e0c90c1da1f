//! The nearest rows with a GPU, exactly: candidates in f32 there, the last word in f64 here.
//!
//! The device gives for each query the 16 references that are nearest in f32
//! (`score_nearest.wgsl`). Their exact distances are computed on the CPU. Every other reference
//! has an f32 distance of at least that of the last candidate, and so an exact one of at least
//! that less the error ([`Bound`]). Where the k-th exact distance lies below it, no other row can
//! be among the k nearest, and the answer is that of the definition to the bit; where it does not
//! (many nearly equal distances), the query is answered by the CPU alone, as are queries that hold
//! numbers beyond f32.
//!
//! # The error
//! With u = 2⁻²⁴ and all values at most M in size: a value rounds to f32 by at most uM, so a
//! difference is off by at most e = 4uM (both values, and its own rounding), a square by
//! 2|d|e + e², and the sum of `width` squares by 2e·√width·√D + width·e² and, for the roundings of
//! products and sums in any order, (width + 2)·u·D, D being the distance. Each term is taken twice
//! as large, and numbers so small that a device may flush them (below 2⁻¹²⁰) are added.

use pelton_shaders::{
    NEAREST_CANDIDATES, NEAREST_INVOCATIONS, NEAREST_TILE, NEAREST_WIDTH_MAX, NearestParams,
};

use super::scalar::squared_distance;
use super::{NONE, References, check, nearest_of};
use crate::gpu::{Buffer, Flags, Gpu, GpuError, Pass, Work};
use crate::simd::Level;

/// Candidates that the device gives.
const CANDIDATES: usize = NEAREST_CANDIDATES as usize;
/// The most that is asked for: the others are there so that the bound can tell them apart.
pub const K_MAX: usize = CANDIDATES / 2;
/// Columns that the pass can take.
pub const WIDTH_MAX: usize = NEAREST_WIDTH_MAX as usize;
/// Values beyond it would be infinite once they are squared and added in f32.
const MAGNITUDE_MAX: f64 = 1e18;
/// A value that is far from all of those, and whose square is finite in f32.
const FAR: f32 = 3e18;
/// Queries that go to the device at a time.
const QUERIES: usize = 1 << 16;

/// References on the device.
#[derive(Debug)]
pub struct Nearest<'a> {
    gpu: Gpu,
    references: References<'a>,
    on_device: Buffer,
    padded: usize,
    magnitude: f64,
}

/// How far an f32 distance may lie from the exact one.
#[derive(Debug, Clone, Copy)]
struct Bound {
    /// Of a difference.
    difference: f64,
    width: f64,
}

impl Bound {
    fn new(width: usize, magnitude: f64) -> Self {
        const UNIT: f64 = 1.0 / 16_777_216.0;
        const FLUSHED: f64 = 1e-36;
        Self { difference: 8.0 * UNIT * magnitude + FLUSHED, width: width as f64 }
    }

    /// What an exact distance is at least, of which the f32 one is `approximate` or more.
    fn least_exact(&self, approximate: f64) -> f64 {
        const UNIT: f64 = 1.0 / 16_777_216.0;
        let Self { difference, width } = *self;
        // The exact one is at most twice as large, or it is all error, which is bounded as well.
        let slope = 4.0 * difference * (width * 2.0 * approximate).sqrt();
        let rounding = 2.0 * (width + 2.0) * UNIT * approximate;
        approximate - slope - 4.0 * width * difference * difference - rounding - 1e-35
    }
}

/// Whether the device can be asked at all.
fn fits(width: usize, k: usize) -> bool {
    (1..=WIDTH_MAX).contains(&width) && (1..=K_MAX).contains(&k)
}

fn magnitude(values: &[f64]) -> f64 {
    // NaN is not below any bound either.
    values.iter().fold(0.0, |most, value| if value.abs() <= most { most } else { value.abs() })
}

impl Nearest<'_> {
    /// The pass alone for `count` queries that lie on the device column by column, as f32:
    /// candidates and nothing settled.
    ///
    /// # Errors
    /// What the GPU answers.
    pub fn times_ns(&self, queries: &Buffer, count: usize) -> Result<Vec<(Pass, f64)>, GpuError> {
        let candidates = || self.gpu.buffer(4 * CANDIDATES * count);
        let (near, of) = (candidates()?, candidates()?);
        let mut work = self.gpu.work()?;
        self.record(&mut work, queries, [&near, &of], count)?;
        Ok(work.submit()?.wait()?.times_ns())
    }
}

impl<'a> Nearest<'a> {
    /// Puts references on the device.
    ///
    /// # Errors
    /// What the GPU answers; [`GpuError::TooLarge`] for more than 32 columns, or more references
    /// than a binding can show.
    pub fn new(gpu: &Gpu, references: References<'a>) -> Result<Self, GpuError> {
        let (count, width) = (references.count(), references.width());
        if width > WIDTH_MAX {
            let limit = u64::from(NEAREST_WIDTH_MAX);
            return Err(GpuError::TooLarge { what: "columns", size: width as u64, limit });
        }
        let padded = count.next_multiple_of(NEAREST_TILE as usize);
        let mut rows = vec![FAR; padded * width];
        for (at, column) in references.columns().enumerate() {
            for (row, value) in column.iter().enumerate() {
                rows[row * width + at] = *value as f32;
            }
        }
        let on_device = gpu.buffer(size_of_val(&*rows))?;
        let mut work = gpu.work()?;
        work.upload(&on_device, &rows)?;
        work.submit()?;
        let magnitude = magnitude(references.values);
        Ok(Self { gpu: gpu.clone(), references, on_device, padded, magnitude })
    }

    /// As [`super::nearest`]. Gives the number of queries that the CPU had to answer alone.
    ///
    /// # Errors
    /// What the GPU answers; some queries may then have been answered.
    ///
    /// # Panics
    /// As its twin.
    pub fn nearest(
        &self,
        queries: &[f64],
        distances: &mut [f64],
        rows: &mut [u32],
    ) -> Result<usize, GpuError> {
        let (count, k) = check(self.references, queries, distances, rows);
        let width = self.references.width();
        let comparable = self.magnitude <= MAGNITUDE_MAX && magnitude(queries) <= MAGNITUDE_MAX;
        if count == 0 || !fits(width, k) || !comparable {
            super::nearest(Level::best(), self.references, queries, distances, rows);
            return Ok(count);
        }
        let mut alone = 0;
        let part = QUERIES.min(self.gpu.rows_a_binding(4 * width.max(CANDIDATES), 64));
        let parts = queries.chunks(part * width).zip(distances.chunks_mut(part * k));
        for ((queries, distances), rows) in parts.zip(rows.chunks_mut(part * k)) {
            alone += self.nearest_of_part(queries, k, distances, rows)?;
        }
        Ok(alone)
    }

    fn nearest_of_part(
        &self,
        queries: &[f64],
        k: usize,
        distances: &mut [f64],
        rows: &mut [u32],
    ) -> Result<usize, GpuError> {
        let width = self.references.width();
        let count = queries.len() / width;
        let bound = Bound::new(width, self.magnitude.max(magnitude(queries)));
        let (gpu, mut columns) = (&self.gpu, vec![0_f32; queries.len()]);
        for (query, values) in queries.chunks(width).enumerate() {
            for (column, value) in values.iter().enumerate() {
                columns[column * count + query] = *value as f32;
            }
        }
        let on_device = gpu.buffer(size_of_val(&*columns))?;
        let (near, of) = (gpu.buffer(4 * CANDIDATES * count)?, gpu.buffer(4 * CANDIDATES * count)?);
        let mut work = gpu.work()?;
        work.upload(&on_device, &columns)?;
        self.record(&mut work, &on_device, [&near, &of], count)?;
        let reads = [work.read(&near, 0..near.bytes())?, work.read(&of, 0..of.bytes())?];
        let done = work.submit()?.wait()?;
        let (near, of) = (done.values::<f32>(reads[0]), done.values::<u32>(reads[1]));
        drop(done);
        let mut alone = 0;
        for (query, values) in queries.chunks(width).enumerate() {
            let out = query * k..(query + 1) * k;
            let (distances, rows) = (&mut distances[out.clone()], &mut rows[out]);
            let candidates = (0..CANDIDATES).map(|at| of[at * count + query]);
            let last = f64::from(near[(CANDIDATES - 1) * count + query]);
            let least_other = bound.least_exact(last);
            if !self.settle(values, candidates, least_other, distances, rows) {
                nearest_of(Level::best(), self.references, values, distances, rows);
                alone += 1;
            }
        }
        Ok(alone)
    }

    /// Records the pass.
    fn record(
        &self,
        work: &mut Work,
        queries: &Buffer,
        [near, of]: [&Buffer; 2],
        count: usize,
    ) -> Result<(), GpuError> {
        let params = NearestParams {
            queries: count as u32,
            references: self.padded as u32,
            width: self.references.width() as u32,
        };
        let grid = self.gpu.grid(count.div_ceil(NEAREST_INVOCATIONS as usize));
        let buffers = [queries, &self.on_device, near, of];
        work.dispatch(Pass::ScoreNearest, Flags::NONE, &params, &buffers, grid)
    }

    /// The exact nearest of one query from its candidates; false where they are not enough.
    fn settle(
        &self,
        query: &[f64],
        candidates: impl Iterator<Item = u32>,
        least_other: f64,
        distances: &mut [f64],
        rows: &mut [u32],
    ) -> bool {
        let mut exact = [(f64::INFINITY, NONE); CANDIDATES];
        let mut real = 0;
        for (slot, row) in exact.iter_mut().zip(candidates) {
            // Rows that fill up a tile are no references.
            if (row as usize) < self.references.count() {
                *slot = (squared_distance(self.references, row as usize, query), row);
                real += 1;
            }
        }
        exact.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let k = distances.len();
        let all_seen = real == self.references.count();
        if !all_seen && exact[k - 1].0 >= least_other {
            return false;
        }
        for ((distance, row), found) in distances.iter_mut().zip(rows).zip(exact) {
            (*distance, *row) = found;
        }
        true
    }
}
