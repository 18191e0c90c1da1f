//! Lookup joins: each row meets the row of a static table that has its key, and gets the table's
//! other columns. The table is read once, before the stream starts.
//!
//! ```text
//!  key columns ──▶ row of the table ──▶ text:    code of the row      (a dictionary that all batches share)
//!    index.rs       (or none)           others:  the row's value
//! ```
//!
//! Integers that stand close together, and dictionaries (translated once), find their row by an
//! array; other keys by a hash. Text columns of the table come out as dictionaries: a window keyed by
//! one translates a hundred campaigns once and reads codes after that, so that to look an ad's
//! campaign up and to count by campaign costs about what counting by ad would, with less state.
//!
//! # What it means
//! As SQL's `LEFT JOIN` on unique keys: a row without a match gets nulls (`inner`: it is taken out,
//! and counted as filtered). A null key matches nothing, not even a null of the table; −0 matches
//! +0, NaN matches NaN. Order, positions and times of the rows stay as they are.

mod behind;
mod index;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, RecordBatch};
use arrow::array::{Int32Array, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::{cast, filter_record_batch, take};
use arrow::datatypes::{DataType, FieldRef, Int32Type, Schema, SchemaRef};

pub(crate) use behind::LookupBehind;
use index::Index;
pub(crate) use index::NONE;

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::expr::{BindCache, column_index, filter_batch};
use crate::operator::{DropCount, Dropped, MapOperator, Rows, TableCodes, TableRows};

/// A table in memory, ready to be looked up in.
#[derive(Debug)]
pub(crate) struct LookupTable {
    /// The table's name, for messages.
    name: String,
    rows: usize,
    /// Types of its key columns, dictionaries as their values.
    key_types: Vec<DataType>,
    index: Index,
    /// The other columns.
    columns: Vec<(FieldRef, Values)>,
}

/// A column of the table.
#[derive(Debug)]
enum Values {
    /// Text: codes of the rows, and what they stand for.
    Coded(DictionaryArray<Int32Type>),
    /// Anything else.
    Plain(ArrayRef),
}

impl LookupTable {
    /// The table `rows`, keyed by its columns `keys`; `place` says where a row stands ("line 7").
    ///
    /// # Errors
    /// When a key column is missing or of a type that cannot be looked up, or when two rows have
    /// one key.
    pub(crate) fn new(
        name: &str,
        rows: &RecordBatch,
        keys: &[String],
        place: impl Fn(usize) -> String,
    ) -> Result<Self> {
        let at = |error: Error| error.at(format!("the table {name}"));
        let schema = rows.schema();
        let keys = keys
            .iter()
            .map(|key| column_index(&schema, key).map_err(at))
            .collect::<Result<Vec<usize>>>()?;
        if keys.is_empty() {
            return Err(at(Error::usage("nothing says by which column it is looked up"))
                .advise("name its key, as in --lookup ads.csv:ad_id"));
        }
        // A row without a key can never be found.
        let nulls = keys.iter().map(|&key| rows.column(key).logical_nulls());
        let known = nulls.fold(None, |all, nulls| NullBuffer::union(all.as_ref(), nulls.as_ref()));
        let (kept, rows) = match known.filter(|known| known.null_count() > 0) {
            Some(known) => {
                let keep = BooleanArray::new(known.inner().clone(), None);
                let kept: Vec<usize> = known.inner().set_indices().collect();
                (Some(kept), filter_record_batch(rows, &keep)?)
            }
            None => (None, rows.clone()),
        };
        let columns: Vec<ArrayRef> = keys.iter().map(|&key| rows.column(key).clone()).collect();
        let index = Index::new(&columns).map_err(|problem| match problem {
            index::Problem::Type(error) => at(error),
            index::Problem::Twice(first, second) => {
                let row = |row: usize| place(kept.as_ref().map_or(row, |kept| kept[row]));
                at(Error::run(format!(
                    "its key {} stands there twice, in {} and {}",
                    shown_key(&schema, &keys, &columns, first),
                    row(first),
                    row(second)
                ))
                .advise("a table is looked up by columns that are unique: name more key columns, or leave one row of each"))
            }
        })?;
        let others = (0..rows.num_columns()).filter(|column| !keys.contains(column));
        let columns = others
            .map(|column| {
                let values = Values::new(rows.column(column))?;
                let field = schema.field(column).clone().with_data_type(values.data_type());
                Ok((Arc::new(field), values))
            })
            .collect::<Result<_>>()?;
        let key_types = keys.iter().map(|&key| plain(schema.field(key).data_type())).collect();
        Ok(Self { name: name.to_owned(), rows: rows.num_rows(), key_types, index, columns })
    }

    /// Names of the columns beside the keys.
    pub(crate) fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(field, _)| field.name().as_str())
    }
}

/// The key of a row as text.
fn shown_key(schema: &Schema, keys: &[usize], columns: &[ArrayRef], row: usize) -> String {
    let shown = keys.iter().zip(columns).map(|(&key, column)| {
        let value = arrow::util::display::array_value_to_string(column, row);
        format!("{} = {}", schema.field(key).name(), value.unwrap_or_else(|_| "?".into()))
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// The type without its dictionary.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        other => other.clone(),
    }
}

impl Values {
    fn new(column: &ArrayRef) -> Result<Self> {
        let value = plain(column.data_type());
        if !index::is_text(&value) {
            return Ok(Self::Plain(cast(column, &value)?));
        }
        let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let column = cast(&cast(column, &DataType::Utf8)?, &coded)?;
        Ok(Self::Coded(column.as_dictionary::<Int32Type>().clone()))
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Coded(codes) => codes.data_type().clone(),
            Self::Plain(values) => values.data_type().clone(),
        }
    }

    /// The values of rows of the table; `found`: which were found at all, `None`: all.
    fn of(&self, rows: &[u32], found: Option<&NullBuffer>) -> Result<ArrayRef> {
        match self {
            Self::Plain(values) if values.is_empty() => {
                Ok(arrow::array::new_null_array(values.data_type(), rows.len()))
            }
            Self::Coded(codes) if codes.is_empty() => {
                Ok(arrow::array::new_null_array(codes.data_type(), rows.len()))
            }
            Self::Plain(values) => {
                let rows = UInt32Array::new(rows.to_vec().into(), found.cloned());
                Ok(take(values, &rows, None)?)
            }
            Self::Coded(codes) => {
                let known = codes.keys();
                let last = known.len() - 1;
                let keys = rows.iter().map(|&row| known.values()[(row as usize).min(last)]);
                let nulls = known.nulls().map(|nulls| {
                    let valid = rows.iter().map(|&row| nulls.is_valid((row as usize).min(last)));
                    NullBuffer::new(valid.collect::<BooleanBuffer>())
                });
                let nulls = NullBuffer::union(nulls.as_ref(), found);
                let keys = Int32Array::new(keys.collect(), nulls);
                Ok(Arc::new(DictionaryArray::try_new(keys, codes.values().clone())?))
            }
        }
    }
}

/// Adds the columns of a table's row to each row.
#[derive(Debug)]
pub(crate) struct LookupJoin {
    table: Arc<LookupTable>,
    /// The rows' key columns, as many as the table's.
    keys: Vec<String>,
    /// The columns that are added: which of the table, and their names.
    columns: Vec<(usize, String)>,
    /// Whether a row without a match is taken out.
    inner: bool,
    dropped: DropCount,
    bound: BindCache<Bound>,
}

/// What the join needs to know of the rows' schema.
#[derive(Debug)]
struct Bound {
    /// Key columns, and the type that each must be converted to, where it must.
    keys: Vec<(usize, Option<DataType>)>,
    output: SchemaRef,
}

impl LookupJoin {
    /// `name`: what each column of the table is to be called; those without a name are left out.
    pub(crate) fn new(
        table: Arc<LookupTable>,
        keys: Vec<String>,
        name: impl Fn(&str) -> Option<String>,
        inner: bool,
    ) -> Self {
        let columns = table.column_names().enumerate();
        let columns = columns.filter_map(|(at, column)| Some((at, name(column)?))).collect();
        let (dropped, bound) = (DropCount::default(), BindCache::default());
        Self { table, keys, columns, inner, dropped, bound }
    }

    /// Names of the columns that are added.
    pub(crate) fn added(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(_, name)| name.as_str())
    }

    /// The rows' columns that are looked up by.
    pub(crate) fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Whether rows without a match are taken out.
    pub(crate) fn is_inner(&self) -> bool {
        self.inner
    }

    /// The same lookup, of fewer columns.
    pub(crate) fn only(&self, names: &[String]) -> Self {
        let columns = self.columns.iter().filter(|(_, name)| names.contains(name));
        Self {
            table: self.table.clone(),
            keys: self.keys.clone(),
            columns: columns.cloned().collect(),
            inner: self.inner,
            dropped: DropCount::default(),
            bound: BindCache::default(),
        }
    }

    fn bind(&self, input: &SchemaRef) -> Result<Bound> {
        let table = &self.table;
        let mut keys = Vec::with_capacity(self.keys.len());
        for (name, own) in self.keys.iter().zip(&table.key_types) {
            let index = column_index(input, name)?;
            let data_type = input.field(index).data_type();
            let alike = index::alike(&plain(data_type), own);
            if !alike && table.rows > 0 {
                return Err(Error::usage(format!(
                    "the key \"{name}\" is {data_type} in the rows and {own} in the table {}",
                    table.name
                ))
                .advise("give both one type: two integers or two texts can be compared"));
            }
            keys.push((index, index::conversion(&plain(data_type), own)));
        }
        let mut fields = input.fields().to_vec();
        for (at, name) in &self.columns {
            let field = &table.columns[*at].0;
            if fields.iter().any(|known| known.name() == name) {
                return Err(Error::usage(format!(
                    "the rows and the table {} both have a column \"{name}\"",
                    table.name
                ))
                .advise(
                    "give the table's columns a prefix: --lookup 'FILE:KEY as ad' makes ad_…, \
                     Lookup::prefix(\"ad_\") does in Rust",
                ));
            }
            let nullable = field.is_nullable() || !self.inner;
            let field = field.as_ref().clone().with_name(name).with_nullable(nullable);
            fields.push(Arc::new(field));
        }
        let output = Schema::new_with_metadata(fields, input.metadata().clone());
        Ok(Bound { keys, output: Arc::new(output) })
    }

    /// The row of the table for each of the rows; [`NONE`] where there is none.
    fn find(&self, bound: &Bound, batch: &RecordBatch, rows: Rows<'_>) -> Result<Vec<u32>> {
        if self.table.rows == 0 {
            return Ok(vec![NONE; rows.len()]);
        }
        let column = |(index, to): &(usize, Option<DataType>)| {
            let column = batch.column(*index);
            // What does not fit becomes null, and a null matches nothing.
            to.as_ref().map_or_else(|| Ok(column.clone()), |to| Ok(cast(column, to)?))
        };
        let columns = bound.keys.iter().map(column).collect::<Result<Vec<ArrayRef>>>()?;
        self.table.index.find(&columns, rows)
    }
}

impl MapOperator for LookupJoin {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        Ok(self.bind(input)?.output)
    }

    fn map(&self, mut batch: Batch) -> Result<Batch> {
        let bound = self.bound.get(batch.rows.schema_ref(), |schema| self.bind(schema))?;
        let mut found = self.find(&bound, &batch.rows, Rows::All(batch.len()))?;
        let missing = found.iter().filter(|&&row| row == NONE).count();
        let mut valid = (missing > 0).then(|| {
            NullBuffer::new(found.iter().map(|&row| row != NONE).collect::<BooleanBuffer>())
        });
        if let Some(keep) = valid.take_if(|_| self.inner) {
            let keep = BooleanArray::new(keep.into_inner(), None);
            self.dropped.count(&batch, &keep);
            batch = filter_batch(batch, &keep)?;
            found.retain(|&row| row != NONE);
        }
        let mut columns = batch.rows.columns().to_vec();
        for (at, _) in &self.columns {
            columns.push(self.table.columns[*at].1.of(&found, valid.as_ref())?);
        }
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.len()));
        let rows = RecordBatch::try_new_with_options(bound.output.clone(), columns, &options)?;
        Ok(Batch { rows, ..batch })
    }

    fn reads(&self) -> Option<Vec<String>> {
        Some(self.keys.clone())
    }

    fn as_table(&self) -> Option<&dyn TableRows> {
        // Rows without a match are to be taken out of an inner one.
        (!self.inner).then_some(self)
    }

    fn writes(&self) -> Option<Vec<String>> {
        Some(self.added().map(str::to_owned).collect())
    }

    fn dropped(&self) -> Dropped {
        self.dropped.get()
    }

    fn describe(&self) -> String {
        let LookupTable { name, rows, index, .. } = &*self.table;
        let columns: Vec<&str> = self.columns.iter().map(|(_, name)| name.as_str()).collect();
        format!(
            "lookup by {} in the table {name}: {rows} rows, {}; adds {}; {}",
            self.keys.join(", "),
            index.describe(),
            if columns.is_empty() { "nothing".to_owned() } else { columns.join(", ") },
            if self.inner {
                "rows without a match are filtered out"
            } else {
                "nulls where none matches"
            },
        )
    }
}

impl TableRows for LookupJoin {
    fn table_rows(&self) -> usize {
        self.table.rows
    }

    fn added(&self) -> Vec<String> {
        self.columns.iter().map(|(_, name)| name.clone()).collect()
    }

    fn find(&self, batch: &RecordBatch, rows: Rows<'_>, found: &mut Vec<u32>) -> Result<()> {
        let bound = self.bound.get(batch.schema_ref(), |schema| self.bind(schema))?;
        *found = LookupJoin::find(self, &bound, batch, rows)?;
        Ok(())
    }

    fn codes(&self, batch: &RecordBatch) -> Result<Option<TableCodes<'_>>> {
        let bound = self.bound.get(batch.schema_ref(), |schema| self.bind(schema))?;
        let ([(key, None)], Some((low, rows))) = (bound.keys.as_slice(), self.table.index.dense())
        else {
            return Ok(None);
        };
        let column = batch.column(*key);
        let usable = column.data_type().is_integer() && column.null_count() == 0;
        Ok((usable && self.table.rows > 0).then(|| TableCodes {
            column: column.clone(),
            low,
            rows,
        }))
    }

    fn columns_of(&self, names: &[String], table_row: u32) -> Result<Vec<ArrayRef>> {
        let missing = (table_row == NONE).then(|| NullBuffer::new_null(1));
        let column = |name: &String| {
            let (at, _) =
                self.columns.iter().find(|(_, known)| known == name).ok_or_else(|| {
                    Error::run(format!("the table {} has no column \"{name}\"", self.table.name))
                })?;
            self.table.columns[*at].1.of(&[table_row], missing.as_ref())
        };
        names.iter().map(column).collect()
    }
}
