//! Keys of 128 bits: decimals, and intervals of three parts. Rare as keys, so a plain hash table serves.

use arrow::array::{Array, Decimal128Array};
use hashbrown::HashTable;

use super::NO_ID;
use super::column::Nulls;
use super::table::{checked_id, folded_multiply};
use crate::error::Result;
use crate::operator::Rows;

const SEED: u64 = 0xa409_3822_299f_31d0;

/// Decimals (by their unscaled value) to dense ids, and back.
#[derive(Debug)]
pub(crate) struct WideKeys {
    table: HashTable<u32>,
    /// The value of each id; `None` for null.
    values: Vec<Option<i128>>,
    null_id: u32,
    nulls: Nulls,
}

fn hash(value: i128) -> u64 {
    let low = folded_multiply(value as u64 ^ SEED, 0x9e37_79b9_7f4a_7c15);
    folded_multiply((value >> 64) as u64 ^ low, SEED | 1)
}

impl WideKeys {
    pub(crate) fn new(nulls: Nulls) -> Self {
        Self { table: HashTable::new(), values: Vec::new(), null_id: NO_ID, nulls }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.table.allocation_size() + self.values.capacity() * size_of::<Option<i128>>()) as u64
    }

    /// The value of `id`; `None` is null.
    pub(crate) fn value(&self, id: u32) -> Option<i128> {
        if id == NO_ID { None } else { self.values[id as usize] }
    }

    /// Appends to `out` the id of each row's value.
    pub(crate) fn ids(
        &mut self,
        column: &Decimal128Array,
        rows: Rows<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        for i in 0..rows.len() {
            let row = rows.get(i);
            let id = if column.is_null(row) { self.null()? } else { self.id(column.value(row))? };
            out.push(id);
        }
        Ok(())
    }

    fn id(&mut self, value: i128) -> Result<u32> {
        let values = &self.values;
        let hashed = hash(value);
        if let Some(&id) = self.table.find(hashed, |&id| values[id as usize] == Some(value)) {
            return Ok(id);
        }
        let id = checked_id(values.len())?;
        self.table.insert_unique(hashed, id, |&id| values[id as usize].map_or(0, hash));
        self.values.push(Some(value));
        Ok(id)
    }

    fn null(&mut self) -> Result<u32> {
        if self.null_id == NO_ID && self.nulls == Nulls::AreKeys {
            self.null_id = checked_id(self.values.len())?;
            self.values.push(None);
        }
        Ok(self.null_id)
    }
}
