//! The part of an open pane that lies on a GPU: the rows since it was last read back.
//!
//! ```text
//!  batch ──▶ the core: the pane's table            batch ──▶ device: a table of the difference
//!                     ▲                                          │  + the rows, kept
//!                     └───────────────── settle ◀────────────────┘  (failed: the rows instead)
//! ```
//!
//! Counts, exact sums and least values can be added up in any order, so batches may go either way,
//! one after the other. Settling adds the difference to the pane's table and forgets the rows;
//! where the device fails at any time, the rows are taken in by the core instead: none is lost,
//! none counts twice.

use std::collections::VecDeque;

use pelton_kernels::gpu::{Buffer, Gpu, GpuError, Pending, Work};
use pelton_kernels::window_reduce::gpu::{LeastTable, Rows as OnDevice, SumTable};

use crate::accel::{Accelerator, Kernel};
use crate::error::Result;
use crate::operator::Rows;
use crate::window::aggregate::{Column, Device, Lift, Table};

/// Rows are kept up to so many bytes before the difference is read back.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// Batches in flight: with more, the device is behind.
const IN_FLIGHT_MAX: usize = 3;

/// Fewest groups of a table: growing one means reading it back.
const GROUPS_MIN: usize = 1024;

/// The difference of a pane.
#[derive(Debug)]
pub(super) struct Difference {
    accelerator: Accelerator,
    /// A table a lift: what it sums or finds the least of.
    tables: Vec<Kind>,
    groups: usize,
    kept: Vec<Kept>,
    kept_bytes: usize,
    in_flight: VecDeque<Pending>,
}

#[derive(Debug)]
enum Kind {
    /// The first counts the rows of each group as well.
    Sum(SumTable),
    Least(LeastTable),
}

/// Rows that the device has and the pane's table has not.
#[derive(Debug)]
struct Kept {
    entries: Vec<u32>,
    /// The values of each lift.
    values: Vec<Vec<i64>>,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.entries.len() * 4 + self.values.iter().map(|values| values.len() * 8).sum::<usize>()
    }
}

impl Difference {
    pub(super) fn new(accelerator: &Accelerator) -> Self {
        Self {
            accelerator: accelerator.clone(),
            tables: Vec::new(),
            groups: 0,
            kept: Vec::new(),
            kept_bytes: 0,
            in_flight: VecDeque::new(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.kept_bytes
    }

    /// Takes rows of `table`'s entries in; whether it did: otherwise they are the core's.
    ///
    /// # Errors
    /// When `table`, to which the difference is added before it grows, cannot hold a sum.
    pub(super) fn add(
        &mut self,
        table: &mut Table,
        lifts: &[Lift],
        columns: &[Column],
        rows: Rows<'_>,
        entries: &[u32],
    ) -> Result<bool> {
        let kernel = Kernel::Reduce { groups: table.len() };
        let accelerator = self.accelerator.clone();
        let Some(gpu) = accelerator.gpu_for(kernel, entries.len()) else { return Ok(false) };
        if entries.len() > gpu.rows_a_binding(8, 64) || self.is_behind() {
            accelerator.hand_back();
            return Ok(false);
        }
        let Some(values) = Device::values(lifts, columns, rows) else { return Ok(false) };
        if table.len() > self.groups || self.kept_bytes > KEPT_BYTES_MAX {
            self.settle(table, lifts)?;
        }
        let rows = Kept { entries: entries.to_vec(), values };
        let submitted = self.open(gpu, lifts, table.len()).and_then(|()| self.submit(gpu, &rows));
        match submitted {
            Ok(pending) => {
                self.in_flight.push_back(pending);
                self.kept_bytes += rows.bytes();
                self.kept.push(rows);
                Ok(true)
            }
            Err(error) => {
                // Nobody knows what the device has of these rows.
                accelerator.failed(kernel, &error);
                self.give_up(table, lifts)?;
                Ok(false)
            }
        }
    }

    /// Whether the device has not done what it was given; a forced one is waited for.
    fn is_behind(&mut self) -> bool {
        while self.in_flight.front().is_some_and(Pending::is_done) {
            self.in_flight.pop_front();
        }
        if self.in_flight.len() < IN_FLIGHT_MAX {
            return false;
        }
        if !self.accelerator.is_forced() {
            return true;
        }
        // What went wrong will be seen when the tables are read.
        self.in_flight.pop_front().map(Pending::wait);
        false
    }

    /// Makes the tables, where there are none.
    fn open(&mut self, gpu: &Gpu, lifts: &[Lift], entries: usize) -> Result<(), GpuError> {
        if !self.tables.is_empty() {
            return Ok(());
        }
        let groups = entries.next_power_of_two().max(GROUPS_MIN);
        let tables = Device::of(lifts).into_iter().map(|lift| {
            Ok(match lift {
                Device::Sum => Kind::Sum(SumTable::new(gpu, groups)?),
                Device::Least { flip } => Kind::Least(LeastTable::new(gpu, groups, flip)?),
            })
        });
        self.tables = tables.collect::<Result<_, GpuError>>()?;
        self.groups = groups;
        Ok(())
    }

    /// Hands rows to the device, and does not wait for it.
    fn submit(&mut self, gpu: &Gpu, rows: &Kept) -> Result<Pending, GpuError> {
        let mut work: Work = gpu.work()?;
        let len = rows.entries.len();
        let ids = gpu.buffer(4 * len)?;
        work.upload(&ids, &rows.entries)?;
        let mut buffers: Vec<Buffer> = Vec::with_capacity(rows.values.len());
        for values in &rows.values {
            let buffer = gpu.buffer(8 * len)?;
            work.upload(&buffer, values)?;
            buffers.push(buffer);
        }
        for (table, values) in self.tables.iter_mut().zip(&buffers) {
            let rows = OnDevice { ids: Some(&ids), values, rows: len };
            match table {
                Kind::Sum(table) => table.add(gpu, &mut work, rows)?,
                Kind::Least(table) => table.see(gpu, &mut work, rows)?,
            }
        }
        work.submit()
    }

    /// Adds the difference to the pane's table: what the device holds, or the rows themselves.
    ///
    /// # Errors
    /// When the table cannot hold a sum.
    pub(super) fn settle(&mut self, table: &mut Table, lifts: &[Lift]) -> Result<()> {
        if self.kept.is_empty() {
            self.forget();
            return Ok(());
        }
        let kernel = Kernel::Reduce { groups: self.groups };
        let accelerator = self.accelerator.clone();
        // What a small table holds is read sooner than it is waited for.
        match accelerator.gpu_for(kernel, usize::MAX).map(|gpu| self.read(gpu, table.len())) {
            Some(Ok(read)) => {
                table.add_totals(lifts, &read.rows, &read.values)?;
                self.forget();
                Ok(())
            }
            Some(Err(error)) => {
                accelerator.failed(kernel, &error);
                self.give_up(table, lifts)
            }
            None => self.give_up(table, lifts),
        }
    }

    /// The totals of the entries.
    fn read(&self, gpu: &Gpu, entries: usize) -> Result<Read, GpuError> {
        let mut read = Read { rows: Vec::new(), values: Vec::new() };
        for table in &self.tables {
            match table {
                Kind::Sum(table) => {
                    let totals = table.read(gpu)?;
                    let totals = &totals[..entries.min(totals.len())];
                    if read.rows.is_empty() {
                        read.rows = totals.iter().map(|total| total.count).collect();
                    }
                    read.values.push(totals.iter().map(|total| total.sum).collect());
                }
                Kind::Least(table) => {
                    let least = table.read(gpu)?;
                    read.values.push(least.iter().take(entries).map(|&v| v.into()).collect());
                }
            }
        }
        Ok(read)
    }

    /// Takes the kept rows in on the core.
    fn give_up(&mut self, table: &mut Table, lifts: &[Lift]) -> Result<()> {
        for rows in std::mem::take(&mut self.kept) {
            let columns: Vec<&[i64]> = rows.values.iter().map(Vec::as_slice).collect();
            table.add_integers(lifts, &rows.entries, &columns)?;
        }
        self.forget();
        Ok(())
    }

    fn forget(&mut self) {
        self.kept.clear();
        self.kept_bytes = 0;
        self.in_flight.clear();
        self.tables.clear();
        self.groups = 0;
    }
}

/// What was read back of all entries.
struct Read {
    /// Rows of each.
    rows: Vec<u64>,
    /// Of each lift its sums or least values.
    values: Vec<Vec<i128>>,
}
