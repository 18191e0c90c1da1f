//! A forest of the CPU that has a twin on a GPU, made when it is first wanted.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Forest, ForestError};
use crate::gpu::{Gpu, GpuError};
use crate::score_forest::Trees;

/// The twin, where it was made.
#[derive(Debug, Default)]
pub struct Backed {
    twin: Mutex<Twin>,
}

#[derive(Debug, Default)]
enum Twin {
    #[default]
    None,
    /// It does not fit.
    Unfit,
    Here(Arc<Forest>),
}

impl Clone for Backed {
    /// A clone makes its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Backed {
    /// Scores rows on the GPU, into `out` as [`super::super::score_columns`] does. False where the
    /// forest does not fit it. Then, and where the GPU fails, the CPU is to score the rows: with
    /// the same bits, so that no row is lost or doubled by changing over.
    ///
    /// # Errors
    /// What the GPU answers; `out` is then of no use.
    ///
    /// # Panics
    /// As [`Forest::submit`].
    pub fn score(
        &self,
        gpu: &Gpu,
        trees: &Trees,
        initial: &[f64],
        columns: &[&[f64]],
        out: &mut [f64],
    ) -> Result<bool, GpuError> {
        let mut twin = self.twin.lock().unwrap_or_else(PoisonError::into_inner);
        if let Twin::None = *twin {
            *twin = match Forest::new(gpu, trees, initial) {
                Ok(forest) => Twin::Here(Arc::new(forest)),
                Err(ForestError::Gpu(error)) => return Err(error),
                Err(ForestError::Fault(_) | ForestError::Unfit(_)) => Twin::Unfit,
            };
        }
        let Twin::Here(forest) = &*twin else { return Ok(false) };
        let forest = Arc::clone(forest);
        // Several threads score at a time.
        drop(twin);
        let scored = forest.score_columns(columns, out);
        if scored.is_err() {
            // Another device may be tried.
            *self.twin.lock().unwrap_or_else(PoisonError::into_inner) = Twin::None;
        }
        scored.map(|()| true)
    }
}
