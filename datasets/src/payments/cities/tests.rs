use super::*;
use crate::geo::distance_km;

#[test]
fn cities_lie_apart_and_countries_are_codes() {
    for (i, a) in CITIES.iter().enumerate() {
        assert_eq!(a.country.len(), 2);
        assert!(a.lat.abs() < 75.0 && a.lon.abs() < 179.0);
        for b in &CITIES[..i] {
            let km = distance_km((a.lat, a.lon), (b.lat, b.lon));
            assert!(km > 75.0, "{a:?} and {b:?} are {km} km apart");
        }
    }
}

#[test]
fn country_indices_name_the_country() {
    let (names, indices) = countries();
    for (city, index) in CITIES.iter().zip(indices) {
        assert_eq!(names[index as usize], city.country);
    }
}
