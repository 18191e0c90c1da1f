//! The built-in functions by name, what they may be computed of, and which states they keep.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};

use super::bits::{BitOp, Bits, Truth};
use super::distinct::CountDistinct;
use super::ewma::Ewma;
use super::histogram::Histogram;
use super::hyperloglog::ApproxDistinct;
use super::list::List;
use super::moments::{Bivariate, Moments};
use super::pick::{ArgExtreme, Edge, Extreme};
use super::plan::Class;
use super::quantile::Quantile;
use super::sketch::ApproxQuantile;
use super::states::{ARGUMENTS_MAX, UserFunction};
use super::top_k::{SpaceSaving, TopK};
use crate::error::{Error, Result};
use crate::time::Span;

/// Whether the rows are all there is, or a sample of it: what squares are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Divided by n − 1; null below two rows.
    Sample,
    /// Divided by n.
    Population,
}

/// An aggregate function. Where the result's type is not said it is the (first) argument's.
#[derive(Debug, Clone)]
pub enum Function {
    /// Number of rows; with an argument, of rows in which it is not null. Int64.
    Count,
    /// Sum. Int64 for integers and booleans, Decimal128(38, scale) for decimals, the column's own
    /// type for durations, else Float64.
    Sum,
    /// Mean. Float64; of durations the column's own type (the nearest, halves away from 0).
    Avg,
    /// Least value; NaN is greatest.
    Min,
    /// Greatest value; NaN is greatest.
    Max,
    /// Variance. Float64.
    Variance(Spread),
    /// Standard deviation. Float64.
    StdDev(Spread),
    /// Covariance of two columns. Float64.
    Covariance(Spread),
    /// Pearson's correlation of two columns. Float64; null where one of them is constant.
    Correlation,
    /// The value of the first row by (time, position).
    First,
    /// The value of the last row by (time, position).
    Last,
    /// The first column's value in the row in which the second is least; of several the first
    /// by (time, position).
    ArgMin,
    /// The first column's value in the row in which the second is greatest; of several the
    /// first by (time, position).
    ArgMax,
    /// Exact quantile, from 0 to 1, between neighbours in proportion (SQL's PERCENTILE_CONT).
    /// Float64.
    Quantile(f64),
    /// Quantile within [`super::APPROX_QUANTILE_ERROR`] of the exact value at its rank. Float64.
    ApproxQuantile(f64),
    /// Number of different values. Int64.
    Distinct,
    /// Number of different values, with [`super::APPROX_DISTINCT_ERROR`]. Int64.
    ApproxDistinct,
    /// The most frequent values, so many, and their numbers of rows.
    TopK(usize),
    /// As [`Function::TopK`], in bounded memory (space-saving); each count may be too high by at
    /// most its `error`.
    ApproxTopK(usize),
    /// Whether a boolean column is true in any row.
    Any,
    /// Whether a boolean column is true in all rows.
    All,
    /// Bitwise and of integers.
    BitAnd,
    /// Bitwise or of integers.
    BitOr,
    /// Bitwise exclusive or of integers.
    BitXor,
    /// Numbers of values below `low`, in each of `bins` bins of equal width, and from `high` on
    /// (NaN there too). List of Int64.
    Histogram {
        /// Where the first bin starts.
        low: f64,
        /// Where the last bin ends.
        high: f64,
        /// Number of bins.
        bins: usize,
    },
    /// Exponentially weighted mean: a row's weight halves with each `half_life` that it is older
    /// than the window's last row. Float64.
    Ewma {
        /// Time in which a weight halves.
        half_life: Span,
    },
    /// The values by (time, position).
    List,
    /// A function of one's own, by name.
    User(&'static str, Arc<dyn UserFunction>),
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User(a, f), Self::User(b, g)) => a == b && Arc::ptr_eq(f, g),
            (a, b) => format!("{a:?}") == format!("{b:?}"),
        }
    }
}

impl Function {
    /// The name, as output columns and messages have it.
    pub fn name(&self) -> String {
        let plain = match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Variance(Spread::Sample) => "var",
            Self::Variance(Spread::Population) => "var_pop",
            Self::StdDev(Spread::Sample) => "stddev",
            Self::StdDev(Spread::Population) => "stddev_pop",
            Self::Covariance(Spread::Sample) => "covar",
            Self::Covariance(Spread::Population) => "covar_pop",
            Self::Correlation => "corr",
            Self::First => "first",
            Self::Last => "last",
            Self::ArgMin => "argmin",
            Self::ArgMax => "argmax",
            Self::Quantile(0.5) => "median",
            Self::Quantile(q) => return format!("p{}", percent(*q)),
            Self::ApproxQuantile(0.5) => "approx_median",
            Self::ApproxQuantile(q) => return format!("approx_p{}", percent(*q)),
            Self::Distinct => "distinct",
            Self::ApproxDistinct => "approx_distinct",
            Self::TopK(_) => "top_k",
            Self::ApproxTopK(_) => "approx_top_k",
            Self::Any => "any",
            Self::All => "all",
            Self::BitAnd => "bit_and",
            Self::BitOr => "bit_or",
            Self::BitXor => "bit_xor",
            Self::Histogram { .. } => "histogram",
            Self::Ewma { .. } => "ewma",
            Self::List => "list",
            Self::User(name, _) => name,
        };
        plain.to_owned()
    }

    /// Number of arguments: least and most.
    fn arity(&self) -> (usize, usize) {
        match self {
            Self::Count => (0, 1),
            Self::Covariance(_) | Self::Correlation | Self::ArgMin | Self::ArgMax => (2, 2),
            Self::User(..) => (1, ARGUMENTS_MAX),
            _ => (1, 1),
        }
    }

    pub(super) fn check_arguments(&self, columns: usize, distinct: bool) -> Result<()> {
        let (least, most) = self.arity();
        if columns < least || columns > most {
            let needed =
                if least == most { least.to_string() } else { format!("{least} to {most}") };
            return Err(Error::usage(format!(
                "{}() needs a column for each argument: {needed}, and got {columns}",
                self.name()
            )));
        }
        let by_time = matches!(self, Self::First | Self::Last | Self::Ewma { .. });
        if distinct && (columns != 1 || by_time) {
            return Err(Error::usage(format!("distinct has no meaning in {}()", self.name()))
                .advise("use it with one column, and with what does not go by time"));
        }
        Ok(())
    }

    /// What is kept for it where plain cells will not do.
    pub(super) fn states(
        &self,
        types: &[DataType],
        unit: TimeUnit,
    ) -> Result<Arc<dyn UserFunction>> {
        self.check_types(types)?;
        self.check_parameters()?;
        let scale = Class::of(&types[0]).scale();
        Ok(match *self {
            Self::Variance(spread) => Arc::new(Moments { spread, root: false, scale }),
            Self::StdDev(spread) => Arc::new(Moments { spread, root: true, scale }),
            Self::Covariance(spread) => Arc::new(Bivariate::covariance(spread, types)),
            Self::Correlation => Arc::new(Bivariate::correlation(types)),
            Self::First => Arc::new(Edge { last: false }),
            Self::Last => Arc::new(Edge { last: true }),
            Self::Min => Arc::new(Extreme { greatest: false }),
            Self::Max => Arc::new(Extreme { greatest: true }),
            Self::ArgMin => Arc::new(ArgExtreme { greatest: false }),
            Self::ArgMax => Arc::new(ArgExtreme { greatest: true }),
            Self::Quantile(q) => Arc::new(Quantile { q, scale }),
            Self::ApproxQuantile(q) => Arc::new(ApproxQuantile::new(q, scale)),
            Self::Distinct => Arc::new(CountDistinct),
            Self::ApproxDistinct => Arc::new(ApproxDistinct),
            Self::TopK(k) => Arc::new(TopK { k }),
            Self::ApproxTopK(k) => Arc::new(SpaceSaving::new(k)),
            Self::Any => Arc::new(Truth { all: false }),
            Self::All => Arc::new(Truth { all: true }),
            Self::BitAnd => Arc::new(Bits { op: BitOp::And }),
            Self::BitOr => Arc::new(Bits { op: BitOp::Or }),
            Self::BitXor => Arc::new(Bits { op: BitOp::Xor }),
            Self::Histogram { low, high, bins } => Arc::new(Histogram::new(low, high, bins, scale)),
            Self::Ewma { half_life } => Arc::new(Ewma::new(half_life.to_units(unit)?, scale)),
            Self::List => Arc::new(List),
            Self::User(_, ref function) => function.clone(),
            Self::Count | Self::Sum | Self::Avg => {
                return Err(self.refused(&types[0], "numbers, durations or booleans"));
            }
        })
    }

    fn check_types(&self, types: &[DataType]) -> Result<()> {
        let of_numbers = match self {
            Self::Variance(_)
            | Self::StdDev(_)
            | Self::Covariance(_)
            | Self::Correlation
            | Self::Quantile(_)
            | Self::ApproxQuantile(_)
            | Self::Histogram { .. }
            | Self::Ewma { .. } => types.len(),
            _ => 0,
        };
        for data_type in &types[..of_numbers] {
            if !Class::of(data_type).is_number() {
                return Err(self.refused(data_type, "integers, floats or decimals"));
            }
        }
        let (right, advice) = match (self, Class::of(&types[0])) {
            (Self::Any | Self::All, class) => (class == Class::Bool, "booleans"),
            (Self::BitAnd | Self::BitOr | Self::BitXor, class) => {
                (class == Class::Integer, "integers")
            }
            _ => (true, ""),
        };
        if !right {
            return Err(self.refused(&types[0], advice));
        }
        self.check_values(types)
    }

    /// Whether values of the types can be read one by one.
    pub(super) fn check_values(&self, types: &[DataType]) -> Result<()> {
        match types.iter().find(|data_type| Class::of(data_type) == Class::Other) {
            Some(other) => Err(self.refused(other, "numbers, times, booleans or text")),
            None => Ok(()),
        }
    }

    fn refused(&self, data_type: &DataType, advice: &str) -> Error {
        Error::usage(format!("{}() of {data_type} is not supported", self.name()))
            .advise(format!("aggregate {advice}"))
    }

    fn check_parameters(&self) -> Result<()> {
        let wrong = match self {
            Self::Quantile(q) | Self::ApproxQuantile(q) => {
                (!(0.0..=1.0).contains(q)).then_some("a quantile lies between 0 and 1")
            }
            Self::TopK(k) | Self::ApproxTopK(k) => {
                (!(1..=K_MAX).contains(k)).then_some("k lies between 1 and 10,000")
            }
            Self::Histogram { low, high, bins } => {
                let fits = low.is_finite()
                    && high.is_finite()
                    && low < high
                    && (high - low).is_finite()
                    && (1..=K_MAX).contains(bins);
                (!fits).then_some(
                    "a histogram has finite bounds, low below high, and 1 to 10,000 bins",
                )
            }
            Self::Ewma { half_life } => {
                (!half_life.is_positive()).then_some("a half-life is longer than 0")
            }
            _ => None,
        };
        match wrong {
            Some(wrong) => Err(Error::usage(format!("{}(): {wrong}", self.name()))),
            None => Ok(()),
        }
    }
}

/// Most items of a top-k, most bins of a histogram: a state holds so many.
const K_MAX: usize = 10_000;

/// A quantile in percent, in the shortest text: 99, 99.9.
fn percent(quantile: f64) -> String {
    // 0.999 · 100 is 99.9 only after rounding: 12 digits are more than anyone asks for.
    let percent = (quantile * 1e14).round() / 1e12;
    format!("{percent}")
}
