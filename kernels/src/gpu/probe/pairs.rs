//! Probes of products and matrix profiles: kernels that compare each with each.

use pelton_shaders::Pass;

use super::{Probe, folded, random, unit};
use crate::gpu::{Gpu, GpuError};
use crate::score_products::gpu::Items;
use crate::score_products::{self as products, Rows};
use crate::score_profile::{self as profile, NONE, Profile, Series};
use crate::simd::Level;

const ITEMS: usize = 1 << 14;
const DIMENSIONS: usize = 64;
const K: usize = 10;
/// Candidates that are read back: a product and a number, 18 times, of each share.
const BYTES_BACK: usize = 8 * 18;

fn numbers(stream: u64, count: usize) -> Vec<f32> {
    random(stream).take(count).map(|word| unit(word) as f32 - 0.5).collect()
}

/// `score_products`: a row is a query.
pub(super) struct Best {
    items: Vec<f32>,
    queries: Vec<f32>,
    best: products::Best,
    on_device: Option<Items>,
}

impl Best {
    pub(super) fn new(rows: usize) -> Self {
        let (items, queries) = (numbers(13, ITEMS * DIMENSIONS), numbers(14, rows * DIMENSIONS));
        Self { items, queries, best: products::Best::default(), on_device: None }
    }

    fn items(&self) -> Rows<'_> {
        Rows { dimensions: DIMENSIONS, values: &self.items }
    }

    fn queries(&self) -> Rows<'_> {
        Rows { dimensions: DIMENSIONS, values: &self.queries }
    }
}

impl Probe for Best {
    fn bus_bytes_per_row(&self) -> f64 {
        (4 * DIMENSIONS + BYTES_BACK) as f64
    }

    fn resident_rows(&self) -> usize {
        self.on_device
            .as_ref()
            .map_or(self.queries().len(), |items| self.queries().len().min(items.piece_queries(K)))
    }

    fn resident_bytes(&self) -> u64 {
        // Items stay in caches.
        (self.resident_rows() * (4 * DIMENSIONS + BYTES_BACK)) as u64
    }

    fn cpu(&mut self, level: Level) {
        self.best = products::best(level, self.items(), self.queries(), K);
    }

    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        if self.on_device.is_none() {
            self.on_device = Some(Items::new(gpu, self.items())?);
        }
        if let Some(items) = &self.on_device {
            self.best = items.best(self.queries(), K)?.best;
        }
        Ok(())
    }

    fn answer(&mut self) -> u64 {
        let items = self.best.items.iter().map(|item| u64::from(*item));
        folded(items.chain(self.best.products.iter().map(|product| product.to_bits())))
    }

    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError> {
        Items::new(gpu, self.items())?.times_ns(self.queries(), K)
    }
}

/// Values of a window.
const LENGTH: usize = 100;

/// `score_profile`: a row is a window.
pub(super) struct Alike {
    series: Series,
    found: Profile,
    /// What the CPU gave, where `found` is the GPU's.
    wanted: Option<Profile>,
}

impl Alike {
    pub(super) fn new(rows: usize) -> Self {
        // A level that wanders, with a beat in it.
        let mut level = 0.0;
        let mut value = |(at, word): (usize, u64)| {
            level += unit(word) - 0.5;
            level + 3.0 * libm::sin(at as f64 * 0.21)
        };
        let values: Vec<f64> =
            random(15).take(rows + LENGTH - 1).enumerate().map(&mut value).collect();
        // More windows than 32 bits can number are no probe's.
        let series = Series::new(&values, LENGTH, LENGTH / 4);
        let series = series.unwrap_or_else(|_| Series::empty());
        Self { series, found: Profile::default(), wanted: None }
    }

    /// Whether each window that was found is as near as it has to be.
    fn is_within(&self, wanted: &Profile) -> bool {
        let windows = self.found.nearest.iter().zip(&wanted.nearest).enumerate();
        let mut all = windows.zip(self.series.tolerances());
        self.found.nearest.len() == wanted.nearest.len()
            && all.all(|((i, (own, best)), tolerance)| {
                let of = |j: u32| profile::scalar::correlation(&self.series, i, j as usize);
                let both = *own != NONE && *best != NONE;
                own == best || both && of(*best) - of(*own) <= tolerance
            })
    }
}

impl Probe for Alike {
    fn bus_bytes_per_row(&self) -> f64 {
        // A value and a shape up, a window and its correlation down.
        28.0
    }

    fn resident_rows(&self) -> usize {
        self.series.windows()
    }

    fn resident_bytes(&self) -> u64 {
        28 * self.series.windows() as u64
    }

    fn cpu(&mut self, level: Level) {
        self.found = profile::profile(level, &self.series);
        self.wanted = None;
    }

    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        let found = profile::gpu::profile(gpu, &self.series)?;
        let before = std::mem::replace(&mut self.found, found);
        self.wanted.get_or_insert(before);
        Ok(())
    }

    fn answer(&mut self) -> u64 {
        let wanted = self.wanted.as_ref().filter(|wanted| self.is_within(wanted));
        let told = wanted.unwrap_or(&self.found);
        let nearest = told.nearest.iter().map(|window| u64::from(*window));
        folded(nearest.chain(told.distances.iter().map(|distance| distance.to_bits())))
    }

    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError> {
        profile::gpu::times_ns(gpu, &self.series)
    }
}
