//! Partial aggregates on a GPU, entry by entry: the pass `window_combine.wgsl`.
//!
//! It pays only where both arrays are there already (panes kept on the device): from host memory
//! 24 bytes cross the bus for one addition. So the functions record into a [`Work`]; the ones that
//! take slices are for tests and for bisecting a wrong answer.

use bytemuck::Pod;
use pelton_shaders::{CombineParams, INVOCATIONS};

use crate::gpu::{Buffer, Flags, Gpu, GpuError, Pass, Work};

/// What is done with each pair of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `to[i] += from[i]`, integers of 64 bits; they wrap.
    AddU64,
    /// `to[i] -= from[i]`.
    SubtractU64,
    /// `to[i]` = the least of both, signed.
    LeastI64,
    /// `to[i] += from[i]`, f64, rounded once.
    AddF64,
    /// `to[i]` = the least of both, unsigned.
    LeastU64,
}

/// Records `to` op= `from` for so many entries of 64 bits.
///
/// # Errors
/// What recording answers.
pub fn combine(
    gpu: &Gpu,
    work: &mut Work,
    operation: Operation,
    to: &Buffer,
    from: &Buffer,
    entries: usize,
) -> Result<(), GpuError> {
    let params = CombineParams { entries: entries as u32, operation: operation as u32 };
    let grid = gpu.grid(entries.div_ceil(INVOCATIONS as usize));
    work.dispatch(Pass::WindowCombine, Flags::NONE, &params, &[from, to], grid)
}

/// `to` op= `from`, over the shorter of the two.
///
/// # Errors
/// What the GPU answers; some entries may then have been combined.
pub fn combine_slices<T: Pod>(
    gpu: &Gpu,
    operation: Operation,
    to: &mut [T],
    from: &[T],
) -> Result<(), GpuError> {
    const { assert!(size_of::<T>() == 8) };
    let rows = gpu.rows_a_binding(8, 64);
    for (to, from) in to.chunks_mut(rows).zip(from.chunks(rows)) {
        let entries = to.len().min(from.len());
        let (on_device, other) = (gpu.buffer(8 * entries)?, gpu.buffer(8 * entries)?);
        let mut work = gpu.work()?;
        work.upload(&on_device, &to[..entries])?;
        work.upload(&other, &from[..entries])?;
        combine(gpu, &mut work, operation, &on_device, &other, entries)?;
        let read = work.read(&on_device, 0..on_device.bytes())?;
        work.submit()?.wait()?.copy_to(read, &mut to[..entries]);
    }
    Ok(())
}
