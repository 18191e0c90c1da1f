//! A stage as the runtime sees it: without state, or keyed; and how parts become wholes.

use std::borrow::Cow;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;

use super::Item;
use super::held::MapStage;
use crate::accel::Accelerator;
use crate::batch::{Batch, Offsets, Position, RowTimes};
use crate::error::Result;
use crate::operator::{KeyedEnrich, KeyedWindow, Rows, StateSize, WindowRows};
use crate::shard;

/// One step of a shard.
pub(crate) enum Stage {
    /// Any core may run it on any batch.
    Map(MapStage),
    /// Runs on the rows of the shard's keys.
    Keyed(Keyed),
}

impl Stage {
    /// Tells the operators what a GPU may do.
    pub(crate) fn set_accelerator(&mut self, accelerator: &Accelerator) {
        match self {
            Self::Map(map) => map.set_accelerator(accelerator),
            Self::Keyed(Keyed::Window { operator, .. }) => operator.set_accelerator(accelerator),
            Self::Keyed(Keyed::Enrich { .. }) => {}
        }
    }

    /// Items that are held while another device works on them or on those before them.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Map(map) => map.held(),
            Self::Keyed(_) => 0,
        }
    }

    /// Whether items may be held.
    pub(super) fn may_hold(&self) -> bool {
        matches!(self, Self::Map(map) if map.has_accelerator())
    }
}

/// The keyed operators of one stage; they do not depend on each other's columns.
pub(crate) enum Keyed {
    /// Operators that add columns: the keys of each, and the schema with all columns added.
    Enrich { operators: Vec<(Vec<usize>, Box<dyn KeyedEnrich>)>, schema: SchemaRef },
    /// Windows: key columns, operator, schema of their rows. Behind other windows the rows that
    /// come have no place in a source: `next` counts them, and their place is their number (items
    /// come in order, and each shard sees all of them, so all shards count alike).
    Window {
        keys: Vec<usize>,
        operator: Box<dyn KeyedWindow>,
        schema: SchemaRef,
        next: Option<u64>,
    },
}

/// What one shard has to say about an item.
pub(crate) enum Part {
    /// Of each operator: which rows (`None`: all), and their new columns.
    Columns(Vec<(Option<Vec<u32>>, Vec<ArrayRef>)>),
    /// Closed windows.
    Windows(Option<WindowRows>),
}

impl Keyed {
    /// Says that there is one shard only, and how many partitions rows come from.
    pub(crate) fn set_alone(&mut self, partitions: usize) {
        if let Self::Window { operator, next, .. } = self {
            // Rows that are numbered come from one place.
            operator.set_alone(if next.is_some() { 1 } else { partitions });
        }
    }

    /// One shard's share of an item.
    pub(crate) fn run(
        &mut self,
        item: &Item,
        (shard, shards): (usize, usize),
        accelerator: Option<&Accelerator>,
    ) -> Result<Part> {
        match self {
            Self::Enrich { operators, .. } => {
                let Some(batch) = item.batch.as_ref().filter(|batch| !batch.is_empty()) else {
                    return Ok(Part::Columns(Vec::new()));
                };
                let mut parts = Vec::with_capacity(operators.len());
                for (keys, operator) in operators {
                    let rows = select(batch, keys, (shard, shards), accelerator)?;
                    let columns = operator.on_batch(batch, as_rows(rows.as_deref(), batch))?;
                    parts.push((rows, columns));
                }
                Ok(Part::Columns(parts))
            }
            Self::Window { keys, operator, next, .. } => {
                if let Some(batch) = item.batch.as_ref().filter(|batch| !batch.is_empty()) {
                    let rows = select(batch, keys, (shard, shards), accelerator)?;
                    let batch = numbered(batch, next);
                    operator.on_batch(&batch, as_rows(rows.as_deref(), &batch))?;
                }
                Ok(Part::Windows(if item.tick {
                    operator.on_tick()?
                } else {
                    operator.on_watermark(item.watermark)?
                }))
            }
        }
    }

    /// More of what the last item closed, where that is given out in pieces.
    pub(crate) fn next_rows(&mut self) -> Result<Part> {
        match self {
            Self::Enrich { .. } => Ok(Part::Windows(None)),
            Self::Window { operator, .. } => operator.next_rows().map(Part::Windows),
        }
    }

    /// Whether [`Keyed::next_rows`] has something to give.
    pub(crate) fn has_more(&self) -> bool {
        matches!(self, Self::Window { operator, .. } if operator.has_more())
    }

    /// The item after the stage, from the parts of all shards.
    pub(crate) fn join(&self, mut item: Item, parts: Vec<Part>) -> Result<Item> {
        match self {
            Self::Enrich { operators, schema } => {
                let Some(batch) = item.batch.take_if(|batch| !batch.is_empty()) else {
                    return Ok(empty_item(item, schema));
                };
                let mut columns = Vec::with_capacity(schema.fields().len());
                let parts = parts.into_iter().map(|part| match part {
                    Part::Columns(parts) => parts,
                    Part::Windows(_) => unreachable!("an enrich stage gives columns"),
                });
                let mut parts: Vec<_> = parts.map(Vec::into_iter).collect();
                for _ in operators {
                    let of_one = parts.iter_mut().filter_map(Iterator::next).collect();
                    columns.extend(join_columns(batch.len(), of_one)?);
                }
                Ok(Item { batch: Some(batch.with_columns(schema.clone(), columns)?), ..item })
            }
            Self::Window { schema, .. } => {
                let parts = parts.into_iter().filter_map(|part| match part {
                    Part::Windows(rows) => rows,
                    Part::Columns(_) => unreachable!("a window stage gives windows"),
                });
                join_windows(&item, schema, parts.collect())
            }
        }
    }

    pub(crate) fn state(&self) -> StateSize {
        let mut size = StateSize::default();
        match self {
            Self::Enrich { operators, .. } => {
                for (_, operator) in operators {
                    size += operator.state();
                }
            }
            Self::Window { operator, .. } => size += operator.state(),
        }
        size
    }
}

/// The batch with its rows numbered, where they are to be.
fn numbered<'a>(batch: &'a Batch, next: &mut Option<u64>) -> Cow<'a, Batch> {
    let Some(next) = next else { return Cow::Borrowed(batch) };
    let offsets = Offsets::Contiguous(*next);
    *next += batch.len() as u64;
    Cow::Owned(Batch { partition: 0, offsets, ..batch.clone() })
}

fn select(
    batch: &Batch,
    keys: &[usize],
    (shard, shards): (usize, usize),
    accelerator: Option<&Accelerator>,
) -> Result<Option<Vec<u32>>> {
    if shards == 1 {
        return Ok(None);
    }
    let columns: Vec<ArrayRef> = keys.iter().map(|&key| batch.rows.column(key).clone()).collect();
    let mut rows = Vec::with_capacity(batch.len() / shards * 9 / 8);
    let of = (shard as u32, shards as u32);
    shard::select(&columns, batch.len(), of, accelerator, &mut rows)?;
    Ok(Some(rows))
}

fn as_rows<'a>(rows: Option<&'a [u32]>, batch: &Batch) -> Rows<'a> {
    rows.map_or(Rows::All(batch.len()), Rows::Some)
}

/// An item without rows still shows later stages the right schema.
fn empty_item(item: Item, schema: &SchemaRef) -> Item {
    let batch = item.batch.map(|batch| {
        let rows = RecordBatch::new_empty(schema.clone());
        Batch { offsets: Offsets::Contiguous(0), times: None, origin: None, rows, ..batch }
    });
    Item { batch, ..item }
}

/// Columns of all rows from the columns of each shard's rows: a merge by row number.
fn join_columns(
    rows: usize,
    mut parts: Vec<(Option<Vec<u32>>, Vec<ArrayRef>)>,
) -> Result<Vec<ArrayRef>> {
    if let [(None, columns)] = parts.as_mut_slice() {
        return Ok(std::mem::take(columns));
    }
    let mut places = vec![(0, 0); rows];
    for (shard, (selection, _)) in parts.iter().enumerate() {
        for (i, &row) in selection.iter().flatten().enumerate() {
            places[row as usize] = (shard, i);
        }
    }
    let columns = parts.first().map_or(0, |part| part.1.len());
    (0..columns)
        .map(|column| {
            let arrays: Vec<_> = parts.iter().map(|part| part.1[column].as_ref()).collect();
            Ok(interleave(&arrays, &places)?)
        })
        .collect()
}

/// The windows of all shards in their order.
fn join_windows(item: &Item, schema: &SchemaRef, parts: Vec<WindowRows>) -> Result<Item> {
    let (rows, time) = match parts.as_slice() {
        [] => return Ok(Item { batch: None, ..item.clone() }),
        [part] => (part.rows.clone(), part.times.clone()),
        parts => merge_windows(schema, parts)?,
    };
    let times = RowTimes {
        time,
        sorted: false,
        late: None,
        largest_before: None,
        watermark: item.watermark,
    };
    let mut batch = Batch::new(rows, 0);
    batch.times = Some(times);
    batch.epoch = item.epoch;
    if let Some(arrived) = item.batch.as_ref().map(|batch| batch.arrived) {
        batch.arrived = arrived;
    }
    Ok(Item { batch: Some(batch), ..item.clone() })
}

/// The rows of several shards, and their times, by the order that each part brings.
fn merge_windows(
    schema: &SchemaRef,
    parts: &[WindowRows],
) -> Result<(RecordBatch, ScalarBuffer<i64>)> {
    let mut order: Vec<((i64, i64, Position), usize, usize)> = Vec::new();
    for (shard, part) in parts.iter().enumerate() {
        debug_assert_eq!(part.order.len(), part.rows.num_rows());
        order.extend(part.order.iter().enumerate().map(|(i, &key)| (key, shard, i)));
    }
    // Each part is sorted already: a stable sort finds the runs and merges them.
    order.sort();
    let places: Vec<_> = order.iter().map(|&(_, shard, i)| (shard, i)).collect();
    let columns = (0..schema.fields().len())
        .map(|column| {
            let arrays: Vec<_> =
                parts.iter().map(|part| part.rows.column(column).as_ref()).collect();
            Ok(interleave(&arrays, &places)?)
        })
        .collect::<Result<Vec<_>>>()?;
    let times = places.iter().map(|&(shard, i)| parts[shard].times[i]).collect();
    Ok((RecordBatch::try_new(schema.clone(), columns)?, times))
}
