//! Variance, standard deviation, covariance and correlation.
//!
//! A row at a time by Welford's update (Technometrics 4, 1962), partial results by the pairwise
//! formula of Chan, Golub and LeVeque (COMPSTAT 1982): means and sums of squared differences
//! from them, so that a large mean does not cancel the digits. Decimals are computed in units
//! of their last place and scaled once at the end.

use arrow::datatypes::DataType;

use super::function::Spread;
use super::lower::power_of_ten;
use super::plan::Class;
use super::{AggregateFunction, Row, Value};
use crate::error::Result;

/// Variance and standard deviation.
#[derive(Debug)]
pub(super) struct Moments {
    pub(super) spread: Spread,
    /// The square root of it.
    pub(super) root: bool,
    pub(super) scale: i8,
}

/// Of the rows so far: number, mean, and sum of squared differences from the mean.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Squares {
    n: u64,
    mean: f64,
    squares: f64,
}

/// What the sums of squares or products are divided by; `None`: too few rows.
fn divisor(n: u64, spread: Spread) -> Option<f64> {
    let less = u64::from(spread == Spread::Sample);
    (n > less).then(|| (n - less) as f64)
}

/// A value as the float that it is computed as.
pub(super) fn number(row: &Row<'_>, argument: usize) -> f64 {
    row.values[argument].as_f64().unwrap_or(f64::NAN)
}

/// A result in units of the last place, in ones.
pub(super) fn unscaled(value: f64, scale: i8) -> f64 {
    if scale < 0 { value * power_of_ten(scale) } else { value / power_of_ten(scale) }
}

impl AggregateFunction for Moments {
    type State = Squares;

    fn output_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn empty(&self) -> Squares {
        Squares::default()
    }

    fn lift(&self, row: &Row<'_>) -> Result<Squares> {
        super::lifted(self, row)
    }

    fn add(&self, state: &mut Squares, row: &Row<'_>) -> Result<()> {
        let value = number(row, 0);
        state.n += 1;
        let difference = value - state.mean;
        state.mean += difference / state.n as f64;
        state.squares += difference * (value - state.mean);
        Ok(())
    }

    fn combine(&self, state: &mut Squares, later: &Squares) -> Result<()> {
        if state.n == 0 || later.n == 0 {
            if state.n == 0 {
                *state = *later;
            }
            return Ok(());
        }
        let (a, b) = (state.n as f64, later.n as f64);
        let difference = later.mean - state.mean;
        state.n += later.n;
        state.mean += difference * (b / (a + b));
        state.squares += later.squares + difference * difference * (a * b / (a + b));
        Ok(())
    }

    fn lower(&self, state: &Squares) -> Result<Option<Value>> {
        let Some(divisor) = divisor(state.n, self.spread) else { return Ok(None) };
        let variance = state.squares / divisor;
        let deviation = unscaled(variance.sqrt(), self.scale);
        let result = if self.root {
            deviation
        } else {
            unscaled(unscaled(variance, self.scale), self.scale)
        };
        Ok(Some(Value::float(result)))
    }
}

/// Covariance and correlation.
#[derive(Debug)]
pub(super) struct Bivariate {
    /// `None`: correlation.
    spread: Option<Spread>,
    scales: [i8; 2],
}

/// Of the rows so far: number, means, sums of squared differences and of their products.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Products {
    n: u64,
    mean: [f64; 2],
    squares: [f64; 2],
    products: f64,
}

impl Bivariate {
    pub(super) fn covariance(spread: Spread, types: &[DataType]) -> Self {
        let scale = |data_type: &DataType| Class::of(data_type).scale();
        Self { spread: Some(spread), scales: [scale(&types[0]), scale(&types[1])] }
    }

    pub(super) fn correlation(types: &[DataType]) -> Self {
        Self { spread: None, ..Self::covariance(Spread::Population, types) }
    }
}

impl AggregateFunction for Bivariate {
    type State = Products;

    fn output_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn empty(&self) -> Products {
        Products::default()
    }

    fn lift(&self, row: &Row<'_>) -> Result<Products> {
        super::lifted(self, row)
    }

    fn add(&self, state: &mut Products, row: &Row<'_>) -> Result<()> {
        state.n += 1;
        let n = state.n as f64;
        let values = [number(row, 0), number(row, 1)];
        let before = [values[0] - state.mean[0], values[1] - state.mean[1]];
        let mut after = [0.0; 2];
        for i in 0..2 {
            state.mean[i] += before[i] / n;
            after[i] = values[i] - state.mean[i];
            state.squares[i] += before[i] * after[i];
        }
        state.products += before[0] * after[1];
        Ok(())
    }

    fn combine(&self, state: &mut Products, later: &Products) -> Result<()> {
        if state.n == 0 || later.n == 0 {
            if state.n == 0 {
                *state = *later;
            }
            return Ok(());
        }
        let (a, b) = (state.n as f64, later.n as f64);
        let difference = [later.mean[0] - state.mean[0], later.mean[1] - state.mean[1]];
        let weight = a * b / (a + b);
        state.n += later.n;
        for (i, difference) in difference.into_iter().enumerate() {
            state.mean[i] += difference * (b / (a + b));
            state.squares[i] += later.squares[i] + difference * difference * weight;
        }
        state.products += later.products + difference[0] * difference[1] * weight;
        Ok(())
    }

    fn lower(&self, state: &Products) -> Result<Option<Value>> {
        let result = match self.spread {
            Some(spread) => divisor(state.n, spread).map(|divisor| {
                unscaled(unscaled(state.products / divisor, self.scales[0]), self.scales[1])
            }),
            None => {
                let root = state.squares[0].sqrt() * state.squares[1].sqrt();
                // Rounding may lead a little past what a correlation can be. NaN stays.
                (state.n > 0 && root != 0.0).then(|| (state.products / root).clamp(-1.0, 1.0))
            }
        };
        Ok(result.map(Value::float))
    }
}
