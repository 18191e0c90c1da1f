//! What the kernels of a run use: scalar code, SIMD, or the GPU where it pays or is asked for.

use pelton::accel::Accelerator;
use pelton::{Error, Result};
use pelton_kernels::simd::{self, Level};

use crate::args::BackendArg;
use crate::report::models::GpuUse;

/// What was chosen for a run.
#[derive(Debug, Default)]
pub struct Backend {
    accelerator: Option<Accelerator>,
}

impl Backend {
    /// Chooses. The kernels take their level once, at the first of them: call this before that.
    /// `worth_a_look`: whether there may be enough to do for a GPU, so that `auto` opens one.
    ///
    /// # Errors
    /// When `PELTON_SIMD` names no level of this machine.
    pub fn choose(of: BackendArg, worth_a_look: bool) -> Result<Self> {
        if of == BackendArg::Scalar {
            simd::force(Level::Scalar).map_err(Error::usage)?;
            return Ok(Self::default());
        }
        simd::try_level().map(drop).map_err(Error::usage)?;
        #[cfg(feature = "gpu")]
        let accelerator = gpu::accelerator(of, worth_a_look);
        #[cfg(not(feature = "gpu"))]
        let accelerator = (|_| None)(worth_a_look);
        Ok(Self { accelerator })
    }

    /// For [`pelton::pipeline::Options`].
    pub fn accelerator(&self) -> Option<Accelerator> {
        self.accelerator.clone()
    }

    /// The word for the report.
    pub fn word(&self) -> &'static str {
        if self.gpu_use().is_some_and(|gpu| gpu.dispatches() > 0) {
            "gpu"
        } else if simd::level() == Level::Scalar {
            "scalar"
        } else {
            "simd"
        }
    }

    /// What the GPU did; `None` where none was to do anything.
    pub fn gpu_use(&self) -> Option<GpuUse> {
        #[cfg(feature = "gpu")]
        return self.accelerator.as_ref().map(gpu::used);
        #[cfg(not(feature = "gpu"))]
        None
    }
}

#[cfg(feature = "gpu")]
mod gpu {
    use std::collections::BTreeMap;

    use pelton::accel::Accelerator;
    use pelton_kernels::gpu::Gpu;

    use super::{BackendArg, GpuUse};
    use crate::doctor::Machine;
    use crate::report::models::PassUse;

    /// Kernels that stay with the CPU though the GPU was asked for: to find the one that gives a
    /// wrong answer.
    const TWINS_VARIABLE: &str = "PELTON_GPU_TWINS";

    /// Passes that compute in f32 what the CPU has in f64, to within a bound.
    const NEAR: [&str; 2] = ["score_network", "score_profile"];

    pub(super) fn accelerator(of: BackendArg, worth_a_look: bool) -> Option<Accelerator> {
        match of {
            BackendArg::Gpu => match Gpu::of_process() {
                Ok(gpu) => Some(Accelerator::forced(gpu).with_twins(twins())),
                Err(error) => {
                    eprintln!("{error}: the CPU does it, with the same answer");
                    None
                }
            },
            BackendArg::Auto if worth_a_look => where_it_pays(),
            _ => None,
        }
    }

    fn twins() -> Vec<String> {
        let named = std::env::var(TWINS_VARIABLE).unwrap_or_default();
        named
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// As was measured on this machine. A debug build would measure itself: nothing pays there.
    fn where_it_pays() -> Option<Accelerator> {
        let gpu = Gpu::of_process().ok()?;
        let mut rows = BTreeMap::new();
        if !cfg!(debug_assertions) {
            let measured = crate::gpu::crossovers(&gpu, &Machine::look()).ok()?;
            rows.extend(measured.kernels.into_iter().map(|kernel| (kernel.name, kernel.rows)));
        }
        Some(Accelerator::measured(gpu, rows).with_twins(twins()))
    }

    pub(super) fn used(accelerator: &Accelerator) -> GpuUse {
        let report = accelerator.report();
        let is_near = |name: &&String| NEAR.contains(&name.as_str());
        let within_a_bound = report.passes.keys().filter(is_near).cloned().collect();
        let passes = report.passes.into_iter().map(|(name, pass)| {
            (name, PassUse { dispatches: pass.dispatches, bound_bytes: pass.bound_bytes })
        });
        GpuUse {
            adapter: report.adapter,
            passes: passes.collect(),
            within_a_bound,
            uploaded_bytes: report.uploaded_bytes,
            read_bytes: report.read_bytes,
            fallbacks: report.batches_handed_back,
            fallback_reasons: report.notes,
        }
    }
}
