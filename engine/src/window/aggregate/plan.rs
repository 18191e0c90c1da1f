//! The aggregates of a window, checked and resolved once: which columns are read, which states
//! are kept, and what is made of them at the end.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};

use super::column::Column;
use super::distinct::Distinct;
use super::function::Function;
use super::states::{ARGUMENTS_MAX, UserFunction};
use crate::error::{Error, Result};
use crate::expr::{BoundExpr, Expr, bind_condition, without_nulls};

/// An output column of a window.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// What is computed.
    pub function: Function,
    /// Of which columns; none for [`Function::Count`] of rows.
    pub columns: Vec<String>,
    /// Of each group of rows with equal arguments only one counts.
    pub distinct: bool,
    /// Only rows for which this is true count.
    pub filter: Option<Expr>,
    /// The output column's name.
    pub name: String,
}

impl Aggregate {
    /// An aggregate without filter, of all values.
    pub fn new<'a>(
        function: Function,
        columns: impl IntoIterator<Item = &'a str>,
        name: &str,
    ) -> Self {
        let columns = columns.into_iter().map(str::to_owned).collect();
        Self { function, columns, distinct: false, filter: None, name: name.to_owned() }
    }

    /// The columns that it reads.
    pub(crate) fn reads(&self) -> Vec<String> {
        let filter = self.filter.iter().flat_map(Expr::columns);
        self.columns.iter().cloned().chain(filter).collect()
    }
}

/// How a value goes into a cell; see [`super::cells`].
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// Integers and decimals, added in 128 bits.
    Exact,
    /// Floats, added in order.
    Float,
    /// The least of 64-bit values, xor `flip`.
    Least { flip: i64 },
    /// The least of 128-bit values, xor `flip`.
    LeastWide { flip: i128 },
    /// Anything else.
    States(Arc<dyn UserFunction>),
}

impl Op {
    /// Whether one cell can serve both.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact, Self::Exact) | (Self::Float, Self::Float) => true,
            (Self::Least { flip: a }, Self::Least { flip: b }) => a == b,
            (Self::LeastWide { flip: a }, Self::LeastWide { flip: b }) => a == b,
            _ => false,
        }
    }
}

/// A cell that is kept an entry.
#[derive(Debug, Clone)]
pub(crate) struct Lift {
    /// Indices among [`AggregatePlan::columns`].
    pub(super) inputs: Vec<usize>,
    pub(super) op: Op,
    /// The first aggregate that needs it, for messages.
    pub(super) name: String,
}

/// What an aggregate is computed from at the end; `column` is an index among
/// [`AggregatePlan::columns`], `lift` among [`AggregatePlan::lifts`].
#[derive(Debug, Clone)]
pub(crate) enum Lower {
    /// The number of rows.
    Rows,
    /// The number of rows in which the column is not null.
    NonNull {
        column: usize,
    },
    Sum {
        column: usize,
        lift: usize,
    },
    /// `scale`: the column's, where it is a decimal.
    Avg {
        column: usize,
        lift: usize,
        scale: i8,
    },
    Least {
        column: usize,
        lift: usize,
    },
    States {
        lift: usize,
    },
}

/// A column that aggregates read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    /// Index in the input; `None`: only the filter matters.
    index: Option<usize>,
    /// Its type without the dictionary.
    data_type: DataType,
    /// Index among [`AggregatePlan::filters`].
    filter: Option<usize>,
}

/// The resolved aggregates.
#[derive(Debug, Clone)]
pub(crate) struct AggregatePlan {
    pub(crate) columns: Vec<Input>,
    filters: Vec<(Expr, BoundExpr)>,
    pub(crate) lifts: Vec<Lift>,
    pub(crate) lowers: Vec<Lower>,
    /// The output columns.
    pub(crate) fields: Vec<Field>,
    /// Unit of the time column.
    unit: TimeUnit,
}

impl AggregatePlan {
    /// # Errors
    /// When a column is missing, a function cannot be computed of its type, or a filter is no
    /// condition.
    pub(crate) fn new(aggregates: &[Aggregate], input: &SchemaRef, unit: TimeUnit) -> Result<Self> {
        let mut plan = Self {
            columns: Vec::new(),
            filters: Vec::new(),
            lifts: Vec::new(),
            lowers: Vec::new(),
            fields: Vec::new(),
            unit,
        };
        if aggregates.is_empty() {
            return Err(Error::usage("the window computes nothing").advise("add count()"));
        }
        for aggregate in aggregates {
            let field = plan
                .add(aggregate, input)
                .map_err(|error| error.at(format!("the aggregate \"{}\"", aggregate.name)))?;
            plan.fields.push(field);
        }
        Ok(plan)
    }

    /// The columns of the input that [`AggregatePlan::arrays`] gives, before the filters.
    pub(crate) fn indices(&self) -> Vec<usize> {
        self.columns.iter().filter_map(|column| column.index).collect()
    }

    /// Number of filters.
    pub(crate) fn filter_count(&self) -> usize {
        self.filters.len()
    }

    /// The filters' columns: what [`AggregatePlan::arrays`] gives last.
    pub(crate) fn filter_arrays(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let filter = |(_, filter): &(Expr, BoundExpr)| -> Result<ArrayRef> {
            Ok(Arc::new(without_nulls(&filter.evaluate_bool(batch)?)))
        };
        self.filters.iter().map(filter).collect()
    }

    /// The arrays that the aggregates read of a batch: the columns, then the filters.
    pub(crate) fn arrays(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let columns = self.columns.iter().filter_map(|column| column.index);
        let mut arrays: Vec<ArrayRef> = columns.map(|index| batch.column(index).clone()).collect();
        arrays.extend(self.filter_arrays(batch)?);
        Ok(arrays)
    }

    /// The columns, from [`AggregatePlan::arrays`].
    pub(crate) fn read(&self, arrays: &[ArrayRef]) -> Result<Vec<Column>> {
        let (columns, filters) = arrays.split_at(arrays.len() - self.filters.len());
        let filter = |at: usize| -> &BooleanArray { filters[at].as_boolean() };
        let mut columns = columns.iter();
        let read = |input: &Input| {
            let column = match (input.index.and_then(|_| columns.next()), input.filter) {
                (Some(array), _) => Column::read(array, &input.data_type)?,
                (None, filter_at) => return Ok(Column::rows_of(filter(filter_at.unwrap_or(0)))),
            };
            Ok(match input.filter {
                Some(at) => column.filtered(filter(at)),
                None => column,
            })
        };
        self.columns.iter().map(read).collect()
    }

    /// How each aggregate is kept, in words.
    pub(crate) fn describe(&self) -> Vec<&'static str> {
        let lift = |lift: usize| match &self.lifts[lift].op {
            Op::Exact => "sum in 128 bits, taken away when its rows leave",
            Op::Float => "float sum, combined anew for each window",
            Op::Least { .. } => "least of 64 bits, combined anew for each window",
            Op::LeastWide { .. } => "least of 128 bits, combined anew for each window",
            Op::States(_) => "a state of its own",
        };
        let of = |lower: &Lower| match *lower {
            Lower::Rows => "rows counted",
            Lower::NonNull { .. } => "rows less nulls",
            Lower::Sum { lift: l, .. } | Lower::Avg { lift: l, .. } => lift(l),
            Lower::Least { lift: l, .. } | Lower::States { lift: l } => lift(l),
        };
        self.lowers.iter().map(of).collect()
    }

    /// Resolves an aggregate; gives its output column.
    fn add(&mut self, aggregate: &Aggregate, input: &SchemaRef) -> Result<Field> {
        let Aggregate { function, columns, distinct, filter, name } = aggregate;
        function.check_arguments(columns.len(), *distinct)?;
        let filter = filter.as_ref().map(|filter| self.filter(filter, input)).transpose()?;
        if columns.is_empty() {
            let lower = match filter {
                None => Lower::Rows,
                some => {
                    let data_type = DataType::Null;
                    let input = Input { index: None, data_type, filter: some };
                    Lower::NonNull { column: self.column(input) }
                }
            };
            self.lowers.push(lower);
            return Ok(Field::new(name, DataType::Int64, false));
        }
        let mut inputs = Vec::with_capacity(columns.len());
        let mut types = Vec::with_capacity(columns.len());
        for column in columns {
            let index = find(input, column)?;
            let data_type = plain(input.field(index).data_type());
            types.push(data_type.clone());
            inputs.push(self.column(Input { index: Some(index), data_type, filter }));
        }
        debug_assert!(inputs.len() <= ARGUMENTS_MAX);
        let (lower, output) = if *distinct {
            self.distinct(function, inputs, &types, name)?
        } else {
            self.resolve(function, inputs, &types, name)?
        };
        let is_count =
            matches!(function, Function::Count | Function::Distinct | Function::ApproxDistinct);
        self.lowers.push(lower);
        Ok(Field::new(name, output, !is_count))
    }

    /// Plain numbers go into cells; everything else into states.
    fn resolve(
        &mut self,
        function: &Function,
        inputs: Vec<usize>,
        types: &[DataType],
        name: &str,
    ) -> Result<(Lower, DataType)> {
        let (column, data_type) = (inputs[0], &types[0]);
        let class = Class::of(data_type);
        let sum = |output| (Op::Exact, output);
        let (op, output) = match (function, class) {
            (Function::Count, _) => return Ok((Lower::NonNull { column }, DataType::Int64)),
            (Function::Sum, Class::Integer | Class::Bool) => sum(DataType::Int64),
            (Function::Sum, Class::Decimal(scale)) => sum(DataType::Decimal128(38, scale)),
            (Function::Sum | Function::Avg, Class::Duration) => sum(data_type.clone()),
            (Function::Avg, Class::Integer | Class::Bool | Class::Decimal(_)) => {
                sum(DataType::Float64)
            }
            (Function::Sum | Function::Avg, Class::Float) => (Op::Float, DataType::Float64),
            (Function::Min | Function::Max, Class::Text | Class::Bool | Class::Other)
            | (Function::Sum | Function::Avg, _) => {
                let function = function.states(types, self.unit)?;
                let output = function.result_type(types)?;
                let lift = self.lift(inputs, Op::States(function), name);
                return Ok((Lower::States { lift }, output));
            }
            (Function::Min, _) => (least(data_type, 0), data_type.clone()),
            (Function::Max, _) => (least(data_type, -1), data_type.clone()),
            _ => {
                let function = function.states(types, self.unit)?;
                let output = function.result_type(types)?;
                let lift = self.lift(inputs, Op::States(function), name);
                return Ok((Lower::States { lift }, output));
            }
        };
        let lift = self.lift(inputs, op, name);
        let scale = class.scale();
        let lower = match function {
            Function::Sum => Lower::Sum { column, lift },
            Function::Avg => Lower::Avg { column, lift, scale },
            _ => Lower::Least { column, lift },
        };
        Ok((lower, output))
    }

    /// The function over the different values.
    fn distinct(
        &mut self,
        function: &Function,
        inputs: Vec<usize>,
        types: &[DataType],
        name: &str,
    ) -> Result<(Lower, DataType)> {
        function.check_values(types)?;
        let distinct = Distinct::new(function, types, self.unit, name)?;
        let output = distinct.result_type(types)?;
        let lift = self.lift(inputs, Op::States(Arc::new(distinct)), name);
        Ok((Lower::States { lift }, output))
    }

    fn filter(&mut self, filter: &Expr, input: &SchemaRef) -> Result<usize> {
        // Expressions have no equality of their own; equal ones are written alike.
        let text = format!("{filter:?}");
        let is_same = |(known, _): &(Expr, BoundExpr)| format!("{known:?}") == text;
        if let Some(at) = self.filters.iter().position(is_same) {
            return Ok(at);
        }
        self.filters.push((filter.clone(), bind_condition(filter, input)?));
        Ok(self.filters.len() - 1)
    }

    fn column(&mut self, input: Input) -> usize {
        self.columns.iter().position(|known| *known == input).unwrap_or_else(|| {
            self.columns.push(input);
            self.columns.len() - 1
        })
    }

    fn lift(&mut self, inputs: Vec<usize>, op: Op, name: &str) -> usize {
        let known = |lift: &Lift| lift.inputs == inputs && lift.op.is_same(&op);
        self.lifts.iter().position(known).unwrap_or_else(|| {
            self.lifts.push(Lift { inputs, op, name: name.to_owned() });
            self.lifts.len() - 1
        })
    }
}

pub(crate) fn find(input: &SchemaRef, name: &str) -> Result<usize> {
    input.index_of(name).map_err(|_| {
        let known: Vec<&str> = input.fields().iter().map(|field| field.name().as_str()).collect();
        Error::usage(format!("there is no column \"{name}\""))
            .advise(format!("the columns are: {}", known.join(", ")))
    })
}

/// The type without its dictionary.
pub(crate) fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        other => other.clone(),
    }
}

/// What can be computed of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Integer,
    Float,
    Decimal(i8),
    /// Moments and times of day: ordered, and nothing else.
    Time,
    /// Lengths of time, which add up.
    Duration,
    Bool,
    Text,
    Other,
}

impl Class {
    pub(super) fn of(data_type: &DataType) -> Self {
        match data_type {
            other if other.is_floating() => Self::Float,
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale) => Self::Decimal(*scale),
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Self::Time,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Duration(_) => Self::Duration,
            DataType::Boolean => Self::Bool,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            other if other.is_integer() => Self::Integer,
            _ => Self::Other,
        }
    }

    /// Digits behind the point; 0 of what is no decimal.
    pub(super) fn scale(self) -> i8 {
        if let Self::Decimal(scale) = self { scale } else { 0 }
    }

    /// Whether it is a number.
    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Float | Self::Decimal(_))
    }
}

/// The operation that keeps the least value (`flip` = 0) or the greatest (−1: all bits turned,
/// which turns the order around).
fn least(data_type: &DataType, flip: i64) -> Op {
    match data_type {
        DataType::UInt64 | DataType::Decimal128(..) => Op::LeastWide { flip: i128::from(flip) },
        _ => Op::Least { flip },
    }
}
