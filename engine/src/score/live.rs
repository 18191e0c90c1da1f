//! A model that another one takes the place of while rows flow.
//!
//! [`LiveModel::update`] may be called from any thread. The new model is checked against the plan
//! and then waits; when the next rows are let in, the pipeline passes a barrier, and from the
//! first of these rows on the new model is in force. Every batch says in which epoch it is
//! ([`Batch::epoch`]), and a model is chosen by it: so rows that are still under way on other
//! cores get the old model's score, whatever the shards, and no row waits or is lost. A model is
//! forgotten when nothing of its epoch is under way any more.
//!
//! Behind windows the rows are those that come out, and they belong to the epoch in which they
//! come out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arrow::array::Float64Array;
use arrow::datatypes::Schema;

use super::{Explanation, Scorer};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::offload::{Begun, Offload};
use crate::operator::Barrier;

/// A model that can be replaced while rows flow. Clones are one model: give one to the pipeline
/// and keep another.
///
/// ```
/// # fn main() -> pelton::Result<()> {
/// use arrow::array::{ArrayRef, Float64Array, RecordBatch};
/// use pelton::pipeline::{Options, Pipeline};
/// use pelton::score::{Feature, FeatureTransform, LiveModel, Logistic};
///
/// let model = |weight| {
///     let feature = Feature::new("x", FeatureTransform::Identity, weight);
///     Logistic::new("by hand", vec![feature], 0.0, 0.5)
/// };
/// let rows = |x: f64| {
///     let x: ArrayRef = std::sync::Arc::new(Float64Array::from(vec![x]));
///     RecordBatch::try_from_iter([("x", x)])
/// };
/// let risk = LiveModel::new(model(1.0)?);
/// let pipeline = Pipeline::rows(rows(0.0)?.schema()).score("risk", risk.clone());
/// let mut live = pipeline.open(Options::default().shards(1))?;
/// live.push(rows(2.0)?)?;
/// risk.update(model(-1.0)?)?;
/// live.push(rows(2.0)?)?;
/// let score = |batch: pelton::batch::Batch| -> f64 {
///     use arrow::array::AsArray;
///     batch.rows["risk"].as_primitive::<arrow::datatypes::Float64Type>().value(0)
/// };
/// assert!(score(live.poll()?.unwrap()) > 0.88);
/// assert!(score(live.poll()?.unwrap()) < 0.12);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct LiveModel {
    shared: Arc<Shared>,
}

struct Shared {
    // Set once.
    outputs: usize,
    /// Columns that a later model may read besides those of the first.
    may_read: Vec<String>,
    // Changes.
    /// Models with the epoch from which they are in force, the latest last; never empty.
    in_force: RwLock<Vec<(u64, Arc<dyn Scorer>)>>,
    /// The model that waits for the next barrier.
    waiting: Mutex<Option<Arc<dyn Scorer>>>,
    is_waiting: AtomicBool,
    /// How many models have taken over.
    taken: AtomicU64,
    /// The columns that there are where the model stands in the plan.
    columns: Mutex<Vec<Arc<Schema>>>,
}

impl LiveModel {
    /// A model that is in force from the first row on.
    pub fn new(model: impl Scorer + 'static) -> Self {
        Self::reading(model, Vec::new())
    }

    /// As [`LiveModel::new`], for models to come that read these columns too. (What no step of a
    /// plan reads is not computed: a later model can read no window that the plan left out.)
    pub fn reading(model: impl Scorer + 'static, columns: Vec<String>) -> Self {
        let shared = Shared {
            outputs: model.outputs(),
            may_read: columns,
            in_force: RwLock::new(vec![(0, Arc::new(model))]),
            waiting: Mutex::new(None),
            is_waiting: AtomicBool::new(false),
            taken: AtomicU64::new(0),
            columns: Mutex::new(Vec::new()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Puts another model in the place of the one in force, from the next rows on that are let
    /// in. One that was still waiting is dropped.
    ///
    /// # Errors
    /// When the model reads a column that the plan does not have, or gives another number of
    /// scores; the old one then stays.
    pub fn update(&self, model: impl Scorer + 'static) -> Result<()> {
        let (old, new) = (self.shared.outputs, model.outputs());
        if old != new {
            return Err(Error::usage(format!("the new model gives {new} scores, the old {old}"))
                .advise("choose one class, or start the pipeline again"));
        }
        let columns = self.shared.columns.lock().unwrap_or_else(PoisonError::into_inner);
        for schema in columns.iter() {
            model.check(schema).map_err(|error| error.within("the new model"))?;
        }
        drop(columns);
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Some(Arc::new(model));
        self.shared.is_waiting.store(true, Ordering::Release);
        Ok(())
    }

    /// How many models have taken the place of another so far.
    pub fn taken(&self) -> u64 {
        self.shared.taken.load(Ordering::Acquire)
    }

    fn at(&self, epoch: u64) -> Arc<dyn Scorer> {
        let in_force = self.shared.in_force.read().unwrap_or_else(PoisonError::into_inner);
        let later = in_force.partition_point(|(from, _)| *from <= epoch);
        // The first is in force from the earliest epoch that is still under way.
        in_force[later.saturating_sub(1)].1.clone()
    }

    fn latest(&self) -> Arc<dyn Scorer> {
        self.at(u64::MAX)
    }
}

impl std::fmt::Debug for LiveModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveModel").field("taken", &self.taken()).finish_non_exhaustive()
    }
}

impl Scorer for LiveModel {
    fn name(&self) -> &str {
        "live model"
    }

    fn inputs(&self) -> Vec<String> {
        let mut inputs = self.latest().inputs();
        for column in &self.shared.may_read {
            if !inputs.contains(column) {
                inputs.push(column.clone());
            }
        }
        inputs
    }

    fn outputs(&self) -> usize {
        self.shared.outputs
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        self.latest().check(schema)?;
        let waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waiting) = waiting {
            waiting.check(schema)?;
        }
        for column in &self.shared.may_read {
            super::numeric::check_numeric(schema, column)?;
        }
        // The places of the plan made last, where later models are checked: one for the scores,
        // one for the reasons.
        const PLACES: usize = 2;
        let mut columns = self.shared.columns.lock().unwrap_or_else(PoisonError::into_inner);
        if !columns.iter().any(|known| **known == *schema) {
            columns.insert(0, Arc::new(schema.clone()));
            columns.truncate(PLACES);
        }
        Ok(())
    }

    fn score(&self, batch: &Batch) -> Result<Vec<Float64Array>> {
        self.at(batch.epoch).score(batch)
    }

    fn explain(&self, batch: &Batch, row: usize) -> Result<Explanation> {
        self.at(batch.epoch).explain(batch, row)
    }

    fn begin(&self, batch: &Batch, offload: Offload<'_>) -> Result<Begun<Vec<Float64Array>>> {
        // A flight keeps its model.
        self.at(batch.epoch).begin(batch, offload)
    }

    fn on_barrier(&self, barrier: Barrier) -> bool {
        if !self.shared.is_waiting.swap(false, Ordering::AcqRel) {
            return false;
        }
        let waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(model) = waiting else { return false };
        let mut in_force = self.shared.in_force.write().unwrap_or_else(PoisonError::into_inner);
        let later = in_force.partition_point(|(from, _)| *from <= barrier.oldest);
        in_force.drain(..later.saturating_sub(1));
        in_force.push((barrier.epoch, model));
        self.shared.taken.fetch_add(1, Ordering::AcqRel);
        true
    }

    #[cfg(feature = "gpu")]
    fn kernels(&self) -> Vec<crate::accel::KernelUse> {
        self.latest().kernels()
    }

    fn describe(&self) -> String {
        format!("{} (can be replaced while rows flow)", self.latest().describe())
    }
}
