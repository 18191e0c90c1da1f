//! The over operator: batches in, columns out.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};

use super::derive::Derive;
use super::entries::{Entries, column};
use super::raw::Raw;
use super::spec::{Measure, MeasureKind, Output, OverPlan};
use super::state::{Common, OverState};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::operator::{KeyedEnrich, Rows, StateSize};
use crate::state::codes::ValueCodes;
use crate::state::keys::KeyIndex;

/// So many rows' blocks of keys, then ends of logs, log entries and lists of values are asked for
/// together, each a group ahead of what reads it. A processor holds a prefetch back until it knows
/// where the page lies, which at hundreds of MB of logs takes longer than the line itself, but looks
/// for several pages at a time: asked for a row at a time, each was waited for alone, a fifth of the
/// whole fraud job. Groups of 6 to 16 measure alike.
const GROUP: usize = 16;

/// Computes the columns of an [`OverPlan`] for the rows of one shard.
pub struct Over {
    plan: OverPlan,
    keys: KeyIndex,
    codes: Vec<ValueCodes>,
    state: OverState,
    // Buffers.
    ids: Vec<u32>,
    entries: Entries,
    raw: Raw,
}

impl Over {
    /// An operator without rows yet.
    ///
    /// # Errors
    /// When the plan names columns that the input lacks or that cannot be used so.
    pub fn new(plan: OverPlan, input: &SchemaRef) -> Result<Self> {
        plan.validate()?;
        let types = plan
            .keys
            .iter()
            .map(|name| Ok(input.field_with_name(name)?.data_type().clone()))
            .collect::<Result<Vec<_>>>()?;
        let codes = plan
            .codes
            .iter()
            .map(|name| ValueCodes::new(input.field_with_name(name)?.data_type()))
            .collect::<Result<Vec<_>>>()?;
        let state = OverState::new(&plan);
        Ok(Self {
            keys: KeyIndex::new(&types)?,
            codes,
            state,
            ids: Vec::new(),
            entries: Entries::default(),
            raw: Raw::default(),
            plan,
        })
    }

    /// Asks for what the rows of the next groups behind row `i` will touch.
    fn ask_ahead(&self, i: usize) {
        let group = |number: usize| {
            let end = self.ids.len();
            &self.ids[end.min(i + number * GROUP)..end.min(i + (number + 1) * GROUP)]
        };
        group(2).iter().for_each(|&key| self.state.prefetch_block(key));
        group(1).iter().for_each(|&key| self.state.prefetch_end(key));
        for (row, &key) in (i + GROUP..).zip(group(1)) {
            self.state.prefetch_log(key, self.entries.get(row, 0) as i64);
        }
        group(0).iter().for_each(|&key| self.state.prefetch_values(key));
    }

    fn run(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        let times = batch.times.as_ref().ok_or_else(|| Error::usage("no event times"))?;
        let slack = self.plan.memory_slack();
        self.raw.has_nulls |= self.entries.has_nulls;
        self.raw.resize(&self.state.layout, rows.len());
        let has_nulls = self.raw.has_nulls;
        let earliest = self.entries.word(0).iter().map(|&time| time as i64).min();
        let is_extreme = earliest.is_some_and(|earliest| {
            earliest.checked_sub_unsigned(self.state.layout.reach).is_none()
        });
        let general = has_nulls || self.state.layout.wide || is_extreme;
        let wide_squares = !self.state.squares_fit(self.entries.magnitude, rows.len());
        let common = Common { has_nulls, general, wide_squares };
        for (i, &key) in self.ids.iter().enumerate() {
            if i % GROUP == 0 {
                self.ask_ahead(i);
            }
            let largest = times.largest_before.as_ref().and_then(|largest| {
                let (largest, time) = (largest[rows.get(i)], self.entries.get(i, 0) as i64);
                let behind = largest.saturating_sub(time);
                (largest > time && behind > slack).then_some(largest)
            });
            self.state.rows_beyond_memory += u64::from(largest.is_some());
            let out = self.raw.row(i);
            self.state.advance(key, &self.entries, i, largest, common, out).map_err(
                |overflow| {
                    let column = &self.plan.measures[overflow.measure as usize].column;
                    Error::run(format!("the sum of squares of {column} does not fit into 128 bits"))
                        .at(format!(
                            "partition {}, row {}",
                            batch.partition,
                            batch.offsets.get(rows.get(i))
                        ))
                        .advise("scale the column down or leave its deviation out")
                },
            )?;
        }
        // Of all shards' rows: what is forgotten must not depend on the number of shards.
        let largest = times.time.iter().copied().max().unwrap_or(i64::MIN);
        self.state.end_batch(rows.len(), largest);
        Ok(())
    }
}

impl KeyedEnrich for Over {
    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<Vec<ArrayRef>> {
        let columns = self
            .plan
            .keys
            .iter()
            .map(|name| column(batch, name).cloned())
            .collect::<Result<Vec<_>>>()?;
        self.ids.clear();
        self.keys.ids(&columns, rows, &mut self.ids)?;
        self.entries.fill(&self.plan, &self.state.layout, &mut self.codes, batch, rows)?;
        if self.state.widen_if_needed(&self.plan, self.entries.magnitude, rows.len()) {
            self.entries.fill(&self.plan, &self.state.layout, &mut self.codes, batch, rows)?;
        }
        self.state.ensure_keys(self.keys.len());
        self.run(batch, rows)?;
        if let Some(kept) = self.state.survivors(rows.len()) {
            self.keys.retain(&kept)?;
            self.state.retain_keys(&kept);
        }
        let Self { plan, entries, raw, .. } = self;
        Derive::new(plan, &self.state.layout, entries, raw).columns()
    }

    fn state(&self) -> StateSize {
        let (log_bytes, log_rows) = self.state.log_size();
        let indices = self.keys.bytes() + self.codes.iter().map(ValueCodes::bytes).sum::<u64>();
        StateSize {
            bytes: log_bytes + self.state.table_bytes() + indices,
            log_bytes,
            log_rows,
            keys: self.state.keys() as u64,
            rows_beyond_memory: self.state.rows_beyond_memory,
        }
    }
}

impl OverPlan {
    /// The fields that the operator adds.
    pub fn fields(&self) -> Vec<FieldRef> {
        self.outputs
            .iter()
            .map(|(name, output)| {
                let (data_type, nullable) = self.output_type(*output);
                Arc::new(Field::new(name, data_type, nullable))
            })
            .collect()
    }

    fn output_type(&self, output: Output) -> (DataType, bool) {
        match output {
            Output::Count { .. }
            | Output::CountValid { .. }
            | Output::Distinct { .. }
            | Output::CountSame { .. } => (DataType::Int64, false),
            Output::Sum { m, .. } => match self.measures[m].kind {
                MeasureKind::Integer | MeasureKind::Boolean => (DataType::Int64, true),
                MeasureKind::Decimal(_, scale) => (DataType::Decimal128(38, scale), true),
                MeasureKind::Float => (DataType::Float64, true),
            },
            _ => (DataType::Float64, true),
        }
    }
}

impl Measure {
    /// How a column of this type is summed.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn new(column: &str, data_type: &DataType) -> Result<Self> {
        let kind = match data_type {
            DataType::Boolean => MeasureKind::Boolean,
            other if other.is_floating() => MeasureKind::Float,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale) => MeasureKind::Decimal(*precision, *scale),
            other if other.is_integer() => MeasureKind::Integer,
            other => {
                return Err(Error::usage(format!("column {column} ({other}) cannot be summed"))
                    .advise("integers, decimals, floats and booleans can"));
            }
        };
        Ok(Self { column: column.to_owned(), kind })
    }
}
