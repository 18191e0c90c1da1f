//! Reasons read back as JSON.

use std::sync::Arc;

use arrow::array::AsArray;
use serde_json::{Value, json};

use super::payments;
use crate::batch::{Batch, RowTimes};
use crate::expr::{col, lit};
use crate::operator::MapOperator;
use crate::score::{Explain, Feature, FeatureTransform, Logistic, Rule, WindowBounds};

fn reasons(step: &Explain, batch: Batch) -> Vec<String> {
    let out = step.map(batch).unwrap();
    let column = out.rows.column_by_name("reasons").unwrap().as_string::<i32>().clone();
    column.iter().map(|text| text.unwrap().to_owned()).collect()
}

fn parsed(step: &Explain, batch: Batch) -> Vec<Value> {
    reasons(step, batch).iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

fn because(sentence: &str) -> Vec<String> {
    let rule = Rule::new("r", lit(true)).because(sentence);
    let step = Explain::new().rules([rule]);
    let text = |reasons: &Value| reasons["rules"][0]["because"].as_str().unwrap().to_owned();
    parsed(&step, payments()).iter().map(text).collect()
}

#[test]
fn values_in_sentences() {
    assert_eq!(because("{speed_kmh} km/h"), ["1234.5 km/h", "unknown km/h", "NaN km/h"]);
    assert_eq!(because("{speed_kmh:.0}|{count:.2}"), ["1234|7.00", "unknown|unknown", "NaN|1.00"]);
    assert_eq!(because("{amount}"), ["999.50", "unknown", "-0.05"]);
    assert_eq!(because("{amount:.1}"), ["999.5", "unknown", "-0.1"]);
    assert_eq!(because("{amount:.0}"), ["1000", "unknown", "0"]);
    assert_eq!(because("{country}{{{new}}}"), ["d\"e{true}", "unknown{unknown}", "fr{false}"]);
    assert_eq!(because("plain"), ["plain"; 3]);
}

#[test]
fn rules_that_hold_with_their_values() {
    let rules = [
        Rule::new("fast", col("speed_kmh").gt(900)).because("{country} at {speed_kmh:.1}"),
        Rule::new("cheap", col("amount").lt(0)),
    ];
    let step = Explain::new().rules(rules);
    let got = parsed(&step, payments());
    assert_eq!(
        got[0],
        json!({"rules": [{
            "rule": "fast",
            "because": "d\"e at 1234.5",
            "values": {"speed_kmh": 1234.5, "country": "d\"e"},
        }]})
    );
    assert_eq!(got[1], json!({"rules": []}));
    assert_eq!(got[2]["rules"][1]["because"], "amount < 0");
    assert_eq!(got[2]["rules"][0]["values"], json!({"speed_kmh": null, "country": "fr"}));
    // Bytes, not only meaning: keys in this order, decimals with all their digits.
    assert_eq!(
        reasons(&step, payments())[2],
        "{\"rules\":[{\"rule\":\"fast\",\"because\":\"fr at NaN\",\"values\":{\"speed_kmh\":null,\
         \"country\":\"fr\"}},{\"rule\":\"cheap\",\"because\":\"amount < 0\",\"values\":\
         {\"amount\":-0.05}}]}"
    );
}

#[test]
fn largest_features_first_and_ties_by_name() {
    let feature = |name: &str, weight: f64| Feature::new(name, FeatureTransform::Identity, weight);
    let features = vec![
        feature("speed_kmh", 0.002),
        feature("new", -7.0),
        feature("count", 1.0),
        feature("amount", 0.0),
    ];
    let model = Arc::new(Logistic::new("", features, 0.0, 0.5).unwrap());
    let got = parsed(&Explain::new().scorer(model.clone(), 3), payments());
    assert_eq!(
        got[0]["features"],
        json!([
            {"feature": "count", "value": 7.0, "contribution": 7.0},
            {"feature": "new", "value": 1.0, "contribution": -7.0},
            {"feature": "speed_kmh", "value": 1234.5, "contribution": 2.469},
        ])
    );
    assert_eq!(got[1], json!({"features": [], "base": 0.0}));
    let one = parsed(&Explain::new().scorer(model, 1), payments());
    assert_eq!(
        one[2]["features"],
        json!([{"feature": "count", "value": 1.0, "contribution": 1.0}])
    );
    // What is not shown is summed up: 2.469 − 7.
    assert_eq!(one[0]["rest"], json!(-7.0 + 2.469));
}

#[test]
fn bounds_of_windows() {
    let windows = [("10m", 600, 0), ("delayed", 100, 50)]
        .map(|(name, length, delay)| WindowBounds { name: name.into(), length, delay });
    let step = Explain::new().windows(windows);
    let mut batch = payments();
    let untimed = step.map(batch.clone()).unwrap_err();
    assert!(untimed.to_string().contains("event time"));
    batch.times = Some(RowTimes {
        sorted: false,
        time: vec![1000, -5, i64::MIN].into(),
        late: None,
        largest_before: None,
        watermark: 0,
    });
    let got = parsed(&step, batch);
    assert_eq!(
        got[0]["windows"],
        json!([{"window": "10m", "start": 400, "end": 1000},
               {"window": "delayed", "start": 850, "end": 950}])
    );
    assert_eq!(got[1]["windows"][1], json!({"window": "delayed", "start": -155, "end": -55}));
    assert_eq!(got[2]["windows"][0]["start"], json!(i64::MIN));
}

#[test]
fn the_column_says_that_it_is_json() {
    let step = Explain::new();
    let schema = step.output_schema(&payments().rows.schema()).unwrap();
    let field = schema.field_with_name("reasons").unwrap();
    assert_eq!(field.metadata()["ARROW:extension:name"], "arrow.json");
    assert_eq!(reasons(&step, payments()), ["{}"; 3]);
    let mut none = payments();
    none.rows = none.rows.slice(0, 0);
    assert_eq!(step.map(none).unwrap().rows.schema(), schema);
    assert_eq!(step.describe(), "explain reasons: 0 rules, 0 windows");
}
