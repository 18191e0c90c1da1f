//! LightGBM's JSON: what `dump_model` gives, written by any JSON writer.
//!
//! Each tree is nested objects. The reader of JSON allows 128 levels, so trees deeper than about
//! 120 must come as text.

use pelton_kernels::score_forest::{Missing, Trees};
use serde::Deserialize;

use super::super::forest::{Covers, Forest, ForestParts};
use super::super::grow::{Node, add_set, grow, set_of};
use super::super::{Model, damaged, json_error};
use super::{check_version, link_of, numeric_rule, set_rule};
use crate::{Error, Result};

#[derive(Deserialize)]
struct Dump {
    version: String,
    num_tree_per_iteration: usize,
    #[serde(default)]
    objective: String,
    #[serde(default)]
    average_output: bool,
    feature_names: Vec<String>,
    tree_info: Vec<TreeInfo>,
}

#[derive(Deserialize)]
struct TreeInfo {
    tree_structure: Dumped,
}

/// A node: a split where it has `split_feature`, else a leaf.
#[derive(Deserialize)]
struct Dumped {
    split_feature: Option<u32>,
    threshold: Option<Threshold>,
    decision_type: Option<String>,
    default_left: Option<bool>,
    missing_type: Option<String>,
    internal_count: Option<f64>,
    left_child: Option<Box<Dumped>>,
    right_child: Option<Box<Dumped>>,
    leaf_value: Option<f64>,
    leaf_count: Option<f64>,
    #[serde(default)]
    leaf_features: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Threshold {
    Number(f64),
    /// "1||5||9"
    Categories(String),
}

/// Reads a model that was dumped to JSON.
///
/// # Errors
/// Where the text is no such JSON, of another version, or not a forest; also for linear trees.
pub fn load_json(text: &str) -> Result<Model> {
    let dump: Dump = serde_json::from_str(text).map_err(|error| json_error(&error))?;
    check_version(&dump.version)?;
    let outputs = dump.num_tree_per_iteration;
    let count = dump.tree_info.len();
    if outputs == 0 || count == 0 || !count.is_multiple_of(outputs) {
        let what = format!("{} trees are no rounds of {outputs}", dump.tree_info.len());
        return Err(damaged(what).at("tree_info"));
    }
    let mut trees = Trees::new(dump.feature_names.len(), outputs);
    let mut covers = Covers { known: true, ..Covers::default() };
    for (at, info) in dump.tree_info.iter().enumerate() {
        let nodes = flatten(&info.tree_structure);
        grow(&mut trees, &mut covers, (at % outputs) as u32, (0, nodes.len()), |trees, id| {
            let (node, left, right) = nodes[id];
            told(trees, node, left, right)
        })?;
    }
    let rounds = (dump.tree_info.len() / outputs) as f64;
    let divisor = if dump.average_output { rounds } else { 1.0 };
    let link = link_of(&dump.objective)?;
    let initial = vec![0.0; outputs];
    let parts = ForestParts { trees, covers, initial, divisor, link };
    Model::forest("LightGBM JSON", dump.feature_names, Forest::new(parts)?)
}

/// The nested nodes in a row, each with the numbers of its children.
fn flatten(root: &Dumped) -> Vec<(&Dumped, usize, usize)> {
    let mut nodes = vec![(root, usize::MAX, usize::MAX)];
    let mut at = 0;
    while at < nodes.len() {
        let node = nodes[at].0;
        if let Some(left) = &node.left_child {
            nodes[at].1 = nodes.len();
            nodes.push((left, usize::MAX, usize::MAX));
        }
        if let Some(right) = &node.right_child {
            nodes[at].2 = nodes.len();
            nodes.push((right, usize::MAX, usize::MAX));
        }
        at += 1;
    }
    nodes
}

fn told(trees: &mut Trees, node: &Dumped, left: usize, right: usize) -> Result<Node> {
    if node.leaf_features.is_some() {
        let error = Error::new("its leaves hold linear models");
        return Err(error.advise("train without linear_tree"));
    }
    let Some(feature) = node.split_feature else {
        let value = node.leaf_value.ok_or_else(|| damaged("neither split_feature nor leaf_value"));
        trees.leaf.push(value?);
        return Ok(Node::Leaf { cover: node.leaf_count.unwrap_or(1.0) });
    };
    let cover = node.internal_count.ok_or_else(|| damaged("there is no internal_count"))?;
    let (threshold, rule) = match (&node.threshold, node.decision_type.as_deref()) {
        (Some(Threshold::Number(threshold)), Some("<=")) => {
            let missing = match node.missing_type.as_deref() {
                Some("None") => Missing::Never,
                Some("Zero") => Missing::ZeroOrNan,
                Some("NaN") => Missing::Nan,
                other => return Err(damaged(format!("missing_type {other:?}"))),
            };
            (*threshold, numeric_rule(missing, node.default_left.unwrap_or(false)))
        }
        (Some(Threshold::Categories(list)), Some("==")) => (0.0, categories(trees, list)?),
        // A single category may have become a number on its way through another writer.
        (Some(Threshold::Number(category)), Some("==")) => {
            (0.0, categories(trees, &category.to_string())?)
        }
        (_, other) => return Err(damaged(format!("decision_type {other:?} with its threshold"))),
    };
    Ok(Node::Split { feature, threshold, rule, left, right, cover })
}

fn categories(trees: &mut Trees, list: &str) -> Result<pelton_kernels::score_forest::Rule> {
    let numbers = list.split("||").map(|word| {
        word.parse().map_err(|_| damaged(format!("{word:.40} in a list of categories")))
    });
    let numbers = numbers.collect::<Result<Vec<u64>>>()?;
    let set = set_of(numbers.into_iter())?;
    Ok(set_rule(add_set(trees, set)?))
}
