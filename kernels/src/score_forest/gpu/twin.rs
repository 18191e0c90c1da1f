//! The two passes on the CPU, buffer for buffer: to find out which of them is wrong.
//!
//! A twin reads and writes the very arrays of its pass, so it can take that pass's place
//! ([`Gpu::with_twins`](crate::gpu::Gpu::with_twins)) while the other one stays on the device: a
//! wrong answer is bisected to one pass. Both twins together are a test of the arrays that needs
//! no GPU.

use pelton_shaders::{FOREST_CODE_MAX, FOREST_TREE_MAX, Flags, ForestTree, ForestView};

use super::Feature;
use super::plan::{Arrays, CATEGORIES, NUMBERS, key, key32};
use crate::score_forest::scalar::add;
use crate::score_forest::{Sum, Trees, ZERO_MAX};

/// What the passes read, in host memory.
#[derive(Debug, Clone)]
pub(super) struct Twin {
    arrays: Arrays,
    initial: Vec<f64>,
    leaf: Vec<f64>,
    leaf_width: usize,
    sum: Sum,
}

impl Twin {
    pub(super) fn new(arrays: Arrays, trees: &Trees, initial: &[f64]) -> Self {
        Self {
            arrays,
            initial: initial.to_vec(),
            leaf: trees.leaf.clone(),
            leaf_width: trees.leaf_width,
            sum: trees.sum,
        }
    }

    /// `score_forest_encode`: words of two codes, word by word, `rows` apart. `columns` are those
    /// that the forest reads.
    pub(super) fn encode<T: Feature>(&self, columns: &[&[T]], rows: usize) -> Vec<u32> {
        let mut codes = Vec::with_capacity(self.arrays.words() * rows);
        for pair in self.arrays.views.as_chunks::<2>().0 {
            for row in 0..rows {
                let code = |view: &ForestView| match columns.get(view.column as usize) {
                    Some(column) => self.code::<T>(view, column[row].widened()),
                    None => 0,
                };
                codes.push(code(&pair[0]) | code(&pair[1]) << 16);
            }
        }
        codes
    }

    /// The code of one value in a view.
    fn code<T: Feature>(&self, view: &ForestView, x: f64) -> u32 {
        let flag = |bit: u32| view.flags >> bit & 1 == 1;
        match view.kind {
            NUMBERS => {
                if flag(0) && x.is_nan() || flag(1) && x.abs() <= ZERO_MAX {
                    return if flag(2) { 0 } else { FOREST_CODE_MAX };
                }
                let x = if x.is_nan() { 0.0 } else { x };
                let range = view.first as usize..(view.first + view.count) as usize;
                let below = if T::IS_F32 {
                    self.arrays.thresholds32[range].partition_point(|t| *t < key32(x as f32))
                } else {
                    self.arrays.thresholds[range].partition_point(|t| *t < key(x))
                };
                below as u32
            }
            CATEGORIES if x.is_nan() => u32::from(!flag(2)),
            CATEGORIES => {
                let x = if flag(5) { f64::from(x as f32) } else { x };
                let starts = if flag(4) { x > -1.0 } else { x >= 0.0 };
                let (category, first) = (x as usize, view.set_first as usize);
                let set = &self.arrays.sets[first..first + view.set_words as usize];
                let word = set.get(category / 32).copied().unwrap_or(0);
                let is_member = starts && word >> (category % 32) & 1 == 1;
                u32::from(is_member != flag(3))
            }
            _ => 0,
        }
    }

    /// `score_forest_walk`: scores of each output, `rows` apart.
    pub(super) fn walk(&self, codes: &[u32], rows: usize) -> Vec<f64> {
        let mut scores = Vec::with_capacity(self.initial.len() * rows);
        for (output, initial) in self.initial.iter().enumerate() {
            let [first, end] = self.arrays.spans[output];
            for row in 0..rows {
                let mut sum = *initial;
                for stage in &self.arrays.stages[first as usize..end as usize] {
                    let staged = self.arrays.form.contains(Flags::STAGED);
                    let base = if staged { stage.first_node as usize } else { 0 };
                    let first_tree = stage.first_tree as usize;
                    for tree in &self.arrays.trees[first_tree..first_tree + stage.trees as usize] {
                        let leaf = self.leaf_of(base, tree, codes, rows, row) as usize;
                        let own = if self.leaf_width > 1 { output } else { 0 };
                        sum = add(self.sum, sum, self.leaf[leaf * self.leaf_width + own]);
                    }
                }
                scores.push(sum);
            }
        }
        scores
    }

    fn leaf_of(
        &self,
        base: usize,
        tree: &ForestTree,
        codes: &[u32],
        rows: usize,
        row: usize,
    ) -> u32 {
        let mut child = 0;
        loop {
            let [question, children] = self.arrays.nodes[base + (tree.first_node + child) as usize];
            let (view, most_left) = ((question >> 16) as usize, question & 0xffff);
            let code = codes[view / 2 * rows + row] >> (view % 2 * 16) & 0xffff;
            child = if code > most_left { children >> 16 } else { children & 0xffff };
            if child >= FOREST_TREE_MAX {
                return tree.first_leaf + child - FOREST_TREE_MAX;
            }
        }
    }
}
