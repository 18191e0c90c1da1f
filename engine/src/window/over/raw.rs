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
                    if !codes.iter().any(|s| (s.h, s.c) == (h, c)) {
                        codes.push(CodeSource { h, c, distinct: Vec::new(), same: Vec::new() });
                    }
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

    /// Copies what the key's state holds after a row.
    #[inline]
    pub(super) fn push(
        &mut self,
        state: &OverState,
        key: u32,
        entry: &[u64],
        previous: Option<Previous>,
    ) {
        let block = state.block(key);
        for (counts, horizon) in self.counts.iter_mut().zip(&state.layout.horizons) {
            let (lo, hi) = cursors(block, horizon);
            counts.push(i64::from(hi.wrapping_sub(lo)));
        }
        let sources = if self.has_nulls { self.sources.len() } else { self.without_nulls };
        for source in &mut self.sources[..sources] {
            match &mut source.values {
                Values::Integers(values) => values.push(load_i128(block, source.at)),
                Values::Counts(values) => values.push(block[source.at]),
                Values::Floats(values) => {
                    let non_finite = if source.kind == AccumulatorKind::FloatSum {
                        NonFinite::load(block, source.at + 2)
                    } else {
                        NonFinite::default()
                    };
                    values.push((DoubleDouble::load(block, source.at), non_finite));
                }
            }
        }
        for source in &mut self.codes {
            let value = state.layout.code(entry, source.c);
            let rows = self.counts[source.h].last().copied().unwrap_or(0);
            let (distinct, same) = match state.code_counts(key, source.c) {
                CodeCounts::Single(single) => {
                    (i64::from(single != super::multiset::NULL_CODE && rows > 0), rows)
                }
                CodeCounts::Many(multiset) => (
                    i64::from(multiset.distinct(source.h)),
                    i64::from(multiset.count(value, source.h)),
                ),
            };
            source.distinct.push(distinct);
            source.same.push(same);
        }
        if self.wants_previous {
            self.previous.push(previous);
        }
    }
}
