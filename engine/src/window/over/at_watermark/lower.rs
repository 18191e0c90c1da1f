//! From what the passes of a horizon say of each row to the columns that are given out: whole
//! columns at a time.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field};

use super::super::derive::{exact_spread, power_of_ten, to_f64};
use super::fast::What;
use super::log::{Log, LogColumn, Measure};
use super::pass::{Kind, Out};
use super::running::{FloatSquare, FloatState};
use crate::error::{Error, Result};
use crate::window::aggregate::{
    Spread, float_of_order, float_order, int_array, nearest, wide_array,
};

/// Largest decimal of 38 digits.
const DECIMAL_MAX: u128 = 10u128.pow(38) - 1;

/// What the passes of a horizon say of the rows of a release.
pub(super) struct Answers<'a> {
    pub(super) log: &'a Log,
    pub(super) outs: &'a [(Kind, Out)],
    pub(super) rows: usize,
}

/// The sums of a column.
enum Sums<'a> {
    Narrow(&'a ScalarBuffer<i64>),
    Wide(&'a [i128]),
    Floats(&'a [FloatState]),
}

/// The values of a column in the answered rows themselves: row `i` is row `first + i` of the log.
struct Own<'a> {
    column: &'a LogColumn,
    first: usize,
}

impl Own<'_> {
    fn is_valid(&self, i: usize) -> bool {
        self.column.nulls.as_ref().is_none_or(|nulls| !nulls[self.first + i])
    }

    /// An integer; 0 of nulls.
    fn int(&self, i: usize) -> i128 {
        match &self.column.measure {
            Measure::Narrow(values) => values[self.first + i].into(),
            Measure::Wide(values) => values[self.first + i],
            _ => 0,
        }
    }
}

/// What a column adds up to in each row's window.
struct Window<'a> {
    /// Rows in which it is not null.
    n: ScalarBuffer<i64>,
    /// With the rows themselves.
    sums: Option<Sums<'a>>,
    /// Where the rows themselves are to be left out.
    own: Option<Own<'a>>,
}

impl Window<'_> {
    /// The sum of integers; `None` of floats, or where no value has come yet.
    fn sum(&self, i: usize) -> Option<i128> {
        let sum = match self.sums.as_ref()? {
            Sums::Narrow(sums) => i128::from(sums[i]),
            Sums::Wide(sums) => sums[i],
            Sums::Floats(_) => return None,
        };
        Some(sum - self.own.as_ref().map_or(0, |own| own.int(i)))
    }

    fn own_square(&self, i: usize) -> i128 {
        // It is part of a sum of squares that 128 bits hold.
        self.own.as_ref().map_or(0, |own| own.int(i).wrapping_mul(own.int(i)))
    }

    /// The row's own float, where it is to be left out.
    fn own_float(&self, i: usize) -> Option<f64> {
        let own = self.own.as_ref().filter(|own| own.is_valid(i))?;
        match &own.column.measure {
            Measure::Floats(values) => Some(values[own.first + i]),
            _ => None,
        }
    }

    fn float(&self, sums: &[FloatState], i: usize) -> FloatState {
        match self.own_float(i) {
            Some(own) => sums[i].without(own),
            None => sums[i],
        }
    }
}

impl Answers<'_> {
    /// A column of the output.
    ///
    /// # Errors
    /// When a sum does not fit its column.
    pub(super) fn column(&self, what: What, field: &Field) -> Result<ArrayRef> {
        Ok(match what {
            What::Rows => integers(self.counts().clone(), None),
            What::Valid { column } => integers(self.valid(column), None),
            What::Sum { column } => self.sums(column, field)?,
            What::Mean { column, scale, others } => self.means(column, scale, others, field)?,
            What::Extreme { column, greatest } => self.extremes(column, greatest, field)?,
            What::Deviation { column, spread, root, scale, others } => {
                self.deviations(column, (spread, root, scale), others)
            }
        })
    }

    fn out(&self, wanted: impl Fn(&Kind) -> bool) -> Option<&Out> {
        self.outs.iter().find(|(kind, _)| wanted(kind)).map(|(_, out)| out)
    }

    fn counts(&self) -> &ScalarBuffer<i64> {
        match self.out(|kind| matches!(kind, Kind::Integers(_))) {
            Some(Out::Integers(lanes)) => &lanes[0],
            _ => unreachable!("every horizon counts its rows"),
        }
    }

    /// Rows in which the column is not null.
    fn valid(&self, column: usize) -> ScalarBuffer<i64> {
        match self.out(|kind| *kind == Kind::Nulls(column)) {
            Some(Out::Integers(nulls)) => {
                let pairs = self.counts().iter().zip(&*nulls[0]);
                pairs.map(|(rows, nulls)| rows - nulls).collect()
            }
            _ => self.counts().clone(),
        }
    }

    /// The sums of a column; `None` where no value has come yet.
    fn sums_of(&self, column: usize) -> Option<Sums<'_>> {
        for (kind, out) in self.outs {
            match (kind, out) {
                (Kind::Integers(sums), Out::Integers(lanes)) => {
                    if let Some(at) = sums.iter().position(|&summed| summed == column) {
                        return Some(Sums::Narrow(&lanes[at + 1]));
                    }
                }
                (Kind::WideSum(of), Out::Wide(sums)) if *of == column => {
                    return Some(Sums::Wide(sums));
                }
                (Kind::FloatSum(of), Out::Floats(sums)) if *of == column => {
                    return Some(Sums::Floats(sums));
                }
                _ => {}
            }
        }
        None
    }

    fn sums(&self, column: usize, field: &Field) -> Result<ArrayRef> {
        let nulls = nulls_below(&self.valid(column), 1);
        let overflow = |digits: &str| {
            Error::run(format!("the aggregate \"{}\" overflows {digits}", field.name()))
                .advise("cast the column to a decimal, or use shorter windows")
        };
        let nothing = ScalarBuffer::from(vec![0; self.rows]);
        let sums = self.sums_of(column).unwrap_or(Sums::Narrow(&nothing));
        if let DataType::Decimal128(..) = field.data_type() {
            let wide: ScalarBuffer<i128> = match sums {
                Sums::Narrow(sums) => sums.iter().map(|&sum| i128::from(sum)).collect(),
                Sums::Wide(sums) => sums.iter().copied().collect(),
                Sums::Floats(_) => unreachable!("decimals are summed as integers"),
            };
            if wide.iter().any(|sum| sum.unsigned_abs() > DECIMAL_MAX) {
                return Err(overflow("38 digits"));
            }
            let array = Decimal128Array::new(wide, nulls);
            return Ok(Arc::new(array.with_data_type(field.data_type().clone())));
        }
        Ok(match sums {
            Sums::Narrow(sums) if field.data_type() == &DataType::Int64 => {
                integers(sums.clone(), nulls)
            }
            Sums::Narrow(sums) => int_array(sums.to_vec(), nulls, field.data_type())?,
            Sums::Wide(sums) => {
                let narrow: Option<Vec<i64>> =
                    sums.iter().map(|&sum| i64::try_from(sum).ok()).collect();
                int_array(narrow.ok_or_else(|| overflow("64 bits"))?, nulls, field.data_type())?
            }
            Sums::Floats(sums) => {
                Arc::new(Float64Array::new(floats(sums.iter().map(FloatState::value)), nulls))
            }
        })
    }

    fn means(&self, column: usize, scale: i8, others: bool, field: &Field) -> Result<ArrayRef> {
        let window = self.window(column, others);
        let n = &window.n;
        let nulls = nulls_below(n, 1);
        if let DataType::Duration(_) = field.data_type() {
            let sums = (0..self.rows).map(|row| window.sum(row).unwrap_or(0));
            let means = sums.zip(n.iter()).map(|(sum, &n)| nearest(sum, n.unsigned_abs()));
            return int_array(means.collect(), nulls, field.data_type());
        }
        let scale = power_of_ten(scale);
        let mean = |sum: f64, n: i64| if n == 0 { 0.0 } else { sum / (n as f64 * scale) };
        let means = match &window.sums {
            Some(Sums::Wide(_)) => {
                floats((0..self.rows).map(|i| mean(to_f64(window.sum(i).unwrap_or(0)), n[i])))
            }
            Some(Sums::Narrow(sums)) if !others => {
                floats(sums.iter().zip(n.iter()).map(|(&sum, &n)| mean(sum as f64, n)))
            }
            Some(Sums::Narrow(_)) => {
                floats((0..self.rows).map(|i| mean(window.sum(i).unwrap_or(0) as f64, n[i])))
            }
            Some(Sums::Floats(sums)) => {
                floats((0..self.rows).map(|i| mean(window.float(sums, i).value(), n[i])))
            }
            None => vec![0.0; self.rows].into(),
        };
        Ok(Arc::new(Float64Array::new(means, nulls)))
    }

    /// What a column adds up to in each row's window, with or without the row itself.
    fn window(&self, column: usize, others: bool) -> Window<'_> {
        let own = &self.log.columns[column];
        let first = self.log.len() - self.rows;
        let own = others.then_some(Own { column: own, first });
        let mut n = self.valid(column);
        if let Some(own) = &own {
            let others = n.iter().enumerate().map(|(i, n)| n - i64::from(own.is_valid(i)));
            n = others.collect();
        }
        Window { n, sums: self.sums_of(column), own }
    }

    fn deviations(
        &self,
        column: usize,
        (spread, root, scale): (Spread, bool, i8),
        others: bool,
    ) -> ArrayRef {
        let window = self.window(column, others);
        let n = &window.n;
        let scale = power_of_ten(scale);
        let less = i64::from(spread == Spread::Sample);
        let from = |n: i64, squared: f64| {
            if n <= less {
                return 0.0;
            }
            let variance = squared / (n as f64 * (n - less) as f64);
            if root { variance.sqrt() / scale } else { variance / scale / scale }
        };
        let squares = self.out(|kind| matches!(kind, Kind::Squares(of, _) if *of == column));
        let float_squares = self.out(|kind| *kind == Kind::FloatSquares(column));
        let values = match (&window.sums, squares, float_squares) {
            (Some(Sums::Narrow(_) | Sums::Wide(_)), Some(Out::Wide(squares)), _) => {
                let exact = |i: usize| {
                    let squares = squares[i] - window.own_square(i);
                    exact_spread(n[i].unsigned_abs(), window.sum(i).unwrap_or(0), squares)
                };
                floats((0..self.rows).map(|i| from(n[i], exact(i))))
            }
            (Some(Sums::Floats(sums)), _, Some(Out::FloatSquares(squares))) => {
                let spread = |i: usize| {
                    let squares = match window.own_float(i) {
                        Some(own) => squares[i].without(own),
                        None => squares[i],
                    };
                    float_spread(n[i], &window.float(sums, i), &squares)
                };
                floats((0..self.rows).map(|i| from(n[i], spread(i))))
            }
            _ => vec![0.0; self.rows].into(),
        };
        Arc::new(Float64Array::new(values, nulls_below(n, less + 1)))
    }

    fn extremes(&self, column: usize, greatest: bool, field: &Field) -> Result<ArrayRef> {
        let out = self.out(|kind| {
            matches!(kind, Kind::Extreme { column: of, turned, .. }
                if (*of, *turned) == (column, greatest))
        });
        let Some(Out::Rows(rows)) = out else {
            return Ok(arrow::array::new_null_array(field.data_type(), self.rows));
        };
        let valid = nulls_where(rows, |&row| row == u32::MAX);
        fn taken<T: Copy + Default, U: From<T>>(values: &[T], rows: &[u32]) -> Vec<U> {
            rows.iter()
                .map(|&row| U::from(values.get(row as usize).copied().unwrap_or_default()))
                .collect()
        }
        let data_type = field.data_type();
        let wide = matches!(data_type, DataType::UInt64 | DataType::Decimal128(..));
        match &self.log.columns[column].measure {
            Measure::Narrow(values) if wide => wide_array(taken(values, rows), valid, data_type),
            Measure::Narrow(values) => int_array(taken(values, rows), valid, data_type),
            Measure::Wide(values) => wide_array(taken(values, rows), valid, data_type),
            Measure::Floats(values) => {
                // By way of the order, so that there is one NaN and one zero.
                let values: Vec<f64> = taken(values, rows);
                let values = values.into_iter().map(|value| float_of_order(float_order(value)));
                let array: ArrayRef =
                    Arc::new(Float64Array::new(values.collect::<Vec<_>>().into(), valid));
                Ok(arrow::compute::cast(&array, data_type)?)
            }
            Measure::None => Ok(arrow::array::new_null_array(data_type, self.rows)),
        }
    }
}

/// n Σx² − (Σx)² of floats.
fn float_spread(n: i64, sum: &FloatState, squares: &FloatSquare) -> f64 {
    if sum.other.sum().is_some() {
        return f64::NAN;
    }
    squares.squares.times(n as f64).minus(sum.sum.square()).value().max(0.0)
}

fn integers(values: ScalarBuffer<i64>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(Int64Array::new(values, nulls))
}

/// Values with one NaN, whatever it came from: machines differ in its bits.
fn floats(values: impl Iterator<Item = f64>) -> ScalarBuffer<f64> {
    values.map(|value| if value.is_nan() { f64::NAN } else { value }).collect()
}

/// Null where there are fewer than `least` values.
fn nulls_below(n: &[i64], least: i64) -> Option<NullBuffer> {
    nulls_where(n, |&n| n < least)
}

fn nulls_where<T>(values: &[T], is_null: impl Fn(&T) -> bool) -> Option<NullBuffer> {
    // Without a branch a value: mostly there is none.
    let any = values.iter().fold(false, |any, value| any | is_null(value));
    any.then(|| BooleanBuffer::collect_bool(values.len(), |i| !is_null(&values[i])).into())
}
