//! What the kernels of a run use: scalar code, SIMD, or the GPU where it pays or is asked for.

use pelton::{Error, Result};
use pelton_kernels::simd::{self, Level};

use super::run::ReplayPlan;
use crate::args::BackendArg;
use crate::report::models::GpuUse;

/// The kernels choose their level once, at the first of them: set it before that.
pub(super) fn force(plan: &ReplayPlan) -> Result<()> {
    match plan.backend {
        BackendArg::Scalar => return simd::force(Level::Scalar).map_err(Error::usage),
        BackendArg::Auto | BackendArg::Simd => {}
        #[cfg(feature = "gpu")]
        BackendArg::Gpu => {}
    }
    simd::try_level().map(drop).map_err(Error::usage)?;
    #[cfg(feature = "gpu")]
    gpu::send(plan);
    Ok(())
}

/// The word for the report.
pub(super) fn used() -> &'static str {
    if gpu_use().is_some_and(|gpu| gpu.dispatches() > 0) {
        "gpu"
    } else if simd::level() == Level::Scalar {
        "scalar"
    } else {
        "simd"
    }
}

/// What the GPU did in this process; `None` where none was to do anything.
#[cfg(not(feature = "gpu"))]
pub(super) fn gpu_use() -> Option<GpuUse> {
    None
}

#[cfg(feature = "gpu")]
pub(super) use gpu::gpu_use;

#[cfg(feature = "gpu")]
mod gpu {
    use pelton_kernels::gpu::{Gpu, policy};

    use super::{BackendArg, GpuUse, ReplayPlan};
    use crate::doctor::Machine;
    use crate::report::models::PassUse;

    /// Says which batches go to the GPU.
    pub(super) fn send(plan: &ReplayPlan) {
        match plan.backend {
            BackendArg::Gpu => match Gpu::of_process() {
                Ok(_) => policy::send_forests_from(0),
                Err(error) => eprintln!("{error}: the CPU scores, with the same answer"),
            },
            BackendArg::Auto if plan.models.model.is_some() => send_where_it_pays(),
            _ => {}
        }
    }

    /// As was measured on this machine; a debug build would measure itself.
    fn send_where_it_pays() {
        let Ok(gpu) = Gpu::of_process() else { return };
        if gpu.adapter().kind == "software" || cfg!(debug_assertions) {
            return;
        }
        let Ok(measured) = crate::gpu::crossovers(&gpu, &Machine::look()) else { return };
        let forest = measured.kernels.iter().find(|kernel| kernel.name == "forest");
        if let Some(rows) = forest.and_then(|forest| forest.rows) {
            policy::send_forests_from(rows);
        }
    }

    /// What the GPU did in this process; `None` where none was to do anything.
    pub(in super::super) fn gpu_use() -> Option<GpuUse> {
        if !policy::sends_forests() {
            return None;
        }
        let gpu = Gpu::of_process().ok()?;
        let stats = gpu.stats();
        let one = |(name, pass): (&&str, &pelton_kernels::gpu::PassStats)| {
            let of_pass = PassUse { dispatches: pass.dispatches, bound_bytes: pass.bound_bytes };
            ((*name).to_owned(), of_pass)
        };
        Some(GpuUse {
            adapter: gpu.adapter().name.clone(),
            passes: stats.passes.iter().map(one).collect(),
            uploaded_bytes: stats.uploaded_bytes,
            read_bytes: stats.read_bytes,
            fallbacks: stats.fallbacks,
            fallback_reason: stats.fallback_reason,
        })
    }
}
