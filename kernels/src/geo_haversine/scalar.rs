//! The definition, one pair of places at a time.

use super::EARTH_RADIUS_KM;

/// Kilometres along the great circle between two places in degrees.
///
/// Longitudes may be any finite number (190° is −170°). A latitude beyond ±90°, or anything that
/// is not finite, gives NaN.
///
/// ```
/// use pelton_kernels::geo_haversine::haversine_km;
/// let paris_to_berlin = haversine_km(48.8566, 2.3522, 52.5200, 13.4050);
/// assert!((paris_to_berlin - 877.46).abs() < 0.01);
/// ```
pub fn haversine_km(lat1: f64, lon1: f64, lat2: f64, lon2: f64) -> f64 {
    let on_earth = lat1.abs() <= 90.0 && lat2.abs() <= 90.0;
    if !on_earth {
        return f64::NAN;
    }
    let half = |degrees: f64| degrees.to_radians() / 2.0;
    let half_lat = half(lat2 - lat1);
    let half_lon = half(libm::remainder(lon2 - lon1, 360.0));
    let mean_lat = half(lat1 + lat2);
    let squares = |angle: f64| {
        let (sin, cos) = libm::sincos(angle);
        (sin * sin, cos * cos)
    };
    let (sin_lat, cos_lat) = squares(half_lat);
    let (sin_lon, cos_lon) = squares(half_lon);
    let (sin_mean, cos_mean) = squares(mean_lat);
    let a = sin_lat * cos_lon + cos_mean * sin_lon;
    let rest = cos_lat * cos_lon + sin_mean * sin_lon;
    2.0 * EARTH_RADIUS_KM * libm::atan2(a.sqrt(), rest.sqrt())
}
