//! How large a recording is and which one.

use crate::error::{Error, Result};

/// Start of every recording: 2026-01-01 00:00 UTC, a Thursday, in µs since the epoch.
pub const START_US: i64 = 1_767_225_600_000_000;

/// Shortest recording in whole days: frauds that last weeks, and labels that come a week late,
/// need room.
pub const DAYS_MIN: u32 = 60;

pub(crate) const DAY_S: u64 = 86_400;
pub(crate) const DAY_US: i64 = DAY_S as i64 * 1_000_000;
pub(crate) const HOUR_US: i64 = 3_600_000_000;

const DAYS_DEFAULT: u64 = 61;
const DAYS_MAX: u64 = 3_660;
const ROWS_MAX: u64 = 1_000_000_000_000;
const CARDS_MAX: u64 = 200_000_000;
const TERMINALS_MAX: u64 = 50_000_000;
const MILLION: u64 = 1_000_000;
const TOP_CARD_MAX: u64 = MILLION / 2;
const LATE_MILLIONTHS_DEFAULT: u32 = 500;
const CARDS_MIN_DEFAULT: u64 = 100;
const TERMINALS_MIN_DEFAULT: u64 = 60;

/// Which recording to make. The same configuration gives the same rows on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentsConfig {
    /// Number of rows, frauds included. Exact.
    pub rows: u64,
    /// Seed of every random draw.
    pub seed: u64,
    /// Number of cards; ids are `0..cards`. Default: one per 100 rows, at least 100.
    pub cards: Option<u64>,
    /// Number of terminals; ids are `0..terminals`. Default: one per 1,000 rows, at least 60.
    pub terminals: Option<u64>,
    /// Length in days, at least [`DAYS_MIN`]. Default: 61.
    pub days: Option<u32>,
    /// Length in seconds instead of days, for short dense recordings (to measure windows with):
    /// frauds that last for days are left out where they do not fit.
    pub span_seconds: Option<u64>,
    /// Share of the payments that the busiest card makes, in millionths, at most a half: then cards
    /// go by Zipf's law. Default: a log-normal spread, in which none stands out.
    pub top_card_millionths: Option<u32>,
    /// Payments in a million that arrive more than 2 s after their time, up to 10 minutes. Default:
    /// 500.
    pub late_millionths: Option<u32>,
}

impl PaymentsConfig {
    /// `rows` rows under `seed`, everything else by default.
    pub fn new(rows: u64, seed: u64) -> Self {
        Self {
            rows,
            seed,
            cards: None,
            terminals: None,
            days: None,
            span_seconds: None,
            top_card_millionths: None,
            late_millionths: None,
        }
    }

    /// The sizes that follow from this configuration.
    pub(crate) fn sizes(&self) -> Result<Sizes> {
        let cards = self.cards.unwrap_or((self.rows / 100).clamp(CARDS_MIN_DEFAULT, CARDS_MAX));
        let terminals = self
            .terminals
            .unwrap_or((self.rows / 1_000).clamp(TERMINALS_MIN_DEFAULT, TERMINALS_MAX));
        check("rows", self.rows, 0, ROWS_MAX)?;
        check("cards", cards, 1, CARDS_MAX)?;
        check("terminals", terminals, 1, TERMINALS_MAX)?;
        if let Some(millionths) = self.top_card_millionths {
            // No card of n can be the busiest with less than one n-th.
            let least = MILLION.div_ceil(cards).min(TOP_CARD_MAX);
            check("top_card_millionths", millionths.into(), least, TOP_CARD_MAX)?;
        }
        let late = self.late_millionths.unwrap_or(LATE_MILLIONTHS_DEFAULT);
        check("late_millionths", late.into(), 0, MILLION)?;
        Ok(Sizes {
            rows: self.rows,
            cards: cards as u32,
            terminals: terminals as u32,
            span_us: self.span_s()? as i64 * 1_000_000,
            top_card_share: self.top_card_millionths.map(|m| f64::from(m) / MILLION as f64),
            late_millionths: late,
        })
    }

    fn span_s(&self) -> Result<u64> {
        match (self.days, self.span_seconds) {
            (Some(_), Some(_)) => Err(Error::config(
                "span_seconds",
                "the length is given twice, in days and in seconds: leave one of them out",
            )),
            (None, Some(seconds)) => {
                check("span_seconds", seconds, 60, DAYS_MAX * DAY_S)?;
                Ok(seconds)
            }
            (Some(days), None) => {
                check("days", u64::from(days), u64::from(DAYS_MIN), DAYS_MAX)?;
                Ok(u64::from(days) * DAY_S)
            }
            (None, None) => Ok(DAYS_DEFAULT * DAY_S),
        }
    }
}

fn check(field: &'static str, value: u64, min: u64, max: u64) -> Result<()> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(Error::config(field, format!("{value} is not between {min} and {max}")))
}

/// A checked configuration with its defaults filled in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) rows: u64,
    pub(crate) cards: u32,
    pub(crate) terminals: u32,
    /// Times inside the generator are µs since the start, in `0..span_us`.
    pub(crate) span_us: i64,
    /// Of all payments, where cards go by Zipf's law.
    pub(crate) top_card_share: Option<f64>,
    /// Chance in a million of a row to arrive late.
    pub(crate) late_millionths: u32,
}
