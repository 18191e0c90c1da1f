use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use proptest::prelude::*;

use super::*;
use crate::time::{Span, seconds};
use crate::window::aggregate::{Aggregate, Function};
use crate::window::spec::{WindowKind, WindowSpec};

fn plan() -> Plan {
    let spec = WindowSpec {
        kind: WindowKind::Tumble(seconds(1)),
        offset: Span::ZERO,
        time_type: DataType::Int64,
        unit: TimeUnit::Second,
        keys: vec!["key".to_owned()],
        aggregates: vec![Aggregate::new(Function::Count, [], "count")],
        lateness: None,
        key_ttl: None,
    };
    let schema = Schema::new(vec![Field::new("key", DataType::Int64, false)]);
    Plan::new(&spec, &Arc::new(schema)).expect("a valid window")
}

fn pane(plan: &Plan, map: Option<EntryMap>) -> Pane {
    let is_full = map.is_none();
    Pane { map, is_full, ..Pane::new(Table::new(&plan.aggregates)) }
}

/// Adds ids in batches as long as `step`; gives the keys in order and the rows of each.
fn drained(pane: &mut Pane, ids: &[u32], known: usize, step: usize) -> (Vec<u32>, Vec<u64>) {
    let mut buffer = Vec::new();
    for ids in ids.chunks(step) {
        let entries = pane.entries(ids, known, &mut buffer).expect("few keys").to_vec();
        entries.iter().for_each(|&entry| pane.table.rows[entry as usize] += 1);
    }
    let mut keys = Vec::new();
    let order = pane.drain_order(&mut keys);
    (keys, order.iter().map(|&entry| pane.table.rows[entry as usize]).collect())
}

proptest! {
    /// By an array and its bitmap, by sorting where few of many keys are there, by a hash table,
    /// and with an entry for every key: the same keys in the same order, with the same rows.
    #[test]
    fn every_map_gives_the_keys_in_order(
        ids in prop::collection::vec(prop_oneof![0..40u32, 0..200_000u32], 1..200),
        step in 1..70usize,
    ) {
        let plan = plan();
        let few = ids.iter().max().map_or(0, |&id| id as usize + 1);
        let mut want = std::collections::BTreeMap::new();
        ids.iter().for_each(|&id| *want.entry(id).or_insert(0u64) += 1);
        let want: (Vec<u32>, Vec<u64>) = want.into_iter().unzip();
        for known in [few, 200_000] {
            let mut dense = pane(&plan, Some(EntryMap::Dense(DenseMap::default())));
            prop_assert_eq!(&drained(&mut dense, &ids, known, step), &want);
            // The map is empty again, so that the next pane can have it.
            dense.keys.clear();
            dense.table.resize(0);
            prop_assert_eq!(&drained(&mut dense, &ids, known, 1), &want);
            let mut hashed = pane(&plan, Some(EntryMap::Hashed(IdTable::default())));
            prop_assert_eq!(&drained(&mut hashed, &ids, known, step), &want);
            let mut full = pane(&plan, None);
            prop_assert_eq!(&drained(&mut full, &ids, known, step), &want);
        }
    }
}
