//! Reader of the public recording of the *Fraud Detection Handbook* (Le Borgne, Siblini,
//! Lebichot, Bontempi: "Reproducible Machine Learning for Credit Card Fraud Detection",
//! repository `Fraud-Detection-Handbook/simulated-data-raw`) as one Parquet file with the
//! columns `ts` (s, UTC), `tx_id`, `customer`, `terminal`, `amount_cents`, `fraud`, `scenario`.
//!
//! It has no places, so it is read as the [payments](crate::payments) without `country`, `lat`
//! and `lon`, in the order of the file:
//!
//! | column | from | |
//! |---|---|---|
//! | `ts` | `ts` | µs |
//! | `card` | `customer` | |
//! | `terminal` | `terminal` | |
//! | `amount` | `amount_cents` | decimal(12, 2) |
//! | `is_fraud` | `fraud` | |
//! | `fraud_kind` | `scenario` | 1 `large_amount` (over 220), 2 `compromised_terminal` (28 days), 3 `multiplied_amount` (×5 for 14 days); null otherwise |

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int32Array, Int64Array, RecordBatch,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::error::{Error, Result};
use crate::payments::{
    BATCH_ROWS, MONEY, dictionary, dictionary_type, fraud_kind_values, kind, time_field,
};

/// The columns that are read, in the order in which this reader wants them.
const COLUMNS: [&str; 6] = ["ts", "customer", "terminal", "amount_cents", "fraud", "scenario"];

/// Schema of the batches that [`read`] gives.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        time_field(),
        Field::new("card", DataType::Int64, false),
        Field::new("terminal", DataType::Int64, false),
        Field::new("amount", MONEY, false),
        Field::new("is_fraud", DataType::Boolean, false),
        Field::new("fraud_kind", dictionary_type(), true),
    ]))
}

/// Whether a file with this schema is the Handbook's recording.
pub fn is_handbook(schema: &Schema) -> bool {
    COLUMNS.iter().chain(&["tx_id"]).all(|name| schema.column_with_name(name).is_some())
}

/// Number of rows of the recording at `path`.
///
/// # Errors
/// When the file cannot be read or is not the Handbook's recording.
pub fn rows(path: &Path) -> Result<u64> {
    Ok(open(path)?.metadata().file_metadata().num_rows().max(0) as u64)
}

/// The recording at `path`, as batches of [`schema`] in the order of the file.
///
/// # Errors
/// When the file cannot be read or is not the Handbook's recording; the iterator gives an error
/// when the file turns out to be broken further on, and ends there.
pub fn read(path: &Path) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    let builder = open(path)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), COLUMNS);
    let reader = builder
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| Error::file("read", path, error))?;
    Ok(Batches { reader: Some(reader), path: path.to_path_buf(), kinds: fraud_kind_values() })
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(|error| Error::file("open", path, error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| Error::file("read", path, error))?;
    if !is_handbook(builder.schema()) {
        let reason = format!(
            "it is not the Fraud Detection Handbook's recording: its columns should be tx_id, {}",
            COLUMNS.join(", ")
        );
        return Err(Error::file("read", path, reason));
    }
    Ok(builder)
}

struct Batches {
    /// `None` after an error.
    reader: Option<ParquetRecordBatchReader>,
    path: PathBuf,
    kinds: ArrayRef,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.as_mut()?.next()?;
        let batch = batch
            .map_err(|error| error.to_string())
            .and_then(|batch| to_payments(&batch, &self.kinds))
            .map_err(|reason| Error::file("read", &self.path, reason));
        if batch.is_err() {
            self.reader = None;
        }
        Some(batch)
    }
}

fn to_payments(batch: &RecordBatch, kinds: &ArrayRef) -> Result<RecordBatch, String> {
    let [ts, customer, terminal, cents, fraud, scenario] = COLUMNS;
    let amounts: Decimal128Array =
        integers(batch, cents)?.iter().map(|cents| cents.map(i128::from)).collect();
    let scenarios = integers(batch, scenario)?;
    let keys: Int32Array = scenarios.iter().map(|scenario| kind_key(scenario?)).collect();
    let columns: Vec<ArrayRef> = vec![
        times(batch, ts)?,
        Arc::new(integers(batch, customer)?),
        Arc::new(integers(batch, terminal)?),
        Arc::new(amounts.with_data_type(MONEY)),
        cast(column(batch, fraud)?, &DataType::Boolean).map_err(|error| error.to_string())?,
        dictionary(keys, kinds),
    ];
    RecordBatch::try_new(schema(), columns).map_err(|error| error.to_string())
}

/// The kind of fraud of a scenario of the Handbook.
fn kind_key(scenario: i64) -> Option<i32> {
    match scenario {
        1 => Some(i32::from(kind::LARGE_AMOUNT)),
        2 => Some(i32::from(kind::COMPROMISED_TERMINAL)),
        3 => Some(i32::from(kind::MULTIPLIED_AMOUNT)),
        _ => None,
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, String> {
    batch.column_by_name(name).ok_or_else(|| format!("the column {name} is missing"))
}

fn integers(batch: &RecordBatch, name: &str) -> Result<Int64Array, String> {
    let values = cast(column(batch, name)?, &DataType::Int64)
        .map_err(|error| format!("the column {name}: {error}"))?;
    Ok(values.as_primitive::<Int64Type>().clone())
}

/// Times in µs; integers are seconds.
fn times(batch: &RecordBatch, name: &str) -> Result<ArrayRef, String> {
    let values = column(batch, name)?;
    if values.data_type().is_integer() {
        let times: TimestampMicrosecondArray = integers(batch, name)?
            .iter()
            .map(|s| s.and_then(|s| s.checked_mul(1_000_000)))
            .collect();
        return Ok(Arc::new(times.with_timezone("UTC")));
    }
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    cast(values, &micros).map_err(|error| format!("the column {name}: {error}"))
}
