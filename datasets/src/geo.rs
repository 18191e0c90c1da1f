//! Distances on the earth.

/// Mean radius of the earth (IUGG), km.
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// Great-circle distance in km of two places in degrees (latitude, longitude), by the
/// haversine formula, with portable functions.
///
/// ```
/// let km = pelton_datasets::distance_km((48.8566, 2.3522), (51.5074, -0.1278));
/// assert!((km - 343.5).abs() < 1.0); // Paris to London
/// ```
pub fn distance_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let half = |degrees: f64| libm::sin(degrees.to_radians() / 2.0);
    let (lat, lon) = (half(b.0 - a.0), half(b.1 - a.1));
    let across = libm::cos(a.0.to_radians()) * libm::cos(b.0.to_radians());
    let haversine = lat * lat + across * lon * lon;
    2.0 * EARTH_RADIUS_KM * libm::asin(haversine.sqrt().min(1.0))
}
