//! A forest of the CPU that has a twin on the process's GPU, made when it is first wanted.

use std::sync::OnceLock;

use super::Forest;
use crate::gpu::{Gpu, policy};
use crate::score_forest::Trees;

/// The twin, or that there is none.
#[derive(Debug, Default)]
pub struct Backed {
    twin: OnceLock<Option<Forest>>,
}

impl Clone for Backed {
    /// A clone makes its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Backed {
    /// Scores rows on the GPU where the policy sends them ([`policy::send_forests_from`]), into
    /// `out` as [`super::super::score_columns`] does. False where it does not, or the GPU fails:
    /// `out` is then as it was, and the CPU is to score them. Either way the bits are the same,
    /// so that no row is lost or doubled by changing over.
    ///
    /// # Panics
    /// As [`Forest::submit`].
    pub fn score(
        &self,
        trees: &Trees,
        initial: &[f64],
        columns: &[&[f64]],
        out: &mut [f64],
    ) -> bool {
        let rows = columns.first().map_or(0, |column| column.len());
        if !policy::sends_forest(rows, trees.len()) {
            return false;
        }
        let Ok(gpu) = Gpu::of_process() else { return false };
        let make = || match Forest::new(&gpu, trees, initial) {
            Ok(forest) => Some(forest),
            Err(error) => {
                gpu.note_fallback(&error.to_string());
                None
            }
        };
        let Some(forest) = self.twin.get_or_init(make) else { return false };
        match forest.score_columns(columns, out) {
            Ok(()) => true,
            Err(error) => {
                gpu.note_fallback(&error.to_string());
                false
            }
        }
    }
}
