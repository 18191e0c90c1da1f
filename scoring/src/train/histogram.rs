//! Histograms: for each bin of each feature, what the gradients and curvatures of a leaf's rows
//! add up to, and how many rows there are.
//!
//! Sums are integers in units of [`UNIT`], so that they are exact whatever the order in which
//! rows are added, and so that a sibling's histogram is exactly the parent's less the other's. A
//! gradient of the logistic loss lies within −1 and 1, its curvature within 0 and ¼: both fit 31
//! bits, and sums of 2³² rows fit 63.

use super::bins::Binned;

/// Gradients and curvatures are multiples of this.
pub const UNIT: f64 = 1.0 / (1_u64 << 30) as f64;

/// Cells that a feature has: bins of values, and one for missing values.
pub const STRIDE: usize = 256;

/// Below this many additions threads cost more than they save.
const ADDITIONS_MIN: usize = 1 << 18;

/// First and second derivative of a row's loss, in [`UNIT`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Derivatives {
    /// First derivative.
    pub gradient: i32,
    /// Second derivative; never below 0.
    pub curvature: i32,
}

impl Derivatives {
    /// Of the logistic loss of a row that is `label` and has this probability.
    #[must_use]
    pub fn of(probability: f64, label: bool) -> Self {
        let gradient = probability - f64::from(u8::from(label));
        let curvature = probability * (1.0 - probability);
        // The casts saturate, but probabilities lie within 0 and 1.
        let fixed = |value: f64| (value / UNIT).round() as i32;
        Self { gradient: fixed(gradient), curvature: fixed(curvature) }
    }
}

/// What rows add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    /// Sum of the gradients, in [`UNIT`]s.
    pub gradient: i64,
    /// Sum of the curvatures, in [`UNIT`]s.
    pub curvature: i64,
    /// Number of rows.
    pub rows: i64,
}

impl Cell {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            curvature: self.curvature + other.curvature,
            rows: self.rows + other.rows,
        }
    }

    /// This without the other.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            curvature: self.curvature - other.curvature,
            rows: self.rows - other.rows,
        }
    }

    /// Sum of the curvatures.
    #[must_use]
    pub fn weight(self) -> f64 {
        self.curvature as f64 * UNIT
    }

    fn add(&mut self, of: Derivatives) {
        self.gradient += i64::from(of.gradient);
        self.curvature += i64::from(of.curvature);
        self.rows += 1;
    }
}

/// The cells of all features: feature `f` has `STRIDE` cells from `f · STRIDE`.
pub type Histogram = Vec<Cell>;

/// The sums of `rows`; `derivatives` are those of all rows.
#[must_use]
pub fn total(derivatives: &[Derivatives], rows: &[u32]) -> Cell {
    let mut sum = Cell::default();
    rows.iter().for_each(|row| sum.add(derivatives[*row as usize]));
    sum
}

/// Fills `out` with the histogram of `rows`, for the features that `wanted` names.
pub fn fill(
    binned: &Binned,
    derivatives: &[Derivatives],
    rows: &[u32],
    wanted: &[bool],
    threads: usize,
    out: &mut Histogram,
) {
    out.clear();
    out.resize(binned.columns.len() * STRIDE, Cell::default());
    // Read once in the order of the rows, then in sequence for each feature.
    let near: Vec<Derivatives> = rows.iter().map(|row| derivatives[*row as usize]).collect();
    let features = wanted.iter().filter(|wanted| **wanted).count();
    let one = |feature: usize, cells: &mut [Cell]| {
        if wanted[feature] {
            add(&binned.columns[feature], &near, rows, cells);
        }
    };
    if threads < 2 || features * rows.len() < ADDITIONS_MIN {
        out.chunks_mut(STRIDE).enumerate().for_each(|(feature, cells)| one(feature, cells));
        return;
    }
    let each = binned.columns.len().div_ceil(threads);
    std::thread::scope(|scope| {
        for (at, cells) in out.chunks_mut(each * STRIDE).enumerate() {
            scope.spawn(move || {
                for (offset, cells) in cells.chunks_mut(STRIDE).enumerate() {
                    one(at * each + offset, cells);
                }
            });
        }
    });
}

fn add(column: &[u8], derivatives: &[Derivatives], rows: &[u32], cells: &mut [Cell]) {
    for (row, of) in rows.iter().zip(derivatives) {
        cells[usize::from(column[*row as usize])].add(*of);
    }
}

/// `larger` was the parent's and becomes the sibling's of `smaller`.
pub fn subtract(larger: &mut Histogram, smaller: &Histogram) {
    for (cell, other) in larger.iter_mut().zip(smaller) {
        *cell = cell.less(*other);
    }
}
