//! Probes of filters, hashes and windows.

use pelton_shaders::Pass;

use super::{Probe, folded, random};
use crate::gpu::{Buffer, Gpu, GpuError};
use crate::simd::Level;
use crate::window_combine::{self as combine, gpu::Operation};
use crate::window_reduce::Total;
use crate::window_reduce::gpu::{Rows, SumTable};
use crate::{batch_filter, columns::words, shard_hash};

/// Puts columns on the device.
pub(super) fn put<T: bytemuck::Pod>(gpu: &Gpu, values: &[T]) -> Result<Buffer, GpuError> {
    let buffer = gpu.buffer(size_of_val(values))?;
    let mut work = gpu.work()?;
    work.upload(&buffer, values)?;
    work.submit()?.wait()?;
    Ok(buffer)
}

/// `batch_filter`.
pub(super) struct Filter {
    mask: Vec<u64>,
    values: Vec<i64>,
    out: Vec<i64>,
    on_device: Option<batch_filter::gpu::Resident>,
}

impl Filter {
    pub(super) fn new(rows: usize) -> Self {
        let mut mask: Vec<u64> = random(1).take(words(rows)).collect();
        if let Some(last) = mask.last_mut().filter(|_| !rows.is_multiple_of(64)) {
            *last &= (1 << (rows % 64)) - 1;
        }
        let values = random(2).take(rows).map(|word| word as i64).collect();
        Self { mask, values, out: Vec::with_capacity(rows), on_device: None }
    }
}

impl Probe for Filter {
    fn resident_rows(&self) -> usize {
        self.values.len()
    }

    fn bus_bytes_per_row(&self) -> f64 {
        8.0 + 0.125 + 4.0
    }

    fn resident_bytes(&self) -> u64 {
        // Mask twice, values of kept rows in and out, their numbers out and in.
        let kept = batch_filter::kept(&self.mask) as u64;
        size_of_val(&*self.mask) as u64 * 2 + kept * 24
    }

    fn cpu(&mut self, level: Level) {
        self.out.clear();
        batch_filter::batch_filter(level, &self.mask, &self.values, &mut self.out);
    }

    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        self.out.clear();
        batch_filter::gpu::batch_filter(gpu, &self.mask, &self.values, &mut self.out)?;
        Ok(())
    }

    fn answer(&mut self) -> u64 {
        folded(self.out.iter().map(|value| *value as u64))
    }

    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError> {
        if self.on_device.is_none() {
            let columns = batch_filter::gpu::Resident::new(gpu, &self.mask, &self.values)?;
            self.on_device = Some(columns);
        }
        let mut work = gpu.work()?;
        if let Some(columns) = &self.on_device {
            columns.filter(gpu, &mut work)?;
        }
        Ok(work.submit()?.wait()?.times_ns())
    }
}

/// `shard_hash`.
pub(super) struct Hash {
    values: Vec<i64>,
    hashes: Vec<u64>,
    on_device: Option<[Buffer; 2]>,
}

impl Hash {
    pub(super) fn new(rows: usize) -> Self {
        let values = random(3).take(rows).map(|word| word as i64).collect();
        Self { values, hashes: vec![0; rows], on_device: None }
    }

    fn reset(&mut self) {
        self.hashes.fill(shard_hash::SEED);
    }
}

impl Probe for Hash {
    fn resident_rows(&self) -> usize {
        self.values.len()
    }

    fn bus_bytes_per_row(&self) -> f64 {
        24.0
    }

    fn resident_bytes(&self) -> u64 {
        24 * self.values.len() as u64
    }

    fn cpu(&mut self, level: Level) {
        self.reset();
        shard_hash::hash_integers(level, &self.values, None, &mut self.hashes);
    }

    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        self.reset();
        shard_hash::gpu::hash_integers(gpu, &self.values, None, &mut self.hashes)
    }

    fn answer(&mut self) -> u64 {
        folded(self.hashes.iter().copied())
    }

    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError> {
        if self.on_device.is_none() {
            self.on_device = Some([put(gpu, &self.values)?, put(gpu, &self.hashes)?]);
        }
        let mut work = gpu.work()?;
        if let Some([values, hashes]) = &self.on_device {
            let rows = self.values.len();
            shard_hash::gpu::record::<i64>(gpu, &mut work, values, None, hashes, rows)?;
        }
        Ok(work.submit()?.wait()?.times_ns())
    }
}

/// `window_reduce`.
pub(super) struct Reduce {
    ids: Vec<u32>,
    values: Vec<i64>,
    groups: usize,
    /// What the last run gave: counts and sums.
    counted: Vec<[i64; 2]>,
    totals: Vec<Total>,
    on_device: Option<([Buffer; 2], SumTable)>,
}

impl Reduce {
    pub(super) fn new(rows: usize, groups: usize) -> Self {
        let ids = random(4).take(rows).map(|word| (word % groups as u64) as u32).collect();
        // Cents up to ten thousand, some given back: a magnitude that data has.
        let cent = |word: u64| (word >> 20) as i64 % 1_000_000 - 50_000;
        let values = random(5).take(rows).map(cent).collect();
        Self { ids, values, groups, counted: Vec::new(), totals: Vec::new(), on_device: None }
    }
}

impl Probe for Reduce {
    fn resident_rows(&self) -> usize {
        self.values.len()
    }

    fn bus_bytes_per_row(&self) -> f64 {
        12.0
    }

    fn resident_bytes(&self) -> u64 {
        12 * self.values.len() as u64
    }

    /// A table of counts and sums in 64 bits, as few instructions as a row can take: the values
    /// are small. There is no SIMD form: scatters lose to this loop.
    fn cpu(&mut self, _level: Level) {
        let mut table = vec![[0_i64; 2]; self.groups];
        self.totals.clear();
        for (id, value) in self.ids.iter().zip(&self.values) {
            if let Some([count, sum]) = table.get_mut(*id as usize) {
                *count += 1;
                *sum += value;
            }
        }
        self.counted = table;
    }

    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        let mut table = SumTable::new(gpu, self.groups)?;
        table.add_slices(gpu, Some(&self.ids), &self.values)?;
        self.totals = table.read(gpu)?;
        self.counted.clear();
        Ok(())
    }

    fn answer(&mut self) -> u64 {
        let counted = self.counted.iter().flatten().map(|word| *word as u64);
        let totals = self.totals.iter().flat_map(|total| [total.count, total.sum as u64]);
        folded(counted.chain(totals))
    }

    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError> {
        if self.on_device.is_none() {
            let columns = [put(gpu, &self.ids)?, put(gpu, &self.values)?];
            self.on_device = Some((columns, SumTable::new(gpu, self.groups)?));
        }
        let mut work = gpu.work()?;
        if let Some(([ids, values], table)) = &mut self.on_device {
            let rows = Rows { ids: Some(ids), values, rows: self.values.len() };
            table.add(gpu, &mut work, rows)?;
            // Its counts are 32 bits wide, and a bench runs long.
            *table = SumTable::new(gpu, self.groups)?;
        }
        Ok(work.submit()?.wait()?.times_ns())
    }
}

/// `window_combine`.
pub(super) struct Combine {
    to: Vec<u64>,
    other: Vec<u64>,
    on_device: Option<[Buffer; 2]>,
}

impl Combine {
    pub(super) fn new(rows: usize) -> Self {
        let other = random(6).take(rows).collect();
        Self { to: vec![0; rows], other, on_device: None }
    }
}

impl Probe for Combine {
    fn resident_rows(&self) -> usize {
        self.to.len()
    }

    fn bus_bytes_per_row(&self) -> f64 {
        24.0
    }

    fn resident_bytes(&self) -> u64 {
        24 * self.to.len() as u64
    }

    fn cpu(&mut self, level: Level) {
        self.to.fill(3);
        combine::add_u64(level, &mut self.to, &self.other);
    }

    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        self.to.fill(3);
        combine::gpu::combine_slices(gpu, Operation::AddU64, &mut self.to, &self.other)
    }

    fn answer(&mut self) -> u64 {
        folded(self.to.iter().copied())
    }

    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError> {
        if self.on_device.is_none() {
            self.on_device = Some([put(gpu, &self.to)?, put(gpu, &self.other)?]);
        }
        let mut work = gpu.work()?;
        if let Some([to, other]) = &self.on_device {
            let entries = self.to.len();
            combine::gpu::combine(gpu, &mut work, Operation::AddU64, to, other, entries)?;
        }
        Ok(work.submit()?.wait()?.times_ns())
    }
}
