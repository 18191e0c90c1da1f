//! Rows that are watched on their way out.

use std::collections::HashSet;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema, SchemaRef, TimeUnit, UInt64Type};
use pelton::batch::Batch;
use pelton::operator::Rows;
use pelton::sink::NdJsonEncoder;
use pelton::state::keys::KeyIndex;
use pelton::{Error, Result};
use serde_json::Value;

use super::added;
use super::incidents::{Alert, Incidents};
use super::labels::Labels;
use super::series::Curves;
use crate::args::DetectArgs;

/// Where what is watched stands in the rows.
#[derive(Debug, Default)]
pub(super) struct Columns {
    keys: Vec<usize>,
    key_types: Vec<DataType>,
    pub(super) values: Vec<(String, usize)>,
    score: usize,
    probability: usize,
    flag: usize,
    warming_up: usize,
    alert: usize,
    incident: usize,
    /// Of each value, where its contribution is a column.
    contributions: Vec<usize>,
    label: Option<usize>,
    /// Unit of the event times.
    unit: Option<TimeUnit>,
}

impl Columns {
    /// # Errors
    /// When a column is missing, or the label is nothing that can be true or false.
    pub(super) fn new(
        args: &DetectArgs,
        schema: &SchemaRef,
        time: &str,
        unit: Option<TimeUnit>,
    ) -> Result<Self> {
        let find = |name: &str| -> Result<usize> {
            schema.index_of(name).map_err(|_| Error::usage(format!("there is no column {name}")))
        };
        let keys = args.key.iter().map(|key| find(key)).collect::<Result<Vec<_>>>()?;
        let value = |name: &String| Ok((name.clone(), find(name)?));
        let label = args.label.as_deref().map(find).transpose()?;
        if let Some(at) = label {
            let data_type = schema.field(at).data_type();
            let is_number = data_type.is_integer() || data_type.is_floating();
            let is_text = matches!(data_type, DataType::Utf8 | DataType::LargeUtf8);
            if !(is_number || is_text || *data_type == DataType::Boolean) {
                return Err(Error::usage(format!(
                    "--label {}: {data_type} is no label",
                    args.label.as_deref().unwrap_or_default()
                ))
                .advise("name a column of true and false, or 1 and 0"));
            }
        }
        let contribution =
            |name: &String| schema.index_of(&added(args, &format!("contribution_{name}"))).ok();
        let own_unit = match schema.field(find(time)?).data_type() {
            DataType::Timestamp(unit, _) => Some(*unit),
            _ => unit,
        };
        Ok(Self {
            key_types: keys.iter().map(|&key| schema.field(key).data_type().clone()).collect(),
            keys,
            values: args.value.iter().map(value).collect::<Result<_>>()?,
            score: find(&added(args, "score"))?,
            probability: find(&added(args, "probability"))?,
            flag: find(&added(args, "flag"))?,
            warming_up: find(&added(args, "warming_up"))?,
            alert: find(&added(args, "alert"))?,
            incident: find(&added(args, "incident"))?,
            contributions: args.value.iter().filter_map(contribution).collect(),
            label,
            unit: own_unit,
        })
    }

    /// An event time in microseconds since 1970.
    pub(super) fn micros(&self, time: i64) -> i64 {
        match self.unit {
            Some(TimeUnit::Second) => time.saturating_mul(1_000_000),
            Some(TimeUnit::Millisecond) => time.saturating_mul(1_000),
            Some(TimeUnit::Nanosecond) => time.div_euclid(1_000),
            Some(TimeUnit::Microsecond) | None => time,
        }
    }
}

/// A key, for people and as JSON.
#[derive(Debug, Clone)]
pub(super) struct KeyName {
    pub(super) text: String,
    pub(super) json: Value,
}

/// A row that is watched.
#[derive(Debug, Clone)]
pub(super) struct Seen<'a> {
    pub(super) key: usize,
    pub(super) time: i64,
    pub(super) values: &'a [f64],
    pub(super) contributions: &'a [f64],
    pub(super) score: Option<f64>,
    pub(super) probability: Option<f64>,
    pub(super) flag: bool,
    pub(super) alert: bool,
    pub(super) incident: Option<u64>,
    pub(super) label: Option<bool>,
}

/// Rows by what the detector said of them.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counted {
    pub(super) flagged: u64,
    pub(super) warming_up: u64,
    pub(super) missing: u64,
}

/// What is gathered while rows go out.
#[derive(Default)]
pub(super) struct Watch {
    columns: Columns,
    index: Option<KeyIndex>,
    keys: Vec<KeyName>,
    counted: Counted,
    incidents: Incidents,
    labels: Option<Labels>,
    curves: Option<Curves>,
    ids: Vec<u32>,
}

/// What was gathered.
pub(super) struct Found {
    pub(super) columns: Columns,
    pub(super) keys: Vec<KeyName>,
    pub(super) counted: Counted,
    /// Incidents, alerted or not.
    pub(super) incidents: u64,
    /// In the order in which their incidents began.
    pub(super) alerts: Vec<Alert>,
    pub(super) labels: Option<Labels>,
    pub(super) curves: Option<Curves>,
}

impl Watch {
    pub(super) fn new(columns: Columns, draws: bool) -> Result<Self> {
        Ok(Self {
            index: Some(KeyIndex::new(&columns.key_types)?),
            labels: columns.label.map(|_| Labels::default()),
            curves: draws.then(Curves::default),
            columns,
            ..Self::default()
        })
    }

    /// Takes rows in.
    pub(super) fn see(&mut self, batch: &Batch) -> Result<()> {
        let Some(times) = batch.times.as_ref().filter(|_| !batch.is_empty()) else {
            return Ok(());
        };
        self.look_up(&batch.rows)?;
        let read = Read::new(&self.columns, &batch.rows)?;
        let width = read.values.len();
        let (mut values, mut contributions) = (vec![0.0; width], vec![0.0; width]);
        let explains = read.contributions.len() == width;
        for row in 0..batch.len() {
            for (value, column) in values.iter_mut().zip(&read.values) {
                *value = if column.is_valid(row) { column.value(row) } else { f64::NAN };
            }
            for (part, column) in contributions.iter_mut().zip(&read.contributions) {
                *part = column.value(row);
            }
            let optional = |column: &Float64Array| column.is_valid(row).then(|| column.value(row));
            let seen = Seen {
                key: self.ids[row] as usize,
                time: times.time[row],
                values: &values,
                contributions: if explains { &contributions } else { &[] },
                score: optional(&read.score),
                probability: optional(&read.probability),
                flag: read.flag.value(row),
                alert: read.alert.value(row),
                incident: read.incident.is_valid(row).then(|| read.incident.value(row)),
                label: read
                    .label
                    .as_ref()
                    .and_then(|label| label.is_valid(row).then(|| label.value(row))),
            };
            self.counted.flagged += u64::from(seen.flag);
            self.counted.warming_up += u64::from(read.warming_up.value(row));
            self.counted.missing += u64::from(seen.score.is_none());
            self.incidents.see(&seen);
            if let Some(labels) = &mut self.labels {
                labels.see(&seen);
            }
            if let Some(curves) = &mut self.curves {
                curves.see(&seen, self.columns.micros(seen.time));
            }
        }
        Ok(())
    }

    /// The ids of the rows' keys; new ones get their names.
    fn look_up(&mut self, rows: &RecordBatch) -> Result<()> {
        let Some(index) = &mut self.index else { return Ok(()) };
        let arrays: Vec<ArrayRef> =
            self.columns.keys.iter().map(|&key| rows.column(key).clone()).collect();
        index.ids(&arrays, Rows::All(rows.num_rows()), &mut self.ids)?;
        for row in 0..rows.num_rows() {
            if self.ids[row] as usize == self.keys.len() {
                let own = rows.slice(row, 1).project(&self.columns.keys)?;
                self.keys.push(key_name(&own)?);
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Found {
        let names: Vec<&str> = self.columns.values.iter().map(|(name, _)| name.as_str()).collect();
        let (incidents, alerts) = self.incidents.finish(&self.keys, &names);
        let told: HashSet<u64> = alerts.iter().map(|alert| alert.incident).collect();
        let labels = self.labels.map(|labels| labels.finish(|number| told.contains(&number)));
        Found {
            keys: self.keys,
            counted: self.counted,
            incidents,
            labels,
            curves: self.curves,
            columns: self.columns,
            alerts,
        }
    }
}

/// The columns of a batch, each looked at once.
struct Read {
    values: Vec<Float64Array>,
    contributions: Vec<Float64Array>,
    score: Float64Array,
    probability: Float64Array,
    flag: BooleanArray,
    warming_up: BooleanArray,
    alert: BooleanArray,
    incident: UInt64Array,
    label: Option<BooleanArray>,
}

impl Read {
    fn new(columns: &Columns, rows: &RecordBatch) -> Result<Self> {
        let float = |at: usize| -> Result<Float64Array> {
            let column = cast(rows.column(at), &DataType::Float64)?;
            Ok(column.as_primitive::<Float64Type>().clone())
        };
        let boolean = |at: usize| -> Result<BooleanArray> {
            Ok(cast(rows.column(at), &DataType::Boolean)?.as_boolean().clone())
        };
        Ok(Self {
            values: columns.values.iter().map(|(_, at)| float(*at)).collect::<Result<_>>()?,
            contributions: columns
                .contributions
                .iter()
                .map(|&at| float(at))
                .collect::<Result<_>>()?,
            score: float(columns.score)?,
            probability: float(columns.probability)?,
            flag: boolean(columns.flag)?,
            warming_up: boolean(columns.warming_up)?,
            alert: boolean(columns.alert)?,
            incident: rows.column(columns.incident).as_primitive::<UInt64Type>().clone(),
            label: columns.label.map(boolean).transpose()?,
        })
    }
}

/// The name of the key of one row.
fn key_name(row: &RecordBatch) -> Result<KeyName> {
    if row.num_columns() == 0 {
        return Ok(KeyName { text: String::new(), json: Value::Object(serde_json::Map::new()) });
    }
    let schema: SchemaRef = Schema::clone(&row.schema()).into();
    let mut bytes = Vec::new();
    NdJsonEncoder::new(&schema).encode(row, &mut bytes)?;
    let json: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Error::run(format!("cannot write a key as JSON: {error}")))?;
    let part = |field: &arrow::datatypes::FieldRef| {
        let value = &json[field.name()];
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{} {shown}", field.name())
    };
    let parts: Vec<String> = schema.fields().iter().map(part).collect();
    Ok(KeyName { text: parts.join(", "), json })
}
