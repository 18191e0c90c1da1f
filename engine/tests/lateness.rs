//! Windows that late rows correct, through the public API: every row given out, in its order,
//! against a simulation of the definition one row at a time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, TimeUnit};
use pelton::pipeline::*;
use pelton::sink::MemorySink;
use pelton::testing::{Arrived, Script, agree};
use pelton::time::seconds;
use proptest::prelude::*;

/// Time, key, value.
type Row = (i64, i64, i64);

/// Rows of a window and key, by (end, start, first seen, key): time, index, value.
type Cells = BTreeMap<(i64, i64, usize, i64), Vec<(i64, usize, i64)>>;

fn batch(rows: &[Row]) -> RecordBatch {
    let column = |get: fn(&Row) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(get)))
    };
    RecordBatch::try_from_iter([
        ("ts", column(|r| r.0)),
        ("key", column(|r| r.1)),
        ("value", column(|r| r.2)),
    ])
    .unwrap()
}

/// start, end, key, values of the window's rows by (time, position), change.
type Given = (i64, i64, i64, Vec<i64>, String);

/// size, slide, delay, lateness, whether old rows are given out too.
#[derive(Debug, Clone, Copy)]
struct Case {
    size: i64,
    slide: i64,
    delay: i64,
    lateness: i64,
    retracts: bool,
}

fn windows_of(time: i64, case: Case) -> Vec<(i64, i64)> {
    let first = (time - case.size).div_euclid(case.slide) + 1;
    let last = time.div_euclid(case.slide);
    (first..=last).map(|k| (k * case.slide + case.size, k * case.slide)).collect()
}

/// The definition: after each row the windows that have ended are given out; a row that comes
/// late changes those that it is in. Also the number of rows set aside.
fn definition(rows: &[Row], case: Case) -> (Vec<Given>, u64) {
    let mut given = Vec::new();
    let mut aside = 0;
    let mut seen: HashMap<i64, usize> = HashMap::new();
    let mut cells = Cells::new();
    let mut largest: Option<i64> = None;
    let row_of = |end: i64, start: i64, key: i64, of: &[(i64, usize, i64)], change: &str| {
        let mut of = of.to_vec();
        of.sort_unstable();
        (start, end, key, of.iter().map(|r| r.2).collect(), change.to_owned())
    };
    for (i, &(time, key, value)) in rows.iter().enumerate() {
        if largest.is_some_and(|m| time < m - case.delay - case.lateness) {
            aside += 1;
            continue;
        }
        let first = *seen.entry(key).or_insert(i);
        for (end, start) in windows_of(time, case) {
            // Closed when no row before its end was expected any more.
            let closed = largest.is_some_and(|m| end <= m - case.delay);
            let cell = cells.entry((end, start, first, key)).or_default();
            let before = cell.clone();
            cell.push((time, i, value));
            if closed {
                if !before.is_empty() && case.retracts {
                    given.push(row_of(end, start, key, &before, "update_before"));
                }
                let change = if before.is_empty() { "insert" } else { "update_after" };
                given.push(row_of(end, start, key, cell, change));
            }
        }
        let before = largest;
        largest = largest.max(Some(time));
        let ended = |m: Option<i64>, end: i64| m.is_some_and(|m| end <= m - case.delay);
        for (&(end, start, _, key), of) in &cells {
            if ended(largest, end) && !ended(before, end) {
                given.push(row_of(end, start, key, of, "insert"));
            }
        }
    }
    for (&(end, start, _, key), of) in &cells {
        if largest.is_none_or(|m| end > m - case.delay) {
            given.push(row_of(end, start, key, of, "insert"));
        }
    }
    (given, aside)
}

fn run(rows: &[Row], case: Case, batch_rows: usize, shards: usize) -> (Vec<Given>, u64) {
    let sink = MemorySink::new();
    let batches = sink.batches();
    let window = hop(seconds(case.size), seconds(case.slide));
    let summary = Pipeline::rows(batch(&[]).schema())
        .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(case.delay)))
        .key_by(["key"])
        .window(
            window.allow_late(seconds(case.lateness), case.retracts),
            [list("value"), sum("value"), count()],
        )
        .write_to(sink)
        .run_rows(rows.chunks(batch_rows).map(|r| Ok(batch(r))), Options::default().shards(shards))
        .unwrap();
    let mut given = Vec::new();
    for rows in batches.lock().unwrap().iter() {
        let int = |name: &str, i: usize| rows[name].as_primitive::<Int64Type>().value(i);
        for i in 0..rows.num_rows() {
            let values = rows["list_value"].as_list::<i32>().value(i);
            let values = values.as_primitive::<Int64Type>().values().to_vec();
            assert_eq!(int("count", i), values.len() as i64);
            assert_eq!(int("sum_value", i), values.iter().sum::<i64>());
            let change = rows["change"].as_string::<i32>().value(i).to_owned();
            let bounds = (int("window_start", i), int("window_end", i));
            given.push((bounds.0, bounds.1, int("key", i), values, change));
        }
    }
    (given, summary.rows_set_aside)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn corrections_are_those_of_the_definition(
        steps in prop::collection::vec((-12..8i64, 0..4i64, 0..100i64), 0..120),
        size in 1..15i64,
        slide in 1..12i64,
        delay in 0..4i64,
        lateness in 0..15i64,
        retracts in any::<bool>(),
        batch_rows in prop_oneof![Just(1usize), 2..20usize, Just(1000)],
        shards in 1..4usize,
    ) {
        let mut now = 0;
        let rows: Vec<Row> = steps
            .iter()
            .map(|&(step, key, value)| {
                now += step.max(0);
                (now + step.min(0), key, value)
            })
            .collect();
        let case = Case { size, slide, delay, lateness, retracts };
        prop_assert_eq!(run(&rows, case, batch_rows, shards), definition(&rows, case));
    }
}

#[test]
fn global_windows_cannot_be_corrected() {
    let error = Pipeline::rows(batch(&[]).schema())
        .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(1)))
        .window(all_rows().allow_late(seconds(5), false), [count()])
        .schema()
        .unwrap_err()
        .to_string();
    assert!(error.contains("only windows of fixed length"), "{error}");
}

/// Gap, longest, delay, lateness of sessions.
type SessionCase = (i64, i64, i64, i64);

/// By where a key was first seen: the key, and its rows (time, index, value).
type KeyRows = BTreeMap<usize, (i64, Vec<(i64, usize, i64)>)>;

/// start, end, key, sum, rows, change
type SessionRow<'a> = (i64, i64, i64, i64, i64, &'a str);

/// start, end, sum, rows of the sessions of a key's rows (by time, index).
fn sessions_of(rows: &[(i64, usize, i64)], case: SessionCase) -> Vec<(i64, i64, i64, i64)> {
    let mut found: Vec<(i64, i64, i64, i64)> = Vec::new();
    for &(time, _, value) in rows {
        match found.last_mut() {
            Some(open) if time < open.1 => {
                *open = (open.0, (time + case.0).min(open.0 + case.1), open.2 + value, open.3 + 1);
            }
            _ => found.push((time, time + case.0.min(case.1), value, 1)),
        }
    }
    found
}

/// The definition: late rows change the set of sessions that are over, and the difference is
/// given out.
fn corrected_sessions(rows: &[Row], case: SessionCase) -> RecordBatch {
    let (_, _, delay, lateness) = case;
    let mut given: Vec<SessionRow<'_>> = Vec::new();
    let mut seen: HashMap<i64, usize> = HashMap::new();
    let mut keys: KeyRows = BTreeMap::new();
    let mut largest: Option<i64> = None;
    for (i, &(time, key, value)) in rows.iter().enumerate() {
        if largest.is_some_and(|m| time < m - delay - lateness) {
            continue;
        }
        let over = |rows: &[(i64, usize, i64)]| -> Vec<(i64, i64, i64, i64)> {
            let all = sessions_of(rows, case).into_iter();
            all.filter(|s| largest.is_some_and(|m| s.1 <= m - delay)).collect()
        };
        let first = *seen.entry(key).or_insert(i);
        let own = &mut keys.entry(first).or_insert((key, Vec::new())).1;
        let old = over(own);
        own.push((time, i, value));
        own.sort_unstable();
        let new = over(own);
        // As many rows of the same bounds are the same rows.
        let without = |a: &[(i64, i64, i64, i64)], b: &[(i64, i64, i64, i64)]| -> Vec<_> {
            let alike = |x: &(i64, i64, i64, i64), y: &(i64, i64, i64, i64)| {
                (x.0, x.1, x.3) == (y.0, y.1, y.3)
            };
            a.iter().filter(|x| !b.iter().any(|y| alike(x, y))).copied().collect()
        };
        let untrue = without(&old, &new);
        let change = if untrue.is_empty() { "insert" } else { "update_after" };
        given.extend(untrue.iter().map(|s| (s.0, s.1, key, s.2, s.3, "update_before")));
        let now_true = without(&new, &old);
        given.extend(now_true.iter().map(|s| (s.0, s.1, key, s.2, s.3, change)));
        let before = largest;
        largest = largest.max(Some(time));
        close_sessions(&keys, case, before, largest, &mut given);
    }
    close_sessions(&keys, case, largest, Some(i64::MAX), &mut given);
    let column = |get: fn(&SessionRow<'_>) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(given.iter().map(get)))
    };
    RecordBatch::try_from_iter([
        ("window_start", column(|r| r.0)),
        ("window_end", column(|r| r.1)),
        ("key", column(|r| r.2)),
        ("sum_value", column(|r| r.3)),
        ("count", column(|r| r.4)),
        ("change", Arc::new(StringArray::from_iter_values(given.iter().map(|r| r.5)))),
    ])
    .unwrap()
}

/// Gives out the sessions that are over now, and were not.
fn close_sessions(
    keys: &KeyRows,
    case: SessionCase,
    before: Option<i64>,
    now: Option<i64>,
    given: &mut Vec<SessionRow<'_>>,
) {
    let is_over = |m: Option<i64>, end: i64| m.is_some_and(|m| end <= m - case.2);
    let mut closed = Vec::new();
    for (first, (key, rows)) in keys {
        let over = sessions_of(rows, case).into_iter();
        let over = over.filter(|s| is_over(now, s.1) && !is_over(before, s.1));
        closed.extend(over.map(|s| ((s.1, s.0, *first), (s.0, s.1, *key, s.2, s.3, "insert"))));
    }
    closed.sort_unstable();
    given.extend(closed.into_iter().map(|(_, row)| row));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn corrected_sessions_are_those_of_the_definition(
        steps in prop::collection::vec((-12..8i64, 0..3i64, 0..100i64), 0..100),
        gap in 1..8i64,
        longest in prop_oneof![Just(1_000_000i64), 1..20i64],
        delay in 0..4i64,
        lateness in 1..15i64,
    ) {
        let mut now = 0;
        let rows: Vec<Row> = steps
            .iter()
            .map(|&(step, key, value)| {
                now += step.max(0);
                (now + step.min(0), key, value)
            })
            .collect();
        let script = Script::default().rows(0, batch(&rows));
        let make = || {
            let window = session_up_to(seconds(gap), seconds(longest));
            Pipeline::rows(batch(&[]).schema())
                .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(delay)))
                .key_by(["key"])
                .window(window.allow_late(seconds(lateness), true), [sum("value"), count()])
        };
        let outcome = agree(&script, make, |arrived: &[Arrived]| {
            assert_eq!(arrived.len(), rows.len());
            corrected_sessions(&rows, (gap, longest, delay, lateness))
        });
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}
