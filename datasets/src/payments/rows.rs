//! Rows, slice by slice: who pays when, then in order of time where and how much, then the
//! order in which the rows arrive.

use super::frauds::{
    COMPROMISED_CHANCE, LARGE_PER_MILLION, MULTIPLIED_CHANCE, Plan, Planned, kind, whole_cents,
};
use super::moments::{Slice, Slices};
use super::trips::Whereabouts;
use super::world::{NONE, RHYTHM, World};
use crate::draws::{Draws, Stream};

/// Rows arrive this much after their time, and a few in a million much later.
const JITTER_US: i64 = 2_000_000;
const STRAGGLER_US_MAX: i64 = 600_000_000;
/// Chance in a million that a customer pays again soon at the same place, and when.
const REPEAT_PER_MILLION: u32 = 20_000;
const REPEAT_US: (i64, i64) = (15_000_000, 240_000_000);
/// Chance in a million of a genuine big purchase, and its multiple of the card's median.
const BIG_PER_MILLION: u32 = 1_200;
const BIG_FACTOR: (f64, f64) = (3.0, 9.0);
/// Multiple of the card's median of a fraud of one large amount.
const LARGE_FACTOR: (f64, f64) = (8.0, 20.0);
/// Draws of a moment before the rhythm (and, after as many again, the row) is given up.
const TRIES: u32 = 256;

/// A row; times are µs since the start of the recording.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) ts_us: i64,
    arrival_us: i64,
    pub(crate) card: u32,
    pub(crate) terminal: u32,
    pub(crate) cents: u32,
    pub(crate) kind: u8,
}

/// A payment whose place and amount are not yet known; `planned` is an index, or [`NONE`].
#[derive(Debug, Clone, Copy)]
struct Candidate {
    ts_us: i64,
    card: u32,
    planned: u32,
}

/// Makes rows in order of arrival.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) world: World,
    plan: Plan,
    planned_next: usize,
    slices: Slices,
    /// Rows of earlier slices that found no moment.
    owed: u64,
    /// Time and terminal of each card's last genuine payment.
    last: Vec<(i64, u32)>,
    candidates: Vec<Candidate>,
    /// Made, but not yet arrived.
    pending: Vec<Row>,
    late_millionths: u32,
    moments: Draws,
    purchases: Draws,
    arrivals: Draws,
}

impl Rows {
    pub(crate) fn new(
        world: World,
        plan: Plan,
        slices: Slices,
        late_millionths: u32,
        seed: u64,
    ) -> Self {
        Self {
            last: vec![(0, NONE); world.cards.len()],
            world,
            plan,
            planned_next: 0,
            slices,
            owed: 0,
            candidates: Vec::new(),
            pending: Vec::new(),
            late_millionths,
            moments: Draws::new(seed, Stream::Moments),
            purchases: Draws::new(seed, Stream::Purchases),
            arrivals: Draws::new(seed, Stream::Arrivals),
        }
    }

    /// Appends the rows that arrive in the next slice to `out`; false after the last.
    pub(crate) fn next_slice(&mut self, out: &mut Vec<Row>) -> bool {
        let Some(slice) = self.slices.next() else { return false };
        self.candidates.clear();
        self.draw_customers(&slice);
        self.take_planned(slice.until_us);
        self.candidates.sort_by_key(|candidate| candidate.ts_us);
        for index in 0..self.candidates.len() {
            let row = self.make_row(self.candidates[index]);
            self.pending.push(row);
        }
        // Whatever is made later happens, and so arrives, after this slice.
        self.pending.sort_by_key(|row| row.arrival_us);
        let arrived = if slice.last {
            self.pending.len()
        } else {
            self.pending.partition_point(|row| row.arrival_us < slice.until_us)
        };
        out.extend(self.pending.drain(..arrived));
        true
    }

    /// Draws who pays when, by activity and daily rhythm.
    fn draw_customers(&mut self, slice: &Slice) {
        let mut left = slice.rows + self.owed;
        while left > 0 {
            let Some((ts_us, card)) = self.draw_moment(slice) else { break };
            self.candidates.push(Candidate { ts_us, card, planned: NONE });
            left -= 1;
            if left > 0 && self.moments.chance(REPEAT_PER_MILLION) {
                let again_us = ts_us + self.moments.range(REPEAT_US.0, REPEAT_US.1);
                let stays = self.world.whereabouts(card, again_us) != Whereabouts::Travelling;
                if again_us < slice.until_us && stays {
                    self.candidates.push(Candidate { ts_us: again_us, card, planned: NONE });
                    left -= 1;
                }
            }
        }
        debug_assert!(left == 0 || !slice.last, "nobody is on the way at the end");
        self.owed = left;
    }

    fn draw_moment(&mut self, slice: &Slice) -> Option<(i64, u32)> {
        let busiest = RHYTHM.iter().fold(1, |most, chance| most.max(*chance));
        for attempt in 0..2 * TRIES {
            let card = self.world.activity.draw(&mut self.moments);
            let ts_us = self.moments.range(slice.from_us, slice.until_us);
            let awake = self.moments.below(busiest) < self.world.rhythm(card, ts_us);
            let stays = self.world.whereabouts(card, ts_us) != Whereabouts::Travelling;
            if (awake || attempt >= TRIES) && stays {
                return Some((ts_us, card));
            }
        }
        None
    }

    fn take_planned(&mut self, until_us: i64) {
        while let Some(row) = self.plan.rows.get(self.planned_next)
            && row.at_us < until_us
        {
            let planned = self.planned_next as u32;
            self.candidates.push(Candidate { ts_us: row.at_us, card: row.card, planned });
            self.planned_next += 1;
        }
    }

    fn make_row(&mut self, candidate: Candidate) -> Row {
        let Candidate { ts_us, card, planned } = candidate;
        let arrival_us = ts_us
            + if self.arrivals.chance(self.late_millionths) {
                self.arrivals.range(JITTER_US, STRAGGLER_US_MAX)
            } else {
                self.arrivals.range(0, JITTER_US)
            };
        let planned = self.plan.rows.get(planned as usize).copied();
        if let Some(Planned { terminal, cents, kind, .. }) = planned
            && terminal != NONE
        {
            return Row { ts_us, arrival_us, card, terminal, cents, kind };
        }
        let last = self.last[card as usize];
        let terminal = self.world.choose_terminal(card, ts_us, last, &mut self.purchases);
        self.last[card as usize] = (ts_us, terminal);
        let kind = match planned {
            Some(planned) => planned.kind,
            None => self.choose_kind(ts_us, card, terminal),
        };
        let cents = self.choose_cents(card, kind, planned.is_none());
        Row { ts_us, arrival_us, card, terminal, cents, kind }
    }

    /// Whether a customer's payment is turned into a fraud, and of which kind.
    fn choose_kind(&mut self, ts_us: i64, card: u32, terminal: u32) -> u8 {
        let chance = self.purchases.below(1_000_000);
        let multiplied =
            self.plan.multiplied.get(self.world.cards[card as usize].multiplied as usize);
        let held = &self.world.terminals[terminal as usize];
        let compromised = (held.compromised_from_us..held.compromised_until_us).contains(&ts_us);
        match multiplied {
            Some(time) if (time.from_us..time.until_us).contains(&ts_us) => {
                if chance < MULTIPLIED_CHANCE { kind::MULTIPLIED_AMOUNT } else { kind::GENUINE }
            }
            _ if compromised => {
                if chance < COMPROMISED_CHANCE {
                    kind::COMPROMISED_TERMINAL
                } else {
                    kind::GENUINE
                }
            }
            _ if chance < LARGE_PER_MILLION => kind::LARGE_AMOUNT,
            _ => kind::GENUINE,
        }
    }

    fn choose_cents(&mut self, card: u32, kind: u8, may_be_big: bool) -> u32 {
        let big = self.purchases.chance(BIG_PER_MILLION) && may_be_big;
        let median = self.world.cards[card as usize].median_cents;
        let cents = match kind {
            kind::LARGE_AMOUNT => median * self.purchases.between(LARGE_FACTOR.0, LARGE_FACTOR.1),
            kind::GENUINE if big => median * self.purchases.between(BIG_FACTOR.0, BIG_FACTOR.1),
            kind::MULTIPLIED_AMOUNT => {
                let time = self.world.cards[card as usize].multiplied as usize;
                let factor = self.plan.multiplied[time].factor;
                factor * self.world.amount_cents(card, &mut self.purchases)
            }
            _ => self.world.amount_cents(card, &mut self.purchases),
        };
        whole_cents(cents)
    }
}
