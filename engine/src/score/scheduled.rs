//! Models that take over at set event times: what a replay needs to show what would have been.
//!
//! A row is scored by the model that is in force at the row's own event time. That is a property
//! of the row alone: it needs no barrier, and is the same for every batch size, number of shards
//! and order of rows. A row that comes late is scored by the model of its time.

use std::sync::Arc;

use arrow::array::Float64Array;
use arrow::datatypes::Schema;

use super::{Explanation, Scorer};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::offload::{Begun, Flight, Offload};
use crate::operator::Barrier;

/// A first model, and others that take over at event times.
pub struct Scheduled {
    /// Each with the event time from which it is in force; the first from the beginning.
    models: Vec<(i64, Arc<dyn Scorer>)>,
}

impl Scheduled {
    /// The model that is in force first.
    pub fn new(first: impl Scorer + 'static) -> Self {
        Self { models: vec![(i64::MIN, Arc::new(first))] }
    }

    /// Another model, in force for rows with an event time of `time` (in the unit of the event
    /// time) or later, until the next.
    ///
    /// # Errors
    /// When a model takes over at that time already, or gives another number of scores.
    pub fn then(mut self, time: i64, model: impl Scorer + 'static) -> Result<Self> {
        let (first, new) = (self.outputs(), model.outputs());
        if first != new {
            let what = format!("the model from {time} on gives {new} scores, the first {first}");
            return Err(Error::usage(what).advise("choose one class, or replay in two runs"));
        }
        if self.models[1..].iter().any(|(known, _)| *known == time) {
            return Err(Error::usage(format!("two models take over at {time}")));
        }
        self.models.push((time, Arc::new(model)));
        self.models.sort_by_key(|(from, _)| *from);
        Ok(self)
    }

    fn at(&self, time: i64) -> usize {
        self.models.partition_point(|(from, _)| *from <= time).saturating_sub(1)
    }

    fn times<'a>(&self, batch: &'a Batch) -> Result<&'a [i64]> {
        let times = batch.times.as_ref().map(|times| &times.time[..]);
        times.ok_or_else(|| {
            Error::usage("models that take over at a time need rows with an event time")
                .advise("name the time column of the pipeline")
        })
    }
}

impl Scorer for Scheduled {
    fn name(&self) -> &str {
        "scheduled models"
    }

    fn inputs(&self) -> Vec<String> {
        let mut inputs: Vec<String> = Vec::new();
        for input in self.models.iter().flat_map(|(_, model)| model.inputs()) {
            if !inputs.contains(&input) {
                inputs.push(input);
            }
        }
        inputs
    }

    fn outputs(&self) -> usize {
        self.models[0].1.outputs()
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        self.models.iter().try_for_each(|(_, model)| model.check(schema))
    }

    fn score(&self, batch: &Batch) -> Result<Vec<Float64Array>> {
        self.begin(batch, Offload::default())?.land()
    }

    fn begin(&self, batch: &Batch, offload: Offload<'_>) -> Result<Begun<Vec<Float64Array>>> {
        if let [(_, alone)] = self.models.as_slice() {
            return alone.begin(batch, offload);
        }
        let times = self.times(batch)?;
        let chosen: Vec<usize> = times.iter().map(|&time| self.at(time)).collect();
        let first = chosen.first().copied().unwrap_or(0);
        if chosen.iter().all(|model| *model == first) {
            return self.models[first].1.begin(batch, offload);
        }
        // Few batches lie across a change: each model that any row needs scores all of them.
        let mut needed = chosen.clone();
        needed.sort_unstable();
        needed.dedup();
        let begin = |model: usize| Ok((model, self.models[model].1.begin(batch, offload)?));
        let parts = needed.into_iter().map(begin).collect::<Result<Vec<_>>>()?;
        let across = Across { chosen, parts };
        if across.parts.iter().all(|(_, part)| matches!(part, Begun::Done(_))) {
            return Box::new(across).land().map(Begun::Done);
        }
        Ok(Begun::UnderWay(Box::new(across)))
    }

    fn explain(&self, batch: &Batch, row: usize) -> Result<Explanation> {
        if let [(_, alone)] = self.models.as_slice() {
            return alone.explain(batch, row);
        }
        let time = self.times(batch)?.get(row).copied().unwrap_or(i64::MIN);
        self.models[self.at(time)].1.explain(batch, row)
    }

    fn on_barrier(&self, barrier: Barrier) -> bool {
        self.models.iter().fold(false, |any, (_, model)| model.on_barrier(barrier) | any)
    }

    #[cfg(feature = "gpu")]
    fn kernels(&self) -> Vec<crate::accel::KernelUse> {
        self.models.iter().flat_map(|(_, model)| model.kernels()).collect()
    }

    fn describe(&self) -> String {
        let mut text = self.models[0].1.describe();
        for (from, model) in &self.models[1..] {
            text.push_str(&format!("; from {from} on {}", model.describe()));
        }
        text
    }
}

/// A batch across a change of models.
struct Across {
    /// The model of each row.
    chosen: Vec<usize>,
    /// What each model that any row needs says of all.
    parts: Vec<(usize, Begun<Vec<Float64Array>>)>,
}

impl Flight<Vec<Float64Array>> for Across {
    fn is_done(&mut self) -> bool {
        let mut parts = self.parts.iter_mut();
        parts.all(|(_, part)| match part {
            Begun::Done(_) => true,
            Begun::UnderWay(flight) => flight.is_done(),
        })
    }

    fn land(self: Box<Self>) -> Result<Vec<Float64Array>> {
        let Self { chosen, parts } = *self;
        let mut merged: Vec<Vec<f64>> = Vec::new();
        for (model, part) in parts {
            let scores = part.land()?;
            merged.resize(scores.len(), vec![0.0; chosen.len()]);
            for (merged, scores) in merged.iter_mut().zip(&scores) {
                let rows = merged.iter_mut().zip(scores.values()).zip(&chosen);
                rows.filter(|(_, of)| **of == model).for_each(|((to, score), _)| *to = *score);
            }
        }
        Ok(merged.into_iter().map(Float64Array::from).collect())
    }
}
