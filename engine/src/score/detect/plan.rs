//! What is asked of a detector, checked once.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use pelton_scoring::detect::keyed::{FORESTS, has_contributions, state_bytes};

use super::feedback::Feedback;
use super::operator::Detect;
use super::slots::{OWN_KEYS, POOLS};
use super::usage;
use crate::error::{Error, Result};
use crate::expr::column_index;
use crate::operator::{KeyedEnrich, KeyedStep};
use crate::score::numeric::check_numeric;
use crate::time::Span;

/// The columns that every detector adds, without its name before them.
pub const SCORE_COLUMNS: [&str; 4] = ["score", "probability", "flag", "warming_up"];

/// A column of the detector `name`: `load_score`; of one without a name: `score`.
pub fn column_name(name: &str, column: &str) -> String {
    if name.is_empty() { column.to_owned() } else { format!("{name}_{column}") }
}

/// A detector on columns of each key's rows.
#[derive(Debug, Clone)]
pub struct DetectPlan {
    /// What its columns begin with; may be empty.
    pub name: String,
    /// The key columns; none: all rows are one series.
    pub keys: Vec<String>,
    /// The columns that are watched: numbers.
    pub columns: Vec<String>,
    /// The method: one of [`pelton_scoring::detect::METHODS`].
    pub method: String,
    /// Unit of the event times.
    pub unit: TimeUnit,
    /// Labels that the detector is told of.
    pub feedback: Option<Feedback>,
    /// The column that says which state a row's key has, in place of the keys; for forests.
    pub slots: Option<String>,
}

impl DetectPlan {
    /// Whether the keys must be given slots: the method's state is a forest.
    pub fn needs_slots(&self) -> bool {
        !self.keys.is_empty() && FORESTS.contains(&self.method.as_str())
    }

    /// Whether each value's contribution is a column.
    pub(super) fn has_contributions(&self) -> Result<bool> {
        has_contributions(&self.method, self.columns.len()).map_err(|error| usage(&error))
    }

    /// The fields that are added.
    ///
    /// # Errors
    /// When there is no such method, or it does not take so many columns.
    pub fn fields(&self) -> Result<Vec<Field>> {
        let field = |column: &str, data_type: DataType, nullable: bool| {
            Field::new(column_name(&self.name, column), data_type, nullable)
        };
        let [score, probability, flag, warming_up] = SCORE_COLUMNS;
        let mut fields = vec![
            field(score, DataType::Float64, true),
            field(probability, DataType::Float64, true),
            field(flag, DataType::Boolean, false),
            field(warming_up, DataType::Boolean, false),
        ];
        if self.has_contributions()? {
            let contribution =
                |column: &String| field(&format!("contribution_{column}"), DataType::Float64, true);
            fields.extend(self.columns.iter().map(contribution));
        }
        Ok(fields)
    }
}

/// The input's columns with these behind them.
pub(in crate::score) fn with_fields(input: &SchemaRef, added: Vec<Field>) -> Result<SchemaRef> {
    let mut fields: Vec<_> = input.fields().iter().cloned().collect();
    for field in added {
        if fields.iter().any(|known| known.name() == field.name()) {
            let what = format!("there is already a column {}", field.name());
            return Err(Error::usage(what).advise("give the detector another name"));
        }
        fields.push(Arc::new(field));
    }
    Ok(Arc::new(Schema::new_with_metadata(fields, input.metadata().clone())))
}

impl KeyedStep for DetectPlan {
    fn keys(&self) -> &[String] {
        match &self.slots {
            Some(slots) => std::slice::from_ref(slots),
            None => &self.keys,
        }
    }

    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        for key in self.keys() {
            column_index(input, key)?;
        }
        for (at, column) in self.columns.iter().enumerate() {
            check_numeric(input, column)?;
            if self.columns[..at].contains(column) {
                return Err(Error::usage(format!("column {column} is watched twice"))
                    .advise("name each column once"));
            }
        }
        if let Some(feedback) = &self.feedback {
            feedback.check(&self.method, self.columns.len(), input)?;
        }
        with_fields(input, self.fields()?)
    }

    fn build(&self, input: &SchemaRef) -> Result<Box<dyn KeyedEnrich>> {
        Ok(Box::new(Detect::new(self, input)?))
    }

    fn reads(&self) -> Vec<String> {
        let label = self.feedback.iter().map(|feedback| &feedback.column);
        self.keys().iter().chain(&self.columns).chain(label).cloned().collect()
    }

    fn describe(&self) -> String {
        let columns = self.columns.join(", ");
        let bytes = state_bytes(&self.method, self.columns.len()).unwrap_or(0);
        let (by, states) = match (self.keys.as_slice(), &self.slots) {
            ([], _) => (String::new(), "one state".to_owned()),
            (keys, None) => (format!(" by {}", keys.join(", ")), "a state a key".to_owned()),
            (keys, Some(_)) => (
                format!(" by {}", keys.join(", ")),
                format!(
                    "a state each for the first {OWN_KEYS} keys, {POOLS} shared by those after them"
                ),
            ),
        };
        let name = if self.name.is_empty() { String::new() } else { format!("{} = ", self.name) };
        let method = &self.method;
        let told = match &self.feedback {
            None => String::new(),
            Some(Feedback { column, delay }) if *delay == Span::ZERO => {
                format!(", told by {column}")
            }
            Some(Feedback { column, delay }) => format!(", told by {column} after {delay}"),
        };
        format!("detect {name}{method}({columns}){by}: {states}, about {bytes} bytes each{told}")
    }
}
