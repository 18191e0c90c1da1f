//! Cities with their country and place, spread over the world.
//!
//! The order matters: small recordings use a prefix, so every continent comes early. Any two
//! are more than 75 km apart, several times the width of a city.

/// A city that customers live in and terminals stand in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct City {
    /// ISO 3166 alpha-2.
    pub(crate) country: &'static str,
    /// Degrees north, WGS84.
    pub(crate) lat: f64,
    /// Degrees east, WGS84.
    pub(crate) lon: f64,
    /// Relative number of customers and terminals.
    pub(crate) weight: u32,
}

const fn city(country: &'static str, lat: f64, lon: f64, weight: u32) -> City {
    City { country, lat, lon, weight }
}

/// All cities.
pub(crate) const CITIES: [City; 84] = [
    city("FR", 48.8566, 2.3522, 4),    // Paris
    city("US", 40.7128, -74.0060, 5),  // New York
    city("JP", 35.6762, 139.6503, 5),  // Tokyo
    city("BR", -23.5505, -46.6333, 4), // São Paulo
    city("ZA", -26.2041, 28.0473, 3),  // Johannesburg
    city("AU", -33.8688, 151.2093, 3), // Sydney
    city("GB", 51.5074, -0.1278, 5),   // London
    city("IN", 19.0760, 72.8777, 4),   // Mumbai
    city("DE", 52.5200, 13.4050, 4),   // Berlin
    city("MX", 19.4326, -99.1332, 4),  // Mexico City
    city("EG", 30.0444, 31.2357, 3),   // Cairo
    city("SG", 1.3521, 103.8198, 3),   // Singapore
    city("ES", 40.4168, -3.7038, 4),   // Madrid
    city("US", 34.0522, -118.2437, 4), // Los Angeles
    city("KR", 37.5665, 126.9780, 4),  // Seoul
    city("AR", -34.6037, -58.3816, 3), // Buenos Aires
    city("NG", 6.5244, 3.3792, 3),     // Lagos
    city("IT", 41.9028, 12.4964, 4),   // Rome
    city("CA", 43.6532, -79.3832, 3),  // Toronto
    city("AE", 25.2048, 55.2708, 3),   // Dubai
    city("TR", 41.0082, 28.9784, 4),   // Istanbul
    city("TH", 13.7563, 100.5018, 3),  // Bangkok
    city("PL", 52.2297, 21.0122, 3),   // Warsaw
    city("CL", -33.4489, -70.6693, 2), // Santiago
    city("KE", -1.2921, 36.8219, 2),   // Nairobi
    city("NZ", -36.8485, 174.7633, 2), // Auckland
    city("SE", 59.3293, 18.0686, 2),   // Stockholm
    city("US", 41.8781, -87.6298, 3),  // Chicago
    city("CN", 31.2304, 121.4737, 5),  // Shanghai
    city("CO", 4.7110, -74.0721, 3),   // Bogotá
    city("MA", 33.5731, -7.5898, 2),   // Casablanca
    city("PT", 38.7223, -9.1393, 2),   // Lisbon
    city("NL", 52.3676, 4.9041, 3),    // Amsterdam
    city("AT", 48.2082, 16.3738, 2),   // Vienna
    city("PH", 14.5995, 120.9842, 3),  // Manila
    city("PE", -12.0464, -77.0428, 2), // Lima
    city("GH", 5.6037, -0.1870, 2),    // Accra
    city("IE", 53.3498, -6.2603, 2),   // Dublin
    city("US", 25.7617, -80.1918, 2),  // Miami
    city("HK", 22.3193, 114.1694, 3),  // Hong Kong
    city("GR", 37.9838, 23.7275, 2),   // Athens
    city("IL", 32.0853, 34.7818, 2),   // Tel Aviv
    city("NO", 59.9139, 10.7522, 2),   // Oslo
    city("VN", 10.8231, 106.6297, 3),  // Ho Chi Minh City
    city("DE", 48.1351, 11.5820, 3),   // Munich
    city("CA", 49.2827, -123.1207, 2), // Vancouver
    city("ID", -6.2088, 106.8456, 4),  // Jakarta
    city("FI", 60.1699, 24.9384, 2),   // Helsinki
    city("AU", -37.8136, 144.9631, 3), // Melbourne
    city("RO", 44.4268, 26.1025, 2),   // Bucharest
    city("US", 47.6062, -122.3321, 2), // Seattle
    city("IN", 28.6139, 77.2090, 4),   // Delhi
    city("ES", 41.3874, 2.1686, 3),    // Barcelona
    city("ZA", -33.9249, 18.4241, 2),  // Cape Town
    city("DK", 55.6761, 12.5683, 2),   // Copenhagen
    city("TW", 25.0330, 121.5654, 3),  // Taipei
    city("HU", 47.4979, 19.0402, 2),   // Budapest
    city("US", 29.7604, -95.3698, 2),  // Houston
    city("SA", 24.7136, 46.6753, 2),   // Riyadh
    city("BR", -22.9068, -43.1729, 3), // Rio de Janeiro
    city("FR", 45.7640, 4.8357, 2),    // Lyon
    city("MY", 3.1390, 101.6869, 2),   // Kuala Lumpur
    city("CH", 47.3769, 8.5417, 2),    // Zurich
    city("JP", 34.6937, 135.5023, 3),  // Osaka
    city("GB", 53.4808, -2.2426, 2),   // Manchester
    city("TN", 36.8065, 10.1815, 1),   // Tunis
    city("US", 39.7392, -104.9903, 2), // Denver
    city("IT", 45.4642, 9.1900, 3),    // Milan
    city("PA", 8.9824, -79.5199, 1),   // Panama City
    city("BG", 42.6977, 23.3219, 1),   // Sofia
    city("LK", 6.9271, 79.8612, 1),    // Colombo
    city("IS", 64.1466, -21.9426, 1),  // Reykjavík
    city("US", 21.3069, -157.8583, 1), // Honolulu
    city("TZ", -6.7924, 39.2083, 1),   // Dar es Salaam
    city("BE", 50.8503, 4.3517, 2),    // Brussels
    city("US", 33.7490, -84.3880, 2),  // Atlanta
    city("AU", -31.9505, 115.8605, 1), // Perth
    city("HR", 45.8150, 15.9819, 1),   // Zagreb
    city("EE", 59.4370, 24.7536, 1),   // Tallinn
    city("CZ", 50.0755, 14.4378, 2),   // Prague
    city("UY", -34.9011, -56.1645, 1), // Montevideo
    city("DE", 53.5511, 9.9937, 2),    // Hamburg
    city("BD", 23.8103, 90.4125, 2),   // Dhaka
    city("CR", 9.9281, -84.0907, 1),   // San José
];

/// The countries of [`CITIES`], each once, in order of their first city, and the index of each
/// city's country among them.
pub(crate) fn countries() -> (Vec<&'static str>, Vec<i32>) {
    let mut names: Vec<&'static str> = Vec::new();
    let indices = CITIES
        .iter()
        .map(|city| {
            let index = names.iter().position(|name| *name == city.country);
            index.unwrap_or_else(|| {
                names.push(city.country);
                names.len() - 1
            }) as i32
        })
        .collect();
    (names, indices)
}

#[cfg(test)]
mod tests;
