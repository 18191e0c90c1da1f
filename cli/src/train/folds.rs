//! Weeks to test on, and how good scores are on them: the Fraud Detection Handbook's procedure
//! (chapter 5, "validation strategies": prequential, with the delay of labels).
//!
//! ```text
//!             what is known when the test week begins        not known yet      the test week
//!  ──────────┬──────────────────────────────────────────┬───────────────────┬──────────────────┬──▶
//!     windows fill        learned from (or its last days)    7 days of delay       7 days
//! ```
//!
//! Cards known to be compromised are blocked, so they are not tested: on test day d those with a
//! fraud from 14 days before the test week to 8 days before d.
//!
//! **Card precision at 100**: each test day the 100 cards with the highest score of the day are
//! looked at; the share that has a fraud that day; cards found so are blocked on later days; the
//! mean of the days.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use pelton_scoring::train::metrics::{average_precision, brier, roc_auc};
use serde::Serialize;

use super::table::Table;
use crate::report::format::Utc;

/// Days from a payment to its label.
pub(crate) const DELAY_DAYS: i64 = 7;
/// Days of a test.
pub(crate) const TEST_DAYS: i64 = 7;
/// Days before the delay whose frauds block a card.
const BLOCKED_DAYS: i64 = 7;
/// Cards that are looked at in a day.
pub(crate) const CARDS: usize = 100;

/// A model's training days, and the days that it is tested on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fold {
    /// Learned from.
    pub train: Range<i64>,
    /// Tested on.
    pub test: Range<i64>,
}

impl Fold {
    /// The test week that begins on a day, after training on what is known by then from `first`
    /// on, or on the last `train_days` of it.
    pub(crate) fn of(test: i64, first: i64, train_days: Option<i64>) -> Self {
        let known = test - DELAY_DAYS;
        let from = train_days.map_or(first, |days| first.max(known - days));
        Self { train: from.min(known)..known, test: test..test + TEST_DAYS }
    }
}

/// The last `count` test weeks of the recording that leave something to learn from, oldest first.
pub(crate) fn folds(
    days: (i64, i64),
    warm_up: i64,
    train_days: Option<i64>,
    count: usize,
) -> Vec<Fold> {
    let first = days.0 + warm_up;
    // The last day may be cut: it still counts as one.
    let end = days.1 + 1;
    let mut folds: Vec<Fold> = (1..=count as i64)
        .map(|back| Fold::of(end - back * TEST_DAYS, first, train_days))
        .take_while(|fold| fold.train.start + TEST_DAYS <= fold.train.end)
        .collect();
    folds.reverse();
    folds
}

/// Rows of the test week whose card is not blocked.
pub(crate) fn test_rows(table: &Table, fold: &Fold) -> Vec<u32> {
    let mut frauds: HashMap<i64, i64> = HashMap::new();
    let from = fold.test.start - DELAY_DAYS - BLOCKED_DAYS;
    // The first day on which a card had a fraud that counts.
    for (row, day) in table.day.iter().enumerate() {
        let day = i64::from(*day);
        if table.fraud[row] && day >= from && day < fold.test.end - DELAY_DAYS {
            let first = frauds.entry(table.card[row]).or_insert(day);
            *first = day.min(*first);
        }
    }
    let blocked = |row: &u32| {
        let day = i64::from(table.day[*row as usize]);
        let first = frauds.get(&table.card[*row as usize]);
        first.is_some_and(|first| *first < day - DELAY_DAYS)
    };
    table.rows_of(fold.test.clone()).into_iter().filter(|row| !blocked(row)).collect()
}

/// How good scores are.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// First day learned from.
    pub train_from: String,
    /// Last day learned from.
    pub train_to: String,
    /// Payments learned from.
    pub train_rows: usize,
    /// Frauds among them.
    pub train_frauds: usize,
    /// First test day.
    pub test_from: String,
    /// Last test day.
    pub test_to: String,
    /// Payments tested.
    pub test_rows: usize,
    /// Frauds among them.
    pub test_frauds: usize,
    /// Area under the receiver operating characteristic.
    pub auc_roc: Option<f64>,
    /// Average precision.
    pub average_precision: Option<f64>,
    /// Card precision at 100.
    pub card_precision_at_100: Option<f64>,
    /// The highest that a perfect model reaches there.
    pub card_precision_at_100_perfect: Option<f64>,
    /// Mean squared error of the probabilities.
    pub brier: Option<f64>,
    /// By kind of fraud, against all honest payments.
    pub kinds: BTreeMap<String, KindFigures>,
}

/// How well one kind of fraud is found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct KindFigures {
    /// Payments of this kind.
    pub frauds: usize,
    /// Area under the receiver operating characteristic.
    pub auc_roc: Option<f64>,
    /// Average precision.
    pub average_precision: Option<f64>,
}

/// The figures of scores of `test`, whose rows a model learned from `train` has scored.
pub(crate) fn figures(
    table: &Table,
    fold: &Fold,
    train: &[u32],
    test: &[u32],
    scores: &[f64],
) -> Figures {
    let frauds = |rows: &[u32]| rows.iter().filter(|row| table.fraud[**row as usize]).count();
    let date = |day: i64| Utc::from_micros(day.saturating_mul(super::table::DAY_US)).date();
    let labels: Vec<bool> = test.iter().map(|row| table.fraud[*row as usize]).collect();
    let ideal: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label))).collect();
    Figures {
        train_from: date(fold.train.start),
        train_to: date(fold.train.end - 1),
        train_rows: train.len(),
        train_frauds: frauds(train),
        test_from: date(fold.test.start),
        test_to: date(fold.test.end - 1),
        test_rows: test.len(),
        test_frauds: frauds(test),
        auc_roc: roc_auc(scores, &labels),
        average_precision: average_precision(scores, &labels),
        card_precision_at_100: card_precision(table, test, scores),
        card_precision_at_100_perfect: card_precision(table, test, &ideal),
        brier: brier(scores, &labels),
        kinds: by_kind(table, test, scores),
    }
}

fn by_kind(table: &Table, test: &[u32], scores: &[f64]) -> BTreeMap<String, KindFigures> {
    let mut figures = BTreeMap::new();
    for (at, name) in table.kinds.iter().enumerate() {
        let number = at as u8 + 1;
        let of = |row: &u32| table.fraud[*row as usize] && table.kind[*row as usize] == number;
        let (mut kept, mut labels) = (Vec::new(), Vec::new());
        for (row, score) in test.iter().zip(scores) {
            if of(row) || !table.fraud[*row as usize] {
                kept.push(*score);
                labels.push(of(row));
            }
        }
        let frauds = labels.iter().filter(|label| **label).count();
        if frauds > 0 {
            let auc_roc = roc_auc(&kept, &labels);
            let average_precision = average_precision(&kept, &labels);
            figures.insert(name.clone(), KindFigures { frauds, auc_roc, average_precision });
        }
    }
    figures
}

/// Card precision at 100; `None` without rows. Of cards with equal scores the smaller number is
/// looked at first.
pub(crate) fn card_precision(table: &Table, rows: &[u32], scores: &[f64]) -> Option<f64> {
    let mut days: BTreeMap<i32, HashMap<i64, (f64, bool)>> = BTreeMap::new();
    for (row, score) in rows.iter().zip(scores) {
        let row = *row as usize;
        let cards = days.entry(table.day[row]).or_default();
        let card = cards.entry(table.card[row]).or_insert((f64::NEG_INFINITY, false));
        card.0 = card.0.max(*score);
        card.1 |= table.fraud[row];
    }
    let mut found: HashSet<i64> = HashSet::new();
    let mut sum = 0.0;
    for cards in days.values() {
        let mut ranked: Vec<(f64, i64, bool)> = cards
            .iter()
            .filter(|(card, _)| !found.contains(card))
            .map(|(card, (score, fraud))| (*score, *card, *fraud))
            .collect();
        ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let before = found.len();
        found.extend(
            ranked.iter().take(CARDS).filter(|(_, _, fraud)| *fraud).map(|(_, card, _)| card),
        );
        sum += (found.len() - before) as f64 / CARDS as f64;
    }
    (!days.is_empty()).then(|| sum / days.len() as f64)
}
