//! Measures against their definitions, and against scikit-learn's figures.

use proptest::prelude::*;

use crate::train::metrics::{
    average_precision, brier, calibration, nasa_score, precision_recall_curve, roc_auc, roc_curve,
    root_mean_square_error,
};

fn naive_auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let (mut won, mut pairs) = (0.0, 0.0);
    for (a, _) in scores.iter().zip(labels).filter(|(_, label)| **label) {
        for (b, _) in scores.iter().zip(labels).filter(|(_, label)| !**label) {
            pairs += 1.0;
            won += if a > b {
                1.0
            } else if a == b {
                0.5
            } else {
                0.0
            };
        }
    }
    (pairs > 0.0).then(|| won / pairs)
}

fn naive_precision(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let found = |from: f64| {
        let at = scores.iter().zip(labels).filter(|(score, _)| **score >= from);
        let (mut rows, mut positives) = (0.0, 0.0);
        at.for_each(|(_, label)| (rows, positives) = (rows + 1.0, positives + f64::from(*label)));
        positives / rows
    };
    let positives = scores.iter().zip(labels).filter(|(_, label)| **label);
    let count = positives.clone().count() as f64;
    (count > 0.0).then(|| positives.map(|(score, _)| found(*score)).sum::<f64>() / count)
}

fn scored() -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
    let score = prop_oneof![(0..8_u8).prop_map(|n| f64::from(n) / 8.0), 0.0..1.0_f64];
    prop::collection::vec((score, any::<bool>()), 0..60).prop_map(|rows| rows.into_iter().unzip())
}

fn near(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-12,
        (a, b) => a == b,
    }
}

proptest! {
    #[test]
    fn measures_are_their_definitions((scores, labels) in scored()) {
        prop_assert!(near(roc_auc(&scores, &labels), naive_auc(&scores, &labels)));
        let (ours, naive) = (average_precision(&scores, &labels), naive_precision(&scores, &labels));
        prop_assert!(near(ours, naive), "{:?} {:?}", ours, naive);
    }

    #[test]
    fn curves_and_bins_hold_all_rows((scores, labels) in scored()) {
        let bins = calibration(&scores, &labels, 5);
        prop_assert_eq!(bins.iter().map(|bin| bin.rows).sum::<u64>(), scores.len() as u64);
        prop_assert!(bins.windows(2).all(|pair| pair[0].predicted <= pair[1].predicted));
        let curve = roc_curve(&scores, &labels, 1_000);
        prop_assert!(curve.windows(2).all(|p| p[0].x <= p[1].x && p[0].y <= p[1].y));
        let has = |label: bool| labels.contains(&label);
        let last = curve[curve.len() - 1];
        prop_assert_eq!((last.x, last.y), (f64::from(has(false)), f64::from(has(true))));
        let recall = precision_recall_curve(&scores, &labels, 1_000);
        prop_assert_eq!(recall.last().map(|point| point.x), has(true).then_some(1.0));
    }
}

#[test]
fn figures_of_scikit_learn() {
    // roc_auc_score, average_precision_score and brier_score_loss of scikit-learn 1.9.
    let scores = [0.1, 0.4, 0.35, 0.8, 0.4, 0.9];
    let labels = [false, false, true, true, true, false];
    assert!(near(roc_auc(&scores, &labels), Some(0.5)));
    assert!(near(average_precision(&scores, &labels), Some(0.533_333_333_333_333_3)));
    assert!(near(brier(&scores, &labels), Some(0.300_416_666_666_666_7)));
    assert_eq!((roc_auc(&[], &[]), average_precision(&[0.5], &[false])), (None, None));
}

#[test]
fn errors_of_numbers_are_their_definitions() {
    assert_eq!(root_mean_square_error(&[], &[]), None);
    assert_eq!(root_mean_square_error(&[3.0, 0.0], &[0.0, 4.0]), Some(12.5_f64.sqrt()));
    // 13 too short and 10 too long cost the same.
    let e = std::f64::consts::E;
    assert!((nasa_score(&[0.0], &[13.0]) - (e - 1.0)).abs() < 1e-12);
    assert!((nasa_score(&[10.0, 5.0], &[0.0, 5.0]) - (e - 1.0)).abs() < 1e-12);
}
