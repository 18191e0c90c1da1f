//! The recording as its documentation describes it.

mod common;

use std::collections::BTreeMap;

use common::{Payment, generate};
use pelton_datasets::distance_km;
use pelton_datasets::payments::{
    BATCH_ROWS, FRAUD_KINDS, Payments, PaymentsConfig, START_US, schema,
};

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;
const DAY_US: i64 = 24 * 60 * MINUTE_US;
const ROWS: u64 = 200_000;

fn recording() -> Vec<Payment> {
    generate(PaymentsConfig::new(ROWS, 42))
}

fn of_kind<'a>(rows: &'a [Payment], kind: &'a str) -> impl Iterator<Item = &'a Payment> {
    rows.iter().filter(move |row| row.is(kind))
}

/// The rows of each card, in order of time.
fn by_card(rows: &[Payment]) -> BTreeMap<i64, Vec<&Payment>> {
    let mut cards: BTreeMap<i64, Vec<&Payment>> = BTreeMap::new();
    for row in rows {
        cards.entry(row.card).or_default().push(row);
    }
    cards.values_mut().for_each(|rows| rows.sort_by_key(|row| row.ts_us));
    cards
}

fn speed_kmh(a: &Payment, b: &Payment) -> f64 {
    let hours = (b.ts_us - a.ts_us).abs() as f64 / (60 * MINUTE_US) as f64;
    distance_km(a.place(), b.place()) / hours
}

/// Where the customer really was: not the rows that someone else makes elsewhere.
fn is_at_place(row: &Payment) -> bool {
    !row.is("impossible_travel") && !row.is("card_testing")
}

fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    values[values.len() / 2]
}

fn genuine_median(rows: &[&Payment]) -> i64 {
    median(rows.iter().filter(|row| !row.is_fraud).map(|row| row.cents).collect())
}

#[test]
fn there_are_exactly_as_many_rows_as_asked_for() {
    for rows in [0, 1, 2, 10, 99, 1_000, 8_192, 12_345] {
        for seed in [0, 1, u64::MAX] {
            assert_eq!(generate(PaymentsConfig::new(rows, seed)).len() as u64, rows);
        }
    }
    for (cards, terminals) in [(1, 1), (3, 2), (5_000, 1), (1, 500), (100_000, 3)] {
        let config = PaymentsConfig {
            cards: Some(cards),
            terminals: Some(terminals),
            ..PaymentsConfig::new(5_000, 9)
        };
        let rows = generate(config);
        assert_eq!(rows.len(), 5_000, "{cards} cards, {terminals} terminals");
        assert!(rows.iter().all(|row| (0..cards as i64).contains(&row.card)));
        assert!(rows.iter().all(|row| (0..terminals as i64).contains(&row.terminal)));
    }
}

#[test]
fn short_and_long_spans_are_kept() {
    for seconds in [60, 3_599, 3_600, 7_201, 11 * 3_600, 20 * 86_400] {
        let config =
            PaymentsConfig { span_seconds: Some(seconds), ..PaymentsConfig::new(30_000, 4) };
        let rows = generate(config);
        assert_eq!(rows.len(), 30_000);
        let end_us = START_US + seconds as i64 * SECOND_US;
        assert!(rows.iter().all(|row| (START_US..end_us).contains(&row.ts_us)), "{seconds} s");
    }
    let config = PaymentsConfig { days: Some(200), ..PaymentsConfig::new(30_000, 4) };
    let rows = generate(config);
    let last = rows.iter().map(|row| row.ts_us).max().expect("rows");
    assert!((199..200).contains(&((last - START_US) / DAY_US)));
}

#[test]
fn the_busiest_card_has_the_share_that_was_asked_for() {
    let config = PaymentsConfig {
        cards: Some(1_000),
        span_seconds: Some(11 * 3_600),
        top_card_millionths: Some(20_000),
        ..PaymentsConfig::new(60_000, 1)
    };
    let rows = generate(config);
    let mut cards: Vec<usize> = by_card(&rows).values().map(Vec::len).collect();
    cards.sort_unstable_by(|a, b| b.cmp(a));
    // 2 %, and Zipf's law behind it: of 60,000 rows 1,200, within what chance and frauds do.
    assert!((1_050..1_350).contains(&cards[0]), "{cards:?}");
    assert!(cards[1] < cards[0] * 9 / 10 && cards[1] * 3 > cards[0], "{cards:?}");
    assert!(cards.len() > 900 && cards[500] < 60);
}

#[test]
fn as_many_rows_are_late_as_were_asked_for() {
    let late = |late_millionths| {
        let config = PaymentsConfig { late_millionths, ..PaymentsConfig::new(20_000, 3) };
        let mut latest = 0;
        let is_late = |row: &Payment| {
            latest = latest.max(row.ts_us);
            row.ts_us < latest - 2_000_000
        };
        generate(config).iter().map(is_late).filter(|late| *late).count()
    };
    assert_eq!(late(Some(0)), 0);
    // One in 2,000 of 20,000; not every one has a later row before it.
    assert!((1..=30).contains(&late(None)), "{}", late(None));
    // Half of them, by up to 10 minutes: between them a minute or two pass from row to row.
    assert!(late(Some(500_000)) > 2_000, "{}", late(Some(500_000)));
}

#[test]
fn configurations_that_make_no_sense_are_refused() {
    let good = PaymentsConfig::new(10, 1);
    for (bad, field) in [
        (PaymentsConfig { cards: Some(0), ..good.clone() }, "cards"),
        (PaymentsConfig { terminals: Some(0), ..good.clone() }, "terminals"),
        (PaymentsConfig { cards: Some(u64::MAX), ..good.clone() }, "cards"),
        (PaymentsConfig { days: Some(59), ..good.clone() }, "days"),
        (PaymentsConfig { days: Some(u32::MAX), ..good.clone() }, "days"),
        (PaymentsConfig { span_seconds: Some(0), ..good.clone() }, "span_seconds"),
        (PaymentsConfig { rows: u64::MAX, ..good.clone() }, "rows"),
        (PaymentsConfig { late_millionths: Some(1_000_001), ..good.clone() }, "late_millionths"),
        (
            PaymentsConfig { top_card_millionths: Some(500_001), ..good.clone() },
            "top_card_millionths",
        ),
        // One of a hundred cards has a hundredth at least.
        (
            PaymentsConfig { top_card_millionths: Some(9_999), ..good.clone() },
            "top_card_millionths",
        ),
        (
            PaymentsConfig { days: Some(61), span_seconds: Some(3_600), ..good.clone() },
            "span_seconds",
        ),
    ] {
        let error = Payments::new(bad.clone()).expect_err("refused");
        assert!(error.is_config(), "{error}");
        assert!(error.to_string().starts_with(&format!("{field}: ")), "{bad:?}: {error}");
    }
}

#[test]
fn batches_have_the_schema() {
    let mut total = 0;
    for batch in Payments::new(PaymentsConfig::new(20_000, 5)).expect("a configuration") {
        assert_eq!(batch.schema(), schema());
        assert!((1..=BATCH_ROWS).contains(&batch.num_rows()));
        total += batch.num_rows();
    }
    assert_eq!(total, 20_000);
    let names: Vec<String> = schema().fields().iter().map(|field| field.name().clone()).collect();
    let expected = "ts card terminal amount country lat lon is_fraud fraud_kind";
    assert_eq!(names.join(" "), expected);
}

#[test]
fn values_are_plausible() {
    let rows = recording();
    let days: f64 = rows.len() as f64 / 61.0;
    let mut per_day = [0u32; 61];
    for row in &rows {
        per_day[((row.ts_us - START_US) / DAY_US) as usize] += 1;
        assert!(row.cents >= 1 && row.cents < 100_000_000);
        assert!((row.lat * 1e5 - (row.lat * 1e5).round()).abs() < 1e-4);
        assert_eq!(row.is_fraud, row.kind.is_some());
        assert_eq!(row.country.len(), 2);
    }
    assert!(per_day.iter().all(|count| (f64::from(*count) / days - 1.0).abs() < 0.4));
    let countries: std::collections::BTreeSet<&str> =
        rows.iter().map(|row| row.country.as_str()).collect();
    assert!(countries.len() > 25, "{countries:?}");
    let cards = by_card(&rows);
    assert!(cards.len() > 1_950, "{} of 2,000 cards pay", cards.len());
    assert!(cards.values().all(|rows| rows.len() < 2_000));
}

#[test]
fn disorder_stays_within_its_bounds() {
    let rows = recording();
    let mut largest = i64::MIN;
    let (mut behind, mut late, mut across_days) = (0u64, 0u64, 0u64);
    for row in &rows {
        let lag_us = largest.saturating_sub(row.ts_us).max(0);
        assert!(lag_us < 10 * MINUTE_US);
        behind += u64::from(lag_us > 0);
        late += u64::from(lag_us > 2 * SECOND_US);
        across_days += u64::from(lag_us > 0 && largest / DAY_US != row.ts_us / DAY_US);
        largest = largest.max(row.ts_us);
    }
    assert!(behind > ROWS / 1_000, "{behind} rows are out of order");
    assert!((20..ROWS / 1_000).contains(&late), "{late} rows are late");
    println!("{behind} behind, {late} late, {across_days} across days");

    // Dense rows: nearly every one is out of order by less than the 2 s.
    let dense = PaymentsConfig { span_seconds: Some(3_600), ..PaymentsConfig::new(ROWS, 42) };
    let (mut largest, mut behind, mut late) = (i64::MIN, 0u64, 0u64);
    for row in generate(dense) {
        let lag_us = largest.saturating_sub(row.ts_us);
        behind += u64::from(lag_us > 0);
        late += u64::from(lag_us > 2 * SECOND_US);
        largest = largest.max(row.ts_us);
    }
    assert!(behind > ROWS / 2);
    assert!((ROWS / 4_000..ROWS / 1_000).contains(&late), "{late} rows are late");
}

#[test]
fn every_kind_of_fraud_has_about_its_share() {
    let rows = recording();
    let shares = [0.12, 0.30, 0.25, 0.13, 0.20];
    let frauds = rows.iter().filter(|row| row.is_fraud).count() as f64;
    assert!((0.007..0.014).contains(&(frauds / ROWS as f64)), "{frauds} frauds");
    for (kind, share) in FRAUD_KINDS.iter().zip(shares) {
        let count = of_kind(&rows, kind).count() as f64;
        println!("{kind}: {count}");
        assert!((0.5..1.7).contains(&(count / (ROWS as f64 * 0.01 * share))), "{kind}: {count}");
    }
}

#[test]
fn customers_never_travel_faster_than_anyone_can() {
    let mut trips = 0;
    for rows in by_card(&recording()).values() {
        let at_place: Vec<&&Payment> = rows.iter().filter(|row| is_at_place(row)).collect();
        for pair in at_place.windows(2) {
            if distance_km(pair[0].place(), pair[1].place()) > 0.0 {
                let speed = speed_kmh(pair[0], pair[1]);
                assert!(speed < 700.0, "{speed} km/h: {pair:?}");
            }
            trips += usize::from(pair[0].country != pair[1].country);
        }
    }
    assert!(trips > 300, "customers make trips: {trips}");
}

#[test]
fn impossible_travel_is_impossible() {
    let rows = recording();
    let (mut episodes, mut checked) = (0, 0);
    for rows in by_card(&rows).values() {
        for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.is("impossible_travel")) {
            let genuine = rows[..index]
                .iter()
                .rev()
                .find(|before| !before.is_fraud)
                .expect("a genuine payment before");
            // The genuine payment that is closest may be another one, also of the last hour.
            assert!(row.ts_us - genuine.ts_us <= 60 * MINUTE_US);
            assert!(distance_km(genuine.place(), row.place()) > 2_000.0);
            assert!(speed_kmh(genuine, row) > 1_000.0);
            assert_ne!(genuine.country, row.country);
            episodes += usize::from(!rows[index - 1].is("impossible_travel"));
            checked += 1;
        }
    }
    assert!(episodes > 80 && checked > episodes, "{checked} rows in {episodes} episodes");
}

#[test]
fn card_testing_comes_in_bursts_of_small_payments_at_home() {
    let rows = recording();
    let mut bursts = 0;
    for rows in by_card(&rows).values() {
        let tests: Vec<&&Payment> = rows.iter().filter(|row| row.is("card_testing")).collect();
        for row in &tests {
            assert!((50..=300).contains(&row.cents));
            let near = |other: &&&&Payment| (other.ts_us - row.ts_us).abs() < 10 * MINUTE_US;
            let burst: Vec<_> = tests.iter().filter(near).collect();
            assert!(burst.len() >= 12, "{} payments", burst.len());
            let mut terminals: Vec<i64> = burst.iter().map(|row| row.terminal).collect();
            terminals.sort_unstable();
            terminals.dedup();
            assert!(terminals.len() <= 2 || burst.len() >= 24, "{terminals:?}");
            assert!(rows.iter().any(|other| {
                !other.is_fraud && distance_km(other.place(), row.place()) < 60.0
            }));
        }
        bursts += tests.len() / 12;
    }
    assert!(bursts > 10, "{bursts} bursts");
}

#[test]
fn multiplied_and_large_amounts_stand_out_of_the_card() {
    let rows = recording();
    let (mut multiplied, mut periods) = (0, 0);
    for rows in by_card(&rows).values() {
        let frauds: Vec<&&Payment> =
            rows.iter().filter(|row| row.is("multiplied_amount")).collect();
        if let (Some(first), Some(last)) = (frauds.first(), frauds.last()) {
            assert!(last.ts_us - first.ts_us <= 16 * DAY_US);
            multiplied += frauds.len();
            periods += 1;
        }
        if rows.len() < 60 {
            continue; // too few payments for a median
        }
        let typical = genuine_median(rows);
        for row in rows.iter().filter(|row| row.is("large_amount")) {
            assert!(row.cents > typical * 6, "{} against {typical}", row.cents);
        }
        if frauds.len() > 10 {
            let times = median(frauds.iter().map(|row| row.cents * 100 / typical).collect());
            assert!((300..1_100).contains(&times), "{times} % of the median");
        }
    }
    assert!(periods > 5 && multiplied / periods > 8, "{multiplied} rows in {periods} periods");
}

#[test]
fn compromised_terminals_are_mostly_fraud_for_weeks() {
    let rows = recording();
    let mut terminals: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for row in of_kind(&rows, "compromised_terminal") {
        let period = terminals.entry(row.terminal).or_insert((row.ts_us, row.ts_us));
        *period = (period.0.min(row.ts_us), period.1.max(row.ts_us));
    }
    assert!(!terminals.is_empty());
    for (terminal, (from_us, until_us)) in terminals {
        let days = (until_us - from_us) / DAY_US;
        assert!((20..=35).contains(&days), "{days} days");
        assert!(from_us >= START_US + 5 * DAY_US && until_us <= START_US + 61 * DAY_US);
        let held: Vec<&Payment> = rows
            .iter()
            .filter(|row| row.terminal == terminal)
            .filter(|row| (from_us..=until_us).contains(&row.ts_us))
            .collect();
        let frauds = held.iter().filter(|row| row.is_fraud).count();
        assert!(frauds > 50 && frauds * 100 / held.len() >= 80, "{frauds} of {}", held.len());
    }
}

#[test]
fn most_genuine_payments_are_ordinary_but_not_all() {
    let rows = recording();
    let (mut genuine, mut big, mut quick) = (0, 0, 0);
    for rows in by_card(&rows).values().filter(|rows| rows.len() >= 60) {
        let typical = genuine_median(rows);
        let own: Vec<&&Payment> = rows.iter().filter(|row| !row.is_fraud).collect();
        genuine += own.len();
        big += own.iter().filter(|row| row.cents > typical * 4).count();
        quick += own.windows(2).filter(|w| w[1].ts_us - w[0].ts_us < 4 * MINUTE_US).count();
    }
    assert!((genuine / 5_000..genuine / 300).contains(&big), "{big} big of {genuine}");
    assert!((genuine / 100..genuine / 12).contains(&quick), "{quick} quick of {genuine}");
}
