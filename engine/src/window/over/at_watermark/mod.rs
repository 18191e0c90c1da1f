//! Over windows answered at the watermark: exact by event time, whatever the disorder.
//!
//! For each row that is not late: what do the rows of its key in (t − delay − length, t − delay]
//! add up to, over *all* rows with such a time, or the last n rows of its key by (time, position)?
//! A row can be answered once the watermark has passed its time, as none before it and none of
//! its own time is then expected. Rows come out by (time, position), and only then.
//!
//! ```text
//!  rows ─▶ wait ─▶ by (time, position) ─┬─▶ log ─▶ cursors, sums, deques    fast.rs, pass.rs
//!          waiting.rs                   │          (horizons by time)
//!          order.rs                     └─▶ rows of each key ─▶ blocks      blocks.rs
//!                                                  (by rows; any aggregate)    │
//!  rows with columns ◀── whole columns, a release at a time ◀──────────────────┘
//! ```
//! Because rows go by time, one log of all keys with one pair of cursors a horizon does what a
//! log a key would, without a cold place a row (`pelton_kernels::over_advance`): 20 bytes a row of
//! log with one measure, and 16 bytes a key and horizon with one sum. Rows that no horizon needs
//! are forgotten from the log's front, those of silent keys too.
//!
//! A row behind the watermark that is not marked late (a partition that woke) comes too late to be
//! put in order: it is counted in [`StateSize::rows_beyond_memory`].

mod alike;
mod blocks;
mod fast;
mod gather;
mod held;
mod log;
mod lower;
mod order;
mod pass;
mod running;
mod spec;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, SchemaRef, UInt32Type};

pub use spec::{Extent, OverColumn, Relation, WatermarkPlan};

use crate::batch::Batch;
use crate::error::Result;
use crate::operator::{KeyedWindow, Rows, StateSize, WindowRows};
use crate::state::keys::KeyIndex;
use crate::window::aggregate::{AggregatePlan, find, plain};
use crate::window::expiry::Survivors;
use crate::window::keys::on_time;
use alike::Alike;
use blocks::Blocks;
use fast::Fast;
use waiting::{Ready, Waiting};

/// Up to so many rows keys are not looked through.
const FORGET_ROWS_MIN: usize = if cfg!(test) { 8 } else { 1024 };

/// Where a column of the output that is carried comes from.
#[derive(Debug)]
enum Carried {
    /// The rows' times, in this type.
    Time(DataType),
    /// A held column.
    Held(usize),
}

/// Over windows at the watermark, of one shard.
pub struct WatermarkOver {
    // Set once.
    output: SchemaRef,
    /// Key columns in the input.
    key_columns: Vec<usize>,
    /// Columns of the input that rows keep while they wait, after the ids of their keys.
    held: Vec<usize>,
    carried: Vec<Carried>,
    // Changes.
    keys: KeyIndex,
    waiting: Waiting,
    fast: Option<Fast>,
    blocks: Vec<Blocks>,
    alike: Vec<Alike>,
    watermark: i64,
    rows_beyond_memory: u64,
    /// Rows since keys were looked through.
    rows_since: usize,
    /// Whether there is no other shard, whose rows these would have to be merged with.
    alone: bool,
    // Buffers.
    ids: Vec<u32>,
    kept: Vec<u32>,
}

impl WatermarkOver {
    /// An operator without rows yet.
    ///
    /// # Errors
    /// When a column is missing or cannot be a key or be aggregated so, or a horizon is empty.
    pub fn new(plan: &WatermarkPlan, input: &SchemaRef) -> Result<Self> {
        let resolved = plan.resolve(input)?;
        let key_columns =
            plan.keys.iter().map(|key| find(input, key)).collect::<Result<Vec<usize>>>()?;
        let key_types: Vec<DataType> =
            key_columns.iter().map(|&key| input.field(key).data_type().clone()).collect();
        let fast = resolved.read.map(|read| Fast::new(read, &plan.horizons, &resolved.fast));
        let blocks = resolved.groups.into_iter().map(|group| {
            let aggregates = AggregatePlan::new(&group.aggregates, input, plan.unit)?;
            Ok(Blocks::new(aggregates, group, &plan.horizons))
        });
        let blocks = blocks.collect::<Result<Vec<_>>>()?;
        let mut held: Vec<usize> = Vec::new();
        let mut place = |index: usize| {
            held.iter().position(|&known| known == index).unwrap_or_else(|| {
                held.push(index);
                held.len() - 1
            })
        };
        let mut carried = Vec::new();
        for name in &plan.carried {
            let index = find(input, name)?;
            let data_type = input.field(index).data_type();
            let is_whole = matches!(data_type, DataType::Int64 | DataType::Timestamp(..));
            carried.push(match *name == plan.time && is_whole {
                true => Carried::Time(data_type.clone()),
                false => Carried::Held(place(index)),
            });
        }
        let alike = Alike::of_columns(&resolved.alike, input)?;
        for index in alike.iter().map(Alike::value) {
            place(index);
        }
        let plans = fast.iter().map(Fast::plan).chain(blocks.iter().map(Blocks::plan));
        plans.flat_map(AggregatePlan::indices).for_each(|index| {
            place(index);
        });
        Ok(Self {
            output: resolved.output,
            key_columns,
            held,
            carried,
            keys: KeyIndex::new(&key_types)?,
            waiting: Waiting::default(),
            fast,
            blocks,
            alike,
            watermark: i64::MIN,
            rows_beyond_memory: 0,
            rows_since: 0,
            alone: false,
            ids: Vec::new(),
            kept: Vec::new(),
        })
    }

    /// Schema of the rows given out.
    pub fn output_schema(&self) -> SchemaRef {
        self.output.clone()
    }

    /// The plans whose filters' columns rows keep, in order.
    fn plans(&self) -> impl Iterator<Item = &AggregatePlan> {
        self.fast.iter().map(Fast::plan).chain(self.blocks.iter().map(Blocks::plan))
    }

    /// What rows keep while they wait: ids of keys, columns, filters. Dictionaries as their
    /// values: those of different batches differ.
    fn columns(&self, batch: &Batch, ids: UInt32Array) -> Result<Vec<ArrayRef>> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(ids)];
        for &index in &self.held {
            let column = batch.rows.column(index);
            let plain = plain(column.data_type());
            columns.push(match &plain == column.data_type() {
                true => column.clone(),
                false => arrow::compute::cast(column, &plain)?,
            });
        }
        for plan in self.plans() {
            columns.extend(plan.filter_arrays(&batch.rows)?);
        }
        Ok(columns)
    }

    fn take(&mut self, batch: &Batch, times: &[i64], rows: Rows<'_>) -> Result<()> {
        let keys: Vec<ArrayRef> =
            self.key_columns.iter().map(|&key| batch.rows.column(key).clone()).collect();
        self.keys.ids(&keys, rows, &mut self.ids)?;
        let ids = match rows {
            Rows::All(_) => UInt32Array::from(self.ids.clone()),
            Rows::Some(rows) => {
                let mut ids = vec![0; batch.len()];
                rows.iter().zip(&self.ids).for_each(|(&row, &id)| ids[row as usize] = id);
                UInt32Array::from(ids)
            }
        };
        let columns = self.columns(batch, ids)?;
        let known = self.watermark;
        let place = (batch.partition, batch.offsets.clone(), batch.len());
        let before = self.waiting.len();
        let waiting = (0..rows.len()).map(|i| rows.get(i));
        let waiting = waiting.map(|row| (row as u32, times[row]));
        self.waiting.add(columns, place, waiting.filter(|&(_, time)| time > known))?;
        let taken = self.waiting.len() - before;
        self.rows_since += taken;
        self.rows_beyond_memory += (rows.len() - taken) as u64;
        Ok(())
    }

    /// Forgets the keys that no horizon and no waiting row holds: they answer as those that never
    /// came. Looked for once half as many rows have come as there are keys and rows to look at, which
    /// a stream of keys that come once reaches as well.
    fn forget_keys(&mut self) -> Result<()> {
        let keys = self.keys.len();
        // Blocks are cut by the numbers of a key's rows, which must go on; pairs hold key ids.
        let can_forget = self.blocks.is_empty() && self.alike.is_empty();
        let Some(fast) = self.fast.as_mut().filter(|_| can_forget) else { return Ok(()) };
        let rows = fast.log_rows() + self.waiting.len();
        if 2 * self.rows_since < keys.max(rows).max(FORGET_ROWS_MIN) {
            return Ok(());
        }
        self.rows_since = 0;
        let mut held = vec![false; keys];
        let needed = fast.keys().iter().copied().chain(self.waiting.keys());
        needed.for_each(|key| held[key as usize] = true);
        let kept: Vec<u32> = (0..keys as u32).filter(|&key| held[key as usize]).collect();
        // Keys that will soon come again are dearer to forget than to know.
        if kept.len() * 4 > keys {
            return Ok(());
        }
        self.keys.retain(&kept)?;
        let survivors = Survivors::of(kept, keys);
        fast.retain_keys(&survivors);
        self.waiting.rename_keys(&survivors);
        Ok(())
    }

    fn answer(&mut self, ready: Ready) -> Result<WindowRows> {
        let Ready { times, positions, columns } = ready;
        let (ids, held) = columns.split_first().map_or((None, &[][..]), |(ids, held)| {
            (Some(ids.as_primitive::<UInt32Type>().values()), held)
        });
        let ids: &[u32] = ids.map_or(&[], |ids| ids);
        let (own, mut filters) = held.split_at(self.held.len());
        let mut arrays_of = |plan: &AggregatePlan| -> Vec<ArrayRef> {
            let place = |index: &usize| self.held.iter().position(|held| held == index);
            let indices = plan.indices();
            let mut arrays: Vec<ArrayRef> =
                indices.iter().filter_map(place).map(|at| own[at].clone()).collect();
            let (of_plan, others) = filters.split_at(plan.filter_count());
            filters = others;
            arrays.extend(of_plan.iter().cloned());
            arrays
        };
        let carried = self.carried.len();
        let fields: Vec<_> = self.output.fields()[carried..].iter().map(|f| f.as_ref()).collect();
        let mut added: Vec<(usize, ArrayRef)> = Vec::new();
        let known = self.keys.len();
        if let Some(fast) = &mut self.fast {
            let arrays = arrays_of(fast.plan());
            added.extend(fast.answer(&times, ids, &arrays, known, &fields)?);
        }
        for blocks in &mut self.blocks {
            let arrays = arrays_of(blocks.plan());
            added.extend(blocks.answer(&times, ids, arrays, known)?);
        }
        for alike in &mut self.alike {
            let held = self.held.iter().position(|&held| held == alike.value());
            let value = held.map_or_else(|| own[0].clone(), |at| own[at].clone());
            added.extend(alike.answer(&times, ids, &value)?);
        }
        added.sort_unstable_by_key(|(output, _)| *output);
        let rows = times.len();
        let order = times.iter().zip(positions);
        let order = order.map(|(&time, at)| (time.saturating_add(1), time, at)).collect();
        let mut arrays = Vec::with_capacity(carried + added.len());
        let times = ScalarBuffer::from(times);
        for column in &self.carried {
            arrays.push(match column {
                Carried::Time(data_type) => {
                    let whole: ArrayRef = Arc::new(Int64Array::new(times.clone(), None));
                    arrow::compute::cast(&whole, data_type)?
                }
                Carried::Held(at) => own[*at].clone(),
            });
        }
        arrays.extend(added.into_iter().map(|(_, array)| array));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(self.output.clone(), arrays, &options)?;
        Ok(WindowRows { rows, times, order })
    }
}

impl KeyedWindow for WatermarkOver {
    fn set_alone(&mut self, _partitions: usize) {
        self.alone = true;
    }

    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        let mut kept = std::mem::take(&mut self.kept);
        let result = on_time(batch, rows, &mut kept).and_then(|(times, rows)| {
            if rows.is_empty() { Ok(()) } else { self.take(batch, times, rows) }
        });
        self.kept = kept;
        result
    }

    fn on_watermark(&mut self, watermark: i64) -> Result<Option<WindowRows>> {
        self.watermark = self.watermark.max(watermark);
        let ready = self.waiting.ready(self.watermark, !self.alone)?;
        let given = ready.map(|ready| self.answer(ready)).transpose()?;
        self.forget_keys()?;
        Ok(given)
    }

    fn state(&self) -> StateSize {
        let fast = self.fast.as_ref();
        let blocks: usize = self.blocks.iter().map(Blocks::bytes).sum();
        let log_bytes: usize = self.blocks.iter().map(Blocks::log_bytes).sum();
        let log_rows: u64 = self.blocks.iter().map(Blocks::log_rows).sum();
        let own = (self.ids.capacity() + self.kept.capacity()) * 4 + self.waiting.bytes();
        let alike: usize = self.alike.iter().map(Alike::bytes).sum();
        let alike_logs: usize = self.alike.iter().map(Alike::log_bytes).sum();
        let alike_rows: usize = self.alike.iter().map(Alike::log_rows).sum();
        StateSize {
            bytes: self.keys.bytes() + (own + blocks + alike + fast.map_or(0, Fast::bytes)) as u64,
            log_bytes: (log_bytes + alike_logs + fast.map_or(0, Fast::log_bytes)) as u64,
            log_rows: log_rows + (alike_rows + fast.map_or(0, Fast::log_rows)) as u64,
            // Rows that only wait are counted by key where their keys have a state.
            keys: if self.fast.is_none() && self.blocks.is_empty() && self.alike.is_empty() {
                0
            } else {
                self.keys.len() as u64
            },
            rows_beyond_memory: self.rows_beyond_memory,
        }
    }
}
