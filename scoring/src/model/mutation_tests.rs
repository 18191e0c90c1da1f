//! What the fuzz targets of models do, without a fuzzer: files of real libraries, damaged at
//! random, are refused or score; columns and single rows then agree to the bit, and
//! contributions come to an end. How long is said by the variable `PELTON_FUZZ_SECONDS`; without
//! it some hundred files are tried.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::tests::fixture;
use super::{Method, Model, Scorer};

const FILES: [&str; 14] = [
    "lgb_binary.model.txt",
    "lgb_multiclass.model.txt",
    "lgb_multiclass.model.json",
    "lgb_no_missing.model.txt",
    "xgb_binary.model.json",
    "xgb_multiclass.model.json",
    "xgb_multiclass.model.ubj",
    "xgb_dart.model.ubj",
    "skl_rf.model.onnx",
    "skl_boosting.model.onnx",
    "skl_isolation.model.onnx",
    "skl_logistic.model.onnx",
    "skl_mlp.model.onnx",
    "torch_mlp.model.onnx",
];

/// Numbers that readers stumble over.
const NUMBERS: [&str; 12] = [
    "-1",
    "0",
    "1",
    "7",
    "255",
    "65536",
    "4294967296",
    "99999999999999999999",
    "nan",
    "inf",
    "1e308",
    "-0.0",
];

/// Numbers that look like chance and are none (an LCG, by Knuth).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }
}

fn damage(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let at = dice.below(bytes.len());
    let length = dice.below(40).min(bytes.len() - at);
    match dice.below(8) {
        0 => bytes[at] = dice.below(256) as u8,
        1 => bytes[at] ^= 1 << dice.below(8),
        2 => drop(bytes.drain(at..at + length)),
        3 => {
            let again = bytes[at..at + length].to_vec();
            bytes.splice(at..at, again);
        }
        4 => {
            let from = dice.below(other.len());
            let part = other[from..(from + length).min(other.len())].to_vec();
            bytes.splice(at..at, part);
        }
        5 => bytes.truncate(at),
        _ => {
            // A number of a text becomes another one.
            let is_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'e');
            let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit) else { return };
            let start = at + start;
            let end = start + bytes[start..].iter().take_while(|byte| is_number(byte)).count();
            let number = NUMBERS[dice.below(NUMBERS.len())].bytes();
            bytes.splice(start..end, number);
        }
    }
}

/// As `fuzz/fuzz_targets/model_common.rs`.
fn scores(model: Model) {
    const ROWS: usize = 20;
    let (features, outputs) = (model.features().len(), model.raw_outputs());
    if features * ROWS > 1 << 14 || outputs * (features + 1) > 1 << 14 {
        return;
    }
    assert!(!model.describe().is_empty() && model.bytes() > 0);
    let mut scorer = Scorer::new(Arc::new(model));
    let value = |feature: usize, row: usize| match (feature + row) % 5 {
        0 => f64::NAN,
        1 => f64::INFINITY,
        other => (other as f64 - 3.0) * row as f64,
    };
    let columns: Vec<Vec<f64>> =
        (0..features).map(|feature| (0..ROWS).map(|row| value(feature, row)).collect()).collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let mut all = vec![0.0; ROWS * outputs];
    scorer.raw(&columns, &mut all);
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

#[test]
fn damaged_files_are_refused_or_score() {
    let seconds = std::env::var("PELTON_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let until = seconds.map(|seconds: u64| Instant::now() + Duration::from_secs(seconds));
    let files: Vec<Vec<u8>> = FILES.iter().map(|name| fixture(name)).collect();
    let mut dice = Dice(20_261_123);
    let (mut tried, mut taken) = (0_u64, 0_u64);
    while until.map_or(tried < 500, |until| Instant::now() < until) {
        let mut bytes = files[dice.below(files.len())].clone();
        let other = &files[dice.below(files.len())];
        for _ in 0..1 + dice.below(4) {
            damage(&mut bytes, other, &mut dice);
        }
        tried += 1;
        match Model::load(&bytes) {
            Ok(model) => {
                taken += 1;
                scores(model);
            }
            Err(error) => assert!(!error.what().is_empty()),
        }
    }
    println!("{tried} files, {taken} of them taken");
    assert!(tried > taken, "no damage was ever seen");
}
