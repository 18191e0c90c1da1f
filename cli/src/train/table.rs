//! The table to learn from: what the pipeline knew of each payment when it arrived, by column.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use pelton::batch::Batch;
use pelton::pipeline::{Options, Progress as Standing};
use pelton::sink::Sink;
use pelton::source::SourceOptions;
use pelton::time::seconds;
use pelton::{Error, Result};
use pelton_pipelines::fraud::{self, FeatureSet};

use super::defaults;
use crate::args::FormatArg;
use crate::progress::Progress;
use crate::replay::input::{self, Input, LABEL, LABEL_TYPE};

/// A day in µs.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// Kinds of fraud that are told apart; those after them share the last place.
const KINDS_MAX: usize = 32;

/// Every payment, in the order of the recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Table {
    /// Names of the features.
    pub names: Vec<String>,
    /// The features, a column each; NaN is missing.
    pub columns: Vec<Vec<f64>>,
    /// Days since 1970-01-01, UTC.
    pub day: Vec<i32>,
    /// Whose payment it is.
    pub card: Vec<i64>,
    /// Whether it is a fraud; a payment without a label counts as none.
    pub fraud: Vec<bool>,
    /// Number of its kind of fraud in `kinds`, plus 1; 0 for honest payments and unnamed kinds.
    pub kind: Vec<u8>,
    /// Names of the kinds of fraud, in the order in which they came.
    pub kinds: Vec<String>,
}

impl Table {
    /// Number of payments.
    pub(crate) fn rows(&self) -> usize {
        self.day.len()
    }

    /// First and last day.
    pub(crate) fn days(&self) -> Option<(i64, i64)> {
        let first = self.day.iter().min()?;
        let last = self.day.iter().max()?;
        Some((i64::from(*first), i64::from(*last)))
    }

    /// The payments of these days, as row numbers.
    pub(crate) fn rows_of(&self, days: std::ops::Range<i64>) -> Vec<u32> {
        let days = self.day.iter().zip(0..).filter(|(day, _)| days.contains(&i64::from(**day)));
        days.map(|(_, row)| row).collect()
    }

    /// The features as slices.
    pub(crate) fn slices(&self) -> Vec<&[f64]> {
        self.columns.iter().map(Vec::as_slice).collect()
    }

    fn add(&mut self, rows: &RecordBatch, until: Option<i64>) -> Result<()> {
        let ts = column(rows, "ts")?.as_primitive::<TimestampMicrosecondType>();
        let label = column(rows, LABEL)?.as_boolean();
        let day: Vec<i64> = ts.values().iter().map(|us| us.div_euclid(DAY_US)).collect();
        // Rows come nearly in order of time: looked at one by one.
        let kept: Vec<bool> =
            day.iter().map(|day| until.is_none_or(|until| *day < until)).collect();
        let wanted = || kept.iter().enumerate().filter(|(_, kept)| **kept).map(|(row, _)| row);
        self.day.extend(wanted().map(|row| day[row] as i32));
        self.fraud.extend(wanted().map(|row| label.is_valid(row) && label.value(row)));
        let card = cast(column(rows, "card")?, &DataType::Int64)?;
        let card = card.as_primitive::<Int64Type>();
        self.card.extend(wanted().map(|row| card.value(row)));
        for (name, values) in self.names.iter().zip(&mut self.columns) {
            let column = cast(column(rows, name)?, &DataType::Float64)?;
            let floats = column.as_primitive::<Float64Type>();
            values.extend(
                wanted().map(|row| if floats.is_valid(row) { floats.value(row) } else { f64::NAN }),
            );
        }
        let kinds = match rows.column_by_name("fraud_kind") {
            Some(column) => Some(cast(column, &DataType::Utf8)?),
            None => None,
        };
        for row in wanted() {
            let text = kinds.as_ref().map(|kinds| kinds.as_string::<i32>());
            let name = text.filter(|text| text.is_valid(row)).map(|text| text.value(row));
            let kind = name.map_or(0, |name| number_of(&mut self.kinds, name));
            self.kind.push(kind);
        }
        Ok(())
    }
}

/// Number of a kind, plus 1.
fn number_of(kinds: &mut Vec<String>, name: &str) -> u8 {
    let at = kinds.iter().position(|kind| kind == name).unwrap_or_else(|| {
        if kinds.len() < KINDS_MAX {
            kinds.push(name.to_owned());
        }
        kinds.len() - 1
    });
    at as u8 + 1
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a arrow::array::ArrayRef> {
    rows.column_by_name(name).ok_or_else(|| Error::run(format!("the column {name} is missing")))
}

/// What to read.
pub(crate) struct Reading<'a> {
    /// The recording.
    pub path: &'a str,
    /// Its format.
    pub format: Option<FormatArg>,
    /// The column of labels.
    pub label: &'a str,
    /// Features by name; none: the usual ones.
    pub features: &'a [String],
    /// Payments of this day and later ones are left out.
    pub until: Option<i64>,
    /// Cores.
    pub shards: usize,
}

/// Runs the pipeline over the recording.
///
/// # Errors
/// When the recording cannot be read, has no labels or not the features asked for, or the user
/// stopped the run.
pub(crate) fn read(
    reading: &Reading<'_>,
    shown: Box<dyn Progress>,
    stop: impl Fn() -> bool + Send + 'static,
) -> Result<Table> {
    const BATCH_ROWS: usize = 4096;
    let label = reading.label.to_owned();
    let source = SourceOptions::default();
    let more = |file: pelton::pipeline::File| match label.as_str() {
        LABEL => file,
        label => file.column(label, LABEL_TYPE),
    };
    let input = Input::open_with(reading.path, reading.format, source, BATCH_ROWS, more)?;
    let schema = input.schema();
    let (pipeline, rows) = input.into_pipeline();
    let pipeline = input::labelled(pipeline, &schema, reading.label)?;
    let schema = pipeline.schema()?;
    let pipeline = fraud::features_of(FeatureSet::Training, pipeline, &schema, seconds(2)).pipeline;
    let there = fraud::model_features(&schema, pipeline.schema()?.as_ref());
    let names = chosen(reading.features, &there)?;
    let mut columns = vec!["ts", "card", LABEL];
    columns.extend(schema.index_of("fraud_kind").ok().map(|_| "fraud_kind"));
    columns.extend(names.iter().map(String::as_str));
    let empty = vec![Vec::new(); names.len()];
    let table = Table { names: names.clone(), columns: empty, ..Table::default() };
    let table = Arc::new(Mutex::new(table));
    let sink = TableSink { table: table.clone(), until: reading.until };
    let options = Options {
        shards: reading.shards,
        batch_rows: BATCH_ROWS,
        stop: Some(Box::new(stop)),
        observer: Some(Box::new(move |standing: &Standing| {
            shown.set(standing.bytes_read, standing.bytes_total, standing.rows_in);
        })),
        ..Options::default()
    };
    let summary = input::run(pipeline.select(columns).write_to(sink), rows, options)?;
    if summary.interrupted {
        return Err(Error::interrupted());
    }
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *table))
}

/// The features asked for, or the usual ones that there are.
fn chosen(asked: &[String], there: &[String]) -> Result<Vec<String>> {
    if asked.is_empty() {
        let usual = defaults::FEATURES.iter().map(|name| (*name).to_owned());
        return Ok(usual.filter(|name| there.contains(name)).collect());
    }
    if let [all] = asked
        && all == "all"
    {
        return Ok(there.to_vec());
    }
    match asked.iter().find(|name| !there.contains(name)) {
        Some(name) => Err(Error::usage(format!("there is no feature {name}"))
            .advise(format!("there are {}", there.join(", ")))),
        None => Ok(asked.to_vec()),
    }
}

/// Takes the pipeline's rows, which come in the order of the recording.
struct TableSink {
    table: Arc<Mutex<Table>>,
    until: Option<i64>,
}

impl Sink for TableSink {
    fn write(&mut self, batch: &Batch) -> Result<()> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).add(&batch.rows, self.until)
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
