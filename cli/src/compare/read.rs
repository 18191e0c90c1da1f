//! Alerts of a run: NDJSON, Parquet or Arrow with the columns `partition` and `offset`, and
//! where there are any `ts`, `score`, `challenger_score`, `reasons`, `is_fraud`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use pelton::decode::{self, ColumnRequest, DecodeOptions, Decoder};
use pelton::source::SourceOptions;
use pelton::{Error, Result};
use serde_json::Value;

use crate::report::{ALL_KINDS, FraudReport};

/// What a replay calls its alerts.
const ALERT_FILES: [&str; 3] = ["alerts.ndjson", "alerts.parquet", "alerts.arrow"];

/// The reason of an alert that no rule raised.
pub const SCORE_ALONE: &str = "score alone";

/// Where a row stands in the recording.
pub type Place = (i64, i64);

/// One alert.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alert {
    /// Event time, µs since 1970.
    pub time_us: Option<i64>,
    /// The score that decided.
    pub score: Option<f64>,
    /// The challenger's.
    pub challenger_score: Option<f64>,
    /// Rules that held, sorted; [`SCORE_ALONE`] where there is none.
    pub reasons: Vec<String>,
    /// The label.
    pub is_fraud: Option<bool>,
}

/// The alerts of a run.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// The file of alerts.
    pub path: PathBuf,
    /// By place in the recording.
    pub alerts: BTreeMap<Place, Alert>,
    /// The report beside the alerts, where there is one.
    pub report: Option<FraudReport>,
}

impl Run {
    /// Reads a file of alerts, or the folder that a replay wrote.
    ///
    /// # Errors
    /// When there is none, or it is no output of alerts.
    pub fn read(path: &Path) -> Result<Self> {
        let file = match path.is_dir() {
            true => in_folder(path)?,
            false => path.to_owned(),
        };
        let report = file.parent().map(|folder| folder.join("report.json"));
        let mut run = Self {
            // A report that is none of ours, or damaged, says nothing: recall is then unknown.
            report: report
                .and_then(|report| std::fs::read(report).ok())
                .and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            path: file,
            alerts: BTreeMap::new(),
        };
        let mut decoder = open(&run.path, &requests())?;
        while let Some(rows) = next(&mut *decoder, &run.path)? {
            run.add(&rows)?;
        }
        Ok(run)
    }

    /// Labelled frauds in the whole recording, as the report beside the alerts says.
    pub fn frauds_in_all(&self) -> Option<u64> {
        let all = self.report.as_ref()?.quality.get(ALL_KINDS)?;
        Some(all.labelled)
    }

    fn add(&mut self, rows: &RecordBatch) -> Result<()> {
        let [partitions, offsets] = ["partition", "offset"].map(|name| rows.column_by_name(name));
        let reasons = rows.column_by_name("reasons").and_then(|c| c.as_string_opt::<i32>());
        let labels = rows.column_by_name("is_fraud").and_then(|c| c.as_boolean_opt());
        for row in 0..rows.num_rows() {
            let (Some(partition), Some(offset)) =
                (value::<Int64Type>(partitions, row), value::<Int64Type>(offsets, row))
            else {
                return Err(self.wrong("an alert has no place (partition and offset)"));
            };
            let reasons = reasons.filter(|reasons| reasons.is_valid(row));
            let alert = Alert {
                time_us: value::<TimestampMicrosecondType>(rows.column_by_name("ts"), row),
                score: value::<Float64Type>(rows.column_by_name("score"), row),
                challenger_score: value::<Float64Type>(
                    rows.column_by_name("challenger_score"),
                    row,
                ),
                reasons: match reasons {
                    Some(text) => rules(text.value(row))
                        .ok_or_else(|| self.wrong("the reasons of an alert are no JSON"))?,
                    None => vec![SCORE_ALONE.to_owned()],
                },
                is_fraud: labels.filter(|l| l.is_valid(row)).map(|labels| labels.value(row)),
            };
            if self.alerts.insert((partition, offset), alert).is_some() {
                let what = format!("two alerts stand at partition {partition}, offset {offset}");
                return Err(self.wrong(&what));
            }
        }
        Ok(())
    }

    fn wrong(&self, what: &str) -> Error {
        Error::run(what)
            .at(self.path.display().to_string())
            .advise("give the alerts of one replay as they were written")
    }
}

/// How many rows of a recording are labelled as frauds.
///
/// # Errors
/// When it cannot be read or has no column `is_fraud`.
pub fn frauds_in(path: &Path) -> Result<u64> {
    let request = ColumnRequest {
        name: "is_fraud".into(),
        data_type: Some(DataType::Boolean),
        required: true,
    };
    let mut decoder = open(path, &[request])?;
    let mut frauds = 0;
    // A row that cannot be read was no alert either.
    while let Some(decoded) = decoder.next_batch()? {
        let labels = decoded.rows.column(0).as_boolean_opt();
        frauds += labels.map_or(0, |labels| labels.iter().flatten().filter(|l| *l).count() as u64);
    }
    Ok(frauds)
}

fn in_folder(folder: &Path) -> Result<PathBuf> {
    let files = ALERT_FILES.map(|name| folder.join(name));
    files.into_iter().find(|file| file.is_file()).ok_or_else(|| {
        Error::run(format!("there are no alerts in {}", folder.display()))
            .advise(format!("name the file of alerts; a replay writes {}", ALERT_FILES[0]))
    })
}

fn requests() -> Vec<ColumnRequest> {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let column = |name: &str, data_type: DataType, required: bool| ColumnRequest {
        name: name.to_owned(),
        data_type: Some(data_type),
        required,
    };
    vec![
        column("partition", DataType::Int64, true),
        column("offset", DataType::Int64, true),
        column("ts", time, false),
        column("score", DataType::Float64, false),
        column("challenger_score", DataType::Float64, false),
        column("reasons", DataType::Utf8, false),
        column("is_fraud", DataType::Boolean, false),
    ]
}

fn open(path: &Path, requests: &[ColumnRequest]) -> Result<Box<dyn Decoder>> {
    let name = path.to_str().ok_or_else(|| {
        Error::usage(format!("{} is not valid UTF-8", path.display())).advise("rename the file")
    })?;
    let options = DecodeOptions { columns: Some(requests.to_vec()), ..DecodeOptions::default() };
    decode::open(name, None, &options, &SourceOptions::default())
}

/// The next rows; a row that is no alert is an error here.
fn next(decoder: &mut dyn Decoder, path: &Path) -> Result<Option<RecordBatch>> {
    let Some(decoded) = decoder.next_batch()? else { return Ok(None) };
    if let Some(letter) = decoded.rejects.first() {
        let place = format!("{}, line {}", path.display(), letter.line);
        return Err(Error::run(format!("this is no alert: {}", letter.reason))
            .at(place)
            .advise("give the alerts of a replay as they were written"));
    }
    Ok(Some(decoded.rows))
}

fn value<T: ArrowPrimitiveType>(column: Option<&ArrayRef>, row: usize) -> Option<T::Native> {
    let column = column?.as_primitive_opt::<T>()?;
    column.is_valid(row).then(|| column.value(row))
}

/// The names of the rules that held, sorted.
fn rules(reasons: &str) -> Option<Vec<String>> {
    let reasons: Value = serde_json::from_str(reasons).ok()?;
    let rules = reasons.get("rules").and_then(Value::as_array);
    let name = |rule: &Value| rule.get("rule").and_then(Value::as_str).map(str::to_owned);
    let mut names: Vec<String> = rules.into_iter().flatten().filter_map(name).collect();
    names.sort_unstable();
    if names.is_empty() {
        names.push(SCORE_ALONE.to_owned());
    }
    Some(names)
}
