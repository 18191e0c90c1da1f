//! Horizons by time of what can be taken away again, or follows from a deque: counts, sums,
//! means, deviations, extremes.
//!
//! A horizon is a pair of cursors into the log and a few *passes*: walks of the same cursors over
//! the same rows, each with a state a key ([`Kind`]). Counts and up to three sums of 64 bits are
//! one pass, a cache line a key; what is wider, of floats, or an extreme has one of its own.
//!
//! Which passes there are follows from what has come ([`Log`]): where a column gets its first
//! null, or its sums outgrow 64 bits, the passes concerned are set up anew from the log. The
//! others stay as they are, so that sums of floats do not depend on what happens elsewhere.

use arrow::array::ArrayRef;
use arrow::datatypes::Field;
use pelton_kernels::over_advance::{Cursors, Horizon};

use super::log::{Log, Measure};
use super::lower::Answers;
use super::pass::{Kind, Pass, SUMS_A_PASS, Task};
use super::spec::Extent;
use crate::error::Result;
use crate::window::aggregate::{AggregatePlan, Column, Spread};
use crate::window::expiry::Survivors;

/// How an output column follows from the passes; `column` is one of the log, `others`: of the
/// window without the row itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum What {
    Rows,
    Valid { column: usize },
    Sum { column: usize },
    Mean { column: usize, scale: i8, others: bool },
    Extreme { column: usize, greatest: bool },
    Deviation { column: usize, spread: Spread, root: bool, scale: i8, others: bool },
}

impl What {
    fn column(self) -> Option<usize> {
        match self {
            Self::Rows => None,
            Self::Valid { column }
            | Self::Sum { column }
            | Self::Mean { column, .. }
            | Self::Extreme { column, .. }
            | Self::Deviation { column, .. } => Some(column),
        }
    }

    fn is_summed(self) -> bool {
        matches!(self, Self::Sum { .. } | Self::Mean { .. } | Self::Deviation { .. })
    }

    /// In words, for `explain`.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Rows => "rows counted as they come and go",
            Self::Valid { .. } => "rows less nulls",
            Self::Mean { others: true, .. } => "sum, added to and taken from, less the row's own",
            Self::Deviation { others: true, .. } => {
                "sums of values and squares, added to and taken from, less the row's own"
            }
            Self::Sum { .. } | Self::Mean { .. } => "sum, added to and taken from",
            Self::Extreme { .. } => "front of a monotone deque",
            Self::Deviation { .. } => "sums of values and squares, added to and taken from",
        }
    }
}

/// An output column of a horizon.
#[derive(Debug, Clone, Copy)]
pub(super) struct FastColumn {
    /// Index of the horizon in the plan.
    pub(super) horizon: usize,
    /// Index of the column among those that the plan adds.
    pub(super) output: usize,
    pub(super) what: What,
}

#[derive(Debug)]
struct FastHorizon {
    horizon: Horizon,
    cursors: Cursors,
    columns: Vec<FastColumn>,
    passes: Vec<Pass>,
}

/// All fast columns of a plan.
#[derive(Debug)]
pub(super) struct Fast {
    plan: AggregatePlan,
    log: Log,
    horizons: Vec<FastHorizon>,
}

impl Fast {
    pub(super) fn new(plan: AggregatePlan, extents: &[Extent], columns: &[FastColumn]) -> Self {
        let keeps = |column: usize| {
            let of = |c: &&FastColumn| c.what.column() == Some(column);
            columns.iter().filter(of).any(|c| !matches!(c.what, What::Valid { .. }))
        };
        let log = Log::new(&(0..plan.columns.len()).map(keeps).collect::<Vec<_>>());
        let mut horizons = Vec::new();
        for (index, extent) in extents.iter().enumerate() {
            let own: Vec<_> = columns.iter().filter(|c| c.horizon == index).copied().collect();
            let Extent::Time { length, delay } = *extent else { continue };
            if !own.is_empty() {
                horizons.push(FastHorizon {
                    horizon: Horizon { length: length.unsigned_abs(), delay: delay.unsigned_abs() },
                    cursors: Cursors::default(),
                    columns: own,
                    passes: Vec::new(),
                });
            }
        }
        Self { plan, log, horizons }
    }

    /// Columns of the input that are read; the filters' columns come behind them.
    pub(super) fn plan(&self) -> &AggregatePlan {
        &self.plan
    }

    /// Takes rows in, by (time, position), and gives the columns of each: index among those that
    /// the plan adds, values. `fields`: of the columns that the plan adds.
    pub(super) fn answer(
        &mut self,
        times: &[i64],
        keys: &[u32],
        arrays: &[ArrayRef],
        known_keys: usize,
        fields: &[&Field],
    ) -> Result<Vec<(usize, ArrayRef)>> {
        let columns: Vec<Column> = self.plan.read(arrays)?;
        let first = self.log.len();
        if self.log.append(times, keys, &columns)? || first == 0 {
            for horizon in &mut self.horizons {
                horizon.set_up(&self.log, known_keys)?;
            }
        }
        let rows = first..self.log.len();
        let mut out = Vec::new();
        for horizon in &mut self.horizons {
            let cursors = horizon.cursors;
            let mut outs = Vec::with_capacity(horizon.passes.len());
            for pass in &mut horizon.passes {
                pass.grow(known_keys, self.log.len());
                let task = Task::Answer(rows.clone());
                let (after, out) = pass.run(&self.log, horizon.horizon, cursors, task)?;
                horizon.cursors = after;
                outs.push((pass.kind.clone(), out));
            }
            let answers = Answers { log: &self.log, outs: &outs, rows: times.len() };
            for column in &horizon.columns {
                out.push((column.output, answers.column(column.what, fields[column.output])?));
            }
        }
        self.forget();
        Ok(out)
    }

    /// Lets go of the rows that no horizon needs any more.
    fn forget(&mut self) {
        let needed = self.horizons.iter().map(|horizon| horizon.cursors.start).min();
        let forgotten = self.log.forget(needed.unwrap_or(self.log.len()));
        for horizon in self.horizons.iter_mut().filter(|_| forgotten > 0) {
            horizon.cursors.start -= forgotten;
            horizon.cursors.end -= forgotten;
            for pass in &mut horizon.passes {
                pass.forget(forgotten);
            }
        }
    }

    /// The keys of the rows that some horizon still needs.
    pub(super) fn keys(&self) -> &[u32] {
        &self.log.keys[self.log.len() - self.log_rows()..]
    }

    /// Forgets all keys but those that stay, [`Fast::keys`] among them.
    pub(super) fn retain_keys(&mut self, survivors: &Survivors) {
        // Those before may be of keys that are gone: nothing reads them.
        let needed = self.log.len() - self.log_rows();
        self.log.keys[needed..].iter_mut().for_each(|key| *key = survivors.id(*key));
        for pass in self.horizons.iter_mut().flat_map(|horizon| &mut horizon.passes) {
            pass.retain_keys(survivors);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let passes = self.horizons.iter().flat_map(|horizon| &horizon.passes);
        self.log.bytes() + passes.map(Pass::bytes).sum::<usize>()
    }

    pub(super) fn log_bytes(&self) -> usize {
        self.log.bytes()
    }

    /// Rows that some horizon still needs.
    pub(super) fn log_rows(&self) -> usize {
        let needed = self.horizons.iter().map(|horizon| horizon.cursors.start).min();
        self.log.len() - needed.unwrap_or(0)
    }
}

impl FastHorizon {
    /// Sets the passes up that the log now asks for.
    fn set_up(&mut self, log: &Log, keys: usize) -> Result<()> {
        let mut known = std::mem::take(&mut self.passes);
        for kind in self.kinds(log) {
            if let Some(at) = known.iter().position(|pass| pass.kind == kind) {
                self.passes.push(known.swap_remove(at));
                continue;
            }
            let mut pass = Pass::new(kind);
            pass.grow(keys, log.len());
            pass.run(log, self.horizon, self.cursors, Task::Replay)?;
            self.passes.push(pass);
        }
        Ok(())
    }

    fn kinds(&self, log: &Log) -> Vec<Kind> {
        let mut kinds = Vec::new();
        let mut narrow = Vec::new();
        let mut add = |kind: Kind| {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        };
        for what in self.columns.iter().map(|column| column.what) {
            let Some(column) = what.column() else { continue };
            let of = &log.columns[column];
            let wide = matches!(of.measure, Measure::Wide(_));
            if of.nulls.is_some() {
                add(Kind::Nulls(column));
            }
            match (what, &of.measure) {
                (What::Extreme { greatest, .. }, _) => {
                    add(Kind::Extreme { column, turned: greatest, wide });
                }
                (what, Measure::Floats(_)) if what.is_summed() => add(Kind::FloatSum(column)),
                (what, _) if what.is_summed() && of.wide_sums => add(Kind::WideSum(column)),
                (what, Measure::Narrow(_)) if what.is_summed() && !narrow.contains(&column) => {
                    narrow.push(column);
                }
                _ => {}
            }
            if let What::Deviation { .. } = what {
                match of.measure {
                    Measure::Floats(_) => add(Kind::FloatSquares(column)),
                    _ => add(Kind::Squares(column, wide)),
                }
            }
        }
        let mut integers: Vec<Kind> =
            narrow.chunks(SUMS_A_PASS).map(|part| Kind::Integers(part.to_vec())).collect();
        if integers.is_empty() {
            integers.push(Kind::Integers(Vec::new()));
        }
        integers.extend(kinds);
        integers
    }
}
