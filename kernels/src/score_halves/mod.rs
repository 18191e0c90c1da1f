//! Half-space trees over codes: where a value lies in a tree's range is one small integer, whose
//! bits are the answers to all questions that the tree can ask of it.
//!
//! A tree halves the range of a column again and again. The [`code`](scalar::code) of a value is
//! its way through [`BITS`] halvings of that column, the first one highest; a node that has
//! halved the column to the codes `start .. start + 2·half` asks whether the code is at least
//! `start + half`. Trees and rows then are integers of 16 bits, 32 in a vector.
//!
//! ```text
//! range  low ├───────────────┼───────────────┤ high        value ● : 1 0 1 …
//!                            ├───────●┼──────┤             a node's bound: 1 1 0 …
//! ```
//! * [`codes`]: a block of rows to the codes of one tree. A multiplication says in which of the
//!   2¹⁵ parts of the range a value lies, unless it is so near to a border of two that rounding
//!   decides: then the halvings are done.
//! * [`add_masses`]: each node selects between what its children selected, children first: no
//!   branch, the question is asked of all rows, though most of them don't come by. A walk asks
//!   less, but waits for each answer, and trees that are new after each 250 rows are not worth
//!   being made ready as [`score_forest`](crate::score_forest) makes its own. What is selected is
//!   the number of a leaf, by a mask of lanes: `if code >= bound { upper[row] } else
//!   { lower[row] }` is compiled to a choice of addresses, ten times as slow.
//! * [`part`]: the rows of a node to those of its children, as sets of bits. Trees are built so.
//!
//! # Contract
//! The children of node i of a tree are its nodes `child` and `child + 1`, both above i. A missing
//! value (NaN) is below each middle. Answers are those of [`scalar`], to the bit.

pub mod scalar;
#[cfg(target_arch = "x86_64")]
mod simd;
#[cfg(test)]
pub(crate) mod tests;

use crate::simd::{Level, multiversion};

/// Halvings of a column that a code tells.
pub const BITS: u32 = 15;
/// Rows that are coded and summed at a time.
pub const BLOCK_ROWS: usize = 128;
/// Places of [`Ends`] that hold what nodes selected: a tree of [`BITS`] levels, whose lower
/// branches are selected first, has at most so many in use at a time.
pub const PLACES: usize = BITS as usize + 1;

/// One value for each row of a block.
pub type Block = [f64; BLOCK_ROWS];

/// A leaf's number for each row of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(64))]
pub struct Ends(pub [u16; BLOCK_ROWS]);

impl Ends {
    /// What [`add_masses`] works on for trees of at most so many leaves: [`PLACES`] to select
    /// into, then each leaf's own number.
    #[must_use]
    pub fn of_leaves(leaves: usize) -> Vec<Self> {
        let numbers = (0..leaves).map(|leaf| leaf as u16);
        let all = std::iter::repeat_n(0, PLACES).chain(numbers);
        all.map(|number| Self([number; BLOCK_ROWS])).collect()
    }
}

/// A node of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Half {
    /// A code of at least this goes to the upper child.
    pub bound: i16,
    /// Which column's code is asked for; of a leaf its number.
    pub column: u16,
    /// The lower child, the upper one follows; the node itself where it is a last one. Counted
    /// from the tree's root.
    pub child: u16,
}

/// A selection between two branches of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// A code of at least this selects the upper branch.
    pub bound: i16,
    /// Which column's code is asked for.
    pub column: u16,
    /// Where the lower branch's numbers are in [`Ends`]: a place, or [`PLACES`] and the leaf.
    pub lower: u16,
    /// Where the upper branch's numbers are.
    pub upper: u16,
    /// The place to which the selection goes; it may be that of a branch.
    pub own: u16,
}

/// A tree's range of a column, with what [`codes`] needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    low: f64,
    high: f64,
    /// Parts of the range in a unit of the column.
    scale: f64,
    /// So near to a border (in 2⁻³⁰ of a part) rounding decides; 0: always halve.
    margin: u64,
}

/// Fractions of a part that are looked at: 2⁻³⁰ of it.
const FRACTION_BITS: u32 = 30;
const FRACTION: u64 = (1 << FRACTION_BITS) - 1;
const CODE: u64 = (1 << BITS) - 1;
/// Adding this leaves 30 bits behind the point at the end of an f64.
const SHIFT: f64 = (1_u64 << (52 - FRACTION_BITS)) as f64;
/// The middle of the first part, and of the last.
const ENDS: (f64, f64) = (0.5, CODE as f64 + 0.5);

impl Range {
    /// The range `low` to `high`.
    #[must_use]
    pub fn new(low: f64, high: f64) -> Self {
        let (width, largest) = (high - low, low.abs().max(high.abs()));
        // Each of 15 halvings rounds by at most half a unit in the last place of the largest
        // number, all of them and the subtraction by 8·2⁻⁵²·largest: 2⁻⁴·largest/width in
        // fractions of a part. What the multiplication and the addition round is below 2.
        let margin = largest / width / 16.0 + 4.0;
        let plain = width > 1e-280 && largest < 1e300 && margin < (1_u64 << 26) as f64;
        let margin = if plain { margin as u64 + 1 } else { 0 };
        Self { low, high, scale: (1_u64 << BITS) as f64 / width, margin }
    }

    /// The code of one value.
    #[inline]
    #[must_use]
    pub fn code(&self, value: f64) -> i16 {
        let fine = self.fine(value);
        if self.is_unsure(fine) {
            return scalar::code(value, self.low, self.high);
        }
        code_of(fine)
    }

    /// The value's part of the range and the fraction of it, as an integer; what lies outside of
    /// the range is in the middle of the first or last part.
    #[inline(always)]
    fn fine(&self, value: f64) -> u64 {
        let part = (value - self.low) * self.scale;
        // NaN is below.
        let part = if part > ENDS.0 { part } else { ENDS.0 };
        let part = if part < ENDS.1 { part } else { ENDS.1 };
        (part + SHIFT).to_bits()
    }

    /// Whether rounding may have decided.
    #[inline(always)]
    fn is_unsure(&self, fine: u64) -> bool {
        self.margin == 0 || (fine.wrapping_add(self.margin) & FRACTION) < 2 * self.margin
    }
}

#[inline(always)]
fn code_of(fine: u64) -> i16 {
    (fine >> FRACTION_BITS & CODE) as i16
}

multiversion! {
    /// The codes of a block of rows in the ranges of one tree: `ranges[c]` is that of
    /// `columns[c]`, whose codes go to `out[c · stride ..][.. BLOCK_ROWS]`.
    ///
    /// # Panics
    /// When `out` is too short.
    pub fn codes(columns: &[Block], ranges: &[Range], stride: usize, out: &mut [i16]) {
        for (at, (column, range)) in columns.iter().zip(ranges).enumerate() {
            let out = &mut out[at * stride..][..BLOCK_ROWS];
            let mut unsure = range.margin == 0;
            if !unsure {
                for (out, value) in out.iter_mut().zip(column) {
                    let fine = range.fine(*value);
                    unsure |= range.is_unsure(fine);
                    *out = code_of(fine);
                }
            }
            if unsure {
                for (out, value) in out.iter_mut().zip(column) {
                    *out = scalar::code(*value, range.low, range.high);
                }
            }
        }
    }
}

/// The selections of a tree of at most [`BITS`] levels: of each node after those of its branches,
/// the lower one first. A builder that goes through a tree in this order makes them as it goes.
///
/// # Panics
/// When a child is not among the nodes.
#[must_use]
pub fn selections(nodes: &[Half]) -> Vec<Selection> {
    fn select(nodes: &[Half], at: usize, place: u16, out: &mut Vec<Selection>) -> u16 {
        let Half { bound, column, child } = nodes[at];
        let child = child as usize;
        if child == at {
            return PLACES as u16 + column;
        }
        let lower = select(nodes, child, place, out);
        let upper = select(nodes, child + 1, place + 1, out);
        out.push(Selection { bound, column, lower, upper, own: place });
        place
    }
    let mut out = Vec::with_capacity(nodes.len() / 2);
    select(nodes, 0, 0, &mut out);
    out
}

multiversion! {
    /// Adds to `sums` the masses that the rows of a block come to in one tree, of whose selections
    /// the root's is the last. The codes of column c are `codes[c · stride ..][.. BLOCK_ROWS]`;
    /// `ends` are those [`of_leaves`](Ends::of_leaves), `masses` those of the leaves. A tree
    /// without a selection is its leaf 0.
    ///
    /// # Panics
    /// When an index is out of range.
    pub fn add_masses(
        selections: &[Selection],
        masses: &[f64],
        codes: &[i16],
        stride: usize,
        ends: &mut [Ends],
        sums: &mut Block,
    ) {
        let Some(root) = selections.last() else {
            sums.iter_mut().for_each(|sum| *sum += masses[0]);
            return;
        };
        for selection in selections {
            let codes = &codes[selection.column as usize * stride..][..BLOCK_ROWS];
            let (lower, upper) = (ends[selection.lower as usize].0, &ends[selection.upper as usize].0);
            let mut selected = [0; BLOCK_ROWS];
            for row in 0..BLOCK_ROWS {
                let above = if codes[row] >= selection.bound { u16::MAX } else { 0 };
                selected[row] = lower[row] ^ ((lower[row] ^ upper[row]) & above);
            }
            ends[selection.own as usize].0 = selected;
        }
        let ends = &ends[root.own as usize].0;
        for (sum, end) in sums.iter_mut().zip(ends) {
            *sum += masses[*end as usize];
        }
    }
}

/// Rows that a word of a set holds, a bit each.
pub const WORD_ROWS: usize = 64;

/// Parts the rows of a set (a bit each, the first one lowest) by their codes: those of at least
/// `bound` to `upper`, whose number it gives, the others to `lower`.
///
/// # Contract
/// The three sets have as many words, of which `codes` has 64 each (asserted).
#[must_use]
pub fn part(
    level: Level,
    codes: &[i16],
    bound: i16,
    own: &[u64],
    (lower, upper): (&mut [u64], &mut [u64]),
) -> usize {
    let (codes, rest) = codes.as_chunks();
    assert!(rest.is_empty() && codes.len() == own.len());
    assert!(lower.len() == own.len() && upper.len() == own.len());
    let words = Words { codes, own, lower, upper };
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if level.is_available() => {
            // SAFETY: the processor has the level's instructions, as was just asked.
            unsafe { simd::part_avx512(words, bound) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if level.is_available() => {
            // SAFETY: as above.
            unsafe { simd::part_avx2(words, bound) }
        }
        _ => words.part(|codes| not_below(codes, bound)),
    }
}

/// What [`part`] reads and writes, word by word.
struct Words<'a> {
    codes: &'a [[i16; WORD_ROWS]],
    own: &'a [u64],
    lower: &'a mut [u64],
    upper: &'a mut [u64],
}

impl Words<'_> {
    /// `not_below` tells of which rows of a word the codes are not below the bound.
    #[inline(always)]
    fn part(self, not_below: impl Fn(&[i16; WORD_ROWS]) -> u64) -> usize {
        let mut count = 0;
        let sets = self.lower.iter_mut().zip(self.upper);
        for ((codes, own), (lower, upper)) in self.codes.iter().zip(self.own).zip(sets) {
            *upper = own & not_below(codes);
            *lower = own ^ *upper;
            count += upper.count_ones() as usize;
        }
        count
    }
}

/// A bit for each code that is not below `bound`.
#[inline(always)]
fn not_below(codes: &[i16; WORD_ROWS], bound: i16) -> u64 {
    let bytes = codes.map(|code| u8::from(code >= bound));
    bytes.as_chunks().0.iter().rev().fold(0, |bits, eight| {
        // Byte i comes to bit 56 + i, and nothing that is carried does.
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits << 8 | gathered
    })
}
