//! The log: the rows of all keys that some horizon still needs, by (time, position), as columns.
//!
//! ```text
//!  rows        0 ▒▒▒▒▒▒▒▒▒▒│■■■■■■■■■■■■■■■■■■■■■■■■■■■│ rows
//!              forgotten, to be moved over   needed
//!  times  i64 │ keys u32 │ a column a measure: i64, or i128, or f64; and its nulls
//! ```
//! Rows are appended at the end and forgotten from the front; what is forgotten is moved over
//! once it is as much as what is needed, so a row is moved at most once more than it came.
//!
//! A measure starts narrow. A value that does not fit into 64 bits widens its column, and a bound
//! on what a window could add up to (largest magnitude × rows) says when *sums* must be wide: so
//! the common case is 64-bit additions that cannot overflow.

use crate::error::{Error, Result};
use crate::window::aggregate::{Column, Values};

/// Rows that are forgotten before the others are moved: at least so many.
const FORGOTTEN_ROWS_MIN: usize = 1 << 15;

/// The values of a measure. A null is 0.
#[derive(Debug)]
pub(super) enum Measure {
    /// No value has come, or only nulls are of interest.
    None,
    Narrow(Vec<i64>),
    Wide(Vec<i128>),
    Floats(Vec<f64>),
}

/// A column of the log.
#[derive(Debug)]
pub(super) struct LogColumn {
    /// Whether its values matter, or only which are null.
    keeps_values: bool,
    pub(super) measure: Measure,
    /// Where it is null; `None`: there has been no null.
    pub(super) nulls: Option<Vec<bool>>,
    /// Largest magnitude of a value.
    magnitude: u64,
    /// Whether 64 bits might not hold a window's sum.
    pub(super) wide_sums: bool,
}

/// The rows.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) times: Vec<i64>,
    pub(super) keys: Vec<u32>,
    pub(super) columns: Vec<LogColumn>,
    /// Rows forgotten since the start, modulo 2³²: the number of the first row that is here.
    pub(super) base: u32,
}

impl Log {
    /// An empty log; for each column whether its values are kept.
    pub(super) fn new(columns: &[bool]) -> Self {
        let column = |&keeps_values: &bool| LogColumn {
            keeps_values,
            measure: Measure::None,
            nulls: None,
            magnitude: 0,
            wide_sums: false,
        };
        Self {
            times: Vec::new(),
            keys: Vec::new(),
            columns: columns.iter().map(column).collect(),
            base: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// Appends rows. Says whether a column is kept in another way than before, so that what is
    /// computed from it must be set up anew.
    pub(super) fn append(
        &mut self,
        times: &[i64],
        keys: &[u32],
        columns: &[Column],
    ) -> Result<bool> {
        let before = self.len();
        if before + times.len() >= u32::MAX as usize {
            return Err(Error::run("over windows would hold more than 4 billion rows")
                .advise("use shorter horizons, or more shards"));
        }
        self.times.extend_from_slice(times);
        self.keys.extend_from_slice(keys);
        let mut changed = false;
        for (own, column) in self.columns.iter_mut().zip(columns) {
            changed |= own.append(column, before, times.len());
        }
        Ok(changed)
    }

    /// Forgets the rows before `needed` where that is worth it; returns how many.
    pub(super) fn forget(&mut self, needed: usize) -> usize {
        if needed < FORGOTTEN_ROWS_MIN || needed * 2 < self.len() {
            return 0;
        }
        drop_first(&mut self.times, needed);
        drop_first(&mut self.keys, needed);
        for column in &mut self.columns {
            match &mut column.measure {
                Measure::None => {}
                Measure::Narrow(values) => drop_first(values, needed),
                Measure::Wide(values) => drop_first(values, needed),
                Measure::Floats(values) => drop_first(values, needed),
            }
            if let Some(nulls) = &mut column.nulls {
                drop_first(nulls, needed);
            }
        }
        self.base = self.base.wrapping_add(needed as u32);
        needed
    }

    pub(super) fn bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(LogColumn::bytes).sum();
        self.times.capacity() * 8 + self.keys.capacity() * 4 + columns
    }
}

/// Drops the first elements, and memory that has become far too much.
pub(super) fn drop_first<T>(values: &mut Vec<T>, count: usize) {
    values.drain(..count.min(values.len()));
    if values.capacity() > 4 * values.len() + FORGOTTEN_ROWS_MIN {
        values.shrink_to(2 * values.len());
    }
}

impl LogColumn {
    fn bytes(&self) -> usize {
        let values = match &self.measure {
            Measure::None => 0,
            Measure::Narrow(values) => values.capacity() * 8,
            Measure::Wide(values) => values.capacity() * 16,
            Measure::Floats(values) => values.capacity() * 8,
        };
        values + self.nulls.as_ref().map_or(0, Vec::capacity)
    }

    fn append(&mut self, column: &Column, before: usize, rows: usize) -> bool {
        let mut changed = false;
        if let Some(nulls) = &column.nulls {
            let own = self.nulls.get_or_insert_with(|| {
                changed = true;
                vec![false; before]
            });
            own.extend(nulls.iter().map(|is_valid| !is_valid));
        } else if let Some(own) = &mut self.nulls {
            own.resize(before + rows, false);
        }
        if !self.keeps_values {
            return changed;
        }
        changed |= match &column.values {
            Values::Int(values) => self.append_narrow(column, values.iter().copied(), before),
            Values::Wide(values) => {
                let valid =
                    |&(i, _): &(usize, &i128)| column.nulls.as_ref().is_none_or(|n| n.is_valid(i));
                let mut known = values.iter().enumerate().filter(valid);
                let fits = known.all(|(_, &value)| i64::try_from(value).is_ok());
                if fits && !matches!(self.measure, Measure::Wide(_)) {
                    self.append_narrow(column, values.iter().map(|&value| value as i64), before)
                } else {
                    self.append_wide(column, values.iter().copied())
                }
            }
            Values::Float(values) => self.append_floats(column, values),
            Values::Text(_) | Values::LargeText(_) | Values::Opaque => false,
        };
        changed
    }

    fn append_narrow(
        &mut self,
        column: &Column,
        values: impl Iterator<Item = i64>,
        before: usize,
    ) -> bool {
        let mut changed = false;
        if matches!(self.measure, Measure::None) {
            self.measure = Measure::Narrow(Vec::new());
            changed = true;
        }
        let own = match &mut self.measure {
            Measure::Narrow(own) => own,
            // Widened before.
            _ => return self.append_wide(column, values.map(i128::from)),
        };
        own.extend(values);
        if let Some(nulls) = &column.nulls {
            clear_nulls(&mut own[before..], nulls);
        }
        // Both signs' bits in one pass; the bound is at most twice the largest magnitude.
        let bits = own[before..].iter().fold(0, |bits, &value| bits | value.unsigned_abs());
        self.magnitude |= bits;
        let bound = u128::from(self.magnitude) * own.len() as u128;
        if !self.wide_sums && bound > i64::MAX as u128 {
            self.wide_sums = true;
            changed = true;
        }
        changed
    }

    fn append_wide(&mut self, column: &Column, values: impl Iterator<Item = i128>) -> bool {
        let changed = !matches!(self.measure, Measure::Wide(_));
        let mut own = match std::mem::replace(&mut self.measure, Measure::None) {
            Measure::Wide(own) => own,
            Measure::Narrow(own) => own.into_iter().map(i128::from).collect(),
            Measure::None | Measure::Floats(_) => Vec::new(),
        };
        let before = own.len();
        own.extend(values);
        if let Some(nulls) = &column.nulls {
            clear_nulls(&mut own[before..], nulls);
        }
        self.measure = Measure::Wide(own);
        self.wide_sums = true;
        changed
    }

    fn append_floats(&mut self, column: &Column, values: &[f64]) -> bool {
        let changed = !matches!(self.measure, Measure::Floats(_));
        if changed {
            self.measure = Measure::Floats(Vec::new());
        }
        let Measure::Floats(own) = &mut self.measure else { return changed };
        let before = own.len();
        own.extend_from_slice(values);
        if let Some(nulls) = &column.nulls {
            clear_nulls(&mut own[before..], nulls);
        }
        changed
    }
}

fn clear_nulls<T: Default>(values: &mut [T], nulls: &arrow::buffer::NullBuffer) {
    for (value, is_valid) in values.iter_mut().zip(nulls) {
        if !is_valid {
            *value = T::default();
        }
    }
}
