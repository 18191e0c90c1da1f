//! Models of scikit-learn as `skl2onnx` writes them.
//!
//! A graph is read as a chain: steps that prepare each feature for itself (`Imputer`, `Scaler`,
//! `Mul`, `Add`, …), then one estimator (`TreeEnsembleClassifier`, `TreeEnsembleRegressor`,
//! `LinearClassifier`, `LinearRegressor`), then what only renames classes. The isolation forest
//! is a graph of hundreds of operators; [`isolation`] recognises it. Where `MatMul` or `Gemm`
//! follows the steps, a network begins (`network.rs`).
//!
//! This is not a runtime of ONNX: graphs of other shapes are refused, and their operator named.
//!
//! Numbers are `f32`, as in the ONNX runtime: features are rounded to `f32`, leaves are added in
//! `f32` in the order of the trees, base values last. scikit-learn itself averages in `f64`, so
//! it differs from both in the seventh digit. The runtime adds in that order on one thread; on
//! several it may add parts of a large forest first.

pub mod isolation;
mod network;
mod proto;
mod trees;

use self::proto::{Graph, Node};
use super::link::Link;
use super::{Estimator, Linear, Model, Step, damaged, numbered};
use crate::{Error, Result};

const CONVERT: &str = "convert the model alone with skl2onnx, with one input of type \
                       FloatTensorType([None, features])";

/// Features that a model without names may have.
const FEATURES_MAX: usize = 1 << 20;

/// Reads an ONNX model.
///
/// # Errors
/// Where the bytes are cut, the graph has another shape than those above, or the trees are no
/// forest.
pub fn load_onnx(bytes: &[u8]) -> Result<Model> {
    let graph = proto::read_model(bytes)?;
    let [input] = graph.inputs.as_slice() else {
        let what = format!("{} inputs and not one", graph.inputs.len());
        return Err(Error::new(what).at("ONNX graph").advise(CONVERT));
    };
    if input.element != 1 {
        let what = format!("input {:?} is not of f32", input.name);
        return Err(Error::new(what).at("ONNX graph").advise(CONVERT));
    }
    let features = input.width.and_then(|width| usize::try_from(width).ok());
    let features = features.filter(|features| (1..=FEATURES_MAX).contains(features));
    let Some(features) = features else {
        let what = format!("input {:?} does not tell how many features it has", input.name);
        return Err(Error::new(what).at("ONNX graph").advise(CONVERT));
    };
    if let Some(forest) = isolation::read(&graph, features)? {
        let steps = vec![Step::Narrow];
        let (format, names) = ("ONNX isolation forest", numbered(features));
        return Model::new(format, names, steps, Estimator::Forest(Box::new(forest)), features);
    }
    let mut steps = vec![Step::Narrow];
    let mut value = input.name.as_str();
    loop {
        let node = consumer(&graph, value)?;
        if let Some(step) = step_of(&graph, node, value, features)? {
            if !step.fits(features) {
                return Err(damaged(format!("{} has not {features} finite numbers", node.op)));
            }
            steps.push(step);
        } else if network::begins(node) {
            let estimator = Estimator::Network(network::read(&graph, value, features)?);
            return Model::new("ONNX", numbered(features), steps, estimator, features);
        } else if !matches!(node.op.as_str(), "Identity" | "Cast" | "Flatten") {
            let estimator = estimator_of(node, features)?;
            check_rest(&graph, node, &estimator)?;
            let names = numbered(features);
            return Model::new("ONNX", names, steps, estimator, features);
        }
        value = node.outputs.first().map_or("", String::as_str);
        if steps.len() > graph.nodes.len() + 1 {
            return Err(damaged("the graph is a cycle").at("ONNX graph"));
        }
    }
}

/// The one operator that reads a value.
fn consumer<'a>(graph: &'a Graph, value: &str) -> Result<&'a Node> {
    let mut readers =
        graph.nodes.iter().filter(|node| node.inputs.iter().any(|name| name == value));
    match (readers.next(), readers.next()) {
        (Some(node), None) => Ok(node),
        (first, _) => {
            let what = match first {
                None => format!("nothing reads {value:?}"),
                Some(node) => format!("{} and others read {value:?}", node.op),
            };
            Err(Error::new(what).at("ONNX graph").advise(CONVERT))
        }
    }
}

/// One number for all features, or one for each.
fn spread(list: &[f32], features: usize) -> Vec<f64> {
    match list {
        [one] => vec![f64::from(*one); features],
        list => list.iter().map(|value| f64::from(*value)).collect(),
    }
}

fn step_of(graph: &Graph, node: &Node, value: &str, features: usize) -> Result<Option<Step>> {
    let list = |name: &str| spread(&node.attribute(name).floats, features);
    let operand = || {
        let name = node.inputs.iter().find(|name| *name != value);
        let constant = graph.constants.iter().find(|constant| Some(&constant.name) == name);
        let constant = constant.ok_or_else(|| damaged(format!("{} has no constant", node.op)));
        constant.map(|constant| spread(&constant.floats, features))
    };
    Ok(Some(match node.op.as_str() {
        "Imputer" => Step::Impute {
            missing: f64::from(node.attribute("replaced_value_float").f),
            fill: list("imputed_value_floats"),
        },
        "Scaler" => Step::Scale { offset: list("offset"), scale: list("scale") },
        "Mul" => Step::Multiply { by: operand()? },
        "Add" => Step::Add { what: operand()? },
        "Sub" | "Div" if node.inputs.first().is_none_or(|first| first != value) => {
            return Err(Error::new(format!("{} of a constant by a feature", node.op)));
        }
        "Sub" => Step::Scale { offset: operand()?, scale: vec![1.0; features] },
        "Div" => Step::Divide { by: operand()? },
        _ => return Ok(None),
    }))
}

fn estimator_of(node: &Node, features: usize) -> Result<Estimator> {
    let of_double = node.attributes.iter().find(|attribute| attribute.is_tensor);
    if let Some(attribute) = of_double {
        let what = format!("{} has numbers of 64 bits in {}", node.op, attribute.name);
        return Err(Error::new(what).advise(CONVERT));
    }
    Ok(match node.op.as_str() {
        "TreeEnsembleClassifier" => Estimator::Forest(Box::new(trees::classifier(node, features)?)),
        "TreeEnsembleRegressor" => Estimator::Forest(Box::new(trees::regressor(node, features)?)),
        "LinearClassifier" | "LinearRegressor" => Estimator::Linear(linear(node, features)?),
        other => {
            let what = format!("operator {other} is not known here");
            return Err(Error::new(what).at("ONNX graph").advise(CONVERT));
        }
    })
}

fn linear(node: &Node, features: usize) -> Result<Linear> {
    let weights = &node.attribute("coefficients").floats;
    let is_classifier = node.op == "LinearClassifier";
    let outputs = weights.len() / features;
    let intercepts = match node.attribute("intercepts").floats.as_slice() {
        [] => vec![0.0; outputs],
        list => list.iter().map(|value| f64::from(*value)).collect(),
    };
    if outputs == 0 || weights.len() != outputs * features {
        let what = format!("{} coefficients for {features} features", weights.len());
        return Err(damaged(what).at(node.op.clone()));
    }
    let link = match (node.attribute("post_transform").s.as_str(), outputs) {
        ("NONE" | "", 1) if is_classifier => Link::BothIdentity,
        ("LOGISTIC", 1) if is_classifier => Link::BothLogistic,
        ("NONE" | "", _) => Link::Identity,
        ("LOGISTIC", _) => Link::Logistic { scale: 1.0 },
        ("SOFTMAX", _) => Link::Softmax,
        (other, _) => return Err(Error::new(format!("post_transform {other:?} is not known"))),
    };
    let rows = weights.chunks_exact(features);
    let weights = rows.map(|row| row.iter().map(|value| f64::from(*value)).collect()).collect();
    Linear::new(weights, intercepts, link, true)
}

/// What follows the estimator must not change scores: labels and names of classes.
fn check_rest(graph: &Graph, estimator: &Node, what: &Estimator) -> Result<()> {
    let sums_to_one = match what {
        Estimator::Linear(linear) => linear.link() == Link::Softmax,
        Estimator::Forest(_) | Estimator::Network(_) => false,
    };
    let outputs = &estimator.outputs;
    let scores =
        if estimator.op.ends_with("Classifier") { outputs.get(1) } else { outputs.first() };
    let mut names: Vec<&String> = scores.into_iter().collect();
    let mut at = 0;
    while let Some(name) = names.get(at).copied() {
        at += 1;
        for node in graph.nodes.iter().filter(|node| node.inputs.contains(name)) {
            let harmless = match node.op.as_str() {
                "ZipMap" | "Identity" | "Cast" => true,
                // Softmax sums to one already.
                "Normalizer" => sums_to_one && node.attribute("norm").s == "L1",
                _ => false,
            };
            if !harmless || names.len() > graph.nodes.len() {
                let what = format!("operator {} after {}", node.op, estimator.op);
                return Err(Error::new(what).at("ONNX graph").advise(CONVERT));
            }
            names.extend(node.outputs.first());
        }
    }
    Ok(())
}
