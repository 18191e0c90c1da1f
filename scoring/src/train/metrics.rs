//! How good scores are where labels are known.
//!
//! * [`roc_auc`]: the chance that a positive has the higher score than a negative, ties half.
//! * [`average_precision`]: Σ (recall gained × precision) from the highest score down, equal scores
//!   together: what scikit-learn calls `average_precision_score`.
//! * [`roc_curve`], [`precision_recall_curve`], [`calibration`]: what is drawn.
//!
//! * [`root_mean_square_error`], [`nasa_score`]: of numbers.
//!
//! Scores must not be NaN (models give none); NaN counts as the lowest.

use std::cmp::Ordering;

/// Positives and negatives at one score.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    score: f64,
    positives: u64,
    negatives: u64,
}

/// Highest score first; rows of the same score together.
fn steps(scores: &[f64], labels: &[bool]) -> Vec<Step> {
    let key = |score: f64| if score.is_nan() { f64::NEG_INFINITY } else { score + 0.0 };
    let mut pairs: Vec<(f64, bool)> =
        scores.iter().zip(labels).map(|(score, label)| (key(*score), *label)).collect();
    pairs.sort_unstable_by(|a, b| b.0.partial_cmp(&a.0).unwrap_or(Ordering::Equal));
    let mut steps: Vec<Step> = Vec::new();
    for (score, label) in pairs {
        if steps.last().is_none_or(|last| last.score != score) {
            steps.push(Step { score, positives: 0, negatives: 0 });
        }
        if let Some(step) = steps.last_mut() {
            let count = if label { &mut step.positives } else { &mut step.negatives };
            *count += 1;
        }
    }
    steps
}

fn totals(steps: &[Step]) -> (u64, u64) {
    steps.iter().fold((0, 0), |(p, n), step| (p + step.positives, n + step.negatives))
}

/// Area under the receiver operating characteristic; `None` where one class is missing.
#[must_use]
pub fn roc_auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let steps = steps(scores, labels);
    let (positives, negatives) = totals(&steps);
    if positives == 0 || negatives == 0 {
        return None;
    }
    // In halves, so that ties are whole numbers.
    let (mut above, mut halves) = (0_u128, 0_u128);
    for step in &steps {
        let (p, n) = (u128::from(step.positives), u128::from(step.negatives));
        halves += n * (2 * above + p);
        above += p;
    }
    Some(halves as f64 / (2.0 * positives as f64 * negatives as f64))
}

/// Mean of the precisions at which the positives are found; `None` where there is none.
#[must_use]
pub fn average_precision(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let steps = steps(scores, labels);
    let (all, _) = totals(&steps);
    let (mut positives, mut rows, mut sum) = (0, 0, 0.0);
    for step in &steps {
        positives += step.positives;
        rows += step.positives + step.negatives;
        sum += step.positives as f64 * (positives as f64 / rows as f64);
    }
    (all > 0).then(|| sum / all as f64)
}

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Scores from here on are called positive.
    pub score: f64,
    /// Share of the negatives, or recall.
    pub x: f64,
    /// Share of the positives, or precision.
    pub y: f64,
}

/// False positive rate and true positive rate, from (0, 0) on, about `points` of them.
#[must_use]
pub fn roc_curve(scores: &[f64], labels: &[bool], points: usize) -> Vec<Point> {
    let steps = steps(scores, labels);
    let (positives, negatives) = totals(&steps);
    let (mut p, mut n) = (0, 0);
    let mut curve = vec![Point { score: f64::INFINITY, x: 0.0, y: 0.0 }];
    for step in &steps {
        (p, n) = (p + step.positives, n + step.negatives);
        let (x, y) = (share(n, negatives), share(p, positives));
        curve.push(Point { score: step.score, x, y });
    }
    thinned(curve, points)
}

/// Recall and precision, from the highest score on, about `points` of them.
#[must_use]
pub fn precision_recall_curve(scores: &[f64], labels: &[bool], points: usize) -> Vec<Point> {
    let steps = steps(scores, labels);
    let (positives, _) = totals(&steps);
    let (mut p, mut rows) = (0, 0);
    let mut curve = Vec::new();
    for step in &steps {
        (p, rows) = (p + step.positives, rows + step.positives + step.negatives);
        // Points without a new positive lie straight below the one before.
        if step.positives > 0 {
            curve.push(Point { score: step.score, x: share(p, positives), y: share(p, rows) });
        }
    }
    thinned(curve, points)
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Keeps the ends, and points that are some way apart between them.
fn thinned(curve: Vec<Point>, points: usize) -> Vec<Point> {
    let gap = 2.0 / points.max(2) as f64;
    let last = curve.len().saturating_sub(1);
    let mut kept: Vec<Point> = Vec::new();
    for (at, point) in curve.into_iter().enumerate() {
        let far = |from: &Point| (point.x - from.x).abs() + (point.y - from.y).abs() >= gap;
        if at == last || kept.last().is_none_or(far) {
            kept.push(point);
        }
    }
    kept
}

/// Rows of about the same score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Number of rows.
    pub rows: u64,
    /// Mean of their scores.
    pub predicted: f64,
    /// Share of the positives.
    pub observed: f64,
}

/// Whether a probability of x means that x of the rows are positive: rows by their score, in
/// groups of at least `rows_min` that part the range evenly.
#[must_use]
pub fn calibration(scores: &[f64], labels: &[bool], rows_min: u64) -> Vec<Bin> {
    const BINS: f64 = 20.0;
    let mut bins = Vec::new();
    let (mut rows, mut positives, mut sum) = (0, 0, 0.0);
    let mut close = |rows: &mut u64, positives: &mut u64, sum: &mut f64| {
        if *rows > 0 {
            let predicted = *sum / *rows as f64;
            bins.push(Bin { rows: *rows, predicted, observed: share(*positives, *rows) });
        }
        (*rows, *positives, *sum) = (0, 0, 0.0);
    };
    let mut cell = f64::NAN;
    for step in steps(scores, labels).iter().rev() {
        let here = (step.score * BINS).floor();
        if here != cell && rows >= rows_min {
            close(&mut rows, &mut positives, &mut sum);
        }
        cell = here;
        let count = step.positives + step.negatives;
        rows += count;
        positives += step.positives;
        sum += step.score * count as f64;
    }
    close(&mut rows, &mut positives, &mut sum);
    bins
}

/// Mean squared difference between probability and label (Brier, 1950).
#[must_use]
pub fn brier(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let one = |(score, label): (&f64, &bool)| {
        let off = score - f64::from(u8::from(*label));
        off * off
    };
    let sum: f64 = scores.iter().zip(labels).map(one).sum();
    (!scores.is_empty()).then(|| sum / scores.len() as f64)
}

/// Root of the mean squared difference between estimate and truth; `None` without rows.
#[must_use]
pub fn root_mean_square_error(estimates: &[f64], truths: &[f64]) -> Option<f64> {
    let one = |(estimate, truth): (&f64, &f64)| (estimate - truth) * (estimate - truth);
    let sum: f64 = estimates.iter().zip(truths).map(one).sum();
    (!truths.is_empty()).then(|| (sum / truths.len() as f64).sqrt())
}

/// NASA's score of estimates of remaining life: Σ e^(−d ⁄ 13) − 1 where d = estimate − truth is
/// below 0, Σ e^(d ⁄ 10) − 1 where not. Less is better, and an estimate that is too long costs
/// more than one that is too short (Saxena, Goebel, Simon, Eklund: *Damage propagation modeling
/// for aircraft engine run-to-failure simulation*, PHM 2008, equation 11).
#[must_use]
pub fn nasa_score(estimates: &[f64], truths: &[f64]) -> f64 {
    let one = |(estimate, truth): (&f64, &f64)| {
        let off = estimate - truth;
        libm::expm1(if off < 0.0 { -off / 13.0 } else { off / 10.0 })
    };
    estimates.iter().zip(truths).map(one).sum()
}
