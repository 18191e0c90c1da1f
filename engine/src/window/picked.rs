//! Tumbling, hopping and cumulating windows that take rows in *before* the filter and the lookup in
//! front of them.
//!
//! A filter copies the rows that it keeps, and a lookup makes a column of what it found. A window
//! right behind them needs neither: it takes rows in by their numbers, and where it is keyed by
//! columns of the table alone, the table's row says which key a row has.
//!
//! ```text
//!  batch ─▶ filter ─▶ fewer rows ─▶ lookup ─▶ + campaign ─▶ key ids ─▶ panes      as written
//!  batch ─▶ mask ─▶ row numbers ─▶ table rows ─▶ key ids (an array) ─▶ panes      as run
//! ```
//!
//! It is made where one shard has all rows: rows go to shards by the keys, which are not known
//! before the lookup.

use std::sync::Arc;

use arrow::array::BooleanArray;
use pelton_kernels::batch_filter::filter_rows;
use pelton_kernels::columns::words;
use pelton_kernels::simd::level;

use super::counted::Counter;
use super::keys::SeenKeys;
use super::pane::PaneWindow;
use crate::accel::Accelerator;
use crate::batch::Batch;
use crate::error::Result;
use crate::operator::{KeyedWindow, MapOperator, PickRows, Rows, StateSize, TableRows, WindowRows};
use crate::state::keys::NO_ID;

/// Where fewer than one row in so many is kept, they are copied: then what is done to whole
/// columns costs less.
const FEW: usize = 8;

/// Panes behind a filter, a lookup or both.
pub(crate) struct PickedWindow {
    /// A step that takes rows out.
    filter: Option<Arc<dyn MapOperator>>,
    /// The step that adds the columns that windows are keyed by.
    table: Option<TableKeys>,
    window: PaneWindow,
    accelerator: Option<Accelerator>,
    counter: Counter,
    /// Numbers of the rows that are kept.
    rows: Vec<u32>,
}

impl PickedWindow {
    /// `window` is one over rows with the columns of the table, if there is one, behind the
    /// batch's own, and keyed by its columns `keys`.
    pub(super) fn new(
        filter: Option<Arc<dyn MapOperator>>,
        table: Option<Arc<dyn MapOperator>>,
        keys: &[String],
        window: PaneWindow,
    ) -> Self {
        let table = table.map(|step| TableKeys::new(step, keys));
        let counter = Counter::default();
        Self { filter, table, window, accelerator: None, counter, rows: Vec::new() }
    }

    fn take(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        match &mut self.table {
            None => self.window.on_batch(batch, rows),
            Some(table) => self
                .window
                .take_keyed(batch, rows, |keys, rows, ids| table.ids(keys, batch, rows, ids)),
        }
    }

    /// Takes rows in from the first on, where all that is done with them is to count them; gives
    /// the number of those that need nothing more.
    fn count(
        &mut self,
        batch: &Batch,
        rows: Rows<'_>,
        keep: Option<&BooleanArray>,
    ) -> Result<usize> {
        let (Rows::All(_), Some(keys)) = (rows, &self.table) else { return Ok(0) };
        // Every pass that there is was asked for.
        let is_forced = self.accelerator.as_ref().is_some_and(Accelerator::is_forced);
        if is_forced || !self.window.only_counts() || !self.counter.is_due(batch) {
            return Ok(0);
        }
        let Some(table) = keys.step.as_table() else { return Ok(0) };
        let Some(codes) = table.codes(&batch.rows)? else { return Ok(0) };
        let ids = (keys.ids.as_slice(), keys.known);
        self.counter.count(&mut self.window, batch, keep, &codes, ids)
    }

    /// Takes all rows in.
    fn take_all(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        match self.count(batch, rows, None)? {
            0 => self.take(batch, rows),
            done if done == rows.len() => Ok(()),
            done => {
                let rest: Vec<u32> = (done as u32..rows.len() as u32).collect();
                self.take(batch, Rows::Some(&rest))
            }
        }
    }

    fn take_picked(&mut self, picker: &dyn PickRows, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        let keep = picker.keep(batch)?;
        let kept = keep.true_count();
        if kept == 0 {
            return Ok(());
        }
        let done = self.count(batch, rows, Some(&keep))?;
        match rows {
            _ if done == rows.len() => return Ok(()),
            Rows::All(len) if done == 0 && kept == len => return self.take(batch, rows),
            Rows::All(len) if done == 0 && kept < len / FEW => {
                let batch = picker.picked(batch, &keep, self.accelerator.as_ref())?;
                return self.take(&batch, Rows::All(kept));
            }
            _ => {}
        }
        let mut numbers = std::mem::take(&mut self.rows);
        list(&keep, rows, self.accelerator.as_ref(), &mut numbers);
        let rest = &numbers[numbers.partition_point(|&row| (row as usize) < done)..];
        let result = self.take(batch, Rows::Some(rest));
        self.rows = numbers;
        result
    }
}

/// Writes the numbers of the rows that are kept to `numbers` (cleared first).
fn list(
    keep: &BooleanArray,
    rows: Rows<'_>,
    accelerator: Option<&Accelerator>,
    numbers: &mut Vec<u32>,
) {
    numbers.clear();
    match rows {
        Rows::All(_) => {
            let mask = keep.values().bit_chunks().iter_padded().take(words(keep.len()));
            let mask: Vec<u64> = mask.collect();
            if !list_on_gpu(&mask, keep.len(), accelerator, numbers) {
                filter_rows(level(), &mask, 0, numbers);
            }
        }
        Rows::Some(own) => {
            numbers.extend(own.iter().copied().filter(|&row| keep.value(row as usize)));
        }
    }
}

/// Whether a GPU has written the numbers.
#[cfg(feature = "gpu")]
fn list_on_gpu(
    mask: &[u64],
    rows: usize,
    accelerator: Option<&Accelerator>,
    numbers: &mut Vec<u32>,
) -> bool {
    let kernel = crate::accel::Kernel::Filter;
    let Some(accelerator) = accelerator else { return false };
    let Some(gpu) = accelerator.gpu_for(kernel, rows) else { return false };
    let done = pelton_kernels::batch_filter::gpu::filter_rows(gpu, mask, 0, numbers);
    done.map_err(|error| accelerator.failed(kernel, &error)).is_ok()
}

#[cfg(not(feature = "gpu"))]
fn list_on_gpu(_: &[u64], _: usize, accelerator: Option<&Accelerator>, _: &mut Vec<u32>) -> bool {
    debug_assert!(accelerator.is_none(), "there is no GPU");
    false
}

impl KeyedWindow for PickedWindow {
    fn set_alone(&mut self, partitions: usize) {
        self.window.set_alone(partitions);
    }

    fn set_accelerator(&mut self, accelerator: &Accelerator) {
        self.window.set_accelerator(accelerator);
        self.accelerator = Some(accelerator.clone());
    }

    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<()> {
        let filter = self.filter.clone();
        match filter.as_ref().and_then(|filter| filter.as_picker()) {
            Some(picker) => self.take_picked(picker, batch, rows),
            None => self.take_all(batch, rows),
        }
    }

    fn on_watermark(&mut self, watermark: i64) -> Result<Option<WindowRows>> {
        self.window.on_watermark(watermark)
    }

    fn next_rows(&mut self) -> Result<Option<WindowRows>> {
        self.window.next_rows()
    }

    fn has_more(&self) -> bool {
        self.window.has_more()
    }

    fn state(&self) -> StateSize {
        let mut size = self.window.state();
        size.bytes += (self.rows.capacity() * 4) as u64 + self.counter.bytes();
        size.bytes += self.table.as_ref().map_or(0, |table| (table.ids.len() * 4) as u64);
        size
    }
}

/// The key ids of a table's rows.
struct TableKeys {
    step: Arc<dyn MapOperator>,
    /// The key columns.
    names: Vec<String>,
    /// For each row of the table the id of its key, and, last, that of rows without one;
    /// [`NO_ID`]: not seen yet.
    ids: Vec<u32>,
    /// How many of these there are.
    known: usize,
    /// The table's rows of a batch.
    found: Vec<u32>,
}

impl TableKeys {
    fn new(step: Arc<dyn MapOperator>, names: &[String]) -> Self {
        let rows = step.as_table().map_or(0, TableRows::table_rows);
        Self {
            step,
            names: names.to_vec(),
            ids: vec![NO_ID; rows + 1],
            known: 0,
            found: Vec::new(),
        }
    }

    /// Writes the key id of each row to `out` (cleared first).
    fn ids(
        &mut self,
        keys: &mut SeenKeys,
        batch: &Batch,
        rows: Rows<'_>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        out.clear();
        let Some(table) = self.step.as_table() else { return Ok(()) };
        table.find(&batch.rows, rows, &mut self.found)?;
        let last = self.ids.len() - 1;
        let slot = |row: u32| (row as usize).min(last);
        out.extend(self.found.iter().map(|&row| self.ids[slot(row)]));
        if !out.contains(&NO_ID) {
            return Ok(());
        }
        // In the order of rows: ids are given in it.
        for (i, (id, &row)) in out.iter_mut().zip(&self.found).enumerate() {
            if *id == NO_ID {
                let known = &mut self.ids[slot(row)];
                if *known == NO_ID {
                    let columns = table.columns_of(&self.names, row)?;
                    *known = keys.id_of(&columns, batch.position(rows.get(i)))?;
                    self.known += 1;
                }
                *id = *known;
            }
        }
        Ok(())
    }
}
