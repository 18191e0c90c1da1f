//! Parquet and Arrow IPC against rows in memory: every conversion, every batch size, every way
//! in, and bytes that somebody has damaged.

mod convert;
mod damage;
mod open;

use std::sync::Arc;

use ::arrow::array::*;
use ::arrow::compute::concat_batches;
use ::arrow::datatypes::{DataType, Schema, TimeUnit};
use ::arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::properties::WriterProperties;

use super::*;
use crate::source::memory::{MemoryBlocks, MemoryRandom};

/// `count` payments, none of them like another.
fn payments(count: usize) -> RecordBatch {
    let numbers = || (0..count as i64).map(|n| n.wrapping_mul(-7_046_029_254_386_353_131) >> 20);
    let ts: TimestampMicrosecondArray = (0..count as i64).map(|n| Some(n * 1_000)).collect();
    let amounts: Decimal128Array =
        numbers().map(|n| Some(i128::from(n.rem_euclid(1_000_000)))).collect();
    let countries = ["CH", "DE", "FR", "IT", "ÅL"];
    let country: StringArray =
        numbers().map(|n| (n % 11 != 0).then(|| countries[n.rem_euclid(5) as usize])).collect();
    let lat: Float64Array = numbers().map(|n| Some((n % 90_000) as f64 / 1000.0)).collect();
    let fraud: BooleanArray = numbers().map(|n| Some(n % 97 == 0)).collect();
    let note: StringArray = numbers().map(|n| Some(format!("note {n}"))).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("ts", Arc::new(ts) as ArrayRef, false),
        ("card", Arc::new(Int64Array::from_iter_values(numbers())), false),
        ("amount", Arc::new(amounts.with_precision_and_scale(12, 2).unwrap()), false),
        ("country", Arc::new(country), true),
        ("lat", Arc::new(lat), true),
        ("is_fraud", Arc::new(fraud), true),
        ("note", Arc::new(note), true),
    ])
    .unwrap()
}

fn parquet(rows: &[RecordBatch], group_rows: usize, compression: Compression) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_compression(compression)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows[0].schema(), Some(properties)).unwrap();
    for rows in rows {
        writer.write(rows).unwrap();
    }
    writer.into_inner().unwrap()
}

fn ipc_file(rows: &[RecordBatch], compressed: bool) -> Vec<u8> {
    let compression = compressed.then_some(::arrow::ipc::CompressionType::LZ4_FRAME);
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer =
        FileWriter::try_new_with_options(Vec::new(), &rows[0].schema(), options).unwrap();
    for rows in rows {
        writer.write(rows).unwrap();
    }
    writer.into_inner().unwrap()
}

fn ipc_stream(rows: &[RecordBatch]) -> Vec<u8> {
    ipc_stream_of(rows, false)
}

fn ipc_stream_of(rows: &[RecordBatch], compressed: bool) -> Vec<u8> {
    let compression = compressed.then_some(::arrow::ipc::CompressionType::ZSTD);
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer =
        StreamWriter::try_new_with_options(Vec::new(), &rows[0].schema(), options).unwrap();
    for rows in rows {
        writer.write(rows).unwrap();
    }
    writer.into_inner().unwrap()
}

/// A decoder of each kind for the same rows.
fn decoders(rows: &[RecordBatch], options: &DecodeOptions) -> Vec<Result<Box<dyn Decoder>>> {
    vec![
        parquet_decoder(parquet(rows, 1000, Compression::SNAPPY), options),
        file_decoder(ipc_file(rows, false), options),
        file_decoder(ipc_file(rows, true), options),
        stream_decoder(ipc_stream(rows), options),
        stream_decoder(ipc_stream_of(rows, true), options),
    ]
}

fn parquet_decoder(bytes: Vec<u8>, options: &DecodeOptions) -> Result<Box<dyn Decoder>> {
    let input = Arc::new(MemoryRandom::new("p.parquet", bytes));
    Ok(Box::new(ParquetDecoder::new(input, options)?))
}

fn file_decoder(bytes: Vec<u8>, options: &DecodeOptions) -> Result<Box<dyn Decoder>> {
    let input = Arc::new(MemoryRandom::new("p.arrow", bytes));
    Ok(Box::new(IpcDecoder::file(input, options)?))
}

fn stream_decoder(bytes: Vec<u8>, options: &DecodeOptions) -> Result<Box<dyn Decoder>> {
    let input = Box::new(MemoryBlocks::new("p.arrows", bytes, 997));
    Ok(Box::new(IpcDecoder::stream(input, options)?))
}

fn request(name: &str, data_type: Option<DataType>) -> ColumnRequest {
    ColumnRequest { name: name.to_owned(), data_type, required: true }
}

fn columns(columns: Vec<ColumnRequest>) -> DecodeOptions {
    DecodeOptions { columns: Some(columns), ..DecodeOptions::default() }
}

/// All rows and all rejects; checks that no batch is too large.
fn drain(decoder: &mut dyn Decoder, batch_rows: usize) -> Result<(RecordBatch, Vec<DeadLetter>)> {
    let schema = decoder.schema();
    let (mut batches, mut rejects) = (Vec::new(), Vec::new());
    while let Some(decoded) = decoder.next_batch()? {
        assert!(decoded.rows.num_rows() <= batch_rows);
        assert_eq!(decoded.rows.schema(), schema);
        batches.push(decoded.rows);
        rejects.extend(decoded.rejects);
    }
    assert!(decoder.next_batch()?.is_none());
    let rows = if schema.fields().is_empty() {
        let count = batches.iter().map(RecordBatch::num_rows).sum();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(schema, vec![], &options)?
    } else {
        concat_batches(&schema, &batches)?
    };
    Ok((rows, rejects))
}

#[test]
fn all_columns_come_back_in_batches_of_any_size() {
    let rows = payments(5003);
    let parts = [rows.slice(0, 2500), rows.slice(2500, 0), rows.slice(2500, 2503)];
    for batch_rows in [1, 7, 999, 4096, 100_000] {
        let options = DecodeOptions { batch_rows, ..DecodeOptions::default() };
        for decoder in decoders(&parts, &options) {
            let mut decoder = decoder.unwrap();
            let (back, rejects) = drain(&mut *decoder, batch_rows).unwrap();
            assert_eq!(back, rows);
            assert!(rejects.is_empty());
            let (read, of) = decoder.progress();
            assert!(read > 0 && of.is_none_or(|of| read <= of + 4096), "{read} of {of:?}");
        }
    }
}

#[test]
fn columns_come_in_the_order_asked_for() {
    let rows = payments(100);
    let mut asked = columns(vec![
        request("note", None),
        request("ts", None),
        request("lat", Some(DataType::Float64)),
    ]);
    asked
        .columns
        .as_mut()
        .unwrap()
        .insert(1, ColumnRequest { name: "fraud_kind".into(), data_type: None, required: false });
    for decoder in decoders(std::slice::from_ref(&rows), &asked) {
        let (back, _) = drain(&mut *decoder.unwrap(), 4096).unwrap();
        assert_eq!(back, rows.project(&[6, 0, 4]).unwrap());
    }
}

#[test]
fn no_rows_and_no_columns_are_fine() {
    let none = [payments(0)];
    for decoder in decoders(&none, &DecodeOptions::default()) {
        let (back, _) = drain(&mut *decoder.unwrap(), 4096).unwrap();
        assert_eq!((back.num_rows(), back.num_columns()), (0, 7));
    }
    for decoder in decoders(&[payments(77)], &columns(vec![])) {
        let (back, _) = drain(&mut *decoder.unwrap(), 4096).unwrap();
        assert_eq!((back.num_rows(), back.num_columns()), (77, 0));
    }
}

#[test]
fn large_row_groups_and_pages_go_through_the_windows() {
    let rows = payments(120_000);
    let expected = rows.project(&[1, 6, 3]).unwrap();
    let asked =
        columns(vec![request("card", None), request("note", None), request("country", None)]);
    for (group_rows, compression) in [
        (1_000_000, Compression::UNCOMPRESSED),
        (50_001, Compression::SNAPPY),
        (120_000, Compression::ZSTD(Default::default())),
        (9_000, Compression::LZ4_RAW),
    ] {
        let file = parquet(std::slice::from_ref(&rows), group_rows, compression);
        let mut decoder = parquet_decoder(file, &asked).unwrap();
        let (back, _) = drain(&mut *decoder, 4096).unwrap();
        assert_eq!(back, expected, "{group_rows} {compression:?}");
    }
}

#[test]
fn a_plan_that_does_not_fit_ends_before_the_first_row() {
    let rows = [payments(10)];
    for (asked, words) in [
        (vec![request("amont", None)], "no column \"amont\"\n  help: the file has: ts, card,"),
        (vec![request("ts", None), request("ts", None)], "column \"ts\" is there twice"),
        (
            vec![request("country", Some(DataType::Int64))],
            "column \"country\" is Utf8, but Int64 is needed",
        ),
        (
            vec![request("lat", Some(DataType::Timestamp(TimeUnit::Second, None)))],
            "column \"lat\" is Float64, but Timestamp(s) is needed",
        ),
    ] {
        for decoder in decoders(&rows, &columns(asked.clone())) {
            let error = decoder.map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Run);
            let error = error.to_string();
            assert!(error.starts_with("p.") && error.contains(words), "{error}");
        }
    }
    let twice = Schema::new([0, 1, 0].map(|index| rows[0].schema().field(index).clone()).to_vec());
    let arrays = [0, 1, 0].map(|index| rows[0].column(index).clone()).to_vec();
    let twice = RecordBatch::try_new(Arc::new(twice), arrays).unwrap();
    for decoder in decoders(std::slice::from_ref(&twice), &columns(vec![request("ts", None)])) {
        let error = decoder.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("\"ts\" is there twice"), "{error}");
    }
    for decoder in decoders(&[twice], &columns(vec![request("card", None)])) {
        assert!(drain(&mut *decoder.unwrap(), 4096).is_ok(), "the other column does not matter");
    }
}
