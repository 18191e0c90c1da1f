//! Incidents of keys: which rows belong together, and which of them raises the alert.

use super::budget::Budget;
use super::plan::{AlertPolicy, Group};
use crate::error::Result;
use arrow::datatypes::TimeUnit;

/// How near rows of a key must be to be of one incident, in units.
#[derive(Debug, Clone, Copy)]
enum Near {
    Rows(u64),
    Time(i64),
}

/// What is remembered of a key.
#[derive(Debug, Clone, Copy, Default)]
struct KeyState {
    /// Rows seen.
    rows: u64,
    incident: Option<Open>,
    /// When it last alerted.
    alerted: Option<i64>,
    /// The block whose maximum is being taken: its number, and the maximum.
    block: i64,
    maximum: Option<f64>,
}

/// An open incident.
#[derive(Debug, Clone, Copy)]
struct Open {
    number: u64,
    /// Its last row, as a number among the key's, and that row's time.
    row: u64,
    time: i64,
    alerted: bool,
}

/// What is decided about a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decision {
    /// The row raises the alert of its incident.
    pub alert: bool,
    /// The incident that it belongs to.
    pub incident: Option<u64>,
}

/// A policy at work: the incidents of all keys.
#[derive(Debug)]
pub struct Alerts {
    // Set once.
    level: Option<f64>,
    low: Option<f64>,
    near: Near,
    cooldown: Option<i64>,
    // Changes.
    budget: Option<Budget>,
    keys: Vec<KeyState>,
    incidents: u64,
}

impl Alerts {
    /// No row yet.
    ///
    /// # Errors
    /// When the policy is none (a low level above the level), or a span is no whole number of
    /// units.
    pub fn new(policy: &AlertPolicy, unit: TimeUnit) -> Result<Self> {
        policy.validate()?;
        let units = |span: crate::time::Span| span.to_units(unit);
        let budget = match policy.budget {
            Some((alerts, period)) => Some(Budget::new(alerts as usize, units(period)?)),
            None => None,
        };
        Ok(Self {
            level: policy.level,
            low: policy.low,
            near: match policy.group {
                Group::Rows(rows) => Near::Rows(rows),
                Group::Time(span) => Near::Time(units(span)?),
            },
            cooldown: policy.cooldown.map(units).transpose()?,
            budget,
            keys: Vec::new(),
            incidents: 0,
        })
    }

    /// Decides about a row of the key with dense id `key`, in the order in which rows come.
    /// `score`: `None` where there was no observation.
    pub fn push(&mut self, key: u32, time: i64, score: Option<f64>, flag: bool) -> Decision {
        let key = key as usize;
        if key >= self.keys.len() {
            self.keys.resize(key + 1, KeyState::default());
        }
        if let Some(budget) = &mut self.budget {
            budget.advance(time);
        }
        let decision = self.decide(key, time, score, flag);
        self.sample(key, time, score);
        self.keys[key].rows += 1;
        decision
    }

    fn decide(&mut self, key: usize, time: i64, score: Option<f64>, flag: bool) -> Decision {
        let state = &mut self.keys[key];
        let at_least = |limit: f64| score.is_some_and(|score| score >= limit);
        let passes = self.budget.as_ref().is_none_or(|budget| {
            // A flag without a score (a signal that is missing) has no rank: it passes.
            score.is_none_or(|score| budget.passes(score))
        });
        let strange = self.level.map_or(flag, at_least);
        let over = strange && passes;
        let holds = strange || self.low.is_some_and(at_least);
        let near = |open: &Open| match self.near {
            Near::Rows(rows) => state.rows - open.row <= rows,
            Near::Time(gap) => time.saturating_sub(open.time) < gap,
        };
        state.incident = state.incident.filter(near);
        if !holds || (state.incident.is_none() && !over) {
            return Decision::default();
        }
        let rows = state.rows;
        let open = state.incident.get_or_insert_with(|| {
            self.incidents += 1;
            Open { number: self.incidents, row: rows, time, alerted: false }
        });
        (open.row, open.time) = (rows, open.time.max(time));
        let rested = match (self.cooldown, state.alerted) {
            (Some(cooldown), Some(last)) => time.saturating_sub(last) >= cooldown,
            _ => true,
        };
        let wants = over && !open.alerted && rested;
        let alert = wants && self.budget.as_mut().is_none_or(|budget| budget.spend(time));
        if alert {
            open.alerted = true;
            state.alerted = Some(time);
        }
        Decision { alert, incident: Some(open.number) }
    }

    /// Takes the score into its block; a block that has ended becomes a sample.
    fn sample(&mut self, key: usize, time: i64, score: Option<f64>) {
        let (Some(budget), state) = (&mut self.budget, &mut self.keys[key]) else { return };
        let block = match self.near {
            Near::Rows(rows) => (state.rows / rows.max(1)) as i64,
            Near::Time(gap) => time.div_euclid(gap.max(1)),
        };
        if block != state.block || state.rows == 0 {
            if let Some(maximum) = state.maximum.take() {
                budget.sample(maximum);
            }
            state.block = block;
        }
        if let Some(score) = score {
            state.maximum = Some(state.maximum.map_or(score, |known| known.max(score)));
        }
    }

    /// Bytes of state.
    pub fn bytes(&self) -> usize {
        let budget = self.budget.as_ref().map_or(0, Budget::bytes);
        self.keys.capacity() * size_of::<KeyState>() + budget
    }
}
