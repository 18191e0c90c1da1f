//! The GPU's host: from slices to passes and back, over wgpu (Vulkan, Metal, DX12). Only with the
//! feature `gpu`.
//!
//! * `adapter`: what there is, and which one is meant ([`Choice`], `PELTON_GPU`).
//! * `device`: [`Gpu`], a handle that is cheap to clone and shared by threads.
//! * `buffer`: memory that is kept and used again; `work`: what is recorded, submitted, in flight;
//!   `stage`: how bytes get there.
//! * `pipeline`: permutations of passes, compiled once; `trust`: what a device is tried on first.
//! * [`calibrate`]: from how many rows on the GPU pays; [`probe`]: the kernels that it measures.
//! * `fault`: failures on demand.
//!
//! The passes themselves are WGSL (`pelton-shaders`); each kernel's folder has a `gpu.rs` that
//! knows how to cut its rows, which buffers to bind, and in which form to run. A kernel's GPU
//! function has the name and the contract of its CPU twin but for the error, and gives the same
//! bits: whoever gets a [`GpuError`] calls the twin, and nothing is lost.
//!
//! # What it costs
//! A submission with its read-back takes tens of microseconds to half a millisecond on any
//! device, and each byte crosses a bus of some tens of GB/s. So a kernel pays only where it does
//! much with each byte, or where the bytes are there already: `docs/decisions/0006`.

mod adapter;
mod buffer;
pub mod calibrate;
mod device;
mod error;
mod fault;
mod pipeline;
pub mod probe;
mod stage;
mod stats;
#[cfg(test)]
pub(crate) mod tests;
mod trust;
mod work;

pub use adapter::{Adapter, Choice, GPU_VARIABLE, adapters};
pub use buffer::Buffer;
pub use device::Gpu;
pub use error::GpuError;
pub use fault::{FAULT_VARIABLE, Fault, Injected};
pub use pelton_shaders::{Flags, Pass};
pub use stats::{PassStats, Stats};
pub use work::{DISPATCHES_MAX, Done, Pending, Work, finish};

/// Waits for a future that needs no reactor: those of wgpu are ready, or become so while their
/// device is polled.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}
