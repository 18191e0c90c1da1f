use proptest::prelude::*;

use super::*;

/// Answers all rows, so many at a time.
fn walk(log: Log<'_>, values: &[i64], horizon: Horizon, step: usize) -> Vec<(i64, i64)> {
    let keys = log.keys.iter().max().map_or(0, |&key| key as usize + 1);
    let mut states = vec![[0; 2]; keys];
    let mut cursors = Cursors::default();
    let mut answers = Vec::new();
    for first in (0..values.len()).step_by(step) {
        // A step holds all rows of its last time.
        let first = first.max(answers.len());
        let mut last = (first + step).min(values.len());
        while last < values.len() && last > 0 && log.times[last] == log.times[last - 1] {
            last += 1;
        }
        if first >= last {
            continue;
        }
        let (mut counts, mut sums) = (vec![0; last - first], vec![0; last - first]);
        let mut running = Integers { columns: [values], out: [&mut counts, &mut sums] };
        let seen = Log { times: &log.times[..last], keys: &log.keys[..last] };
        cursors = advance(seen, horizon, cursors, first..last, &mut states, &mut running);
        answers.extend(counts.into_iter().zip(sums));
    }
    answers
}

#[test]
fn nothing_and_one_row() {
    let horizon = Horizon { length: 1, delay: 0 };
    assert_eq!(walk(Log { times: &[], keys: &[] }, &[], horizon, 1), []);
    assert_eq!(walk(Log { times: &[i64::MIN], keys: &[0] }, &[7], horizon, 1), [(1, 7)]);
}

#[test]
fn the_left_end_is_open_and_peers_count() {
    let times = [0, 10, 10, 20];
    let log = Log { times: &times, keys: &[0, 0, 0, 0] };
    let values = [1, 10, 100, 1000];
    let horizon = Horizon { length: 10, delay: 0 };
    assert_eq!(walk(log, &values, horizon, 4), [(1, 1), (2, 110), (2, 110), (1, 1000)]);
    let delayed = Horizon { length: 10, delay: 10 };
    assert_eq!(walk(log, &values, delayed, 4), [(0, 0), (1, 1), (1, 1), (2, 110)]);
}

#[test]
fn times_at_the_ends_of_64_bits() {
    let times = [i64::MIN, i64::MIN + 1, 0, i64::MAX - 1, i64::MAX];
    let log = Log { times: &times, keys: &[0; 5] };
    let values = [1, 2, 4, 8, 16];
    for length in [1, 2, i64::MAX as u64] {
        for delay in [0, 1, 2, i64::MAX as u64] {
            let horizon = Horizon { length, delay };
            let expected = scalar::counts_and_sums(log, &values, horizon);
            assert_eq!(walk(log, &values, horizon, 2), expected, "{horizon:?}");
        }
    }
}

proptest! {
    #[test]
    fn every_answer_is_that_of_all_rows(
        rows in prop::collection::vec((0..3i64, 0..5u32, any::<i64>()), 0..200),
        length in 1..40u64,
        delay in prop_oneof![Just(0), 0..40u64],
        step in 1..70usize,
    ) {
        let mut now = -20;
        let times: Vec<i64> = rows.iter().map(|row| { now += row.0; now }).collect();
        let keys: Vec<u32> = rows.iter().map(|row| row.1).collect();
        let values: Vec<i64> = rows.iter().map(|row| row.2).collect();
        let log = Log { times: &times, keys: &keys };
        let horizon = Horizon { length, delay };
        let expected = scalar::counts_and_sums(log, &values, horizon);
        prop_assert_eq!(walk(log, &values, horizon, step), expected);
    }
}
