//! What a user asks of a window, and what it needs: the plan is checked and resolved once.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

use super::grid::Grid;
use crate::error::{Error, Result};
use crate::time::Span;

/// Tumbling or hopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaneKind {
    /// Windows of this size, one after the other.
    Tumble(Span),
    /// Windows of `size`, one starting each `slide`.
    Hop {
        /// Length of a window.
        size: Span,
        /// Distance between the starts of windows; where it is above `size`, rows between
        /// windows count nowhere.
        slide: Span,
    },
}

/// An aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Number of rows. Int64.
    Count,
    /// Number of rows in which the column is not null. Int64.
    CountNonNull,
    /// Sum. Int64 for integers, Decimal128(38, scale) for decimals, Float64 for floats.
    Sum,
    /// Mean. Float64.
    Avg,
    /// Least value, of the column's own type; NaN is greatest.
    Min,
    /// Greatest value, of the column's own type; NaN is greatest.
    Max,
}

impl Function {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::CountNonNull => "count of",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

/// An output column of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    /// What is computed.
    pub function: Function,
    /// Of which column; none for [`Function::Count`].
    pub column: Option<String>,
    /// The output column's name.
    pub name: String,
}

/// A tumbling or hopping window.
#[derive(Debug, Clone, PartialEq)]
pub struct PaneSpec {
    /// Tumbling or hopping, and how long.
    pub kind: PaneKind,
    /// Windows start at the epoch plus this plus a multiple of the slide; may be negative.
    pub offset: Span,
    /// Type of the time column: `window_start` and `window_end` have it too.
    pub time_type: DataType,
    /// Unit of the time column.
    pub unit: TimeUnit,
    /// The key columns; none: one window for all rows.
    pub keys: Vec<String>,
    /// What is computed.
    pub aggregates: Vec<Aggregate>,
}

/// How a value goes into a cell; see [`super::table`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    /// Integers and decimals, added in 128 bits.
    Exact,
    /// Floats, added in order.
    Float,
    /// The least of 64-bit values, xor `flip`.
    Least { flip: i64 },
    /// The least of 128-bit values, xor `flip`.
    LeastWide { flip: i128 },
}

/// A cell that is kept a key and pane.
#[derive(Debug, Clone)]
pub(super) struct Lift {
    /// Index among [`Plan::columns`].
    pub(super) column: usize,
    pub(super) op: Op,
    /// The first aggregate that needs it, for messages.
    pub(super) name: String,
}

/// What an aggregate is computed from at the end.
#[derive(Debug, Clone)]
pub(super) struct Lower {
    pub(super) function: Function,
    /// Index among [`Plan::columns`].
    pub(super) column: Option<usize>,
    /// Index among [`Plan::lifts`].
    pub(super) lift: Option<usize>,
    /// The column's scale where it is a decimal.
    pub(super) scale: i8,
}

/// The resolved window.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) grid: Grid,
    pub(super) time_type: DataType,
    /// Indices of the key columns in the input.
    pub(super) keys: Vec<usize>,
    /// Indices in the input of the columns that aggregates read, and their plain types.
    pub(super) columns: Vec<(usize, DataType)>,
    pub(super) lifts: Vec<Lift>,
    pub(super) lowers: Vec<Lower>,
    /// The output's schema.
    pub(super) output: SchemaRef,
}

impl Plan {
    pub(super) fn new(spec: &PaneSpec, input: &SchemaRef) -> Result<Self> {
        let keys = spec.keys.iter().map(|key| find(input, key)).collect::<Result<Vec<usize>>>()?;
        let mut fields = vec![
            Field::new("window_start", spec.time_type.clone(), false),
            Field::new("window_end", spec.time_type.clone(), false),
        ];
        for &key in &keys {
            let field = input.field(key);
            fields.push(Field::new(field.name(), plain(field.data_type()), field.is_nullable()));
        }
        let mut plan = Self {
            grid: grid(spec)?,
            time_type: spec.time_type.clone(),
            keys,
            columns: Vec::new(),
            lifts: Vec::new(),
            lowers: Vec::new(),
            output: Arc::new(Schema::empty()),
        };
        if spec.aggregates.is_empty() {
            return Err(Error::usage("the window computes nothing").advise("add count()"));
        }
        for aggregate in &spec.aggregates {
            fields.push(plan.add(aggregate, input)?);
        }
        for (i, field) in fields.iter().enumerate() {
            if fields[..i].iter().any(|other| other.name() == field.name()) {
                return Err(Error::usage(format!(
                    "two output columns of the window are called \"{}\"",
                    field.name()
                ))
                .advise("give the aggregates names of their own"));
            }
        }
        plan.output = Arc::new(Schema::new(fields));
        Ok(plan)
    }

    /// Resolves an aggregate; gives its output column.
    fn add(&mut self, aggregate: &Aggregate, input: &SchemaRef) -> Result<Field> {
        let Aggregate { function, column, name } = aggregate;
        let Some(column) = column else {
            if *function != Function::Count {
                return Err(Error::usage(format!("{}() needs a column", function.name())));
            }
            let lower = Lower { function: *function, column: None, lift: None, scale: 0 };
            self.lowers.push(lower);
            return Ok(Field::new(name, DataType::Int64, false));
        };
        let index = find(input, column)?;
        let data_type = plain(input.field(index).data_type());
        let refused = || {
            let what = format!("{}({column}): {data_type} is not supported", function.name());
            Err(Error::usage(what).advise("aggregate integers, floats, decimals or times"))
        };
        let (ops, output) = match (function, Class::of(&data_type)) {
            (Function::Count | Function::CountNonNull, _) => (None, DataType::Int64),
            (Function::Sum, Class::Integer) => (Some(Op::Exact), DataType::Int64),
            (Function::Sum, Class::Decimal(scale)) => {
                (Some(Op::Exact), DataType::Decimal128(38, scale))
            }
            (Function::Sum | Function::Avg, Class::Float) => (Some(Op::Float), DataType::Float64),
            (Function::Avg, Class::Integer | Class::Decimal(_)) => {
                (Some(Op::Exact), DataType::Float64)
            }
            (Function::Sum | Function::Avg, _) | (_, Class::Other) => return refused(),
            (Function::Min, _) => (Some(least(&data_type, 0)), data_type.clone()),
            (Function::Max, _) => (Some(least(&data_type, -1)), data_type.clone()),
        };
        let scale = match data_type {
            DataType::Decimal128(_, scale) => scale,
            _ => 0,
        };
        let column = self.column(index, data_type);
        let lift = ops.map(|op| self.lift(column, op, name));
        let lower = Lower { function: *function, column: Some(column), lift, scale };
        self.lowers.push(lower);
        Ok(Field::new(name, output.clone(), output != DataType::Int64 || lift.is_some()))
    }

    fn column(&mut self, index: usize, data_type: DataType) -> usize {
        let known = self.columns.iter().position(|column| column.0 == index);
        known.unwrap_or_else(|| {
            self.columns.push((index, data_type));
            self.columns.len() - 1
        })
    }

    fn lift(&mut self, column: usize, op: Op, name: &str) -> usize {
        let known = self.lifts.iter().position(|lift| lift.column == column && lift.op == op);
        known.unwrap_or_else(|| {
            self.lifts.push(Lift { column, op, name: name.to_owned() });
            self.lifts.len() - 1
        })
    }
}

fn grid(spec: &PaneSpec) -> Result<Grid> {
    let (size, slide) = match spec.kind {
        PaneKind::Tumble(size) => (size, size),
        PaneKind::Hop { size, slide } => (size, slide),
    };
    for (name, span) in [("size", size), ("slide", slide)] {
        if !span.is_positive() {
            return Err(Error::usage(format!("the window's {name} is {span}"))
                .advise("give a duration above zero"));
        }
    }
    let units = |span: Span| span.to_units(spec.unit);
    Ok(Grid::new(units(size)?, units(slide)?, units(spec.offset)?))
}

fn find(input: &SchemaRef, name: &str) -> Result<usize> {
    input.index_of(name).map_err(|_| {
        let known: Vec<&str> = input.fields().iter().map(|field| field.name().as_str()).collect();
        Error::usage(format!("there is no column \"{name}\""))
            .advise(format!("the columns are: {}", known.join(", ")))
    })
}

/// The type without its dictionary.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        other => other.clone(),
    }
}

/// What can be computed of a type.
enum Class {
    Integer,
    Float,
    Decimal(i8),
    Time,
    Other,
}

impl Class {
    fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Decimal128(_, scale) => Self::Decimal(*scale),
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Self::Time,
            other if other.is_integer() => Self::Integer,
            _ => Self::Other,
        }
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
