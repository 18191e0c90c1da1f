//! One window for all rows of a key: closed by the end of the input.
//!
//! A row goes into its key's state as it comes, so float sums add by position. The window's
//! bounds are those of its rows: from the time of the first to just after the last.

use arrow::datatypes::SchemaRef;

use super::aggregate::{Positions, RowSet, Table};
use super::keys::{SeenKeys, on_time};
use super::output::Output;
use super::spec::{Plan, WindowSpec};
use crate::batch::Batch;
use crate::error::Result;
use crate::operator::{KeyedWindow, Rows, StateSize, WindowRows};

/// A window without end over the rows of one shard.
#[derive(Debug)]
pub struct GlobalWindow {
    plan: Plan,
    keys: SeenKeys,
    /// States and bounds (first and last time), by key id.
    table: Table,
    bounds: Vec<(i64, i64)>,
    // Buffers.
    ids: Vec<u32>,
    kept: Vec<u32>,
}

impl GlobalWindow {
    /// A window over rows of the schema `input`.
    ///
    /// # Errors
    /// When a column is missing or of a type that cannot be aggregated or be a key.
    pub fn new(spec: &WindowSpec, input: &SchemaRef) -> Result<Self> {
        let plan = Plan::new(spec, input)?;
        Ok(Self {
            keys: SeenKeys::new(&plan.key_types(input))?,
            table: Table::new(&plan.aggregates),
            bounds: Vec::new(),
            ids: Vec::new(),
            kept: Vec::new(),
            plan,
        })
    }

    /// Schema of the rows given out.
    pub fn output_schema(&self) -> SchemaRef {
        self.plan.output.clone()
    }
}

impl KeyedWindow for GlobalWindow {
    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        let (times, rows) = on_time(batch, rows, &mut self.kept)?;
        if rows.is_empty() {
            return Ok(());
        }
        self.keys.ids(&self.plan.key_columns(&batch.rows), batch, rows, &mut self.ids)?;
        self.table.resize(self.keys.len());
        self.bounds.resize(self.keys.len(), (i64::MAX, i64::MIN));
        for (i, &id) in self.ids.iter().enumerate() {
            let time = times[rows.get(i)];
            let (first, last) = &mut self.bounds[id as usize];
            (*first, *last) = ((*first).min(time), (*last).max(time));
        }
        let aggregates = &self.plan.aggregates;
        let columns = aggregates.read(&aggregates.arrays(&batch.rows)?)?;
        let rows = RowSet { rows, times, positions: Positions::Of(batch) };
        self.table.add_rows(&aggregates.lifts, &columns, &rows, &self.ids)
    }

    fn on_watermark(&mut self, watermark: i64) -> Result<Option<WindowRows>> {
        if watermark != i64::MAX || self.bounds.is_empty() {
            return Ok(None);
        }
        let table = std::mem::replace(&mut self.table, Table::new(&self.plan.aggregates));
        let bounds = std::mem::take(&mut self.bounds);
        let out = Output {
            unfinished_from: Some(0),
            windows: bounds.iter().map(|&(s, e)| (s.into(), i128::from(e) + 1, 1)).collect(),
            keys: (0..bounds.len() as u32).collect(),
            table,
            changes: None,
        };
        out.finish(&self.plan, &self.keys).map(Some)
    }

    fn state(&self) -> StateSize {
        let buffers =
            (self.ids.capacity() + self.kept.capacity()) * 4 + self.bounds.capacity() * 16;
        StateSize {
            bytes: self.keys.bytes() + (self.table.bytes() + buffers) as u64,
            keys: self.keys.len() as u64,
            ..StateSize::default()
        }
    }
}
