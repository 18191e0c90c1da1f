//! `TreeEnsembleClassifier` and `TreeEnsembleRegressor` of ai.onnx.ml, versions 1 and 3.
//!
//! Nodes are listed with the numbers of their tree and within it; weights of leaves are a list of
//! their own (tree, node, class, weight). A leaf may weigh for several classes. A base value is
//! added last: here as a tree of one leaf.

use std::collections::HashMap;

use pelton_kernels::score_forest::{Missing, Rule, Sum, Trees, below_f32, not_above_f32};

use super::super::damaged;
use super::super::forest::{Covers, Forest, ForestParts};
use super::super::grow::{self, grow};
use super::super::link::Link;
use super::proto::Node;
use crate::{Error, Result};

/// Classes or targets that a model may have: each needs memory for its sums.
const OUTPUTS_MAX: usize = 1 << 14;

/// Values of leaves for each weight in the file: leaves of few of many classes take more memory
/// than their file.
const VALUES_A_WEIGHT_MAX: usize = 256;

pub(super) fn classifier(node: &Node, features: usize) -> Result<Forest> {
    let labels = node.attribute("classlabels_int64s").ints.len();
    let labels = labels.max(node.attribute("classlabels_strings").strings.len());
    let leaves = Leaves::read(node, "class", labels)?;
    let is_binary = labels == 2 && leaves.ids.iter().all(|id| *id == leaves.ids[0]);
    let all_positive = leaves.weights.iter().all(|weight| *weight >= 0.0);
    let transform = node.attribute("post_transform").s.as_str();
    let link = match transform {
        "NONE" | "" if is_binary && all_positive => Link::BothIdentity,
        "LOGISTIC" if is_binary => Link::BothLogistic,
        "NONE" | "" if !is_binary => Link::Identity,
        "LOGISTIC" => Link::Logistic { scale: 1.0 },
        "SOFTMAX" if !is_binary => Link::Softmax,
        other => return Err(unknown(other)),
    };
    build(node, features, leaves, if is_binary { 1 } else { labels }, link)
}

pub(super) fn regressor(node: &Node, features: usize) -> Result<Forest> {
    let targets = usize::try_from(node.attribute("n_targets").i).unwrap_or(0).max(1);
    let link = match node.attribute("post_transform").s.as_str() {
        "NONE" | "" => Link::Identity,
        "LOGISTIC" => Link::Logistic { scale: 1.0 },
        other => return Err(unknown(other)),
    };
    let leaves = Leaves::read(node, "target", targets)?;
    build(node, features, leaves, targets, link)
}

fn unknown(transform: &str) -> Error {
    Error::new(format!("post_transform {transform:?} is not known with these classes"))
}

/// The weights of leaves, by tree and node.
pub(super) struct Leaves {
    ids: Vec<usize>,
    weights: Vec<f32>,
    /// (tree, node) to where its weights are in the lists.
    places: HashMap<(i64, i64), Vec<usize>>,
}

impl Leaves {
    pub(super) fn read(node: &Node, prefix: &str, outputs: usize) -> Result<Self> {
        let list = |name: &str| node.attribute(&format!("{prefix}_{name}"));
        let (trees, nodes) = (&list("treeids").ints, &list("nodeids").ints);
        let (ids, weights) = (&list("ids").ints, list("weights").floats.clone());
        let same = [trees.len(), nodes.len(), ids.len()].iter().all(|len| *len == weights.len());
        if !same || weights.is_empty() || outputs == 0 || outputs > OUTPUTS_MAX {
            let what = format!("{} weights for {outputs} outputs", weights.len());
            return Err(damaged(what).at(node.op.clone()));
        }
        let mut places: HashMap<_, Vec<usize>> = HashMap::new();
        for (at, place) in trees.iter().copied().zip(nodes.iter().copied()).enumerate() {
            places.entry(place).or_default().push(at);
        }
        let ids = ids.iter().map(|id| usize::try_from(*id).ok().filter(|id| *id < outputs));
        let ids: Option<Vec<_>> = ids.collect();
        let ids = ids.ok_or_else(|| damaged("a leaf weighs for no class").at(node.op.clone()))?;
        Ok(Self { ids, weights, places })
    }

    /// The output that all leaves of each tree add to, where it is one a tree.
    fn outputs_of_trees(&self) -> Option<HashMap<i64, usize>> {
        let mut outputs = HashMap::new();
        for ((tree, _), places) in &self.places {
            let [place] = places.as_slice() else { return None };
            if *outputs.entry(*tree).or_insert(self.ids[*place]) != self.ids[*place] {
                return None;
            }
        }
        Some(outputs)
    }
}

/// The lists of nodes.
struct Nodes<'a> {
    trees: &'a [i64],
    ids: &'a [i64],
    features: &'a [i64],
    values: &'a [f32],
    modes: &'a [String],
    yes: &'a [i64],
    no: &'a [i64],
    missing_yes: &'a [i64],
}

impl<'a> Nodes<'a> {
    fn read(node: &'a Node) -> Result<Self> {
        let ints = |name: &str| node.attribute(name).ints.as_slice();
        let nodes = Self {
            trees: ints("nodes_treeids"),
            ids: ints("nodes_nodeids"),
            features: ints("nodes_featureids"),
            values: &node.attribute("nodes_values").floats,
            modes: &node.attribute("nodes_modes").strings,
            yes: ints("nodes_truenodeids"),
            no: ints("nodes_falsenodeids"),
            missing_yes: ints("nodes_missing_value_tracks_true"),
        };
        let count = nodes.trees.len();
        let lengths = [
            nodes.ids.len(),
            nodes.features.len(),
            nodes.values.len(),
            nodes.modes.len(),
            nodes.yes.len(),
            nodes.no.len(),
        ];
        let whole = lengths.iter().all(|len| *len == count)
            && (nodes.missing_yes.is_empty() || nodes.missing_yes.len() == count);
        if !whole || count == 0 {
            return Err(damaged("the lists of nodes differ in length").at(node.op.clone()));
        }
        Ok(nodes)
    }

    /// Node `at` of the lists, whose children `find` finds.
    fn split(&self, at: usize, find: impl Fn(i64) -> Result<usize>) -> Result<Option<grow::Node>> {
        let value = self.values[at];
        let (yes, no) = (find(self.yes[at]), find(self.no[at]));
        // `x ≥ t` is not `x < t`: what is true goes right.
        let (threshold, yes_left): (fn(f32) -> f64, bool) = match self.modes[at].as_str() {
            "LEAF" => return Ok(None),
            "BRANCH_LEQ" => (not_above_f32, true),
            "BRANCH_LT" => (below_f32, true),
            "BRANCH_GTE" => (below_f32, false),
            "BRANCH_GT" => (not_above_f32, false),
            other => {
                let error = Error::new(format!("mode {other} is not known here"));
                return Err(error.advise("load the model of the library that trained it"));
            }
        };
        if !value.is_finite() {
            return Err(damaged(format!("threshold {value}")));
        }
        let feature = u32::try_from(self.features[at])
            .map_err(|_| damaged(format!("feature {}", self.features[at])))?;
        let missing_yes = self.missing_yes.get(at).is_some_and(|flag| *flag != 0);
        let (left, right) = if yes_left { (yes?, no?) } else { (no?, yes?) };
        // Without the flag NaN fails the comparison: it goes where "no" leads.
        let rule = Rule::Numeric { missing: Missing::Nan, default_left: missing_yes == yes_left };
        let threshold = threshold(value);
        Ok(Some(grow::Node::Split { feature, threshold, rule, left, right, cover: 0.0 }))
    }
}

fn build(
    node: &Node,
    features: usize,
    leaves: Leaves,
    outputs: usize,
    link: Link,
) -> Result<Forest> {
    let aggregate = node.attribute("aggregate_function").s.as_str();
    let base = &node.attribute("base_values").floats;
    let base_fits = base.is_empty() || base.len() == outputs;
    let is_average = aggregate == "AVERAGE" && base.is_empty();
    if !matches!(aggregate, "" | "SUM") && !is_average {
        return Err(Error::new(format!("aggregate_function {aggregate}")).at(node.op.clone()));
    }
    if !base_fits {
        let what = format!("{} base values for {outputs} outputs", base.len());
        return Err(damaged(what).at(node.op.clone()));
    }
    let single = if outputs == 1 { Some(HashMap::new()) } else { leaves.outputs_of_trees() };
    let mut trees = Trees::new(features, outputs);
    trees.sum = Sum::F32;
    trees.leaf_width = if single.is_some() { 1 } else { outputs };
    let mut covers = Covers::default();
    let nodes = Nodes::read(node)?;
    if nodes.trees.len() * trees.leaf_width > VALUES_A_WEIGHT_MAX * leaves.weights.len() {
        let what = format!("{} nodes for {outputs} outputs", nodes.trees.len());
        return Err(damaged(what).at(node.op.clone()));
    }
    let mut end = 0;
    for tree in nodes.trees.chunk_by(|a, b| a == b) {
        let first = end;
        end += tree.len();
        let output = single.as_ref().map_or(0, |map| map.get(&tree[0]).copied().unwrap_or(0));
        add_tree(&mut trees, &mut covers, (&nodes, &leaves), first..end, output)?;
    }
    for (output, value) in base.iter().enumerate() {
        let width = trees.leaf_width;
        let value = f64::from(*value);
        trees
            .leaf
            .extend((0..width).map(|at| if width == 1 || at == output { value } else { 0.0 }));
        covers.leaf.push(1.0);
        trees.end_tree(output as u32);
    }
    let rounds = if is_average { trees.len() as f64 } else { 1.0 };
    grow::add_covers(&trees, &mut covers);
    let initial = vec![0.0; outputs];
    Forest::new(ForestParts { trees, covers, initial, divisor: rounds, link })
}

fn add_tree(
    trees: &mut Trees,
    covers: &mut Covers,
    (nodes, leaves): (&Nodes, &Leaves),
    range: std::ops::Range<usize>,
    output: usize,
) -> Result<()> {
    let tree = nodes.trees[range.start];
    let mut numbers = HashMap::new();
    for at in range.clone() {
        if numbers.insert(nodes.ids[at], at - range.start).is_some() {
            let place = format!("tree {tree}");
            return Err(damaged(format!("node {} is there twice", nodes.ids[at])).at(place));
        }
    }
    let find = |id: i64| {
        let found = numbers.get(&id).copied();
        found.ok_or_else(|| damaged(format!("it leads to node {id}, which is not there")))
    };
    let width = trees.leaf_width;
    grow(trees, covers, output as u32, (0, range.len()), |trees, at| {
        let at = range.start + at;
        if let Some(split) = nodes.split(at, find)? {
            return Ok(split);
        }
        let start = trees.leaf.len();
        trees.leaf.resize(start + width, 0.0);
        let places = leaves.places.get(&(tree, nodes.ids[at]));
        for place in places.into_iter().flatten() {
            let column = if width == 1 { 0 } else { leaves.ids[*place] };
            let sum = &mut trees.leaf[start + column];
            *sum = f64::from(*sum as f32 + leaves.weights[*place]);
        }
        Ok(grow::Node::Leaf { cover: 1.0 })
    })
}

/// The trees of a regressor, for [`super::isolation`]: every leaf has one value.
pub(super) fn add_regressor(node: &Node, trees: &mut Trees, covers: &mut Covers) -> Result<()> {
    let nodes = Nodes::read(node)?;
    let leaves = Leaves::read(node, "target", 1)?;
    if nodes.trees.iter().any(|tree| *tree != nodes.trees[0]) {
        return Err(damaged("more than one tree").at(node.op.clone()));
    }
    add_tree(trees, covers, (&nodes, &leaves), 0..nodes.trees.len(), 0)
}
