//! A batch that a GPU scores while the core goes on.
//!
//! Rows go to the device in parts of as many as it may have under way at a time; the next part is
//! sent when somebody looks after the one before has come back. Where the device fails, the rows
//! that have not come back are scored by the core, from the batch that is kept: each row once.

use std::sync::Arc;

use arrow::array::Float64Array;
use pelton_kernels::score_forest::gpu::{ForestError, IN_FLIGHT, PIECE_ROWS, fits};
use pelton_scoring::model::{Estimator, Flight as OnDevice};

use super::trained::{Trained, values_of};
use crate::accel::{Accelerator, Kernel, KernelUse};
use crate::batch::Batch;
use crate::error::Result;
use crate::offload::{Begun, Flight, Offload};
use crate::score::Scorer;

/// Most rows that are sent at a time.
const PART_ROWS: usize = IN_FLIGHT * PIECE_ROWS;

/// A batch on its way.
struct Scoring {
    trained: Arc<Trained>,
    accelerator: Accelerator,
    batch: Batch,
    columns: Arc<Vec<Option<usize>>>,
    /// The part that is under way; `None`: all have come back, or the core does the rest.
    part: Option<OnDevice>,
    /// Scores that have come back, of the first rows.
    scores: Vec<Vec<f64>>,
}

/// The kernel that scores with a model; `None`: no device has one.
pub(super) fn kernel(trained: &Trained) -> Option<Kernel> {
    match trained.model().estimator() {
        Estimator::Forest(forest) => Some(Kernel::Forest { trees: forest.trees().len() }),
        Estimator::Network(_) => Some(Kernel::Network),
        Estimator::Linear(_) => None,
    }
}

/// The same for `explain`.
pub(super) fn kernels(trained: &Trained) -> Vec<KernelUse> {
    let forest = match trained.model().estimator() {
        Estimator::Forest(forest) => forest,
        Estimator::Network(_) => return vec![KernelUse::of(Kernel::Network)],
        Estimator::Linear(_) => return Vec::new(),
    };
    let trees = forest.trees();
    let never = fits(trees).err().map(|why| format!("its passes do not take {why}"));
    let kernel = Kernel::Forest { trees: trees.len() };
    vec![KernelUse { never, ..KernelUse::of(kernel) }]
}

/// Scores a batch, on the GPU where that is asked for or pays and the GPU keeps up.
pub(super) fn begin(
    trained: &Arc<Trained>,
    batch: &Batch,
    offload: Offload<'_>,
) -> Result<Begun<Vec<Float64Array>>> {
    let core = || trained.score(batch).map(Begun::Done);
    let (Some(accelerator), Some(kernel)) = (offload.accelerator, kernel(trained)) else {
        return core();
    };
    if accelerator.gpu_for(kernel, batch.len()).is_none() {
        return core();
    }
    if offload.is_behind() {
        accelerator.hand_back();
        return core();
    }
    let mut scoring = Scoring {
        trained: Arc::clone(trained),
        accelerator: accelerator.clone(),
        columns: trained.columns_of(batch)?,
        batch: batch.clone(),
        part: None,
        scores: vec![Vec::with_capacity(batch.len()); trained.outputs()],
    };
    scoring.launch();
    if scoring.part.is_none() {
        return core();
    }
    Ok(Begun::UnderWay(Box::new(scoring)))
}

impl Scoring {
    /// Rows that have come back.
    fn rows_done(&self) -> usize {
        self.scores.first().map_or(0, Vec::len)
    }

    /// Sends the next part.
    fn launch(&mut self) {
        let (start, rows) = (self.rows_done(), self.batch.len());
        let Some(kernel) = kernel(&self.trained) else { return };
        // Once begun, a batch stays with a device that works.
        let Some(gpu) = self.accelerator.gpu_for(kernel, usize::MAX) else { return };
        if start == rows {
            return;
        }
        let mut desk = self.trained.sit_down();
        let part = (start, PART_ROWS.min(rows - start));
        let values = values_of(&mut desk.block, (&self.batch, &self.columns), part);
        match desk.memory.submit(gpu, &values) {
            Ok(part) => self.part = Some(part),
            Err(ForestError::Gpu(error)) => self.accelerator.failed(kernel, &error),
            Err(why) => self.accelerator.declined(kernel, &why.to_string()),
        }
        self.trained.stand_up(desk);
    }

    /// Takes the scores of a part in, and sends the next.
    fn take(&mut self, part: OnDevice) {
        let (trained, rows) = (Arc::clone(&self.trained), part.rows());
        let mut desk = trained.sit_down();
        desk.out.resize(trained.model().predictions() * rows, 0.0);
        let landed = desk.memory.land(part, &mut desk.out);
        if landed.is_ok() {
            trained.show(&desk.out, rows, &mut self.scores);
        }
        trained.stand_up(desk);
        match (landed, kernel(&trained)) {
            (Err(error), Some(kernel)) => self.accelerator.failed(kernel, &error),
            _ => self.launch(),
        }
    }
}

impl Flight<Vec<Float64Array>> for Scoring {
    fn is_done(&mut self) -> bool {
        while let Some(part) = self.part.take() {
            if !part.is_done() {
                self.part = Some(part);
                return false;
            }
            self.take(part);
        }
        true
    }

    fn land(mut self: Box<Self>) -> Result<Vec<Float64Array>> {
        while let Some(part) = self.part.take() {
            self.take(part);
        }
        let start = self.rows_done();
        let Self { trained, batch, columns, scores, .. } = *self;
        Ok(trained.score_from(start, (&batch, &columns), scores))
    }
}
