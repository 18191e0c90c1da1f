//! Lookups in a plan: those that windows may make instead of rows are put off until behind them
//! ([`LookupBehind`]).
//!
//! That is the same where (1) the window's keys contain all columns that are looked up by, so the
//! table's columns follow from the key; (2) of the table's columns the window reads none but as
//! keys; (3) no step between reads them, or changes what is looked up by; and (4) rows without a
//! match stay, as the window would otherwise count rows that should be taken out.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::compile::{Compiler, StagePlan};
use crate::error::Result;
use crate::lookup::{LookupBehind, LookupJoin};
use crate::operator::MapOperator;
use crate::window::{self, WindowSpec};

/// A lookup among the stages of a plan.
pub(super) struct PlannedLookup {
    join: Arc<LookupJoin>,
    /// Its stage.
    stage: usize,
    /// Of the rows before it.
    input: SchemaRef,
}

impl Compiler {
    pub(super) fn lookup(&mut self, join: Arc<LookupJoin>) -> Result<()> {
        self.flush();
        let input = self.schema.clone();
        self.map(join.clone())?;
        self.lookups.push(PlannedLookup { join, stage: self.stages.len() - 1, input });
        Ok(())
    }

    /// Takes the lookups out that the window's rows can make instead: the window without their
    /// columns, and the steps behind it that add them, in their order.
    pub(super) fn put_off_lookups(
        &mut self,
        mut spec: WindowSpec,
    ) -> Result<(WindowSpec, Vec<Arc<dyn MapOperator>>)> {
        let mut behind: Vec<Arc<dyn MapOperator>> = Vec::new();
        // The last first: an earlier one may be looked up by what a later one adds.
        while let Some(PlannedLookup { join, stage, input }) = self.lookups.pop() {
            let columns: Vec<String> = join.added().map(str::to_owned).collect();
            let keyed = |key: &String| columns.contains(key);
            let used: Vec<String> = spec.keys.iter().filter(|key| keyed(key)).cloned().collect();
            if used.is_empty() || !self.follows(&join, stage, &spec, &columns) {
                continue;
            }
            let mut schema = input;
            for stage in &self.stages[stage + 1..] {
                if let StagePlan::Map(map) = stage {
                    schema = map.output_schema(&schema)?;
                }
            }
            let (_, output) = window::open(&spec, &self.schema)?;
            spec.keys.retain(|key| !columns.contains(key));
            self.schema = schema;
            self.stages.remove(stage);
            behind.push(Arc::new(LookupBehind::new(join.only(&used), output)));
        }
        behind.reverse();
        Ok((spec, behind))
    }

    /// Whether the columns that a lookup adds follow from the window's keys, and nothing else asks
    /// for them.
    fn follows(&self, join: &LookupJoin, at: usize, spec: &WindowSpec, columns: &[String]) -> bool {
        let added = |name: &String| columns.contains(name);
        let mut keys_alone = spec.clone();
        keys_alone.keys.clear();
        let leaves = |stage: &StagePlan| match stage {
            StagePlan::Map(map) => {
                let reads = map.reads().is_some_and(|names| !names.iter().any(added));
                let changed = |name: &String| added(name) || join.keys().contains(name);
                let writes = map.writes().is_some_and(|names| !names.iter().any(changed));
                reads && writes
            }
            _ => false,
        };
        !join.is_inner()
            && join.keys().iter().all(|key| spec.keys.contains(key) && !added(key))
            && !keys_alone.reads().iter().any(added)
            && self.stages[at + 1..].iter().all(leaves)
    }
}
