//! Products on the backend that was chosen. The items lie on the GPU as long as it works; queries
//! whose answer does not come are the core's, with the same bits.

#[cfg(feature = "gpu")]
use pelton::accel::{Accelerator, Kernel};
#[cfg(feature = "gpu")]
use pelton_kernels::score_products::gpu::{Items, K_MAX};
use pelton_kernels::score_products::{Best, Rows, best};
use pelton_kernels::simd;

use crate::backend::Backend;

/// Items, where they are wanted.
pub(super) struct Products<'a> {
    items: Rows<'a>,
    #[cfg(feature = "gpu")]
    accelerator: Option<Accelerator>,
    #[cfg(feature = "gpu")]
    on_device: Option<Items>,
}

impl<'a> Products<'a> {
    #[cfg(feature = "gpu")]
    pub(super) fn new(backend: &Backend, items: Rows<'a>) -> Self {
        Self { items, accelerator: backend.accelerator(), on_device: None }
    }

    #[cfg(not(feature = "gpu"))]
    pub(super) fn new(_: &Backend, items: Rows<'a>) -> Self {
        Self { items }
    }

    /// The best `k` items of each query.
    pub(super) fn best(&mut self, queries: Rows<'_>, k: usize) -> Best {
        if self.items.is_empty() {
            return Best::new(queries.len(), k);
        }
        let on_gpu = self.on_gpu(queries, k);
        on_gpu.unwrap_or_else(|| best(simd::level(), self.items, queries, k))
    }

    #[cfg(not(feature = "gpu"))]
    fn on_gpu(&mut self, _: Rows<'_>, _: usize) -> Option<Best> {
        None
    }

    #[cfg(feature = "gpu")]
    fn on_gpu(&mut self, queries: Rows<'_>, k: usize) -> Option<Best> {
        let accelerator = self.accelerator.as_ref()?;
        let kernel = Kernel::Products { numbers: self.items.values.len() };
        let gpu = accelerator.gpu_for(kernel, queries.len())?;
        if k > K_MAX {
            accelerator.declined(kernel, &format!("more than {K_MAX} items a query"));
            return None;
        }
        let found = match &self.on_device {
            Some(items) => items.best(queries, k),
            None => Items::new(gpu, self.items)
                .and_then(|items| self.on_device.insert(items).best(queries, k)),
        };
        match found {
            Ok(found) => Some(found.best),
            Err(error) => {
                accelerator.failed(kernel, &error);
                self.on_device = None;
                None
            }
        }
    }
}
