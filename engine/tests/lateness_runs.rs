//! Windows by number of rows and states that late rows correct, through the public API: every row
//! given out, in its order, against a simulation of the definition one row at a time; and what is
//! left when all corrections are made against the windows of the sorted rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, TimeUnit};
use pelton::expr::col;
use pelton::pipeline::*;
use pelton::testing::{Arrived, Script, Trial, agree, run};
use pelton::time::seconds;
use proptest::prelude::*;

/// Time, key, level. A row's value is its index, which no other has.
type Row = (i64, i64, i64);

/// A key's rows by (time, index): time, index, level.
type Rows = Vec<(i64, usize, i64)>;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Count {
        rows: usize,
        step: usize,
    },
    /// While the level is above this.
    State(i64),
}

#[derive(Debug, Clone, Copy)]
struct Case {
    kind: Kind,
    delay: i64,
    lateness: i64,
}

/// A window: start, end, values of its rows.
type Window = (i64, i64, Vec<i64>);

/// start, end, key, values, change.
type Given = (i64, i64, i64, Vec<i64>, String);

fn window(rows: &[(i64, usize, i64)], end: i64) -> Window {
    (rows[0].0, end, rows.iter().map(|row| row.1 as i64).collect())
}

/// The windows that sorted rows close, and the one that only the end of the input would.
fn cut(rows: &Rows, kind: Kind) -> (Vec<Window>, Option<Window>) {
    let mut closed = Vec::new();
    match kind {
        Kind::Count { rows: size, step } => {
            let mut unfinished = None;
            for k in 1..=rows.len().div_ceil(step) {
                let last = (k * step).min(rows.len());
                let own = &rows[(k * step).saturating_sub(size).min(last)..last];
                let Some(end) = own.last() else { continue };
                match k * step <= rows.len() {
                    true => closed.push(window(own, end.0 + 1)),
                    false => unfinished = Some(window(own, end.0 + 1)),
                }
            }
            (closed, unfinished)
        }
        Kind::State(bound) => {
            let mut open: Rows = Vec::new();
            for row in rows {
                if row.2 > bound {
                    open.push(*row);
                } else if !open.is_empty() {
                    closed.push(window(&open, row.0));
                    open.clear();
                }
            }
            let unfinished = open.last().map(|last| window(&open, last.0 + 1));
            (closed, unfinished)
        }
    }
}

fn passed(rows: &Rows, before: Option<i64>) -> Rows {
    rows.iter().filter(|row| before.is_some_and(|bound| row.0 < bound)).copied().collect()
}

/// What a late row changes: the windows before and after it.
fn changes(old: &[Window], new: &[Window], kind: Kind) -> Vec<(Window, &'static str)> {
    let without = |these: &[Window], those: &[Window]| -> Vec<Window> {
        these.iter().filter(|w| !those.contains(w)).cloned().collect()
    };
    let (untrue, now_true) = (without(old, new), without(new, old));
    let replaced = match kind {
        Kind::Count { .. } => untrue.len(),
        Kind::State(_) if untrue.is_empty() => 0,
        Kind::State(_) => now_true.len(),
    };
    let change = |at: usize| if at < replaced { "update_after" } else { "insert" };
    let before = untrue.into_iter().map(|w| (w, "update_before"));
    before.chain(now_true.into_iter().enumerate().map(|(at, w)| (w, change(at)))).collect()
}

/// The definition, one row at a time; the rows that were taken in by key, and the number of those
/// that were not.
fn definition(rows: &[Row], case: Case) -> (Vec<Given>, BTreeMap<i64, Rows>, u64) {
    let Case { kind, delay, lateness } = case;
    let mut given: Vec<Given> = Vec::new();
    let mut keys: BTreeMap<i64, Rows> = BTreeMap::new();
    let mut seen: HashMap<i64, usize> = HashMap::new();
    let (mut aside, mut largest) = (0, None::<i64>);
    let give = |given: &mut Vec<Given>, key, window: Window, change: &str| {
        given.push((window.0, window.1, key, window.2, change.to_owned()));
    };
    for (i, &(time, key, level)) in rows.iter().enumerate() {
        let bound = largest.map(|largest| largest - delay);
        if bound.is_some_and(|bound| time < bound - lateness) {
            aside += 1;
            continue;
        }
        seen.entry(key).or_insert(i);
        let own = keys.entry(key).or_default();
        let (old, _) = cut(&passed(own, bound), kind);
        own.push((time, i, level));
        own.sort_unstable();
        let (new, _) = cut(&passed(own, bound), kind);
        for (window, change) in changes(&old, &new, kind) {
            give(&mut given, key, window, change);
        }
        // What the watermark closes.
        largest = largest.max(Some(time));
        let now = largest.map(|largest| largest - delay);
        let mut closed: Vec<((i64, i64, usize), i64, Window)> = Vec::new();
        for (&key, own) in &keys {
            let known = cut(&passed(own, bound), kind).0.len();
            for window in cut(&passed(own, now), kind).0.into_iter().skip(known) {
                closed.push(((window.1, window.0, seen[&key]), key, window));
            }
        }
        closed.sort_by_key(|(place, ..)| *place);
        for (_, key, window) in closed {
            give(&mut given, key, window, "insert");
        }
    }
    let bound = largest.map(|largest| largest - delay);
    let (mut closed, mut unfinished) = (Vec::new(), Vec::new());
    for (&key, own) in &keys {
        let known = cut(&passed(own, bound), kind).0.len();
        let (all, open) = cut(own, kind);
        for window in all.into_iter().skip(known) {
            closed.push(((window.1, window.0, seen[&key]), key, window));
        }
        unfinished.extend(open.map(|window| (seen[&key], key, window)));
    }
    closed.sort_by_key(|(place, ..)| *place);
    unfinished.sort_by_key(|(seen, ..)| *seen);
    for (_, key, window) in closed {
        give(&mut given, key, window, "insert");
    }
    for (_, key, window) in unfinished {
        give(&mut given, key, window, "insert");
    }
    (given, keys, aside)
}

/// Rows, the first of which has this index.
fn batch(rows: &[Row], first: usize) -> RecordBatch {
    let column = |get: fn(&Row) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(get)))
    };
    let values = (first..first + rows.len()).map(|i| i as i64);
    let shares = rows.iter().map(|row| row.2 as f64 * 0.1);
    RecordBatch::try_from_iter([
        ("ts", column(|r| r.0)),
        ("key", column(|r| r.1)),
        ("level", column(|r| r.2)),
        ("value", Arc::new(Int64Array::from_iter_values(values))),
        ("share", Arc::new(Float64Array::from_iter_values(shares))),
    ])
    .unwrap()
}

/// The builder's windows, beside those of the definition.
type Windows = pelton::pipeline::Window;

fn window_of(kind: Kind) -> Windows {
    match kind {
        Kind::Count { rows, step } => last_rows(rows as u64, step as u64),
        Kind::State(bound) => while_true(col("level").gt(bound)),
    }
}

fn rows_only(delay: i64) -> Pipeline {
    Pipeline::rows(batch(&[], 0).schema())
        .event_time_in(
            "ts",
            TimeUnit::Second,
            Watermark::bounded(seconds(delay)).implausible_after(None),
        )
        .key_by(["key"])
}

fn pipeline(case: Case) -> Pipeline {
    let window = window_of(case.kind).allow_late(seconds(case.lateness), true);
    rows_only(case.delay).window(window, [count(), sum("value"), list("value").named("values")])
}

fn expected(given: &[Given]) -> RecordBatch {
    let int = |get: &dyn Fn(&Given) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(given.iter().map(get)))
    };
    let mut lists = arrow::array::ListBuilder::new(arrow::array::Int64Builder::new());
    for (.., values, _) in given {
        lists.append_value(values.iter().map(|v| Some(*v)));
    }
    let changes = StringArray::from_iter_values(given.iter().map(|g| g.4.as_str()));
    RecordBatch::try_from_iter([
        ("window_start", int(&|g| g.0)),
        ("window_end", int(&|g| g.1)),
        ("key", int(&|g| g.2)),
        ("count", int(&|g| g.3.len() as i64)),
        ("sum_value", int(&|g| g.3.iter().sum())),
        ("values", Arc::new(lists.finish())),
        ("change", Arc::new(changes)),
    ])
    .unwrap()
}

/// What is left of the rows given out once all corrections are made, by key, sorted.
fn left(rows: &RecordBatch) -> BTreeMap<i64, Vec<Window>> {
    let mut left: BTreeMap<i64, Vec<Window>> = BTreeMap::new();
    let int = |name: &str, row| rows[name].as_primitive::<Int64Type>().value(row);
    for row in 0..rows.num_rows() {
        let values = rows["values"].as_list::<i32>().value(row);
        let values = values.as_primitive::<Int64Type>().values().to_vec();
        let window = (int("window_start", row), int("window_end", row), values);
        let own = left.entry(int("key", row)).or_default();
        match rows["change"].as_string::<i32>().value(row) {
            "update_before" => {
                let at = own.iter().position(|known| *known == window);
                own.swap_remove(at.expect("only what was given out is taken back"));
            }
            _ => own.push(window),
        }
    }
    left.values_mut().for_each(|windows| windows.sort());
    left.retain(|_, windows| !windows.is_empty());
    left
}

fn check(rows: &[Row], case: Case) -> Result<(), TestCaseError> {
    let (given, keys, aside) = definition(rows, case);
    let mut script = Script::default();
    for (i, part) in rows.chunks(17).enumerate() {
        script = script.rows(0, batch(part, 17 * i));
    }
    let defined = |_: &[Arrived]| expected(&given);
    let outcome = agree(&script, || pipeline(case), defined);
    let outcome = outcome.map_err(|error| TestCaseError::fail(format!("{case:?}: {error}")))?;
    prop_assert_eq!(outcome.summary.rows_set_aside, aside);
    prop_assert_eq!(outcome.summary.state.rows_beyond_memory, 0);
    let mut whole: BTreeMap<i64, Vec<Window>> = BTreeMap::new();
    for (key, own) in &keys {
        let (closed, unfinished) = cut(own, case.kind);
        let mut windows: Vec<Window> = closed.into_iter().chain(unfinished).collect();
        windows.sort();
        whole.insert(*key, windows);
    }
    whole.retain(|_, windows| !windows.is_empty());
    prop_assert_eq!(left(&outcome.rows), whole);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]
    #[test]
    fn late_rows_correct_what_was_given_out(
        steps in prop::collection::vec((-12..9i64, 0..3i64, 0..10i64), 0..70),
        kind in prop_oneof![
            3 => (1..9usize, 1..7usize).prop_map(|(rows, step)| Kind::Count { rows, step }),
            1 => (1..6usize).prop_map(|rows| Kind::Count { rows, step: rows }),
            3 => (-1..10i64).prop_map(Kind::State),
        ],
        delay in 0..6i64,
        lateness in prop_oneof![Just(0i64), 1..25i64, Just(1000)],
    ) {
        let mut now = 0;
        let rows: Vec<Row> = steps
            .iter()
            .map(|&(step, key, level)| {
                now = (now + step.max(0) / 2).max(0);
                (now + step.min(0), key, level)
            })
            .collect();
        check(&rows, Case { kind, delay, lateness })?;
    }
}

#[test]
fn a_late_row_shifts_all_windows_behind_it() {
    let times = [1, 2, 3, 4, 5, 6, 9, 1, 10];
    let rows: Vec<Row> = times.iter().map(|&time| (time, 1, 0)).collect();
    let case = Case { kind: Kind::Count { rows: 3, step: 2 }, delay: 0, lateness: 20 };
    let (given, ..) = definition(&rows, case);
    let told: Vec<(&[i64], &str)> = given.iter().map(|g| (&g.3[..], g.4.as_str())).collect();
    let expected: [(&[i64], &str); 11] = [
        (&[0, 1], "insert"),
        (&[1, 2, 3], "insert"),
        (&[3, 4, 5], "insert"),
        // The eighth row stands behind the first.
        (&[0, 1], "update_before"),
        (&[1, 2, 3], "update_before"),
        (&[3, 4, 5], "update_before"),
        (&[0, 7], "update_after"),
        (&[7, 1, 2], "update_after"),
        (&[2, 3, 4], "update_after"),
        (&[4, 5, 6], "insert"),
        (&[6, 8], "insert"),
    ];
    assert_eq!(told, expected);
    check(&rows, case).unwrap();
}

#[test]
fn without_late_rows_they_are_the_windows_that_are_not_corrected_to_the_bit() {
    let rows: Vec<Row> =
        (0..700).map(|i: i64| (i / 2 - (i * 7919) % 4, i * i % 5, (i * 31) % 23)).collect();
    for kind in [
        Kind::Count { rows: 30, step: 12 },
        Kind::Count { rows: 7, step: 7 },
        Kind::Count { rows: 4, step: 10 },
        Kind::State(3),
    ] {
        let aggregates = || [sum("share"), mean("share"), stddev("share"), max("level")];
        let script = Script::default().rows(0, batch(&rows, 0));
        let of = |window: Windows| {
            let pipeline = rows_only(10).window(window, aggregates());
            run(pipeline, &script, Trial { batch_rows: 50, shards: 1 }).unwrap().rows
        };
        let plain = of(window_of(kind));
        let mut corrected = of(window_of(kind).allow_late(seconds(40), false));
        let change = corrected.remove_column(corrected.num_columns() - 1);
        assert!(change.as_string::<i32>().iter().all(|change| change == Some("insert")));
        assert!(plain.num_rows() > 20);
        assert_eq!(corrected, plain, "{kind:?}");
    }
}
