//! Rows to sums: codes, then leaves, then additions, 128 rows at a time.

use super::bits::VIEWS_MAX;
use super::codes::{FeatureCodes, count_below};
use super::plan::{PlannedTree, SELECT_LEAVES_MAX, SelectNode, WalkNode};
use super::{BLOCK_ROWS, Block, Layout, Plan, Sum};
use crate::simd::Level;

/// Fewer rows than this walk one by one: from about here on a whole block costs less, filled up
/// or not (`cargo run --release -p pelton-scoring --example forest_speed`).
const BLOCK_ROWS_MIN: usize = 24;

/// Rows that walk a tree side by side.
const WALKERS: usize = 16;

/// Trees that one row walks side by side.
const TREES_AT_ONCE: usize = 8;

/// Slots of leaf numbers, and as many of selected ones.
pub(super) type Slots = [Block; 2 * SELECT_LEAVES_MAX];

/// Memory that scoring needs; kept by the caller, so that a call allocates nothing.
#[derive(Debug)]
pub struct Scratch {
    codes: Vec<Block>,
    counts: Box<[u32; BLOCK_ROWS]>,
    slots: Box<Slots>,
    leaves: Vec<u32>,
    sums: Vec<[f64; BLOCK_ROWS]>,
    sums_f32: Vec<[f32; BLOCK_ROWS]>,
    row_values: Vec<f64>,
    row_counts: Vec<u32>,
    row_codes: Vec<u8>,
    row_leaves: Vec<u32>,
    row_sums: Vec<f64>,
}

impl Scratch {
    /// Memory for a plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let mut slots = Box::new([Block([0; BLOCK_ROWS]); 2 * SELECT_LEAVES_MAX]);
        for (leaf, slot) in slots[..SELECT_LEAVES_MAX].iter_mut().enumerate() {
            slot.0 = [leaf as u8; BLOCK_ROWS];
        }
        let (wide, narrow) = match plan.sum {
            Sum::F64 => (plan.outputs, 0),
            Sum::F32 => (0, plan.outputs),
        };
        Self {
            codes: vec![Block([0; BLOCK_ROWS]); plan.views],
            counts: Box::new([0; BLOCK_ROWS]),
            slots,
            leaves: vec![0; BLOCK_ROWS],
            sums: vec![[0.0; BLOCK_ROWS]; wide],
            sums_f32: vec![[0.0; BLOCK_ROWS]; narrow],
            row_values: vec![0.0; plan.codes.len()],
            row_counts: vec![0; plan.codes.len()],
            row_codes: vec![0; plan.views.max(VIEWS_MAX)],
            row_leaves: vec![0; plan.trees.len()],
            row_sums: vec![0.0; plan.outputs],
        }
    }
}

/// Scores rows that lie in columns.
///
/// `out` holds the sums of output 0 for all rows, then those of output 1, and so on. Each is
/// `initial` plus the leaves of the output's trees, in their order.
///
/// # Contract
/// `columns` has a column a feature, all of one length; `initial` has a value an output; `out`
/// has `outputs × rows`; `scratch` was made for this plan (asserted).
pub fn score_columns(
    level: Level,
    plan: &Plan,
    columns: &[&[f64]],
    initial: &[f64],
    scratch: &mut Scratch,
    out: &mut [f64],
) {
    assert!(columns.len() == plan.features && initial.len() == plan.outputs);
    assert!(scratch.codes.len() == plan.views && scratch.row_leaves.len() == plan.trees.len());
    let rows = out.len() / plan.outputs;
    assert!(out.len() == rows * plan.outputs);
    assert!(columns.iter().all(|column| column.len() == rows));
    let mut start = 0;
    while start < rows {
        let end = rows.min(start + BLOCK_ROWS);
        if end - start < BLOCK_ROWS_MIN {
            for row in start..end {
                walk_row(level, plan, initial, scratch, |feature| columns[feature][row]);
                for (output, sum) in scratch.row_sums.iter().enumerate() {
                    out[output * rows + row] = *sum;
                }
            }
        } else {
            score_block(level, plan, columns, start..end, initial, scratch);
            for output in 0..plan.outputs {
                let out = &mut out[output * rows + start..output * rows + end];
                match plan.sum {
                    Sum::F64 => out.copy_from_slice(&scratch.sums[output][..end - start]),
                    Sum::F32 => {
                        let sums = &scratch.sums_f32[output];
                        for (out, sum) in out.iter_mut().zip(sums) {
                            *out = f64::from(*sum);
                        }
                    }
                }
            }
        }
        start = end;
    }
}

/// Scores one row, which has a value a feature.
///
/// # Contract
/// As [`score_columns`]; `out` has a value an output (asserted).
pub fn score_row(
    level: Level,
    plan: &Plan,
    row: &[f64],
    initial: &[f64],
    scratch: &mut Scratch,
    out: &mut [f64],
) {
    assert!(row.len() == plan.features && initial.len() == plan.outputs);
    assert!(scratch.codes.len() == plan.views && scratch.row_leaves.len() == plan.trees.len());
    walk_row(level, plan, initial, scratch, |feature| row[feature]);
    out.copy_from_slice(&scratch.row_sums);
}

fn score_block(
    level: Level,
    plan: &Plan,
    columns: &[&[f64]],
    rows: std::ops::Range<usize>,
    initial: &[f64],
    scratch: &mut Scratch,
) {
    for codes in &plan.codes {
        let values = &columns[codes.feature][rows.clone()];
        let views = &mut scratch.codes[codes.first_view..][..codes.views.len()];
        count_values(level, codes, values, &mut scratch.counts);
        codes.write(values, &scratch.counts, &plan.sets, plan.f32_features, views);
    }
    for (sums, initial) in scratch.sums.iter_mut().zip(initial) {
        *sums = [*initial; BLOCK_ROWS];
    }
    for (sums, initial) in scratch.sums_f32.iter_mut().zip(initial) {
        *sums = [*initial as f32; BLOCK_ROWS];
    }
    for tree in &plan.trees {
        match tree.layout {
            Layout::Select => {
                let nodes = &plan.select[tree.select_start..tree.select_end];
                select(level, nodes, &scratch.codes, &mut scratch.slots);
                // A single leaf's number stands in slot 0.
                let root = match nodes.len() {
                    0 => 0,
                    count => SELECT_LEAVES_MAX + count - 1,
                };
                add_selected(level, plan, tree, scratch, root);
            }
            Layout::Walk => {
                let nodes = &plan.walk[tree.walk_start..tree.walk_end];
                walk(nodes, tree.depth, &scratch.codes, rows.len(), &mut scratch.leaves);
                let leaf_of = &plan.walk_leaf[tree.walk_start..tree.walk_end];
                let ends = &scratch.leaves;
                let sums = Sums { wide: &mut scratch.sums, narrow: &mut scratch.sums_f32 };
                add_leaves(plan, tree, sums, |row| leaf_of[ends[row] as usize] as usize);
            }
        }
    }
}

fn count_values(
    level: Level,
    codes: &FeatureCodes,
    values: &[f64],
    counts: &mut [u32; BLOCK_ROWS],
) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { super::simd::count_avx512(&codes.ladder, values, counts) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if level.is_available() => {
            // SAFETY: as above.
            unsafe { super::simd::count_avx2(&codes.ladder, values, counts) }
        }
        _ => {
            for (count, value) in counts.iter_mut().zip(values) {
                *count = codes.ladder.count_with(*value, count_below);
            }
        }
    }
}

fn select(level: Level, nodes: &[SelectNode], codes: &[Block], slots: &mut Slots) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { super::simd::select_avx512(nodes, codes, slots) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if level.is_available() => {
            // SAFETY: as above.
            unsafe { super::simd::select_avx2(nodes, codes, slots) }
        }
        _ => select_portable(nodes, codes, slots),
    }
}

fn select_portable(nodes: &[SelectNode], codes: &[Block], slots: &mut Slots) {
    for (at, node) in nodes.iter().enumerate() {
        let code = node.codes as u8;
        let Block(asked) = &codes[node.view as usize];
        let Block(left) = &slots[usize::from(node.left)];
        let Block(right) = &slots[usize::from(node.right)];
        let mut selected = [0; BLOCK_ROWS];
        for row in 0..BLOCK_ROWS {
            // All bits where the row goes right: no branch, so that the loop becomes vectors.
            let right_bits = u8::from(asked[row] > code).wrapping_neg();
            selected[row] = left[row] ^ ((left[row] ^ right[row]) & right_bits);
        }
        slots[SELECT_LEAVES_MAX + at].0 = selected;
    }
}

/// Adds the leaves whose numbers stand in slot `root`.
fn add_selected(level: Level, plan: &Plan, tree: &PlannedTree, scratch: &mut Scratch, root: usize) {
    match (level, plan.sum) {
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, Sum::F64) if plan.leaf_width == 1 && level.is_available() => {
            let leaves = &plan.leaf[tree.leaf_start..tree.leaf_end];
            let sums = &mut scratch.sums[tree.output];
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { super::simd::add_f64_avx512(leaves, &scratch.slots[root], sums) }
        }
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, Sum::F32) if plan.leaf_width == 1 && level.is_available() => {
            let leaves = &plan.leaf_f32[tree.leaf_start..tree.leaf_end];
            let sums = &mut scratch.sums_f32[tree.output];
            // SAFETY: as above.
            unsafe { super::simd::add_f32_avx512(leaves, &scratch.slots[root], sums) }
        }
        _ => {
            let Block(index) = &scratch.slots[root];
            let sums = Sums { wide: &mut scratch.sums, narrow: &mut scratch.sums_f32 };
            add_leaves(plan, tree, sums, |row| usize::from(index[row]));
        }
    }
}

/// Adds the leaf of each row, whose number within the tree `leaf` tells.
#[inline(always)]
fn add_leaves(plan: &Plan, tree: &PlannedTree, sums: Sums, leaf: impl Fn(usize) -> usize) {
    let width = plan.leaf_width;
    let outputs = if width == 1 { tree.output..tree.output + 1 } else { 0..width };
    let range = tree.leaf_start * width..tree.leaf_end * width;
    match plan.sum {
        Sum::F64 => add_columns(&plan.leaf[range], width, &mut sums.wide[outputs], leaf),
        Sum::F32 => add_columns(&plan.leaf_f32[range], width, &mut sums.narrow[outputs], leaf),
    }
}

/// The sums of all outputs, of which the forest's precision has some.
struct Sums<'a> {
    wide: &'a mut [[f64; BLOCK_ROWS]],
    narrow: &'a mut [[f32; BLOCK_ROWS]],
}

#[inline(always)]
fn add_columns<T: Copy + std::ops::AddAssign>(
    leaves: &[T],
    width: usize,
    sums: &mut [[T; BLOCK_ROWS]],
    leaf: impl Fn(usize) -> usize,
) {
    for (column, sums) in sums.iter_mut().enumerate() {
        for (row, sum) in sums.iter_mut().enumerate() {
            *sum += leaves[leaf(row) * width + column];
        }
    }
}

/// Where each row's walk ends: numbers of nodes within the tree.
fn walk(nodes: &[WalkNode], depth: usize, codes: &[Block], rows: usize, ends: &mut [u32]) {
    let (groups, _) = ends[..BLOCK_ROWS].as_chunks_mut::<WALKERS>();
    for (group, ends) in groups.iter_mut().enumerate() {
        let mut at = [0_u32; WALKERS];
        if group * WALKERS < rows {
            let mut level = 0;
            while level < depth {
                // Unbalanced trees: stop where all have come to a leaf.
                let before = at;
                for _ in 0..4 {
                    for (lane, at) in at.iter_mut().enumerate() {
                        let node = nodes[*at as usize];
                        let Block(column) = &codes[(node.view_code >> 8) as usize];
                        let code = column[group * WALKERS + lane];
                        *at = node.child + u32::from(code > node.view_code as u8);
                    }
                }
                if at == before {
                    break;
                }
                level += 4;
            }
        }
        *ends = at;
    }
}

/// One row: its codes, its leaves, its sums.
fn walk_row(
    level: Level,
    plan: &Plan,
    initial: &[f64],
    scratch: &mut Scratch,
    value: impl Fn(usize) -> f64,
) {
    for (slot, codes) in scratch.row_values.iter_mut().zip(&plan.codes) {
        *slot = value(codes.feature);
    }
    count_row(level, &plan.codes, &scratch.row_values, &mut scratch.row_counts);
    let counted = scratch.row_values.iter().zip(&scratch.row_counts);
    for (codes, (x, count)) in plan.codes.iter().zip(counted) {
        for (view, code) in codes.views.iter().zip(&mut scratch.row_codes[codes.first_view..]) {
            *code = codes.code(view, *x, *count, &plan.sets, plan.f32_features);
        }
    }
    match jump(level, plan, initial, scratch) {
        Jumped::Summed => return,
        Jumped::ToLeaves => {}
        Jumped::Not => walk_all(plan, &scratch.row_codes, &mut scratch.row_leaves),
    }
    scratch.row_sums.copy_from_slice(initial);
    let leaves = plan.trees.iter().zip(&scratch.row_leaves);
    match plan.sum {
        Sum::F64 => add_row(plan, leaves, &mut scratch.row_sums, |sum, leaf| sum + leaf),
        Sum::F32 => add_row(plan, leaves, &mut scratch.row_sums, |sum, leaf| {
            f64::from(sum as f32 + leaf as f32)
        }),
    }
}

/// Adds one row's leaves.
#[inline(always)]
fn add_row<'a>(
    plan: &Plan,
    leaves: impl Iterator<Item = (&'a PlannedTree, &'a u32)>,
    sums: &mut [f64],
    add: impl Fn(f64, f64) -> f64,
) {
    for (tree, leaf) in leaves {
        let leaf = tree.leaf_start + *leaf as usize;
        if plan.leaf_width == 1 {
            sums[tree.output] = add(sums[tree.output], plan.leaf[leaf]);
        } else {
            let values = &plan.leaf[leaf * plan.leaf_width..];
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = add(*sum, *value);
            }
        }
    }
}

fn count_row(level: Level, codes: &[FeatureCodes], values: &[f64], counts: &mut [u32]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { super::simd::count_row_avx512(codes, values, counts) }
        }
        _ => {
            for ((codes, value), count) in codes.iter().zip(values).zip(counts) {
                *count = codes.ladder.count(*value);
            }
        }
    }
}

/// What [`jump`] did.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only AVX-512 jumps"))]
enum Jumped {
    /// Nothing.
    Not,
    /// The row's leaves are there.
    ToLeaves,
    /// The row's sum is there.
    Summed,
}

/// One row by [`super::bits`], where plan and processor allow it.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables, reason = "only AVX-512 jumps"))]
fn jump(level: Level, plan: &Plan, initial: &[f64], scratch: &mut Scratch) -> Jumped {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512
            if !plan.bits.is_empty()
                && level.is_available()
                && is_x86_feature_detected!("avx512vbmi") =>
        {
            use super::simd::{Jump, jump_to_leaves, jump_to_sum};
            let codes = scratch.row_codes.first_chunk::<VIEWS_MAX>();
            let Some(codes) = codes else { return Jumped::Not };
            let row = Jump { doublings: plan.doublings, views: plan.views, codes };
            let (trees, starts) = (&plan.bits, &plan.bit_starts);
            if starts.is_empty() {
                // SAFETY: the processor has the level's instructions and VBMI, as was just asked.
                unsafe { jump_to_leaves(trees, row, &mut scratch.row_leaves) }
                return Jumped::ToLeaves;
            }
            scratch.row_sums[0] = match plan.sum {
                // SAFETY: as above.
                Sum::F64 => unsafe { jump_to_sum(trees, row, starts, &plan.leaf, initial[0]) },
                Sum::F32 => {
                    let initial = initial[0] as f32;
                    // SAFETY: as above.
                    f64::from(unsafe { jump_to_sum(trees, row, starts, &plan.leaf_f32, initial) })
                }
            };
            Jumped::Summed
        }
        _ => Jumped::Not,
    }
}

/// The leaves of one row, eight trees side by side.
fn walk_all(plan: &Plan, codes: &[u8], leaves: &mut [u32]) {
    let (eights, rest) = plan.trees.as_chunks::<TREES_AT_ONCE>();
    for (eight, leaves) in eights.iter().zip(leaves.as_chunks_mut().0) {
        *leaves = walk_trees(plan, eight, codes);
    }
    let done = eights.len() * TREES_AT_ONCE;
    for (tree, leaf) in rest.iter().zip(&mut leaves[done..]) {
        [*leaf] = walk_trees(plan, std::array::from_ref(tree), codes);
    }
}

/// The leaves of one row in some trees.
#[inline(always)]
fn walk_trees<const N: usize>(plan: &Plan, trees: &[PlannedTree; N], codes: &[u8]) -> [u32; N] {
    /// Steps between looks whether all trees have come to a leaf: rows end far above the deepest
    /// leaf (5.6 of 14 levels in LightGBM's trees of 64 leaves).
    const STEPS: usize = 4;
    let nodes: [&[WalkNode]; N] =
        std::array::from_fn(|lane| &plan.walk[trees[lane].walk_start..trees[lane].walk_end]);
    let depth = trees.iter().map(|tree| tree.depth).max().unwrap_or(0);
    let mut at = [0_u32; N];
    let mut level = 0;
    while level < depth {
        let before = at;
        for _ in 0..STEPS {
            for (at, nodes) in at.iter_mut().zip(&nodes) {
                let node = nodes[*at as usize];
                let code = codes[(node.view_code >> 8) as usize];
                *at = node.child + u32::from(code > node.view_code as u8);
            }
        }
        if at == before {
            break;
        }
        level += STEPS;
    }
    std::array::from_fn(|lane| plan.walk_leaf[trees[lane].walk_start + at[lane] as usize])
}
