//! Slices in, slices out: the inner loops of Pelton.
pub mod prefetch;
