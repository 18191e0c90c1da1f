//! A pass: one walk of a horizon's cursors along the log, with a state a key.

use arrow::buffer::ScalarBuffer;
use pelton_kernels::over_advance::{self, Cursors, Horizon, Integers, Running};

use super::log::{Log, Measure, drop_first};
use super::running::{
    FloatSquare, FloatSquares, FloatState, FloatSum, Least, Links, Nulls, Squares, WideSum,
};
use crate::error::{Error, Result};
use crate::window::aggregate::float_order;
use crate::window::expiry::Survivors;

/// Sums that one pass computes.
pub(super) const SUMS_A_PASS: usize = 3;

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
    Integers(Vec<ScalarBuffer<i64>>),
    Wide(Vec<i128>),
    Floats(Vec<FloatState>),
    FloatSquares(Vec<FloatSquare>),
    /// Rows of the log; `u32::MAX`: none.
    Rows(Vec<u32>),
}

#[derive(Debug)]
pub(super) struct Pass {
    pub(super) kind: Kind,
    states: States,
}

/// What is to be done with a pass.
#[derive(Debug, Clone)]
pub(super) enum Task {
    /// Take in the rows that the cursors stand around.
    Replay,
    /// Answer these rows.
    Answer(std::ops::Range<usize>),
}

impl Pass {
    pub(super) fn new(kind: Kind) -> Self {
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
    pub(super) fn grow(&mut self, keys: usize, rows: usize) {
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

    /// Forgets all keys but those that stay.
    pub(super) fn retain_keys(&mut self, survivors: &Survivors) {
        match &mut self.states {
            States::One(states) => survivors.move_up(states),
            States::Two(states) => survivors.move_up(states),
            States::Three(states) => survivors.move_up(states),
            States::Four(states) => survivors.move_up(states),
            States::Nulls(states) => survivors.move_up(states),
            States::Wide(states) => survivors.move_up(states),
            States::Floats(states) => survivors.move_up(states),
            States::FloatSquares(states) => survivors.move_up(states),
            States::Links(links) => survivors.move_up(&mut links.ends),
        }
    }

    /// Forgets so many of the log's first rows.
    pub(super) fn forget(&mut self, rows: usize) {
        if let States::Links(links) = &mut self.states {
            drop_first(&mut links.before, rows);
            drop_first(&mut links.behind, rows);
        }
    }

    /// Bytes allocated.
    pub(super) fn bytes(&self) -> usize {
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

    /// Does what is to be done; gives the cursors behind it, and the answers.
    ///
    /// # Errors
    /// When a sum of squares does not fit into 128 bits.
    pub(super) fn run(
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
                (after, Out::Integers(vec![out.into()]))
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
        (after, Out::Integers(out.into_iter().map(ScalarBuffer::from).collect()))
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
