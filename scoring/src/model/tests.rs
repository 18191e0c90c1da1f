//! Each model gives what its library said of the same rows (`scoring/fixtures/make.py`).

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::contributions::{LIGHTGBM_TOLERANCE, SUM_TOLERANCE, XGBOOST_TOLERANCE};
use super::linear::LINEAR_TOLERANCE_F32;
use super::link::{LINK_TOLERANCE_F32, LINK_TOLERANCE_F64};
use super::network::NETWORK_TOLERANCE;
use super::onnx::isolation::ISOLATION_TOLERANCE;
use super::*;

/// What a library said.
#[derive(Deserialize)]
struct Expected {
    rows: Vec<Vec<Number>>,
    raw: Vec<Vec<Number>>,
    predicted: Vec<Vec<Number>>,
    contributions: Option<Vec<Vec<Number>>>,
}

/// A number as the fixtures write it: null is NaN, "inf" and "-inf" are texts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Infinite(String),
    Missing(()),
}

fn table(rows: &[Vec<Number>]) -> Vec<Vec<f64>> {
    let number = |number: &Number| match number {
        Number::Finite(value) => *value,
        Number::Infinite(text) => text.parse().unwrap(),
        Number::Missing(()) => f64::NAN,
    };
    rows.iter().map(|row| row.iter().map(number).collect()).collect()
}

pub(super) fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(super) fn load(name: &str) -> Model {
    Model::load(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What is known of raw scores.
#[derive(Clone, Copy)]
enum Raw {
    /// The library's, to the bit.
    Bits,
    /// The library's, within a part of the absolute terms' sum.
    Near(f64),
    /// The library does not tell them.
    Unknown,
}

/// How near raw scores, predictions and contributions have to be.
#[derive(Clone, Copy)]
struct Nearness {
    raw: Raw,
    predicted: f64,
    contributions: f64,
}

const LIGHTGBM: Nearness =
    Nearness { raw: Raw::Bits, predicted: LINK_TOLERANCE_F64, contributions: LIGHTGBM_TOLERANCE };
const XGBOOST: Nearness =
    Nearness { raw: Raw::Bits, predicted: LINK_TOLERANCE_F32, contributions: XGBOOST_TOLERANCE };
const XGBOOST_LINEAR: Nearness = Nearness { raw: Raw::Near(LINEAR_TOLERANCE_F32), ..XGBOOST };
/// Averages of leaves: the ONNX runtime's bits.
const ONNX_SUMS: Nearness = Nearness { raw: Raw::Unknown, predicted: 0.0, contributions: 0.0 };
const ONNX_LINK: Nearness = Nearness { predicted: LINK_TOLERANCE_F32, ..ONNX_SUMS };
const ONNX_LINEAR: Nearness = Nearness { raw: Raw::Near(LINEAR_TOLERANCE_F32), ..ONNX_LINK };
const ONNX_LOGISTIC: Nearness = Nearness { predicted: LOGISTIC_TOLERANCE, ..ONNX_LINK };
const NETWORK: Nearness =
    Nearness { raw: Raw::Unknown, predicted: NETWORK_TOLERANCE, contributions: 0.0 };
const ISOLATION: Nearness = Nearness { predicted: ISOLATION_TOLERANCE, ..ONNX_SUMS };
/// A weighted sum of `f32` roundings before the link.
const LOGISTIC_TOLERANCE: f64 = 4e-6;

fn near(a: f64, b: f64, tolerance: f64, scale: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * scale
}

/// Rows one by one and as columns, raw scores, predictions, contributions.
fn check(name: &str, expected: &str, nearness: Nearness) {
    let model = Arc::new(load(name));
    let expected: Expected =
        serde_json::from_slice(&fixture(&format!("{expected}.expected.json"))).unwrap();
    let (rows, raw) = (table(&expected.rows), table(&expected.raw));
    let predicted = table(&expected.predicted);
    let (outputs, predictions) = (model.raw_outputs(), model.predictions());
    let features = model.features().len();
    let mut scorer = Scorer::new(Arc::clone(&model));
    let columns: Vec<Vec<f64>> =
        (0..features).map(|feature| rows.iter().map(|row| row[feature]).collect()).collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let mut all_raw = vec![0.0; rows.len() * outputs];
    let mut all_predicted = vec![0.0; rows.len() * predictions];
    scorer.raw(&columns, &mut all_raw);
    scorer.predict(&columns, &mut all_predicted);
    let (mut one_raw, mut one_predicted) = (vec![0.0; outputs], vec![0.0; predictions]);
    for (at, row) in rows.iter().enumerate() {
        scorer.raw_row(row, &mut one_raw);
        scorer.predict_row(row, &mut one_predicted);
        for output in 0..outputs {
            let (ours, theirs) = (one_raw[output], raw[at].get(output).copied().unwrap_or(0.0));
            let place = format!("{name}: row {at}, output {output}: {ours:e}, not {theirs:e}");
            assert_eq!(ours.to_bits(), all_raw[output * rows.len() + at].to_bits(), "{place}");
            match nearness.raw {
                Raw::Unknown => {}
                Raw::Bits => assert_eq!(ours, theirs, "{place}"),
                Raw::Near(tolerance) => {
                    let scale =
                        row.iter().fold(1.0, |sum, x| if x.is_nan() { sum } else { sum + x.abs() });
                    assert!(near(ours, theirs, tolerance, scale), "{place}");
                }
            }
        }
        for (output, (ours, theirs)) in one_predicted.iter().zip(&predicted[at]).enumerate() {
            let place = format!("{name}: row {at}, prediction {output}: {ours:e}, not {theirs:e}");
            assert_eq!(ours.to_bits(), all_predicted[output * rows.len() + at].to_bits());
            let scale = ours.abs().max(theirs.abs());
            // Sums of terms near 1, which may cancel.
            let cancels = matches!(nearness.raw, Raw::Near(_))
                || [ISOLATION_TOLERANCE, NETWORK_TOLERANCE].contains(&nearness.predicted);
            let scale = if cancels { scale.max(1.0) } else { scale };
            assert!(near(*ours, *theirs, nearness.predicted, scale), "{place}");
        }
        check_contributions(&mut scorer, row, name, nearness, &one_raw, |feature| {
            expected.contributions.as_ref().map(|list| table(&list[at..=at])[0][feature])
        });
    }
}

fn check_contributions(
    scorer: &mut Scorer,
    row: &[f64],
    name: &str,
    nearness: Nearness,
    raw: &[f64],
    theirs: impl Fn(usize) -> Option<f64>,
) {
    let width = row.len() + 1;
    for method in [Method::Exact, Method::Fast] {
        let mut ours = vec![0.0; raw.len() * width];
        scorer.contributions(row, method, &mut ours);
        for (output, sum) in raw.iter().enumerate() {
            let part = &ours[output * width..(output + 1) * width];
            let total: f64 = part.iter().sum();
            let scale: f64 = part.iter().map(|x| x.abs()).sum();
            assert!(near(total, *sum, SUM_TOLERANCE, scale), "{name}: {method:?} {total} {sum}");
        }
        let largest = ours.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        for (at, ours) in ours.iter().enumerate() {
            let Some(theirs) = theirs(at).filter(|_| method == Method::Exact) else { continue };
            assert!(
                near(*ours, theirs, nearness.contributions, largest),
                "{name}: {row:?}, contribution {at}: {ours:e}, not {theirs:e}"
            );
        }
    }
}

#[test]
fn lightgbm_says_the_same_of_every_row() {
    for name in [
        "lgb_binary",
        "lgb_no_missing",
        "lgb_zero_missing",
        "lgb_multiclass",
        "lgb_rf",
        "lgb_dart",
        "lgb_ova",
        "lgb_sqrt",
    ] {
        check(&format!("{name}.model.txt"), name, LIGHTGBM);
        check(&format!("{name}.model.json"), name, LIGHTGBM);
    }
    // Trained by `crate::train`, and read by LightGBM's own library.
    check("own_boosted.model.txt", "own_boosted", LIGHTGBM);
}

#[test]
fn xgboost_says_the_same_of_every_row() {
    for name in ["xgb_binary", "xgb_multiclass", "xgb_dart"] {
        check(&format!("{name}.model.json"), name, XGBOOST);
        check(&format!("{name}.model.ubj"), name, XGBOOST);
    }
    check("xgb_poisson.model.json", "xgb_poisson", XGBOOST);
    check("xgb_softmax.model.ubj", "xgb_softmax", XGBOOST);
    check("xgb_linear.model.json", "xgb_linear", XGBOOST_LINEAR);
}

#[test]
fn scikit_learn_says_the_same_of_every_row() {
    for (name, nearness) in [
        ("skl_rf", ONNX_SUMS),
        ("skl_rf_binary", ONNX_SUMS),
        ("skl_rf_regression", ONNX_SUMS),
        ("skl_boosting", ONNX_LINK),
        ("skl_boosting_multiclass", ONNX_LINK),
        ("skl_isolation", ISOLATION),
        ("skl_logistic", ONNX_LOGISTIC),
        ("skl_multinomial", ONNX_LOGISTIC),
        ("skl_ridge", ONNX_LINEAR),
        ("skl_mlp", NETWORK),
        ("skl_mlp_multiclass", NETWORK),
        ("skl_mlp_regression", NETWORK),
        ("torch_mlp", NETWORK),
    ] {
        check(&format!("{name}.model.onnx"), name, nearness);
    }
}

#[test]
fn features_are_found_by_name() {
    let model = load("lgb_binary.model.txt");
    let names = ["f5", "f4", "x", "f3", "f2", "f1", "f0"];
    assert_eq!(model.bind(&names).unwrap(), [6, 5, 4, 3, 1, 0]);
    let error = model.bind(&["f0", "amount", "f1", "f2", "f4", "f5"]).unwrap_err();
    assert!(error.what().contains("\"f3\"") && !error.what().contains("\"f2\""), "{error}");
    assert!(error.advice().unwrap().contains("\"amount\""), "{error}");
    let renamed = load("skl_rf.model.onnx")
        .with_features(names[..6].iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(renamed.unwrap().features()[1], "f4");
    let twice = load("skl_rf.model.onnx").with_features(vec!["a".to_owned(); 6]).unwrap_err();
    assert!(twice.what().contains("two features are called \"a\""), "{twice}");
}

#[test]
fn a_model_describes_itself() {
    let text = load("lgb_binary.model.txt").describe();
    let expected = "LightGBM text: 6 features, 8 trees, 64 leaves, f64 sums; layouts: select 8; ";
    assert!(text.starts_with(expected), "{text}");
}
