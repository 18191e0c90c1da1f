//! Figures, parts and sensors against their definitions; options that make no sense.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use clap::Parser;

use super::engines::{Table, varying};
use super::learn::{Estimate, figures, looked_at, parts};
use super::page::page;
use super::{Files, Learned, Outcome, subsets};
use crate::args::{Cli, Command, TrainCommand, TrainRulArgs};

fn parsed(words: &str) -> Box<TrainRulArgs> {
    let words = ["pelton", "train", "rul"].into_iter().chain(words.split(' '));
    match Cli::try_parse_from(words).unwrap().command {
        Command::Train { what: TrainCommand::Rul(args) } => args,
        _ => panic!("no training of remaining life"),
    }
}

fn estimate(unit: i64, estimate: f64, truth: f64) -> Estimate {
    Estimate { unit, cycle: 1, estimate, truth }
}

#[test]
fn figures_are_of_uncapped_truths() {
    let all = [estimate(1, 130.0, 140.0), estimate(2, 10.0, 10.0)];
    let of = figures(&all, 2, 130.0);
    assert!((of.rmse - 50.0_f64.sqrt()).abs() < 1e-12, "{}", of.rmse);
    assert_eq!(of.rmse_of_capped_truths, 0.0);
    assert_eq!(of.bias, -5.0);
    assert_eq!((of.engines, of.estimates), (2, 2));
    assert_eq!(looked_at(&[estimate(1, 1.0, 0.0), estimate(1, 1.0, 151.0)]), []);
}

#[test]
fn each_engine_is_held_out_once() {
    let part = parts(103, 5, 7);
    for fold in 0..5 {
        let held = part.iter().filter(|part| **part == fold).count();
        assert!((20..=21).contains(&held), "{held}");
    }
    assert_ne!(part, parts(103, 5, 8));
}

#[test]
fn remaining_life_counts_down_to_the_last_cycle() {
    let table = Table { unit: vec![1, 1, 1, 2, 2], cycle: vec![1, 2, 4, 7, 8], ..Table::default() };
    assert_eq!(table.remaining(), [3.0, 2.0, 0.0, 1.0, 0.0]);
    assert_eq!(table.engines(), [0..3, 3..5]);
}

#[test]
fn sensors_that_hardly_move_are_dropped() {
    let column = |of: fn(usize) -> f64| -> ArrayRef {
        Arc::new((0..1_000).map(of).collect::<Float64Array>())
    };
    let rows = RecordBatch::try_from_iter([
        ("setting_1", column(|row| row as f64)),
        ("sensor_1", column(|row| row as f64)),
        ("sensor_2", column(|_| 5.0)),
        ("sensor_3", column(|row| (row % 2) as f64)),
        ("sensor_4", column(|row| if row < 991 { 0.0 } else { row as f64 })),
        ("sensor_5", column(|row| if row < 990 { 0.0 } else { row as f64 })),
    ]);
    assert_eq!(varying(&rows.unwrap()), ["sensor_1", "sensor_5"]);
}

#[test]
fn results_have_names_of_their_own() {
    let names = ["FD001".to_owned(), "FD003".to_owned()];
    let files = Files::of(&parsed("--data d --out rul.txt"), &names).unwrap();
    assert_eq!(files.models[1].to_str(), Some("rul.FD003.txt"));
    assert_eq!(files.page.unwrap().to_str(), Some("rul.html"));
    assert!(Files::of(&parsed("--data d --out no-such-folder/rul.txt"), &names).is_err());
    assert!(Files::of(&parsed("--data d --out x.txt --report x.FD001.txt"), &names).is_err());
    assert!(Files::of(&parsed("--data d"), &names).unwrap().models.is_empty());
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for wrong in ["--data d --cap 0", "--data d --cap nan", "--data d --folds 1"] {
        let error = subsets(&parsed(wrong)).unwrap_err();
        assert_eq!(error.kind(), pelton::ErrorKind::Usage, "{wrong}");
    }
    assert!(subsets(&parsed("--data absent-folder")).is_err());
    assert_eq!(subsets(&parsed("--data d --subset FD002,FD004")).unwrap(), ["FD002", "FD004"]);
}

#[test]
fn a_page_without_validation_says_so() {
    let subset = Learned { name: "FD001".to_owned(), ..Learned::default() };
    let page = page(&Outcome { subsets: vec![subset], cap: 130.0, ..Outcome::default() });
    assert!(page.contains("--folds 0") && !page.contains("NaN") && !page.contains("inf"));
}
