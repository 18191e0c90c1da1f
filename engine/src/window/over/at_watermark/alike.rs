//! How many rows of a window have the row's own value of a column: `count_same`.
//!
//! Key and value together are a key of their own, so this is a count over that key: by time, one
//! log of all rows with a pair of cursors a horizon (`pelton_kernels::over_advance`); by rows, the
//! last rows of each key in a ring, and counts by key and value.
//!
//! Pairs that no window holds are forgotten: those that stay get new numbers.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use arrow::datatypes::{DataType, SchemaRef};
use pelton_kernels::over_advance::{Cursors, Horizon, Integers, Log, advance};

use super::log::drop_first;
use super::spec::Extent;
use crate::error::Result;
use crate::operator::Rows;
use crate::state::keys::KeyIndex;
use crate::window::aggregate::plain;
use crate::window::expiry::Survivors;

/// Rows that are forgotten before the others are moved: at least so many.
const FORGOTTEN_ROWS_MIN: usize = 1 << 15;

/// A column that counts rows alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct AlikeColumn {
    /// Index in the input of the column whose values are compared.
    pub(super) value: usize,
    pub(super) extent: Extent,
    /// Index among the columns that the plan adds.
    pub(super) output: usize,
}

/// The counts of one column's values, over all horizons that are asked for.
#[derive(Debug)]
pub(super) struct Alike {
    value: usize,
    /// Key id and value to the number of the pair.
    pairs: KeyIndex,
    // By time: the rows that some horizon needs.
    times: Vec<i64>,
    log: Vec<u32>,
    by_time: Vec<ByTime>,
    // By rows.
    by_rows: Vec<ByRows>,
    /// The last rows of each key: their pairs.
    last: Vec<VecDeque<u32>>,
    /// How many of them.
    last_max: usize,
    /// Rows since pairs were looked through.
    rows_since: usize,
    // Buffer.
    ids: Vec<u32>,
}

#[derive(Debug)]
struct ByTime {
    horizon: Horizon,
    cursors: Cursors,
    output: usize,
    /// Rows of the window, by pair.
    counts: Vec<[i64; 1]>,
}

#[derive(Debug)]
struct ByRows {
    rows: usize,
    output: usize,
    /// Among the last rows of its key, by pair.
    counts: Vec<i64>,
}

impl Alike {
    /// One a column whose values are compared.
    ///
    /// # Errors
    /// When values of a column cannot be keys.
    pub(super) fn of_columns(columns: &[AlikeColumn], input: &SchemaRef) -> Result<Vec<Self>> {
        let mut all: Vec<Self> = Vec::new();
        for column in columns {
            let at = match all.iter().position(|known| known.value == column.value) {
                Some(at) => at,
                None => {
                    all.push(Self::new(column.value, input)?);
                    all.len() - 1
                }
            };
            all[at].add(column);
        }
        Ok(all)
    }

    fn new(value: usize, input: &SchemaRef) -> Result<Self> {
        let value_type = plain(input.field(value).data_type());
        Ok(Self {
            value,
            pairs: KeyIndex::new(&[DataType::UInt32, value_type])?,
            times: Vec::new(),
            log: Vec::new(),
            by_time: Vec::new(),
            by_rows: Vec::new(),
            last: Vec::new(),
            last_max: 0,
            rows_since: 0,
            ids: Vec::new(),
        })
    }

    fn add(&mut self, column: &AlikeColumn) {
        let output = column.output;
        match column.extent {
            Extent::Time { length, delay } => {
                let horizon =
                    Horizon { length: length.unsigned_abs(), delay: delay.unsigned_abs() };
                let (cursors, counts) = (Cursors::default(), Vec::new());
                self.by_time.push(ByTime { horizon, cursors, output, counts });
            }
            Extent::Rows(rows) => {
                let rows = usize::try_from(rows).unwrap_or(usize::MAX);
                self.last_max = self.last_max.max(rows);
                self.by_rows.push(ByRows { rows, output, counts: Vec::new() });
            }
        }
    }

    /// Index in the input of the column whose values are compared.
    pub(super) fn value(&self) -> usize {
        self.value
    }

    /// Takes rows in, by (time, position), and gives the columns of each: index among those that
    /// the plan adds, values.
    ///
    /// # Errors
    /// When there are too many pairs.
    pub(super) fn answer(
        &mut self,
        times: &[i64],
        keys: &[u32],
        values: &ArrayRef,
    ) -> Result<Vec<(usize, ArrayRef)>> {
        let rows = times.len();
        let columns: [ArrayRef; 2] = [Arc::new(UInt32Array::from(keys.to_vec())), values.clone()];
        self.pairs.ids(&columns, Rows::All(rows), &mut self.ids)?;
        let mut out: Vec<(usize, ArrayRef)> = Vec::new();
        if !self.by_time.is_empty() {
            self.times.extend_from_slice(times);
            self.log.extend_from_slice(&self.ids);
            let (log, pairs) = (Log { times: &self.times, keys: &self.log }, self.pairs.len());
            for window in &mut self.by_time {
                window.counts.resize(pairs, [0]);
                let mut counts = vec![0; rows];
                let mut running = Integers::<0, 1> { columns: [], out: [&mut counts] };
                let answered = self.times.len() - rows..self.times.len();
                let (horizon, cursors) = (window.horizon, window.cursors);
                window.cursors =
                    advance(log, horizon, cursors, answered, &mut window.counts, &mut running);
                out.push((window.output, Arc::new(Int64Array::from(counts))));
            }
            self.forget();
        }
        if !self.by_rows.is_empty() {
            out.extend(self.answer_by_rows(keys));
        }
        self.rows_since += rows;
        self.forget_pairs()?;
        Ok(out)
    }

    fn answer_by_rows(&mut self, keys: &[u32]) -> Vec<(usize, ArrayRef)> {
        let known = keys.iter().max().map_or(0, |&key| key as usize + 1);
        if self.last.len() < known {
            self.last.resize_with(known, VecDeque::new);
        }
        let mut out = vec![Vec::with_capacity(keys.len()); self.by_rows.len()];
        for window in &mut self.by_rows {
            window.counts.resize(self.pairs.len(), 0);
        }
        for (&key, &pair) in keys.iter().zip(&self.ids) {
            let last = &mut self.last[key as usize];
            last.push_back(pair);
            for (window, out) in self.by_rows.iter_mut().zip(&mut out) {
                window.counts[pair as usize] += 1;
                if let Some(before) = last.len().checked_sub(window.rows.saturating_add(1)) {
                    window.counts[last[before] as usize] -= 1;
                }
                out.push(window.counts[pair as usize]);
            }
            if last.len() > self.last_max {
                last.pop_front();
            }
        }
        let column = |(window, counts): (&ByRows, Vec<i64>)| -> (usize, ArrayRef) {
            (window.output, Arc::new(Int64Array::from(counts)))
        };
        self.by_rows.iter().zip(out).map(column).collect()
    }

    /// Lets go of the rows that no horizon needs any more, where that is worth it.
    fn forget(&mut self) {
        let needed = self.needed_from();
        if needed < FORGOTTEN_ROWS_MIN || needed * 2 < self.times.len() {
            return;
        }
        drop_first(&mut self.times, needed);
        drop_first(&mut self.log, needed);
        for window in &mut self.by_time {
            window.cursors.start -= needed;
            window.cursors.end -= needed;
        }
    }

    /// Forgets the pairs that no window holds, once half as many rows have come as there are
    /// pairs and rows to look at.
    fn forget_pairs(&mut self) -> Result<()> {
        let pairs = self.pairs.len();
        if 2 * self.rows_since < pairs.max(self.log_rows()).max(super::FORGET_ROWS_MIN) {
            return Ok(());
        }
        self.rows_since = 0;
        let needed = self.needed_from();
        let mut held = vec![false; pairs];
        let pairs_held = self.log[needed..].iter().chain(self.last.iter().flatten());
        pairs_held.for_each(|&pair| held[pair as usize] = true);
        let kept: Vec<u32> = (0..pairs as u32).filter(|&pair| held[pair as usize]).collect();
        if kept.len() * 4 > pairs {
            return Ok(());
        }
        self.pairs.retain(&kept)?;
        let survivors = Survivors::of(kept, pairs);
        let renamed = self.log[needed..].iter_mut().chain(self.last.iter_mut().flatten());
        renamed.for_each(|pair| *pair = survivors.id(*pair));
        self.by_time.iter_mut().for_each(|window| survivors.move_up(&mut window.counts));
        self.by_rows.iter_mut().for_each(|window| survivors.move_up(&mut window.counts));
        Ok(())
    }

    fn needed_from(&self) -> usize {
        self.by_time.iter().map(|window| window.cursors.start).min().unwrap_or(self.times.len())
    }

    /// Pairs that are known.
    #[cfg(test)]
    pub(super) fn pairs(&self) -> usize {
        self.pairs.len()
    }

    pub(super) fn bytes(&self) -> usize {
        let counts: usize = self.by_time.iter().map(|window| window.counts.capacity()).sum();
        let by_rows: usize = self.by_rows.iter().map(|window| window.counts.capacity()).sum();
        let state = (counts + by_rows) * 8 + self.ids.capacity() * 4;
        self.pairs.bytes() as usize + state + self.log_bytes()
    }

    pub(super) fn log_bytes(&self) -> usize {
        let last: usize = self.last.iter().map(|last| last.capacity() * 4).sum();
        let last = last + self.last.capacity() * size_of::<VecDeque<u32>>();
        self.times.capacity() * 8 + self.log.capacity() * 4 + last
    }

    /// Rows that some horizon still needs.
    pub(super) fn log_rows(&self) -> usize {
        let last: usize = self.last.iter().map(VecDeque::len).sum();
        self.times.len() - self.needed_from() + last
    }
}
