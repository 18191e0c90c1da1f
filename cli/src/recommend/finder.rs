//! Items by product or by distance, on the backend that was chosen. What the items are on a GPU
//! stays there as long as it works; queries whose answer does not come are the core's, with the
//! same bits.

#[cfg(feature = "gpu")]
use pelton::accel::{Accelerator, Kernel};
#[cfg(feature = "gpu")]
use pelton_kernels::gpu::GpuError;
#[cfg(feature = "gpu")]
use pelton_kernels::score_nearest::gpu as nearest_on_gpu;
use pelton_kernels::score_nearest::{References, nearest};
#[cfg(feature = "gpu")]
use pelton_kernels::score_products::gpu::{Items, K_MAX};
use pelton_kernels::score_products::{Best, Rows, best};
use pelton_kernels::simd;

use crate::args::MeasureArg;
use crate::backend::Backend;

/// Items, where they are wanted.
pub(super) struct Finder<'a> {
    kind: Kind<'a>,
    #[cfg(feature = "gpu")]
    accelerator: Option<Accelerator>,
}

enum Kind<'a> {
    Products(Products),
    Nearest(Near<'a>),
}

struct Products {
    dimensions: usize,
    items: Vec<f32>,
    #[cfg(feature = "gpu")]
    on_device: Option<Items>,
}

struct Near<'a> {
    references: References<'a>,
    #[cfg(feature = "gpu")]
    on_device: Option<nearest_on_gpu::Nearest<'a>>,
}

/// Row by row to column by column.
pub(super) fn turned(values: &[f64], dimensions: usize) -> Vec<f64> {
    let column = |at: usize| values.iter().skip(at).step_by(dimensions.max(1)).copied();
    (0..dimensions).flat_map(column).collect()
}

fn narrowed(values: &[f64]) -> Vec<f32> {
    values.iter().map(|x| *x as f32).collect()
}

impl<'a> Finder<'a> {
    /// `rows` are the items row by row, `columns` the same column by column.
    pub(super) fn new(
        backend: &Backend,
        measure: MeasureArg,
        (rows, columns): (&[f64], &'a [f64]),
        dimensions: usize,
    ) -> Self {
        let count = rows.len().checked_div(dimensions).unwrap_or(0);
        let kind = match measure {
            MeasureArg::Product => Kind::Products(Products {
                dimensions,
                items: narrowed(rows),
                #[cfg(feature = "gpu")]
                on_device: None,
            }),
            MeasureArg::Distance => Kind::Nearest(Near {
                references: References::new(columns, count),
                #[cfg(feature = "gpu")]
                on_device: None,
            }),
        };
        #[cfg(not(feature = "gpu"))]
        let _ = backend;
        Self {
            kind,
            #[cfg(feature = "gpu")]
            accelerator: backend.accelerator(),
        }
    }

    /// The best `k` items of each query, row by row: the greatest products, or the smallest
    /// distances.
    pub(super) fn best(&mut self, queries: &[f64], count: usize, k: usize) -> Best {
        match &mut self.kind {
            Kind::Products(products) if products.items.is_empty() => Best::new(count, k),
            Kind::Nearest(near) if near.references.count() == 0 => Best::new(count, k),
            Kind::Products(products) => {
                let queries = narrowed(queries);
                let queries = Rows { dimensions: products.dimensions, values: &queries };
                #[cfg(feature = "gpu")]
                if let Some(best) = products.on_gpu(self.accelerator.as_ref(), queries, k) {
                    return best;
                }
                best(simd::level(), products.rows(), queries, k)
            }
            Kind::Nearest(near) => {
                // Slots without an item hold the kernel's own `NONE`, which is this one's.
                let mut found = Best::new(count, k);
                let (items, distances) = (&mut found.items, &mut found.products);
                #[cfg(feature = "gpu")]
                let done = near.on_gpu(
                    self.accelerator.as_ref(),
                    queries,
                    (&mut *distances, &mut *items),
                    k,
                );
                #[cfg(not(feature = "gpu"))]
                let done = false;
                if !done {
                    nearest(simd::level(), near.references, queries, distances, items);
                }
                distances.iter_mut().for_each(|squared| *squared = squared.sqrt());
                found
            }
        }
    }
}

impl Products {
    fn rows(&self) -> Rows<'_> {
        Rows { dimensions: self.dimensions, values: &self.items }
    }

    /// On a GPU, where that is wanted and works.
    #[cfg(feature = "gpu")]
    fn on_gpu(
        &mut self,
        accelerator: Option<&Accelerator>,
        queries: Rows<'_>,
        k: usize,
    ) -> Option<Best> {
        let accelerator = accelerator?;
        let kernel = Kernel::Products { numbers: self.items.len() };
        let gpu = accelerator.gpu_for(kernel, queries.len())?;
        if k > K_MAX {
            accelerator.declined(kernel, &format!("the pass has room for {K_MAX} items a query"));
            return None;
        }
        let found = match self.on_device.take() {
            Some(items) => Ok(items),
            None => Items::new(gpu, self.rows()),
        };
        let found = found.and_then(|items| {
            let found = items.best(queries, k)?;
            self.on_device = Some(items);
            Ok(found)
        });
        found.map_err(|error| accelerator.failed(kernel, &error)).ok().map(|found| found.best)
    }
}

#[cfg(feature = "gpu")]
impl Near<'_> {
    /// Whether a GPU has found them.
    fn on_gpu(
        &mut self,
        accelerator: Option<&Accelerator>,
        queries: &[f64],
        (distances, items): (&mut [f64], &mut [u32]),
        k: usize,
    ) -> bool {
        let (width, count) = (self.references.width(), self.references.count());
        let kernel = Kernel::Nearest { numbers: width * count };
        let Some(accelerator) = accelerator else { return false };
        let rows = queries.len().checked_div(width).unwrap_or(0);
        let Some(gpu) = accelerator.gpu_for(kernel, rows) else { return false };
        let (widest, most) = (nearest_on_gpu::WIDTH_MAX, nearest_on_gpu::K_MAX);
        if width > widest || k > most {
            let what = format!("the pass has room for {most} items a query, of {widest} numbers");
            accelerator.declined(kernel, &what);
            return false;
        }
        let mut find = || -> Result<(), GpuError> {
            let near = match self.on_device.take() {
                Some(near) => near,
                None => nearest_on_gpu::Nearest::new(gpu, self.references)?,
            };
            near.nearest(queries, distances, items)?;
            self.on_device = Some(near);
            Ok(())
        };
        find().map_err(|error| accelerator.failed(kernel, &error)).is_ok()
    }
}
