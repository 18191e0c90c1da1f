//! Columns of a batch that a GPU filters while the core goes on.
//!
//! What is handed over is found again by where it lies in memory: the batch is kept, so nothing
//! moves. Whatever is asked for that was not handed over (bits, text) is filtered by the core.

use std::collections::HashMap;

use arrow::array::types::*;
use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use pelton_kernels::batch_filter::gpu::{Column, Flight as InFlight, Landed, submit};

use super::kept::{Kept, for_moved_type};
use super::{Moved, finished};
use crate::accel::{Accelerator, Kernel};
use crate::batch::{Batch, Offsets};
use crate::error::Result;
use crate::offload::{Flight, Offload};

/// Where values lie, and how many bytes they are.
type Place = (usize, usize);

fn place<T>(values: &[T]) -> Place {
    (values.as_ptr() as usize, size_of_val(values))
}

/// Columns that have come back.
pub(super) struct Columns {
    landed: Landed,
    places: HashMap<Place, usize>,
}

impl Columns {
    /// The kept ones of these values; `None`: they were not handed over.
    pub(super) fn values<T: Moved>(&self, values: &[T]) -> Option<Vec<T>> {
        Some(self.landed.values(*self.places.get(&place(values))?))
    }
}

/// What a GPU has of a batch.
pub(super) struct Submitted {
    accelerator: Accelerator,
    flight: InFlight,
    places: HashMap<Place, usize>,
}

/// Hands over what a GPU can filter of a batch of which some rows are kept, where it is asked for
/// or pays and the GPU keeps up. `None`: the core is to filter.
pub(super) fn submitted(batch: &Batch, kept: &Kept, offload: Offload<'_>) -> Option<Submitted> {
    let accelerator = offload.accelerator?;
    let gpu = accelerator.gpu_for(Kernel::Filter, batch.len())?;
    let (places, columns) = handed_over(batch);
    if columns.is_empty() {
        return None;
    }
    if offload.is_behind() {
        accelerator.hand_back();
        return None;
    }
    match submit(gpu, kept.mask(), &columns) {
        Ok(flight) => Some(Submitted { accelerator: accelerator.clone(), flight, places }),
        Err(error) => {
            accelerator.failed(Kernel::Filter, &error);
            None
        }
    }
}

/// A batch on its way.
pub(super) struct Filtering {
    pub batch: Batch,
    pub keep: BooleanArray,
    pub kept: Kept,
    pub submitted: Submitted,
}

/// What of a batch is handed over.
fn handed_over(batch: &Batch) -> (HashMap<Place, usize>, Vec<Column<'_>>) {
    let (mut places, mut columns) = (HashMap::new(), Vec::new());
    for array in batch.rows.columns() {
        macro_rules! primitive {
            ($type:ty) => {
                add(&mut places, &mut columns, array.as_primitive::<$type>().values())
            };
        }
        for_moved_type!(array.data_type(), primitive, ());
    }
    if let Some(times) = &batch.times {
        add(&mut places, &mut columns, &times.time);
    }
    match &batch.offsets {
        Offsets::Explicit(offsets) => add(&mut places, &mut columns, offsets),
        Offsets::Kept(_, rows) => add(&mut places, &mut columns, rows.numbers()),
        Offsets::Contiguous(_) => {}
    }
    (places, columns)
}

fn add<'a, T: Moved>(
    places: &mut HashMap<Place, usize>,
    columns: &mut Vec<Column<'a>>,
    values: &'a [T],
) {
    places.entry(place(values)).or_insert_with(|| {
        columns.push(Column::of(values));
        columns.len() - 1
    });
}

impl Flight<Batch> for Filtering {
    fn is_done(&mut self) -> bool {
        self.submitted.flight.is_done()
    }

    fn land(self: Box<Self>) -> Result<Batch> {
        let Self { batch, keep, mut kept, submitted } = *self;
        let Submitted { accelerator, flight, places } = submitted;
        match flight.wait() {
            Ok(landed) => kept.filtered_elsewhere(Columns { landed, places }),
            Err(error) => accelerator.failed(Kernel::Filter, &error),
        }
        finished(batch, &keep, &kept)
    }
}
