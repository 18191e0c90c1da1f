//! Folds, blocked cards and card precision against their definitions.

use clap::Parser;

use super::fitted::threshold;
use super::folds::{Fold, card_precision, folds, test_rows};
use super::table::Table;
use crate::args::{Cli, Command, TrainCommand, parse_day};

fn table(rows: &[(i32, i64, bool)]) -> Table {
    Table {
        day: rows.iter().map(|row| row.0).collect(),
        card: rows.iter().map(|row| row.1).collect(),
        fraud: rows.iter().map(|row| row.2).collect(),
        kind: vec![0; rows.len()],
        ..Table::default()
    }
}

#[test]
fn weeks_are_tested_on_what_was_known_before() {
    let folds = folds((100, 169), 30, None, 4);
    assert_eq!(folds.len(), 3);
    assert_eq!(folds[2], Fold { train: 130..156, test: 163..170 });
    assert_eq!(folds[0], Fold { train: 130..142, test: 149..156 });
    // The oldest has no more than five days to learn from: too few.
}

#[test]
fn a_recording_that_is_too_short_has_no_tests() {
    assert_eq!(super::folds::folds((0, 40), 30, None, 4), []);
    let some = super::folds::folds((0, 60), 30, Some(10), 9);
    assert!(
        some.iter().all(|fold| fold.train.start >= 30 && fold.train.end - fold.train.start <= 10)
    );
    assert!(!some.is_empty());
}

#[test]
fn cards_known_to_be_compromised_are_not_tested() {
    // Test week 100..107: frauds count from day 86 on, 8 days after they happened.
    let rows = [
        (85, 1, true),
        (86, 2, true),
        (92, 3, true),
        (93, 4, true),
        (95, 5, true),
        (100, 1, false),
        (100, 2, false),
        (100, 3, false),
        (100, 4, false),
        (101, 4, false),
        (102, 5, false),
        (103, 5, true),
        (107, 6, false),
    ];
    let table = table(&rows);
    let kept = test_rows(&table, &Fold { train: 0..93, test: 100..107 });
    // Card 1's is too old, card 4's known from day 101 on, card 5's from day 103 on.
    assert_eq!(kept, [5, 8, 10]);
}

#[test]
fn a_card_that_is_found_is_not_looked_at_again() {
    // 150 honest cards with scores around the frauds' on two days.
    let mut rows = Vec::new();
    let mut scores = Vec::new();
    for day in 0..2 {
        for card in 0..150_i64 {
            rows.push((day, card, false));
            scores.push(card as f64 / 150.0);
        }
        for (card, score) in [(1_000, 0.99), (1_001, 0.5), (1_002, 0.1)] {
            rows.push((day, card, false));
            scores.push(0.0);
            rows.push((day, card, true));
            scores.push(score);
        }
    }
    let table = table(&rows);
    let all: Vec<u32> = (0..rows.len() as u32).collect();
    // Day 0: 1000 and 1001 are among the first 100 (1001 has rank 76), 1002 is not; on day 1
    // both are blocked.
    let share = card_precision(&table, &all, &scores).unwrap();
    assert!((share - 0.01).abs() < 1e-12, "{share}");
    assert_eq!(card_precision(&table, &[], &[]), None);
}

#[test]
fn the_threshold_has_the_precision_asked_for() {
    let scores: Vec<f64> = (0..1_000).map(|i| f64::from(i) / 1_000.0).collect();
    let labels: Vec<bool> = (0..1_000).map(|i| i >= 900).collect();
    // 100 frauds among the rows from 0.85 on are 67 %.
    assert_eq!(threshold(&scores, &labels, 0.65), 0.85);
    assert_eq!(threshold(&scores, &vec![false; 1_000], 0.65), 0.5);
    assert_eq!(threshold(&[f64::NAN, 2.0], &[false, true], 0.65), 0.01);
}

#[test]
fn dates_are_days() {
    assert_eq!(parse_day("1970-01-01"), Ok(0));
    assert_eq!(parse_day("2018-08-08"), Ok(17_751));
    assert_eq!(parse_day("2000-02-29"), Ok(11_016));
    for wrong in ["2018-02-29", "2018-13-01", "2018-00-10", "18-01-01", "2018-8-8", "", "x-y-z"] {
        assert!(parse_day(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn options_that_make_no_sense_together_are_refused() {
    let parsed = |words: &str| {
        Cli::try_parse_from(["pelton", "train", "fraud"].into_iter().chain(words.split(' ')))
    };
    assert!(parsed("--input a.csv --protocol handbook --until 2018-01-01").is_err());
    assert!(parsed("--input a.csv --until tomorrow").is_err());
    let Command::Train { what: TrainCommand::Fraud(args) } =
        parsed("--input a.csv --out a.csv").unwrap().command
    else {
        panic!("no training");
    };
    assert!(super::Files::of(&args).is_err(), "the recording would be lost");
}
