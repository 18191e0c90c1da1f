//! The structure of XGBoost's files, the same in JSON and UBJ
//! (<https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html>).

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Unexpected, Visitor};

#[derive(Deserialize)]
pub(super) struct File {
    pub learner: Learner,
    pub version: Vec<u32>,
}

#[derive(Deserialize)]
pub(super) struct Learner {
    #[serde(default)]
    pub feature_names: Vec<String>,
    pub gradient_booster: Gradient,
    pub learner_model_param: LearnerParam,
    pub objective: Objective,
}

#[derive(Deserialize)]
pub(super) struct LearnerParam {
    pub base_score: String,
    pub num_class: String,
    pub num_feature: String,
    pub num_target: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Objective {
    pub name: String,
}

/// The booster, by its name.
#[derive(Deserialize)]
#[serde(try_from = "AnyGradient")]
pub(super) enum Gradient {
    Tree { model: Booster },
    Dart { gbtree: Nested, weight_drop: Vec<f64> },
    Linear { weights: Vec<f64> },
}

/// All that any booster has: which one it is may be said last.
#[derive(Deserialize)]
struct AnyGradient {
    name: String,
    model: Option<AnyModel>,
    gbtree: Option<Nested>,
    weight_drop: Option<Vec<f64>>,
}

#[derive(Deserialize)]
struct AnyModel {
    tree_info: Option<Vec<i64>>,
    trees: Option<Vec<Tree>>,
    weights: Option<Vec<f64>>,
}

#[derive(Deserialize)]
pub(super) struct Nested {
    pub model: Booster,
}

#[derive(Deserialize)]
pub(super) struct Booster {
    pub tree_info: Vec<i64>,
    pub trees: Vec<Tree>,
}

impl TryFrom<AnyGradient> for Gradient {
    type Error = String;

    fn try_from(any: AnyGradient) -> Result<Self, String> {
        let AnyGradient { name, model, gbtree, weight_drop } = any;
        let booster = match (name.as_str(), model, gbtree, weight_drop) {
            ("gbtree", Some(AnyModel { tree_info, trees, .. }), ..) => tree_info
                .zip(trees)
                .map(|(tree_info, trees)| Self::Tree { model: Booster { tree_info, trees } }),
            ("dart", _, Some(gbtree), Some(weight_drop)) => {
                Some(Self::Dart { gbtree, weight_drop })
            }
            ("gblinear", Some(model), ..) => model.weights.map(|weights| Self::Linear { weights }),
            _ => None,
        };
        booster.ok_or_else(|| format!("no booster {name:?} as gbtree, dart or gblinear have it"))
    }
}

#[derive(Deserialize)]
pub(super) struct Tree {
    #[serde(default)]
    pub categories: Vec<u64>,
    #[serde(default)]
    pub categories_nodes: Vec<usize>,
    #[serde(default)]
    pub categories_segments: Vec<usize>,
    #[serde(default)]
    pub categories_sizes: Vec<usize>,
    pub default_left: Vec<Flag>,
    pub left_children: Vec<i64>,
    pub right_children: Vec<i64>,
    pub split_conditions: Vec<f64>,
    pub split_indices: Vec<u32>,
    #[serde(default)]
    pub split_type: Vec<i64>,
    pub sum_hessian: Vec<f64>,
    pub tree_param: TreeParam,
}

#[derive(Deserialize)]
pub(super) struct TreeParam {
    pub size_leaf_vector: Option<String>,
}

/// A flag: 0 and 1 now, `false` and `true` before XGBoost 1.6.
#[derive(Clone, Copy)]
pub(super) struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Clone, Copy)]
        struct FlagVisitor;

        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("0, 1, false or true")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Flag, E> {
                match value {
                    0 | 1 => Ok(Flag(value == 1)),
                    _ => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
                }
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Flag, E> {
                self.visit_u64(
                    u64::try_from(value)
                        .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))?,
                )
            }
        }

        deserializer.deserialize_any(FlagVisitor).map_err(D::Error::custom)
    }
}
