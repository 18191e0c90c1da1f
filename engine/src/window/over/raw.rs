//! What the state held after each row of a batch, copied out: the row loop does nothing else.

use super::layout::{AccumulatorKind, Layout};
use super::numbers::{DoubleDouble, NonFinite, load_i128};
use super::spec::{Output, OverPlan};
use super::state::{CodeCounts, OverState, Previous, cursors};

/// Running values of one accumulator, a row each.
#[derive(Debug)]
pub(super) enum Values {
    Integers(Vec<i128>),
    Counts(Vec<u64>),
    Floats(Vec<(DoubleDouble, NonFinite)>),
}

/// Which horizon and measure an accumulator belongs to.
#[derive(Debug)]
pub(super) struct Source {
    pub h: usize,
    pub m: usize,
    pub at: usize,
    pub kind: AccumulatorKind,
    pub values: Values,
}

/// Distinct values and same-value rows of a code column in one horizon.
#[derive(Debug)]
pub(super) struct CodeSource {
    pub h: usize,
    pub c: usize,
    pub wants_same: bool,
    pub distinct: Vec<i64>,
    pub same: Vec<i64>,
}

/// What the state held after each row of a batch.
#[derive(Debug)]
pub(super) struct Raw {
    pub counts: Vec<Vec<i64>>,
    pub sources: Vec<Source>,
    pub codes: Vec<CodeSource>,
    /// The first so many sources are no counts of nulls.
    pub without_nulls: usize,
    /// Whether a null has ever come: until then counts of nulls are left out.
    pub has_nulls: bool,
    /// Whether a plan output looks at the previous row.
    pub wants_previous: bool,
    pub previous: Vec<Option<Previous>>,
    /// The blocks of the rows of the chunk that is being worked on, one after the other.
    snapshots: Vec<u64>,
}

impl Raw {
    pub(super) fn new(plan: &OverPlan, layout: &Layout) -> Self {
        let mut sources = Vec::new();
        for (h, horizon) in layout.horizons.iter().enumerate() {
            for accumulator in horizon.accumulators.iter().chain(&horizon.null_counts) {
                let values = match accumulator.kind {
                    AccumulatorKind::Nulls | AccumulatorKind::Trues => Values::Counts(Vec::new()),
                    AccumulatorKind::Sum | AccumulatorKind::SumOfSquares => {
                        Values::Integers(Vec::new())
                    }
                    _ => Values::Floats(Vec::new()),
                };
                sources.push(Source {
                    h,
                    m: accumulator.measure as usize,
                    at: accumulator.at,
                    kind: accumulator.kind,
                    values,
                });
            }
        }
        sources.sort_by_key(|source| source.kind == AccumulatorKind::Nulls);
        let is_null_count = |source: &Source| source.kind == AccumulatorKind::Nulls;
        let without_nulls = sources.iter().position(is_null_count).unwrap_or(sources.len());
        let mut codes: Vec<CodeSource> = Vec::new();
        let mut wants_previous = false;
        for (_, output) in &plan.outputs {
            match *output {
                Output::Distinct { h, c } | Output::CountSame { h, c } => {
                    let at = codes.iter().position(|s| (s.h, s.c) == (h, c)).unwrap_or_else(|| {
                        let (distinct, same) = (Vec::new(), Vec::new());
                        codes.push(CodeSource { h, c, wants_same: false, distinct, same });
                        codes.len() - 1
                    });
                    codes[at].wants_same |= matches!(output, Output::CountSame { .. });
                }
                Output::SincePrevious | Output::DistanceKm | Output::SpeedKmh => {
                    wants_previous = true;
                }
                _ => {}
            }
        }
        let counts = vec![Vec::new(); layout.horizons.len()];
        Self {
            counts,
            sources,
            codes,
            without_nulls,
            has_nulls: false,
            wants_previous,
            previous: Vec::new(),
            snapshots: Vec::new(),
        }
    }

    pub(super) fn clear(&mut self, rows: usize) {
        for counts in &mut self.counts {
            *counts = Vec::with_capacity(rows);
        }
        for source in &mut self.sources {
            match &mut source.values {
                Values::Integers(values) => *values = Vec::with_capacity(rows),
                Values::Counts(values) => values.clear(),
                Values::Floats(values) => values.clear(),
            }
        }
        for source in &mut self.codes {
            source.distinct = Vec::with_capacity(rows);
            source.same = Vec::with_capacity(rows);
        }
        self.previous.clear();
    }

    /// Copies what the key's state holds after a row: its block as it is, to be taken apart a
    /// chunk at a time, and what is not in it.
    #[inline]
    pub(super) fn push(
        &mut self,
        state: &OverState,
        key: u32,
        entry: &[u64],
        previous: Option<Previous>,
    ) {
        let block = state.block(key);
        self.snapshots.extend_from_slice(block);
        if !self.codes.is_empty() {
            self.push_codes(state, key, block, entry);
        }
        if self.wants_previous {
            self.previous.push(previous);
        }
    }

    fn push_codes(&mut self, state: &OverState, key: u32, block: &[u64], entry: &[u64]) {
        for source in &mut self.codes {
            let (lo, hi) = cursors(block, &state.layout.horizons[source.h]);
            let rows = i64::from(hi.wrapping_sub(lo));
            let (distinct, same) = match state.code_counts(key, source.c) {
                CodeCounts::Single(single) => {
                    (i64::from(single != super::multiset::NULL_CODE && rows > 0), rows)
                }
                CodeCounts::Many(multiset) => {
                    let value = state.layout.code(entry, source.c);
                    let same = if source.wants_same { multiset.count(value, source.h) } else { 0 };
                    (i64::from(multiset.distinct(source.h)), i64::from(same))
                }
            };
            source.distinct.push(distinct);
            if source.wants_same {
                source.same.push(same);
            }
        }
    }

    /// Takes the snapshots of a chunk of rows apart into columns.
    pub(super) fn end_chunk(&mut self, layout: &Layout) {
        let blocks = self.snapshots.chunks_exact(layout.block_words);
        for (counts, horizon) in self.counts.iter_mut().zip(&layout.horizons) {
            let at = horizon.cursors;
            let rows = |word: u64| i64::from(((word >> 32) as u32).wrapping_sub(word as u32));
            counts.extend(blocks.clone().map(|block| rows(block[at])));
        }
        let sources = if self.has_nulls { self.sources.len() } else { self.without_nulls };
        for source in &mut self.sources[..sources] {
            let at = source.at;
            match &mut source.values {
                Values::Integers(values) => {
                    values.extend(blocks.clone().map(|block| load_i128(block, at)));
                }
                Values::Counts(values) => values.extend(blocks.clone().map(|block| block[at])),
                Values::Floats(values) => {
                    let counted = source.kind == AccumulatorKind::FloatSum;
                    values.extend(blocks.clone().map(|block| {
                        let other = if counted {
                            NonFinite::load(block, at + 2)
                        } else {
                            NonFinite::default()
                        };
                        (DoubleDouble::load(block, at), other)
                    }));
                }
            }
        }
        self.snapshots.clear();
    }
}
