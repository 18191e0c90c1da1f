//! Probe of histograms: rows of 64 groups between 1,000 edges.

use pelton_shaders::Pass;

use super::rows::put;
use super::{Probe, folded, random, unit};
use crate::gpu::{Buffer, Gpu, GpuError};
use crate::simd::Level;
use crate::window_histogram::gpu::{DeviceRows, HistogramTable};
use crate::window_histogram::{Edges, Rows, count};

const GROUPS: usize = 64;
const EDGES: u32 = 1000;

/// `window_histogram`.
pub(super) struct Counts {
    edges: Edges,
    ids: Vec<u32>,
    values: Vec<f64>,
    counts: Vec<u64>,
    on_device: Option<([Buffer; 2], HistogramTable)>,
}

impl Counts {
    pub(super) fn new(rows: usize) -> Self {
        let edges = Edges::new((0..EDGES).map(|edge| f64::from(edge) / f64::from(EDGES)));
        let ids = random(16).take(rows).map(|word| (word % GROUPS as u64) as u32).collect();
        let values = random(17).take(rows).map(unit).collect();
        Self { edges, ids, values, counts: Vec::new(), on_device: None }
    }

    fn rows(&self) -> Rows<'_, f64> {
        Rows { ids: Some(&self.ids), valid: None, values: &self.values }
    }
}

impl Probe for Counts {
    fn bus_bytes_per_row(&self) -> f64 {
        12.0
    }

    fn resident_rows(&self) -> usize {
        self.values.len()
    }

    fn resident_bytes(&self) -> u64 {
        12 * self.values.len() as u64
    }

    /// A search a row; there is no SIMD form.
    fn cpu(&mut self, _level: Level) {
        let mut counts = std::mem::take(&mut self.counts);
        counts.clear();
        counts.resize(GROUPS * self.edges.slots(), 0);
        count(&self.edges, self.rows(), &mut counts);
        self.counts = counts;
    }

    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        let mut table = HistogramTable::new(gpu, &self.edges, GROUPS)?;
        table.add_slices(gpu, self.rows())?;
        self.counts = table.read(gpu)?;
        Ok(())
    }

    fn answer(&mut self) -> u64 {
        folded(self.counts.iter().copied())
    }

    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError> {
        if self.on_device.is_none() {
            let columns = [put(gpu, &self.ids)?, put(gpu, &self.values)?];
            self.on_device = Some((columns, HistogramTable::new(gpu, &self.edges, GROUPS)?));
        }
        let mut work = gpu.work()?;
        if let Some(([ids, values], table)) = &mut self.on_device {
            let rows = DeviceRows { ids: Some(ids), valid: None, values, rows: self.values.len() };
            table.add::<f64>(&mut work, rows)?;
            // Its counts are 32 bits wide, and a bench runs long.
            *table = HistogramTable::new(gpu, &self.edges, GROUPS)?;
        }
        Ok(work.submit()?.wait()?.times_ns())
    }
}
