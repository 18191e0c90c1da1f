//! From values to codes: how many thresholds of a feature are below each value.
//!
//! The search tree is static and has 16 numbers a block (S. Slotin, "Algorithms for Modern
//! Hardware", S-trees): a block of pivots, each the last number of a block below, and so on down
//! to the thresholds. In each block the numbers below `x` are counted by comparisons of vectors;
//! the count is the child to go to. The last pivot of a level, and what blocks are filled up with,
//! is infinity: nothing lies above it, so no count leads past the last block.

use super::scalar::is_member;
use super::{BLOCK_ROWS, Block, Missing, ZERO_MAX};

/// Numbers in a block of the search tree.
pub(super) const FAN: usize = 16;

/// Thresholds that one view tells apart.
pub(super) const VIEW_CODES: u32 = 255;

/// Sorted thresholds, to count those below a value.
#[derive(Debug, Clone)]
pub(super) struct Ladder {
    /// The blocks of all levels, the top one first.
    pub blocks: Vec<[f64; FAN]>,
    /// Where each level starts.
    pub starts: Vec<usize>,
}

impl Ladder {
    /// A ladder of ascending thresholds.
    pub fn new(sorted: &[f64]) -> Self {
        let mut levels: Vec<Vec<[f64; FAN]>> = Vec::new();
        let mut numbers = sorted.to_vec();
        loop {
            numbers.resize(numbers.len().max(1).next_multiple_of(FAN), f64::INFINITY);
            let blocks = numbers.as_chunks::<FAN>().0.to_vec();
            numbers = blocks.iter().map(|block| block[FAN - 1]).collect();
            // Past the last block there is none to go to.
            numbers.pop();
            numbers.push(f64::INFINITY);
            let done = blocks.len() == 1;
            levels.push(blocks);
            if done {
                break;
            }
        }
        let mut ladder = Self { blocks: Vec::new(), starts: Vec::new() };
        for level in levels.into_iter().rev() {
            ladder.starts.push(ladder.blocks.len());
            ladder.blocks.extend(level);
        }
        ladder
    }

    /// How many thresholds are below `x`; none for NaN.
    #[inline(always)]
    pub fn count_with(&self, x: f64, below: impl Fn(&[f64; FAN], f64) -> u32) -> u32 {
        let mut at = 0;
        for &start in &self.starts {
            let block = start + at as usize;
            at = at * FAN as u32 + below(&self.blocks[block], x);
        }
        at
    }

    /// How many thresholds are below `x`; none for NaN.
    pub fn count(&self, x: f64) -> u32 {
        self.count_with(x, count_below)
    }
}

/// How many numbers of a block are below `x`.
#[inline(always)]
pub(super) fn count_below(block: &[f64; FAN], x: f64) -> u32 {
    block.iter().map(|number| u32::from(x > *number)).sum()
}

/// One column of codes, as some nodes of a feature read it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum View {
    /// Thresholds `255 × part` and the 254 after them.
    Numeric {
        /// Which 255 thresholds of the feature.
        part: u32,
        /// What counts as missing.
        missing: Missing,
        /// Where missing values go.
        default_left: bool,
    },
    /// Code 0 for what goes left, 1 for what goes right.
    Set {
        /// The set.
        set: u32,
        /// Whether members go left.
        members_left: bool,
        /// Where NaN goes.
        default_left: bool,
        /// Whether values between −1 and 0 are category 0.
        cuts_negative: bool,
    },
}

/// A feature that the forest reads: its thresholds, and its views.
#[derive(Debug, Clone)]
pub(super) struct FeatureCodes {
    /// Which feature.
    pub feature: usize,
    /// Its thresholds.
    pub ladder: Ladder,
    /// The code of 0, which NaN has where it is not missing.
    pub zero: u32,
    /// Number of its first view.
    pub first_view: usize,
    /// Its views.
    pub views: Vec<View>,
}

/// The code of one value in a view that shows `part` of the thresholds.
#[inline(always)]
fn clamp(count: u32, part: u32) -> u8 {
    count.saturating_sub(part * VIEW_CODES).min(VIEW_CODES) as u8
}

impl FeatureCodes {
    /// The code of one value in a view; `count` thresholds are below it.
    #[inline(always)]
    pub fn code(
        &self,
        view: &View,
        x: f64,
        count: u32,
        sets: &[Vec<u64>],
        f32_features: bool,
    ) -> u8 {
        match *view {
            View::Numeric { part, missing, default_left } => {
                let sent = if default_left { 0 } else { VIEW_CODES as u8 };
                match missing {
                    Missing::Never if x.is_nan() => clamp(self.zero, part),
                    Missing::Nan if x.is_nan() => sent,
                    Missing::ZeroOrNan if x.is_nan() || x.abs() <= ZERO_MAX => sent,
                    _ => clamp(count, part),
                }
            }
            View::Set { set, members_left, default_left, cuts_negative } => {
                let x = if f32_features { f64::from(x as f32) } else { x };
                let left = if x.is_nan() {
                    default_left
                } else {
                    is_member(&sets[set as usize], x, cuts_negative) == members_left
                };
                u8::from(!left)
            }
        }
    }

    /// Writes the views of a block of values, of which `counts` are how many thresholds are
    /// below each.
    pub fn write(
        &self,
        values: &[f64],
        counts: &[u32; BLOCK_ROWS],
        sets: &[Vec<u64>],
        f32_features: bool,
        views: &mut [Block],
    ) {
        let any_nan = values.iter().fold(false, |any, value| any | value.is_nan());
        for (view, Block(codes)) in self.views.iter().zip(views) {
            match *view {
                View::Numeric { part, missing, .. }
                    if !any_nan && missing != Missing::ZeroOrNan =>
                {
                    for (code, count) in codes.iter_mut().zip(counts) {
                        *code = clamp(*count, part);
                    }
                }
                _ => {
                    for ((code, count), x) in codes.iter_mut().zip(counts).zip(values) {
                        *code = self.code(view, *x, *count, sets, f32_features);
                    }
                }
            }
        }
    }
}
