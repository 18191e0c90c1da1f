//! What a plan says and refuses; what the columns hold is tested through pipelines
//! (`engine/tests/detect.rs`).

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::DetectPlan;
use crate::operator::KeyedStep;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("machine", DataType::Utf8, true),
        Field::new("cpu", DataType::Float64, true),
        Field::new("rows", DataType::Int64, true),
    ]))
}

fn plan(method: &str, columns: &[&str]) -> DetectPlan {
    DetectPlan {
        name: "load".to_owned(),
        keys: vec!["machine".to_owned()],
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        method: method.to_owned(),
        unit: TimeUnit::Second,
        feedback: None,
        slots: None,
    }
}

#[test]
fn columns_are_named_after_the_detector() {
    let output = plan("auto", &["cpu", "rows"]).output_schema(&schema()).unwrap();
    let names: Vec<&str> = output.fields()[3..].iter().map(|f| f.name().as_str()).collect();
    let one = ["load_score", "load_probability", "load_flag", "load_warming_up"];
    assert_eq!(names[..4], one);
    assert_eq!(names[4..], ["load_contribution_cpu", "load_contribution_rows"]);
    let unnamed = DetectPlan { name: String::new(), ..plan("ewma", &["cpu"]) };
    let output = unnamed.output_schema(&schema()).unwrap();
    assert_eq!(output.fields()[3].name(), "score");
    assert_eq!(output.fields().len(), 7, "one value needs no contribution");
}

#[test]
fn explain_says_how_large_states_are_and_who_shares_them() {
    let text = plan("ewma", &["cpu"]).describe();
    assert_eq!(text, "detect load = ewma(cpu) by machine: a state a key, about 24 bytes each");
    let forest = plan("cut-forest", &["cpu"]);
    assert!(forest.needs_slots());
    let text = DetectPlan { slots: Some("slot".to_owned()), ..forest }.describe();
    assert!(text.contains("the first 256 keys, 16 shared by those after them"), "{text}");
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let refused = |plan: DetectPlan, part: &str| {
        let error = plan.output_schema(&schema()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(plan("magic", &["cpu"]), "there is no detector \"magic\"");
    refused(plan("ewma", &["cpu", "rows"]), "ewma takes one value, not 2");
    refused(plan("auto", &[]), "needs a value");
    refused(plan("auto", &["machine"]), "is Utf8");
    refused(plan("auto", &["cpu", "cpu"]), "column cpu is watched twice");
    refused(plan("auto", &["gpu"]), "there is no column `gpu`");
    refused(DetectPlan { keys: vec!["no".to_owned()], ..plan("auto", &["cpu"]) }, "`no`");
}
