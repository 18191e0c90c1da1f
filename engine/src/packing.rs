//! Columns of 64-bit values that a step adds to a batch, made together.
//!
//! A batch of a row or two is mostly overhead: a column of its own costs three allocations, five
//! where there are nulls, and as many again to give them back. So the columns of few rows lie
//! behind one another in one buffer, each with a word for its nulls, and cost one allocation each.
//! Columns of many rows get their own buffers: who keeps one of them need not keep all.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, UInt64Array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};

/// Most rows that are packed: their nulls fit into a word.
pub(crate) const PACKED_ROWS_MAX: usize = 64;

/// What the words of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    Int64,
    UInt64,
    /// The bits of floats.
    Float64,
}

/// Columns under construction.
#[derive(Debug)]
pub(crate) struct Packing {
    rows: usize,
    words: Vec<u64>,
    columns: Vec<Column>,
}

#[derive(Debug)]
enum Column {
    Ready(ArrayRef),
    /// A word a row, and one for the nulls where there are some.
    Values(Words, bool),
    /// Truth values in one word, and one for the nulls where there are some.
    Bools(bool),
}

/// The first so many bits, at most all.
fn first_bits(rows: usize) -> u64 {
    u64::MAX.checked_shr(64 - rows as u32).unwrap_or(0)
}

impl Packing {
    /// Room for so many columns of so many rows.
    pub(crate) fn new(rows: usize, columns: usize) -> Self {
        let words = if rows <= PACKED_ROWS_MAX { columns * (rows + 1) } else { 0 };
        Self { rows, words: Vec::with_capacity(words), columns: Vec::with_capacity(columns) }
    }

    /// A column made elsewhere.
    pub(crate) fn ready(&mut self, column: ArrayRef) {
        self.columns.push(Column::Ready(column));
    }

    /// A column of values: as many as there are rows, null where `is_valid` is given and says no.
    pub(crate) fn values(
        &mut self,
        kind: Words,
        values: impl Iterator<Item = u64>,
        is_valid: Option<impl Fn(usize) -> bool>,
    ) {
        if self.rows > PACKED_ROWS_MAX {
            let values = Buffer::from_vec(values.collect::<Vec<u64>>());
            let nulls = is_valid.map(|valid| BooleanBuffer::collect_bool(self.rows, valid).into());
            return self.ready(array(kind, values, 0, self.rows, nulls));
        }
        self.words.extend(values);
        let valid = is_valid.map(|is_valid| {
            (0..self.rows).fold(0, |bits, row| bits | u64::from(is_valid(row)) << row)
        });
        let has_nulls = self.nulls(valid);
        self.columns.push(Column::Values(kind, has_nulls));
    }

    /// A column of floats, null where they are NaN (with 0 under the null).
    pub(crate) fn without_nan(&mut self, values: impl Iterator<Item = f64>) {
        if self.rows > PACKED_ROWS_MAX {
            let mut values: Vec<f64> = values.collect();
            let known = BooleanBuffer::collect_bool(values.len(), |row| !values[row].is_nan());
            values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
            return self.ready(Arc::new(Float64Array::new(values.into(), Some(known.into()))));
        }
        let mut valid = 0;
        self.words.extend(values.enumerate().map(|(row, value)| {
            valid |= u64::from(!value.is_nan()) << row;
            if value.is_nan() { 0 } else { value.to_bits() }
        }));
        let has_nulls = self.nulls(Some(valid));
        self.columns.push(Column::Values(Words::Float64, has_nulls));
    }

    /// A column of truth values of at most [`PACKED_ROWS_MAX`] rows, a bit each.
    pub(crate) fn bools(&mut self, bits: u64, valid: u64) {
        debug_assert!(self.rows <= PACKED_ROWS_MAX, "{} rows are not packed", self.rows);
        self.words.push(bits & first_bits(self.rows));
        let has_nulls = self.nulls(Some(valid));
        self.columns.push(Column::Bools(has_nulls));
    }

    /// Adds the word of nulls where a row has no value.
    fn nulls(&mut self, valid: Option<u64>) -> bool {
        let all = first_bits(self.rows);
        let has_nulls = valid.is_some_and(|valid| valid & all != all);
        self.words.extend(valid.filter(|_| has_nulls).map(|valid| valid & all));
        has_nulls
    }

    /// The columns, in order.
    pub(crate) fn finish(self) -> Vec<ArrayRef> {
        let Self { rows, words, columns } = self;
        let buffer = Buffer::from_vec(words);
        let bits = |at: usize| BooleanBuffer::new(buffer.slice(at * 8), 0, rows);
        let mut at = 0;
        let mut take = |words: usize| {
            at += words;
            at - words
        };
        let mut arrays = Vec::with_capacity(columns.len());
        for column in columns {
            arrays.push(match column {
                Column::Ready(column) => column,
                Column::Values(kind, has_nulls) => {
                    let start = take(rows);
                    let nulls = has_nulls.then(|| NullBuffer::new(bits(take(1))));
                    array(kind, buffer.clone(), start, rows, nulls)
                }
                Column::Bools(has_nulls) => {
                    let values = bits(take(1));
                    let nulls = has_nulls.then(|| NullBuffer::new(bits(take(1))));
                    Arc::new(BooleanArray::new(values, nulls))
                }
            });
        }
        arrays
    }
}

/// `rows` values from word `start` on.
fn array(
    kind: Words,
    words: Buffer,
    start: usize,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    match kind {
        Words::Int64 => Arc::new(Int64Array::new(ScalarBuffer::new(words, start, rows), nulls)),
        Words::UInt64 => Arc::new(UInt64Array::new(ScalarBuffer::new(words, start, rows), nulls)),
        Words::Float64 => Arc::new(Float64Array::new(ScalarBuffer::new(words, start, rows), nulls)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns of all kinds, with and without nulls.
    fn packed(rows: usize) -> Vec<ArrayRef> {
        let mut packing = Packing::new(rows, 5);
        let numbers = || (0..rows as u64).map(|row| row.wrapping_mul(u64::MAX / 7));
        let odd = Some(|row: usize| row % 2 == 1);
        packing.values(Words::Int64, numbers(), odd);
        packing.values(Words::UInt64, numbers(), Some(|_| true));
        packing.values(Words::Float64, numbers(), None::<fn(usize) -> bool>);
        packing.ready(Arc::new(BooleanArray::from(vec![true; rows])));
        packing.without_nan((0..rows).map(|row| if row % 3 == 2 { f64::NAN } else { -0.5 }));
        packing.finish()
    }

    /// The same by Arrow's own ways.
    fn plain(rows: usize) -> Vec<ArrayRef> {
        let numbers = || (0..rows as u64).map(|row| row.wrapping_mul(u64::MAX / 7));
        let odd = numbers().enumerate().map(|(row, n)| (row % 2 == 1).then_some(n as i64));
        vec![
            Arc::new(Int64Array::from_iter(odd)),
            Arc::new(UInt64Array::from_iter_values(numbers())),
            Arc::new(Float64Array::from_iter_values(numbers().map(f64::from_bits))),
            Arc::new(BooleanArray::from(vec![true; rows])),
            Arc::new(Float64Array::from_iter((0..rows).map(|r| (r % 3 != 2).then_some(-0.5)))),
        ]
    }

    #[test]
    fn packed_columns_are_those_of_arrow() {
        for rows in [0, 1, 2, 3, 63, 64, 65, 200] {
            let (packed, plain) = (packed(rows), plain(rows));
            for (at, (packed, plain)) in packed.iter().zip(&plain).enumerate() {
                // Of NaN the bits are compared, as formatted data.
                assert_eq!(packed.data_type(), plain.data_type());
                assert_eq!(format!("{packed:?}"), format!("{plain:?}"), "column {at} of {rows}");
                assert_eq!(packed.null_count(), plain.null_count(), "column {at} of {rows}");
            }
        }
    }

    #[test]
    fn packed_truth_values_have_no_bits_behind_the_last_row() {
        for rows in [0, 1, 5, 63, 64] {
            let mut packing = Packing::new(rows, 3);
            packing.bools(u64::MAX, u64::MAX);
            packing.bools(0b1011, 0b0110);
            packing.values(Words::Int64, (0..rows as u64).rev(), None::<fn(usize) -> bool>);
            let arrays = packing.finish();
            let bit = |bits: u64, row: usize| bits >> row & 1 == 1;
            let some = (0..rows).map(|row| bit(0b0110, row).then_some(bit(0b1011, row)));
            let plain: Vec<ArrayRef> = vec![
                Arc::new(BooleanArray::from(vec![true; rows])),
                Arc::new(BooleanArray::from_iter(some)),
                Arc::new(Int64Array::from_iter_values((0..rows as i64).rev())),
            ];
            assert_eq!(arrays, plain);
        }
    }
}
