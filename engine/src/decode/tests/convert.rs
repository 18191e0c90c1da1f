//! Every supported change of type, with the values that fit and those that do not.

use ::arrow::array::types::{Int8Type, Int32Type, UInt16Type};
use ::arrow::compute::cast;
use DataType::*;

use super::*;

fn decimals(values: Vec<Option<i128>>, precision: u8, scale: i8) -> ArrayRef {
    let values = Decimal128Array::from(values);
    Arc::new(values.with_precision_and_scale(precision, scale).unwrap())
}

/// Decodes `source` as `to` in every format; checks that just the rows `lost` are rejected, and
/// that the others are what `kept` says.
fn check(source: ArrayRef, to: &DataType, kept: &ArrayRef, lost: &[u64]) {
    let from = source.data_type().clone();
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("row", Arc::new(Int64Array::from_iter_values(0..source.len() as i64)) as ArrayRef, false),
        ("x", source, true),
    ])
    .unwrap();
    for batch_rows in [1, 4096] {
        let asked = vec![request("x", Some(to.clone())), request("row", None)];
        let asked = DecodeOptions { batch_rows, ..columns(asked) };
        let decoders: Vec<Result<Box<dyn Decoder>>> = match &from {
            // The Parquet writer has no form for these.
            Timestamp(..) | Null | Decimal256(..) => vec![
                file_decoder(ipc_file(std::slice::from_ref(&rows), false), &asked),
                stream_decoder(ipc_stream(std::slice::from_ref(&rows)), &asked),
            ],
            _ => decoders(std::slice::from_ref(&rows), &asked),
        };
        for decoder in decoders {
            let mut decoder = decoder.unwrap();
            assert_eq!(decoder.schema().field(0).data_type(), to, "{from}");
            let (back, rejects) = drain(&mut *decoder, batch_rows).unwrap();
            let lines: Vec<u64> = rejects.iter().map(|letter| letter.line).collect();
            assert_eq!(lines, lost, "{from} to {to}: {rejects:?}");
            // Dictionaries may differ in their keys: compare what they stand for.
            let plain = |array: &ArrayRef| match to {
                Dictionary(_, values) => cast(array, values).unwrap(),
                _ => array.clone(),
            };
            assert_eq!(&plain(back.column(0)), &plain(kept), "{from} to {to}");
            for letter in rejects {
                assert_eq!(letter.column.as_deref(), Some("x"));
                let raw = String::from_utf8(letter.raw.to_vec()).unwrap();
                assert!(raw.starts_with("{\"x\":"), "{raw}");
                assert!(raw.ends_with(&format!(",\"row\":{}}}", letter.line - 1)), "{raw}");
            }
        }
    }
}

#[test]
fn integers() {
    let ints: ArrayRef = Arc::new(Int32Array::from(vec![Some(0), Some(-5), None, Some(i32::MAX)]));
    let wide: ArrayRef =
        Arc::new(Int64Array::from(vec![Some(0), Some(-5), None, Some(i64::from(i32::MAX))]));
    check(ints.clone(), &Int64, &wide, &[]);
    check(wide.clone(), &Int32, &ints, &[]);
    let kept: ArrayRef = Arc::new(UInt64Array::from(vec![Some(0), None, Some(i32::MAX as u64)]));
    check(ints.clone(), &UInt64, &kept, &[2]);
    let kept: ArrayRef = Arc::new(Int8Array::from(vec![Some(0), Some(-5), None]));
    check(wide.clone(), &Int8, &kept, &[4]);
    let kept: ArrayRef =
        Arc::new(Float64Array::from(vec![Some(0.0), Some(-5.0), None, Some(f64::from(i32::MAX))]));
    check(ints, &Float64, &kept, &[]);
    let huge: ArrayRef =
        Arc::new(Int64Array::from(vec![1 << 53, (1 << 53) + 1, i64::MAX, i64::MIN]));
    let kept: ArrayRef =
        Arc::new(Float64Array::from(vec![9_007_199_254_740_992.0, -9_223_372_036_854_775_808.0]));
    check(huge, &Float64, &kept, &[2, 3]);
    let flags: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(0), Some(2), None]));
    let kept: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]));
    check(flags, &Boolean, &kept, &[3]);
    let back: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(0), None]));
    check(kept, &Int64, &back, &[]);
}

#[test]
fn decimals_and_floats() {
    let cents = decimals(vec![Some(1250), None, Some(-5)], 12, 2);
    let finer = decimals(vec![Some(125_000), None, Some(-500)], 18, 4);
    check(cents.clone(), &Decimal128(18, 4), &finer, &[]);
    check(finer, &Decimal128(12, 2), &cents, &[]);
    let odd = decimals(vec![Some(12_345), Some(12_300), Some(i128::from(i64::MAX))], 20, 3);
    let kept = decimals(vec![Some(1230)], 12, 2);
    check(odd.clone(), &Decimal128(12, 2), &kept, &[1, 3]);
    check(
        decimals(vec![Some(99_999), Some(999)], 5, 2),
        &Decimal128(3, 2),
        &decimals(vec![Some(999)], 3, 2),
        &[1],
    );
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![Some(12), None, Some(10_000_000_000)]));
    check(ints, &Decimal128(12, 2), &decimals(vec![Some(1200), None], 12, 2), &[3]);
    let kept: ArrayRef = Arc::new(Int64Array::from(vec![Some(12)]));
    check(decimals(vec![Some(1200), Some(1250)], 12, 2), &Int64, &kept, &[2]);
    let kept: ArrayRef = Arc::new(Float64Array::from(vec![Some(12.5), None, Some(-0.05)]));
    check(cents, &Float64, &kept, &[]);
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![
        Some(57.16),
        Some(0.125),
        None,
        Some(f64::NAN),
        Some(-0.0),
        Some(f64::INFINITY),
        Some(1e300),
    ]));
    check(
        floats,
        &Decimal128(12, 2),
        &decimals(vec![Some(5716), None, Some(0)], 12, 2),
        &[2, 4, 6, 7],
    );
    let kept: ArrayRef = Arc::new(Float64Array::from(vec![0.5]));
    check(Arc::new(Float32Array::from(vec![0.5])), &Float64, &kept, &[]);
    let wide = Decimal256Array::from(vec![
        ::arrow::datatypes::i256::from_i128(1250),
        ::arrow::datatypes::i256::MAX,
    ]);
    let wide = Arc::new(wide.with_precision_and_scale(76, 2).unwrap());
    check(wide, &Decimal128(12, 2), &decimals(vec![Some(1250)], 12, 2), &[2]);
}

#[test]
fn times() {
    let us = Timestamp(TimeUnit::Microsecond, None);
    let utc = Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let values = vec![Some(1_000_000), None, Some(-2_000_000)];
    let ints: ArrayRef = Arc::new(Int64Array::from(values.clone()));
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(values.clone()));
    let in_utc: ArrayRef =
        Arc::new(TimestampMicrosecondArray::from(values.clone()).with_timezone("UTC"));
    let in_zurich: ArrayRef =
        Arc::new(TimestampMicrosecondArray::from(values).with_timezone("+02:00"));
    check(ints.clone(), &us, &times, &[]);
    check(ints, &utc, &in_utc, &[]);
    check(in_utc.clone(), &us, &times, &[]);
    check(in_zurich, &us, &times, &[]);
    check(times.clone(), &utc, &in_utc, &[]);
    let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![Some(1), None, Some(-2)]));
    check(seconds.clone(), &us, &times, &[]);
    check(times, &Timestamp(TimeUnit::Second, None), &seconds, &[]);
    let odd: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1_000_001, -1, 3_000_000]));
    let kept: ArrayRef = Arc::new(TimestampSecondArray::from(vec![3]));
    check(odd, &Timestamp(TimeUnit::Second, None), &kept, &[1, 2]);
    let far: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX / 1000, 1]));
    let kept: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1_000_000]));
    check(far, &us, &kept, &[1]);
    let small: ArrayRef = Arc::new(UInt64Array::from(vec![7, u64::MAX]));
    let kept: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![7]));
    check(small, &us, &kept, &[2]);
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![Some(1), None, Some(i32::MAX)]));
    let kept: ArrayRef =
        Arc::new(TimestampNanosecondArray::from(vec![Some(86_400_000_000_000), None]));
    check(dates, &Timestamp(TimeUnit::Nanosecond, None), &kept, &[3]);
}

#[test]
fn text_and_dictionaries() {
    let values = vec![Some("CH"), None, Some(""), Some("CH"), Some("ÅL")];
    let mut kinds: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(values.clone())),
        Arc::new(LargeStringArray::from(values.clone())),
        Arc::new(StringViewArray::from(values.clone())),
        Arc::new(values.clone().into_iter().collect::<DictionaryArray<Int32Type>>()),
        Arc::new(values.clone().into_iter().collect::<DictionaryArray<Int8Type>>()),
        Arc::new(values.into_iter().collect::<DictionaryArray<UInt16Type>>()),
    ];
    let large = Dictionary(Box::new(Int32), Box::new(LargeUtf8));
    kinds.push(cast(&kinds[0], &large).unwrap());
    for from in &kinds {
        for to in &kinds {
            check(from.clone(), to.data_type(), to, &[]);
        }
    }
    let bytes = vec![Some(&b"CH"[..]), None, Some(&b"\xff"[..])];
    for to in [Utf8, Dictionary(Box::new(Int32), Box::new(Utf8))] {
        let kept: ArrayRef = Arc::new(StringArray::from(vec![Some("CH"), None]));
        let kept = cast(&kept, &to).unwrap();
        check(Arc::new(BinaryArray::from(bytes.clone())), &to, &kept, &[3]);
        check(Arc::new(LargeBinaryArray::from(bytes.clone())), &to, &kept, &[3]);
        check(Arc::new(BinaryViewArray::from(bytes.clone())), &to, &kept, &[3]);
    }
    let numbers = Int64Array::from(vec![Some(7), None]);
    let packed = cast(&numbers, &Dictionary(Box::new(Int32), Box::new(Int64))).unwrap();
    let kept: ArrayRef = Arc::new(numbers);
    check(packed.clone(), &Int64, &kept, &[]);
    check(packed, &Int32, &cast(&kept, &Int32).unwrap(), &[]);
    let none: ArrayRef = Arc::new(Int64Array::from(vec![None, None]));
    check(Arc::new(NullArray::new(2)), &Int64, &none, &[]);
}

#[test]
fn parquet_text_wanted_as_a_dictionary_keeps_the_files_own() {
    let to = Dictionary(Box::new(Int32), Box::new(Utf8));
    let rows = payments(20_000);
    let asked = columns(vec![request("country", Some(to.clone())), request("note", Some(to))]);
    let file = parquet(std::slice::from_ref(&rows), 7_000, Compression::SNAPPY);
    let mut decoder = parquet_decoder(file, &asked).unwrap();
    let (back, _) = drain(&mut *decoder, 4096).unwrap();
    assert_eq!(&cast(back.column(0), &Utf8).unwrap(), rows.column(3));
    assert_eq!(&cast(back.column(1), &Utf8).unwrap(), rows.column(6));
}
