//! Forests: trees, what is added and divided around their sums, and the link.
//!
//! ```text
//! raw = initial + leaf(tree 0) + leaf(tree 1) + …      in the library's precision, in order
//! prediction = link(raw ÷ divisor)                       divisor 1, or the number of rounds
//! ```
//!
//! Raw scores are sums also where predictions are averages (LightGBM's `boosting=rf`), because
//! LightGBM's are.

use std::sync::OnceLock;

use pelton_kernels::score_forest::{self, Plan, Scratch, Sum, Trees};
use pelton_kernels::simd;

use super::contributions::Explaining;
use super::link::Link;
use crate::{Error, Result};

/// How many training rows (or how much weight) came to each node and leaf: what contributions
/// weigh the two sides of a split by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Covers {
    /// Of each inner node, in the order of [`Trees`].
    pub node: Vec<f64>,
    /// Of each leaf.
    pub leaf: Vec<f64>,
    /// Whether the model's file told them. Where it doesn't (ONNX), each leaf counts as one.
    pub known: bool,
}

/// What a forest is made from.
#[derive(Debug, Clone)]
pub struct ForestParts {
    /// The trees.
    pub trees: Trees,
    /// Weights of nodes and leaves.
    pub covers: Covers,
    /// What each output's sum starts from.
    pub initial: Vec<f64>,
    /// What sums are divided by before the link.
    pub divisor: f64,
    /// From raw scores to predictions.
    pub link: Link,
}

/// A forest, ready to score.
#[derive(Debug, Clone)]
pub struct Forest {
    parts: ForestParts,
    plan: Plan,
    /// Made when a score is first explained.
    explaining: OnceLock<Explaining>,
    /// Made when a GPU is first to score.
    #[cfg(feature = "gpu")]
    on_gpu: score_forest::gpu::Backed,
}

impl Forest {
    /// Checks the parts and makes them ready.
    ///
    /// # Errors
    /// Where the trees are none, a number is not finite, or the parts don't fit together.
    pub fn new(parts: ForestParts) -> Result<Self> {
        let advice = "the file is damaged: write the model again with the library that trained it";
        let plan = Plan::new(&parts.trees).map_err(|fault| {
            let place = match fault.node {
                Some(node) => format!("tree {}, node {node}", fault.tree),
                None => format!("tree {}", fault.tree),
            };
            Error::new(fault.what).at(place).advise(advice)
        })?;
        let covers = &parts.covers;
        let fits = parts.initial.len() == parts.trees.outputs
            && covers.node.len() == parts.trees.feature.len()
            && covers.leaf.len() * parts.trees.leaf_width == parts.trees.leaf.len();
        if !fits {
            return Err(Error::new("the parts of the forest differ in length").advise(advice));
        }
        let weights = covers.node.iter().chain(&covers.leaf);
        if !weights.chain(&parts.initial).chain([&parts.divisor]).all(|x| x.is_finite())
            || parts.divisor <= 0.0
        {
            let what = "a base score or the cover of a node is no finite number";
            return Err(Error::new(what).advise(advice));
        }
        Ok(Self {
            parts,
            plan,
            explaining: OnceLock::new(),
            #[cfg(feature = "gpu")]
            on_gpu: score_forest::gpu::Backed::default(),
        })
    }

    /// The trees.
    #[must_use]
    pub fn trees(&self) -> &Trees {
        &self.parts.trees
    }

    /// Weights of nodes and leaves.
    #[must_use]
    pub fn covers(&self) -> &Covers {
        &self.parts.covers
    }

    /// The link.
    #[must_use]
    pub fn link(&self) -> Link {
        self.parts.link
    }

    /// What each output's sum starts from.
    #[must_use]
    pub fn initial(&self) -> &[f64] {
        &self.parts.initial
    }

    /// What sums are divided by before the link.
    #[must_use]
    pub fn divisor(&self) -> f64 {
        self.parts.divisor
    }

    pub(super) fn explaining(&self) -> &Explaining {
        self.explaining.get_or_init(|| Explaining::new(&self.parts.trees, &self.parts.covers))
    }

    /// Bytes that the forest holds: as it was read, ready to score, and to explain.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let (trees, covers) = (&self.parts.trees, &self.parts.covers);
        let floats = covers.node.len() + covers.leaf.len() + trees.feature.len();
        trees.bytes() + self.plan.bytes() + floats * size_of::<f64>()
    }

    /// Memory for [`Forest::raw`].
    #[must_use]
    pub fn scratch(&self) -> Scratch {
        Scratch::new(&self.plan)
    }

    /// The forest on a GPU, put there at the first call.
    ///
    /// # Errors
    /// Where it does not fit the passes, or what the GPU answers.
    #[cfg(feature = "gpu")]
    pub fn on(
        &self,
        gpu: &pelton_kernels::gpu::Gpu,
    ) -> std::result::Result<
        std::sync::Arc<score_forest::gpu::Forest>,
        score_forest::gpu::ForestError,
    > {
        self.on_gpu.on(gpu, &self.parts.trees, &self.parts.initial)
    }

    /// The raw scores of rows that lie in columns: all of output 0, then all of output 1, ….
    ///
    /// # Contract
    /// As [`score_forest::score_columns`].
    pub fn raw(&self, columns: &[&[f64]], scratch: &mut Scratch, out: &mut [f64]) {
        let (plan, initial) = (&self.plan, &self.parts.initial);
        score_forest::score_columns(simd::level(), plan, columns, initial, scratch, out);
    }

    /// The raw scores of one row.
    ///
    /// # Contract
    /// As [`score_forest::score_row`].
    pub fn raw_row(&self, row: &[f64], scratch: &mut Scratch, out: &mut [f64]) {
        let initial = &self.parts.initial;
        score_forest::score_row(simd::level(), &self.plan, row, initial, scratch, out);
    }

    /// The predictions of one row from its raw scores, which are overwritten by what the link
    /// was given.
    pub(super) fn link_row(&self, raw: &mut [f64], out: &mut [f64]) {
        if self.parts.divisor != 1.0 {
            raw.iter_mut().for_each(|sum| *sum /= self.parts.divisor);
        }
        self.parts.link.apply(raw, out);
    }

    /// The forest in a line for `explain`.
    #[must_use]
    pub fn describe(&self) -> String {
        let trees = &self.parts.trees;
        let precision = match trees.sum {
            Sum::F64 => "f64",
            Sum::F32 => "f32",
        };
        let leaves = trees.leaf.len() / trees.leaf_width;
        format!(
            "{} trees, {leaves} leaves, {precision} sums; layouts: {}; {}",
            trees.len(),
            self.plan.describe(),
            simd::level()
        )
    }
}
