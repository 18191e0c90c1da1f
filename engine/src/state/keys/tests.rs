use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{Int32Type, TimeUnit, UInt8Type};
use proptest::prelude::*;

use super::table::IdTable;
use super::*;

fn ids(index: &mut KeyIndex, columns: &[ArrayRef]) -> Vec<u32> {
    let mut out = vec![99];
    index.ids(columns, Rows::All(columns[0].len()), &mut out).expect("key types");
    out
}

/// The definition: ids in the order of first appearance.
fn naive<K: std::hash::Hash + Eq>(keys: impl IntoIterator<Item = K>) -> Vec<u32> {
    let mut known = HashMap::new();
    keys.into_iter()
        .map(|key| {
            let next = known.len() as u32;
            *known.entry(key).or_insert(next)
        })
        .collect()
}

#[test]
fn regular_keys_fill_the_table_like_random_ones() {
    type Pattern = fn(u64) -> u64;
    let patterns: [(&str, Pattern); 7] = [
        ("counted from 2^20", |i| i + (1 << 20)),
        ("stride 1000", |i| i * 1000 + (1 << 30)),
        ("stride 2^32", |i| i << 32),
        ("stride 2^48", |i| i << 48),
        ("bits reversed", |i| i.reverse_bits()),
        ("negative", |i| (-(i as i64) - 1) as u64),
        ("whole floats", |i| (i as f64).to_bits()),
    ];
    for (name, key) in patterns {
        let mut table = IdTable::default();
        let keys: Vec<u64> = (0..60_000).map(key).collect();
        for (i, &key) in keys.iter().enumerate() {
            for _ in 0..2 {
                let id = table.get_or_insert(tag(key), key, &keys[..i + 1], i);
                assert_eq!(id.expect("few keys"), i as u32, "{name}");
            }
        }
        let probes: usize = keys.iter().map(|&key| table.probe(key, &keys).0).sum();
        assert!(probes < keys.len() * 11 / 10, "{name}: {probes} lines for {} keys", keys.len());
        let id = |key| table.probe(key, &keys).1;
        assert!(keys.iter().enumerate().all(|(i, &key)| id(key) == Some(i as u32)));
        assert_eq!(id(12_345_678_901), None, "{name}");
    }
}

#[test]
fn nulls_floats_and_booleans() {
    let mut index = KeyIndex::new(&[DataType::Float64]).expect("key type");
    let nan = f64::from_bits(f64::NAN.to_bits() | 1);
    let column: ArrayRef = Arc::new(Float64Array::from(vec![
        Some(0.0),
        Some(-0.0),
        None,
        Some(f64::NAN),
        Some(nan),
        Some(-f64::NAN),
        None,
        Some(f64::INFINITY),
    ]));
    assert_eq!(ids(&mut index, &[column]), [0, 0, 1, 2, 2, 2, 1, 3]);
    let back = index.key_columns(&[3, 2, 1, 0]).expect("few keys");
    let back = back[0].as_primitive::<arrow::datatypes::Float64Type>();
    assert_eq!(back.value(0), f64::INFINITY);
    assert!(back.value(1).is_nan() && back.is_null(2));
    assert_eq!(back.value(3).to_bits(), 0);

    let mut index = KeyIndex::new(&[DataType::Boolean]).expect("key type");
    let column: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]));
    assert_eq!(ids(&mut index, &[Arc::clone(&column)]), [0, 1, 2]);
    assert_eq!(&index.key_columns(&[0, 1, 2]).expect("few keys")[0], &column);
}

#[test]
fn every_type_comes_back_as_it_was() {
    let zone = DataType::Timestamp(TimeUnit::Millisecond, Some("+02:00".into()));
    let numbers = Int64Array::from(vec![Some(5), None, Some(-5), Some(i64::MAX), Some(5)]);
    let small = Int64Array::from(vec![Some(5), None, Some(0), Some(127), Some(5)]);
    for data_type in [
        DataType::Int64,
        DataType::Date64,
        DataType::Timestamp(TimeUnit::Second, None),
        zone,
        DataType::Timestamp(TimeUnit::Nanosecond, None),
        DataType::Time64(TimeUnit::Microsecond),
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Duration(TimeUnit::Second),
        DataType::Duration(TimeUnit::Millisecond),
        DataType::Duration(TimeUnit::Microsecond),
        DataType::Duration(TimeUnit::Nanosecond),
    ] {
        back_and_forth(&arrow::compute::cast(&numbers, &data_type).expect("cast"));
    }
    use DataType::*;
    for data_type in [
        Int8,
        Int16,
        Int32,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Date32,
        Decimal32(9, 2),
        Decimal64(18, 2),
        Decimal128(20, 2),
        Utf8,
        LargeUtf8,
        Utf8View,
    ] {
        back_and_forth(&arrow::compute::cast(&small, &data_type).expect("cast"));
    }
    let months = IntervalYearMonthArray::from(vec![Some(5), None, Some(0), Some(127), Some(5)]);
    back_and_forth(&(Arc::new(months) as ArrayRef));
    let narrow = arrow::compute::cast(&small, &Int32).expect("cast");
    for unit in [TimeUnit::Second, TimeUnit::Millisecond] {
        back_and_forth(&arrow::compute::cast(&narrow, &Time32(unit)).expect("cast"));
    }
}

fn back_and_forth(column: &ArrayRef) {
    let mut index = KeyIndex::new(&[column.data_type().clone()]).expect("key type");
    let found = ids(&mut index, &[Arc::clone(column)]);
    assert_eq!(found, [0, 1, 2, 3, 0], "{}", column.data_type());
    assert_eq!(index.len(), 4);
    assert!(index.bytes() > 0);
    assert_eq!(&index.key_columns(&found).expect("few keys")[0], column);
    // Appending more rows than a chunk holds, by index, changes nothing.
    let rows: Vec<u32> = (0..1000).map(|i| i % 5).collect();
    let mut out = Vec::new();
    index.ids(&[Arc::clone(column)], Rows::Some(&rows), &mut out).expect("key type");
    assert!(rows.iter().zip(&out).all(|(&row, &id)| found[row as usize] == id));
}

#[test]
fn a_dictionary_is_its_values() {
    let values: ArrayRef = Arc::new(StringArray::from(vec![
        Some("unused"),
        Some("DE"),
        None,
        Some("Liechtenstein"),
        Some("DE"),
    ]));
    let dictionary = |keys: Vec<Option<u8>>| -> ArrayRef {
        let keys = UInt8Array::from(keys);
        Arc::new(DictionaryArray::<UInt8Type>::try_new(keys, Arc::clone(&values)).expect("valid"))
    };
    let data_type = DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::Utf8));
    let mut index = KeyIndex::new(&[data_type]).expect("key type");
    let batch = dictionary(vec![Some(3), Some(4), None, Some(2), Some(1), Some(3)]);
    assert_eq!(ids(&mut index, &[batch]), [0, 1, 2, 2, 1, 0]);
    // The same dictionary again, another one, and plain text.
    assert_eq!(ids(&mut index, &[dictionary(vec![Some(1), None])]), [1, 2]);
    let other: DictionaryArray<Int32Type> = ["FR", "DE", "FR"].into_iter().collect();
    assert_eq!(ids(&mut index, &[Arc::new(other)]), [3, 1, 3]);
    assert_eq!(ids(&mut index, &[Arc::new(StringArray::from(vec!["Liechtenstein"]))]), [0]);
    let back = index.key_columns(&[0, 1, 2, 3]).expect("few keys");
    let want = StringArray::from(vec![Some("Liechtenstein"), Some("DE"), None, Some("FR")]);
    assert_eq!(back[0].as_string::<i32>(), &want);
    assert_eq!(index.key_types(), [DataType::Utf8]);
}

#[test]
fn a_large_dictionary_is_translated_once_it_comes_again() {
    let texts = (0..5000).map(|i| format!("value number {i}"));
    let values: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let mut index = KeyIndex::new(&[data_type]).expect("key type");
    for round in 0..3 {
        let keys = Int32Array::from(vec![4999, 7, 4999, round]);
        let batch = DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(&values));
        let found = ids(&mut index, &[Arc::new(batch.expect("valid"))]);
        assert_eq!(found, [0, 1, 0, 2 + round as u32]);
    }
}

#[test]
fn wrong_columns_are_refused() {
    let list = DataType::List(Arc::new(arrow::datatypes::Field::new("item", DataType::Int8, true)));
    assert!(KeyIndex::new(&[list]).is_err());
    let mut index = KeyIndex::new(&[DataType::Int64]).expect("key type");
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let mut out = Vec::new();
    assert!(index.ids(&[Arc::clone(&column)], Rows::All(1), &mut out).is_err());
    assert!(index.ids(&[column.clone(), column], Rows::All(1), &mut out).is_err());
}

#[test]
fn no_column_is_one_key() {
    let mut index = KeyIndex::new(&[]).expect("no column");
    assert!(index.is_empty());
    let mut out = Vec::new();
    index.ids(&[], Rows::All(3), &mut out).expect("no column");
    assert_eq!(out, [0, 0, 0]);
    assert_eq!(index.len(), 1);
    assert!(index.key_columns(&out).expect("no column").is_empty());
}

/// Integers of every size class, many of them equal.
fn integer() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        6 => (0..300i64).prop_map(Some),
        2 => ((1 << 20) - 3..(1 << 20) + 3i64).prop_map(Some),
        2 => (-3..3i64).prop_map(Some),
        1 => any::<i64>().prop_map(Some),
        1 => Just(None),
    ]
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop_oneof![4 => "[ab]{0,9}".prop_map(Some), 1 => ".{0,3}".prop_map(Some), 1 => Just(None)]
}

type Row = (Option<i64>, Option<String>, Option<i128>);

fn columns(rows: &[Row]) -> Vec<ArrayRef> {
    let decimals: Decimal128Array = rows.iter().map(|r| r.2).collect();
    vec![
        Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.1.as_deref()).collect::<StringArray>()),
        Arc::new(decimals.with_precision_and_scale(38, 2).expect("fits")),
    ]
}

proptest! {
    #[test]
    fn ids_are_those_of_a_map(
        rows in prop::collection::vec(
            (integer(), text(), prop::option::of(-2..2i128)), 0..700),
        cuts in prop::collection::vec(0usize..700, 0..5),
    ) {
        let types = [DataType::Int64, DataType::Utf8, DataType::Decimal128(38, 2)];
        for width in 1..=3 {
            for first in 0..=3 - width {
                let key = |r: &Row| {
                    let mut key = r.clone();
                    if first > 0 { key.0 = None }
                    if first > 1 || first + width < 2 { key.1 = None }
                    if first + width < 3 { key.2 = None }
                    key
                };
                let want = naive(rows.iter().map(key));
                let mut index = KeyIndex::new(&types[first..first + width]).expect("types");
                let mut cuts: Vec<usize> = cuts.iter().map(|&c| c.min(rows.len())).collect();
                cuts.extend([0, rows.len()]);
                cuts.sort_unstable();
                let mut got = Vec::new();
                for cut in cuts.windows(2) {
                    let columns = columns(&rows[cut[0]..cut[1]]);
                    let mut out = Vec::new();
                    let rows = Rows::All(cut[1] - cut[0]);
                    index.ids(&columns[first..first + width], rows, &mut out).expect("types");
                    got.extend(out);
                }
                prop_assert_eq!(&got, &want);
                let back = index.key_columns(&got).expect("few keys");
                prop_assert_eq!(&back[..], &columns(&rows)[first..first + width]);
            }
        }
    }

    #[test]
    fn codes_leave_null_out(rows in prop::collection::vec(text(), 0..300)) {
        let mut known = HashMap::new();
        let want: Vec<u32> = rows.iter().map(|text| match text {
            None => u32::MAX,
            Some(text) => { let next = known.len() as u32; *known.entry(text).or_insert(next) }
        }).collect();
        let column: ArrayRef = Arc::new(rows.iter().map(|t| t.as_deref()).collect::<StringArray>());
        for data_type in [DataType::Utf8, DataType::Dictionary(
            Box::new(DataType::Int32), Box::new(DataType::Utf8))] {
            let column = arrow::compute::cast(&column, &data_type).expect("cast");
            let mut codes = crate::state::codes::ValueCodes::new(&data_type).expect("type");
            let mut out = Vec::new();
            codes.codes(&column, Rows::All(rows.len()), &mut out).expect("type");
            prop_assert_eq!(&out, &want);
            prop_assert_eq!(codes.len(), known.len());
            let back = codes.values(&out).expect("few");
            let plain = arrow::compute::cast(&column, &DataType::Utf8).expect("cast");
            prop_assert_eq!(&back, &plain);
        }
    }
}
