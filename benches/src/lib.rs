//! What the README claims is measured here. Criterion benches of kernels and decoders are in
//! `benches/`; the whole job is [`fraud`], which `pelton bench fraud` runs; `peers/` runs other
//! engines on the same files.

pub mod fraud;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod growth;
pub mod window;
