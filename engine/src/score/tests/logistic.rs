//! The model against the formula written out, and files that must be refused.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float32Array, Int64Array, NullArray,
    RecordBatch, StringArray, UInt32Array,
};
use arrow::datatypes::Float64Type;
use proptest::prelude::*;

use super::{floats, payments};
use crate::operator::MapOperator;
use crate::score::{Feature, FeatureTransform, Logistic, ScoreColumn};

/// z and p of one row, by the text of the file format.
fn formula(model: &Logistic, row: &[Option<f64>]) -> f64 {
    let contribution = |(feature, value): (&Feature, &Option<f64>)| {
        let transformed = value.filter(|x| !x.is_nan()).map(|x| {
            let x = x.max(feature.lo.unwrap_or(f64::NEG_INFINITY));
            let x = x.min(feature.hi.unwrap_or(f64::INFINITY));
            match feature.transform {
                FeatureTransform::Identity | FeatureTransform::Clip => x,
                FeatureTransform::Sqrt => x.max(0.0).sqrt(),
                FeatureTransform::Log1p => libm::log1p(x.max(0.0)),
                FeatureTransform::SignedLog1p => libm::log1p(x.abs()) * x.signum(),
            }
        });
        let transformed = transformed.filter(|x| x.abs() <= 1e150);
        let transformed = transformed.or(feature.missing).unwrap_or(feature.mean);
        feature.weight * (transformed - feature.mean) / feature.scale
    };
    model.intercept() + model.features().iter().zip(row).map(contribution).sum::<f64>()
}

fn any_feature() -> impl Strategy<Value = Feature> {
    let transform = prop_oneof![
        Just(FeatureTransform::Identity),
        Just(FeatureTransform::Clip),
        Just(FeatureTransform::Sqrt),
        Just(FeatureTransform::Log1p),
        Just(FeatureTransform::SignedLog1p),
    ];
    let bound = proptest::option::of(0.0..50.0_f64);
    let missing = proptest::option::of(-2.0..2.0_f64);
    (transform, bound, -3.0..3.0_f64, 0.1..4.0_f64, missing, -2.0..2.0_f64).prop_map(
        |(transform, hi, mean, scale, missing, weight)| Feature {
            lo: Some(-10.0),
            hi,
            mean,
            scale,
            missing,
            ..Feature::new("", transform, weight)
        },
    )
}

fn any_value() -> impl Strategy<Value = Option<f64>> {
    let value = prop_oneof![
        8 => -20.0..1000.0_f64,
        1 => Just(0.0),
        1 => Just(-0.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(f64::MAX),
    ];
    proptest::option::weighted(0.8, value)
}

fn model_of(features: Vec<Feature>) -> Logistic {
    let name = |(i, feature): (usize, Feature)| Feature { name: format!("f{i}"), ..feature };
    let features = features.into_iter().enumerate().map(name).collect();
    Logistic::new("test", features, -0.5, 0.9).unwrap()
}

fn batch_of(rows: &[Vec<Option<f64>>], features: usize) -> RecordBatch {
    let column = |i: usize| floats(&rows.iter().map(|row| row[i]).collect::<Vec<_>>());
    let columns = (0..features).map(|i| (format!("f{i}"), column(i), true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

proptest! {
    #[test]
    fn score_and_contributions_follow_the_formula(
        features in proptest::collection::vec(any_feature(), 1..8),
        rows in proptest::collection::vec(proptest::collection::vec(any_value(), 8), 0..40),
    ) {
        let model = model_of(features);
        let batch = batch_of(&rows, model.features().len());
        let log_odds = model.log_odds(&batch).unwrap();
        let scores = model.probabilities(&batch).unwrap();
        for (row, values) in rows.iter().enumerate() {
            let z = formula(&model, values);
            let close = (log_odds[row] - z).abs() <= 1e-10 * (1.0 + z.abs());
            prop_assert!(close, "{} {z}", log_odds[row]);
            let p = 1.0 / (1.0 + libm::exp(-z));
            prop_assert!((scores.value(row) - p).abs() < 1e-10, "{} {p}", scores.value(row));
            let parts = model.contributions(&batch, row).unwrap();
            let sum = parts.iter().fold(model.intercept(), |sum, part| sum + part.contribution);
            prop_assert_eq!(sum.to_bits(), log_odds[row].to_bits());
            for (part, value) in parts.iter().zip(values) {
                prop_assert_eq!(part.value, value.filter(|value| !value.is_nan()));
            }
        }
    }

    #[test]
    fn batches_do_not_matter(
        features in proptest::collection::vec(any_feature(), 1..4),
        row in proptest::collection::vec(any_value(), 4),
        count in prop_oneof![Just(1_usize), 1020..1030_usize, 2040..2060_usize],
    ) {
        let model = model_of(features);
        let whole = batch_of(&vec![row.clone(); count], model.features().len());
        let one = batch_of(&[row], model.features().len());
        let single = model.probabilities(&one).unwrap().value(0);
        for score in model.probabilities(&whole).unwrap().values() {
            prop_assert_eq!(score.to_bits(), single.to_bits());
        }
        let cut = model.probabilities(&whole.slice(count / 2, count - count / 2)).unwrap();
        prop_assert!(cut.values().iter().all(|score| score.to_bits() == single.to_bits()));
    }

    #[test]
    fn files_read_back_to_the_bit(features in proptest::collection::vec(any_feature(), 1..8)) {
        let model = model_of(features);
        let again = Logistic::from_json(&model.to_json()).unwrap();
        prop_assert_eq!(model.features(), again.features());
        prop_assert_eq!(model.to_json(), again.to_json());
        prop_assert_eq!((again.made_by(), again.threshold()), ("test", 0.9));
    }
}

#[test]
fn every_numeric_type_counts_alike() {
    let decimals = Decimal128Array::from(vec![Some(250), None, Some(300)]);
    let columns: Vec<ArrayRef> = vec![
        floats(&[Some(2.5), None, Some(3.0)]),
        Arc::new(Float32Array::from(vec![Some(2.5), None, Some(3.0)])),
        Arc::new(decimals.with_precision_and_scale(9, 2).unwrap()),
    ];
    let model = |weight| {
        let feature = Feature { mean: 1.0, ..Feature::new("f", FeatureTransform::Log1p, weight) };
        Logistic::new("", vec![feature], 0.25, 0.5).unwrap()
    };
    let score = |column: &ArrayRef, weight| -> Vec<u64> {
        let batch = RecordBatch::try_from_iter_with_nullable([("f", Arc::clone(column), true)]);
        let scores = model(weight).probabilities(&batch.unwrap()).unwrap();
        scores.values().iter().map(|score| score.to_bits()).collect()
    };
    for column in &columns {
        assert_eq!(score(column, 2.0), score(&columns[0], 2.0), "{}", column.data_type());
    }
    let whole: Vec<ArrayRef> = vec![
        floats(&[Some(0.0), None, Some(1.0)]),
        Arc::new(Int64Array::from(vec![Some(0), None, Some(1)])),
        Arc::new(UInt32Array::from(vec![Some(0), None, Some(1)])),
        Arc::new(BooleanArray::from(vec![Some(false), None, Some(true)])),
    ];
    for column in &whole {
        assert_eq!(score(column, -1.5), score(&whole[0], -1.5), "{}", column.data_type());
    }
    let unknown: ArrayRef = Arc::new(NullArray::new(1));
    assert_eq!(score(&unknown, 1.0), [pelton_kernels::math::sigmoid(0.25).to_bits()]);
}

#[test]
fn the_column_is_added() {
    let feature = Feature::new("count", FeatureTransform::Identity, 1.0);
    let model = Arc::new(Logistic::new("", vec![feature], 0.0, 0.5).unwrap());
    let step = ScoreColumn::new("risk", model);
    let out = step.map(payments()).unwrap();
    assert_eq!(out.rows.schema(), step.output_schema(&payments().rows.schema()).unwrap());
    let risk = out.rows.column_by_name("risk").unwrap().as_primitive::<Float64Type>();
    assert!(risk.value(0) > 0.99 && risk.value(1) == 0.5 && risk.null_count() == 0);
    assert_eq!(step.describe(), "score risk = logistic(count)");
    let twice = step.map(out).unwrap_err();
    assert!(twice.to_string().contains("already"));
}

#[test]
fn columns_are_checked_before_the_stream() {
    let words = |name: &str| {
        let feature = Feature::new(name, FeatureTransform::Identity, 1.0);
        let model = Arc::new(Logistic::new("", vec![feature], 0.0, 0.5).unwrap());
        let step = ScoreColumn::new("risk", model);
        step.output_schema(&payments().rows.schema()).unwrap_err().to_string()
    };
    assert!(words("cuont").contains("did you mean `count`"));
    assert!(words("country").contains("`country` is Utf8, which a model cannot weigh"));
    let text = RecordBatch::try_from_iter([("f", Arc::new(StringArray::from(vec!["a"])) as _)]);
    let feature = Feature::new("f", FeatureTransform::Identity, 1.0);
    let model = Logistic::new("", vec![feature], 0.0, 0.5).unwrap();
    assert!(model.probabilities(&text.unwrap()).is_err());
    let batch = batch_of(&[], 1);
    assert!(model_of(model.features().to_vec()).contributions(&batch, 0).is_err());
}

#[test]
fn broken_files_are_refused_with_a_reason() {
    let file = |features: &str| {
        format!(
            r#"{{"kind":"logistic","version":1,"made_by":"x","features":[{features}],
            "intercept":-1,"threshold":0.9}}"#
        )
    };
    let good = r#"{"name":"a","transform":"log1p","weight":1}"#;
    assert!(Logistic::from_json(&file(good)).is_ok());
    let words = |text: &str| Logistic::from_json(text).unwrap_err().to_string();
    let with = |fields: &str| words(&file(&format!(r#"{{"name":"a",{fields}}}"#)));
    assert!(words("").contains("no logistic model"));
    assert!(words(r#"{"kind":"forest","version":1}"#).contains("kind is `forest`"));
    assert!(words(r#"{"kind":"logistic","version":2}"#).contains("version 2, not 1"));
    assert!(words(&file("")).contains("at least one feature"));
    assert!(words(&file(&format!("{good},{good}"))).contains("`a` stands twice"));
    assert!(with(r#""transform":"log1p""#).contains("missing field `weight`"));
    assert!(with(r#""transform":"log2","weight":1"#).contains("unknown variant `log2`"));
    assert!(with(r#""transform":"sqrt","weight":1,"mena":1"#).contains("unknown field `mena`"));
    assert!(with(r#""transform":"sqrt","weight":1,"scale":0"#).contains("scale is 0"));
    assert!(with(r#""transform":"sqrt","weight":1e200"#).contains("weight must be a number"));
    assert!(with(r#""transform":"sqrt","weight":1e100,"scale":1e-99"#).contains("too large"));
    assert!(with(r#""transform":"clip","weight":1"#).contains("clip needs lo or hi"));
    assert!(with(r#""transform":"clip","weight":1,"lo":2,"hi":1"#).contains("above hi"));
    let nan = Feature::new("a", FeatureTransform::Sqrt, f64::NAN);
    assert!(Logistic::new("", vec![nan], 0.0, 0.5).is_err());
    let fine = || vec![Feature::new("a", FeatureTransform::Sqrt, 1.0)];
    assert!(Logistic::new("", fine(), f64::INFINITY, 0.5).is_err());
    assert!(Logistic::new("", fine(), 0.0, 1.5).is_err());
    let missing = Logistic::load("no/such/model.json").unwrap_err().to_string();
    assert!(missing.contains("cannot read no/such/model.json"));
}
