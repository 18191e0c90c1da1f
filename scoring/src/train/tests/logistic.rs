//! Logistic regression at its optimum.

use super::{Data, all};
use crate::train::{Examples, LogisticFit, LogisticOptions, fit_logistic};

fn fit(data: &Data, rows: &[u32], l2: f64) -> LogisticFit {
    let columns = data.slices();
    let examples = Examples::new(&data.names, &columns, &data.labels).unwrap();
    fit_logistic(&examples, rows, &LogisticOptions { l2, steps: 50 }).unwrap()
}

fn log_odds(fit: &LogisticFit, data: &Data, row: usize) -> f64 {
    let mut sum = fit.intercept;
    for (feature, column) in data.columns.iter().enumerate() {
        let x = (column[row] - fit.means[feature]) / fit.scales[feature];
        sum += fit.weights[feature] * if x.is_nan() { 0.0 } else { x };
    }
    sum
}

#[test]
fn the_gradient_is_zero() {
    let data = Data::made(3_000, 11);
    let fit = fit(&data, &all(3_000), 2.0);
    let mut gradient = vec![0.0; 6];
    for row in 0..3_000 {
        let p = 1.0 / (1.0 + libm::exp(-log_odds(&fit, &data, row)));
        let off = f64::from(u8::from(data.labels[row])) - p;
        for (feature, column) in data.columns.iter().enumerate() {
            let x = (column[row] - fit.means[feature]) / fit.scales[feature];
            gradient[feature] += off * if x.is_nan() { 0.0 } else { x };
        }
        gradient[5] += off;
    }
    for (feature, weight) in fit.weights.iter().enumerate() {
        gradient[feature] -= 2.0 * weight;
    }
    assert!(gradient.iter().all(|g| g.abs() < 1e-4), "{gradient:?}");
    assert_eq!(fit.weights[4], 0.0, "a constant says nothing");
    assert!(fit.steps < 20);
}

#[test]
fn classes_that_part_have_finite_weights() {
    let data = Data {
        names: vec!["x".to_owned(), "same".to_owned()],
        columns: vec![(0..100).map(f64::from).collect(), (0..100).map(f64::from).collect()],
        labels: (0..100).map(|i| i >= 60).collect(),
    };
    let fit = fit(&data, &all(100), 0.1);
    assert!(fit.weights.iter().all(|w| w.is_finite() && *w > 0.0), "{fit:?}");
    assert!((fit.weights[0] - fit.weights[1]).abs() < 1e-6, "what says the same shares its weight");
    assert!(log_odds(&fit, &data, 99) > 0.0 && log_odds(&fit, &data, 0) < 0.0);
}

#[test]
fn later_rows_change_nothing() {
    let data = Data::made(2_000, 12);
    let whole = fit(&data, &all(1_200), 1.0);
    let cut = Data {
        names: data.names.clone(),
        columns: data.columns.iter().map(|column| column[..1_200].to_vec()).collect(),
        labels: data.labels[..1_200].to_vec(),
    };
    assert_eq!(whole, fit(&cut, &all(1_200), 1.0));
}
