//! Slices in, slices out: the inner loops of Pelton.
//!
//! Each kernel is a folder named after the stage and what it does there
//! (`csv_scan`, `text_parse`, …) with siblings of the same meaning in it:
//!
//! * `scalar` is the specification: plain Rust that a reader can check by eye,
//! * `simd` is the fast path, one for each [`simd::Level`],
//! * `gpu` is the same on a GPU (feature `gpu`), for the kernels where that can pay,
//! * `mod` holds the contract, the shared part of the algorithm, and the choice between them.
//!
//! Kernels take plain slices and numbers; they know nothing of Arrow, files or threads. They
//! never read or write outside of the slices they are given, whatever the bytes say, and each
//! level gives the same answer, bit for bit: one suite (`tests/`) runs every kernel of
//! [`simd::KERNELS`] for every type at every level, and compares with `scalar`.
//!
//! `unsafe` appears only in leaf functions around a `std::arch` load, store or call.

pub mod batch_filter;
pub mod columns;
pub mod csv_scan;
mod dot_tile;
pub mod geo_haversine;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod math;
pub mod over_advance;
pub mod prefetch;
pub mod score_cuts;
pub mod score_forest;
pub mod score_halves;
pub mod score_isolation;
pub mod score_nearest;
pub mod score_network;
pub mod score_products;
pub mod score_profile;
pub mod shard_hash;
pub mod shard_scatter;
pub mod simd;
#[cfg(test)]
mod tests;
pub mod text_parse;
pub mod window_assign;
pub mod window_combine;
pub mod window_histogram;
pub mod window_reduce;
