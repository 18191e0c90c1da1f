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
use pelton_kernels::over_advance::{self, Cursors, Horizon, Integers, Running};

use super::log::{Log, Measure, drop_first};
use super::lower::Answers;
use super::running::{
    FloatSquare, FloatSquares, FloatState, FloatSum, Least, Links, Nulls, Squares, WideSum,
};
use super::spec::Extent;
use crate::error::{Error, Result};
use crate::window::aggregate::{AggregatePlan, Column, Spread, float_order};

/// Sums that one pass computes.
const SUMS_A_PASS: usize = 3;

/// How an output column follows from the passes; `column` is one of the log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum What {
    Rows,
    Valid { column: usize },
    Sum { column: usize },
    Mean { column: usize, scale: i8 },
    Extreme { column: usize, greatest: bool },
    Deviation { column: usize, spread: Spread, root: bool, scale: i8 },
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

/// What a pass computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows, and the sums of these columns.
    Integers(Vec<usize>),
    Nulls(usize),
    WideSum(usize),
    /// Of 64-bit values, or of 128-bit ones.
    Squares(usize, bool),
    FloatSum(usize),
    FloatSquares(usize),
    /// `turned`: the greatest. Of 128-bit values where `wide`.
    Extreme {
        column: usize,
        turned: bool,
        wide: bool,
    },
}

/// A state a key.
#[derive(Debug)]
enum States {
    One(Vec<[i64; 1]>),
    Two(Vec<[i64; 2]>),
    Three(Vec<[i64; 3]>),
    Four(Vec<[i64; 4]>),
    Nulls(Vec<u32>),
    Wide(Vec<i128>),
    Floats(Vec<FloatState>),
    FloatSquares(Vec<FloatSquare>),
    Links(Links),
}

/// What a pass says of each answered row.
#[derive(Debug)]
pub(super) enum Out {
    /// Rows, then sums.
    Integers(Vec<Vec<i64>>),
    Wide(Vec<i128>),
    Floats(Vec<FloatState>),
    FloatSquares(Vec<FloatSquare>),
    /// Rows of the log; `u32::MAX`: none.
    Rows(Vec<u32>),
}

#[derive(Debug)]
struct Pass {
    kind: Kind,
    states: States,
}

/// What is to be done with a pass.
#[derive(Debug, Clone)]
enum Task {
    /// Take in the rows that the cursors stand around.
    Replay,
    /// Answer these rows.
    Answer(std::ops::Range<usize>),
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
                if let States::Links(links) = &mut pass.states {
                    drop_first(&mut links.before, forgotten);
                    drop_first(&mut links.behind, forgotten);
                }
            }
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

impl Pass {
    fn new(kind: Kind) -> Self {
        let states = match &kind {
            Kind::Integers(sums) => match sums.len() {
                0 => States::One(Vec::new()),
                1 => States::Two(Vec::new()),
                2 => States::Three(Vec::new()),
                _ => States::Four(Vec::new()),
            },
            Kind::Nulls(_) => States::Nulls(Vec::new()),
            Kind::WideSum(_) | Kind::Squares(..) => States::Wide(Vec::new()),
            Kind::FloatSum(_) => States::Floats(Vec::new()),
            Kind::FloatSquares(_) => States::FloatSquares(Vec::new()),
            Kind::Extreme { .. } => States::Links(Links::default()),
        };
        Self { kind, states }
    }

    /// Makes room for so many keys and rows.
    fn grow(&mut self, keys: usize, rows: usize) {
        match &mut self.states {
            States::One(states) => states.resize(keys, Default::default()),
            States::Two(states) => states.resize(keys, Default::default()),
            States::Three(states) => states.resize(keys, Default::default()),
            States::Four(states) => states.resize(keys, Default::default()),
            States::Nulls(states) => states.resize(keys, Default::default()),
            States::Wide(states) => states.resize(keys, Default::default()),
            States::Floats(states) => states.resize(keys, Default::default()),
            States::FloatSquares(states) => states.resize(keys, Default::default()),
            States::Links(links) => {
                links.ends.resize(keys, Default::default());
                links.before.resize(rows, 0);
                links.behind.resize(rows, 0);
            }
        }
    }

    fn bytes(&self) -> usize {
        match &self.states {
            States::One(states) => states.capacity() * 8,
            States::Two(states) => states.capacity() * 16,
            States::Three(states) => states.capacity() * 24,
            States::Four(states) => states.capacity() * 32,
            States::Nulls(states) => states.capacity() * 4,
            States::Wide(states) => states.capacity() * 16,
            States::Floats(states) => states.capacity() * size_of::<FloatState>(),
            States::FloatSquares(states) => states.capacity() * size_of::<FloatSquare>(),
            States::Links(links) => {
                let rows = links.before.capacity() + links.behind.capacity();
                rows * 4 + links.ends.capacity() * 12
            }
        }
    }

    fn run(
        &mut self,
        log: &Log,
        horizon: Horizon,
        cursors: Cursors,
        task: Task,
    ) -> Result<(Cursors, Out)> {
        let walk = Walk { log, horizon, cursors, task };
        let rows = walk.rows();
        Ok(match (&mut self.states, &self.kind) {
            (States::One(states), Kind::Integers(sums)) => walk.integers::<0, 1>(states, sums),
            (States::Two(states), Kind::Integers(sums)) => walk.integers::<1, 2>(states, sums),
            (States::Three(states), Kind::Integers(sums)) => walk.integers::<2, 3>(states, sums),
            (States::Four(states), Kind::Integers(sums)) => walk.integers::<3, 4>(states, sums),
            (States::Nulls(states), &Kind::Nulls(column)) => {
                let mut out = vec![0; rows];
                let nulls = log.columns[column].nulls.as_deref().unwrap_or_default();
                let after = walk.drive(states, &mut Nulls { nulls, out: &mut out });
                (after, Out::Integers(vec![out]))
            }
            (States::Wide(states), &Kind::WideSum(column)) => {
                let mut out = vec![0; rows];
                let after = match &log.columns[column].measure {
                    Measure::Narrow(values) => {
                        walk.drive(states, &mut WideSum { values, out: &mut out })
                    }
                    Measure::Wide(values) => {
                        walk.drive(states, &mut WideSum { values, out: &mut out })
                    }
                    _ => cursors,
                };
                (after, Out::Wide(out))
            }
            (States::Wide(states), &Kind::Squares(column, _)) => {
                walk.squares(states, column).ok_or_else(|| {
                    Error::run("a window's sum of squares does not fit into 128 bits")
                        .advise("scale the column down or leave its deviation out")
                })?
            }
            (States::Floats(states), &Kind::FloatSum(column)) => {
                let mut out = vec![FloatState::default(); rows];
                let (values, nulls) = floats(log, column);
                let after = walk.drive(states, &mut FloatSum { values, nulls, out: &mut out });
                (after, Out::Floats(out))
            }
            (States::FloatSquares(states), &Kind::FloatSquares(column)) => {
                let mut out = vec![FloatSquare::default(); rows];
                let (values, nulls) = floats(log, column);
                let after = walk.drive(states, &mut FloatSquares { values, nulls, out: &mut out });
                (after, Out::FloatSquares(out))
            }
            (States::Links(links), &Kind::Extreme { column, turned, .. }) => {
                walk.extremes(links, column, turned)
            }
            (states, kind) => unreachable!("{states:?} are not those of {kind:?}"),
        })
    }
}

/// Values and nulls of a column of floats.
fn floats(log: &Log, column: usize) -> (&[f64], Option<&[bool]>) {
    let column = &log.columns[column];
    let values = match &column.measure {
        Measure::Floats(values) => values.as_slice(),
        _ => &[],
    };
    (values, column.nulls.as_deref())
}

/// A walk of a pass along the log.
struct Walk<'a> {
    log: &'a Log,
    horizon: Horizon,
    cursors: Cursors,
    task: Task,
}

impl Walk<'_> {
    /// Rows to be answered.
    fn rows(&self) -> usize {
        match &self.task {
            Task::Replay => 0,
            Task::Answer(rows) => rows.len(),
        }
    }

    fn drive<R: Running>(self, states: &mut [R::State], running: &mut R) -> Cursors {
        let log = over_advance::Log { times: &self.log.times, keys: &self.log.keys };
        match self.task {
            Task::Answer(rows) => {
                over_advance::advance(log, self.horizon, self.cursors, rows, states, running)
            }
            Task::Replay => {
                for row in self.cursors.start..self.cursors.end {
                    running.enter(&mut states[log.keys[row] as usize], row);
                }
                self.cursors
            }
        }
    }

    fn integers<const COLUMNS: usize, const LANES: usize>(
        self,
        states: &mut [[i64; LANES]],
        sums: &[usize],
    ) -> (Cursors, Out) {
        let log = self.log;
        let mut out: [Vec<i64>; LANES] = std::array::from_fn(|_| vec![0; self.rows()]);
        let columns = std::array::from_fn(|i| match &log.columns[sums[i]].measure {
            Measure::Narrow(values) => values.as_slice(),
            _ => &[],
        });
        let lanes = out.each_mut().map(Vec::as_mut_slice);
        let mut running = Integers::<COLUMNS, LANES> { columns, out: lanes };
        let after = self.drive(states, &mut running);
        (after, Out::Integers(out.into()))
    }

    /// `None` where 128 bits do not hold one.
    fn squares(self, states: &mut [i128], column: usize) -> Option<(Cursors, Out)> {
        let mut out = vec![0; self.rows()];
        let (cursors, overflows) = match &self.log.columns[column].measure {
            Measure::Narrow(values) => {
                let mut running = Squares { values, out: &mut out, overflows: false };
                (self.drive(states, &mut running), running.overflows)
            }
            Measure::Wide(values) => {
                let mut running = Squares { values, out: &mut out, overflows: false };
                (self.drive(states, &mut running), running.overflows)
            }
            _ => (self.cursors, false),
        };
        (!overflows).then_some((cursors, Out::Wide(out)))
    }

    fn extremes(self, links: &mut Links, column: usize, turned: bool) -> (Cursors, Out) {
        let log = self.log;
        let mut out = vec![u32::MAX; self.rows()];
        let Links { ends, before, behind } = links;
        let (nulls, base) = (log.columns[column].nulls.as_deref(), log.base);
        let out_rows = &mut out;
        macro_rules! drive {
            ($values:expr, $rank:expr) => {{
                let (values, rank, out) = ($values, $rank, out_rows);
                self.drive(ends, &mut Least { values, nulls, rank, base, before, behind, out })
            }};
        }
        let turn = if turned { -1 } else { 0 };
        let after = match &log.columns[column].measure {
            Measure::Narrow(values) => drive!(values, |value: i64| value ^ turn),
            Measure::Wide(values) => drive!(values, |value: i128| value ^ i128::from(turn)),
            Measure::Floats(values) => drive!(values, |value: f64| float_order(value) ^ turn),
            Measure::None => self.cursors,
        };
        (after, Out::Rows(out))
    }
}
