//! The policy as columns.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt64Array};
use arrow::datatypes::{Float64Type, SchemaRef};

use super::incident::Alerts;
use super::plan::AlertPlan;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::expr::column_index;
use crate::operator::{KeyedEnrich, Rows, StateSize};
use crate::state::keys::KeyIndex;

/// Adds `alert` and `incident` to each row; one shard sees all of them.
pub(super) struct AlertColumns {
    key_columns: Vec<usize>,
    /// Columns of scores and flags.
    read: [usize; 2],
    keys: KeyIndex,
    alerts: Alerts,
    ids: Vec<u32>,
}

impl AlertColumns {
    pub(super) fn new(plan: &AlertPlan, input: &SchemaRef) -> Result<Self> {
        let keys = plan.keys.iter().map(|key| column_index(input, key));
        let key_columns = keys.collect::<Result<Vec<_>>>()?;
        let types: Vec<_> =
            key_columns.iter().map(|&key| input.field(key).data_type().clone()).collect();
        let [score, flag] = plan.read();
        Ok(Self {
            key_columns,
            read: [column_index(input, &score)?, column_index(input, &flag)?],
            keys: KeyIndex::new(&types)?,
            alerts: Alerts::new(&plan.policy, plan.unit)?,
            ids: Vec::new(),
        })
    }
}

impl KeyedEnrich for AlertColumns {
    fn on_batch(&mut self, batch: &Batch, rows: Rows<'_>) -> Result<Vec<ArrayRef>> {
        let Some(times) = &batch.times else {
            return Err(Error::run("alerts were given rows without event times"));
        };
        let keys: Vec<ArrayRef> =
            self.key_columns.iter().map(|&key| batch.rows.column(key).clone()).collect();
        self.keys.ids(&keys, rows, &mut self.ids)?;
        let [scores, flags] = self.read.map(|at| batch.rows.column(at));
        let (scores, flags) = (scores.as_primitive::<Float64Type>(), flags.as_boolean());
        let mut alerts = Vec::with_capacity(rows.len());
        let mut incidents = Vec::with_capacity(rows.len());
        for (i, &key) in self.ids.iter().enumerate() {
            let at = rows.get(i);
            let score = scores.is_valid(at).then(|| scores.value(at));
            let decision = self.alerts.push(key, times.time[at], score, flags.value(at));
            alerts.push(decision.alert);
            incidents.push(decision.incident);
        }
        Ok(vec![Arc::new(BooleanArray::from(alerts)), Arc::new(UInt64Array::from(incidents))])
    }

    /// Its keys are those of the detector before it, which counts them.
    fn state(&self) -> StateSize {
        let own = self.alerts.bytes() + self.ids.capacity() * 4;
        StateSize { bytes: self.keys.bytes() + own as u64, ..StateSize::default() }
    }
}
