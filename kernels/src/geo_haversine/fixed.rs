//! The fast path: columns of places in fixed point.
//!
//! Every function here is a chain of additions, multiplications, divisions, square roots and
//! selects, so that the compiler runs it in as many lanes as the machine has, with the same bits.

use super::EARTH_RADIUS_KM;
use crate::math::polynomial;
use crate::simd::multiversion;

/// One degree in fixed point: 1e-7 of a degree (11 mm on the ground) is 1.
pub const DEGREE: i32 = 10_000_000;

/// Degrees to fixed point, to the nearest unit; `None` for what is not finite or beyond ±214.7°,
/// the ends of 32 bits.
pub fn fixed_from_degrees(degrees: f64) -> Option<i32> {
    let units = (degrees * DEGREE_F64).round();
    (units.abs() <= f64::from(i32::MAX)).then_some(units as i32)
}

const DEGREE_F64: f64 = DEGREE as f64;
/// Radians of one half of a unit.
const HALF_UNIT: f64 = std::f64::consts::PI / (360.0 * DEGREE_F64);
const RIGHT_ANGLE: f64 = 90.0 * DEGREE_F64;
const FULL_TURN: f64 = 360.0 * DEGREE_F64;

/// (sin(y) / y − 1) / y² in powers of y² for |y| ≤ π/4; relative error of the sine 2.1e-17.
const SIN: [f64; 6] = [
    -0.166_666_666_666_666_66,
    0.008_333_333_333_330_948,
    -0.000_198_412_698_367_585_74,
    2.755_731_610_255_244e-6,
    -2.505_113_184_500_362_4e-8,
    1.591_812_929_486_660_8e-10,
];

/// (asin(y) / y − 1) / y² in powers of y² for |y| ≤ ½; relative error of the arcsine 5.8e-17.
const ASIN: [f64; 12] = [
    0.166_666_666_666_666_5,
    0.075_000_000_000_207_64,
    0.044_642_857_103_423_646,
    0.030_381_947_367_098_48,
    0.022_372_047_631_744_51,
    0.017_355_259_955_786_323,
    0.013_929_652_902_326_633,
    0.011_875_494_382_636_922,
    0.007_802_949_477_353_317_5,
    0.016_035_514_349_148_82,
    -0.010_749_050_339_697_808,
    0.028_169_218_060_881_414,
];

/// sin² and cos² of half an angle; the angle is an integer in fixed point, at most a half turn.
#[inline(always)]
fn half_angle_squares(angle: f64) -> (f64, f64) {
    // Beyond a right angle the complement is exact, so that the sine taken is of at most 45°.
    let angle = angle.abs();
    let wide = angle > RIGHT_ANGLE;
    let y = HALF_UNIT * if wide { 2.0 * RIGHT_ANGLE - angle } else { angle };
    let z = y * y;
    let sin = y + y * z * polynomial(z, &SIN);
    let small = sin * sin;
    let large = 1.0 - small;
    if wide { (large, small) } else { (small, large) }
}

/// The angle whose sine is √a, from a and 1 − a, so that the smaller of them gives it.
#[inline(always)]
fn arc(a: f64, rest: f64) -> f64 {
    let beyond = a > rest;
    let small = if beyond { rest } else { a };
    let x = small.sqrt();
    // sin x > ½: asin x = π/2 − 2 asin √((1 − x) / 2).
    let steep = small > 0.25;
    let z = if steep { (1.0 - x) * 0.5 } else { small };
    let y = if steep { z.sqrt() } else { x };
    let asin = y + y * z * polynomial(z, &ASIN);
    let asin = if steep { std::f64::consts::FRAC_PI_2 - 2.0 * asin } else { asin };
    if beyond { std::f64::consts::FRAC_PI_2 - asin } else { asin }
}

/// Kilometres along the great circle between two places in fixed point ([`DEGREE`]).
///
/// Longitudes beyond ±180° wrap around; a latitude beyond ±90° gives NaN.
#[inline(always)]
pub fn distance_km(lat1: i32, lon1: i32, lat2: i32, lon2: i32) -> f64 {
    // Integers of at most 33 bits: exact as floats, and converted in lanes.
    let (lat1, lon1) = (f64::from(lat1), f64::from(lon1));
    let (lat2, lon2) = (f64::from(lat2), f64::from(lon2));
    let across = (lon2 - lon1).abs();
    let across = if across > FULL_TURN { across - FULL_TURN } else { across };
    let across = if across > 0.5 * FULL_TURN { FULL_TURN - across } else { across };
    let (sin_lat, cos_lat) = half_angle_squares(lat2 - lat1);
    let (sin_lon, cos_lon) = half_angle_squares(across);
    let (sin_mean, cos_mean) = half_angle_squares(lat1 + lat2);
    let a = sin_lat * cos_lon + cos_mean * sin_lon;
    let rest = cos_lat * cos_lon + sin_mean * sin_lon;
    let km = 2.0 * EARTH_RADIUS_KM * arc(a, rest);
    let on_earth = (lat1.abs() <= RIGHT_ANGLE) & (lat2.abs() <= RIGHT_ANGLE);
    if on_earth { km } else { f64::NAN }
}

/// A column of places in fixed point ([`DEGREE`]).
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// Latitudes, north positive.
    pub lat: &'a [i32],
    /// Longitudes, east positive.
    pub lon: &'a [i32],
}

/// [`distance_km`] of each pair of places, to the bit. Null places may hold any value.
///
/// # Contract
/// All five slices have one length (asserted).
pub fn distances_km(from: Places<'_>, to: Places<'_>, km: &mut [f64]) {
    for column in [from.lat, from.lon, to.lat, to.lon] {
        assert_eq!(column.len(), km.len());
    }
    fill(from, to, km);
}

multiversion! {
    fn fill(from: Places<'_>, to: Places<'_>, km: &mut [f64]) {
        let rows = km.len();
        let (lat1, lon1) = (&from.lat[..rows], &from.lon[..rows]);
        let (lat2, lon2) = (&to.lat[..rows], &to.lon[..rows]);
        for row in 0..rows {
            km[row] = distance_km(lat1[row], lon1[row], lat2[row], lon2[row]);
        }
    }
}
