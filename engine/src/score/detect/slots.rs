//! Which of a bounded number of states a key has: its own as long as there are any, a shared one
//! after that.
//!
//! ```text
//!  keys in the order in which they first come:  0 1 2 … 255 │ 256 257 …
//!  slots:                                       0 1 2 … 255 │ pools 256 … 271, in turns
//! ```
//! Which keys come first must not depend on how many shards there are, so one shard looks at all
//! rows; that is a lookup a row, where a forest takes a thousand times as long.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::{DataType, Field, SchemaRef};

use super::plan::with_fields;
use crate::batch::Batch;
use crate::error::Result;
use crate::expr::column_index;
use crate::operator::{KeyedEnrich, KeyedStep, Rows, StateSize};
use crate::state::keys::KeyIndex;

/// Keys that have a state of their own: 1.1 GB where each is 4.2 MB, the largest forest.
pub const OWN_KEYS: u32 = 256;
/// States that all further keys share.
pub const POOLS: u32 = 16;

/// Adds a column with the slot of each row's key.
#[derive(Debug, Clone)]
pub struct SlotsPlan {
    /// The column.
    pub name: String,
    /// The key columns.
    pub keys: Vec<String>,
}

impl KeyedStep for SlotsPlan {
    /// None: all rows go to one shard.
    fn keys(&self) -> &[String] {
        &[]
    }

    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        with_fields(input, vec![Field::new(&self.name, DataType::UInt32, false)])
    }

    fn build(&self, input: &SchemaRef) -> Result<Box<dyn KeyedEnrich>> {
        let columns = self.keys.iter().map(|key| column_index(input, key));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let types: Vec<_> = columns.iter().map(|&at| input.field(at).data_type().clone()).collect();
        Ok(Box::new(Slots { columns, keys: KeyIndex::new(&types)?, ids: Vec::new() }))
    }

    fn reads(&self) -> Vec<String> {
        self.keys.clone()
    }

    fn describe(&self) -> String {
        let keys = self.keys.join(", ");
        format!("slots by {keys}: the first {OWN_KEYS} keys have one each, the others {POOLS}")
    }
}

struct Slots {
    columns: Vec<usize>,
    keys: KeyIndex,
    ids: Vec<u32>,
}

/// The slot of a key by its dense id.
fn slot(id: u32) -> u32 {
    if id < OWN_KEYS { id } else { OWN_KEYS + (id - OWN_KEYS) % POOLS }
}

impl KeyedEnrich for Slots {
    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<Vec<ArrayRef>> {
        let keys: Vec<ArrayRef> =
            self.columns.iter().map(|&key| batch.rows.column(key).clone()).collect();
        self.keys.ids(&keys, rows, &mut self.ids)?;
        Ok(vec![Arc::new(UInt32Array::from_iter_values(self.ids.iter().map(|&id| slot(id))))])
    }

    fn state(&self) -> StateSize {
        StateSize {
            bytes: self.keys.bytes() + self.ids.capacity() as u64 * 4,
            ..Default::default()
        }
    }
}
