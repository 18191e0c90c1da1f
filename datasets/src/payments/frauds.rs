//! The plan of the frauds, made before the first row.
//!
//! Rows of three kinds are *added* to the customers' own payments: card testing, impossible
//! travel (with the genuine payment that it is impossible against), and the more frequent
//! payments of a multiplied card. They are planned one by one, so that the number of rows is
//! exact. The others *turn* payments that happen anyway: at a compromised terminal, of a
//! multiplied card, and single large amounts. The targets below are shares of all rows; a kind
//! that doesn't fit a small or short recording is left out.

use super::config::{DAY_US, HOUR_US, Sizes};
use super::trips::Whereabouts;
use super::world::{NONE, RHYTHM, Shares, World, city_distance_km, country_table};
use crate::draws::{Draws, Stream};

/// Names of the kinds of fraud in the column `fraud_kind`.
pub const FRAUD_KINDS: [&str; 5] = [
    "large_amount",
    "compromised_terminal",
    "multiplied_amount",
    "impossible_travel",
    "card_testing",
];

/// Index of each kind in [`FRAUD_KINDS`], and of no fraud.
pub(crate) mod kind {
    pub(crate) const LARGE_AMOUNT: u8 = 0;
    pub(crate) const COMPROMISED_TERMINAL: u8 = 1;
    pub(crate) const MULTIPLIED_AMOUNT: u8 = 2;
    pub(crate) const IMPOSSIBLE_TRAVEL: u8 = 3;
    pub(crate) const CARD_TESTING: u8 = 4;
    pub(crate) const GENUINE: u8 = u8::MAX;
}

/// Rows of each kind that are aimed at, in a million rows.
pub(crate) const LARGE_PER_MILLION: u32 = 1_250;
const COMPROMISED_PER_MILLION: u64 = 3_000;
const MULTIPLIED_PER_MILLION: u64 = 2_500;
const TRAVEL_PER_MILLION: u64 = 1_300;
const TESTING_PER_MILLION: u64 = 2_000;

/// Chance in a million that a payment at a compromised terminal is a fraud.
pub(crate) const COMPROMISED_CHANCE: u32 = 900_000;
/// Chance in a million that a payment of a multiplied card is the fraudster's (the customer
/// goes on paying now and then), and how many more payments there are than without him.
pub(crate) const MULTIPLIED_CHANCE: u32 = 700_000;
const MULTIPLIED_EXTRA: f64 = 0.35;

const COMPROMISED_DAYS: (i64, i64) = (24, 35);
const MULTIPLIED_DAYS: (i64, i64) = (10, 16);
/// Frauds that last for days leave customers this long to show their habits, if there is room.
const QUIET_DAYS: i64 = 7;
const MULTIPLIED_FACTOR: (f64, f64) = (4.0, 8.0);
const TRAVEL_ROWS_MAX: u32 = 3;
/// Between city centres; terminals lie up to 20 km off on each side.
const TRAVEL_KM_MIN: f64 = 2_100.0;
/// From the genuine payment to the first fraud, and from each fraud to the next: all of them
/// lie within an hour of the genuine payment.
const TRAVEL_FIRST_US: (i64, i64) = (5 * MINUTE_US, 35 * MINUTE_US);
const TRAVEL_NEXT_US: (i64, i64) = (2 * MINUTE_US, 12 * MINUTE_US);
const TESTING_ROWS: (u32, u32) = (12, 30);
const TESTING_US: i64 = 10 * MINUTE_US;
const TESTING_CENTS: (u32, u32) = (50, 300);
const MINUTE_US: i64 = 60_000_000;
const TRIES: u32 = 64;

/// A row that is added to the customers' own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) at_us: i64,
    pub(crate) card: u32,
    /// [`NONE`]: wherever the customer is.
    pub(crate) terminal: u32,
    /// 0: an ordinary amount of the card (multiplied where the kind says so).
    pub(crate) cents: u32,
    pub(crate) kind: u8,
}

/// A time in which a card's amounts are multiplied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Multiplied {
    pub(crate) from_us: i64,
    pub(crate) until_us: i64,
    pub(crate) factor: f64,
}

/// All that is known of the frauds before the rows are made (compromised terminals and the
/// cards' index into `multiplied` are written into the world).
#[derive(Debug)]
pub(crate) struct Plan {
    /// By time.
    pub(crate) rows: Vec<Planned>,
    pub(crate) multiplied: Vec<Multiplied>,
}

/// Plans the frauds of a recording.
pub(crate) fn plan_frauds(sizes: &Sizes, world: &mut World, shares: &Shares, seed: u64) -> Plan {
    let planner = Planner {
        sizes,
        shares,
        world,
        draws: Draws::new(seed, Stream::Frauds),
        plan: Plan { rows: Vec::new(), multiplied: Vec::new() },
    };
    planner.plan()
}

struct Planner<'a> {
    sizes: &'a Sizes,
    shares: &'a Shares,
    world: &'a mut World,
    draws: Draws,
    plan: Plan,
}

impl Planner<'_> {
    fn plan(mut self) -> Plan {
        self.compromise_terminals();
        self.multiply_amounts();
        self.travel_impossibly();
        self.test_cards();
        self.plan.rows.sort_by_key(|row| row.at_us);
        // Cannot happen with the targets above; the number of rows must hold whatever they are.
        self.plan.rows.truncate(usize::try_from(self.sizes.rows).unwrap_or(usize::MAX));
        self.plan
    }

    /// Rows of a kind that are aimed at.
    fn target(&self, per_million: u64) -> u64 {
        (u128::from(self.sizes.rows) * u128::from(per_million) / 1_000_000) as u64
    }

    /// A time of `length_us` inside the recording, away from its start if there is room.
    fn period(&mut self, days: (i64, i64)) -> Option<(i64, i64)> {
        let length_us = self.draws.range(days.0 * DAY_US, days.1 * DAY_US);
        let room_us = self.sizes.span_us - length_us;
        let quiet_us = (QUIET_DAYS * DAY_US).min(room_us / 4);
        let from_us = self.draws.range(quiet_us, room_us - room_us / 50);
        (room_us > 0).then_some((from_us, from_us + length_us))
    }

    /// How many of all rows fall to a card or terminal with this share, in this period.
    fn expected_rows(&self, share: f64, period: (i64, i64)) -> f64 {
        let part = (period.1 - period.0) as f64 / self.sizes.span_us as f64;
        share * part * self.sizes.rows as f64
    }

    /// Terminals of at least half the usual volume, until their expected frauds suffice.
    fn compromise_terminals(&mut self) {
        let target = self.target(COMPROMISED_PER_MILLION) as f64;
        let count = self.world.terminals.len() as u32;
        let share_min = 0.5 / f64::from(count);
        let mut planned = 0.0;
        for attempt in 0..count.saturating_mul(2).max(TRIES) {
            let Some(period) = self.period(COMPROMISED_DAYS) else { return };
            let index = self.draws.below(count) as usize;
            let share = self.shares.terminal[index];
            let rows = self.expected_rows(share, period) * 0.9;
            // Few large terminals: rather too many frauds of this kind than none.
            let none_fits = planned == 0.0 && attempt > count && target >= 100.0;
            let room = if none_fits { target * 5.0 } else { (target - planned) * 1.4 };
            let terminal = &mut self.world.terminals[index];
            let free = terminal.compromised_until_us == 0;
            if free && share >= share_min && rows <= room {
                (terminal.compromised_from_us, terminal.compromised_until_us) = period;
                planned += rows;
            }
            if planned >= target {
                return;
            }
        }
    }

    fn multiply_amounts(&mut self) {
        let target = self.target(MULTIPLIED_PER_MILLION) as f64;
        let per_row = f64::from(MULTIPLIED_CHANCE) / 1e6 + MULTIPLIED_EXTRA;
        let mut planned = 0.0;
        for _ in 0..target as u64 + u64::from(TRIES) {
            let Some(period) = self.period(MULTIPLIED_DAYS) else { return };
            let card = self.world.activity.draw(&mut self.draws);
            let factor = self.draws.between(MULTIPLIED_FACTOR.0, MULTIPLIED_FACTOR.1);
            let usual = self.expected_rows(self.shares.card[card as usize], period);
            let free = self.world.cards[card as usize].multiplied == NONE;
            if !free || usual * per_row > (target - planned) * 2.0 {
                continue;
            }
            self.world.cards[card as usize].multiplied = self.plan.multiplied.len() as u32;
            let (from_us, until_us) = period;
            self.plan.multiplied.push(Multiplied { from_us, until_us, factor });
            let extra = (usual * MULTIPLIED_EXTRA + self.draws.between(0.0, 1.0)) as u32;
            for _ in 0..extra {
                if let Some(at_us) = self.moment(card, period, 0) {
                    self.add(at_us, card, NONE, 0, kind::MULTIPLIED_AMOUNT);
                }
            }
            planned += usual * per_row;
            if planned >= target {
                return;
            }
        }
    }

    fn travel_impossibly(&mut self) {
        let target = self.target(TRAVEL_PER_MILLION);
        if self.sizes.span_us <= 2 * HOUR_US {
            return;
        }
        let (_, countries) = country_table();
        let mut planned = 0;
        for _ in 0..target * 2 {
            if planned >= target {
                return;
            }
            let rows = u64::from(1 + self.draws.below(TRAVEL_ROWS_MAX)).min(target - planned);
            let card = self.world.activity.draw(&mut self.draws);
            let whole = (0, self.sizes.span_us - HOUR_US);
            let Some(anchor_us) = self.moment(card, whole, HOUR_US) else { continue };
            let here = match self.world.whereabouts(card, anchor_us) {
                Whereabouts::Away { city, .. } => city,
                _ => self.world.cards[card as usize].city,
            };
            let Some(there) = self.far_city(here, &countries) else { continue };
            // The genuine payment that makes the next one impossible.
            self.add(anchor_us, card, NONE, 0, kind::GENUINE);
            let mut at_us = anchor_us + self.draws.range(TRAVEL_FIRST_US.0, TRAVEL_FIRST_US.1);
            let mut terminal = self.world.any_terminal(there, &mut self.draws);
            for _ in 0..rows {
                let usual = self.world.amount_cents(card, &mut self.draws);
                let cents = usual * self.draws.between(0.8, 2.5);
                self.add(at_us, card, terminal, whole_cents(cents), kind::IMPOSSIBLE_TRAVEL);
                at_us += self.draws.range(TRAVEL_NEXT_US.0, TRAVEL_NEXT_US.1);
                if self.draws.chance(500_000) {
                    terminal = self.world.any_terminal(there, &mut self.draws);
                }
            }
            planned += rows;
        }
    }

    /// A city in another country, too far away to be reached.
    fn far_city(&mut self, here: u16, countries: &[i32]) -> Option<u16> {
        (0..TRIES).map(|_| self.draws.below(self.world.city_count()) as u16).find(|&there| {
            countries[usize::from(there)] != countries[usize::from(here)]
                && city_distance_km(here, there) >= TRAVEL_KM_MIN
        })
    }

    fn test_cards(&mut self) {
        let target = self.target(TESTING_PER_MILLION);
        let mut planned = 0;
        for _ in 0..target * 2 {
            let left = target - planned;
            if left < u64::from(TESTING_ROWS.0) || self.sizes.span_us <= TESTING_US {
                return;
            }
            let spread = TESTING_ROWS.1 - TESTING_ROWS.0 + 1;
            let rows = u64::from(TESTING_ROWS.0 + self.draws.below(spread)).min(left);
            let card = self.world.activity.draw(&mut self.draws);
            // Machines test cards at any hour.
            let start_us = self.draws.range(0, self.sizes.span_us - TESTING_US);
            let at_home = |at_us| self.world.whereabouts(card, at_us) == Whereabouts::Home;
            if !at_home(start_us) || !at_home(start_us + TESTING_US) {
                continue;
            }
            let [first, second, ..] = self.world.cards[card as usize].favourites;
            let second_share = self.draws.below(2) * 300_000;
            for _ in 0..rows {
                let at_us = self.draws.range(start_us, start_us + TESTING_US);
                let terminal = if self.draws.chance(second_share) { second } else { first };
                let cents =
                    TESTING_CENTS.0 + self.draws.below(TESTING_CENTS.1 - TESTING_CENTS.0 + 1);
                self.add(at_us, card, terminal, cents, kind::CARD_TESTING);
            }
            planned += rows;
        }
    }

    /// A time at which `card` may pay: after its daily rhythm, and not on the way at it or
    /// `then_us` later.
    fn moment(&mut self, card: u32, period: (i64, i64), then_us: i64) -> Option<i64> {
        let busiest = RHYTHM.iter().fold(1, |most, chance| most.max(*chance));
        for _ in 0..TRIES {
            let at_us = self.draws.range(period.0, period.1);
            let awake = self.draws.below(busiest) < self.world.rhythm(card, at_us);
            let place = self.world.whereabouts(card, at_us);
            let stays = place == self.world.whereabouts(card, at_us + then_us);
            if awake && stays && place != Whereabouts::Travelling {
                return Some(at_us);
            }
        }
        None
    }

    fn add(&mut self, at_us: i64, card: u32, terminal: u32, cents: u32, kind: u8) {
        self.plan.rows.push(Planned { at_us, card, terminal, cents, kind });
    }
}

/// Cents as an integer, at least one.
pub(crate) fn whole_cents(cents: f64) -> u32 {
    cents.round().clamp(1.0, 1e9) as u32
}
