//! Sums of levels on a GPU: the bits of [`super::scalar`], from one pass (`score_isolation.wgsl`).
//!
//! Cuts and features are compared as integers of the same order, and levels are integers, so there
//! is nothing to round. As a sum may be taken in any order, few rows are spread over a device by
//! trees: each workgroup walks a share of them.
//!
//! Features in f32 are widened exactly, and cuts narrowed to the largest f32 not above them, so
//! both decide alike.

use std::collections::VecDeque;
use std::ops::Range;

use pelton_shaders::{ISOLATION_ROWS, ISOLATION_SHARED_BYTES, IsolationParams};

use super::Forest;
use crate::gpu::{Buffer, Flags, Gpu, GpuError, Pass, Pending};
use crate::score_forest::gpu::{Feature, IN_FLIGHT};

/// Rows of a piece: several of a batch of a million are in flight.
const PIECE_ROWS: usize = 1 << 18;
/// Workgroups that fill a device.
const GROUPS: usize = 1024;
/// Where a node says that NaN goes up.
const NAN_UP: u32 = 1 << 31;

/// An isolation forest on the device.
#[derive(Debug)]
pub struct DeviceForest {
    gpu: Gpu,
    columns: usize,
    trees: usize,
    nodes: Buffer,
    nodes32: Buffer,
    roots: Buffer,
}

/// A number's bits as an integer of the same order, above 0; both zeros are one.
fn key(x: f64) -> u64 {
    let bits = if x == 0.0 { 0 } else { x.to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The key of the largest f32 that is not above `x`.
fn key32(x: f64) -> u32 {
    let near = x as f32;
    let floor = if f64::from(near) > x { near.next_down() } else { near };
    let bits = if floor == 0.0 { 0 } else { floor.to_bits() };
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

impl DeviceForest {
    /// Puts a forest on the device.
    ///
    /// # Errors
    /// What the GPU answers; [`GpuError::TooLarge`] for more nodes than a binding can show, or
    /// 2³¹ columns.
    pub fn new(gpu: &Gpu, forest: &Forest) -> Result<Self, GpuError> {
        let (size, limit) = (forest.columns as u64, u64::from(NAN_UP) - 1);
        if size > limit {
            return Err(GpuError::TooLarge { what: "columns of a forest", size, limit });
        }
        let packed = |narrow: bool| {
            let nodes = forest.nodes.iter().zip(&forest.levels).map(move |(node, level)| {
                let value = match (node.child, narrow) {
                    (0, _) => *level,
                    (_, false) => key(node.value),
                    (_, true) => u64::from(key32(node.value)) << 32,
                };
                let column = node.column | if node.nan_up { NAN_UP } else { 0 };
                [value as u32, (value >> 32) as u32, column, node.child]
            });
            nodes.collect::<Vec<[u32; 4]>>()
        };
        let mut work = gpu.work()?;
        let mut put = |bytes: &[u8]| -> Result<Buffer, GpuError> {
            let buffer = gpu.buffer(bytes.len())?;
            work.upload(&buffer, bytes)?;
            Ok(buffer)
        };
        let on_device = Self {
            gpu: gpu.clone(),
            columns: forest.columns,
            trees: forest.trees(),
            nodes: put(bytemuck::cast_slice(&packed(false)))?,
            nodes32: put(bytemuck::cast_slice(&packed(true)))?,
            roots: put(bytemuck::cast_slice(&forest.roots))?,
        };
        work.submit()?;
        Ok(on_device)
    }

    /// Rows that go to the device at a time.
    #[must_use]
    pub fn piece_rows<T: Feature>(&self) -> usize {
        let (step, widest) = (ISOLATION_ROWS as usize, self.columns * size_of::<T>());
        let grid = self.gpu.adapter().groups_max as usize * step;
        self.gpu.rows_a_binding(widest.max(8), step).min(PIECE_ROWS).min(grid)
    }

    /// As [`super::level_sums`], with features in f64 or f32.
    ///
    /// # Errors
    /// What the GPU answers; `out` is then partly filled.
    ///
    /// # Panics
    /// As its twin.
    pub fn level_sums<T: Feature>(
        &self,
        columns: &[&[T]],
        out: &mut [u64],
    ) -> Result<(), GpuError> {
        assert_eq!(columns.len(), self.columns);
        assert!(columns.iter().all(|column| column.len() == out.len()), "columns differ in length");
        let mut flight: VecDeque<(Pending, usize, Range<usize>)> = VecDeque::new();
        let (rows, step) = (out.len(), self.piece_rows::<T>());
        let mut land = |(pending, read, rows): (Pending, usize, Range<usize>)| {
            pending.wait().map(|done| done.copy_to(read, &mut out[rows]))
        };
        for start in (0..rows).step_by(step) {
            if flight.len() == IN_FLIGHT
                && let Some(oldest) = flight.pop_front()
            {
                land(oldest)?;
            }
            let part = start..rows.min(start + step);
            let (pending, read) = self.launch(columns, part.clone())?;
            flight.push_back((pending, read, part));
        }
        flight.into_iter().try_for_each(land)
    }

    /// The pass alone, on the first rows that go to the device at a time; none of no row.
    ///
    /// # Errors
    /// What the GPU answers.
    ///
    /// # Panics
    /// As [`DeviceForest::level_sums`].
    pub fn times_ns<T: Feature>(&self, columns: &[&[T]]) -> Result<Vec<(Pass, f64)>, GpuError> {
        assert_eq!(columns.len(), self.columns);
        let rows = columns.first().map_or(0, |column| column.len()).min(self.piece_rows::<T>());
        if rows == 0 {
            return Ok(Vec::new());
        }
        Ok(self.launch(columns, 0..rows)?.0.wait()?.times_ns())
    }

    /// One piece.
    fn launch<T: Feature>(
        &self,
        columns: &[&[T]],
        rows: Range<usize>,
    ) -> Result<(Pending, usize), GpuError> {
        let (gpu, pitch) = (&self.gpu, rows.len());
        let uploaded = gpu.buffer(pitch * self.columns * size_of::<T>())?;
        let sums = gpu.buffer(8 * pitch)?;
        let mut work = gpu.work()?;
        work.clear(&sums)?;
        for (at, column) in columns.iter().enumerate() {
            let start = (at * pitch * size_of::<T>()) as u64;
            work.upload_at(&uploaded, start, bytemuck::cast_slice(&column[rows.clone()]))?;
        }
        let groups = pitch.div_ceil(ISOLATION_ROWS as usize);
        let shares = GROUPS.div_ceil(groups).min(self.trees.max(1));
        let share = self.trees.div_ceil(shares).max(1);
        let params = IsolationParams {
            rows: pitch as u32,
            pitch: pitch as u32,
            columns: self.columns as u32,
            trees: self.trees as u32,
            share: share as u32,
        };
        let fits = self.columns * size_of::<T>() <= ISOLATION_SHARED_BYTES as usize;
        let form = Flags::INPUT32.when(T::IS_F32) | Flags::SHARED_ROWS.when(fits);
        let nodes = if T::IS_F32 { &self.nodes32 } else { &self.nodes };
        let grid = [groups as u32, self.trees.div_ceil(share) as u32];
        let buffers = [&uploaded, nodes, &self.roots, &sums];
        work.dispatch(Pass::ScoreIsolation, form, &params, &buffers, grid)?;
        let read = work.read(&sums, 0..sums.bytes())?;
        Ok((work.submit()?, read))
    }
}
