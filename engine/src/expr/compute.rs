//! Columns computed from the columns of the same row, several in one step.
//!
//! A pipeline adds columns one after the other, each may read those before it. Run as one step,
//! what they share is computed once and the batch is put together once. They are compiled into as
//! few [programs](super::program) as possible: one, unless a column that has no register (text)
//! is read by another.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::compare::without_nulls;
use super::filter::bind_condition;
use super::names::schema_with;
use super::program::{Compiler, Program};
use super::{BindCache, BoundExpr, Expr};
use crate::batch::Batch;
use crate::error::Result;
use crate::operator::MapOperator;

/// A column to compute.
#[derive(Debug, Clone)]
pub(crate) struct Computed {
    name: String,
    value: Value,
    /// For `explain`.
    text: String,
}

#[derive(Debug, Clone)]
enum Value {
    /// Takes the place of a column of this name.
    Expr(Expr),
    /// Bit `i` is set where the `i`-th condition is true; UInt64.
    Bits(Vec<Expr>),
}

impl Computed {
    /// A column with an expression's value: behind all others, or in the place of the column
    /// that has its name.
    pub(crate) fn expr(name: impl Into<String>, expr: Expr) -> Self {
        let name = name.into();
        let text = format!("with {name} = {expr}");
        Self { name, value: Value::Expr(expr), text }
    }

    /// A column of bits, one for each condition, at most 64. `text` describes it.
    pub(crate) fn bits(name: impl Into<String>, conditions: Vec<Expr>, text: String) -> Self {
        Self { name: name.into(), value: Value::Bits(conditions), text }
    }

    fn bind(&self, input: &Schema) -> Result<BoundColumn> {
        match &self.value {
            Value::Expr(expr) => {
                let bound = expr.bind(input)?;
                let field = match bound.as_column() {
                    Some(index) => input.field(index).clone().with_name(&self.name),
                    None => Field::new(&self.name, bound.data_type().clone(), true),
                };
                let mut fields = input.fields().to_vec();
                let at = fields.iter().position(|known| *known.name() == self.name);
                let at = at.unwrap_or(fields.len());
                match fields.get_mut(at) {
                    Some(place) => *place = Arc::new(field),
                    None => fields.push(Arc::new(field)),
                }
                let schema = Schema::new_with_metadata(fields, input.metadata().clone());
                Ok(BoundColumn { value: BoundValue::Expr(bound), at, schema: Arc::new(schema) })
            }
            Value::Bits(conditions) => {
                let bound = conditions.iter().map(|expr| bind_condition(expr, input));
                let bound = bound.collect::<Result<_>>()?;
                let schema = schema_with(input, Field::new(&self.name, DataType::UInt64, false))?;
                let at = input.fields().len();
                Ok(BoundColumn { value: BoundValue::Bits(bound), at, schema })
            }
        }
    }

    fn columns(&self) -> Vec<String> {
        match &self.value {
            Value::Expr(expr) => expr.columns(),
            Value::Bits(conditions) => conditions.iter().flat_map(Expr::columns).collect(),
        }
    }
}

/// A column whose inputs have been found.
#[derive(Debug)]
struct BoundColumn {
    value: BoundValue,
    /// Where it stands: in the place of another column, or behind the last.
    at: usize,
    /// With the column in it.
    schema: SchemaRef,
}

#[derive(Debug)]
enum BoundValue {
    Expr(BoundExpr),
    Bits(Vec<BoundExpr>),
}

impl BoundColumn {
    /// Computes the column by itself: what programs must give.
    fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        match &self.value {
            BoundValue::Expr(expr) => expr.evaluate_plain(batch),
            BoundValue::Bits(conditions) => {
                let mut bits = vec![0_u64; batch.num_rows()];
                for (i, condition) in conditions.iter().enumerate() {
                    let holds = without_nulls(condition.evaluate_plain(batch)?.as_boolean());
                    for row in holds.values().set_indices() {
                        bits[row] |= 1 << i;
                    }
                }
                Ok(Arc::new(UInt64Array::from(bits)))
            }
        }
    }

    /// Puts the column into its place.
    fn put(&self, columns: &mut Vec<ArrayRef>, column: ArrayRef) {
        match columns.get_mut(self.at) {
            Some(place) => *place = column,
            None => columns.push(column),
        }
    }

    /// Adds it to a program; `None`: it must be computed after it.
    fn compile(&self, compiler: &mut Compiler) -> Option<()> {
        match &self.value {
            BoundValue::Expr(expr) => compiler.add(&expr.root)?,
            BoundValue::Bits(conditions) => {
                let roots: Vec<_> = conditions.iter().map(|condition| &condition.root).collect();
                compiler.add_bits(&roots)?;
            }
        }
        compiler.place(self.at);
        Some(())
    }
}

/// Columns that one program computes.
#[derive(Debug)]
struct Group {
    columns: Vec<BoundColumn>,
    /// `None`: a column that has no program at all.
    program: Option<Program>,
}

impl Group {
    fn map(&self, rows: RecordBatch) -> Result<RecordBatch> {
        let Some(outputs) = self.program.as_ref().and_then(|program| program.run(&rows)) else {
            return self.map_plain(&rows);
        };
        let Some(last) = self.columns.last() else { return Ok(rows) };
        let (_, mut columns, _) = rows.into_parts();
        columns.reserve_exact(last.schema.fields().len().saturating_sub(columns.len()));
        for (bound, column) in self.columns.iter().zip(outputs) {
            bound.put(&mut columns, column);
        }
        Ok(RecordBatch::try_new(Arc::clone(&last.schema), columns)?)
    }

    /// Column by column; finds the error that made a program give up.
    fn map_plain(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let mut rows = rows.clone();
        for bound in &self.columns {
            let mut columns = rows.columns().to_vec();
            bound.put(&mut columns, bound.evaluate(&rows)?);
            rows = RecordBatch::try_new(Arc::clone(&bound.schema), columns)?;
        }
        Ok(rows)
    }
}

#[derive(Debug)]
struct Bound {
    groups: Vec<Group>,
    /// The schema, and what becomes of a batch without rows.
    none: RecordBatch,
}

/// Adds columns, in the order given.
#[derive(Debug, Default)]
pub(crate) struct Compute {
    columns: Vec<Computed>,
    bound: BindCache<Bound>,
}

impl Compute {
    /// These columns.
    pub(crate) fn new(columns: impl IntoIterator<Item = Computed>) -> Self {
        Self { columns: columns.into_iter().collect(), bound: BindCache::default() }
    }

    /// The columns, in order.
    pub(crate) fn columns(&self) -> &[Computed] {
        &self.columns
    }

    fn bind(&self, input: &SchemaRef) -> Result<Bound> {
        let mut schema = Arc::clone(input);
        let mut groups = Vec::new();
        let mut group = Vec::new();
        let mut compiler = Compiler::new(schema.fields().len());
        for column in &self.columns {
            let column = column.bind(&schema)?;
            if column.compile(&mut compiler).is_none() {
                let next = Compiler::new(schema.fields().len());
                let done = std::mem::replace(&mut compiler, next);
                close(&mut groups, &mut group, done);
                if column.compile(&mut compiler).is_none() {
                    schema = Arc::clone(&column.schema);
                    groups.push(Group { columns: vec![column], program: None });
                    compiler = Compiler::new(schema.fields().len());
                    continue;
                }
            }
            schema = Arc::clone(&column.schema);
            group.push(column);
        }
        close(&mut groups, &mut group, compiler);
        Ok(Bound { groups, none: RecordBatch::new_empty(schema) })
    }

    /// As [`map`](MapOperator::map), without programs: their specification.
    #[cfg(test)]
    pub(super) fn map_plain(&self, batch: &Batch) -> Result<Batch> {
        let mut rows = batch.rows.clone();
        for group in self.bind(rows.schema_ref())?.groups {
            rows = group.map_plain(&rows)?;
        }
        Ok(batch.with_rows(rows))
    }
}

fn close(groups: &mut Vec<Group>, columns: &mut Vec<BoundColumn>, compiler: Compiler) {
    if !columns.is_empty() {
        let columns = std::mem::take(columns);
        groups.push(Group { columns, program: Some(compiler.finish()) });
    }
}

impl MapOperator for Compute {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        Ok(self.bind(input)?.none.schema())
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        let bound = self.bound.get(batch.rows.schema_ref(), |schema| self.bind(schema))?;
        if batch.is_empty() {
            return Ok(Batch { rows: bound.none.clone(), ..batch });
        }
        let rows = bound.groups.iter().try_fold(batch.rows, |rows, group| group.map(rows))?;
        Ok(Batch { rows, ..batch })
    }

    fn reads(&self) -> Option<Vec<String>> {
        Some(self.columns.iter().flat_map(Computed::columns).collect())
    }

    fn writes(&self) -> Option<Vec<String>> {
        Some(self.columns.iter().map(|column| column.name.clone()).collect())
    }

    fn describe(&self) -> String {
        let lines: Vec<&str> = self.columns.iter().map(|column| column.text.as_str()).collect();
        lines.join("\n")
    }
}
