//! The part of the trees that a window reaches, built anew when the next one ends.
//!
//! ```text
//! window, each column sorted:   −1.2  −0.4 │ 0.3  0.9 …      rows below a middle: those before it
//! rows of a node, as bits:      1 0 1 1 0 1 … & rows above the middle = rows of the upper child
//! ```
//! Columns are sorted once a window. A node's rows are a set of bits; for each place in a sorted
//! column the rows before it are a set as well, so that a node costs one search for its middle and
//! an AND of some words, whatever the number of its rows. With a single column the rows of a node
//! lie side by side in it, and no set is needed.
//!
//! With one column the sum over all trees depends on one number: it is a staircase, whose steps
//! are the middles of all trees. Masses are whole numbers, so that sums of them are exact in any
//! order, and a row costs one search among the steps. Where masses may be too large for that
//! ([`EXACT_MAX`]), rows walk.

use pelton_kernels::score_halves::{BLOCK_ROWS, Block, Half, add_masses};

use super::{column_of, tree_seed};

/// Trees that are walked side by side.
const SIDE_BY_SIDE: usize = 13;
/// Whole numbers up to here are exact.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// How trees are grown.
pub(super) struct Ways {
    pub(super) depth: u32,
    /// A node of at most so many rows is a last one.
    pub(super) size_limit: usize,
    pub(super) seed: u64,
}

/// A window by sorted columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Ranks {
    rows: usize,
    /// Words of a set of rows.
    words: usize,
    /// By column: its values, ascending; missing ones first.
    sorted: Vec<f64>,
    /// By column and place in it: the rows before that place. Empty with one column.
    before: Vec<u64>,
    order: Vec<(f64, u32)>,
}

impl Ranks {
    /// Sorts the columns of `rows`.
    pub(super) fn sort(&mut self, rows: &[f64], dimensions: usize) {
        self.rows = rows.len() / dimensions;
        self.words = if dimensions == 1 { 0 } else { self.rows.div_ceil(64) };
        self.sorted.clear();
        self.before.clear();
        for column in 0..dimensions {
            let values = rows.iter().skip(column).step_by(dimensions);
            // What is missing is below each middle, as the least number is.
            let least = |value: f64| if value.is_nan() { f64::NEG_INFINITY } else { value };
            if dimensions == 1 {
                self.sorted.extend(values.map(|value| least(*value)));
                self.sorted.sort_unstable_by(f64::total_cmp);
                continue;
            }
            self.order.clear();
            self.order.extend(values.zip(0..).map(|(value, row)| (least(*value), row)));
            self.order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            self.sorted.extend(self.order.iter().map(|(value, _)| *value));
            let first = self.before.len();
            self.before.resize(first + self.words, 0);
            for (place, (_, row)) in self.order.iter().enumerate() {
                let from = first + place * self.words;
                self.before.extend_from_within(from..from + self.words);
                self.before[from + self.words + *row as usize / 64] |= 1 << (row % 64);
            }
        }
    }

    /// How many of the column's values are below `middle`; known to be from `first` to `last`.
    #[inline]
    fn below(&self, column: usize, middle: f64, (first, last): (u32, u32)) -> u32 {
        let values = &self.sorted[column * self.rows..][first as usize..last as usize];
        first + values.partition_point(|value| *value < middle) as u32
    }

    /// The rows before a place of a column.
    #[inline]
    fn before(&self, column: usize, place: u32) -> &[u64] {
        let at = (column * (self.rows + 1) + place as usize) * self.words;
        &self.before[at..at + self.words]
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.sorted.capacity() * size_of::<f64>()
            + self.before.capacity() * size_of::<u64>()
            + self.order.capacity() * size_of::<(f64, u32)>()
    }
}

/// The nodes of all trees that rows can come to.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach {
    /// Tree after tree; children behind their parents.
    nodes: Vec<Half>,
    /// By node: the score mass·2^level of a last one.
    masses: Vec<f64>,
    roots: Vec<u32>,
    /// By group of trees: the deepest level.
    levels: Vec<u32>,
    /// With one column: middles in ascending order, and the sum from each on.
    steps: Vec<(f64, f64)>,
    /// The sum below the first step.
    lowest: f64,
    /// Room for sets of rows, a level after the other.
    sets: Vec<u64>,
}

impl Reach {
    /// Whether no window has ended yet.
    pub(super) fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// Whether sums are looked up, not walked to.
    pub(super) fn has_table(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Builds all trees anew. `ranges` are the trees' work ranges by column; they are as before
    /// when this returns.
    pub(super) fn build(&mut self, ways: &Ways, ranges: &mut [Vec<(f64, f64)>], ranks: &Ranks) {
        self.nodes.clear();
        self.masses.clear();
        self.roots.clear();
        self.levels.clear();
        self.steps.clear();
        self.lowest = 0.0;
        let largest = ranks.rows as f64 * (1_u64 << ways.depth) as f64 * ranges.len() as f64;
        let dimensions = ranges.first().map_or(1, Vec::len);
        let mut sets = std::mem::take(&mut self.sets);
        sets.clear();
        sets.resize(ranks.words, u64::MAX);
        if let Some(last) = sets.last_mut().filter(|_| !ranks.rows.is_multiple_of(64)) {
            *last = (1 << (ranks.rows % 64)) - 1;
        }
        sets.resize((ways.depth as usize + 2) * ranks.words, 0);
        let mut places = vec![(0, ranks.rows as u32); dimensions];
        for (index, ranges) in ranges.iter_mut().enumerate() {
            let mut builder = Builder {
                ways,
                ranks,
                seed: tree_seed(ways.seed, index),
                ranges,
                places: &mut places,
                sets: &mut sets,
                reach: self,
                deepest: 0,
                steps: (dimensions == 1 && largest < EXACT_MAX).then(Staircase::default),
            };
            let root = builder.add(1);
            builder.build(root, 1, 0, ranks.rows);
            let deepest = builder.deepest;
            self.roots.push(root as u32);
            match self.levels.last_mut() {
                Some(levels) if index % SIDE_BY_SIDE != 0 => *levels = deepest.max(*levels),
                _ => self.levels.push(deepest),
            }
        }
        self.sets = sets;
        // What each tree's steps add becomes the sum from there on.
        self.steps.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut sum = self.lowest;
        for (_, step) in &mut self.steps {
            sum += *step;
            *step = sum;
        }
    }

    /// The sum over the trees of mass·2^level where `row` ends. Trees are walked in groups, a
    /// level at a time: the walks don't wait for each other's loads, and the number of steps
    /// depends on the group alone, so that no branch is guessed wrong.
    #[inline]
    pub(super) fn sum(&self, row: &[f64]) -> f64 {
        if self.has_table() {
            let above = self.steps.partition_point(|(middle, _)| row[0] >= *middle);
            return above.checked_sub(1).map_or(self.lowest, |step| self.steps[step].1);
        }
        let mut sum = 0.0;
        for (roots, levels) in self.roots.chunks(SIDE_BY_SIDE).zip(&self.levels) {
            let mut at = [0_u32; SIDE_BY_SIDE];
            at[..roots.len()].copy_from_slice(roots);
            for _ in 0..*levels {
                for at in &mut at {
                    let node = self.nodes[*at as usize];
                    *at = node.child + u32::from(row[node.column as usize] >= node.middle);
                }
            }
            sum += at[..roots.len()].iter().map(|at| self.masses[*at as usize]).sum::<f64>();
        }
        sum
    }

    /// [`sum`](Self::sum) of each row of a block.
    pub(super) fn sums(&self, columns: &[Block], values: &mut Vec<Block>) -> Block {
        let mut sums = [0.0; BLOCK_ROWS];
        let mut roots = self.roots.iter().map(|root| *root as usize).peekable();
        let mut group = [0.0; BLOCK_ROWS];
        let mut index = 0;
        while let Some(first) = roots.next() {
            let last = roots.peek().copied().unwrap_or(self.nodes.len());
            if values.len() < last - first {
                values.resize(last - first, [0.0; BLOCK_ROWS]);
            }
            let (nodes, masses) = (&self.nodes[first..last], &self.masses[first..last]);
            add_masses(nodes, masses, first, columns, values, &mut group);
            index += 1;
            // Groups as in the walk: the same additions in the same order.
            if index % SIDE_BY_SIDE == 0 || roots.peek().is_none() {
                sums.iter_mut().zip(&group).for_each(|(sum, group)| *sum += group);
                group = [0.0; BLOCK_ROWS];
            }
        }
        sums
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * (size_of::<Half>() + size_of::<f64>())
            + (self.roots.capacity() + self.levels.capacity()) * size_of::<u32>()
            + self.steps.capacity() * size_of::<(f64, f64)>()
            + self.sets.capacity() * size_of::<u64>()
    }
}

/// The last leaf on the way from left to right, and the middle that was crossed since.
#[derive(Default)]
struct Staircase {
    mass: f64,
    crossed: Option<f64>,
}

/// Builds the part of a tree that can be reached.
struct Builder<'a> {
    ways: &'a Ways,
    ranks: &'a Ranks,
    seed: u64,
    ranges: &'a mut [(f64, f64)],
    /// By column: the places of the node's range in the sorted column.
    places: &'a mut [(u32, u32)],
    /// By level: the rows of the node that is being built there.
    sets: &'a mut [u64],
    reach: &'a mut Reach,
    deepest: u32,
    steps: Option<Staircase>,
}

impl Builder<'_> {
    /// Room for nodes; the index of the first.
    fn add(&mut self, count: usize) -> usize {
        let index = self.reach.nodes.len();
        let blank = Half { middle: f64::NAN, column: 0, child: 0 };
        self.reach.nodes.resize(index + count, blank);
        self.reach.masses.resize(index + count, 0.0);
        index
    }

    /// The node at `index` is a last one.
    fn end(&mut self, index: usize, level: u32, count: usize) {
        self.deepest = self.deepest.max(level);
        let mass = count as f64 * (1_u64 << level) as f64;
        self.reach.masses[index] = mass;
        self.reach.nodes[index] = Half { middle: f64::NAN, column: 0, child: index as u32 };
        if let Some(steps) = &mut self.steps {
            match steps.crossed {
                Some(middle) => self.reach.steps.push((middle, mass - steps.mass)),
                None => self.reach.lowest += mass,
            }
            steps.mass = mass;
        }
    }

    /// Builds the node at `index`, of `count` rows: those of the level's set.
    fn build(&mut self, index: usize, place: u64, level: u32, count: usize) {
        if count <= self.ways.size_limit || level == self.ways.depth {
            return self.end(index, level, count);
        }
        let column = column_of(self.seed, place, self.ranges.len());
        let (range, places) = (self.ranges[column], self.places[column]);
        let middle = 0.5 * (range.0 + range.1);
        let border = self.ranks.below(column, middle, places);
        let child = self.add(2);
        self.reach.nodes[index] = Half { middle, column: column as u32, child: child as u32 };
        let below = self.halve(column, border, level, places, false);
        self.ranges[column] = (range.0, middle);
        self.places[column] = (places.0, border);
        self.build(child, 2 * place, level + 1, below);
        if let Some(steps) = &mut self.steps {
            steps.crossed = Some(middle);
        }
        self.halve(column, border, level, places, true);
        self.ranges[column] = (middle, range.1);
        self.places[column] = (border, places.1);
        self.build(child + 1, 2 * place + 1, level + 1, count - below);
        self.ranges[column] = range;
        self.places[column] = places;
    }

    /// Makes the set of the next level that of the node's rows on one side of the border; how
    /// many they are.
    #[inline]
    fn halve(
        &mut self,
        column: usize,
        border: u32,
        level: u32,
        places: (u32, u32),
        upper: bool,
    ) -> usize {
        let words = self.ranks.words;
        if words == 0 {
            return if upper { places.1 - border } else { border - places.0 } as usize;
        }
        let before = self.ranks.before(column, border);
        let (own, next) = self.sets[level as usize * words..].split_at_mut(words);
        let mut count = 0;
        for ((next, own), before) in next.iter_mut().zip(own).zip(before) {
            *next = *own & if upper { !before } else { *before };
            count += next.count_ones();
        }
        count as usize
    }
}
