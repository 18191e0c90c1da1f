//! The greatest products on a GPU: candidates in f32 (`score_products.wgsl`), then proof in f64.
//!
//! The device gives, for each query and share of the items, the `k` + [`SPARE`] greatest products.
//! An item that is not among a share's candidates has, in f32, no greater product than the share's
//! least; so its product in f64 is at most that and the error of f32 ([`error_bound`]). The host
//! computes the candidates' products in f64. If the k-th of them is above that bound, no other item
//! can come before it, and the answer is the definition's, bit for bit. If not (more items than
//! there are slots to spare have the same product), the definition answers this query.
//!
//! The device may take NaN and infinities for absent, and overflow for impossible: items with a
//! value beyond [`VALUE_MAX`] are candidates of every query without having been there, and such
//! queries are the definition's.

use std::collections::VecDeque;
use std::ops::Range;

use pelton_shaders::{PRODUCTS_ITEMS, PRODUCTS_QUERIES, PRODUCTS_SLOTS, ProductsParams};

use super::scalar::{List, best_of, product};
use super::{Best, NONE, Rows, check, error_bound};
use crate::gpu::{Buffer, DISPATCHES_MAX, Flags, Gpu, GpuError, Pass, Pending};
use crate::score_forest::gpu::IN_FLIGHT;

/// Candidates beyond `k`.
pub const SPARE: usize = 8;
/// Items that a query can have here.
pub const K_MAX: usize = PRODUCTS_SLOTS as usize - SPARE;
/// Beyond it a value is not sent: its square, added up, could overflow f32.
pub const VALUE_MAX: f32 = 1e15;

/// Queries of a piece.
const PIECE_QUERIES: usize = 1 << 15;
/// Workgroups that fill a device.
const GROUPS: usize = 512;
/// Blocks that a share has at least: its list is to be filled and read.
const SHARE_MIN: usize = 8;

/// Items that one binding can show.
#[derive(Debug)]
struct Part {
    buffer: Buffer,
    items: usize,
    /// Place of the first in `numbers`.
    first: usize,
}

/// Items on the device.
#[derive(Debug)]
pub struct Items {
    gpu: Gpu,
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

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The definition's items.
    pub best: Best,
    /// Queries that the definition answered: odd ones, and those with too many ties.
    pub by_definition: usize,
}

fn is_odd(row: &[f32]) -> bool {
    // NaN compares as nothing.
    !row.iter().all(|x| x.abs() <= VALUE_MAX)
}

fn length(row: &[f32]) -> f64 {
    row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt()
}

/// Sixteen items at a time, dimension by dimension.
fn packed(items: Rows<'_>, numbers: &[u32]) -> Vec<f32> {
    let (tile, dimensions) = (PRODUCTS_ITEMS as usize, items.dimensions);
    let mut packed = vec![0.0; numbers.len().next_multiple_of(tile) * dimensions];
    for (block, numbers) in packed.chunks_exact_mut(tile * dimensions).zip(numbers.chunks(tile)) {
        for (at, number) in numbers.iter().enumerate() {
            let row = items.row(*number as usize);
            block.iter_mut().skip(at).step_by(tile).zip(row).for_each(|(to, x)| *to = *x);
        }
    }
    packed
}

/// A piece of queries under way.
struct Piece {
    pending: Pending,
    /// For each part its read and its shares.
    reads: Vec<(usize, usize)>,
    queries: Range<usize>,
}

impl Items {
    /// Puts items on the device.
    ///
    /// # Errors
    /// What the GPU answers; [`GpuError::TooLarge`] where sixteen items don't fit a binding, or
    /// more than 64 bindings would be needed.
    ///
    /// # Panics
    /// When an item has no dimension, or there are 2³² − 1.
    pub fn new(gpu: &Gpu, items: Rows<'_>) -> Result<Self, GpuError> {
        check(items, items);
        let all = 0..items.len() as u32;
        let (odd, numbers): (Vec<u32>, Vec<u32>) =
            all.partition(|number| is_odd(items.row(*number as usize)));
        let longest = numbers.iter().map(|n| length(items.row(*n as usize))).fold(0.0, f64::max);
        let step = gpu.rows_a_binding(4 * items.dimensions, PRODUCTS_ITEMS as usize);
        let parts = numbers.len().div_ceil(step);
        if parts > DISPATCHES_MAX {
            let (size, limit) = (parts as u64, DISPATCHES_MAX as u64);
            return Err(GpuError::TooLarge { what: "items in bindings", size, limit });
        }
        let mut on_device = Vec::with_capacity(parts);
        for (at, part) in numbers.chunks(step).enumerate() {
            let packed = packed(items, part);
            let buffer = gpu.buffer(4 * packed.len())?;
            let mut work = gpu.work()?;
            work.upload(&buffer, &packed)?;
            work.submit()?;
            on_device.push(Part { buffer, items: part.len(), first: at * step });
        }
        Ok(Self {
            gpu: gpu.clone(),
            dimensions: items.dimensions,
            values: items.values.to_vec(),
            parts: on_device,
            numbers,
            odd,
            longest,
        })
    }

    fn rows(&self) -> Rows<'_> {
        Rows { dimensions: self.dimensions, values: &self.values }
    }

    /// Workgroups that share a part's items, and blocks of each.
    fn shares(&self, part: &Part, queries: usize, slots: usize) -> (usize, usize) {
        let blocks = part.items.div_ceil(PRODUCTS_ITEMS as usize);
        let groups = queries.div_ceil(PRODUCTS_QUERIES as usize);
        let shown = self.gpu.rows_a_binding(8 * slots * queries.max(1), 1);
        let wanted = GROUPS.div_ceil(groups.max(1));
        let shares = wanted.min(blocks.div_ceil(SHARE_MIN)).min(shown).max(1);
        let share = blocks.div_ceil(shares).max(1);
        (blocks.div_ceil(share), share)
    }

    /// Queries for `k` items that go to the device at a time.
    #[must_use]
    pub fn piece_queries(&self, k: usize) -> usize {
        let slots = k + SPARE;
        let row_bytes = (4 * self.dimensions).max(8 * slots);
        let step = PRODUCTS_QUERIES as usize;
        let grid = self.gpu.adapter().groups_max as usize * step;
        self.gpu.rows_a_binding(row_bytes, step).min(PIECE_QUERIES).min(grid)
    }

    /// As [`super::best`], with its bits.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] for more than [`K_MAX`] items a query; what the GPU answers.
    ///
    /// # Panics
    /// When queries and items differ in dimensions.
    pub fn best(&self, queries: Rows<'_>, k: usize) -> Result<Found, GpuError> {
        check(self.rows(), queries);
        if k > K_MAX {
            let (size, limit) = (k as u64, K_MAX as u64);
            return Err(GpuError::TooLarge { what: "items of a query", size, limit });
        }
        let mut found = Found { best: Best::new(queries.len(), k), by_definition: 0 };
        if k == 0 {
            return Ok(found);
        }
        let mut flight: VecDeque<Piece> = VecDeque::new();
        let step = self.piece_queries(k);
        for start in (0..queries.len()).step_by(step) {
            if flight.len() == IN_FLIGHT
                && let Some(oldest) = flight.pop_front()
            {
                self.land(oldest, queries, &mut found)?;
            }
            let part = start..queries.len().min(start + step);
            flight.push_back(self.launch(queries, part, k + SPARE)?);
        }
        flight.into_iter().try_for_each(|piece| self.land(piece, queries, &mut found))?;
        Ok(found)
    }

    /// The pass alone, for the first queries that go to the device at a time: candidates, and
    /// nothing proved; none of no query.
    ///
    /// # Errors
    /// What the GPU answers.
    ///
    /// # Panics
    /// As [`Items::best`].
    pub fn times_ns(&self, queries: Rows<'_>, k: usize) -> Result<Vec<(Pass, f64)>, GpuError> {
        check(self.rows(), queries);
        let (count, k) = (queries.len().min(self.piece_queries(k)), k.min(K_MAX));
        if count == 0 {
            return Ok(Vec::new());
        }
        Ok(self.launch(queries, 0..count, k + SPARE)?.pending.wait()?.times_ns())
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
            let params = ProductsParams {
                queries: pitch as u32,
                pitch: pitch as u32,
                dimensions: self.dimensions as u32,
                items: part.items as u32,
                share: share as u32,
                k: slots as u32,
            };
            let grid = [pitch.div_ceil(PRODUCTS_QUERIES as usize) as u32, shares as u32];
            let buffers = [&uploaded, &part.buffer, &found];
            work.dispatch(Pass::ScoreProducts, Flags::NONE, &params, &buffers, grid)?;
            reads.push((work.read(&found, 0..found.bytes())?, shares));
            kept.push(found);
        }
        Ok(Piece { pending: work.submit()?, reads, queries: range })
    }

    /// Takes the candidates of a piece, and makes answers of them.
    fn land(&self, piece: Piece, queries: Rows<'_>, all: &mut Found) -> Result<(), GpuError> {
        let k = all.best.k;
        let (pitch, slots) = (piece.queries.len(), k + SPARE);
        let done = piece.pending.wait()?;
        let found: Vec<Vec<[u32; 2]>> =
            piece.reads.iter().map(|(read, _)| done.values(*read)).collect();
        let (mut list, mut candidates) = (List::new(k), Vec::new());
        for (at, query) in piece.queries.enumerate() {
            candidates.clear();
            // The greatest product that an item may have, in f32, that is no candidate.
            let mut others = f64::NEG_INFINITY;
            for ((part, found), (_, shares)) in self.parts.iter().zip(&found).zip(&piece.reads) {
                for share in 0..*shares {
                    let slot = |slot: usize| found[(share * slots + slot) * pitch + at];
                    let filled = (0..slots).map(slot).take_while(|[_, item]| *item != NONE);
                    let before = candidates.len();
                    candidates.extend(filled.filter_map(|[product, item]| {
                        let number = self.numbers.get(part.first + item as usize)?;
                        Some((f32::from_bits(product), *number))
                    }));
                    if candidates.len() - before == slots {
                        others = others.max(f64::from(f32::from_bits(slot(slots - 1)[0])));
                    }
                }
            }
            let row = queries.row(query);
            if !self.prove(row, &mut candidates, others, &mut list) {
                best_of(self.rows(), row, &mut list);
                all.by_definition += 1;
            }
            list.write(&mut all.best, query);
        }
        Ok(())
    }

    /// Puts the items of a query into the list, if candidates are enough for that.
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
        let items = self.rows();
        let exact = |number: u32| product(items.row(number as usize), query);
        let error = error_bound(self.dimensions, length(query), self.longest);
        for number in &self.odd {
            list.see(exact(*number), *number);
        }
        candidates.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        for (product, number) in candidates.iter() {
            // Neither this candidate nor a later one comes before what is there.
            if list.least().is_some_and(|least| least > f64::from(*product) + error) {
                break;
            }
            list.see(exact(*number), *number);
        }
        let all_seen = others == f64::NEG_INFINITY;
        all_seen || list.least().is_some_and(|least| least > others + error)
    }
}
