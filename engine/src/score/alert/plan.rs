//! What a team asks of its alerts, checked once.

use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};

use super::ALERT_COLUMNS;
use super::incident::Alerts;
use super::operator::AlertColumns;
use crate::error::{Error, Result};
use crate::expr::column_index;
use crate::operator::{KeyedEnrich, KeyedStep};
use crate::score::detect::{column_name, with_fields};
use crate::time::Span;

/// Which rows over the level are of one incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Those at most so many rows of the key apart; above 0. With 1, a run of rows.
    Rows(u64),
    /// Those less than so much time apart; above 0.
    Time(Span),
}

/// When a detector's scores become an alert. See the text of [`crate::score::alert`].
#[derive(Debug, Clone, PartialEq)]
pub struct AlertPolicy {
    /// A score of at least this is over; `None`: what the detector flags is.
    pub level: Option<f64>,
    /// An incident goes on while scores are at least this.
    pub low: Option<f64>,
    /// At most so many alerts in each period, of all keys together.
    pub budget: Option<(u32, Span)>,
    /// Which rows are of one incident.
    pub group: Group,
    /// A key alerts at most once in this time.
    pub cooldown: Option<Span>,
}

impl Default for AlertPolicy {
    /// What the detector flags, rows at most 100 apart being one incident (as long as
    /// `detect::auto` waits for another onset).
    fn default() -> Self {
        Self { level: None, low: None, budget: None, group: Group::Rows(100), cooldown: None }
    }
}

impl AlertPolicy {
    /// A row is over the level where its score is at least `level`, whatever the detector flags.
    #[must_use]
    pub fn level(self, level: f64) -> Self {
        Self { level: Some(level), ..self }
    }

    /// As [`AlertPolicy::level`] with `high`; an incident goes on while scores are at least `low`.
    #[must_use]
    pub fn hysteresis(self, high: f64, low: f64) -> Self {
        Self { level: Some(high), low: Some(low), ..self }
    }

    /// At most so many alerts in any `period`, the strangest by what the periods before held.
    #[must_use]
    pub fn budget(self, alerts: u32, period: Span) -> Self {
        Self { budget: Some((alerts, period)), ..self }
    }

    /// Which rows are of one incident.
    #[must_use]
    pub fn group(self, group: Group) -> Self {
        Self { group, ..self }
    }

    /// A key that has alerted does not for so long.
    #[must_use]
    pub fn cooldown(self, span: Span) -> Self {
        Self { cooldown: Some(span), ..self }
    }

    /// # Errors
    /// When the policy is none.
    pub(super) fn validate(&self) -> Result<()> {
        let wrong = |what: &str, advice: &str| Err(Error::usage(what).advise(advice));
        if self.level.is_some_and(f64::is_nan) || self.low.is_some_and(f64::is_nan) {
            return wrong("NaN is no level of a score", "give a number");
        }
        if let (Some(level), Some(low)) = (self.level, self.low)
            && low > level
        {
            return wrong(
                &format!("an incident would begin at a score of {level} and end below {low}"),
                "give the higher level first",
            );
        }
        if self.budget.is_some_and(|(alerts, period)| alerts == 0 || !period.is_positive()) {
            return wrong("a budget of nothing", "give a number and a period above 0");
        }
        let group = match self.group {
            Group::Rows(rows) => rows > 0,
            Group::Time(span) => span.is_positive(),
        };
        if !group {
            return wrong("an incident groups rows over nothing", "give a number or time above 0");
        }
        if self.cooldown.is_some_and(Span::is_negative) {
            return wrong("a cool-down below 0", "give a time");
        }
        Ok(())
    }
}

/// Alerts from the columns of a detector.
#[derive(Debug, Clone)]
pub struct AlertPlan {
    /// The detector's name: its `score` and `flag` are read, and `alert` and `incident` added.
    pub name: String,
    /// The keys, each of which has incidents of its own.
    pub keys: Vec<String>,
    /// When it alerts.
    pub policy: AlertPolicy,
    /// Unit of the event times.
    pub unit: TimeUnit,
}

impl AlertPlan {
    /// The columns of scores and flags.
    pub(super) fn read(&self) -> [String; 2] {
        ["score", "flag"].map(|column| column_name(&self.name, column))
    }
}

impl KeyedStep for AlertPlan {
    /// None: a budget is for all keys, so one shard sees all rows.
    fn keys(&self) -> &[String] {
        &[]
    }

    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        for (name, expected) in self.read().iter().zip([DataType::Float64, DataType::Boolean]) {
            let found = input.field(column_index(input, name)?).data_type();
            if *found != expected {
                return Err(Error::usage(format!("column {name} is {found}, not {expected}"))
                    .advise("alerts follow a detector: call detect(...) before alerts(...)"));
            }
        }
        Alerts::new(&self.policy, self.unit)?;
        let [alert, incident] = ALERT_COLUMNS.map(|column| column_name(&self.name, column));
        let fields = vec![
            Field::new(alert, DataType::Boolean, false),
            Field::new(incident, DataType::UInt64, true),
        ];
        with_fields(input, fields)
    }

    fn build(&self, input: &SchemaRef) -> Result<Box<dyn KeyedEnrich>> {
        Ok(Box::new(AlertColumns::new(self, input)?))
    }

    fn reads(&self) -> Vec<String> {
        self.keys.iter().cloned().chain(self.read()).collect()
    }

    fn describe(&self) -> String {
        let AlertPolicy { level, low, budget, group, cooldown } = &self.policy;
        let mut parts = vec![match level {
            Some(level) => format!("scores of at least {level}"),
            None => "what is flagged".to_owned(),
        }];
        parts.extend(low.map(|low| format!("going on from {low}")));
        parts.push(match group {
            Group::Rows(rows) => format!("rows at most {rows} apart are one incident"),
            Group::Time(span) => format!("rows less than {span} apart are one incident"),
        });
        parts.extend(cooldown.map(|span| format!("at most one alert a key in {span}")));
        parts.extend(budget.map(|(alerts, period)| {
            format!("at most {alerts} alerts in {period}, by the level that left as many before")
        }));
        format!("alerts: {}", parts.join("; "))
    }
}
