//! The fast path against the definition, and the definition against what is known.

use proptest::prelude::*;

use super::*;

fn degrees(fixed: i32) -> f64 {
    f64::from(fixed) / f64::from(DEGREE)
}

fn definition(place: [i32; 4]) -> f64 {
    let [lat1, lon1, lat2, lon2] = place.map(degrees);
    haversine_km(lat1, lon1, lat2, lon2)
}

/// Differences of degrees round where fixed point is exact: so much of a degree, in km.
const DEGREES_ROUND_KM: f64 = 1e-10;

#[track_caller]
fn check(place: [i32; 4]) {
    let [lat1, lon1, lat2, lon2] = place;
    let (fast, slow) = (distance_km(lat1, lon1, lat2, lon2), definition(place));
    let allowed = RELATIVE_ERROR_MAX * slow + DEGREES_ROUND_KM;
    let both_nan = fast.is_nan() && slow.is_nan();
    assert!(both_nan || (fast - slow).abs() <= allowed, "{place:?}: {fast} {slow}");
    assert_eq!(fast.to_bits(), distance_km(lat2, lon2, lat1, lon1).to_bits(), "{place:?}");
}

const HALF_TURN: i32 = 180 * DEGREE;
const POLE: i32 = 90 * DEGREE;

#[test]
fn special_places() {
    let lats = [0, 1, -1, POLE, -POLE, POLE - 1, 45 * DEGREE, -45 * DEGREE, 30 * DEGREE, 123_456];
    let lons =
        [0, 1, -1, HALF_TURN, -HALF_TURN, HALF_TURN - 1, POLE, -POLE, 60 * DEGREE, 987_654_321];
    for lat1 in lats {
        for lon1 in lons {
            for lat2 in lats {
                for lon2 in lons {
                    check([lat1, lon1, lat2, lon2]);
                }
            }
            assert_eq!(distance_km(lat1, lon1, lat1, lon1).to_bits(), 0);
        }
    }
}

#[test]
fn known_distances() {
    let half_circle = std::f64::consts::PI * EARTH_RADIUS_KM;
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
    // Pole to pole, antipodes on the equator and off it, a quarter, and across the date line.
    near(distance_km(POLE, 5, -POLE, 77), half_circle);
    near(distance_km(0, 0, 0, HALF_TURN), half_circle);
    near(distance_km(123, 456, -123, 456 - HALF_TURN), half_circle);
    near(distance_km(0, 0, POLE, 987), half_circle / 2.0);
    near(distance_km(0, HALF_TURN - 5, 0, -HALF_TURN + 5), distance_km(0, 0, 0, 10));
    near(distance_km(0, HALF_TURN, 0, -HALF_TURN), 0.0);
    near(distance_km(POLE, 0, POLE, HALF_TURN), 0.0);
    // One unit of longitude on the equator: nothing cancels.
    let unit = EARTH_RADIUS_KM * (1e-7_f64).to_radians();
    assert!((distance_km(0, 0, 0, 1) / unit - 1.0).abs() < 1e-14);
    // The last centimetre before the antipode, which 2 asin √a cannot see.
    assert!((half_circle - distance_km(0, 0, 0, HALF_TURN - 1) - unit).abs() < 1e-11);
}

#[test]
fn values_out_of_range() {
    assert!(distance_km(POLE + 1, 0, 0, 0).is_nan());
    assert!(distance_km(0, 0, i32::MIN, 0).is_nan());
    assert!(haversine_km(90.1, 0.0, 0.0, 0.0).is_nan());
    assert!(haversine_km(f64::NAN, 0.0, 0.0, 0.0).is_nan());
    assert!(haversine_km(0.0, f64::INFINITY, 0.0, 0.0).is_nan());
    check([1, i32::MAX, 2, i32::MIN]);
    check([1, 200 * DEGREE, 2, -170 * DEGREE]);
    assert_eq!(haversine_km(0.0, 190.0, 0.0, -170.0), 0.0);
}

#[test]
fn degrees_become_fixed_point() {
    assert_eq!(fixed_from_degrees(48.856_613_3), Some(488_566_133));
    assert_eq!(fixed_from_degrees(-179.999_999_96), Some(-HALF_TURN));
    assert_eq!(fixed_from_degrees(-0.0), Some(0));
    for none in [214.8, -214.8, f64::NAN, f64::INFINITY, f64::MAX] {
        assert_eq!(fixed_from_degrees(none), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn anywhere(
        lat1 in -POLE..=POLE, lat2 in -POLE..=POLE, lon1 in any::<i32>(), lon2 in any::<i32>(),
    ) {
        check([lat1, lon1, lat2, lon2]);
    }

    #[test]
    fn close_by_and_opposite(
        lat in -POLE + 2000..=POLE - 2000,
        lon in -HALF_TURN..=0,
        north in -1000..1000_i32,
        east in -1000..1000_i32,
    ) {
        check([lat, lon, lat + north, lon + east]);
        check([lat, lon, -lat + north, lon + HALF_TURN + east]);
    }

    #[test]
    fn agrees_with_the_common_form_away_from_antipodes(
        lat1 in -89.0..89.0_f64, lat2 in -89.0..89.0_f64, lon1 in -180.0..180.0_f64,
        lon2 in -180.0..180.0_f64,
    ) {
        let square = |x: f64| x * x;
        let half = |a: f64, b: f64| libm::sin((b - a).to_radians() / 2.0);
        let cosines = libm::cos(lat1.to_radians()) * libm::cos(lat2.to_radians());
        let a = square(half(lat1, lat2)) + cosines * square(half(lon1, lon2));
        let common = 2.0 * EARTH_RADIUS_KM * libm::asin(a.sqrt().min(1.0));
        let ours = haversine_km(lat1, lon1, lat2, lon2);
        prop_assert!((common - ours).abs() <= 1e-9 * ours || a > 0.99, "{common} {ours}");
    }

    #[test]
    fn columns_have_the_bits_of_single_pairs(
        rows in proptest::collection::vec(any::<[i32; 4]>(), 0..70),
    ) {
        let column = |pick: usize| rows.iter().map(|row| row[pick] / 2).collect::<Vec<i32>>();
        let (lat1, lon1, lat2, lon2) = (column(0), column(1), column(2), column(3));
        let mut km = vec![0.0; rows.len()];
        let from = Places { lat: &lat1, lon: &lon1 };
        distances_km(from, Places { lat: &lat2, lon: &lon2 }, &mut km);
        for (i, km) in km.iter().enumerate() {
            let one = distance_km(lat1[i], lon1[i], lat2[i], lon2[i]);
            prop_assert!(km.to_bits() == one.to_bits() || (km.is_nan() && one.is_nan()));
        }
    }
}
