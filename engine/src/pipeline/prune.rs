//! What nobody reads is not computed.

use std::collections::HashSet;

use super::compile::StagePlan;

/// Takes out what over windows would compute for nobody; whether anything was.
pub(super) fn prune(stages: &mut Vec<StagePlan>) -> bool {
    // What later stages read; `None`: everything.
    let mut needed: Option<HashSet<String>> = None;
    let mut pruned = false;
    for stage in stages.iter_mut().rev() {
        match stage {
            StagePlan::Map(map) if map.is_projection() => {
                needed = map.reads().map(|names| names.into_iter().collect());
            }
            StagePlan::Map(map) => {
                if let Some(narrowed) = needed.as_ref().and_then(|needed| map.narrowed(needed)) {
                    *map = narrowed;
                    pruned = true;
                }
                match (map.reads(), &mut needed) {
                    (Some(reads), Some(needed)) => needed.extend(reads),
                    _ => needed = None,
                }
            }
            StagePlan::Enrich { plans, .. } => {
                let Some(needed) = &mut needed else { continue };
                for plan in plans.iter_mut() {
                    let before = plan.outputs.len();
                    plan.outputs.retain(|(name, _)| needed.contains(name));
                    pruned |= plan.outputs.len() < before;
                    needed.extend(plan.keys.iter().cloned());
                    needed.extend(plan.measures.iter().map(|measure| measure.column.clone()));
                    needed.extend(plan.codes.iter().cloned());
                    needed.extend(plan.place.iter().flat_map(|(a, b)| [a.clone(), b.clone()]));
                }
                plans.retain(|plan| !plan.outputs.is_empty());
            }
            StagePlan::Window { spec, .. } => {
                needed = Some(spec.reads().into_iter().collect());
            }
            StagePlan::Keyed { step, .. } => {
                if let Some(needed) = &mut needed {
                    needed.extend(step.reads());
                }
            }
            StagePlan::Waiting { plan, .. } => {
                let Some(needed) = &mut needed else { continue };
                let before = (plan.carried.len(), plan.columns.len());
                plan.carried.retain(|name| needed.contains(name));
                plan.columns.retain(|column| needed.contains(&column.aggregate.name));
                pruned |= before != (plan.carried.len(), plan.columns.len());
                *needed = plan.carried.iter().cloned().chain(plan.reads()).collect();
            }
        }
    }
    stages.retain(|stage| !matches!(stage, StagePlan::Enrich { plans, .. } if plans.is_empty()));
    pruned
}
