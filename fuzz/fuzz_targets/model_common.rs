//! What the targets of models share.

use std::sync::Arc;

use pelton_scoring::model::{Method, Model, Scorer};

/// Scores some rows: columns and single rows agree, contributions come to an end.
pub fn scores(model: Model) {
    const ROWS: usize = 20;
    let (features, outputs) = (model.features().len(), model.raw_outputs());
    if features * ROWS > 1 << 16 || outputs * (features + 1) > 1 << 16 {
        return;
    }
    let mut scorer = Scorer::new(Arc::new(model));
    let value = |feature: usize, row: usize| match (feature + row) % 5 {
        0 => f64::NAN,
        1 => f64::INFINITY,
        other => (other as f64 - 3.0) * row as f64,
    };
    let columns: Vec<Vec<f64>> =
        (0..features).map(|feature| (0..ROWS).map(|row| value(feature, row)).collect()).collect();
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let mut all = vec![0.0; ROWS * outputs];
    scorer.raw(&slices, &mut all);
    let mut one = vec![0.0; outputs];
    for row in 0..ROWS {
        let values: Vec<f64> = (0..features).map(|feature| value(feature, row)).collect();
        scorer.raw_row(&values, &mut one);
        for (output, score) in one.iter().enumerate() {
            let other = all[output * ROWS + row];
            assert!(score.to_bits() == other.to_bits() || (score.is_nan() && other.is_nan()));
        }
    }
    let row: Vec<f64> = (0..features).map(|feature| value(feature, 3)).collect();
    let mut contributions = vec![0.0; outputs * (features + 1)];
    scorer.contributions(&row, Method::Fast, &mut contributions);
}
