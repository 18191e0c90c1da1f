//! Where everything lies in a log entry and in a key's block of running values.
//!
//! ```text
//! entry   [ time | measure 0 | measure 1 … | place (lat, lon) | code 0, code 1 | … , flags ]
//! block   [ last time | horizon 0: lo, hi | accumulators … | horizon 1: … | code 0 | … ]
//! ```
//! All are 64-bit words, and an entry has 1, 2, 4, 8 or 16 of them. A measure is an integer (integers, decimals by their unscaled value,
//! timestamps) or the bits of an f64. Booleans take no word: they live in the flags, beside
//! the bits that say which measure is null. A place is two 32-bit fixed-point numbers of 1e-7
//! degree (about 1 cm). Codes (values of columns whose distinct values are counted) are 32 bits.
//!
//! The block of a key keeps for each horizon the cursors `lo` and `hi` (the window is the
//! entries with sequence numbers in `lo..hi`) and the accumulators of exactly the measures
//! that the plan asks of that horizon.

use super::spec::{MeasureKind, Output, OverPlan};
use crate::state::lines::LINE_WORDS;

/// Most words that an entry may have.
pub(super) const ENTRY_WORDS_MAX: usize = 16;
/// The bits of the flags that say which measures are null.
pub(super) const NULL_BITS: u32 = (1 << MEASURES_MAX) - 1;
/// Most measures: their null bits and their boolean values share the 32 flag bits.
pub(super) const MEASURES_MAX: usize = 16;

/// Word of the block that holds the key's largest time.
pub(super) const LAST_TIME: usize = 0;
/// Word of the block that holds bit flags: [`DISPLACED`].
pub(super) const FLAGS: usize = 1;
/// Set when the cursors stand where a straggler left them, not at the end of the log.
pub(super) const DISPLACED: u64 = 1;
/// First word of the horizons.
const HORIZONS: usize = 2;

/// Where a measure's value is found in an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// A word.
    Word(usize),
    /// A bit of the flags.
    Bit(u32),
}

/// A running value of one horizon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accumulator {
    pub kind: AccumulatorKind,
    /// Index of the measure: its null bit.
    pub measure: u32,
    /// Word of the entry with the value; for booleans the bit of the flags.
    pub word: usize,
    /// First word of the block with the running value.
    pub at: usize,
}

/// What an [`Accumulator`] sums, and in how many words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccumulatorKind {
    /// Number of null values: 1 word.
    Nulls,
    /// Σx in 128 bits: 2 words.
    Sum,
    /// Σx² in 128 bits: 2 words.
    SumOfSquares,
    /// Number of true values: 1 word.
    Trues,
    /// Σx as a double-double, and how many NaN, +∞ and −∞ there are: 4 words.
    FloatSum,
    /// Σx² as a double-double: 2 words (non-finite values are in the sum's counts).
    FloatSumOfSquares,
}

impl AccumulatorKind {
    pub(super) fn words(self) -> usize {
        match self {
            Self::Nulls | Self::Trues => 1,
            Self::Sum | Self::SumOfSquares | Self::FloatSumOfSquares => 2,
            Self::FloatSum => 4,
        }
    }
}

/// A horizon, laid out.
#[derive(Debug, Clone)]
pub(super) struct HorizonLayout {
    pub length: i64,
    pub delay: i64,
    /// Word of the block with the cursors: `lo` in the low half, `hi` in the high half.
    pub cursors: usize,
    pub accumulators: Vec<Accumulator>,
    /// How many nulls each measure has in the window: touched only for rows that have nulls.
    pub null_counts: Vec<Accumulator>,
    /// Words of the entry and of the block, where an integer sum is the only accumulator.
    pub only_sum: Option<(usize, usize)>,
    /// Whether values of code columns are counted in this window.
    pub counts_codes: bool,
    /// Whether one of them sums floats.
    pub has_floats: bool,
}

/// The layout of a plan.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub entry_words: usize,
    pub measures: Vec<Slot>,
    pub place_word: Option<usize>,
    /// First word of the codes; the flags are the 32 bits behind the last code.
    pub codes_word: usize,
    pub codes: usize,
    pub horizons: Vec<HorizonLayout>,
    /// Whether a horizon sums floats.
    pub has_floats: bool,
    /// First word of the block with the codes' states, one word each.
    pub code_states: usize,
    pub block_words: usize,
}

impl Layout {
    pub(super) fn new(plan: &OverPlan) -> Self {
        let mut next = 1;
        let mut bits = 0;
        let measures = plan
            .measures
            .iter()
            .map(|measure| match measure.kind {
                MeasureKind::Boolean => {
                    bits += 1;
                    Slot::Bit(MEASURES_MAX as u32 + bits - 1)
                }
                _ => {
                    next += 1;
                    Slot::Word(next - 1)
                }
            })
            .collect::<Vec<_>>();
        let place_word = plan.place.as_ref().map(|_| {
            next += 1;
            next - 1
        });
        let codes_word = next;
        // 1, 2, 4, 8 or 16 words: no entry straddles two cache lines.
        let entry_words = (codes_word + (plan.codes.len() + 1).div_ceil(2)).next_power_of_two();

        let mut block = HORIZONS;
        let mut horizons = (0..plan.horizons.len())
            .map(|horizon| lay_out_horizon(plan, horizon, &measures, &mut block))
            .collect::<Vec<_>>();
        let code_states = block;
        block += plan.codes.len();
        // Touched for nulls only: behind everything else.
        for counts in horizons.iter_mut().flat_map(|horizon| &mut horizon.null_counts) {
            counts.at = block;
            block += counts.kind.words();
        }
        let block_words = block.next_multiple_of(LINE_WORDS);
        Self {
            entry_words,
            measures,
            place_word,
            codes_word,
            codes: plan.codes.len(),
            has_floats: horizons.iter().any(|horizon| horizon.has_floats),
            horizons,
            code_states,
            block_words,
        }
    }

    /// Word and shift of a code in an entry.
    #[inline]
    pub(super) fn code(&self, entry: &[u64], code: usize) -> u32 {
        (entry[self.codes_word + code / 2] >> (32 * (code % 2))) as u32
    }

    /// The flags of an entry.
    #[inline]
    pub(super) fn flags(&self, entry: &[u64]) -> u32 {
        self.code(entry, self.codes)
    }
}

fn lay_out_horizon(
    plan: &OverPlan,
    horizon: usize,
    slots: &[Slot],
    block: &mut usize,
) -> HorizonLayout {
    let cursors = *block;
    *block += 1;
    let mut accumulators = Vec::new();
    let mut null_counts = Vec::new();
    let mut take = |kind: AccumulatorKind, measure: usize, word: usize| {
        let list =
            if kind == AccumulatorKind::Nulls { &mut null_counts } else { &mut accumulators };
        list.push(Accumulator { kind, measure: measure as u32, word, at: *block });
        if kind != AccumulatorKind::Nulls {
            *block += kind.words();
        }
    };
    for (measure, &slot) in slots.iter().enumerate() {
        let (needs_sum, needs_squares) = plan.needs(horizon, measure);
        if !needs_sum {
            continue;
        }
        match slot {
            Slot::Bit(bit) => take(AccumulatorKind::Trues, measure, bit as usize),
            Slot::Word(word) if plan.measures[measure].kind == MeasureKind::Float => {
                take(AccumulatorKind::FloatSum, measure, word);
                if needs_squares {
                    take(AccumulatorKind::FloatSumOfSquares, measure, word);
                }
            }
            Slot::Word(word) => {
                take(AccumulatorKind::Sum, measure, word);
                if needs_squares {
                    take(AccumulatorKind::SumOfSquares, measure, word);
                }
            }
        }
        take(AccumulatorKind::Nulls, measure, 0);
    }
    let spec = &plan.horizons[horizon];
    let has_floats = accumulators.iter().any(|a| a.kind == AccumulatorKind::FloatSum);
    let only_sum = match accumulators.as_slice() {
        [only] if only.kind == AccumulatorKind::Sum => Some((only.word, only.at)),
        _ => None,
    };
    let (length, delay) = (spec.length, spec.delay);
    let counts_codes = plan.outputs.iter().any(|(_, output)| {
        matches!(output, Output::Distinct { h, .. } | Output::CountSame { h, .. } if *h == horizon)
    });
    HorizonLayout {
        length,
        delay,
        cursors,
        accumulators,
        null_counts,
        only_sum,
        counts_codes,
        has_floats,
    }
}
