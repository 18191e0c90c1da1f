//! Each rule of the module's text by example, and the words of the errors.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Float32Array, Int32Array, RecordBatch,
    StringArray, StringViewArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    UInt64Array,
};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};

use super::{Row, batch_of};
use crate::ErrorKind;
use crate::expr::{Expr, col, decimal, lit, null, when};

fn bools(expr: &Expr, batch: &RecordBatch) -> Vec<Option<bool>> {
    let bound = expr.bind(&batch.schema()).unwrap();
    bound.evaluate_bool(batch).unwrap().iter().collect()
}

fn one(name: &str, array: impl Array + 'static) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([(name, Arc::new(array) as ArrayRef, true)]).unwrap()
}

fn error(expr: &Expr, batch: &RecordBatch) -> String {
    match expr.bind(&batch.schema()).and_then(|bound| bound.evaluate(batch)) {
        Ok(array) => panic!("{expr} gave {array:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn nan_is_greatest_and_zeros_are_equal() {
    let values = [Some(f64::NAN), Some(-f64::NAN), Some(f64::INFINITY), Some(-0.0), None];
    let rows: Vec<Row> = values.iter().map(|x| Row { x: *x, ..Row::default() }).collect();
    let batch = batch_of(&rows);
    let (t, f) = (Some(true), Some(false));
    assert_eq!(bools(&col("x").eq(f64::NAN), &batch), [t, t, f, f, None]);
    assert_eq!(bools(&col("x").gt(f64::INFINITY), &batch), [t, t, f, f, None]);
    assert_eq!(bools(&col("x").eq(0.0), &batch), [f, f, f, t, None]);
    assert_eq!(bools(&lit(0.0).gt(col("x")), &batch), [f, f, f, f, None]);
}

#[test]
fn decimals_compare_exactly() {
    let rows: Vec<Row> = [Some(1999), Some(2000), Some(2001), None]
        .iter()
        .map(|d| Row { d: *d, ..Row::default() })
        .collect();
    let batch = batch_of(&rows);
    let (t, f) = (Some(true), Some(false));
    assert_eq!(bools(&col("d").gt(20), &batch), [f, f, t, None]);
    assert_eq!(bools(&col("d").eq(decimal(1999, 2)), &batch), [t, f, f, None]);
    assert_eq!(bools(&col("d").lt(decimal(19_995, 3)), &batch), [t, f, f, None]);
    assert_eq!(bools(&lit(i64::MAX).gt(col("d")), &batch), [t, t, t, None]);
    // The nearest float of 19.99 is the float that the text 19.99 is read as.
    assert_eq!(bools(&col("d").eq(19.99), &batch), [t, f, f, None]);
}

#[test]
fn decimal_sums_are_exact_and_products_are_floats() {
    let batch = batch_of(&[Row { d: Some(10), ..Row::default() }]);
    let sum = (col("d") + decimal(205, 3)).bind(&batch.schema()).unwrap();
    assert_eq!(*sum.data_type(), DataType::Decimal128(38, 3));
    let sum = sum.evaluate(&batch).unwrap();
    assert_eq!(sum.as_primitive::<Decimal128Type>().value(0), 305);
    let product = (col("d") * 3).bind(&batch.schema()).unwrap().evaluate(&batch).unwrap();
    assert_eq!(product.as_primitive::<Float64Type>().value(0), 0.1 * 3.0);
    let largest = decimal(10_i128.pow(38) - 1, 0);
    assert!(error(&(col("d") + largest), &batch).contains("no place"));
}

#[test]
fn integers_fail_loudly() {
    let batch = batch_of(&[Row { i: Some(i64::MAX), j: Some(0), ..Row::default() }]);
    let text = error(&(col("i") + lit(1)).gt(0), &batch);
    assert_eq!(
        text,
        "expression `i + 1 > 0`: overflow in `i + 1`\n  help: cast an operand with cast_f64 if \
         an inexact result will do"
    );
    assert!(error(&(col("i") / col("j")), &batch).contains("integer division by zero in `i / j`"));
    assert!(error(&(col("i") * 2).is_null(), &batch).contains("overflow in `i * 2`"));
    assert!(error(&(lit(1) / 0), &batch).contains("division by zero in `1 / 0`"));
    let lowest = batch_of(&[Row { i: Some(i64::MIN), ..Row::default() }]);
    assert!(error(&col("i").abs(), &lowest).contains("overflow in `abs(i)`"));
    assert!(error(&-col("i"), &lowest).contains("overflow in `-i`"));
}

#[test]
fn when_guards_its_branches() {
    let rows = [(Some(6), Some(0)), (Some(6), Some(4)), (Some(6), None), (None, Some(1))]
        .map(|(i, j)| Row { i, j, ..Row::default() });
    let batch = batch_of(&rows);
    let guarded = when(col("j").ne(0)).then(col("i") / col("j")).otherwise(null());
    let values = guarded.bind(&batch.schema()).unwrap().evaluate(&batch).unwrap();
    let values: Vec<Option<i64>> = values.as_primitive::<Int64Type>().iter().collect();
    assert_eq!(values, [None, Some(1), None, None]);
    let replaced = (col("j") / col("j")).is_null();
    assert!(error(&replaced, &batch).contains("by zero"));
    let coalesced = col("i").coalesce(lit(12) / (col("j") - 4)).bind(&batch.schema()).unwrap();
    let values = coalesced.evaluate(&batch).unwrap();
    let values: Vec<Option<i64>> = values.as_primitive::<Int64Type>().iter().collect();
    assert_eq!(values, [Some(6), Some(6), Some(6), Some(-4)]);
}

#[test]
fn common_types_of_branches() {
    let batch = batch_of(&[Row { i: Some(2), x: Some(0.5), d: Some(150), ..Row::default() }]);
    let of = |expr: Expr| expr.bind(&batch.schema()).unwrap().data_type().clone();
    assert_eq!(of(col("i").min(col("x"))), DataType::Float64);
    assert_eq!(of(col("d").min(col("x"))), DataType::Float64);
    assert_eq!(of(col("d").coalesce(0)), DataType::Decimal128(38, 2));
    assert_eq!(of(null().coalesce(col("i"))), DataType::Int64);
    assert_eq!(of(when(lit(true)).then(null()).otherwise(col("s"))), DataType::Utf8);
    let smaller = col("d").min(col("i")).bind(&batch.schema()).unwrap().evaluate(&batch).unwrap();
    assert_eq!(smaller.as_primitive::<Decimal128Type>().value(0), 150);
}

#[test]
fn unsigned_and_narrow_integers_compare_exactly() {
    let (t, f) = (Some(true), Some(false));
    let large = one("u", UInt64Array::from(vec![0, 5, u64::MAX]));
    assert_eq!(bools(&col("u").gt(4), &large), [f, t, t]);
    assert_eq!(bools(&col("u").gt(-1), &large), [t, t, t]);
    assert_eq!(bools(&col("u").eq(col("u")), &large), [t, t, t]);
    assert!(error(&(col("u") + 1), &large).contains("no place in Int64"));
    let narrow = one("n", Int32Array::from(vec![Some(-1), None, Some(i32::MAX)]));
    assert_eq!(bools(&col("n").lt(i64::MAX), &narrow), [t, None, t]);
    assert_eq!(bools(&col("n").ge(0), &narrow), [f, None, t]);
    let float = one("f", Float32Array::from(vec![0.5]));
    assert_eq!(bools(&col("f").eq(0.5), &float), [t]);
}

#[test]
fn times_are_integers_in_their_own_unit() {
    let batch = RecordBatch::try_from_iter([
        ("a", Arc::new(TimestampMicrosecondArray::from(vec![5, 7])) as ArrayRef),
        ("b", Arc::new(TimestampMicrosecondArray::from(vec![6, 6])) as ArrayRef),
        ("m", Arc::new(TimestampMillisecondArray::from(vec![6, 6])) as ArrayRef),
    ])
    .unwrap();
    assert_eq!(bools(&col("a").gt(col("b")), &batch), [Some(false), Some(true)]);
    assert_eq!(bools(&col("a").gt(6), &batch), [Some(false), Some(true)]);
    assert_eq!(bools(&(col("a") - col("b")).eq(1), &batch), [Some(false), Some(true)]);
    assert!(error(&col("a").gt(col("m")), &batch).contains("cannot compare"));
    assert!(error(&(col("a") - col("m")), &batch).contains("same unit"));
}

#[test]
fn text_in_every_layout() {
    let (t, f) = (Some(true), Some(false));
    let dictionary: DictionaryArray<Int32Type> =
        vec![Some("de"), None, Some("fr")].into_iter().collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("d", Arc::new(dictionary) as ArrayRef, true),
        ("v", Arc::new(StringViewArray::from(vec!["de", "de", "x"])) as ArrayRef, true),
        ("s", Arc::new(StringArray::from(vec!["de", "fr", "fr"])) as ArrayRef, true),
    ])
    .unwrap();
    assert_eq!(bools(&col("d").eq("de"), &batch), [t, None, f]);
    assert_eq!(bools(&col("v").lt("e"), &batch), [t, t, f]);
    assert_eq!(bools(&lit("de").ne(col("s")), &batch), [f, t, t]);
    assert_eq!(bools(&col("d").eq(col("s")), &batch), [t, None, t]);
    assert_eq!(bools(&col("v").eq(col("s")), &batch), [t, f, f]);
    assert_eq!(bools(&col("d").eq(col("v")), &batch), [t, None, f]);
}

#[test]
fn constants_fill_all_rows() {
    let batch = batch_of(&vec![Row::default(); 3]);
    let all = lit(true).and(lit(2).gt(1));
    assert_eq!(bools(&all, &batch), [Some(true); 3]);
    assert_eq!(bools(&null().eq(null()), &batch), [None; 3]);
    let bound = (lit(1) + 2).bind(&batch.schema()).unwrap();
    assert_eq!(bound.evaluate(&batch).unwrap().as_primitive::<Int64Type>().values(), &[3, 3, 3]);
    assert_eq!(bound.evaluate(&batch.slice(0, 0)).unwrap().len(), 0);
}

#[test]
fn mistakes_are_explained() {
    let batch = batch_of(&[Row::default()]);
    let schema = batch.schema();
    let words = |expr: Expr| {
        let error = expr.bind(&schema).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        error.to_string()
    };
    assert_eq!(words(col("s").gt(3)), "cannot compare Utf8 and Int64 in `s > 3`");
    assert!(words(col("xx").gt(3)).contains("did you mean `x`"));
    assert!(words(col("speed").gt(3)).contains("the columns are `i`, `j`"));
    assert!(words(col("i").and(col("p"))).contains("cannot use `and` on Int64 and Boolean"));
    assert!(words(col("s") + 1).contains("cannot compute with Utf8 and Int64"));
    assert!(words(!col("x")).contains("`not` needs a boolean, but gets Float64"));
    assert!(words(when(col("x")).then(1).otherwise(2)).contains("needs a condition"));
    assert!(words(when(col("p")).then(1).otherwise("a")).contains("choose between"));
    assert!(words(decimal(1, 100)).contains("no decimal"));
    let deep = (0..300).fold(col("i"), |expr, _| expr.abs());
    assert!(words(deep).contains("deeper than"));
    let no_condition = col("i").bind(&schema).unwrap().evaluate_bool(&batch).unwrap_err();
    assert!(no_condition.to_string().contains("no condition"));
    let other = one("other", BooleanArray::from(vec![true]));
    let moved = col("i").bind(&schema).unwrap().evaluate(&other).unwrap_err();
    assert!(moved.to_string().contains("not where it was"));
}
