//! Genuine trips: a customer leaves home, is on the way for hours (and pays nowhere), stays
//! some days in another city, and comes back. Where a customer is at a time follows from the
//! plan alone, so rows can be made in any order.

use super::config::{DAY_US, HOUR_US};
use super::world::{Card, city_distance_km};
use crate::draws::{Draws, Stream};

/// Door-to-door: so many hours for the ways to and from, and this speed between.
const ON_THE_WAY_HOURS: f64 = 3.0;
const CRUISE_KMH: f64 = 700.0;
/// A customer leaves at most once in so many days, with this chance in a million.
const BLOCK_DAYS: i64 = 30;
const CHANCE_PER_MILLION: u32 = 220_000;
/// Nobody is on the way so near to the end of a block (or of the recording).
const MARGIN_US: i64 = 6 * HOUR_US;
const DISTANCE_KM_MIN: f64 = 150.0;

/// One trip; times are µs since the start of the recording.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trip {
    /// Leaves home: no payment from here on.
    pub(crate) depart_us: i64,
    /// Is there.
    pub(crate) arrive_us: i64,
    /// Leaves again: no payment from here on.
    pub(crate) leave_us: i64,
    /// Is at home again.
    pub(crate) back_us: i64,
    pub(crate) city: u16,
    /// Seed of the places visited.
    pub(crate) haunt: u32,
}

/// Where a customer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// In the home city.
    Home,
    /// On the way: pays nowhere.
    Travelling,
    /// In another city.
    Away {
        /// Which.
        city: u16,
        /// Seed of the places visited.
        haunt: u32,
    },
}

impl Trip {
    /// Where the customer is, for times in `depart_us..back_us`.
    pub(crate) fn whereabouts(&self, at_us: i64) -> Whereabouts {
        if (self.arrive_us..self.leave_us).contains(&at_us) {
            Whereabouts::Away { city: self.city, haunt: self.haunt }
        } else {
            Whereabouts::Travelling
        }
    }
}

/// Plans everyone's trips; each card gets the range of its own.
pub(crate) fn plan_trips(cards: &mut [Card], cities: usize, span_us: i64, seed: u64) -> Vec<Trip> {
    let mut draws = Draws::new(seed, Stream::Trips);
    let mut trips = Vec::new();
    let block_us = (BLOCK_DAYS * DAY_US).min(span_us);
    for card in cards {
        let first = trips.len() as u32;
        for block in 0..span_us / block_us {
            if draws.chance(CHANCE_PER_MILLION) {
                let from_us = block * block_us;
                trips.extend(plan_trip(card, cities, (from_us, from_us + block_us), &mut draws));
            }
        }
        card.trips = (first, trips.len() as u32 - first);
    }
    trips
}

/// A trip inside a block of time, where one fits.
fn plan_trip(card: &Card, cities: usize, block: (i64, i64), draws: &mut Draws) -> Option<Trip> {
    let city = draws.below(cities as u32) as u16;
    let stay_us = draws.range(DAY_US, 6 * DAY_US);
    let dawdle_hours = draws.between(0.0, 2.0);
    let (when, haunt) = (draws.between(0.0, 1.0), draws.bits());
    let km = city_distance_km(card.city, city);
    if km < DISTANCE_KM_MIN {
        return None;
    }
    let way_us = ((km / CRUISE_KMH + ON_THE_WAY_HOURS + dawdle_hours) * HOUR_US as f64) as i64;
    let room_us = block.1 - block.0 - MARGIN_US - 2 * way_us - stay_us;
    if room_us <= 0 {
        return None;
    }
    let depart_us = block.0 + (when * room_us as f64) as i64;
    let arrive_us = depart_us + way_us;
    let leave_us = arrive_us + stay_us;
    Some(Trip { depart_us, arrive_us, leave_us, back_us: leave_us + way_us, city, haunt })
}
