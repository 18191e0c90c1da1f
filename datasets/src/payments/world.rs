//! Who pays and where: terminals around cities, and customers with a home, favourite
//! terminals, a spending profile and a daily rhythm. Made once from the seed, then only read.

use super::alias::Alias;
use super::cities::{CITIES, countries};
use super::config::{HOUR_US, Sizes};
use super::skew::by_zipf;
use super::trips::{Trip, Whereabouts, plan_trips};
use crate::draws::{Draws, Stream};
use crate::geo::distance_km;

/// Favourite terminals of a customer; the same terminal may fill several places.
pub(crate) const FAVOURITES: usize = 5;
/// Share of a customer's payments at home that each favourite gets, in 1/1000; the rest goes
/// to any terminal of the city.
const FAVOURITE_SHARES: [u32; FAVOURITES] = [320, 230, 160, 110, 80];
/// How many terminals a customer looks at before taking the nearest as a favourite.
const FAVOURITE_CANDIDATES: usize = 4;
/// Standard deviation and largest distance (of each axis) of places around a city's centre.
const SCATTER_KM: f64 = 5.0;
const SCATTER_KM_MAX: f64 = 14.0;
const KM_PER_DEGREE: f64 = 111.195;
/// Terminals that a city should have before another city is opened.
const TERMINALS_PER_CITY: u32 = 4;
/// Spread of customers' activity: log-normal, cut off at this multiple of the median.
const ACTIVITY_SIGMA: f64 = 0.7;
const ACTIVITY_MAX: f64 = 8.0;
/// Median over customers of the median payment, in cents, its spread and bounds.
const MEDIAN_CENTS: f64 = 2_800.0;
const MEDIAN_SIGMA: f64 = 0.6;
const MEDIAN_CENTS_RANGE: (f64, f64) = (600.0, 40_000.0);
/// Range over customers of the log-normal spread of their payments.
const SPREAD: (f64, f64) = (0.28, 0.46);
/// Two payments of a customer in one city are never faster apart than this.
const TOWN_SPEED_KMH: f64 = 40.0;

/// Chance of a payment in each hour of a customer's day, relative to the busiest (1000).
pub(crate) const RHYTHM: [u32; 24] = [
    60, 30, 20, 15, 15, 30, 90, 250, 450, 550, 650, 800, 1000, 900, 700, 650, 700, 850, 1000, 950,
    700, 450, 250, 120,
];

/// Where payments are made.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    /// Degrees times 10⁵, so that the five decimals of text are exact.
    pub(crate) lat_e5: i32,
    pub(crate) lon_e5: i32,
    pub(crate) city: u16,
    /// The time in which a fraudster holds the terminal; empty for most.
    pub(crate) compromised_from_us: i64,
    pub(crate) compromised_until_us: i64,
}

impl Terminal {
    /// Latitude and longitude in degrees.
    pub(crate) fn place(&self) -> (f64, f64) {
        (f64::from(self.lat_e5) / 1e5, f64::from(self.lon_e5) / 1e5)
    }
}

/// Who pays.
#[derive(Debug, Clone)]
pub(crate) struct Card {
    pub(crate) median_cents: f64,
    pub(crate) spread: f64,
    pub(crate) favourites: [u32; FAVOURITES],
    /// Index of the first trip and number of trips, in [`World::trips`].
    pub(crate) trips: (u32, u32),
    /// Index of the time in which the card's amounts are multiplied, or [`NONE`].
    pub(crate) multiplied: u32,
    pub(crate) city: u16,
    /// Hours to add to UTC to get the hour of the customer's day.
    pub(crate) phase: u8,
}

/// No index.
pub(crate) const NONE: u32 = u32::MAX;

/// Terminals of one city: ids `first..first + count`.
#[derive(Debug, Clone, Copy)]
struct CityTerminals {
    first: u32,
    count: u32,
    cos_lat: f64,
}

/// Everything that does not change while rows are made.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) terminals: Vec<Terminal>,
    pub(crate) cards: Vec<Card>,
    pub(crate) trips: Vec<Trip>,
    /// Draws a card in proportion to its activity.
    pub(crate) activity: Alias,
    cities: Vec<CityTerminals>,
}

/// Share of all payments that is expected of each card and at each terminal; needed only to
/// plan frauds.
#[derive(Debug)]
pub(crate) struct Shares {
    pub(crate) card: Vec<f64>,
    pub(crate) terminal: Vec<f64>,
    /// Share of payments by hour of the day, UTC.
    pub(crate) hour: [f64; 24],
}

impl World {
    /// The world of `seed` at these sizes.
    pub(crate) fn new(sizes: &Sizes, seed: u64) -> (Self, Shares) {
        let (cities, terminals) = place_terminals(sizes.terminals, seed);
        let mut draws = Draws::new(seed, Stream::Cards);
        let homes: Vec<f64> = weights(&cities).map(f64::from).collect();
        let homes = Alias::new(&homes);
        let mut activity = Vec::with_capacity(sizes.cards as usize);
        let mut cards = Vec::with_capacity(sizes.cards as usize);
        for _ in 0..sizes.cards {
            let weight = libm::exp(ACTIVITY_SIGMA * draws.normal()).min(ACTIVITY_MAX);
            activity.push(weight);
            let city = homes.draw(&mut draws) as u16;
            cards.push(new_card(city, &cities[usize::from(city)], &terminals, &mut draws));
        }
        if let Some(share) = sizes.top_card_share {
            let awake = std::array::from_fn(|phase| awake_share(phase, sizes.span_us));
            let awake: [f64; 24] = awake;
            by_zipf(&mut activity, share, |card| awake[usize::from(cards[card].phase)]);
        }
        let trips = plan_trips(&mut cards, cities.len(), sizes.span_us, seed);
        let shares = shares(&activity, &cards, &cities, terminals.len());
        let activity = Alias::new(&activity);
        (Self { terminals, cards, trips, activity, cities }, shares)
    }

    /// Number of cities that have terminals.
    pub(crate) fn city_count(&self) -> u32 {
        self.cities.len() as u32
    }

    /// Any terminal of `city`.
    pub(crate) fn any_terminal(&self, city: u16, draws: &mut Draws) -> u32 {
        let CityTerminals { first, count, .. } = self.cities[usize::from(city)];
        first + draws.below(count)
    }

    /// Where the holder of `card` is at a time.
    #[inline]
    pub(crate) fn whereabouts(&self, card: u32, at_us: i64) -> Whereabouts {
        let (first, count) = self.cards[card as usize].trips;
        let trips = &self.trips[first as usize..(first + count) as usize];
        trips
            .iter()
            .find(|trip| trip.depart_us <= at_us && at_us < trip.back_us)
            .map_or(Whereabouts::Home, |trip| trip.whereabouts(at_us))
    }

    /// Chance in 1/1000 that a payment of `card` happens at this time of the day.
    #[inline]
    pub(crate) fn rhythm(&self, card: u32, at_us: i64) -> u32 {
        let hour = (at_us / HOUR_US) as u32 + u32::from(self.cards[card as usize].phase);
        RHYTHM[(hour % 24) as usize]
    }

    /// Where the holder of `card` pays next, having last paid at `last` (time, terminal). A
    /// holder on the way pays nowhere; callers don't ask then.
    #[inline]
    pub(crate) fn choose_terminal(
        &self,
        card: u32,
        at_us: i64,
        last: (i64, u32),
        draws: &mut Draws,
    ) -> u32 {
        let profile = &self.cards[card as usize];
        let (pick, any) = (draws.below(1_000), draws.bits());
        let terminal = match self.whereabouts(card, at_us) {
            Whereabouts::Home | Whereabouts::Travelling => self.at_home(profile, pick, any),
            Whereabouts::Away { city, haunt } => {
                let CityTerminals { first, count, .. } = self.cities[usize::from(city)];
                // A visitor goes to a handful of places: around the hotel, mostly.
                first + haunt.wrapping_add(pick % 4 * 0x9E37) % count
            }
        };
        if self.too_fast(last, (at_us, terminal)) { last.1 } else { terminal }
    }

    fn at_home(&self, profile: &Card, mut pick: u32, any: u32) -> u32 {
        for (terminal, share) in profile.favourites.iter().zip(FAVOURITE_SHARES) {
            if pick < share {
                return *terminal;
            }
            pick -= share;
        }
        let CityTerminals { first, count, .. } = self.cities[usize::from(profile.city)];
        first + ((u64::from(any) * u64::from(count)) >> 32) as u32
    }

    /// Whether nobody gets from `last` to `next`, two terminals of one city, in the time.
    /// Between cities the hours on the way see to that.
    #[inline]
    fn too_fast(&self, last: (i64, u32), next: (i64, u32)) -> bool {
        if last.1 == NONE || last.1 == next.1 {
            return false;
        }
        let (a, b) = (&self.terminals[last.1 as usize], &self.terminals[next.1 as usize]);
        if a.city != b.city {
            return false;
        }
        let scale = KM_PER_DEGREE / 1e5;
        let north_km = f64::from(a.lat_e5 - b.lat_e5) * scale;
        let east_km =
            f64::from(a.lon_e5 - b.lon_e5) * scale * self.cities[usize::from(a.city)].cos_lat;
        let reach_km = (next.0 - last.0) as f64 / HOUR_US as f64 * TOWN_SPEED_KMH;
        north_km * north_km + east_km * east_km > reach_km * reach_km
    }

    /// An ordinary amount of `card`, in cents.
    #[inline]
    pub(crate) fn amount_cents(&self, card: u32, draws: &mut Draws) -> f64 {
        let profile = &self.cards[card as usize];
        profile.median_cents * libm::exp(profile.spread * draws.normal())
    }
}

/// Opens as many cities as the terminals suffice for, gives each its share (at least one) and
/// scatters them around the centre.
fn place_terminals(count: u32, seed: u64) -> (Vec<CityTerminals>, Vec<Terminal>) {
    let open = (count / TERMINALS_PER_CITY).clamp(1, CITIES.len() as u32) as usize;
    let total: u64 = CITIES[..open].iter().map(|city| u64::from(city.weight)).sum();
    let spare = u64::from(count) - open as u64;
    let mut draws = Draws::new(seed, Stream::Terminals);
    let mut cities = Vec::with_capacity(open);
    let mut terminals = Vec::with_capacity(count as usize);
    let mut weight_so_far = 0u64;
    for (index, city) in CITIES[..open].iter().enumerate() {
        weight_so_far += u64::from(city.weight);
        let first = terminals.len() as u32;
        let until = (index + 1) as u64 + spare * weight_so_far / total;
        let cos_lat = libm::cos(city.lat.to_radians());
        for _ in u64::from(first)..until {
            let (north_km, east_km) = (scatter_km(&mut draws), scatter_km(&mut draws));
            terminals.push(Terminal {
                lat_e5: to_e5(city.lat + north_km / KM_PER_DEGREE),
                lon_e5: to_e5(city.lon + east_km / (KM_PER_DEGREE * cos_lat)),
                city: index as u16,
                compromised_from_us: 0,
                compromised_until_us: 0,
            });
        }
        cities.push(CityTerminals { first, count: terminals.len() as u32 - first, cos_lat });
    }
    (cities, terminals)
}

fn scatter_km(draws: &mut Draws) -> f64 {
    (draws.normal() * SCATTER_KM).clamp(-SCATTER_KM_MAX, SCATTER_KM_MAX)
}

fn to_e5(degrees: f64) -> i32 {
    (degrees * 1e5).round() as i32
}

fn weights(cities: &[CityTerminals]) -> impl Iterator<Item = u32> {
    CITIES[..cities.len()].iter().map(|city| city.weight)
}

fn new_card(city: u16, at: &CityTerminals, terminals: &[Terminal], draws: &mut Draws) -> Card {
    let home = (scatter_km(draws), scatter_km(draws));
    let centre = &CITIES[usize::from(city)];
    let home =
        (centre.lat + home.0 / KM_PER_DEGREE, centre.lon + home.1 / (KM_PER_DEGREE * at.cos_lat));
    let from_home = |terminal: u32| {
        let (lat, lon) = terminals[terminal as usize].place();
        let (north, east) = (lat - home.0, (lon - home.1) * at.cos_lat);
        north * north + east * east
    };
    let mut favourites = [0; FAVOURITES];
    for favourite in &mut favourites {
        let candidates: [u32; FAVOURITE_CANDIDATES] =
            std::array::from_fn(|_| at.first + draws.below(at.count));
        let nearer =
            |best: u32, next: u32| if from_home(next) < from_home(best) { next } else { best };
        *favourite = candidates[1..].iter().fold(candidates[0], |best, next| nearer(best, *next));
    }
    let median = MEDIAN_CENTS * libm::exp(MEDIAN_SIGMA * draws.normal());
    // The sun's time at home, plus early birds and night owls.
    let zone = (centre.lon / 15.0).round() as i32;
    let habit = draws.below(5) as i32 - 2;
    Card {
        median_cents: median.clamp(MEDIAN_CENTS_RANGE.0, MEDIAN_CENTS_RANGE.1),
        spread: draws.between(SPREAD.0, SPREAD.1),
        favourites,
        trips: (0, 0),
        multiplied: NONE,
        city,
        phase: (zone + habit).rem_euclid(24) as u8,
    }
}

/// Chance that a customer of this phase pays at a moment of a recording of this length.
fn awake_share(phase: usize, span_us: i64) -> f64 {
    let hours = (span_us + HOUR_US - 1) / HOUR_US;
    let chance = |hour: i64| {
        let length_us = (span_us - hour * HOUR_US).min(HOUR_US);
        length_us as f64 * f64::from(RHYTHM[(hour as usize + phase) % 24])
    };
    // Whole days are alike.
    let days = hours / 24;
    let day = if days > 0 { (0..24).map(chance).sum::<f64>() } else { 0.0 };
    let rest: f64 = (days * 24..hours).map(chance).sum();
    (day * days as f64 + rest) / (span_us as f64 * 1_000.0)
}

/// What share of all payments each card, terminal and hour is expected to have.
fn shares(activity: &[f64], cards: &[Card], cities: &[CityTerminals], terminals: usize) -> Shares {
    let total: f64 = activity.iter().sum();
    let card: Vec<f64> = activity.iter().map(|weight| weight / total).collect();
    let mut terminal = vec![0.0; terminals];
    let mut anywhere = vec![0.0; cities.len()];
    let mut by_phase = [0.0; 24];
    for (profile, share) in cards.iter().zip(&card) {
        let mut rest = 1_000;
        for (favourite, part) in profile.favourites.iter().zip(FAVOURITE_SHARES) {
            terminal[*favourite as usize] += share * f64::from(part) / 1_000.0;
            rest -= part;
        }
        anywhere[usize::from(profile.city)] += share * f64::from(rest) / 1_000.0;
        by_phase[usize::from(profile.phase)] += share;
    }
    for (city, share) in cities.iter().zip(&anywhere) {
        for slot in &mut terminal[city.first as usize..(city.first + city.count) as usize] {
            *slot += share / f64::from(city.count);
        }
    }
    let rhythm_total = f64::from(RHYTHM.iter().sum::<u32>());
    let hour = std::array::from_fn(|hour| {
        let at = |(phase, share): (usize, &f64)| share * f64::from(RHYTHM[(hour + phase) % 24]);
        by_phase.iter().enumerate().map(at).sum::<f64>() / rhythm_total
    });
    Shares { card, terminal, hour }
}

/// Distance in km between the centres of two cities.
pub(crate) fn city_distance_km(a: u16, b: u16) -> f64 {
    let (a, b) = (&CITIES[usize::from(a)], &CITIES[usize::from(b)]);
    distance_km((a.lat, a.lon), (b.lat, b.lon))
}

/// Index of the country of each city, and the countries.
pub(crate) fn country_table() -> (Vec<&'static str>, Vec<i32>) {
    countries()
}
