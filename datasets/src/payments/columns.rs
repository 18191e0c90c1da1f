//! Rows to Arrow columns.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit};

use super::config::START_US;
use super::frauds::{FRAUD_KINDS, kind};
use super::rows::Row;
use super::world::{World, country_table};

/// Money: twelve digits, two of them after the point.
pub(crate) const MONEY: DataType = DataType::Decimal128(12, 2);

/// Schema of the payments. The columns and their units are described at
/// [`payments`](super).
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        time_field(),
        Field::new("card", DataType::Int64, false),
        Field::new("terminal", DataType::Int64, false),
        Field::new("amount", MONEY, false),
        Field::new("country", dictionary_type(), false),
        Field::new("lat", DataType::Float64, false),
        Field::new("lon", DataType::Float64, false),
        Field::new("is_fraud", DataType::Boolean, false),
        Field::new("fraud_kind", dictionary_type(), true),
    ]))
}

/// The event time of payments.
pub(crate) fn time_field() -> Field {
    Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false)
}

/// Few different texts.
pub(crate) fn dictionary_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// Names of the kinds of fraud, as the values of a dictionary.
pub(crate) fn fraud_kind_values() -> ArrayRef {
    Arc::new(StringArray::from_iter_values(FRAUD_KINDS))
}

/// Builds batches; the dictionaries are shared by all of them.
#[derive(Debug)]
pub(crate) struct Columns {
    schema: SchemaRef,
    country_of_city: Vec<i32>,
    countries: ArrayRef,
    kinds: ArrayRef,
}

impl Columns {
    pub(crate) fn new() -> Self {
        let (names, country_of_city) = country_table();
        Self {
            schema: schema(),
            country_of_city,
            countries: Arc::new(StringArray::from_iter_values(names)),
            kinds: fraud_kind_values(),
        }
    }

    /// The rows as a batch of [`schema`].
    pub(crate) fn batch(&self, rows: &[Row], world: &World) -> RecordBatch {
        let place = |row: &Row| &world.terminals[row.terminal as usize];
        let degrees = |e5: i32| f64::from(e5) / 1e5;
        let times = rows.iter().map(|row| START_US + row.ts_us);
        let countries: Int32Array =
            rows.iter().map(|row| self.country_of_city[usize::from(place(row).city)]).collect();
        let kinds: Int32Array = rows
            .iter()
            .map(|row| (row.kind != kind::GENUINE).then_some(i32::from(row.kind)))
            .collect();
        let amounts =
            Decimal128Array::from_iter_values(rows.iter().map(|row| i128::from(row.cents)));
        let ids = |id: fn(&Row) -> u32| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| i64::from(id(row)))))
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
            ids(|row| row.card),
            ids(|row| row.terminal),
            Arc::new(amounts.with_data_type(MONEY)),
            dictionary(countries, &self.countries),
            Arc::new(Float64Array::from_iter_values(
                rows.iter().map(|row| degrees(place(row).lat_e5)),
            )),
            Arc::new(Float64Array::from_iter_values(
                rows.iter().map(|row| degrees(place(row).lon_e5)),
            )),
            Arc::new(BooleanArray::from_iter(
                rows.iter().map(|row| Some(row.kind != kind::GENUINE)),
            )),
            dictionary(kinds, &self.kinds),
        ];
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .expect("the columns are built after the schema")
    }
}

/// A dictionary column of keys that lie within `values`.
pub(crate) fn dictionary(keys: Int32Array, values: &ArrayRef) -> ArrayRef {
    let column = DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(values));
    Arc::new(column.expect("every key has its value"))
}
