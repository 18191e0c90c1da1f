//! scikit-learn's isolation forest, as `skl2onnx` writes it.
//!
//! Each tree is a regressor whose leaves hold the number of their node; two `LabelEncoder`s turn
//! it into the number of training rows in the leaf, n, and the number of nodes on the path, d.
//! What follows computes `d − 1 + c(n)` with two dozen operators, adds the trees up, divides by
//! the number of trees × c(samples), and gives `offset − 2^−that`.
//!
//! Here each leaf gets its `d − 1 + c(n)` when the model is loaded, in `f64`. The graph does the
//! same with `f32` roundings on the way: hence [`ISOLATION_TOLERANCE`].

use pelton_kernels::score_forest::{Sum, Trees};

use super::super::damaged;
use super::super::forest::{Covers, Forest, ForestParts};
use super::super::grow;
use super::super::link::Link;
use super::proto::{Graph, Node};
use super::trees::add_regressor;
use crate::Result;

/// How far a score may lie from the ONNX runtime's: the graph's roundings to `f32`.
pub const ISOLATION_TOLERANCE: f64 = 1e-6;

/// Mean path length of an unsuccessful search among `n` rows (Liu, Ting, Zhou 2008, equation 1).
fn mean_path(n: f64) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    if n <= 1.0 {
        0.0
    } else if n == 2.0 {
        1.0
    } else {
        2.0 * (libm::log(n - 1.0) + EULER) - 2.0 * (n - 1.0) / n
    }
}

/// The forest, where the graph is an isolation forest's.
pub(super) fn read(graph: &Graph, features: usize) -> Result<Option<Forest>> {
    let Some((scale, offset)) = tail(graph) else { return Ok(None) };
    let mut trees = Trees::new(features, 1);
    trees.sum = Sum::F64;
    let mut covers = Covers { known: true, ..Covers::default() };
    for node in graph.nodes.iter().filter(|node| node.op == "TreeEnsembleRegressor") {
        let first = trees.leaf.len();
        add_regressor(node, &mut trees, &mut covers)?;
        let [rows, path] = encoders(graph, node)?;
        for leaf in first..trees.leaf.len() {
            let id = trees.leaf[leaf];
            let (n, nodes) = (lookup(rows, id)?, lookup(path, id)?);
            if !(n >= 1.0 && nodes >= 1.0) {
                return Err(damaged(format!("a leaf of {n} rows after {nodes} nodes")));
            }
            trees.leaf[leaf] = nodes - 1.0 + mean_path(n);
            covers.leaf[leaf] = n;
        }
    }
    grow::add_covers(&trees, &mut covers);
    let link = Link::Isolation { scale, offset };
    let parts = ForestParts { trees, covers, initial: vec![0.0], divisor: 1.0, link };
    Forest::new(parts).map(Some)
}

/// The end of the graph, from its output back: `Add(Neg(Pow(2, Neg(Div(…, scale)))), offset)`.
fn tail(graph: &Graph) -> Option<(f64, f64)> {
    let producer = |name: &String| graph.nodes.iter().find(|node| node.outputs.contains(name));
    let constant = |node: &Node| {
        let constants = graph.constants.iter();
        let mut known = constants.filter(|constant| node.inputs.contains(&constant.name));
        match known.next()?.floats.as_slice() {
            [value] => Some(f64::from(*value)),
            _ => None,
        }
    };
    graph.outputs.iter().find_map(|output| {
        let add = producer(output).filter(|node| node.op == "Add")?;
        let negated = producer(add.inputs.first()?).filter(|node| node.op == "Neg")?;
        let power = producer(negated.inputs.first()?).filter(|node| node.op == "Pow")?;
        let exponent = producer(power.inputs.get(1)?).filter(|node| node.op == "Neg")?;
        let quotient = producer(exponent.inputs.first()?).filter(|node| node.op == "Div")?;
        let is_two = constant(power)? == 2.0;
        let (scale, offset) = (constant(quotient)?, constant(add)?);
        (is_two && scale > 0.0 && scale.is_finite() && offset.is_finite())
            .then_some((scale, offset))
    })
}

/// The encoders of a tree: the one for rows, whose numbers are compared with 2, and the one for
/// paths.
fn encoders<'a>(graph: &'a Graph, tree: &Node) -> Result<[&'a Node; 2]> {
    let readers = |name: &'a str| {
        graph.nodes.iter().filter(move |node| node.inputs.iter().any(|input| input == name))
    };
    let output = tree.outputs.first().map_or("", String::as_str);
    let output = graph.nodes.iter().flat_map(|node| &node.outputs).find(|name| *name == output);
    let (mut rows, mut path) = (None, None);
    for cast in output.into_iter().flat_map(|name| readers(name)) {
        for encoder in cast.outputs.iter().flat_map(|name| readers(name)) {
            if encoder.op != "LabelEncoder" {
                continue;
            }
            let shaped = encoder.outputs.iter().flat_map(|name| readers(name));
            let mut users = shaped.flat_map(|node| &node.outputs).flat_map(|name| readers(name));
            let slot = if users.any(|node| node.op == "Greater") { &mut rows } else { &mut path };
            *slot = Some(encoder);
        }
    }
    rows.zip(path)
        .map(|(rows, path)| [rows, path])
        .ok_or_else(|| damaged("a tree of the isolation forest has no LabelEncoder"))
}

/// What an encoder says of a leaf's number.
fn lookup(encoder: &Node, id: f64) -> Result<f64> {
    let keys = &encoder.attribute("keys_int64s").ints;
    let values = &encoder.attribute("values_floats").floats;
    let at = keys.iter().position(|key| *key as f64 == id);
    let value = at.and_then(|at| values.get(at)).map(|value| f64::from(*value));
    value.ok_or_else(|| damaged(format!("LabelEncoder does not know leaf {id}")))
}
