//! placeholder
pub mod geo_haversine;
pub mod math;
