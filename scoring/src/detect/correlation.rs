//! Rows that break the correlation of their columns: Hotelling's T², and Q.
//!
//! * **Mahalanobis**: T² = (x − μ)ᵀ Σ⁻¹ (x − μ) (Hotelling, *Multivariate quality control*, 1947).
//! * **PCA**: the components that carry most of the variance make a model. T² is the distance
//!   within it, Q (squared prediction error) the squared distance from it (Jackson and Mudholkar,
//!   *Control procedures for residuals associated with principal component analysis*,
//!   Technometrics 21, 1979). A leak breaks Q; an unusual load only T².
//!
//! Columns are standardised by the training rows; a column that is constant there takes no part.
//! The first `training` rows are the training set (phase I); the model is then held, because one
//! that follows the stream learns the fault.
//!
//! **Drift is no fault.** A temperature that climbs during training will go on climbing, and in
//! training deviations it is soon far away. So each column's variance is what it will be at a
//! horizon of [`HORIZON`] training lengths: its variogram g(h), half the mean squared difference
//! of values h rows apart (Matheron, *Principles of geostatistics*, Economic Geology 58, 1963),
//! of smoothed values, is extrapolated by its slope between two lags. White noise has no slope
//! and keeps its variance; a column that drifts gets a wide one, and its correlations shrink
//! with it.
//!
//! **Faults last, noise does not**: standardised rows are averaged exponentially before they are
//! judged (MEWMA: Lowry, Woodall, Champ, Rigdon, *A multivariate exponentially weighted moving
//! average control chart*, Technometrics 34, 1992). The limits are [`MARGIN`] times the largest
//! training statistics, since sensors are neither normal nor independent in time.
//!
//! The covariance is decomposed once, by Jacobi's rotations: exact to rounding, and for some tens
//! of columns nothing else is faster.

use super::{Law, Score, Stream, is_usable};

/// The drift that is allowed for, in training lengths.
pub const HORIZON: f64 = 2.5;
/// Limits, in largest training statistics.
pub const MARGIN: f64 = 2.0;
/// Weight of the newest row in the average.
pub const WEIGHT: f64 = 0.3;

/// The model that was learned from the training rows.
#[derive(Debug, Clone)]
struct Model {
    /// Each column's mean and 1/deviation at the horizon; 0 where it was constant.
    mean: Vec<f64>,
    inverse: Vec<f64>,
    /// Components in rows, the strongest first, and their variances.
    components: Vec<Vec<f64>>,
    variances: Vec<f64>,
    /// How many components are in the model.
    inside: usize,
    /// Limits of T² and Q.
    limits: [f64; 2],
    /// Training statistics above which a limit is exceeded, ascending: for tail probabilities.
    references: [Vec<f64>; 2],
}

/// The method and its state: one series of rows.
#[derive(Debug, Clone)]
pub struct Correlation {
    dimensions: usize,
    training: usize,
    /// Share of the variance that the model carries; 1 keeps all components.
    share: f64,
    margin: f64,
    horizon: f64,
    weight: f64,
    rows: Vec<f64>,
    model: Option<Box<Model>>,
    /// The smoothed standardised row.
    smooth: Vec<f64>,
    /// Each column's part of the latest statistic.
    parts: Vec<f64>,
}

impl Correlation {
    /// T² of all columns, after 400 training rows.
    #[must_use]
    pub fn mahalanobis(dimensions: usize) -> Self {
        Self {
            dimensions,
            training: 400.max(4 * dimensions),
            share: 1.0,
            margin: MARGIN,
            horizon: HORIZON,
            weight: WEIGHT,
            rows: Vec::new(),
            model: None,
            smooth: vec![0.0; dimensions],
            parts: vec![0.0; dimensions],
        }
    }

    /// T² and Q of the components that carry 90 % of the variance.
    #[must_use]
    pub fn pca(dimensions: usize) -> Self {
        Self { share: 0.9, ..Self::mahalanobis(dimensions) }
    }

    /// Averages rows with `weight` (0 < weight ≤ 1; 1 is none) before they are judged.
    #[must_use]
    pub fn with_smoothing(self, weight: f64) -> Self {
        Self { weight: weight.clamp(1e-6, 1.0), ..self }
    }

    /// Learns from this many rows (at least two).
    #[must_use]
    pub fn with_training(self, rows: usize) -> Self {
        Self { training: rows.max(2), ..self }
    }

    /// Flags from `margin` times the largest training statistic on.
    #[must_use]
    pub fn with_margin(self, margin: f64) -> Self {
        Self { margin: margin.max(f64::MIN_POSITIVE), ..self }
    }

    /// Allows for drift over `horizon` training lengths; 0 for none.
    #[must_use]
    pub fn with_horizon(self, horizon: f64) -> Self {
        Self { horizon: horizon.max(0.0), ..self }
    }

    /// Standardises a row and averages it into `smooth`.
    fn smoothed(&mut self, model: &Model, row: &[f64]) {
        for (index, value) in row.iter().enumerate() {
            let z = (value - model.mean[index]) * model.inverse[index];
            let z = if z.is_finite() { z.clamp(-1e6, 1e6) } else { 0.0 };
            self.smooth[index] += self.weight * (z - self.smooth[index]);
        }
    }

    fn learn(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let mut model = fit(&rows, self.dimensions, self.share, self.horizon);
        let mut statistics = [Vec::new(), Vec::new()];
        self.smooth.fill(0.0);
        for row in rows.chunks_exact(self.dimensions) {
            self.smoothed(&model, row);
            let both = model.statistics(&self.smooth, None);
            statistics[0].push(both[0]);
            statistics[1].push(both[1]);
        }
        // The first rows' averages are still near zero.
        statistics.iter_mut().for_each(|values| drop(values.drain(..values.len() / 8)));
        for (index, mut values) in statistics.into_iter().enumerate() {
            values.sort_by(f64::total_cmp);
            let largest = values.last().copied().unwrap_or(0.0);
            model.limits[index] = (self.margin * largest).max(f64::MIN_POSITIVE);
            model.references[index] = values;
        }
        self.model = Some(Box::new(model));
    }
}

impl Model {
    /// T² and Q of a standardised row; adds each column's part of the larger one, in limits.
    fn statistics(&self, z: &[f64], parts: Option<&mut [f64]>) -> [f64; 2] {
        let (mut inside, mut projected) = (0.0, 0.0);
        let mut scores = Vec::new();
        for (component, variance) in self.components[..self.inside].iter().zip(&self.variances) {
            let score: f64 = component.iter().zip(z).map(|(c, z)| c * z).sum();
            inside += score * score / variance;
            projected += score * score;
            if parts.is_some() {
                scores.push(score);
            }
        }
        let all = z.iter().map(|z| z * z).sum::<f64>();
        let both = [inside, (all - projected).max(0.0)];
        if let Some(parts) = parts {
            self.share_out(z, &scores, both, parts);
        }
        both
    }

    /// Contributions of the columns to the statistic that is larger in units of its limit: for
    /// T², zᵢ·(Σ⁻¹z)ᵢ; for Q, the squared residual.
    fn share_out(&self, z: &[f64], scores: &[f64], both: [f64; 2], parts: &mut [f64]) {
        let by_q = both[1] / self.limits[1] > both[0] / self.limits[0];
        for (index, part) in parts.iter_mut().enumerate() {
            let along = |weight: &dyn Fn(usize) -> f64| -> f64 {
                let terms = scores.iter().enumerate();
                terms.map(|(k, score)| self.components[k][index] * score * weight(k)).sum()
            };
            *part = if by_q {
                let residual = z[index] - along(&|_| 1.0);
                residual * residual / self.limits[1]
            } else {
                z[index] * along(&|k| 1.0 / self.variances[k]) / self.limits[0]
            };
        }
    }

    /// The share of training rows with a statistic of at least `value`, of n + 1.
    fn tail(&self, which: usize, value: f64) -> f64 {
        let values = &self.references[which];
        let above = values.len() - values.partition_point(|v| *v < value);
        (above as f64 + 1.0) / (values.len() as f64 + 1.0)
    }
}

/// Means, deviations at the horizon and components of rows.
fn fit(rows: &[f64], dimensions: usize, share: f64, horizon: f64) -> Model {
    let count = rows.len() / dimensions;
    let (mut mean, mut inverse) = (Vec::new(), Vec::new());
    for index in 0..dimensions {
        let column: Vec<f64> = rows.iter().skip(index).step_by(dimensions).copied().collect();
        let (centre, variance) = moments(&column);
        let deviation = (variance + drift(&column) * horizon * count as f64).sqrt();
        mean.push(centre);
        // Rounding is no variation.
        let varies = variance.sqrt() > centre.abs() * 1e-9 + f64::MIN_POSITIVE;
        inverse.push(if varies && deviation.is_finite() { 1.0 / deviation } else { 0.0 });
    }
    let mut covariance = vec![vec![0.0; dimensions]; dimensions];
    for row in rows.chunks_exact(dimensions) {
        let z = |index: usize| (row[index] - mean[index]) * inverse[index];
        for (i, line) in covariance.iter_mut().enumerate() {
            for (j, cell) in line.iter_mut().enumerate() {
                *cell += z(i) * z(j) / (count as f64 - 1.0).max(1.0);
            }
        }
    }
    // What drift adds to a variance is its own: no correlation is known for it.
    for (index, line) in covariance.iter_mut().enumerate().filter(|(i, _)| inverse[*i] > 0.0) {
        line[index] = line[index].max(1.0);
    }
    let (variances, components) = eigen(covariance);
    let total: f64 = variances.iter().sum();
    // A variance of rounding's size is none: dividing by it would make noise an alarm.
    let usable = variances.iter().filter(|v| **v > total * 1e-9).count();
    let mut sum = 0.0;
    let needed = variances.iter().take_while(|v| {
        let more = sum < share * total;
        sum += **v;
        more
    });
    let inside = needed.count().min(usable);
    let limits = [f64::INFINITY; 2];
    Model { mean, inverse, components, variances, inside, limits, references: Default::default() }
}

/// Mean and variance.
fn moments(column: &[f64]) -> (f64, f64) {
    let count = column.len() as f64;
    let mean = column.iter().sum::<f64>() / count;
    let squares: f64 = column.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, squares / (count - 1.0).max(1.0))
}

/// The slope of the variogram a row, at least 0: between lags of a twentieth and three eighths
/// of the column, of means over a fortieth of it.
fn drift(column: &[f64]) -> f64 {
    let span = (column.len() / 40).max(1);
    let (near, far) = ((column.len() / 20).max(1), 3 * column.len() / 8);
    if far <= near || column.len() < span + far + 2 {
        return 0.0;
    }
    let smooth: Vec<f64> =
        column.windows(span).map(|w| w.iter().sum::<f64>() / span as f64).collect();
    let variogram = |lag: usize| {
        let squares = smooth.iter().zip(&smooth[lag..]).map(|(a, b)| (b - a) * (b - a));
        0.5 * squares.sum::<f64>() / (smooth.len() - lag) as f64
    };
    ((variogram(far) - variogram(near)) / (far - near) as f64).max(0.0)
}

/// Eigenvalues, largest first, and their eigenvectors, of a symmetric matrix: cyclic Jacobi
/// rotations (Golub and Van Loan, *Matrix Computations*, §8.5).
#[expect(clippy::needless_range_loop, reason = "rotations are written by row and column")]
pub(super) fn eigen(mut a: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = a.len();
    let mut vectors = vec![vec![0.0; n]; n];
    (0..n).for_each(|i| vectors[i][i] = 1.0);
    for _sweep in 0..50 {
        let off: f64 =
            (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i][j] * a[i][j]).sum();
        let scale: f64 = (0..n).map(|i| a[i][i] * a[i][i]).sum();
        if off.is_nan() || off <= scale * 1e-26 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q] == 0.0 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    (a[k][p], a[k][q]) = (c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]);
                }
                for k in 0..n {
                    (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]);
                }
                let (row_p, row_q) = (vectors[p].clone(), vectors[q].clone());
                for k in 0..n {
                    vectors[p][k] = c * row_p[k] - s * row_q[k];
                    vectors[q][k] = s * row_p[k] + c * row_q[k];
                }
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[j][j].total_cmp(&a[i][i]).then(i.cmp(&j)));
    let values = order.iter().map(|&i| a[i][i]).collect();
    (values, order.into_iter().map(|i| vectors[i].clone()).collect())
}

impl Stream for Correlation {
    fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The raw score is the larger of T² and Q in units of their limits: 1 is the limit. A row
    /// with a missing value is judged with its column's mean in place of it.
    fn push(&mut self, _time_us: i64, row: &[f64]) -> Score {
        let any = row.iter().any(|value| is_usable(*value));
        if row.len() != self.dimensions || !any {
            return Score::MISSING;
        }
        let Some(model) = self.model.take() else {
            if row.iter().all(|value| is_usable(*value)) {
                self.rows.extend_from_slice(row);
            }
            if self.rows.len() >= self.training * self.dimensions {
                self.learn();
            }
            return Score::WARMING_UP;
        };
        self.smoothed(&model, row);
        let mut parts = std::mem::take(&mut self.parts);
        let both = model.statistics(&self.smooth, Some(&mut parts));
        let ratios = [both[0] / model.limits[0], both[1] / model.limits[1]];
        // All components in the model: Q is rounding.
        let with_q = model.inside < model.components.len();
        let by_q = with_q && ratios[1] > ratios[0];
        let which = usize::from(by_q);
        let raw = ratios[which];
        let tail = model.tail(which, both[which]);
        self.parts = parts;
        self.model = Some(model);
        Score::new(raw, Law::Known(tail), raw >= 1.0)
    }

    fn bytes(&self) -> usize {
        let model = self.model.as_ref().map_or(0, |model| {
            let floats = model.components.len() * (model.components.len() + 3)
                + model.references.iter().map(Vec::capacity).sum::<usize>();
            size_of::<Model>() + floats * size_of::<f64>()
        });
        let floats = self.rows.capacity() + self.smooth.len() + self.parts.len();
        size_of::<Self>() + floats * size_of::<f64>() + model
    }

    fn contributions(&self, into: &mut Vec<f64>) {
        into.extend_from_slice(&self.parts);
    }
}
