//! Programs against the evaluation of a node at a time, their specification.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type};
use proptest::prelude::*;

use super::strategies::{any_row, arithmetic_expr, condition};
use super::{Row, batch_of};
use crate::batch::Batch;
use crate::expr::{Compute, Computed, Expr, col};
use crate::operator::MapOperator;

/// Equal columns; all NaNs are one, and what lies under a null is nothing.
fn same(a: &ArrayRef, b: &ArrayRef) -> bool {
    if *a.data_type() != DataType::Float64 || *b.data_type() != DataType::Float64 {
        return a == b;
    }
    let bits = |array: &ArrayRef| -> Vec<Option<u64>> {
        let canonical = |value: f64| if value.is_nan() { f64::NAN } else { value };
        let floats = array.as_primitive::<Float64Type>().iter();
        floats.map(|value| value.map(|value| canonical(value).to_bits())).collect()
    };
    bits(a) == bits(b)
}

fn check(expr: &Expr, rows: &[Row], cut: usize) {
    let batch = batch_of(rows).slice(cut, rows.len() - cut);
    // A constant part that cannot be computed is refused by both.
    let Ok(bound) = expr.bind(&batch.schema()) else { return };
    // Registers that many rows have used hold something behind the last of few.
    for batch in [&batch, &batch.slice(0, batch.num_rows().min(3))] {
        match (bound.evaluate(batch), bound.evaluate_plain(batch)) {
            (Ok(quick), Ok(plain)) => {
                assert!(same(&quick, &plain), "{expr}\n{quick:?}\n{plain:?}");
            }
            (Err(quick), Err(plain)) => assert_eq!(quick.to_string(), plain.to_string()),
            (quick, plain) => panic!("{expr}: {quick:?}, {plain:?}"),
        }
    }
}

/// Rows of lengths around a word and a chunk, made by repeating a few.
fn many_rows() -> impl Strategy<Value = Vec<Row>> {
    let lengths = vec![1, 2, 63, 64, 65, 511, 512, 513, 1025];
    let few = proptest::collection::vec(any_row(), 1..9);
    (few, proptest::sample::select(lengths))
        .prop_map(|(few, rows)| few.into_iter().cycle().take(rows).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn numbers(expr in arithmetic_expr(), rows in many_rows(), cut in 0_usize..2) {
        check(&expr, &rows, cut);
    }

    #[test]
    fn conditions(expr in condition(), rows in many_rows(), cut in 0_usize..2) {
        check(&expr, &rows, cut);
    }
}

/// Columns under new names and in the place of others, which later ones read.
fn computed() -> impl Strategy<Value = Vec<Computed>> {
    let value = prop_oneof![
        4 => arithmetic_expr(),
        3 => condition(),
        1 => Just(col("s").coalesce("none")),
        1 => Just(col("s").eq("de")),
        1 => Just(col("x")),
    ];
    let name = prop_oneof![Just("a"), Just("b"), Just("i"), Just("x"), Just("p"), Just("s")];
    let column = prop_oneof![
        4 => (name, value).prop_map(|(name, expr)| Computed::expr(name, expr)),
        1 => Just(Computed::expr("c", col("a").cast_f64())),
        1 => proptest::collection::vec(condition(), 0..4)
            .prop_map(|conditions| Computed::bits("bits", conditions, String::new())),
        1 => Just(Computed::expr("any", col("bits").ne(0))),
    ];
    proptest::collection::vec(column, 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn columns_in_one_step(columns in computed(), rows in many_rows(), cut in 0_usize..2) {
        let compute = Compute::new(columns);
        let rows = batch_of(&rows).slice(cut, rows.len() - cut);
        let schema = rows.schema();
        match (compute.map(Batch::new(rows.clone(), 0)), compute.map_plain(&Batch::new(rows, 0))) {
            (Ok(quick), Ok(plain)) => {
                assert_eq!(quick.rows.schema(), compute.output_schema(&schema).unwrap());
                assert_eq!(quick.rows.schema(), plain.rows.schema());
                for (quick, plain) in quick.rows.columns().iter().zip(plain.rows.columns()) {
                    assert!(same(quick, plain), "{}\n{quick:?}\n{plain:?}", compute.describe());
                }
            }
            (Err(quick), Err(plain)) => assert_eq!(quick.to_string(), plain.to_string()),
            (quick, plain) => panic!("{}: {quick:?}, {plain:?}", compute.describe()),
        }
    }
}
