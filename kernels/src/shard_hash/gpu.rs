//! Hashes of keys on a GPU: the passes `shard_hash_integers.wgsl` and `shard_hash_bytes.wgsl`.
//!
//! Rows are cut where a binding could not show them. Of byte strings, parts are cut by their
//! bytes as well, and offsets count from a part's first byte.

use bytemuck::Pod;
use pelton_shaders::{HashBytesParams, HashParams, INVOCATIONS};

use super::{KeyInteger, Offset};
use crate::columns::words;
use crate::gpu::{Buffer, Flags, Gpu, GpuError, Pass, Work};

/// As [`super::hash_integers`]: folds a column of integers into the hashes of its rows.
///
/// # Errors
/// What the GPU answers; some hashes may then have been folded: keep the old ones where the CPU is
/// to go on.
///
/// # Panics
/// As its twin, where the lengths don't fit.
pub fn hash_integers<T: KeyInteger + Pod>(
    gpu: &Gpu,
    values: &[T],
    valid: Option<&[u64]>,
    hashes: &mut [u64],
) -> Result<(), GpuError> {
    assert_eq!(values.len(), hashes.len());
    assert!(valid.is_none_or(|valid| valid.len() == words(values.len())));
    let rows = gpu.rows_a_binding(8, 64);
    for (part, (values, hashes)) in values.chunks(rows).zip(hashes.chunks_mut(rows)).enumerate() {
        let valid = valid.map(|valid| &valid[part * words(rows)..][..words(values.len())]);
        let on_device = gpu.buffer(size_of_val(values))?;
        let valid_on_device = gpu.buffer(8 * words(values.len()))?;
        let hashes_on_device = gpu.buffer(size_of_val(hashes))?;
        let mut work = gpu.work()?;
        work.upload(&on_device, values)?;
        work.upload(&valid_on_device, valid.unwrap_or_default())?;
        work.upload(&hashes_on_device, hashes)?;
        let valid = valid.map(|_| &valid_on_device);
        record::<T>(gpu, &mut work, &on_device, valid, &hashes_on_device, values.len())?;
        let read = work.read(&hashes_on_device, 0..hashes_on_device.bytes())?;
        work.submit()?.wait()?.copy_to(read, hashes);
    }
    Ok(())
}

/// Records the hashing of a column that lies on the device.
///
/// # Errors
/// What recording answers.
pub fn record<T: KeyInteger + Pod>(
    gpu: &Gpu,
    work: &mut Work,
    values: &Buffer,
    valid: Option<&Buffer>,
    hashes: &Buffer,
    rows: usize,
) -> Result<(), GpuError> {
    // Of -1 all bits are set, in 64 too where the type has a sign.
    let is_signed = size_of::<T>() < 8 && ones::<T>().word() == u64::MAX;
    let params = HashParams {
        rows: rows as u32,
        value_bits: 8 * size_of::<T>() as u32,
        is_signed: is_signed.into(),
        has_nulls: valid.is_some().into(),
    };
    let grid = gpu.grid(rows.div_ceil(INVOCATIONS as usize));
    let buffers = [values, valid.unwrap_or(values), hashes];
    work.dispatch(Pass::ShardHashIntegers, Flags::NONE, &params, &buffers, grid)
}

/// The value of all ones.
fn ones<T: Pod>() -> T {
    let mut value = T::zeroed();
    bytemuck::bytes_of_mut(&mut value).fill(0xff);
    value
}

/// As [`super::hash_bytes`]: the word of each byte string.
///
/// # Errors
/// What the GPU answers; [`GpuError::TooLarge`] for a string longer than a binding can show.
///
/// # Panics
/// As its twin: when an offset lies outside of the bytes, or before the one in front of it.
pub fn hash_bytes<O: Offset>(
    gpu: &Gpu,
    offsets: &[O],
    bytes: &[u8],
    out: &mut [u64],
) -> Result<(), GpuError> {
    assert_eq!(offsets.len().saturating_sub(1), out.len());
    let offsets: Vec<usize> = offsets.iter().map(|offset| offset.index()).collect();
    let whole = offsets.is_sorted() && offsets.last().is_none_or(|end| *end <= bytes.len());
    assert!(whole, "offsets that are no strings");
    let bytes_max = gpu.rows_a_binding(1, 4);
    let rows_max = gpu.rows_a_binding(8, 64);
    let mut first = 0;
    while first < out.len() {
        let start = offsets[first];
        // As many strings as fit, and at least one.
        let fitting = offsets[first..].partition_point(|end| end - start <= bytes_max) - 1;
        let rows = fitting.clamp(1, rows_max).min(out.len() - first);
        let part = &bytes[start..offsets[first + rows]];
        let ends: Vec<u32> =
            offsets[first..=first + rows].iter().map(|end| (end - start) as u32).collect();
        let (ends_on_device, on_device) = (gpu.buffer(4 * ends.len())?, gpu.buffer(part.len())?);
        let hashes = gpu.buffer(8 * rows)?;
        let mut work = gpu.work()?;
        work.upload(&ends_on_device, &ends)?;
        work.upload(&on_device, part)?;
        let params = HashBytesParams { rows: rows as u32 };
        let grid = gpu.grid(rows.div_ceil(INVOCATIONS as usize));
        let buffers = [&ends_on_device, &on_device, &hashes];
        work.dispatch(Pass::ShardHashBytes, Flags::NONE, &params, &buffers, grid)?;
        let read = work.read(&hashes, 0..hashes.bytes())?;
        work.submit()?.wait()?.copy_to(read, &mut out[first..first + rows]);
        first += rows;
    }
    Ok(())
}
