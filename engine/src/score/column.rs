//! The score as a column, or a column a class.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};

use super::Scorer;
use crate::batch::Batch;
use crate::error::Result;
use crate::expr::{BindCache, schema_with};
use crate::offload::{Begun, Flight, Offload};
use crate::operator::{Barrier, MapOperator};

/// Adds a scorer's number of each row as a Float64 column; of a scorer with several classes a
/// column each: `name_0`, `name_1`, ….
pub struct ScoreColumn {
    name: String,
    scorer: Arc<dyn Scorer>,
    /// A batch without rows.
    none: BindCache<RecordBatch>,
}

impl ScoreColumn {
    /// The column `name`, filled by `scorer`.
    pub fn new(name: impl Into<String>, scorer: impl Scorer + 'static) -> Self {
        Self { name: name.into(), scorer: Arc::new(scorer), none: BindCache::default() }
    }

    /// Names of the columns that are added.
    pub fn names(&self) -> Vec<String> {
        match self.scorer.outputs() {
            0 | 1 => vec![self.name.clone()],
            several => (0..several).map(|class| format!("{}_{class}", self.name)).collect(),
        }
    }
}

impl std::fmt::Debug for ScoreColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScoreColumn").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The batch with more columns at its end. `none` is of the new schema, without rows.
pub(super) fn with_columns(
    batch: Batch,
    none: &RecordBatch,
    columns: impl FnOnce(&Batch) -> Result<Vec<ArrayRef>>,
) -> Result<Batch> {
    if batch.is_empty() {
        return Ok(Batch { rows: none.clone(), ..batch });
    }
    let columns = columns(&batch)?;
    batch.with_columns(none.schema(), columns)
}

/// A batch whose scores are under way.
struct Scoring {
    batch: Batch,
    none: Arc<RecordBatch>,
    scores: Box<dyn Flight<Vec<Float64Array>>>,
}

impl Flight<Batch> for Scoring {
    fn is_done(&mut self) -> bool {
        self.scores.is_done()
    }

    fn land(self: Box<Self>) -> Result<Batch> {
        let Self { batch, none, scores } = *self;
        batch.with_columns(none.schema(), arrays(scores.land()?))
    }
}

fn arrays(scores: Vec<Float64Array>) -> impl Iterator<Item = ArrayRef> {
    scores.into_iter().map(|scores| Arc::new(scores) as ArrayRef)
}

impl MapOperator for ScoreColumn {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        self.scorer.check(input)?;
        let with = |schema: SchemaRef, name: &String| {
            schema_with(&schema, Field::new(name, DataType::Float64, false))
        };
        self.names().iter().try_fold(input.clone(), with)
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        self.begin(batch, Offload::default())?.land()
    }

    fn begin(&self, batch: Batch, offload: Offload<'_>) -> Result<Begun<Batch>> {
        let bind = |input: &SchemaRef| Ok(RecordBatch::new_empty(self.output_schema(input)?));
        let none = self.none.get(batch.rows.schema_ref(), bind)?;
        if batch.is_empty() {
            return Ok(Begun::Done(Batch { rows: (*none).clone(), ..batch }));
        }
        Ok(match self.scorer.begin(&batch, offload)? {
            Begun::Done(scores) => Begun::Done(batch.with_columns(none.schema(), arrays(scores))?),
            Begun::UnderWay(scores) => Begun::UnderWay(Box::new(Scoring { batch, none, scores })),
        })
    }

    fn on_barrier(&self, barrier: Barrier) -> bool {
        self.scorer.on_barrier(barrier)
    }

    fn reads(&self) -> Option<Vec<String>> {
        Some(self.scorer.inputs())
    }

    #[cfg(feature = "gpu")]
    fn kernels(&self, _input: &SchemaRef) -> Vec<crate::accel::KernelUse> {
        self.scorer.kernels()
    }

    fn describe(&self) -> String {
        format!("score {} = {}", self.names().join(", "), self.scorer.describe())
    }
}
