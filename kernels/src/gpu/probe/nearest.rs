//! Probe of nearest rows: a row is a query against 4,096 references.

use pelton_shaders::Pass;

use super::rows::put;
use super::{Probe, folded, random, unit};
use crate::gpu::{Buffer, Gpu, GpuError};
use crate::score_nearest::gpu::Nearest;
use crate::score_nearest::{References, nearest};
use crate::simd::Level;

const REFERENCES: usize = 4096;
const WIDTH: usize = 8;
const K: usize = 5;
/// Candidates that are read back: a distance and a row, 16 times.
const BYTES_BACK: usize = 128;

/// `score_nearest`.
pub(super) struct Near {
    references: Vec<f64>,
    queries: Vec<f64>,
    distances: Vec<f64>,
    rows: Vec<u32>,
    on_device: Option<Buffer>,
}

impl Near {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            references: random(8).map(unit).take(REFERENCES * WIDTH).collect(),
            queries: random(9).map(unit).take(rows * WIDTH).collect(),
            distances: vec![0.0; rows * K],
            rows: vec![0; rows * K],
            on_device: None,
        }
    }
}

impl Probe for Near {
    fn bus_bytes_per_row(&self) -> f64 {
        (4 * WIDTH + BYTES_BACK) as f64
    }

    fn resident_rows(&self) -> usize {
        self.rows.len() / K
    }

    fn resident_bytes(&self) -> u64 {
        // References stay in caches.
        (self.resident_rows() * (4 * WIDTH + BYTES_BACK)) as u64
    }

    fn cpu(&mut self, level: Level) {
        let references = References::new(&self.references, REFERENCES);
        nearest(level, references, &self.queries, &mut self.distances, &mut self.rows);
    }

    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        let references = References::new(&self.references, REFERENCES);
        let on_device = Nearest::new(gpu, references)?;
        on_device.nearest(&self.queries, &mut self.distances, &mut self.rows)?;
        Ok(())
    }

    fn answer(&mut self) -> u64 {
        let distances = self.distances.iter().map(|distance| distance.to_bits());
        folded(distances.chain(self.rows.iter().map(|row| u64::from(*row))))
    }

    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError> {
        let rows = self.resident_rows();
        if self.on_device.is_none() {
            // Their order does not matter here.
            let values: Vec<f32> = self.queries.iter().map(|value| *value as f32).collect();
            self.on_device = Some(put(gpu, &values)?);
        }
        let references = References::new(&self.references, REFERENCES);
        match &self.on_device {
            Some(queries) => Nearest::new(gpu, references)?.times_ns(queries, rows),
            None => Ok(Vec::new()),
        }
    }
}
