//! The keys of a window: their ids, and where each was first seen, which is the last word in the
//! order of the rows given out.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::operator::Rows;
use crate::state::keys::KeyIndex;
use crate::state::room;
use crate::window::expiry::Survivors;

/// Keys to ids, and positions.
#[derive(Debug)]
pub(super) struct SeenKeys {
    pub(super) index: KeyIndex,
    /// `None`: in the order of ids.
    first_seen: Option<FirstSeen>,
    /// Whether there is no other shard, so that the order of rows need not be told.
    alone: bool,
}

/// Where each key was first seen, and whether ids are in that order.
#[derive(Debug)]
struct FirstSeen {
    places: Places,
    /// That of the last key: what each new one is held against, at hand.
    last: Position,
    /// Whether ids stand in the order of these positions: always, unless partitions were read
    /// in turns.
    in_order: bool,
}

impl FirstSeen {
    fn new() -> Self {
        let last = Position { partition: 0, offset: 0 };
        Self { places: Places::default(), last, in_order: true }
    }

    /// A new key was seen here.
    fn push(&mut self, place: Position) {
        self.in_order &= self.last <= place;
        self.last = place;
        self.places.push(place);
    }
}

/// Where each key was first seen. Keys that follow one another mostly come from one partition and
/// from near one another: what they share is held once, and half of the offset a key.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The low halves.
    offsets: Vec<u32>,
    runs: Vec<Run>,
}

/// Keys of one partition whose offsets have one high half.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The first of them.
    first: u32,
    partition: u32,
    high: u32,
}

impl Run {
    fn holds(self, place: Position) -> bool {
        (self.partition, u64::from(self.high)) == (place.partition, place.offset >> 32)
    }
}

impl Places {
    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    fn push(&mut self, place: Position) {
        if self.runs.last().is_none_or(|run| !run.holds(place)) {
            let (first, high) = (self.offsets.len() as u32, (place.offset >> 32) as u32);
            self.runs.push(Run { first, partition: place.partition, high });
        }
        room::make_room(&mut self.offsets, 1);
        self.offsets.push(place.offset as u32);
    }

    /// Where a key was first seen.
    pub(super) fn get(&self, id: u32) -> Position {
        let run = match self.runs.as_slice() {
            [_] => 0,
            runs => runs.partition_point(|run| run.first <= id) - 1,
        };
        let Run { partition, high, .. } = self.runs[run];
        let low = self.offsets[id as usize];
        Position { partition, offset: u64::from(high) << 32 | u64::from(low) }
    }

    fn retain(&mut self, kept: &[u32]) {
        let mut left = Self::default();
        kept.iter().for_each(|&id| left.push(self.get(id)));
        *self = left;
    }

    fn bytes(&self) -> u64 {
        (room::bytes(&self.offsets) + self.runs.capacity() * size_of::<Run>()) as u64
    }
}

impl SeenKeys {
    pub(super) fn new(types: &[DataType]) -> Result<Self> {
        let index = KeyIndex::new(types)?;
        Ok(Self { index, first_seen: Some(FirstSeen::new()), alone: false })
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
        if keys.is_empty() && self.len() > 0 {
            // The only key has been seen, and nobody writes anything else to `ids`.
            debug_assert!(ids.iter().all(|&id| id == 0));
            ids.resize(rows.len(), 0);
            return Ok(());
        }
        self.index.ids(keys, rows, ids)?;
        let Some(seen) = &mut self.first_seen else { return Ok(()) };
        if self.index.len() > seen.places.len() {
            for (i, &id) in ids.iter().enumerate() {
                if id as usize == seen.places.len() {
                    seen.push(batch.position(rows.get(i)));
                }
            }
        }
        Ok(())
    }

    /// The id of one key, given as columns of one row, that a row at this position has.
    ///
    /// # Errors
    /// When there are too many keys.
    pub(super) fn id_of(&mut self, keys: &[ArrayRef], position: Position) -> Result<u32> {
        let mut ids = Vec::with_capacity(1);
        self.index.ids(keys, Rows::All(1), &mut ids)?;
        if let Some(seen) = &mut self.first_seen
            && ids[0] as usize == seen.places.len()
        {
            seen.push(position);
        }
        Ok(ids[0])
    }

    /// Where a key was first seen, or, where the order of ids is that, something in this order.
    pub(super) fn place(&self, id: u32) -> Position {
        match &self.first_seen {
            Some(seen) => seen.places.get(id),
            None => Position { partition: 0, offset: id.into() },
        }
    }

    /// Forgets all keys but those that stay.
    ///
    /// # Errors
    /// When the text of one key column exceeds what an array can hold (2 GiB).
    pub(super) fn retain(&mut self, survivors: &Survivors) -> Result<()> {
        self.index.retain(&survivors.kept)?;
        self.first_seen.iter_mut().for_each(|seen| seen.places.retain(&survivors.kept));
        Ok(())
    }

    /// There is no other shard, and rows come from so many partitions.
    pub(super) fn set_alone(&mut self, partitions: usize) {
        self.alone = true;
        if partitions == 1 {
            self.first_seen = None;
        }
    }

    /// Whether the order of ids is all that rows of one window need.
    pub(super) fn order_themselves(&self) -> bool {
        self.alone && self.first_seen.as_ref().is_none_or(|seen| seen.in_order)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.index.bytes() + self.first_seen.as_ref().map_or(0, |seen| seen.places.bytes())
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
