//! Makes the weights of the fraud score: a logistic regression over the pipeline's own
//! features, each as it was when the payment arrived.
//!
//! ```sh
//! cargo run --release -p pelton-pipelines --example fit_fraud -- --rows 1000000 --seed 77
//! ```
//! prints the JSON file. The recording is generated under a seed of its own (not the one that
//! `pelton replay fraud` uses), the first week is left out (windows fill), the days up to 48
//! train (among them rows of cards that have no baseline yet, as every card once is), the rest choose the threshold: the smallest one at which at least 65 % of the rows
//! above it are frauds.
//!
//! Newton's method on the penalised likelihood (Hastie, Tibshirani, Friedman: The Elements of
//! Statistical Learning, 4.4.1), with a small ridge so that features that say the same share
//! their weight. Two dozen features need no library for that.

use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimestampMicrosecondType};
use pelton::pipeline::{Options, Pipeline};
use pelton::score::{Feature, FeatureTransform, Logistic};
use pelton::time::seconds;
use pelton::{Error, Result};
use pelton_datasets::payments::{Payments, PaymentsConfig, schema};
use pelton_pipelines::fraud;

use FeatureTransform::{Clip, Identity, Log1p};

const DAY_US: i64 = 86_400_000_000;
/// Penalty on the square of each standardised weight.
const RIDGE: f64 = 10.0;
const PRECISION: f64 = 0.65;

/// Features, how they are transformed, and within which bounds. Chosen from all of the
/// pipeline's: what is left out had a standardised weight below 0.1 beside these.
const FEATURES: [(&str, FeatureTransform, f64, f64); 17] = [
    ("amount_f64", Log1p, 0.0, 1e6),
    ("amount_over_usual", Log1p, 0.0, 1e3),
    ("amount_deviations", Clip, -5.0, 15.0),
    ("day_over_baseline", Log1p, 0.0, 1e3),
    ("country_share_30d", Identity, 0.0, 1.0),
    ("card_count_10m", Log1p, 0.0, 1e3),
    ("card_count_1h", Log1p, 0.0, 1e3),
    ("card_count_1d", Log1p, 0.0, 1e3),
    ("card_count_7d", Log1p, 0.0, 1e4),
    ("card_mean_amount_10m", Log1p, 0.0, 1e6),
    ("card_mean_amount_1h", Log1p, 0.0, 1e6),
    ("card_distinct_country_1h", Clip, 0.0, 4.0),
    ("card_since_previous_s", Log1p, 0.0, 1e8),
    ("card_distance_km", Log1p, 0.0, 2e4),
    ("terminal_mean_is_fraud_28d_after_7d", Identity, 0.0, 1.0),
    ("terminal_mean_is_fraud_3d_after_7d", Identity, 0.0, 1.0),
    ("terminal_mean_amount_1d", Log1p, 0.0, 1e6),
];

/// A payment: its day, its features (raw; NaN where null), whether it is a fraud.
struct Payment {
    day: i64,
    values: Vec<f64>,
    fraud: bool,
}

fn main() {
    if let Err(error) = run() {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn run() -> Result<()> {
    let (rows, seed) = arguments()?;
    let payments = payments(rows, seed)?;
    let first = payments.iter().map(|p| p.day).min().unwrap_or(0);
    let age = |p: &&Payment| p.day - first;
    let train: Vec<&Payment> = payments.iter().filter(|p| (7..48).contains(&age(p))).collect();
    let test: Vec<&Payment> = payments.iter().filter(|p| age(p) >= 48).collect();
    let mut features = standardised(&train);
    let weights = fit(&design(&train, &features), &train);
    for (feature, weight) in features.iter_mut().zip(&weights) {
        feature.weight = *weight;
    }
    let intercept = weights[features.len()];
    let threshold = threshold(&design(&test, &features), &test, &weights);
    let made_by = format!(
        "cargo run --release -p pelton-pipelines --example fit_fraud -- --rows {rows} --seed {seed}"
    );
    print!("{}", Logistic::new(made_by, features, intercept, threshold)?.to_json());
    Ok(())
}

fn arguments() -> Result<(u64, u64)> {
    let (mut rows, mut seed) = (1_000_000, 77);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        let value = value.ok_or_else(|| Error::usage(format!("{name} needs a number")))?;
        match name.as_str() {
            "--rows" => rows = value,
            "--seed" => seed = value,
            other => return Err(Error::usage(format!("there is no option {other}"))),
        }
    }
    Ok((rows, seed))
}

/// Every payment with its features.
fn payments(rows: u64, seed: u64) -> Result<Vec<Payment>> {
    let recording = Payments::new(PaymentsConfig::new(rows, seed))
        .map_err(|error| Error::usage(error.to_string()))?;
    let plan = fraud::features(Pipeline::rows(schema()), &schema(), seconds(2));
    let payments = Arc::new(Mutex::new(Vec::new()));
    let kept = payments.clone();
    let pipeline = plan.pipeline.inspect(move |batch| {
        kept.lock().expect("no thread panicked").extend(rows_of(&batch.rows));
    });
    pipeline.run_rows(recording.map(Ok), Options::default().shards(1))?;
    let payments = std::mem::take(&mut *payments.lock().expect("no thread panicked"));
    Ok(payments)
}

fn rows_of(rows: &RecordBatch) -> Vec<Payment> {
    let ts = rows["ts"].as_primitive::<TimestampMicrosecondType>();
    let labels = rows["is_fraud"].as_boolean();
    let columns: Vec<ArrayRef> = FEATURES
        .iter()
        .map(|(name, ..)| cast(&rows[*name], &DataType::Float64).expect("a feature is a number"))
        .collect();
    let value = |column: &ArrayRef, row: usize| {
        if column.is_null(row) { f64::NAN } else { column.as_primitive::<Float64Type>().value(row) }
    };
    (0..rows.num_rows())
        .map(|row| Payment {
            day: ts.value(row).div_euclid(DAY_US),
            values: columns.iter().map(|column| value(column, row)).collect(),
            fraud: labels.value(row),
        })
        .collect()
}

/// Features with the mean and deviation of their transformed values.
fn standardised(payments: &[&Payment]) -> Vec<Feature> {
    let mut features = Vec::new();
    for (i, (name, transform, lo, hi)) in FEATURES.into_iter().enumerate() {
        let mut feature = Feature::new(name, transform, 0.0);
        (feature.lo, feature.hi) = (Some(lo), Some(hi));
        let values: Vec<f64> = payments
            .iter()
            .map(|p| feature.transformed(p.values[i]))
            .filter(|value| value.is_finite())
            .collect();
        let n = values.len().max(1) as f64;
        feature.mean = values.iter().sum::<f64>() / n;
        let spread =
            values.iter().map(|v| (v - feature.mean) * (v - feature.mean)).sum::<f64>() / n;
        feature.scale = if spread > 0.0 { spread.sqrt() } else { 1.0 };
        features.push(feature);
    }
    features
}

/// Standardised values and a constant 1, row by row; a missing value is 0 (the mean).
fn design(payments: &[&Payment], features: &[Feature]) -> Vec<f64> {
    let mut design = Vec::with_capacity(payments.len() * (features.len() + 1));
    for payment in payments {
        for (feature, &value) in features.iter().zip(&payment.values) {
            let x = (feature.transformed(value) - feature.mean) / feature.scale;
            design.push(if x.is_finite() { x } else { 0.0 });
        }
        design.push(1.0);
    }
    design
}

fn log_odds(row: &[f64], weights: &[f64]) -> f64 {
    row.iter().zip(weights).map(|(x, w)| x * w).sum()
}

/// Newton's method; the last weight is the intercept, which is not penalised.
fn fit(design: &[f64], payments: &[&Payment]) -> Vec<f64> {
    let width = FEATURES.len() + 1;
    let mut weights = vec![0.0; width];
    for _ in 0..25 {
        let mut gradient = vec![0.0; width];
        let mut hessian = vec![0.0; width * width];
        for i in 0..width - 1 {
            gradient[i] = -RIDGE * weights[i];
            hessian[i * width + i] = RIDGE;
        }
        for (row, payment) in design.chunks_exact(width).zip(payments) {
            let p = 1.0 / (1.0 + libm::exp(-log_odds(row, &weights)));
            let miss = f64::from(u8::from(payment.fraud)) - p;
            let curve = p * (1.0 - p);
            for i in 0..width {
                gradient[i] += miss * row[i];
                for j in 0..=i {
                    hessian[i * width + j] += curve * row[i] * row[j];
                }
            }
        }
        let step = solve(hessian, gradient, width);
        for (weight, step) in weights.iter_mut().zip(&step) {
            *weight += step;
        }
        if step.iter().all(|step| step.abs() < 1e-9) {
            break;
        }
    }
    weights
}

/// Solves a symmetric positive definite system (its lower half is given) by Cholesky.
fn solve(mut a: Vec<f64>, mut b: Vec<f64>, n: usize) -> Vec<f64> {
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let rest = a[i * n + j] - dot;
            a[i * n + j] = if i == j { rest.max(1e-12).sqrt() } else { rest / a[j * n + j] };
        }
    }
    for i in 0..n {
        let dot: f64 = (0..i).map(|k| a[i * n + k] * b[k]).sum();
        b[i] = (b[i] - dot) / a[i * n + i];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|k| a[k * n + i] * b[k]).sum();
        b[i] = (b[i] - dot) / a[i * n + i];
    }
    b
}

/// The smallest threshold with the wanted precision, on a grid of 0.01; 0.99 if none has it.
fn threshold(design: &[f64], payments: &[&Payment], weights: &[f64]) -> f64 {
    let mut bins = [(0u64, 0u64); 101];
    for (row, payment) in design.chunks_exact(weights.len()).zip(payments) {
        let p = 1.0 / (1.0 + libm::exp(-log_odds(row, weights)));
        let bin = &mut bins[(p * 100.0) as usize];
        bin.0 += 1;
        bin.1 += u64::from(payment.fraud);
    }
    let (mut rows, mut frauds, mut best) = (0, 0, 99);
    for bin in (1..=99).rev() {
        rows += bins[bin].0;
        frauds += bins[bin].1;
        if rows > 0 && frauds as f64 >= PRECISION * rows as f64 {
            best = bin;
        }
    }
    best as f64 / 100.0
}
