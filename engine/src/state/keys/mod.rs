//! Keys to dense ids: a key is looked up once an event, and all state after that is arrays
//! indexed by a `u32`.
//!
//! ```text
//!  card (Int64)      ──▶ direct table, or hash table of (tag, id) ──▶ 7 ┐
//!  country (Dict)    ──▶ code ─▶ id, translated once a dictionary ──▶ 2 ┴▶ pair (7,2) ──▶ 9
//! ```
//!
//! Each column becomes ids of its own first (`column.rs`); several columns are folded from the
//! left, a pair of ids at a time, each pair being a 64-bit key of an integer table. So there is
//! one hot loop (`integer.rs` over `table.rs`) for integers, times, floats, pairs and short
//! strings, and it needs no encoding of whole rows.
//!
//! Invariants: ids are given in the order in which keys first appear, from 0 without gaps, so
//! that they do not depend on how rows were cut into batches; an id never changes or goes away.
//!
//! Equality: null is a key of its own; −0 equals +0 and every NaN equals every other; text is
//! equal by its bytes, in whatever encoding (plain or dictionary) it comes; so is binary.

mod column;
mod integer;
mod shapes;
mod table;
mod text;
mod wide;

#[cfg(test)]
mod tests;

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

pub(crate) use column::{ColumnKeys, Nulls, canonical_f64};
use integer::IntegerKeys;
pub(crate) use shapes::{bytes_of, day_time_bits, wide_of};
pub(crate) use table::{IdTable, folded_multiply, tag};

use crate::error::{Error, Result};
use crate::operator::Rows;

/// Marks "no id yet" in tables; never given out as a key's id.
pub(crate) const NO_ID: u32 = u32::MAX;

/// Maps keys of one or more columns to dense ids.
///
/// # Contract
/// The columns given to [`KeyIndex::ids`] are as many as the types given to
/// [`KeyIndex::new`], of those types (text may come in any text encoding); checked, an error
/// says which column differs. With no column at all there is one key, of id 0.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Int64Array, StringArray};
/// use arrow::datatypes::DataType;
/// use pelton::operator::Rows;
/// use pelton::state::keys::KeyIndex;
///
/// let mut index = KeyIndex::new(&[DataType::Int64, DataType::Utf8])?;
/// let cards: ArrayRef = Arc::new(Int64Array::from(vec![7, 7, 9, 7]));
/// let countries: ArrayRef = Arc::new(StringArray::from(vec!["DE", "FR", "DE", "DE"]));
/// let mut ids = Vec::new();
/// index.ids(&[cards, countries], Rows::All(4), &mut ids)?;
/// assert_eq!(ids, [0, 1, 2, 0]);
/// # Ok::<(), pelton::Error>(())
/// ```
#[derive(Debug)]
pub struct KeyIndex {
    /// One a column.
    columns: Vec<ColumnKeys>,
    /// `pairs[i]` joins the ids so far with those of column `i + 1`.
    pairs: Vec<IntegerKeys>,
    /// Whether a row was seen (decides the number of keys where there is no column).
    seen: bool,
    // Buffers.
    ids_right: Vec<u32>,
    pair_keys: Vec<u64>,
}

impl KeyIndex {
    /// An empty index for key columns of these types.
    ///
    /// # Errors
    /// When a type cannot be a key.
    pub fn new(types: &[DataType]) -> Result<Self> {
        let columns = types
            .iter()
            .map(|data_type| ColumnKeys::new(data_type, Nulls::AreKeys))
            .collect::<Result<Vec<_>>>()?;
        let pairs = (1..columns.len()).map(|_| IntegerKeys::default()).collect();
        Ok(Self { columns, pairs, seen: false, ids_right: Vec::new(), pair_keys: Vec::new() })
    }

    /// Writes the id of each row's key to `out` (cleared first), in the order of the rows; a
    /// new key gets the next id.
    ///
    /// # Errors
    /// When the columns are not those that the index was made for, or 2³² − 2 keys are known.
    pub fn ids(&mut self, columns: &[ArrayRef], rows: Rows<'_>, out: &mut Vec<u32>) -> Result<()> {
        out.clear();
        if columns.len() != self.columns.len() {
            return Err(Error::run(format!(
                "the key has {} columns, but {} were given",
                self.columns.len(),
                columns.len()
            )));
        }
        let Some((first, rest)) = columns.split_first() else {
            self.seen |= !rows.is_empty();
            out.resize(rows.len(), 0);
            return Ok(());
        };
        self.columns[0].ids(first, rows, out)?;
        for (i, column) in rest.iter().enumerate() {
            self.columns[i + 1].ids(column, rows, &mut self.ids_right)?;
            self.pair_keys.clear();
            let ids = out.iter().zip(&self.ids_right);
            self.pair_keys.extend(ids.map(|(&left, &right)| join_ids(left, right)));
            out.clear();
            self.pairs[i].ids(&self.pair_keys, |key| key, None, Rows::All(rows.len()), out)?;
        }
        Ok(())
    }

    /// Number of keys known.
    pub fn len(&self) -> usize {
        match (self.pairs.last(), self.columns.first()) {
            (Some(pairs), _) => pairs.len(),
            (None, Some(column)) => column.len(),
            (None, None) => usize::from(self.seen),
        }
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes allocated.
    pub fn bytes(&self) -> u64 {
        self.columns.iter().map(ColumnKeys::bytes).sum::<u64>()
            + self.pairs.iter().map(IntegerKeys::bytes).sum::<u64>()
            + self.ids_right.capacity() as u64 * 4
            + self.pair_keys.capacity() as u64 * 8
    }

    /// Forgets all keys but those of the ids `kept`; the one at `i` gets the id `i`.
    ///
    /// # Errors
    /// When the text of one column exceeds what an array can hold (2 GiB).
    ///
    /// # Panics
    /// When an id was never given out.
    pub fn retain(&mut self, kept: &[u32]) -> Result<()> {
        let columns = self.key_columns(kept)?;
        let types: Vec<DataType> = self.columns.iter().map(|c| c.input_type().clone()).collect();
        let mut fresh = Self::new(&self.key_types())?;
        let mut ids = Vec::with_capacity(kept.len());
        fresh.ids(&columns, Rows::All(kept.len()), &mut ids)?;
        debug_assert!(columns.is_empty() || ids.iter().enumerate().all(|(i, &id)| id == i as u32));
        fresh.columns.iter_mut().zip(types).for_each(|(column, input)| column.set_input(input));
        fresh.seen = !kept.is_empty();
        *self = fresh;
        Ok(())
    }

    /// The types of the columns of [`KeyIndex::key_columns`]: the input's, but a dictionary
    /// comes back as its plain values (`Dictionary(_, Utf8)` as `Utf8`).
    pub fn key_types(&self) -> Vec<DataType> {
        self.columns.iter().map(|column| column.output_type().clone()).collect()
    }

    /// [`KeyIndex::key_columns`] of ids without a gap.
    pub(crate) fn key_columns_between(&self, ids: Range<usize>) -> Result<Vec<ArrayRef>> {
        match self.columns.as_slice() {
            [only] if let Some(values) = only.values_between(ids.clone()) => Ok(vec![values]),
            _ => self.key_columns(&(ids.start as u32..ids.end as u32).collect::<Vec<u32>>()),
        }
    }

    /// The keys of `ids` as columns of [`KeyIndex::key_types`], a row an id.
    ///
    /// # Errors
    /// When the text of one column exceeds what an array can hold (2 GiB).
    ///
    /// # Panics
    /// When an id was never given out.
    pub fn key_columns(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut left: Vec<u32> = ids.to_vec();
        let mut arrays = Vec::with_capacity(self.columns.len());
        for i in (1..self.columns.len()).rev() {
            let mut right = Vec::with_capacity(left.len());
            for id in &mut left {
                let (a, b) = split_ids(self.pairs[i - 1].key(*id));
                *id = a;
                right.push(b);
            }
            arrays.push(self.columns[i].values(&right)?);
        }
        if let Some(first) = self.columns.first() {
            arrays.push(first.values(&left)?);
        }
        arrays.reverse();
        Ok(arrays)
    }
}

/// A pair of ids as one key. Above 2³² always, so that pairs never crowd the direct table that
/// small integers use.
#[inline]
fn join_ids(left: u32, right: u32) -> u64 {
    (u64::from(left) + 1) << 32 | u64::from(right)
}

#[inline]
fn split_ids(key: u64) -> (u32, u32) {
    (((key >> 32) - 1) as u32, key as u32)
}
