//! What is asked of over windows at the watermark, and how each column is kept: checked and
//! resolved once.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::alike::AlikeColumn;
use super::fast::{FastColumn, What};
use crate::error::{Error, Result};
use crate::window::aggregate::{Aggregate, AggregatePlan, Function, Lower, Spread, find, plain};

/// Which of a key's rows count for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Those with a time in (t − delay − length, t − delay], in units of the time column.
    Time {
        /// Above 0.
        length: i64,
        /// 0 or more.
        delay: i64,
    },
    /// The last so many by (time, position), the row itself included; above 0.
    Rows(u64),
}

/// Which rows of a row's window count, seen from the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Relation {
    /// All of them.
    #[default]
    All,
    /// All but the row itself (which is in no window that ended before): what it is to be compared
    /// with. For `avg` and the sample standard deviation.
    Others,
    /// Those that have the row's own value of the aggregate's column, equal as keys are, null
    /// included. For `count`.
    Alike,
}

/// A column that is added to each row: an aggregate (whose name is the column's) of a horizon.
#[derive(Debug, Clone)]
pub struct OverColumn {
    /// Index among [`WatermarkPlan::horizons`].
    pub horizon: usize,
    /// What is computed.
    pub aggregate: Aggregate,
    /// Of which rows.
    pub relation: Relation,
}

impl OverColumn {
    /// Checks what the relation asks of the aggregate.
    fn check(&self) -> Result<()> {
        use Function::*;
        let Aggregate { function, columns, distinct, filter, .. } = &self.aggregate;
        let right = match self.relation {
            Relation::All => true,
            Relation::Others => matches!(function, Avg | StdDev(Spread::Sample)) && !distinct,
            Relation::Alike => {
                *function == Count && columns.len() == 1 && !distinct && filter.is_none()
            }
        };
        if right {
            return Ok(());
        }
        let name = &self.aggregate.name;
        Err(Error::usage(match self.relation {
            Relation::Alike => {
                format!("\"{name}\": rows alike are counted, by one column, unfiltered")
            }
            _ => format!("\"{name}\": other rows give a mean or a deviation, of all their values"),
        })
        .advise("leave distinct (or the filter) out"))
    }
}

/// Over windows answered at the watermark.
#[derive(Debug, Clone)]
pub struct WatermarkPlan {
    /// The key columns; none: all rows are of one key.
    pub keys: Vec<String>,
    /// The time column.
    pub time: String,
    /// Its unit.
    pub unit: TimeUnit,
    /// The columns of the input that its rows keep, in the order in which they come out.
    pub carried: Vec<String>,
    /// The horizons.
    pub horizons: Vec<Extent>,
    /// The columns added, in their order.
    pub columns: Vec<OverColumn>,
}

impl WatermarkPlan {
    /// The columns of the input that are read, beside those that are carried.
    pub(crate) fn reads(&self) -> Vec<String> {
        let aggregates = self.columns.iter().flat_map(|column| column.aggregate.reads());
        self.keys.iter().cloned().chain(aggregates).collect()
    }

    /// The schema of the rows given out: what is carried (dictionaries as their values), then
    /// the columns added.
    ///
    /// # Errors
    /// When a column is missing or cannot be aggregated so, a horizon is not above 0, or two
    /// columns have one name.
    pub(crate) fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        for horizon in &self.horizons {
            let wrong = match *horizon {
                Extent::Time { length, delay } => length <= 0 || delay < 0,
                Extent::Rows(rows) => rows == 0,
            };
            if wrong {
                return Err(Error::usage(format!("a horizon of {horizon:?} holds nothing"))
                    .advise("give lengths and numbers above 0, and delays of 0 or more"));
            }
        }
        for key in &self.keys {
            find(input, key)?;
        }
        self.columns.iter().try_for_each(OverColumn::check)?;
        let mut fields: Vec<Field> = Vec::new();
        for name in &self.carried {
            let field = input.field(find(input, name)?);
            fields.push(Field::new(name, plain(field.data_type()), field.is_nullable()));
        }
        let aggregates: Vec<Aggregate> = self.columns.iter().map(|c| c.aggregate.clone()).collect();
        if !aggregates.is_empty() {
            fields.extend(AggregatePlan::new(&aggregates, input, self.unit)?.fields);
        }
        for (i, field) in fields.iter().enumerate() {
            if fields[..i].iter().any(|other| other.name() == field.name()) {
                return Err(Error::usage(format!("there is already a column {}", field.name()))
                    .advise("give the aggregate a name of its own"));
            }
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    /// How each column is computed.
    pub(super) fn resolve(&self, input: &SchemaRef) -> Result<Resolved> {
        let output = self.output_schema(input)?;
        let (mut fast, mut read) = (Vec::new(), Vec::new());
        let mut groups: Vec<Group> = Vec::new();
        let mut alike = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            if column.relation == Relation::Alike {
                let value = find(input, &column.aggregate.columns[0])?;
                let extent = self.horizons[column.horizon];
                alike.push(AlikeColumn { value, extent, output: index });
                continue;
            }
            let by_rows = matches!(self.horizons[column.horizon], Extent::Rows(_));
            let short = if by_rows { None } else { read_as(&column.aggregate) };
            let short = short.filter(|read| {
                let plan = AggregatePlan::new(std::slice::from_ref(read), input, self.unit);
                plan.is_ok_and(|plan| !matches!(plan.lowers[0], Lower::States { .. }))
            });
            match short {
                Some(aggregate) => {
                    fast.push((column.horizon, index));
                    read.push(aggregate);
                }
                None => group(&mut groups, by_rows, column, index),
            }
        }
        merge_equal(&mut groups);
        let plan = match read.is_empty() {
            true => None,
            false => Some(AggregatePlan::new(&read, input, self.unit)?),
        };
        let mut columns = Vec::new();
        for (at, &(horizon, output)) in fast.iter().enumerate() {
            let (Some(plan), column) = (&plan, &self.columns[output]) else { continue };
            let ends_at_row = matches!(self.horizons[horizon], Extent::Time { delay: 0, .. });
            let others = column.relation == Relation::Others && ends_at_row;
            let what = what(plan, at, &column.aggregate.function, others);
            columns.push(FastColumn { horizon, output, what });
        }
        Ok(Resolved { output, read: plan, fast: columns, groups, alike })
    }

    /// The plan in words: a line for the windows, one how rows wait, one a column.
    pub(crate) fn describe(&self, input: &SchemaRef) -> Result<Vec<String>> {
        let resolved = self.resolve(input)?;
        if self.columns.is_empty() {
            let line = "by time: rows wait for the watermark, then go by (time, position)";
            return Ok(vec![line.to_owned()]);
        }
        let by = if self.keys.is_empty() { "all rows".to_owned() } else { self.keys.join(", ") };
        let mut lines = vec![
            format!("over by {by} at the watermark: {} horizons", self.horizons.len()),
            "  rows wait for the watermark, then go by (time, position); rows of one time count \
             for each other"
                .to_owned(),
        ];
        let added = self.carried.len();
        for (i, column) in self.columns.iter().enumerate() {
            let field = resolved.output.field(added + i);
            let how = match resolved.fast.iter().find(|fast| fast.output == i) {
                Some(fast) => fast.what.describe(),
                None if column.relation == Relation::Alike => {
                    "rows counted by key and value as they come and go"
                }
                None => "combined from blocks of 16, 256 and 4096 rows of its key",
            };
            let of = match self.horizons[column.horizon] {
                Extent::Time { length, delay: 0 } => format!("{length} units"),
                Extent::Time { length, delay } => format!("{length} units that ended {delay} ago"),
                Extent::Rows(rows) => format!("{rows} rows"),
            };
            lines.push(format!("  {} {}: {of}, {how}", field.name(), field.data_type()));
        }
        Ok(lines)
    }
}

/// The resolved plan.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) output: SchemaRef,
    /// What the fast columns read; none where there is no such column.
    pub(super) read: Option<AggregatePlan>,
    pub(super) fast: Vec<FastColumn>,
    /// What is combined from blocks.
    pub(super) groups: Vec<Group>,
    /// Rows counted that are alike.
    pub(super) alike: Vec<AlikeColumn>,
}

/// Horizons of which the same aggregates are computed.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) by_rows: bool,
    /// Without the row itself (by rows).
    pub(super) others: bool,
    pub(super) aggregates: Vec<Aggregate>,
    /// For each horizon its index, and the output column of each aggregate.
    pub(super) horizons: Vec<(usize, Vec<usize>)>,
}

/// The aggregate whose sums and counts tell the answer, where it is one that the log can keep.
fn read_as(aggregate: &Aggregate) -> Option<Aggregate> {
    use Function::*;
    if aggregate.distinct {
        return None;
    }
    match aggregate.function {
        Count | Sum | Avg | Min | Max => Some(aggregate.clone()),
        Variance(_) | StdDev(_) => Some(Aggregate { function: Sum, ..aggregate.clone() }),
        _ => None,
    }
}

fn what(plan: &AggregatePlan, at: usize, function: &Function, others: bool) -> What {
    let scale = match plan.fields[at].data_type() {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    };
    match (plan.lowers[at].clone(), function) {
        (Lower::Sum { column, .. }, Function::Variance(spread)) => {
            What::Deviation { column, spread: *spread, root: false, scale, others }
        }
        (Lower::Sum { column, .. }, Function::StdDev(spread)) => {
            What::Deviation { column, spread: *spread, root: true, scale, others }
        }
        (Lower::Sum { column, .. }, _) => What::Sum { column },
        (Lower::Avg { column, scale, .. }, _) => What::Mean { column, scale, others },
        (Lower::Least { column, .. }, function) => {
            What::Extreme { column, greatest: matches!(function, Function::Max) }
        }
        (Lower::NonNull { column }, _) => What::Valid { column },
        (Lower::Rows | Lower::States { .. }, _) => What::Rows,
    }
}

/// Puts a column to the horizon that it is of.
fn group(groups: &mut Vec<Group>, by_rows: bool, column: &OverColumn, output: usize) {
    let others = column.relation == Relation::Others;
    let same = |group: &&mut Group| group.horizons[0].0 == column.horizon && group.others == others;
    let known = groups.iter_mut().find(same);
    match known {
        Some(group) => {
            group.aggregates.push(column.aggregate.clone());
            group.horizons[0].1.push(output);
        }
        None => groups.push(Group {
            by_rows,
            others,
            aggregates: vec![column.aggregate.clone()],
            horizons: vec![(column.horizon, vec![output])],
        }),
    }
}

/// Horizons of which the same is computed share their blocks.
fn merge_equal(groups: &mut Vec<Group>) {
    let computed = |group: &Group| -> Vec<String> {
        let unnamed = |a: &Aggregate| Aggregate { name: String::new(), ..a.clone() };
        group.aggregates.iter().map(|a| format!("{:?}", unnamed(a))).collect()
    };
    let mut merged: Vec<Group> = Vec::new();
    for group in groups.drain(..) {
        let same = |known: &&mut Group| {
            (known.by_rows, known.others) == (group.by_rows, group.others)
                && computed(known) == computed(&group)
        };
        match merged.iter_mut().find(same) {
            Some(known) => known.horizons.extend(group.horizons),
            None => merged.push(group),
        }
    }
    *groups = merged;
}
