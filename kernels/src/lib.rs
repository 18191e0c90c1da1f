//! Slices in, slices out: the inner loops of Pelton.
pub mod prefetch;
pub mod geo_haversine;
