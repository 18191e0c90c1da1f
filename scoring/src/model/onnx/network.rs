//! Networks as `skl2onnx` and PyTorch write them: `MatMul` and `Add`, or `Gemm`, then `Relu`,
//! `Tanh` or `Sigmoid`, layer by layer; at the end nothing, `Softmax`, or `Sigmoid`, which
//! `skl2onnx` completes to two probabilities (`Sub` from one, `Concat`).
//!
//! Seven operators of our own rather than a runtime (`tract` is the maintained one): it would read
//! any graph, but is some hundred crates, sums in an order that depends on the processor, and
//! explains nothing.

use super::super::link::Link;
use super::super::network::{Activation, Layer, Network};
use super::proto::{Graph, Node, Tensor};
use super::{CONVERT, damaged};
use crate::{Error, Result};

/// Whether an operator begins a network.
pub(super) fn begins(node: &Node) -> bool {
    matches!(node.op.as_str(), "MatMul" | "Gemm")
}

/// Reads the network that begins with the readers of `value`.
pub(super) fn read(graph: &Graph, value: &str, features: usize) -> Result<Network> {
    let mut layers: Vec<Layer> = Vec::new();
    let mut value = value.to_owned();
    // Each step goes one operator on; a graph that leads in a circle has more steps than nodes.
    for _ in 0..=graph.nodes.len() {
        let readers: Vec<&Node> =
            graph.nodes.iter().filter(|node| node.inputs.contains(&value)).collect();
        if graph.outputs.contains(&value) || readers.is_empty() {
            return end(layers, Link::Identity);
        }
        let [node] = readers.as_slice() else {
            return match both_probabilities(graph, &value, &readers) {
                true => end(layers, Link::BothLogistic),
                false => Err(Error::new(format!("{} operators read {value:?}", readers.len()))
                    .at("ONNX graph")
                    .advise(CONVERT)),
            };
        };
        let width = layers.last().map_or(features, |layer| layer.bias.len());
        match node.op.as_str() {
            "MatMul" => layers.push(multiplied(graph, node, &value, width)?),
            "Gemm" => layers.push(gemm(graph, node, &value, width)?),
            "Add" => add_bias(&mut layers, constant(graph, node, &value)?, node)?,
            "Relu" => activate(&mut layers, Activation::Relu, node)?,
            "Tanh" => activate(&mut layers, Activation::Tanh, node)?,
            "Sigmoid" => activate(&mut layers, Activation::Logistic, node)?,
            "Softmax" => return end(layers, Link::Softmax),
            "Identity" | "Cast" | "Dropout" => {}
            // A regressor's one column becomes a list.
            "Reshape" | "Flatten" | "Squeeze" if width == 1 => {}
            other => {
                return Err(Error::new(format!("operator {other} is not known in a network"))
                    .at("ONNX graph")
                    .advise(CONVERT));
            }
        }
        value = node.outputs.first().cloned().unwrap_or_default();
    }
    Err(damaged("the graph is a cycle").at("ONNX graph"))
}

/// The network, whose last activation is its link.
fn end(mut layers: Vec<Layer>, link: Link) -> Result<Network> {
    let Some(last) = layers.last_mut() else {
        return Err(damaged("a network without layers").at("ONNX graph"));
    };
    let link = match (std::mem::replace(&mut last.activation, Activation::Identity), link) {
        (Activation::Identity, Link::BothLogistic) => {
            return Err(damaged("two probabilities of what is none").at("ONNX graph"));
        }
        (Activation::Identity, link) => link,
        (Activation::Logistic, Link::BothLogistic) => Link::BothLogistic,
        (Activation::Logistic, Link::Identity) => Link::Logistic { scale: 1.0 },
        (activation, _) => {
            let what = format!("the network ends with {activation:?}");
            return Err(Error::new(what).at("ONNX graph").advise(CONVERT));
        }
    };
    Network::new(layers, link)
}

/// `Concat(1 − value, value)`.
fn both_probabilities(graph: &Graph, value: &str, readers: &[&Node]) -> bool {
    let [a, b] = readers else { return false };
    let (sub, concat) = if a.op == "Sub" { (a, b) } else { (b, a) };
    let one = sub.inputs.first().and_then(|name| tensor(graph, name));
    let is_one = one.is_some_and(|one| one.floats == [1.0]);
    let rest = sub.outputs.first();
    sub.op == "Sub"
        && is_one
        && sub.inputs.get(1).is_some_and(|name| name == value)
        && concat.op == "Concat"
        && concat.inputs.first() == rest
        && concat.inputs.get(1).is_some_and(|name| name == value)
}

fn tensor<'a>(graph: &'a Graph, name: &str) -> Option<&'a Tensor> {
    graph.constants.iter().find(|constant| constant.name == name)
}

/// The operand of an operator that is not `value`.
fn constant<'a>(graph: &'a Graph, node: &Node, value: &str) -> Result<&'a Tensor> {
    let other = node.inputs.iter().find(|name| *name != value);
    let found = other.and_then(|name| tensor(graph, name));
    found.ok_or_else(|| damaged(format!("{} has no constant of f32", node.op)).at("ONNX graph"))
}

/// Weights from `inputs × outputs` numbers, or `outputs × inputs` where they are turned.
fn weights(of: &Tensor, inputs: usize, turned: bool, node: &Node) -> Result<Vec<Vec<f64>>> {
    let shape = match of.dims.as_slice() {
        [a, b] => usize::try_from(*a).ok().zip(usize::try_from(*b).ok()),
        _ => None,
    };
    let (rows, columns) = shape.unwrap_or((0, 0));
    let (of_inputs, outputs) = if turned { (columns, rows) } else { (rows, columns) };
    if of_inputs != inputs || outputs == 0 || rows.checked_mul(columns) != Some(of.floats.len()) {
        let what =
            format!("{} numbers of shape {:?} for {inputs} values", of.floats.len(), of.dims);
        return Err(damaged(what).at(node.op.clone()));
    }
    let at = |input: usize, output: usize| match turned {
        true => of.floats[output * inputs + input],
        false => of.floats[input * outputs + output],
    };
    let row = |output| (0..inputs).map(|input| f64::from(at(input, output))).collect();
    Ok((0..outputs).map(row).collect())
}

fn multiplied(graph: &Graph, node: &Node, value: &str, inputs: usize) -> Result<Layer> {
    if node.inputs.first().is_none_or(|first| first != value) {
        return Err(Error::new("a constant is multiplied by the values").at("MatMul"));
    }
    let weights = weights(constant(graph, node, value)?, inputs, false, node)?;
    Ok(Layer { bias: vec![0.0; weights.len()], weights, activation: Activation::Identity })
}

/// `alpha × x × W + beta × b`, W turned where `transB` says so.
fn gemm(graph: &Graph, node: &Node, value: &str, inputs: usize) -> Result<Layer> {
    let one = |name: &str| {
        let given = node.attributes.iter().find(|attribute| attribute.name == name);
        given.is_none_or(|attribute| attribute.f == 1.0)
    };
    let is_first = node.inputs.first().is_some_and(|first| first == value);
    if !is_first || !one("alpha") || !one("beta") || node.attribute("transA").i != 0 {
        return Err(Error::new("only x × W + b is known").at("Gemm").advise(CONVERT));
    }
    let of = node.inputs.get(1).and_then(|name| tensor(graph, name));
    let of = of.ok_or_else(|| damaged("Gemm has no weights of f32").at("ONNX graph"))?;
    let weights = weights(of, inputs, node.attribute("transB").i != 0, node)?;
    let bias = vec![0.0; weights.len()];
    let mut layers = vec![Layer { weights, bias, activation: Activation::Identity }];
    if let Some(bias) = node.inputs.get(2) {
        let bias = tensor(graph, bias);
        let bias = bias.ok_or_else(|| damaged("Gemm has no bias of f32").at("ONNX graph"))?;
        add_bias(&mut layers, bias, node)?;
    }
    layers.pop().ok_or_else(|| damaged("Gemm without a layer"))
}

fn add_bias(layers: &mut [Layer], bias: &Tensor, node: &Node) -> Result<()> {
    let last = layers.last_mut().filter(|layer| layer.activation == Activation::Identity);
    let Some(last) = last else {
        return Err(Error::new("something is added behind an activation").at(node.op.clone()));
    };
    let (count, outputs) = (bias.floats.len(), last.bias.len());
    if count != outputs && count != 1 {
        let what = format!("{count} numbers are added to {outputs}");
        return Err(damaged(what).at(node.op.clone()));
    }
    for (output, sum) in last.bias.iter_mut().enumerate() {
        *sum += f64::from(bias.floats[if count == 1 { 0 } else { output }]);
    }
    Ok(())
}

fn activate(layers: &mut [Layer], activation: Activation, node: &Node) -> Result<()> {
    let last = layers.last_mut().filter(|layer| layer.activation == Activation::Identity);
    let Some(last) = last else {
        return Err(Error::new("two activations follow each other").at(node.op.clone()));
    };
    last.activation = activation;
    Ok(())
}
