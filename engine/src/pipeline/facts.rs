//! What the driver asks of a plan: how many rows its filters took out, whether something was
//! changed from outside, when its windows are given out early, and where batches must be cut.

use std::time::Duration;

use super::compile::{Plan, StagePlan};
use super::driver::to_duration;
use crate::error::Result;
use crate::operator::{Barrier, Dropped};
use crate::window::{self, Early, WindowSpec};

impl Plan {
    /// Rows taken out before they came to the last window: filtered, and no late rows that were
    /// set aside.
    pub(crate) fn filtered(&self) -> u64 {
        let keyed = |stage: &StagePlan| !matches!(stage, StagePlan::Map(_));
        let before = self.stages.iter().rposition(keyed).unwrap_or(0);
        let mut dropped = Dropped::default();
        for stage in &self.stages[..before] {
            if let StagePlan::Map(map) = stage {
                dropped += map.dropped();
            }
        }
        dropped.rows - if self.sets_late_aside() { dropped.late } else { 0 }
    }

    /// Asks every step whether something was changed from outside that is in force behind this
    /// barrier; whether one said so.
    pub(crate) fn on_barrier(&self, barrier: Barrier) -> bool {
        let ask = |any: bool, stage: &StagePlan| match stage {
            // All are asked: two steps may show one model.
            StagePlan::Map(map) => map.on_barrier(barrier) | any,
            _ => any,
        };
        self.stages.iter().fold(false, ask)
    }

    /// How windows are given out early.
    fn early(&self) -> Option<(&WindowSpec, Early)> {
        self.stages.iter().find_map(|stage| match stage {
            StagePlan::Window { spec, .. } => Some((spec, spec.lateness?.early?)),
            _ => None,
        })
    }

    /// The interval of processing time at which windows are given out early.
    pub(crate) fn early_interval(&self) -> Option<Duration> {
        match self.early()?.1 {
            Early::Processing(span) => Some(to_duration(span)),
            _ => None,
        }
    }

    /// Times (multiples of the first, plus the second) at which batches must be cut, so that what
    /// is given out early, and which keys are forgotten, does not depend on batches.
    pub(crate) fn borders(&self) -> Result<Vec<(i64, i64)>> {
        let windows = self.stages.iter().find_map(|stage| match stage {
            StagePlan::Window { spec, .. } => Some(spec),
            _ => None,
        });
        let mut borders = Vec::new();
        if let Some(spec) = windows
            && let Some(step) = window::sweep_step(spec)?
        {
            // Keys are looked through by the watermark that reaches windows: a lateness behind.
            let lateness = spec.lateness.map(|lateness| lateness.span.to_units(spec.unit));
            borders.push((step, lateness.transpose()?.unwrap_or(0)));
        }
        let Some((spec, early)) = self.early() else { return Ok(borders) };
        borders.extend(match early {
            Early::EventTime(span) => Some((span.to_units(spec.unit)?, 0)),
            Early::Rows(_) => window::ends(spec)?,
            Early::Processing(_) => None,
        });
        Ok(borders)
    }
}
