//! A filter and a lookup right before windows, run by the windows themselves
//! ([`open_picked`](crate::window::open_picked)).

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::compile::{Plan, StagePlan};
use crate::error::Result;
use crate::operator::{KeyedWindow, MapOperator};
use crate::window;

type Step = Arc<dyn MapOperator>;

impl Plan {
    /// The windows that run the steps from stage `at` on, whose input is `input`, up to
    /// themselves, and their own stage.
    pub(super) fn picked(
        &self,
        at: usize,
        input: &SchemaRef,
    ) -> Result<Option<(usize, Box<dyn KeyedWindow>)>> {
        let Some((filter, lookup, stage)) = self.steps_before_windows(at) else { return Ok(None) };
        let Some(StagePlan::Window { spec, .. }) = self.stages.get(stage) else { return Ok(None) };
        let window = window::open_picked(spec, filter, lookup, input)?;
        Ok(window.map(|window| (stage, window)))
    }

    /// A filter, a lookup or both at stage `at`, and the stage of the windows behind them.
    fn steps_before_windows(&self, at: usize) -> Option<(Option<&Step>, Option<&Step>, usize)> {
        let map = |at: usize| match self.stages.get(at)? {
            StagePlan::Map(map) => Some(map),
            _ => None,
        };
        let filter = map(at).filter(|step| step.as_picker().is_some());
        let next = at + usize::from(filter.is_some());
        let lookup = map(next).filter(|step| step.as_table().is_some());
        let stage = next + usize::from(lookup.is_some());
        (stage > at).then_some((filter, lookup, stage))
    }
}
