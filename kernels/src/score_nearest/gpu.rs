//! Nearest points on a GPU: candidates in f32 (`score_nearest.wgsl`), then proof in f64.
//!
//! The device gives, for each query and share of the points, the `k` + [`SPARE`] least scores. A
//! point that is not among a share's candidates has, in f32, no smaller score than the share's
//! worst; so its score in f64 is at least that less the error of f32 ([`Metric::error_of`]). The
//! host computes the candidates' scores in f64. If the k-th of them is below that bound, no other
//! point can come before it, and the answer is the definition's, bit for bit. If not (more points
//! than there are slots to spare lie equally far), the definition answers this query.
//!
//! The device may take NaN and infinities for absent, and overflow for impossible: points with a
//! value beyond [`VALUE_MAX`] are candidates of every query without having been there, and such
//! queries are the definition's.

use std::collections::VecDeque;
use std::ops::Range;

use pelton_shaders::{NEAREST_POINTS, NEAREST_QUERIES, NEAREST_SLOTS, NearestParams};

use super::scalar::{List, nearest_of, rank};
use super::{Metric, Neighbours, Rows, check};
use crate::gpu::{Buffer, DISPATCHES_MAX, Flags, Gpu, GpuError, Pass, Pending};
use crate::score_forest::gpu::IN_FLIGHT;

/// Candidates beyond `k`.
pub const SPARE: usize = 8;
/// Neighbours that a query can have here.
pub const K_MAX: usize = NEAREST_SLOTS as usize - SPARE;
/// Beyond it a value is not sent: its square, added up, could overflow f32.
pub const VALUE_MAX: f32 = 1e15;

/// Queries of a piece.
const PIECE_QUERIES: usize = 1 << 15;
/// Workgroups that fill a device.
const GROUPS: usize = 512;
/// Dispatches of a piece at most: parts of the points.
const PARTS_MAX: usize = DISPATCHES_MAX;

/// Points that one binding can show.
#[derive(Debug)]
struct Part {
    buffer: Buffer,
    points: usize,
    /// Place of the first in `numbers`.
    first: usize,
}

/// Points on the device.
#[derive(Debug)]
pub struct Points {
    gpu: Gpu,
    metric: Metric,
    dimensions: usize,
    /// All of them: what is proved is proved with these.
    values: Vec<f32>,
    parts: Vec<Part>,
    /// Numbers of those on the device.
    numbers: Vec<u32>,
    /// Numbers of those that are not.
    odd: Vec<u32>,
    /// The greatest root of a sum of squares on the device.
    longest: f64,
}

fn is_odd(row: &[f32]) -> bool {
    // NaN compares as nothing.
    !row.iter().all(|x| x.abs() <= VALUE_MAX)
}

fn length(row: &[f32]) -> f64 {
    row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt()
}

/// Sixteen points at a time, dimension by dimension.
fn packed(points: Rows<'_>, numbers: &[u32]) -> Vec<f32> {
    let (tile, dimensions) = (NEAREST_POINTS as usize, points.dimensions);
    let mut packed = vec![0.0; numbers.len().next_multiple_of(tile) * dimensions];
    for (block, numbers) in packed.chunks_exact_mut(tile * dimensions).zip(numbers.chunks(tile)) {
        for (at, number) in numbers.iter().enumerate() {
            let row = points.row(*number as usize);
            block.iter_mut().skip(at).step_by(tile).zip(row).for_each(|(to, x)| *to = *x);
        }
    }
    packed
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The definition's neighbours.
    pub neighbours: Neighbours,
    /// Queries that the definition answered: odd ones, and those with too many ties.
    pub by_definition: usize,
}

/// A piece of queries under way.
struct Piece {
    pending: Pending,
    /// For each part its read and its shares.
    reads: Vec<(usize, usize)>,
    queries: Range<usize>,
}

impl Points {
    /// Puts points on the device, to be compared by `metric`.
    ///
    /// # Errors
    /// What the GPU answers; [`GpuError::TooLarge`] where sixteen points don't fit a binding, or
    /// more than 64 bindings would be needed.
    ///
    /// # Panics
    /// When a point has no dimension, or there are 2³² points.
    pub fn new(gpu: &Gpu, metric: Metric, points: Rows<'_>) -> Result<Self, GpuError> {
        check(points, points);
        let all = 0..points.len() as u32;
        let (odd, numbers): (Vec<u32>, Vec<u32>) =
            all.partition(|number| is_odd(points.row(*number as usize)));
        let longest = numbers.iter().map(|n| length(points.row(*n as usize))).fold(0.0, f64::max);
        let step = gpu.rows_a_binding(4 * points.dimensions, NEAREST_POINTS as usize);
        let parts = numbers.len().div_ceil(step);
        if parts > PARTS_MAX {
            let (size, limit) = (parts as u64, PARTS_MAX as u64);
            return Err(GpuError::TooLarge { what: "points in bindings", size, limit });
        }
        let mut on_device = Vec::with_capacity(parts);
        for (at, part) in numbers.chunks(step).enumerate() {
            let packed = packed(points, part);
            let buffer = gpu.buffer(4 * packed.len())?;
            let mut work = gpu.work()?;
            work.upload(&buffer, &packed)?;
            work.submit()?;
            on_device.push(Part { buffer, points: part.len(), first: at * step });
        }
        Ok(Self {
            gpu: gpu.clone(),
            metric,
            dimensions: points.dimensions,
            values: points.values.to_vec(),
            parts: on_device,
            numbers,
            odd,
            longest,
        })
    }

    fn rows(&self) -> Rows<'_> {
        Rows { dimensions: self.dimensions, values: &self.values }
    }

    /// Workgroups that share a part's points, and blocks of each.
    fn shares(&self, part: &Part, queries: usize, slots: usize) -> (usize, usize) {
        let blocks = part.points.div_ceil(NEAREST_POINTS as usize);
        let groups = queries.div_ceil(NEAREST_QUERIES as usize);
        // A share has eight blocks at least: each has a list to be filled and read.
        let shown = self.gpu.rows_a_binding(8 * slots * queries.max(1), 1);
        let shares = GROUPS.div_ceil(groups.max(1)).min(blocks.div_ceil(8)).min(shown).max(1);
        let share = blocks.div_ceil(shares).max(1);
        (blocks.div_ceil(share), share)
    }

    /// Queries that go to the device at a time.
    fn piece_queries(&self, slots: usize) -> usize {
        let row_bytes = (4 * self.dimensions).max(8 * slots);
        let step = NEAREST_QUERIES as usize;
        let grid = self.gpu.adapter().groups_max as usize * step;
        self.gpu.rows_a_binding(row_bytes, step).min(PIECE_QUERIES).min(grid)
    }

    /// As [`super::nearest`], with its bits.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] for more than [`K_MAX`] neighbours; what the GPU answers.
    ///
    /// # Panics
    /// When queries and points differ in dimensions.
    pub fn nearest(&self, queries: Rows<'_>, k: usize) -> Result<Found, GpuError> {
        check(self.rows(), queries);
        if k > K_MAX {
            let (size, limit) = (k as u64, K_MAX as u64);
            return Err(GpuError::TooLarge { what: "neighbours of a query", size, limit });
        }
        let mut all = Found { neighbours: Neighbours::new(queries.len(), k), by_definition: 0 };
        if k == 0 {
            return Ok(all);
        }
        let mut flight: VecDeque<Piece> = VecDeque::new();
        let step = self.piece_queries(k + SPARE);
        for start in (0..queries.len()).step_by(step) {
            if flight.len() == IN_FLIGHT
                && let Some(oldest) = flight.pop_front()
            {
                self.land(oldest, queries, &mut all)?;
            }
            let part = start..queries.len().min(start + step);
            flight.push_back(self.launch(queries, part, k + SPARE)?);
        }
        flight.into_iter().try_for_each(|piece| self.land(piece, queries, &mut all))?;
        Ok(all)
    }

    /// One piece.
    fn launch(
        &self,
        queries: Rows<'_>,
        range: Range<usize>,
        slots: usize,
    ) -> Result<Piece, GpuError> {
        let (gpu, pitch) = (&self.gpu, range.len());
        let mut columns = vec![0.0_f32; pitch * self.dimensions];
        for (at, query) in range.clone().enumerate() {
            let row = queries.row(query);
            if !is_odd(row) {
                columns.iter_mut().skip(at).step_by(pitch).zip(row).for_each(|(to, x)| *to = *x);
            }
        }
        let uploaded = gpu.buffer(4 * columns.len())?;
        let mut work = gpu.work()?;
        work.upload(&uploaded, &columns)?;
        let (mut reads, mut kept) = (Vec::new(), Vec::new());
        for part in &self.parts {
            let (shares, share) = self.shares(part, pitch, slots);
            let found = gpu.buffer(8 * slots * shares * pitch)?;
            let params = NearestParams {
                queries: pitch as u32,
                pitch: pitch as u32,
                dimensions: self.dimensions as u32,
                points: part.points as u32,
                share: share as u32,
                k: slots as u32,
                metric: self.metric as u32,
            };
            let grid = [pitch.div_ceil(NEAREST_QUERIES as usize) as u32, shares as u32];
            let buffers = [&uploaded, &part.buffer, &found];
            work.dispatch(Pass::ScoreNearest, Flags::NONE, &params, &buffers, grid)?;
            reads.push((work.read(&found, 0..found.bytes())?, shares));
            kept.push(found);
        }
        Ok(Piece { pending: work.submit()?, reads, queries: range })
    }

    /// Takes the candidates of a piece, and makes neighbours of them.
    fn land(&self, piece: Piece, queries: Rows<'_>, all: &mut Found) -> Result<(), GpuError> {
        let k = all.neighbours.k;
        let (pitch, slots) = (piece.queries.len(), k + SPARE);
        let done = piece.pending.wait()?;
        let found: Vec<Vec<[u32; 2]>> =
            piece.reads.iter().map(|(read, _)| done.values(*read)).collect();
        let (mut list, mut candidates) = (List::new(k), Vec::new());
        for (at, query) in piece.queries.enumerate() {
            candidates.clear();
            // The least score that a point may have, in f32, that is no candidate.
            let mut others = f64::INFINITY;
            for ((part, found), (_, shares)) in self.parts.iter().zip(&found).zip(&piece.reads) {
                for share in 0..*shares {
                    let slot = |slot: usize| found[(share * slots + slot) * pitch + at];
                    let filled = (0..slots).map(slot).take_while(|[_, n]| *n != super::NONE);
                    let before = candidates.len();
                    candidates.extend(filled.filter_map(|[score, point]| {
                        let number = self.numbers.get(part.first + point as usize)?;
                        Some((f32::from_bits(score), *number))
                    }));
                    if candidates.len() - before == slots {
                        let worst = f32::from_bits(slot(slots - 1)[0]);
                        others = others.min(f64::from(worst));
                    }
                }
            }
            let query_row = queries.row(query);
            if !self.prove(query_row, &mut candidates, others, &mut list) {
                nearest_of(self.metric, self.rows(), query_row, &mut list);
                all.by_definition += 1;
            }
            list.write(self.metric, &mut all.neighbours, query);
        }
        Ok(())
    }

    /// Puts the neighbours of a query into the list, if candidates are enough for that.
    fn prove(
        &self,
        query: &[f32],
        candidates: &mut [(f32, u32)],
        others: f64,
        list: &mut List,
    ) -> bool {
        if is_odd(query) {
            return false;
        }
        list.clear();
        let points = self.rows();
        let (relative, absolute) =
            self.metric.error_of(self.dimensions, length(query), self.longest);
        let at_least = |score: f64| score - score.abs() * relative - absolute;
        for number in &self.odd {
            list.see(rank(self.metric, points.row(*number as usize), query), *number);
        }
        candidates.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        for (score, number) in candidates.iter() {
            // Neither this candidate nor a later one comes before what is there.
            let worst = list.worst().filter(|_| list.is_full());
            if worst.is_some_and(|worst| worst < at_least(f64::from(*score))) {
                break;
            }
            list.see(rank(self.metric, points.row(*number as usize), query), *number);
        }
        let all_seen = others == f64::INFINITY;
        let worst = list.worst().filter(|_| list.is_full());
        all_seen || worst.is_some_and(|worst| worst < at_least(others))
    }
}
