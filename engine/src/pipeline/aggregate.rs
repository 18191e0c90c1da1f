//! What is computed over windows, as a user writes it: `count()`, `sum("amount")`, …
//!
//! In windows, columns are named after aggregate and column: `sum("amount")` is `sum_amount`. In
//! over windows they are named after what they hold: key, aggregate, column, horizon.
//! `sum("amount")` over `last(minutes(10))` of `key_by(["card"])` is `card_sum_amount_10m`; a
//! horizon that ended 7 days ago adds `_after_7d`. An aggregate with a name of its own keeps it;
//! of several horizons the horizon is added to it.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::time::Span;
use crate::window::aggregate::{self as windows, AggregateFunction, Spread};
use crate::window::over::at_watermark::Relation;

/// One aggregate over the rows of a horizon or a window.
#[derive(Debug, Clone)]
pub struct Aggregate {
    pub(crate) function: Function,
    /// The (first) argument; empty where there is none.
    pub(crate) column: String,
    /// Further arguments.
    more: Vec<String>,
    distinct: bool,
    filter: Option<Expr>,
    name: Option<String>,
}

/// The functions of [`Aggregate`]; those that over windows compute have their own names here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Function {
    Count,
    CountValid,
    Sum,
    Mean,
    StdDev,
    OwnMean,
    OwnStdDev,
    Distinct,
    CountSame,
    Min,
    Max,
    /// What only windows compute.
    Other(windows::Function),
}

impl Function {
    pub(crate) fn name(&self) -> String {
        let name = match self {
            Self::Count => "count",
            Self::CountValid => "count_valid",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::StdDev => "stddev",
            Self::OwnMean => "own_mean",
            Self::OwnStdDev => "own_stddev",
            Self::Distinct => "distinct",
            Self::CountSame => "count_same",
            Self::Min => "min",
            Self::Max => "max",
            Self::Other(function) => return function.name(),
        };
        name.to_owned()
    }

    /// The function as windows know it; `None`: only over windows compute it.
    fn of_windows(&self) -> Option<windows::Function> {
        Some(match self {
            Self::Count | Self::CountValid => windows::Function::Count,
            Self::Sum => windows::Function::Sum,
            Self::Mean => windows::Function::Avg,
            Self::StdDev => windows::Function::StdDev(Spread::Sample),
            Self::Distinct => windows::Function::Distinct,
            Self::Min => windows::Function::Min,
            Self::Max => windows::Function::Max,
            Self::Other(function) => function.clone(),
            Self::OwnMean | Self::OwnStdDev | Self::CountSame => return None,
        })
    }
}

impl Aggregate {
    fn new(function: Function, column: &str) -> Self {
        Self {
            function,
            column: column.to_owned(),
            more: Vec::new(),
            distinct: false,
            filter: None,
            name: None,
        }
    }

    /// Any function of windows, of these columns.
    pub fn of<'a>(function: windows::Function, columns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut columns = columns.into_iter();
        let first = columns.next().unwrap_or_default();
        let more = columns.map(str::to_owned).collect();
        Self { more, ..Self::new(Function::Other(function), first) }
    }

    /// Only rows for which the condition is true count. Of windows.
    #[must_use]
    pub fn filter(mut self, condition: impl Into<Expr>) -> Self {
        self.filter = Some(condition.into());
        self
    }

    /// Equal values count once. Of windows.
    #[must_use]
    pub fn distinct(mut self) -> Self {
        self.distinct = true;
        self
    }

    /// The output column's name; over several horizons, the horizon is added to it.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The aggregate as windows compute it.
    pub(crate) fn of_windows(&self) -> Result<windows::Aggregate> {
        let Some(function) = self.function.of_windows() else {
            return Err(Error::usage(format!("windows cannot compute {}", self.function.name()))
                .advise("it compares with the current row: use .over(...)"));
        };
        let columns = (!self.column.is_empty()).then(|| self.column.clone());
        let columns: Vec<String> = columns.into_iter().chain(self.more.clone()).collect();
        let (distinct, filter) = (self.distinct, self.filter.clone());
        Ok(windows::Aggregate { function, columns, distinct, filter, name: self.name() })
    }

    /// The aggregate as over windows at the watermark compute it, and of which rows.
    pub(crate) fn of_over(&self) -> Result<(windows::Aggregate, Relation)> {
        let (function, relation) = match self.function {
            Function::OwnMean => (Function::Mean, Relation::Others),
            Function::OwnStdDev => (Function::StdDev, Relation::Others),
            Function::CountSame => (Function::CountValid, Relation::Alike),
            _ => return Ok((self.of_windows()?, Relation::All)),
        };
        let name = self.name();
        let of = Self { function, ..self.clone() }.of_windows()?;
        Ok((windows::Aggregate { name, ..of }, relation))
    }

    /// The name of the column that windows have of it: the one given, or one after function and
    /// columns (`sum_amount`).
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let distinct = if self.distinct { "_distinct" } else { "" };
            let columns = std::iter::once(&self.column).chain(&self.more);
            let columns = columns.filter(|column| !column.is_empty());
            let arguments: String = columns.map(|column| format!("_{column}")).collect();
            format!("{}{distinct}{arguments}", self.function.name())
        })
    }

    /// The name of the column that over windows have of it.
    pub(crate) fn over_name(&self, prefix: &str, horizon: &str, is_only_horizon: bool) -> String {
        match &self.name {
            Some(name) if is_only_horizon => name.clone(),
            Some(name) => format!("{name}_{horizon}"),
            None => format!("{prefix}{}_{horizon}", self.name()),
        }
    }

    /// The function as over windows at arrival know it.
    pub(crate) fn at_arrival(&self) -> Function {
        use windows::Function as Of;
        match &self.function {
            Function::Other(Of::Count) if self.column.is_empty() => Function::Count,
            Function::Other(Of::Count) => Function::CountValid,
            Function::Other(Of::Sum) => Function::Sum,
            Function::Other(Of::Avg) => Function::Mean,
            Function::Other(Of::StdDev(Spread::Sample)) => Function::StdDev,
            Function::Other(Of::Distinct) => Function::Distinct,
            other => other.clone(),
        }
    }

    /// What over windows at arrival cannot do.
    pub(crate) fn check_over(&self) -> Result<()> {
        let beyond = match self.at_arrival() {
            function @ (Function::Min | Function::Max | Function::Other(_)) => function.name(),
            _ if self.filter.is_some() => "a filtered aggregate".to_owned(),
            _ if self.distinct => "a distinct aggregate".to_owned(),
            _ => return Ok(()),
        };
        Err(Error::usage(format!("over cannot compute {beyond} at arrival yet")).advise(
            "at the watermark it can: .over_at_watermark(...), or pelton window without --at-arrival",
        ))
    }
}

/// An aggregate function of one's own, called `name`, of these columns. Of windows.
pub fn aggregate_by<'a>(
    name: &'static str,
    function: impl AggregateFunction,
    columns: impl IntoIterator<Item = &'a str>,
) -> Aggregate {
    Aggregate::of(windows::Function::User(name, Arc::new(function)), columns)
}

/// Rows in the window (Int64, never null).
pub fn count() -> Aggregate {
    Aggregate::new(Function::Count, "")
}

/// Rows in the window whose column is not null (Int64).
pub fn count_valid(column: &str) -> Aggregate {
    Aggregate::new(Function::CountValid, column)
}

/// Sum (Int64 for integers and booleans, Decimal128(38) for decimals, Float64); null of nothing.
pub fn sum(column: &str) -> Aggregate {
    Aggregate::new(Function::Sum, column)
}

/// Mean (Float64); null of nothing. Of a boolean column: the share of true.
pub fn mean(column: &str) -> Aggregate {
    Aggregate::new(Function::Mean, column)
}

/// Sample standard deviation (Float64); null below two values.
pub fn stddev(column: &str) -> Aggregate {
    Aggregate::new(Function::StdDev, column)
}

/// Mean without the current row (Float64): what the row is to be compared with. Of over windows.
pub fn own_mean(column: &str) -> Aggregate {
    Aggregate::new(Function::OwnMean, column)
}

/// Sample standard deviation without the current row (Float64). Of over windows.
pub fn own_stddev(column: &str) -> Aggregate {
    Aggregate::new(Function::OwnStdDev, column)
}

/// Different non-null values (Int64, exact).
pub fn distinct(column: &str) -> Aggregate {
    Aggregate::new(Function::Distinct, column)
}

/// Rows of the window with the current row's value of the column, itself included (Int64). Of
/// over windows.
pub fn count_same(column: &str) -> Aggregate {
    Aggregate::new(Function::CountSame, column)
}

/// Least value, of the column's own type; NaN is greatest. Of windows.
pub fn min(column: &str) -> Aggregate {
    Aggregate::new(Function::Min, column)
}

/// Greatest value, of the column's own type; NaN is greatest. Of windows.
pub fn max(column: &str) -> Aggregate {
    Aggregate::new(Function::Max, column)
}

macro_rules! of_windows {
    ($($(#[$doc:meta])* $name:ident($($column:ident),+; $($parameter:ident: $type:ty),*) => $function:expr;)*) => {
        $(
            $(#[$doc])*
            pub fn $name($($column: &str,)+ $($parameter: $type),*) -> Aggregate {
                Aggregate::of($function, [$($column),+])
            }
        )*
    };
}

of_windows! {
    /// Sample variance (Float64); null below two values. Of windows, as all that follow.
    var(column;) => windows::Function::Variance(Spread::Sample);
    /// Population variance (Float64).
    var_pop(column;) => windows::Function::Variance(Spread::Population);
    /// Population standard deviation (Float64).
    stddev_pop(column;) => windows::Function::StdDev(Spread::Population);
    /// Sample covariance (Float64); null below two rows.
    covar(a, b;) => windows::Function::Covariance(Spread::Sample);
    /// Population covariance (Float64).
    covar_pop(a, b;) => windows::Function::Covariance(Spread::Population);
    /// Pearson's correlation (Float64); null where a column is constant.
    corr(a, b;) => windows::Function::Correlation;
    /// The first value by (time, position), of the column's own type.
    first_value(column;) => windows::Function::First;
    /// The last value by (time, position), of the column's own type.
    last_value(column;) => windows::Function::Last;
    /// The value of `column` in the row in which `by` is least; of several the first by time.
    arg_min(column, by;) => windows::Function::ArgMin;
    /// The value of `column` in the row in which `by` is greatest; of several the first by time.
    arg_max(column, by;) => windows::Function::ArgMax;
    /// Exact median (Float64).
    median(column;) => windows::Function::Quantile(0.5);
    /// Exact quantile `q` from 0 to 1, between neighbours in proportion (Float64).
    quantile(column; q: f64) => windows::Function::Quantile(q);
    /// Quantile `q`, within 1 % (Float64); see
    /// [`APPROX_QUANTILE_ERROR`](crate::window::aggregate::APPROX_QUANTILE_ERROR).
    approx_quantile(column; q: f64) => windows::Function::ApproxQuantile(q);
    /// Different values, approximately (Int64); see
    /// [`APPROX_DISTINCT_ERROR`](crate::window::aggregate::APPROX_DISTINCT_ERROR).
    approx_distinct(column;) => windows::Function::ApproxDistinct;
    /// The `k` most frequent values and their numbers of rows, of equal ones the lesser first
    /// (list of structs `value`, `count`).
    top_k(column; k: usize) => windows::Function::TopK(k);
    /// As [`top_k`], in bounded memory: a `count` may be too high by at most its `error`.
    approx_top_k(column; k: usize) => windows::Function::ApproxTopK(k);
    /// Whether a boolean column is true in any row.
    any_true(column;) => windows::Function::Any;
    /// Whether a boolean column is true in all rows.
    all_true(column;) => windows::Function::All;
    /// Bitwise and.
    bit_and(column;) => windows::Function::BitAnd;
    /// Bitwise or.
    bit_or(column;) => windows::Function::BitOr;
    /// Bitwise exclusive or.
    bit_xor(column;) => windows::Function::BitXor;
    /// Numbers of values below `low`, in each of `bins` bins of equal width, and from `high` on
    /// (list of Int64).
    histogram(column; low: f64, high: f64, bins: usize) => windows::Function::Histogram { low, high, bins };
    /// Exponentially weighted mean (Float64): a row's weight halves with each `half_life` that it
    /// is older than the window's last row.
    ewma(column; half_life: Span) => windows::Function::Ewma { half_life };
    /// The values by (time, position), as a list.
    list(column;) => windows::Function::List;
}
