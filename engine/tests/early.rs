//! Windows that are given out before they close, through the public API: every row given out, in
//! its order, against a simulation of the definition one row at a time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, TimeUnit};
use pelton::pipeline::*;
use pelton::testing::{Arrived, Script, TRIALS, agree, run};
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

#[derive(Debug, Clone, Copy)]
enum When {
    Rows(i64),
    EventTime(i64),
}

/// size, slide, delay, lateness, whether old rows are given out too, when.
#[derive(Debug, Clone, Copy)]
struct Case {
    size: i64,
    slide: i64,
    delay: i64,
    lateness: i64,
    retracts: bool,
    when: When,
}

fn windows_of(time: i64, case: Case) -> Vec<(i64, i64)> {
    let first = (time - case.size).div_euclid(case.slide) + 1;
    let last = time.div_euclid(case.slide);
    (first..=last).map(|k| (k * case.slide + case.size, k * case.slide)).collect()
}

/// (end, start, first seen, key)
type Place = (i64, i64, usize, i64);

/// start, end, key, sum, rows, change
type Given = (i64, i64, i64, i64, i64, &'static str);

struct Definition {
    case: Case,
    cells: BTreeMap<Place, (i64, i64)>,
    /// What was given out of a window last.
    said: HashMap<Place, (i64, i64)>,
    given: Vec<Given>,
}

impl Definition {
    fn row(place: Place, (sum, rows): (i64, i64), change: &'static str) -> Given {
        (place.1, place.0, place.3, sum, rows, change)
    }

    /// Gives a window out, unless it was given out as it is.
    fn give(&mut self, place: Place) {
        let now = self.cells[&place];
        let before = self.said.insert(place, now);
        if before.is_some_and(|before| before.1 == now.1) {
            return;
        }
        if let Some(before) = before.filter(|_| self.case.retracts) {
            self.given.push(Self::row(place, before, "update_before"));
        }
        let change = if before.is_some() { "update_after" } else { "insert" };
        self.given.push(Self::row(place, now, change));
    }

    fn give_all(&mut self, is_now: impl Fn(i64) -> bool) {
        let places: Vec<Place> = self.cells.keys().copied().filter(|p| is_now(p.0)).collect();
        places.into_iter().for_each(|place| self.give(place));
    }

    fn of(rows: &[Row], case: Case) -> RecordBatch {
        let (cells, said, given) = (BTreeMap::new(), HashMap::new(), Vec::new());
        let mut this = Self { case, cells, said, given };
        let mut largest: Option<i64> = None;
        let mut seen = HashMap::new();
        for (i, &(time, key, value)) in rows.iter().enumerate() {
            if largest.is_some_and(|m| time < m - case.delay - case.lateness) {
                continue;
            }
            let first = *seen.entry(key).or_insert(i);
            for (end, start) in windows_of(time, case) {
                let place = (end, start, first, key);
                let cell = this.cells.entry(place).or_insert((0, 0));
                *cell = (cell.0 + value, cell.1 + 1);
                let rows = cell.1;
                let closed = largest.is_some_and(|m| end <= m - case.delay);
                let turn = matches!(case.when, When::Rows(every) if rows % every == 0);
                if closed || turn {
                    this.give(place);
                }
            }
            let before = largest.map(|m| m - case.delay);
            largest = largest.max(Some(time));
            let now = largest.unwrap_or(time) - case.delay;
            this.give_all(|end| end <= now && before.is_none_or(|before| end > before));
            if let When::EventTime(every) = case.when
                && before.is_some_and(|before| before.div_euclid(every) < now.div_euclid(every))
            {
                this.give_all(|end| end > now);
            }
        }
        this.give_all(|_| true);
        let column = |get: fn(&Given) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(this.given.iter().map(get)))
        };
        RecordBatch::try_from_iter([
            ("window_start", column(|r| r.0)),
            ("window_end", column(|r| r.1)),
            ("key", column(|r| r.2)),
            ("total", column(|r| r.3)),
            ("count", column(|r| r.4)),
            ("change", Arc::new(StringArray::from_iter_values(this.given.iter().map(|r| r.5)))),
        ])
        .unwrap()
    }
}

fn value(row: &Arrived) -> Row {
    let of = |name: &str| row.rows[name].as_primitive::<Int64Type>().value(row.row);
    (of("ts"), of("key"), of("value"))
}

fn pipeline(case: Case) -> Pipeline {
    let early = match case.when {
        When::Rows(rows) => Early::Rows(rows as u64),
        When::EventTime(every) => Early::EventTime(seconds(every)),
    };
    let window = hop(seconds(case.size), seconds(case.slide));
    let window = window.allow_late(seconds(case.lateness), case.retracts);
    Pipeline::rows(batch(&[]).schema())
        .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(case.delay)))
        .key_by(["key"])
        .window(window.early(early, case.retracts), [sum("value").named("total"), count()])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn early_rows_are_those_of_the_definition(
        steps in prop::collection::vec((-12..8i64, 0..4i64, 0..100i64), 0..80),
        size in 1..25i64,
        slide in 1..12i64,
        delay in 0..4i64,
        lateness in prop_oneof![Just(0i64), 1..15i64],
        retracts in any::<bool>(),
        when in prop_oneof![(1..4i64).prop_map(When::Rows), (1..15i64).prop_map(When::EventTime)],
    ) {
        let mut now = 0;
        let rows: Vec<Row> = steps
            .iter()
            .map(|&(step, key, value)| {
                now += step.max(0);
                (now + step.min(0), key, value)
            })
            .collect();
        let case = Case { size, slide, delay, lateness, retracts, when };
        let script = Script::default().rows(0, batch(&rows));
        let outcome = agree(&script, || pipeline(case), |arrived| {
            let rows: Vec<Row> = arrived.iter().map(value).collect();
            Definition::of(&rows, case)
        });
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}

fn changes(rows: &RecordBatch) -> Vec<(i64, i64, String)> {
    let int = |name: &str, row: usize| rows[name].as_primitive::<Int64Type>().value(row);
    let change = |row: usize| rows["change"].as_string::<i32>().value(row).to_owned();
    (0..rows.num_rows())
        .map(|row| (int("window_end", row), int("count", row), change(row)))
        .collect()
}

#[test]
fn on_the_clock_windows_are_given_out_where_they_changed() {
    let make = || {
        Pipeline::rows(batch(&[]).schema())
            .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(0)))
            .window(tumble(seconds(100)).early(Early::Processing(seconds(5)), true), [count()])
    };
    let wait = Duration::from_secs;
    let script = Script::default()
        .rows(0, batch(&[(1, 0, 0), (2, 0, 0)]))
        .wait(wait(4))
        .rows(0, batch(&[(3, 0, 0)]))
        .wait(wait(7))
        .rows(0, batch(&[(4, 0, 0)]))
        .wait(wait(1))
        .rows(0, batch(&[(101, 0, 0)]))
        .wait(wait(20));
    for trial in TRIALS {
        let outcome = run(make(), &script, trial).unwrap();
        let given = changes(&outcome.rows);
        let expected = [
            (100, 3, "insert"),
            (100, 3, "update_before"),
            (100, 4, "update_after"),
            (200, 1, "insert"),
        ];
        let expected = expected.map(|(end, n, change)| (end, n, change.to_owned()));
        assert_eq!(given, expected, "{trial:?}");
    }
    let error = make().run_rows([].into_iter(), Options::default()).unwrap_err().to_string();
    assert!(error.contains("no processing time"), "{error}");
}

#[test]
fn wrong_plans_are_refused() {
    let error = |window: Window| {
        Pipeline::rows(batch(&[]).schema())
            .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(1)))
            .window(window, [count()])
            .schema()
            .unwrap_err()
            .to_string()
    };
    let text = error(tumble(seconds(5)).early(Early::Rows(0), false));
    assert!(text.contains("every 0 rows"), "{text}");
    let text = error(tumble(seconds(5)).early(Early::EventTime(seconds(0)), false));
    assert!(text.contains("early interval is 0"), "{text}");
    let text = error(session(seconds(5)).early(Early::Rows(1), false));
    assert!(text.contains("only windows of fixed length can be given out early"), "{text}");
}
