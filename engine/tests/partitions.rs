//! Watermarks of several partitions, of which some are idle and wake, on a virtual clock: rows
//! given out and rows counted, against a simulation of the definition one row at a time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, TimeUnit};
use pelton::pipeline::*;
use pelton::testing::{Arrived, Script, Trial, agree, run};
use pelton::time::seconds;
use proptest::prelude::*;

const IDLE_S: u64 = 10;

fn batch(rows: &[(i64, i64)]) -> RecordBatch {
    let column = |get: fn(&(i64, i64)) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(get)))
    };
    RecordBatch::try_from_iter([("ts", column(|r| r.0)), ("key", column(|r| r.1))]).unwrap()
}

/// The watermark by its definition: the least promise of partitions that are awake; never back.
struct Naive {
    delay: i64,
    /// Largest time, and when it was heard of.
    partitions: Vec<(Option<i64>, Duration)>,
    watermark: i64,
}

impl Naive {
    fn new(partitions: usize, delay: i64) -> Self {
        let partitions = vec![(None, Duration::ZERO); partitions];
        Self { delay, partitions, watermark: i64::MIN }
    }

    fn advance(&mut self, now: Duration) {
        let awake = self.partitions.iter().filter(|p| now - p.1 < Duration::from_secs(IDLE_S));
        let promises = awake.map(|p| p.0.map_or(i64::MIN, |largest| largest - self.delay - 1));
        self.watermark = self.watermark.max(promises.min().unwrap_or(i64::MIN));
    }

    /// Whether the row is late.
    fn row(&mut self, partition: u32, time: i64, now: Duration) -> bool {
        // Partitions may have become idle since the row before.
        self.advance(now);
        let own = &mut self.partitions[partition as usize];
        let late = own.0.is_some_and(|largest| time < largest - self.delay);
        *own = (own.0.max(Some(time)), now);
        late
    }
}

fn values(row: &Arrived) -> (i64, i64) {
    let of = |name: &str| row.rows[name].as_primitive::<Int64Type>().value(row.row);
    (of("ts"), of("key"))
}

/// Windows of 10 s by key that are out, and the rows late and too late for their window.
fn windows(rows: &[Arrived], partitions: usize, delay: i64) -> (RecordBatch, u64, u64) {
    let mut time = Naive::new(partitions, delay);
    let (mut late, mut beyond) = (0, 0);
    let mut seen = HashMap::new();
    let mut cells: BTreeMap<(i64, pelton::batch::Position, i64), i64> = BTreeMap::new();
    for row in rows {
        let (ts, key) = values(row);
        let is_late = time.row(row.position.partition, ts, row.at);
        late += u64::from(is_late);
        if !is_late {
            let first = *seen.entry(key).or_insert(row.position);
            let end = ts.div_euclid(10) * 10 + 10;
            if time.watermark != i64::MIN && end <= time.watermark + 1 {
                beyond += 1;
            } else {
                *cells.entry((end, first, key)).or_insert(0) += 1;
            }
        }
        time.advance(row.at);
    }
    let column = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    let rows = RecordBatch::try_from_iter([
        ("window_start", column(cells.keys().map(|k| k.0 - 10).collect())),
        ("window_end", column(cells.keys().map(|k| k.0).collect())),
        ("key", column(cells.keys().map(|k| k.2).collect())),
        ("count", column(cells.values().copied().collect())),
    ]);
    (rows.unwrap(), late, beyond)
}

fn pipeline(delay: i64, window: Window) -> Pipeline {
    let watermark = Watermark::bounded(seconds(delay)).idle_after(seconds(IDLE_S as i64));
    Pipeline::rows(batch(&[]).schema())
        .event_time_in("ts", TimeUnit::Second, watermark)
        .key_by(["key"])
        .window(window, [count()])
}

#[test]
fn a_silent_partition_holds_back_until_it_is_idle_and_wakes_behind() {
    let wait = |s| Duration::from_secs(s);
    let script = Script::of_partitions(3)
        .rows(0, batch(&[(1, 1), (5, 2), (31, 1)]))
        .rows(1, batch(&[(3, 1)]))
        // Partition 2 never speaks: after 10 s it does not count; 1 goes silent with it.
        .wait(wait(6))
        .rows(0, batch(&[(32, 1)]))
        .wait(wait(4))
        .rows(0, batch(&[(45, 1)]))
        // 1 wakes: what it brings for [0, 10) comes too late, for [40, 50) it counts.
        .rows(1, batch(&[(4, 1), (44, 3), (2, 1)]))
        .rows(2, batch(&[(7, 9), (60, 9)]));
    let (_, late, beyond) = windows(&script.arrivals(), 3, 2);
    assert_eq!((late, beyond), (1, 2));
    let outcome =
        agree(&script, || pipeline(2, tumble(seconds(10))), |rows| windows(rows, 3, 2).0).unwrap();
    assert_eq!((outcome.summary.rows_set_aside, outcome.summary.state.rows_beyond_memory), (1, 2));
    // Windows to 40 were out while partition 2 had not said a word.
    assert!(outcome.rows_before_the_end >= 3, "{outcome:?}");
}

/// Rows, and waits, of up to three partitions whose times drift apart.
fn scripts() -> impl Strategy<Value = (usize, Script)> {
    let step = (0..3u32, -6..9i64, 0..4i64, 0..12u64, 1..4usize);
    (1..4usize, prop::collection::vec(step, 0..60)).prop_map(|(partitions, steps)| {
        let mut now = [0i64; 3];
        let mut script = Script::of_partitions(partitions);
        for (partition, step, key, wait, rows) in steps {
            let partition = partition % partitions as u32;
            let time = &mut now[partition as usize];
            let rows: Vec<(i64, i64)> = (0..rows)
                .map(|row| {
                    *time += step.max(0);
                    (*time + step.min(0), (key + row as i64) % 4)
                })
                .collect();
            script = script.rows(partition, batch(&rows));
            if wait > 7 {
                script = script.wait(Duration::from_secs(wait - 7));
            }
        }
        (partitions, script)
    })
}

/// start, end, key, count, change: by the definition of windows that late rows correct.
fn corrected(rows: &[Arrived], partitions: usize, delay: i64, lateness: i64) -> (RecordBatch, u64) {
    let mut time = Naive::new(partitions, delay + lateness);
    let mut aside = 0;
    let mut seen = HashMap::new();
    let mut cells: BTreeMap<(i64, pelton::batch::Position, i64), i64> = BTreeMap::new();
    let mut given: Vec<(i64, i64, i64, &str)> = Vec::new();
    let mut out_until = i64::MIN;
    let mut beyond = 0;
    let close = |cells: &BTreeMap<(i64, _, i64), i64>, given: &mut Vec<_>, from: i64, to: i64| {
        let ended = cells.iter().filter(|((end, ..), _)| *end > from && *end <= to);
        given.extend(ended.map(|(&(end, _, key), &n)| (end, key, n, "insert")));
    };
    for row in rows {
        let (ts, key) = values(row);
        let is_late = time.row(row.position.partition, ts, row.at);
        let reach = |time: &Naive| time.watermark.saturating_add(lateness).saturating_add(1);
        if time.watermark != i64::MIN && reach(&time) > out_until {
            close(&cells, &mut given, out_until, reach(&time));
            out_until = reach(&time);
        }
        if is_late {
            aside += 1;
        } else {
            let first = *seen.entry(key).or_insert(row.position);
            let end = ts.div_euclid(10) * 10 + 10;
            if time.watermark != i64::MIN && end <= time.watermark + 1 {
                beyond += 1;
            } else {
                let cell = cells.entry((end, first, key)).or_insert(0);
                *cell += 1;
                if end <= out_until {
                    given.push((
                        end,
                        key,
                        *cell,
                        if *cell > 1 { "update_after" } else { "insert" },
                    ));
                }
            }
        }
        time.advance(row.at);
        if time.watermark != i64::MIN && reach(&time) > out_until {
            close(&cells, &mut given, out_until, reach(&time));
            out_until = reach(&time);
        }
    }
    close(&cells, &mut given, out_until, i64::MAX);
    let column = |get: fn(&(i64, i64, i64, &str)) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(given.iter().map(get)))
    };
    let rows = RecordBatch::try_from_iter([
        ("window_start", column(|r| r.0 - 10)),
        ("window_end", column(|r| r.0)),
        ("key", column(|r| r.1)),
        ("count", column(|r| r.2)),
        ("change", Arc::new(StringArray::from_iter_values(given.iter().map(|r| r.3)))),
    ]);
    let _ = beyond;
    (rows.unwrap(), aside)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]
    #[test]
    fn windows_of_several_partitions_are_those_of_the_definition(
        (partitions, script) in scripts(),
        delay in 0..5i64,
    ) {
        let make = || pipeline(delay, tumble(seconds(10)));
        let (expected, late, beyond) = windows(&script.arrivals(), partitions, delay);
        let outcome = agree(&script, make, |_| expected).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let summary = outcome.summary;
        prop_assert_eq!((summary.rows_set_aside, summary.state.rows_beyond_memory), (late, beyond));
    }

    #[test]
    fn corrections_with_several_partitions_are_those_of_the_definition(
        (partitions, script) in scripts(),
        delay in 0..4i64,
        lateness in 1..15i64,
    ) {
        let make = || pipeline(delay, tumble(seconds(10)).allow_late(seconds(lateness), false));
        let (expected, aside) = corrected(&script.arrivals(), partitions, delay, lateness);
        let outcome = agree(&script, make, |_| expected).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(outcome.summary.rows_set_aside, aside);
    }
}

#[test]
fn what_differs_is_shown() {
    let script = Script::default().rows(0, batch(&[(1, 1), (20, 1)]));
    let wrong = |_: &[Arrived]| windows(&[], 1, 0).0;
    let error = agree(&script, || pipeline(0, tumble(seconds(10))), wrong).unwrap_err().to_string();
    assert!(error.contains("row 0 differs (2 rows, expected 0)"), "{error}");
    assert!(error.contains("Trial { batch_rows: 18446744073709551615, shards: 1 }"), "{error}");
    let of_one = Script::default().rows(1, batch(&[(1, 1)]));
    let trial = Trial { batch_rows: 1, shards: 1 };
    let error = run(pipeline(0, tumble(seconds(10))), &of_one, trial).unwrap_err().to_string();
    assert!(error.contains("no partition 1"), "{error}");
}
