//! The keys of a window: their ids, and where each was first seen, which is the last word in the
//! order of the rows given out.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::operator::Rows;
use crate::state::keys::KeyIndex;

/// Keys to ids, and positions.
#[derive(Debug)]
pub(super) struct SeenKeys {
    pub(super) index: KeyIndex,
    /// Where each key was first seen.
    pub(super) first_seen: Vec<Position>,
    /// Whether ids stand in the order of these positions: always, unless partitions were read
    /// in turns.
    in_order: bool,
    /// Whether there is no other shard, so that the order of rows need not be told.
    alone: bool,
}

impl SeenKeys {
    pub(super) fn new(types: &[DataType]) -> Result<Self> {
        let index = KeyIndex::new(types)?;
        Ok(Self { index, first_seen: Vec::new(), in_order: true, alone: false })
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Writes the id of each row's key to `ids` (cleared first).
    pub(super) fn ids(
        &mut self,
        keys: &[ArrayRef],
        batch: &Batch,
        rows: Rows<'_>,
        ids: &mut Vec<u32>,
    ) -> Result<()> {
        if keys.is_empty() && !self.first_seen.is_empty() {
            // The only key has been seen, and nobody writes anything else to `ids`.
            debug_assert!(ids.iter().all(|&id| id == 0));
            ids.resize(rows.len(), 0);
            return Ok(());
        }
        self.index.ids(keys, rows, ids)?;
        if self.index.len() > self.first_seen.len() {
            for (i, &id) in ids.iter().enumerate() {
                if id as usize == self.first_seen.len() {
                    let position = batch.position(rows.get(i));
                    self.in_order &= self.first_seen.last().is_none_or(|last| *last <= position);
                    self.first_seen.push(position);
                }
            }
        }
        Ok(())
    }

    /// There is no other shard.
    pub(super) fn set_alone(&mut self) {
        self.alone = true;
    }

    /// Whether the order of ids is all that rows of one window need.
    pub(super) fn order_themselves(&self) -> bool {
        self.alone && self.in_order
    }

    pub(super) fn bytes(&self) -> u64 {
        self.index.bytes() + (self.first_seen.capacity() * size_of::<Position>()) as u64
    }
}

/// The event times of a batch, and its rows that are not late (written to `kept` where some are).
pub(super) fn on_time<'a>(
    batch: &'a Batch,
    rows: Rows<'a>,
    kept: &'a mut Vec<u32>,
) -> Result<(&'a [i64], Rows<'a>)> {
    let Some(times) = &batch.times else {
        return Err(Error::run("a window was given rows without event times"));
    };
    let Some(late) = times.late.as_ref().filter(|late| late.count_set_bits() > 0) else {
        return Ok((&times.time, rows));
    };
    kept.clear();
    let all = (0..rows.len()).map(|i| rows.get(i));
    kept.extend(all.filter(|&row| !late.value(row)).map(|row| row as u32));
    Ok((&times.time, Rows::Some(kept)))
}
