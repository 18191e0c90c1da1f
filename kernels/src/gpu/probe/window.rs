//! Probe of windows, as a pane is kept: counts, sums and least values of batches that come one
//! after the other, and one read at the end.
//!
//! What [`super::rows::Reduce`] measures is the kernel; this is what a plan does with it. On the
//! core: a pass over the rows for each aggregate, sums in 128 bits. With a GPU: the core copies a
//! batch (it is kept until the table was read), hands it over, and goes on; three batches may be
//! under way.

use std::collections::VecDeque;

use pelton_shaders::Pass;

use super::{Probe, folded, random, rows::put};
use crate::gpu::{Buffer, Gpu, GpuError, Pending};
use crate::simd::Level;
use crate::window_reduce::gpu::{LeastTable, Rows, SumTable};

/// Batches that a pane gets before it closes.
const BATCHES: usize = 8;

/// Batches under way.
const UNDER_WAY_MAX: usize = 3;

/// A pane.
pub(super) struct Pane {
    ids: Vec<u32>,
    values: Vec<i64>,
    groups: usize,
    /// What the last run gave of each group: count, sum, least value.
    found: Vec<(u64, i128, i64)>,
    on_device: Option<([Buffer; 2], SumTable, LeastTable)>,
}

impl Pane {
    pub(super) fn new(rows: usize, groups: usize) -> Self {
        let ids = random(11).take(rows).map(|word| (word % groups as u64) as u32).collect();
        let cent = |word: u64| (word >> 20) as i64 % 1_000_000 - 50_000;
        let values = random(12).take(rows).map(cent).collect();
        Self { ids, values, groups, found: Vec::new(), on_device: None }
    }
}

impl Probe for Pane {
    fn batches(&self) -> usize {
        BATCHES
    }

    fn resident_rows(&self) -> usize {
        self.values.len()
    }

    fn bus_bytes_per_row(&self) -> f64 {
        // The values once for each aggregate of them.
        4.0 + 2.0 * 8.0
    }

    fn resident_bytes(&self) -> u64 {
        20 * self.values.len() as u64
    }

    fn cpu(&mut self, _level: Level) {
        let (mut counts, mut sums) = (vec![0_u64; self.groups], vec![0_i128; self.groups]);
        let mut least = vec![i64::MAX; self.groups];
        for _ in 0..BATCHES {
            for &id in &self.ids {
                counts[id as usize] += 1;
            }
            for (&id, &value) in self.ids.iter().zip(&self.values) {
                sums[id as usize] += i128::from(value);
            }
            for (&id, &value) in self.ids.iter().zip(&self.values) {
                let least = &mut least[id as usize];
                *least = (*least).min(value);
            }
        }
        let least = least.into_iter();
        let totals = counts.into_iter().zip(sums).zip(least);
        self.found = totals.map(|((count, sum), least)| (count, sum, least)).collect();
    }

    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        let mut sums = SumTable::new(gpu, self.groups)?;
        let mut least = LeastTable::new(gpu, self.groups, 0)?;
        let mut kept = Vec::with_capacity(BATCHES);
        let mut under_way: VecDeque<Pending> = VecDeque::new();
        for _ in 0..BATCHES {
            if under_way.len() == UNDER_WAY_MAX {
                under_way.pop_front().map(Pending::wait).transpose()?;
            }
            let batch = (self.ids.clone(), self.values.clone(), self.values.clone());
            let mut work = gpu.work()?;
            let ids = gpu.buffer(4 * batch.0.len())?;
            work.upload(&ids, &batch.0)?;
            let columns = [gpu.buffer(8 * batch.1.len())?, gpu.buffer(8 * batch.2.len())?];
            work.upload(&columns[0], &batch.1)?;
            work.upload(&columns[1], &batch.2)?;
            let rows = |values| Rows { ids: Some(&ids), values, rows: batch.0.len() };
            sums.add(gpu, &mut work, rows(&columns[0]))?;
            least.see(gpu, &mut work, rows(&columns[1]))?;
            under_way.push_back(work.submit()?);
            kept.push(batch);
        }
        let least = least.read(gpu)?.into_iter();
        let totals = sums.read(gpu)?.into_iter().zip(least);
        self.found = totals.map(|(total, least)| (total.count, total.sum, least)).collect();
        Ok(())
    }

    fn answer(&mut self) -> u64 {
        let words = |(count, sum, least): &(u64, i128, i64)| [*count, *sum as u64, *least as u64];
        folded(self.found.iter().flat_map(words))
    }

    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError> {
        if self.on_device.is_none() {
            let columns = [put(gpu, &self.ids)?, put(gpu, &self.values)?];
            let least = LeastTable::new(gpu, self.groups, 0)?;
            self.on_device = Some((columns, SumTable::new(gpu, self.groups)?, least));
        }
        let mut work = gpu.work()?;
        if let Some(([ids, values], sums, least)) = &mut self.on_device {
            let rows = || Rows { ids: Some(ids), values, rows: self.values.len() };
            sums.add(gpu, &mut work, rows())?;
            least.see(gpu, &mut work, rows())?;
            // Its counts are 32 bits wide, and a bench runs long.
            *sums = SumTable::new(gpu, self.groups)?;
        }
        Ok(work.submit()?.wait()?.times_ns())
    }
}
