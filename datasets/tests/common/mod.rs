//! Rows as plain values: what every format is compared by.
#![allow(dead_code)] // each test crate uses its part

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{
    Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use pelton_datasets::payments::{Payments, PaymentsConfig};

/// One payment.
#[derive(Debug, Clone, PartialEq)]
pub struct Payment {
    pub ts_us: i64,
    pub card: i64,
    pub terminal: i64,
    pub cents: i64,
    pub country: String,
    pub lat: f64,
    pub lon: f64,
    pub is_fraud: bool,
    pub kind: Option<String>,
}

impl Payment {
    pub fn place(&self) -> (f64, f64) {
        (self.lat, self.lon)
    }

    pub fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }
}

/// The rows of a batch of the payments' schema.
pub fn rows_of(batch: &RecordBatch) -> Vec<Payment> {
    let ts = batch.column(0).as_primitive::<TimestampMicrosecondType>();
    let card = batch.column(1).as_primitive::<Int64Type>();
    let terminal = batch.column(2).as_primitive::<Int64Type>();
    let amount = batch.column(3).as_primitive::<Decimal128Type>();
    let lat = batch.column(5).as_primitive::<Float64Type>();
    let lon = batch.column(6).as_primitive::<Float64Type>();
    let is_fraud = batch.column(7).as_boolean();
    let text = |column: usize, row: usize| {
        let column = batch.column(column).as_dictionary::<Int32Type>();
        let values = column.values().as_string::<i32>();
        column.key(row).map(|key| values.value(key).to_string())
    };
    (0..batch.num_rows())
        .map(|row| Payment {
            ts_us: ts.value(row),
            card: card.value(row),
            terminal: terminal.value(row),
            cents: amount.value(row) as i64,
            country: text(4, row).expect("a country"),
            lat: lat.value(row),
            lon: lon.value(row),
            is_fraud: is_fraud.value(row),
            kind: text(8, row),
        })
        .collect()
}

/// All rows of a recording.
pub fn generate(config: PaymentsConfig) -> Vec<Payment> {
    Payments::new(config).expect("a configuration").flat_map(|batch| rows_of(&batch)).collect()
}
