//! Remaining useful life: how many cycles an engine, a pump, a tool has left, said at each cycle
//! from what its sensors did up to then.
//!
//! Every row is one cycle of one unit (`unit`, `cycle`, sensors). Time is the unit's own age: a
//! cycle counts as a second, so that "the last 10 cycles" is `last(seconds(10))`, exact at
//! arrival, and units may come one after the other or all at once. Of each sensor:
//!
//! | column | what it is |
//! |---|---|
//! | `{sensor}_mean_10` | mean of the last 10 cycles |
//! | `{sensor}_change` | that, less the mean of the unit's own first 10 cycles: units differ from the start |
//! | `{sensor}_trend_20` | mean of the last 20 cycles less that of the 20 before: 20 times the slope |
//! | `{sensor}_trend_40` | the same of 40 |
//! | `{sensor}_early` | a step on the way: the mean of the unit's own first 10 cycles |
//!
//! and `age`, the cycle itself. Null: there are no such cycles yet. Nothing looks ahead: a row's
//! features are those of the rows at and before its cycle, so a unit whose later cycles are cut
//! off has the same features before them.
//!
//! A model of these columns ([`estimate`]) knows which sensors it needs from their names
//! ([`sensors_of`]); training is `pelton train rul`.

use arrow::datatypes::{DataType, Schema, TimeUnit};
use pelton::expr::{col, null, when};
use pelton::pipeline::{File, Last, Pipeline, Watermark, last, mean};
use pelton::score::{Model, Scorer};
use pelton::time::{Span, days, seconds};
use pelton::{Error, Result};

/// Cycles at the start of a unit's life that its later ones are compared with.
pub const EARLY_CYCLES: i64 = 10;
/// Cycles of the level.
const LEVEL_CYCLES: i64 = 10;
/// Cycles of the trends.
const TREND_CYCLES: [i64; 2] = [20, 40];
/// How far back a unit's first cycles are remembered, in cycles.
pub const LIFE_CYCLES: i64 = 1_000_000;
/// Sensors whose windows share one log: two measures each, of the 14 floats that an entry holds.
const SENSORS_A_LOG: usize = 7;

/// Endings of the features of a sensor.
const ENDINGS: [&str; 4] = ["_mean_10", "_change", "_trend_20", "_trend_40"];

/// The columns that the pipeline reads of a file.
pub fn columns(file: File, sensors: &[String]) -> File {
    let file = file.column("unit", DataType::Int64).column("cycle", DataType::Int64);
    sensors.iter().fold(file, |file, sensor| file.column(sensor, DataType::Float64))
}

/// Names of the features of these sensors, in the order in which models are trained on them.
#[must_use]
pub fn feature_names(sensors: &[String]) -> Vec<String> {
    let of = |sensor: &String| ENDINGS.map(|ending| format!("{sensor}{ending}"));
    std::iter::once("age".to_owned()).chain(sensors.iter().flat_map(of)).collect()
}

/// The sensors that a model reads, each once, in the order of its features.
///
/// # Errors
/// When a feature is none of [`feature_names`].
pub fn sensors_of(model: &Model) -> Result<Vec<String>> {
    let mut sensors: Vec<String> = Vec::new();
    for feature in model.features() {
        if feature == "age" {
            continue;
        }
        let Some(sensor) = ENDINGS.iter().find_map(|ending| feature.strip_suffix(ending)) else {
            let what = format!("the model reads {feature}, which is no feature of a sensor");
            let advice = format!("features are age and, of each sensor, {}", ENDINGS.join(", "));
            return Err(Error::run(what).advise(advice));
        };
        if !sensors.iter().any(|known| known == sensor) {
            sensors.push(sensor.to_owned());
        }
    }
    Ok(sensors)
}

fn cycles(count: i64) -> Span {
    seconds(count)
}

/// Adds the features of these sensors, and of the age, to each row.
#[must_use]
pub fn features(input: Pipeline, sensors: &[String]) -> Pipeline {
    // Units come in any order, each at its own age: no row is late, none ahead of its time.
    let watermark = Watermark::bounded(days(365)).implausible_after(None);
    let p = input.event_time_in("cycle", TimeUnit::Second, watermark).key_by(["unit"]);
    let p = p.column("age", col("cycle").cast_f64());
    sensors.chunks(SENSORS_A_LOG).fold(p, of_sensors)
}

/// The features of as many sensors as share a log.
fn of_sensors(p: Pipeline, sensors: &[String]) -> Pipeline {
    let first = |sensor: &String| format!("{sensor}_first");
    let mut p = sensors.iter().fold(p, |p, sensor| {
        let is_early = col("cycle").le(EARLY_CYCLES);
        let value = when(is_early).then(col(sensor.as_str()).cast_f64()).otherwise(null());
        p.column(&first(sensor), value)
    });
    let over = |p: Pipeline, horizon: Last, of: &str, name: String| {
        p.over([horizon], [mean(of).named(&name)])
    };
    for sensor in sensors {
        p = over(p, last(cycles(LIFE_CYCLES)), &first(sensor), format!("{sensor}_early"));
        p = over(p, last(cycles(LEVEL_CYCLES)), sensor, format!("{sensor}_mean_10"));
        for length in TREND_CYCLES {
            let span = cycles(length);
            let before = last(span).ended(span);
            p = over(p, last(span), sensor, format!("{sensor}_mean_last_{length}"));
            p = over(p, before, sensor, format!("{sensor}_mean_before_{length}"));
        }
    }
    sensors.iter().fold(p, |p, sensor| {
        let column = |ending: &str| col(format!("{sensor}{ending}"));
        let p = p.column(&format!("{sensor}_change"), column("_mean_10") - column("_early"));
        TREND_CYCLES.iter().fold(p, |p, length| {
            let now = column(&format!("_mean_last_{length}"));
            let before = column(&format!("_mean_before_{length}"));
            p.column(&format!("{sensor}_trend_{length}"), now - before)
        })
    })
}

/// Features, and what a model makes of them: the column `remaining_cycles`, never below 0. Gives
/// out `unit`, `cycle` and that.
///
/// # Errors
/// When the model gives several scores, reads what is no feature, or a sensor that `schema` does
/// not have.
pub fn estimate(input: Pipeline, schema: &Schema, model: Model) -> Result<Pipeline> {
    if model.outputs() != 1 {
        let what = format!("the model gives {} scores, expected 1", model.outputs());
        return Err(Error::run(what).advise("train it on remaining cycles: pelton train rul"));
    }
    let sensors = sensors_of(&model)?;
    if let Some(missing) = sensors.iter().find(|sensor| schema.index_of(sensor).is_err()) {
        let what = format!("the model reads the sensor {missing}, which the input does not have");
        return Err(Error::run(what).advise("give it as a column of that name"));
    }
    Ok(features(input, &sensors)
        .score("estimate", model)
        .column("remaining_cycles", col("estimate").max(0.0))
        .select(["unit", "cycle", "remaining_cycles"]))
}
