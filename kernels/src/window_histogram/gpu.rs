//! Histograms on a GPU, in tables that stay there between batches (`window_histogram.wgsl`).
//!
//! Values and edges are compared as integers and counts are integers, so counts are those of
//! [`super::scalar`]. Up to 4,096 counts are added up in tables of each workgroup first.

use bytemuck::Pod;
use pelton_shaders::{HISTOGRAM_SLOTS, HistogramParams, INVOCATIONS};

use super::{Counted, Edges, Rows};
use crate::gpu::{Buffer, Flags, Gpu, GpuError, Pass, Work};

/// Workgroups of a dispatch: enough to fill any device.
const GROUPS: usize = 2048;
/// Rows that a table can take: its counts are 32 bits wide.
const ROWS_MAX: u64 = u32::MAX as u64;

/// A number that the pass can count: f64 and i64.
pub trait Value: Counted + Pod + sealed::Kind {}

mod sealed {
    /// How the pass reads it.
    pub trait Kind {
        /// As the shader says.
        const KIND: u32;
    }
}

impl sealed::Kind for f64 {
    const KIND: u32 = 0;
}
impl sealed::Kind for i64 {
    const KIND: u32 = 1;
}
impl Value for f64 {}
impl Value for i64 {}

/// Columns of a batch on the device.
#[derive(Debug, Clone, Copy)]
pub struct DeviceRows<'a> {
    /// Dense ids, u32; none where all rows are of group 0.
    pub ids: Option<&'a Buffer>,
    /// Bits, as [`Rows::valid`]; none where no row is null.
    pub valid: Option<&'a Buffer>,
    /// Values.
    pub values: &'a Buffer,
    /// How many.
    pub rows: usize,
}

/// Counts of groups, on the device.
#[derive(Debug)]
pub struct HistogramTable {
    edges: Buffer,
    counts: Buffer,
    edge_count: usize,
    groups: usize,
    rows: u64,
}

impl HistogramTable {
    /// No rows yet.
    ///
    /// # Errors
    /// What the GPU answers; [`GpuError::TooLarge`] for more counts or edges than a binding can
    /// show.
    pub fn new(gpu: &Gpu, edges: &Edges, groups: usize) -> Result<Self, GpuError> {
        let counts = gpu.buffer(4 * groups * edges.slots())?;
        let on_device = gpu.buffer(8 * edges.len())?;
        let mut work = gpu.work()?;
        work.clear(&counts)?;
        work.upload(&on_device, &edges.keys)?;
        work.submit()?;
        Ok(Self { edges: on_device, counts, edge_count: edges.len(), groups, rows: 0 })
    }

    /// Records rows that are counted; `T` is the type of the values.
    ///
    /// # Errors
    /// What recording answers; [`GpuError::TooLarge`] past 2³² − 1 rows.
    pub fn add<T: Value>(&mut self, work: &mut Work, rows: DeviceRows<'_>) -> Result<(), GpuError> {
        let size = self.rows + rows.rows as u64;
        if size > ROWS_MAX {
            return Err(GpuError::TooLarge { what: "rows of a table", size, limit: ROWS_MAX });
        }
        // At least eight rows an invocation, where there are as many.
        let groups = rows.rows.div_ceil(8 * INVOCATIONS as usize).clamp(1, GROUPS) as u32;
        let params = HistogramParams {
            rows: rows.rows as u32,
            groups: self.groups as u32,
            edges: self.edge_count as u32,
            stride: groups * INVOCATIONS,
            kind: T::KIND,
            has_ids: rows.ids.is_some().into(),
            has_nulls: rows.valid.is_some().into(),
        };
        let few = self.groups * (self.edge_count + 1) <= HISTOGRAM_SLOTS as usize;
        let (ids, valid) = (rows.ids.unwrap_or(rows.values), rows.valid.unwrap_or(rows.values));
        let buffers = [ids, valid, rows.values, &self.edges, &self.counts];
        let form = Flags::PRIVATE.when(few);
        work.dispatch(Pass::WindowHistogram, form, &params, &buffers, [groups, 1])?;
        self.rows = size;
        Ok(())
    }

    /// Counts rows of host memory, and waits.
    ///
    /// # Errors
    /// What the GPU answers. Parts that were done by then are counted: make a new table.
    ///
    /// # Panics
    /// When `valid` has fewer bits than there are rows.
    pub fn add_slices<T: Value>(&mut self, gpu: &Gpu, rows: Rows<'_, T>) -> Result<(), GpuError> {
        // Parts begin at whole words of `valid`.
        let (len, step) = (rows.len(), gpu.rows_a_binding(8, 64));
        for start in (0..len).step_by(step) {
            let part = start..len.min(start + step);
            let mut work = gpu.work()?;
            let mut put = |bytes: &[u8]| -> Result<Buffer, GpuError> {
                let buffer = gpu.buffer(bytes.len())?;
                work.upload(&buffer, bytes)?;
                Ok(buffer)
            };
            let values = put(bytemuck::cast_slice(&rows.values[part.clone()]))?;
            let ids = rows.ids.map(|ids| put(bytemuck::cast_slice(&ids[part.clone()])));
            let words = part.start / 64..part.end.div_ceil(64);
            let valid = rows.valid.map(|valid| put(bytemuck::cast_slice(&valid[words])));
            let (ids, valid) = (ids.transpose()?, valid.transpose()?);
            let (ids, valid) = (ids.as_ref(), valid.as_ref());
            self.add::<T>(&mut work, DeviceRows { ids, valid, values: &values, rows: part.len() })?;
            work.submit()?.wait()?;
        }
        Ok(())
    }

    /// The counts: those of group 0, slot by slot, then those of group 1, ….
    ///
    /// # Errors
    /// What the GPU answers.
    pub fn read(&self, gpu: &Gpu) -> Result<Vec<u64>, GpuError> {
        let mut work = gpu.work()?;
        let read = work.read(&self.counts, 0..self.counts.bytes())?;
        let counts: Vec<u32> = work.submit()?.wait()?.values(read);
        Ok(counts.into_iter().map(u64::from).collect())
    }
}
