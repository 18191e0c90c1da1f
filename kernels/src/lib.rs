//! Slices in, slices out: the inner loops of Pelton.
//!
//! Each kernel is a folder named after the stage and what it does there
//! (`csv_scan`, `text_parse`, …) with siblings of the same meaning in it:
//!
//! * `scalar` is the specification: plain Rust that a reader can check by eye,
//! * `simd` is the fast path, one for each [`simd::Level`],
//! * `mod` holds the contract, the shared part of the algorithm, and the choice between them.
//!
//! Kernels take plain slices and numbers; they know nothing of Arrow, files or threads. They
//! never read or write outside of the slices they are given, whatever the bytes say, and each
//! level gives the same answer, bit for bit: one suite of tests runs on all of them.
//!
//! `unsafe` appears only in leaf functions around a `std::arch` load, store or call.

pub mod columns;
pub mod csv_scan;
pub mod geo_haversine;
pub mod math;
pub mod prefetch;
pub mod score_forest;
pub mod simd;
pub mod text_parse;
