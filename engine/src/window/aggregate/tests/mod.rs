//! Every aggregate against its definition, computed naively from all rows: random rows and edge
//! values, cut into panes at random and combined, with and without filter and distinct.

mod answers;
mod naive;
mod sketches;
mod types;

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use proptest::prelude::*;

use super::*;
use crate::expr::Expr;
use crate::operator::Rows;

/// A row of the test's columns.
#[derive(Debug, Clone)]
struct Sample {
    time: i64,
    int: Option<i64>,
    float: Option<f64>,
    cents: Option<i128>,
    text: Option<String>,
    flag: Option<bool>,
    wide: Option<u64>,
}

fn schema() -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("int", DataType::Int64),
        field("float", DataType::Float64),
        field("cents", DataType::Decimal128(12, 2)),
        field("text", DataType::Utf8),
        field("flag", DataType::Boolean),
        field("wide", DataType::UInt64),
    ]))
}

fn batch(rows: &[Sample]) -> RecordBatch {
    let cents: Decimal128Array = rows.iter().map(|r| r.cents).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|r| r.int).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.float).collect::<Float64Array>()),
        Arc::new(cents.with_precision_and_scale(12, 2).expect("fits")),
        Arc::new(rows.iter().map(|r| r.text.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|r| r.flag).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|r| r.wide).collect::<UInt64Array>()),
    ];
    RecordBatch::try_new(schema(), columns).expect("the schema's")
}

/// The aggregate of rows that fell into panes `pane[i]`, one key; panes are combined in order.
fn run(aggregate: &Aggregate, rows: &[Sample], panes: &[usize]) -> Result<ArrayRef> {
    let plan = AggregatePlan::new(std::slice::from_ref(aggregate), &schema(), TimeUnit::Second)?;
    let all = batch(rows);
    let columns = plan.read(&plan.arrays(&all)?)?;
    let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
    let position = |i| Position { partition: 0, offset: i as u64 };
    let positions: Vec<Position> = (0..rows.len()).map(position).collect();
    let mut whole = Table::new(&plan);
    whole.resize(2);
    for pane in 0..=panes.iter().copied().max().unwrap_or(0) {
        let own: Vec<u32> = (0..rows.len() as u32).filter(|&i| panes[i as usize] == pane).collect();
        let mut part = Table::new(&plan);
        part.resize(1);
        // A few at a time, as batches come.
        for some in own.chunks(5) {
            let rows = RowSet {
                rows: Rows::Some(some),
                times: &times,
                positions: Positions::Listed(&positions),
            };
            part.add_rows(&plan.lifts, &columns, &rows, &vec![0; some.len()])?;
        }
        whole.combine(&plan.lifts, &part, &[1])?;
    }
    let mut out = Table::new(&plan);
    out.gather(&whole, &[1, 0]);
    let result = out.lower(&plan)?.remove(0);
    assert_eq!(result.data_type(), plan.fields[0].data_type());
    assert_eq!(result.len(), 2);
    // The entry without rows: a count of 0, or null.
    let of_nothing = run_nothing(&plan)?;
    assert_eq!(result.slice(1, 1).as_ref(), of_nothing.as_ref());
    Ok(result.slice(0, 1))
}

fn run_nothing(plan: &AggregatePlan) -> Result<ArrayRef> {
    let mut table = Table::new(plan);
    table.resize(1);
    let result = table.lower(plan)?.remove(0);
    assert!(plan.fields[0].is_nullable() == result.is_null(0), "{result:?}");
    Ok(result)
}

fn aggregate(function: Function, columns: &[&str]) -> Aggregate {
    Aggregate::new(function, columns.iter().copied(), "result")
}

fn filtered(aggregate: Aggregate, filter: Expr) -> Aggregate {
    Aggregate { filter: Some(filter), ..aggregate }
}

fn float() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        6 => (-1e3..1e3f64).prop_map(Some),
        2 => (-3..3i32).prop_map(|v| Some(f64::from(v))),
        1 => prop_oneof![
            Just(f64::NAN), Just(-f64::NAN), Just(0.0), Just(-0.0), Just(1e300), Just(-1e300),
            Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(f64::MIN_POSITIVE)
        ].prop_map(Some),
        1 => Just(None),
    ]
}

prop_compose! {
    fn sample()(
        time in prop_oneof![-20..20i64, Just(i64::MIN), Just(i64::MAX)],
        int in prop::option::weighted(0.8, prop_oneof![4 => -5..9i64, 1 => any::<i64>()]),
        float in float(),
        cents in prop::option::weighted(0.8, -500..500i128),
        text in prop::option::weighted(0.8, prop::sample::select(vec!["", "a", "b", "ä", "longer than a word"])),
        flag in prop::option::weighted(0.8, any::<bool>()),
        wide in prop::option::weighted(0.8, prop_oneof![0..9u64, any::<u64>()]),
    ) -> Sample {
        Sample { time, int, float, cents, text: text.map(str::to_owned), flag, wide }
    }
}

/// Rows, and the pane of each.
fn samples() -> impl Strategy<Value = (Vec<Sample>, Vec<usize>)> {
    prop::collection::vec((sample(), 0..4usize), 0..60).prop_map(|rows| rows.into_iter().unzip())
}
