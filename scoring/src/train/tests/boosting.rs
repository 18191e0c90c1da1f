//! Boosted models: what they learn, that nothing but data and choices decides their bits, and
//! that what is written is what was learned.

use std::sync::Arc;

use super::{Data, all};
use crate::model::{Model, Scorer};
use crate::train::boost::{Boosted, Boosting, EarlyStopping, boost};
use crate::train::lightgbm::{to_json, to_text};
use crate::train::metrics::{roc_auc, root_mean_square_error};
use crate::train::{Examples, Labels, LogisticOptions, fit_logistic};

const CHOICES: Boosting = Boosting {
    rounds: 12,
    leaves: 6,
    shrinkage: 0.2,
    l2: 1.0,
    rows_min: 10,
    weight_min: 1e-3,
    gain_min: 1e-9,
    row_share: 0.7,
    feature_share: 0.8,
    bins: 64,
    models: 2,
    seed: 5,
    early_stopping: None,
    threads: 1,
};

fn learned(data: &Data, rows: &[u32], choices: &Boosting) -> Boosted {
    let columns = data.slices();
    let examples = Examples::new(&data.names, &columns, &data.labels).unwrap();
    boost(&examples, rows, choices).unwrap()
}

fn predicted(file: &str, data: &Data) -> Vec<f64> {
    let mut scorer = Scorer::new(Arc::new(Model::load(file.as_bytes()).unwrap()));
    let mut scores = vec![0.0; data.labels.len()];
    scorer.predict(&data.slices(), &mut scores);
    scores
}

#[test]
fn what_can_be_learned_is_learned() {
    let (train, test) = (Data::made(4_000, 1), Data::made(4_000, 2));
    let boosted = learned(&train, &all(4_000), &Boosting { rounds: 40, ..CHOICES });
    let auc = roc_auc(&predicted(&to_text(&boosted), &test), &test.labels).unwrap();
    // The odds themselves reach 0.87 on these rows.
    assert!(auc > 0.85, "{auc}");
    let gains = boosted.gains();
    assert!(gains[0] > 3.0 * gains[3] && gains[1] > 3.0 * gains[3], "{gains:?}");
    assert_eq!(gains[4], 0.0, "a constant cannot split");
}

#[test]
fn text_and_json_say_the_same_and_both_load() {
    let data = Data::made(800, 3);
    let boosted = learned(&data, &all(800), &CHOICES);
    let text = predicted(&to_text(&boosted), &data);
    assert_eq!(text, predicted(&to_json(&boosted), &data));
    assert!(text.iter().all(|score| *score > 0.0 && *score < 1.0));
    // Averages of the models are what was boosted: calibrated on its own rows.
    let mean = text.iter().sum::<f64>() / 800.0;
    let share = data.labels.iter().filter(|label| **label).count() as f64 / 800.0;
    assert!((mean - share).abs() < 0.02, "{mean} {share}");
}

#[test]
fn missing_values_go_the_way_that_was_learned() {
    let data = Data {
        names: vec!["a".to_owned()],
        columns: vec![(0..900).map(|i| if i % 3 == 0 { f64::NAN } else { f64::from(i) }).collect()],
        labels: (0..900).map(|i| i % 3 == 0).collect(),
    };
    let scores = predicted(&to_text(&learned(&data, &all(900), &CHOICES)), &data);
    assert_eq!(roc_auc(&scores, &data.labels), Some(1.0));
}

#[test]
fn threads_and_later_rows_change_nothing() {
    // Enough rows for threads to be used.
    let data = Data::made(70_000, 4);
    let choices = Boosting { rounds: 3, ..CHOICES };
    let rows = all(66_000);
    let one = learned(&data, &rows, &choices);
    for threads in [2, 3, 7] {
        assert_eq!(one, learned(&data, &rows, &Boosting { threads, ..choices }), "{threads}");
    }
    let cut = Data {
        names: data.names.clone(),
        columns: data.columns.iter().map(|column| column[..66_000].to_vec()).collect(),
        labels: data.labels[..66_000].to_vec(),
    };
    assert_eq!(to_text(&one), to_text(&learned(&cut, &rows, &choices)));
}

#[test]
fn noise_stops_early() {
    let mut data = Data::made(3_000, 6);
    let stop = Some(EarlyStopping { patience: 8, share: 0.3 });
    let choices =
        Boosting { rounds: 60, models: 1, row_share: 1.0, early_stopping: stop, ..CHOICES };
    let useful = learned(&data, &all(3_000), &choices).rounds[0];
    let mut random = crate::detect::random::Random::new(8);
    data.labels.iter_mut().for_each(|label| *label = random.below(5) == 0);
    let noise = learned(&data, &all(3_000), &choices).rounds[0];
    assert!(noise < 10 && noise < useful && useful <= 60, "{noise} {useful}");
}

#[test]
fn what_makes_no_sense_is_said() {
    let data = Data::made(100, 1);
    let columns = data.slices();
    let examples = Examples::new(&data.names, &columns, &data.labels).unwrap();
    let said = |choices: Boosting| boost(&examples, &all(100), &choices).unwrap_err().to_string();
    assert!(said(Boosting { rounds: 0, ..CHOICES }).contains("rounds"));
    assert!(said(Boosting { leaves: 1, ..CHOICES }).contains("leaves"));
    assert!(said(Boosting { shrinkage: f64::NAN, ..CHOICES }).contains("shrinkage"));
    assert!(said(Boosting { row_share: 0.0, ..CHOICES }).contains("shares"));
    let rows = |rows: &[u32]| boost(&examples, rows, &CHOICES).unwrap_err().to_string();
    assert!(rows(&[3, 2]).contains("ascending"));
    assert!(rows(&[3, 100]).contains("ascending"));
    assert!(rows(&[]).contains("labelled true"));
    let honest = vec![false; 100];
    let one_class = Examples::new(&data.names, &columns, &honest).unwrap();
    assert!(boost(&one_class, &all(100), &CHOICES).is_err());
    assert!(fit_logistic(&one_class, &all(100), &LogisticOptions::default()).is_err());
    let named = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Examples::new(&names, &columns, &data.labels).unwrap_err().to_string()
    };
    assert!(named(&["a", "b", "c", "d", "a"]).contains("two features"));
    assert!(named(&["a", "b c", "d", "e", "f"]).contains("without spaces"));
    assert!(named(&["a"]).contains("1 names for 5 columns"));
}

/// The model of made data is, byte for byte, the one that is checked in, on every machine; and
/// LightGBM's own library says of it what `boosted.expected.json` holds (written by
/// `scoring/fixtures/make.py`). Write it anew with `PELTON_WRITE_FIXTURES=1`.
#[test]
fn the_written_model_is_the_one_that_lightgbm_read() {
    let data = Data::made(1_500, 9);
    let text = to_text(&learned(&data, &all(1_500), &CHOICES));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let path = path.join("own_boosted.model.txt");
    if std::env::var_os("PELTON_WRITE_FIXTURES").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap());
}

/// Rows of [`Data::made`] with numbers as labels.
fn numbers(data: &Data) -> Vec<f64> {
    let of = |row: usize| {
        let often = data.columns[2][row];
        let missing = if often.is_nan() { 40.0 } else { 0.0 };
        300.0 + 50.0 * data.columns[0][row] * data.columns[1][row] + missing
    };
    (0..data.labels.len()).map(of).collect()
}

fn regressed(data: &Data, labels: &[f64], choices: &Boosting) -> Boosted {
    let columns = data.slices();
    let examples = Examples::of(&data.names, &columns, Labels::Numbers(labels)).unwrap();
    boost(&examples, &all(labels.len()), choices).unwrap()
}

#[test]
fn numbers_are_learned_in_their_own_units() {
    let (train, test) = (Data::made(4_000, 1), Data::made(2_000, 2));
    let choices = Boosting { rounds: 120, leaves: 16, ..CHOICES };
    let boosted = regressed(&train, &numbers(&train), &choices);
    let (text, json) = (to_text(&boosted), to_json(&boosted));
    assert!(text.contains("\nobjective=regression\n"));
    let said = predicted(&text, &test);
    assert_eq!(said, predicted(&json, &test));
    let truths = numbers(&test);
    let error = root_mean_square_error(&said, &truths).unwrap();
    let spread = root_mean_square_error(&vec![300.0; 2_000], &truths).unwrap();
    assert!(error < 0.12 * spread, "{error} of {spread}");
    let threads = regressed(&train, &numbers(&train), &Boosting { threads: 3, ..choices });
    assert_eq!(boosted, threads);
}

#[test]
fn one_tree_says_the_means_of_its_leaves() {
    let data = Data {
        names: vec!["a".to_owned()],
        columns: vec![(0..40).map(f64::from).collect()],
        labels: vec![false; 40],
    };
    let labels: Vec<f64> =
        (0..40).map(|i| if i < 10 { -1e6 } else { 1e6 + f64::from(i) }).collect();
    let choices =
        Boosting { rounds: 1, leaves: 2, shrinkage: 1.0, l2: 0.0, rows_min: 1, ..CHOICES };
    let choices = Boosting { row_share: 1.0, feature_share: 1.0, models: 1, ..choices };
    let said = predicted(&to_text(&regressed(&data, &labels, &choices)), &data);
    assert!((said[0] + 1e6).abs() < 0.01, "{}", said[0]);
    assert!((said[39] - (1e6 + 24.5)).abs() < 0.01, "{}", said[39]);
    // Labels that are all the same leave nothing to split.
    let same = predicted(&to_text(&regressed(&data, &[7.5; 40], &choices)), &data);
    assert_eq!(same, vec![7.5; 40]);
    // Early stopping measures in the same units.
    let stop = Some(EarlyStopping { patience: 3, share: 0.25 });
    let rounds =
        regressed(&data, &labels, &Boosting { early_stopping: stop, rounds: 30, ..choices });
    assert!(rounds.rounds[0] < 10, "{:?}", rounds.rounds);
}

#[test]
fn labels_that_are_no_numbers_are_refused() {
    let data = Data::made(100, 1);
    let columns = data.slices();
    let mut labels = numbers(&data);
    labels[17] = f64::NAN;
    let examples = Examples::of(&data.names, &columns, Labels::Numbers(&labels)).unwrap();
    let said = |rows: &[u32]| boost(&examples, rows, &CHOICES).unwrap_err().to_string();
    assert!(said(&all(100)).contains("row 17"));
    assert!(said(&[]).contains("no rows"));
    assert!(boost(&examples, &all(17), &CHOICES).is_ok());
    let options = LogisticOptions::default();
    assert!(fit_logistic(&examples, &all(17), &options).is_err());
}
