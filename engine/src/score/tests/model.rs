//! Models from files: bound to columns, scored in batches of any size, explained, and refused
//! where they do not fit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int32Array, RecordBatch,
    StringArray,
};
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use pelton_scoring::model::contributions::SUM_TOLERANCE;
use pelton_scoring::model::{Method, Model as ScoringModel, Scorer as Memory};
use proptest::prelude::*;

use crate::batch::Batch;
use crate::operator::MapOperator;
use crate::score::{Model, ScoreColumn, Scorer};

pub(super) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scoring/fixtures").join(name)
}

pub(super) fn load(name: &str) -> Model {
    Model::load(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Rows of `features` columns f0, f1, …, null where there is no value.
pub(super) fn rows(features: usize, rows: &[Vec<Option<f64>>]) -> Batch {
    let column = |i: usize| rows.iter().map(|row| row[i]).collect::<Float64Array>();
    let columns = (0..features).map(|i| (format!("f{i}"), Arc::new(column(i)) as ArrayRef, true));
    Batch::new(RecordBatch::try_from_iter_with_nullable(columns).unwrap(), 0)
}

fn any_rows(features: usize) -> impl Strategy<Value = Vec<Vec<Option<f64>>>> {
    let value = prop_oneof![
        6 => (-3.0..3.0_f64).prop_map(Some),
        2 => (0..6).prop_map(|category| Some(f64::from(category))),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
        1 => prop_oneof![Just(f64::INFINITY), Just(-0.0), Just(f64::MIN), Just(1e300)]
            .prop_map(Some),
    ];
    let length = prop_oneof![1..5_usize, 120..140_usize, 510..515_usize];
    length.prop_flat_map(move |length| {
        proptest::collection::vec(proptest::collection::vec(value.clone(), features), length)
    })
}

const MODELS: [&str; 9] = [
    "lgb_binary.model.txt",
    "lgb_multiclass.model.json",
    "lgb_zero_missing.model.txt",
    "xgb_binary.model.ubj",
    "xgb_multiclass.model.json",
    "xgb_linear.model.json",
    "skl_rf_binary.model.onnx",
    "skl_boosting.model.onnx",
    "skl_logistic.model.onnx",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The engine's columns are what the model says of each row alone, however rows are cut.
    #[test]
    fn scores_are_the_models_for_any_batches(
        name in proptest::sample::select(MODELS.as_slice()),
        table in any_rows(6),
        cut in 1..200_usize,
    ) {
        let model = load(name);
        let plain = ScoringModel::load(&std::fs::read(path(name)).unwrap()).unwrap();
        let mut memory = Memory::new(Arc::new(plain.clone()));
        let mut said = vec![0.0; plain.predictions()];
        let batch = rows(6, &table);
        let whole = model.score(&batch).unwrap();
        let mut parts: Vec<Vec<f64>> = vec![Vec::new(); model.outputs()];
        for start in (0..table.len()).step_by(cut) {
            let length = cut.min(table.len() - start);
            let part = Batch::new(batch.rows.slice(start, length), start as u64);
            for (all, scores) in parts.iter_mut().zip(model.score(&part).unwrap()) {
                all.extend(scores.values());
            }
        }
        for (row, values) in table.iter().enumerate() {
            let values: Vec<f64> = values.iter().map(|x| x.unwrap_or(f64::NAN)).collect();
            memory.predict_row(&values, &mut said);
            let shown = if said.len() == 2 { &said[1..] } else { &said[..] };
            for (output, said) in shown.iter().enumerate() {
                prop_assert_eq!(whole[output].value(row).to_bits(), said.to_bits());
                prop_assert_eq!(parts[output][row].to_bits(), said.to_bits());
            }
        }
    }

    /// Base and contributions add up to the raw score of the class that is explained.
    #[test]
    fn explanations_add_up(
        name in proptest::sample::select(MODELS.as_slice()),
        table in any_rows(6),
        fast in any::<bool>(),
    ) {
        let method = if fast { Method::Fast } else { Method::Exact };
        let model = load(name).explained_by(method);
        let plain = ScoringModel::load(&std::fs::read(path(name)).unwrap()).unwrap();
        let mut memory = Memory::new(Arc::new(plain.clone()));
        let mut raw = vec![0.0; plain.raw_outputs()];
        let batch = rows(6, &table);
        for (row, values) in table.iter().enumerate().take(3) {
            // The sum of a linear model has no value where a term has none.
            let values: Vec<f64> = values.iter().map(|x| x.unwrap_or(f64::NAN)).collect();
            memory.raw_row(&values, &mut raw);
            let explanation = model.explain(&batch, row).unwrap();
            let class = explanation.class.unwrap_or(1);
            let of = plain.raw_of(if plain.predictions() == 1 { 0 } else { class });
            let expected = of.offset + of.sign * raw[of.output];
            let size = |sum: f64, part: &crate::score::Contribution| sum + part.contribution.abs();
            let scale = explanation.contributions.iter().fold(explanation.base.abs(), size);
            if expected.is_finite() && scale.is_finite() {
                let off = (explanation.raw() - expected).abs();
                prop_assert!(off <= SUM_TOLERANCE * scale, "{name}: {off} of {scale}");
            }
            for (part, value) in explanation.contributions.iter().zip(&values) {
                prop_assert_eq!(part.value, (!value.is_nan()).then_some(*value));
            }
        }
    }
}

#[test]
fn the_likeliest_class_is_explained() {
    let model = load("lgb_multiclass.model.txt");
    let batch = rows(6, &[vec![Some(0.5); 6], vec![Some(-1.5); 6], vec![None; 6]]);
    let scores = model.score(&batch).unwrap();
    assert_eq!(scores.len(), 3);
    for row in 0..3 {
        let class = model.explain(&batch, row).unwrap().class.unwrap();
        assert!(scores.iter().all(|other| other.value(row) <= scores[class].value(row)));
        let one = load("lgb_multiclass.model.txt").class(class).unwrap();
        assert_eq!(one.score(&batch).unwrap(), [scores[class].clone()]);
        assert_eq!(one.explain(&batch, row).unwrap(), model.explain(&batch, row).unwrap());
    }
    let error = load("lgb_multiclass.model.txt").class(3).unwrap_err().to_string();
    assert!(error.contains("no class 3: the model has 3"), "{error}");
}

#[test]
fn several_classes_are_several_columns() {
    let step = ScoreColumn::new("risk", load("xgb_multiclass.model.json"));
    let batch = rows(6, &[vec![Some(1.0); 6]]);
    let out = step.map(batch.clone()).unwrap().rows;
    let schema = step.output_schema(&batch.rows.schema()).unwrap();
    assert_eq!(out.schema(), schema);
    let sum: f64 = ["risk_0", "risk_1", "risk_2"]
        .map(|name| out[name].as_primitive::<Float64Type>().value(0))
        .iter()
        .sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    let one = ScoreColumn::new("risk", load("xgb_binary.model.json"));
    assert_eq!(one.names(), ["risk"]);
}

#[test]
fn columns_of_any_numeric_type_are_features() {
    let model = load("lgb_binary.model.txt");
    let expected = model.score(&rows(
        6,
        &[vec![Some(1.0), Some(0.5), Some(2.0), None, Some(0.0), Some(1.0)], vec![None; 6]],
    ));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("f5", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("name", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("f0", Arc::new(Int32Array::from(vec![Some(1), None]))),
        ("f1", Arc::new(Float32Array::from(vec![Some(0.5), None]))),
        ("f4", Arc::new(Float32Array::from(vec![Some(0.0), Some(f32::NAN)]))),
        ("f2", Arc::new(Int32Array::from(vec![Some(2), None]))),
        ("f3", Arc::new(Float64Array::from(vec![None, None]))),
    ];
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = Batch::new(RecordBatch::try_from_iter_with_nullable(columns).unwrap(), 0);
    assert_eq!(model.score(&batch).unwrap(), expected.unwrap());
}

#[test]
fn what_does_not_fit_is_said_before_the_stream() {
    let model = load("lgb_binary.model.txt");
    let words = |names: &[(&str, DataType)]| {
        let fields = names.iter().map(|(name, of)| Field::new(*name, of.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let step = ScoreColumn::new("risk", model.clone());
        step.output_schema(&schema).unwrap_err().to_string()
    };
    let f = |i: usize| ["f0", "f1", "f2", "f3", "f4", "f5"][i];
    let all = |last: DataType| -> Vec<(&str, DataType)> {
        (0..6).map(|i| (f(i), if i == 5 { last.clone() } else { DataType::Float64 })).collect()
    };
    let one_short = words(&all(DataType::Float64)[..5]);
    assert!(one_short.contains("feature `f5` is no column"), "{one_short}");
    assert!(one_short.contains("columns of numbers are `f0`, `f1`"), "{one_short}");
    let nothing = words(&[("text", DataType::Utf8)]);
    assert!(nothing.contains("6 of the model's 6 features are no columns: `f0`"), "{nothing}");
    assert!(nothing.contains("there is no column of numbers"), "{nothing}");
    let text = words(&all(DataType::Utf8));
    assert!(text.contains("`f5` is Utf8, which a model cannot weigh"), "{text}");
    let mut twice = all(DataType::Float64);
    twice.push(("f2", DataType::Int64));
    assert!(words(&twice).contains("two columns `f2`"), "{}", words(&twice));
    let mut taken = all(DataType::Float64);
    taken.push(("risk", DataType::Int64));
    assert!(words(&taken).contains("a column `risk` already"));
}

#[test]
fn features_that_the_input_cannot_have_are_missing() {
    let absent = ["f1".to_owned(), "f4".to_owned()];
    let model = load("lgb_binary.model.txt").without(&absent).unwrap();
    assert_eq!(model.inputs(), ["f0", "f2", "f3", "f5"]);
    assert!(model.describe().contains("missing in every row: `f1`, `f4`"), "{}", model.describe());
    let row = vec![Some(0.5), None, Some(1.0), Some(2.0), None, Some(0.1)];
    let all = rows(6, &[row.clone(), row.clone()]);
    let fewer = all.rows.project(&[0, 2, 3, 5]).unwrap();
    let expected = load("lgb_binary.model.txt").score(&all).unwrap();
    for length in [1, 2] {
        let scores = model.score(&Batch::new(fewer.slice(0, length), 0)).unwrap();
        assert_eq!(scores[0], expected[0].slice(0, length));
    }
    let none: Vec<String> = (0..6).map(|i| format!("f{i}")).collect();
    assert!(load("lgb_binary.model.txt").without(&none).is_err());
}

#[test]
fn outliers_of_an_isolation_forest_have_the_larger_scores() {
    let model = load("skl_isolation.model.onnx");
    assert_eq!(model.threshold(), Some(0.0));
    let batch = rows(6, &[vec![Some(0.0); 6], vec![Some(50.0); 6]]);
    let scores = &model.score(&batch).unwrap()[0];
    assert!(scores.value(0) < scores.value(1) && scores.value(1) > 0.0, "{scores:?}");
    let plain = ScoringModel::load(&std::fs::read(path("skl_isolation.model.onnx")).unwrap());
    let mut memory = Memory::new(Arc::new(plain.unwrap()));
    let (mut said, mut paths) = ([0.0], [0.0]);
    memory.predict_row(&[50.0; 6], &mut said);
    memory.raw_row(&[50.0; 6], &mut paths);
    assert_eq!(scores.value(1), -said[0]);
    // Shorter paths push the score up.
    let explanation = model.explain(&batch, 1).unwrap();
    assert!((explanation.raw() + paths[0]).abs() < 1e-9, "{explanation:?}");
}

#[test]
fn the_plan_names_the_model() {
    let text = load("lgb_binary.model.txt").describe();
    for part in ["LightGBM text: 6 features, 8 trees, 64 leaves", "select 8", "KiB", "reads `f0`"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let renamed = load("skl_rf.model.onnx");
    let names: Vec<String> = renamed.features().iter().map(|name| format!("card_{name}")).collect();
    let renamed = renamed.with_features(names.clone()).unwrap();
    assert_eq!(renamed.features(), names);
    assert!(load("skl_rf.model.onnx").with_features(vec!["a".into()]).is_err());
}

#[test]
fn files_that_are_no_models_are_refused_with_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let words = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = Model::load(&path).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        error
    };
    assert!(words("empty.txt", b"").contains("is empty"));
    assert!(words("a.txt", b"what is this").contains("no model that is known here"));
    let whole = std::fs::read(path("lgb_binary.model.txt")).unwrap();
    assert!(Model::from_bytes(&whole).is_ok());
    words("cut.txt", &whole[..whole.len() / 2]);
    let logistic = r#"{"kind":"logistic","version":1,"features":[{"name":"a""#;
    assert!(words("cut.json", logistic.as_bytes()).contains("this is no logistic model"));
    let nowhere = Model::load(folder.path().join("nowhere.txt")).unwrap_err().to_string();
    assert!(nowhere.contains("cannot read") && nowhere.contains("nowhere.txt"), "{nowhere}");
    let directory = Model::load(folder.path()).unwrap_err().to_string();
    assert!(directory.contains("is a directory"), "{directory}");
}

#[test]
fn the_small_json_is_one_more_form() {
    let text = r#"{"kind":"logistic","version":1,"features":[
        {"name":"f0","transform":"identity","weight":1.5},
        {"name":"f1","transform":"identity","weight":-1}],"intercept":0.25,"threshold":0.9}"#;
    let model = Model::from_bytes(text.as_bytes()).unwrap();
    assert_eq!((model.threshold(), model.outputs()), (Some(0.9), 1));
    let batch = rows(2, &[vec![Some(1.0), Some(0.5)], vec![None, Some(2.0)]]);
    let explanation = model.explain(&batch, 0).unwrap();
    assert_eq!((explanation.base, explanation.raw()), (0.25, 1.25));
    let scores = model.score(&batch).unwrap();
    assert_eq!(scores[0].value(0), pelton_kernels::math::sigmoid(1.25));
    let left = model.clone().without(&["f1".to_owned()]).unwrap();
    assert_eq!(left.features(), ["f0"]);
    assert_eq!(model.describe(), "logistic(f0, f1)");
    assert!(model.class(0).is_err());
}
