//! Several columns: trees over codes ([`pelton_kernels::score_halves`]).
//!
//! Where a row lies in a tree is a code a column, 16 bits that answer all questions of the tree.
//! The codes of the window's rows are kept, tree by tree, instead of the rows: what a row is
//! scored by is what the next trees are built from. A node's rows are a set of bits; the sets of
//! its children are one pass over the codes of its column.
//!
//! ```text
//! codes    tree 0: column 0: row 0, row 1, … │ column 1: … │ tree 1: …
//! nodes    tree 0: root, children, … │ tree 1: …
//! sets     level 0 lower, upper │ level 1 lower, upper │ …      of the branch that is built
//! ```

use pelton_kernels::score_halves::scalar::mass;
use pelton_kernels::score_halves::{
    BITS, BLOCK_ROWS, Block, Ends, Half, PLACES, Range, Selection, WORD_ROWS, add_masses, codes,
    part,
};
use pelton_kernels::simd::{Level, level};

use super::{Ways, column_of, tree_seed};

/// The trees of the last window, and the codes of the one that fills.
#[derive(Debug, Clone)]
pub(super) struct Coded {
    dimensions: usize,
    window: usize,
    /// From a column's codes to the next one's.
    stride: usize,
    /// By tree, then column.
    ranges: Vec<Range>,
    codes: Vec<i16>,
    /// Tree after tree.
    nodes: Vec<Half>,
    /// Tree after tree, one a node that is no leaf.
    selections: Vec<Selection>,
    /// By leaf: what a row is given that ends there.
    masses: Vec<f64>,
    /// By tree: its first node. A tree has one leaf more than it has other nodes.
    roots: Vec<u32>,
    // Buffers.
    sets: Vec<u64>,
    ends: Vec<Ends>,
    /// A block's rows by columns.
    columns: Vec<Block>,
}

impl Coded {
    /// Of trees with these work ranges, by tree and column, over windows of so many rows.
    pub(super) fn new(ranges: &[(f64, f64)], dimensions: usize, window: usize) -> Self {
        // A block may begin at the last row.
        let stride = (window + BLOCK_ROWS - 1).next_multiple_of(WORD_ROWS);
        Self {
            dimensions,
            window,
            stride,
            ranges: ranges.iter().map(|(low, high)| Range::new(*low, *high)).collect(),
            codes: vec![0; stride * ranges.len()],
            nodes: Vec::new(),
            selections: Vec::new(),
            masses: Vec::new(),
            roots: Vec::new(),
            sets: Vec::new(),
            ends: Vec::new(),
            columns: vec![[0.0; BLOCK_ROWS]; dimensions],
        }
    }

    /// Remembers a row as the `at`-th of the window.
    pub(super) fn take(&mut self, at: usize, row: &[f64]) {
        let all = self.ranges.iter().zip(self.codes.chunks_exact_mut(self.stride));
        for ((range, codes), value) in all.zip(row.iter().cycle()) {
            codes[at] = range.code(*value);
        }
    }

    /// The nodes and masses of each tree.
    fn trees(&self) -> impl Iterator<Item = (&[Half], &[f64])> {
        let ends = self.roots.iter().skip(1).map(|root| *root as usize);
        let trees = self.roots.iter().zip(ends.chain([self.nodes.len()])).enumerate();
        trees.map(|(tree, (root, end))| {
            let root = *root as usize;
            (&self.nodes[root..end], &self.masses[(root + tree) / 2..])
        })
    }

    /// The sum over the trees of mass·2^level where the `at`-th row of the window ends.
    pub(super) fn sum_of(&self, at: usize) -> f64 {
        let codes = self.codes.chunks_exact(self.stride * self.dimensions);
        let one = |((nodes, masses), codes): ((&[Half], &[f64]), &[i16])| {
            mass(nodes, masses, |column| codes[column * self.stride + at])
        };
        self.trees().zip(codes).map(one).sum()
    }

    /// The same of any row, which is not remembered.
    pub(super) fn sum(&self, row: &[f64]) -> f64 {
        let ranges = self.ranges.chunks_exact(self.dimensions);
        let one = |((nodes, masses), ranges): ((&[Half], &[f64]), &[Range])| {
            mass(nodes, masses, |column| ranges[column].code(row[column]))
        };
        self.trees().zip(ranges).map(one).sum()
    }

    /// Puts a row into a place of the block.
    #[inline]
    pub(super) fn put(&mut self, place: usize, row: &[f64]) {
        for (column, value) in self.columns.iter_mut().zip(row) {
            column[place] = *value;
        }
    }

    /// Remembers the rows of the block from the `at`-th of the window on; their sums. Places of
    /// the block that hold none have a sum of no meaning, and codes that the next rows overwrite.
    pub(super) fn take_block(&mut self, at: usize) -> Block {
        let mut sums = [0.0; BLOCK_ROWS];
        let trees = self.codes.chunks_exact_mut(self.stride * self.dimensions);
        for (tree, own) in trees.enumerate() {
            let own = &mut own[at..];
            let ranges = &self.ranges[tree * self.dimensions..][..self.dimensions];
            codes(&self.columns, ranges, self.stride, own);
            let Some(root) = self.roots.get(tree) else { continue };
            let root = *root as usize;
            let end = self.roots.get(tree + 1).map_or(self.nodes.len(), |root| *root as usize);
            let selections = &self.selections[(root - tree) / 2..(end - tree) / 2];
            let masses = &self.masses[(root + tree) / 2..];
            add_masses(selections, masses, own, self.stride, &mut self.ends, &mut sums);
        }
        sums
    }

    /// The window has ended: its rows become the reference.
    pub(super) fn renew(&mut self, ways: &Ways) {
        self.nodes.clear();
        self.selections.clear();
        self.masses.clear();
        self.roots.clear();
        let words = self.window.div_ceil(WORD_ROWS);
        self.sets.resize((2 * ways.depth as usize + 1) * words, 0);
        self.sets[..words].fill(u64::MAX);
        let rest = words * WORD_ROWS - self.window;
        self.sets[words - 1] >>= rest;
        let mut places = vec![(0, 1 << BITS); self.dimensions];
        let mut leaves_most = 0;
        for (tree, codes) in self.codes.chunks_exact(self.stride * self.dimensions).enumerate() {
            let root = self.nodes.len();
            let mut builder = Builder {
                ways,
                seed: tree_seed(ways.seed, tree),
                codes,
                stride: self.stride,
                words,
                simd: level(),
                root,
                leaf: self.masses.len(),
                nodes: &mut self.nodes,
                selections: &mut self.selections,
                masses: &mut self.masses,
                places: &mut places,
            };
            builder.add::<1>();
            builder.build(0, 1, (0, 0), self.window, (false, &mut self.sets));
            self.roots.push(root as u32);
            leaves_most = leaves_most.max((self.nodes.len() - root).div_ceil(2));
        }
        if self.ends.len() < PLACES + leaves_most {
            self.ends = Ends::of_leaves(leaves_most.next_multiple_of(16));
        }
    }

    /// The selections that were made as the trees were built are those of their nodes.
    #[cfg(test)]
    pub(super) fn check_selections(&self) {
        use pelton_kernels::score_halves::selections;
        let of_nodes = |(nodes, _): (&[Half], &[f64])| selections(nodes);
        let expected: Vec<Selection> = self.trees().flat_map(of_nodes).collect();
        assert!(!expected.is_empty() && self.selections == expected);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.ranges.capacity() * size_of::<Range>()
            + self.codes.capacity() * size_of::<i16>()
            + self.nodes.capacity() * size_of::<Half>()
            + self.selections.capacity() * size_of::<Selection>()
            + self.masses.capacity() * size_of::<f64>()
            + self.roots.capacity() * size_of::<u32>()
            + self.sets.capacity() * size_of::<u64>()
            + self.ends.capacity() * size_of::<Ends>()
            + self.columns.capacity() * size_of::<Block>()
    }
}

/// Builds the part of a tree that rows can come to.
struct Builder<'a> {
    ways: &'a Ways,
    seed: u64,
    codes: &'a [i16],
    stride: usize,
    /// Words of a set.
    words: usize,
    simd: Level,
    /// The tree's first node.
    root: usize,
    /// The tree's first leaf.
    leaf: usize,
    nodes: &'a mut Vec<Half>,
    selections: &'a mut Vec<Selection>,
    masses: &'a mut Vec<f64>,
    /// By column: the first code of the node's range, and how many there are.
    places: &'a mut [(i32, i32)],
}

impl Builder<'_> {
    /// Room for `N` nodes; the number of the first in the tree.
    #[inline]
    fn add<const N: usize>(&mut self) -> usize {
        let index = self.nodes.len();
        self.nodes.extend_from_slice(&[Half { bound: 0, column: 0, child: 0 }; N]);
        index - self.root
    }

    /// Builds the node `index` of `count` rows on a level, the lower or `upper` set before those
    /// of the levels below it. Where its selection is: at `own`, unless it is a leaf.
    fn build(
        &mut self,
        index: usize,
        place: u64,
        (level, own): (u32, u16),
        count: usize,
        (upper, sets): (bool, &mut [u64]),
    ) -> u16 {
        if self.ways.ends_at(count, level) {
            let leaf = (self.masses.len() - self.leaf) as u16;
            self.masses.push(Ways::mass(count, level));
            self.nodes[self.root + index] = Half { bound: 0, column: leaf, child: index as u16 };
            return PLACES as u16 + leaf;
        }
        let column = column_of(self.seed, place, self.places.len());
        let (first, codes) = self.places[column];
        let bound = first + codes / 2;
        let child = self.add::<2>();
        let half = Half { bound: bound as i16, column: column as u16, child: child as u16 };
        self.nodes[self.root + index] = half;
        // Level 0 has a lower set alone.
        let own_sets = if level == 0 { 1 } else { 2 };
        let (set, below) = sets.split_at_mut(own_sets * self.words);
        let set = &set[if upper { self.words } else { 0 }..][..self.words];
        let (lower, rest) = below.split_at_mut(self.words);
        let codes_of = &self.codes[column * self.stride..][..self.words * WORD_ROWS];
        let halves = (lower, &mut rest[..self.words]);
        let above = part(self.simd, codes_of, half.bound, set, halves);
        let level = level + 1;
        self.places[column] = (first, codes / 2);
        let below_set = (false, &mut *below);
        let lower = self.build(child, 2 * place, (level, own), count - above, below_set);
        self.places[column] = (bound, codes / 2);
        let above_set = (true, below);
        let upper = self.build(child + 1, 2 * place + 1, (level, own + 1), above, above_set);
        self.places[column] = (first, codes);
        let Half { bound, column, .. } = half;
        self.selections.push(Selection { bound, column, lower, upper, own });
        own
    }
}
