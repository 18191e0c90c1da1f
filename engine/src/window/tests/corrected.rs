//! What windows that late rows correct keep.

use arrow::datatypes::{DataType, TimeUnit};

use super::*;
use crate::expr::col;
use crate::time::{Span, seconds};
use crate::window::aggregate::{Aggregate, Function};
use crate::window::spec::{Lateness, WindowKind, WindowSpec};

fn spec(kind: WindowKind) -> WindowSpec {
    WindowSpec {
        kind,
        offset: Span::ZERO,
        time_type: DataType::Timestamp(TimeUnit::Second, None),
        unit: TimeUnit::Second,
        keys: vec!["key".to_owned()],
        lateness: Some(Lateness { span: seconds(30), retracts: true, early: None }),
        key_ttl: None,
        aggregates: vec![Aggregate::new(Function::Sum, ["number"], "sum")],
    }
}

#[test]
fn rows_that_nothing_can_change_any_more_are_let_go() {
    for kind in [
        WindowKind::Count { rows: 50, step: 10 },
        WindowKind::Count { rows: 3, step: 50 },
        WindowKind::State(col("number").gt(20)),
        WindowKind::Session { gap: seconds(5), longest: Some(seconds(40)) },
    ] {
        let spec = spec(kind);
        let (mut window, _) = crate::window::open(&spec, &input_schema()).expect("valid");
        let mut most = 0;
        for step in 0..120_i64 {
            let row = |i: i64| Row {
                time: step * 100 + i / 10 - i % 3,
                key: Some(i % 7),
                number: Some((i * 31) % 23),
                float: None,
                cents: None,
                late: false,
            };
            let rows: Vec<Row> = (0..1000).map(row).collect();
            let batch = batch(&rows, (step * 1000) as u64);
            window.on_batch(&batch, Rows::All(rows.len())).expect("taken");
            window.on_watermark(step * 100 + 60).expect("no overflow");
            if step > 20 {
                most = most.max(window.state().bytes);
            }
        }
        // Some 1,000 rows of the lateness, 100 bytes each, and what is held beside them.
        assert!(most < 1_500_000, "{:?}: {most}", spec.kind);
        // A key that is silent holds on to its last rows alone, not to the batch that they came in.
        let before = window.state().bytes;
        for step in 200..320_i64 {
            let row = |i: i64| Row {
                time: step * 100 + i / 10,
                key: Some(100 + step * (i % 2)),
                number: Some(30),
                float: None,
                cents: None,
                late: false,
            };
            let rows: Vec<Row> = (0..1000).map(row).collect();
            let batch = batch(&rows, (step * 1000) as u64);
            window.on_batch(&batch, Rows::All(rows.len())).expect("taken");
            window.on_watermark(step * 100 + 70).expect("no overflow");
        }
        let after = window.state().bytes;
        assert!(after < before + 16_000_000, "{:?}: {before}, then {after}", spec.kind);
        window.on_watermark(i64::MAX).expect("no overflow");
        assert!(window.on_watermark(i64::MAX).expect("no overflow").is_none());
        assert_eq!(window.state().rows_beyond_memory, 0);
    }
}
