use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampSecondType};
use proptest::prelude::*;

use super::*;
use crate::batch::{Position, RowTimes};
use crate::expr::col;
use crate::time::{Span, seconds};
use crate::window::aggregate::{Aggregate, Function};
use crate::window::tests::*;

fn spec(kind: WindowKind, keyed: bool) -> WindowSpec {
    WindowSpec {
        kind,
        offset: Span::ZERO,
        time_type: DataType::Timestamp(TimeUnit::Second, None),
        unit: TimeUnit::Second,
        keys: if keyed { vec!["key".to_owned()] } else { Vec::new() },
        lateness: None,
        key_ttl: None,
        aggregates: vec![
            Aggregate::new(Function::Count, [], "n"),
            Aggregate::new(Function::List, ["number"], "rows"),
            Aggregate::new(Function::Sum, ["number"], "sum"),
            Aggregate::new(Function::Max, ["number"], "max"),
        ],
    }
}

/// A window of the definition. Those that only the end of the input closes come last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Expected {
    unfinished: bool,
    /// (end, start); of unfinished ones 0, as they go by position alone.
    place: (i64, i64),
    seen: Position,
    start: i64,
    end: i64,
    key: Option<i64>,
    rows: Vec<i64>,
}

/// A key's rows that are not late, by (time, position): index and row.
type KeyRows<'a> = Vec<(usize, &'a Row)>;

/// (start, end, rows, unfinished) of the windows of one key.
type Cut = Vec<(i64, i64, Vec<i64>, bool)>;

fn indices(rows: &[(usize, &Row)]) -> Vec<i64> {
    rows.iter().map(|(i, _)| *i as i64).collect()
}

fn sessions(rows: &KeyRows<'_>, gap: i64, longest: i64) -> Cut {
    let mut parts: Vec<KeyRows<'_>> = Vec::new();
    for row in rows {
        match parts.last_mut() {
            Some(part)
                if row.1.time - part[part.len() - 1].1.time < gap
                    && row.1.time - part[0].1.time < longest =>
            {
                part.push(*row);
            }
            _ => parts.push(vec![*row]),
        }
    }
    let bounds = |part: KeyRows<'_>| {
        let (first, last) = (part[0].1.time, part[part.len() - 1].1.time);
        (first, (last + gap).min(first.saturating_add(longest)), indices(&part), false)
    };
    parts.into_iter().map(bounds).collect()
}

fn counted(rows: &KeyRows<'_>, size: usize, step: usize) -> Cut {
    let mut windows = Cut::new();
    for k in 1..=rows.len().div_ceil(step) {
        let part =
            &rows[(k * step).saturating_sub(size).min(rows.len())..(k * step).min(rows.len())];
        if let (Some(first), Some(last)) = (part.first(), part.last()) {
            windows.push((first.1.time, last.1.time + 1, indices(part), k * step > rows.len()));
        }
    }
    windows
}

fn states(rows: &KeyRows<'_>) -> Cut {
    let holds = |row: &Row| row.float.is_some_and(|v| v > 0.0 || v.is_nan());
    let mut windows = Cut::new();
    let mut open: KeyRows<'_> = Vec::new();
    for row in rows {
        if holds(row.1) {
            open.push(*row);
        } else if let Some(first) = open.first() {
            windows.push((first.1.time, row.1.time, indices(&open), false));
            open.clear();
        }
    }
    if let (Some(first), Some(last)) = (open.first(), open.last()) {
        windows.push((first.1.time, last.1.time + 1, indices(&open), true));
    }
    windows
}

fn everything(rows: &KeyRows<'_>) -> Cut {
    vec![(rows[0].1.time, rows[rows.len() - 1].1.time + 1, indices(rows), true)]
}

/// All windows from the definition, in their order.
fn naive(rows: &[Row], keyed: bool, cut: impl Fn(&KeyRows<'_>) -> Cut) -> Vec<Expected> {
    let mut keys: BTreeMap<Option<i64>, KeyRows<'_>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate().filter(|(_, row)| !row.late) {
        keys.entry(row.key.filter(|_| keyed)).or_default().push((i, row));
    }
    let mut windows = Vec::new();
    for (key, mut own) in keys {
        let seen = Position { partition: 0, offset: own[0].0 as u64 };
        own.sort_by_key(|(_, row)| row.time);
        for (start, end, rows, unfinished) in cut(&own) {
            let place = if unfinished { (0, 0) } else { (end, start) };
            windows.push(Expected { unfinished, place, seen, start, end, key, rows });
        }
    }
    // Stable: windows of one key with the same bounds stay in their order.
    windows.sort_by_key(|w| (w.unfinished, w.place, w.seen));
    windows
}

fn found(got: &RecordBatch, i: usize) -> (i64, i64, Option<i64>, Vec<i64>) {
    let time = |name: &str| got[name].as_primitive::<TimestampSecondType>().value(i);
    let key = got.column_by_name("key").and_then(|key| {
        let key = key.as_primitive::<Int64Type>();
        key.is_valid(i).then(|| key.value(i))
    });
    let rows = got["rows"].as_list::<i32>().value(i);
    let rows = rows.as_primitive::<Int64Type>().values().to_vec();
    let int = |name: &str| got[name].as_primitive::<Int64Type>().value(i);
    assert_eq!(int("n"), rows.len() as i64);
    assert_eq!(int("sum"), rows.iter().sum::<i64>());
    assert_eq!(Some(int("max")), rows.iter().copied().max());
    (time("window_start"), time("window_end"), key, rows)
}

fn numbered(mut rows: Vec<Row>) -> Vec<Row> {
    rows.iter_mut().enumerate().for_each(|(i, row)| row.number = Some(i as i64));
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn windows_are_those_of_the_definition(
        rows in rows(),
        which in 0..4usize,
        (a, b) in (1..40i64, 1..60i64),
        bounded in any::<bool>(),
        keyed in any::<bool>(),
        shards in 1..4u32,
        cuts in prop::collection::vec(0usize..150, 0..8),
        lags in prop::collection::vec(prop::option::weighted(0.7, 0..20i64), 0..10),
    ) {
        let rows = numbered(rows);
        let longest = if bounded { b } else { i64::MAX };
        let (kind, want) = match which {
            0 => (
                WindowKind::Session { gap: seconds(a), longest: bounded.then(|| seconds(b)) },
                naive(&rows, keyed, |rows| sessions(rows, a, longest)),
            ),
            1 => (
                WindowKind::Count { rows: a as u64, step: b as u64 / 4 + 1 },
                naive(&rows, keyed, |rows| counted(rows, a as usize, b as usize / 4 + 1)),
            ),
            2 => (WindowKind::State(col("float").gt(0.0)), naive(&rows, keyed, states)),
            _ => (WindowKind::Global, naive(&rows, keyed, everything)),
        };
        let mut cuts: Vec<usize> = cuts.iter().map(|&c| c.min(rows.len())).collect();
        cuts.extend([0, rows.len()]);
        cuts.sort_unstable();
        let (got, _) = run(&spec(kind, keyed), &rows, &cuts, &lags, shards);
        prop_assert_eq!(got.num_rows(), want.len());
        for (i, want) in want.iter().enumerate() {
            let want = (want.start, want.end, want.key, want.rows.clone());
            prop_assert_eq!(found(&got, i), want);
        }
    }
}

fn row(time: i64) -> Row {
    Row { time, key: Some(1), number: Some(0), float: Some(1.0), cents: None, late: false }
}

#[test]
fn a_row_behind_the_watermark_is_counted_and_memory_is_freed() {
    let spec = spec(WindowKind::Session { gap: seconds(5), longest: None }, true);
    let mut window = RunWindow::new(&spec, &input_schema()).expect("valid");
    window.on_batch(&batch(&[row(10), row(3)], 0), Rows::All(2)).expect("taken");
    assert!(window.on_watermark(5).expect("fine").is_none());
    window.on_batch(&batch(&[row(4), row(7)], 2), Rows::All(2)).expect("taken");
    assert_eq!(window.state().rows_beyond_memory, 1);
    assert!(window.on_watermark(5).expect("fine").is_none(), "not further on");
    let given = window.on_watermark(14).expect("fine").expect("a session");
    assert_eq!(given.order[0].0, 15);
    let counts = given.rows["n"].as_primitive::<Int64Type>().value(0);
    assert_eq!((given.rows.num_rows(), counts), (1, 3));
    assert_eq!(window.slots.table.len(), window.slots.free.len());
    for i in 0..1000 {
        window.on_batch(&batch(&[row(100 + i * 10)], 10), Rows::All(1)).expect("taken");
        window.on_watermark(100 + i * 10 + 8).expect("fine");
    }
    assert!(window.slots.table.len() <= 2, "slots are used again");
}

#[test]
fn times_at_the_ends_of_the_range() {
    let kinds = [
        WindowKind::Session { gap: seconds(i64::MAX / 2), longest: None },
        WindowKind::Session { gap: seconds(3), longest: Some(seconds(2)) },
        WindowKind::Count { rows: 2, step: 1 },
        WindowKind::State(col("float").gt(0.0)),
        WindowKind::Global,
    ];
    for kind in kinds {
        let spec = spec(kind, true);
        let (mut window, _) = crate::window::open(&spec, &input_schema()).expect("valid");
        let times = [i64::MIN, i64::MAX, 0, i64::MIN + 1, i64::MAX - 1];
        let rows: Vec<Row> = times.iter().map(|&time| row(time)).collect();
        window.on_batch(&batch(&rows, 0), Rows::All(5)).expect("taken");
        assert!(window.on_watermark(i64::MIN).expect("fine").is_none());
        let early = window.on_watermark(i64::MIN + 100).expect("fine");
        let late = window.on_watermark(i64::MAX).expect("fine").expect("rows");
        let given = early.iter().flat_map(|e| &e.order).chain(&late.order);
        assert!(given.clone().is_sorted() && given.count() > 0);
        assert_eq!(window.state().rows_beyond_memory, 0);
    }
}

#[test]
fn a_wrong_plan_is_refused() {
    let refused = |kind: WindowKind, says: &str| {
        let error = crate::window::open(&spec(kind, true), &input_schema()).map(|_| ());
        let error = error.expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    };
    refused(WindowKind::Session { gap: seconds(0), longest: None }, "gap is 0s");
    refused(WindowKind::Session { gap: seconds(1), longest: Some(seconds(-1)) }, "maximum length");
    refused(WindowKind::Count { rows: 0, step: 1 }, "above zero");
    refused(WindowKind::State(col("number").add(1)), "no condition");
    let cumulate = WindowKind::Cumulate { size: seconds(10), step: seconds(3) };
    refused(cumulate, "no multiple of its step");
    let shifted = WindowSpec { offset: seconds(1), ..spec(WindowKind::Global, true) };
    assert!(crate::window::open(&shifted, &input_schema()).is_err());
    let window =
        RunWindow::new(&spec(WindowKind::Count { rows: 1, step: 1 }, true), &input_schema());
    let no_times = Batch { times: None::<RowTimes>, ..batch(&[row(1)], 0) };
    assert!(window.expect("valid").on_batch(&no_times, Rows::All(1)).is_err());
}
