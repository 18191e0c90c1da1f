//! Great-circle distances.

/// Distances in km between places in units of 1e-7 degree.
pub fn haversine_km(lat1: &[i32], lon1: &[i32], lat2: &[i32], lon2: &[i32], km: &mut [f64]) {
    const RADIANS: f64 = std::f64::consts::PI / 180.0 / 1e7;
    for i in 0..km.len() {
        let (p1, p2) = (f64::from(lat1[i]) * RADIANS, f64::from(lat2[i]) * RADIANS);
        let a = libm::sin((p2 - p1) / 2.0);
        let b = libm::sin((f64::from(lon2[i]) - f64::from(lon1[i])) * RADIANS / 2.0);
        let h = a * a + libm::cos(p1) * libm::cos(p2) * b * b;
        km[i] = 2.0 * 6371.0088 * libm::asin(h.sqrt().min(1.0));
    }
}
