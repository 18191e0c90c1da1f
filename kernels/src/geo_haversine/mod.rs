//! Distances between places on the earth, taken as a sphere.
//!
//! The haversine of the angle d between two places is commonly written
//! `a = sin²(Δφ/2) + cos φ₁ · cos φ₂ · sin²(Δλ/2)` (Sinnott 1984), and d = 2 asin √a. Near
//! antipodes the arcsine has no slope to speak of and centimetres are lost. With the mean latitude
//! m = (φ₁ + φ₂) / 2 there is a form of a, and of 1 − a, that only adds what is not negative:
//!
//! ```text
//!     a = sin²(Δφ/2) · cos²(Δλ/2) + cos² m · sin²(Δλ/2)
//! 1 − a = cos²(Δφ/2) · cos²(Δλ/2) + sin² m · sin²(Δλ/2)
//! ```
//!
//! Nothing cancels, so that d is good to a few roundings everywhere, from equal places (exactly 0)
//! to antipodes. It needs three angles instead of four, and in fixed point these are exact.
//!
//! [`haversine_km`] is the definition in degrees with `libm`; [`distances_km`] is the fast path
//! over columns of fixed-point places, whose bits do not depend on the SIMD level (see
//! [`math`](crate::math)); the two agree within [`RELATIVE_ERROR_MAX`].

mod fixed;
mod scalar;
#[cfg(test)]
mod tests;

pub use fixed::{DEGREE, Places, distance_km, distances_km, fixed_from_degrees};
pub use scalar::haversine_km;

/// The earth's mean radius in km (IUGG: (2a + b) / 3 of the GRS 80 ellipsoid).
pub const EARTH_RADIUS_KM: f64 = 6371.0088;

/// How far the fast path may be from [`haversine_km`] of the same places, of the distance.
pub const RELATIVE_ERROR_MAX: f64 = 1e-13;
