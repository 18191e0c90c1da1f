//! Keys that are forgotten when they have been idle for long, through the public API: what is
//! computed stays the same, the order of rows is that of the definition, whatever batches and
//! shards there are, and memory does not grow with the number of keys that ever came.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimeUnit};
use arrow::util::display::array_value_to_string;
use pelton::expr::col;
use pelton::pipeline::*;
use pelton::testing::{Script, TRIALS, agree, run};
use pelton::time::seconds;
use proptest::prelude::*;

/// Time, key, value.
type Row = (i64, i64, i64);

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

fn pipeline(window: Window, delay: i64) -> Pipeline {
    Pipeline::rows(batch(&[]).schema())
        .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(delay)))
        .key_by(["key"])
        .window(window, [sum("value").named("total"), max("value"), count()])
}

/// Rows whose keys come, go and come again.
fn rows_of(steps: &[(i64, i64, i64)]) -> Vec<Row> {
    let mut now = 0;
    let row = |&(step, key, value): &(i64, i64, i64)| {
        now += step.max(0);
        // The keys of a time are other ones than those before.
        (now + step.min(0), key + now / 40, value)
    };
    steps.iter().map(row).collect()
}

/// What is known of a key: the row at which it was first seen, and the ends of its rows' panes.
struct Seen {
    first: usize,
    pane_ends: Vec<i64>,
}

/// Windows of `size` each `slide` (a multiple), keys living for `ttl`.
fn definition(rows: &[Row], size: i64, slide: i64, delay: i64, ttl: i64) -> RecordBatch {
    let step = (ttl / 4).max(1);
    let mut largest: Option<i64> = None;
    let mut seen: HashMap<i64, Seen> = HashMap::new();
    let mut known: HashMap<(i64, usize), usize> = HashMap::new();
    let mut cells: BTreeMap<(i64, i64), Vec<usize>> = BTreeMap::new();
    for (i, &(time, key, _)) in rows.iter().enumerate() {
        if largest.is_some_and(|m| time < m - delay) {
            continue;
        }
        let pane_end = (time.div_euclid(slide) + 1) * slide;
        let of_key = seen.entry(key).or_insert(Seen { first: i, pane_ends: Vec::new() });
        of_key.pane_ends.push(pane_end);
        for end in (pane_end..pane_end + size).step_by(slide as usize) {
            cells.entry((end, key)).or_default().push(i);
            // While a window holds the key it is not forgotten: all its rows say the same.
            known.insert((end, key as usize), of_key.first);
        }
        let before = largest.map(|m| (m - delay).div_euclid(step));
        largest = largest.max(Some(time));
        let passed = largest.unwrap_or(time) - delay;
        let border = passed.div_euclid(step) * step;
        if before.is_some_and(|before| before < passed.div_euclid(step)) {
            seen.retain(|_, key| {
                key.pane_ends.iter().any(|&end| {
                    let last_window_end = end + size - slide;
                    last_window_end > passed || end > border - ttl
                })
            });
        }
    }
    let mut given: Vec<((i64, usize), [i64; 6])> = cells
        .iter()
        .map(|(&(end, key), own)| {
            let values: Vec<i64> = own.iter().map(|&i| rows[i].2).collect();
            let most = values.iter().max().copied().unwrap_or(0);
            let row = [end - size, end, key, values.iter().sum(), most, values.len() as i64];
            ((end, known[&(end, key as usize)]), row)
        })
        .collect();
    given.sort_unstable();
    let names = ["window_start", "window_end", "key", "total", "max_value", "count"];
    let column = |at: usize| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(given.iter().map(|(_, row)| row[at])))
    };
    let columns = names.iter().enumerate().map(|(at, &name)| (name, column(at)));
    RecordBatch::try_from_iter(columns).unwrap()
}

fn sorted(rows: &RecordBatch) -> Vec<Vec<i64>> {
    let value = |row, column| rows.column(column).as_primitive::<Int64Type>().value(row);
    let row = |row| (0..rows.num_columns()).map(|column| value(row, column)).collect();
    let mut all: Vec<Vec<i64>> = (0..rows.num_rows()).map(row).collect();
    all.sort_unstable();
    all
}

fn steps() -> impl Strategy<Value = Vec<(i64, i64, i64)>> {
    prop::collection::vec((-6..14i64, 0..5i64, 0..100i64), 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn windows_on_panes_are_those_of_the_definition(
        steps in steps(),
        panes in 1..4i64,
        slide in 1..15i64,
        delay in 0..5i64,
        ttl in 1..60i64,
    ) {
        let rows = rows_of(&steps);
        let size = panes * slide;
        let script = Script::default().rows(0, batch(&rows));
        let window = hop(seconds(size), seconds(slide)).forget_keys_after(seconds(ttl));
        let outcome = agree(
            &script,
            || pipeline(window.clone(), delay),
            |_| definition(&rows, size, slide, delay, ttl),
        );
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }

    #[test]
    fn other_windows_hold_the_same_rows(
        steps in steps(),
        kind in 0..4usize,
        delay in 0..5i64,
        ttl in 1..60i64,
    ) {
        let rows = rows_of(&steps);
        let window = match kind {
            0 => session(seconds(7)),
            1 => last_rows(3, 2),
            2 => while_true(col("value").gt(30)),
            _ => cumulate(seconds(30), seconds(10)),
        };
        let script = Script::default().rows(0, batch(&rows));
        let all = run(pipeline(window.clone(), delay), &script, TRIALS[0]).unwrap();
        let window = window.forget_keys_after(seconds(ttl));
        let first = run(pipeline(window.clone(), delay), &script, TRIALS[0]).unwrap();
        prop_assert_eq!(sorted(&first.rows), sorted(&all.rows));
        let outcome = agree(&script, || pipeline(window.clone(), delay), |_| first.rows.clone());
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}

/// Rows in words, sorted: for columns of any type.
fn in_words(rows: &RecordBatch) -> Vec<String> {
    let value = |row, column: &ArrayRef| array_value_to_string(column, row).unwrap();
    let row = |row| rows.columns().iter().map(|column| value(row, column) + " ").collect();
    let mut all: Vec<String> = (0..rows.num_rows()).map(row).collect();
    all.sort_unstable();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn corrected_and_early_windows_hold_the_same_rows(
        steps in steps(),
        kind in 0..5usize,
        lateness in 0..12i64,
        delay in 0..5i64,
        ttl in 1..60i64,
        retracts in any::<bool>(),
    ) {
        let rows = rows_of(&steps);
        let late = seconds(lateness);
        let window = match kind {
            0 => tumble(seconds(7)).allow_late(late, retracts),
            1 => hop(seconds(12), seconds(5)).allow_late(late, retracts),
            2 => cumulate(seconds(30), seconds(10)).allow_late(late, retracts),
            3 => tumble(seconds(9)).allow_late(late, retracts).early(Early::Rows(2), retracts),
            _ => hop(seconds(12), seconds(6)).early(Early::EventTime(seconds(5)), retracts),
        };
        let script = Script::default().rows(0, batch(&rows));
        let all = run(pipeline(window.clone(), delay), &script, TRIALS[0]).unwrap();
        let window = window.forget_keys_after(seconds(ttl));
        let first = run(pipeline(window.clone(), delay), &script, TRIALS[0]).unwrap();
        prop_assert_eq!(in_words(&first.rows), in_words(&all.rows));
        let outcome = agree(&script, || pipeline(window.clone(), delay), |_| first.rows.clone());
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}

/// Over windows at arrival, and the age of the row before.
fn over(delay: i64) -> Pipeline {
    Pipeline::rows(batch(&[]).schema())
        .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(delay)))
        .key_by(["key"])
        .over([last(seconds(9))], [sum("value"), count(), distinct("value")])
        .with(since_previous())
}

fn forgetful_over(delay: i64, ttl: i64) -> Pipeline {
    Pipeline::rows(batch(&[]).schema())
        .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(delay)))
        .key_by(["key"])
        .forget_keys_after(seconds(ttl))
        .over([last(seconds(9))], [sum("value"), count(), distinct("value")])
        .with(since_previous())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn over_windows_are_those_of_keys_known_for_ever(
        steps in steps(),
        delay in 0..5i64,
        ttl in 9..60i64,
    ) {
        let rows = rows_of(&steps);
        let script = Script::default().rows(0, batch(&rows));
        let all = run(over(delay), &script, TRIALS[0]).unwrap();
        let first = run(forgetful_over(delay, ttl), &script, TRIALS[0]).unwrap();
        let columns = all.rows.num_columns();
        for at in 0..columns - 1 {
            prop_assert_eq!(all.rows.column(at), first.rows.column(at));
        }
        let ages = |rows: &RecordBatch| -> Vec<Option<f64>> {
            rows.column(columns - 1).as_primitive::<Float64Type>().iter().collect()
        };
        for (all, first) in ages(&all.rows).into_iter().zip(ages(&first.rows)) {
            // A late row may have lost sight of the row before it sooner.
            prop_assert!(first == all.filter(|&age| age < ttl as f64) || first.is_none());
        }
        let outcome = agree(&script, || forgetful_over(delay, ttl), |_| first.rows.clone());
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}

#[test]
fn over_windows_at_the_watermark_forget_what_no_horizon_reaches() {
    let rows: Vec<Row> = (0..300_000).map(|i| (i / 300, i / 3 % 100 + i / 300 * 100, i)).collect();
    let pipeline = |length: i64| {
        Pipeline::rows(batch(&[]).schema())
            .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(2)))
            .key_by(["key"])
            .over_at_watermark([last(seconds(length))], [sum("value"), max("value"), count()])
    };
    let run = |length: i64| {
        let batches = rows.chunks(4096).map(|rows| Ok(batch(rows)));
        pipeline(length).run_rows(batches, Options::default().shards(1)).unwrap()
    };
    let (long, short) = (run(5000), run(9));
    assert_eq!((long.state.keys, long.rows_out, short.rows_out), (100_000, 300_000, 300_000));
    assert!(short.state.keys <= 100 * 100, "{} keys", short.state.keys);
    // The three rows of a key are of one time: each sees all of them.
    let script = Script::default().rows(0, batch(&rows));
    let given = self::run(pipeline(9), &script, TRIALS[0]).unwrap().rows;
    let value = |name: &str, row| given[name].as_primitive::<Int64Type>().value(row);
    for row in 0..rows.len() {
        let of_key = row as i64 / 3;
        let found = ["key_sum_value_9s", "key_max_value_9s", "key_count_9s"].map(|n| value(n, row));
        assert_eq!(found, [9 * of_key + 3, 3 * of_key + 2, 3]);
    }
}

#[test]
fn over_windows_forget_keys_that_came_once() {
    let rows: Vec<Row> = (0..300_000).map(|i| (i / 300, i / 3 % 100 + i / 300 * 100, 1)).collect();
    let state = |pipeline: Pipeline| {
        let batches = rows.chunks(4096).map(|rows| Ok(batch(rows)));
        pipeline.run_rows(batches, Options::default()).unwrap().state
    };
    let (all, some) = (state(over(0)), state(forgetful_over(0, 20)));
    assert_eq!(all.keys, 100_000);
    assert!(some.keys <= 100 * 60, "{} keys", some.keys);
    assert!(some.bytes * 4 < all.bytes, "{} bytes of {}", some.bytes, all.bytes);
}

#[test]
fn memory_does_not_grow_with_the_keys_that_ever_came() {
    // Each key comes three times within a second, then never again.
    let rows: Vec<Row> = (0..300_000).map(|i| (i / 300, i / 3 % 100 + i / 300 * 100, 1)).collect();
    for window in [
        tumble(seconds(10)),
        hop(seconds(20), seconds(5)),
        session(seconds(3)),
        tumble(seconds(10)).allow_late(seconds(5), false),
    ] {
        let state = |window: Window| {
            let batches = rows.chunks(4096).map(|rows| Ok(batch(rows)));
            let summary = pipeline(window, 0).run_rows(batches, Options::default()).unwrap();
            assert_eq!(summary.rows_used, 300_000);
            summary.state
        };
        let (all, some) = (state(window.clone()), state(window.forget_keys_after(seconds(20))));
        assert_eq!(all.keys, 100_000);
        assert!(some.keys <= 100 * 60, "{} keys", some.keys);
        assert!(some.bytes * 2 < all.bytes, "{} bytes of {}", some.bytes, all.bytes);
    }
}

#[test]
fn plans_that_cannot_forget_are_refused() {
    let error = |window: Window| {
        let batches = [Ok(batch(&[]))].into_iter();
        pipeline(window, 0).run_rows(batches, Options::default()).unwrap_err().to_string()
    };
    let sessions = session(seconds(1)).forget_keys_after(seconds(9));
    assert!(error(sessions.allow_late(seconds(1), false)).contains("cannot be forgotten"));
    assert!(error(all_rows().forget_keys_after(seconds(1))).contains("cannot be forgotten"));
    assert!(error(tumble(seconds(1)).forget_keys_after(seconds(0))).contains("time to live"));
    let refused = |pipeline: Pipeline| {
        let batches = [Ok(batch(&[]))].into_iter();
        pipeline.run_rows(batches, Options::default()).unwrap_err().to_string()
    };
    assert!(refused(forgetful_over(0, 8)).contains("a horizon still reaches"));
}
