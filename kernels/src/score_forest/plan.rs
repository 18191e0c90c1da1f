//! A forest made ready for speed: codes instead of thresholds, and a layout for each tree.

use std::collections::BTreeMap;
use std::fmt;

use super::bits::{BitTree, doublings};
use super::codes::{FeatureCodes, Ladder, VIEW_CODES, View};
use super::{Child, Fault, Rule, Sum, Trees};

/// Leaves that a tree may have for [`Layout::Select`]: their numbers are bytes.
pub(super) const SELECT_LEAVES_MAX: usize = 256;

/// How a tree is evaluated; see the module's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Every node selects between its children's values, 128 rows at a time.
    Select,
    /// Rows walk from the root, 16 at a time.
    Walk,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Select => "select",
            Self::Walk => "walk",
        })
    }
}

/// A node of [`Layout::Select`], children first: slots below 256 hold leaf numbers, slot
/// 256 + i is what node i selected.
#[derive(Debug, Clone, Copy)]
pub(super) struct SelectNode {
    /// The column of codes.
    pub view: u32,
    /// Slot of what goes left.
    pub left: u16,
    /// Slot of what goes right.
    pub right: u16,
    /// The greatest code that goes left, four times: broadcasting 32 bits needs no shuffle.
    pub codes: u32,
}

/// A node of [`Layout::Walk`].
#[derive(Debug, Clone, Copy)]
pub(super) struct WalkNode {
    /// The left child; the right one is the next. A leaf's own number.
    pub child: u32,
    /// The column of codes in the upper 24 bits, the greatest code that goes left in the lower 8
    /// (255 in a leaf: nothing is greater).
    pub view_code: u32,
}

/// Where a tree's parts lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedTree {
    pub layout: Layout,
    pub output: usize,
    pub select_start: usize,
    pub select_end: usize,
    pub walk_start: usize,
    pub walk_end: usize,
    pub depth: usize,
    pub leaf_start: usize,
    pub leaf_end: usize,
}

/// A forest made ready for [`super::score_columns`].
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) features: usize,
    pub(super) outputs: usize,
    pub(super) leaf_width: usize,
    pub(super) sum: Sum,
    pub(super) f32_features: bool,
    pub(super) sets: Vec<Vec<u64>>,
    pub(super) codes: Vec<FeatureCodes>,
    pub(super) views: usize,
    pub(super) trees: Vec<PlannedTree>,
    pub(super) select: Vec<SelectNode>,
    pub(super) walk: Vec<WalkNode>,
    /// For each walk node its leaf; 0 for inner ones.
    pub(super) walk_leaf: Vec<u32>,
    /// All trees for [`super::bits`]; none where one is too large.
    pub(super) bits: Vec<BitTree>,
    /// Where the values of each of them begin, if the forest makes one sum; else none.
    pub(super) bit_starts: Vec<u32>,
    /// How often their pointers jump.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only AVX-512 reads it"))]
    pub(super) doublings: u32,
    pub(super) leaf: Vec<f64>,
    /// The same, where sums are `f32`.
    pub(super) leaf_f32: Vec<f32>,
}

/// What a node compares: a view and the greatest code that goes left.
pub(super) type Comparison = (usize, u8);

impl Plan {
    /// Makes a forest ready.
    ///
    /// # Errors
    /// What [`Trees::check`] finds.
    pub fn new(trees: &Trees) -> Result<Self, Fault> {
        trees.check()?;
        let (codes, comparisons) = encode(trees);
        let views = codes.iter().map(|codes| codes.views.len()).sum();
        if views >= 1 << 24 {
            let what = format!("{views} different questions to features are more than 2^24");
            return Err(Fault { tree: 0, node: None, what });
        }
        let mut plan = Self {
            features: trees.features,
            outputs: trees.outputs,
            leaf_width: trees.leaf_width,
            sum: trees.sum,
            f32_features: trees.f32_features,
            sets: trees.sets.clone(),
            codes,
            views,
            trees: Vec::with_capacity(trees.len()),
            select: Vec::new(),
            walk: Vec::new(),
            walk_leaf: Vec::new(),
            bits: Vec::new(),
            bit_starts: Vec::new(),
            doublings: 0,
            leaf: trees.leaf.clone(),
            leaf_f32: Vec::new(),
        };
        if trees.sum == Sum::F32 {
            plan.leaf_f32 = trees.leaf.iter().map(|&value| value as f32).collect();
        }
        for tree in 0..trees.len() {
            plan.add_tree(trees, tree, &comparisons);
        }
        let depth = plan.trees.iter().map(|tree| tree.depth).max();
        plan.doublings = doublings(depth.unwrap_or(0));
        let small = (0..trees.len()).map(|tree| BitTree::new(trees, tree, &comparisons, views));
        plan.bits = small.collect::<Option<Vec<_>>>().unwrap_or_default();
        if !plan.bits.is_empty() && trees.outputs == 1 && trees.leaf_width == 1 {
            plan.bit_starts = plan.trees.iter().map(|tree| tree.leaf_start as u32).collect();
        }
        Ok(plan)
    }

    fn add_tree(&mut self, trees: &Trees, tree: usize, comparisons: &[Comparison]) {
        let (nodes, leaves) = (trees.nodes_of(tree), trees.leaves_of(tree));
        let (select_start, walk_start) = (self.select.len(), self.walk.len());
        let layout = if leaves.len() <= SELECT_LEAVES_MAX { Layout::Select } else { Layout::Walk };
        if layout == Layout::Select {
            self.add_select(trees, nodes.start, nodes.len(), comparisons);
        }
        let depth = self.add_walk(trees, nodes.start, nodes.len(), comparisons);
        self.trees.push(PlannedTree {
            layout,
            output: trees.output[tree] as usize,
            select_start,
            select_end: self.select.len(),
            walk_start,
            walk_end: self.walk.len(),
            depth,
            leaf_start: leaves.start,
            leaf_end: leaves.end,
        });
    }

    /// Children before parents, the larger subtrees' first: depth first from the right, reversed.
    fn add_select(
        &mut self,
        trees: &Trees,
        first: usize,
        count: usize,
        comparisons: &[Comparison],
    ) {
        let mut order = Vec::with_capacity(count);
        let mut open = if count > 0 { vec![0] } else { vec![] };
        while let Some(node) = open.pop() {
            order.push(node);
            let children = [trees.left[first + node], trees.right[first + node]];
            open.extend(children.into_iter().filter_map(|child| child.get().ok()));
        }
        order.reverse();
        let mut position = vec![0; count];
        for (at, &node) in order.iter().enumerate() {
            position[node] = at;
        }
        let slot = |child: Child| match child.get() {
            Ok(node) => (SELECT_LEAVES_MAX + position[node]) as u16,
            Err(leaf) => leaf as u16,
        };
        self.select.extend(order.iter().map(|&node| {
            let (view, code) = comparisons[first + node];
            SelectNode {
                view: view as u32,
                left: slot(trees.left[first + node]),
                right: slot(trees.right[first + node]),
                codes: u32::from_ne_bytes([code; 4]),
            }
        }));
    }

    /// Breadth first; gives the depth of the tree.
    fn add_walk(
        &mut self,
        trees: &Trees,
        first: usize,
        count: usize,
        comparisons: &[Comparison],
    ) -> usize {
        let start = self.walk.len();
        let root = if count == 0 { Child::leaf(0) } else { Child::node(0) };
        let mut queue = vec![(root, 0)];
        let mut at = 0;
        while let Some(&(child, depth)) = queue.get(at) {
            match child.get() {
                Ok(node) => {
                    let (view, code) = comparisons[first + node];
                    let view_code = (view as u32) << 8 | u32::from(code);
                    self.walk.push(WalkNode { child: queue.len() as u32, view_code });
                    self.walk_leaf.push(0);
                    queue.push((trees.left[first + node], depth + 1));
                    queue.push((trees.right[first + node], depth + 1));
                }
                Err(leaf) => {
                    self.walk.push(WalkNode { child: at as u32, view_code: VIEW_CODES });
                    self.walk_leaf.push(leaf as u32);
                }
            }
            at += 1;
        }
        debug_assert_eq!(self.walk.len() - start, queue.len());
        queue.last().map_or(0, |&(_, depth)| depth)
    }

    /// Number of features that a row has.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Number of sums that a row gets.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Bytes that the plan holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.trees)
            + size_of_val(&*self.select)
            + size_of_val(&*self.walk)
            + size_of_val(&*self.walk_leaf)
            + size_of_val(&*self.bits)
            + size_of_val(&*self.bit_starts)
            + size_of_val(&*self.leaf)
            + size_of_val(&*self.leaf_f32)
            + self.sets.iter().map(|set| size_of_val(&**set)).sum::<usize>()
            + self.codes.iter().map(|codes| size_of_val(&*codes.ladder.blocks)).sum::<usize>()
    }

    /// How many trees have each layout, in words for `explain`: "select 500".
    #[must_use]
    pub fn describe(&self) -> String {
        let count = |layout| self.trees.iter().filter(|tree| tree.layout == layout).count();
        let layouts = [Layout::Select, Layout::Walk].map(|layout| (layout, count(layout)));
        let named = layouts.iter().filter(|(_, trees)| *trees > 0);
        let parts: Vec<_> = named.map(|(layout, trees)| format!("{layout} {trees}")).collect();
        format!("{}; {} code columns", parts.join(", "), self.views)
    }
}

/// The features' thresholds and views, and what each node compares.
fn encode(trees: &Trees) -> (Vec<FeatureCodes>, Vec<Comparison>) {
    let mut thresholds: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (node, feature) in trees.feature.iter().enumerate() {
        let of_feature = thresholds.entry(*feature).or_default();
        if matches!(trees.rule[node], Rule::Numeric { .. }) {
            of_feature.push(trees.threshold[node]);
        }
    }
    for sorted in thresholds.values_mut() {
        // By value: −0 and 0 compare alike, so one of them is enough.
        sorted.sort_by(f64::total_cmp);
        sorted.dedup_by(|a, b| a == b);
    }
    // Per feature its views, and per node the view (within the feature) and the code.
    let mut views: BTreeMap<u32, BTreeMap<View, usize>> = BTreeMap::new();
    let mut within = Vec::with_capacity(trees.feature.len());
    for (node, feature) in trees.feature.iter().enumerate() {
        let (view, code) = view_of(trees, node, &thresholds[feature]);
        let of_feature = views.entry(*feature).or_default();
        let next = of_feature.len();
        within.push((*of_feature.entry(view).or_insert(next), code));
    }
    let mut first_views = BTreeMap::new();
    let mut codes = Vec::with_capacity(views.len());
    let mut first_view = 0;
    for (feature, numbered) in views {
        let mut list: Vec<_> = numbered.into_iter().collect();
        list.sort_by_key(|(_, number)| *number);
        let ladder = Ladder::new(&thresholds[&feature]);
        let zero = ladder.count(0.0);
        first_views.insert(feature, first_view);
        let views: Vec<_> = list.into_iter().map(|(view, _)| view).collect();
        first_view += views.len();
        let first_view = first_views[&feature];
        codes.push(FeatureCodes { feature: feature as usize, ladder, zero, first_view, views });
    }
    let comparisons = within
        .iter()
        .zip(&trees.feature)
        .map(|((view, code), feature)| (first_views[feature] + view, *code))
        .collect();
    (codes, comparisons)
}

/// The view that a node reads, and the greatest code that goes left there.
fn view_of(trees: &Trees, node: usize, sorted: &[f64]) -> (View, u8) {
    match trees.rule[node] {
        Rule::Numeric { missing, default_left } => {
            let threshold = trees.threshold[node];
            let index = sorted.partition_point(|t| *t < threshold) as u32;
            let part = index / VIEW_CODES;
            (View::Numeric { part, missing, default_left }, (index % VIEW_CODES) as u8)
        }
        Rule::Set { set, members_left, default_left, cuts_negative } => {
            (View::Set { set, members_left, default_left, cuts_negative }, 0)
        }
    }
}
