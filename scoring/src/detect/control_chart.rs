//! Control charts: runs of values that are improbable together though none is alone (Western
//! Electric, *Statistical Quality Control Handbook*, 1956; Nelson, *The Shewhart control chart:
//! tests for special causes*, Journal of Quality Technology 16, 1984).
//!
//! | rule | what | Western Electric | Nelson |
//! |---|---|---|---|
//! | [`BEYOND_3`] | one value beyond 3σ | 1 | 1 |
//! | [`TWO_OF_THREE`] | 2 of 3 beyond 2σ on one side | 2 | 5 |
//! | [`FOUR_OF_FIVE`] | 4 of 5 beyond 1σ on one side | 3 | 6 |
//! | [`SIDE_8`] | 8 in a row on one side | 4 | |
//! | [`SIDE_9`] | 9 in a row on one side | | 2 |
//! | [`TREND_6`] | 6 in a row that rise, or fall | | 3 |
//! | [`ALTERNATE_14`] | 14 in a row that go up and down in turn | | 4 |
//! | [`INSIDE_15`] | 15 in a row within 1σ | | 7 |
//! | [`OUTSIDE_8`] | 8 in a row beyond 1σ, on either side | | 8 |
//!
//! Centre and σ are learned from the first `warm_up` values (phase I) and then held (phase II).
//! σ is the mean moving range over 1.128, as charts of single values have it: unlike the
//! deviation it is not widened by a drift. A key's history is bits: one shift a zone and value.
//!
//! The tail probability is that of the rarest rule that fired, under independent normal values.

use super::{Detector, Law, Score, is_usable};

/// One value beyond 3σ.
pub const BEYOND_3: u16 = 1;
/// Two of three values beyond 2σ on the same side.
pub const TWO_OF_THREE: u16 = 1 << 1;
/// Four of five values beyond 1σ on the same side.
pub const FOUR_OF_FIVE: u16 = 1 << 2;
/// Eight values in a row on one side.
pub const SIDE_8: u16 = 1 << 3;
/// Nine values in a row on one side.
pub const SIDE_9: u16 = 1 << 4;
/// Six values in a row, each above (or each below) the one before.
pub const TREND_6: u16 = 1 << 5;
/// Fourteen values in a row that alternate up and down.
pub const ALTERNATE_14: u16 = 1 << 6;
/// Fifteen values in a row within 1σ.
pub const INSIDE_15: u16 = 1 << 7;
/// Eight values in a row beyond 1σ, on either side.
pub const OUTSIDE_8: u16 = 1 << 8;
/// Western Electric's four rules.
pub const WESTERN_ELECTRIC: u16 = BEYOND_3 | TWO_OF_THREE | FOUR_OF_FIVE | SIDE_8;
/// Nelson's eight rules.
pub const NELSON: u16 = BEYOND_3
    | SIDE_9
    | TREND_6
    | ALTERNATE_14
    | TWO_OF_THREE
    | FOUR_OF_FIVE
    | INSIDE_15
    | OUTSIDE_8;

/// −ln of each rule's probability at one value, in the order of the bits: normal tails and
/// binomials with the newest value among those beyond, 2/6! for six in order, Euler's zigzag
/// numbers for alternation (2·199,360,981/14!).
const SURPRISE: [f64; 9] = [5.91, 6.19, 5.41, 4.85, 5.55, 5.89, 5.39, 5.73, 9.18];

/// The surprise of each set of rules: that of the rarest, and 0 of none. Which rules fire can't be
/// guessed, so that a loop over them would wait.
static SURPRISES: [f64; 1 << SURPRISE.len()] = {
    let mut surprises = [0.0; 1 << SURPRISE.len()];
    let mut fired = 1;
    while fired < surprises.len() {
        // The set without its first rule comes before it.
        let (own, rest) =
            (SURPRISE[fired.trailing_zeros() as usize], surprises[fired & (fired - 1)]);
        surprises[fired] = if own > rest { own } else { rest };
        fired += 1;
    }
    surprises
};

/// The method's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlChart {
    /// The rules that flag, as a set of the constants above.
    pub rules: u16,
    /// Values that centre and σ are learned from.
    pub warm_up: u32,
}

impl Default for ControlChart {
    /// Western Electric's rules after 100 values.
    fn default() -> Self {
        Self { rules: WESTERN_ELECTRIC, warm_up: 100 }
    }
}

/// What is remembered of a key: centre, σ and the last 16 values' zones as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct State {
    centre: f64,
    sigma: f64,
    previous: f64,
    /// Four histories of 16 bits, the newest value's lowest: above the centre, above 1σ, above 2σ,
    /// risen.
    above: u64,
    /// Likewise below, and fallen.
    below: u64,
    seen: u32,
}

/// The lowest bit of each history.
const NEWEST: u64 = 0x0001_0001_0001_0001;
/// Bit s: of 4 values with the marks s, at least 3 have one.
const THREE_OF_FOUR: u32 = 1 << 7 | 1 << 11 | 1 << 13 | 1 << 14 | 1 << 15;

/// The `history`-th of four.
#[inline(always)]
fn history(histories: u64, history: u32) -> u32 {
    (histories >> (16 * history)) as u16 as u32
}

/// `rule` where all bits of `mask` are set.
#[inline(always)]
fn run(bits: u32, mask: u32, rule: u16) -> u16 {
    if bits & mask == mask { rule } else { 0 }
}

impl State {
    fn learn(&mut self, value: f64) {
        let count = f64::from(self.seen);
        self.centre += (value - self.centre) / count;
        if self.seen > 1 {
            let range = (value - self.previous).abs() / 1.128;
            self.sigma += (range - self.sigma) / (count - 1.0);
        }
    }

    /// σ, at least nine powers of ten below the centre: rounding is no signal.
    #[inline]
    fn floored_sigma(&self) -> f64 {
        let floor = self.centre.abs() * 1e-9 + f64::MIN_POSITIVE;
        if self.sigma > floor { self.sigma } else { floor }
    }

    /// Shifts the zones of `value` into the histories; whether it is beyond 3σ.
    #[inline]
    fn shift(&mut self, value: f64) -> bool {
        let distance = value - self.centre;
        let sigma = self.floored_sigma();
        let marks = |on: [bool; 4]| {
            let [centre, one, two, moved] = on.map(u64::from);
            centre | one << 16 | two << 32 | moved << 48
        };
        let zones = |d: f64, moved: bool| marks([d > 0.0, d > sigma, d > 2.0 * sigma, moved]);
        let older = |histories: u64| histories << 1 & !NEWEST;
        self.above = older(self.above) | zones(distance, value > self.previous);
        self.below = older(self.below) | zones(-distance, value < self.previous);
        distance.abs() > 3.0 * sigma
    }

    /// The rules of one side: 2 of 3, 4 of 5, and runs on that side. No branch: what noise does
    /// next can't be guessed.
    #[inline(always)]
    fn fired_on(histories: u64) -> u16 {
        let (side, one, two) =
            (history(histories, 0), history(histories, 1), history(histories, 2));
        let two_of_three = two & 1 & (two >> 1 | two >> 2);
        let four_of_five = one & 1 & THREE_OF_FOUR >> (one >> 1 & 15);
        (two_of_three as u16 * TWO_OF_THREE)
            | (four_of_five as u16 * FOUR_OF_FIVE)
            | run(side, 0xFF, SIDE_8)
            | run(side, 0x1FF, SIDE_9)
            | run(history(histories, 3), 0x1F, TREND_6)
    }

    /// The rules of both sides together.
    #[inline(always)]
    fn fired_across(&self, judged: u32) -> u16 {
        let outside = history(self.above | self.below, 1);
        let (rises, falls) = (history(self.above, 3), history(self.below, 3));
        let alternate = (rises & 0x1555 == 0x1555 && falls & 0x0AAA == 0x0AAA)
            || (falls & 0x1555 == 0x1555 && rises & 0x0AAA == 0x0AAA);
        let inside = judged >= 15 && outside & 0x7FFF == 0;
        (u16::from(alternate) * ALTERNATE_14)
            | (u16::from(inside) * INSIDE_15)
            | run(outside, 0xFF, OUTSIDE_8)
    }
}

impl ControlChart {
    /// The rules fulfilled at `value`, as a set; 0 while warming up or where it is missing.
    #[inline]
    pub fn rules_fired(&self, state: &mut State, value: f64) -> u16 {
        if !is_usable(value) {
            return 0;
        }
        let learning = state.seen < self.warm_up.max(2);
        state.seen = state.seen.saturating_add(1);
        let fired = if learning {
            state.learn(value);
            0
        } else {
            let beyond = u16::from(state.shift(value)) * BEYOND_3;
            let mut fired = beyond | State::fired_on(state.above) | State::fired_on(state.below);
            if self.rules & (ALTERNATE_14 | INSIDE_15 | OUTSIDE_8) != 0 {
                fired |= state.fired_across(state.seen - self.warm_up.max(2));
            }
            fired & self.rules
        };
        state.previous = value;
        fired
    }
}

impl Detector for ControlChart {
    type State = State;

    fn state(&self) -> State {
        State::default()
    }

    #[inline]
    fn law(&self) -> Option<Law> {
        Some(Law::Exponential { rate: 1.0 })
    }

    #[inline]
    fn push(&self, state: &mut State, _time_us: i64, value: f64) -> Score {
        if !is_usable(value) {
            return Score::MISSING;
        }
        if state.seen < self.warm_up.max(2) {
            self.rules_fired(state, value);
            return Score::WARMING_UP;
        }
        let fired = self.rules_fired(state, value);
        let raw = SURPRISES[fired as usize % SURPRISES.len()];
        Score::new(raw, Law::Exponential { rate: 1.0 }, fired != 0)
    }
}
