//! Payment fraud: what each card and each terminal has done up to each payment, rules with
//! reasons, and a score: the logistic one that comes with Pelton, or any model that
//! [`pelton::score::Model`] reads, trained on the columns of [`features`].
//!
//! Every payment is decided on when it arrives, from exact windows over what has arrived by
//! then: counts, sums, means and distinct countries by card and by terminal over 10 minutes, 1
//! hour, 1, 7 and 30 days; the card's own mean and deviation without the payment; the way from
//! its previous place; and what is known of the frauds of the card and the terminal from labels
//! that arrive 7 days late.
//!
//! Columns read: `ts, card, terminal, amount`; and, where the recording has them, `country, lat,
//! lon` (places) and `is_fraud, fraud_kind` (labels). What is missing is said
//! ([`FraudPlan::missing_signals`]) and done without.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use pelton::expr::{Expr, col, lit, when};
use pelton::pipeline::{
    File, Last, Pipeline, Watermark, count, count_same, distance_km, distinct, last, mean,
    own_mean, own_stddev, since_previous, speed_kmh, sum,
};
use pelton::score::{Explain, Model, Rule, RuleSet, Scheduled, Scorer, WindowBounds};
use pelton::time::{Span, days, hours, minutes, seconds};
use pelton::{Error, Result};

mod training;

pub use training::{FeatureSet, kept_columns, model_features};

/// The weights that come with Pelton; the file says which command made it.
pub const DEFAULT_WEIGHTS: &str = include_str!("../models/fraud_logistic.json");

/// How long labels take to arrive: the Fraud Detection Handbook's week.
pub const LABEL_DELAY: Span = days(7);

/// Horizons of the counts, sums, means and distinct countries.
pub const HORIZONS: [Span; 5] = [minutes(10), hours(1), days(1), days(7), days(30)];

/// The probability above which a payment is suspicious where neither the model's file nor the
/// user says one.
pub const DEFAULT_THRESHOLD: f64 = 0.5;

/// A model, and the score from which it calls a payment suspicious.
#[derive(Debug, Clone)]
pub struct Judge {
    /// The model. It must give one score.
    pub model: Model,
    /// The smallest suspicious score.
    pub threshold: f64,
}

impl Judge {
    /// A model with the threshold of its file, or else [`DEFAULT_THRESHOLD`].
    ///
    /// # Errors
    /// When the model gives a score a class.
    pub fn new(model: Model) -> Result<Self> {
        let threshold = model.threshold().unwrap_or(DEFAULT_THRESHOLD);
        Self::with_threshold(model, threshold)
    }

    /// A model with a threshold.
    ///
    /// # Errors
    /// When the model gives a score a class.
    pub fn with_threshold(model: Model, threshold: f64) -> Result<Self> {
        let classes = model.outputs();
        if classes != 1 {
            let what = format!("the model tells {classes} classes apart, frauds are one of two");
            return Err(Error::run(what).advise("train it on is_fraud (0 and 1)"));
        }
        Ok(Self { model, threshold })
    }

    /// The model that comes with Pelton.
    ///
    /// # Errors
    /// Never, unless the shipped weights are broken.
    pub fn standard() -> Result<Self> {
        Self::new(Model::from_bytes(DEFAULT_WEIGHTS.as_bytes())?)
    }
}

/// What can be chosen.
#[derive(Debug, Clone)]
pub struct FraudConfig {
    /// How far payments may be out of order without being late.
    pub delay: Span,
    /// The score that decides.
    pub champion: Judge,
    /// Those that take its place for payments of an event time (µs) or later.
    pub successors: Vec<(i64, Judge)>,
    /// A score beside it (the column `challenger_score`) that decides nothing.
    pub challenger: Option<Judge>,
}

impl FraudConfig {
    /// The shipped weights, 2 seconds of disorder.
    ///
    /// # Errors
    /// Never, unless the shipped weights are broken.
    pub fn standard() -> Result<Self> {
        Ok(Self::of(Judge::standard()?))
    }

    /// This champion alone, 2 seconds of disorder.
    pub fn of(champion: Judge) -> Self {
        Self { delay: seconds(2), champion, successors: Vec::new(), challenger: None }
    }

    /// The features that its models need: the smaller set where that will do.
    ///
    /// # Errors
    /// Never, unless the pipeline's own columns contradict each other.
    pub fn feature_set(&self) -> Result<FeatureSet> {
        let full = full_schema();
        let usual = features(Pipeline::rows(full.clone()), &full, self.delay).pipeline.schema()?;
        let successors = self.successors.iter().map(|(_, judge)| judge);
        let mut judges = std::iter::once(&self.champion).chain(successors).chain(&self.challenger);
        let knows =
            |judge: &Judge| judge.model.features().iter().all(|name| usual.index_of(name).is_ok());
        Ok(if judges.all(knows) { FeatureSet::Decisions } else { FeatureSet::Training })
    }

    /// The smallest suspicious score at each payment's time.
    fn threshold(&self) -> Expr {
        let mut successors: Vec<_> = self.successors.iter().collect();
        successors.sort_by_key(|(from, _)| *from);
        successors.iter().fold(lit(self.champion.threshold), |before, (from, judge)| {
            when(col("ts").ge(*from)).then(lit(judge.threshold)).otherwise(before)
        })
    }
}

/// The columns that the pipeline reads, with their types.
pub fn columns(file: File) -> File {
    file.column("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
        .column("card", DataType::Int64)
        .column("terminal", DataType::Int64)
        .column("amount", DataType::Decimal128(12, 2))
        .optional_column("country", text())
        .optional_column("lat", DataType::Float64)
        .optional_column("lon", DataType::Float64)
        .optional_column("is_fraud", DataType::Boolean)
        .optional_column("fraud_kind", text())
}

fn text() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// A fraud pipeline, ready to be given an output and run.
pub struct FraudPlan {
    /// The pipeline. With [`decide`] it gives out alerts, with [`features`] every payment.
    pub pipeline: Pipeline,
    /// Signals that the input has no columns for.
    pub missing_signals: Vec<String>,
}

/// Which optional columns there are.
#[derive(Debug, Clone, Copy)]
struct Signals {
    countries: bool,
    places: bool,
    labels: bool,
}

impl Signals {
    fn of(schema: &Schema) -> Self {
        let has = |name: &str| schema.index_of(name).is_ok();
        Self {
            countries: has("country"),
            places: has("lat") && has("lon"),
            labels: has("is_fraud"),
        }
    }

    fn missing(self) -> Vec<String> {
        let mut missing = Vec::new();
        if !self.countries {
            missing.push("countries (no column country)".to_owned());
        }
        if !self.places {
            missing.push("places and speeds (no columns lat and lon)".to_owned());
        }
        if !self.labels {
            missing.push("known frauds (no column is_fraud)".to_owned());
        }
        missing
    }
}

/// The features of every payment, as columns behind the input's own: those that the rules and
/// the shipped weights read.
pub fn features(input: Pipeline, schema: &Schema, delay: Span) -> FraudPlan {
    features_of(FeatureSet::Decisions, input, schema, delay)
}

/// As [`features`], of either set.
pub fn features_of(set: FeatureSet, input: Pipeline, schema: &Schema, delay: Span) -> FraudPlan {
    let trains = set == FeatureSet::Training;
    let signals = Signals::of(schema);
    let horizons: Vec<Last> = HORIZONS.iter().map(|&span| last(span)).collect();
    let month = last(days(30));
    let baseline = last(days(28)).ended(LABEL_DELAY);
    let fresh = last(days(3)).ended(LABEL_DELAY);

    let mut p = input.event_time("ts", Watermark::bounded(delay));
    if trains {
        p = training::from_the_row(p, signals);
    }
    p = p.key_by(["card"]);
    p = windows(p, &horizons, signals);
    p = p.over([month], [own_mean("amount"), own_stddev("amount")]);
    p = p.over([baseline], [count(), mean("amount")]).with(since_previous());
    if signals.countries {
        p = p.over([month], [count_same("country")]);
    }
    if signals.places {
        p = p.with(distance_km("lat", "lon")).with(speed_kmh("lat", "lon"));
    }
    if signals.labels {
        p = p.over([baseline], [mean("is_fraud")]);
    }
    if trains {
        p = training::from_the_card(training::of_the_card(p, signals), signals);
    }
    p = windows(p.key_by(["terminal"]), &horizons, signals);
    if signals.labels {
        p = p.over([baseline, fresh], [count(), mean("is_fraud")]);
    }
    if trains {
        p = training::of_the_terminal(p, signals);
    }
    p = ratios(p, signals);
    if trains {
        p = training::computed(p, signals);
    }
    FraudPlan { pipeline: p, missing_signals: signals.missing() }
}

/// Counts, sums, means and distinct countries of the key over all horizons.
fn windows(p: Pipeline, horizons: &[Last], signals: Signals) -> Pipeline {
    let p = p.over(horizons.to_vec(), [count(), sum("amount"), mean("amount")]);
    if signals.countries { p.over(horizons.to_vec(), [distinct("country")]) } else { p }
}

/// Columns computed from the windows of one row.
fn ratios(p: Pipeline, signals: Signals) -> Pipeline {
    let amount = || col("amount_f64");
    let own = || col("card_own_mean_amount_30d");
    let p = p
        .column("amount_f64", col("amount").cast_f64())
        .column("amount_over_own_mean", amount() / own())
        .column(
            "amount_deviations",
            // A card that always pays the same must not make a cent a thousand deviations.
            (amount() - own())
                / col("card_own_stddev_amount_30d").coalesce(own() * 0.5).max(own() * 0.1),
        )
        .column("amount_over_baseline", amount() / col("card_mean_amount_28d_after_7d"))
        // What the card paid before, or, as long as there is no such time, its own mean.
        .column(
            "amount_over_usual",
            amount() / col("card_mean_amount_28d_after_7d").coalesce(own()),
        )
        .column("day_over_baseline", over_baseline("1d"))
        .column("week_over_baseline", over_baseline("7d"));
    if !signals.countries {
        return p;
    }
    let share = col("card_count_same_country_30d").cast_f64() / col("card_count_30d").cast_f64();
    p.column("country_share_30d", share)
}

/// The card's mean amount of late over that of the 28 days that ended a week ago.
fn over_baseline(horizon: &str) -> Expr {
    col(format!("card_mean_amount_{horizon}")) / col("card_mean_amount_28d_after_7d")
}

/// Rules, in the order of their bits.
fn rules(signals: Signals) -> Vec<Rule> {
    let mut rules = vec![
        Rule::new(
            "card_testing",
            col("card_count_10m").ge(4).and(col("card_mean_amount_10m").lt(5.0)),
        )
        .because("{card_count_10m} payments within 10 minutes, {card_mean_amount_10m} on average"),
        Rule::new(
            "large_amount",
            col("amount_over_own_mean")
                .gt(6.0)
                .and(col("amount_deviations").gt(6.0))
                .and(col("card_count_30d").ge(5)),
        )
        .because(
            "{amount} is {amount_over_own_mean} times the card's mean of the last 30 days, \
             {amount_deviations} deviations above it",
        ),
        Rule::new(
            "multiplied_amount",
            // The payment itself, and the day around it: one large payment makes no pattern.
            col("amount_over_baseline")
                .gt(2.5)
                .and(col("day_over_baseline").gt(2.5))
                .and(col("card_count_1d").ge(2))
                .and(col("card_count_28d_after_7d").ge(5)),
        )
        .because(
            "{amount} is {amount_over_baseline} times, and the mean of the last day's \
             {card_count_1d} payments {day_over_baseline} times, what the card paid before (mean \
             {card_mean_amount_28d_after_7d})",
        ),
    ];
    if signals.places {
        rules.push(impossible_travel(signals));
    }
    if signals.labels {
        rules.push(
            Rule::new(
                "compromised_terminal",
                col("terminal_mean_is_fraud_3d_after_7d")
                    .gt(0.4)
                    .and(col("terminal_count_3d_after_7d").ge(3)),
            )
            .because(
                "{terminal_mean_is_fraud_3d_after_7d} of the {terminal_count_3d_after_7d} payments \
                 at this terminal in the 3 days that ended a week ago are known frauds",
            ),
        );
    }
    rules
}

/// Too far from the previous place for the time between; or, minutes later, still in a country
/// where the card has hardly been, while it was elsewhere within the hour. The way back to where
/// the card lives is as fast, but is no news.
fn impossible_travel(signals: Signals) -> Rule {
    let too_fast = col("card_speed_kmh").gt(900.0).and(col("card_distance_km").gt(500.0));
    let condition = if signals.countries {
        let two_countries = col("card_distinct_country_1h").ge(2);
        too_fast.or(two_countries).and(col("country_share_30d").lt(0.3))
    } else {
        too_fast
    };
    Rule::new("impossible_travel", condition).because(
        "{card_distance_km} km from the previous payment {card_since_previous_s} s ago: \
         {card_speed_kmh} km/h",
    )
}

/// From features to decisions: rules, score, the column `alert`; `look` sees every payment with
/// all its columns, and only alerts go on, with their reasons.
///
/// # Errors
/// When the model reads what is no feature.
pub fn decide(
    plan: FraudPlan,
    schema: &Schema,
    config: &FraudConfig,
    look: impl Fn(&pelton::batch::Batch) + Send + Sync + 'static,
) -> Result<FraudPlan> {
    let signals = Signals::of(schema);
    let rules = rules(signals);
    let mut missing: Vec<String> = Vec::new();
    let mut fits = |judge: &Judge| {
        let (model, absent) = fit_to_input(&judge.model, &plan)?;
        missing.extend(absent);
        Ok::<_, Error>(model)
    };
    let mut score = Scheduled::new(fits(&config.champion)?);
    for (from, judge) in &config.successors {
        score = score.then(*from, fits(judge)?)?;
    }
    let score: Arc<dyn Scorer> = Arc::new(score);
    let challenger = config.challenger.as_ref().map(fits).transpose()?;
    missing.sort_unstable();
    missing.dedup();
    let challenger_score = challenger.is_some().then_some("challenger_score");
    let payment = ["ts", "card", "terminal", "amount"];
    let place = ["country", "lat", "lon"].into_iter().filter(|name| schema.index_of(name).is_ok());
    let label = ["is_fraud", "fraud_kind"].into_iter().filter(|n| schema.index_of(n).is_ok());
    let shown: Vec<&str> = ["partition", "offset"]
        .into_iter()
        .chain(payment)
        .chain(place)
        .chain(["late", "score"])
        .chain(challenger_score)
        .chain(label)
        .chain(["reasons"])
        .collect();
    let looked_at: Vec<&str> = ["ts", "rules", "score", "alert"]
        .into_iter()
        .chain(challenger_score)
        .chain(["is_fraud", "fraud_kind"].into_iter().filter(|n| schema.index_of(n).is_ok()))
        .collect();
    let explain =
        Explain::new().rules(rules.clone()).scorer(score.clone(), 5).windows(bounds(signals)?);
    let mut pipeline = plan.pipeline.rules(RuleSet::new(rules)?).score("score", score);
    if let Some(challenger) = challenger {
        pipeline = pipeline.score("challenger_score", challenger);
    }
    let pipeline = pipeline
        .column("alert", col("rules").ne(0).or(col("score").ge(config.threshold())))
        .inspect_columns(looked_at, look)
        .filter(col("alert"))
        .mark_rows()
        .explain(explain)
        .select(shown);
    let mut missing_signals = plan.missing_signals;
    if !missing.is_empty() {
        missing_signals.push(format!("features of the model: {}", missing.join(", ")));
    }
    Ok(FraudPlan { pipeline, missing_signals })
}

/// Names of the rules, in the order of their bits in the column `rules`.
pub fn rule_names(schema: &Schema) -> Vec<String> {
    rules(Signals::of(schema)).iter().map(|rule| rule.name().to_owned()).collect()
}

/// The windows that decisions rest on.
fn bounds(signals: Signals) -> Result<Vec<WindowBounds>> {
    let micros = |span: Span| span.to_units(TimeUnit::Microsecond);
    let mut bounds = Vec::new();
    for span in HORIZONS {
        bounds.push(WindowBounds { name: span.to_string(), length: micros(span)?, delay: 0 });
    }
    let delayed: &[Span] = if signals.labels { &[days(28), days(3)] } else { &[days(28)] };
    for &span in delayed {
        bounds.push(WindowBounds {
            name: format!("{span}_after_{LABEL_DELAY}"),
            length: micros(span)?,
            delay: micros(LABEL_DELAY)?,
        });
    }
    Ok(bounds)
}

/// The model for an input that cannot give all features, and those: they are missing in every
/// payment.
///
/// # Errors
/// When the model reads a column that is no feature at all.
fn fit_to_input(model: &Model, plan: &FraudPlan) -> Result<(Model, Vec<String>)> {
    let here = plan.pipeline.schema()?;
    let full = full_schema();
    let all = Pipeline::rows(full.clone());
    let all = features_of(FeatureSet::Training, all, &full, seconds(2)).pipeline.schema()?;
    let not_here = |name: &String| here.index_of(name).is_err();
    let absent: Vec<String> = model.features().into_iter().filter(not_here).collect();
    let unknown: Vec<&str> =
        absent.iter().filter(|name| all.index_of(name).is_err()).map(String::as_str).collect();
    if !unknown.is_empty() {
        let is_number = |field: &&Arc<Field>| {
            field.data_type().is_numeric() || *field.data_type() == DataType::Boolean
        };
        let there: Vec<&str> =
            all.fields().iter().filter(is_number).map(|field| field.name().as_str()).collect();
        let what = format!("the model reads {}, which is no feature", unknown.join(", "));
        let advice = format!(
            "train it on the columns of the pipeline, under their names: {}",
            there.join(", ")
        );
        return Err(Error::run(what).advise(advice));
    }
    Ok((model.clone().without(&absent)?, absent))
}

/// All columns that the pipeline can use.
fn full_schema() -> SchemaRef {
    let file = columns(File::any(""));
    let fields = file.requested().map(|(name, kind)| Field::new(name, kind.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
