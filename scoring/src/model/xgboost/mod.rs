//! XGBoost's models, as JSON and as UBJ (`save_model`), of XGBoost 1.0 to 3.
//!
//! Semantics are those of its CPU predictor (`src/predictor/cpu_predictor.cc`,
//! `src/common/categorical.h`): values are rounded to `f32`; `x < threshold` goes left; NaN goes
//! where `default_left` says; members of a set of categories go **right**, negative and huge
//! values left. Sums are `f32`: the base score's margin, then tree by tree; DART's weights are
//! multiplied into the leaves in `f32`.
//!
//! Unlike XGBoost, which refuses them, infinite values are taken, as what they are.

mod file;
mod ubj;

use pelton_kernels::score_forest::{Missing, Rule, Sum, Trees, below_f32};

use self::file::{Booster, File, Gradient, Tree};
use super::forest::{Covers, Forest, ForestParts};
use super::grow::{Node, add_set, grow, set_of};
use super::link::Link;
use super::{Estimator, Linear, Model, Step, damaged, json_error, numbered};
use crate::{Error, Result};

/// Reads a model that `save_model("….json")` wrote.
///
/// # Errors
/// Where the text is no such JSON, of an unknown version or objective, or not a forest.
pub fn load_json(text: &str) -> Result<Model> {
    let file: File = serde_json::from_str(text).map_err(|error| json_error(&error))?;
    model_of("XGBoost JSON", file)
}

/// Reads a model that `save_model("….ubj")` or `save_raw()` wrote.
///
/// # Errors
/// As [`load_json`].
pub fn load_ubj(bytes: &[u8]) -> Result<Model> {
    let file = ubj::from_slice(bytes)?;
    model_of("XGBoost UBJ", file)
}

/// Classes or targets that a model may have: each needs memory for its sums.
const OUTPUTS_MAX: usize = 1 << 14;

/// What an objective does with base score and sums.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Margin {
    Same,
    Logit,
    Log,
}

fn objective(name: &str) -> Result<(Margin, Link)> {
    Ok(match name {
        "reg:squarederror"
        | "reg:linear"
        | "reg:squaredlogerror"
        | "reg:absoluteerror"
        | "reg:pseudohubererror"
        | "reg:quantileerror"
        | "reg:expectileerror"
        | "rank:pairwise"
        | "rank:ndcg"
        | "rank:map" => (Margin::Same, Link::Identity),
        "binary:logistic" | "reg:logistic" => (Margin::Logit, Link::Logistic { scale: 1.0 }),
        "binary:logitraw" => (Margin::Logit, Link::Identity),
        "binary:hinge" => (Margin::Same, Link::Hinge),
        "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft" => {
            (Margin::Log, Link::Exp)
        }
        "multi:softprob" => (Margin::Same, Link::Softmax),
        "multi:softmax" => (Margin::Same, Link::ArgMax),
        _ => {
            return Err(Error::new(format!("objective {name:?} has no link that is known here"))
                .at("learner.objective")
                .advise("train with one of XGBoost's own objectives"));
        }
    })
}

fn model_of(format: &'static str, file: File) -> Result<Model> {
    if !matches!(file.version.first(), Some(1..=3)) {
        let what = format!("version {:?} of XGBoost", file.version);
        return Err(Error::new(what).advise("this reads the models of XGBoost 1 to 3"));
    }
    let learner = file.learner;
    let (margin, link) = objective(&learner.objective.name)?;
    let params = &learner.learner_model_param;
    let features: usize = number(&params.num_feature, "num_feature")?;
    if features > 1 << 24 {
        return Err(damaged(format!("{features} features")).at("num_feature"));
    }
    let classes: usize = number(&params.num_class, "num_class")?;
    let targets: usize = match &params.num_target {
        Some(text) => number(text, "num_target")?,
        None => 1,
    };
    let outputs = classes.max(targets).max(1);
    if outputs > OUTPUTS_MAX {
        return Err(damaged(format!("{outputs} outputs")).at("num_class"));
    }
    let names = match learner.feature_names.len() {
        0 if booster_features(&learner.gradient_booster).is_some_and(|most| most >= features) => {
            let what = format!("a split asks a feature beyond the {features} of num_feature");
            return Err(damaged(what));
        }
        // Names that the file does not hold are made, so their number must not be its word only.
        0 if features > 1 << 20 => return Err(damaged(format!("{features} features"))),
        0 => numbered(features),
        _ => learner.feature_names,
    };
    let initial = base_margin(&params.base_score, outputs, margin)?;
    let estimator = match learner.gradient_booster {
        Gradient::Tree { model } => {
            Estimator::Forest(Box::new(forest(model, None, (features, initial, link))?))
        }
        Gradient::Dart { gbtree, weight_drop } => Estimator::Forest(Box::new(forest(
            gbtree.model,
            Some(weight_drop),
            (features, initial, link),
        )?)),
        Gradient::Linear { weights } => {
            let linear = linear(&weights, features, &initial, link)?;
            // Missing values take no part in the sum.
            let fill = vec![0.0; features];
            let steps = vec![Step::Narrow, Step::Impute { missing: f64::NAN, fill }];
            return Model::new(format, names, steps, Estimator::Linear(linear), features);
        }
    };
    Model::new(format, names, Vec::new(), estimator, features)
}

/// The greatest feature that a tree asks.
fn booster_features(booster: &Gradient) -> Option<usize> {
    let trees = match booster {
        Gradient::Tree { model } => &model.trees,
        Gradient::Dart { gbtree, .. } => &gbtree.model.trees,
        Gradient::Linear { .. } => return None,
    };
    trees.iter().flat_map(|tree| &tree.split_indices).map(|index| *index as usize).max()
}

fn number<T: std::str::FromStr>(text: &str, place: &str) -> Result<T> {
    text.parse().map_err(|_| damaged(format!("{text:.40} is no number")).at(place))
}

/// The base score ("5E-1", or since 3.1 "[5E-1,…]") as the margin of each output.
fn base_margin(text: &str, outputs: usize, margin: Margin) -> Result<Vec<f64>> {
    let list = text.trim().trim_start_matches('[').trim_end_matches(']');
    let scores: Vec<f32> = list
        .split(',')
        .map(|score| number(score.trim(), "learner.learner_model_param.base_score"))
        .collect::<Result<_>>()?;
    let scores = match scores.len() {
        1 => vec![scores[0]; outputs],
        len if len == outputs => scores,
        len => return Err(damaged(format!("{len} base scores for {outputs} outputs"))),
    };
    let margins = scores.into_iter().map(|score| match margin {
        Margin::Same => f64::from(score),
        // XGBoost: −logf(1 / score − 1), the argument rounded to f32.
        Margin::Logit => f64::from(-libm::log(f64::from(1.0 / score - 1.0)) as f32),
        Margin::Log => f64::from(libm::log(f64::from(score)) as f32),
    });
    let margins: Vec<f64> = margins.collect();
    if margins.iter().all(|margin| margin.is_finite()) {
        return Ok(margins);
    }
    let what = format!("base score {text:.60} has no finite margin");
    Err(Error::new(what).advise("a base score of a logistic objective lies between 0 and 1"))
}

fn forest(
    booster: Booster,
    weights: Option<Vec<f64>>,
    (features, initial, link): (usize, Vec<f64>, Link),
) -> Result<Forest> {
    let mut trees = Trees::new(features, initial.len());
    trees.sum = Sum::F32;
    trees.f32_features = true;
    let mut covers = Covers { known: true, ..Covers::default() };
    if booster.tree_info.len() != booster.trees.len() {
        let what =
            format!("{} trees and the outputs of {}", booster.trees.len(), booster.tree_info.len());
        return Err(damaged(what).at("gradient_booster.model"));
    }
    if weights.as_ref().is_some_and(|weights| weights.len() != booster.trees.len()) {
        return Err(damaged("not every tree has a weight").at("gradient_booster.weight_drop"));
    }
    for (at, (tree, output)) in booster.trees.iter().zip(&booster.tree_info).enumerate() {
        let weight = weights.as_ref().map_or(1.0, |weights| weights[at] as f32);
        let output = u32::try_from(*output)
            .map_err(|_| damaged(format!("output {output}")).at(format!("tree {at}")))?;
        add_tree(&mut trees, &mut covers, tree, output, weight)?;
    }
    Forest::new(ForestParts { trees, covers, initial, divisor: 1.0, link })
}

fn add_tree(
    trees: &mut Trees,
    covers: &mut Covers,
    tree: &Tree,
    output: u32,
    weight: f32,
) -> Result<()> {
    let count = tree.left_children.len();
    let place = || format!("tree {}", trees.len());
    if tree.tree_param.size_leaf_vector.as_deref().is_some_and(|size| !matches!(size, "0" | "1")) {
        let error = Error::new("its leaves hold vectors").at(place());
        return Err(error.advise("train with multi_strategy=one_output_per_tree"));
    }
    let lengths = [
        tree.right_children.len(),
        tree.split_indices.len(),
        tree.split_conditions.len(),
        tree.default_left.len(),
        tree.sum_hessian.len(),
    ];
    if lengths.iter().any(|len| *len != count) {
        return Err(damaged("its arrays differ in length").at(place()));
    }
    let sets = sets_of(tree).map_err(|error| error.at(place()))?;
    grow(trees, covers, output, (0, count), |trees, id| {
        let cover = tree.sum_hessian[id];
        let condition = tree.split_conditions[id] as f32;
        let (left, right) = (tree.left_children[id], tree.right_children[id]);
        if left == -1 {
            trees.leaf.push(f64::from(weight * condition));
            return Ok(Node::Leaf { cover });
        }
        let child = |child: i64| {
            usize::try_from(child).map_err(|_| damaged(format!("it leads to node {child}")))
        };
        let (left, right) = (child(left)?, child(right)?);
        let default_left = tree.default_left[id].0;
        let (threshold, rule) = if tree.split_type.get(id).is_some_and(|kind| *kind == 1) {
            let set = sets.binary_search_by_key(&id, |(node, _)| *node);
            let set = set.map_err(|_| damaged("it has no set of categories"))?;
            let set = add_set(trees, sets[set].1.clone())?;
            let members_left = false;
            (0.0, Rule::Set { set, members_left, default_left, cuts_negative: false })
        } else {
            if !condition.is_finite() {
                return Err(damaged(format!("threshold {condition}")));
            }
            (below_f32(condition), Rule::Numeric { missing: Missing::Nan, default_left })
        };
        let feature = tree.split_indices[id];
        Ok(Node::Split { feature, threshold, rule, left, right, cover })
    })
}

/// The sets of categories of a tree, with their nodes, ascending.
fn sets_of(tree: &Tree) -> Result<Vec<(usize, Vec<u64>)>> {
    let nodes = &tree.categories_nodes;
    if tree.categories_segments.len() != nodes.len() || tree.categories_sizes.len() != nodes.len() {
        return Err(damaged("the arrays of categories differ in length"));
    }
    let mut sets = Vec::with_capacity(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        let start = tree.categories_segments[at];
        let range = start..start.saturating_add(tree.categories_sizes[at]);
        let categories = tree.categories.get(range);
        let categories = categories.ok_or_else(|| damaged("a set of categories is cut"))?;
        sets.push((*node, set_of(categories.iter().copied())?));
    }
    sets.sort_by_key(|(node, _)| *node);
    Ok(sets)
}

/// `gblinear`: weights lie feature by feature, an output after the other, the biases last.
fn linear(weights: &[f64], features: usize, initial: &[f64], link: Link) -> Result<Linear> {
    let outputs = initial.len();
    if features == 0 || weights.len() != (features + 1).saturating_mul(outputs) {
        let what = format!("{} weights for {features} features", weights.len());
        return Err(damaged(what).at("gradient_booster.model.weights"));
    }
    let of = |output: usize| (0..features).map(|at| weights[at * outputs + output]).collect();
    let bias = |output| weights[features * outputs + output] + initial[output];
    Linear::new((0..outputs).map(of).collect(), (0..outputs).map(bias).collect(), link, true)
}
