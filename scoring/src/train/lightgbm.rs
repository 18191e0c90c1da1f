//! Boosted trees as LightGBM's files, so that other tools read them: LightGBM itself loads the
//! text (`lightgbm.Booster(model_file=…)`), and [`crate::model`] loads text and JSON.
//!
//! The text is LightGBM's version v4: a header, a section a tree, an end. Numbers are written so
//! that they read back to the bit. Leaves hold what is added to the score, shrinkage and start
//! included; decision 8 is "numeric, NaN is missing", 10 is that and "missing goes left".

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::boost::Boosted;
use super::loss::Objective;
use super::tree::{Node, Tree};

const NUMERIC_NAN_MISSING: u8 = 8;
const DEFAULT_LEFT: u8 = 2;

/// LightGBM's name of an objective, with its parameters; and without.
fn named(objective: Objective) -> (&'static str, &'static str) {
    match objective {
        Objective::Binary => ("binary sigmoid:1", "binary"),
        Objective::Regression => ("regression", "regression"),
    }
}

/// The text of a model: it gives probabilities, or numbers.
#[must_use]
pub fn to_text(boosted: &Boosted) -> String {
    let trees: Vec<String> = boosted
        .trees
        .iter()
        .enumerate()
        .map(|(number, tree)| tree_text(number, tree, boosted.shrinkage))
        .collect();
    let infos = boosted.ranges.iter().map(|range| match range {
        Some((low, high)) => format!("[{low}:{high}]"),
        None => "none".to_owned(),
    });
    let (objective, short) = named(boosted.objective);
    let mut text = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n\
         max_feature_idx={}\nobjective={objective}\nfeature_names={}\nfeature_infos={}\n\
         tree_sizes={}\n\n",
        boosted.features.len().saturating_sub(1),
        boosted.features.join(" "),
        joined(infos),
        joined(trees.iter().map(String::len)),
    );
    trees.iter().for_each(|tree| text.push_str(tree));
    text.push_str("end of trees\n\nfeature_importances:\n");
    for (name, splits) in boosted.features.iter().zip(splits(boosted)) {
        if splits > 0 {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name}={splits}");
        }
    }
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "\nparameters:\n[boosting: gbdt]\n[objective: {short}]\nend of parameters\n\n"
    );
    text.push_str("pandas_categorical:null\n");
    text
}

/// How often each feature splits.
fn splits(boosted: &Boosted) -> Vec<usize> {
    let mut splits = vec![0; boosted.features.len()];
    for node in boosted.trees.iter().flat_map(|tree| &tree.nodes) {
        splits[node.feature as usize] += 1;
    }
    splits
}

fn joined<T: std::fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let mut text = String::new();
    for (at, item) in items.enumerate() {
        let _ = write!(text, "{}{item}", if at == 0 { "" } else { " " });
    }
    text
}

fn decision(node: &Node) -> u8 {
    NUMERIC_NAN_MISSING | if node.default_left { DEFAULT_LEFT } else { 0 }
}

fn tree_text(number: usize, tree: &Tree, shrinkage: f64) -> String {
    let mut text = format!("Tree={number}\nnum_leaves={}\nnum_cat=0\n", tree.leaves.len());
    let mut line = |key: &str, values: String| {
        let _ = writeln!(text, "{key}={values}");
    };
    let nodes = || tree.nodes.iter();
    let leaves = || tree.leaves.iter();
    line("split_feature", joined(nodes().map(|node| node.feature)));
    line("split_gain", joined(nodes().map(|node| node.gain)));
    line("threshold", joined(nodes().map(|node| Number(node.threshold))));
    line("decision_type", joined(nodes().map(decision)));
    line("left_child", joined(nodes().map(|node| node.left)));
    line("right_child", joined(nodes().map(|node| node.right)));
    line("leaf_value", joined(leaves().map(|leaf| Number(leaf.value))));
    line("leaf_weight", joined(leaves().map(|leaf| leaf.weight)));
    line("leaf_count", joined(leaves().map(|leaf| leaf.rows)));
    line("internal_value", joined(nodes().map(|node| Number(node.value))));
    line("internal_weight", joined(nodes().map(|node| node.weight)));
    line("internal_count", joined(nodes().map(|node| node.rows)));
    line("is_linear", "0".to_owned());
    line("shrinkage", shrinkage.to_string());
    text.push_str("\n\n");
    text
}

/// Shortest digits that read back to the bit, with an exponent where the number is far from 1.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.0.abs();
        if size != 0.0 && !(1e-5..1e16).contains(&size) {
            write!(f, "{:e}", self.0)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// The model as LightGBM's `dump_model` would give it.
#[must_use]
pub fn to_json(boosted: &Boosted) -> String {
    let trees: Vec<Value> = boosted
        .trees
        .iter()
        .enumerate()
        .map(|(number, tree)| {
            let root = if tree.nodes.is_empty() { -1 } else { 0 };
            json!({
                "tree_index": number,
                "num_leaves": tree.leaves.len(),
                "num_cat": 0,
                "shrinkage": boosted.shrinkage,
                "tree_structure": structure(tree, root),
            })
        })
        .collect();
    let mut importances = Map::new();
    for (name, splits) in boosted.features.iter().zip(splits(boosted)) {
        importances.insert(name.clone(), splits.into());
    }
    let model = json!({
        "name": "tree",
        "version": "v4",
        "num_class": 1,
        "num_tree_per_iteration": 1,
        "label_index": 0,
        "max_feature_idx": boosted.features.len().saturating_sub(1),
        "objective": named(boosted.objective).0,
        "average_output": false,
        "feature_names": boosted.features,
        "monotone_constraints": [],
        "tree_info": trees,
        "feature_importances": importances,
    });
    let mut text = model.to_string();
    text.push('\n');
    text
}

/// The nested nodes. A tree of n leaves is at most n deep, and [`super::boost`] allows 1024.
fn structure(tree: &Tree, at: i32) -> Value {
    if at < 0 {
        let number = (-1 - at) as usize;
        let leaf = &tree.leaves[number];
        return json!({
            "leaf_index": number,
            "leaf_value": leaf.value,
            "leaf_weight": leaf.weight,
            "leaf_count": leaf.rows,
        });
    }
    let node = &tree.nodes[at as usize];
    json!({
        "split_index": at,
        "split_feature": node.feature,
        "split_gain": node.gain,
        "threshold": node.threshold,
        "decision_type": "<=",
        "default_left": node.default_left,
        "missing_type": "NaN",
        "internal_value": node.value,
        "internal_weight": node.weight,
        "internal_count": node.rows,
        "left_child": structure(tree, node.left),
        "right_child": structure(tree, node.right),
    })
}
