//! LightGBM's text: a header, then a section for each tree, all lines `key=value`.

use std::collections::HashMap;
use std::str::FromStr;

use pelton_kernels::score_forest::{Missing, Trees};

use super::super::forest::{Covers, Forest, ForestParts};
use super::super::grow::{Node, add_set, grow};
use super::super::{Model, damaged};
use super::{check_version, link_of, numeric_rule, set_rule};
use crate::{Error, Result};

/// The lines of a section, by key.
struct Section<'a> {
    name: String,
    lines: HashMap<&'a str, &'a str>,
}

impl<'a> Section<'a> {
    fn get(&self, key: &str) -> Result<&'a str> {
        self.lines.get(key).copied().ok_or_else(|| self.error(format!("there is no line {key}=")))
    }

    fn error(&self, what: impl Into<String>) -> Error {
        damaged(what).at(self.name.clone())
    }

    fn number<T: FromStr>(&self, key: &str) -> Result<T> {
        let text = self.get(key)?;
        text.parse().map_err(|_| self.error(format!("{key}={text:.40} is no number")))
    }

    /// A list of `len` numbers; an absent line is an empty list.
    fn list<T: FromStr>(&self, key: &str, len: usize) -> Result<Vec<T>> {
        let text = self.lines.get(key).copied().unwrap_or_default();
        let mut list = Vec::new();
        for word in text.split_ascii_whitespace() {
            let number = word.parse();
            list.push(number.map_err(|_| self.error(format!("{key} has {word:.40}")))?);
        }
        if list.len() != len {
            return Err(self.error(format!("{key} has {} entries and not {len}", list.len())));
        }
        Ok(list)
    }
}

/// Reads a model that `save_model` or `model_to_string` wrote.
///
/// # Errors
/// Where the text is cut, of another version, or not a forest; also for linear trees.
pub fn load_text(text: &str) -> Result<Model> {
    let (header, trees) = sections(text)?;
    check_version(header.get("version")?)?;
    let names: Vec<String> =
        header.get("feature_names")?.split_ascii_whitespace().map(str::to_owned).collect();
    let outputs: usize = header.number("num_tree_per_iteration")?;
    let last: usize = header.number("max_feature_idx")?;
    if names.len().checked_sub(1) != Some(last) {
        let what = format!("{} names of features and max_feature_idx={last}", names.len());
        return Err(header.error(what));
    }
    if outputs == 0 || trees.is_empty() || !trees.len().is_multiple_of(outputs) {
        let what = format!("{} trees are no rounds of {outputs}", trees.len());
        return Err(header.error(what).advise("the file is cut: save the model again"));
    }
    if let Ok(sizes) = header.get("tree_sizes") {
        let told = sizes.split_ascii_whitespace().count();
        if told != trees.len() {
            let what = format!("{told} trees are told and {} are there", trees.len());
            return Err(header.error(what).advise("the file is cut: save the model again"));
        }
    }
    let mut forest = Trees::new(names.len(), outputs);
    let mut covers = Covers { known: true, ..Covers::default() };
    for (at, section) in trees.iter().enumerate() {
        add_tree(&mut forest, &mut covers, section, (at % outputs) as u32)?;
    }
    let rounds = (trees.len() / outputs) as f64;
    let divisor = if header.lines.contains_key("average_output") { rounds } else { 1.0 };
    let link = link_of(header.lines.get("objective").copied().unwrap_or_default())?;
    let initial = vec![0.0; outputs];
    let parts = ForestParts { trees: forest, covers, initial, divisor, link };
    Model::forest("LightGBM text", names, Forest::new(parts)?)
}

/// The header, and the trees' sections.
fn sections(text: &str) -> Result<(Section<'_>, Vec<Section<'_>>)> {
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some("tree") {
        return Err(damaged("the first line is not \"tree\"").at("line 1"));
    }
    let mut header = Section { name: "header".to_owned(), lines: HashMap::new() };
    let mut trees: Vec<Section> = Vec::new();
    for line in lines {
        let line = line.trim_end();
        if line == "end of trees" {
            return Ok((header, trees));
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if key == "Tree" {
            if value.parse() != Ok(trees.len()) {
                let what = format!("Tree={value:.40} follows {} trees", trees.len());
                return Err(damaged(what));
            }
            trees.push(Section { name: format!("tree {}", trees.len()), lines: HashMap::new() });
        } else if !key.is_empty() {
            let section = trees.last_mut().unwrap_or(&mut header);
            section.lines.insert(key, value);
        }
    }
    let what = format!("\"end of trees\" is missing after {} trees", trees.len());
    Err(Error::new(what).advise("the file is cut: save the model again"))
}

/// The arrays of one tree.
struct Arrays {
    feature: Vec<u32>,
    threshold: Vec<f64>,
    decision: Vec<u8>,
    left: Vec<i64>,
    right: Vec<i64>,
    node_count: Vec<f64>,
    leaf: Vec<f64>,
    leaf_count: Vec<f64>,
    /// The sets of categories, as LightGBM's words of 32 bits.
    sets: Vec<Vec<u32>>,
}

fn arrays(section: &Section) -> Result<Arrays> {
    if section.lines.get("is_linear").is_some_and(|value| *value != "0") {
        let error = section.error("its leaves hold linear models");
        return Err(error.advise("train without linear_tree"));
    }
    let leaves: usize = section.number("num_leaves")?;
    // Bounds what lists may be asked for: a list is never longer than its text.
    let nodes = leaves.checked_sub(1).ok_or_else(|| section.error("it has no leaf"))?;
    let counts = |key: &str, len| match section.lines.contains_key(key) {
        true => section.list(key, len),
        // Models of one leaf have no counts.
        false if leaves == 1 => Ok(vec![1.0; len]),
        false => Err(section.error(format!("there is no line {key}="))),
    };
    let num_cat: usize = section.number("num_cat")?;
    let mut sets = Vec::new();
    if num_cat > 0 {
        let bounds: Vec<usize> = section.list("cat_boundaries", num_cat.saturating_add(1))?;
        let total = bounds.last().copied().unwrap_or_default();
        let words: Vec<u32> = section.list("cat_threshold", total)?;
        for pair in bounds.windows(2) {
            let range = words.get(pair[0]..pair[1]);
            let range = range.ok_or_else(|| section.error("cat_boundaries don't ascend"))?;
            sets.push(range.to_vec());
        }
    }
    Ok(Arrays {
        feature: section.list("split_feature", nodes)?,
        threshold: section.list("threshold", nodes)?,
        decision: section.list("decision_type", nodes)?,
        left: section.list("left_child", nodes)?,
        right: section.list("right_child", nodes)?,
        node_count: counts("internal_count", nodes)?,
        leaf: section.list("leaf_value", leaves)?,
        leaf_count: counts("leaf_count", leaves)?,
        sets,
    })
}

fn add_tree(trees: &mut Trees, covers: &mut Covers, section: &Section, output: u32) -> Result<()> {
    let arrays = arrays(section)?;
    let (nodes, leaves) = (arrays.feature.len(), arrays.leaf.len());
    // Node n is number n, leaf l is number `nodes + l`; in the file it is −1 − l.
    let number = |child: i64| match usize::try_from(child) {
        Ok(node) if node < nodes => node,
        Ok(_) => usize::MAX,
        Err(_) => nodes.saturating_add(usize::try_from(-1 - child).unwrap_or(usize::MAX)),
    };
    let root = if nodes == 0 { nodes } else { 0 };
    grow(trees, covers, output, (root, nodes + leaves), |trees, id| {
        if id >= nodes {
            trees.leaf.push(arrays.leaf[id - nodes]);
            return Ok(Node::Leaf { cover: arrays.leaf_count[id - nodes] });
        }
        let (mut threshold, decision) = (arrays.threshold[id], arrays.decision[id]);
        let rule = if decision & 1 == 1 {
            let named = threshold >= 0.0 && threshold.fract() == 0.0;
            let set = arrays.sets.get(threshold as usize).filter(|_| named);
            let set = set.ok_or_else(|| damaged(format!("set {threshold} is not there")))?;
            threshold = 0.0;
            let pairs = set.chunks(2);
            let words = pairs.map(|pair| {
                u64::from(pair[0]) | pair.get(1).map_or(0, |high| u64::from(*high) << 32)
            });
            set_rule(add_set(trees, words.collect())?)
        } else {
            let missing = match decision >> 2 & 3 {
                0 => Missing::Never,
                1 => Missing::ZeroOrNan,
                2 => Missing::Nan,
                _ => return Err(damaged(format!("decision_type {decision}"))),
            };
            numeric_rule(missing, decision & 2 != 0)
        };
        let (left, right) = (number(arrays.left[id]), number(arrays.right[id]));
        let (feature, cover) = (arrays.feature[id], arrays.node_count[id]);
        Ok(Node::Split { feature, threshold, rule, left, right, cover })
    })
}
