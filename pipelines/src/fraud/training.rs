//! More features, for models that are trained: what the rules and the shipped weights don't read
//! and a forest can use. They are computed by the same stream, from what is known at each
//! payment, so a model that is trained on them decides live as well.
//!
//! | column | what it is |
//! |---|---|
//! | `hour_of_day`, `is_night`, `is_weekend` | of the payment, UTC; night is until 06:59 |
//! | `card_count_14d`, `card_mean_amount_14d` | payments, mean amount; the days that multiplied amounts last |
//! | `card_mean_honest_amount_28d_after_7d`, `…_90d_…` | the card's mean without known frauds |
//! | `amount_over_honest`, `day_…`, `week_…`, `fortnight_over_honest` | amount, and means of the last 1, 7 and 14 days, over that of 90 days |
//! | `terminal_count_{1,7,14,30}d_after_7d` | payments of the terminal whose labels have come |
//! | `terminal_mean_is_fraud_…`, `terminal_sum_is_fraud_…` | share and number of frauds among them |
//! | `terminal_sum_usual_fraud_{1,3,7,14,21,28}d_after_7d`, `…_2d_after_26d`, `…_14d_after_28d` | known frauds of the terminal whose amounts were usual for their cards |
//! | `terminal_frauds_mean_age_d`, `…_first_age_d`, `…_last_age_d` | days since the known frauds of 28 days: on average, and, were they spread evenly, since the first and the last |
//!
//! Amounts are in the recording's currency; ages in days; shares from 0 to 1. Null: there is
//! nothing to compute from (no payment in the window, no known fraud). Known means: the label is
//! [`LABEL_DELAY`] old.
//!
//! A known fraud of an amount that is far from what its card pays says that the card is in wrong
//! hands; one of a usual amount ([`USUAL`]) says so of the terminal. Counted apart, the second kind
//! tells terminals that were taken over from those where a stolen card was used. Those of a month
//! ago and more (`…_after_28d`, and `…_after_26d` just before) tell which were given back since.
//!
//! Evenly spread over a length L, times have a deviation of L ⁄ √12: the first is half of L, that
//! is √3 deviations, before the mean. So one sum and one sum of squares tell when a terminal was
//! taken over and when it was given back, within about a day.

use arrow::datatypes::{DataType, Schema};
use pelton::expr::{Expr, col, lit, null, when};
use pelton::pipeline::{Last, Pipeline, count, last, mean, stddev, sum};
use pelton::time::{Span, days};

use super::{LABEL_DELAY, Signals};

/// Which features are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FeatureSet {
    /// Those that the rules and the shipped weights read.
    #[default]
    Decisions,
    /// Those and more, for models that are trained.
    Training,
}

/// Columns of a plan that only lead to features: a model that read them would learn the date.
const STEPS: [&str; 5] = [
    "fraud_day",
    "honest_amount",
    "usual_fraud",
    "terminal_mean_fraud_day_28d_after_7d",
    "terminal_stddev_fraud_day_28d_after_7d",
];

const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = 3_600_000_000;
/// An amount below so many times the card's mean is usual.
const USUAL: f64 = 2.0;
/// √3
const DEVIATIONS: f64 = 1.732_050_807_568_877_2;

/// The columns of a plan's output that a model may learn from, in their order: numbers and
/// booleans that the input `schema` does not hold. Decimal sums are left out: a count and a mean
/// say the same.
#[must_use]
pub fn model_features(schema: &Schema, output: &Schema) -> Vec<String> {
    let is_feature = |name: &str, kind: &DataType| {
        let number = matches!(kind, DataType::Int64 | DataType::Float64 | DataType::Boolean);
        number && schema.index_of(name).is_err() && !STEPS.contains(&name)
    };
    let fields = output.fields().iter();
    let features = fields.filter(|field| is_feature(field.name(), field.data_type()));
    features.map(|field| field.name().clone()).collect()
}

/// The columns of a plan's output that are worth keeping: all but those that only lead to others.
#[must_use]
pub fn kept_columns(output: &Schema) -> Vec<String> {
    let names = output.fields().iter().map(|field| field.name());
    names.filter(|name| !STEPS.contains(&name.as_str())).cloned().collect()
}

fn known(length: Span) -> Last {
    last(length).ended(LABEL_DELAY)
}

/// Columns that windows are computed of.
pub(super) fn from_the_row(p: Pipeline, signals: Signals) -> Pipeline {
    if !signals.labels {
        return p;
    }
    let day = col("ts").cast_f64() / DAY_US as f64;
    p.column("fraud_day", when(col("is_fraud")).then(day).otherwise(null()))
        .column("honest_amount", when(col("is_fraud")).then(null()).otherwise(col("amount")))
}

/// The card's amounts over other times, and without known frauds.
pub(super) fn of_the_card(p: Pipeline, signals: Signals) -> Pipeline {
    let p = p.over([last(days(14))], [count(), mean("amount")]);
    let honest = if signals.labels { "honest_amount" } else { "amount" };
    p.over([known(days(28)), known(days(90))], [mean(honest)])
}

/// Whether a payment is a fraud of a usual amount: against the card's mean without known frauds,
/// or, as long as there is none, its own of a month; the first payments of a card count as usual.
pub(super) fn from_the_card(p: Pipeline, signals: Signals) -> Pipeline {
    if !signals.labels {
        return p;
    }
    let over = |mean: &str| col("amount").cast_f64() / col(mean);
    let times = over("card_mean_honest_amount_90d_after_7d")
        .coalesce(over("card_own_mean_amount_30d"))
        .coalesce(1.0);
    p.column("usual_fraud", col("is_fraud").and(times.lt(USUAL)))
}

/// The known frauds of the terminal, over several times, and when they were.
pub(super) fn of_the_terminal(p: Pipeline, signals: Signals) -> Pipeline {
    if !signals.labels {
        return p;
    }
    let horizons = [1, 7, 14, 30].map(|n| known(days(n)));
    let since = [1, 3, 7, 14, 21, 28].map(|n| known(days(n)));
    let before = [(2, 26), (14, 28)].map(|(n, end)| last(days(n)).ended(days(end)));
    p.over(horizons, [count(), mean("is_fraud"), sum("is_fraud")])
        .over([known(days(28))], [sum("is_fraud"), mean("fraud_day"), stddev("fraud_day")])
        .over(since, [sum("usual_fraud")])
        .over(before, [sum("usual_fraud")])
}

/// Columns computed from the windows of one row.
pub(super) fn computed(p: Pipeline, signals: Signals) -> Pipeline {
    // Truncated division: times before 1970 are no payments.
    let whole = |of: Expr, unit: i64| of.clone() - of / unit * unit;
    let time_of_day = || whole(col("ts") - lit(0), DAY_US);
    // 1970-01-01 was a Thursday: Saturday is 5 and Sunday 6.
    let weekday = whole(col("ts") / DAY_US + 3, 7);
    let hour = || time_of_day() / HOUR_US;
    let honest = if signals.labels { "honest_amount" } else { "amount" };
    let usual = || col(format!("card_mean_{honest}_90d_after_7d"));
    let over = |mean: &str| col(format!("card_mean_amount_{mean}")) / usual();
    let p = p
        .column("hour_of_day", hour())
        .column("is_night", hour().le(6))
        .column("is_weekend", weekday.ge(5))
        .column("amount_over_honest", col("amount_f64") / usual())
        .column("day_over_honest", over("1d"))
        .column("week_over_honest", over("7d"))
        .column("fortnight_over_honest", over("14d"));
    if !signals.labels {
        return p;
    }
    let age = || col("ts").cast_f64() / DAY_US as f64 - col("terminal_mean_fraud_day_28d_after_7d");
    let half = || col("terminal_stddev_fraud_day_28d_after_7d").coalesce(0.0) * DEVIATIONS;
    p.column("terminal_frauds_mean_age_d", age())
        .column("terminal_frauds_first_age_d", age() + half())
        .column("terminal_frauds_last_age_d", age() - half())
}
