//! Vectors of a file: an id and so many finite numbers a row, from a column of lists or from all
//! columns of numbers.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use pelton::{Error, Result};
use pelton_kernels::score_products::NONE;

use crate::table::{self, Source};

/// Rows that are compared.
#[derive(Debug)]
pub(super) struct Vectors {
    /// What errors call the file.
    name: String,
    ids: ArrayRef,
    /// Columns of the numbers, in their order; empty where they are a list.
    columns: Vec<String>,
    dimensions: usize,
    values: Vec<f64>,
}

impl Vectors {
    #[cfg(test)]
    pub(super) fn new(ids: ArrayRef, dimensions: usize, values: Vec<f64>) -> Self {
        Self { name: String::new(), ids, columns: Vec::new(), dimensions, values }
    }

    /// Reads a file; `id` names the column of ids (the first otherwise), `vector` that of lists.
    ///
    /// # Errors
    /// When a column is not there or not of its kind, or a number is missing or not finite.
    pub(super) fn read(
        source: &Source<'_>,
        id: Option<&str>,
        vector: &Option<String>,
    ) -> Result<Self> {
        let fields = source.fields()?;
        let is_there = |name: &str| fields.iter().any(|field| field.name() == name);
        let id = match (id, fields.first()) {
            (Some(id), _) => id,
            (None, Some(first)) => first.name(),
            (None, None) => return Err(Error::run(format!("{} has no column", source.name()))),
        };
        for name in [Some(id), vector.as_deref()].into_iter().flatten() {
            if !is_there(name) {
                let what = format!("{} has no column `{name}`", source.name());
                return Err(Error::usage(what).advise(there_are(&fields)));
            }
        }
        let mut read = match vector {
            Some(vector) => Self::of_lists(source, id, vector),
            None => Self::of_columns(source, id, &fields),
        }?;
        if read.len() >= NONE as usize {
            let what =
                format!("{} has {} rows: at most 2^32 - 2 can be numbered", read.name, read.len());
            return Err(Error::run(what));
        }
        read.values.shrink_to_fit();
        Ok(read)
    }

    fn of_columns(source: &Source<'_>, id: &str, fields: &[Field]) -> Result<Self> {
        let numbers = fields.iter().filter(|field| field.name() != id);
        let columns: Vec<&str> = numbers
            .filter(|field| table::is_numeric(field.data_type()))
            .map(|field| field.name().as_str())
            .collect();
        if columns.is_empty() {
            let what = format!("{} has no column of numbers besides `{id}`", source.name());
            return Err(Error::usage(what).advise("name a column of lists with --vector"));
        }
        if let Some(name) = table::twice(&columns) {
            return Err(Error::run(format!("{}: two columns are called `{name}`", source.name())));
        }
        let mut wanted = vec![id];
        wanted.extend(&columns);
        let rows = source.read(&wanted, &columns)?;
        let (count, dimensions) = (rows.num_rows(), columns.len());
        let mut values = vec![0.0; count * dimensions];
        for (at, name) in columns.iter().enumerate() {
            for (row, x) in table::floats(&rows, name, source)?.into_iter().enumerate() {
                values[row * dimensions + at] = finite(x)
                    .ok_or_else(|| not_finite(source, row, &format!("column `{name}`")))?;
            }
        }
        let columns = columns.iter().map(|&name| name.to_owned()).collect();
        Ok(Self { name: source.name(), ids: ids(&rows), columns, dimensions, values })
    }

    fn of_lists(source: &Source<'_>, id: &str, vector: &str) -> Result<Self> {
        if id == vector {
            let what = format!("{}: `{id}` is the id as well as the vector", source.name());
            return Err(Error::usage(what).advise("name the id with --item-id and --query-id"));
        }
        let rows = source.read(&[id, vector], &[])?;
        let lists = rows.column(1);
        let as_lists = match lists.data_type() {
            DataType::List(field)
            | DataType::LargeList(field)
            | DataType::FixedSizeList(field, _)
                if table::is_numeric(field.data_type()) =>
            {
                let of_floats = Field::new_list_field(DataType::Float64, true).into();
                cast(lists, &DataType::LargeList(of_floats)).map_err(|error| {
                    Error::run(format!("{}: `{vector}`: {error}", source.name()))
                })?
            }
            other => {
                let what =
                    format!("{}: `{vector}` holds {other}, no lists of numbers", source.name());
                let advice = "leave --vector out where each number is a column of its own";
                return Err(Error::usage(what).advise(advice));
            }
        };
        let lists = as_lists.as_list::<i64>();
        let mut dimensions = 0;
        let mut values = Vec::new();
        for row in 0..lists.len() {
            let place = || format!("column `{vector}`");
            if lists.is_null(row) {
                return Err(not_finite(source, row, &place()));
            }
            let own = table::float_values(&lists.value(row)).unwrap_or_default();
            if row == 0 {
                dimensions = own.len();
            }
            if own.len() != dimensions || dimensions == 0 {
                let what = format!(
                    "{}: row {}, `{vector}` has {} numbers, the first row {dimensions}",
                    source.name(),
                    row + 1,
                    own.len()
                );
                return Err(Error::run(what).advise("every vector has the same length, at least 1"));
            }
            for x in own {
                values.push(finite(x).ok_or_else(|| not_finite(source, row, &place()))?);
            }
        }
        let columns = Vec::new();
        Ok(Self { name: source.name(), ids: ids(&rows), columns, dimensions, values })
    }

    /// Whether queries can be compared with these items.
    ///
    /// # Errors
    /// Where they have other columns, or another number of them.
    pub(super) fn check_fit(&self, queries: &Self) -> Result<()> {
        let none = self.len() == 0 || queries.len() == 0;
        if self.columns == queries.columns && (self.dimensions == queries.dimensions || none) {
            return Ok(());
        }
        let what = format!(
            "{} has vectors of {} numbers, {} of {}",
            self.name, self.dimensions, queries.name, queries.dimensions
        );
        let differs = self.columns.iter().zip(&queries.columns).find(|(a, b)| a != b);
        let advice = match differs {
            Some((item, query)) => format!(
                "their columns differ: `{item}` there stands where `{query}` stands here; give both \
                 files the same columns of numbers in the same order, or lists with --vector"
            ),
            None => "give both files vectors of the same model".to_owned(),
        };
        let what = match differs {
            Some(_) if self.dimensions == queries.dimensions => {
                format!("the vectors of {} and {} have other columns", self.name, queries.name)
            }
            _ => what,
        };
        Err(Error::usage(what).advise(advice))
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(super) fn ids(&self) -> &ArrayRef {
        &self.ids
    }

    /// The numbers of some rows, one after the other.
    pub(super) fn values_of(&self, range: Range<usize>) -> &[f64] {
        &self.values[range.start * self.dimensions..range.end * self.dimensions]
    }

    /// Every number.
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }
}

fn ids(rows: &RecordBatch) -> ArrayRef {
    rows.column(0).clone()
}

/// The number, where it is one that `f32` has room for.
fn finite(x: f64) -> Option<f64> {
    Some(x).filter(|x| (*x as f32).is_finite())
}

fn not_finite(source: &Source<'_>, row: usize, place: &str) -> Error {
    let what =
        format!("{}: row {}, {place} is missing or no finite number", source.name(), row + 1);
    Error::run(what).advise("take the row out, or fill the number in")
}

fn there_are(fields: &[Field]) -> String {
    let names: Vec<String> = fields.iter().map(|field| format!("`{}`", field.name())).collect();
    format!("there are {}", names.join(", "))
}
