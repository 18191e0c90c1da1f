//! Counts, sums, least and greatest by group on a GPU, in tables that stay there between batches.
//!
//! * [`SumTable`]: counts and exact sums of i64 (`window_reduce.wgsl`), 16 bytes a group.
//! * [`LeastTable`]: least or greatest (`window_least.wgsl`), 8 bytes a group.
//! * [`sum_in_order`]: sums of f64 in the order of rows (`window_sum_ordered.wgsl`).
//!
//! A table takes rows batch by batch, from host memory or from a [`Buffer`], and is read when its
//! window closes. Up to 1,024 groups (4,096 where the device's workgroups share 32 KiB) are added
//! up in tables of each workgroup first; beyond that, straight in memory.

use pelton_shaders::{
    GroupsParams, INVOCATIONS, LeastParams, REDUCE_SLOTS, REDUCE_SLOTS_LOW, REDUCE_WORDS,
    ReduceParams,
};

use super::grouped::Total;
use super::least_i64;
use crate::gpu::{Buffer, Flags, Gpu, GpuError, Pass, Work};
use crate::simd::Level;
use crate::window_combine::gpu::{Operation, combine};

/// Workgroups of a reduction: enough to fill any device, few enough that giving their tables away
/// costs little.
const GROUPS: usize = 2048;
/// Most copies of a group in a private table.
const COPIES_MAX: u32 = 32;
/// Rows that a table can take: its counts are 32 bits wide.
const ROWS_MAX: u64 = u32::MAX as u64;

/// Workgroups and the distance between an invocation's rows.
fn spread(rows: usize) -> ([u32; 2], u32) {
    // At least eight rows an invocation, where there are as many.
    let groups = rows.div_ceil(8 * INVOCATIONS as usize).clamp(1, GROUPS);
    ([groups as u32, 1], groups as u32 * INVOCATIONS)
}

/// Columns of a batch on the device.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Dense ids, u32; none where all rows are of group 0.
    pub ids: Option<&'a Buffer>,
    /// Values, i64.
    pub values: &'a Buffer,
    /// How many.
    pub rows: usize,
}

/// Counts and sums of groups, on the device.
#[derive(Debug)]
pub struct SumTable {
    totals: Buffer,
    groups: usize,
    rows: u64,
}

impl SumTable {
    /// No rows yet.
    ///
    /// # Errors
    /// What the GPU answers; [`GpuError::TooLarge`] for more groups than a binding can show.
    pub fn new(gpu: &Gpu, groups: usize) -> Result<Self, GpuError> {
        let totals = gpu.buffer(groups.max(1) * 4 * REDUCE_WORDS as usize)?;
        let mut work = gpu.work()?;
        work.clear(&totals)?;
        work.submit()?;
        Ok(Self { totals, groups, rows: 0 })
    }

    /// How private tables are held, and copies of each group in them.
    fn form(&self, gpu: &Gpu) -> (Flags, u32) {
        let groups = self.groups.max(1) as u32;
        let shared = gpu.adapter().workgroup_bytes_max;
        if groups <= REDUCE_SLOTS {
            let copies = (REDUCE_SLOTS / groups).min(COPIES_MAX);
            return (Flags::PRIVATE, 1 << copies.ilog2());
        }
        let fits = groups <= REDUCE_SLOTS_LOW && shared >= 8 * REDUCE_SLOTS_LOW;
        ((Flags::PRIVATE | Flags::LOW).when(fits), 1)
    }

    /// Records rows that are added. Where the work then fails, the table is of no use: what was
    /// added last stands in the CPU's copy (its last read), and in the rows since.
    ///
    /// # Errors
    /// What recording answers; [`GpuError::TooLarge`] past 2³² − 1 rows.
    pub fn add(&mut self, gpu: &Gpu, work: &mut Work, rows: Rows<'_>) -> Result<(), GpuError> {
        let size = self.rows + rows.rows as u64;
        if size > ROWS_MAX {
            return Err(GpuError::TooLarge { what: "rows of a table", size, limit: ROWS_MAX });
        }
        let (form, copies) = self.form(gpu);
        let (grid, stride) = spread(rows.rows);
        let params = ReduceParams {
            rows: rows.rows as u32,
            groups: self.groups as u32,
            stride,
            copies,
            has_ids: rows.ids.is_some().into(),
        };
        let buffers = [rows.ids.unwrap_or(rows.values), rows.values, &self.totals];
        work.dispatch(Pass::WindowReduce, form, &params, &buffers, grid)?;
        self.rows = size;
        Ok(())
    }

    /// Adds rows from host memory, and waits.
    ///
    /// # Errors
    /// What the GPU answers. Parts that were done by then are counted: make a new table.
    pub fn add_slices(
        &mut self,
        gpu: &Gpu,
        ids: Option<&[u32]>,
        values: &[i64],
    ) -> Result<(), GpuError> {
        each_part(gpu, ids, values, |work, rows| self.add(gpu, work, rows))
    }

    /// The totals of all groups, by their ids.
    ///
    /// # Errors
    /// What the GPU answers; the table is then of no use.
    pub fn read(&self, gpu: &Gpu) -> Result<Vec<Total>, GpuError> {
        let mut work = gpu.work()?;
        let read = work.read(&self.totals, 0..self.totals.bytes())?;
        let words: Vec<[u32; 4]> = work.submit()?.wait()?.values(read);
        Ok(words.iter().take(self.groups).map(|words| total(*words)).collect())
    }
}

/// A group's words as numbers.
fn total([count, low, high, top]: [u32; 4]) -> Total {
    let sum = i128::from(top as i32) << 64 | i128::from(high) << 32 | i128::from(low);
    Total { count: count.into(), sum }
}

/// Uploads columns part by part, each shown by one binding, and does `with` with them.
fn each_part(
    gpu: &Gpu,
    ids: Option<&[u32]>,
    values: &[i64],
    mut with: impl FnMut(&mut Work, Rows<'_>) -> Result<(), GpuError>,
) -> Result<(), GpuError> {
    let len = ids.map_or(values.len(), |ids| ids.len().min(values.len()));
    let rows = gpu.rows_a_binding(8, 64);
    for start in (0..len).step_by(rows) {
        let part = start..len.min(start + rows);
        let mut work = gpu.work()?;
        let on_device = gpu.buffer(8 * part.len())?;
        work.upload(&on_device, &values[part.clone()])?;
        let ids_on_device = match ids {
            None => None,
            Some(ids) => {
                let buffer = gpu.buffer(4 * part.len())?;
                work.upload(&buffer, &ids[part.clone()])?;
                Some(buffer)
            }
        };
        let rows = Rows { ids: ids_on_device.as_ref(), values: &on_device, rows: part.len() };
        with(&mut work, rows)?;
        work.submit()?.wait()?;
    }
    Ok(())
}

/// The least, or the greatest, of groups, on the device.
#[derive(Debug)]
pub struct LeastTable {
    least: Buffer,
    groups: usize,
    flip: i64,
}

impl LeastTable {
    /// No rows yet. `flip` is 0 for the least, −1 for the greatest.
    ///
    /// # Errors
    /// As [`SumTable::new`].
    pub fn new(gpu: &Gpu, groups: usize, flip: i64) -> Result<Self, GpuError> {
        let least = gpu.buffer(groups.max(1) * 8)?;
        let mut work = gpu.work()?;
        fill_with_ones(&mut work, &least, groups)?;
        work.submit()?;
        Ok(Self { least, groups, flip })
    }

    /// Records rows that are seen.
    ///
    /// # Errors
    /// What recording answers.
    pub fn see(&mut self, gpu: &Gpu, work: &mut Work, rows: Rows<'_>) -> Result<(), GpuError> {
        let at_once = gpu.flags().contains(Flags::ATOMIC64);
        // Two rounds find the least of these rows alone; then it meets that of the rows before.
        let fresh = if at_once { None } else { Some(gpu.buffer(self.groups.max(1) * 8)?) };
        let target = fresh.as_ref().unwrap_or(&self.least);
        if fresh.is_some() {
            fill_with_ones(work, target, self.groups)?;
        }
        let (grid, stride) = spread(rows.rows);
        let form = Flags::PRIVATE.when(self.groups <= REDUCE_SLOTS_LOW as usize);
        for round in 0..if at_once { 1 } else { 2 } {
            let params = LeastParams {
                rows: rows.rows as u32,
                groups: self.groups as u32,
                stride,
                flip: self.flip as u32,
                has_ids: rows.ids.is_some().into(),
                round,
            };
            let buffers = [rows.ids.unwrap_or(rows.values), rows.values, target];
            work.dispatch(Pass::WindowLeast, form, &params, &buffers, grid)?;
        }
        if let Some(fresh) = &fresh {
            combine(gpu, work, Operation::LeastU64, &self.least, fresh, self.groups)?;
        }
        Ok(())
    }

    /// Sees rows of host memory, and waits.
    ///
    /// # Errors
    /// What the GPU answers.
    pub fn see_slices(
        &mut self,
        gpu: &Gpu,
        ids: Option<&[u32]>,
        values: &[i64],
    ) -> Result<(), GpuError> {
        each_part(gpu, ids, values, |work, rows| self.see(gpu, work, rows))
    }

    /// The least of each group's values xor `flip`; `i64::MAX` where it has none.
    ///
    /// # Errors
    /// What the GPU answers.
    pub fn read(&self, gpu: &Gpu) -> Result<Vec<i64>, GpuError> {
        let mut work = gpu.work()?;
        let read = work.read(&self.least, 0..8 * self.groups as u64)?;
        let words: Vec<u64> = work.submit()?.wait()?.values(read);
        Ok(words.into_iter().map(|word| (word ^ 1 << 63) as i64).collect())
    }
}

/// All ones: above everything.
fn fill_with_ones(work: &mut Work, buffer: &Buffer, entries: usize) -> Result<(), GpuError> {
    work.upload(buffer, &vec![u64::MAX; entries])
}

/// As [`super::sum_i64`].
///
/// # Errors
/// What the GPU answers.
pub fn sum_i64(gpu: &Gpu, values: &[i64]) -> Result<i128, GpuError> {
    let mut table = SumTable::new(gpu, 1)?;
    table.add_slices(gpu, None, values)?;
    Ok(table.read(gpu)?.first().map_or(0, |total| total.sum))
}

/// As [`super::least_i64`].
///
/// # Errors
/// What the GPU answers.
pub fn least(gpu: &Gpu, values: &[i64], flip: i64, start: i64) -> Result<i64, GpuError> {
    let mut table = LeastTable::new(gpu, 1, flip)?;
    table.see_slices(gpu, None, values)?;
    Ok(least_i64(Level::Scalar, &table.read(gpu)?, 0, start))
}

/// As [`super::sum_in_order`]: sums of f64 by group in the order of rows.
///
/// # Errors
/// What the GPU answers; [`GpuError::TooLarge`] past what one binding can show.
///
/// # Panics
/// As its twin, where starts or rows are out of range.
pub fn sum_in_order(
    gpu: &Gpu,
    starts: &[u32],
    rows: &[u32],
    values: &[f64],
    sums: &mut [f64],
) -> Result<(), GpuError> {
    assert_eq!(starts.len(), sums.len() + 1);
    let in_order = starts.is_sorted() && starts.last().is_some_and(|e| *e as usize <= rows.len());
    assert!(in_order && rows.iter().all(|row| (*row as usize) < values.len()), "rows out of range");
    if sums.is_empty() {
        return Ok(());
    }
    let buffers = [
        gpu.buffer(size_of_val(starts))?,
        gpu.buffer(size_of_val(rows))?,
        gpu.buffer(size_of_val(values))?,
        gpu.buffer(size_of_val(sums))?,
    ];
    let mut work = gpu.work()?;
    work.upload(&buffers[0], starts)?;
    work.upload(&buffers[1], rows)?;
    work.upload(&buffers[2], values)?;
    work.upload(&buffers[3], sums)?;
    let params = GroupsParams { groups: sums.len() as u32 };
    let grid = gpu.grid(sums.len().div_ceil(64));
    let bound: Vec<&Buffer> = buffers.iter().collect();
    work.dispatch(Pass::WindowSumOrdered, Flags::NONE, &params, &bound, grid)?;
    let read = work.read(&buffers[3], 0..buffers[3].bytes())?;
    work.submit()?.wait()?.copy_to(read, sums);
    Ok(())
}
