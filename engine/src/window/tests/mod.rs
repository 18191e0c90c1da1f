//! What the tests of all kinds of windows share: rows, and feeding them in batches, with
//! watermarks, to one shard or several.

mod corrected;
mod held;

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::BooleanBuffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use proptest::prelude::*;

use super::spec::WindowSpec;
use crate::batch::{Batch, Offsets, Position, RowTimes};
use crate::operator::{Rows, WindowRows};

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) time: i64,
    pub(super) key: Option<i64>,
    pub(super) number: Option<i64>,
    pub(super) float: Option<f64>,
    pub(super) cents: Option<i128>,
    pub(super) late: bool,
}

pub(super) fn input_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, true),
        Field::new("number", DataType::Int64, true),
        Field::new("float", DataType::Float64, true),
        Field::new("cents", DataType::Decimal128(12, 2), true),
    ]))
}

pub(super) fn batch(rows: &[Row], offset: u64) -> Batch {
    let cents: Decimal128Array = rows.iter().map(|r| r.cents).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|r| r.key).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.number).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.float).collect::<Float64Array>()),
        Arc::new(cents.with_precision_and_scale(12, 2).expect("fits")),
    ];
    let late = BooleanBuffer::from_iter(rows.iter().map(|r| r.late));
    Batch {
        offsets: Offsets::Contiguous(offset),
        times: Some(RowTimes {
            sorted: false,
            time: rows.iter().map(|r| r.time).collect(),
            late: rows.iter().any(|r| r.late).then_some(late),
            largest_before: None,
            watermark: i64::MIN,
        }),
        ..Batch::new(RecordBatch::try_new(input_schema(), columns).expect("the schema's"), offset)
    }
}

/// Runs the window over the rows, cut at `cuts`, with a watermark at each cut where `lags` has
/// one (how far below the best possible it stays), for each shard alone; merges the shards.
pub(super) fn run(
    spec: &WindowSpec,
    rows: &[Row],
    cuts: &[usize],
    lags: &[Option<i64>],
    shards: u32,
) -> (RecordBatch, Vec<(i64, i64, Position)>) {
    let mut all: Vec<WindowRows> = Vec::new();
    let keyed = !spec.keys.is_empty();
    for shard in 0..shards {
        let mut window = super::open(spec, &input_schema()).expect("valid spec").0;
        let mut given: Vec<WindowRows> = Vec::new();
        let mut selected = Vec::new();
        for (i, cut) in cuts.windows(2).enumerate() {
            let batch = batch(&rows[cut[0]..cut[1]], cut[0] as u64);
            let keys = if keyed { vec![batch.rows.column(0).clone()] } else { vec![] };
            crate::shard::select(&keys, batch.len(), (shard, shards), None, &mut selected)
                .expect("key");
            let own = if shards == 1 { Rows::All(batch.len()) } else { Rows::Some(&selected) };
            window.on_batch(&batch, own).expect("no overflow");
            let Some(lag) = lags.get(i).copied().flatten() else { continue };
            let ahead = rows[cut[1]..].iter().filter(|r| !r.late).map(|r| r.time).min();
            if let Some(ahead) = ahead {
                given.extend(window.on_watermark(ahead - 1 - lag).expect("no overflow"));
            }
        }
        given.extend(window.on_watermark(i64::MAX).expect("no overflow"));
        assert!(window.on_watermark(i64::MAX).expect("no overflow").is_none());
        assert_eq!(window.state().rows_beyond_memory, 0);
        assert!(given.iter().flat_map(|g| &g.order).is_sorted(), "the order of one shard");
        all.extend(given);
    }
    let (_, schema) = super::open(spec, &input_schema()).expect("valid");
    let joined = concat_batches(&schema, all.iter().map(|g| &g.rows)).expect("one schema");
    let order: Vec<_> = all.iter().flat_map(|g| g.order.iter().copied()).collect();
    let times = all.iter().flat_map(|g| g.times.iter().copied()).collect();
    super::output::sorted(WindowRows { rows: joined, times, order })
        .map(|sorted| (sorted.rows, sorted.order))
        .expect("sortable")
}

pub(super) fn float() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        4 => (-1e3..1e3f64).prop_map(Some),
        1 => prop_oneof![
            Just(f64::NAN), Just(-f64::NAN), Just(0.0), Just(-0.0), Just(1e300), Just(-1e300),
            Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(f64::MIN_POSITIVE)
        ].prop_map(Some),
        1 => Just(None),
    ]
}

prop_compose! {
    pub(super) fn row(keys: i64)(
        time in -150..150i64,
        key in prop_oneof![6 => (0..keys).prop_map(Some), 1 => Just(None)],
        number in prop::option::weighted(0.8, -5..100i64),
        float in float(),
        cents in prop::option::weighted(0.9, -500..10_000i128),
        late in prop::bool::weighted(0.05),
    ) -> Row {
        Row { time, key, number, float, cents, late }
    }
}

pub(super) fn rows() -> impl Strategy<Value = Vec<Row>> {
    let some = |keys| prop::collection::vec(row(keys), 0..150);
    (prop_oneof![some(1), some(4), some(100_000)], 1..300i64).prop_map(|(mut rows, disorder)| {
        // From sorted to anything.
        rows.sort_by_key(|row| row.time.div_euclid(disorder));
        rows
    })
}
