use std::collections::HashMap;

use arrow::array::{Int16Array, Int64Array, LargeStringArray, StringArray, UInt64Array};
use arrow::datatypes::UInt8Type;
use proptest::prelude::*;

use super::*;
use crate::batch::RowTimes;

type Columns = Vec<(&'static str, ArrayRef)>;

fn table(keys: Vec<(&str, ArrayRef)>, values: ArrayRef) -> Result<LookupTable> {
    let names: Vec<String> = keys.iter().map(|(name, _)| (*name).to_owned()).collect();
    let columns = keys.into_iter().chain([("value", values)]);
    let rows = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true)));
    LookupTable::new("t", &rows.expect("a table"), &names, |row| format!("row {row}"))
}

fn join(table: LookupTable, keys: &[&str], inner: bool) -> LookupJoin {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    LookupJoin::new(Arc::new(table), keys, |name| Some(name.to_owned()), inner)
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Batch {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    Batch::new(RecordBatch::try_from_iter_with_nullable(columns).expect("a batch"), 100)
}

fn text(column: &ArrayRef) -> Vec<Option<String>> {
    let plain = cast(column, &DataType::Utf8).expect("text");
    plain.as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect()
}

proptest! {
    /// Every kind of key and index against a map, left and inner.
    #[test]
    fn rows_meet_the_row_with_their_key(
        keys in prop::collection::hash_set(prop_oneof![-5..40i64, any::<i64>()], 0..30),
        asked in prop::collection::vec(prop::option::of(prop_oneof![-5..40i64, any::<i64>()]), 0..70),
        kind in 0..6usize,
        inner in any::<bool>(),
    ) {
        let keys: Vec<i64> = keys.into_iter().collect();
        let values = keys.iter().enumerate().map(|(row, _)| (row % 7 > 0).then(|| format!("v{}", row % 5)));
        let values: Vec<Option<String>> = values.collect();
        let known: HashMap<i64, Option<String>> = keys.iter().copied().zip(values.clone()).collect();
        let numbers = |of: &[Option<i64>]| -> ArrayRef { Arc::new(Int64Array::from(of.to_vec())) };
        let texts = |of: &[Option<i64>]| -> ArrayRef {
            Arc::new(StringArray::from_iter(of.iter().map(|v| v.map(|v| v.to_string()))))
        };
        let some: Vec<Option<i64>> = keys.iter().copied().map(Some).collect();
        let as_type = |column: ArrayRef, to: DataType| cast(&column, &to).expect("a cast");
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        // The table's key columns, and the rows'.
        let (theirs, own): (Columns, Columns) = match kind {
            0 => (vec![("k", numbers(&some))], vec![("k", numbers(&asked))]),
            1 => (vec![("k", texts(&some))], vec![("k", texts(&asked))]),
            2 => (vec![("k", texts(&some))], vec![("k", as_type(texts(&asked), dictionary))]),
            3 => (vec![("k", as_type(texts(&some), dictionary))],
                  vec![("k", as_type(texts(&asked), DataType::LargeUtf8))]),
            4 => (vec![("k", numbers(&some)), ("l", texts(&some))],
                  vec![("k", numbers(&asked)), ("l", texts(&asked))]),
            // Floats of large integers would be alike: bits stay apart.
            _ => {
                let float = |column: ArrayRef| {
                    let bits = column.as_primitive::<arrow::datatypes::Int64Type>();
                    Arc::new(bits.unary::<_, arrow::datatypes::Float64Type>(|v| (v % 1000) as f64)) as ArrayRef
                };
                let distinct: std::collections::HashSet<i64> = keys.iter().map(|k| k % 1000).collect();
                prop_assume!(distinct.len() == keys.len());
                prop_assume!(asked.iter().flatten().all(|v| known.contains_key(v) || !distinct.contains(&(v % 1000))));
                (vec![("k", float(numbers(&some)))], vec![("k", float(numbers(&asked)))])
            }
        };
        let names: Vec<&str> = theirs.iter().map(|(name, _)| *name).collect();
        let values: ArrayRef = Arc::new(StringArray::from(values));
        let join = join(table(theirs, values).expect("a table"), &names, inner);
        let mut columns = own;
        columns.push(("asked", numbers(&asked)));
        let batch = batch(columns);
        let out = join.map(batch.clone()).expect("joined");
        prop_assert_eq!(&out.rows.schema(), &join.output_schema(&batch.rows.schema()).expect("a schema"));
        let mut expected = Vec::new();
        for (row, key) in asked.iter().enumerate() {
            let found = key.and_then(|key| known.get(&key));
            if found.is_some() || !inner {
                expected.push((100 + row as u64, found.cloned().flatten()));
            }
        }
        let got: Vec<(u64, Option<String>)> = text(out.rows.column_by_name("value").expect("it"))
            .into_iter().enumerate().map(|(row, value)| (out.offsets.get(row), value)).collect();
        prop_assert_eq!(join.dropped().rows as usize, asked.len() - expected.len());
        prop_assert_eq!(got, expected);
    }
}

#[test]
fn a_key_that_stands_twice_is_named_with_both_places() {
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![Some(4), None, None, Some(7), Some(4)]));
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5]));
    let error = table(vec![("ad_id", keys)], values).expect_err("twice").to_string();
    assert!(
        error.contains("the table t: its key ad_id = 4 stands there twice, in row 0 and row 4"),
        "{error}"
    );
}

#[test]
fn integers_of_other_widths_meet_by_value() {
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![-1, 3, 1 << 40]));
    let values: ArrayRef = Arc::new(Int64Array::from(vec![10, 20, 30]));
    let join = join(table(vec![("k", keys)], values).expect("a table"), &["k"], false);
    let found = |column: ArrayRef| -> Vec<Option<i64>> {
        let out = join.map(batch(vec![("k", column)])).expect("joined");
        out.rows["value"].as_primitive::<arrow::datatypes::Int64Type>().iter().collect()
    };
    assert_eq!(found(Arc::new(Int16Array::from(vec![-1, 3, 4]))), [Some(10), Some(20), None]);
    // The same 64 bits as −1, and another value.
    let wide = UInt64Array::from(vec![u64::MAX, 3, 1 << 40]);
    assert_eq!(found(Arc::new(wide)), [None, Some(20), Some(30)]);
    let text = batch(vec![("k", Arc::new(StringArray::from(vec!["3"])))]);
    let error = join.map(text).expect_err("text").to_string();
    assert!(error.contains("is Utf8 in the rows and Int64 in the table"), "{error}");
}

#[test]
fn a_name_that_both_have_is_refused_and_a_prefix_helps() {
    let keys: ArrayRef = Arc::new(LargeStringArray::from(vec!["a"]));
    let values: ArrayRef = Arc::new(Int64Array::from(vec![10]));
    let table = Arc::new(table(vec![("k", keys.clone())], values.clone()).expect("a table"));
    let rows = batch(vec![("k", keys), ("value", values)]);
    let plain = LookupJoin::new(table.clone(), vec!["k".into()], |n| Some(n.into()), false);
    let error = plain.map(rows.clone()).expect_err("a clash").to_string();
    assert!(error.contains("both have a column \"value\"") && error.contains(" as ad'"), "{error}");
    let named = LookupJoin::new(table, vec!["k".into()], |n| Some(format!("t_{n}")), false);
    assert_eq!(named.map(rows).expect("joined").rows.schema().field(2).name(), "t_value");
}

#[test]
fn an_empty_table_matches_nothing_and_late_rows_are_counted_apart() {
    let keys: ArrayRef = Arc::new(Int64Array::from(Vec::<i64>::new()));
    let values: ArrayRef = Arc::new(Int64Array::from(Vec::<i64>::new()));
    let join = |inner| {
        join(table(vec![("k", keys.clone())], values.clone()).expect("a table"), &["k"], inner)
    };
    let narrow: DictionaryArray<UInt8Type> = ["x", "y"].into_iter().collect();
    let mut rows = batch(vec![("k", Arc::new(narrow))]);
    rows.times = Some(RowTimes {
        sorted: false,
        time: vec![5, 1].into(),
        late: Some(BooleanBuffer::from(vec![false, true])),
        largest_before: None,
        watermark: 4,
    });
    assert_eq!(join(false).map(rows.clone()).expect("joined").rows["value"].null_count(), 2);
    let inner = join(true);
    assert!(inner.map(rows).expect("joined").is_empty());
    assert_eq!(inner.dropped(), Dropped { rows: 2, late: 1 });
}
