//! Where everything lies in a log entry, in a key's block of running values, and in the columns
//! that the row loop writes.
//!
//! ```text
//! entry   [ time | measure 0 | measure 1 … | place (lat, lon) | code 0, code 1 | … , flags ]
//! block   [ last time | flags | lo, hi of each horizon | totals | accumulators … | code 0 | … | fronts ]
//! columns [ rows of horizon 0 | its sums | its accumulators | … | distinct … | elapsed | place ]
//! ```
//! All are 64-bit words, and an entry has 1, 2, 4, 8 or 16 of them, so that none straddles two
//! cache lines. A place is two 32-bit fixed-point numbers of 1e-7 degree (about 1 cm). Codes
//! (values of columns whose distinct values are counted) are 32 bits.
//!
//! # Sums are differences
//! An integer measure (integers, decimals by their unscaled value) is not held by its value but
//! by the *sum of the key's earlier rows*; the sum of all rows is the block's *total*. So the
//! sum of any window is one subtraction, `before(hi) − before(lo)`, of words that lie beside the
//! times that the cursors look at anyway, and no horizon keeps a sum of its own: rows enter and
//! leave for the price of a cursor's step. A value is the difference of its neighbours.
//!
//! # Fronts
//! A row leaves a horizon every other time that a row comes. So beside the cursors stand the time of
//! the row that leaves next, and the sum before it: where nothing leaves, the log, which is far away
//! there, is not looked at. They are right while the block's flag [`FRESH`] is set.
//!
//! # Words
//! Words wrap, and differences of wrapped words are exact as long as the window's own sum fits:
//! the operator watches the largest value and the longest log, and before it could not fit it
//! widens all sums to 128 bits (`wide`), which 2³² rows of 64-bit values cannot overflow.
//!
//! Floats are no group under rounding: their bits are in the entry, and each horizon keeps a
//! running double-double. Booleans take no word: they live in the flags, beside the bits that
//! say which measure is null.

use super::spec::{MeasureKind, Output, OverPlan};
use crate::state::lines::LINE_WORDS;

/// Most words that an entry may have (before it is widened).
pub(super) const ENTRY_WORDS_MAX: usize = 16;
/// The bits of the flags that say which measures are null.
pub(super) const NULL_BITS: u32 = (1 << MEASURES_MAX) - 1;
/// Most measures: their null bits and their boolean values share the 32 flag bits.
pub(super) const MEASURES_MAX: usize = 16;

/// Word of the block that holds the key's largest time.
pub(super) const LAST_TIME: usize = 0;
/// Word of the block that holds bit flags: [`DISPLACED`], [`FRESH`].
pub(super) const FLAGS: usize = 1;
/// Set when the cursors stand where a straggler left them, not at the end of the log.
pub(super) const DISPLACED: u64 = 1;
/// Set while the fronts of all horizons are those of the rows that their cursors stand at.
pub(super) const FRESH: u64 = 2;
/// How much shorter than the longest a horizon is whose rows leave near the log's end.
const FAR: u64 = 256;

/// First word of the horizons' cursors: `lo` in the low half, `hi` in the high half.
pub(super) const CURSORS: usize = 2;

/// An integer measure: its sum of earlier rows in an entry, its total in the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    pub measure: usize,
    /// Word of the entry (the lower of two where sums are wide).
    pub word: usize,
    /// Word of the block.
    pub total: usize,
}

/// A running value of one horizon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accumulator {
    pub kind: AccumulatorKind,
    /// Index of the measure: its null bit.
    pub measure: u32,
    /// Word of the entry with the value; for booleans the bit of the flags.
    pub word: usize,
    /// Word of the block with the total, for sums of squares of integers.
    pub total: usize,
    /// First word of the block with the running value.
    pub at: usize,
    /// First column that it is written to.
    pub column: usize,
}

/// What an [`Accumulator`] sums, and in how many words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccumulatorKind {
    /// Number of null values: 1 word.
    Nulls,
    /// Σx² of integers in 128 bits: 2 words.
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
            Self::SumOfSquares | Self::FloatSumOfSquares => 2,
            Self::FloatSum => 4,
        }
    }
}

/// A sum that a horizon gives out.
#[derive(Debug, Clone, Copy)]
pub(super) struct SumRead {
    pub sum: Sum,
    /// First of the columns (two where sums are wide).
    pub column: usize,
}

/// A horizon, laid out.
#[derive(Debug, Clone)]
pub(super) struct HorizonLayout {
    pub delay: u64,
    /// Length + delay.
    pub span: u64,
    /// Word of the block with the cursors.
    pub cursors: usize,
    /// Column of the number of rows.
    pub rows_column: usize,
    pub sums: Vec<SumRead>,
    pub accumulators: Vec<Accumulator>,
    /// How many nulls each measure has in the window: touched only where nulls have come.
    pub null_counts: Vec<Accumulator>,
    /// Whether values of code columns are counted in this window.
    pub counts_codes: bool,
    /// Whether one of them sums floats.
    pub has_floats: bool,
    /// Where the only accumulator counts true values: its bit and its word of the block.
    pub only_trues: Option<(usize, usize)>,
    /// Words of the block and the columns that they are written to.
    pub copies: Vec<(usize, usize)>,
}

/// A horizon as the short cut of the common row sees it: cursors, at most one sum of 64 bits, and
/// at most one running value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hot {
    /// Index of the horizon.
    pub index: usize,
    pub delay: i64,
    /// Length + delay.
    pub span: i64,
    pub rows_column: u32,
    /// Whether it gives out a sum.
    pub sums: bool,
    /// The sum's word of the entry, its total in the block, its column; 0 where there is none.
    pub sum: (u32, u32, u32),
    /// Word of the block with the count of true values, or the sum of squares of the summed
    /// measure, and its column.
    pub extra: Option<(u32, u32)>,
    pub kind: Kind,
    /// How far the bit stands from the right in the entry's word with the flags.
    pub shift: u32,
    /// Whether values of code columns are counted in this window.
    pub counts_codes: bool,
    /// First word of the block with the front: time and sum of the row at `lo`, and, where the
    /// horizon ends before the row, of that at `hi`.
    pub front: usize,
}

impl Hot {
    /// Whether it ended before the row.
    pub(super) fn is_delayed(&self) -> bool {
        matches!(self.kind, Kind::Delayed | Kind::DelayedTrues)
    }
}

/// A cursor whose entry is likely to be far from the log's end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Far {
    /// Its word of the block, and how far it stands from its right.
    pub cursor: usize,
    pub shift: u32,
    /// It moves when the row there is this much older than a row that comes,
    pub age: i64,
    /// by the time in this word of the block; `None`: not told.
    pub front: Option<usize>,
}

/// What a [`Hot`] horizon keeps beside its cursors; how the kinds are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// It ends at the row, and keeps nothing.
    Plain,
    /// It ends at the row and counts true values.
    Trues,
    /// It ends at the row and sums squares, in 64 bits while they fit.
    Squares,
    /// It ended before the row, and keeps nothing.
    Delayed,
    /// It ended before the row and counts true values.
    DelayedTrues,
    /// It keeps more: the short cut passes it over.
    Tracked,
}

/// Distinct values, or rows with the row's own value, of a code column in one horizon.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeRead {
    pub h: usize,
    pub c: usize,
    pub distinct: usize,
    pub same: Option<usize>,
}

/// The layout of a plan.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Whether integer sums have two words.
    pub wide: bool,
    pub entry_words: usize,
    pub sums: Vec<Sum>,
    /// Float measures and their words of the entry.
    pub floats: Vec<(usize, usize)>,
    /// Boolean measures and their bits of the flags.
    pub bits: Vec<(usize, u32)>,
    pub place_word: Option<usize>,
    /// First word of the codes; the flags are the 32 bits behind the last code.
    pub codes_word: usize,
    pub codes: usize,
    pub horizons: Vec<HorizonLayout>,
    /// The same, for the short cut of the common row, by [`Kind`].
    pub hot: [Vec<Hot>; 6],
    pub far: Vec<Far>,
    /// Whether one of them is tracked.
    pub has_tracked: bool,
    /// Longest span; the short cut is for times that it can be subtracted from.
    pub reach: u64,
    /// First word of the block with the codes' states, one word each.
    pub code_states: usize,
    pub block_words: usize,
    pub code_reads: Vec<CodeRead>,
    /// Column of the time since the key's row before: the bits of an f64, NaN where none is.
    pub elapsed_column: Option<usize>,
    /// Column of the place of the key's row before.
    pub place_column: Option<usize>,
    pub columns: usize,
}

impl Layout {
    pub(super) fn new(plan: &OverPlan, wide: bool) -> Self {
        let mut layout = Self {
            wide,
            entry_words: 1,
            sums: Vec::new(),
            floats: Vec::new(),
            bits: Vec::new(),
            place_word: None,
            codes_word: 0,
            codes: plan.codes.len(),
            horizons: Vec::new(),
            hot: Default::default(),
            far: Vec::new(),
            has_tracked: false,
            reach: plan.reach() as u64,
            code_states: 0,
            block_words: CURSORS + plan.horizons.len(),
            code_reads: Vec::new(),
            elapsed_column: None,
            place_column: None,
            columns: 0,
        };
        layout.lay_out_entry(plan);
        for horizon in 0..plan.horizons.len() {
            layout.lay_out_horizon(plan, horizon);
        }
        for (h, horizon) in layout.horizons.iter().enumerate() {
            let hot = layout.hot(h, horizon);
            layout.hot[hot.kind as usize].push(hot);
        }
        layout.has_tracked = !layout.hot[Kind::Tracked as usize].is_empty();
        layout.code_states = layout.block_words;
        layout.block_words += plan.codes.len();
        layout.lay_out_fronts();
        layout.far = far(layout.hot.iter().flatten(), layout.reach);
        // Touched for nulls only: behind everything else.
        for counts in layout.horizons.iter_mut().flat_map(|horizon| &mut horizon.null_counts) {
            counts.at = layout.block_words;
            layout.block_words += counts.kind.words();
        }
        layout.block_words = layout.block_words.next_multiple_of(LINE_WORDS);
        layout.lay_out_reads(plan);
        layout
    }

    fn lay_out_entry(&mut self, plan: &OverPlan) {
        let mut next = 1;
        for (measure, spec) in plan.measures.iter().enumerate() {
            match spec.kind {
                MeasureKind::Boolean => {
                    let bit = MEASURES_MAX + self.bits.len();
                    self.bits.push((measure, bit as u32));
                }
                MeasureKind::Float => {
                    self.floats.push((measure, next));
                    next += 1;
                }
                MeasureKind::Integer | MeasureKind::Decimal(..) => {
                    let total = self.block_words;
                    self.sums.push(Sum { measure, word: next, total });
                    next += self.sum_words();
                    self.block_words += self.sum_words();
                }
            }
        }
        if plan.place.is_some() {
            self.place_word = Some(next);
            next += 1;
        }
        self.codes_word = next;
        self.entry_words = (next + (plan.codes.len() + 1).div_ceil(2)).next_power_of_two();
    }

    fn lay_out_fronts(&mut self) {
        for hot in self.hot.iter_mut().flatten().filter(|hot| hot.kind != Kind::Tracked) {
            hot.front = self.block_words;
            self.block_words += if hot.is_delayed() { 4 } else { 2 };
        }
    }

    /// Words of an integer sum.
    pub(super) fn sum_words(&self) -> usize {
        1 + usize::from(self.wide)
    }

    fn take_columns(&mut self, columns: usize) -> usize {
        self.columns += columns;
        self.columns - columns
    }

    fn lay_out_horizon(&mut self, plan: &OverPlan, h: usize) {
        let spec = &plan.horizons[h];
        let mut horizon = HorizonLayout {
            delay: spec.delay as u64,
            span: spec.length as u64 + spec.delay as u64,
            cursors: CURSORS + h,
            rows_column: self.take_columns(1),
            sums: Vec::new(),
            accumulators: Vec::new(),
            null_counts: Vec::new(),
            counts_codes: plan.outputs.iter().any(|(_, output)| {
                matches!(output, Output::Distinct { h: of, .. } | Output::CountSame { h: of, .. }
                    if *of == h)
            }),
            has_floats: false,
            only_trues: None,
            copies: Vec::new(),
        };
        for measure in 0..plan.measures.len() {
            let (needs_sum, needs_squares) = plan.needs(h, measure);
            if !needs_sum {
                continue;
            }
            if let Some(&sum) = self.sums.iter().find(|sum| sum.measure == measure) {
                let column = self.take_columns(self.sum_words());
                horizon.sums.push(SumRead { sum, column });
                if needs_squares {
                    let mut squares = self.accumulator(AccumulatorKind::SumOfSquares, measure);
                    (squares.word, squares.total) = (sum.word, sum.total);
                    horizon.accumulators.push(squares);
                }
            } else if let Some(&(_, word)) = self.floats.iter().find(|(m, _)| *m == measure) {
                horizon.has_floats = true;
                let kinds = [AccumulatorKind::FloatSum, AccumulatorKind::FloatSumOfSquares];
                for kind in &kinds[..1 + usize::from(needs_squares)] {
                    let accumulator = Accumulator { word, ..self.accumulator(*kind, measure) };
                    horizon.accumulators.push(accumulator);
                }
            } else if let Some(&(_, bit)) = self.bits.iter().find(|(m, _)| *m == measure) {
                let trues = self.accumulator(AccumulatorKind::Trues, measure);
                horizon.accumulators.push(Accumulator { word: bit as usize, ..trues });
            }
            let column = self.take_columns(1);
            let kind = AccumulatorKind::Nulls;
            let measure = measure as u32;
            let nulls = Accumulator { kind, measure, word: 0, total: 0, at: 0, column };
            horizon.null_counts.push(nulls);
        }
        horizon.only_trues = match horizon.accumulators.as_slice() {
            [only] if only.kind == AccumulatorKind::Trues => Some((only.word, only.at)),
            _ => None,
        };
        for accumulator in &horizon.accumulators {
            let words = 0..accumulator.kind.words();
            let copies = words.map(|word| (accumulator.at + word, accumulator.column + word));
            horizon.copies.extend(copies);
        }
        self.horizons.push(horizon);
    }

    fn hot(&self, index: usize, horizon: &HorizonLayout) -> Hot {
        let sum =
            |read: &SumRead| (read.sum.word as u32, read.sum.total as u32, read.column as u32);
        let extra = horizon.accumulators.first();
        let delayed = horizon.delay > 0;
        let kind = match horizon.accumulators.as_slice() {
            _ if self.wide || horizon.sums.len() > 1 => Kind::Tracked,
            _ if i64::try_from(horizon.span).is_err() => Kind::Tracked,
            [] if delayed => Kind::Delayed,
            [] => Kind::Plain,
            [only] if only.kind == AccumulatorKind::Trues && delayed => Kind::DelayedTrues,
            [only] if only.kind == AccumulatorKind::Trues => Kind::Trues,
            [only] if only.kind == AccumulatorKind::SumOfSquares && !delayed => Kind::Squares,
            _ => Kind::Tracked,
        };
        let bit = extra.filter(|_| matches!(kind, Kind::Trues | Kind::DelayedTrues));
        Hot {
            index,
            delay: horizon.delay as i64,
            span: i64::try_from(horizon.span).unwrap_or(i64::MAX),
            rows_column: horizon.rows_column as u32,
            sums: !horizon.sums.is_empty(),
            sum: horizon.sums.first().map(sum).unwrap_or_default(),
            extra: extra.map(|extra| (extra.at as u32, extra.column as u32)),
            kind,
            shift: bit.map_or(0, |extra| self.flags_shift() + extra.word as u32),
            counts_codes: horizon.counts_codes,
            front: 0,
        }
    }

    /// Entries of a cache line, at least one.
    #[inline]
    pub(super) fn entries_a_line(&self) -> u32 {
        (LINE_WORDS / self.entry_words).max(1) as u32
    }

    /// Word of the entry with the flags.
    pub(super) fn flags_word(&self) -> usize {
        self.codes_word + self.codes / 2
    }

    fn flags_shift(&self) -> u32 {
        32 * (self.codes as u32 % 2)
    }

    /// An accumulator with its place in the block and its columns.
    fn accumulator(&mut self, kind: AccumulatorKind, measure: usize) -> Accumulator {
        let at = self.block_words;
        self.block_words += kind.words();
        let column = self.take_columns(kind.words());
        Accumulator { kind, measure: measure as u32, word: 0, total: 0, at, column }
    }

    fn lay_out_reads(&mut self, plan: &OverPlan) {
        for (_, output) in &plan.outputs {
            match *output {
                Output::Distinct { h, c } | Output::CountSame { h, c } => {
                    let at = self.code_reads.iter().position(|read| (read.h, read.c) == (h, c));
                    let at = at.unwrap_or_else(|| {
                        let distinct = self.take_columns(1);
                        self.code_reads.push(CodeRead { h, c, distinct, same: None });
                        self.code_reads.len() - 1
                    });
                    let wants_same = matches!(output, Output::CountSame { .. });
                    if wants_same && self.code_reads[at].same.is_none() {
                        self.code_reads[at].same = Some(self.take_columns(1));
                    }
                }
                Output::SincePrevious | Output::DistanceKm | Output::SpeedKmh
                    if self.elapsed_column.is_none() =>
                {
                    self.elapsed_column = Some(self.take_columns(1));
                    if self.place_word.is_some() {
                        self.place_column = Some(self.take_columns(1));
                    }
                }
                _ => {}
            }
        }
    }

    /// Word of the entry with a measure's sum or value; a boolean has none.
    pub(super) fn word_of(&self, measure: usize) -> Option<usize> {
        let sum = self.sums.iter().find(|sum| sum.measure == measure).map(|sum| sum.word);
        let float = || self.floats.iter().find(|(m, _)| *m == measure).map(|(_, word)| *word);
        sum.or_else(float)
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

/// Cursors of horizons so long that rows leave them far from the log's end: a log of some hundred
/// rows has one in the shortest of these.
fn far<'a>(hots: impl Iterator<Item = &'a Hot>, reach: u64) -> Vec<Far> {
    let mut far = Vec::new();
    for hot in hots {
        let front = |at: usize| (hot.kind != Kind::Tracked).then_some(hot.front + at);
        let cursor = CURSORS + hot.index;
        if hot.span as u64 >= reach / FAR {
            far.push(Far { cursor, shift: 0, age: hot.span, front: front(0) });
        }
        if hot.delay > 0 && hot.delay as u64 >= reach / FAR {
            far.push(Far { cursor, shift: 32, age: hot.delay, front: front(2) });
        }
    }
    far
}
