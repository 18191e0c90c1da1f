//! How a key's rows, in the order of (time, position), are cut into windows by number of rows and
//! into states, so that late rows may be put between them: what windows there are, which of them a
//! row that is put in changes, and which rows no window to come needs.
//!
//! ```text
//!  rows   0 … before │ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■
//!         forgotten  │     fixed │        passed │  to come
//!                                ▲               ▲
//!                 no row may come before     windows that end before have been given out
//! ```
//! Windows by number of rows: the windows that end at or behind the row's place hold their rows one
//! further back, and one more may be full. Of those each row, all but those that the row is in stay
//! what they were, under another number; so windows are compared by their rows. States: the row makes
//! the one that it falls into longer, or cuts it; no other changes.

use super::held::HeldRow;

/// How rows are cut.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    /// So many rows, each so many.
    Count {
        rows: u64,
        step: u64,
    },
    State,
}

/// A window over rows `from..to` of those that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) start: i64,
    pub(super) end: i128,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// The rows of a key.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// Those that are kept.
    pub(super) rows: Vec<HeldRow>,
    /// How many came before them, and are forgotten.
    pub(super) before: u64,
    /// How many of those that are kept have passed.
    pub(super) passed: usize,
    /// How many of them are fixed. Of states these all hold.
    fixed: usize,
}

fn piece(rows: &[HeldRow], from: usize, to: usize, end: i128) -> Piece {
    Piece { start: rows[from].time, end, from, to }
}

impl Sequence {
    /// Puts a row that has not passed at its place.
    pub(super) fn insert(&mut self, row: HeldRow) {
        let at = self.rows.partition_point(|known| *known < row);
        self.rows.insert(at, row);
    }

    /// Rows before this time pass: the windows that they close.
    pub(super) fn pass(&mut self, cut: Cut, to: i128, closed: &mut Vec<Piece>) {
        let from = self.passed;
        let passing = self.rows[from..].iter();
        self.passed += passing.take_while(|row| i128::from(row.time) < to).count();
        self.closed_by(cut, from, self.passed, closed);
    }

    /// The windows that the rows `from..to` close.
    pub(super) fn closed_by(&self, cut: Cut, from: usize, to: usize, closed: &mut Vec<Piece>) {
        match cut {
            Cut::Count { rows, step } => {
                let (first, last) = (self.before + from as u64, self.before + to as u64);
                for window in first / step + 1..=last / step {
                    closed.extend(self.counted(rows, window * step, window * step));
                }
            }
            Cut::State => {
                for at in (from..to).filter(|&at| !self.rows[at].holds) {
                    let begin = self.run_before(at);
                    if begin < at {
                        let end = self.rows[at].time.into();
                        closed.push(piece(&self.rows, begin, at, end));
                    }
                }
            }
        }
    }

    /// The window of `rows` rows that ends with the row of this number, as far as there are rows;
    /// `until`: the last number that there is.
    fn counted(&self, rows: u64, number: u64, until: u64) -> Option<Piece> {
        let first = number.saturating_sub(rows).checked_sub(self.before)? as usize;
        let to = (until - self.before) as usize;
        let last = self.rows.get(to.checked_sub(1)?)?;
        (first < to).then(|| piece(&self.rows, first, to, i128::from(last.time) + 1))
    }

    /// Where the rows that hold, up to and without this one, begin.
    fn run_before(&self, at: usize) -> usize {
        self.rows[..at].iter().rposition(|row| !row.holds).map_or(0, |row| row + 1)
    }

    /// Puts a row among those that have passed: the windows that are no longer true, and those that
    /// are. The first refer to the rows as they were, which are given too.
    pub(super) fn correct(&mut self, cut: Cut, row: HeldRow) -> Correction {
        let at = self.rows.partition_point(|known| *known < row);
        let (from, old_to, new_to) = match cut {
            Cut::Count { .. } => (at, self.passed, self.passed + 1),
            Cut::State => {
                let until = self.rows[at..self.passed].iter().position(|row| !row.holds);
                let until = until.map_or(self.passed, |row| at + row + 1);
                (self.run_before(at), until, until + 1)
            }
        };
        let (mut old, mut new) = (Vec::new(), Vec::new());
        self.closed_by(cut, from, old_to, &mut old);
        let old_rows: Vec<HeldRow> = match old.first() {
            Some(first) => self.rows[first.from..old_to].to_vec(),
            None => Vec::new(),
        };
        let shift = old.first().map_or(0, |first| first.from);
        let old: Vec<Piece> = old
            .into_iter()
            .map(|p| Piece { from: p.from - shift, to: p.to - shift, ..p })
            .collect();
        self.rows.insert(at, row);
        self.passed += 1;
        self.closed_by(cut, from, new_to, &mut new);
        let (untrue, now_true) = different((&old, &old_rows), (&new, &self.rows));
        Correction { old_rows, old_before: self.before + shift as u64, untrue, now_true }
    }

    /// The window that only the end of the input closes.
    pub(super) fn unfinished(&self, cut: Cut) -> Option<Piece> {
        match cut {
            Cut::Count { rows, step } => {
                let last = self.before + self.rows.len() as u64;
                let number = last.div_ceil(step).saturating_mul(step);
                if number == last { None } else { self.counted(rows, number, last) }
            }
            Cut::State => {
                let begin = self.run_before(self.rows.len());
                let last = self.rows.last().filter(|_| begin < self.rows.len())?;
                let end = i128::from(last.time) + 1;
                Some(piece(&self.rows, begin, self.rows.len(), end))
            }
        }
    }

    /// No row at or before this time will come any more: forgets the rows that no window to come
    /// needs, and says which.
    pub(super) fn fix(&mut self, cut: Cut, watermark: i64) -> std::vec::Drain<'_, HeldRow> {
        let known = self.fixed;
        let fixing = self.rows[known..].iter();
        self.fixed += fixing.take_while(|row| row.time <= watermark).count();
        let drop = match cut {
            Cut::Count { rows, step } => {
                let number = self.before + self.fixed as u64;
                let next = (number / step + 1).saturating_mul(step);
                let needed = next.saturating_sub(rows).saturating_sub(self.before);
                (needed as usize).min(self.fixed)
            }
            Cut::State => {
                let ends = self.rows[known..self.fixed].iter().rposition(|row| !row.holds);
                ends.map_or(0, |row| known + row + 1)
            }
        };
        self.before += drop as u64;
        self.passed -= drop;
        self.fixed -= drop;
        self.rows.drain(..drop)
    }

    /// The first row that has not passed.
    pub(super) fn next_to_pass(&self) -> Option<&HeldRow> {
        self.rows.get(self.passed)
    }

    /// The first row that is not fixed.
    pub(super) fn next_to_fix(&self) -> Option<&HeldRow> {
        self.rows.get(self.fixed)
    }
}

/// The windows that only one of two lists has, each a list over rows of its own, in the order of
/// their last rows. Windows of one list end with different rows.
fn different(
    (old, old_rows): (&[Piece], &[HeldRow]),
    (new, new_rows): (&[Piece], &[HeldRow]),
) -> (Vec<Piece>, Vec<Piece>) {
    let (mut untrue, mut now_true) = (Vec::new(), Vec::new());
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    while let (Some(a), Some(b)) = (old.peek(), new.peek()) {
        let (mine, theirs) = (&old_rows[a.from..a.to], &new_rows[b.from..b.to]);
        let order = mine.last().cmp(&theirs.last());
        // Rows are only ever put in: as many from the same first one to the same last are the same
        // ones.
        let same = order.is_eq()
            && (a.start, a.end, mine.len()) == (b.start, b.end, theirs.len())
            && mine.first() == theirs.first();
        if order.is_le() {
            untrue.extend(old.next().filter(|_| !same));
        }
        if order.is_ge() {
            now_true.extend(new.next().filter(|_| !same));
        }
    }
    untrue.extend(old);
    now_true.extend(new);
    (untrue, now_true)
}

/// What a late row changes.
#[derive(Debug)]
pub(super) struct Correction {
    /// The rows that the windows were over, and how many came before them.
    pub(super) old_rows: Vec<HeldRow>,
    pub(super) old_before: u64,
    /// Windows over `old_rows` that are no longer true.
    pub(super) untrue: Vec<Piece>,
    /// Windows that are true now.
    pub(super) now_true: Vec<Piece>,
}
