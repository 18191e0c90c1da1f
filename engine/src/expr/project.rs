//! Adding, choosing and leaving out columns, one step each.

use std::sync::{Arc, RwLock};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};

use super::compute::{Compute, Computed};
use super::{BoundExpr, Expr, col, column_index};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::operator::MapOperator;

/// What an operator has bound to the schemas that it saw last. The batches of a stream share one
/// schema, so that a look is a comparison of addresses; a model is asked for scores and for
/// reasons, behind which stand other columns.
#[derive(Debug)]
pub(crate) struct BindCache<T> {
    known: RwLock<Vec<(SchemaRef, Arc<T>)>>,
}

/// Schemas remembered: one operator stands in one or two places of a plan.
const SCHEMAS_MAX: usize = 2;

impl<T> Default for BindCache<T> {
    fn default() -> Self {
        Self { known: RwLock::new(Vec::new()) }
    }
}

impl<T> BindCache<T> {
    /// What `bind` makes of the schema, made anew only when the schema is not known.
    pub(crate) fn get(
        &self,
        schema: &SchemaRef,
        bind: impl FnOnce(&SchemaRef) -> Result<T>,
    ) -> Result<Arc<T>> {
        // A poisoned lock holds whole values: they are only ever added or replaced at once.
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let found = known.iter().find(|(known, _)| Arc::ptr_eq(known, schema));
        if let Some((_, bound)) = found.or_else(|| known.iter().find(|(known, _)| known == schema))
        {
            return Ok(Arc::clone(bound));
        }
        drop(known);
        let bound = Arc::new(bind(schema)?);
        let mut known = self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.truncate(SCHEMAS_MAX - 1);
        known.insert(0, (Arc::clone(schema), Arc::clone(&bound)));
        Ok(bound)
    }
}

/// A column's new name and what it holds.
#[derive(Debug, Clone)]
pub struct Named {
    name: String,
    expr: Expr,
}

impl From<&str> for Named {
    /// The column of this name as it is.
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), expr: col(name) }
    }
}

impl From<String> for Named {
    /// The column of this name as it is.
    fn from(name: String) -> Self {
        Self { expr: col(name.clone()), name }
    }
}

impl<N: Into<String>> From<(N, Expr)> for Named {
    fn from((name, expr): (N, Expr)) -> Self {
        Self { name: name.into(), expr }
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.expr {
            Expr::Column(name) if *name == self.name => f.write_str(name),
            expr => write!(f, "{expr} as {}", self.name),
        }
    }
}

/// Bound columns of an output and its schema.
#[derive(Debug)]
struct Projection {
    columns: Vec<BoundExpr>,
    /// Its schema, and what it makes of a batch without rows.
    none: RecordBatch,
}

impl Projection {
    fn bind(input: &Schema, names: &[Named]) -> Result<Self> {
        let mut fields: Vec<FieldRef> = Vec::with_capacity(names.len());
        let mut columns = Vec::with_capacity(names.len());
        for Named { name, expr } in names {
            if fields.iter().any(|field| field.name() == name) {
                return Err(Error::usage(format!("two columns are named `{name}`")));
            }
            let bound = expr.bind(input)?;
            fields.push(match bound.as_column() {
                Some(index) => Arc::new(input.field(index).clone().with_name(name)),
                None => Arc::new(Field::new(name, bound.data_type().clone(), true)),
            });
            columns.push(bound);
        }
        let schema = Schema::new_with_metadata(fields, input.metadata().clone());
        Ok(Self { columns, none: RecordBatch::new_empty(Arc::new(schema)) })
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        if batch.is_empty() {
            return Ok(Batch { rows: self.none.clone(), ..batch });
        }
        let columns: Result<Vec<ArrayRef>> =
            self.columns.iter().map(|column| column.evaluate(&batch.rows)).collect();
        // A projection to no column at all still has rows.
        let options = RecordBatchOptions::new().with_row_count(Some(batch.len()));
        let rows = RecordBatch::try_new_with_options(self.none.schema(), columns?, &options)?;
        Ok(Batch { rows, ..batch })
    }
}

/// Adds a column at the end, or replaces the one of this name where it stands.
#[derive(Debug)]
pub struct WithColumn {
    compute: Compute,
}

impl WithColumn {
    /// The column `name` with the value of `expr`.
    pub fn new(name: impl Into<String>, expr: impl Into<Expr>) -> Self {
        Self { compute: Compute::new([Computed::expr(name, expr.into())]) }
    }

    pub(crate) fn computed(&self) -> &[Computed] {
        self.compute.columns()
    }
}

impl MapOperator for WithColumn {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        self.compute.output_schema(input)
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        self.compute.map(batch)
    }

    fn reads(&self) -> Option<Vec<String>> {
        self.compute.reads()
    }

    fn describe(&self) -> String {
        self.compute.describe()
    }
}

/// Gives out these columns and no others.
#[derive(Debug)]
pub struct Select {
    names: Vec<Named>,
    bound: BindCache<Projection>,
}

impl Select {
    /// Columns by name, or `(name, expression)` pairs, in this order.
    pub fn new<N: Into<Named>>(names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        Self { names, bound: BindCache::default() }
    }
}

impl MapOperator for Select {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        Ok(Projection::bind(input, &self.names)?.none.schema())
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        let bind = |schema: &SchemaRef| Projection::bind(schema, &self.names);
        self.bound.get(batch.rows.schema_ref(), bind)?.map(batch)
    }

    fn reads(&self) -> Option<Vec<String>> {
        Some(self.names.iter().flat_map(|named| named.expr.columns()).collect())
    }

    fn is_projection(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        let names: Vec<String> = self.names.iter().map(ToString::to_string).collect();
        format!("select {}", names.join(", "))
    }
}

/// Leaves these columns out.
#[derive(Debug)]
pub struct DropColumns {
    names: Vec<String>,
    bound: BindCache<Projection>,
}

impl DropColumns {
    /// The columns to leave out; each must exist.
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        Self { names, bound: BindCache::default() }
    }

    fn bind(&self, input: &Schema) -> Result<Projection> {
        for name in &self.names {
            column_index(input, name)?;
        }
        let kept: Vec<Named> = input
            .fields()
            .iter()
            .filter(|field| !self.names.contains(field.name()))
            .map(|field| Named::from(field.name().as_str()))
            .collect();
        Projection::bind(input, &kept)
    }
}

impl MapOperator for DropColumns {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        Ok(self.bind(input)?.none.schema())
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        self.bound.get(batch.rows.schema_ref(), |schema| self.bind(schema))?.map(batch)
    }

    fn describe(&self) -> String {
        format!("drop {}", self.names.join(", "))
    }
}
