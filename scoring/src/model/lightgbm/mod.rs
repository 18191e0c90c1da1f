//! LightGBM's models, as text (`save_model`) and as JSON (`dump_model`).
//!
//! Semantics are those of LightGBM's `Tree::NumericalDecision` and `CategoricalDecision`
//! (`include/LightGBM/tree.h`): `x ≤ threshold` in `f64`; NaN is 0 where the feature had no
//! missing values in training, zero is missing with `zero_as_missing`; a category is cut to an
//! integer and looked for in a bit set, and everything else goes right. Sums are `f64`, starting
//! from 0, tree by tree.

mod json;
mod text;

pub use json::load_json;
pub use text::load_text;

use pelton_kernels::score_forest::{Missing, Rule};

use super::link::Link;
use crate::{Error, Result};

/// The only version of the format since 2019.
const VERSION: &str = "v4";
/// Its predecessor, which differs in what we don't read.
const VERSION_BEFORE: &str = "v3";

fn check_version(version: &str) -> Result<()> {
    if version == VERSION || version == VERSION_BEFORE {
        return Ok(());
    }
    let what = format!("version {version:?} of LightGBM's format");
    Err(Error::new(what).advise("this reads v3 and v4: save the model with LightGBM 3 or 4"))
}

/// The link of an objective as the file has it: "binary sigmoid:1".
fn link_of(objective: &str) -> Result<Link> {
    let mut words = objective.split_whitespace();
    let name = words.next().unwrap_or_default();
    let mut scale = 1.0;
    let mut is_sqrt = false;
    for word in words {
        match word.split_once(':') {
            Some(("sigmoid", value)) => {
                scale = value.parse().ok().filter(|scale: &f64| *scale > 0.0).ok_or_else(|| {
                    Error::new(format!("sigmoid {value:?} is no positive number")).at("objective")
                })?;
            }
            _ => is_sqrt |= word == "sqrt",
        }
    }
    Ok(match name {
        "regression" if is_sqrt => Link::SignedSquare,
        "" | "none" | "custom" | "regression" | "regression_l1" | "huber" | "fair" | "quantile"
        | "mape" | "lambdarank" | "rank_xendcg" => Link::Identity,
        "poisson" | "gamma" | "tweedie" => Link::Exp,
        "binary" | "multiclassova" => Link::Logistic { scale },
        "cross_entropy" => Link::Logistic { scale: 1.0 },
        "cross_entropy_lambda" => Link::LogOnePlusExp,
        "multiclass" => Link::Softmax,
        _ => {
            return Err(Error::new(format!("objective {name:?} has no link that is known here"))
                .advise("train with one of LightGBM's own objectives, or with a custom one"));
        }
    })
}

/// A numeric node's rule from LightGBM's bits: bit 1 default left, bits 2 and 3 missing type.
fn numeric_rule(missing: Missing, default_left: bool) -> Rule {
    Rule::Numeric { missing, default_left }
}

/// A node whose set is `set`; what is no category goes right.
fn set_rule(set: u32) -> Rule {
    Rule::Set { set, members_left: true, default_left: false, cuts_negative: true }
}
