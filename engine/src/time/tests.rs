use std::sync::Arc;
use std::time::Duration;

use arrow::array::*;
use arrow::datatypes::{DataType, TimeUnit};
use proptest::prelude::*;

use super::*;

const NOW: Duration = Duration::ZERO;

#[test]
fn spans_are_read_and_written() {
    for (text, span, shown) in [
        ("2s", seconds(2), "2s"),
        ("10m", minutes(10), "10m"),
        ("10min", minutes(10), "10m"),
        (" 1 h ", hours(1), "1h"),
        ("24h", days(1), "1d"),
        ("7d", days(7), "7d"),
        ("500ms", millis(500), "500ms"),
        ("1000ms", seconds(1), "1s"),
        ("250us", micros(250), "250us"),
        ("250µs", micros(250), "250us"),
        ("40ns", Span::from_nanos(40), "40ns"),
        ("0", Span::ZERO, "0s"),
        ("-90m", minutes(-90), "-90m"),
    ] {
        let read: Span = text.parse().expect(text);
        assert_eq!(read, span, "{text}");
        assert_eq!(read.to_string(), shown);
        assert_eq!(shown.parse::<Span>().expect(shown), span);
    }
    assert_eq!(-seconds(3), seconds(-3));
    assert_eq!(days(i64::MAX).to_string(), format!("{}d", i64::MAX));
    for text in ["", "s", "10", "1.5h", "10 fortnights", "99999999999999999999s", "--1s", "+1s"] {
        let error = text.parse::<Span>().expect_err(text).to_string();
        assert!(error.contains("is no duration") && error.contains("help"), "{error}");
    }
}

#[test]
fn spans_convert_exactly_or_not_at_all() {
    assert_eq!(minutes(2).to_units(TimeUnit::Second).expect("whole"), 120);
    assert_eq!(seconds(-2).to_units(TimeUnit::Nanosecond).expect("whole"), -2_000_000_000);
    let error = millis(1500).to_units(TimeUnit::Second).expect_err("a fraction").to_string();
    assert!(error.contains("1500ms is no whole number of seconds"), "{error}");
    let error = days(200_000).to_units(TimeUnit::Nanosecond).expect_err("too long").to_string();
    assert!(error.contains("too long"), "{error}");
}

#[test]
fn clocks_move_on() {
    let clock = SystemClock::start();
    let first = clock.now();
    assert!(clock.now() >= first);
    let clock = VirtualClock::default();
    clock.advance(Duration::from_millis(5));
    clock.clone().advance(Duration::MAX);
    assert_eq!(clock.now(), Duration::from_nanos(u64::MAX));
}

#[test]
fn the_watermark_is_the_least_promise() {
    let mut tracker = WatermarkTracker::new(2, 10, None);
    assert_eq!(tracker.watermark(), i64::MIN);
    assert_eq!(tracker.observe(0, Some(100), NOW), i64::MIN);
    assert_eq!(tracker.observe(1, Some(50), NOW), 39);
    assert_eq!(tracker.observe(1, Some(200), NOW), 89);
    assert_eq!(tracker.observe(1, Some(200), NOW), 89);
    assert_eq!(tracker.end(0, NOW), 189);
    assert_eq!(tracker.end(1, NOW), i64::MAX);
    assert_eq!(WatermarkTracker::new(0, 10, None).watermark(), i64::MAX);
}

#[test]
fn a_silent_partition_holds_back_until_it_is_idle() {
    let clock = VirtualClock::default();
    let second = Duration::from_secs(1);
    let mut tracker = WatermarkTracker::new(2, 0, Some(second));
    tracker.observe(0, Some(100), clock.now());
    assert_eq!(tracker.next_idle_at(), Some(second));
    clock.advance(second / 2);
    assert_eq!(tracker.observe(0, Some(110), clock.now()), i64::MIN);
    clock.advance(second / 2);
    assert_eq!(tracker.advance(clock.now()), 109);
    // Partition 1 wakes with old rows: the watermark neither goes back nor on.
    assert_eq!(tracker.observe(1, Some(20), clock.now()), 109);
    assert_eq!(tracker.observe(0, Some(500), clock.now()), 109);
    assert_eq!(tracker.observe(1, Some(300), clock.now()), 299);
    // Both idle: it stays; and an idle partition that ends changes nothing.
    clock.advance(second * 5);
    assert_eq!(tracker.advance(clock.now()), 299);
    assert_eq!(tracker.end(0, clock.now()), 299);
    assert_eq!(tracker.end(1, clock.now()), i64::MAX);
}

#[test]
fn promises_saturate() {
    let mut tracker = WatermarkTracker::new(1, i64::MAX, None);
    assert_eq!(tracker.observe(0, Some(i64::MIN), NOW), i64::MIN);
    let mut tracker = WatermarkTracker::new(1, 0, None);
    assert_eq!(tracker.observe(0, Some(i64::MAX), NOW), i64::MAX - 1);
}

fn stage(data_type: &DataType, options: TimeOptions) -> TimeStage {
    TimeStage::new(data_type, &options, 2).expect("valid options")
}

fn seconds_options() -> TimeOptions {
    TimeOptions { unit: Some(TimeUnit::Second), delay: seconds(2), ..TimeOptions::default() }
}

#[test]
fn late_empty_and_implausible_rows() {
    let mut stage = stage(&DataType::Int64, seconds_options());
    let column: ArrayRef = Arc::new(Int64Array::from(vec![
        Some(100),
        Some(98),
        Some(105),
        None,
        Some(102),
        Some(105 + 86_401),
        Some(105 + 86_400),
        Some(105),
    ]));
    let staged = stage.on_batch(0, &column, NOW).expect("its type");
    assert_eq!(&staged.times.time[..], [100, 98, 105, 102, 86_505, 105]);
    let late: Vec<bool> = staged.times.late.expect("two late rows").iter().collect();
    assert_eq!(late, [false, false, false, true, false, true]);
    let before = staged.times.largest_before.expect("two late rows");
    assert_eq!(&before[..], [i64::MIN, 100, 100, 105, 105, 86_505]);
    assert_eq!(staged.accepted, Some(vec![0, 1, 2, 4, 6, 7]));
    assert_eq!(staged.rejected[0].reason, "event time is empty");
    assert_eq!(staged.rejected[1].row, 5);
    let reason = &staged.rejected[1].reason;
    assert_eq!(reason, "event time is more than 1d ahead of the largest so far (105)");
    assert_eq!(staged.times.watermark, i64::MIN);

    // Partition 1 starts far behind: not late, but behind the largest of all.
    let column: ArrayRef = Arc::new(Int64Array::from(vec![50, 51]));
    let staged = stage.on_batch(1, &column, NOW).expect("its type");
    assert!(staged.times.late.is_none() && staged.rejected.is_empty());
    assert_eq!(&staged.times.largest_before.expect("rows behind")[..], [86_505, 86_505]);
    assert_eq!(staged.times.watermark, 48);
    assert_eq!(stage.end_partition(1, NOW), 86_502);
    assert_eq!(stage.end_partition(0, NOW), i64::MAX);
}

#[test]
fn timestamps_in_reasons_are_dates() {
    let data_type = DataType::Timestamp(TimeUnit::Millisecond, None);
    let mut stage = stage(&data_type, TimeOptions::default());
    let column: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![0, i64::MAX]));
    let staged = stage.on_batch(0, &column, NOW).expect("its type");
    let reason = &staged.rejected[0].reason;
    assert_eq!(
        reason,
        "event time is more than 1d ahead of the largest so far (1970-01-01 00:00:00)"
    );
}

#[test]
fn unsigned_times_and_options() {
    let options = TimeOptions { ahead_max: Span::ZERO, ..seconds_options() };
    let mut unsigned = stage(&DataType::UInt64, options.clone());
    let column: ArrayRef = Arc::new(UInt64Array::from(vec![1, u64::MAX, i64::MAX as u64]));
    let staged = unsigned.on_batch(0, &column, NOW).expect("its type");
    assert_eq!(&staged.times.time[..], [1, i64::MAX]);
    assert_eq!(staged.rejected[0].reason, "event time is beyond 64 bits");

    let column: ArrayRef = Arc::new(UInt32Array::from(vec![7, 8]));
    assert!(unsigned.on_batch(0, &column, NOW).is_err());
    let staged = stage(&DataType::UInt32, options.clone()).on_batch(0, &column, NOW);
    assert_eq!(&staged.expect("its type").times.time[..], [7, 8]);

    for (data_type, options) in [
        (DataType::Int64, TimeOptions::default()),
        (DataType::Utf8, options.clone()),
        (DataType::Int64, TimeOptions { delay: seconds(-1), ..options.clone() }),
        (DataType::Int64, TimeOptions { delay: millis(1500), ..options.clone() }),
        (DataType::Timestamp(TimeUnit::Nanosecond, None), options),
    ] {
        assert!(TimeStage::new(&data_type, &options, 1).is_err(), "{data_type}");
    }
}

/// A row by the definition.
#[derive(Debug, PartialEq, Clone, Copy)]
struct Judged {
    row: usize,
    late: bool,
    largest_before: i64,
}

/// The definition: each row against all rows before it.
fn naive(rows: &[(u32, Option<i64>)], delay: i64, ahead: i64) -> Vec<Judged> {
    let mut accepted: Vec<(u32, i64)> = Vec::new();
    let mut judged = Vec::new();
    for (row, &(partition, time)) in rows.iter().enumerate() {
        let Some(time) = time else { continue };
        let own = accepted.iter().filter(|a| a.0 == partition).map(|a| a.1).max();
        let wide = |t: i64| i128::from(t);
        if ahead > 0 && own.is_some_and(|m| wide(time) > wide(m) + wide(ahead)) {
            continue;
        }
        let late = own.is_some_and(|m| wide(time) < wide(m) - wide(delay));
        let largest_before = accepted.iter().map(|a| a.1).max().unwrap_or(i64::MIN);
        judged.push(Judged { row, late, largest_before });
        accepted.push((partition, time));
    }
    judged
}

fn time_strategy() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        20 => (0..400i64).prop_map(Some),
        2 => Just(None),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(i64::MIN + 1), Just(0)]
            .prop_map(Some),
        1 => any::<i64>().prop_map(Some),
    ]
}

proptest! {
    #[test]
    fn any_cut_of_rows_is_judged_by_the_definition(
        mut times in prop::collection::vec(time_strategy(), 0..260),
        mostly_sorted in any::<bool>(),
        partition_from in 0usize..400,
        delay in prop_oneof![0..30i64, Just(400), Just(i64::MAX)],
        ahead in prop_oneof![Just(0), 1..500i64, Just(i64::MAX)],
        cuts in prop::collection::vec(0usize..260, 0..6),
    ) {
        if mostly_sorted {
            times.sort_by_key(|t| t.map(|t| t / 16));
        }
        let rows: Vec<(u32, Option<i64>)> = times.iter().enumerate()
            .map(|(i, &t)| (u32::from(i >= partition_from), t)).collect();
        let want = naive(&rows, delay, ahead);

        let nanos = |units: i64| Span::from_nanos(i128::from(units) * 1_000_000_000);
        let options = TimeOptions {
            unit: Some(TimeUnit::Second),
            delay: nanos(delay),
            ahead_max: nanos(ahead),
            idle_after: None,
        };
        let mut stage = stage(&DataType::Int64, options);
        let mut cuts: Vec<usize> = cuts.iter().map(|&c| c.min(rows.len())).collect();
        cuts.extend([0, rows.len(), partition_from.min(rows.len())]);
        cuts.sort_unstable();
        let mut got = 0;
        for cut in cuts.windows(2) {
            let (first, end) = (cut[0], cut[1]);
            let column: ArrayRef = Arc::new(Int64Array::from(times[first..end].to_vec()));
            let partition = u32::from(first >= partition_from);
            let staged = stage.on_batch(partition, &column, NOW).expect("its type");
            let accepted: Vec<u32> = staged.accepted.clone()
                .unwrap_or_else(|| (0..(end - first) as u32).collect());
            prop_assert_eq!(accepted.len(), staged.times.time.len());
            prop_assert_eq!(accepted.len() + staged.rejected.len(), end - first);
            for (i, &row) in accepted.iter().enumerate() {
                let want = want[got];
                prop_assert_eq!(want.row, first + row as usize);
                prop_assert_eq!(Some(staged.times.time[i]), times[want.row]);
                let late = staged.times.late.as_ref().is_some_and(|late| late.value(i));
                prop_assert_eq!(want.late, late);
                match &staged.times.largest_before {
                    Some(before) => prop_assert_eq!(before[i], want.largest_before),
                    None => {
                        let behind = i128::from(want.largest_before)
                            - i128::from(staged.times.time[i]);
                        prop_assert!(behind <= i128::from(delay));
                    }
                }
                got += 1;
            }
        }
        prop_assert_eq!(got, want.len());
    }
}
