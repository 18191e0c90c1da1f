//! A forest as the arrays that the passes read.
//!
//! As on the CPU (see [`super::super`]) nodes compare codes; here a code has 16 bits, so that a
//! feature rarely needs a second view, and a node is eight bytes with both children in it. Trees
//! are put into stages that fit workgroup memory, in their order; forests with several outputs are
//! sorted by output first (each output's trees stay in order, and so do its additions).

use std::collections::BTreeMap;

use pelton_shaders::{
    FOREST_CODE_MAX, FOREST_SHARED_WORDS, FOREST_STAGE_NODES, FOREST_TREE_MAX, Flags, ForestStage,
    ForestTree, ForestView,
};

use crate::score_forest::{Child, Missing, Rule, Sum, Trees};

/// Kinds of views.
pub(super) const NUMBERS: u32 = 0;
pub(super) const CATEGORIES: u32 = 1;
const NOTHING: u32 = 2;

/// Thresholds that a view tells apart.
const VIEW_THRESHOLDS: usize = FOREST_CODE_MAX as usize;

/// What a node asks of a feature: its column, and how values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    column: u32,
    kind: u32,
    flags: u32,
    /// Part of the thresholds, or the set.
    which: u32,
}

/// The arrays of a forest.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrays {
    /// The feature of each column that is uploaded.
    pub features: Vec<usize>,
    pub views: Vec<ForestView>,
    /// Thresholds of all columns, as keys in the order of integers.
    pub thresholds: Vec<u64>,
    /// The same for f32: the largest not above each.
    pub thresholds32: Vec<u32>,
    pub sets: Vec<u32>,
    pub nodes: Vec<[u32; 2]>,
    pub trees: Vec<ForestTree>,
    pub stages: Vec<ForestStage>,
    pub spans: Vec<[u32; 2]>,
    /// The form of the walking pass.
    pub form: Flags,
}

/// A number's bits as an integer of the same order; both zeros are one (`ordered` in the shader).
pub(super) fn key(x: f64) -> u64 {
    let bits = if x == 0.0 { 0 } else { x.to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The same for f32.
pub(super) fn key32(x: f32) -> u32 {
    let bits = if x == 0.0 { 0 } else { x.to_bits() };
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The largest f32 that is not above `x`.
fn floor_f32(x: f64) -> f32 {
    let near = x as f32;
    if f64::from(near) > x { near.next_down() } else { near }
}

impl Arrays {
    /// The arrays of a forest that has been checked.
    ///
    /// # Errors
    /// Why it does not fit the passes.
    pub fn new(trees: &Trees) -> Result<Self, String> {
        let mut arrays = Self::default();
        let columns = arrays.number_columns(trees);
        let sorted = thresholds_of(trees, &columns);
        let firsts = arrays.add_thresholds(&sorted);
        let set_firsts = arrays.add_sets(trees);
        let mut views: BTreeMap<Question, u32> = BTreeMap::new();
        let mut nodes = Vec::with_capacity(trees.feature.len());
        for node in 0..trees.feature.len() {
            let column = columns[&trees.feature[node]];
            let (question, code) = question(trees, node, column, &sorted[column as usize]);
            let next = views.len() as u32;
            let view = *views.entry(question).or_insert(next);
            nodes.push((view, code));
        }
        arrays.add_views(&views, &sorted, &firsts, &set_firsts)?;
        arrays.add_trees(trees, &nodes)?;
        let words = arrays.words();
        arrays.form = arrays.form
            | Flags::SHARED_ROWS.when(words <= FOREST_SHARED_WORDS as usize)
            | Flags::SUM32.when(trees.sum == Sum::F32);
        Ok(arrays)
    }

    /// Words of codes a row: two views each.
    pub fn words(&self) -> usize {
        self.views.len() / 2
    }

    /// Features that nodes ask for get columns, in their order.
    fn number_columns(&mut self, trees: &Trees) -> BTreeMap<u32, u32> {
        let mut columns: BTreeMap<u32, u32> = trees.feature.iter().map(|f| (*f, 0)).collect();
        for (column, (feature, number)) in columns.iter_mut().enumerate() {
            *number = column as u32;
            self.features.push(*feature as usize);
        }
        columns
    }

    /// Appends all thresholds; gives where each column's start.
    fn add_thresholds(&mut self, sorted: &[Vec<f64>]) -> Vec<u32> {
        let mut firsts = Vec::with_capacity(sorted.len());
        for of_column in sorted {
            firsts.push(self.thresholds.len() as u32);
            self.thresholds.extend(of_column.iter().map(|t| key(*t)));
            self.thresholds32.extend(of_column.iter().map(|t| key32(floor_f32(*t))));
        }
        firsts
    }

    /// Appends all sets; gives where each starts.
    fn add_sets(&mut self, trees: &Trees) -> Vec<u32> {
        let mut firsts = Vec::with_capacity(trees.sets.len());
        for set in &trees.sets {
            firsts.push(self.sets.len() as u32);
            self.sets.extend(set.iter().flat_map(|word| [*word as u32, (*word >> 32) as u32]));
        }
        firsts
    }

    fn add_views(
        &mut self,
        views: &BTreeMap<Question, u32>,
        sorted: &[Vec<f64>],
        firsts: &[u32],
        set_firsts: &[u32],
    ) -> Result<(), String> {
        // The last view's number stands in 16 bits.
        if views.len() > 1 << 16 {
            return Err(format!("{} different questions to features", views.len()));
        }
        let nothing = ForestView { kind: NOTHING, ..ForestView::default() };
        self.views = vec![nothing; views.len().max(1).next_multiple_of(2)];
        for (question, number) in views {
            let Question { column, kind, flags, which } = *question;
            let mut view = ForestView { column, kind, flags, ..ForestView::default() };
            if kind == NUMBERS {
                let skipped = which as usize * VIEW_THRESHOLDS;
                let left = sorted[column as usize].len() - skipped;
                view.first = firsts[column as usize] + skipped as u32;
                view.count = left.min(VIEW_THRESHOLDS) as u32;
            } else {
                let first = set_firsts[which as usize];
                let next = set_firsts.get(which as usize + 1).copied();
                view.set_first = first;
                view.set_words = next.unwrap_or(self.sets.len() as u32) - first;
            }
            self.views[*number as usize] = view;
        }
        Ok(())
    }

    /// Trees by output, each in its stage.
    fn add_trees(&mut self, trees: &Trees, nodes: &[(u32, u32)]) -> Result<(), String> {
        let largest = (0..trees.len()).map(|tree| trees.nodes_of(tree).len()).max().unwrap_or(0);
        let leaves = (0..trees.len()).map(|tree| trees.leaves_of(tree).len()).max().unwrap_or(0);
        if largest.max(leaves) > FOREST_TREE_MAX as usize {
            return Err(format!("a tree of {leaves} leaves; up to {FOREST_TREE_MAX} fit"));
        }
        let staged = largest <= FOREST_STAGE_NODES as usize;
        self.form = Flags::STAGED.when(staged);
        let shared = trees.leaf_width > 1;
        let ranges = if shared { 1 } else { trees.outputs };
        for output in 0..ranges {
            let first_stage = self.stages.len() as u32;
            let own = (0..trees.len()).filter(|&t| shared || trees.output[t] as usize == output);
            for tree in own {
                self.add_tree(trees, tree, nodes, staged, first_stage);
            }
            self.spans.push([first_stage, self.stages.len() as u32]);
        }
        if shared {
            self.spans = vec![self.spans[0]; trees.outputs];
        }
        Ok(())
    }

    fn add_tree(
        &mut self,
        trees: &Trees,
        tree: usize,
        nodes: &[(u32, u32)],
        staged: bool,
        first_stage: u32,
    ) {
        let (own, first_leaf) = (trees.nodes_of(tree), trees.leaves_of(tree).start as u32);
        let count = own.len().max(1) as u32;
        let fits = |stage: &ForestStage| !staged || stage.nodes + count <= FOREST_STAGE_NODES;
        if self.stages.len() as u32 == first_stage || !self.stages.last().is_some_and(fits) {
            self.stages.push(ForestStage {
                first_tree: self.trees.len() as u32,
                trees: 0,
                first_node: self.nodes.len() as u32,
                nodes: 0,
            });
        }
        let Some(stage) = self.stages.last_mut() else { return };
        let first_node = if staged { stage.nodes } else { self.nodes.len() as u32 };
        self.trees.push(ForestTree { first_node, first_leaf });
        stage.trees += 1;
        stage.nodes += count;
        let slot = |child: Child| match child.get() {
            Ok(node) => node as u32,
            Err(leaf) => FOREST_TREE_MAX | leaf as u32,
        };
        if own.is_empty() {
            // A tree that is a leaf: whatever the first view says, it leads there.
            self.nodes.push([0, FOREST_TREE_MAX << 16 | FOREST_TREE_MAX]);
        }
        for node in own {
            let (view, code) = nodes[node];
            let (left, right) = (slot(trees.left[node]), slot(trees.right[node]));
            self.nodes.push([view << 16 | code, right << 16 | left]);
        }
    }
}

/// Each column's thresholds, ascending, each once (−0 and 0 are one).
fn thresholds_of(trees: &Trees, columns: &BTreeMap<u32, u32>) -> Vec<Vec<f64>> {
    let mut sorted = vec![Vec::new(); columns.len()];
    for (node, feature) in trees.feature.iter().enumerate() {
        if matches!(trees.rule[node], Rule::Numeric { .. }) {
            sorted[columns[feature] as usize].push(trees.threshold[node]);
        }
    }
    for of_column in &mut sorted {
        of_column.sort_by(f64::total_cmp);
        of_column.dedup_by(|a, b| a == b);
    }
    sorted
}

/// What a node asks, and the greatest code that goes left.
fn question(trees: &Trees, node: usize, column: u32, sorted: &[f64]) -> (Question, u32) {
    match trees.rule[node] {
        Rule::Numeric { missing, default_left } => {
            let index = sorted.partition_point(|t| *t < trees.threshold[node]);
            let flags = match missing {
                Missing::Never => 0,
                Missing::Nan => 1,
                Missing::ZeroOrNan => 3,
            };
            // Where nothing is missing, the default is never asked for.
            let left = default_left && missing != Missing::Never;
            let which = (index / VIEW_THRESHOLDS) as u32;
            let flags = flags | u32::from(left) << 2;
            (Question { column, kind: NUMBERS, flags, which }, (index % VIEW_THRESHOLDS) as u32)
        }
        Rule::Set { set, members_left, default_left, cuts_negative } => {
            let flags = u32::from(default_left) << 2
                | u32::from(members_left) << 3
                | u32::from(cuts_negative) << 4
                | u32::from(trees.f32_features) << 5;
            (Question { column, kind: CATEGORIES, flags, which: set }, 0)
        }
    }
}
